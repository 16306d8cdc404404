//! `kpipe generate`: synthetic record lines, and what there is to know about them.

mod active;
mod arguments;
mod files;
mod list;
mod past;
mod pen;
mod run;
mod spec;
mod stretch;
mod verify;

use clap::Subcommand;

use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Outcome;

/// Write synthetic records that look real, repeat exactly, and can be checked
///
/// KIND is one of `kpipe generate list`. Each entity (a sensor, a customer) has a life of its own;
/// without `--rate` records come as fast as they can be written, with event times at the
/// entities' own pace (see `list`). The same `--seed` and `--start` make the same bytes.
///
/// Headers label each record: gen-run and gen-seq (which run, which event, from 0), gen-sum (a
/// checksum of key and value), and gen-fault where something is wrong on purpose.
#[derive(clap::Args, Debug)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_value_name = "list|describe|verify",
    subcommand_help_heading = "Or",
    after_long_help = "\
Examples:
  kpipe generate sensor -n 10                   ten readings
  kpipe generate payment --rate 50/s --topic payments | kpipe send
  kpipe generate sensor --start 7d --until now  a week, as fast as it goes
  kpipe generate payment -n 1000000 --manifest made.json | kpipe send payments
  kpipe tail payments -e | kpipe generate verify made.json
  kpipe generate --active | kpipe send          the producer daemon of topics by approval
  */5 * * * * kpipe -q generate order --window 5m --lock gen --topic orders | kpipe -q send

TIME is RFC 3339, a date, seconds or milliseconds since the epoch, or a time ago (`2h`, `7d`).
RATE of what goes wrong is a probability: 0.01 or 1%. `kpipe help generate` says more."
)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Option<Command>,

    #[command(flatten)]
    run: arguments::RunArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::ListArgs),
    Describe(list::DescribeArgs),
    Verify(verify::VerifyArgs),
}

pub(crate) fn run(args: &Args, context: &mut Context) -> Result<Outcome, CommandError> {
    match &args.command {
        Some(Command::List(args)) => list::list(args, context),
        Some(Command::Describe(args)) => list::describe(args),
        Some(Command::Verify(args)) => verify::run(args, context),
        None if args.run.active => active::run(&args.run, context),
        None => run::run(&args.run, context),
    }
}
