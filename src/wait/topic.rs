//! What can be waited for of a topic.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::{Obstacle, Unmet};
use crate::kafka::{self, Admin, Topic, Watermarks};

/// Something that is to be so of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopicCondition {
    Exists,
    /// It has at least so many partitions.
    Partitions(u32),
    /// Each partition has a leader: records can be sent to all of it.
    Leaders,
    /// Each replica of each partition is in sync.
    InSync,
    /// Its partitions hold so many offsets together, at least.
    Messages(u64),
    Deleted,
}

/// Why a text is no condition.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConditionError {
    #[error("expected `exists`, `partitions=N`, `leaders`, `isr`, `messages=N` or `deleted`")]
    Unknown,
    #[error("`{0}=N` needs a number for N")]
    NotANumber(&'static str),
}

impl FromStr for TopicCondition {
    type Err = ConditionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            None => match text {
                "exists" => Ok(Self::Exists),
                "leaders" => Ok(Self::Leaders),
                "isr" => Ok(Self::InSync),
                "deleted" => Ok(Self::Deleted),
                "partitions" => Err(ConditionError::NotANumber("partitions")),
                "messages" => Err(ConditionError::NotANumber("messages")),
                _ => Err(ConditionError::Unknown),
            },
            Some(("partitions", number)) => number
                .parse()
                .map(Self::Partitions)
                .map_err(|_| ConditionError::NotANumber("partitions")),
            Some(("messages", number)) => number
                .parse()
                .map(Self::Messages)
                .map_err(|_| ConditionError::NotANumber("messages")),
            Some(_) => Err(ConditionError::Unknown),
        }
    }
}

impl fmt::Display for TopicCondition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exists => formatter.write_str("exists"),
            Self::Partitions(number) => write!(formatter, "partitions={number}"),
            Self::Leaders => formatter.write_str("leaders"),
            Self::InSync => formatter.write_str("isr"),
            Self::Messages(number) => write!(formatter, "messages={number}"),
            Self::Deleted => formatter.write_str("deleted"),
        }
    }
}

/// Looks at topic `name` once.
///
/// # Errors
/// [`Obstacle`], the first condition that does not hold among them.
pub fn look(admin: &Admin, name: &str, conditions: &[TopicCondition]) -> Result<(), Obstacle> {
    let topic = match admin.topic(name) {
        Ok(topic) => Some(topic),
        Err(kafka::Error::UnknownTopic { .. }) if conditions.contains(&TopicCondition::Deleted) => {
            None
        }
        Err(error) => return Err(error.into()),
    };
    let asks_for_messages = conditions
        .iter()
        .any(|condition| matches!(condition, TopicCondition::Messages(_)));
    let messages = match &topic {
        Some(topic) if asks_for_messages => count(admin, topic)?,
        _ => 0,
    };
    Ok(check(name, topic.as_ref(), messages, conditions)?)
}

fn count(admin: &Admin, topic: &Topic) -> Result<u64, kafka::Error> {
    let partitions: Vec<(String, i32)> = topic
        .partitions
        .iter()
        .map(|partition| (topic.name.clone(), partition.id))
        .collect();
    let held = |marks: Watermarks| u64::try_from(marks.high - marks.low).unwrap_or(0);
    Ok(admin.watermarks(&partitions)?.into_iter().map(held).sum())
}

/// Judges a topic, or that there is none, by `conditions`; `messages` counts its offsets.
///
/// # Errors
/// The first condition that does not hold.
fn check(
    name: &str,
    topic: Option<&Topic>,
    messages: u64,
    conditions: &[TopicCondition],
) -> Result<(), Unmet> {
    let Some(topic) = topic else {
        return Ok(());
    };
    let which = |is_bad: &dyn Fn(&kafka::Partition) -> bool| -> Vec<i32> {
        let bad = topic.partitions.iter().filter(|one| is_bad(one));
        bad.map(|one| one.id).collect()
    };
    let name = || name.to_owned();
    for condition in conditions {
        let unmet = match *condition {
            TopicCondition::Exists => None,
            TopicCondition::Deleted => Some(Unmet::StillThere(name())),
            TopicCondition::Partitions(wanted) => {
                let found = topic.partitions.len();
                let is_short = found < usize::try_from(wanted).unwrap_or(usize::MAX);
                is_short.then(|| Unmet::Partitions {
                    topic: name(),
                    found,
                    wanted,
                })
            }
            TopicCondition::Leaders => {
                let partitions = which(&|one| one.leader.is_none());
                (!partitions.is_empty()).then(|| Unmet::Leaderless {
                    topic: name(),
                    partitions,
                })
            }
            TopicCondition::InSync => {
                let partitions = which(&|one| one.in_sync.len() < one.replicas.len());
                (!partitions.is_empty()).then(|| Unmet::OutOfSync {
                    topic: name(),
                    partitions,
                })
            }
            TopicCondition::Messages(wanted) => (messages < wanted).then(|| Unmet::Messages {
                topic: name(),
                found: messages,
                wanted,
            }),
        };
        if let Some(unmet) = unmet {
            return Err(unmet);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::Partition;

    fn topic() -> Topic {
        let partition = |id, leader, in_sync: &[i32]| Partition {
            id,
            leader,
            replicas: vec![1, 2],
            in_sync: in_sync.to_vec(),
        };
        Topic {
            name: "orders".into(),
            partitions: vec![
                partition(0, Some(1), &[1, 2]),
                partition(1, None, &[2]),
                partition(2, Some(2), &[2]),
            ],
        }
    }

    fn unmet(condition: &str) -> Option<String> {
        let condition = condition.parse().unwrap();
        let checked = check("orders", Some(&topic()), 41, &[condition]);
        checked.err().map(|unmet| unmet.to_string())
    }

    #[test]
    fn what_holds_is_met() {
        for condition in [
            "exists",
            "partitions=3",
            "partitions=0",
            "messages=41",
            "messages=0",
        ] {
            assert_eq!(unmet(condition), None, "{condition}");
        }
        assert_eq!(check("orders", None, 0, &[TopicCondition::Deleted]), Ok(()));
    }

    #[test]
    fn what_does_not_hold_is_told_with_how_far_it_is() {
        for (condition, expected) in [
            ("partitions=4", "topic `orders` has 3 of 4 partitions"),
            ("leaders", "topic `orders` has no leader for partition 1"),
            (
                "isr",
                "topic `orders` has replicas out of sync of partitions 1, 2",
            ),
            ("messages=42", "topic `orders` has 41 of 42 messages"),
            ("deleted", "topic `orders` is still there"),
        ] {
            assert_eq!(unmet(condition).as_deref(), Some(expected));
        }
    }

    #[test]
    fn the_first_condition_that_does_not_hold_is_told() {
        let conditions = [TopicCondition::Leaders, TopicCondition::Messages(99)];
        let told = check("orders", Some(&topic()), 0, &conditions);
        assert!(matches!(told, Err(Unmet::Leaderless { .. })));
    }

    #[test]
    fn a_condition_is_printed_as_it_is_typed() {
        for text in [
            "exists",
            "partitions=3",
            "leaders",
            "isr",
            "messages=100",
            "deleted",
        ] {
            let condition: TopicCondition = text.parse().unwrap();
            assert_eq!(condition.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_condition_is_refused() {
        for text in [
            "",
            "ready",
            "partitions",
            "messages=",
            "messages=-1",
            "isr=2",
            "partitions=x",
        ] {
            assert!(text.parse::<TopicCondition>().is_err(), "{text}");
        }
    }
}
