//! Any bytes, read by every dialect: as frames and as answers to the calls it makes.
//!
//! The first byte chooses the dialect, the second how the rest is received; the rest is split at
//! NUL bytes, so that one input is a whole conversation.

#![no_main]

use jobwatch_core::dialect::{FetchResponse, Frame, Incoming, Outgoing, dialect};
use jobwatch_core::model::Topic;
use jobwatch_core::server::{DialectKind, Server, ServerId};
use libfuzzer_sys::fuzz_target;

/// Requests that follow from answers are taken no further than this.
const REQUESTS: usize = 64;

fuzz_target!(|data: &[u8]| {
    let [kind, way, rest @ ..] = data else { return };
    let server = Server {
        id: ServerId("fuzz".to_owned()),
        name: "Fuzz".to_owned(),
        dialect: DialectKind::ALL[usize::from(*kind) % DialectKind::ALL.len()],
        ws: "ws://127.0.0.1:9000".to_owned(),
        api: None,
        key: None,
        namespace: None,
        options: Default::default(),
        watch: Vec::new(),
        paused: false,
        extra_ca: None,
        policy: Default::default(),
    };
    let Ok(mut dialect) = dialect(&server, None) else { return };
    let topics = [
        Topic::Job("1".into()),
        Topic::Queue("mail".to_owned()),
        Topic::User("5".to_owned()),
        Topic::Everything,
    ];
    let _ = dialect.open();
    dialect.opened();
    for topic in &topics {
        dialect.encode(&Outgoing::Watch(topic.clone()));
    }
    match way % 3 {
        0 => {
            for part in rest.split(|byte| *byte == 0) {
                dialect.decode(&Frame::Text(String::from_utf8_lossy(part).into_owned()));
            }
        }
        1 => {
            for part in rest.split(|byte| *byte == 0) {
                dialect.decode(&Frame::Binary(part.to_vec()));
            }
        }
        _ => {
            let statuses = [200, 206, 302, 400, 401, 403, 404, 429, 500, 503];
            let status = statuses[usize::from(way / 3) % statuses.len()];
            let response = FetchResponse { status, content_type: None, body: rest.to_vec() };
            let mut requests: Vec<_> =
                topics.iter().flat_map(|topic| dialect.fetch(topic)).collect();
            let mut next = 0;
            while next < requests.len().min(REQUESTS) {
                let ask = requests[next].ask.clone();
                for incoming in dialect.parse(&ask, &response) {
                    if let Incoming::Follow(request) = incoming {
                        requests.push(request);
                    }
                }
                next += 1;
            }
        }
    }
});
