//! Engine.IO packets as they stand in one WebSocket text frame (protocol 4; protocol 3 differs only
//! in who pings). One frame carries one packet; binary frames are messages without a type digit.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The version this program asks for in the query.
pub const VERSION: &str = "4";

/// The path under which servers listen when nothing else is configured.
pub const PATH: &str = "/socket.io/";

/// One packet.
#[derive(Clone, Debug, PartialEq)]
pub enum Packet<'a> {
    /// `0{…}`: the first packet of a server.
    Open(Open),
    /// `1`: the transport is about to close.
    Close,
    /// `2`, or `2probe` while a transport is upgraded. Sent by the server in protocol 4, by the
    /// client in protocol 3.
    Ping(&'a str),
    /// `3`, with the text of the ping it answers.
    Pong(&'a str),
    /// `4…`: a Socket.IO packet.
    Message(&'a str),
    /// `5`: the upgrade of the transport is complete.
    Upgrade,
    /// `6`: nothing.
    Noop,
}

/// What the server says about the transport in its first packet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Open {
    /// The transport's id, opaque.
    pub sid: String,
    /// Transports that could be upgraded to; empty on a WebSocket.
    #[serde(default)]
    pub upgrades: Vec<String>,
    /// Milliseconds between pings.
    #[serde(default = "ping_interval")]
    pub ping_interval: u64,
    /// Milliseconds within which an answer must come.
    #[serde(default = "ping_timeout")]
    pub ping_timeout: u64,
    /// The largest message the server takes, in bytes; absent from older servers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_payload: Option<u64>,
}

fn ping_interval() -> u64 {
    25_000
}

fn ping_timeout() -> u64 {
    20_000
}

impl Open {
    /// A server's first packet on a WebSocket.
    #[must_use]
    pub fn new(sid: impl Into<String>, interval: Duration, timeout: Duration) -> Open {
        let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Open {
            sid: sid.into(),
            upgrades: Vec::new(),
            ping_interval: ms(interval),
            ping_timeout: ms(timeout),
            max_payload: None,
        }
    }

    /// Between pings.
    #[must_use]
    pub fn interval(&self) -> Duration {
        Duration::from_millis(self.ping_interval)
    }

    /// Within which an answer must come.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.ping_timeout)
    }
}

/// Why text is no Engine.IO packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// No type digit.
    #[error("an empty Engine.IO packet")]
    Empty,
    /// The first character is not a digit from 0 to 6.
    #[error("an unknown Engine.IO packet type")]
    Type,
    /// The open packet is not the JSON object it should be.
    #[error("an unreadable Engine.IO open packet")]
    Open,
}

impl<'a> Packet<'a> {
    /// Reads the text of one WebSocket frame. Text after a packet that carries none (`1`, `5`, `6`)
    /// is ignored, as the official parser does.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &'a str) -> Result<Packet<'a>, ParseError> {
        let kind = *text.as_bytes().first().ok_or(ParseError::Empty)?;
        // Every accepted type is one ASCII byte, so the rest begins at a character.
        let rest = text.get(1..).ok_or(ParseError::Type)?;
        Ok(match kind {
            b'0' => Packet::Open(serde_json::from_str(rest).map_err(|_| ParseError::Open)?),
            b'1' => Packet::Close,
            b'2' => Packet::Ping(rest),
            b'3' => Packet::Pong(rest),
            b'4' => Packet::Message(rest),
            b'5' => Packet::Upgrade,
            b'6' => Packet::Noop,
            _ => return Err(ParseError::Type),
        })
    }
}

impl fmt::Display for Packet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Packet::Open(open) => {
                // A struct of strings and integers always serialises.
                let json = serde_json::to_string(open).map_err(|_| fmt::Error)?;
                write!(f, "0{json}")
            }
            Packet::Close => f.write_str("1"),
            Packet::Ping(text) => write!(f, "2{text}"),
            Packet::Pong(text) => write!(f, "3{text}"),
            Packet::Message(text) => write!(f, "4{text}"),
            Packet::Upgrade => f.write_str("5"),
            Packet::Noop => f.write_str("6"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_open_packets_of_both_servers_are_read() {
        let text = r#"0{"sid":"lv_VI97HAXpY6yYWAAAC","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":65536}"#;
        let Ok(Packet::Open(open)) = Packet::parse(text) else { panic!("not an open packet") };
        assert_eq!(open.interval(), Duration::from_secs(25));
        assert_eq!(open.timeout(), Duration::from_secs(20));
        assert_eq!(open.max_payload, Some(65536));
        assert_eq!(Packet::Open(open).to_string(), text);
    }

    #[test]
    fn an_open_packet_without_numbers_gets_the_documented_ones() {
        let Ok(Packet::Open(open)) = Packet::parse(r#"0{"sid":"x"}"#) else { panic!() };
        assert_eq!((open.ping_interval, open.ping_timeout), (25_000, 20_000));
        assert_eq!(open.max_payload, None);
    }

    #[test]
    fn broken_packets_are_errors() {
        for (text, error) in [
            ("", ParseError::Empty),
            ("7", ParseError::Type),
            ("é", ParseError::Type),
            ("{\"event\":1}", ParseError::Type),
            ("0", ParseError::Open),
            ("0[]", ParseError::Open),
            ("0{\"sid\":null}", ParseError::Open),
        ] {
            assert_eq!(Packet::parse(text), Err(error), "{text}");
        }
    }

    proptest! {
        #[test]
        fn parsing_never_panics(text in ".*") {
            let _ = Packet::parse(&text);
        }

        #[test]
        fn what_was_printed_is_read_back(
            kind in 0..7u8,
            text in ".{0,40}",
            interval in any::<u64>(),
            max_payload in any::<Option<u64>>(),
        ) {
            let packet = match kind {
                0 => Packet::Open(Open {
                    sid: text.clone(),
                    upgrades: vec![text.clone()],
                    ping_interval: interval,
                    ping_timeout: 1,
                    max_payload,
                }),
                1 => Packet::Close,
                2 => Packet::Ping(&text),
                3 => Packet::Pong(&text),
                4 => Packet::Message(&text),
                5 => Packet::Upgrade,
                _ => Packet::Noop,
            };
            let printed = packet.to_string();
            prop_assert_eq!(Packet::parse(&printed), Ok(packet));
        }
    }
}
