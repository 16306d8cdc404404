//! `--grep`: a regular expression on one part of a record, in kcl's syntax.

use std::str::FromStr;

use regex::bytes::Regex;

use crate::pattern::PatternError;
use crate::record::Record;

/// A pattern on one part of a record: `[!][PART:]REGEX`.
///
/// PART is `k` (key), `v` (value, also without a prefix), `t` (topic), `hk` (any header's name),
/// `hv` (any header's value) or `h:NAME=` (the value of a header called NAME). `!` wants the
/// records that do not match. The pattern may match anywhere; null reads as empty. A value that
/// itself begins like a prefix is searched with `v:`.
#[derive(Clone, Debug)]
pub struct Grep {
    negated: bool,
    part: Part,
    pattern: Regex,
}

#[derive(Clone, Debug)]
enum Part {
    Key,
    Value,
    Topic,
    HeaderName,
    HeaderValue,
    Header(Box<[u8]>),
}

/// Why a text is no pattern.
#[derive(Clone, Debug, thiserror::Error)]
pub enum GrepError {
    /// `h:` without `=`.
    #[error("`{text}` names no header: expected `h:NAME=REGEX`, or `hk:REGEX` for any name")]
    HeaderWithoutName {
        /// As it was typed.
        text: String,
    },
    /// What follows the prefix is no regular expression.
    #[error(transparent)]
    Pattern(#[from] PatternError),
}

impl FromStr for Grep {
    type Err = GrepError;

    fn from_str(text: &str) -> Result<Self, GrepError> {
        let (negated, rest) = match text.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (part, pattern) = match rest.split_once(':') {
            Some(("k", pattern)) => (Part::Key, pattern),
            Some(("v", pattern)) => (Part::Value, pattern),
            Some(("t", pattern)) => (Part::Topic, pattern),
            Some(("hk", pattern)) => (Part::HeaderName, pattern),
            Some(("hv", pattern)) => (Part::HeaderValue, pattern),
            Some(("h", header)) => {
                let (name, pattern) = header
                    .split_once('=')
                    .ok_or_else(|| GrepError::HeaderWithoutName { text: text.into() })?;
                (Part::Header(name.as_bytes().into()), pattern)
            }
            _ => (Part::Value, rest),
        };
        let pattern = Regex::new(pattern).map_err(|error| PatternError::new(text, &error))?;
        Ok(Grep {
            negated,
            part,
            pattern,
        })
    }
}

impl Grep {
    /// Returns whether the record is wanted.
    pub fn matches(&self, record: &Record<'_>) -> bool {
        let is_match = |bytes: &[u8]| self.pattern.is_match(bytes);
        let or_empty = Option::<&[u8]>::unwrap_or_default;
        let mut headers = record.headers.iter();
        let found = match &self.part {
            Part::Key => is_match(or_empty(record.key)),
            Part::Value => is_match(or_empty(record.value)),
            Part::Topic => is_match(record.topic.as_bytes()),
            Part::HeaderName => headers.any(|header| is_match(header.name)),
            Part::HeaderValue => headers.any(|header| is_match(or_empty(header.value))),
            Part::Header(name) => {
                headers.any(|header| header.name == &**name && is_match(or_empty(header.value)))
            }
        };
        found != self.negated
    }
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::record::Header;

    const RECORD: Record<'_> = Record {
        topic: "orders",
        partition: 0,
        offset: 0,
        timestamp: None,
        key: Some(b"u-17"),
        value: Some(b"k:paid http://x \xff end"),
        headers: &[
            Header {
                name: b"trace",
                value: Some(b"abc"),
            },
            Header {
                name: b"trace",
                value: Some(b"def=g"),
            },
            Header {
                name: b"empty",
                value: None,
            },
        ],
    };

    fn matches(text: &str, record: &Record<'_>) -> bool {
        text.parse::<Grep>().unwrap().matches(record)
    }

    #[test]
    fn each_prefix_searches_its_part_and_negation_turns_it_round() {
        for (pattern, expected) in [
            ("paid", true),
            ("v:paid", true),
            ("v:k:paid", true),
            ("k:paid", false),
            ("k:^u-\\d+$", true),
            ("k:orders", false),
            ("t:^orders$", true),
            ("t:order$", false),
            ("hk:^tr", true),
            ("hk:abc", false),
            ("hv:^def", true),
            ("hv:trace", false),
            ("hv:^$", true),
            ("h:trace=^abc$", true),
            ("h:trace=^def=g$", true),
            ("h:trace=xyz", false),
            ("h:empty=^$", true),
            ("h:missing=", false),
            ("h:tra=abc", false),
            ("http://x", true),
            ("(?i)PAID", true),
            ("(?-u)\\xff end$", true),
            ("", true),
        ] {
            assert_eq!(matches(pattern, &RECORD), expected, "{pattern}");
            assert_eq!(
                matches(&format!("!{pattern}"), &RECORD),
                !expected,
                "!{pattern}"
            );
        }
    }

    #[test]
    fn null_reads_as_empty() {
        let tombstone = Record {
            key: None,
            value: None,
            ..RECORD
        };
        assert!(matches("v:^$", &tombstone));
        assert!(matches("k:^$", &tombstone));
        assert!(matches("!v:.", &tombstone));
    }

    #[test]
    fn what_is_no_pattern_is_quoted() {
        let error = "h:trace".parse::<Grep>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "`h:trace` names no header: expected `h:NAME=REGEX`, or `hk:REGEX` for any name"
        );
        let error = "!k:(".parse::<Grep>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "`!k:(` is not a regular expression: unclosed group"
        );
    }
}
