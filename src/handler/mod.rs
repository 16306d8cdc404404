//! Hands records to a command, and settles each: accepted, dead-lettered, skipped, or still to do.
//!
//! The dispatcher puts records into one queue, from which each worker takes what is next and whose key
//! nobody else has in hand, so records of a key never overtake one another and a slow one holds up no
//! other key. Only what is settled without a gap is reported as finished. Nothing here waits for a
//! handler but its own worker: the group is polled and the dispatcher answers whatever the handlers
//! do.

mod attempts;
mod backlog;
#[cfg(test)]
mod backlog_properties;
mod backoff;
mod breaker;
mod burial;
mod chatter;
mod dispatch;
mod error;
mod handover;
mod input;
mod listener;
mod metrics;
mod outlet;
mod output;
mod partition;
mod process;
mod queue;
mod restraint;
mod stream;
mod tools;
mod verdict;
mod wake;
mod worker;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use attempts::Attempts;
pub use backoff::{Backoff, BackoffError};
pub use breaker::Breaker;
pub use chatter::{Chatter, Heard, chatter};
pub use dispatch::{Dispatch, Event, Lags, Observe, channel_of_events};
pub use error::Error;
pub use handover::drain;
pub use listener::Stdout;
pub use metrics::{Counts, Metrics, write_file};
pub use outlet::{Outlet, Transactions};
pub use process::{Herd, Program};
pub use queue::Queue;
pub use tools::{Tools, Witness};
pub use verdict::{Ending, Rule, RuleError, Verdict};

use crate::kafka::Taken;
use crate::record::{Header, Record};

/// How records are handled.
#[derive(Clone, Debug)]
pub struct Manner {
    /// The group they are handled for.
    pub group: String,
    /// What a handler finds on stdin.
    pub form: Form,
    /// Whether one handler stays and answers line by line.
    pub stream: bool,
    /// Records at most that one run handles, or that wait for their verdict.
    pub batch: usize,
    /// How long a batch waits until it is full.
    pub flush_interval: Duration,
    /// How long a run may take.
    pub timeout: Duration,
    /// Tries of a record, the first included; at least one.
    pub max_attempts: u32,
    pub backoff: Backoff,
    pub rules: Vec<Rule>,
    pub last_resort: LastResort,
    /// What handlers print is sent there.
    pub to: Option<Target>,
}

/// What a handler reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Record lines.
    Lines,
    /// The value of one record and nothing else; of several, a line feed behind each.
    Values,
}

/// What becomes of a record that was tried as often as allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LastResort {
    /// The run ends.
    Stop,
    /// It is passed over.
    Skip,
    /// It goes to this topic; `None` is `dlq.` and its own.
    DeadLetter(Option<String>),
}

/// Where output is sent.
#[derive(Clone, Debug)]
pub struct Target {
    pub topic: String,
    /// Each line is a value, with key and headers of the input where that is one record.
    pub lines: bool,
    /// With the offsets of the input, in one transaction.
    pub exactly_once: bool,
}

/// A partition as long as it is ours; when it comes back it is another.
#[derive(Debug)]
pub struct Assignment {
    holding: partition::Holding,
    topic: String,
    partition: i32,
}

/// A record that is being handled.
struct Item {
    taken: Taken,
    assignment: Arc<Assignment>,
    ticket: partition::Ticket,
}

impl Item {
    fn record<'a>(&'a self, room: &'a mut Vec<Header<'a>>) -> Record<'a> {
        self.taken.message().record(room)
    }

    fn offset(&self) -> i64 {
        self.ticket.offset
    }

    fn place(&self) -> Place<'_> {
        Place {
            topic: &self.assignment.topic,
            partition: self.assignment.partition,
            offset: self.offset(),
        }
    }
}

/// Where a record is, as people read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place<'a> {
    topic: &'a str,
    partition: i32,
    offset: i64,
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            topic,
            partition,
            offset,
        } = self;
        write!(formatter, "{topic}[{partition}]@{offset}")
    }
}

/// Why a record was not handled.
#[derive(Clone, Debug)]
pub struct Failure {
    ending: Ending,
    /// The last line of the handler's stderr, or what its verdict gave as a reason.
    words: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.ending)?;
        if !self.words.is_empty() {
            write!(formatter, ": {}", self.words)?;
        }
        Ok(())
    }
}
