//! Facts about sockets and HTTP, against small servers that misbehave in one way each.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use jobwatch_core::connection::{Failure, SocketId};
use jobwatch_core::dialect::{Address, Ask, FetchRequest, Frame, Header, Method, OpenRequest};
use jobwatch_core::secret::Secret;
use jobwatch_core::server::{DialectKind, Server};
use jobwatch_engine::driver::{Backpressured, ConnectionId, Driver, Reported};
use jobwatch_engine::fetch::{Clients, MAX_BODY, fetch};
use jobwatch_engine::lenient::Heard;
use jobwatch_engine::redact::Redactor;
use jobwatch_engine::{sign_in, socket};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::{self, Message};
use url::Url;

use crate::common::{World, engine, server};
use crate::tls::authority;

const KEY: &str = "sk-very-secret";

/// Serves every connection with one answer, made from the request's head; keeps the heads.
pub async fn serve(
    answer: impl Fn(&str) -> String + Send + Sync + 'static,
) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let heads = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&heads);
    let answer = Arc::new(answer);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (answer, kept) = (Arc::clone(&answer), Arc::clone(&kept));
            tokio::spawn(async move {
                let head = read_head(&mut stream).await;
                let text = answer(&head);
                kept.lock().unwrap().push(head);
                let _ = stream.write_all(text.as_bytes()).await;
                let _ = stream.shutdown().await;
            });
        }
    });
    (port, heads)
}

pub async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte).await {
            Ok(1) => head.push(byte[0]),
            _ => break,
        }
    }
    String::from_utf8_lossy(&head).into_owned()
}

fn ok(body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
}

fn redirect(status: u16, to: &str) -> String {
    format!(
        "HTTP/1.1 {status} Moved\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    )
}

fn key() -> Secret {
    Secret::new(KEY.to_owned())
}

fn get(url: &str) -> FetchRequest {
    let address = Address::new(Url::parse(url).unwrap()).with_secret_query("api_key", &key());
    FetchRequest {
        list: false,
        ask: Ask::new(None, "test"),
        method: Method::Get,
        address,
        headers: vec![Header::new("Authorization", format!("Bearer {KEY}"))],
        body: None,
    }
}

pub fn open_request(url: &str) -> OpenRequest {
    let address = Address::new(Url::parse(url).unwrap()).with_secret_query("api_key", &key());
    let headers = vec![Header::new("Authorization", format!("Bearer {KEY}"))];
    OpenRequest { address, headers, protocols: Vec::new() }
}

async fn ask(request: &FetchRequest) -> (Result<String, Failure>, Option<Duration>) {
    let redactor = Redactor::new(Some(&key()));
    let (answer, wait) = fetch(&Clients::new(None), request, &redactor).await;
    (answer.map(|response| String::from_utf8(response.body).unwrap()), wait)
}

async fn dial(url: &str, limit: Duration) -> Result<(), Failure> {
    let redactor = Redactor::new(Some(&key()));
    let opened = socket::open(&Clients::new(None), &open_request(url), limit, &redactor).await;
    opened.map(|_| ())
}

#[tokio::test]
async fn a_redirect_to_another_origin_is_not_followed_and_sees_no_key() {
    let (elsewhere, stolen) = serve(|_| ok("{}")).await;
    let target = format!("http://127.0.0.1:{elsewhere}/stolen?x=1");
    let (port, _) = serve(move |_| redirect(307, &target)).await;
    let (answer, _) = ask(&get(&format!("http://127.0.0.1:{port}/jobs"))).await;
    let error = answer.unwrap_err().to_string();
    assert!(error.contains("another origin") && !error.contains(KEY), "{error}");
    let opened = dial(&format!("ws://127.0.0.1:{port}/"), Duration::from_secs(5)).await;
    let error = opened.unwrap_err().to_string();
    assert!(error.contains("redirect") && !error.contains(KEY), "{error}");
    assert!(stolen.lock().unwrap().is_empty(), "the other origin was asked");
}

#[tokio::test]
async fn a_redirect_to_a_page_for_signing_in_is_told_and_not_followed() {
    for (status, to, place) in [
        (302, "/login?next=%2Fjobs&token=s", "/login"),
        (303, "/api/auth/Sign-In", "/api/auth/Sign-In"),
        (
            307,
            "https://x.cloudflareaccess.com/cdn-cgi/access/login/a",
            "cloudflareaccess.com/cdn-cgi",
        ),
        (302, "https://id.example/realms/a/protocol/openid-connect/auth?x=1", "id.example/realms"),
        (302, "/oauth2/start?rd=/jobs", "/oauth2/start"),
    ] {
        let (port, heads) = serve(move |_| redirect(status, to)).await;
        for method in [Method::Get, Method::Post] {
            let request = FetchRequest { method, ..get(&format!("http://127.0.0.1:{port}/jobs")) };
            let error = ask(&request).await.0.unwrap_err();
            let text = error.to_string();
            assert!(matches!(error, Failure::SignIn(_)) && text.contains(place), "{text}");
            assert!(!text.contains('?') && !text.contains(KEY), "{text}");
        }
        assert_eq!(heads.lock().unwrap().len(), 2, "{to}");
    }
}

#[tokio::test]
async fn a_key_with_which_one_is_sent_to_a_page_for_signing_in_is_not_accepted() {
    let (port, _) = serve(|_| redirect(302, "/login")).await;
    for kind in [DialectKind::BullBoard, DialectKind::StudyBuddy] {
        let api = Some(format!("http://127.0.0.1:{port}/api"));
        let server = Server { api, ..server(kind, port) };
        assert!(!sign_in::accepted(&Clients::new(None), &server, &Some(key())).await, "{kind:?}");
    }
}

#[tokio::test]
async fn an_upgrade_that_is_redirected_within_its_origin_is_followed_with_the_key() {
    for (status, to) in [(308, "/ws/"), (301, "/ws/?from=old"), (307, "//HOST/ws/")] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let to = to.replace("HOST", &format!("127.0.0.1:{port}"));
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            read_head(&mut stream).await;
            stream.write_all(redirect(status, &to).as_bytes()).await.unwrap();
            drop(stream);
            let (stream, _) = listener.accept().await.unwrap();
            let mut asked = String::new();
            #[allow(clippy::result_large_err)]
            let keep = |request: &tungstenite::handshake::server::Request, response| {
                asked = request.uri().to_string();
                Ok(response)
            };
            tokio_tungstenite::accept_hdr_async(stream, keep).await.unwrap();
            asked
        });
        dial(&format!("ws://127.0.0.1:{port}/ws"), Duration::from_secs(5)).await.unwrap();
        let asked = server.await.unwrap();
        assert!(asked.starts_with("/ws/?") && asked.contains(KEY), "{status}: {asked}");
    }
}

#[tokio::test]
async fn a_server_that_redirects_an_upgrade_to_itself_for_ever_is_given_up() {
    let (port, heads) = serve(|_| redirect(308, "/ws")).await;
    let opened = dial(&format!("ws://127.0.0.1:{port}/ws"), Duration::from_secs(5)).await;
    let error = opened.unwrap_err().to_string();
    assert!(error.contains("redirect") && !error.contains(KEY), "{error}");
    assert_eq!(heads.lock().unwrap().len(), 6);
}

#[tokio::test]
async fn a_redirect_within_the_origin_is_followed_with_the_key() {
    let (port, heads) = serve(|head| {
        if head.starts_with("GET /old") { redirect(302, "/new?page=2") } else { ok("\"here\"") }
    })
    .await;
    let (answer, _) = ask(&get(&format!("http://127.0.0.1:{port}/old"))).await;
    assert_eq!(answer.unwrap(), "\"here\"");
    let heads = heads.lock().unwrap();
    assert!(heads[1].starts_with(&format!("GET /new?page=2&api_key={KEY} ")), "{}", heads[1]);
    assert!(heads[1].contains(&format!("Bearer {KEY}")));
}

#[tokio::test]
async fn a_server_that_redirects_for_ever_is_left() {
    let (port, heads) = serve(|_| redirect(302, "/again")).await;
    let (answer, _) = ask(&get(&format!("http://127.0.0.1:{port}/"))).await;
    assert!(answer.unwrap_err().to_string().contains("redirected more than"));
    assert!(heads.lock().unwrap().len() < 10);
}

#[tokio::test]
async fn an_upgrade_that_is_never_answered_ends_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let begun = Instant::now();
    let limit = Duration::from_millis(300);
    let opened = dial(&format!("ws://127.0.0.1:{port}/"), limit).await;
    assert_eq!(opened.unwrap_err(), Failure::Timeout(limit));
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn an_upgrade_answered_with_a_page_names_it_and_quotes_no_key() {
    let page = format!("<html><title>Welcome {KEY}</title></html>");
    let (port, _) = serve(move |_| {
        let length = page.len();
        format!(
            "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {length}\r\n\r\n{page}"
        )
    })
    .await;
    let opened = dial(&format!("ws://127.0.0.1:{port}/"), Duration::from_secs(5)).await;
    let Failure::Http { status: 200, text: Some(text), .. } = opened.unwrap_err() else {
        panic!("the status is told")
    };
    assert_eq!(text, "a web page titled \"Welcome [redacted]\"");
}

#[tokio::test]
async fn an_upgrade_refused_for_now_says_when_to_come_back() {
    let (port, _) = serve(|_| {
        "HTTP/1.1 503 Busy\r\nretry-after: 7\r\ncontent-length: 20\r\n\r\n{\"error\":\"too many\"}"
            .to_owned()
    })
    .await;
    let opened = dial(&format!("ws://127.0.0.1:{port}/"), Duration::from_secs(5)).await;
    let failure = opened.unwrap_err();
    let text = Some("too many".to_owned());
    let retry_after = Some(Duration::from_secs(7));
    assert_eq!(failure, Failure::Http { status: 503, text, retry_after });
    let (answer, wait) = ask(&get(&format!("http://127.0.0.1:{port}/"))).await;
    assert_eq!((answer.is_ok(), wait), (true, retry_after));
}

#[tokio::test]
async fn an_upgrade_without_proof_is_refused() {
    let (port, _) = serve(|_| {
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: nonsense\r\n\r\n".to_owned()
    })
    .await;
    let opened = dial(&format!("ws://127.0.0.1:{port}/"), Duration::from_secs(5)).await;
    assert!(matches!(opened.unwrap_err(), Failure::Protocol(_)));
}

#[tokio::test]
async fn a_closed_port_and_an_unknown_name_are_told_apart() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let opened = dial(&format!("ws://127.0.0.1:{port}/"), Duration::from_secs(5)).await;
    let text = opened.unwrap_err().to_string();
    assert_eq!(text, format!("nothing listens at 127.0.0.1:{port}"));
}

#[tokio::test]
async fn an_answer_beyond_the_limit_is_read_up_to_it() {
    let (port, _) = serve(|_| {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", 1u64 << 30);
        head + &"x".repeat(MAX_BODY + (1 << 20))
    })
    .await;
    let (answer, _) = ask(&get(&format!("http://127.0.0.1:{port}/"))).await;
    let failure = answer.unwrap_err();
    assert_eq!(failure.to_string(), "the answer is larger than the 32 MiB that are read");
    let Failure::TooLarge { limit, begun } = failure else { panic!("{failure}") };
    assert_eq!((limit, begun.status, begun.body.len()), (MAX_BODY, 200, MAX_BODY));
}

#[tokio::test]
async fn text_that_is_not_utf_8_is_replaced_and_the_link_goes_on() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
        // One frame, one message in two frames with a ping between them, and what follows.
        let raw = socket.get_mut();
        raw.write_all(b"\x81\x04a\xffbc").await.unwrap();
        raw.write_all(b"\x01\x02\xf0\x9f\x89\x00\x80\x03\x94\x91!").await.unwrap();
        socket.send(Message::binary(vec![0xff])).await.unwrap();
        socket.send(Message::text("after")).await.unwrap();
        while socket.next().await.is_some() {}
    });
    let url = format!("ws://127.0.0.1:{port}/");
    let (clients, redactor) = (Clients::new(None), Redactor::default());
    let limit = Duration::from_secs(10);
    let mut socket = socket::open(&clients, &open_request(&url), limit, &redactor).await.unwrap();
    let mut heard = Vec::new();
    while heard.len() < 4 {
        match tokio::time::timeout(limit, socket.next()).await.unwrap().unwrap().unwrap() {
            Heard::Frame(Frame::Ping) => {}
            Heard::Frame(frame) => heard.push(frame),
            Heard::Closing(_) => panic!("the link goes on"),
        }
    }
    let text = |text: &str| Frame::Text(text.to_owned());
    let expected =
        [text("a\u{fffd}bc"), text("\u{1f511}!"), Frame::Binary(vec![0xff]), text("after")];
    assert_eq!(heard, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_of_64_mib_is_told_as_unreadable_and_the_link_goes_on() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let opened = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&opened);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let count = Arc::clone(&count);
            tokio::spawn(async move {
                let Ok(mut socket) = tokio_tungstenite::accept_async(stream).await else { return };
                count.fetch_add(1, Ordering::SeqCst);
                let _ = socket.send(Message::text("x".repeat(64 << 20))).await;
                let _ = socket.send(Message::text("what follows")).await;
                while socket.next().await.is_some() {}
            });
        }
    });
    let world = World::new();
    let engine = engine(&world, vec![(server(DialectKind::Kecs, port), None)]).await;
    crate::common::until("the frame is told", || world.odd("xxxx")).await;
    crate::common::until("what follows it", || world.odd("what follows")).await;
    assert_eq!(opened.load(Ordering::SeqCst), 1, "the socket was not opened again");
    engine.stop().await;
}

#[tokio::test]
async fn a_certificate_file_that_is_none_is_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "not a certificate").unwrap();
    let clients = Clients::new(Some(file.path().to_owned()));
    let request = open_request("wss://127.0.0.1:1/");
    let redactor = Redactor::default();
    let opened = socket::open(&clients, &request, Duration::from_secs(5), &redactor).await;
    let error = opened.map(|_| ()).unwrap_err();
    assert!(matches!(&error, Failure::Tls(text) if text.contains("no certificate")), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_ones_own_authority_is_trusted_once_its_file_is_given() {
    let (acceptor, file) = authority("127.0.0.1");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let Ok(mut socket) = tokio_tungstenite::accept_async(stream).await else { return };
                let _ = socket.send(Message::text("hello")).await;
            });
        }
    });
    let url = format!("wss://127.0.0.1:{port}/");
    let error = dial(&url, Duration::from_secs(10)).await.unwrap_err();
    let helps = |text: &str| text.contains("PEM file") && !text.contains(KEY);
    assert!(matches!(&error, Failure::Untrusted(text) if helps(text)), "{error}");
    let clients = Clients::new(Some(file.path().to_owned()));
    let redactor = Redactor::default();
    let opened =
        socket::open(&clients, &open_request(&url), Duration::from_secs(10), &redactor).await;
    assert!(opened.is_ok(), "{:?}", opened.map(|_| ()));
}

/// Run by the next test in a process of its own, whose environment names a proxy.
#[tokio::test]
#[ignore = "needs a proxy in its environment"]
async fn proxied_child() {
    let (port, heads) = serve(|_| ok("\"direct\"")).await;
    let (answer, _) = ask(&get(&format!("http://127.0.0.1:{port}/"))).await;
    assert_eq!(answer.unwrap(), "\"direct\"", "loopback goes around the proxy");
    assert_eq!(heads.lock().unwrap().len(), 1);
    let (answer, _) = ask(&get("http://jobs.example.test/list")).await;
    assert_eq!(answer.unwrap(), "\"proxied\"");
}

/// Run by the test after the next in a process of its own.
#[tokio::test]
#[ignore = "needs a proxy in its environment"]
async fn tunnelled_child() {
    let clients = Clients::new(Some(std::env::var("AUTHORITY").unwrap().into()));
    let request = open_request("wss://jobs.example.test/ws");
    let (limit, redactor) = (Duration::from_secs(20), Redactor::default());
    let mut socket = socket::open(&clients, &request, limit, &redactor).await.unwrap();
    let heard = tokio::time::timeout(limit, socket.next()).await.unwrap().unwrap().unwrap();
    let Heard::Frame(frame) = heard else { panic!("{heard:?}") };
    assert_eq!(frame, Frame::Text("through the tunnel".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_over_tls_is_dialled_through_the_environments_proxy() {
    let (acceptor, file) = authority("jobs.example.test");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let heads = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&heads);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (acceptor, kept) = (acceptor.clone(), Arc::clone(&kept));
            tokio::spawn(async move {
                let head = read_head(&mut stream).await;
                kept.lock().unwrap().push(head);
                stream.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").await.unwrap();
                // The proxy is the server's end of the tunnel as well.
                let stream = acceptor.accept(stream).await.unwrap();
                let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
                socket.send(Message::text("through the tunnel")).await.unwrap();
                while socket.next().await.is_some() {}
            });
        }
    });
    let child = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "network::tunnelled_child", "--ignored", "--nocapture"])
        .env("https_proxy", format!("http://127.0.0.1:{port}"))
        .env("AUTHORITY", file.path())
        .env_remove("no_proxy")
        .env_remove("NO_PROXY")
        .output()
        .await
        .unwrap();
    let text = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success() && text.contains("1 passed"), "{text}");
    let heads = heads.lock().unwrap();
    assert!(heads[0].starts_with("CONNECT jobs.example.test:443 "), "{}", heads[0]);
    assert!(!heads[0].contains(KEY), "the key is inside the tunnel: {}", heads[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_from_tls_to_plain_http_on_the_same_host_is_not_followed() {
    let (plain, stolen) = serve(|_| ok("{}")).await;
    let (acceptor, file) = authority("127.0.0.1");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut head = [0; 4_096];
            let _ = stream.read(&mut head).await;
            let answer = redirect(307, &format!("http://127.0.0.1:{plain}/jobs"));
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    let clients = Clients::new(Some(file.path().to_owned()));
    let redactor = Redactor::new(Some(&key()));
    let request = get(&format!("https://127.0.0.1:{port}/jobs"));
    let (answer, _) = fetch(&clients, &request, &redactor).await;
    let error = answer.unwrap_err().to_string();
    assert!(error.contains("another origin") && !error.contains(KEY), "{error}");
    assert!(stolen.lock().unwrap().is_empty(), "the key was sent in the open");
}

#[tokio::test]
async fn an_answer_that_stops_in_the_middle_is_given_up() {
    const PART: usize = 10 << 20;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (begun, begins) = tokio::sync::oneshot::channel();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_head(&mut stream).await;
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", 3 * PART);
        stream.write_all(head.as_bytes()).await.unwrap();
        // More than the kernel keeps for two sockets: once it is written, the client is reading it.
        stream.write_all(&vec![b'x'; 2 * PART]).await.unwrap();
        begun.send(()).unwrap();
        // Held open, and silent.
        let _ = stream.read(&mut [0; 1]).await;
    });
    let asking = tokio::spawn(async move { ask(&get(&format!("http://127.0.0.1:{port}/"))).await });
    begins.await.unwrap();
    // The answer has begun: from here on only time passes.
    tokio::time::pause();
    let (answer, _) = asking.await.unwrap();
    assert!(matches!(answer.unwrap_err(), Failure::Timeout(_)));
    server.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_reading_is_stuck_before_much_is_queued_for_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let socket = tokio_tungstenite::accept_async(stream).await.unwrap();
        std::future::pending::<()>().await;
        drop(socket);
    });
    let (reports, mut reported) = tokio::sync::mpsc::channel(16);
    let clients = Arc::new(Clients::new(None));
    let driver = Driver::spawn(ConnectionId(0), clients, Redactor::default(), reports);
    let link = SocketId(1);
    let request = open_request(&format!("ws://127.0.0.1:{port}/"));
    driver.open(link, request, Duration::from_secs(10));
    assert!(matches!(reported.recv().await.unwrap().what, Reported::Opened(_)));
    // The kernel takes some megabytes before it says no.
    let mut sent = 0;
    let full = loop {
        if let Err(full) = driver.send(link, Frame::Text("x".repeat(64 << 10))) {
            break full;
        }
        sent += 64 << 10;
        assert!(sent < 64 << 20, "all of it was taken");
        tokio::task::yield_now().await;
    };
    assert_eq!(full, Backpressured);
    driver.close(link);
    driver.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_environments_proxy_is_used_but_never_for_loopback() {
    let (proxy, heads) = serve(|_| ok("\"proxied\"")).await;
    let program = std::env::current_exe().unwrap();
    let child = tokio::process::Command::new(program)
        .args(["--exact", "network::proxied_child", "--ignored", "--nocapture"])
        .env("http_proxy", format!("http://127.0.0.1:{proxy}"))
        .env_remove("no_proxy")
        .env_remove("NO_PROXY")
        .output()
        .await
        .unwrap();
    let text = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success() && text.contains("1 passed"), "{text}");
    let heads = heads.lock().unwrap();
    assert_eq!(heads.len(), 1);
    assert!(heads[0].starts_with("GET http://jobs.example.test/list"), "{}", heads[0]);
}
