//! What a replay tells while it runs, and counts.

use std::collections::BTreeMap;

use super::plan::Reason;
use crate::kafka::Notice;
use crate::record::Record;

/// How it goes.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Acknowledged, or in a dry run to be sent, by topic.
    pub sent: BTreeMap<String, u64>,
    /// What stays and was passed over, by what is said of it.
    pub left: BTreeMap<&'static str, u64>,
    /// What is behind one that could not be sent, that one included.
    pub stuck: u64,
    /// What was not meant.
    pub passed: u64,
}

impl Counts {
    /// Everything that was acknowledged.
    pub fn all_sent(&self) -> u64 {
        self.sent.values().sum()
    }

    /// Everything that stays though it was meant.
    pub fn all_left(&self) -> u64 {
        self.left.values().sum::<u64>() + self.stuck
    }
}

/// What is told while it runs.
pub enum Told<'a> {
    Notice(&'a Notice),
    /// The first record for this topic.
    Target(&'a str),
    /// This one stays, and is passed over.
    Left {
        partition: i32,
        offset: i64,
        reason: &'a Reason,
    },
    /// This one could not be sent, and what is behind it in its partition stays too.
    Stuck {
        partition: i32,
        offset: i64,
        reason: &'a Reason,
    },
    /// What would become of this one.
    Planned {
        record: &'a Record<'a>,
        to: Option<&'a str>,
        reason: Option<&'a Reason>,
    },
    Progress(&'a Counts),
}
