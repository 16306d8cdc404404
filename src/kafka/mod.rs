//! The only module that speaks to Kafka.
//!
//! librdkafka does the protocol; `ffi` is the one place with unsafe code. What leaves
//! this module are records borrowed from [`Messages`], and errors that say what to do.

mod admin;
mod broker;
mod client;
mod consume;
mod context;
mod error;
mod ffi;
mod group_target;
mod groups;
mod held;
mod kept;
mod member;
pub mod offset_spec;
mod partitioner;
mod peek;
mod plan;
mod producer;
mod progress;
mod reach;
mod reader;
mod revival;
mod survey;

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

pub use admin::{Admin, Each, NewTopic, Partition, Setting, Topic, TopicConfig, Watermarks};
pub use broker::Broker;
pub use client::{COMMON, CONNECT_TIMEOUT, Cluster, Listed, Listener};
pub use consume::DEFAULTS as CONSUMER_DEFAULTS;
pub use context::TokenSource;
pub use error::{Cause, Error};
pub(crate) use ffi::leave;
pub use ffi::{GroupMetadata, Message, Messages, Taken};
pub use group_target::{Bounds as OffsetBounds, Target, TargetError};
pub use groups::{
    Committed, Group, GroupKind, GroupLag, GroupMember, GroupState, Listing, PartitionLag,
};
pub use held::{Commit, Commits, Committer, Handover};
pub use kept::{Kept, Trouble};
pub use member::{Member, Membership, Subscriber};
pub use partitioner::Partitioner;
pub use peek::Peek;
pub use plan::{Range, Topics};
pub use producer::{
    Acknowledged, CommitError, DEFAULTS as PRODUCER_DEFAULTS, NotTaken, Outgoing, Producer,
    Refusal, Report, Settings,
};
pub use reach::{Probe, Reached};
pub use reader::{Reader, Selection};
pub use survey::Survey;

/// Whether Kafka takes `name` for a topic: 1 to 249 letters, digits, `.`, `_`, `-`, and
/// neither `.` nor `..` (`org.apache.kafka.common.internals.Topic`).
pub fn is_topic_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=249).contains(&name.len()) && name.bytes().all(fits) && name != "." && name != ".."
}

/// What came of asking a [`Source`] for more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The batch holds records.
    Records,
    /// Nothing came in time.
    Idle,
    /// Nothing more will come.
    End,
}

/// Where records come from.
pub trait Source {
    /// Fills the empty `batch`; waits up to `timeout` for the first record.
    fn next(&mut self, batch: &mut Messages, timeout: Duration) -> Result<Step, Error>;
    /// What the user should know, since last asked.
    fn notices(&mut self) -> Vec<Notice>;
    /// Partitions that are read further than their last record, and the next offset of each, since
    /// last asked: what lies between are markers of transactions, or was compacted or aborted.
    fn reached(&mut self) -> Vec<((String, i32), i64)>;
    /// Stops to fetch, or goes on; [`Source::next`] is asked all the same, so that a group keeps
    /// its member. Who is in no group need not do anything.
    fn hold(&mut self, _hold: &Hold) {}
    /// Lets go of what was held, such as a place in a group.
    fn close(&mut self) -> Result<(), Error>;
}

/// What is not to be fetched just now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hold {
    pub all: bool,
    /// These alone, by topic and number.
    pub partitions: BTreeSet<(String, i32)>,
}

impl Hold {
    fn contains(&self, partition: &(String, i32)) -> bool {
        self.all || self.partitions.contains(partition)
    }
}

/// Something that a reader should know about and that ends nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Records `from` to before `to` were removed before they were read.
    Gap {
        topic: String,
        partition: i32,
        from: i64,
        to: i64,
    },
    /// A partition appeared and is read from its beginning.
    Followed { topic: String, partition: i32 },
    /// A topic that a pattern matched was deleted.
    Gone { topic: String },
    /// The brokers are away.
    Waiting { trouble: String },
    /// What is kept of a partition outside of Kafka differs from what its group has committed, and it is what counts.
    Differs {
        topic: String,
        partition: i32,
        /// `None` where nothing is known of it.
        kept: Option<i64>,
        committed: i64,
        /// Of how many more partitions the same is true.
        more: usize,
    },
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gap {
                topic,
                partition,
                from,
                to,
            } if from <= to => write!(
                f,
                "{topic}[{partition}]: offsets {from} to {} were removed before they were read",
                to - 1
            ),
            Self::Gap {
                topic,
                partition,
                from,
                to,
            } => write!(
                f,
                "{topic}[{partition}]: the log was cut back from offset {from} to {to}"
            ),
            Self::Followed { topic, partition } => {
                write!(
                    f,
                    "{topic}[{partition}] appeared; reading it from its beginning"
                )
            }
            Self::Gone { topic } => write!(f, "topic `{topic}` was deleted"),
            Self::Differs {
                topic,
                partition,
                kept,
                committed,
                more,
            } => {
                match kept {
                    Some(kept) => write!(
                        f,
                        "{topic}[{partition}] goes on at offset {kept}, as the file has it, though the group is at \
                         {committed}"
                    ),
                    None => write!(
                        f,
                        "{topic}[{partition}] begins anew, as the file has nothing of it, though the group is at {committed}"
                    ),
                }?;
                match more {
                    0 => Ok(()),
                    1 => write!(f, "; 1 more partition differs"),
                    more => write!(f, "; {more} more partitions differ"),
                }
            }
            Self::Waiting { trouble } => write!(f, "waiting for Kafka: {trouble}"),
        }
    }
}
