//! Socket.IO packets (protocol 5), the text inside an Engine.IO message:
//! `<type>[<attachments>-][<namespace>[?<query>],][<ack id>][<JSON>]`.
//!
//! Parsing looks at the frame around the JSON only; the JSON stays text until somebody wants it, so
//! that a hot event is scanned once, by the type that reads it. Text that is not JSON therefore
//! surfaces when it is read, as [`Args::new`] or the caller's own deserialising.

use std::borrow::Cow;
use std::fmt;

use serde_json::value::RawValue;

/// The root namespace.
pub const ROOT: &str = "/";

/// One packet with its namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// The namespace with its leading slash, without the query.
    pub namespace: Cow<'a, str>,
    /// What stood behind `?` in the namespace (clients of protocol 4 and older).
    pub query: Option<Cow<'a, str>>,
    /// What it is.
    pub kind: Kind<'a>,
}

/// What a packet is. JSON is kept as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind<'a> {
    /// `0`: a client asks to enter the namespace (with its auth object), or the server lets it in
    /// (with `{"sid"}`, and `{"pid"}` where it can restore sessions).
    Connect(Option<Cow<'a, str>>),
    /// `1`: the peer leaves the namespace.
    Disconnect,
    /// `2`: an event, an array whose first element is its name.
    Event {
        /// Where an acknowledgement is wanted, its number.
        id: Option<u64>,
        /// The array.
        args: Cow<'a, str>,
    },
    /// `3`: an acknowledgement.
    Ack {
        /// The number of the event it answers.
        id: u64,
        /// The array of arguments.
        args: Cow<'a, str>,
    },
    /// `4`: the server refuses the namespace; `{"message","data"?}`, or a string from old servers.
    ConnectError(Option<Cow<'a, str>>),
    /// `5`: an event of which parts follow as binary frames.
    BinaryEvent {
        /// How many binary frames follow.
        attachments: usize,
        /// As in `Event`.
        id: Option<u64>,
        /// The array, with `{"_placeholder":true,"num":0}` where bytes belong.
        args: Cow<'a, str>,
    },
    /// `6`: an acknowledgement of which parts follow as binary frames.
    BinaryAck {
        /// How many binary frames follow.
        attachments: usize,
        /// As in `Ack`.
        id: u64,
        /// As in `BinaryEvent`.
        args: Cow<'a, str>,
    },
}

/// Why text is no Socket.IO packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// No type digit.
    #[error("an empty Socket.IO packet")]
    Empty,
    /// The first character is not a digit from 0 to 6.
    #[error("an unknown Socket.IO packet type")]
    Type,
    /// A binary packet that does not say how many attachments follow.
    #[error("a Socket.IO packet with an unreadable number of attachments")]
    Attachments,
    /// An acknowledgement without a number, or a number that does not fit.
    #[error("a Socket.IO packet with an unreadable acknowledgement number")]
    Id,
    /// The payload is not of the kind that the type requires.
    #[error("a Socket.IO packet with the wrong kind of payload")]
    Payload,
}

impl<'a> Packet<'a> {
    /// A packet for `namespace`; the leading slash is added where absent.
    #[must_use]
    pub fn new(namespace: &'a str, kind: Kind<'a>) -> Packet<'a> {
        let (path, query) = split_query(namespace);
        let namespace = if path.starts_with('/') {
            Cow::Borrowed(path)
        } else {
            Cow::Owned(format!("/{path}"))
        };
        Packet { namespace, query: query.map(Cow::Borrowed), kind }
    }

    /// An event `name` with arguments, each of which is JSON.
    #[must_use]
    pub fn event(namespace: &'a str, id: Option<u64>, name: &str, args: &[&str]) -> Packet<'a> {
        let mut array = String::from("[");
        array.push_str(&serde_json::Value::from(name).to_string());
        for arg in args {
            array.push(',');
            array.push_str(arg);
        }
        array.push(']');
        Packet::new(namespace, Kind::Event { id, args: Cow::Owned(array) })
    }

    /// Reads the text of one Engine.IO message.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &'a str) -> Result<Packet<'a>, ParseError> {
        let kind = *text.as_bytes().first().ok_or(ParseError::Empty)?;
        if !(b'0'..=b'6').contains(&kind) {
            return Err(ParseError::Type);
        }
        let mut rest = &text[1..];
        let mut attachments = 0;
        if matches!(kind, b'5' | b'6') {
            let (count, after) = digits(rest);
            rest = after.strip_prefix('-').ok_or(ParseError::Attachments)?;
            attachments = count
                .ok_or(ParseError::Attachments)?
                .parse()
                .map_err(|_| ParseError::Attachments)?;
        }
        let mut namespace = ROOT;
        let mut query = None;
        if rest.starts_with('/') {
            let (whole, after) = rest.split_once(',').unwrap_or((rest, ""));
            (namespace, query) = split_query(whole);
            rest = after;
        }
        let (number, rest) = digits(rest);
        let id = match number {
            Some(number) => Some(number.parse().map_err(|_| ParseError::Id)?),
            None => None,
        };
        let array = || {
            let whole = rest.starts_with('[') && rest.ends_with(']');
            whole.then_some(Cow::Borrowed(rest)).ok_or(ParseError::Payload)
        };
        let payload = (!rest.is_empty()).then_some(Cow::Borrowed(rest));
        let kind = match kind {
            b'0' if rest.is_empty() || rest.starts_with('{') => Kind::Connect(payload),
            b'1' if rest.is_empty() => Kind::Disconnect,
            b'2' => Kind::Event { id, args: array()? },
            b'3' => Kind::Ack { id: id.ok_or(ParseError::Id)?, args: array()? },
            b'4' if rest.is_empty() || rest.starts_with(['{', '"']) => Kind::ConnectError(payload),
            b'5' => Kind::BinaryEvent { attachments, id, args: array()? },
            b'6' => {
                let id = id.ok_or(ParseError::Id)?;
                Kind::BinaryAck { attachments, id, args: array()? }
            }
            _ => return Err(ParseError::Payload),
        };
        Ok(Packet { namespace: Cow::Borrowed(namespace), query: query.map(Cow::Borrowed), kind })
    }

    /// The same packet, holding its own text.
    #[must_use]
    pub fn into_owned(self) -> Packet<'static> {
        fn own(text: Cow<'_, str>) -> Cow<'static, str> {
            Cow::Owned(text.into_owned())
        }
        Packet {
            namespace: own(self.namespace),
            query: self.query.map(own),
            kind: match self.kind {
                Kind::Connect(auth) => Kind::Connect(auth.map(own)),
                Kind::Disconnect => Kind::Disconnect,
                Kind::Event { id, args } => Kind::Event { id, args: own(args) },
                Kind::Ack { id, args } => Kind::Ack { id, args: own(args) },
                Kind::ConnectError(data) => Kind::ConnectError(data.map(own)),
                Kind::BinaryEvent { attachments, id, args } => {
                    Kind::BinaryEvent { attachments, id, args: own(args) }
                }
                Kind::BinaryAck { attachments, id, args } => {
                    Kind::BinaryAck { attachments, id, args: own(args) }
                }
            },
        }
    }

    /// How many binary frames belong to this packet.
    #[must_use]
    pub fn attachments(&self) -> usize {
        match self.kind {
            Kind::BinaryEvent { attachments, .. } | Kind::BinaryAck { attachments, .. } => {
                attachments
            }
            _ => 0,
        }
    }
}

fn split_query(namespace: &str) -> (&str, Option<&str>) {
    match namespace.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (namespace, None),
    }
}

/// Leading ASCII digits, if any, and what follows.
fn digits(text: &str) -> (Option<&str>, &str) {
    let end = text.bytes().position(|b| !b.is_ascii_digit()).unwrap_or(text.len());
    let (number, rest) = text.split_at(end);
    ((end > 0).then_some(number), rest)
}

impl fmt::Display for Packet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Connect(_) => '0',
            Kind::Disconnect => '1',
            Kind::Event { .. } => '2',
            Kind::Ack { .. } => '3',
            Kind::ConnectError(_) => '4',
            Kind::BinaryEvent { .. } => '5',
            Kind::BinaryAck { .. } => '6',
        };
        write!(f, "{kind}")?;
        if matches!(kind, '5' | '6') {
            write!(f, "{}-", self.attachments())?;
        }
        if self.namespace != ROOT || self.query.is_some() {
            f.write_str(&self.namespace)?;
            if let Some(query) = &self.query {
                write!(f, "?{query}")?;
            }
            f.write_str(",")?;
        }
        match &self.kind {
            Kind::Connect(json) | Kind::ConnectError(json) => {
                f.write_str(json.as_deref().unwrap_or(""))
            }
            Kind::Disconnect => Ok(()),
            Kind::Event { id, args } | Kind::BinaryEvent { id, args, .. } => {
                if let Some(id) = id {
                    write!(f, "{id}")?;
                }
                f.write_str(args)
            }
            Kind::Ack { id, args } | Kind::BinaryAck { id, args, .. } => write!(f, "{id}{args}"),
        }
    }
}

/// The name of an event and the text of the arguments behind it: for `["x",{"a":1},2]` that is `x`
/// and `{"a":1},2]`. The arguments are not looked at; a deserialiser that reads one value from
/// their text gets the first one. `None` when the first element is not a string or a number.
#[must_use]
pub fn split_event(args: &str) -> Option<(Cow<'_, str>, &str)> {
    let rest = args.strip_prefix('[')?.trim_start();
    // A name without escapes, which every name of the wild is, needs no JSON parser.
    if let Some(text) = rest.strip_prefix('"') {
        let end = memchr::memchr2(b'"', b'\\', text.as_bytes())?;
        if text.as_bytes()[end] == b'"' {
            return Some((Cow::Borrowed(&text[..end]), behind_comma(&text[end + 1..])?));
        }
    }
    let mut stream = serde_json::Deserializer::from_str(rest).into_iter::<&RawValue>();
    let first = stream.next()?.ok()?;
    let after = rest.get(stream.byte_offset()..)?;
    let name = match first.get().as_bytes().first()? {
        b'"' => Cow::Owned(serde_json::from_str::<String>(first.get()).ok()?),
        b'-' | b'0'..=b'9' => Cow::Borrowed(first.get()),
        _ => return None,
    };
    Some((name, behind_comma(after)?))
}

fn behind_comma(after: &str) -> Option<&str> {
    let after = after.trim_start();
    match after.strip_prefix(',') {
        Some(rest) => Some(rest.trim_start()),
        None => after.starts_with(']').then_some(after),
    }
}

/// The elements of an array of arguments, as JSON text. `None` when it is not JSON.
#[must_use]
pub fn elements(args: &str) -> Option<Vec<&RawValue>> {
    serde_json::from_str(args).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn event(args: &str) -> Kind<'_> {
        Kind::Event { id: None, args: Cow::Borrowed(args) }
    }

    #[test]
    fn packets_of_the_wire_documents_are_read_and_printed() {
        for (text, packet) in [
            ("0", Packet::new("/", Kind::Connect(None))),
            ("0/jobs,", Packet::new("/jobs", Kind::Connect(None))),
            (
                r#"0/jobs,{"sid":"x"}"#,
                Packet::new("jobs", Kind::Connect(Some(r#"{"sid":"x"}"#.into()))),
            ),
            ("0/jobs?token=a,", Packet::new("/jobs?token=a", Kind::Connect(None))),
            ("1/jobs,", Packet::new("/jobs", Kind::Disconnect)),
            (
                r#"2["job-progress",{"progress":1}]"#,
                Packet::new("/", event(r#"["job-progress",{"progress":1}]"#)),
            ),
            (
                r#"2/jobs,0["subscribe:jobs",{"jobId":"101"}]"#,
                Packet::event("/jobs", Some(0), "subscribe:jobs", &[r#"{"jobId":"101"}"#]),
            ),
            (
                r#"3/jobs,1[{"success":false}]"#,
                Packet::new("/jobs", Kind::Ack { id: 1, args: r#"[{"success":false}]"#.into() }),
            ),
            (
                r#"4/jobs,{"message":"Authentication failed"}"#,
                Packet::new(
                    "/jobs",
                    Kind::ConnectError(Some(r#"{"message":"Authentication failed"}"#.into())),
                ),
            ),
            (
                r#"4"Invalid namespace""#,
                Packet::new("/", Kind::ConnectError(Some(r#""Invalid namespace""#.into()))),
            ),
            (
                r#"52-/jobs,7["x",{"_placeholder":true,"num":0}]"#,
                Packet::new(
                    "/jobs",
                    Kind::BinaryEvent {
                        attachments: 2,
                        id: Some(7),
                        args: r#"["x",{"_placeholder":true,"num":0}]"#.into(),
                    },
                ),
            ),
            (
                "61-3[null]",
                Packet::new("/", Kind::BinaryAck { attachments: 1, id: 3, args: "[null]".into() }),
            ),
        ] {
            assert_eq!(Packet::parse(text).as_ref(), Ok(&packet), "{text}");
            assert_eq!(packet.to_string(), text);
        }
    }

    #[test]
    fn a_namespace_may_lack_its_comma() {
        assert_eq!(Packet::parse("0/jobs"), Ok(Packet::new("/jobs", Kind::Connect(None))));
    }

    #[test]
    fn broken_packets_are_errors() {
        for (text, error) in [
            ("", ParseError::Empty),
            ("7", ParseError::Type),
            ("ü", ParseError::Type),
            ("2", ParseError::Payload),
            ("2{}", ParseError::Payload),
            ("2[1", ParseError::Payload),
            ("1[]", ParseError::Payload),
            ("0[]", ParseError::Payload),
            ("3[]", ParseError::Id),
            ("399999999999999999999999[]", ParseError::Id),
            ("5[]", ParseError::Attachments),
            ("5x-[]", ParseError::Attachments),
            ("599999999999999999999999-[]", ParseError::Attachments),
        ] {
            assert_eq!(Packet::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn an_event_is_split_into_its_name_and_its_arguments() {
        for (args, name, rest) in [
            (r#"["x"]"#, "x", "]"),
            (r#"[ "x" , {"a":"]"} ,2]"#, "x", r#"{"a":"]"} ,2]"#),
            (r#"["a\"b\u0041",1]"#, "a\"bA", "1]"),
            ("[12,1]", "12", "1]"),
        ] {
            assert_eq!(split_event(args), Some((Cow::Borrowed(name), rest)), "{args}");
        }
        for args in ["", "[", "[]", "[null]", "[{}]", r#"["x"#, r#"["x" 1]"#, r#"["x\"#] {
            assert_eq!(split_event(args), None, "{args}");
        }
    }

    fn any_kind() -> impl Strategy<Value = Kind<'static>> {
        let args = "\\[[^\\x00]{0,20}\\]".prop_map(Cow::Owned).boxed();
        let object = proptest::option::of("\\{.{0,20}\\}".prop_map(Cow::Owned)).boxed();
        let attachments = 0..=100_usize;
        prop_oneof![
            object.clone().prop_map(Kind::Connect),
            Just(Kind::Disconnect),
            (any::<Option<u64>>(), args.clone()).prop_map(|(id, args)| Kind::Event { id, args }),
            (any::<u64>(), args.clone()).prop_map(|(id, args)| Kind::Ack { id, args }),
            object.prop_map(Kind::ConnectError),
            (attachments.clone(), any::<Option<u64>>(), args.clone())
                .prop_map(|(attachments, id, args)| Kind::BinaryEvent { attachments, id, args }),
            (attachments, any::<u64>(), args).prop_map(|(attachments, id, args)| Kind::BinaryAck {
                attachments,
                id,
                args
            }),
        ]
    }

    proptest! {
        #[test]
        fn parsing_never_panics(text in ".*", args in ".*") {
            let _ = Packet::parse(&text);
            let _ = split_event(&args);
            let _ = elements(&args);
        }

        #[test]
        fn near_packets_never_panic(text in "[0-9]{0,3}-?(/[a-z?]{0,4},?)?[0-9]{0,3}[\\[{\"]?.{0,9}[\\]}\"]?") {
            let _ = Packet::parse(&text);
            let _ = split_event(&text);
        }

        #[test]
        fn what_was_printed_is_read_back(
            namespace in "/[a-z0-9/_-]{0,12}",
            query in proptest::option::of("[a-z=&?]{0,9}"),
            kind in any_kind(),
        ) {
            let packet =
                Packet { namespace: namespace.into(), query: query.map(Cow::Owned), kind };
            let printed = packet.to_string();
            prop_assert_eq!(Packet::parse(&printed), Ok(packet));
        }
    }
}
