//! What a message's life should look like, and whether it does.

use std::fmt;
use std::time::Duration;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::stage::Stage;
use super::timeline::{Fate, Hop, Timeline};
use crate::syntax::Syntax;
use crate::time;

/// The stages and topics that a message should come through, and how long that may take.
///
/// ```toml
/// within = "45ms"
/// topics = ["orders", "orders.paid"]
/// stages = ["CREATED", "PERSISTED", { stage = "STORED", group = "billing", within = "20ms" }]
/// ```
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    #[serde(default)]
    pub stages: Vec<Expected>,
    /// It should be in each of them.
    #[serde(default)]
    pub topics: Vec<String>,
    /// From the first stage to the last that is expected.
    #[serde(default, deserialize_with = "duration")]
    pub within: Option<Duration>,
}

/// One stage that should be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    pub stage: Stage,
    pub topic: Option<String>,
    pub group: Option<String>,
    pub service: Option<String>,
    /// Since the stage before, as the table shows it.
    pub within: Option<Duration>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Described {
    stage: Name,
    topic: Option<String>,
    group: Option<String>,
    service: Option<String>,
    #[serde(default, deserialize_with = "duration")]
    within: Option<Duration>,
}

/// A stage's name, in capitals or not.
struct Name(Stage);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        name.parse().map(Name).map_err(D::Error::custom)
    }
}

fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let duration = time::parse_duration(&text).map_err(D::Error::custom)?;
    Ok(Some(duration))
}

impl<'de> Deserialize<'de> for Expected {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Expected;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("the name of a stage, or a table with `stage`")
            }

            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Expected, E> {
                Ok(Expected {
                    stage: name.parse().map_err(E::custom)?,
                    topic: None,
                    group: None,
                    service: None,
                    within: None,
                })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Expected, A::Error> {
                let described = Described::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Expected {
                    stage: described.stage.0,
                    topic: described.topic,
                    group: described.group,
                    service: described.service,
                    within: described.within,
                })
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// Why a text says nothing about a message's life.
#[derive(Debug, thiserror::Error)]
pub enum ExpectationError {
    #[error(transparent)]
    Json(#[from] Syntax),
    #[error(transparent)]
    Toml(#[from] toml::de::Error),
    #[error("nothing is expected: there is neither `stages` nor `topics` nor `within`")]
    Empty,
}

/// The first thing that is not as expected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Shortfall {
    /// A stage that was not reached.
    Missing(Stage),
    /// A stage that reported an error.
    Failed(Stage, Option<String>),
    /// A stage that took more microseconds than this duration.
    Late(Stage, i64, Duration),
    /// A topic that it is not in.
    NotIn(String),
}

impl Expectation {
    /// Reads JSON, which begins with a brace, or TOML.
    pub fn parse(text: &str) -> Result<Self, ExpectationError> {
        let read: Self = if text.trim_start().starts_with('{') {
            serde_json::from_str(text).map_err(Syntax::from)?
        } else {
            toml::from_str(text)?
        };
        if read.stages.is_empty() && read.topics.is_empty() && read.within.is_none() {
            return Err(ExpectationError::Empty);
        }
        Ok(read)
    }

    /// The first stage in the order of the file, or the first topic, that is not as it should be.
    pub fn shortfall(&self, timeline: &Timeline) -> Option<Shortfall> {
        let mut last: Option<&Hop> = None;
        for expected in &self.stages {
            let hop = match expected.find(timeline) {
                Ok(hop) => hop,
                Err(shortfall) => return Some(shortfall),
            };
            if let (Some(within), Some(took)) = (expected.within, hop.since_previous)
                && exceeds(took, within)
            {
                return Some(Shortfall::Late(hop.stage, took, within));
            }
            if hop.since_first > last.and_then(|last| last.since_first) {
                last = Some(hop);
            }
        }
        let is_in = |topic: &String| {
            let mut hops = timeline.hops.iter();
            hops.any(|hop| hop.topic.as_ref() == Some(topic))
        };
        if let Some(topic) = self.topics.iter().find(|topic| !is_in(topic)) {
            return Some(Shortfall::NotIn(topic.clone()));
        }
        let within = self.within?;
        let mut reached = timeline.hops.iter().filter(|hop| hop.since_first.is_some());
        let last = if self.stages.is_empty() {
            reached.next_back()
        } else {
            last
        }?;
        let took = last.since_first?;
        exceeds(took, within).then_some(Shortfall::Late(last.stage, took, within))
    }
}

/// Whether so many microseconds are more than `within`.
pub fn exceeds(took: i64, within: Duration) -> bool {
    u128::try_from(took).is_ok_and(|took| took > within.as_micros())
}

impl Expected {
    /// The first time that the stage was reached.
    fn find<'a>(&self, timeline: &'a Timeline) -> Result<&'a Hop, Shortfall> {
        let is_it = |wanted: &Option<String>, is: &Option<String>| wanted.is_none() || wanted == is;
        let hops = || {
            timeline.hops.iter().filter(|hop| {
                hop.stage == self.stage
                    && is_it(&self.topic, &hop.topic)
                    && is_it(&self.group, &hop.group)
                    && is_it(&self.service, &hop.service)
            })
        };
        if let Some(hop) = hops().find(|hop| hop.fate == Fate::Ok) {
            return Ok(hop);
        }
        Err(match hops().find(|hop| hop.fate == Fate::Error) {
            Some(hop) => Shortfall::Failed(self.stage, hop.error.clone()),
            None => Shortfall::Missing(self.stage),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{StageEvent, StageStatus};

    fn timeline() -> Timeline {
        let event = |stage, at, group: Option<&str>, topic: Option<&str>| StageEvent {
            message_id: Some("m".into()),
            group: group.map(Into::into),
            topic: topic.map(Into::into),
            ..StageEvent::new(stage, at)
        };
        let mut failed = event(Stage::Processed, 40_000, Some("b"), Some("orders"));
        failed.status = StageStatus::Error;
        failed.error = Some("no card".into());
        let events = [
            event(Stage::Created, 0, None, None),
            event(Stage::Persisted, 10_000, None, Some("orders")),
            event(Stage::Consumed, 30_000, Some("a"), Some("orders")),
            failed,
        ];
        Timeline::of(&events, &[]).remove(0)
    }

    #[track_caller]
    fn shortfall(text: &str) -> Option<Shortfall> {
        Expectation::parse(text).unwrap().shortfall(&timeline())
    }

    #[test]
    fn what_is_as_expected_falls_short_of_nothing() {
        for text in [
            r#"stages = ["CREATED", "persisted", { stage = "CONSUMED", group = "a" }]"#,
            r#"topics = ["orders"]"#,
            "within = \"40ms\"",
            "stages = [\"CREATED\", \"CONSUMED\"]\nwithin = \"30ms\"",
            r#"stages = [{ stage = "CONSUMED", within = "20ms" }]"#,
            r#"{"stages": ["CREATED", {"stage": "CONSUMED", "topic": "orders"}], "within": "1s"}"#,
        ] {
            assert_eq!(shortfall(text), None, "{text}");
        }
    }

    #[test]
    fn the_first_stage_that_is_missing_late_or_failed_is_named() {
        for (text, expected) in [
            (
                r#"stages = ["CREATED", "STORED", "DISPLAYED"]"#,
                Shortfall::Missing(Stage::Stored),
            ),
            (
                r#"stages = [{ stage = "CONSUMED", group = "b" }]"#,
                Shortfall::Missing(Stage::Consumed),
            ),
            (
                r#"stages = [{ stage = "PERSISTED", topic = "other" }]"#,
                Shortfall::Missing(Stage::Persisted),
            ),
            (
                r#"stages = ["PROCESSED"]"#,
                Shortfall::Failed(Stage::Processed, Some("no card".into())),
            ),
            (
                r#"stages = [{ stage = "CONSUMED", within = "19ms" }]"#,
                Shortfall::Late(Stage::Consumed, 20_000, Duration::from_millis(19)),
            ),
            (
                "stages = [\"CREATED\", \"CONSUMED\"]\nwithin = \"29ms\"",
                Shortfall::Late(Stage::Consumed, 30_000, Duration::from_millis(29)),
            ),
            (
                "within = \"39ms\"",
                Shortfall::Late(Stage::Processed, 40_000, Duration::from_millis(39)),
            ),
            (
                r#"topics = ["orders", "paid"]"#,
                Shortfall::NotIn("paid".into()),
            ),
        ] {
            assert_eq!(shortfall(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for (text, says) in [
            ("", "nothing is expected"),
            ("{}", "nothing is expected"),
            ("stage = [\"CREATED\"]", "unknown field `stage`"),
            ("stages = [\"STORE\"]", "did you mean `STORED`?"),
            (
                "stages = [{ stage = \"STORED\", grop = \"a\" }]",
                "unknown field `grop`",
            ),
            ("stages = [{ group = \"a\" }]", "missing field `stage`"),
            ("stages = [1]", "the name of a stage"),
            ("within = \"soon\"", "`soon` is not a duration"),
            (
                "{\"stages\": [\"CREATED\"]",
                "the text ends inside an object",
            ),
        ] {
            let error = Expectation::parse(text).unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
