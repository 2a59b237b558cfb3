//! Through proxies. Each case runs in a process of its own, whose environment names the proxy.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use jobwatch_core::dialect::Frame;
use jobwatch_engine::fetch::Clients;
use jobwatch_engine::lenient::Heard;
use jobwatch_engine::redact::Redactor;
use jobwatch_engine::socket;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::Message;

use crate::network::{open_request, read_head};

const LIMIT: Duration = Duration::from_secs(20);
const WHERE: &str = "ws://jobs.example.test:8080/ws";

/// A proxy that opens tunnels for those who have `password`, and is the server behind them; anything
/// else it forwards as most do, without the headers that make an upgrade. Keeps what it was asked.
async fn proxy(password: Option<&'static str>) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let heads = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&heads);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let kept = Arc::clone(&kept);
            tokio::spawn(async move {
                let head = read_head(&mut stream).await;
                kept.lock().unwrap().push(head.clone());
                let answer = if password.is_some_and(|password| !head.contains(password)) {
                    "HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n"
                } else if head.starts_with("CONNECT jobs.example.test:8080 ") {
                    "HTTP/1.1 200 Connection established\r\n\r\n"
                } else if head.starts_with("CONNECT ") {
                    "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n"
                } else {
                    "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"
                };
                stream.write_all(answer.as_bytes()).await.unwrap();
                if answer.contains(" 200 ") {
                    let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
                    socket.send(Message::text("through the tunnel")).await.unwrap();
                    while socket.next().await.is_some() {}
                }
            });
        }
    });
    (port, heads)
}

/// Opens a socket and answers the first frame, or why there was none.
async fn first_frame(url: &str) -> Result<String, String> {
    let redactor = Redactor::default();
    let opened = socket::open(&Clients::new(None), &open_request(url), LIMIT, &redactor).await;
    let mut socket = opened.map_err(|failure| failure.to_string())?;
    match tokio::time::timeout(LIMIT, socket.next()).await {
        Ok(Some(Ok(Heard::Frame(Frame::Text(text))))) => Ok(text),
        _ => Err("no frame".to_owned()),
    }
}

/// What the child saw.
#[tokio::test]
#[ignore = "needs a proxy in its environment"]
async fn child() {
    let url = std::env::var("ADDRESS").unwrap();
    if let Ok(proxy) = std::env::var("DESKTOP_PROXY") {
        jobwatch_engine::proxy::use_desktop(Arc::new(move |url| {
            assert_eq!(url.as_str(), "http://jobs.example.test:8080/", "no path, no key");
            Some(proxy.clone())
        }));
    }
    println!("SAW {:?}", first_frame(&url).await);
}

async fn seen_by_child(url: &str, variables: &[(&str, String)]) -> String {
    let mut child = tokio::process::Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "proxies::child", "--ignored", "--nocapture"]);
    for name in ["http_proxy", "https_proxy", "all_proxy", "no_proxy"] {
        child.env_remove(name).env_remove(name.to_uppercase());
    }
    child.env("ADDRESS", url).envs(variables.iter().map(|(name, value)| (name, value)));
    let output = child.output().await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let seen = text.lines().find_map(|line| line.split_once("SAW "));
    seen.unwrap_or_else(|| panic!("{text}")).1.to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_socket_goes_through_a_tunnel_of_the_proxy() {
    let (port, heads) = proxy(None).await;
    let via = format!("http://127.0.0.1:{port}");
    for name in ["http_proxy", "HTTP_PROXY", "all_proxy"] {
        let seen = seen_by_child(WHERE, &[(name, via.clone())]).await;
        assert!(seen.contains("through the tunnel"), "{name}: {seen}");
        let head = heads.lock().unwrap().pop().unwrap();
        assert!(head.starts_with("CONNECT jobs.example.test:8080 "), "{head}");
        assert!(!head.contains("sk-"), "the key is inside the tunnel: {head}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_desktops_proxy_is_used_where_the_environment_names_none() {
    let (port, heads) = proxy(None).await;
    let via = format!("http://127.0.0.1:{port}/");
    let seen = seen_by_child(WHERE, &[("DESKTOP_PROXY", via.clone())]).await;
    assert!(seen.contains("through the tunnel"), "{seen}");
    assert_eq!(heads.lock().unwrap().len(), 1);
    let named = [("DESKTOP_PROXY", via.clone()), ("http_proxy", "http://127.0.0.1:1".to_owned())];
    let seen = seen_by_child(WHERE, &named).await;
    assert!(seen.contains("the proxy 127.0.0.1:1 cannot be reached"), "{seen}");
    let direct = [("DESKTOP_PROXY", "direct://".to_owned())];
    let seen = seen_by_child(WHERE, &direct).await;
    assert!(seen.contains("can't find \\\"jobs.example.test\\\""), "{seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_refuses_is_named_with_what_it_wants() {
    let (port, _) = proxy(Some("Basic dXNlcjpwYXNz")).await;
    let seen = seen_by_child(WHERE, &[("http_proxy", format!("http://127.0.0.1:{port}"))]).await;
    assert!(seen.contains("asks for a user name and a password"), "{seen}");
    let with = format!("http://user:pass@127.0.0.1:{port}");
    let seen = seen_by_child(WHERE, &[("http_proxy", with.clone())]).await;
    assert!(seen.contains("through the tunnel"), "{seen}");
    let elsewhere = "ws://other.example.test:8080/ws";
    let seen = seen_by_child(elsewhere, &[("http_proxy", with.clone())]).await;
    let refuses = format!("the proxy 127.0.0.1:{port} refuses a connection to other.example.test");
    assert!(seen.contains(&refuses) && !seen.contains("pass"), "{seen}");
    let without = [("http_proxy", with), ("no_proxy", "example.test".to_owned())];
    let seen = seen_by_child(WHERE, &without).await;
    assert!(seen.contains("can't find"), "the exception goes around the proxy: {seen}");
}
