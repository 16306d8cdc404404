//! `kpipe topic delete`: a topic and its records gone from Kafka, at once.

use super::acting;
use crate::commands::registry::RegistryArgs;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Outcome;
use crate::kafka::{Admin, Error};
use crate::registry::State;

/// Delete a topic with all its records from Kafka, at once
///
/// There is no way back. Where the profile says `approval = "enforce"`, a topic is
/// given up with `kpipe topic deactivate` instead, which keeps its records.
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  kpipe topic delete orders-test --yes")]
pub(crate) struct Args {
    /// The topic's name
    name: String,

    /// Really delete it
    #[arg(long)]
    yes: bool,
}

#[derive(Debug, thiserror::Error)]
#[error("deleting topic `{0}` deletes its records, for ever")]
struct Unconfirmed(String);

pub(crate) fn run(
    args: &Args,
    registry: &RegistryArgs,
    context: &Context,
) -> Result<Outcome, CommandError> {
    let instead = format!(
        "`kpipe topic deactivate {} --reason TEXT` takes it out of use",
        args.name
    );
    acting::check(&args.name, acting::Act::Delete, &instead, context)?;
    if !args.yes {
        return Err(CommandError::usage(Unconfirmed(args.name.clone()))
            .hint(format!("`kpipe topic delete {} --yes` does it", args.name)));
    }
    let admin = Admin::new(&context.cluster()?)?;
    // Says which topic was most likely meant.
    admin.topic(&args.name).map_err(|error| match error {
        error @ Error::UnknownTopic { nearest: None, .. } => {
            CommandError::from(error).hint("`kpipe topic list` shows those there are")
        }
        error => error.into(),
    })?;
    let results = admin.delete(&[&args.name])?;
    for result in results {
        result?;
    }
    context
        .ui
        .status(format_args!("Deleted topic `{}`.", args.name));
    let registry = registry.open_if_there(context)?;
    let state = registry.map(|registry| registry.state_of(&args.name));
    if state.transpose()?.flatten() == Some(State::Active) {
        context.ui.warning(format_args!(
            "the registry has it as ACTIVE until `kpipe topic deactivate {} --reason TEXT`",
            args.name
        ));
    }
    Ok(Outcome::DONE)
}
