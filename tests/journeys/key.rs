//! The key: refused when wrong, kept where it belongs, found nowhere else.

use std::path::Path;

use serde_json::json;

use super::journey;
use super::steps::Server;
use super::support::node::NodeServer;

/// Everything in the page that could hold text: markup, what fields hold, stores, globals.
pub const ALL_TEXT: &str = r"
const seen = new Set();
const texts = [document.documentElement.outerHTML, document.cookie, document.title, location.href];
for (const field of document.querySelectorAll('input, textarea, select')) texts.push(field.value);
for (const store of [localStorage, sessionStorage]) texts.push(JSON.stringify(store));
(function walk(value, depth) {
  if (typeof value === 'string') texts.push(value);
  if (value === null || typeof value !== 'object' || depth > 6 || seen.has(value)) return;
  if (value instanceof Node || value === window.top && depth > 0) return;
  seen.add(value);
  for (const name of Object.getOwnPropertyNames(value)) {
    let inner;
    try {
      inner = value[name];
    } catch {
      continue;
    }
    walk(inner, depth + 1);
  }
})(window, 0);
return texts.join('\n');
";

#[test]
fn a_wrong_key_is_told_and_the_right_one_is_kept_in_the_keyring_only() {
    const WRONG: &str = "not-the-right-key-91c2";
    const RIGHT: &str = "sk-the-right-key-7f3a";
    journey("key", async |session| {
        let mut server = NodeServer::study_buddy(RIGHT).await;
        server.tell("add", json!({"job": "7"})).await;
        session.open(&[]).await;
        let window = session.window();
        window
            .connect(
                "Connect a server",
                &Server {
                    url: &server.url(),
                    kind: "AI Study Buddy",
                    name: "Lectures",
                    key: WRONG,
                    watch: "job:7",
                },
            )
            .await;
        window.status("Lectures", "Key not accepted").await;

        window.click("button", "Enter a key").await;
        window.fill("textbox", "Key", RIGHT).await;
        window.click("button", "Test the connection").await;
        window.find_like("listitem", "The socket is open.").await;
        window.find_like("listitem", "Answers as AI Study Buddy at").await;
        window.find_like("listitem", "The API accepts it").await;
        window.click("button", "Save").await;
        window.gone("dialog", "Edit the server").await;
        window.status("Lectures", "Live").await;
        window.job("process-pdf", "Queued").await;

        let page = window.run(ALL_TEXT, vec![]).await;
        let page = page.as_str().expect("text");
        assert!(page.contains("Lectures"), "the search reaches what is on the page");

        // A restart asks the keyring.
        session.kill().await;
        session.open(&[]).await;
        let window = session.window();
        window.status("Lectures", "Live").await;
        let again = window.run(ALL_TEXT, vec![]).await;
        let printed = session.printed();
        for key in [WRONG, RIGHT] {
            assert!(!page.contains(key), "in the page");
            assert!(!again.as_str().expect("text").contains(key), "in the page after the restart");
            assert!(!printed.contains(key), "in what the program prints");
            let files = files_with(session.home(), key.as_bytes());
            assert!(files.is_empty(), "in {files:?}");
        }
        assert!(
            !files_with(session.home(), b"Lectures").is_empty(),
            "the search reaches the files"
        );
    });
}

/// The files below `directory` that hold these bytes.
pub fn files_with(directory: &Path, bytes: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files_with(&path, bytes));
        } else if path.is_file() {
            // One that vanishes meanwhile holds nothing.
            let text = std::fs::read(&path).unwrap_or_default();
            if text.windows(bytes.len()).any(|window| window == bytes) {
                found.push(path.display().to_string());
            }
        }
    }
    found
}
