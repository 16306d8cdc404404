//! The rules of a house: which names, numbers and configuration may be asked for.

use std::fmt;

use regex::Regex;
use serde::Deserialize;

use super::name::{self, NameError};
use super::request::Spec;
use crate::counted::Counted;

/// What has to be kept to when topics are asked for and decided on.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    pub four_eyes: FourEyes,
    pub policy: Policy,
}

/// Whether the requester may decide.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FourEyes {
    /// Somebody else decides.
    #[default]
    On,
    Off,
}

impl FourEyes {
    /// Returns its name, as in config.toml.
    pub fn name(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off => "off",
        }
    }
}

/// What a profile allows; what it does not mention, it allows.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// One of them has to match a name as a whole.
    names: Option<Vec<Pattern>>,
    partitions: Option<Range>,
    replication: Option<Range>,
    /// The only keys of a topic's configuration that may be set.
    config: Option<Vec<String>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
struct Pattern {
    text: String,
    whole: Regex,
}

impl TryFrom<String> for Pattern {
    type Error = NotAPattern;

    fn try_from(text: String) -> Result<Self, NotAPattern> {
        match (Regex::new(&text), Regex::new(&format!("^(?:{text})$"))) {
            (Ok(_), Ok(whole)) => Ok(Self { text, whole }),
            _ => Err(NotAPattern(text)),
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a regular expression")]
struct NotAPattern(String);

/// Numbers from `min` to `max`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Range {
    min: Option<i32>,
    max: Option<i32>,
}

impl Range {
    fn allows(self, number: i32) -> bool {
        self.min.is_none_or(|min| number >= min) && self.max.is_none_or(|max| number <= max)
    }
}

impl fmt::Display for Range {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.min, self.max) {
            (Some(min), Some(max)) if min == max => write!(formatter, "{min}"),
            (Some(min), Some(max)) => write!(formatter, "{min} to {max}"),
            (Some(min), None) => write!(formatter, "{min} or more"),
            (None, Some(max)) => write!(formatter, "{max} or fewer"),
            (None, None) => formatter.write_str("any"),
        }
    }
}

/// A rule that a request breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// Kafka's own rule, which no policy lifts.
    #[error(transparent)]
    Kafka(#[from] NameError),
    #[error("the name matches none of {}", Quoted(patterns))]
    Name { patterns: Vec<String> },
    #[error("{}, and {allowed} is allowed", Counted(*asked, "partition"))]
    Partitions { asked: i32, allowed: Range },
    #[error("a replication of {asked}, and {allowed} is allowed")]
    Replication { asked: i32, allowed: Range },
    #[error("`{key}` may not be set, only {}", Quoted(allowed))]
    ConfigKey { key: String, allowed: Vec<String> },
}

struct Quoted<'a>(&'a [String]);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return formatter.write_str("nothing");
        }
        for (index, text) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(formatter, "{separator}`{text}`")?;
        }
        Ok(())
    }
}

impl Policy {
    /// Returns the rules that there are: the key of each in config.toml, and what it allows.
    pub fn rules(&self) -> Vec<(&'static str, String)> {
        let patterns = |patterns: &Vec<Pattern>| {
            let texts: Vec<_> = patterns
                .iter()
                .map(|pattern| pattern.text.clone())
                .collect();
            texts.join(", ")
        };
        [
            ("names", self.names.as_ref().map(patterns)),
            ("partitions", self.partitions.map(|range| range.to_string())),
            (
                "replication",
                self.replication.map(|range| range.to_string()),
            ),
            ("config", self.config.as_ref().map(|keys| keys.join(", "))),
        ]
        .into_iter()
        .filter_map(|(rule, allowed)| Some((rule, allowed?)))
        .collect()
    }

    /// Returns whether it says itself which settings there are.
    pub fn names_settings(&self) -> bool {
        self.config.is_some()
    }

    /// Returns every rule that `spec` breaks, Kafka's own for names among them.
    pub fn check(&self, spec: &Spec) -> Vec<Violation> {
        let mut broken: Vec<Violation> = name::check(&spec.name)
            .into_iter()
            .map(Violation::from)
            .collect();
        if let Some(patterns) = &self.names
            && !patterns
                .iter()
                .any(|pattern| pattern.whole.is_match(&spec.name))
        {
            broken.push(Violation::Name {
                patterns: patterns
                    .iter()
                    .map(|pattern| pattern.text.clone())
                    .collect(),
            });
        }
        if let Some(allowed) = self.partitions
            && !allowed.allows(spec.partitions)
        {
            broken.push(Violation::Partitions {
                asked: spec.partitions,
                allowed,
            });
        }
        if let Some(allowed) = self.replication
            && !allowed.allows(spec.replication)
        {
            broken.push(Violation::Replication {
                asked: spec.replication,
                allowed,
            });
        }
        if let Some(allowed) = &self.config {
            let stray = spec.config.keys().filter(|key| !allowed.contains(key));
            broken.extend(stray.map(|key| Violation::ConfigKey {
                key: key.clone(),
                allowed: allowed.clone(),
            }));
        }
        broken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = "
        names = ['team-[a-z]+\\.[a-z.]+', 'sandbox-.*']
        partitions = { min = 2, max = 12 }
        replication = { min = 3, max = 3 }
        config = ['retention.ms', 'cleanup.policy']
    ";

    fn spec() -> Spec {
        Spec {
            name: "team-a.orders".to_owned(),
            created_by: "alice".to_owned(),
            partitions: 3,
            replication: 3,
            config: [("retention.ms".to_owned(), "1".to_owned())].into(),
            description: None,
            kind: None,
        }
    }

    fn broken(spec: &Spec) -> Vec<String> {
        let policy: Policy = toml::from_str(POLICY).unwrap();
        policy.check(spec).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_keeps_to_the_rules_breaks_none() {
        assert_eq!(broken(&spec()), Vec::<String>::new());
        for partitions in [2, 12] {
            assert_eq!(
                broken(&Spec {
                    partitions,
                    ..spec()
                }),
                Vec::<String>::new()
            );
        }
        let free = Spec {
            replication: 99,
            ..spec()
        };
        assert_eq!(Policy::default().check(&free), []);
    }

    #[test]
    fn each_rule_is_broken_for_itself() {
        for (spec, rule) in [
            (
                // Only a part of it matches.
                Spec {
                    name: "my-sandbox-x".to_owned(),
                    ..spec()
                },
                "the name matches none of `team-[a-z]+\\.[a-z.]+`, `sandbox-.*`",
            ),
            (
                Spec {
                    partitions: 1,
                    ..spec()
                },
                "1 partition, and 2 to 12 is allowed",
            ),
            (
                Spec {
                    partitions: 13,
                    ..spec()
                },
                "13 partitions, and 2 to 12 is allowed",
            ),
            (
                Spec {
                    replication: 1,
                    ..spec()
                },
                "a replication of 1, and 3 is allowed",
            ),
            (
                Spec {
                    config: [("min.insync.replicas".to_owned(), "0".to_owned())].into(),
                    ..spec()
                },
                "`min.insync.replicas` may not be set, only `retention.ms`, `cleanup.policy`",
            ),
        ] {
            assert_eq!(broken(&spec), [rule]);
        }
    }

    #[test]
    fn every_rule_broken_is_named() {
        let spec = Spec {
            name: "__x y".to_owned(),
            partitions: 99,
            replication: 9,
            config: [
                ("a".to_owned(), String::new()),
                ("b".to_owned(), String::new()),
            ]
            .into(),
            ..spec()
        };
        assert_eq!(broken(&spec).len(), 7);
    }

    #[test]
    fn a_pattern_cannot_leave_its_group() {
        let policy: Policy = toml::from_str("names = ['a|b']").unwrap();
        let named = |name: &str| Spec {
            name: name.to_owned(),
            ..spec()
        };
        assert_eq!(policy.check(&named("b")), []);
        assert_eq!(policy.check(&named("bc")).len(), 1);
        assert!(toml::from_str::<Policy>("names = ['a)(b']").is_err());
    }
}
