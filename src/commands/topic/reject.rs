//! `kpipe topic reject`: a PENDING request becomes REJECTED.

use super::many::{self, Names};
use crate::commands::registry::{ByArgs, RegistryArgs};
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Outcome;
use crate::registry::Stamp;

/// Reject requests, and say why
///
/// Whoever asked for a topic does not reject it but cancels it (`kpipe topic cancel`).
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  kpipe topic reject orders --by bob --reason 'there is one already: shop.orders'")]
pub(super) struct Args {
    #[command(flatten)]
    names: Names,

    #[command(flatten)]
    by: ByArgs,

    /// Why, for whoever asked
    #[arg(long, value_name = "TEXT", value_parser = many::reason)]
    reason: String,
}

pub(super) fn run(
    args: &Args,
    registry: &RegistryArgs,
    context: &Context,
) -> Result<Outcome, CommandError> {
    let four_eyes = context.governance()?.rules.four_eyes;
    let topics = args.names.read(context)?;
    let actor = args.by.actor(context)?;
    let mut registry = registry.open_existing(context)?;
    many::each(&topics, args.names.output, context, |topic| {
        let at = context.clock.now();
        let stamp = Stamp { actor: &actor, at };
        registry.reject(topic.meant(), &args.reason, four_eyes, stamp)
    })
}
