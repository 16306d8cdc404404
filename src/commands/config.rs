//! `kpipe config show`: which settings are in force, and who set them.

use clap::Subcommand;

use crate::config;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Outcome;
use crate::kafka::{COMMON, CONSUMER_DEFAULTS, PRODUCER_DEFAULTS};
use crate::sink::output;
use crate::ui::rows;

/// Show the connection settings
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print every effective value and where it came from, secrets masked
    #[command(after_long_help = "\
Examples:
  kpipe config show
  kpipe -C prod config show | jq -r 'select(.property == \"bootstrap.servers\").value'")]
    Show {
        /// How to print
        #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
        output: rows::Output,
    },
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<Outcome, CommandError> {
    let Command::Show { output } = args.command;
    let defaults = config::Defaults {
        common: &COMMON,
        producers: &PRODUCER_DEFAULTS,
        consumers: &CONSUMER_DEFAULTS,
    };
    let connection = context.connection()?;
    let rows = config::rows(&connection, &context.governance()?, defaults);
    let mut out = output::stdout().map_err(CommandError::failed)?;
    let is_terminal = context.ui.stdout_is_terminal();
    output::tolerate_closed(rows::write(&rows, output, is_terminal, &mut out))?;
    // A profile of rules alone is a configuration too.
    if connection.require_brokers().is_ok() {
        context.cluster()?.check()?;
    }
    Ok(Outcome::DONE)
}
