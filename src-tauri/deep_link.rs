//! Deep links to jobs: `jobwatch://SERVER/JOB`.

use std::borrow::Cow;

/// The scheme of deep links.
pub const SCHEME: &str = "jobwatch:";

/// A link to a server or a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeepLink {
    /// A server's id or name.
    pub server: String,
    /// A job's id; `None` if the link names only a server.
    pub job: Option<String>,
}

impl DeepLink {
    /// Parses a link. Everything after the server is the job's id, whatever characters it contains;
    /// percent-encoding is decoded.
    #[must_use]
    pub fn read(text: &str) -> Option<DeepLink> {
        let rest = text.trim().strip_prefix(SCHEME)?.strip_prefix("//")?;
        let (server, job) = rest.split_once('/').unwrap_or((rest, ""));
        let decode = |text: &str| -> Option<String> {
            let text = percent_encoding::percent_decode_str(text).decode_utf8().ok()?;
            Some(Cow::into_owned(text))
        };
        let (server, job) = (decode(server)?, decode(job)?);
        (!server.is_empty()).then(|| DeepLink { server, job: (!job.is_empty()).then_some(job) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_names_a_server_and_a_job_with_any_id() {
        let link = |server: &str, job: Option<&str>| {
            Some(DeepLink { server: server.to_owned(), job: job.map(str::to_owned) })
        };
        for (text, read) in [
            ("jobwatch://lectures/7", link("lectures", Some("7"))),
            ("jobwatch://My%20server/a/b%2Fc", link("My server", Some("a/b/c"))),
            (
                "jobwatch://s/arn:aws:ecs:eu:1:task/x?y#z",
                link("s", Some("arn:aws:ecs:eu:1:task/x?y#z")),
            ),
            ("jobwatch://s/", link("s", None)),
            ("jobwatch://s", link("s", None)),
            ("jobwatch:///7", None),
            ("jobwatch://s/%ff", None),
            ("https://s/7", None),
            ("jobwatch:s/7", None),
        ] {
            assert_eq!(DeepLink::read(text), read, "{text}");
        }
    }
}
