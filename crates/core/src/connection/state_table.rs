//! The word on the badge: the worst of what is needed, from how socket, API and key stand.

use super::ConnectionState as State;

/// How the socket stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SocketIs {
    /// No attempt has failed since the start or the last change of key.
    Opening,
    /// Open, greeted and alive.
    Live,
    /// At least one attempt has failed, or the socket was lost.
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
pub(super) fn state(socket: SocketIs, api: ApiIs, key: KeyIs) -> State {
    match (socket, api, key) {
        (SocketIs::Live, _, KeyIs::Refused) | (SocketIs::Live, ApiIs::Fails, _) => State::Partly,
        // Whether what is watched can be listed at all is about to be known.
        (SocketIs::Live, ApiIs::Asked, _) => State::Connecting,
        (SocketIs::Live, ApiIs::Idle | ApiIs::Answers, _) => State::Live,
        (_, ApiIs::Answers, KeyIs::Refused) => State::Partly,
        // What answers may want no key at all.
        (SocketIs::Refused, ApiIs::Answers, KeyIs::Unproven) => State::Partly,
        (_, ApiIs::Answers, _) => State::Polling,
        (_, _, KeyIs::Refused) => State::Refused,
        // Whether HTTP accepts the key decides between Polling, Partly and Refused.
        (_, ApiIs::Asked, _) => State::Connecting,
        (SocketIs::Refused, ..) => State::Refused,
        (SocketIs::Opening, ..) => State::Connecting,
        (SocketIs::Lost, ..) => State::Offline,
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
                    (Idle, [State::Live, State::Live, State::Partly]),
                    (Asked, [State::Connecting, State::Connecting, State::Partly]),
                    (Answers, [State::Live, State::Live, State::Partly]),
                    (Fails, [State::Partly, State::Partly, State::Partly]),
                ],
            ),
            (
                SocketIs::Opening,
                [
                    (Idle, [State::Connecting, State::Connecting, State::Refused]),
                    (Asked, [State::Connecting, State::Connecting, State::Refused]),
                    (Answers, [State::Polling, State::Polling, State::Partly]),
                    (Fails, [State::Connecting, State::Connecting, State::Refused]),
                ],
            ),
            (
                SocketIs::Lost,
                [
                    (Idle, [State::Offline, State::Offline, State::Refused]),
                    (Asked, [State::Connecting, State::Connecting, State::Refused]),
                    (Answers, [State::Polling, State::Polling, State::Partly]),
                    (Fails, [State::Offline, State::Offline, State::Refused]),
                ],
            ),
            (
                SocketIs::Refused,
                [
                    (Idle, [State::Refused, State::Refused, State::Refused]),
                    (Asked, [State::Connecting, State::Connecting, State::Refused]),
                    (Answers, [State::Partly, State::Polling, State::Partly]),
                    (Fails, [State::Refused, State::Refused, State::Refused]),
                ],
            ),
        ] {
            for (api, states) in rows {
                for (key, wanted) in [Unproven, Accepted, key_refused].into_iter().zip(states) {
                    assert_eq!(state(socket, api, key), wanted, "{socket:?} {api:?} {key:?}");
                }
            }
        }
    }
}
