//! Finding out what is behind an address: the demo's five servers by their URLs alone, and what is
//! no server at all.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jobwatch_core::server::DialectKind;
use jobwatch_demo::{Demo, DemoOptions};
use jobwatch_engine::probe::{Probed, run_with};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::tls::authority;

async fn demo(keys: bool) -> Demo {
    let options = DemoOptions { life: false, keys, ..DemoOptions::default() };
    Demo::start(options).await.unwrap()
}

/// A demo on neighbouring ports, as servers are on theirs.
async fn neighbours() -> Demo {
    for base in (21_000..60_000).step_by(977) {
        let options = DemoOptions { life: false, base_port: Some(base), ..DemoOptions::default() };
        if let Ok(demo) = Demo::start(options).await {
            return demo;
        }
    }
    panic!("no seven neighbouring ports are free");
}

/// Probes without looking at the usual ports of this computer, where anybody may listen.
async fn probe(typed: &str) -> Probed {
    let begun = Instant::now();
    let probed = run_with(typed, None, &[]).await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{typed} took {:?}", begun.elapsed());
    probed
}

fn kinds(probed: &Probed) -> Vec<DialectKind> {
    probed.found.iter().map(|finding| finding.kind).collect()
}

/// A server that answers every connection alike; keeps what was asked.
async fn serve(
    answer: impl Fn(&str) -> String + Send + Sync + 'static,
) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let heads = Arc::new(Mutex::new(Vec::new()));
    let (kept, answer) = (Arc::clone(&heads), Arc::new(answer));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (kept, answer) = (Arc::clone(&kept), Arc::clone(&answer));
            tokio::spawn(async move {
                let mut bytes = vec![0; 8192];
                let Ok(read) = stream.read(&mut bytes).await else { return };
                let head = String::from_utf8_lossy(&bytes[..read]).into_owned();
                let text = answer(&head);
                kept.lock().unwrap().push(head);
                let _ = stream.write_all(text.as_bytes()).await;
                let _ = stream.shutdown().await;
            });
        }
    });
    (port, heads)
}

fn html(status: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/html\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_the_five_servers_is_recognised_by_its_url_alone_however_that_is_written() {
    use DialectKind::{Analyzer, BullBoard, Kecs, StudyBuddy, TriggerX};
    for keys in [true, false] {
        let demo = demo(keys).await;
        let port = |kind, index: usize| demo.ports(kind)[index];
        let spellings = [
            (TriggerX, 0, "/api/ws/tasks"),
            (StudyBuddy, 0, "/jobs"),
            (Analyzer, 0, "/api/v1/jobs"),
            (Kecs, 0, "/ws"),
            (BullBoard, 1, "/login?next=%2Fruns"),
        ];
        for (kind, index, path) in spellings {
            let host = format!("127.0.0.1:{}", port(kind, index));
            for typed in [
                format!("http://{host}"),
                format!("ws://{host}{path}"),
                format!("  {host}/ \n"),
                format!("http://localhost:{}{path}#top", port(kind, index)),
            ] {
                let probed = probe(&typed).await;
                assert_eq!(kinds(&probed), [kind], "{typed}: {probed:?}");
                let found = &probed.found[0];
                let wants = keys && kind != Kecs;
                assert_eq!(found.wants_key, Some(wants), "{typed}: {probed:?}");
                assert_eq!(found.socket_there, Some(true), "{typed}: {probed:?}");
                assert_eq!(found.socket.port(), Some(port(kind, 0)), "{typed}");
                assert!(probed.text.starts_with(kind.title()), "{}", probed.text);
                assert_eq!(probed.instead, None);
            }
        }
        demo.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_port_of_a_server_leads_to_the_first() {
    let demo = neighbours().await;
    let kecs = demo.ports(DialectKind::Kecs);
    let probed = probe(&format!("http://127.0.0.1:{}/", kecs[1])).await;
    assert_eq!(kinds(&probed), [DialectKind::Kecs], "{probed:?}");
    assert_eq!(probed.found[0].api.port(), Some(kecs[0]));
    let admin = format!("http://127.0.0.1:{}/", kecs[1]);
    assert_eq!(probed.found[0].options, [("admin", admin.clone())]);
    // And from the first to the second, which serves the logs.
    let probed = probe(&format!("ws://127.0.0.1:{}", kecs[0])).await;
    assert_eq!(probed.found[0].options, [("admin", admin)], "{probed:?}");

    let board = demo.ports(DialectKind::BullBoard);
    let probed = probe(&format!("http://127.0.0.1:{}", board[1])).await;
    assert_eq!(probed.found[0].socket.as_str(), format!("ws://localhost:{}/", board[0]));
    assert!(probed.text.contains(&format!("localhost:{}", board[0])), "{}", probed.text);
    // The socket alone does not tell where the API is.
    let probed = probe(&format!("ws://127.0.0.1:{}", board[0])).await;
    assert_eq!(kinds(&probed), [DialectKind::BullBoard], "{probed:?}");
    assert!(probed.text.contains("API URL"), "{}", probed.text);
    demo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn https_to_a_server_of_http_is_put_right_on_this_computer_and_said() {
    let demo = demo(true).await;
    let port = demo.ports(DialectKind::Analyzer)[0];
    for typed in [format!("https://127.0.0.1:{port}"), format!("wss://127.0.0.1:{port}/x")] {
        let probed = probe(&typed).await;
        assert_eq!(kinds(&probed), [DialectKind::Analyzer], "{probed:?}");
        assert_eq!(probed.found[0].socket.scheme(), "ws");
        assert!(probed.text.contains("speaks http, not https"), "{}", probed.text);
    }
    demo.stop().await;
    let (port, _) = serve(|_| html("200 OK", "<title>A shop</title>")).await;
    let probed = probe(&format!("https://127.0.0.1:{port}")).await;
    assert!(probed.text.contains("speaks http, not https"), "{}", probed.text);
    assert_eq!(probed.instead.unwrap().as_str(), format!("http://127.0.0.1:{port}/"));
}

#[tokio::test(flavor = "multi_thread")]
async fn http_to_a_server_of_https_is_said_with_the_remedy() {
    let (acceptor, ca) = authority("localhost");
    let demo = demo(true).await;
    let behind = demo.ports(DialectKind::TriggerX)[0];
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut server =
                    tokio::net::TcpStream::connect(("127.0.0.1", behind)).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut stream, &mut server).await;
            });
        }
    });
    let trusted = |typed: String, ca: Option<std::path::PathBuf>| async move {
        run_with(&typed, ca, &[]).await
    };
    for typed in [format!("http://localhost:{port}"), format!("localhost:{port}/api/ws/tasks")] {
        let probed = trusted(typed.clone(), Some(ca.path().to_owned())).await;
        assert_eq!(kinds(&probed), [DialectKind::TriggerX], "{typed}: {probed:?}");
        assert_eq!(probed.found[0].socket.scheme(), "wss");
    }
    let probed = probe(&format!("http://localhost:{port}")).await;
    assert!(probed.text.contains("speaks https, not http"), "{}", probed.text);
    let probed = probe(&format!("https://localhost:{port}")).await;
    assert!(probed.text.contains("certificate"), "{}", probed.text);
    for library in ["InvalidContentType", "UnknownIssuer", "hyper", "invalid peer"] {
        assert!(!probed.text.contains(library), "{}", probed.text);
    }
    demo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_job_server_is_told_with_what_where_and_what_to_do() {
    let (page, _) = serve(|_| html("200 OK", "<html><title>Grafana &amp; friends</title>")).await;
    let (locked, _) = serve(|_| html("401 Unauthorized", "no")).await;
    let (lost, _) = serve(|_| html("404 Not Found", "")).await;
    let (redis, _) = serve(|_| "-ERR unknown command\r\n".to_owned()).await;
    let (away, _) = serve(|_| {
        "HTTP/1.1 302 Found\r\nlocation: https://sso.example.com/login?token=sk-1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_owned()
    })
    .await;
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap().port()
    };
    for (typed, said) in [
        (format!("http://127.0.0.1:{page}/dash"), vec!["web page titled \"Grafana", "enter that"]),
        (format!("127.0.0.1:{locked}"), vec!["wants a key", "HTTP 401", "Choose the kind"]),
        (format!("127.0.0.1:{lost}"), vec!["HTTP 404", "choose the kind"]),
        (format!("127.0.0.1:{redis}"), vec!["neither http nor https", "port"]),
        (format!("http://127.0.0.1:{away}"), vec!["redirects to https://sso.example.com/login"]),
        (format!("127.0.0.1:{closed}"), vec!["Nothing listens at", "running"]),
        (
            "http://no-such-host.invalid:3000".to_owned(),
            vec!["Can't find \"no-such-host.invalid\""],
        ),
        ("ftp://127.0.0.1".to_owned(), vec!["must start with"]),
        (String::new(), vec!["Enter"]),
    ] {
        let probed = probe(&typed).await;
        assert!(kinds(&probed).is_empty(), "{typed}: {probed:?}");
        for word in said {
            assert!(probed.text.contains(word), "{typed}: {}", probed.text);
        }
        assert!(!probed.text.contains("sk-1"), "{}", probed.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_never_answers_is_left_within_five_seconds() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut held = Vec::new();
    let holding = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            held.push(stream);
        }
    });
    let probed = probe(&format!("http://127.0.0.1:{port}")).await;
    assert!(probed.text.contains("did not answer within 5 s"), "{}", probed.text);
    holding.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_carries_no_key_and_asks_little() {
    let (port, heads) = serve(|_| html("404 Not Found", "")).await;
    probe(&format!("http://ada:sk-1@127.0.0.1:{port}/a/b/c?api_key=sk-1&token=sk-1")).await;
    let heads = heads.lock().unwrap();
    assert!(heads.len() > 10 && heads.len() <= 48, "{}", heads.len());
    for head in heads.iter() {
        let lower = head.to_ascii_lowercase();
        assert!(
            !head.contains("sk-1") && !lower.contains("authorization") && !lower.contains("cookie"),
            "{head}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_without_the_port_leads_to_the_server_at_its_usual_port() {
    let demo = demo(true).await;
    let (page, _) = serve(|_| html("200 OK", "<title>Dashboard</title>")).await;
    let usual = vec![(demo.ports(DialectKind::Analyzer)[0], vec![DialectKind::Analyzer])];
    let probed = run_with(&format!("http://127.0.0.1:{page}/wallets"), None, &usual).await;
    assert!(
        probed.text.contains("is a web page, but Wallet analyzer answers at"),
        "{}",
        probed.text
    );
    let instead = probed.instead.unwrap();
    assert_eq!(instead.port(), Some(usual[0].0));
    assert_eq!(kinds(&probe(instead.as_str()).await), [DialectKind::Analyzer]);
    demo.stop().await;
}
