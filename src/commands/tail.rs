//! `kpipe tail`: records of topics, alone or as a member of a group.

use std::time::Instant;

use clap::ValueEnum;

use super::selection::Selection;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::{Outcome, Status};
use crate::kafka::{self, Cluster, Member, Membership, Notice, Reader, Topics};
use crate::pipeline::filter::Filter;
use crate::pipeline::last::Last;
use crate::pipeline::pump::{self, Bounds, End, Pump, Running};
use crate::record::{PayloadMode, Template};
use crate::sink::output::{Format, Output, cannot_write};
use crate::ui::pretty::Pretty;

/// Print the records of topics
///
/// Alone, it joins no group, commits nothing and leaves no trace. In a group (`-g`) it
/// goes on where the group left off and commits what was written. In a pipe it prints
/// record lines, which `kpipe send` turns back into the same records; on a terminal
/// something to read.
///
/// Without a bound it begins at the end and follows; with one (`-e`, `-n`, `-l`,
/// `--until`, `-o N:M`) it begins at the beginning, unless told otherwise.
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  kpipe tail orders                             what comes from now on
  kpipe tail orders -e | jq .value.id           all there is, then end
  kpipe tail orders -l 5                        the last five
  kpipe tail orders --since 1h --where '/total>100'
  kpipe tail orders -g billing -n 100           the next hundred of a group
  kpipe tail '^logs-' -f '%t %T{RFC3339} %s\\n'

TIME is RFC 3339, a date, seconds or milliseconds since the epoch, or a time ago (`2h`, `7d`).")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag that is given or not"
)]
pub(crate) struct Args {
    /// Topics; a regular expression begins with `^`
    #[arg(required = true, value_name = "TOPIC")]
    topics: Vec<String>,

    /// Join this consumer group
    #[arg(short, long, help_heading = "Group")]
    group: Option<String>,

    /// When to commit: after the output was written, or never
    #[arg(
        long,
        value_enum,
        default_value_t,
        value_name = "WHEN",
        requires = "group",
        help_heading = "Group"
    )]
    commit: Commit,

    #[command(flatten)]
    selection: Selection,

    /// Print the last COUNT records of all partitions, in the order of their times
    #[arg(
        short,
        long,
        value_name = "COUNT",
        conflicts_with_all = ["group", "count"],
        help_heading = "Where"
    )]
    last: Option<usize>,

    /// Go on after the last records
    #[arg(long, requires = "last", conflicts_with_all = ["exit", "until"], help_heading = "Where")]
    follow: bool,

    /// Only these partitions (can be repeated)
    #[arg(
        short,
        long = "partition",
        value_name = "PARTITION",
        value_delimiter = ',',
        value_parser = clap::value_parser!(i32).range(0..),
        conflicts_with = "group",
        help_heading = "Where"
    )]
    partitions: Vec<i32>,

    /// Status 1 when no record was printed
    #[arg(long, help_heading = "What")]
    fail_empty: bool,

    /// How record lines show payloads
    #[arg(
        long,
        value_name = "FORM",
        default_value = "auto",
        conflicts_with_all = ["values", "format"],
        help_heading = "Output"
    )]
    payload: PayloadMode,

    /// Print values only: their bytes and a newline
    #[arg(long, conflicts_with_all = ["format", "json"], help_heading = "Output")]
    values: bool,

    /// Print by template: %t %p %o %k %s %T %h, %s{hex}, %T{RFC3339}, \n
    #[arg(
        short,
        long,
        value_name = "TEMPLATE",
        conflicts_with = "json",
        help_heading = "Output"
    )]
    format: Option<String>,

    /// Print record lines also on a terminal
    #[arg(short = 'J', long, help_heading = "Output")]
    json: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Commit {
    #[default]
    After,
    Never,
}

pub(crate) fn run(args: &Args, context: &mut Context) -> Result<Outcome, CommandError> {
    let start = Instant::now();
    let in_group = args.group.is_some();
    let offsets = args
        .selection
        .offsets(in_group, args.last.is_some(), context)?;
    let topics = Topics::new(&args.topics).map_err(CommandError::usage)?;
    let (stop, timeout) = (context.stop.clone(), args.selection.timeout);
    let is_over =
        move || stop.is_asked() || timeout.is_some_and(|timeout| start.elapsed() >= timeout);
    let output = Output::stdout(args.format(context)?, is_over).map_err(cannot_write)?;
    let cluster = context.cluster()?;
    let mut run = Run {
        context,
        filter: args.selection.filter(),
        bounds: args.selection.bounds(),
        start,
        output,
        written: 0,
    };
    let end = if let Some(group) = &args.group {
        let membership = Membership {
            group: group.clone(),
            topics,
            offsets,
            commit: args.commit == Commit::After,
        };
        run.in_group(&cluster, membership)?
    } else {
        let selection = kafka::Selection {
            topics,
            partitions: args.partitions.clone(),
            offsets,
            window: None,
        };
        match args.last {
            Some(count) => run.last(&cluster, selection, count, args.follow)?,
            None => run.alone(Reader::new(&cluster, selection)?)?,
        }
    };
    let written = run.written;
    match end {
        End::Failed(error) => Err(error.into()),
        End::Timeout => Err(CommandError::new(Status::Unavailable, TimeIsUp { written })),
        End::Stopped => Ok(context.stop.signal().map_or(Outcome::DONE, Outcome::Signal)),
        _ if written == 0 && args.fail_empty => Ok(Outcome::Exit(Status::Failed)),
        _ => Ok(Outcome::DONE),
    }
}

#[derive(Debug, thiserror::Error)]
#[error("time is up after {written} records")]
struct TimeIsUp {
    written: u64,
}

impl Args {
    fn format(&self, context: &Context) -> Result<Format, CommandError> {
        let zone = context.clock.zone();
        if let Some(template) = &self.format {
            let template = Template::parse(template, zone.clone()).map_err(CommandError::usage)?;
            return Ok(Format::Template(Box::new(template)));
        }
        if self.values {
            return Ok(Format::Values);
        }
        if context.ui.stdout_is_terminal() && !self.json {
            let pretty = Pretty::new(context.ui.colors_stdout(), zone.clone());
            return Ok(Format::Pretty(Box::new(pretty)));
        }
        Ok(Format::Line(self.payload))
    }
}

/// What every way of tailing needs.
struct Run<'a> {
    context: &'a Context,
    filter: Filter,
    bounds: Bounds,
    start: Instant,
    output: Output,
    written: u64,
}

impl Run<'_> {
    fn alone(&mut self, reader: Reader) -> Result<End, CommandError> {
        let (flow, batches) = pump::channel_of_batches();
        // Nothing is owed at the end, so nobody waits for the source to finish.
        let _running = Running::start(reader, flow).map_err(CommandError::failed)?;
        self.pump(&batches, None)
    }

    fn in_group(&mut self, cluster: &Cluster, membership: Membership) -> Result<End, CommandError> {
        let (flow, batches) = pump::channel_of_batches();
        let member = Member::join(cluster, membership, pump::drain(flow.clone()))?;
        let commits = member.commits();
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
        let (end, written) = Pump {
            flow: batches,
            filter: &self.filter,
            bounds: self.bounds,
            sink: &mut self.output,
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

    /// Prints the last `count` records of all partitions in the order of their times.
    ///
    /// Looks at the last `count` offsets of each partition, and further back where
    /// compaction or transaction markers leave fewer records than that; with a filter
    /// at everything, because the last that match may be anywhere.
    fn last(
        &mut self,
        cluster: &Cluster,
        mut selection: kafka::Selection,
        count: usize,
        follow: bool,
    ) -> Result<End, CommandError> {
        let mut window = u64::try_from(count).unwrap_or(u64::MAX);
        loop {
            selection.window = self.filter.is_empty().then_some(window);
            let reader = Reader::new(cluster, selection.clone())?;
            let cut: Vec<(String, i32)> = reader
                .cut_partitions()
                .map(|(topic, partition)| (topic.to_owned(), partition))
                .collect();
            let follower = follow
                .then(|| Reader::resume(cluster, &reader))
                .transpose()?;
            let (flow, batches) = pump::channel_of_batches();
            let mut last = Last::new(count, &mut self.output);
            let _running = Running::start(reader, flow).map_err(CommandError::failed)?;
            let ui = self.context.ui;
            let (end, _) = Pump {
                flow: &batches,
                filter: &self.filter,
                bounds: Bounds {
                    limit: None,
                    ..self.bounds
                },
                sink: &mut last,
                commits: None,
                stop: &self.context.stop,
                notice: &mut |notice: &Notice| ui.warning(notice),
                start: self.start,
            }
            .run()
            .map_err(cannot_write)?;
            if !matches!(end, End::Source | End::Idle | End::Timeout) {
                return Ok(end);
            }
            if matches!(end, End::Source)
                && cut
                    .iter()
                    .any(|(topic, partition)| last.seen(topic, *partition) < count)
            {
                window = window.saturating_mul(16);
                continue;
            }
            self.written = last.print().map_err(cannot_write)?;
            return match follower {
                Some(follower) if matches!(end, End::Source) => self.alone(follower),
                _ => Ok(end),
            };
        }
    }
}
