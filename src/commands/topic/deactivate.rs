//! `kpipe topic deactivate`: an ACTIVE topic becomes INACTIVE.

use super::many::{self, Names};
use crate::commands::registry::{ByArgs, RegistryArgs};
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Outcome;
use crate::registry::Stamp;

/// Take ACTIVE topics out of use, and keep their records in Kafka
///
/// Under `approval = "enforce"` nobody sends to them from then on. They may be asked for again.
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  kpipe topic deactivate orders-v1 --by bob --reason 'orders-v2 took over'")]
pub(super) struct Args {
    #[command(flatten)]
    names: Names,

    #[command(flatten)]
    by: ByArgs,

    /// Why, for whoever used them
    #[arg(long, value_name = "TEXT", value_parser = many::reason)]
    reason: String,
}

pub(super) fn run(
    args: &Args,
    registry: &RegistryArgs,
    context: &Context,
) -> Result<Outcome, CommandError> {
    let topics = args.names.read(context)?;
    let actor = args.by.actor(context)?;
    let mut registry = registry.open_existing(context)?;
    many::each(&topics, args.names.output, context, |topic| {
        let at = context.clock.now();
        let stamp = Stamp { actor: &actor, at };
        registry.deactivate(topic.meant(), &args.reason, stamp)
    })
}
