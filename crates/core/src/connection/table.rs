//! The word on the badge: the worst of what is needed, from how socket, API and key stand.

use super::Link;

/// How the socket stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SocketIs {
    /// No attempt has failed since the start or the last change of key.
    Opening,
    /// Open, greeted and alive.
    Live,
    /// At least one attempt has failed, or the link was lost.
    Lost,
    /// The last attempt was refused for the key's sake.
    Refused,
}

/// How the HTTP API stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ApiIs {
    /// Nothing has been asked of it, and nothing will be soon.
    Idle,
    /// It has been asked, or is about to be, and has not answered.
    Asked,
    /// It answers with data.
    Answers,
    /// It cannot be reached, or is no API.
    Fails,
}

/// How the key stands, by what HTTP said of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyIs {
    /// No call that needs one has been answered.
    Unproven,
    /// A call that needs one was answered.
    Accepted,
    /// A call that needs one was refused.
    Refused,
}

/// The word. `ARCHITECTURE.md` has the same as a table.
pub(super) fn link(socket: SocketIs, api: ApiIs, key: KeyIs) -> Link {
    match (socket, api, key) {
        (SocketIs::Live, _, KeyIs::Refused) | (SocketIs::Live, ApiIs::Fails, _) => Link::Partly,
        // Whether what is watched can be listed at all is about to be known.
        (SocketIs::Live, ApiIs::Asked, _) => Link::Connecting,
        (SocketIs::Live, ApiIs::Idle | ApiIs::Answers, _) => Link::Live,
        (_, ApiIs::Answers, KeyIs::Refused) => Link::Partly,
        // What answers may want no key at all.
        (SocketIs::Refused, ApiIs::Answers, KeyIs::Unproven) => Link::Partly,
        (_, ApiIs::Answers, _) => Link::Polling,
        (_, _, KeyIs::Refused) => Link::Refused,
        // Whether HTTP accepts the key decides between Polling, Partly and Refused.
        (_, ApiIs::Asked, _) => Link::Connecting,
        (SocketIs::Refused, ..) => Link::Refused,
        (SocketIs::Opening, ..) => Link::Connecting,
        (SocketIs::Lost, ..) => Link::Offline,
    }
}

#[cfg(test)]
mod tests {
    use super::ApiIs::{Answers, Asked, Fails, Idle};
    use super::KeyIs::{Accepted, Unproven};
    use super::*;

    #[test]
    fn every_row_of_the_table_is_the_worst_of_what_is_needed() {
        let key_refused = KeyIs::Refused;
        for (socket, rows) in [
            (
                SocketIs::Live,
                [
                    (Idle, [Link::Live, Link::Live, Link::Partly]),
                    (Asked, [Link::Connecting, Link::Connecting, Link::Partly]),
                    (Answers, [Link::Live, Link::Live, Link::Partly]),
                    (Fails, [Link::Partly, Link::Partly, Link::Partly]),
                ],
            ),
            (
                SocketIs::Opening,
                [
                    (Idle, [Link::Connecting, Link::Connecting, Link::Refused]),
                    (Asked, [Link::Connecting, Link::Connecting, Link::Refused]),
                    (Answers, [Link::Polling, Link::Polling, Link::Partly]),
                    (Fails, [Link::Connecting, Link::Connecting, Link::Refused]),
                ],
            ),
            (
                SocketIs::Lost,
                [
                    (Idle, [Link::Offline, Link::Offline, Link::Refused]),
                    (Asked, [Link::Connecting, Link::Connecting, Link::Refused]),
                    (Answers, [Link::Polling, Link::Polling, Link::Partly]),
                    (Fails, [Link::Offline, Link::Offline, Link::Refused]),
                ],
            ),
            (
                SocketIs::Refused,
                [
                    (Idle, [Link::Refused, Link::Refused, Link::Refused]),
                    (Asked, [Link::Connecting, Link::Connecting, Link::Refused]),
                    (Answers, [Link::Partly, Link::Polling, Link::Partly]),
                    (Fails, [Link::Refused, Link::Refused, Link::Refused]),
                ],
            ),
        ] {
            for (api, links) in rows {
                for (key, wanted) in [Unproven, Accepted, key_refused].into_iter().zip(links) {
                    assert_eq!(link(socket, api, key), wanted, "{socket:?} {api:?} {key:?}");
                }
            }
        }
    }
}
