//! What several journeys do.

use super::support::eventually;
use super::window::Window;

/// A server as it is typed into the form.
pub struct Server<'a> {
    pub url: &'a str,
    pub kind: &'a str,
    pub name: &'a str,
    pub key: &'a str,
    pub watch: &'a str,
}

impl Window {
    /// Opens the form by the button with this name, fills it in and sends it.
    pub async fn connect(&self, button: &str, server: &Server<'_>) {
        self.connect_to(button, server, None).await;
    }

    /// The same with the base of an HTTP API that is not where the socket is.
    pub async fn connect_to(&self, button: &str, server: &Server<'_>, api: Option<&str>) {
        self.click("button", button).await;
        self.find("dialog", "Connect a server").await;
        self.fill("textbox", "URL", server.url).await;
        self.choose("Kind of server", server.kind).await;
        self.fill("textbox", "Name", server.name).await;
        if !server.key.is_empty() {
            self.fill("textbox", "Key", server.key).await;
        }
        self.fill("textbox", "Watch", server.watch).await;
        if let Some(api) = api {
            self.run("document.querySelector('dialog details').open = true; return null", vec![])
                .await;
            self.fill("textbox", "API URL", api).await;
        }
        self.click("button", "Connect").await;
        // What the test finds wanting is saved all the same: the journey is about that.
        eventually("the form to be saved", async || {
            if let Some(anyway) = self.find_now("button", "Save anyway").await {
                // It may be gone again by now.
                let _ = anyway.click().await;
            }
            self.find_now("dialog", "Connect a server").await.is_none().then_some(())
        })
        .await;
    }

    /// Waits until the list of servers says this of a server.
    pub async fn status(&self, server: &str, word: &str) {
        self.find_like("button", &format!("{server}, {word},")).await;
    }

    /// The user turns to another window, so that what went well pops up too.
    pub async fn look_away(&self) {
        let script = "document.hasFocus = () => false; window.dispatchEvent(new Event('blur'));";
        self.run(script, Vec::new()).await;
    }

    /// Waits for a job in the list.
    pub async fn job(&self, name: &str, state: &str) {
        self.find_like("row", &format!("{name}, {state}, ")).await;
    }
}

/// The texts of the log rows in the page, from first to last.
const ROWS: &str = r"
const list = document.querySelector('[role=log] [role=grid]');
return [...(list?.querySelectorAll('[role=row]') ?? [])].map((row) => row.textContent);
";

pub async fn rows(window: &Window) -> Vec<String> {
    let rows = window.run(ROWS, vec![]).await;
    serde_json::from_value(rows).expect("texts")
}

pub async fn shows(window: &Window, text: &str) {
    eventually(&format!("row with \"{text}\""), async || {
        rows(window).await.iter().any(|row| row.contains(text)).then_some(())
    })
    .await;
}

pub async fn open_log(window: &Window, job: &str) {
    window.click_like("row", job).await;
    window.click_like("tab", "Logs").await;
    window.find("log", "Log").await;
}
