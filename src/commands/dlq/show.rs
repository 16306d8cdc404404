//! `kpipe dlq show`: dead letters one by one.

use std::time::Instant;

use super::Which;
use crate::commands::tail;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Outcome;
use crate::kafka::Reader;
use crate::record::PayloadMode;
use crate::sink::output::{Format, Output, cannot_write};
use crate::ui::dead_letters::DeadLetters;
use crate::ui::pretty::Pretty;

/// Print dead letters, on a terminal with what they died of
///
/// Reads all there are, alone, without a group. In a pipe it prints record lines with all
/// headers, as `kpipe tail` does; on a terminal where each came from, its error, and then the
/// record without error headers.
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  kpipe dlq show dlq.orders -l 5
  kpipe dlq show dlq.orders --since 1h --grep 'h:dlq.status=timeout'
  kpipe dlq show dlq.orders | jq -c 'del(.partition, .timestamp) | .value.total |= tonumber' \\
      | kpipe send orders

TIME is RFC 3339, a date, seconds or milliseconds since the epoch, or a time ago (`2h`, `7d`).")]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,

    /// Print the last COUNT of all partitions, in the order of their times
    #[arg(
        short,
        long,
        value_name = "COUNT",
        conflicts_with = "count",
        help_heading = "Where"
    )]
    last: Option<usize>,

    /// Go on after those there are
    #[arg(long, conflicts_with_all = ["exit", "until"], help_heading = "When to stop")]
    follow: bool,

    /// How record lines show payloads
    #[arg(
        long,
        value_name = "FORM",
        default_value = "auto",
        help_heading = "Output"
    )]
    payload: PayloadMode,

    /// Print record lines also on a terminal
    #[arg(short = 'J', long, help_heading = "Output")]
    json: bool,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<Outcome, CommandError> {
    let start = Instant::now();
    let selection = &args.which.selection;
    // `-l` follows on with a reader of its own.
    let places = args
        .which
        .places(args.follow && args.last.is_none(), context)?;
    let (stop, timeout) = (context.stop.clone(), selection.timeout);
    let is_over =
        move || stop.is_asked() || timeout.is_some_and(|timeout| start.elapsed() >= timeout);
    let format = if context.ui.stdout_is_terminal() && !args.json {
        let pretty = Pretty::new(context.ui.colors_stdout(), context.clock.zone().clone());
        let clock = context.clock.clone();
        Format::Dead(Box::new(DeadLetters::new(pretty, move || clock.now())))
    } else {
        Format::Line(args.payload)
    };
    let cluster = context.cluster()?;
    let mut run = tail::Run {
        context,
        filter: selection.filter(),
        bounds: selection.bounds(),
        start,
        output: Output::stdout(format, is_over).map_err(cannot_write)?,
        reporter: None,
        written: 0,
    };
    let end = match args.last {
        Some(count) => run.last(&cluster, places, count, args.follow)?,
        None => run.alone(Reader::new(&cluster, places)?)?,
    };
    run.outcome(end)
}
