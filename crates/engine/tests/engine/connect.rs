//! Connecting for the first time: the test of a connection, names, and signing in.

use std::sync::{Arc, Mutex};

use jobwatch_core::connection::ConnectionState;
use jobwatch_core::secret::Secret;
use jobwatch_core::server::{DialectKind, Server};
use jobwatch_demo::{DEMO_KEY, DEMO_PASSWORD, Demo, DemoOptions, UpgradeFault};
use jobwatch_engine::Engine;
use jobwatch_engine::api::{
    ErrorCode, KeyChange, KeyState, Remedy, ServerDraft, StepState, TestStep, TestStepKind,
    TestVerdict,
};
use jobwatch_engine::engine::Typed;

use crate::common::{World, until};
use crate::configure::{draft, settings, start};

use StepState::{Bad, Good, NotNeeded};
use TestStepKind::{Api, Jobs, Key, Reached, Socket};

async fn demo(keys: bool) -> Demo {
    let options = DemoOptions { life: false, keys, ..DemoOptions::default() };
    Demo::start(options).await.unwrap()
}

fn server(demo: &Demo, kind: DialectKind) -> Server {
    demo.servers().into_iter().find(|(server, _)| server.dialect == kind).unwrap().0
}

fn secret(text: &str) -> Option<Secret> {
    Some(Secret::new(text.to_owned()))
}

/// How a test went: the steps that ended, and the verdict.
struct Outcome {
    steps: Vec<TestStep>,
    verdict: TestVerdict,
}

impl Outcome {
    fn states(&self) -> Vec<(TestStepKind, StepState)> {
        self.steps.iter().map(|step| (step.step, step.state)).collect()
    }

    fn step(&self, kind: TestStepKind) -> &TestStep {
        self.steps.iter().find(|step| step.step == kind).unwrap_or_else(|| panic!("{kind:?}"))
    }
}

async fn test(engine: &Engine, draft: ServerDraft, key: Option<Secret>) -> Outcome {
    let steps = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&steps);
    let signed_in = draft.sign_in.is_some();
    let change = if key.is_some() || signed_in { KeyChange::Session } else { KeyChange::Keep };
    let report = Box::new(move |step: TestStep| {
        if step.state != StepState::Running {
            kept.lock().unwrap().push(step);
        }
    });
    let verdict = engine.test_server(draft, change, key, report).await.unwrap();
    let steps = steps.lock().unwrap().clone();
    Outcome { steps, verdict }
}

/// The kinds of servers that have an HTTP API.
fn with_api() -> impl Iterator<Item = DialectKind> {
    DialectKind::ALL.into_iter().filter(|kind| kind.info().api_path.is_some())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_an_api_needs_nothing_but_its_socket() {
    let (_dir, path) = settings();
    let world = World::new();
    let engine = start(&world, &path).await;
    let demo = demo(true).await;
    let plain = draft(&server(&demo, DialectKind::PlainJson));
    let good = test(&engine, plain, None).await;
    let all = [(Reached, Good), (Socket, Good), (Api, NotNeeded), (Key, NotNeeded)];
    assert_eq!(good.states(), all, "{:?}", good.steps);
    assert!(good.verdict.ok);
    engine.stop().await;
    demo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_tick_of_a_test_was_asked_on_every_kind_of_server() {
    let (_dir, path) = settings();
    let world = World::new();
    let engine = start(&world, &path).await;
    for keys in [true, false] {
        let demo = demo(keys).await;
        for kind in with_api() {
            let key = secret(DEMO_KEY).filter(|_| keys && kind != DialectKind::Kecs);
            let good = test(&engine, draft(&server(&demo, kind)), key.clone()).await;
            let checked = if key.is_some() { Good } else { NotNeeded };
            let all = [(Reached, Good), (Socket, Good), (Api, Good), (Key, checked)];
            assert_eq!(good.states()[..4], all, "{kind:?}: {:?}", good.steps);
            assert!(good.verdict.ok, "{kind:?}");
            let api = &good.step(Api).text;
            assert!(api.starts_with(&format!("Answers as {} at http", kind.title())), "{api}");
            // TriggerX lists nothing to those who bring no key.
            if key.is_some() || kind != DialectKind::TriggerX {
                assert_eq!(good.step(Jobs).state, Good, "{kind:?}");
            }
        }
        demo.stop().await;
    }
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_and_a_missing_one_are_told_with_their_remedy_on_every_kind_of_server() {
    let (_dir, path) = settings();
    let world = World::new();
    let engine = start(&world, &path).await;
    let demo = demo(true).await;
    for kind in with_api().filter(|kind| *kind != DialectKind::Kecs) {
        let remedy = if kind.signs_in() { Remedy::SignIn } else { Remedy::EnterKey };
        for (key, said) in [(secret("sk-wrong-key"), "Wrong key."), (None, "wants a key")] {
            let refused = test(&engine, draft(&server(&demo, kind)), key).await;
            let step = refused.step(Key);
            assert_eq!((step.state, step.remedy), (Bad, Some(remedy)), "{kind:?}: {step:?}");
            assert!(step.text.contains(said), "{kind:?}: {}", step.text);
            // That it is the right kind of server is known all the same.
            assert_eq!(refused.step(Api).state, Good, "{kind:?}: {:?}", refused.steps);
            assert!(!refused.verdict.ok && refused.verdict.missing.contains("key"), "{kind:?}");
            let texts: String = refused.steps.iter().map(|step| step.text.as_str()).collect();
            assert!(!texts.contains("sk-wrong") && !texts.contains(".."), "{texts}");
        }
    }
    engine.stop().await;
    demo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_kind_never_answers_as_the_kind_that_was_chosen() {
    let (_dir, path) = settings();
    let world = World::new();
    let engine = start(&world, &path).await;
    let demo = demo(true).await;
    let pairs = with_api().flat_map(|kind| {
        let others = with_api().filter(move |other| *other != kind);
        others.map(move |other| (kind, other))
    });
    let (engine, demo) = (&engine, &demo);
    let tests = pairs.map(|(kind, other)| async move {
        let there = server(demo, kind);
        let api = there.api.clone().unwrap();
        let wrong = Server {
            dialect: other,
            ws: there.ws.split("/api").next().unwrap().trim_end_matches("/ws").to_owned(),
            api: Some(api),
            options: std::collections::BTreeMap::new(),
            ..there
        };
        let outcome = test(engine, draft(&wrong), secret(DEMO_KEY)).await;
        let step = outcome.step(Api);
        assert_eq!(step.state, Bad, "{kind:?} as {other:?}: {:?}", outcome.steps);
        assert_eq!(step.remedy, Some(Remedy::ChooseKind), "{kind:?} as {other:?}: {step:?}");
        assert!(step.text.contains(&format!("answers as {}", kind.title())), "{}", step.text);
        assert!(!outcome.steps.iter().any(|step| step.step == Key && step.state == Good));
        assert!(!outcome.verdict.ok);
    });
    futures_util::future::join_all(tests).await;
    engine.stop().await;
    demo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_fails_says_what_helps_and_what_saving_anyway_means() {
    let (_dir, path) = settings();
    let world = World::new();
    let engine = start(&world, &path).await;
    let demo = demo(true).await;
    let there = server(&demo, DialectKind::TriggerX);
    demo.control(DialectKind::TriggerX).change_faults(|faults| {
        faults.upgrade = Some(UpgradeFault::Status { status: 503, retry_after: Some(3) });
    });
    let busy = test(&engine, draft(&there), secret(DEMO_KEY)).await;
    assert_eq!(busy.states()[..3], [(Reached, Good), (Socket, Bad), (Api, Good)]);
    assert!(busy.verdict.missing.contains("polled"), "{}", busy.verdict.missing);

    // The API of Better Bull Board is another program's.
    let mut board = draft(&server(&demo, DialectKind::BullBoard));
    board.api = "http://127.0.0.1:1/api".to_owned();
    let apart = test(&engine, board, secret(DEMO_KEY)).await;
    assert_eq!(apart.states(), [(Reached, Good), (Socket, Good), (Api, Bad)], "{:?}", apart.steps);
    let api = apart.step(Api);
    assert_eq!(api.remedy, Some(Remedy::SetApiUrl));
    assert!(api.text.contains("Nothing listens at 127.0.0.1:1"), "{}", api.text);

    let mut secure = draft(&server(&demo, DialectKind::Analyzer));
    secure.ws = secure.ws.replace("ws://", "wss://");
    secure.api = String::new();
    let tls = test(&engine, secure, secret(DEMO_KEY)).await;
    let reached = tls.step(Reached);
    assert_eq!(reached.state, Bad);
    assert!(reached.text.contains("speaks http, not https"), "{}", reached.text);
    demo.stop().await;

    let gone = test(&engine, draft(&there), secret(DEMO_KEY)).await;
    assert_eq!(gone.states(), [(Reached, Bad)]);
    assert!(gone.steps[0].text.contains("Is the server running"), "{:?}", gone.steps);
    assert!(gone.verdict.missing.contains("offline"), "{}", gone.verdict.missing);
    assert!(engine.overview().await.unwrap().servers.is_empty());
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_nobody_named_never_collide() {
    let (_dir, path) = settings();
    let world = World::new();
    let engine = start(&world, &path).await;
    let demo = demo(true).await;
    let mut unnamed = draft(&server(&demo, DialectKind::Kecs));
    unnamed.name = " ".to_owned();
    let port = demo.ports(DialectKind::Kecs)[0];
    for name in [format!("127.0.0.1:{port}"), format!("127.0.0.1:{port} (2)")] {
        let id = engine.save_server(unnamed.clone(), KeyChange::Keep, None).await.unwrap();
        let saved = engine.servers().await;
        assert_eq!(saved.iter().find(|one| one.id.0 == id).unwrap().name, name);
    }
    // Of Better Bull Board people know the page, not the socket.
    let mut board = draft(&server(&demo, DialectKind::BullBoard));
    board.name = String::new();
    engine.save_server(board, KeyChange::Keep, None).await.unwrap();
    let page = demo.ports(DialectKind::BullBoard)[1];
    assert_eq!(engine.servers().await[2].name, format!("127.0.0.1:{page}"));
    engine.stop().await;
    demo.stop().await;
}

async fn signed_in(engine: &Engine, draft: &ServerDraft, stay: bool) -> ServerDraft {
    let (email, password) = (secret("ada@example.com").unwrap(), secret(DEMO_PASSWORD).unwrap());
    let number = engine.sign_in(draft.clone(), email, password, None, stay).await.unwrap();
    ServerDraft { sign_in: Some(number), ..draft.clone() }
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_in_gives_the_key_and_a_wrong_password_says_so() {
    let (_dir, path) = settings();
    let world = World::new();
    let engine = start(&world, &path).await;
    let demo = demo(true).await;
    for kind in [DialectKind::StudyBuddy, DialectKind::BullBoard] {
        let form = draft(&server(&demo, kind));
        let (email, wrong) = (secret("ada@example.com").unwrap(), secret("pw-wrong").unwrap());
        let refused =
            engine.sign_in(form.clone(), email.clone(), wrong, None, true).await.unwrap_err();
        assert_eq!(refused.code, ErrorCode::SignIn);
        assert!(refused.message.contains("does not accept this e-mail and password"));
        assert!(!refused.message.contains("pw-wrong"), "{}", refused.message);

        let form = signed_in(&engine, &form, false).await;
        let good = test(&engine, form.clone(), None).await;
        assert_eq!(good.step(Key).state, Good, "{:?}", good.steps);
        let elsewhere = ServerDraft { api: "http://elsewhere.example/".to_owned(), ..form.clone() };
        let other = engine.save_server(elsewhere, KeyChange::Store, None).await.unwrap_err();
        assert_eq!(other.code, ErrorCode::SignIn, "{}", other.message);
        let named = ServerDraft { name: kind.title().to_owned(), ..form };
        let id = engine.save_server(named, KeyChange::Store, None).await.unwrap();
        world.until_state(&id, ConnectionState::Live).await;
        // Neither e-mail nor password is kept by those who did not ask for it.
        let kept = world.keys.lock().unwrap().clone();
        assert_eq!(kept.get(&id).map(String::as_str), Some(DEMO_KEY));
        assert!(!kept.values().any(|value| value.contains("ada@")), "{kept:?}");
    }
    // Where the API is not, that is said.
    let mut lost = draft(&server(&demo, DialectKind::BullBoard));
    lost.api = format!("http://127.0.0.1:{}/api", demo.ports(DialectKind::Kecs)[0]);
    let (email, password) = (secret("ada@example.com").unwrap(), secret(DEMO_PASSWORD).unwrap());
    let lost = engine.sign_in(lost, email, password, None, false).await.unwrap_err();
    assert!(lost.message.contains("API URL") || lost.message.contains("does not accept"));
    engine.stop().await;
    demo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_expired_is_renewed_where_the_user_stays_signed_in() {
    for kind in [DialectKind::StudyBuddy, DialectKind::BullBoard] {
        let (_dir, path) = settings();
        let world = World::new();
        let engine = start(&world, &path).await;
        let demo = demo(true).await;
        let control = demo.control(kind);
        let form = signed_in(&engine, &draft(&server(&demo, kind)), true).await;
        let id = engine.save_server(form, KeyChange::Store, None).await.unwrap();
        world.until_state(&id, ConnectionState::Live).await;
        let settings_text = std::fs::read_to_string(&path).unwrap();
        assert!(!settings_text.contains("ada@") && !settings_text.contains(DEMO_KEY));

        control.expire_tokens();
        // What is asked from now on is refused, and a new connection too.
        control.drop_sockets();
        let renewed = format!("{DEMO_KEY}-1");
        until("a new token in the keyring", || {
            world.keys.lock().unwrap().get(&id) == Some(&renewed)
        })
        .await;
        world.events.lock().unwrap().clear();
        control.drop_sockets();
        world.until_state(&id, ConnectionState::Live).await;
        assert_eq!(engine.overview().await.unwrap().servers[0].key, KeyState::Stored);

        engine.remove_server(&id).await.unwrap();
        assert!(world.keys.lock().unwrap().is_empty(), "{kind:?}");
        engine.stop().await;
        demo.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_in_and_renewing_keep_the_further_headers_and_headers_keep_the_key() {
    let (_dir, path) = settings();
    let world = World::new();
    let engine = start(&world, &path).await;
    let demo = demo(true).await;
    let kind = DialectKind::BullBoard;
    let kept = |id: &str| world.keys.lock().unwrap().get(id).cloned().unwrap_or_default();
    let headers = |text: &str| Typed { key: None, headers: secret(text) };

    let form = signed_in(&engine, &draft(&server(&demo, kind)), true).await;
    let both = headers("CF-Access-Client-Id: a.b\n\nX-Token: t-1");
    let id = engine.save_server(form.clone(), KeyChange::Store, both).await.unwrap();
    world.until_state(&id, ConnectionState::Live).await;
    let with = "\nCF-Access-Client-Id: a.b\nX-Token: t-1";
    assert_eq!(kept(&id), format!("{DEMO_KEY}{with}"));

    // The token is renewed, and somebody signs in anew.
    demo.control(kind).expire_tokens();
    demo.control(kind).drop_sockets();
    let renewed = format!("{DEMO_KEY}-1{with}");
    until("a new token in the keyring", || kept(&id) == renewed).await;
    let saved = ServerDraft { id: Some(id.clone()), sign_in: None, ..form };
    let form = signed_in(&engine, &saved, true).await;
    engine.save_server(form, KeyChange::Store, None).await.unwrap();
    assert_eq!(kept(&id), renewed);

    // Other headers go with the present key, and what renews it stays.
    let other = headers("X-Other: o");
    engine.save_server(saved.clone(), KeyChange::Store, other).await.unwrap();
    assert_eq!(kept(&id), format!("{DEMO_KEY}-1\nX-Other: o"));
    assert_eq!(world.keys.lock().unwrap().len(), 2, "the login is kept");
    // Another key keeps them.
    let key = secret(&format!("{DEMO_KEY}-1"));
    engine.save_server(saved.clone(), KeyChange::Store, key).await.unwrap();
    assert_eq!(kept(&id), format!("{DEMO_KEY}-1\nX-Other: o"));

    let wrong = engine.save_server(saved.clone(), KeyChange::Store, headers("X-a: 1\nnonsense"));
    let wrong = wrong.await.unwrap_err();
    assert_eq!(wrong.message, "Line 2 of the further headers is not of the form Name: value.");
    // They go nowhere else than where they were given for.
    let elsewhere = ServerDraft { api: "http://elsewhere.example/".to_owned(), ..saved };
    let key = secret("another-key");
    engine.save_server(elsewhere, KeyChange::Store, key).await.unwrap();
    assert_eq!(kept(&id), "another-key");
    engine.stop().await;
    demo.stop().await;
}
