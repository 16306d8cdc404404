//! `kpipe trace stats`: how long messages take from stage to stage.

use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use jiff::Timestamp;
use serde::Serialize;

use super::index::{self, IndexArgs};
use super::scan::{Cut, Passes, Scanned, Scanner};
use super::span;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::{Outcome, Status};
use crate::kafka::offset_spec::{OffsetSpec, Start, Stop};
use crate::kafka::{Survey, Topics};
use crate::sink::output;
use crate::time;
use crate::trace::{StageEvent, StageStatistics, Statistics};
use crate::ui::rows::{self, Output};

/// Show how long messages take from stage to stage, and what is missing
///
/// Reads the stage events of the last hour (`--since`), alone, without a group, and tells of each stage
/// how many messages reached it, how many did not, how many failed, and the times
/// (p50, p95, p99) since the stage before and since the message was created. Times below 0
/// are of clocks that differ.
///
/// Memory is bounded: of more than 131072 messages a fair sample is measured, and it says so.
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  kpipe trace stats
  kpipe trace stats --since 1d --topics orders
  kpipe trace stats | jq -r 'select(.missing_share > 0.01).stage'")]
pub(super) struct Args {
    /// Begin at this time
    #[arg(
        long,
        value_name = "TIME",
        default_value = "1h",
        allow_hyphen_values = true
    )]
    since: String,

    /// End at this time [default: now]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    until: Option<String>,

    /// Only of messages in these topics; a regular expression begins with `^` (can be repeated)
    #[arg(
        long,
        value_name = "TOPIC,…",
        value_delimiter = ',',
        value_parser = NonEmptyStringValueParser::new()
    )]
    topics: Vec<String>,

    /// Give up after so long, with status 3
    #[arg(long, value_name = "DURATION", value_parser = time::parse_interval)]
    timeout: Option<Duration>,

    #[command(flatten)]
    index: IndexArgs,

    /// How to print
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Output,
}

/// A line of JSON; times in microseconds.
#[derive(Debug, Serialize)]
struct Row {
    stage: &'static str,
    messages: u64,
    missing: u64,
    missing_share: f64,
    errors: u64,
    skewed: u64,
    p50: Option<i64>,
    p95: Option<i64>,
    p99: Option<i64>,
    since_created_p50: Option<i64>,
    since_created_p95: Option<i64>,
    since_created_p99: Option<i64>,
}

/// The same on a terminal.
#[derive(Debug, Serialize)]
struct Shown {
    stage: &'static str,
    messages: u64,
    missing: String,
    errors: u64,
    skewed: u64,
    p50: Option<String>,
    p95: Option<String>,
    p99: Option<String>,
    since_created_p50: Option<String>,
    since_created_p95: Option<String>,
    since_created_p99: Option<String>,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<Outcome, CommandError> {
    let (now, zone) = (context.clock.now(), context.clock.zone());
    let time = |text: &str| time::parse(text, now, zone).map_err(CommandError::usage);
    let (since, until) = (
        time(&args.since)?,
        args.until.as_deref().map(time).transpose()?,
    );
    let wanted = Wanted {
        topics: Topics::new(&args.topics).map_err(CommandError::usage)?,
        of_all: args.topics.is_empty(),
        from: since.as_microsecond(),
        until: until.map(Timestamp::as_microsecond),
    };
    let mut statistics = Statistics::default();
    let mut cut = None;
    if let Some(path) = &args.index.trace_file {
        index::read_file(path, context, |event| {
            if wanted.has(&event) {
                statistics.add(&event);
            }
        })?;
    } else {
        cut = read_topic(args, since, until, &wanted, &mut statistics, context)?;
    }
    if let Some(Cut::Stopped) = cut
        && let Some(signal) = context.stop.signal()
    {
        return Ok(Outcome::Signal(signal));
    }
    tell(&statistics, context);
    let mut out = output::stdout().map_err(output::cannot_write)?;
    output::tolerate_closed(print(&statistics, args.output, context, &mut out))?;
    match cut {
        None if statistics.measured() == 0 => Err(CommandError::failed("there is no stage event")
            .hint("`kpipe help tracing` says how they come to be")),
        None => Ok(Outcome::DONE),
        Some(cut) => Err(CommandError::new(Status::Unavailable, Incomplete(cut))),
    }
}

#[derive(Debug, thiserror::Error)]
#[error("not all stage events were read")]
struct Incomplete(#[source] Cut);

/// Which events count.
struct Wanted {
    topics: Topics,
    of_all: bool,
    /// Microseconds since the epoch.
    from: i64,
    until: Option<i64>,
}

impl Wanted {
    fn has(&self, event: &StageEvent) -> bool {
        let in_time = event.at >= self.from && self.until.is_none_or(|until| event.at < until);
        // Who reports a stage before the topic is known does not say it.
        let topic = event.topic.as_deref();
        in_time && (self.of_all || topic.is_none_or(|topic| self.topics.matches(topic)))
    }
}

fn read_topic(
    args: &Args,
    since: Timestamp,
    until: Option<Timestamp>,
    wanted: &Wanted,
    statistics: &mut Statistics,
    context: &Context,
) -> Result<Option<Cut>, CommandError> {
    let topic = std::slice::from_ref(&args.index.trace_topic);
    let topics = Topics::new(topic).map_err(CommandError::usage)?;
    let survey = Survey::new(&context.cluster()?, topics)?;
    let spec = OffsetSpec {
        from: Some(Start::Time(since)),
        until: Some(until.map_or(Stop::End, Stop::Time)),
    };
    let ranges = survey.ranges(&survey.partitions(), spec)?;
    let mut scanner = Scanner::new(context, args.timeout, None);
    let (ended, _) = scanner.scan(Passes::Ahead(survey), ranges, &mut |record| {
        let event = record.value.and_then(|value| StageEvent::parse(value).ok());
        if let Some(event) = event.filter(|event| wanted.has(event)) {
            statistics.add(&event);
        }
        false
    })?;
    Ok(match ended {
        Scanned::Cut(cut) => Some(cut),
        _ => None,
    })
}

fn tell(statistics: &Statistics, context: &Context) {
    let (events, measured) = (statistics.events(), statistics.measured());
    match statistics.one_in() {
        1 => {
            let messages = if measured == 1 { "message" } else { "messages" };
            let text = format_args!("{events} events of {measured} {messages}");
            context.ui.status(text);
        }
        one_in => context.ui.status(format_args!(
            "{events} events; one message in {one_in} is measured, {measured} of them"
        )),
    }
}

fn print(
    statistics: &Statistics,
    output: Output,
    context: &Context,
    out: &mut std::fs::File,
) -> std::io::Result<()> {
    if statistics.measured() == 0 {
        return Ok(());
    }
    let is_terminal = context.ui.stdout_is_terminal();
    let stages = statistics.stages();
    let rows = stages.iter().map(row);
    if output.is_table(is_terminal) {
        let shown: Vec<Shown> = rows.map(|row| shown(&row)).collect();
        rows::write(&shown, output, is_terminal, out)
    } else {
        rows::write(&rows.collect::<Vec<_>>(), output, is_terminal, out)
    }
}

fn row(stage: &StageStatistics) -> Row {
    #[expect(clippy::cast_precision_loss, reason = "a share is an estimate")]
    let share = stage.missing as f64 / (stage.missing + stage.messages).max(1) as f64;
    let [p50, p95, p99] = stage
        .since_previous
        .map_or([None; 3], |times| times.map(Some));
    let of_all = stage
        .since_created
        .map_or([None; 3], |times| times.map(Some));
    Row {
        stage: stage.stage.name(),
        messages: stage.messages,
        missing: stage.missing,
        missing_share: (share * 10_000.0).round() / 10_000.0,
        errors: stage.errors,
        skewed: stage.skewed,
        p50,
        p95,
        p99,
        since_created_p50: of_all[0],
        since_created_p95: of_all[1],
        since_created_p99: of_all[2],
    }
}

fn shown(row: &Row) -> Shown {
    let time = |time: Option<i64>| time.map(span::in_words);
    Shown {
        stage: row.stage,
        messages: row.messages,
        missing: format!("{} ({:.2}%)", row.missing, row.missing_share * 100.0),
        errors: row.errors,
        skewed: row.skewed,
        p50: time(row.p50),
        p95: time(row.p95),
        p99: time(row.p99),
        since_created_p50: time(row.since_created_p50),
        since_created_p95: time(row.since_created_p95),
        since_created_p99: time(row.since_created_p99),
    }
}
