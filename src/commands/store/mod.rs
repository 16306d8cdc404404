//! `kpipe store`: records into `SQLite`, with the offsets in the same transaction.

mod args;
mod lines;

use std::sync::Arc;
use std::time::Instant;

pub(crate) use args::Args;

use crate::commands::tracing;
use crate::context::Context;
use crate::counted::Counted;
use crate::error::CommandError;
use crate::exit::{Outcome, Status};
use crate::kafka::offset_spec::{OffsetSpec, Start, Stop};
use crate::kafka::{
    self, Cluster, Commit, Commits, Member, Membership, Notice, Reader, Selection, Source, Topics,
    Trouble,
};
use crate::pipeline::pump::{self, Bounds, End, Flow, Pump, Running};
use crate::store::{Counts, Kept, Made, Rebuild, Writer};

pub(crate) fn run(args: &Args, context: &mut Context) -> Result<Outcome, CommandError> {
    let start = Instant::now();
    args.check()?;
    let made = Made::at(&args.db)?;
    let ended = store(args, context, start);
    if ended.is_err() {
        made.take_back();
    }
    ended
}

fn store(args: &Args, context: &mut Context, start: Instant) -> Result<Outcome, CommandError> {
    let Some(group) = args.group.clone() else {
        return lines::run(args, context);
    };
    let topics = Topics::new(&args.topics).map_err(CommandError::usage)?;
    let mut run = Run {
        args,
        context,
        start,
        set_back: None,
    };
    if args.rebuild {
        return run.rebuild(topics);
    }
    let offsets = args.selection.offsets(true, false, context)?;
    let mut writer = Writer::open(&args.db, args.manner(context))?;
    let kept = Arc::new(Kept::open(&args.db, &group)?);
    writer.follow(kept.clone());
    let reporter = (args.trace).start("kpipe-store", Some(group.clone()), context)?;
    writer.report_to(reporter.clone());
    let cluster = context.cluster()?;
    let membership = Membership {
        group,
        topics,
        offsets,
        commit: Commit::Group,
    };
    let end = run.in_group(&cluster, membership, kept, &mut writer);
    writer.settle();
    tracing::finish(reporter.as_ref(), context);
    let has_failed = matches!(end, Err(_) | Ok(End::Failed(_)));
    if !has_failed || writer.counts() != Counts::default() {
        told(context, writer.counts(), 0);
    }
    let end = end?;
    run.outcome(end)
}

struct Run<'a> {
    args: &'a Args,
    context: &'a Context,
    start: Instant,
    /// A log was cut back, so what comes next has places that are taken.
    set_back: Option<Notice>,
}

impl Run<'_> {
    fn in_group(
        &mut self,
        cluster: &Cluster,
        membership: Membership,
        kept: Arc<Kept>,
        writer: &mut Writer,
    ) -> Result<End, CommandError> {
        let (flow, batches) = pump::channel_of_batches();
        let member =
            Member::join_where(cluster, membership, Some(kept), pump::drain(flow.clone()))?;
        let commits = member.commits();
        let running = Running::start(member, flow).map_err(CommandError::failed)?;
        let end = self.pump(
            &batches,
            Some(&commits),
            self.args.selection.bounds(),
            writer,
        );
        drop(batches);
        let closed = running.finish().map_or(Ok(()), |mut member| member.close());
        let end = end?;
        match closed {
            // What the group was not told, the file knows.
            Err(error) if matches!(end, End::Stopped) => {
                self.context.ui.warning(crate::ui::in_one_line(&error));
            }
            closed => closed?,
        }
        Ok(end)
    }

    /// Reads alone, so that no member of the group is disturbed.
    fn rebuild(&mut self, topics: Topics) -> Result<Outcome, CommandError> {
        let (rebuild, mut writer) = Rebuild::begin(&self.args.db, self.args.manner(self.context))?;
        let end = self.replay(topics, &mut writer);
        if !matches!(end, Ok(End::Source)) {
            rebuild.discard();
            return self.outcome(end?);
        }
        writer.commit()?;
        let swapped = rebuild.swap(writer)?;
        self.context.ui.status(format_args!(
            "{} holds {} now, read again from the beginning",
            self.args.db.display(),
            Counted(swapped.records, "record")
        ));
        Ok(Outcome::DONE)
    }

    fn replay(&mut self, topics: Topics, writer: &mut Writer) -> Result<End, CommandError> {
        let selection = Selection {
            topics,
            partitions: Vec::new(),
            offsets: OffsetSpec {
                from: Some(Start::Beginning),
                until: Some(Stop::End),
            },
            window: None,
        };
        let reader = Reader::new(&self.context.cluster()?, selection)?;
        let (flow, batches) = pump::channel_of_batches();
        let _running = Running::start(reader, flow).map_err(CommandError::failed)?;
        self.pump(&batches, None, self.args.selection.bounds(), writer)
    }

    fn pump(
        &mut self,
        batches: &std::sync::mpsc::Receiver<Flow>,
        commits: Option<&Commits>,
        bounds: Bounds,
        writer: &mut Writer,
    ) -> Result<End, CommandError> {
        let (ui, stop) = (self.context.ui, &self.context.stop);
        let mut set_back = None;
        let ended = Pump {
            flow: batches,
            filter: &self.args.selection.filter(),
            bounds,
            sink: writer,
            commits,
            stop,
            notice: &mut |notice: &Notice| {
                ui.warning(notice);
                if matches!(notice, Notice::Gap { from, to, .. } if to < from) {
                    set_back = Some(notice.clone());
                    stop.ask();
                }
            },
            start: self.start,
        }
        .run();
        self.set_back = set_back;
        match ended {
            Ok((end, _)) => Ok(end),
            Err(error) => Err(match error.downcast::<crate::store::Error>() {
                Ok(error) => error.into(),
                Err(error) => CommandError::failed(error),
            }),
        }
    }

    fn outcome(&self, end: End) -> Result<Outcome, CommandError> {
        if self.set_back.is_some() {
            return Err(
                CommandError::failed(OtherRecords).hint("choose another file, or `--rebuild`")
            );
        }
        match end {
            End::Failed(error) => Err(error.into()),
            End::Timeout => Err(CommandError::new(Status::Unavailable, TimeIsUp)),
            End::Stopped => {
                let signal = self.context.stop.signal();
                Ok(signal.map_or(Outcome::DONE, Outcome::Signal))
            }
            _ => Ok(Outcome::DONE),
        }
    }
}

/// Says how many records were stored.
fn told(context: &Context, counts: Counts, bad: u64) {
    let Counts { stored, there } = counts;
    let there = match there {
        0 => String::new(),
        there => format!(", {there} there already"),
    };
    let bad = match bad {
        0 => String::new(),
        1 => ", 1 bad line".to_owned(),
        bad => format!(", {bad} bad lines"),
    };
    context
        .ui
        .status(format_args!("{stored} stored{there}{bad}"));
}

#[derive(Debug, thiserror::Error)]
#[error("what comes next in the log are other records than those that were stored from there")]
struct OtherRecords;

#[derive(Debug, thiserror::Error)]
#[error("time is up")]
struct TimeIsUp;

impl kafka::Kept for Kept {
    fn next(&self, partitions: &[(String, i32)]) -> Result<Vec<Option<i64>>, Trouble> {
        Ok(Self::next(self, partitions)?)
    }

    fn begin(&self, begins: &[((String, i32), i64)]) -> Result<(), Trouble> {
        Ok(Self::begin(self, begins)?)
    }
}
