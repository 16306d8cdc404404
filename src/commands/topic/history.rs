//! `kpipe topic history`: all that ever happened.

use crate::commands::registry::RegistryArgs;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Outcome;
use crate::registry::Error;
use crate::ui::rows;

/// Show who asked, decided and did what, the oldest first
///
/// Of one topic, or of all and of the registry itself. The history only ever grows. ACTOR is who
/// they said they were, LOGIN who they were to the operating system; both are empty where nobody
/// did it but time.
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  kpipe topic history orders
  kpipe topic history | jq -c 'select(.actor != .login)'")]
pub(super) struct Args {
    /// Only this topic
    name: Option<String>,

    /// How to print
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    output: rows::Output,
}

pub(super) fn run(
    args: &Args,
    registry: &RegistryArgs,
    context: &Context,
) -> Result<Outcome, CommandError> {
    let registry = registry.open_existing(context)?;
    let events = registry.history(args.name.as_deref())?;
    if let (Some(name), true) = (&args.name, events.is_empty()) {
        let error = Error::Unknown {
            name: name.clone(),
            nearest: registry.nearest(name)?,
        };
        return Err(error.into());
    }
    let columns = [
        "at",
        "actor",
        "login",
        "action",
        "name",
        "from_state",
        "to_state",
        "reason_code",
        "comment",
    ];
    super::print_columns(&events, &columns, args.output, context)?;
    Ok(Outcome::DONE)
}
