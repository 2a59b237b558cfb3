//! What the page cannot do.

use serde_json::json;

use super::journey;
use super::support::node::NodeServer;

/// Tries every way out that a page has; answers with the ways that worked.
const TRY_ALL: &str = r"
const [url, done] = arguments;
const socket = new URL('/socket.io/?EIO=4&transport=websocket', url.replace('http', 'ws'));
// Done after a while in which a request would have been made; never counts as a way that worked.
const silent = (attempt) => new Promise((_, no) => {
  try {
    attempt();
  } catch {}
  setTimeout(no, 500);
});
// An error page of the browser's own loads as well: only content that came through counts.
const framed = (tag, field) => new Promise((yes, no) => {
  const it = document.createElement(tag);
  it[field] = url + '/health?' + tag;
  document.body.append(it);
  setTimeout(() => (it.contentDocument?.body?.textContent ? yes() : no()), 1000);
});
const media = (tag) => new Promise((yes, no) => {
  const it = document.createElement(tag);
  it.onloadedmetadata = yes;
  it.onerror = no;
  it.src = url + '/health?' + tag;
  setTimeout(no, 2000);
});
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
  style: () => new Promise((yes, no) => {
    const it = document.createElement('link');
    it.rel = 'stylesheet';
    it.onload = yes;
    it.onerror = no;
    it.href = url + '/health?style';
    document.head.append(it);
  }),
  font: () => new FontFace('out', `url(${url}/health?font)`).load(),
  frame: () => framed('iframe', 'src'),
  object: () => framed('object', 'data'),
  embed: () => framed('embed', 'src'),
  sound: () => media('audio'),
  film: () => media('video'),
  worker: () => new Promise((yes, no) => {
    const it = new Worker(url + '/health?worker');
    it.onmessage = yes;
    it.onerror = no;
  }),
  blob: () => new Promise((yes, no) => {
    const code = `fetch('${url}/health?blob', { mode: 'no-cors' }).then(() => postMessage(1))`;
    const it = new Worker(URL.createObjectURL(new Blob([code])));
    it.onmessage = yes;
    it.onerror = no;
    setTimeout(no, 1000);
  }),
  module: () => import(url + '/health?module'),
  evaluated: () => (0, eval)('1'),
  // What follows tells nothing of how it went: the server's count of requests does.
  beacon: () => silent(() => navigator.sendBeacon(url + '/health?beacon', 'x')),
  ping: () => silent(() => {
    const it = document.createElement('a');
    it.ping = url + '/health?ping';
    it.href = '#';
    document.body.append(it);
    it.click();
    it.remove();
  }),
  form: () => silent(() => {
    const it = document.createElement('form');
    it.action = url + '/health?form';
    it.method = 'post';
    document.body.append(it);
    it.submit();
    it.remove();
  }),
  window: () => silent(() => window.open(url + '/health?window')),
  prefetch: () => silent(() => {
    for (const rel of ['prefetch', 'preload', 'prerender', 'icon', 'manifest']) {
      const it = document.createElement('link');
      it.rel = rel;
      it.as = 'image';
      it.href = url + '/health?' + rel;
      document.head.append(it);
    }
  }),
  background: () => silent(() => {
    const it = document.createElement('div');
    it.style.background = `url(${url}/health?background)`;
    document.body.append(it);
    void it.offsetHeight;
  }),
  peer: () => new Promise((yes, no) => {
    if (typeof RTCPeerConnection === 'undefined') return no();
    const it = new RTCPeerConnection({ iceServers: [{ urls: url.replace('http://', 'stun:') }] });
    it.onicecandidate = (event) => event.candidate?.type === 'srflx' && yes();
    it.createDataChannel('out');
    it.createOffer().then((offer) => it.setLocalDescription(offer));
    setTimeout(no, 1000);
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
    journey("no-way-out", async |session| {
        let mut server = NodeServer::study_buddy("unused").await;
        let window = session.open(&[]).await;
        window.find("button", "Connect a server").await;
        let before = window.run("return location.href.split('#')[0]", vec![]).await;
        let worked = window.run_async(TRY_ALL, vec![json!(server.url())]).await;
        assert_eq!(worked, json!([]), "ways out that worked");
        assert_eq!(
            window.run("return location.href.split('#')[0]", vec![]).await,
            before,
            "the page is where it was"
        );
        assert_eq!(server.tell("requests", json!({})).await, json!(0), "requests that arrived");
    });
}
