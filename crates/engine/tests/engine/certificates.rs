//! Certificates as people make them, and what is said about each.

use std::time::Duration;

use jobwatch_core::connection::Failure;
use jobwatch_engine::fetch::Clients;
use jobwatch_engine::redact::Redactor;
use jobwatch_engine::socket;
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, date_time_ymd};
use tempfile::NamedTempFile;
use tokio::net::TcpListener;

use crate::network::open_request;
use crate::tls::acceptor;

const LIMIT: Duration = Duration::from_secs(10);

/// A certificate that signed itself.
struct Made {
    pem: String,
    der: Vec<u8>,
    port: u16,
}

/// Serves WebSockets behind a certificate that signed itself.
async fn behind(names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Made {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let acceptor = acceptor(certificate.der().clone(), &key);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let _ = tokio_tungstenite::accept_async(stream).await;
            });
        }
    });
    Made { pem: certificate.pem(), der: certificate.der().to_vec(), port }
}

/// Opens a socket there with `file` as the certificate file.
async fn open(made: &Made, file: Option<&[u8]>) -> Result<(), String> {
    let given = file.map(|bytes| {
        let file = NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        file
    });
    let clients = Clients::new(given.as_ref().map(|file| file.path().to_owned()));
    let request = open_request(&format!("wss://127.0.0.1:{}/", made.port));
    match socket::open(&clients, &request, LIMIT, &Redactor::default()).await {
        Ok(_) => Ok(()),
        Err(Failure::Tls(text) | Failure::Untrusted(text)) => Err(text),
        Err(other) => panic!("not a matter of TLS: {other}"),
    }
}

/// As the usual one-line OpenSSL command makes it: it signed itself and is marked as an authority.
async fn one_line(names: &[&str]) -> Made {
    behind(names, |params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)).await
}

#[tokio::test]
async fn the_certificate_of_the_usual_one_line_command_is_trusted_once_it_is_given() {
    let made = one_line(&["127.0.0.1", "localhost"]).await;
    let refused = open(&made, None).await.unwrap_err();
    assert!(refused.contains("signed by itself"), "{refused}");
    assert!(refused.contains("give its PEM file"), "{refused}");
    open(&made, Some(made.pem.as_bytes())).await.unwrap();
    open(&made, Some(&made.der)).await.expect("the same file in binary form");
    let both = format!("{}{}", one_line(&["elsewhere"]).await.pem, made.pem);
    open(&made, Some(both.as_bytes())).await.expect("one of several in a file");
}

#[tokio::test]
async fn another_certificate_of_the_same_kind_is_not_trusted_by_the_one_that_is_given() {
    let (made, other) = (one_line(&["127.0.0.1"]).await, one_line(&["127.0.0.1"]).await);
    let refused = open(&made, Some(other.pem.as_bytes())).await.unwrap_err();
    assert!(refused.contains("is not the one in this server's certificate file"), "{refused}");
    assert!(refused.contains("subjectAltName=IP:127.0.0.1"), "{refused}");
}

#[tokio::test]
async fn a_certificate_that_is_given_must_still_name_the_host_and_be_of_today() {
    let other_name = one_line(&["jobs.example"]).await;
    let refused = open(&other_name, Some(other_name.pem.as_bytes())).await.unwrap_err();
    assert!(refused.contains("is made for jobs.example, not for 127.0.0.1"), "{refused}");
    let no_name = one_line(&[]).await;
    let refused = open(&no_name, Some(no_name.pem.as_bytes())).await.unwrap_err();
    assert!(refused.contains("names no host (it has no subjectAltName)"), "{refused}");
    let old = behind(&["127.0.0.1"], |params| {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 2, 3);
    });
    let old = old.await;
    let refused = open(&old, Some(old.pem.as_bytes())).await.unwrap_err();
    assert!(refused.contains("expired on 3 February 2021"), "{refused}");
    let early = behind(&["127.0.0.1"], |params| params.not_before = date_time_ymd(2999, 1, 1));
    let early = early.await;
    let refused = open(&early, Some(early.pem.as_bytes())).await.unwrap_err();
    assert!(refused.contains("is valid from 1 January 2999 only"), "{refused}");
}

#[tokio::test]
async fn a_server_certificate_that_signed_itself_is_trusted_once_it_is_given() {
    let made = behind(&["127.0.0.1"], |_| {}).await;
    let refused = open(&made, None).await.unwrap_err();
    assert!(refused.contains("does not know the authority"), "{refused}");
    open(&made, Some(made.pem.as_bytes())).await.unwrap();
}

#[tokio::test]
async fn what_is_no_certificate_file_is_named_with_what_one_looks_like() {
    let made = one_line(&["127.0.0.1"]).await;
    for file in [&b"hello"[..], b"", b"\x30\x82\x01\x00not a certificate"] {
        let refused = open(&made, Some(file)).await.unwrap_err();
        assert!(refused.contains("-----BEGIN CERTIFICATE-----"), "{refused}");
    }
}

#[tokio::test]
async fn a_port_that_speaks_no_tls_is_told_so_without_a_librarys_words() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 64]).await;
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let made = Made { pem: String::new(), der: Vec::new(), port };
    let refused = open(&made, None).await.unwrap_err();
    assert!(refused.contains("does not speak TLS: use http:// or ws://"), "{refused}");
}
