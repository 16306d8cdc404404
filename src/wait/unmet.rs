//! What there is in place of what is waited for, in words.

use std::fmt;

use thiserror::Error;

use crate::kafka::GroupState;

/// What a topic or a group has in place of what is waited for.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unmet {
    #[error("topic `{0}` is still there")]
    StillThere(String),
    #[error("topic `{topic}` has {found} of {wanted} partitions")]
    Partitions {
        topic: String,
        found: usize,
        wanted: u32,
    },
    #[error("topic `{topic}` has no leader for {}", Listed(partitions))]
    Leaderless { topic: String, partitions: Vec<i32> },
    #[error("topic `{topic}` has replicas out of sync of {}", Listed(partitions))]
    OutOfSync { topic: String, partitions: Vec<i32> },
    #[error("topic `{topic}` has {found} of {wanted} messages")]
    Messages {
        topic: String,
        found: u64,
        wanted: u64,
    },
    #[error("group `{group}` is {state}")]
    State { group: String, state: GroupState },
    #[error("group `{0}` has committed nothing")]
    NothingCommitted(String),
    #[error("group `{group}` is {found} behind")]
    Lag { group: String, found: i64 },
}

impl Unmet {
    /// What to type next.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::StillThere(_) => None,
            Self::Partitions { topic, .. }
            | Self::Leaderless { topic, .. }
            | Self::OutOfSync { topic, .. } => {
                Some(format!("`kpipe topic describe {topic}` shows it"))
            }
            Self::State { group, .. } => Some(format!("`kpipe group describe {group}` shows it")),
            Self::NothingCommitted(group) | Self::Lag { group, .. } => {
                Some(format!("`kpipe group lag {group}` shows where"))
            }
            Self::Messages { topic, .. } => {
                Some(format!("`kpipe tail {topic} -l 5` prints the last ones"))
            }
        }
    }
}

/// Numbers of partitions, not all of very many.
struct Listed<'a>(&'a [i32]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 5;
        formatter.write_str(if self.0.len() == 1 {
            "partition "
        } else {
            "partitions "
        })?;
        for (index, partition) in self.0.iter().take(SHOWN).enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            write!(formatter, "{comma}{partition}")?;
        }
        match self.0.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(formatter, " and {more} more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn very_many_partitions_are_not_all_listed() {
        let many: Vec<i32> = (0..1000).collect();
        assert_eq!(
            Listed(&many).to_string(),
            "partitions 0, 1, 2, 3, 4 and 995 more"
        );
    }
}
