//! Plain JSON over a WebSocket.

#![allow(clippy::unwrap_used)]

mod support;

use jobwatch_core::dialect::{Frame, Incoming};
use jobwatch_core::model::Topic;
use jobwatch_core::server::DialectKind;
use support::{run, speaking};

#[test]
fn every_frame_means_what_the_fixtures_say() {
    run(DialectKind::PlainJson, "plain_json");
}

#[test]
fn the_connection_is_live_with_the_first_frame_and_only_once() {
    let mut dialect = speaking(DialectKind::PlainJson, None);
    dialect.open().unwrap();
    assert_eq!(dialect.opened(), [Incoming::Reply(Frame::Ping)]);
    assert_eq!(dialect.decode(&Frame::Pong), [Incoming::Ready]);
    assert_eq!(dialect.decode(&Frame::Pong), []);
}

#[test]
fn nothing_is_fetched_and_what_it_cannot_name_cannot_be_watched() {
    let dialect = speaking(DialectKind::PlainJson, None);
    assert!(dialect.api().is_none());
    for topic in [Topic::Everything, Topic::Job("7".into())] {
        assert!(dialect.fetch(&topic).is_empty());
        assert_eq!(dialect.why_unsupported(&topic), None);
    }
    assert!(dialect.why_unsupported(&Topic::Queue("mail".to_owned())).is_some());
}
