//! `kpipe dlq stats`: what died of what.

use std::io;
use std::time::Instant;

use super::Which;
use super::rows::Printing;
use crate::context::Context;
use crate::dead_letters::Tally;
use crate::error::CommandError;
use crate::exit::{Outcome, Status};
use crate::kafka::{Notice, Reader};
use crate::pipeline::pump::{self, End, Pump, Running, Sink};
use crate::record::Record;
use crate::sink::output::cannot_write;
use crate::ui::rows::Output;

/// Count dead letters by where they came from and what they died of
///
/// Reads all there are, alone, without a group. Messages that differ in a long number, a time or
/// an id alone are counted together, with `#` in its place. FIRST and LAST are when the first and
/// the last of them died, REPLAYED how many had been replayed before. Status 1 when there are any.
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  kpipe dlq stats dlq.orders
  kpipe dlq stats '^dlq\\.' --since 1h
  kpipe dlq stats dlq.orders | jq -r 'select(.status == \"timeout\").records'
  kpipe dlq stats -q '^dlq\\.' --since 24h || mail -s 'dead letters' ops@example.com

TIME is RFC 3339, a date, seconds or milliseconds since the epoch, or a time ago (`2h`, `7d`).")]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,

    /// Tell so many kinds apart, the most frequent ones, and the others together
    #[arg(
        long,
        value_name = "COUNT",
        default_value = "20",
        help_heading = "Output"
    )]
    top: usize,

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

pub(super) fn run(args: &Args, context: &Context) -> Result<Outcome, CommandError> {
    let start = Instant::now();
    let places = args.which.places(false, context)?;
    let reader = Reader::new(&context.cluster()?, places)?;
    let (flow, batches) = pump::channel_of_batches();
    let _running = Running::start(reader, flow).map_err(CommandError::failed)?;
    let ui = context.ui;
    let mut counting = Counting::default();
    let (end, _) = Pump {
        flow: &batches,
        filter: &args.which.selection.filter(),
        bounds: args.which.selection.bounds(),
        sink: &mut counting,
        commits: None,
        stop: &context.stop,
        notice: &mut |notice: &Notice| ui.warning(notice),
        start,
    }
    .run()
    .map_err(cannot_write)?;
    let tally = counting.0;
    match end {
        End::Failed(error) => return Err(error.into()),
        End::Timeout => return Err(CommandError::new(Status::Unavailable, TimeIsUp)),
        End::Stopped => {
            let signal = context.stop.signal();
            return Ok(signal.map_or(Outcome::DONE, Outcome::Signal));
        }
        _ => {}
    }
    if tally.records() == 0 {
        ui.status("No dead letters.");
        return Ok(Outcome::DONE);
    }
    let printing = Printing {
        output: args.output,
        is_terminal: ui.stdout_is_terminal(),
        top: args.top,
        is_plan: false,
        one_topic: args.which.topics.len() == 1 && !args.which.topics[0].starts_with('^'),
        now: context.clock.now(),
    };
    super::print(&printing.lay_out(tally)?)?;
    Ok(Outcome::Exit(Status::Failed))
}

#[derive(Debug, thiserror::Error)]
#[error("time is up, and not all was read")]
struct TimeIsUp;

/// Counts what the pump brings.
#[derive(Default)]
struct Counting(Tally);

impl Sink for Counting {
    fn write(&mut self, record: &Record<'_>) -> io::Result<()> {
        self.0.add(record);
        Ok(())
    }

    fn end_batch(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn flush(&mut self, _until: Option<Instant>) -> io::Result<bool> {
        Ok(true)
    }

    fn is_closed(&self) -> bool {
        false
    }
}
