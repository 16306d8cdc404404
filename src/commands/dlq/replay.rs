//! `kpipe dlq replay`: dead letters back where they came from.

use std::time::{Duration, Instant};

use clap::builder::NonEmptyStringValueParser;

use super::report::Report;
use crate::commands::confirmation::is_confirmed;
use crate::commands::selection::Selection;
use crate::context::Context;
use crate::dead_letters::{Counts, Plan, Replay};
use crate::error::CommandError;
use crate::exit::{Outcome, Status};
use crate::kafka::offset_spec::{OffsetSpec, Stop};
use crate::kafka::{
    self, Cluster, Commit, Commits, Error, Member, Membership, Producer, Reader, Settings, Source,
    Topics, is_topic_name,
};
use crate::pipeline::pace::Pace;
use crate::pipeline::pump::{self, End, Flow, Running};
use crate::time;
use crate::ui::rows::Output;

/// How long a record may wait for its acknowledgement.
const DELIVERY_TIMEOUT: Duration = Duration::from_mins(1);

/// How long a batch waits for company.
const LINGER: Duration = Duration::from_millis(5);

/// Send dead letters back where they came from
///
/// Key, value and headers are as they were; the error headers are taken off, `dlq.replay.count` is
/// put on, the key decides the partition, and the time is now. It goes on where the group left off,
/// to the end as it is when it begins, and commits each when what was sent is acknowledged. With a
/// filter (`--grep`, `--where`, `--since`, `--until`, `-o`) nothing is committed: what was sent comes
/// again, unless it is passed over by another filter.
///
/// Every group that reads the topic sees the records again, also those that had handled them. Asks
/// on a terminal; elsewhere it needs `--yes`. `kpipe help dead-letters` says more.
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  kpipe dlq replay dlq.orders --dry-run
  kpipe dlq replay dlq.orders --yes
  kpipe dlq replay dlq.orders --grep 'h:dlq.status=timeout' --since 2h
  kpipe dlq replay dlq.orders --rate 50/s --max-replays 5
  kpipe dlq replay dlq.orders -p 0 -o 17 -n 1 --to orders-by-hand

TIME is RFC 3339, a date, seconds or milliseconds since the epoch, or a time ago (`2h`, `7d`).")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag that is given or not"
)]
pub(crate) struct Args {
    /// The topic of dead letters
    topic: String,

    /// Go on where this group left off [default: `kpipe-replay.TOPIC`]
    #[arg(
        short,
        long,
        value_parser = NonEmptyStringValueParser::new(),
        conflicts_with = "offsets",
        help_heading = "Group"
    )]
    group: Option<String>,

    #[command(flatten)]
    selection: Selection,

    /// With `-o`: only these partitions (can be repeated)
    #[arg(
        short,
        long = "partition",
        value_name = "PARTITION",
        value_delimiter = ',',
        value_parser = clap::value_parser!(i32).range(0..),
        requires = "offsets",
        help_heading = "Where"
    )]
    partitions: Vec<i32>,

    /// Send all of them to this topic
    #[arg(long, value_name = "TOPIC", help_heading = "Delivery")]
    to: Option<String>,

    /// Leave those that were replayed so often
    #[arg(
        long,
        value_name = "COUNT",
        default_value = "3",
        value_parser = clap::value_parser!(u64).range(1..),
        help_heading = "Delivery"
    )]
    max_replays: u64,

    /// Records a second, such as `100/s` or `90/m`
    #[arg(long, value_parser = time::parse_rate, help_heading = "Delivery")]
    rate: Option<f64>,

    /// Keep the time that each record had at first
    #[arg(long, help_heading = "Delivery")]
    keep_timestamp: bool,

    /// Pass over what cannot be sent; otherwise its partition ends there
    #[arg(long, help_heading = "Delivery")]
    skip: bool,

    /// Say what would be sent where; send and commit nothing
    #[arg(long, help_heading = "Delivery")]
    dry_run: bool,

    /// Do not ask
    #[arg(short, long, help_heading = "Delivery")]
    yes: bool,

    /// How to print what `--dry-run` finds
    #[arg(
        long,
        value_enum,
        default_value_t,
        value_name = "FORMAT",
        help_heading = "Output"
    )]
    output: Output,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<Outcome, CommandError> {
    let start = Instant::now();
    let plan = args.plan(context)?;
    let alone = args.selection.names_offsets();
    let offsets = args.selection.offsets(!alone, true, context)?;
    if !args.dry_run {
        let hint = "the same with `--yes` does it; with `--dry-run` it says what it would do";
        if !is_confirmed(args.yes, &args.question(), hint, context)? {
            return Ok(Outcome::Exit(Status::Failed));
        }
    }
    let cluster = context.cluster()?;
    let mut work = Work {
        args,
        plan: &plan,
        producer: Producer::new(cluster.clone(), settings())?,
        report: Report::new(args.topic.clone(), args.dry_run, context),
        context,
        start,
    };
    if let Some(to) = &plan.to {
        work.producer.prepare(to, true)?;
    }
    let (end, counts) = if alone {
        let selection = kafka::Selection {
            topics: args.topics()?,
            partitions: args.partitions.clone(),
            offsets,
            window: None,
        };
        let (flow, batches) = pump::channel_of_batches();
        let reader = Reader::new(&cluster, selection)?;
        let source = Running::start(reader, flow).map_err(CommandError::failed)?;
        work.replay(&source, &batches, None)
    } else {
        work.in_group(&cluster)?
    };
    work.finish(end, &counts)
}

fn settings() -> Settings {
    Settings {
        acks: None,
        compression: None,
        delivery_timeout: DELIVERY_TIMEOUT,
        linger: LINGER,
        transactional_id: None,
        transaction_timeout: DELIVERY_TIMEOUT,
    }
}

impl Args {
    fn plan(&self, context: &Context) -> Result<Plan, CommandError> {
        for topic in [Some(&self.topic), self.to.as_ref()].into_iter().flatten() {
            if !is_topic_name(topic) {
                return Err(Error::InvalidTopic(topic.clone()).into());
            }
        }
        if self.to.as_ref() == Some(&self.topic) {
            return Err(CommandError::usage(EndlessLoop(self.topic.clone()))
                .hint("read one topic and write another"));
        }
        // By position, times are looked up; in a group they say which of the rest are meant.
        let [since, until] = if self.selection.names_offsets() {
            [None, None]
        } else {
            self.selection.times(context)?
        };
        Ok(Plan {
            topic: self.topic.clone(),
            to: self.to.clone(),
            filter: self.selection.filter(),
            since,
            until,
            max_replays: self.max_replays,
            keep_timestamp: self.keep_timestamp,
            skip: self.skip,
            dry_run: self.dry_run,
        })
    }

    fn topics(&self) -> Result<Topics, CommandError> {
        Topics::new(std::slice::from_ref(&self.topic)).map_err(CommandError::usage)
    }

    fn group(&self) -> String {
        let own = || format!("kpipe-replay.{}", self.topic);
        self.group.clone().unwrap_or_else(own)
    }

    fn question(&self) -> String {
        match &self.to {
            Some(to) => format!(
                "Send the dead letters of `{}` to `{to}`? Every group that reads it will see them.",
                self.topic
            ),
            None => format!(
                "Send the dead letters of `{}` back? Every group that reads where they came from will see them again.",
                self.topic
            ),
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("topic `{0}` is read and written: its records would come round for ever")]
struct EndlessLoop(String);

/// What every way of replaying needs.
struct Work<'a> {
    args: &'a Args,
    plan: &'a Plan,
    producer: Producer,
    report: Report,
    context: &'a Context,
    start: Instant,
}

impl Work<'_> {
    fn in_group(&mut self, cluster: &Cluster) -> Result<(End, Counts), CommandError> {
        let membership = Membership {
            group: self.args.group(),
            topics: self.args.topics()?,
            offsets: OffsetSpec {
                from: None,
                until: Some(Stop::End),
            },
            commit: if self.commits() {
                Commit::Group
            } else {
                Commit::Never
            },
        };
        let (flow, batches) = pump::channel_of_batches();
        let member = Member::join(cluster, membership, pump::drain(flow.clone()))?;
        let commits = member.commits();
        let source = Running::start(member, flow).map_err(CommandError::failed)?;
        let (end, counts) = self.replay(&source, &batches, Some(&commits));
        drop(batches);
        let closed = source.finish().map_or(Ok(()), |mut member| member.close());
        match (&end, closed) {
            // It is told first.
            (End::Failed(_), _) | (_, Ok(())) => {}
            // What was asked is to end; that some will come again is worth a word.
            (End::Stopped, Err(error)) => {
                self.context.ui.warning(crate::ui::in_one_line(&error));
            }
            (_, Err(error)) => {
                let group = self.commits().then(|| self.args.group());
                self.report.finish(&counts, group.as_deref());
                return Err(error.into());
            }
        }
        Ok((end, counts))
    }

    /// Whether what is finished is committed.
    fn commits(&self) -> bool {
        !self.plan.dry_run && !self.args.selection.names_offsets() && self.plan.wants_all()
    }

    fn replay<S: Source + Send + 'static>(
        &mut self,
        source: &Running<S>,
        flow: &std::sync::mpsc::Receiver<Flow>,
        commits: Option<&Commits>,
    ) -> (End, Counts) {
        let commits = commits.filter(|_| self.commits());
        let report = &mut self.report;
        Replay {
            plan: self.plan,
            flow,
            source,
            producer: &mut self.producer,
            commits,
            bounds: self.args.selection.bounds(),
            pace: Pace::new(self.args.rate.filter(|_| !self.plan.dry_run)),
            stop: &self.context.stop,
            tell: &mut |told| report.tell(&told),
            start: self.start,
        }
        .run()
    }

    /// Says how it went; not all of them gone is status 1.
    fn finish(mut self, end: End, counts: &Counts) -> Result<Outcome, CommandError> {
        let group = self.commits().then(|| self.args.group());
        let failed = counts.all_left() > 0;
        if self.plan.dry_run && !matches!(end, End::Failed(_)) {
            self.report.print_plan(self.args.output, self.context)?;
        }
        self.report.finish(counts, group.as_deref());
        match end {
            End::Failed(error) => Err(error.into()),
            End::Timeout => Err(CommandError::new(Status::Unavailable, TimeIsUp)),
            End::Stopped => {
                let signal = self.context.stop.signal();
                Ok(signal.map_or(Outcome::DONE, Outcome::Signal))
            }
            _ if failed => Ok(Outcome::Exit(Status::Failed)),
            _ => Ok(Outcome::DONE),
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("time is up")]
struct TimeIsUp;
