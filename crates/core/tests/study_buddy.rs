//! AI Study Buddy: recorded and documented frames in, canonical facts out.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::time::Duration;

use jobwatch_core::dialect::study_buddy::StudyBuddy;
use jobwatch_core::dialect::{Dialect, Frame, Incoming, Keepalive, Outgoing};
use jobwatch_core::model::Topic;
use jobwatch_core::secret::Secret;
use jobwatch_core::server::{DialectKind, KeyPlacement, PolicyChange, Server, ServerId};
use proptest::prelude::*;

mod replay;
use replay::replay;

fn server() -> Server {
    Server {
        id: ServerId("s".to_owned()),
        name: "Study Buddy".to_owned(),
        dialect: DialectKind::StudyBuddy,
        ws: "ws://localhost:3000".to_owned(),
        api: None,
        key: None,
        namespace: None,
        options: BTreeMap::new(),
        watch: Vec::new(),
        paused: false,
        extra_ca: None,
        policy: PolicyChange::default(),
    }
}

fn key() -> Option<Secret> {
    Some(Secret::new("eyJ.secret.jwt".to_owned()))
}

fn study_buddy() -> StudyBuddy {
    StudyBuddy::new(&server(), key()).unwrap()
}

fn text(text: &str) -> Frame {
    Frame::Text(text.to_owned())
}

/// A dialect whose namespace has been accepted.
fn live(server: &Server) -> StudyBuddy {
    let mut dialect = StudyBuddy::new(server, key()).unwrap();
    dialect.open().unwrap();
    dialect.decode(&text(r#"0{"sid":"x"}"#));
    assert_eq!(dialect.decode(&text(r#"40/jobs,{"sid":"y"}"#)), [Incoming::Ready]);
    dialect
}

#[test]
fn binary_parts_of_events_and_acknowledgements_are_shown_by_their_sizes() {
    for name in ["binary.txt", "binary3.txt"] {
        replay(&mut study_buddy(), "study_buddy", name);
    }
}

#[test]
fn the_shipped_server_is_understood() {
    replay(&mut study_buddy(), "study_buddy", "shipped.txt");
}

#[test]
fn the_documented_server_is_understood() {
    replay(&mut StudyBuddy::new(&server(), None).unwrap(), "study_buddy", "documented.txt");
}

#[test]
fn a_refused_namespace_is_a_refusal() {
    replay(&mut study_buddy(), "study_buddy", "refused.txt");
}

#[test]
fn odd_frames_are_diagnostics_and_harm_nothing() {
    replay(&mut study_buddy(), "study_buddy", "odd.txt");
}

#[test]
fn http_answers_are_read_with_their_quirks() {
    replay(&mut study_buddy(), "study_buddy", "http.txt");
}

#[test]
fn the_key_is_a_cookie_on_the_socket_and_over_http() {
    let mut dialect = study_buddy();
    let open = dialect.open().unwrap();
    let request = dialect.fetch(&Topic::Everything).remove(0);
    for headers in [&open.headers, &request.headers] {
        assert_eq!(headers.len(), 1);
        assert_eq!(headers[0].name, "Cookie");
        assert_eq!(headers[0].value.expose(), "access_token=eyJ.secret.jwt");
    }
    assert!(!format!("{open:?} {request:?} {dialect:?}").contains("secret"));
}

#[test]
fn the_key_may_go_into_the_auth_object_or_a_header() {
    let auth = KeyPlacement::Auth { name: "token".to_owned() };
    for placement in [auth, KeyPlacement::FirstMessage] {
        let server = Server { key: Some(placement), ..server() };
        let mut dialect = StudyBuddy::new(&server, key()).unwrap();
        assert!(dialect.open().unwrap().headers.is_empty());
        let replies = dialect.decode(&text(r#"0{"sid":"x"}"#));
        let connect = text(r#"40/jobs,{"token":"eyJ.secret.jwt"}"#);
        assert_eq!(replies, [Incoming::Reply(connect)]);
        let request = dialect.fetch(&Topic::Everything).remove(0);
        assert_eq!(request.headers[0].value.expose(), "Bearer eyJ.secret.jwt");
    }
    let bearer = KeyPlacement::Header {
        name: "Authorization".to_owned(),
        scheme: Some("Bearer".to_owned()),
    };
    let server = Server { key: Some(bearer), ..server() };
    let open = StudyBuddy::new(&server, key()).unwrap().open().unwrap();
    assert_eq!(open.headers[0].value.expose(), "Bearer eyJ.secret.jwt");
}

#[test]
fn a_key_that_the_server_quotes_back_is_not_shown() {
    let mut dialect = live(&server());
    for frame in [
        r#"44/jobs,{"message":"bad token eyJ.secret.jwt"}"#,
        r#"42/jobs,["exception",{"message":"bad token eyJ.secret.jwt"}]"#,
        r#"42/jobs,["eyJ.secret.jwt",{"token":"eyJ.secret.jwt"}]"#,
        "eyJ.secret.jwt",
    ] {
        let heard = format!("{:?}", dialect.decode(&text(frame)));
        assert!(heard.contains("[redacted]") && !heard.contains("secret.jwt"), "{heard}");
    }
    let long = format!("{}eyJ.secret.jwt", "x".repeat(16 * 1024 - 5));
    assert!(!format!("{:?}", dialect.decode(&text(&long))).contains("eyJ"));
}

#[test]
fn the_url_names_the_engine_path_or_the_namespace() {
    for (ws, namespace, address, connect) in [
        ("ws://h:3000", None, "ws://h:3000/socket.io/?EIO=4&transport=websocket", "40/jobs,"),
        ("https://h", None, "wss://h/socket.io/?EIO=4&transport=websocket", "40/jobs,"),
        (
            "localhost:3000/",
            None,
            "ws://localhost:3000/socket.io/?EIO=4&transport=websocket",
            "40/jobs,",
        ),
        ("ws://h/other", None, "ws://h/socket.io/?EIO=4&transport=websocket", "40/other,"),
        ("ws://h/a/socket.io", None, "ws://h/a/socket.io/?EIO=4&transport=websocket", "40/jobs,"),
        (
            "ws://h/socket.io/?EIO=4&x=1",
            None,
            "ws://h/socket.io/?EIO=4&x=1&transport=websocket",
            "40/jobs,",
        ),
        ("ws://h/other", Some("mine"), "ws://h/socket.io/?EIO=4&transport=websocket", "40/mine,"),
        ("ws://h", Some("/"), "ws://h/socket.io/?EIO=4&transport=websocket", "40"),
    ] {
        let server =
            Server { ws: ws.to_owned(), namespace: namespace.map(str::to_owned), ..server() };
        let mut dialect = StudyBuddy::new(&server, None).unwrap();
        assert_eq!(dialect.open().unwrap().address.to_string(), address, "{ws}");
        let replies = dialect.decode(&text(r#"0{"sid":"x"}"#));
        assert_eq!(replies, [Incoming::Reply(text(connect))], "{ws}");
    }
}

#[test]
fn the_open_packet_says_how_the_link_is_kept_alive() {
    let mut dialect = study_buddy();
    dialect.open().unwrap();
    let pings = |interval, timeout| Keepalive::ServerPings {
        interval: Duration::from_millis(interval),
        timeout: Duration::from_millis(timeout),
    };
    assert_eq!(dialect.keepalive(), pings(25_000, 20_000));
    dialect.decode(&text(r#"0{"sid":"x","pingInterval":300,"pingTimeout":200}"#));
    assert_eq!(dialect.keepalive(), pings(300, 200));
    dialect.open().unwrap();
    assert_eq!(dialect.keepalive(), pings(25_000, 20_000));
}

#[test]
fn an_old_server_is_pinged_by_us() {
    let mut dialect = study_buddy();
    dialect.open().unwrap();
    dialect.decode(&text(r#"0{"sid":"x","pingInterval":25000,"pingTimeout":5000}"#));
    // Socket.IO 2 enters everybody into the root namespace by itself and sends no session id.
    assert_eq!(dialect.decode(&text("40")), []);
    assert_eq!(dialect.decode(&text("40/jobs,")), [Incoming::Ready]);
    assert!(matches!(dialect.keepalive(), Keepalive::ClientPings { .. }));
    assert_eq!(dialect.encode(&Outgoing::Ping), [text("2")]);
    assert_eq!(dialect.decode(&text("3")), []);
}

#[test]
fn a_session_is_recovered_with_its_last_offset() {
    let mut dialect = study_buddy();
    dialect.open().unwrap();
    dialect.decode(&text(r#"0{"sid":"x"}"#));
    dialect.decode(&text(r#"40/jobs,{"sid":"y","pid":"p1"}"#));
    let event = r#"42/jobs,["job:progress",{"jobId":"1","status":"processing","progress":3},"o7"]"#;
    assert!(matches!(dialect.decode(&text(event))[..], [Incoming::Update(_)]));
    dialect.open().unwrap();
    let connect = text(r#"40/jobs,{"offset":"o7","pid":"p1"}"#);
    assert_eq!(dialect.decode(&text(r#"0{"sid":"x"}"#)), [Incoming::Reply(connect)]);
    // The server has forgotten the session: another pid, and no offset of it yet.
    dialect.decode(&text(r#"40/jobs,{"sid":"z","pid":"p2"}"#));
    dialect.open().unwrap();
    let connect = text(r#"40/jobs,{"pid":"p2"}"#);
    assert_eq!(dialect.decode(&text(r#"0{"sid":"x"}"#)), [Incoming::Reply(connect)]);
    // Another key is another person.
    dialect.set_key(None);
    dialect.open().unwrap();
    assert_eq!(dialect.decode(&text(r#"0{"sid":"x"}"#)), [Incoming::Reply(text("40/jobs,"))]);
}

#[test]
fn nothing_is_said_before_the_namespace_is_accepted() {
    let mut dialect = study_buddy();
    dialect.open().unwrap();
    dialect.decode(&text(r#"0{"sid":"x"}"#));
    assert_eq!(dialect.encode(&Outgoing::Watch(Topic::Everything)), []);
}

#[test]
fn awaited_acknowledgements_are_bounded_and_the_newest_are_kept() {
    let mut dialect = live(&server());
    for number in 0..5_000 {
        dialect.encode(&Outgoing::Watch(Topic::Job(number.to_string().into())));
    }
    let first = dialect.decode(&text(r#"43/jobs,0[{"success":true}]"#));
    assert!(matches!(first[..], [Incoming::Unknown(_)]));
    let last = dialect.decode(&text(r#"43/jobs,4999[{"success":true}]"#));
    assert_eq!(last[0], Incoming::Watched(Topic::Job("4999".into())));
}

#[test]
fn at_each_ping_watched_jobs_are_read_again_in_turn() {
    let mut dialect = live(&server());
    for number in 0..25 {
        dialect.encode(&Outgoing::Watch(Topic::Job(number.to_string().into())));
    }
    let mut read = Vec::new();
    for _ in 0..3 {
        let heard = dialect.decode(&text("2"));
        assert_eq!(heard.len(), 1 + 10);
        read.extend(heard.into_iter().skip(1).map(|incoming| match incoming {
            Incoming::Stale(Topic::Job(id)) => id.to_string(),
            other => panic!("{other:?}"),
        }));
    }
    read.truncate(25);
    let expected: Vec<String> = (0..25).map(|number: i32| number.to_string()).collect();
    assert_eq!(read, expected);
    // A watched list tells of all of them.
    dialect.encode(&Outgoing::Watch(Topic::Everything));
    assert_eq!(dialect.decode(&text("2"))[1..], [Incoming::Stale(Topic::Everything)]);
}

proptest! {
    #[test]
    fn no_frame_and_no_answer_makes_it_panic(
        frames in proptest::collection::vec(
            prop_oneof![
                ".*".prop_map(Frame::Text),
                "4[0-6][0-9]?-?(/jobs,)?[0-9]?\\[\"job:(progress|completed|error|notes:chunk)\",\\{\"jobId\":.{0,20}\\}\\]"
                    .prop_map(Frame::Text),
                proptest::collection::vec(any::<u8>(), 0..20).prop_map(Frame::Binary),
            ],
            0..20,
        ),
        body in proptest::collection::vec(any::<u8>(), 0..60),
        status in 100..600u16,
    ) {
        let mut dialect = live(&server());
        for frame in frames {
            dialect.decode(&frame);
        }
        for topic in [Topic::Job("1".into()), Topic::Everything] {
            for request in dialect.fetch(&topic) {
                let response = jobwatch_core::dialect::FetchResponse {
                    status,
                    content_type: None,
                    body: body.clone(),
                };
                dialect.parse(&request.ask, &response);
            }
        }
    }
}
