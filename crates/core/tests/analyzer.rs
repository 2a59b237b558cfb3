//! The wallet analyzer: recorded and documented frames in, canonical facts out.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use jiff::Timestamp;
use jobwatch_core::dialect::analyzer::Analyzer;
use jobwatch_core::dialect::{
    ActionKind, Dialect, FetchResponse, Frame, Incoming, Keepalive, Method, Outgoing,
};
use jobwatch_core::model::{Job, JobState, Source, Topic, Update};
use jobwatch_core::secret::Secret;
use jobwatch_core::server::{DialectKind, KeyPlacement, PolicyChange, Server, ServerId};
use proptest::prelude::*;

mod replay;
use replay::replay;

fn server(ws: &str) -> Server {
    Server {
        id: ServerId("a".to_owned()),
        name: "Analyzer".to_owned(),
        dialect: DialectKind::Analyzer,
        ws: ws.to_owned(),
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

fn framed(ws: &str, framing: &str) -> Server {
    let options = BTreeMap::from([("framing".to_owned(), framing.to_owned())]);
    Server { options, ..server(ws) }
}

fn analyzer(server: &Server) -> Analyzer {
    Analyzer::new(server, Some(Secret::new("api-key-1".to_owned()))).unwrap()
}

fn text(text: &str) -> Frame {
    Frame::Text(text.to_owned())
}

const ORIGIN: &str = "ws://localhost:3001";
const ENGINE: &str = "ws://localhost:3001/socket.io/?EIO=4&transport=websocket";
const GUIDE: &str = "ws://localhost:3001/job-progress";

#[test]
fn the_shipped_server_is_understood() {
    replay(&mut analyzer(&server(ORIGIN)), "analyzer", "shipped.txt");
}

#[test]
fn the_documented_server_is_understood() {
    replay(&mut analyzer(&server(ORIGIN)), "analyzer", "documented.txt");
}

#[test]
fn the_gateway_without_socket_io_is_understood() {
    replay(&mut analyzer(&framed(ORIGIN, "raw")), "analyzer", "raw.txt");
}

#[test]
fn only_the_refusal_of_every_namespace_is_a_refusal() {
    replay(&mut analyzer(&server(ORIGIN)), "analyzer", "refused.txt");
}

#[test]
fn odd_frames_are_diagnostics_and_harm_nothing() {
    replay(&mut analyzer(&server(ORIGIN)), "analyzer", "odd.txt");
}

#[test]
fn an_end_with_binary_parts_counts_and_shows_their_sizes() {
    replay(&mut analyzer(&server(ORIGIN)), "analyzer", "binary.txt");
}

#[test]
fn an_end_with_many_binary_parts_is_not_lost() {
    let mut dialect = analyzer(&server(ORIGIN));
    let _ = dialect.open().unwrap();
    dialect.decode(&text(r#"0{"sid":"s","pingInterval":25000,"pingTimeout":20000}"#));
    dialect.decode(&text(r#"40{"sid":"x"}"#));
    let last = r#"{"_placeholder":true,"num":32}"#;
    let end = format!(r#"4533-["job-completed",{{"jobId":"b","queue":"q","result":{last}}}]"#);
    assert_eq!(dialect.decode(&text(&end)), []);
    let mut heard = Vec::new();
    for _ in 0..33 {
        heard.extend(dialect.decode(&Frame::Binary(vec![0; 1 << 20])));
    }
    let [Incoming::Update(Update::Job(patch))] = &heard[..] else { panic!("{heard:?}") };
    assert_eq!(patch.state, Some(JobState::Completed));
    assert_eq!(patch.result.as_ref().unwrap().as_str(), "\"1048576 bytes\"");
}

#[test]
fn http_answers_are_read_with_their_quirks() {
    replay(&mut analyzer(&server(ORIGIN)), "analyzer", "http.txt");
}

#[test]
fn the_key_goes_into_its_header_over_http_and_not_onto_the_socket() {
    let mut dialect = analyzer(&server(ORIGIN));
    assert!(dialect.open().unwrap().headers.is_empty());
    for topic in [Topic::Everything, Topic::Job("1".into()), Topic::Queue("q".to_owned())] {
        for request in dialect.fetch(&topic) {
            assert_eq!(request.headers[0].name, "x-api-key");
            assert_eq!(request.headers[0].value.expose(), "api-key-1");
            let query = request.address.expose().query().unwrap_or_default();
            assert!(!query.contains("offset") && !query.contains("api-key"));
        }
    }
}

#[test]
fn a_gateway_without_socket_io_may_want_the_key_in_the_query() {
    let key = Some(KeyPlacement::Query { name: "apiKey".to_owned() });
    let mut dialect = analyzer(&Server { key, ..framed(GUIDE, "raw") });
    let open = dialect.open().unwrap();
    assert_eq!(open.address.expose().as_str(), format!("{GUIDE}?apiKey=api-key-1"));
    assert_eq!(open.address.to_string(), format!("{GUIDE}?apiKey=[redacted]"));
}

#[test]
fn a_user_cannot_be_watched() {
    let dialect = analyzer(&server(ORIGIN));
    assert!(dialect.why_unsupported(&Topic::User("u1".to_owned())).is_some());
    for topic in [Topic::Everything, Topic::Job("1".into()), Topic::Queue("q".to_owned())] {
        assert_eq!(dialect.why_unsupported(&topic), None);
    }
}

#[test]
fn the_guides_url_names_its_namespace_beside_the_root() {
    for (server, connects) in [
        (server(ORIGIN), &["40", "40/job-progress,"][..]),
        (server(GUIDE), &["40", "40/job-progress,"]),
        (server("ws://localhost:3001/socket.io/"), &["40", "40/job-progress,"]),
        (server("ws://localhost:3001/jobs"), &["40", "40/jobs,"]),
        (Server { namespace: Some("/".to_owned()), ..server(GUIDE) }, &["40"]),
        (Server { namespace: Some("mine".to_owned()), ..server(ORIGIN) }, &["40/mine,"]),
    ] {
        let mut dialect = analyzer(&server);
        assert_eq!(dialect.open().unwrap().address.to_string(), ENGINE);
        let replies = dialect.decode(&text(r#"0{"sid":"x"}"#));
        let expected: Vec<_> = connects.iter().map(|it| Incoming::Reply(text(it))).collect();
        assert_eq!(replies, expected);
    }
}

#[test]
fn framing_is_found_by_trying_where_the_url_leaves_it_open() {
    let mut dialect = analyzer(&server(GUIDE));
    assert_eq!(dialect.open().unwrap().address.to_string(), ENGINE);
    assert_eq!(dialect.opened(), []);
    // Socket.IO never became ready.
    assert_eq!(dialect.open().unwrap().address.to_string(), GUIDE);
    // Neither did the plain gateway.
    assert_eq!(dialect.open().unwrap().address.to_string(), ENGINE);
    assert_eq!(dialect.open().unwrap().address.to_string(), GUIDE);
    assert_eq!(dialect.opened(), [Incoming::Reply(Frame::Ping)]);
    assert_eq!(dialect.decode(&Frame::Pong), [Incoming::Ready]);
    assert!(matches!(dialect.keepalive(), Keepalive::WebSocketPings { .. }));
    // A frame of the plain kind settles it.
    dialect.decode(&text(r#"{"event":"connected","data":{}}"#));
    assert_eq!(dialect.open().unwrap().address.to_string(), GUIDE);
}

#[test]
fn framing_that_worked_is_kept() {
    let mut dialect = analyzer(&server(GUIDE));
    dialect.open().unwrap();
    dialect.decode(&text(r#"0{"sid":"x"}"#));
    dialect.decode(&text(r#"40{"sid":"y"}"#));
    assert_eq!(dialect.open().unwrap().address.to_string(), ENGINE);
}

#[test]
fn framing_is_not_tried_where_the_configuration_decides_it() {
    for (server, address) in [
        (server(ORIGIN), ENGINE),
        (framed(GUIDE, "socket.io"), ENGINE),
        (framed(GUIDE, "raw"), GUIDE),
        (framed(ORIGIN, "raw"), GUIDE),
        (framed("ws://localhost:3001/feed", "raw"), "ws://localhost:3001/feed"),
    ] {
        let mut dialect = analyzer(&server);
        for _ in 0..3 {
            assert_eq!(dialect.open().unwrap().address.to_string(), address);
        }
    }
    assert!(Analyzer::new(&framed(ORIGIN, "carrier pigeon"), None).is_err());
}

#[test]
fn plain_frames_are_read_on_a_socket_io_link_as_well() {
    let mut dialect = analyzer(&server(ORIGIN));
    dialect.open().unwrap();
    let heard =
        dialect.decode(&text(r#"{"event":"job-progress","data":{"jobId":"1","progress":4}}"#));
    let [Incoming::Update(Update::Job(patch))] = &heard[..] else { panic!("{heard:?}") };
    assert_eq!(patch.progress, Some(4.0));
}

#[test]
fn an_ended_job_is_not_read_again_until_it_moves() {
    let mut dialect = analyzer(&framed(ORIGIN, "raw"));
    dialect.open().unwrap();
    dialect.opened();
    dialect.decode(&Frame::Pong);
    dialect.encode(&Outgoing::Watch(Topic::Job("1".into())));
    let stale = [Incoming::Stale(Topic::Job("1".into()))];
    assert_eq!(dialect.decode(&Frame::Pong), stale);
    dialect.decode(&text(r#"{"event":"job-completed","data":{"jobId":"1"}}"#));
    assert_eq!(dialect.decode(&Frame::Pong), []);
    dialect.decode(&text(r#"{"event":"job-queue-to-start","data":{"jobId":"1"}}"#));
    assert_eq!(dialect.decode(&Frame::Pong), stale);
}

#[test]
fn a_result_of_megabytes_is_read() {
    let mut dialect = analyzer(&server(ORIGIN));
    dialect.open().unwrap();
    let pairs = vec![r#"{"a":"x","b":"y","score":0.5}"#; 100_000].join(",");
    let frame = format!(r#"42["job-completed",{{"jobId":"1","result":{{"pairs":[{pairs}]}}}}]"#);
    let heard = dialect.decode(&text(&frame));
    let [Incoming::Update(Update::Job(patch))] = &heard[..] else { panic!() };
    assert!(patch.result.as_ref().unwrap().as_str().len() > 2_000_000);
}

fn job(state: JobState) -> Job {
    Job::new("w/2", state, Source::Http, Timestamp::UNIX_EPOCH)
}

#[test]
fn only_waiting_jobs_can_be_cancelled() {
    let dialect = analyzer(&server(ORIGIN));
    let queued = job(JobState::Queued);
    assert_eq!(dialect.offers(&queued), Some(ActionKind::Cancel));
    let request = dialect.perform(ActionKind::Cancel, &queued).unwrap();
    assert_eq!(request.method, Method::Delete);
    let address = request.address.to_string();
    assert_eq!(address, "http://localhost:3001/api/v1/jobs/w%2F2");
    for state in [JobState::Running, JobState::Scheduled, JobState::Completed, JobState::Failed] {
        assert_eq!(dialect.offers(&job(state.clone())), None);
        assert_eq!(dialect.perform(ActionKind::Cancel, &job(state)), None);
    }
}

#[test]
fn the_answer_to_a_cancel_says_what_became_of_the_job() {
    let mut dialect = analyzer(&server(ORIGIN));
    let ask = dialect.perform(ActionKind::Cancel, &job(JobState::Queued)).unwrap().ask;
    let mut answer = |status, body: &str| {
        let body = body.as_bytes().to_vec();
        let heard = dialect.parse(&ask, &FetchResponse { status, content_type: None, body });
        replay::incoming(heard, &mut Vec::new()).remove(0)
    };
    assert_eq!(
        answer(200, r#"{"success":true,"message":"Job w/2 was successfully cancelled."}"#),
        r#"job w/2 state=cancelled message="Job w/2 was successfully cancelled.""#
    );
    let delayed = r#"{"success":false,"message":"Cannot cancel. Current status: delayed."}"#;
    assert_eq!(answer(200, delayed), "odd action-refused: Cannot cancel. Current status: delayed.");
    let read_only = r#"{"statusCode":403,"message":"The demo account is read-only","path":"/"}"#;
    assert_eq!(answer(403, read_only), "odd action-refused: The demo account is read-only");
    assert_eq!(
        answer(500, r#"{"statusCode":500,"message":"Internal server error"}"#),
        "odd http-error: HTTP 500: Internal server error."
    );
    assert_eq!(answer(404, r#"{"message":"Job with ID w/2 not found"}"#), "gone w/2");
}

#[test]
fn many_changed_queues_are_read_a_few_lists_at_a_time() {
    let mut dialect = analyzer(&server(ORIGIN));
    let ask = dialect.fetch(&Topic::Everything).remove(0).ask;
    // The server answers every request for a list with `status`.
    let mut look = |completed: u32, status: u16| {
        let queues: Vec<String> = (0..20)
            .map(|number| format!(r#"{{"queueName":"q{number}","completed":{completed}}}"#))
            .collect();
        let body = format!(r#"{{"queues":[{}]}}"#, queues.join(",")).into_bytes();
        let heard = dialect.parse(&ask, &FetchResponse { status: 200, content_type: None, body });
        let followed: Vec<_> = heard
            .into_iter()
            .filter_map(|it| match it {
                Incoming::Follow(request) => Some(request.ask),
                _ => None,
            })
            .collect();
        for ask in &followed {
            let body = br#"{"jobs":[]}"#.to_vec();
            dialect.parse(ask, &FetchResponse { status, content_type: None, body });
        }
        followed.len()
    };
    assert_eq!(look(1, 200), 80, "the first look reads all lists");
    assert_eq!(look(1, 200), 0, "nothing changed");
    // 20 queues changed: their default, completed and delayed lists, four at each look.
    let looks: Vec<usize> = (0..16).map(|_| look(2, 200)).collect();
    assert_eq!(looks, [vec![4; 15], vec![0]].concat());
    // What could not be read stays due.
    let looks: Vec<usize> = (0..20).map(|_| look(3, 429)).collect();
    assert_eq!(looks, [4; 20]);
    let looks: Vec<usize> = (0..16).map(|_| look(3, 200)).collect();
    assert_eq!(looks, [vec![4; 15], vec![0]].concat());
}

#[test]
fn at_each_ping_watched_jobs_are_read_again_in_turn() {
    let mut dialect = analyzer(&server(ORIGIN));
    dialect.open().unwrap();
    dialect.decode(&text(r#"0{"sid":"x"}"#));
    dialect.decode(&text(r#"40{"sid":"y"}"#));
    for number in 10..35 {
        dialect.encode(&Outgoing::Watch(Topic::Job(number.to_string().into())));
    }
    let mut read = std::collections::BTreeSet::new();
    for _ in 0..3 {
        let heard = dialect.decode(&text("2"));
        assert!(heard.len() <= 1 + 10);
        read.extend(heard.iter().skip(1).map(|incoming| format!("{incoming:?}")));
    }
    assert_eq!(read.len(), 25);
}

proptest! {
    #[test]
    fn no_frame_and_no_answer_makes_it_panic(
        frames in proptest::collection::vec(
            prop_oneof![
                ".*".prop_map(Frame::Text),
                "\\{\"event\":\"job-[a-z-]{1,9}\",\"data\":.{0,20}\\}".prop_map(Frame::Text),
                "4[0-6][0-9]?-?(/job-progress,)?[0-9]?\\[\"job-(progress|completed|failed)\",\\{\"jobId\":.{0,20}\\}\\]"
                    .prop_map(Frame::Text),
                proptest::collection::vec(any::<u8>(), 0..20).prop_map(Frame::Binary),
            ],
            0..20,
        ),
        body in proptest::collection::vec(any::<u8>(), 0..60),
        status in 100..600u16,
    ) {
        let mut dialect = analyzer(&server(GUIDE));
        dialect.open().unwrap();
        for frame in frames {
            dialect.decode(&frame);
        }
        for topic in [Topic::Job("1".into()), Topic::Queue("q".to_owned()), Topic::Everything] {
            for request in dialect.fetch(&topic) {
                let response = FetchResponse { status, content_type: None, body: body.clone() };
                dialect.parse(&request.ask, &response);
            }
        }
    }
}
