//! Which trace a record belongs to: W3C Trace Context, `CloudEvents`' extension for it, and B3.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::identity::last;
use crate::record::Header;

/// The header of W3C Trace Context.
pub const TRACEPARENT: &str = "traceparent";

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

    /// The examples in the specifications of the W3C and of `OpenZipkin`.
    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    fn headers<'a>(pairs: &[(&'a str, &'a str)]) -> Vec<Header<'a>> {
        let header = |(name, value): &(&'a str, &'a str)| Header {
            name: name.as_bytes(),
            value: Some(value.as_bytes()),
        };
        pairs.iter().map(header).collect()
    }

    fn context(pairs: &[(&str, &str)]) -> Option<(String, String)> {
        let context = TraceContext::of(&headers(pairs))?;
        Some((context.trace_id.to_string(), context.span_id.to_string()))
    }

    fn is_example(pairs: &[(&str, &str)]) -> bool {
        context(pairs) == Some((TRACE.to_owned(), SPAN.to_owned()))
    }

    #[test]
    fn open_telemetry_says_the_trace() {
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert!(is_example(&[
            ("traceparent", parent),
            ("tracestate", "rojo=00f067aa0ba902b7"),
            ("baggage", "userId=alice"),
        ]));
        // The extension of CloudEvents for it.
        assert!(is_example(&[("ce_id", "1"), ("ce_traceparent", parent)]));
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
            assert!(is_example(pairs), "{pairs:?}");
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
    fn the_last_traceparent_counts() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let other = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
        assert!(is_example(&[("traceparent", other), ("traceparent", good)]));
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
    }
}
