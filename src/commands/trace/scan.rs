//! Looks at every record of some ranges, and says what was looked at.

use std::cell::Cell;
use std::fmt::Write;
use std::io;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressState, ProgressStyle};

use crate::context::Context;
use crate::error::CommandError;
use crate::kafka::{Error, Notice, Range, Reader, Survey};
use crate::pipeline::filter::Filter;
use crate::pipeline::pump::{self, Bounds, End, Pump, Running, Sink};
use crate::record::Record;
use crate::ui::in_one_line;

/// Kafka is gone when nothing comes for so long although there is more.
const LOST_AFTER: Duration = Duration::from_secs(10);

/// More ranges than this are told as a sum.
const RANGES_TOLD: usize = 16;

/// Why a search ended before all was searched.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum Cut {
    #[error("time is up")]
    Timeout,
    #[error("as many records were searched as `--limit` allows")]
    Limit,
    #[error("interrupted")]
    Stopped,
    #[error("Kafka does not answer any more")]
    Lost,
    #[error("{}", in_one_line(.0))]
    Failed(Error),
}

/// How a scan came to its end.
#[derive(Debug)]
pub(super) enum Scanned {
    /// All was looked at.
    Whole,
    /// No more was wanted.
    Enough,
    Cut(Cut),
}

/// What all scans of a run share.
pub(super) struct Scanner<'a> {
    context: &'a Context,
    start: Instant,
    timeout: Option<Duration>,
    limit: Option<u64>,
    /// Records looked at, in all scans.
    pub(super) records: u64,
}

/// Ranges of the same topics, one scan after the other on one connection.
pub(super) enum Passes {
    Ahead(Survey),
    Between(Box<Reader>),
    Over,
}

impl<'a> Scanner<'a> {
    /// Nothing was scanned yet.
    pub(super) fn new(context: &'a Context, timeout: Option<Duration>, limit: Option<u64>) -> Self {
        Self {
            context,
            start: Instant::now(),
            timeout,
            limit,
            records: 0,
        }
    }

    /// Shows each record of `ranges` to `look` until it says that this is enough.
    pub(super) fn scan(
        &mut self,
        passes: Passes,
        ranges: Vec<Range>,
        look: &mut dyn FnMut(&Record<'_>) -> bool,
    ) -> Result<(Scanned, Passes), CommandError> {
        let ranges: Vec<Range> = ranges
            .into_iter()
            .filter(|range| range.stop.is_none_or(|stop| range.start < stop))
            .collect();
        if ranges.is_empty() {
            return Ok((Scanned::Whole, passes));
        }
        if self.limit.is_some_and(|limit| self.records >= limit) {
            return Ok((Scanned::Cut(Cut::Limit), passes));
        }
        let reader = match passes {
            Passes::Ahead(survey) => survey.read(ranges.clone())?,
            Passes::Between(mut reader) => {
                reader.go_on(ranges.clone())?;
                *reader
            }
            Passes::Over => return Ok((Scanned::Whole, Passes::Over)),
        };
        let begun = Instant::now();
        let follows = ranges.iter().any(|range| range.stop.is_none());
        let (flow, batches) = pump::channel_of_batches();
        let running = Running::start(reader, flow).map_err(CommandError::failed)?;
        let is_away = Cell::new(false);
        let mut looking = Looking {
            look,
            is_away: &is_away,
            enough: false,
            records: 0,
            bytes: 0,
            progress: self.progress(&ranges),
        };
        let ui = self.context.ui;
        let (end, _) = Pump {
            flow: &batches,
            filter: &Filter::default(),
            bounds: Bounds {
                limit: self.limit.map(|limit| limit - self.records),
                idle: (!follows).then_some(LOST_AFTER),
                timeout: self.timeout,
            },
            sink: &mut looking,
            commits: None,
            stop: &self.context.stop,
            notice: &mut |notice: &Notice| {
                is_away.set(is_away.get() || matches!(notice, Notice::Waiting { .. }));
                ui.warning(notice);
            },
            start: self.start,
        }
        .run()
        .map_err(CommandError::failed)?;
        looking.progress.finish_and_clear();
        let (enough, records, bytes) = (looking.enough, looking.records, looking.bytes);
        self.records += records;
        if follows {
            self.context.ui.status(format_args!(
                "waited for {:.2} s, {records} records came",
                begun.elapsed().as_secs_f64()
            ));
        } else {
            let how = match end {
                _ if enough => "found in",
                End::Source => "searched",
                _ => "searched a part of",
            };
            self.say(how, &ranges, records, bytes, begun.elapsed());
        }
        let ended = match end {
            _ if enough => Scanned::Enough,
            End::Source => Scanned::Whole,
            End::Limit => Scanned::Cut(Cut::Limit),
            // What came since Kafka was away is not known.
            End::Timeout if is_away.get() => Scanned::Cut(Cut::Lost),
            End::Timeout => Scanned::Cut(Cut::Timeout),
            End::Idle => Scanned::Cut(Cut::Lost),
            End::Stopped | End::ClosedPipe => Scanned::Cut(Cut::Stopped),
            End::Failed(error) => Scanned::Cut(Cut::Failed(error)),
        };
        if !matches!(ended, Scanned::Whole) {
            return Ok((ended, Passes::Over));
        }
        drop(batches);
        let passes = running
            .finish()
            .map_or(Passes::Over, |reader| Passes::Between(Box::new(reader)));
        Ok((ended, passes))
    }

    fn progress(&self, ranges: &[Range]) -> ProgressBar {
        if !self.context.ui.shows_progress() {
            return ProgressBar::hidden();
        }
        let bar = ProgressBar::new(offsets(ranges));
        let style = ProgressStyle::with_template(
            "searching {bar:30} {human_pos} of {human_len} offsets, {rate}, {eta} left",
        );
        if let Ok(style) = style {
            let rate = |state: &ProgressState, out: &mut dyn Write| {
                let _ = write!(out, "{:.0}/s", state.per_sec());
            };
            bar.set_style(style.with_key("rate", rate));
        }
        bar
    }

    fn say(&self, how: &str, ranges: &[Range], records: u64, bytes: u64, took: Duration) {
        let mut text = format!("{how} ");
        if ranges.len() <= RANGES_TOLD {
            for (index, range) in ranges.iter().enumerate() {
                let is_same = index > 0 && ranges[index - 1].topic == range.topic;
                let topic = if is_same { "" } else { &range.topic };
                let comma = if index > 0 { ", " } else { "" };
                let stop = range.stop.map_or(String::new(), |stop| stop.to_string());
                let _ = write!(
                    text,
                    "{comma}{topic}[{}] {}:{stop}",
                    range.partition, range.start
                );
            }
        } else {
            let _ = write!(
                text,
                "{} offsets in {} partitions",
                offsets(ranges),
                ranges.len()
            );
        }
        let rate = per_second(records, took);
        let megabytes = per_second(bytes, took) / 1_000_000;
        let one = if records == 1 { "record" } else { "records" };
        self.context.ui.status(format_args!(
            "{text}: {records} {one} in {:.2} s ({rate}/s, {megabytes} MB/s)",
            took.as_secs_f64()
        ));
    }
}

/// How many offsets there are to be looked at.
pub(super) fn offsets(ranges: &[Range]) -> u64 {
    let length = |range: &Range| {
        let stop = range.stop.unwrap_or(range.start);
        u64::try_from(stop - range.start).unwrap_or(0)
    };
    ranges.iter().map(length).sum()
}

fn per_second(count: u64, took: Duration) -> u64 {
    let micros = took.as_micros().max(1);
    u64::try_from(u128::from(count) * 1_000_000 / micros).unwrap_or(u64::MAX)
}

struct Looking<'a> {
    look: &'a mut dyn FnMut(&Record<'_>) -> bool,
    /// Kafka was away when it was last heard of.
    is_away: &'a Cell<bool>,
    enough: bool,
    records: u64,
    /// Of keys and values.
    bytes: u64,
    progress: ProgressBar,
}

impl Sink for Looking<'_> {
    fn write(&mut self, record: &Record<'_>) -> io::Result<()> {
        self.is_away.set(false);
        self.records += 1;
        self.bytes +=
            (record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len)) as u64;
        if (self.look)(record) {
            self.enough = true;
            // The pump takes it for the end of its output: nobody wants more.
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        Ok(())
    }

    fn end_batch(&mut self) -> io::Result<()> {
        self.progress.set_position(self.records);
        Ok(())
    }

    fn flush(&mut self, _until: Option<Instant>) -> io::Result<bool> {
        Ok(true)
    }

    fn is_closed(&self) -> bool {
        false
    }
}
