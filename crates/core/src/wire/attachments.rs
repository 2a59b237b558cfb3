//! The binary parts of Socket.IO packets, which follow in frames of their own.
//!
//! Nothing here is shown as bytes, so bytes are not kept: where they belong stands how many there
//! were. The number of parts is therefore not limited, and a packet whose parts do not come is
//! still passed on, since it may be the end of a job.

use std::borrow::Cow;

use serde::Deserialize;

use super::socketio::{Kind, Packet};

/// The sizes of this many parts are kept; those beyond are told as unknown.
pub const MAX_SIZES: usize = 65_536;

/// A binary packet on its way, and the sizes of the parts that have come.
#[derive(Debug)]
struct Waiting {
    packet: Packet<'static>,
    sizes: Vec<usize>,
    come: usize,
    /// It was passed on already, with parts missing.
    told: bool,
    /// Nothing came since the server's last ping.
    idle: bool,
}

/// Collects the parts of binary packets, one packet at a time.
#[derive(Debug, Default)]
pub struct Attachments {
    waiting: Option<Waiting>,
}

/// What a frame made of the packets before it, and itself.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Taken<'a> {
    /// An earlier packet, passed on although parts of it are missing, and how many.
    pub incomplete: Option<(Packet<'static>, usize)>,
    /// The packet of this frame, unless its parts are still to come.
    pub packet: Option<Packet<'a>>,
}

impl Attachments {
    /// Takes a packet. One without parts comes straight back; one with parts is held until
    /// [`Attachments::binary`] completes it.
    pub fn packet<'a>(&mut self, packet: Packet<'a>) -> Taken<'a> {
        let incomplete = self.give_up_waiting();
        if packet.attachments() == 0 {
            return Taken { incomplete, packet: Some(packet) };
        }
        let packet = packet.into_owned();
        self.waiting =
            Some(Waiting { packet, sizes: Vec::new(), come: 0, told: false, idle: false });
        Taken { incomplete, packet: None }
    }

    /// The server has pinged: a packet for whose parts nothing came since the ping before is passed
    /// on without them.
    pub fn pinged(&mut self) -> Option<(Packet<'static>, usize)> {
        let waiting = self.waiting.as_mut()?;
        if !std::mem::replace(&mut waiting.idle, true) {
            return None;
        }
        self.give_up_waiting()
    }

    /// Takes the content of a binary frame. Answers the packet that it completes.
    ///
    /// # Errors
    /// The frame belongs to no packet.
    pub fn binary(&mut self, bytes: &[u8]) -> Result<Option<Packet<'static>>, Unannounced> {
        let waiting = self.waiting.as_mut().ok_or(Unannounced)?;
        waiting.idle = false;
        waiting.come += 1;
        if waiting.sizes.len() < MAX_SIZES {
            waiting.sizes.push(bytes.len());
        }
        if waiting.come < waiting.packet.attachments() {
            return Ok(None);
        }
        let Some(whole) = self.waiting.take() else { return Ok(None) };
        // An answer is taken once; an event that is told again, now whole, changes what was missing.
        let again = whole.told && matches!(whole.packet.kind, Kind::BinaryAck { .. });
        Ok((!again).then(|| filled(&whole.packet, &whole.sizes)))
    }

    /// Text came although parts are missing: the packet is passed on as it is, and its parts are
    /// still taken if they come.
    fn give_up_waiting(&mut self) -> Option<(Packet<'static>, usize)> {
        let waiting = self.waiting.as_mut()?;
        if std::mem::replace(&mut waiting.told, true) {
            return None;
        }
        let missing = waiting.packet.attachments() - waiting.come;
        Some((filled(&waiting.packet, &waiting.sizes), missing))
    }
}

/// A binary frame that no packet announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a binary frame that belongs to no packet")]
pub struct Unannounced;

/// The packet with words where its parts belong.
fn filled(packet: &Packet<'static>, sizes: &[usize]) -> Packet<'static> {
    let mut packet = packet.clone();
    if let Kind::BinaryEvent { args, .. } | Kind::BinaryAck { args, .. } = &mut packet.kind {
        let filled = fill(args, sizes);
        *args = Cow::Owned(filled);
    }
    packet
}

/// `{"_placeholder":true,"num":0}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Placeholder {
    #[serde(rename = "_placeholder")]
    is: bool,
    num: usize,
}

/// `json` with the size of each part in the place that stands for it, however deep; everything else
/// stays as it was sent, digit for digit.
fn fill(json: &str, sizes: &[usize]) -> String {
    let mut out = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = memchr::memchr2(b'"', b'{', rest.as_bytes()) {
        let (before, here) = rest.split_at(at);
        out.push_str(before);
        let (taken, words) = match here.as_bytes()[0] {
            b'"' => (string_end(here), None),
            _ => match placeholder(here) {
                Some((end, num)) => (end, Some(words(sizes.get(num).copied()))),
                None => (1, None),
            },
        };
        match words {
            Some(words) => out.push_str(&words),
            None => out.push_str(&here[..taken]),
        }
        rest = &here[taken..];
    }
    out.push_str(rest);
    out
}

/// One beyond the end of the string that `text` begins with.
fn string_end(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = 1;
    while let Some(next) = bytes.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        at += next;
        if bytes[at] == b'"' {
            return at + 1;
        }
        at += 2;
    }
    text.len()
}

/// The placeholder that `text` begins with: one beyond its end, and the number of its part. Not
/// read further than to the first brace or value that none has.
fn placeholder(text: &str) -> Option<(usize, usize)> {
    let first = text[1..].trim_start();
    if !first.starts_with("\"_placeholder\"") && !first.starts_with("\"num\"") {
        return None;
    }
    let end = 1 + memchr::memchr(b'}', text.as_bytes())?;
    let read: Placeholder = serde_json::from_str(&text[..end]).ok()?;
    read.is.then_some((end, read.num))
}

fn words(size: Option<usize>) -> String {
    match size {
        Some(1) => "\"1 byte\"".to_owned(),
        Some(size) => format!("\"{size} bytes\""),
        None => "\"bytes that did not arrive\"".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn packet(text: &str) -> Packet<'_> {
        Packet::parse(text).unwrap()
    }

    fn args(packet: &Packet<'_>) -> String {
        match &packet.kind {
            Kind::BinaryEvent { args, .. } | Kind::BinaryAck { args, .. } => args.to_string(),
            _ => panic!("{packet:?}"),
        }
    }

    #[test]
    fn a_part_is_shown_by_its_size_wherever_it_belongs() {
        for (sent, parts, shown) in [
            (r#"51-["x",{"_placeholder":true,"num":0}]"#, &["hello"][..], r#"["x","5 bytes"]"#),
            (
                r#"52-["x",{"a":[{"b":{"num":1,"_placeholder":true}},1.50]},{ "_placeholder" : true , "num" : 0 }]"#,
                &["a", ""],
                r#"["x",{"a":[{"b":"0 bytes"},1.50]},"1 byte"]"#,
            ),
            (
                r#"51-["x","{\"_placeholder\":true,\"num\":0}",{"_placeholder":true,"num":0}]"#,
                &["hello"],
                r#"["x","{\"_placeholder\":true,\"num\":0}","5 bytes"]"#,
            ),
            (
                r#"51-["x",{"_placeholder":true,"num":7},{"num":1,"more":2},{"_placeholder":false,"num":0}]"#,
                &["hello"],
                r#"["x","bytes that did not arrive",{"num":1,"more":2},{"_placeholder":false,"num":0}]"#,
            ),
            (r#"61-3[{"_placeholder":true,"num":0}]"#, &["abc"], r#"["3 bytes"]"#),
        ] {
            let mut all = Attachments::default();
            assert_eq!(all.packet(packet(sent)), Taken::default(), "{sent}");
            let mut whole = None;
            for part in parts {
                assert_eq!(whole, None, "{sent}");
                whole = all.binary(part.as_bytes()).unwrap();
            }
            assert_eq!(args(&whole.unwrap()), shown, "{sent}");
            assert_eq!(all.binary(b"stray"), Err(Unannounced));
        }
    }

    #[test]
    fn a_packet_may_have_any_number_of_parts() {
        let mut all = Attachments::default();
        all.packet(packet(r#"51000-["x",{"_placeholder":true,"num":999}]"#));
        for _ in 0..999 {
            assert_eq!(all.binary(b"one"), Ok(None));
        }
        assert_eq!(args(&all.binary(b"last").unwrap().unwrap()), r#"["x","4 bytes"]"#);
    }

    #[test]
    fn text_between_the_parts_takes_neither_the_event_nor_its_parts() {
        let mut all = Attachments::default();
        all.packet(packet(r#"51-["x",{"_placeholder":true,"num":0}]"#));
        let taken = all.packet(packet(r#"2["y"]"#));
        let (early, missing) = taken.incomplete.unwrap();
        assert_eq!((args(&early).as_str(), missing), (r#"["x","bytes that did not arrive"]"#, 1));
        assert_eq!(taken.packet, Some(packet(r#"2["y"]"#)));
        assert_eq!(all.packet(packet(r#"2["z"]"#)).incomplete, None, "told once");
        assert_eq!(args(&all.binary(b"hello").unwrap().unwrap()), r#"["x","5 bytes"]"#);
    }

    #[test]
    fn an_event_whose_parts_never_come_is_passed_on_at_the_second_ping() {
        let mut all = Attachments::default();
        all.packet(packet(r#"599999999-["x",{"_placeholder":true,"num":0}]"#));
        assert_eq!(all.pinged(), None);
        all.binary(b"hello").unwrap();
        assert_eq!(all.pinged(), None);
        let (early, missing) = all.pinged().unwrap();
        assert_eq!((args(&early).as_str(), missing), (r#"["x","5 bytes"]"#, 99_999_998));
        assert_eq!(all.pinged(), None, "told once");
    }

    proptest! {
        #[test]
        fn filling_never_panics_and_leaves_json_json(
            text in "[\\[\\]{}\",:\\\\_placeholder numtrue0-9é]{0,80}",
        ) {
            let filled = fill(&text, &[5]);
            if serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok() {
                prop_assert!(serde_json::from_str::<serde::de::IgnoredAny>(&filled).is_ok());
            }
        }
    }
}
