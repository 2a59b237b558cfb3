//! One open socket.

use std::sync::Arc;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::CapacityError;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{CloseFrame, Frame};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Bytes, Error, Message, Utf8Bytes};
use tokio_util::sync::CancellationToken;

use crate::control::Faults;
use crate::protocol::Heartbeat;
use crate::server::Shared;
use crate::sessions::{Out, Session};

/// How many frames are written before the rest of the socket gets its turn.
const BURST: usize = 512;

/// Runs a socket from its upgrade to its end.
pub(crate) async fn run<S: AsyncRead + AsyncWrite + Unpin>(
    shared: Arc<Shared>,
    stream: S,
    session: Session,
    alive: CancellationToken,
) {
    let rules = shared.with(|state, _| state.protocol.rules());
    // The limit is checked here rather than by the protocol library, which answers too long a
    // frame by dropping the connection.
    let config = WebSocketConfig::default().max_message_size(None).max_frame_size(None);
    let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await;
    let (queue, mut outs) = mpsc::channel(rules.queue);
    let abort = alive.child_token();
    let conn = shared.with(|state, _| {
        let session = Session { opened: Some(Instant::now()), ..session };
        let conn = state.sessions.add(queue, abort.clone(), session);
        state.protocol.opened(&state.world, &mut state.sessions, conn);
        conn
    });
    let _guard = Guard { shared: Arc::clone(&shared), conn };
    let mut faults = shared.faults.subscribe();
    let mut pulse = Pulse::new(rules.heartbeat);
    let mut frame_faults = FrameFaults::default();
    loop {
        let now = faults.borrow_and_update().clone();
        if now.stall {
            tokio::select! {
                () = abort.cancelled() => return,
                changed = faults.changed() => if changed.is_err() { return },
            }
            continue;
        }
        tokio::select! {
            biased;
            () = abort.cancelled() => return,
            changed = faults.changed() => if changed.is_err() { return },
            () = frame_faults.overdue() => {
                let Some(held) = frame_faults.held.take() else { continue };
                if socket.send(Message::Text(held)).await.is_err() {
                    return;
                }
            }
            () = sleep_until(pulse.due()) => {
                let wrote = match pulse.beat() {
                    Beat::Ping => socket.send(Message::Ping(Bytes::new())).await,
                    Beat::EngineIo => socket.send(Message::text("2")).await,
                    Beat::Drop => return,
                    Beat::Close => {
                        farewell(&mut socket, None).await;
                        return;
                    }
                };
                if wrote.is_err() {
                    return;
                }
            }
            message = socket.next() => match message {
                Some(Ok(Message::Text(text))) => {
                    if text.len() > rules.max_inbound {
                        farewell(&mut socket, Some(1009)).await;
                        return;
                    }
                    pulse.on_text(&text);
                    shared.with(|state, _| {
                        state.counted.frames_in += 1;
                        state.protocol.text(&mut state.world, &mut state.sessions, conn, &text);
                    });
                }
                Some(Ok(Message::Binary(bytes))) => {
                    if bytes.len() > rules.max_inbound {
                        farewell(&mut socket, Some(1009)).await;
                        return;
                    }
                    shared.with(|state, _| state.counted.frames_in += 1);
                }
                Some(Ok(Message::Pong(_))) => pulse.on_pong(),
                Some(Ok(_)) => {}
                Some(Err(Error::Capacity(CapacityError::MessageTooLong { .. }))) => {
                    farewell(&mut socket, Some(1009)).await;
                    return;
                }
                Some(Err(_)) | None => return,
            },
            out = outs.recv() => {
                let Some(out) = out else { return };
                let writing = write(&shared, &mut socket, out, &mut outs, &mut frame_faults, &now);
                tokio::select! {
                    done = writing => if done.is_break() { return },
                    () = abort.cancelled() => return,
                }
            }
        }
    }
}

/// Takes the socket off the list, however its task ends.
struct Guard {
    shared: Arc<Shared>,
    conn: u64,
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.shared.with_quiet(|state| {
            state.sessions.remove(self.conn);
            state.protocol.closed(self.conn);
        });
    }
}

/// Writes `first` and what waits behind it.
async fn write<S: AsyncRead + AsyncWrite + Unpin>(
    shared: &Shared,
    socket: &mut WebSocketStream<S>,
    first: Out,
    outs: &mut mpsc::Receiver<Out>,
    frame_faults: &mut FrameFaults,
    faults: &Faults,
) -> std::ops::ControlFlow<()> {
    use std::ops::ControlFlow::{Break, Continue};
    let mut next = Some(first);
    let mut written = 0;
    while let Some(out) = next {
        match out {
            Out::Close(code) => {
                farewell(socket, code).await;
                return Break(());
            }
            Out::Text(text) => {
                for text in frame_faults.pass(text, faults) {
                    written += 1;
                    if socket.feed(Message::Text(text)).await.is_err() {
                        return Break(());
                    }
                }
            }
            Out::Binary(bytes) => {
                written += 1;
                if socket.feed(Message::Binary(bytes)).await.is_err() {
                    return Break(());
                }
            }
            Out::BrokenText(bytes) => {
                written += 1;
                let frame = Frame::message(bytes, OpCode::Data(Data::Text), true);
                if socket.feed(Message::Frame(frame)).await.is_err() {
                    return Break(());
                }
            }
        }
        next = if written < BURST { outs.try_recv().ok() } else { None };
    }
    shared.with_quiet(|state| state.counted.frames_out += written as u64);
    if socket.flush().await.is_err() { Break(()) } else { Continue(()) }
}

/// Sends a close frame and waits a moment for the answer.
async fn farewell<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocketStream<S>,
    code: Option<u16>,
) {
    let frame =
        code.map(|code| CloseFrame { code: CloseCode::from(code), reason: Utf8Bytes::default() });
    let goodbye = async {
        if socket.close(frame).await.is_ok() {
            while let Some(Ok(_)) = socket.next().await {}
        }
    };
    // A client that does not answer is dropped.
    let _ = tokio::time::timeout(std::time::Duration::from_millis(500), goodbye).await;
}

/// Duplicates, reorders and loses text frames on command.
#[derive(Debug, Default)]
struct FrameFaults {
    held: Option<Utf8Bytes>,
    count: u32,
}

impl FrameFaults {
    /// Waits until a held frame has found no successor for too long.
    async fn overdue(&self) {
        match self.held {
            Some(_) => tokio::time::sleep(std::time::Duration::from_millis(200)).await,
            None => std::future::pending().await,
        }
    }

    fn pass(&mut self, text: Utf8Bytes, faults: &Faults) -> Vec<Utf8Bytes> {
        self.count = self.count.wrapping_add(1);
        if faults.lose_every.is_some_and(|n| n > 0 && self.count.is_multiple_of(n)) {
            return Vec::new();
        }
        let mut texts = vec![text];
        if faults.reorder {
            match self.held.take() {
                Some(earlier) => texts.push(earlier),
                None => {
                    self.held = texts.pop();
                    return Vec::new();
                }
            }
        } else if let Some(earlier) = self.held.take() {
            texts.insert(0, earlier);
        }
        if faults.duplicate {
            texts = texts.into_iter().flat_map(|text| [text.clone(), text]).collect();
        }
        texts
    }
}

enum Beat {
    Ping,
    EngineIo,
    Close,
    Drop,
}

/// When to ping and when to give up.
#[derive(Debug)]
struct Pulse {
    rule: Heartbeat,
    next: Instant,
    last: Instant,
    /// Engine.IO: a `2` is unanswered.
    waiting: bool,
}

impl Pulse {
    fn new(rule: Heartbeat) -> Pulse {
        let now = Instant::now();
        let next = match rule {
            Heartbeat::None => now,
            Heartbeat::Ping { every, .. } | Heartbeat::EngineIo { every, .. } => now + every,
        };
        Pulse { rule, next, last: now, waiting: false }
    }

    fn due(&self) -> Instant {
        match self.rule {
            Heartbeat::None => Instant::now() + std::time::Duration::from_secs(86_400),
            Heartbeat::Ping { deadline, .. } => self.next.min(self.last + deadline),
            Heartbeat::EngineIo { .. } => self.next,
        }
    }

    fn beat(&mut self) -> Beat {
        let now = Instant::now();
        match self.rule {
            Heartbeat::Ping { deadline, .. } if now >= self.last + deadline => Beat::Drop,
            Heartbeat::Ping { every, .. } => {
                self.next = now + every;
                Beat::Ping
            }
            Heartbeat::EngineIo { .. } if self.waiting => Beat::Close,
            Heartbeat::EngineIo { timeout, .. } => {
                self.waiting = true;
                self.next = now + timeout;
                Beat::EngineIo
            }
            Heartbeat::None => Beat::Ping,
        }
    }

    fn on_pong(&mut self) {
        self.last = Instant::now();
    }

    fn on_text(&mut self, text: &str) {
        if let Heartbeat::EngineIo { every, .. } = self.rule
            && self.waiting
            && text.starts_with('3')
        {
            self.waiting = false;
            self.next = Instant::now() + every;
        }
    }
}
