//! `kpipe topic approve`: a PENDING request becomes APPROVED.

use super::many::{self, Names};
use crate::commands::registry::{ByArgs, RegistryArgs};
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Outcome;
use crate::registry::Stamp;

/// Approve requests, so that `kpipe topic reconcile` creates their topics
///
/// Whoever asked for a topic does not approve it, unless the profile has `four_eyes = "off"`.
/// A line with an `id` approves that request alone, and no other that took its place.
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  kpipe topic approve orders --by bob
  kpipe topic approve orders invoices --by bob --comment 'for the new shop'
  kpipe topic list --state PENDING | jq -c 'select(.partitions < 12)' \\
      | kpipe topic approve - --by bob")]
pub(super) struct Args {
    #[command(flatten)]
    names: Names,

    #[command(flatten)]
    by: ByArgs,

    /// What to say to it
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,
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
        registry.approve(topic.meant(), args.comment.as_deref(), four_eyes, stamp)
    })
}
