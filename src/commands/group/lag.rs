//! `kpipe group lag`: how far groups are behind, once or again and again.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use super::lag_rows::{Row, Time, Verdict, summarise};
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::{Outcome, Status};
use crate::kafka::{Admin, Committed, Error, GroupKind, GroupLag, Peek};
use crate::stats::lag::{Sample, Window};
use crate::time;
use crate::ui::rows::{self, Output};

/// Show how far groups are behind
///
/// In a pipe it prints a line for each partition that a group has committed or that a
/// member has; on a terminal a row for each group and topic, with the partition that is
/// furthest behind. As in Kafka's own tool, lag goes up to the high watermark: open
/// transactions count, and so do the markers at their ends.
///
/// Lag in time is the age of the first record that the group has not passed, for which
/// that record is read: on a terminal, and elsewhere with `--time` or `--watch`.
///
/// Watching, it tells by how many records a second lag grows, and a status by Burrow's
/// rules: OK; WARN, the group moves and falls behind; STALL, it does not move; STOP, the
/// same, and no member has the partition; REWIND, it went back.
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  kpipe group lag                                    all groups
  kpipe group lag billing --fail-over 10000 -q || notify
  kpipe group lag billing --watch=10s
  kpipe group lag | jq -s 'group_by(.group)[] | {group: .[0].group, lag: map(.lag) | add}'")]
pub(crate) struct Args {
    /// Only these groups
    #[arg(value_name = "GROUP")]
    groups: Vec<String>,

    /// Only these topics (can be repeated)
    #[arg(long = "topic", value_name = "TOPIC")]
    topics: Vec<String>,

    /// Show every partition also on a terminal
    #[arg(long)]
    partitions: bool,

    /// Tell lag in time, which reads a record of each partition
    #[arg(long)]
    time: bool,

    /// Look again and again, and tell trend and status
    #[arg(
        long,
        value_name = "INTERVAL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "10s",
        value_parser = time::parse_interval
    )]
    watch: Option<Duration>,

    /// Judge by what was seen within so long [default: ten intervals]
    #[arg(
        long,
        value_name = "DURATION",
        requires = "watch",
        value_parser = time::parse_interval
    )]
    window: Option<Duration>,

    /// Status 1 when a group is behind by more than COUNT records, which ends a watch, or when
    /// there is nothing to look at
    #[arg(long, value_name = "COUNT")]
    fail_over: Option<i64>,

    /// How to print
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Output,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<Outcome, CommandError> {
    let cluster = context.cluster()?;
    let is_table = args.output.is_table(context.ui.stdout_is_terminal());
    let mut run = Run {
        args,
        context,
        admin: Admin::new(&cluster)?,
        peek: (is_table || args.time || args.watch.is_some())
            .then(|| Peek::new(&cluster))
            .transpose()?,
        windows: HashMap::new(),
        start: Instant::now(),
    };
    let mut round = run.round()?;
    loop {
        if !run.print(&round.rows, is_table)? {
            return Ok(Outcome::DONE);
        }
        if args
            .fail_over
            .is_some_and(|most| is_over(&round.rows, most))
        {
            return Ok(Outcome::Exit(Status::Failed));
        }
        let Some(interval) = args.watch else {
            if round.rows.is_empty() && round.errors.is_empty() {
                return nothing_seen(args, context);
            }
            return super::report(round.errors, context);
        };
        round = loop {
            if context.stop.wait(interval) {
                return Ok(context.stop.signal().map_or(Outcome::DONE, Outcome::Signal));
            }
            match run.round() {
                Ok(round) => break round,
                // A watch outlives a broker.
                Err(error) if error.status == Status::Unavailable => {
                    context.ui.warning(crate::ui::in_one_line(&*error.error));
                }
                Err(error) => return Err(error),
            }
        };
    }
}

/// A check that has looked at nothing has not passed.
fn nothing_seen(args: &Args, context: &Context) -> Result<Outcome, CommandError> {
    if args.fail_over.is_some() {
        return Err(CommandError::failed("no group was looked at").hint(
            "`kpipe group list` shows the groups that these credentials may see, `kpipe config show` \
             whose they are",
        ));
    }
    context
        .ui
        .status("There is no group with a partition to look at.");
    Ok(Outcome::DONE)
}

/// Whether any group as a whole is behind by more than `most`.
fn is_over(rows: &[Row], most: i64) -> bool {
    rows.chunk_by(|one, next| one.group == next.group)
        .any(|rows| rows.iter().filter_map(|row| row.lag).sum::<i64>() > most)
}

struct Run<'a> {
    args: &'a Args,
    context: &'a Context,
    admin: Admin,
    peek: Option<Peek>,
    windows: HashMap<(String, String, i32), Window>,
    start: Instant,
}

/// What was found at one moment.
struct Round {
    /// By group, topic and partition.
    rows: Vec<Row>,
    errors: Vec<CommandError>,
}

impl Run<'_> {
    fn round(&mut self) -> Result<Round, CommandError> {
        let names = self.names()?;
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut round = Round {
            rows: Vec::new(),
            errors: Vec::new(),
        };
        let at = self.start.elapsed();
        for (name, lag) in names.iter().zip(self.admin.lag(&names)?) {
            match lag {
                Ok(lag) => self.add(&mut round.rows, name, &lag, at),
                // It was deleted since it was listed.
                Err(Error::UnknownGroup(_)) if self.args.groups.is_empty() => {}
                Err(error) => round.errors.push(super::explained(error, &self.admin)),
            }
        }
        self.add_times(&mut round.rows)?;
        Ok(round)
    }

    /// The groups that were named, or all.
    fn names(&self) -> Result<BTreeSet<String>, CommandError> {
        if !self.args.groups.is_empty() {
            return Ok(self.args.groups.iter().cloned().collect());
        }
        let (other, consumers): (Vec<_>, Vec<_>) = self
            .admin
            .groups()?
            .into_iter()
            .partition(|group| matches!(group.kind, GroupKind::Other(_)));
        if self.windows.is_empty() {
            for group in other {
                if let GroupKind::Other(protocol) = group.kind {
                    self.context.ui.status(format_args!(
                        "Group `{}` is left out: a {protocol} group has no lag to show.",
                        group.group
                    ));
                }
            }
        }
        Ok(consumers.into_iter().map(|group| group.group).collect())
    }

    fn add(&mut self, rows: &mut Vec<Row>, group: &str, lag: &GroupLag, at: Duration) {
        for one in &lag.partitions {
            if !self.args.topics.is_empty() && !self.args.topics.contains(&one.topic) {
                continue;
            }
            let verdict = self.args.watch.map(|interval| {
                let length = self.args.window.unwrap_or(interval * 10);
                let window = self
                    .windows
                    .entry((group.to_owned(), one.topic.clone(), one.partition))
                    .or_insert_with(|| Window::new(length));
                if let (Some(committed), Some(lag)) = (one.committed, one.lag()) {
                    window.push(Sample {
                        at,
                        committed,
                        lag,
                        is_owned: one.member.is_some(),
                    });
                }
                Verdict {
                    trend: window.trend(),
                    status: window.status(),
                }
            });
            rows.push(Row {
                at: self.args.watch.map(|_| self.context.clock.now()),
                group: group.to_owned(),
                topic: one.topic.clone(),
                partition: one.partition,
                committed: one.committed,
                end: one.end,
                lag: one.lag(),
                time: None,
                verdict,
            });
        }
    }

    /// Adds how old the first record is that each group has not passed.
    fn add_times(&mut self, rows: &mut [Row]) -> Result<(), CommandError> {
        let Some(peek) = &mut self.peek else {
            return Ok(());
        };
        // Groups may be at different places in a partition, and a place is looked at at a time.
        let mut places: BTreeMap<(String, i32), BTreeSet<i64>> = BTreeMap::new();
        for row in rows.iter() {
            if let (Some(committed), Some(1..)) = (row.committed, row.lag) {
                let partition = (row.topic.clone(), row.partition);
                places.entry(partition).or_default().insert(committed);
            }
        }
        let mut times: HashMap<(String, i32, i64), i64> = HashMap::new();
        while !places.is_empty() {
            let next: Committed = places
                .iter_mut()
                .filter_map(|(partition, offsets)| Some((partition.clone(), offsets.pop_first()?)))
                .collect();
            places.retain(|_, offsets| !offsets.is_empty());
            for (partition, millis) in peek.timestamps(&next)? {
                let offset = next.get(&partition).copied().unwrap_or_default();
                times.insert((partition.0, partition.1, offset), millis);
            }
        }
        let now = self.context.clock.now().as_millisecond();
        for row in rows {
            let lag_ms = match (row.committed, row.lag) {
                (Some(committed), Some(1..)) => times
                    .get(&(row.topic.clone(), row.partition, committed))
                    .map(|millis| now.saturating_sub(*millis)),
                (_, Some(_)) => Some(0),
                _ => None,
            };
            row.time = Some(Time { lag_ms });
        }
        Ok(())
    }

    /// Says whether somebody still reads.
    fn print(&self, rows: &[Row], is_table: bool) -> Result<bool, CommandError> {
        if !is_table {
            return super::print(rows, Output::Json, self.context);
        }
        let mut table = Vec::new();
        if self.args.watch.is_some() && self.context.ui.stdout_is_terminal() {
            // From the top left, over what was there.
            table.extend_from_slice(b"\x1b[H\x1b[J");
        }
        let written = if self.args.partitions {
            rows::write(rows, Output::Table, true, &mut table)
        } else {
            rows::write(&summarise(rows), Output::Table, true, &mut table)
        };
        written.map_err(crate::sink::output::cannot_write)?;
        super::print_bytes(&table)
    }
}
