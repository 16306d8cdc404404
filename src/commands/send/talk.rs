//! What a run of many records tells meanwhile and at its end: receipts to programs, failures,
//! progress and the sum to people.

use std::fmt::Write;
use std::fs::File;
use std::io;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::{Args, Receipts};
use crate::error::CommandError;
use crate::pipeline::ledger::{Counts, Outlet};
use crate::sink::output;
use crate::sink::receipt::{Failure, Receipt};
use crate::source::lines;
use crate::ui::Ui;

/// Tells receipts to programs and failures to people; equal failures in a row in one line.
pub(super) struct Talk {
    ui: Ui,
    receipts: Option<Receipts>,
    out: Option<File>,
    buffer: Vec<u8>,
    /// Receipts could not be written, for another reason than that nobody reads them.
    pub(super) broken: Option<io::Error>,
    run: Option<Run>,
}

struct Run {
    input: String,
    first: u64,
    last: u64,
    failure: Failure,
}

impl Talk {
    /// Nothing told yet.
    pub(super) fn new(args: &Args, ui: Ui) -> Result<Self, CommandError> {
        let receipts = args
            .delivery
            .receipts
            .filter(|which| *which != Receipts::None);
        Ok(Self {
            ui,
            out: receipts
                .map(|_| output::stdout())
                .transpose()
                .map_err(output::cannot_write)?,
            receipts,
            buffer: Vec::new(),
            broken: None,
            run: None,
        })
    }

    /// Says what is still to be said.
    pub(super) fn say(&mut self) {
        let Some(run) = self.run.take() else {
            return;
        };
        let Run {
            input,
            first,
            last,
            failure,
        } = run;
        let place = match failure.column {
            Some(column) => format!("{input}:{first}:{column}"),
            None if first == last => format!("{input}:{first}"),
            None => format!("{input}:{first}-{last}"),
        };
        let maybe = if failure.maybe_persisted {
            " (it may be in the log all the same)"
        } else {
            ""
        };
        self.ui
            .item_error(format_args!("{place}: {}{maybe}", failure.text));
    }
}

impl Outlet for Talk {
    fn settled(&mut self, receipt: &Receipt<'_>, failure: Option<&Failure>, input: &str) {
        let wanted = match self.receipts {
            Some(Receipts::All) => true,
            Some(Receipts::Failed) => failure.is_some(),
            _ => false,
        };
        if wanted && self.out.is_some() {
            // Writing to memory does not fail.
            let _ = receipt.write(&mut self.buffer);
        }
        let Some(failure) = failure.filter(|failure| !failure.ends_run) else {
            return;
        };
        let line = receipt.line.unwrap_or_default();
        if let Some(run) = &mut self.run
            && run.last + 1 == line
            && run.input == input
            && run.failure == *failure
            && failure.column.is_none()
        {
            run.last = line;
            return;
        }
        self.say();
        self.run = Some(Run {
            input: input.to_owned(),
            first: line,
            last: line,
            failure: failure.clone(),
        });
    }

    fn end_block(&mut self) -> io::Result<()> {
        let Some(out) = &mut self.out else {
            return Ok(());
        };
        let written = output::write_all(out, &self.buffer);
        self.buffer.clear();
        if let Err(error) = written {
            // Nobody reads receipts any more, which is no reason to leave lines unsent.
            self.out = None;
            if error.kind() != io::ErrorKind::BrokenPipe {
                self.broken = Some(error);
            }
        }
        Ok(())
    }
}

/// A bar for files, a counter for a pipe; nothing unless stderr is a terminal.
pub(super) fn progress_bar(ui: Ui, inputs: &[lines::Input]) -> Option<ProgressBar> {
    if !ui.shows_progress() {
        return None;
    }
    let length: Option<u64> = inputs.iter().map(|input| input.length).sum();
    let (bar, template) = match length {
        Some(length) => (
            ProgressBar::new(length),
            "{bar:30} {percent}% {msg}, {bytes_per_sec}, {eta} left",
        ),
        None => (
            ProgressBar::new_spinner(),
            "{spinner} {msg}, {bytes} read, {elapsed}",
        ),
    };
    let style = ProgressStyle::with_template(template).ok()?;
    bar.set_style(style);
    Some(bar)
}

/// One line with the latencies of the acknowledgements, which are in microseconds.
pub(super) fn summary(
    counts: Counts,
    elapsed: Duration,
    latencies: &hdrhistogram::Histogram<u64>,
) -> String {
    let Counts {
        acknowledged,
        failed,
        ..
    } = counts;
    let seconds = elapsed.as_secs_f64();
    let mut line = format!("{acknowledged} sent, {failed} failed, {seconds:.1} s");
    if acknowledged > 0 {
        #[expect(clippy::cast_precision_loss, reason = "a rate of three digits")]
        let rate = acknowledged as f64 / seconds;
        // Of a time that is shown as 0.0 s a rate tells nothing.
        let _ = match rate {
            _ if seconds < 0.05 => Ok(()),
            rate if rate >= 1000.0 => write!(line, ", {:.0} k/s", rate / 1000.0),
            rate => write!(line, ", {rate:.0}/s"),
        };
        let millis = |micros: u64| micros.div_ceil(1000);
        let _ = write!(
            line,
            ", ack p50 {} ms p99 {} ms max {} ms",
            millis(latencies.value_at_quantile(0.5)),
            millis(latencies.value_at_quantile(0.99)),
            millis(latencies.max()),
        );
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_took_no_time_to_speak_of_has_no_rate() {
        let mut latencies = hdrhistogram::Histogram::new(3).unwrap();
        latencies.record(1500).unwrap();
        let counts = Counts {
            acknowledged: 40,
            failed: 0,
            ..Counts::default()
        };
        let told = |millis| summary(counts, Duration::from_millis(millis), &latencies);
        let acks = "ack p50 2 ms p99 2 ms max 2 ms";
        assert_eq!(told(49), format!("40 sent, 0 failed, 0.0 s, {acks}"));
        assert_eq!(
            told(100),
            format!("40 sent, 0 failed, 0.1 s, 400/s, {acks}")
        );
    }
}
