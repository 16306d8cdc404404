//! Where the lines of a run go, and the rests between them.

use std::io;
use std::time::{Duration, Instant};

use crate::generate::{Event, Recorder};
use crate::pipeline::pump::Sink;
use crate::record::PayloadMode;
use crate::sink::output::{Format, Output};
use crate::stop::Stop;

/// How often a rest is broken to see whether anybody reads.
const GLANCE: Duration = Duration::from_millis(250);

/// The shortest rest: what comes due within it is written together.
const SHORTEST_REST: Duration = Duration::from_millis(1);

/// Writes the lines of a run to stdout.
pub(super) struct Pen {
    pub(super) recorder: Recorder,
    output: Output,
    stop: Stop,
    line: Vec<u8>,
    written: u64,
}

impl Pen {
    pub(super) fn new(recorder: Recorder, stop: &Stop) -> io::Result<Self> {
        let is_over = stop.clone();
        Ok(Self {
            recorder,
            output: Output::stdout(Format::Line(PayloadMode::Auto), move || is_over.is_asked())?,
            stop: stop.clone(),
            line: Vec::new(),
            written: 0,
        })
    }

    /// Writes an event.
    pub(super) fn write(&mut self, event: &Event) -> io::Result<()> {
        self.line.clear();
        self.recorder.write(event, &mut self.line);
        self.written += 1;
        self.output.write_lines(&self.line)
    }

    /// Whether it is time to stop, asked so seldom that it costs nothing.
    pub(super) fn is_stopped(&self) -> bool {
        self.written.is_multiple_of(64) && self.stop.is_asked()
    }

    /// Rests until `offset` after `begin`; says whether to go on after that.
    pub(super) fn rest(&mut self, begin: Instant, offset: Duration) -> io::Result<bool> {
        let Some(mut left) = offset.checked_sub(begin.elapsed()) else {
            return Ok(!self.is_stopped());
        };
        self.output.end_batch()?;
        left = left.max(SHORTEST_REST);
        loop {
            if self.stop.wait(left.min(GLANCE)) {
                return Ok(false);
            }
            match offset.checked_sub(begin.elapsed()) {
                Some(still) if !still.is_zero() => left = still.max(SHORTEST_REST),
                _ => return Ok(true),
            }
            if self.output.is_closed() {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
        }
    }

    /// Writes what was held back, and waits until all is written.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        self.line.clear();
        self.recorder.finish(&mut self.line);
        self.output.write_lines(&self.line)?;
        self.output.flush(None).map(|_| ())
    }
}
