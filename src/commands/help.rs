//! `kpipe help TOPIC`: the pages of docs/ that a user needs at hand.

use std::io::Write;

use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Outcome;
use crate::sink::output;

/// Print a page of the documentation
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  kpipe help record-line
  kpipe help exit-status | less")]
pub(crate) struct Args {
    /// The page; without one, the commands
    topic: Option<Topic>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Topic {
    /// How one record is one line of JSON
    RecordLine,
    /// Which cluster, and how: flags, files, profiles, secrets
    Connection,
    /// Where reading begins and ends, and how times are written
    Offsets,
    /// What each exit status means
    ExitStatus,
    /// Topics by approval
    Approval,
    /// Synthetic records
    Generate,
    /// A command per record: statuses, tries, order
    Handle,
    /// Records in a database, each exactly once
    Store,
    /// Records that could not be handled
    DeadLetters,
    /// One message through its stages
    Tracing,
    /// Waiting and checking in CI
    Ci,
    /// Jobs that are silent on success
    Cron,
}

pub(crate) fn run(args: &Args, _context: &Context) -> Result<Outcome, CommandError> {
    let commands;
    let text = match args.topic {
        Some(Topic::RecordLine) => include_str!("../../docs/record-line.md"),
        Some(Topic::Connection) => include_str!("../../docs/connection.md"),
        Some(Topic::Offsets) => include_str!("../../docs/offsets.md"),
        Some(Topic::ExitStatus) => include_str!("../../docs/exit-status.md"),
        Some(Topic::Approval) => include_str!("../../docs/approval.md"),
        Some(Topic::Generate) => include_str!("../../docs/generate.md"),
        Some(Topic::Handle) => include_str!("../../docs/handle.md"),
        Some(Topic::Store) => include_str!("../../docs/store.md"),
        Some(Topic::DeadLetters) => include_str!("../../docs/dead-letters.md"),
        Some(Topic::Tracing) => include_str!("../../docs/tracing.md"),
        Some(Topic::Ci) => include_str!("../../docs/ci.md"),
        Some(Topic::Cron) => include_str!("../../docs/cron.md"),
        None => {
            commands = crate::cli_help();
            &commands
        }
    };
    let mut out = output::stdout().map_err(CommandError::failed)?;
    output::tolerate_closed(out.write_all(text.as_bytes()))?;
    Ok(Outcome::DONE)
}
