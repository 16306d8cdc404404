//! A sink that counts records and keeps the last of them for showing.

use std::collections::VecDeque;
use std::io;
use std::time::Instant;

use crate::error::CommandError;
use crate::pipeline::pump::Sink;
use crate::pipeline::tally::{Tally, Verdict};
use crate::record::Record;
use crate::sink::output::{self, Output};

/// A sink that counts, and wants no more once there is a verdict.
pub(super) struct Judge<'a> {
    pub(super) tally: Tally<'a>,
    /// Whether a batch that leads to this verdict is the last that is needed.
    pub(super) is_enough: fn(Verdict) -> bool,
    /// The last `keeps` records, as they are to be shown.
    kept: VecDeque<Vec<u8>>,
    keeps: usize,
    output: Output,
}

impl<'a> Judge<'a> {
    /// Keeps the last `keeps` records for `output`.
    pub(super) fn new(tally: Tally<'a>, keeps: usize, output: Output) -> Self {
        Self {
            tally,
            is_enough: |_| false,
            kept: VecDeque::new(),
            keeps,
            output,
        }
    }

    /// Prints the records that were kept.
    pub(super) fn show(&mut self) -> Result<(), CommandError> {
        let mut kept = self.kept.iter();
        let shown = kept
            .try_for_each(|text| self.output.write_formatted(text))
            .and_then(|()| self.output.flush(None));
        output::tolerate_closed(shown.map(|_| ()))
    }

    /// Nobody reads on behind a closed pipe.
    fn no_more() -> io::Error {
        io::ErrorKind::BrokenPipe.into()
    }
}

impl Sink for Judge<'_> {
    fn write(&mut self, record: &Record<'_>) -> io::Result<()> {
        if self.keeps > 0 {
            if self.kept.len() == self.keeps {
                self.kept.pop_front();
            }
            self.kept.push_back(self.output.format(record));
        }
        self.tally.see(record);
        match self.tally.verdict() {
            Verdict::Refuted => Err(Self::no_more()),
            _ => Ok(()),
        }
    }

    fn end_batch(&mut self) -> io::Result<()> {
        if (self.is_enough)(self.tally.verdict()) {
            return Err(Self::no_more());
        }
        Ok(())
    }

    fn flush(&mut self, _until: Option<Instant>) -> io::Result<bool> {
        Ok(true)
    }

    fn is_closed(&self) -> bool {
        false
    }
}
