//! What the page cannot do.

use serde_json::json;

use super::journey;
use super::support::node::NodeServer;

/// Tries every way out that a page has; answers with the ways that worked.
const TRY_ALL: &str = r"
const [url, done] = arguments;
const socket = new URL('/socket.io/?EIO=4&transport=websocket', url.replace('http', 'ws'));
const ways = {
  fetch: () => fetch(url + '/health', { mode: 'no-cors' }),
  xhr: () => new Promise((yes, no) => {
    const request = new XMLHttpRequest();
    request.onload = yes;
    request.onerror = no;
    request.open('GET', url + '/health');
    request.send();
  }),
  socket: () => new Promise((yes, no) => {
    const it = new WebSocket(socket);
    it.onopen = yes;
    it.onerror = no;
  }),
  events: () => new Promise((yes, no) => {
    const it = new EventSource(url + '/health');
    it.onopen = yes;
    it.onerror = no;
  }),
  image: () => new Promise((yes, no) => {
    // Not a picture, so even a request that gets through ends in an error: the server's count of
    // requests tells.
    const it = new Image();
    it.onload = yes;
    it.onerror = no;
    it.src = url + '/health?image';
  }),
  script: () => new Promise((yes, no) => {
    const it = document.createElement('script');
    it.onload = yes;
    it.onerror = no;
    it.src = url + '/health?script';
    document.head.append(it);
  }),
  inline: () => new Promise((yes, no) => {
    const it = document.createElement('script');
    it.textContent = 'window.ranInline = true';
    document.head.append(it);
    window.ranInline ? yes() : no();
  }),
};
Promise.all(
  Object.entries(ways).map(async ([way, attempt]) => {
    try {
      await attempt();
      return way;
    } catch {
      return null;
    }
  }),
).then((worked) => done(worked.filter(Boolean)));
";

#[test]
fn the_page_reaches_no_server_by_any_way() {
    journey("no-way-out", async |desktop| {
        let mut server = NodeServer::study_buddy("unused").await;
        let window = desktop.open(&[]).await;
        window.find("button", "Connect a server").await;
        let worked = window.run_async(TRY_ALL, vec![json!(server.url())]).await;
        assert_eq!(worked, json!([]), "ways out that worked");
        assert_eq!(server.tell("requests", json!({})).await, json!(0), "requests that arrived");
    });
}
