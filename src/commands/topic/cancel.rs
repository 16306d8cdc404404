//! `kpipe topic cancel`: whoever asked takes the request back.

use super::many::{self, Names};
use crate::commands::registry::{ByArgs, RegistryArgs};
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Outcome;
use crate::registry::Stamp;

/// Take back your own requests, while their topics are not ACTIVE
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  kpipe topic cancel orders --by alice")]
pub(super) struct Args {
    #[command(flatten)]
    names: Names,

    #[command(flatten)]
    by: ByArgs,

    /// Why
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,
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
        registry.cancel(topic.meant(), args.comment.as_deref(), stamp)
    })
}
