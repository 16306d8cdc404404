//! Which record is looked for, and whether a record is the one.

use std::fmt;
use std::str::FromStr;

use memchr::memmem;

use super::context::{TraceContext, TraceId};
use super::identity::message_id;
use crate::kafka::is_topic_name;
use crate::pipeline::filter::{Condition, json_of};
use crate::record::Record;

/// What somebody knows of the message they look for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Id {
    /// The id of a message; 32 hexadecimal digits may be that of a trace, too.
    Message(String),
    /// Where a record is.
    Place {
        topic: String,
        partition: i32,
        offset: i64,
    },
}

impl FromStr for Id {
    type Err = EmptyId;

    /// Reads `topic:partition:offset`, a `traceparent`, of which the trace id is taken, or any id.
    fn from_str(text: &str) -> Result<Self, EmptyId> {
        if text.is_empty() {
            return Err(EmptyId);
        }
        if let Some(place) = place(text) {
            return Ok(place);
        }
        Ok(Self::Message(match TraceContext::from_traceparent(text) {
            Ok(context) => context.trace_id.to_string(),
            Err(_) => text.to_owned(),
        }))
    }
}

fn place(text: &str) -> Option<Id> {
    let mut parts = text.rsplitn(3, ':');
    let (offset, partition, topic) = (parts.next()?, parts.next()?, parts.next()?);
    let (partition, offset) = (partition.parse().ok()?, offset.parse().ok()?);
    (is_topic_name(topic) && partition >= 0 && offset >= 0).then(|| Id::Place {
        topic: topic.to_owned(),
        partition,
        offset,
    })
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message(id) => f.write_str(id),
            Self::Place {
                topic,
                partition,
                offset,
            } => write!(f, "{topic}:{partition}:{offset}"),
        }
    }
}

/// Nothing was typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an id is not empty")]
pub struct EmptyId;

/// A header that a record must have: `NAME=VALUE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedHeader {
    name: String,
    value: String,
}

/// There is no `=`, or nothing before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected NAME=VALUE")]
pub struct NoHeader;

impl FromStr for WantedHeader {
    type Err = NoHeader;

    fn from_str(text: &str) -> Result<Self, NoHeader> {
        let (name, value) = text.split_once('=').ok_or(NoHeader)?;
        if name.is_empty() {
            return Err(NoHeader);
        }
        Ok(Self {
            name: name.to_owned(),
            value: value.to_owned(),
        })
    }
}

impl WantedHeader {
    fn is_in(&self, record: &Record<'_>) -> bool {
        record.headers.iter().any(|header| {
            header.name == self.name.as_bytes() && header.value == Some(self.value.as_bytes())
        })
    }
}

/// How a record has to do with what is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Match {
    /// It is the one.
    Is,
    /// Its own id is another, or none, but the id stands here.
    Mentions(Mention),
}

/// Where in a record an id stands that is not its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mention {
    Header(String),
    Key,
    Value,
}

impl fmt::Display for Mention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(name) => write!(f, "in the header `{name}`"),
            Self::Key => f.write_str("as the key"),
            Self::Value => f.write_str("in the value"),
        }
    }
}

/// All that a record must be to be the one: the id, and the rest as far as it was said.
#[derive(Debug, Default)]
pub struct Wanted {
    id: Option<WantedId>,
    key: Option<Vec<u8>>,
    headers: Vec<WantedHeader>,
    conditions: Vec<Condition>,
}

#[derive(Debug)]
struct WantedId {
    text: String,
    trace: Option<TraceId>,
    finder: memmem::Finder<'static>,
}

impl Wanted {
    /// Wants a record with this key, these headers and this in its value.
    pub fn new(
        key: Option<Vec<u8>>,
        headers: Vec<WantedHeader>,
        conditions: Vec<Condition>,
    ) -> Self {
        Self {
            id: None,
            key,
            headers,
            conditions,
        }
    }

    /// Wants a message, or a trace, with this id.
    #[must_use]
    pub fn with_id(mut self, id: &str) -> Self {
        self.id = Some(WantedId {
            text: id.to_owned(),
            trace: id.parse().ok(),
            finder: memmem::Finder::new(id.as_bytes()).into_owned(),
        });
        self
    }

    /// Looks at headers and key first, and into the value only where the rest leaves it open.
    pub fn look(&self, record: &Record<'_>) -> Option<Match> {
        if let Some(key) = &self.key
            && record.key != Some(key)
        {
            return None;
        }
        if !self.headers.iter().all(|header| header.is_in(record)) {
            return None;
        }
        let found = match &self.id {
            Some(id) => id.look(record)?,
            None => Match::Is,
        };
        if !self.conditions.is_empty() {
            let json = json_of(record);
            let holds = |condition: &Condition| condition.matches(json);
            if !self.conditions.iter().all(holds) {
                return None;
            }
        }
        Some(found)
    }
}

impl WantedId {
    fn look(&self, record: &Record<'_>) -> Option<Match> {
        let trace = self.trace.filter(|_| may_be_traced(record));
        if trace.is_some_and(|trace| {
            TraceContext::of(record.headers).is_some_and(|context| context.trace_id == trace)
        }) {
            return Some(Match::Is);
        }
        let in_header = record
            .headers
            .iter()
            .find(|header| header.value.is_some_and(|value| self.is_in(value)));
        let in_key = record.key.is_some_and(|key| self.is_in(key));
        let in_value = || record.value.is_some_and(|value| self.is_in(value));
        if in_header.is_none() && !in_key && !in_value() {
            return None;
        }
        // What comes now is rare: the id stands somewhere in this record.
        let own = message_id(record.headers, record.value);
        if own.is_some_and(|own| own == self.text) {
            return Some(Match::Is);
        }
        Some(Match::Mentions(match in_header {
            Some(header) => Mention::Header(String::from_utf8_lossy(header.name).into_owned()),
            None if in_key => Mention::Key,
            None => Mention::Value,
        }))
    }

    /// Whether the id stands in `bytes` on its own, not as a part of a longer word.
    fn is_in(&self, bytes: &[u8]) -> bool {
        let is_of_word = |byte: Option<&u8>| {
            byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        };
        self.finder.find_iter(bytes).any(|start| {
            let before = start.checked_sub(1).and_then(|before| bytes.get(before));
            !is_of_word(before) && !is_of_word(bytes.get(start + self.text.len()))
        })
    }
}

/// Whether a header may hold a trace context; cheaper than to read it.
fn may_be_traced(record: &Record<'_>) -> bool {
    record.headers.iter().any(|header| {
        let name = header.name;
        name == b"traceparent"
            || name == b"ce_traceparent"
            || name.eq_ignore_ascii_case(b"b3")
            || name.eq_ignore_ascii_case(b"x-b3-traceid")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Header;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    fn look(id: &str, headers: &[(&str, &str)], key: &str, value: &str) -> Option<Match> {
        let headers: Vec<Header<'_>> = headers
            .iter()
            .map(|(name, value)| Header {
                name: name.as_bytes(),
                value: Some(value.as_bytes()),
            })
            .collect();
        Wanted::default().with_id(id).look(&Record {
            topic: "orders",
            partition: 0,
            offset: 0,
            timestamp: None,
            key: Some(key.as_bytes()),
            value: Some(value.as_bytes()),
            headers: &headers,
        })
    }

    #[test]
    fn an_id_is_a_place_a_trace_or_the_id_of_a_message() {
        let place = Id::Place {
            topic: "a.b-c_D".into(),
            partition: 2,
            offset: 4711,
        };
        assert_eq!("a.b-c_D:2:4711".parse(), Ok(place));
        for text in ["a:2", "a:-1:2", "a b:1:2", ":1:2", "urn:x:y", "7", TRACE] {
            assert_eq!(text.parse(), Ok(Id::Message(text.into())), "{text}");
        }
        let parent = format!("00-{TRACE}-00f067aa0ba902b7-01");
        assert_eq!(parent.parse(), Ok(Id::Message(TRACE.into())));
        assert_eq!("".parse::<Id>(), Err(EmptyId));
    }

    #[test]
    fn a_record_is_the_one_by_its_own_id() {
        for (headers, value) in [
            (&[("message-id", "m-1")][..], "{}"),
            (&[("ce_id", "m-1"), ("id", "other")], "{}"),
            (&[("id", "\"m-1\"")], r#"{"id":7}"#),
            (&[], r#"{"id":"m-1"}"#),
            (&[], r#"{"a":{"b":1},"event_id":"m-1"}"#),
        ] {
            assert_eq!(look("m-1", headers, "k", value), Some(Match::Is), "{value}");
        }
        assert_eq!(look("7", &[], "k", r#"{"id":7}"#), Some(Match::Is));
    }

    #[test]
    fn a_record_of_another_id_mentions_it() {
        let other = [("message-id", "other"), ("correlation-id", "m-1")];
        assert_eq!(
            look("m-1", &other, "m-1", r#"{"id":"m-1"}"#),
            Some(Match::Mentions(Mention::Header("correlation-id".into())))
        );
        assert_eq!(
            look("m-1", &[], "m-1", "text"),
            Some(Match::Mentions(Mention::Key))
        );
        assert_eq!(
            look("m-1", &[], "k", "see [m-1]"),
            Some(Match::Mentions(Mention::Value))
        );
    }

    #[test]
    fn a_part_of_a_word_is_no_mention() {
        for value in ["m-12", "xm-1", "m-1-2", "_m-1", "17", ""] {
            assert_eq!(look("m-1", &[], value, value), None, "{value}");
            assert_eq!(look("7", &[("h", "71")], "k", "77"), None);
        }
        // The second is on its own.
        assert!(look("m-1", &[], "k", "m-12 m-1").is_some());
    }

    #[test]
    fn traces_of_each_dialect_are_recognised() {
        let parent = format!("00-{TRACE}-00f067aa0ba902b7-01");
        for headers in [
            &[("traceparent", parent.as_str())][..],
            &[("ce_traceparent", &parent)],
            &[(
                "b3",
                &format!("{}-00f067aa0ba902b7-1", TRACE.to_uppercase()),
            )],
            &[("X-B3-TraceId", TRACE), ("X-B3-SpanId", "00f067aa0ba902b7")],
        ] {
            let found = look(TRACE, headers, "k", "{}");
            assert_eq!(found, Some(Match::Is), "{headers:?}");
        }
        let without = [(
            "traceparent",
            "00-4bf92f3577b34da6a3ce929d0e0e4737-00f067aa0ba902b7-01",
        )];
        assert_eq!(look(TRACE, &without, "k", "{}"), None);
    }

    #[test]
    fn key_headers_and_conditions_must_all_hold() {
        let wanted = |key: &str, header: &str, condition: &str| Wanted {
            key: Some(key.into()),
            headers: vec![header.parse().unwrap()],
            conditions: vec![condition.parse().unwrap()],
            ..Wanted::default()
        };
        let record = Record {
            topic: "t",
            partition: 0,
            offset: 0,
            timestamp: None,
            key: Some(b"u-17"),
            value: Some(br#"{"total":7}"#),
            headers: &[Header {
                name: b"source",
                value: Some(b"a=b"),
            }],
        };
        let found = |key, header, condition| wanted(key, header, condition).look(&record);
        assert_eq!(found("u-17", "source=a=b", "/total=7"), Some(Match::Is));
        assert_eq!(found("u-1", "source=a=b", "/total=7"), None);
        assert_eq!(found("u-17", "source=a", "/total=7"), None);
        assert_eq!(found("u-17", "source=a=b", "/total=8"), None);
        assert_eq!("=x".parse::<WantedHeader>(), Err(NoHeader));
        assert_eq!("x".parse::<WantedHeader>(), Err(NoHeader));
    }
}
