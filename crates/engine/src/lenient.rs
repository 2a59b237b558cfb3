//! A socket that takes text which is not UTF-8.
//!
//! The WebSocket library ends the connection at the first such text, and some servers cut their
//! messages in the middle of a character: every reconnect would end at the same message. So the
//! library is made to read text as binary, and what was text is remembered beside it.
//!
//! It also ends the connection at a message that is too long, to the same effect. Of such a message
//! the library is shown the beginning alone: nobody can read it, but those after it arrive.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::{Sink, Stream};
use jobwatch_core::dialect::Frame;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

const OPCODE: u8 = 0x0f;
const CONTINUED: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
/// Bytes of a frame's head, at most.
const HEAD: usize = 14;
/// Bytes that are left of a frame that makes its message too long.
const KEPT: u64 = 64 << 10;

/// A client's socket over `S`, which gives text with what is not UTF-8 replaced.
#[derive(Debug)]
pub struct LenientSocket<S> {
    inner: WebSocketStream<TextAsBinary<S>>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> LenientSocket<S> {
    /// Speaks WebSocket over a connection that has been upgraded.
    pub async fn new(stream: S, config: WebSocketConfig) -> LenientSocket<S> {
        let limit = config.max_message_size.map_or(u64::MAX, |bytes| bytes as u64);
        let at = Position { limit, ..Position::default() };
        let stream = TextAsBinary { inner: stream, kinds: VecDeque::new(), at };
        let inner = WebSocketStream::from_raw_socket(stream, Role::Client, Some(config)).await;
        LenientSocket { inner }
    }
}

/// What a socket gives.
#[derive(Debug)]
pub enum Heard {
    /// A frame, whole.
    Frame(Frame),
    /// The server closes the connection, perhaps with words.
    Closing(Option<CloseFrame>),
}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream for LenientSocket<S> {
    type Item = Result<Heard, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let received = loop {
            let Some(message) = ready!(Pin::new(&mut self.inner).poll_next(context)) else {
                return Poll::Ready(None);
            };
            break match message? {
                Message::Binary(data) => {
                    Heard::Frame(match self.inner.get_mut().kinds.pop_front() {
                        Some(true) => Frame::Text(match std::str::from_utf8(&data) {
                            Ok(text) => text.to_owned(),
                            Err(_) => String::from_utf8_lossy(&data).into_owned(),
                        }),
                        _ => Frame::Binary(data.into()),
                    })
                }
                // What is read is binary all of it; the library may still speak for itself.
                Message::Text(text) => Heard::Frame(Frame::Text(text.as_str().to_owned())),
                Message::Ping(_) => Heard::Frame(Frame::Ping),
                Message::Pong(_) => Heard::Frame(Frame::Pong),
                Message::Close(close) => Heard::Closing(close),
                Message::Frame(_) => continue,
            };
        };
        Poll::Ready(Some(Ok(received)))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Sink<Message> for LenientSocket<S> {
    type Error = Error;

    fn poll_ready(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.inner).poll_ready(context)
    }

    fn start_send(mut self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        Pin::new(&mut self.inner).start_send(message)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.inner).poll_close(context)
    }
}

/// Marks text frames as binary while they are read.
#[derive(Debug)]
struct TextAsBinary<S> {
    inner: S,
    /// Of the messages that were read and not yet taken, in order, whether each is text.
    kinds: VecDeque<bool>,
    at: Position,
}

/// Where in the stream of frames the reading stands.
#[derive(Debug, Default)]
struct Position {
    /// The beginning of a frame's head that was not whole when it was read.
    head: [u8; HEAD],
    known: usize,
    /// Bytes of the frame that are still to come, and those after them that are left out.
    left: u64,
    skip: u64,
    /// Bytes of the message so far, and how many it may have.
    message: u64,
    limit: u64,
}

impl Position {
    /// Goes on over `bytes`, which begin with what was kept of a head before; each text frame among
    /// them becomes a binary one, and messages that are too long lose their ends. Answers how many
    /// bytes there are now; a head that is not whole is kept instead. Tells of each message that
    /// begins, whether it is text.
    fn pass(&mut self, bytes: &mut [u8], mut begins: impl FnMut(bool)) -> usize {
        let (mut from, mut to) = (0, 0);
        self.known = 0;
        while from < bytes.len() {
            let here =
                |left: u64| usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len() - from);
            if self.left > 0 {
                let many = here(self.left);
                if from > to {
                    bytes.copy_within(from..from + many, to);
                }
                self.left -= many as u64;
                (from, to) = (from + many, to + many);
            } else if self.skip > 0 {
                let many = here(self.skip);
                self.skip -= many as u64;
                from += many;
            } else if let Some(head) = head(&bytes[from..]) {
                if from > to {
                    bytes.copy_within(from..from + head, to);
                }
                self.begin(&mut bytes[to..to + head], &mut begins);
                (from, to) = (from + head, to + head);
            } else {
                self.known = bytes.len() - from;
                self.head[..self.known].copy_from_slice(&bytes[from..]);
                from = bytes.len();
            }
        }
        to
    }

    /// Reads a frame's head, and changes it.
    fn begin(&mut self, head: &mut [u8], mut begins: impl FnMut(bool)) {
        let opcode = head[0] & OPCODE;
        match opcode {
            TEXT => {
                head[0] = (head[0] & !OPCODE) | BINARY;
                begins(true);
            }
            BINARY => begins(false),
            _ => {}
        }
        let number = |bytes: &[u8]| bytes.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        let length = match head[1] & 0x7f {
            126 => number(&head[2..4]),
            127 => number(&head[2..10]),
            short => u64::from(short),
        };
        (self.left, self.skip) = (length, 0);
        if !matches!(opcode, CONTINUED | TEXT | BINARY) {
            return;
        }
        if opcode != CONTINUED {
            self.message = 0;
        }
        let room = self.limit.saturating_sub(self.message);
        if length > room {
            self.left = room.min(KEPT);
            self.skip = length - self.left;
            match head[1] & 0x7f {
                126 => head[2..4].copy_from_slice(&self.left.to_be_bytes()[6..]),
                127 => head[2..10].copy_from_slice(&self.left.to_be_bytes()),
                _ => head[1] = (head[1] & 0x80) | self.left.to_be_bytes()[7],
            }
        }
        self.message += self.left;
    }
}

/// How long the head is that these bytes begin with, if it is whole. A server that masks breaks the
/// protocol, which the library tells.
fn head(bytes: &[u8]) -> Option<usize> {
    let second = *bytes.get(1)?;
    let length = match second & 0x7f {
        126 => 4,
        127 => 10,
        _ => 2,
    };
    let length = length + if second & 0x80 != 0 { 4 } else { 0 };
    (bytes.len() >= length).then_some(length)
}

impl<S: AsyncRead + Unpin> AsyncRead for TextAsBinary<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let TextAsBinary { inner, kinds, at } = &mut *self;
        let before = buffer.filled().len();
        if buffer.remaining() <= HEAD {
            return Poll::Ready(Err(io::Error::other("there is no room for a frame's head")));
        }
        loop {
            let held = at.known;
            buffer.put_slice(&at.head[..held]);
            let read = Pin::new(&mut *inner).poll_read(context, buffer);
            let more = buffer.filled().len() > before + held;
            if !more || !matches!(read, Poll::Ready(Ok(()))) {
                // At the end of the stream half a head is nothing.
                buffer.set_filled(before);
                return read;
            }
            let kept = at.pass(&mut buffer.filled_mut()[before..], |text| kinds.push_back(text));
            buffer.set_filled(before + kept);
            // No byte would mean the end.
            if kept > 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for TextAsBinary<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames of every length form, and what they become.
    fn frames() -> (Vec<u8>, Vec<u8>, Vec<bool>) {
        let (mut given, mut expected, mut kinds) = (Vec::new(), Vec::new(), Vec::new());
        let mut frame = |first: u8, becomes: u8, body: &[u8]| {
            let mut rest = match body.len() {
                length @ 0..126 => vec![length as u8],
                length @ 126..65_536 => [&[126][..], &(length as u16).to_be_bytes()].concat(),
                length => [&[127][..], &(length as u64).to_be_bytes()].concat(),
            };
            rest.extend(body);
            given.push(first);
            given.extend(&rest);
            expected.push(becomes);
            expected.extend(&rest);
        };
        // A body that looks like heads of text frames.
        let body = [0x81, 0x81].repeat(40_000);
        for length in [0, 1, 125, 126, 65_535, 65_536, 80_000] {
            frame(0x81, 0x82, &body[..length]);
            frame(0x82, 0x82, &body[..length]);
            kinds.extend([true, false]);
        }
        frame(0x01, 0x02, b"in");
        frame(0x89, 0x89, b"ping");
        frame(0x80, 0x80, b"parts");
        kinds.push(true);
        (given, expected, kinds)
    }

    /// What becomes of bytes that are read so many at a time.
    fn passed(position: &mut Position, given: &[u8], piece: usize) -> (Vec<u8>, Vec<bool>) {
        let (mut taken, mut printed) = (Vec::new(), Vec::new());
        for part in given.chunks(piece) {
            let mut bytes = position.head[..position.known].to_vec();
            bytes.extend(part);
            let kept = position.pass(&mut bytes, |text| printed.push(text));
            taken.extend(&bytes[..kept]);
        }
        (taken, printed)
    }

    #[test]
    fn text_frames_become_binary_wherever_the_stream_is_cut() {
        for piece in [1, 2, 3, 7, 1_000, 1_000_000] {
            let (given, expected, kinds) = frames();
            let mut position = Position { limit: u64::MAX, ..Position::default() };
            let (taken, printed) = passed(&mut position, &given, piece);
            assert!(taken == expected, "cut every {piece} bytes");
            assert_eq!(printed, kinds);
        }
    }

    #[test]
    fn a_message_that_is_too_long_loses_its_end_and_those_after_it_arrive() {
        let frame = |first: u8, length: usize| {
            let head = [&[first, 127][..], &(length as u64).to_be_bytes()].concat();
            [head, vec![b'x'; length]].concat()
        };
        let small = |first: u8, body: &[u8]| [&[first, body.len() as u8], body].concat();
        let given = [
            small(0x81, b"before"),
            frame(0x81, 300_000),
            small(0x81, b"after"),
            // In parts, and with a ping between them.
            frame(0x01, 90_000),
            small(0x89, b"ping"),
            frame(0x00, 90_000),
            small(0x80, b"end"),
            small(0x81, b"last"),
        ]
        .concat();
        let kept = KEPT as usize;
        let expected = [
            small(0x82, b"before"),
            frame(0x82, kept),
            small(0x82, b"after"),
            frame(0x02, 90_000),
            small(0x89, b"ping"),
            frame(0x00, 100_000 - 90_000),
            small(0x80, b""),
            small(0x82, b"last"),
        ]
        .concat();
        for piece in [1, 5, 4_096, 1_000_000] {
            let mut position = Position { limit: 100_000, ..Position::default() };
            let (taken, printed) = passed(&mut position, &given, piece);
            assert!(taken == expected, "read {piece} bytes at a time");
            assert_eq!(printed, [true; 5]);
        }
    }
}
