//! `kpipe topic backup`: a copy of the registry, as it is at one moment.

use std::path::PathBuf;

use crate::commands::registry::RegistryArgs;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Outcome;

/// Copy the registry, also while others use it
///
/// The copy is a registry itself (`--registry FILE`), readable by you alone.
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  kpipe topic backup registry-$(date +%F).db")]
pub(super) struct Args {
    /// The copy; it must not be there yet
    file: PathBuf,
}

pub(super) fn run(
    args: &Args,
    registry: &RegistryArgs,
    context: &Context,
) -> Result<Outcome, CommandError> {
    let registry = registry.open_existing(context)?;
    registry.backup(&args.file)?;
    context.ui.status(format_args!(
        "Copied {} to {}.",
        registry.path().display(),
        args.file.display()
    ));
    Ok(Outcome::DONE)
}
