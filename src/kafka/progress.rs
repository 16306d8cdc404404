//! How far each partition has been read, and when there is nothing left to read.

use std::collections::HashMap;

/// The partitions being read.
///
/// Ends are reached by position, not by counting records: compaction and transaction
/// markers leave offsets without a record. A position is never passed twice, so what
/// an older assignment left in the queue, or a seek brings again, is not seen again.
#[derive(Debug, Default)]
pub(super) struct Progress {
    topics: HashMap<String, Vec<Option<Partition>>>,
    /// Partitions with an end that is not reached.
    open: usize,
    /// Partitions without an end.
    endless: usize,
}

#[derive(Clone, Copy, Debug)]
struct Partition {
    /// The next offset that is wanted.
    position: i64,
    /// Where to stop; `None` follows for ever.
    until: Option<i64>,
}

impl Partition {
    fn is_done(&self) -> bool {
        self.until.is_some_and(|until| self.position >= until)
    }
}

/// What to do with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Keep,
    /// Keep it, and its partition is done.
    KeepLast,
    Drop,
    /// Drop it; it lies behind the end, which is now known to be reached.
    DropBehindEnd,
}

impl Progress {
    /// Begins to follow a partition, at `position`, to `until`.
    pub(super) fn add(&mut self, topic: &str, partition: i32, position: i64, until: Option<i64>) {
        self.remove(topic, partition);
        let added = Partition { position, until };
        if until.is_none() {
            self.endless += 1;
        } else if !added.is_done() {
            self.open += 1;
        }
        if !self.topics.contains_key(topic) {
            self.topics.insert(topic.to_owned(), Vec::new());
        }
        if let Some(partitions) = self.topics.get_mut(topic) {
            let index = index(partition);
            if partitions.len() <= index {
                partitions.resize(index + 1, None);
            }
            partitions[index] = Some(added);
        }
    }

    /// Lets a partition go; says whether it was there.
    pub(super) fn remove(&mut self, topic: &str, partition: i32) -> bool {
        let slot = self.slot(topic, partition);
        let Some(removed) = slot.and_then(Option::take) else {
            return false;
        };
        if removed.until.is_none() {
            self.endless -= 1;
        } else if !removed.is_done() {
            self.open -= 1;
        }
        true
    }

    /// Lets all partitions of a topic go; says whether there were any.
    pub(super) fn remove_topic(&mut self, topic: &str) -> bool {
        let partitions = self.topics.get(topic).map_or(0, Vec::len);
        let removed = (0..partitions)
            .filter(|partition| self.remove(topic, i32::try_from(*partition).unwrap_or(i32::MAX)))
            .count();
        removed > 0
    }

    /// Goes back to an earlier offset of a log that was cut back.
    pub(super) fn rewind(&mut self, topic: &str, partition: i32, position: i64) {
        if let Some(Some(state)) = self.slot(topic, partition) {
            let until = state.until;
            self.add(topic, partition, position, until);
        }
    }

    /// Whether every partition has reached its end.
    pub(super) fn is_done(&self) -> bool {
        self.open == 0 && self.endless == 0
    }

    /// Whether this partition has reached its end.
    pub(super) fn is_at_end(&self, topic: &str, partition: i32) -> bool {
        let partitions = self.topics.get(topic);
        let state = partitions.and_then(|partitions| partitions.get(index(partition))?.as_ref());
        state.is_some_and(Partition::is_done)
    }

    /// The next offset wanted of a partition.
    pub(super) fn position(&self, topic: &str, partition: i32) -> Option<i64> {
        let partitions = self.topics.get(topic)?;
        Some(partitions.get(index(partition))?.as_ref()?.position)
    }

    /// The same, but not behind its end, whatever lies there was looked at.
    pub(super) fn read_to(&self, topic: &str, partition: i32) -> Option<i64> {
        let partitions = self.topics.get(topic)?;
        let Partition { position, until } = partitions.get(index(partition))?.as_ref()?;
        Some(until.map_or(*position, |until| until.min(*position)))
    }

    /// Takes notice of the record at `offset`.
    pub(super) fn see(&mut self, topic: &str, partition: i32, offset: i64) -> Verdict {
        let Some(Some(state)) = self.slot(topic, partition) else {
            return Verdict::Drop;
        };
        if offset < state.position {
            return Verdict::Drop;
        }
        let was_done = state.is_done();
        let behind_end = state.until.is_some_and(|until| offset >= until);
        state.position = offset + 1;
        let now_done = state.is_done() && !was_done;
        self.open -= usize::from(now_done);
        match (behind_end, now_done) {
            (false, false) => Verdict::Keep,
            (false, true) => Verdict::KeepLast,
            (true, false) => Verdict::Drop,
            (true, true) => Verdict::DropBehindEnd,
        }
    }

    /// Takes notice that everything before `offset` has been read, records or not;
    /// says whether that reached the end.
    pub(super) fn reach(&mut self, topic: &str, partition: i32, offset: i64) -> bool {
        let last = self.see(topic, partition, offset - 1);
        matches!(last, Verdict::KeepLast | Verdict::DropBehindEnd)
    }

    fn slot(&mut self, topic: &str, partition: i32) -> Option<&mut Option<Partition>> {
        self.topics.get_mut(topic)?.get_mut(index(partition))
    }
}

fn index(partition: i32) -> usize {
    usize::try_from(partition).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_record_before_the_end_is_kept_and_ends_the_partition() {
        let mut progress = Progress::default();
        progress.add("t", 0, 5, Some(7));
        assert_eq!(progress.see("t", 0, 5), Verdict::Keep);
        assert!(!progress.is_done());
        assert_eq!(progress.see("t", 0, 6), Verdict::KeepLast);
        assert!(progress.is_done());
        assert_eq!(progress.see("t", 0, 7), Verdict::Drop);
    }

    #[test]
    fn a_record_behind_the_end_ends_the_partition_where_the_last_offsets_hold_no_record() {
        let mut progress = Progress::default();
        progress.add("t", 0, 0, Some(7));
        assert_eq!(progress.see("t", 0, 9), Verdict::DropBehindEnd);
        assert!(progress.is_done());
    }

    #[test]
    fn the_end_of_the_log_ends_the_partition_only_at_its_end() {
        let mut progress = Progress::default();
        progress.add("t", 0, 0, Some(7));
        assert!(!progress.reach("t", 0, 5));
        assert!(progress.reach("t", 0, 8));
        assert!(progress.is_done());
    }

    #[test]
    fn what_was_seen_is_not_seen_again() {
        let mut progress = Progress::default();
        progress.add("t", 1, 3, None);
        assert_eq!(progress.see("t", 1, 2), Verdict::Drop);
        assert_eq!(progress.see("t", 1, 3), Verdict::Keep);
        assert_eq!(progress.see("t", 1, 3), Verdict::Drop);
        progress.remove("t", 1);
        assert_eq!(progress.see("t", 1, 4), Verdict::Drop);
        assert!(progress.is_done());
    }

    #[test]
    fn an_empty_partition_is_done_at_once_and_one_without_end_never() {
        let mut progress = Progress::default();
        progress.add("t", 0, 4, Some(4));
        assert!(progress.is_done());
        progress.add("t", 1, 0, None);
        progress.see("t", 1, 100);
        assert!(!progress.is_done());
    }
}
