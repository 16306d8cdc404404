//! `kpipe topic stats`: how many topics there are, by state.

use crate::commands::registry::RegistryArgs;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Outcome;
use crate::sink::output;
use crate::ui::rows;

/// Count topics by state, and subscriptions
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  kpipe topic stats
  kpipe topic stats | jq .pending")]
pub(super) struct Args {
    /// How to print
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    output: rows::Output,
}

pub(super) fn run(
    args: &Args,
    registry: &RegistryArgs,
    context: &Context,
) -> Result<Outcome, CommandError> {
    let numbers = registry.open_existing(context)?.statistics()?;
    let mut out = output::stdout().map_err(CommandError::failed)?;
    let is_terminal = context.ui.stdout_is_terminal();
    output::tolerate_closed(rows::write(&[numbers], args.output, is_terminal, &mut out))?;
    Ok(Outcome::DONE)
}
