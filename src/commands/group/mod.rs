//! `kpipe group`: consumer groups, and how far behind they are.

mod delete;
mod describe;
mod lag;
mod lag_rows;
mod list;
mod reset;

use clap::Subcommand;
use serde::Serialize;

use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Outcome;
use crate::kafka::{Admin, Error, GroupKind};
use crate::sink::output;
use crate::suggest;
use crate::ui::{in_one_line, rows};

/// Look after consumer groups
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::Args),
    Describe(describe::Args),
    Lag(Box<lag::Args>),
    Reset(reset::Args),
    Delete(delete::Args),
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<Outcome, CommandError> {
    match &args.command {
        Command::List(args) => list::run(args, context),
        Command::Describe(args) => describe::run(args, context),
        Command::Lag(args) => lag::run(args, context),
        Command::Reset(args) => reset::run(args, context),
        Command::Delete(args) => delete::run(args, context),
    }
}

/// Prints rows in one write; says whether somebody still reads.
fn print(
    rows: &[impl Serialize],
    output: rows::Output,
    context: &Context,
) -> Result<bool, CommandError> {
    let mut printed = Vec::new();
    let is_terminal = context.ui.stdout_is_terminal();
    rows::write(rows, output, is_terminal, &mut printed).map_err(output::cannot_write)?;
    print_bytes(&printed)
}

fn print_bytes(printed: &[u8]) -> Result<bool, CommandError> {
    let mut out = output::stdout().map_err(CommandError::failed)?;
    let written = output::write_all(&mut out, printed);
    let is_open = written.is_ok();
    output::tolerate_closed(written)?;
    Ok(is_open)
}

/// Adds the group that was most likely meant to the error of one that is not there.
fn explained(error: Error, admin: &Admin) -> CommandError {
    let Error::UnknownGroup(name) = &error else {
        return error.into();
    };
    let groups = admin.groups().unwrap_or_default();
    let other = groups
        .iter()
        .find(|group| group.group == *name && matches!(group.kind, GroupKind::Other(_)));
    if let Some(other) = other {
        let GroupKind::Other(protocol) = other.kind else {
            return error.into();
        };
        return CommandError::failed(NotAConsumerGroup {
            group: name.clone(),
            protocol,
        });
    }
    let nearest = groups
        .iter()
        .map(|group| (strsim::jaro_winkler(name, &group.group), &group.group))
        .filter(|(likeness, _)| *likeness > 0.85)
        .max_by(|(one, _), (other, _)| one.total_cmp(other));
    let hint = nearest.map(|(_, name)| suggest::did_you_mean(name));
    let error = CommandError::from(error);
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

#[derive(Debug, thiserror::Error)]
#[error(
    "group `{group}` is no consumer group but a {protocol} group, which has no offsets to show"
)]
struct NotAConsumerGroup {
    group: String,
    protocol: &'static str,
}

/// Tells of each group that failed; a single one fails the command as it is.
fn report(mut errors: Vec<CommandError>, context: &Context) -> Result<Outcome, CommandError> {
    let worst = errors.iter().map(|error| error.status).max();
    match (errors.pop(), worst) {
        (Some(error), _) if errors.is_empty() => Err(error),
        (Some(last), Some(worst)) => {
            for error in errors.iter().chain([&last]) {
                context.ui.item_error(in_one_line(&*error.error));
            }
            Ok(Outcome::Exit(worst))
        }
        _ => Ok(Outcome::DONE),
    }
}
