//! In what a topic of Kafka differs from what was asked, and whether making it so can lose anything.

use std::fmt::{self, Write as _};

use serde::Serialize;

use super::Found;
use crate::registry::Spec;

/// One thing that Kafka has otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// `topic`, `partitions`, `replication`, or `config.KEY`.
    pub field: String,
    /// What Kafka has; `None` when it has nothing of the kind.
    pub kafka: Option<String>,
    /// What was asked for.
    pub asked: Option<String>,
    /// Whether Kafka can be made to agree without losing anything.
    pub safe: bool,
}

impl Difference {
    /// That Kafka lacks the topic altogether; once it was there, its records are lost.
    pub fn absent(asked: &Spec, was_there: bool) -> Self {
        Self {
            field: "topic".to_owned(),
            kafka: None,
            asked: Some(summary(asked)),
            safe: !was_there,
        }
    }

    /// The setting that differs, if it is one.
    pub(super) fn setting(&self) -> Option<&str> {
        self.field.strip_prefix("config.")
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.kafka, &self.asked) {
            (None, _) if self.field == "topic" => f.write_str("Kafka does not have it"),
            (Some(kafka), Some(asked)) => {
                write!(f, "{}: {kafka} in Kafka, {asked} asked for", self.field)
            }
            (None, Some(asked)) => write!(f, "{}: {asked} asked for, not in Kafka", self.field),
            (Some(kafka), None) => {
                write!(f, "{}: {kafka} in Kafka, the default asked for", self.field)
            }
            (None, None) => f.write_str(&self.field),
        }
    }
}

/// What a request asks for, in one line.
pub fn summary(asked: &Spec) -> String {
    let mut summary = format!(
        "partitions {}, replication {}",
        asked.partitions, asked.replication
    );
    for (key, value) in &asked.config {
        // A String takes all that is written to it.
        let _ = write!(summary, ", {key}={value}");
    }
    summary
}

/// Says in what Kafka differs from `asked`.
pub(super) fn differences(asked: &Spec, found: &Found) -> Vec<Difference> {
    let mut differences = Vec::new();
    if found.partitions != asked.partitions {
        differences.push(Difference {
            field: "partitions".to_owned(),
            kafka: Some(found.partitions.to_string()),
            asked: Some(asked.partitions.to_string()),
            // Partitions can be added, never taken away.
            safe: found.partitions < asked.partitions,
        });
    }
    if found.replication != asked.replication {
        differences.push(Difference {
            field: "replication".to_owned(),
            kafka: Some(found.replication.to_string()),
            asked: Some(asked.replication.to_string()),
            safe: false,
        });
    }
    for (key, wanted) in found.config.iter().flat_map(|_| &asked.config) {
        let has = found.value(key);
        if has.is_none_or(|has| !is_same(has, wanted)) {
            differences.push(Difference {
                field: format!("config.{key}"),
                kafka: has.cloned(),
                asked: Some(wanted.clone()),
                safe: !may_delete_records(key, has.map(String::as_str), wanted),
            });
        }
    }
    differences
}

/// The settings that `from` set and `asked` no longer does, where they are still the topic's own.
pub(super) fn taken_back(from: &Spec, asked: &Spec, found: &Found) -> Vec<Difference> {
    let gone = from
        .config
        .keys()
        .filter(|key| !asked.config.contains_key(*key));
    gone.filter(|key| found.is_own(key))
        .map(|key| Difference {
            field: format!("config.{key}"),
            kafka: found.value(key).cloned(),
            asked: None,
            // What is inherited instead is not known here.
            safe: !may_delete_records(key, None, ""),
        })
        .collect()
}

impl Found {
    fn value(&self, key: &str) -> Option<&String> {
        self.config.as_ref()?.get(key)?.value.as_ref()
    }

    fn is_own(&self, key: &str) -> bool {
        let config = self.config.as_ref();
        config.is_some_and(|config| config.get(key).is_some_and(|one| one.is_of_topic))
    }
}

/// Whether the broker's value is the one asked for: it tells numbers and lists in its own
/// spelling (`ConfigDef.convertToString`).
fn is_same(has: &str, wanted: &str) -> bool {
    let number = |text: &str| text.trim().parse::<f64>().ok();
    let list = |text: &str| -> Vec<String> {
        let parts = text.split(',');
        parts.map(|part| part.trim().to_owned()).collect()
    };
    let whole = |text: &str| text.trim().parse::<i64>().ok();
    match (whole(has), whole(wanted)) {
        // Beyond 2^53 different numbers are the same as f64.
        (Some(has), Some(wanted)) => has == wanted,
        _ => match (number(has), number(wanted)) {
            (Some(has), Some(wanted)) => has.total_cmp(&wanted).is_eq(),
            _ => list(has) == list(wanted) || is_same_boolean(has, wanted),
        },
    }
}

fn is_same_boolean(has: &str, wanted: &str) -> bool {
    let wanted = wanted.trim();
    matches!(has, "true" | "false") && wanted.eq_ignore_ascii_case(has)
}

/// Whether records that are there may go when `key` becomes `wanted`.
fn may_delete_records(key: &str, has: Option<&str>, wanted: &str) -> bool {
    // -1 keeps for ever.
    let kept = |text: &str| match text.trim().parse::<i64>() {
        Ok(-1) => Some(i64::MAX),
        other => other.ok(),
    };
    match key {
        "cleanup.policy" => true,
        "retention.ms" | "retention.bytes" | "delete.retention.ms" => {
            match (has.and_then(kept), kept(wanted)) {
                (Some(has), Some(wanted)) => wanted < has,
                _ => true,
            }
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::*;

    #[test]
    fn the_brokers_spelling_of_a_value_is_no_difference() {
        for (has, wanted) in [
            ("1000", "01000"),
            ("0.5", "0.50"),
            ("compact,delete", "compact, delete"),
            ("true", "TRUE"),
            ("producer", " producer "),
        ] {
            assert!(is_same(has, wanted), "{has} {wanted}");
        }
        for (has, wanted) in [
            ("9223372036854775807", "9223372036854775806"),
            ("compact", "compact,delete"),
            ("-1", "1"),
            ("gzip", "GZIP"),
        ] {
            assert!(!is_same(has, wanted), "{has} {wanted}");
        }
    }

    #[test]
    fn what_may_delete_records_is_not_safe() {
        assert!(may_delete_records("retention.ms", Some("-1"), "1000"));
        assert!(may_delete_records("retention.bytes", Some("10"), "9"));
        assert!(may_delete_records(
            "cleanup.policy",
            Some("delete"),
            "compact"
        ));
        assert!(!may_delete_records("retention.ms", Some("1000"), "-1"));
        assert!(!may_delete_records("retention.ms", Some("9"), "10"));
        assert!(!may_delete_records("max.message.bytes", Some("9"), "1"));
    }

    proptest! {
        #[test]
        fn a_value_is_the_same_as_itself(value in any::<String>()) {
            assert!(is_same(&value, &value));
        }
    }
}
