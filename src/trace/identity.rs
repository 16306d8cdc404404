//! Which message a record is, and which trace it belongs to, as its headers and its value say.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;
use uuid::{Uuid, Variant};

use crate::record::Header;

/// The header that carries the message id we give.
pub const MESSAGE_ID: &str = "message-id";

/// The header of W3C Trace Context.
pub const TRACEPARENT: &str = "traceparent";

/// Headers that are a message's id: `CloudEvents`, Debezium's outbox, ours and its spelling elsewhere.
const ID_HEADERS: [&[u8]; 4] = [b"ce_id", b"id", MESSAGE_ID.as_bytes(), b"messageId"];

/// Members of a JSON value that are its id.
const ID_MEMBERS: [&str; 3] = ["id", "message_id", "event_id"];

/// Returns the id of a record: of the headers `ce_id`, `id`, `message-id` and `messageId` the first
/// that is there, else of the members `id`, `message_id` and `event_id` of its value.
///
/// An id is text or a number and not empty. A header that repeats counts with its last value, and
/// one that Kafka Connect's `JsonConverter` wrote, in quotes, with the text in them.
pub fn message_id<'a>(headers: &[Header<'a>], value: Option<&'a [u8]>) -> Option<Cow<'a, str>> {
    let in_header = |name| id_text(last(headers, name)?);
    let found = ID_HEADERS.into_iter().find_map(in_header);
    found.or_else(|| id_in_value(value?))
}

fn id_text(bytes: &[u8]) -> Option<Cow<'_, str>> {
    let text = str::from_utf8(bytes).ok()?;
    let text = match bytes {
        [b'"', .., b'"'] => serde_json::from_str(text).map_or(Cow::Borrowed(text), Cow::Owned),
        _ => Cow::Borrowed(text),
    };
    Some(text).filter(|text| !text.is_empty())
}

fn id_in_value(value: &[u8]) -> Option<Cow<'_, str>> {
    let text = str::from_utf8(value).ok()?;
    // All else is no object, and need not be parsed to see that.
    text.trim_ascii_start().strip_prefix('{')?;
    let Members(members) = serde_json::from_str(text).ok()?;
    members.into_iter().flatten().find_map(|json| {
        let json = json.get();
        match json.as_bytes()[0] {
            b'"' => serde_json::from_str::<Text<'_>>(json)
                .ok()
                .map(|Text(text)| text)
                .filter(|text| !text.is_empty()),
            b'-' | b'0'..=b'9' => Some(Cow::Borrowed(json)),
            _ => None,
        }
    })
}

/// A text, without a copy where nothing in it is escaped.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// What stands at [`ID_MEMBERS`] of an object.
struct Members<'a>([Option<&'a RawValue>; ID_MEMBERS.len()]);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Look;
        impl<'de> Visitor<'de> for Look {
            type Value = Members<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut found = [None; ID_MEMBERS.len()];
                while let Some(Text(name)) = map.next_key()? {
                    match ID_MEMBERS.iter().position(|member| *member == name) {
                        // The last of equal names counts, as everywhere.
                        Some(index) => found[index] = Some(map.next_value()?),
                        None => {
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(Members(found))
            }
        }
        deserializer.deserialize_map(Look)
    }
}

/// Returns the last value of a header that has one.
fn last<'a>(headers: &[Header<'a>], name: &[u8]) -> Option<&'a [u8]> {
    let named = headers.iter().rev().filter(|header| header.name == name);
    named.filter_map(|header| header.value).next()
}

/// Returns when a `UUIDv7` was made, in milliseconds since the epoch.
pub fn uuid_millis(id: &str) -> Option<i64> {
    let id = Uuid::try_parse(id).ok()?;
    let is_7 = id.get_version_num() == 7 && id.get_variant() == Variant::RFC4122;
    is_7.then(|| i64::try_from(id.as_u128() >> 80).ok())?
}

/// Defines an id of some bytes that are never all zero, written in lower-case hexadecimal.
macro_rules! hexadecimal {
    ($name:ident, $length:literal, $what:literal) => {
        #[doc = $what]
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name([u8; $length]);

        impl $name {
            /// Returns the id with these bytes, which must not all be zero.
            pub fn new(bytes: [u8; $length]) -> Option<Self> {
                (bytes != [0; $length]).then_some(Self(bytes))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.pad(&HEXLOWER.encode(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, formatter)
            }
        }

        impl FromStr for $name {
            type Err = ContextError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let bytes = HEXLOWER_PERMISSIVE.decode(text.as_bytes());
                let bytes = bytes.map_err(|_| ContextError::Malformed)?;
                let bytes = bytes.try_into().map_err(|_| ContextError::Malformed)?;
                Self::new(bytes).ok_or(ContextError::Zero)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = Cow::<str>::deserialize(deserializer)?;
                text.parse().map_err(D::Error::custom)
            }
        }
    };
}

hexadecimal!(
    TraceId,
    16,
    "A trace, which is the same in all of its spans."
);
hexadecimal!(SpanId, 8, "A span: one operation of a trace.");

/// Where a record belongs in a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext {
    pub trace_id: TraceId,
    /// The span that made the record.
    pub span_id: SpanId,
}

/// Why a text is no trace context.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContextError {
    #[error("not of the form of a trace context")]
    Malformed,
    /// W3C and B3 alike.
    #[error("an id of zeros is none")]
    Zero,
}

impl TraceContext {
    /// Returns the context that headers carry: `traceparent`, else `ce_traceparent`, else `b3`, else
    /// `X-B3-TraceId` and `X-B3-SpanId`. The last of equal headers counts.
    pub fn of(headers: &[Header<'_>]) -> Option<Self> {
        let text = |name: &str| str::from_utf8(last(headers, name.as_bytes())?).ok();
        let parent = |name| Self::from_traceparent(text(name)?).ok();
        parent(TRACEPARENT)
            .or_else(|| parent("ce_traceparent"))
            .or_else(|| Self::from_b3(last_of_any_case(headers, "b3")?).ok())
            .or_else(|| {
                Some(Self {
                    trace_id: b3_trace_id(last_of_any_case(headers, "x-b3-traceid")?).ok()?,
                    span_id: last_of_any_case(headers, "x-b3-spanid")?.parse().ok()?,
                })
            })
    }

    /// Returns a context of its own from random bytes.
    pub fn random(bytes: [u8; 24]) -> Self {
        let (mut trace, mut span) = ([1; 16], [1; 8]);
        trace.copy_from_slice(&bytes[..16]);
        span.copy_from_slice(&bytes[16..]);
        Self {
            // That all bytes are zero happens once in 2^64 times at most.
            trace_id: TraceId::new(trace).unwrap_or(TraceId([1; 16])),
            span_id: SpanId::new(span).unwrap_or(SpanId([1; 8])),
        }
    }

    /// Reads a `traceparent` of version 00, or of a later one as far as it is known.
    pub fn from_traceparent(text: &str) -> Result<Self, ContextError> {
        let (known, more) = text.split_at_checked(55).ok_or(ContextError::Malformed)?;
        let mut parts = known.split('-');
        let mut part = |length: usize| {
            let is_hexadecimal = |text: &&str| {
                text.len() == length && text.bytes().all(|byte| b"0123456789abcdef".contains(&byte))
            };
            let part = parts.next().filter(is_hexadecimal);
            part.ok_or(ContextError::Malformed)
        };
        let version = part(2)?;
        let (trace_id, span_id) = (part(32)?, part(16)?);
        part(2)?;
        let fits = match version {
            "ff" => false,
            "00" => more.is_empty(),
            _ => more.is_empty() || more.starts_with('-'),
        };
        if !fits {
            return Err(ContextError::Malformed);
        }
        Ok(Self {
            trace_id: trace_id.parse()?,
            span_id: span_id.parse()?,
        })
    }

    /// Reads a `b3` header, whose trace id may be of 64 bits.
    fn from_b3(text: &str) -> Result<Self, ContextError> {
        let (trace_id, rest) = text.split_once('-').ok_or(ContextError::Malformed)?;
        let (span_id, rest) = rest.split_once('-').unwrap_or((rest, ""));
        let (sampled, parent) = rest.split_once('-').unwrap_or((rest, ""));
        if !matches!(sampled, "" | "0" | "1" | "d") {
            return Err(ContextError::Malformed);
        }
        if !parent.is_empty() {
            parent.parse::<SpanId>()?;
        }
        Ok(Self {
            trace_id: b3_trace_id(trace_id)?,
            span_id: span_id.parse()?,
        })
    }

    /// Returns the context as a `traceparent`, which says that it is recorded.
    pub fn traceparent(&self) -> String {
        format!("00-{}-{}-01", self.trace_id, self.span_id)
    }
}

/// Returns the last value of a header whose name HTTP made, where case does not count.
fn last_of_any_case<'a>(headers: &[Header<'a>], name: &str) -> Option<&'a str> {
    let mut headers = headers.iter().rev();
    let header = headers.find(|header| {
        header.name.eq_ignore_ascii_case(name.as_bytes()) && header.value.is_some()
    })?;
    str::from_utf8(header.value?).ok()
}

fn b3_trace_id(text: &str) -> Result<TraceId, ContextError> {
    match text.len() {
        16 => format!("{text:0>32}").parse(),
        _ => text.parse(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The examples of the W3C's and OpenZipkin's specifications.
    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    fn headers<'a>(pairs: &[(&'a str, &'a str)]) -> Vec<Header<'a>> {
        let header = |(name, value): &(&'a str, &'a str)| Header {
            name: name.as_bytes(),
            value: Some(value.as_bytes()),
        };
        pairs.iter().map(header).collect()
    }

    fn id(pairs: &[(&str, &str)], value: &str) -> Option<String> {
        message_id(&headers(pairs), Some(value.as_bytes())).map(Cow::into_owned)
    }

    fn context(pairs: &[(&str, &str)]) -> Option<(String, String)> {
        let context = TraceContext::of(&headers(pairs))?;
        Some((context.trace_id.to_string(), context.span_id.to_string()))
    }

    fn example() -> Option<(String, String)> {
        Some((TRACE.to_owned(), SPAN.to_owned()))
    }

    #[test]
    fn open_telemetry_says_the_trace() {
        let found = context(&[
            (
                "traceparent",
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            ),
            ("tracestate", "rojo=00f067aa0ba902b7"),
            ("baggage", "userId=alice"),
        ]);
        assert_eq!(found, example());
    }

    #[test]
    fn b3_says_the_trace_in_one_header_or_in_several() {
        for pairs in [
            &[(
                "b3",
                "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1-05e3ac9a4f6e3b90",
            )][..],
            &[("b3", "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-d")],
            &[("b3", "4BF92F3577B34DA6A3CE929D0E0E4736-00F067AA0BA902B7")],
            &[
                ("X-B3-TraceId", TRACE),
                ("X-B3-SpanId", SPAN),
                ("X-B3-Sampled", "1"),
            ],
            &[("x-b3-traceid", TRACE), ("x-b3-spanid", SPAN)],
        ] {
            assert_eq!(context(pairs), example(), "{pairs:?}");
        }
        let short = context(&[("b3", "a3ce929d0e0e4736-00f067aa0ba902b7-0")]).unwrap();
        assert_eq!(short.0, "0000000000000000a3ce929d0e0e4736");
        for text in [
            "0",
            "1",
            "d",
            "",
            "-",
            "a-b",
            &format!("{TRACE}-{SPAN}-2"),
            &format!("{TRACE}-{SPAN}-1-x"),
        ] {
            assert_eq!(context(&[("b3", text)]), None, "{text}");
        }
        assert_eq!(context(&[("X-B3-TraceId", TRACE)]), None);
        assert_eq!(
            context(&[("X-B3-TraceId", TRACE), ("X-B3-SpanId", "0000000000000000")]),
            None
        );
    }

    #[test]
    fn a_cloud_event_has_an_id_and_perhaps_a_trace() {
        let pairs = [
            ("ce_specversion", "1.0"),
            ("ce_type", "com.example.order.created"),
            ("ce_source", "/orders"),
            ("ce_id", "6e8bc430-9c3a-11d9-9669-0800200c9a66"),
            ("ce_time", "2025-11-20T20:00:00Z"),
            ("content-type", "application/json"),
            (
                "ce_traceparent",
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            ),
            ("id", "another"),
        ];
        assert_eq!(
            id(&pairs, r#"{"id":7}"#).as_deref(),
            Some("6e8bc430-9c3a-11d9-9669-0800200c9a66")
        );
        assert_eq!(context(&pairs), example());
    }

    #[test]
    fn debezium_has_the_id_of_the_outbox_plain_or_in_quotes() {
        let plain = [
            ("id", "406c07f3-26f0-4eea-a50c-109940064b8f"),
            ("eventType", "OrderCreated"),
        ];
        let quoted = [("id", "\"406c07f3-26f0-4eea-a50c-109940064b8f\"")];
        for pairs in [&plain[..], &quoted] {
            assert_eq!(
                id(pairs, r#"{"id":7}"#).as_deref(),
                Some("406c07f3-26f0-4eea-a50c-109940064b8f")
            );
        }
    }

    #[test]
    fn ids_are_looked_for_in_this_order() {
        let all = [
            ("messageId", "4"),
            ("message-id", "3"),
            ("id", "2"),
            ("ce_id", "1"),
        ];
        let value = r#"{"event_id":"7","message_id":"6","id":"5"}"#;
        for taken in 0..4 {
            let left = &all[..4 - taken];
            assert_eq!(id(left, value), Some((taken + 1).to_string()));
        }
        assert_eq!(id(&[], value).as_deref(), Some("5"));
        assert_eq!(
            id(&[], r#"{"event_id":"7","message_id":"6"}"#).as_deref(),
            Some("6")
        );
        assert_eq!(id(&[], r#"{"event_id":"7"}"#).as_deref(), Some("7"));
        // The last of equal headers, and none that is empty or null.
        assert_eq!(id(&[("id", "a"), ("id", "b")], "").as_deref(), Some("b"));
        assert_eq!(id(&[("ce_id", ""), ("id", "b")], "").as_deref(), Some("b"));
        let null = Header {
            name: b"id",
            value: None,
        };
        assert_eq!(
            message_id(&[null], Some(br#"{"id":7}"#)).as_deref(),
            Some("7")
        );
        assert_eq!(message_id(&[], None), None);
    }

    #[test]
    fn an_id_in_a_value_is_text_or_a_number() {
        for (value, expected) in [
            (r#" {"a":{"id":1},"id":"x\u0041"}"#, Some("xA")),
            (r#"{"id":1.50}"#, Some("1.50")),
            (r#"{"id":-7}"#, Some("-7")),
            (r#"{"id":1,"id":2}"#, Some("2")),
            (r#"{"i\u0064":3}"#, Some("3")),
            (r#"{"id":null,"event_id":4}"#, Some("4")),
            (r#"{"id":{"id":1}}"#, None),
            (r#"{"id":true}"#, None),
            (r#"{"id":""}"#, None),
            (r#"{"id":1"#, None),
            (r#"[{"id":1}]"#, None),
            ("id", None),
            ("", None),
        ] {
            assert_eq!(id(&[], value).as_deref(), expected, "{value}");
        }
        assert_eq!(message_id(&[], Some(b"{\"id\":\"\xff\"}")), None);
    }

    #[test]
    fn the_last_traceparent_counts() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let other = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
        assert_eq!(
            context(&[("traceparent", other), ("traceparent", good)]),
            example()
        );
        // What it says wrongly is not said by an earlier one, but perhaps by another header.
        assert_eq!(
            context(&[("traceparent", good), ("traceparent", "x")]),
            None
        );
        assert_eq!(
            context(&[("traceparent", "x"), ("ce_traceparent", other), ("b3", "1")])
                .unwrap()
                .0,
            "0af7651916cd43dd8448eb211c80319c"
        );
    }

    #[test]
    fn a_traceparent_is_read_as_w3c_says() {
        let ids = format!("{TRACE}-{SPAN}");
        for fits in [
            format!("00-{ids}-00"),
            format!("01-{ids}-09"),
            format!("cc-{ids}-01-more"),
        ] {
            assert!(TraceContext::from_traceparent(&fits).is_ok(), "{fits}");
        }
        let zero_trace = format!("00-{:032}-{SPAN}-01", 0);
        let zero_span = format!("00-{TRACE}-{:016}-01", 0);
        for zero in [zero_trace, zero_span] {
            assert_eq!(
                TraceContext::from_traceparent(&zero),
                Err(ContextError::Zero)
            );
        }
        for text in [
            String::new(),
            format!("00-{ids}-1"),
            format!("00-{ids}-01-more"),
            format!("cc-{ids}-01more"),
            format!("ff-{ids}-01"),
            format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
            format!("00-{SPAN}-{TRACE}-01"),
            format!("00_{ids}-01"),
            format!("0g-{ids}-01"),
            "é".repeat(28),
        ] {
            assert_eq!(
                TraceContext::from_traceparent(&text),
                Err(ContextError::Malformed),
                "{text}"
            );
        }
    }

    #[test]
    fn a_uuid_of_version_7_has_a_time() {
        // The example of RFC 9562.
        assert_eq!(
            uuid_millis("017F22E2-79B0-7CC3-98C4-DC0C0C07398F"),
            Some(1_645_557_742_000)
        );
        assert_eq!(uuid_millis("919108f7-52d1-4320-9bac-f847db4148a8"), None);
        // The version of 7 with the variant of Microsoft.
        assert_eq!(uuid_millis("017f22e2-79b0-7cc3-d8c4-dc0c0c07398f"), None);
        assert_eq!(uuid_millis("m-1"), None);
    }

    #[test]
    fn no_random_context_is_zero() {
        assert!(
            TraceContext::from_traceparent(&TraceContext::random([0; 24]).traceparent()).is_ok()
        );
    }

    proptest! {
        #[test]
        fn a_context_is_read_back_as_it_was_written(bytes in any::<[u8; 24]>()) {
            let context = TraceContext::random(bytes);
            let text = context.traceparent();
            prop_assert_eq!(text.len(), 55);
            prop_assert_eq!(TraceContext::from_traceparent(&text), Ok(context));
            let pair = [("traceparent", text.as_str())];
            prop_assert_eq!(TraceContext::of(&headers(&pair)), Some(context));
        }

        #[test]
        fn no_header_and_no_value_is_too_strange(
            pairs in prop::collection::vec(
                (prop::sample::select(vec!["traceparent", "b3", "X-B3-TraceId", "X-B3-SpanId", "id", "ce_id"]),
                 prop::collection::vec(any::<u8>(), 0..60)),
                0..4),
            value in prop::collection::vec(any::<u8>(), 0..60),
        ) {
            let headers: Vec<Header<'_>> = pairs
                .iter()
                .map(|(name, value)| Header { name: name.as_bytes(), value: Some(value) })
                .collect();
            let _ = TraceContext::of(&headers);
            prop_assert!(message_id(&headers, Some(&value)).is_none_or(|id| !id.is_empty()));
        }

        #[test]
        fn the_time_in_a_uuid_is_the_time_it_was_made(millis in 0_u64..1 << 48, random in any::<[u8; 10]>()) {
            let id = uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid();
            prop_assert_eq!(uuid_millis(&id.to_string()), i64::try_from(millis).ok());
            prop_assert_eq!(uuid_millis(&id.simple().to_string()), i64::try_from(millis).ok());
        }
    }
}
