//! Which records are wanted: `--grep` and `--where`. A record passes when every one of them says so.

mod condition;
mod decimal;
mod grep;

pub use condition::{Condition, ConditionError};
pub use grep::{Grep, GrepError};

use crate::record::Record;

/// What a record must match to be wanted.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// `--grep`, each a pattern on one part of the record.
    pub grep: Vec<Grep>,
    /// `--where`, each a comparison inside the value.
    pub conditions: Vec<Condition>,
}

impl Filter {
    /// Returns whether every record passes.
    pub fn is_empty(&self) -> bool {
        self.grep.is_empty() && self.conditions.is_empty()
    }

    /// Returns whether the record matches all patterns and all conditions.
    pub fn matches(&self, record: &Record<'_>) -> bool {
        // Patterns first: they reject without reading JSON.
        self.grep.iter().all(|grep| grep.matches(record))
            && (self.conditions.is_empty() || {
                let json = record.value.and_then(|value| str::from_utf8(value).ok());
                self.conditions
                    .iter()
                    .all(|condition| condition.matches(json))
            })
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
        value: Some(br#"{"total":101}"#),
        headers: &[Header {
            name: b"trace",
            value: Some(b"abc"),
        }],
    };

    fn matches(grep: &[&str], conditions: &[&str]) -> bool {
        let filter = Filter {
            grep: grep.iter().map(|text| text.parse().unwrap()).collect(),
            conditions: conditions
                .iter()
                .map(|text| text.parse().unwrap())
                .collect(),
        };
        assert_eq!(filter.is_empty(), grep.is_empty() && conditions.is_empty());
        filter.matches(&RECORD)
    }

    #[test]
    fn every_pattern_and_every_condition_must_match() {
        assert!(matches(&[], &[]));
        assert!(matches(
            &["k:^u-", "h:trace=abc"],
            &["/total>100", "/total<102"]
        ));
        assert!(!matches(&["k:^u-", "h:trace=xyz"], &["/total>100"]));
        assert!(!matches(&["k:^u-"], &["/total>100", "/total>101"]));
        assert!(!matches(&["!k:^u-"], &[]));
    }

    #[test]
    fn a_value_that_is_not_utf_8_is_no_json() {
        let filter = Filter {
            conditions: vec!["/a=1".parse().unwrap()],
            ..Filter::default()
        };
        assert!(filter.matches(&Record {
            value: Some(br#"{"a":1,"b":"c"}"#),
            ..RECORD
        }));
        assert!(!filter.matches(&Record {
            value: Some(b"{\"a\":1,\"b\":\"\xff\"}"),
            ..RECORD
        }));
        assert!(!filter.matches(&Record {
            value: None,
            ..RECORD
        }));
    }
}
