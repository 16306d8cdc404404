//! `kpipe topic list`: topics and the requests for them.

use regex::Regex;

use crate::commands::registry::RegistryArgs;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Outcome;
use crate::registry::State;
use crate::ui::rows;

/// List requests and the topics they became
///
/// Those that are PENDING, APPROVED or ACTIVE, and of the others the last word on each name.
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  kpipe topic list
  kpipe topic list '^shop\\.' --state ACTIVE
  kpipe topic list --state PENDING | jq -r '.name + \" by \" + .created_by'")]
pub(super) struct Args {
    /// Only names that this matches
    #[arg(value_name = "REGEX")]
    pattern: Option<Regex>,

    /// Only requests in this state, from the registry alone
    #[arg(long, value_name = "STATE", value_parser = state)]
    state: Option<State>,

    /// How to print
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    output: rows::Output,
}

pub(super) fn run(
    args: &Args,
    registry: &RegistryArgs,
    context: &Context,
) -> Result<Outcome, CommandError> {
    let mut requests = registry.open_existing(context)?.requests(args.state)?;
    if let Some(pattern) = &args.pattern {
        requests.retain(|request| pattern.is_match(&request.spec.name));
    }
    super::print(&requests, args.output, context)?;
    Ok(Outcome::DONE)
}

/// In any case of letters.
fn state(text: &str) -> Result<State, NotAState> {
    text.to_ascii_uppercase().parse().map_err(|_| NotAState)
}

#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("expected PENDING, APPROVED, ACTIVE, INACTIVE or REJECTED")]
struct NotAState;
