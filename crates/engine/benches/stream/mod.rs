//! A stream of log lines as KECS's document has them, sent as fast as it is taken, and a bare
//! receiver of it to measure by.
#![allow(missing_docs, reason = "shared between a bench and a test")]

use std::borrow::Cow;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use jiff::Timestamp;
use serde::Deserialize;
use tokio_tungstenite::tungstenite::Message;

/// Whose log it is.
pub const JOB: &str = "0123456789abcdef";

pub fn text(n: u64) -> String {
    format!(
        "GET /api/orders/{n:07}/items?page={} 200 in {} ms from 10.0.{}.{}",
        n % 97,
        n % 313,
        n % 7,
        n % 251
    )
}

pub fn at(n: u64) -> Timestamp {
    Timestamp::from_microsecond(1_790_000_000_000_000 + n as i64 * 20).unwrap()
}

/// Adds a text frame as a server sends it.
pub fn frame_into(wire: &mut Vec<u8>, frame: &str) {
    wire.push(0x81);
    match frame.len() {
        len @ 0..=125 => wire.push(len as u8),
        len @ 126..=65_535 => {
            wire.push(126);
            wire.extend_from_slice(&(len as u16).to_be_bytes());
        }
        len => {
            wire.push(127);
            wire.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    wire.extend_from_slice(frame.as_bytes());
}

/// Frames as KECS's document has them, ready to be written to a socket.
pub fn frames(lines: u64, batch: u64) -> Vec<u8> {
    let mut wire = Vec::new();
    let mut n = 0;
    while n < lines {
        let entry = |n: u64| {
            format!(
                r#"{{"id":"l-{n}","timestamp":"{}","level":"info","message":"{}","taskId":"{JOB}"}}"#,
                at(n),
                text(n)
            )
        };
        let many = batch.min(lines - n);
        let payload: Vec<String> = (n..n + many).map(entry).collect();
        let frame = match batch {
            1 => format!(r#"{{"type":"log_entry","payload":{}}}"#, payload[0]),
            _ => format!(r#"{{"type":"log_batch","payload":[{}]}}"#, payload.join(",")),
        };
        frame_into(&mut wire, &frame);
        n += many;
    }
    wire
}

/// A server that sends `wire` to whoever connects, as fast as it is taken; its port. With `first`,
/// that is sent at once, and `wire` to whoever is connected when the receiver is told so.
pub fn serve(wire: Arc<Vec<u8>>, first: Option<(Vec<u8>, Receiver<()>)>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let first = first.map(|(first, go)| Arc::new((first, Mutex::new(go))));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (Ok(stream), wire) = (stream, Arc::clone(&wire)) else { return };
            let first = first.clone();
            std::thread::spawn(move || answer(stream, &wire, first.as_deref()));
        }
    });
    port
}

fn answer(stream: TcpStream, wire: &[u8], first: Option<&(Vec<u8>, Mutex<Receiver<()>>)>) {
    // Requests that are no upgrade are not answered: there is no API here.
    let Ok(socket) = tokio_tungstenite::tungstenite::accept(stream) else { return };
    let mut stream = socket.get_ref().try_clone().unwrap();
    if let Some((first, go)) = first {
        let told = stream.write_all(first).is_ok() && go.lock().unwrap().recv().is_ok();
        if !told {
            return;
        }
    }
    if stream.write_all(wire).is_ok() {
        std::thread::sleep(Duration::from_secs(120));
    }
}

#[derive(Deserialize)]
struct Single<'a> {
    #[serde(borrow)]
    payload: Entry<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(dead_code)]
struct Entry<'a> {
    id: &'a str,
    timestamp: &'a str,
    level: &'a str,
    #[serde(borrow)]
    message: Cow<'a, str>,
    task_id: &'a str,
}

#[derive(Deserialize)]
struct Batch<'a> {
    #[serde(borrow)]
    payload: Vec<Entry<'a>>,
}

/// Lines a second of a bare receiver that decodes into types.
pub async fn bare(port: u16, lines: u64, batch: u64) -> f64 {
    let stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let url = format!("ws://127.0.0.1:{port}/ws");
    let (mut socket, _) = tokio_tungstenite::client_async(url, stream).await.unwrap();
    let begun = Instant::now();
    let mut heard = 0;
    while heard < lines {
        let Some(Ok(Message::Text(text))) = socket.next().await else { panic!("the stream ended") };
        heard += match batch {
            1 => {
                let frame: Single<'_> = serde_json::from_str(&text).unwrap();
                u64::from(!frame.payload.message.is_empty())
            }
            _ => {
                let frame: Batch<'_> = serde_json::from_str(&text).unwrap();
                frame.payload.len() as u64
            }
        };
    }
    lines as f64 / begun.elapsed().as_secs_f64()
}
