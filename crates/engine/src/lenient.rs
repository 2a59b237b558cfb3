//! A socket that takes text which is not UTF-8.
//!
//! The WebSocket library ends the connection at the first such text, and some servers cut their
//! messages in the middle of a character: every reconnect would end at the same message. So the
//! library is made to read text as binary, and what was text is remembered beside it.

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

const CONTINUED: u8 = 0x0f;
const TEXT: u8 = 1;
const BINARY: u8 = 2;

/// A client's socket over `S`, which gives text with what is not UTF-8 replaced.
#[derive(Debug)]
pub struct LenientSocket<S> {
    inner: WebSocketStream<TextAsBinary<S>>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> LenientSocket<S> {
    /// Speaks WebSocket over a connection that has been upgraded.
    pub async fn new(stream: S, config: WebSocketConfig) -> LenientSocket<S> {
        let stream = TextAsBinary { inner: stream, kinds: VecDeque::new(), at: Place::default() };
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
        let heard = loop {
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
        Poll::Ready(Some(Ok(heard)))
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
    at: Place,
}

/// Where in the stream of frames the reading stands.
#[derive(Debug, Default)]
struct Place {
    /// The beginning of a frame's head, as far as it is here.
    head: [u8; 10],
    known: usize,
    /// Bytes until the next head.
    left: u64,
}

impl Place {
    /// Goes on over `bytes`; each text frame among them becomes a binary one. Tells of each message
    /// that begins, whether it is text.
    fn pass(&mut self, mut bytes: &mut [u8], mut begins: impl FnMut(bool)) {
        while !bytes.is_empty() {
            if self.left > 0 {
                let here = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
                self.left -= here as u64;
                bytes = &mut bytes[here..];
                continue;
            }
            if self.known == 0 {
                match bytes[0] & CONTINUED {
                    TEXT => {
                        bytes[0] = (bytes[0] & !CONTINUED) | BINARY;
                        begins(true);
                    }
                    BINARY => begins(false),
                    _ => {}
                }
            }
            self.head[self.known] = bytes[0];
            self.known += 1;
            bytes = &mut bytes[1..];
            self.end_of_head();
        }
    }

    /// Sets how far it is to the next head once this one is complete.
    fn end_of_head(&mut self) {
        if self.known < 2 {
            return;
        }
        let number = |bytes: &[u8]| bytes.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        let (length, complete) = match self.head[1] & 0x7f {
            126 => (number(&self.head[2..4]), 4),
            127 => (number(&self.head[2..10]), 10),
            short => (u64::from(short), 2),
        };
        if self.known == complete {
            // A server that masks breaks the protocol, which the library tells.
            let mask = if self.head[1] & 0x80 != 0 { 4 } else { 0 };
            self.left = length.saturating_add(mask);
            self.known = 0;
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for TextAsBinary<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(context, buffer);
        if let Poll::Ready(Ok(())) = &read {
            let TextAsBinary { kinds, at, .. } = &mut *self;
            at.pass(&mut buffer.filled_mut()[before..], |text| kinds.push_back(text));
        }
        read
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

    #[test]
    fn text_frames_become_binary_wherever_the_stream_is_cut() {
        for piece in [1, 2, 3, 7, 1_000, 1_000_000] {
            let (mut given, expected, kinds) = frames();
            let (mut place, mut told) = (Place::default(), Vec::new());
            for part in given.chunks_mut(piece) {
                place.pass(part, |text| told.push(text));
            }
            assert!(given == expected, "cut every {piece} bytes");
            assert_eq!(told, kinds);
        }
    }
}
