//! How far a partition is finished without a gap: what is committed, never more.

use std::collections::VecDeque;

/// The records of one partition that were taken and are not committed.
///
/// Offsets come in order and are finished in any; what may be committed is the end of the longest
/// beginning that is finished.
#[derive(Debug, Default)]
pub(crate) struct Tracker {
    entries: VecDeque<Entry>,
    /// What may be committed and was not told yet.
    finished: Option<i64>,
}

#[derive(Debug)]
struct Entry {
    offset: i64,
    /// Where to go on when all up to here is finished.
    next: i64,
    done: bool,
}

impl Tracker {
    /// Takes notice of a record that is to be handled.
    pub(crate) fn begin(&mut self, offset: i64) {
        self.entries.push_back(Entry {
            offset,
            next: offset + 1,
            done: false,
        });
    }

    /// Takes notice of a record that nobody wants.
    pub(crate) fn pass(&mut self, offset: i64) {
        match self.entries.back_mut() {
            Some(last) => last.next = last.next.max(offset + 1),
            None => self.finished = Some(offset + 1),
        }
    }

    /// Takes notice that a record is finished.
    pub(crate) fn finish(&mut self, offset: i64) {
        let found = self
            .entries
            .binary_search_by_key(&offset, |entry| entry.offset);
        let Ok(index) = found else {
            return;
        };
        self.entries[index].done = true;
        while self.entries.front().is_some_and(|first| first.done) {
            self.finished = self.entries.pop_front().map(|first| first.next);
        }
    }

    /// Returns what may be committed, if that is more than when last asked: the next offset wanted.
    pub(crate) fn take_finished(&mut self) -> Option<i64> {
        self.finished.take()
    }

    /// Records that were begun and stand before a gap, finished or not.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn finished_is_the_longest_beginning_without_a_gap() {
        let mut tracker = Tracker::default();
        for offset in 5..=8 {
            tracker.begin(offset);
        }
        tracker.finish(6);
        assert_eq!(tracker.take_finished(), None);
        tracker.finish(5);
        tracker.finish(8);
        assert_eq!(tracker.take_finished(), Some(7));
        assert_eq!(tracker.take_finished(), None);
        tracker.finish(7);
        assert_eq!(tracker.take_finished(), Some(9));
    }

    #[test]
    fn what_nobody_wants_is_finished_with_what_came_before_it() {
        let mut tracker = Tracker::default();
        tracker.pass(0);
        assert_eq!(tracker.take_finished(), Some(1));
        tracker.begin(1);
        tracker.pass(2);
        tracker.pass(5);
        assert_eq!(tracker.take_finished(), None);
        tracker.finish(1);
        assert_eq!(tracker.take_finished(), Some(6));
    }

    #[test]
    fn a_record_that_was_never_begun_finishes_nothing() {
        let mut tracker = Tracker::default();
        tracker.begin(3);
        tracker.finish(2);
        assert_eq!(tracker.take_finished(), None);
    }

    proptest! {
        #[test]
        fn nothing_unfinished_is_ever_committed(
            records in prop::collection::vec((1..4_i64, any::<bool>()), 1..40),
            order in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
        ) {
            let mut tracker = Tracker::default();
            let mut offset = 0;
            let mut wanted = Vec::new();
            for (gap, is_wanted) in records {
                offset += gap;
                if is_wanted {
                    tracker.begin(offset);
                    wanted.push(offset);
                } else {
                    tracker.pass(offset);
                }
            }
            let end = offset + 1;
            let mut committed = tracker.take_finished().unwrap_or(0);
            for index in order {
                if wanted.is_empty() {
                    break;
                }
                tracker.finish(wanted.swap_remove(index.index(wanted.len())));
                if let Some(finished) = tracker.take_finished() {
                    prop_assert!(finished > committed);
                    committed = finished;
                }
                prop_assert!(wanted.iter().all(|unfinished| *unfinished >= committed));
            }
            for offset in wanted {
                tracker.finish(offset);
            }
            prop_assert_eq!(tracker.take_finished().unwrap_or(committed), end);
            prop_assert_eq!(tracker.len(), 0);
        }
    }
}
