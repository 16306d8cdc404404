//! `kpipe subscription`: who reads which topics with `kpipe tail --user`.

use clap::Subcommand;
use clap::builder::NonEmptyStringValueParser;

use super::registry::{ByArgs, RegistryArgs};
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Outcome;
use crate::registry::Stamp;
use crate::sink::output;
use crate::suggest;
use crate::ui::rows;

/// Subscribe users to approved topics
///
/// `kpipe tail --user USER` reads what USER subscribes to, and follows changes while it
/// runs. Only an ACTIVE topic can be subscribed to; one that is taken out of use waits,
/// and is read again once it is ACTIVE again.
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  kpipe subscription add user_1 orders
  kpipe subscription list --user user_1
  kpipe subscription list | jq -r 'select(.topic == \"orders\").user'
  kpipe tail --user user_1
  kpipe subscription remove user_1 orders")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,

    #[command(flatten)]
    registry: RegistryArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Subscribe a user to a topic
    Add(Who),
    /// End a subscription
    #[command(visible_alias = "rm")]
    Remove(Who),
    /// List subscriptions
    #[command(visible_alias = "ls")]
    List {
        /// Only this user's
        #[arg(long, value_name = "USER")]
        user: Option<String>,

        /// How to print
        #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
        output: rows::Output,
    },
}

#[derive(clap::Args, Debug)]
struct Who {
    /// Who subscribes
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    user: String,

    /// To which topic
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    topic: String,

    #[command(flatten)]
    by: ByArgs,
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<Outcome, CommandError> {
    let mut registry = args.registry.open_existing(context)?;
    match &args.command {
        Command::Add(Who { user, topic, by }) => {
            let (actor, at) = (by.actor(context)?, context.clock.now());
            let stamp = Stamp { actor: &actor, at };
            let added = registry.subscribe(user, topic, stamp)?;
            let already = if added { "" } else { " already" };
            context
                .ui
                .status(format_args!("{user} subscribes to {topic}{already}"));
        }
        Command::Remove(Who { user, topic, by }) => {
            let (actor, at) = (by.actor(context)?, context.clock.now());
            let stamp = Stamp { actor: &actor, at };
            let removed = registry.unsubscribe(user, topic, stamp)?;
            let how = if removed {
                "no longer subscribes"
            } else {
                "did not subscribe"
            };
            let meant = if removed || registry.state_of(topic)?.is_some() {
                None
            } else {
                registry.nearest(topic)?
            };
            let meant = meant.map_or(String::new(), |nearest| {
                format!("; {}", suggest::did_you_mean(&nearest))
            });
            context
                .ui
                .status(format_args!("{user} {how} to {topic}{meant}"));
        }
        Command::List { user, output } => {
            let subscriptions = registry.subscriptions(user.as_deref())?;
            let mut out = output::stdout().map_err(CommandError::failed)?;
            let is_terminal = context.ui.stdout_is_terminal();
            output::tolerate_closed(rows::write(&subscriptions, *output, is_terminal, &mut out))?;
        }
    }
    Ok(Outcome::DONE)
}
