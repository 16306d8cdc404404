//! What `kpipe handle` tells while it runs and at its end.

use std::cell::Cell;
use std::fmt::{Display, Write};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use indicatif::ProgressBar;

use super::Args;
use crate::clock::Clock;
use crate::context::Context;
use crate::counted::Counted;
use crate::error::CommandError;
use crate::handler::{Heard, Lags, Metrics, write_file};
use crate::ui::Ui;

/// How often the file of metrics is written.
const INTERVAL: Duration = Duration::from_secs(5);

/// How long the last lines of handlers are waited for at the end.
const LAST_LINES: Duration = Duration::from_millis(500);

/// The voice of a run.
pub(super) struct Report {
    ui: Ui,
    clock: Clock,
    file: Option<PathBuf>,
    bar: Option<ProgressBar>,
    start: Instant,
    written: Cell<Option<Instant>>,
    /// Closes when all that was heard is said.
    silence: Receiver<()>,
    failed: Cell<bool>,
}

impl Report {
    /// Begins to say what handlers write to stderr.
    pub(super) fn start(
        args: &Args,
        context: &Context,
        heard: Heard,
        start: Instant,
    ) -> Result<Self, CommandError> {
        let ui = context.ui;
        let bar = ui.shows_progress().then(ProgressBar::new_spinner);
        let (sender, silence) = channel::<()>();
        let shown = bar.clone();
        thread::Builder::new()
            .name("stderr".into())
            .spawn(move || {
                let _sender = sender;
                for line in &heard.lines {
                    say(shown.as_ref(), || ui.status(&line));
                    let dropped = heard.take_dropped();
                    if dropped > 0 {
                        say(shown.as_ref(), || {
                            ui.warning(format_args!(
                                "{dropped} lines of handlers were dropped: stderr is read too slowly"
                            ));
                        });
                    }
                }
            })
            .map_err(CommandError::failed)?;
        Ok(Self {
            ui,
            clock: context.clock.clone(),
            file: args.metrics.clone(),
            bar,
            start,
            written: Cell::new(None),
            silence,
            failed: Cell::new(false),
        })
    }

    /// Says what the user should know.
    pub(super) fn warn(&self, text: &dyn Display) {
        say(self.bar.as_ref(), || self.ui.warning(text));
    }

    /// Shows the counts, and writes them to the file when it is time.
    pub(super) fn observe(&self, metrics: &Metrics, lags: &dyn Fn() -> Lags, last: bool) {
        if let Some(bar) = &self.bar {
            let left: i64 = lags().values().sum();
            let left = (left > 0).then(|| format!(", {left} to go"));
            bar.set_message(summary(metrics) + &left.unwrap_or_default());
            bar.tick();
        }
        let is_due = |written: Instant| written.elapsed() >= INTERVAL;
        if self.file.is_some() && (last || self.written.get().is_none_or(is_due)) {
            self.written.set(Some(Instant::now()));
            self.write(metrics, &lags());
        }
    }

    fn write(&self, metrics: &Metrics, lags: &Lags) {
        let Some(path) = &self.file else { return };
        let now = self.clock.now().as_millisecond();
        let text = metrics.render(now, lags);
        if let Err(error) = write_file(path, &text)
            && !self.failed.replace(true)
        {
            self.warn(&format_args!(
                "cannot write metrics to `{}`: {error}",
                path.display()
            ));
        }
    }

    /// Says how it went.
    pub(super) fn finish(&self, metrics: &Metrics) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        // Who does not read our stderr does not hold up the end.
        let _ = self.silence.recv_timeout(LAST_LINES);
        let seconds = self.start.elapsed().as_secs_f64();
        self.ui
            .status(format_args!("{} in {seconds:.1} s", summary(metrics)));
    }
}

/// Says something without a progress bar in between.
fn say(bar: Option<&ProgressBar>, speak: impl FnOnce()) {
    match bar {
        Some(bar) => bar.suspend(speak),
        None => speak(),
    }
}

fn summary(metrics: &Metrics) -> String {
    let counts = metrics.counts();
    let mut text = format!("{} handled", counts.processed);
    if counts.failed > 0 {
        let _ = write!(text, ", {}", Counted(counts.failed, "failed run"));
    }
    for (count, what) in [
        (counts.dead_lettered, "dead-lettered"),
        (counts.skipped, "skipped"),
    ] {
        if count > 0 {
            let _ = write!(text, ", {count} {what}");
        }
    }
    text
}
