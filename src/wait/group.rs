//! What can be waited for of a group.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::{Obstacle, Unmet};
use crate::kafka::{Admin, Error as KafkaError, GroupState, PartitionLag};

/// Something that is to be so of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupCondition {
    /// It has members, and each has its share.
    Stable,
    /// It is there and has no members.
    Empty,
    /// It is at most so many offsets behind, all partitions together.
    Lag(u64),
}

/// Why a text is no condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("expected `stable`, `empty` or `lag=N`")]
pub struct NotAGroupCondition;

impl FromStr for GroupCondition {
    type Err = NotAGroupCondition;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "stable" => Ok(Self::Stable),
            "empty" => Ok(Self::Empty),
            _ => {
                let number = text.strip_prefix("lag=").ok_or(NotAGroupCondition)?;
                let most = number.parse().map_err(|_| NotAGroupCondition)?;
                Ok(Self::Lag(most))
            }
        }
    }
}

impl fmt::Display for GroupCondition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stable => formatter.write_str("stable"),
            Self::Empty => formatter.write_str("empty"),
            Self::Lag(most) => write!(formatter, "lag={most}"),
        }
    }
}

/// Looks at `group` once.
///
/// # Errors
/// [`Obstacle`], the first condition that does not hold among them.
pub fn look(admin: &Admin, group: &str, conditions: &[GroupCondition]) -> Result<(), Obstacle> {
    let asks_for_state = conditions
        .iter()
        .any(|condition| !matches!(condition, GroupCondition::Lag(_)));
    let state = if asks_for_state {
        let mut described = admin.describe_groups(&[group])?;
        let described = described.pop().transpose()?;
        described.map(|group| group.state)
    } else {
        None
    };
    let partitions = if conditions
        .iter()
        .any(|condition| matches!(condition, GroupCondition::Lag(_)))
    {
        let lag = admin.lag(&[group])?.pop().transpose()?;
        lag.map_or_else(Vec::new, |lag| lag.partitions)
    } else {
        Vec::new()
    };
    for condition in conditions {
        match *condition {
            GroupCondition::Stable => is_in(group, state, GroupState::Stable)?,
            GroupCondition::Empty => is_in(group, state, GroupState::Empty)?,
            GroupCondition::Lag(most) => is_within(group, &partitions, most)?,
        }
    }
    Ok(())
}

fn is_in(group: &str, state: Option<GroupState>, wanted: GroupState) -> Result<(), Obstacle> {
    match state {
        Some(state) if state == wanted => Ok(()),
        Some(state) => Err(Unmet::State {
            group: group.to_owned(),
            state,
        }
        .into()),
        None => Err(KafkaError::UnknownGroup(group.to_owned()).into()),
    }
}

/// Judges how far a group is behind.
///
/// A partition that nothing was committed of is behind by all that was ever in it; one whose
/// end is not known, because it is gone, is left out, as nobody can catch up there. A group
/// that has no partitions at all has not begun, so it has not caught up either.
fn is_within(group: &str, partitions: &[PartitionLag], most: u64) -> Result<(), Unmet> {
    if partitions.iter().all(|one| one.committed.is_none()) {
        return Err(Unmet::NothingCommitted(group.to_owned()));
    }
    let behind = |one: &PartitionLag| Some((one.end? - one.committed.unwrap_or(0)).max(0));
    let found: i64 = partitions.iter().filter_map(behind).sum();
    if u64::try_from(found).is_ok_and(|found| found <= most) {
        return Ok(());
    }
    Err(Unmet::Lag {
        group: group.to_owned(),
        found,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(committed: Option<i64>, end: Option<i64>) -> PartitionLag {
        PartitionLag {
            topic: "orders".into(),
            partition: 0,
            committed,
            end,
            member: None,
        }
    }

    fn told(partitions: &[PartitionLag], most: u64) -> Result<(), String> {
        is_within("g", partitions, most).map_err(|unmet| unmet.to_string())
    }

    #[test]
    fn lag_is_that_of_all_partitions_together() {
        let partitions = [
            partition(Some(10), Some(13)),
            partition(Some(4), Some(8)),
            // The log was cut back, and a partition is gone.
            partition(Some(9), Some(5)),
            partition(Some(9), None),
        ];
        assert_eq!(told(&partitions, 7), Ok(()));
        assert_eq!(told(&partitions, 6), Err("group `g` is 7 behind".into()));
    }

    #[test]
    fn a_partition_without_a_commit_is_all_behind_and_an_empty_one_is_not() {
        let begun = partition(Some(3), Some(3));
        let untouched = partition(None, Some(5));
        let empty = partition(None, Some(0));
        assert_eq!(told(&[begun.clone(), empty], 0), Ok(()));
        assert_eq!(
            told(&[begun, untouched], 0),
            Err("group `g` is 5 behind".into())
        );
    }

    #[test]
    fn a_group_that_has_committed_nothing_has_not_caught_up() {
        let nothing = Err("group `g` has committed nothing".to_owned());
        assert_eq!(told(&[], 0), nothing);
        assert_eq!(told(&[partition(None, Some(0))], 9), nothing);
    }

    #[test]
    fn states_are_compared_and_a_group_that_is_not_there_is_in_none() {
        let told = |state| is_in("g", state, GroupState::Stable).map_err(|one| one.to_string());
        assert_eq!(told(Some(GroupState::Stable)), Ok(()));
        assert_eq!(
            told(Some(GroupState::PreparingRebalance)),
            Err("group `g` is PreparingRebalance".into())
        );
        assert_eq!(told(None), Err("group `g` does not exist".into()));
    }

    #[test]
    fn a_condition_is_printed_as_it_is_typed_and_others_are_refused() {
        for text in ["stable", "empty", "lag=0"] {
            let condition: GroupCondition = text.parse().unwrap();
            assert_eq!(condition.to_string(), text);
        }
        for text in ["", "lag", "lag=-1", "lag=x", "Stable", "exists"] {
            assert!(text.parse::<GroupCondition>().is_err(), "{text}");
        }
    }
}
