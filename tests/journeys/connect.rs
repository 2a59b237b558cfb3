//! Connecting as somebody does who knows a server's address and nothing else.

use std::time::Instant;

use jobwatch_core::server::DialectKind;
use jobwatch_demo::{DEMO_KEY, DEMO_PASSWORD, Demo, DemoOptions};

use super::journey;
use super::key::{ALL_TEXT, files_with};
use super::support::eventually;
use super::window::Window;

/// How many lines of a log are drawn.
const LINES: &str = "return document.querySelectorAll('[role=log] [role=row]').length";

/// Counts what a person does.
struct Person<'a> {
    window: &'a Window,
    clicks: u32,
}

impl Person<'_> {
    async fn click(&mut self, role: &str, name: &str) {
        self.window.click(role, name).await;
        self.clicks += 1;
    }

    async fn click_like(&mut self, role: &str, part: &str) {
        self.window.click_like(role, part).await;
        self.clicks += 1;
    }
}

#[test]
fn each_kind_of_server_that_is_recognised_is_connected_by_its_url_alone_and_its_log_is_three_clicks_on()
 {
    journey("connect-by-url", async |session| {
        let demo = Demo::start(DemoOptions::default()).await.expect("the demo");
        session.open(&[]).await;
        let window = session.window();
        let recognised = |kind: &DialectKind| !kind.info().recognition.checks.is_empty();
        for (index, kind) in DialectKind::ALL.into_iter().filter(recognised).enumerate() {
            let ports = demo.ports(kind);
            // As it is copied from the browser: of Better Bull Board the page, of the others the API.
            let port = if kind == DialectKind::BullBoard { ports[1] } else { ports[0] };
            let begun = Instant::now();
            let mut person = Person { window, clicks: 0 };
            // The first is offered in the middle of the window, the others beside the list.
            person.click("button", ["Connect a server", "Add a server"][index.min(1)]).await;
            window.fill("textbox", "URL", &format!("http://127.0.0.1:{port}")).await;
            window.read(&format!("{}: it", kind.title())).await;
            if kind != DialectKind::Kecs {
                window.fill("textbox", "Key", DEMO_KEY).await;
            }
            person.click("button", "Connect").await;
            window.gone("dialog", "Connect a server").await;
            let name = format!("127.0.0.1:{port}");
            window.status(&name, "Live").await;
            assert_eq!(person.clicks, 2, "two clicks from the window to a live server");
            // TriggerX and the analyzer have no logs; Study Buddy writes notes now and then.
            let logs = matches!(kind, DialectKind::Kecs | DialectKind::BullBoard);
            person.click_like("row", if logs { ", Running" } else { "," }).await;
            if logs {
                person.click_like("tab", "Logs").await;
                eventually("lines of the log", async || {
                    let lines = window.run(LINES, vec![]).await;
                    (lines.as_u64().unwrap_or(0) > 0).then_some(())
                })
                .await;
            }
            println!(
                "{}: {} clicks, {:.1} s to {}",
                kind.title(),
                person.clicks,
                begun.elapsed().as_secs_f64(),
                if logs { "a live log" } else { "a job" }
            );
        }
        demo.stop().await;
    });
}

#[test]
fn signing_in_leaves_the_password_nowhere_and_the_token_in_the_keyring_only() {
    const EMAIL: &str = "ada.lovelace@example.org";
    journey("sign-in", async |session| {
        let options = DemoOptions { life: false, ..DemoOptions::default() };
        let demo = Demo::start(options).await.expect("the demo");
        let port = demo.ports(DialectKind::BullBoard)[1];
        session.open(&[]).await;
        let window = session.window();
        window.click("button", "Connect a server").await;
        window.fill("textbox", "URL", &format!("http://127.0.0.1:{port}/login")).await;
        window.read("Better Bull Board: its API answers at /api").await;
        window.click("radio", "Sign in").await;
        window.fill("textbox", "E-mail", EMAIL).await;
        window.fill("textbox", "Password", "a-wrong-one-55d1").await;
        window.click("button", "Connect").await;
        window.read("does not accept this e-mail and password: Invalid credentials.").await;
        window.fill("textbox", "Password", DEMO_PASSWORD).await;
        window.click("button", "Connect").await;
        window.gone("dialog", "Connect a server").await;
        let name = format!("127.0.0.1:{port}");
        window.status(&name, "Live").await;

        // The server forgets the token: the program signs in again by itself.
        demo.control(DialectKind::BullBoard).expire_tokens();
        eventually("a request with the new token", async || {
            let requests = demo.control(DialectKind::BullBoard).counters().requests;
            (requests.get("POST /api/auth/login").copied().unwrap_or(0) >= 3).then_some(())
        })
        .await;
        window.status(&name, "Live").await;
        let page = window.run(ALL_TEXT, vec![]).await;
        let page = page.as_str().expect("text").to_owned();
        assert!(page.contains(&name), "the search reaches what is on the page");
        let printed = session.printed();
        for secret in ["a-wrong-one-55d1", DEMO_KEY, EMAIL] {
            assert!(!page.contains(secret), "{secret} is in the page");
            assert!(!printed.contains(secret), "{secret} is in what the program prints");
            let files = files_with(session.home(), secret.as_bytes());
            assert!(files.is_empty(), "{secret} is in {files:?}");
        }
        demo.stop().await;
    });
}
