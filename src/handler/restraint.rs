//! How much may wait: the source stops to fetch a partition of which enough is here, so that neither
//! memory grows nor one that is stuck takes the room of the others.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Assignment;
use super::dispatch::{Dispatch, Key, State};
use crate::kafka::Hold;

/// Records that wait for a handler are no more than this, in bytes.
const MOST_BYTES: usize = 8 * 1024 * 1024;

/// The same in records: a pause costs librdkafka what it had fetched ahead, so there are few.
const MOST_RECORDS: usize = 20_000;

/// So much of the bounds is each partition's, however many there are.
const LEAST_BYTES: usize = 256 * 1024;
const LEAST_RECORDS: usize = 500;

impl Dispatch<'_> {
    /// Lets the source stop to fetch partitions of which enough is here, or all when nothing can be
    /// done with them.
    pub(super) fn hold(&self, state: &mut State) {
        let count = state.partitions.len().max(1);
        let most_records = (self.most_records() / count).max(LEAST_RECORDS);
        let most_bytes = (MOST_BYTES / count).max(LEAST_BYTES);
        let is_crowded = |(key, assignment): &(&Key, &Arc<Assignment>)| {
            // Where it is held it is so until most of it is gone.
            let share = if state.hold.partitions.contains(*key) {
                4
            } else {
                1
            };
            let load = self.queue().load_of(assignment);
            load.records > most_records / share || load.bytes > most_bytes / share
        };
        let crowded = state.partitions.iter().filter(is_crowded);
        let partitions: BTreeSet<Key> = crowded.map(|(key, _)| key.clone()).collect();
        let hold = Hold {
            all: state.end.is_some()
                || state.failure.is_some()
                || self.tools.breaker.is_open()
                || self.queue().load().bytes > MOST_BYTES * 2,
            partitions,
        };
        if hold != state.hold {
            self.source.hold(hold.clone());
            state.hold = hold;
        }
    }

    fn most_records(&self) -> usize {
        let in_hand = self.workers.saturating_mul(self.tools.manner.batch);
        MOST_RECORDS.max(in_hand.saturating_mul(2))
    }
}
