//! Which records are wanted: `--grep`, `--where` and `--subset`. A record passes when every one of them says so.

mod condition;
mod decimal;
mod grep;
mod subset;

pub use condition::{Condition, ConditionError};
pub use grep::{Grep, GrepError};
pub use subset::{Difference, Subset};

use crate::record::Record;

/// What a record must match to be wanted.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// `--grep`, each a pattern on one part of the record.
    pub grep: Vec<Grep>,
    /// `--where`, each a comparison inside the value.
    pub conditions: Vec<Condition>,
    /// `--subset`, JSON that the value holds.
    pub subset: Option<Subset>,
}

impl Filter {
    /// Returns whether every record passes.
    pub fn is_empty(&self) -> bool {
        self.grep.is_empty() && self.conditions.is_empty() && self.subset.is_none()
    }

    /// Returns whether the record matches all patterns and all conditions.
    pub fn matches(&self, record: &Record<'_>) -> bool {
        // Patterns first: they reject without reading JSON.
        if !self.grep.iter().all(|grep| grep.matches(record)) {
            return false;
        }
        if self.conditions.is_empty() && self.subset.is_none() {
            return true;
        }
        let json = json_of(record);
        let holds = |condition: &Condition| condition.matches(json);
        self.conditions.iter().all(holds) && self.subset.iter().all(|subset| subset.matches(json))
    }
}

/// The value as text that may be JSON.
pub fn json_of<'a>(record: &Record<'a>) -> Option<&'a str> {
    record.value.and_then(|value| str::from_utf8(value).ok())
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
            subset: None,
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
