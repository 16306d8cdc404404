//! `kpipe trace ID`: finds a message and prints its life.

use std::fs::File;
use std::io::Write;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;

use super::expecting::ExpectingArgs;
use super::index::IndexArgs;
use super::pursuit::Pursuit;
use super::rows::{self as trace_rows, Row};
use super::scan::Cut;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::{Outcome, Status};
use crate::pipeline::filter::Condition;
use crate::sink::output;
use crate::time;
use crate::trace::{Id, Timeline, WantedHeader};
use crate::ui::rows::{self, Output};
use crate::ui::sanitize::OneLine;

/// Which message, where to search and what to expect.
#[derive(clap::Args, Debug)]
pub(super) struct LookupArgs {
    /// Message id, trace id, traceparent or topic:partition:offset
    #[arg(required_unless_present_any = ["key", "headers", "conditions"])]
    pub(super) id: Option<Id>,

    /// The record has this key; it is looked for in the partition of the key
    #[arg(short, long, value_name = "KEY", help_heading = "Which message")]
    pub(super) key: Option<String>,

    /// The record has this header (can be repeated)
    #[arg(
        short = 'H',
        long = "header",
        value_name = "NAME=VALUE",
        help_heading = "Which message"
    )]
    pub(super) headers: Vec<WantedHeader>,

    /// The record's JSON value has this: '/total>100', '/a/b=x' (can be repeated)
    #[arg(
        long = "where",
        value_name = "CONDITION",
        help_heading = "Which message"
    )]
    pub(super) conditions: Vec<Condition>,

    /// Search these topics; a regular expression begins with `^` (can be repeated)
    #[arg(
        long,
        value_name = "TOPIC,…",
        value_delimiter = ',',
        value_parser = NonEmptyStringValueParser::new(),
        help_heading = "Where to search"
    )]
    pub(super) topics: Vec<String>,

    /// Search every partition, not only those where `--key` belongs
    #[arg(long, requires = "key", help_heading = "Where to search")]
    pub(super) all_partitions: bool,

    /// Find every record that matches, not the first of each topic
    #[arg(long, requires = "topics", help_heading = "Where to search")]
    pub(super) all: bool,

    /// Where to begin and end: beginning end N -N +N N:M :end @TIME @T1:T2 [default: all]
    #[arg(
        short,
        long = "offset",
        value_name = "OFFSET",
        allow_hyphen_values = true,
        help_heading = "Where to search"
    )]
    pub(super) offsets: Vec<String>,

    /// Begin at this time; stage events of a trace id are those of 24h unless this says otherwise
    #[arg(
        long,
        value_name = "TIME",
        allow_hyphen_values = true,
        help_heading = "Where to search"
    )]
    pub(super) since: Option<String>,

    /// End at this time
    #[arg(
        long,
        value_name = "TIME",
        allow_hyphen_values = true,
        help_heading = "Where to search"
    )]
    pub(super) until: Option<String>,

    /// Give up after so many records, with status 3
    #[arg(long, value_name = "COUNT", help_heading = "When to stop")]
    pub(super) limit: Option<u64>,

    /// Give up after so long, with status 3; with `--follow`, how long to wait [default: 30s]
    #[arg(
        long,
        value_name = "DURATION",
        value_parser = time::parse_interval,
        help_heading = "When to stop"
    )]
    pub(super) timeout: Option<Duration>,

    /// Wait for the stages that are missing: those of `--expect`, or all ten
    #[arg(long, conflicts_with = "trace_file", help_heading = "When to stop")]
    pub(super) follow: bool,

    #[command(flatten)]
    pub(super) index: IndexArgs,

    #[command(flatten)]
    pub(super) expecting: ExpectingArgs,

    /// How to print
    #[arg(
        long,
        value_enum,
        default_value_t,
        value_name = "FORMAT",
        help_heading = "Output"
    )]
    output: Output,
}

pub(super) fn run(args: &LookupArgs, context: &Context) -> Result<Outcome, CommandError> {
    let expecting = args.expecting.read()?;
    let mut pursuit = Pursuit::new(args, context)?;
    pursuit.find()?;
    if args.follow && pursuit.cut.is_none() {
        pursuit.follow(&expecting)?;
    }
    let timelines = pursuit.timelines();
    if timelines.is_empty() {
        return pursuit.not_found();
    }
    pursuit.tell_mentions();
    let mut out = output::stdout().map_err(output::cannot_write)?;
    let mut verdicts = Vec::new();
    for timeline in &timelines {
        let over_budget = expecting.is_over_budget(timeline);
        let rows = Row::of(timeline, over_budget);
        output::tolerate_closed(print(timeline, &rows, args.output, context, &mut out))?;
        verdicts.extend(expecting.verdict(timeline));
    }
    // The last line is what decides.
    if let Some(verdict) = verdicts.first() {
        output::tolerate_closed(print_verdict(verdict, args.output, context, &mut out))?;
    }
    if pursuit.cut.is_some() {
        return pursuit.incomplete();
    }
    Ok(if verdicts.is_empty() {
        Outcome::DONE
    } else {
        Outcome::Exit(Status::Failed)
    })
}

fn print(
    timeline: &Timeline,
    rows: &[Row],
    output: Output,
    context: &Context,
    out: &mut File,
) -> std::io::Result<()> {
    let is_terminal = context.ui.stdout_is_terminal();
    if !output.is_table(is_terminal) {
        return rows::write(rows, output, is_terminal, out);
    }
    match &timeline.message_id {
        Some(id) => write!(out, "message {}", OneLine(id))?,
        None => write!(out, "message without an id")?,
    }
    match timeline.trace_id {
        Some(trace) => writeln!(out, ", trace {trace}")?,
        None => writeln!(out)?,
    }
    let shown = trace_rows::shown(rows, context.clock.zone());
    rows::write(&shown, output, is_terminal, out)
}

fn print_verdict(
    verdict: &Row,
    output: Output,
    context: &Context,
    out: &mut File,
) -> std::io::Result<()> {
    let is_terminal = context.ui.stdout_is_terminal();
    if !output.is_table(is_terminal) {
        return rows::write(std::slice::from_ref(verdict), output, is_terminal, out);
    }
    writeln!(out, "{}", OneLine(&verdict.in_one_line()))
}

/// A message that was found nowhere, in all that was searched.
#[derive(Debug, thiserror::Error)]
#[error("not found: {what} is in none of the {offsets} offsets of {places} that were searched")]
pub(super) struct NotFound {
    pub(super) what: String,
    pub(super) offsets: u64,
    pub(super) places: String,
}

/// The search did not come to its end.
#[derive(Debug, thiserror::Error)]
#[error("search cut short after {records} records: what was not searched may hold {what}")]
pub(super) struct CutShort {
    pub(super) what: String,
    pub(super) records: u64,
    #[source]
    pub(super) cut: Cut,
}
