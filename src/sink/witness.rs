//! A sink in front of another one, which reports what happens to each record there.

use std::io;
use std::time::{Duration, Instant};

use super::stages::Reporter;
use crate::pipeline::pump::Sink;
use crate::record::Record;
use crate::trace::{Stage, StageEvent};

/// Reports that records were consumed when they come, and the stages after that when the sink
/// behind it has written them.
pub struct Witness<'a, S> {
    sink: &'a mut S,
    /// Nobody is told where there is none.
    reporter: Option<&'a Reporter>,
    /// What it means that a record is written.
    written: &'a [Stage],
    /// Records of this batch.
    pending: Vec<StageEvent>,
}

impl<'a, S: Sink> Witness<'a, S> {
    /// Reports to `reporter`, if there is one, that what `sink` wrote reached the stages `written`.
    pub fn new(sink: &'a mut S, reporter: Option<&'a Reporter>, written: &'a [Stage]) -> Self {
        Self {
            sink,
            reporter,
            written,
            pending: Vec::new(),
        }
    }
}

impl<S: Sink> Sink for Witness<'_, S> {
    fn write(&mut self, record: &Record<'_>) -> io::Result<()> {
        let Some(reporter) = self.reporter else {
            return self.sink.write(record);
        };
        let event = StageEvent::of_record(Stage::Consumed, reporter.now(), record);
        self.sink.write(record)?;
        self.pending.push(event);
        Ok(())
    }

    /// Waits until the batch is written: what is reported then is true.
    fn end_batch(&mut self) -> io::Result<()> {
        self.sink.end_batch()?;
        let Some(reporter) = self.reporter.filter(|_| !self.pending.is_empty()) else {
            return Ok(());
        };
        self.sink.flush(None)?;
        let at = reporter.now();
        for event in self.pending.drain(..) {
            reporter.report(event.clone());
            for stage in self.written {
                let (stage, event) = (*stage, event.clone());
                reporter.report(StageEvent { stage, at, ..event });
            }
        }
        Ok(())
    }

    fn flush(&mut self, until: Option<Instant>) -> io::Result<bool> {
        self.sink.flush(until)
    }

    fn pass(&mut self, topic: &str, partition: i32, offset: i64) {
        self.sink.pass(topic, partition, offset);
    }

    fn flush_interval(&self) -> Duration {
        self.sink.flush_interval()
    }

    fn is_closed(&self) -> bool {
        self.sink.is_closed()
    }
}
