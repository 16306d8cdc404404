//! `kpipe tail`: records of topics, alone or as a member of a group.

mod args;
mod last;
mod subscriber;

use std::time::Instant;

use subscriber::Following;

pub(crate) use args::Args;

use crate::commands::tracing;
use crate::context::Context;
use crate::counted::Counted;
use crate::error::CommandError;
use crate::exit::{Outcome, Status};
use crate::kafka::offset_spec::OffsetSpec;
use crate::kafka::{Cluster, Commit, Member, Membership, Notice, Reader, Selection, Topics};
use crate::pipeline::filter::Filter;
use crate::pipeline::pump::{self, Bounds, End, Pump, Running};
use crate::sink::output::{Output, cannot_write};
use crate::sink::stages::Reporter;
use crate::sink::witness::Witness;
use crate::trace::Stage;

pub(crate) fn run(args: &Args, context: &mut Context) -> Result<Outcome, CommandError> {
    let start = Instant::now();
    let in_group = args.group().is_some();
    let offsets = args
        .selection
        .offsets(in_group, args.last.is_some(), context)?;
    let following = args
        .user
        .as_deref()
        .map(|user| Following::begin(user, args.registry.open_existing(context)?, context.ui))
        .transpose()?;
    let topics = match &following {
        Some(following) => following.topics(),
        None => Topics::new(&args.topics).map_err(CommandError::usage)?,
    };
    let (stop, timeout) = (context.stop.clone(), args.selection.timeout);
    let is_over =
        move || stop.is_asked() || timeout.is_some_and(|timeout| start.elapsed() >= timeout);
    let output = Output::stdout(args.format(context)?, is_over).map_err(cannot_write)?;
    let cluster = context.cluster()?;
    if args.trace.is_asked_for() && args.last.is_some() {
        return Err(CommandError::usage(
            "`-l` looks at what is there, which is no stage of its life",
        )
        .hint("leave `--trace` out, or `-l`"));
    }
    let reporter = args.trace.start("kpipe-tail", args.group(), context)?;
    let mut run = Run {
        context,
        reporter: reporter.clone(),
        filter: args.selection.filter(),
        bounds: args.selection.bounds(),
        start,
        output,
        written: 0,
    };
    let ended = run.read_on(args, &cluster, topics, offsets, following);
    tracing::finish(reporter.as_ref(), context);
    let end = ended?;
    let written = run.written;
    if args.user.is_some() && !matches!(end, End::ClosedPipe) {
        let ui = run.context.ui;
        ui.status(format_args!("{} processed", Counted(written, "record")));
    }
    match run.outcome(end)? {
        Outcome::DONE if written == 0 && args.fail_empty => Ok(Outcome::Exit(Status::Failed)),
        outcome => Ok(outcome),
    }
}

#[derive(Debug, thiserror::Error)]
#[error("time is up after {}", Counted(*.written, "record"))]
struct TimeIsUp {
    written: u64,
}

/// What every way of tailing needs.
pub(crate) struct Run<'a> {
    pub(crate) context: &'a Context,
    pub(crate) filter: Filter,
    pub(crate) bounds: Bounds,
    pub(crate) start: Instant,
    pub(crate) output: Output,
    /// Who is told of what was written.
    pub(crate) reporter: Option<Reporter>,
    pub(crate) written: u64,
}

impl Run<'_> {
    /// How the run leaves, by how it came to its end.
    pub(crate) fn outcome(&self, end: End) -> Result<Outcome, CommandError> {
        let written = self.written;
        match end {
            End::Failed(error) => Err(error.into()),
            End::Timeout => Err(CommandError::new(Status::Unavailable, TimeIsUp { written })),
            End::Stopped => {
                let signal = self.context.stop.signal();
                Ok(signal.map_or(Outcome::DONE, Outcome::Signal))
            }
            _ => Ok(Outcome::DONE),
        }
    }

    /// Reads, in whichever way was asked for, until there is a reason to end.
    fn read_on(
        &mut self,
        args: &Args,
        cluster: &Cluster,
        topics: Topics,
        offsets: OffsetSpec,
        following: Option<Following>,
    ) -> Result<End, CommandError> {
        if let Some(group) = args.group() {
            let membership = Membership {
                group,
                topics,
                offsets,
                commit: match args.commit {
                    args::Commit::After => Commit::Group,
                    args::Commit::Never => Commit::Never,
                },
            };
            return self.in_group(cluster, membership, following);
        }
        let selection = Selection {
            topics,
            partitions: args.partitions.clone(),
            offsets,
            window: None,
        };
        match args.last {
            Some(count) => self.last(cluster, selection, count, args.follow),
            None => self.alone(Reader::new(cluster, selection)?),
        }
    }

    /// Reads without a group.
    pub(crate) fn alone(&mut self, reader: Reader) -> Result<End, CommandError> {
        let (flow, batches) = pump::channel_of_batches();
        // Nothing is owed at the end, so nobody waits for the source to finish.
        let _running = Running::start(reader, flow).map_err(CommandError::failed)?;
        self.pump(&batches, None)
    }

    fn in_group(
        &mut self,
        cluster: &Cluster,
        membership: Membership,
        following: Option<Following>,
    ) -> Result<End, CommandError> {
        let (flow, batches) = pump::channel_of_batches();
        // What is read to the end as it is now is what is subscribed to now.
        let following = following.filter(|_| membership.offsets.until.is_none());
        let member = Member::join(cluster, membership, pump::drain(flow.clone()))?;
        let commits = member.commits();
        if let Some(following) = following {
            following
                .start(member.subscriber(), self.context.stop.clone())
                .map_err(CommandError::failed)?;
        }
        let running = Running::start(member, flow).map_err(CommandError::failed)?;
        let end = self.pump(&batches, Some(&commits));
        drop(batches);
        let closed = running.finish().map_or(Ok(()), |mut member| {
            use crate::kafka::Source;
            member.close()
        });
        let end = end?;
        match closed {
            // What was asked is to end; that some will come again is worth a word.
            Err(error) if matches!(end, End::Stopped) => {
                self.context.ui.warning(crate::ui::in_one_line(&error));
            }
            closed => closed?,
        }
        Ok(end)
    }

    fn pump(
        &mut self,
        batches: &std::sync::mpsc::Receiver<pump::Flow>,
        commits: Option<&crate::kafka::Commits>,
    ) -> Result<End, CommandError> {
        let ui = self.context.ui;
        let written: &[Stage] = if ui.stdout_is_terminal() {
            &[Stage::Processed, Stage::Displayed]
        } else {
            &[Stage::Processed]
        };
        let (end, written) = Pump {
            flow: batches,
            filter: &self.filter,
            bounds: self.bounds,
            sink: &mut Witness::new(&mut self.output, self.reporter.as_ref(), written),
            commits,
            stop: &self.context.stop,
            notice: &mut |notice: &Notice| ui.warning(notice),
            start: self.start,
        }
        .run()
        .map_err(cannot_write)?;
        self.written += written;
        Ok(end)
    }
}
