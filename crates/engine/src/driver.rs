//! The task that performs one server's outputs: the only owner of its socket and of its requests
//! in flight.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::{FutureExt, SinkExt, StreamExt};
use jiff::Timestamp;
use jobwatch_core::connection::{Failure, FetchId, SocketId};
use jobwatch_core::dialect::{FetchRequest, FetchResponse, Frame, OpenRequest};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Bytes, Message};
use tokio_util::sync::CancellationToken;

use crate::fetch::{Clients, Said, fetch_in_parts};
use crate::lenient::Heard;
use crate::redact::{Redactor, prefix};
use crate::socket::{self, MAX_MESSAGE, MAX_WRITE, describe_end};

/// Frames handed over at once, at most.
const BATCH_FRAMES: usize = 256;
/// Bytes of frames handed over at once, beyond which no further frame is added.
const BATCH_BYTES: usize = 256 << 10;
/// Bytes of frames of one server that may wait for the engine; a server that sends more waits in
/// its own socket. Above [`MAX_MESSAGE`], so that the largest frame passes.
const WAITING_BYTES: usize = 2 * MAX_MESSAGE;
/// Parts of one answer that may wait for the engine; the rest waits in the server's socket.
const WAITING_PARTS: usize = 2;
/// For room to come for one more part. Then it is handed over all the same.
const ROOM_TIMEOUT: Duration = Duration::from_millis(250);
/// A write that takes longer means that the server has stopped reading.
const WRITE_TIMEOUT: Duration = Duration::from_secs(20);
/// For saying goodbye.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(500);
/// Requests of one server at the same time; the others wait their turn.
const CONCURRENT_FETCHES: usize = 6;

/// Names a server inside a running engine; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(pub u32);

/// What a driver tells the engine.
#[derive(Debug)]
pub struct Report {
    /// About which server.
    pub connection: ConnectionId,
    /// What.
    pub what: Reported,
    /// The frames' share of [`WAITING_BYTES`], or the place of a part among [`WAITING_PARTS`]: given
    /// back when this is dropped.
    pub(crate) share: Option<OwnedSemaphorePermit>,
}

/// See [`Report`].
#[derive(Debug)]
pub enum Reported {
    /// The socket is open.
    Opened(SocketId),
    /// It could not be opened.
    OpenFailed(SocketId, Failure),
    /// Frames arrived, in this order.
    Frames(SocketId, Vec<Frame>),
    /// The socket died or was closed by the server.
    Closed(SocketId, String),
    /// Part of the answer to a request came in, see [`FetchRequest::list`]; the first with what time
    /// it is on the server.
    Part(FetchId, FetchResponse, Option<Timestamp>),
    /// A request ended.
    Fetched(FetchId, Result<FetchResponse, Failure>, Said),
}

#[derive(Debug)]
enum Order {
    Open(SocketId, OpenRequest, Duration),
    Send(SocketId, Frame),
    Close(SocketId),
    Fetch(FetchId, FetchRequest),
    Abandon(FetchId),
    Redact(Redactor),
}

/// The engine's end of a driver. Dropping it closes the socket with a goodbye and ends the task.
#[derive(Debug)]
pub struct Driver {
    orders: mpsc::UnboundedSender<Order>,
    /// Bytes on their way to the socket.
    unwritten: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl Driver {
    /// Starts the driver of the server `connection`.
    #[must_use]
    pub fn spawn(
        connection: ConnectionId,
        clients: Arc<Clients>,
        redactor: Redactor,
        reports: mpsc::Sender<Report>,
    ) -> Driver {
        let (orders, taken) = mpsc::unbounded_channel();
        let unwritten = Arc::new(AtomicUsize::new(0));
        let context = Context {
            connection,
            clients,
            redactor,
            reports,
            unwritten: Arc::clone(&unwritten),
            waiting: Arc::new(Semaphore::new(WAITING_BYTES)),
            fetches: Arc::new(Semaphore::new(CONCURRENT_FETCHES)),
        };
        let task = tokio::spawn(drive(context, taken));
        Driver { orders, unwritten, task }
    }

    /// Opens a socket; reported as `Opened` or `OpenFailed`.
    pub fn open(&self, link: SocketId, request: OpenRequest, limit: Duration) {
        self.order(Order::Open(link, request, limit));
    }

    /// Writes a frame.
    ///
    /// # Errors
    /// [`Backpressured`] when too much is waiting already: the server does not read.
    pub fn send(&self, link: SocketId, frame: Frame) -> Result<(), Backpressured> {
        let bytes = size(&frame);
        if self.unwritten.fetch_add(bytes, Ordering::Relaxed) + bytes > MAX_WRITE {
            self.unwritten.fetch_sub(bytes, Ordering::Relaxed);
            return Err(Backpressured);
        }
        self.order(Order::Send(link, frame));
        Ok(())
    }

    /// Closes a socket; nothing more is reported about it, except what is on its way already.
    pub fn close(&self, link: SocketId) {
        self.order(Order::Close(link));
    }

    /// Performs a request; reported as `Fetched`.
    pub fn fetch(&self, id: FetchId, request: FetchRequest) {
        self.order(Order::Fetch(id, request));
    }

    /// Forgets a request.
    pub fn abandon(&self, id: FetchId) {
        self.order(Order::Abandon(id));
    }

    /// Replaces what is removed from reports.
    pub fn redact(&self, redactor: Redactor) {
        self.order(Order::Redact(redactor));
    }

    /// Closes everything and waits until it is done.
    pub async fn finish(self) {
        drop(self.orders);
        // A driver that panicked has nothing left to close.
        let _ = self.task.await;
    }

    fn order(&self, order: Order) {
        // The task ends only when this sender is gone.
        let _ = self.orders.send(order);
    }
}

/// Too much is waiting to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server does not take what is sent to it")]
pub struct Backpressured;

#[derive(Clone)]
struct Context {
    connection: ConnectionId,
    clients: Arc<Clients>,
    redactor: Redactor,
    reports: mpsc::Sender<Report>,
    unwritten: Arc<AtomicUsize>,
    waiting: Arc<Semaphore>,
    fetches: Arc<Semaphore>,
}

impl Context {
    /// Hands a report over, waiting while the engine is behind. `Err` when the engine has gone.
    async fn report(&self, what: Reported, share: Option<OwnedSemaphorePermit>) -> Result<(), ()> {
        let report = Report { connection: self.connection, what, share };
        self.reports.send(report).await.map_err(|_| ())
    }
}

struct Link {
    frames: mpsc::UnboundedSender<Frame>,
    close: CancellationToken,
}

async fn drive(mut context: Context, mut orders: mpsc::UnboundedReceiver<Order>) {
    let mut tasks = JoinSet::new();
    let mut links: HashMap<SocketId, Link> = HashMap::new();
    let mut fetches: HashMap<FetchId, AbortHandle> = HashMap::new();
    loop {
        let order = tokio::select! {
            order = orders.recv() => order,
            Some(_) = tasks.join_next() => {
                fetches.retain(|_, task| !task.is_finished());
                links.retain(|_, link| !link.frames.is_closed());
                continue;
            }
        };
        let Some(order) = order else { break };
        match order {
            Order::Open(id, request, limit) => {
                let (frames, to_write) = mpsc::unbounded_channel();
                let close = CancellationToken::new();
                links.insert(id, Link { frames, close: close.clone() });
                tasks.spawn(link(context.clone(), id, request, limit, to_write, close));
            }
            Order::Send(id, frame) => {
                let bytes = size(&frame);
                let sent = links.get(&id).is_some_and(|link| link.frames.send(frame).is_ok());
                if !sent {
                    context.unwritten.fetch_sub(bytes, Ordering::Relaxed);
                }
            }
            Order::Close(id) => {
                if let Some(link) = links.remove(&id) {
                    link.close.cancel();
                }
            }
            Order::Fetch(id, request) => {
                let context = context.clone();
                let task = tasks.spawn(async move {
                    // Never closed, so a permit always comes.
                    let _turn = context.fetches.acquire().await;
                    let room = Arc::new(Semaphore::new(WAITING_PARTS));
                    let reports = context.clone();
                    let take = move |part, date| {
                        let (room, reports) = (Arc::clone(&room), reports.clone());
                        async move {
                            // A disk that hangs must not end the request.
                            let share = timeout(ROOM_TIMEOUT, room.acquire_owned()).await;
                            let share = share.ok().and_then(Result::ok);
                            let _ = reports.report(Reported::Part(id, part, date), share).await;
                        }
                        .boxed()
                    };
                    let (clients, redactor) = (&context.clients, &context.redactor);
                    let (answer, said) =
                        fetch_in_parts(clients, &request, redactor, Some(&take)).await;
                    let _ = context.report(Reported::Fetched(id, answer, said), None).await;
                });
                fetches.insert(id, task);
            }
            Order::Abandon(id) => {
                if let Some(task) = fetches.remove(&id) {
                    task.abort();
                }
            }
            Order::Redact(redactor) => context.redactor = redactor,
        }
    }
    for task in fetches.into_values() {
        task.abort();
    }
    for link in links.into_values() {
        link.close.cancel();
    }
    while tasks.join_next().await.is_some() {}
}

/// A frame's share of the bytes on their way to the socket.
struct Unwritten<'a> {
    of: &'a AtomicUsize,
    bytes: usize,
}

impl Drop for Unwritten<'_> {
    fn drop(&mut self) {
        self.of.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// One socket from opening to closing.
async fn link(
    context: Context,
    id: SocketId,
    request: OpenRequest,
    limit: Duration,
    mut to_write: mpsc::UnboundedReceiver<Frame>,
    close: CancellationToken,
) {
    let opening = socket::open(&context.clients, &request, limit, &context.redactor);
    let opened = tokio::select! {
        opened = opening => opened,
        () = close.cancelled() => return,
    };
    let socket = match opened {
        Ok(socket) => socket,
        Err(failure) => {
            let _ = context.report(Reported::OpenFailed(id, failure), None).await;
            return;
        }
    };
    let (mut sink, mut stream) = socket.split();
    let ended = {
        let reading = async {
            if context.report(Reported::Opened(id), None).await.is_err() {
                return None;
            }
            read(&context, id, &mut stream).await
        };
        let writing = async {
            while let Some(frame) = to_write.recv().await {
                // Given back also when the socket ends in the middle of the write.
                let share = Unwritten { of: &context.unwritten, bytes: size(&frame) };
                let written = timeout(WRITE_TIMEOUT, sink.send(message(frame))).await;
                drop(share);
                match written {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => return Some(describe_end(&error, &context.redactor)),
                    Err(_) => return Some(Backpressured.to_string()),
                }
            }
            None
        };
        tokio::select! {
            biased;
            () = close.cancelled() => None,
            ended = reading => ended,
            ended = writing => ended,
        }
    };
    to_write.close();
    while let Ok(frame) = to_write.try_recv() {
        context.unwritten.fetch_sub(size(&frame), Ordering::Relaxed);
    }
    if let Some(reason) = ended {
        tokio::select! {
            _ = context.report(Reported::Closed(id, reason), None) => {}
            () = close.cancelled() => {}
        }
    }
    // The goodbye is a courtesy: whether it arrives changes nothing.
    let _ = timeout(CLOSE_TIMEOUT, sink.close()).await;
}

/// Reads until the socket ends; answers why, or `None` when the engine has gone. Pings are
/// answered by the library as long as this is polled.
async fn read(
    context: &Context,
    id: SocketId,
    stream: &mut futures_util::stream::SplitStream<socket::Socket>,
) -> Option<String> {
    let mut ended = None;
    while ended.is_none() {
        let mut batch = Vec::new();
        let mut bytes = 0;
        let mut next = stream.next().await;
        loop {
            match next {
                Some(Ok(Heard::Frame(frame))) => {
                    bytes += length(&frame);
                    batch.push(frame);
                }
                Some(Ok(Heard::Closing(close))) => {
                    let reason = match close {
                        Some(close) if !close.reason.is_empty() => {
                            let words = prefix(close.reason.as_str(), 300);
                            let words = context.redactor.clean(words);
                            format!("the server closed the connection: {words}")
                        }
                        Some(close) => {
                            let code = u16::from(close.code);
                            format!("the server closed the connection (code {code})")
                        }
                        None => "the server closed the connection".to_owned(),
                    };
                    ended = Some(reason);
                }
                Some(Err(error)) => ended = Some(describe_end(&error, &context.redactor)),
                None => ended = Some("the connection was closed".to_owned()),
            }
            if ended.is_some() || batch.len() >= BATCH_FRAMES || bytes >= BATCH_BYTES {
                break;
            }
            match stream.next().now_or_never() {
                Some(more) => next = more,
                None => break,
            }
        }
        if !batch.is_empty() {
            let share = u32::try_from(bytes.clamp(1, WAITING_BYTES)).unwrap_or(u32::MAX);
            let share = Arc::clone(&context.waiting).acquire_many_owned(share).await.ok()?;
            context.report(Reported::Frames(id, batch), Some(share)).await.ok()?;
        }
    }
    ended
}

/// A frame in the library's words.
pub(crate) fn message(frame: Frame) -> Message {
    match frame {
        Frame::Text(text) => Message::text(text),
        Frame::Binary(data) => Message::binary(data),
        Frame::Ping => Message::Ping(Bytes::new()),
        Frame::Pong => Message::Pong(Bytes::new()),
    }
}

fn size(frame: &Frame) -> usize {
    // A control frame has no body, but costs memory while it waits.
    16 + length(frame)
}

fn length(frame: &Frame) -> usize {
    match frame {
        Frame::Text(text) => text.len(),
        Frame::Binary(data) => data.len(),
        Frame::Ping | Frame::Pong => 0,
    }
}
