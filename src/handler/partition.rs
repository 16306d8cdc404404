//! One partition in the backlog: what of it waits, is in hand or finished, and what may still begin.

use std::collections::{BTreeMap, VecDeque};

use crate::pipeline::tracker::Tracker;

/// A partition as long as it is ours; the next time it is another.
pub(super) type Holding = u64;

/// What the backlog knows of a record in hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket {
    pub(super) holding: Holding,
    pub(super) offset: i64,
    /// Records with the same token keep their order; `None` has none to keep.
    pub(super) order: Option<u64>,
    pub(super) size: usize,
    /// Where it stands among all records that came.
    pub(super) serial: u64,
}

/// A record that was not given out.
pub(super) type Waiting<T> = (Ticket, T);

/// What is known of a partition.
pub(super) struct Partition<T> {
    pub(super) tracker: Tracker,
    /// The next offset that is not finished.
    pub(super) next: i64,
    /// Records too far behind the first unfinished one to begin.
    pub(super) beyond: VecDeque<Waiting<T>>,
    /// Offsets in hand, and with which worker.
    pub(super) in_hand: BTreeMap<i64, usize>,
    pub(super) highest_finished: Option<i64>,
    pub(super) waiting: usize,
    pub(super) waiting_bytes: usize,
    pub(super) stage: Stage,
}

/// Whether it is still ours to work on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Open,
    /// Nothing begins but what lies before something that is finished or in hand.
    Closed,
    /// Nothing begins.
    Abandoned,
}

impl<T> Partition<T> {
    /// One that became ours, whose records come from `next` on.
    pub(super) fn new(next: i64) -> Self {
        Self {
            tracker: Tracker::default(),
            next,
            beyond: VecDeque::new(),
            in_hand: BTreeMap::new(),
            highest_finished: None,
            waiting: 0,
            waiting_bytes: 0,
            stage: Stage::Open,
        }
    }

    /// The last offset that is finished or in hand: what lies before it is to be finished too.
    pub(super) fn highest(&self) -> Option<i64> {
        let in_hand = self.in_hand.last_key_value().map(|(offset, _)| *offset);
        self.highest_finished.max(in_hand)
    }

    /// Whether nothing is lost when the record at `offset` is not done here.
    pub(super) fn lets_go(&self, offset: i64) -> bool {
        match self.stage {
            Stage::Open => false,
            Stage::Closed => self.highest().is_none_or(|highest| highest <= offset),
            Stage::Abandoned => true,
        }
    }
}
