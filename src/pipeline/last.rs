//! The last records of all partitions together, by time.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::io;
use std::time::Instant;

use super::pump::Sink;
use crate::record::Record;
use crate::sink::output::Output;

/// Time first; then the place, so that records of one time and partition keep their order.
type Order = (i64, String, i32, i64);

/// A sink that keeps the `count` latest records, as they are to be printed.
pub struct Last<'a> {
    count: usize,
    kept: BinaryHeap<Reverse<(Order, Vec<u8>)>>,
    seen: HashMap<(String, i32), usize>,
    output: &'a mut Output,
}

impl<'a> Last<'a> {
    /// Keeps nothing yet; prints to `output` in the end.
    pub fn new(count: usize, output: &'a mut Output) -> Self {
        Self {
            count,
            kept: BinaryHeap::new(),
            seen: HashMap::new(),
            output,
        }
    }

    /// How many records a partition had.
    pub fn seen(&self, topic: &str, partition: i32) -> usize {
        let seen = self.seen.get(&(topic.to_owned(), partition));
        seen.copied().unwrap_or(0)
    }

    /// Prints what was kept, earliest first; says how many.
    pub fn print(self) -> io::Result<u64> {
        let kept = self.kept.into_sorted_vec();
        let count = kept.len() as u64;
        let mut texts = kept.into_iter().rev();
        let written = texts.try_for_each(|Reverse((_, text))| self.output.write_formatted(&text));
        match written.and_then(|()| self.output.flush(None)) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(count),
            other => other.map(|_| count),
        }
    }
}

impl Sink for Last<'_> {
    fn write(&mut self, record: &Record<'_>) -> io::Result<()> {
        let place = (record.topic.to_owned(), record.partition);
        *self.seen.entry(place).or_default() += 1;
        let time = record
            .timestamp
            .map_or(i64::MIN, |timestamp| timestamp.millis);
        let order = (
            time,
            record.topic.to_owned(),
            record.partition,
            record.offset,
        );
        let is_full = self.kept.len() >= self.count;
        if is_full && self.kept.peek().is_none_or(|first| first.0.0 > order) {
            return Ok(());
        }
        if is_full {
            self.kept.pop();
        }
        let text = self.output.format(record);
        self.kept.push(Reverse((order, text)));
        Ok(())
    }

    fn end_batch(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn flush(&mut self, _until: Option<Instant>) -> io::Result<bool> {
        Ok(true)
    }

    fn is_closed(&self) -> bool {
        self.output.is_closed()
    }
}
