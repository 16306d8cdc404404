//! `kpipe topic key new`: the secret that activating topics needs from then on.

use std::io::Write;

use clap::Subcommand;

use crate::commands::registry::{ByArgs, RegistryArgs};
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Outcome;
use crate::registry::{Stamp, producer_key};
use crate::sink::output;

/// Make the producer key, without which nothing activates topics
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print a new key, once; the one before is worth nothing from then on
    ///
    /// The registry keeps only its SHA-256. From then on `kpipe topic reconcile` wants it in
    /// `KPIPE_PRODUCER_KEY` or from `--producer-key-file`.
    #[command(after_long_help = "\
Examples:
  (umask 077; kpipe topic key new > producer.key)
  KPIPE_PRODUCER_KEY=$(pass kafka/producer) kpipe topic reconcile")]
    New(ByArgs),
}

pub(super) fn run(
    args: &Args,
    registry: &RegistryArgs,
    context: &Context,
) -> Result<Outcome, CommandError> {
    let Command::New(by) = &args.command;
    let actor = by.actor(context)?;
    let stamp = Stamp {
        actor: &actor,
        at: context.clock.now(),
    };
    let mut registry = registry.open_existing(context)?;
    let key = producer_key(&context.random()?);
    let mut out = output::stdout().map_err(CommandError::failed)?;
    // A key that nobody saw is of no use, so a closed stdout is an error here, and the key
    // before stays.
    writeln!(out, "{key}").map_err(output::cannot_write)?;
    registry.set_producer_key(&key, stamp)?;
    Ok(Outcome::DONE)
}
