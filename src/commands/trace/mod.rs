//! `kpipe trace`: one message through its stages.

mod expecting;
mod follow;
mod index;
mod init;
mod lookup;
mod mark;
mod pursuit;
mod rows;
mod scan;
mod span;
mod stats;

use clap::Subcommand;

use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Outcome;

/// Find a message and show the stages of its life
///
/// ID is a message id, a trace id or topic:partition:offset. Stage events are looked up by the id;
/// where there are none, `--topics` says where to search: around the time in the id, in the partition
/// of a key, else everywhere. It joins no group, commits nothing and leaves nothing behind.
///
/// Status 0 when it was found; 1 when all was searched and it is not there, or when `--expect` or
/// `--budget` is not met; 3 when the search was cut short, so that nobody knows.
#[derive(clap::Args, Debug)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_long_help = "\
Examples:
  kpipe trace 019a8f5e-4c1b-7d2e-9f00-3b1f6c2a7d10
  kpipe trace 019a8f5e-4c1b-7d2e-9f00-3b1f6c2a7d10 --topics orders,'^orders\\.'
  kpipe trace 4bf92f3577b34da6a3ce929d0e0e4736 --since 2h
  kpipe trace orders:3:4711
  kpipe trace --key u-17 --topics orders
  kpipe trace --where '/order/id=4711' --topics orders --since 1h
  kpipe trace $ID --expect life.toml --follow --timeout 10s
  kpipe trace stats --since 1h

See `kpipe help tracing`."
)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Option<Command>,

    #[command(flatten)]
    lookup: lookup::LookupArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::Args),
    Mark(mark::Args),
    Stats(stats::Args),
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<Outcome, CommandError> {
    match &args.command {
        Some(Command::Init(args)) => init::run(args, context),
        Some(Command::Mark(args)) => mark::run(args, context),
        Some(Command::Stats(args)) => stats::run(args, context),
        None => lookup::run(&args.lookup, context),
    }
}
