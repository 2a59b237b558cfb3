//! The program's window, seen as a screen reader sees it: roles, names, text.

use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use fantoccini::elements::{Element, ElementRef};
use fantoccini::{Client, ClientBuilder};
use serde_json::{Value, json};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::support::{PATIENCE, eventually, jobwatch, root};

/// Finds elements by role and name in the page. Kept in a file of its own because it is another
/// language.
const FIND: &str = include_str!("find.js");

/// How long the driver may take to do what is not part of a journey.
const GRACE: Duration = Duration::from_secs(5);

/// An open window and the driver that steers it.
pub struct Window {
    client: Client,
    driver: Child,
}

impl Window {
    /// Starts the driver and, through it, the program.
    pub async fn open(mut driver: Command, arguments: &[&str]) -> Window {
        let port = free_port();
        let driver = driver
            .args([format!("--port={port}"), "--host=127.0.0.1".to_owned()])
            .process_group(0)
            .spawn()
            .expect("WebKitWebDriver starts (cargo xtask test installs it)");
        let capabilities = json!({
            "webkitgtk:browserOptions": { "binary": jobwatch(), "args": arguments },
        });
        let Value::Object(capabilities) = capabilities else { unreachable!("an object") };
        let url = format!("http://127.0.0.1:{port}");
        eventually("WebKitWebDriver", async || {
            tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok()
        })
        .await;
        let client = ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new())
            .capabilities(capabilities)
            .connect(&url)
            .await
            .expect("the program opens its window");
        Window { client, driver }
    }

    /// Ends the program at once.
    pub async fn kill(mut self) {
        // Ending the session ends the program. Where that takes too long, ending the whole group
        // of processes does, which is the driver's, the program's and the page's.
        let _ = timeout(GRACE, self.client.close()).await;
        if let Some(group) = self.driver.id() {
            let group = format!("-{group}");
            let _ = Command::new("kill").args(["-KILL", "--", &group]).status().await;
        }
        let _ = self.driver.kill().await;
    }

    /// Waits for the element with this role and exactly this name.
    pub async fn find(&self, role: &str, name: &str) -> Element {
        eventually(&format!("{role} \"{name}\""), async || self.find_now(role, name).await).await
    }

    /// Waits for the first element with this role whose name has this text in it.
    pub async fn find_like(&self, role: &str, part: &str) -> Element {
        eventually(&format!("{role} with \"{part}\" in its name"), async || {
            self.query(role, part, "part").await.into_iter().next()
        })
        .await
    }

    /// The element with this role and exactly this name, if it is there and visible.
    pub async fn find_now(&self, role: &str, name: &str) -> Option<Element> {
        self.query(role, name, "whole").await.into_iter().next()
    }

    /// Waits until no visible element has this role and name.
    pub async fn gone(&self, role: &str, name: &str) {
        eventually(&format!("page without {role} \"{name}\""), async || {
            self.find_now(role, name).await.is_none().then_some(())
        })
        .await;
    }

    /// How many visible elements have this role and a name with this text in it.
    pub async fn count(&self, role: &str, part: &str) -> usize {
        self.query(role, part, "part").await.len()
    }

    /// Clicks a button, tab, link, option…
    pub async fn click(&self, role: &str, name: &str) {
        // Between finding and clicking the page may draw the element anew: then it is found again.
        eventually(&format!("{role} \"{name}\" that can be clicked"), async || {
            let element = self.find_now(role, name).await?;
            element.click().await.ok()
        })
        .await;
    }

    /// Like [`Window::click`], by a part of the name.
    pub async fn click_like(&self, role: &str, part: &str) {
        eventually(&format!("{role} with \"{part}\" that can be clicked"), async || {
            self.query(role, part, "part").await.into_iter().next()?.click().await.ok()
        })
        .await;
    }

    /// Clicks by script. The driver misses its aim on a page that is zoomed.
    pub async fn push(&self, role: &str, part: &str) {
        eventually(&format!("{role} with \"{part}\" that can be pushed"), async || {
            let element = self.query(role, part, "part").await.into_iter().next()?;
            let element = serde_json::to_value(element).ok()?;
            self.client.execute("arguments[0].click(); return true", vec![element]).await.ok()
        })
        .await;
    }

    /// Presses a key where the focus is: a letter, or a key's name in WebDriver's words.
    pub async fn press(&self, key: &str) {
        let key = match key {
            "Home" => "\u{e011}".to_owned(),
            "End" => "\u{e010}".to_owned(),
            "PageUp" => "\u{e00e}".to_owned(),
            "F6" => "\u{e036}".to_owned(),
            other => other.to_owned(),
        };
        let focused = self.client.active_element().await.expect("something has the focus");
        focused.send_keys(&key).await.expect("it takes keys");
    }

    /// Presses a key together with Ctrl.
    pub async fn press_with_control(&self, key: &str) {
        let focused = self.client.active_element().await.expect("something has the focus");
        focused.send_keys(&format!("\u{e009}{key}\u{e000}")).await.expect("it takes keys");
    }

    /// Types into a field, replacing what is in it.
    pub async fn fill(&self, role: &str, name: &str, text: &str) {
        let field = self.find(role, name).await;
        field.clear().await.expect("the field can be cleared");
        field.send_keys(text).await.expect("the field takes text");
    }

    /// Chooses in a list of choices, by what the choice says.
    pub async fn choose(&self, name: &str, choice: &str) {
        let field = self.find("combobox", name).await;
        field.select_by_label(choice).await.expect("there is such a choice");
    }

    /// Waits until the visible text of the page has this in it.
    pub async fn read(&self, text: &str) {
        eventually(&format!("text \"{text}\""), async || {
            self.text().await.contains(text).then_some(())
        })
        .await;
    }

    /// The visible text of the page, white space folded.
    pub async fn text(&self) -> String {
        let text = self.run("return document.body.innerText", vec![]).await;
        text.as_str().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Runs JavaScript in the page.
    pub async fn run(&self, script: &str, arguments: Vec<Value>) -> Value {
        timeout(PATIENCE, self.client.execute(script, arguments))
            .await
            .expect("the page answers")
            .expect("the script runs")
    }

    /// Runs JavaScript that calls its last argument with its answer.
    pub async fn run_async(&self, script: &str, arguments: Vec<Value>) -> Value {
        timeout(PATIENCE, self.client.execute_async(script, arguments))
            .await
            .expect("the page answers")
            .expect("the script runs")
    }

    /// Waits until the page is laid out: what there is room for is measured from one picture to
    /// the next.
    pub async fn laid_out(&self) {
        const PICTURES: &str = "const [done] = arguments;
            requestAnimationFrame(() => requestAnimationFrame(() => done(null)));";
        self.run_async(PICTURES, vec![]).await;
    }

    /// Takes a picture.
    pub async fn picture(&self) -> Vec<u8> {
        // A picture is taken of the next frame, and a page where nothing moves draws none: this
        // moves without a trace.
        const MOVE: &str = "document.documentElement.animate(
            [{ outlineOffset: '0px' }, { outlineOffset: '1px' }], 5000); return null";
        self.run(MOVE, vec![]).await;
        timeout(PATIENCE, self.client.screenshot())
            .await
            .expect("the page draws")
            .expect("a picture")
    }

    /// Leaves what a failed journey's reader wants to see.
    pub async fn keep_evidence(&self, directory: &Path) {
        // The program may be gone, which is then what the journey failed for.
        if let Ok(Ok(picture)) = timeout(GRACE, self.client.screenshot()).await {
            std::fs::write(directory.join("screen.png"), picture).expect("a file");
        }
        if let Ok(Ok(source)) = timeout(GRACE, self.client.source()).await {
            std::fs::write(directory.join("page.html"), source).expect("a file");
        }
    }

    async fn query(&self, role: &str, name: &str, how: &str) -> Vec<Element> {
        let arguments = vec![json!(role), json!(name), json!(how)];
        let found = timeout(PATIENCE, self.client.execute(FIND, arguments)).await;
        let found = match found.expect("the page answers") {
            Ok(Value::Array(found)) => found,
            Ok(_) => return Vec::new(),
            // An element that is found and drawn anew before its reference is made: whoever asks
            // asks again, for as long as patience lasts.
            Err(error) => {
                eprintln!("looking for {role} \"{name}\": {error}");
                return Vec::new();
            }
        };
        found
            .iter()
            .filter_map(|reference| reference.as_object()?.values().next()?.as_str())
            .map(|id| {
                Element::from_element_id(self.client.clone(), ElementRef::from(id.to_owned()))
            })
            .collect()
    }
}

/// Saves a picture where `cargo xtask screenshots` wants it, else where failures go.
pub fn save_picture(name: &str, picture: &[u8]) {
    let directory = std::env::var_os("JOBWATCH_SCREENSHOTS")
        .map_or_else(|| root().join("target/journeys/pictures"), Into::into);
    std::fs::create_dir_all(&directory).expect("a directory");
    std::fs::write(directory.join(format!("{name}.png")), picture).expect("a file");
}

/// A port that nobody listens on at the moment.
fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("an address").port()
}
