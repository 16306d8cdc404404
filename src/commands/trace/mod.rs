//! `kpipe trace`: one message through its stages.

mod init;
mod mark;

use clap::Subcommand;

use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Outcome;

/// Follow one message through its life
///
/// `--trace` of `kpipe send` and `kpipe tail`, and `kpipe trace mark` in any pipeline, report the
/// stages that a message reaches. See `kpipe help tracing`.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::Args),
    Mark(mark::Args),
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<Outcome, CommandError> {
    match &args.command {
        Command::Init(args) => init::run(args, context),
        Command::Mark(args) => mark::run(args, context),
    }
}
