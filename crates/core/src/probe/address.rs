//! An address as people paste it.

use url::{Host, Url};

use crate::escape::is_deceptive;
use crate::server::DialectKind;

/// Ends of paths that several kinds of servers and their web pages have.
const TAILS: [&str; 5] = ["/api/auth/login", "/api/auth/me", "/socket.io", "/ws/logs", "/login"];

/// Places below which a server is looked for at most.
const BASES: usize = 3;

/// What was typed, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Typed {
    /// The address with `http` or `https`, without user, password, query and fragment: none of
    /// these is a probe's to send.
    pub url: Url,
    /// Whether the scheme was typed, so that it is meant.
    pub scheme_given: bool,
    /// Whether a port was typed, other than the scheme's own.
    pub port_given: bool,
}

impl Typed {
    /// The same with the other scheme; the scheme's own port changes with it.
    #[must_use]
    pub fn other_scheme(&self) -> Typed {
        let mut url = self.url.clone();
        // Between special schemes this is always possible.
        let _ = url.set_scheme(if url.scheme() == "https" { "http" } else { "https" });
        Typed { url, ..self.clone() }
    }

    /// Whether it is this computer.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match self.url.host() {
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            None => false,
        }
    }

    /// Where the server's own paths may begin: at the root, at what stands before a path that a
    /// server is known to have, at the first part of the path.
    #[must_use]
    pub fn bases(&self) -> Vec<Url> {
        let path = self.url.path().trim_end_matches('/');
        let longest = tails().filter(|tail| path.ends_with(tail)).max_by_key(|tail| tail.len());
        let tail = longest.and_then(|tail| path.strip_suffix(tail));
        let first = path.split('/').nth(1).map(|first| format!("/{first}"));
        let mut bases: Vec<Url> = Vec::new();
        for path in [Some(String::new()), tail.map(str::to_owned), first, Some(path.to_owned())] {
            let mut base = self.url.clone();
            base.set_path(&path.unwrap_or_default());
            let known = tails().any(|tail| base.path() == tail);
            if !known && !bases.contains(&base) {
                bases.push(base);
            }
        }
        bases.truncate(BASES);
        bases
    }
}

/// Ends of paths below the base of some kind of server: what stands before one is the base.
fn tails() -> impl Iterator<Item = &'static str> {
    let own = DialectKind::ALL.into_iter().flat_map(|kind| {
        let info = kind.info();
        info.paths.iter().copied().chain([info.socket_path]).chain(info.api_path)
    });
    TAILS.into_iter().chain(own).filter(|tail| *tail != "/")
}

/// Reads what was pasted: with or without a scheme, with blanks, quotes or brackets around it.
///
/// # Errors
/// A sentence for people. It quotes nothing that may hold a key.
pub fn read(text: &str) -> Result<Typed, String> {
    let around =
        |c: char| c.is_whitespace() || is_invisible(c) || matches!(c, '<' | '>' | '"' | '\'' | '`');
    let text: String = text.trim_matches(around).chars().filter(|c| !is_invisible(*c)).collect();
    if text.is_empty() {
        return Err("Enter the server's URL.".to_owned());
    }
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) => (Some(scheme.to_ascii_lowercase()), rest),
        None => (None, text.trim_start_matches('/')),
    };
    let secure = match scheme.as_deref() {
        Some("http" | "ws") => false,
        Some("https" | "wss") => true,
        None => !starts_on_loopback(rest),
        Some(_) => return Err("URLs must start with ws, wss, http or https.".to_owned()),
    };
    let full = format!("{}://{rest}", if secure { "https" } else { "http" });
    let mut url = Url::parse(&full).map_err(unreadable)?;
    if url.host_str().is_none_or(str::is_empty) {
        return Err("The URL names no host. Enter it like https://jobs.example.com.".to_owned());
    }
    url.set_query(None);
    url.set_fragment(None);
    // Both are possible for URLs with a host.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    let port_given = url.port().is_some();
    Ok(Typed { url, scheme_given: scheme.is_some(), port_given })
}

fn unreadable(error: url::ParseError) -> String {
    match error {
        url::ParseError::InvalidPort => {
            "The port in this URL is not a number from 1 to 65535.".to_owned()
        }
        _ => {
            "This is not a URL. Enter it like https://jobs.example.com or 10.0.0.5:3000.".to_owned()
        }
    }
}

/// Zero-width characters and marks of direction, which come along when text is copied.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || is_deceptive(c)
        || matches!(c, '\u{200c}' | '\u{200d}' | '\u{2061}'..='\u{2065}' | '\u{ad}')
}

fn starts_on_loopback(rest: &str) -> bool {
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let name = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.to_ascii_lowercase().ends_with(".localhost")
        || name == "::1"
        || name.starts_with("127.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> String {
        read(text).unwrap().url.to_string()
    }

    #[test]
    fn an_address_is_read_as_people_paste_it() {
        for (typed, read) in [
            ("http://h:3000", "http://h:3000/"),
            (" https://h/x \n", "https://h/x"),
            ("ws://h:8080/ws", "http://h:8080/ws"),
            ("WSS://H/", "https://h/"),
            ("localhost:3001", "http://localhost:3001/"),
            ("127.0.0.1", "http://127.0.0.1/"),
            ("[::1]:3000/x", "http://[::1]:3000/x"),
            ("10.0.0.5:3000", "https://10.0.0.5:3000/"),
            ("jobs.example.com", "https://jobs.example.com/"),
            ("localhost.example.com", "https://localhost.example.com/"),
            ("//h/x", "https://h/x"),
            ("<http://h:3000/jobs?status=failed#top>", "http://h:3000/jobs"),
            ("\u{200b}http://h\u{200b}", "http://h/"),
            ("http://ada:sk-1@h/?api_key=sk-1", "http://h/"),
        ] {
            assert_eq!(url(typed), read, "{typed}");
        }
    }

    #[test]
    fn what_is_no_url_is_told_without_quoting_it() {
        for (typed, word) in [
            ("", "Enter"),
            ("   ", "Enter"),
            ("ftp://h", "must start with"),
            ("redis://h:6379", "must start with"),
            ("http://", "not a URL"),
            ("http://h:99999", "port"),
            ("two words sk-1", "not a URL"),
        ] {
            let said = read(typed).unwrap_err();
            assert!(said.contains(word) && !said.contains("sk-1"), "{typed}: {said}");
        }
    }

    #[test]
    fn a_server_is_looked_for_at_the_root_and_below_the_path_that_was_typed() {
        let bases = |typed: &str| -> Vec<String> {
            read(typed).unwrap().bases().iter().map(|base| base.path().to_owned()).collect()
        };
        assert_eq!(bases("http://h"), ["/"]);
        assert_eq!(bases("http://h/api/ws/tasks"), ["/"]);
        assert_eq!(bases("http://h/jobs/42"), ["/", "/jobs/42"]);
        assert_eq!(bases("http://h/bbb/login"), ["/", "/bbb", "/bbb/login"]);
        assert_eq!(bases("http://h/tools/kecs/ws"), ["/", "/tools/kecs", "/tools"]);
    }
}
