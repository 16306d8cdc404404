//! `kpipe help TOPIC`: the pages of docs/ that a user needs at hand.

use std::io::Write;

use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Outcome;
use crate::sink::output;

/// Print a page: `record-line`, `connection`, `approval`, `generate`, `handle`, `store`,
/// `dead-letters`, `tracing`, `ci` or `exit-status`
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The page; without one, the commands
    topic: Option<Topic>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Topic {
    RecordLine,
    Connection,
    Approval,
    ExitStatus,
    Generate,
    Handle,
    Store,
    Tracing,
    Ci,
    DeadLetters,
}

pub(crate) fn run(args: &Args, _context: &Context) -> Result<Outcome, CommandError> {
    let text = match args.topic {
        Some(Topic::RecordLine) => include_str!("../../docs/record-line.md").to_owned(),
        Some(Topic::Connection) => include_str!("../../docs/connection.md").to_owned(),
        Some(Topic::Approval) => include_str!("../../docs/approval.md").to_owned(),
        Some(Topic::ExitStatus) => include_str!("../../docs/exit-status.md").to_owned(),
        Some(Topic::Generate) => include_str!("../../docs/generate.md").to_owned(),
        Some(Topic::Handle) => include_str!("../../docs/handle.md").to_owned(),
        Some(Topic::Store) => include_str!("../../docs/store.md").to_owned(),
        Some(Topic::Tracing) => include_str!("../../docs/tracing.md").to_owned(),
        Some(Topic::Ci) => include_str!("../../docs/ci.md").to_owned(),
        Some(Topic::DeadLetters) => include_str!("../../docs/dead-letters.md").to_owned(),
        None => crate::cli_help(),
    };
    let mut out = output::stdout().map_err(CommandError::failed)?;
    output::tolerate_closed(out.write_all(text.as_bytes()))?;
    Ok(Outcome::DONE)
}
