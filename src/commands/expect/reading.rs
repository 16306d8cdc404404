//! Reads until there is a verdict or no more time, and tells it.

use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use super::judge::Judge;
use super::{Args, PATIENCE};
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::{Outcome, Status};
use crate::kafka::{Cluster, Notice, Reader};
use crate::pipeline::filter::Filter;
use crate::pipeline::pump::{self, Bounds, End, Flow, Pump, Running};
use crate::pipeline::tally::{Shortfall, Verdict};
use crate::sink::output::cannot_write;
use crate::time;

/// How reading came to its end.
pub(super) enum Ended {
    /// Nothing more is needed, or will come.
    Judged,
    /// All there was has been read, and more was waited for as long as was allowed.
    TimeIsUp,
    /// Not all there was has been read.
    Unread,
    Stopped,
}

/// One look at a topic.
pub(super) struct Reading<'a> {
    context: &'a Context,
    args: &'a Args,
    start: Instant,
    judge: Judge<'a>,
    /// Why Kafka was away when it was last heard of.
    trouble: Option<String>,
}

impl<'a> Reading<'a> {
    /// Nothing was read yet.
    pub(super) fn new(
        args: &'a Args,
        start: Instant,
        judge: Judge<'a>,
        context: &'a Context,
    ) -> Self {
        Self {
            context,
            args,
            start,
            judge,
            trouble: None,
        }
    }

    /// Reads what is there, and then what comes, until there is a verdict or no more time.
    pub(super) fn read(
        &mut self,
        cluster: &Cluster,
        reader: Reader,
        is_bounded: bool,
    ) -> Result<Ended, CommandError> {
        let (flow, batches) = pump::channel_of_batches();
        let running = Running::start(reader, flow).map_err(CommandError::failed)?;
        self.judge.is_enough = |verdict| verdict == Verdict::HoldsForGood;
        let bounds = self.args.bounds();
        match self.pump(&batches, bounds, self.start)? {
            End::Source => {}
            End::Timeout | End::Idle => return Ok(Ended::Unread),
            End::Stopped => return Ok(Ended::Stopped),
            _ => return Ok(Ended::Judged),
        }
        let holds = self.judge.tally.verdict() == Verdict::Holds;
        if is_bounded || (holds && self.args.settle.is_zero()) {
            return Ok(Ended::Judged);
        }
        tracing::info!("read all there was: waiting for more");
        drop(batches);
        let Some(reader) = running.finish() else {
            return Ok(Ended::Unread);
        };
        self.follow(Reader::resume(cluster, &reader)?)
    }

    fn follow(&mut self, reader: Reader) -> Result<Ended, CommandError> {
        let (flow, batches) = pump::channel_of_batches();
        let _running = Running::start(reader, flow).map_err(CommandError::failed)?;
        if self.judge.tally.verdict() == Verdict::Open {
            self.judge.is_enough = |verdict| verdict != Verdict::Open;
            match self.pump(&batches, self.args.bounds(), self.start)? {
                End::Timeout => return Ok(Ended::TimeIsUp),
                End::Stopped => return Ok(Ended::Stopped),
                _ => {}
            }
        }
        if self.judge.tally.verdict() == Verdict::Holds {
            self.judge.is_enough = |_| false;
            let bounds = Bounds {
                timeout: Some(self.args.settle),
                ..Bounds::default()
            };
            if matches!(self.pump(&batches, bounds, Instant::now())?, End::Stopped) {
                return Ok(Ended::Stopped);
            }
        }
        Ok(Ended::Judged)
    }

    fn pump(
        &mut self,
        batches: &Receiver<Flow>,
        bounds: Bounds,
        start: Instant,
    ) -> Result<End, CommandError> {
        let ui = self.context.ui;
        self.trouble = None;
        let trouble = &mut self.trouble;
        let (end, _) = Pump {
            flow: batches,
            filter: &Filter::default(),
            bounds,
            sink: &mut self.judge,
            commits: None,
            stop: &self.context.stop,
            notice: &mut |notice: &Notice| {
                if let Notice::Waiting { trouble: text } = notice {
                    *trouble = Some(text.clone());
                }
                ui.warning(notice);
            },
            start,
        }
        .run()
        .map_err(cannot_write)?;
        match end {
            End::Failed(error) => Err(error.into()),
            end => Ok(end),
        }
    }

    /// Says yes, no, or why neither.
    pub(super) fn answer(mut self, ended: &Ended) -> Result<Outcome, CommandError> {
        if matches!(ended, Ended::Stopped) {
            let signal = self.context.stop.signal();
            return Ok(signal.map_or(Outcome::DONE, Outcome::Signal));
        }
        let after = self.args.timeout;
        let error = match (ended, self.judge.tally.shortfall(), self.trouble.take()) {
            (Ended::Unread, _, trouble) => Unmet::Unread {
                after: if after.is_zero() { PATIENCE } else { after },
                trouble: trouble.map(Trouble),
            },
            (Ended::TimeIsUp, Some(_), Some(trouble)) => Unmet::Unread {
                after,
                trouble: Some(Trouble(trouble)),
            },
            (_, None, _) => {
                self.context.ui.status(self.judge.tally.found());
                return Ok(Outcome::DONE);
            }
            (Ended::TimeIsUp, Some(shortfall), None) => Unmet::TimeIsUp { after, shortfall },
            (_, Some(shortfall), _) => Unmet::Now(shortfall),
        };
        self.judge.show()?;
        let status = match error {
            Unmet::Unread { .. } => Status::Unavailable,
            _ => Status::Failed,
        };
        Err(CommandError::new(status, error).hint(self.hint()))
    }

    fn hint(&self) -> String {
        let (topic, tally) = (&self.args.topic, &self.judge.tally);
        let Some(last) = tally.last() else {
            return format!(
                "it saw no record; `kpipe topic describe {topic}` shows how many there are"
            );
        };
        let (which, place) = match tally.closest() {
            Some(closest) => ("closest", closest.place),
            None => ("last", last),
        };
        let show =
            format!("`kpipe tail {topic} {place} -n 1` prints the {which} record that it saw");
        match self.args.show_seen {
            None => format!("{show}, `--show-seen` the last ten"),
            Some(_) => show,
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum Unmet {
    #[error(transparent)]
    Now(Shortfall),
    #[error("time is up after {}", time::in_words(*after))]
    TimeIsUp {
        after: Duration,
        #[source]
        shortfall: Shortfall,
    },
    #[error("time is up after {}, before all records were read", time::in_words(*after))]
    Unread {
        after: Duration,
        #[source]
        trouble: Option<Trouble>,
    },
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Trouble(String);
