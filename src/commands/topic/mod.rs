//! `kpipe topic`: topics of the cluster.

mod acting;
mod create;
mod delete;
mod plan;
mod reconcile;
mod stand_in;

use clap::Subcommand;

use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Outcome;

/// Look after topics
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Create(create::Args),
    Delete(delete::Args),
    Plan(plan::Args),
    Reconcile(reconcile::Args),
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<Outcome, CommandError> {
    match &args.command {
        Command::Create(args) => create::run(args, context),
        Command::Delete(args) => delete::run(args, context),
        Command::Plan(args) => plan::run(args, context),
        Command::Reconcile(args) => reconcile::run(args, context),
    }
}
