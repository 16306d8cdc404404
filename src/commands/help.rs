//! `kpipe help`: the pages of docs/ that a user needs at hand, and the help of each command.

use std::collections::BTreeMap;
use std::io::Write;

use clap::{Command, ValueEnum};

use super::visible;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Outcome;
use crate::sink::output;
use crate::suggest;

/// Print a page of the documentation, or the help of a command
#[derive(clap::Args, Debug)]
#[command(after_long_help = format!("{}\n\
Examples:
  kpipe help record-line
  kpipe help exit-status | less
  kpipe help topic list", pages()))]
pub(crate) struct Args {
    /// A page, or a command such as `topic list`; without, the commands and the pages
    topic: Vec<String>,
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

impl Topic {
    fn text(self) -> &'static str {
        match self {
            Self::RecordLine => include_str!("../../docs/record-line.md"),
            Self::Connection => include_str!("../../docs/connection.md"),
            Self::Offsets => include_str!("../../docs/offsets.md"),
            Self::ExitStatus => include_str!("../../docs/exit-status.md"),
            Self::Approval => include_str!("../../docs/approval.md"),
            Self::Generate => include_str!("../../docs/generate.md"),
            Self::Handle => include_str!("../../docs/handle.md"),
            Self::Store => include_str!("../../docs/store.md"),
            Self::DeadLetters => include_str!("../../docs/dead-letters.md"),
            Self::Tracing => include_str!("../../docs/tracing.md"),
            Self::Ci => include_str!("../../docs/ci.md"),
            Self::Cron => include_str!("../../docs/cron.md"),
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("there is no page and no command `{0}`")]
struct NothingOfThatName(String);

pub(crate) fn run(args: &Args, _context: &Context) -> Result<Outcome, CommandError> {
    let text = match args.topic.as_slice() {
        [] => format!("{}\n{}", crate::grammar().render_long_help(), pages()),
        // A page says more than the command of its name, whose `--help` says the rest.
        [page] if let Ok(topic) = Topic::from_str(page, false) => topic.text().to_owned(),
        words => of_command(words)?,
    };
    let mut out = output::stdout().map_err(CommandError::failed)?;
    output::tolerate_closed(out.write_all(text.as_bytes()))?;
    Ok(Outcome::DONE)
}

/// Each page, and what it is about.
fn topics() -> impl Iterator<Item = (String, String)> {
    Topic::value_variants()
        .iter()
        .filter_map(Topic::to_possible_value)
        .map(|page| {
            let about = page.get_help().map(ToString::to_string);
            (page.get_name().to_owned(), about.unwrap_or_default())
        })
}

/// A line for each page.
fn pages() -> String {
    let lines = topics().map(|(page, about)| format!("  {page:12}  {about}\n"));
    format!("Pages:\n{}", lines.collect::<String>())
}

/// What can stand behind `kpipe help`, and what it is about.
pub(super) fn known() -> Vec<(String, String)> {
    let mut known: BTreeMap<_, _> = commands(&crate::grammar()).collect();
    known.extend(topics());
    known.into_iter().collect()
}

fn commands(above: &Command) -> impl Iterator<Item = (String, String)> {
    visible(above).map(|command| {
        let about = command.get_about().map(ToString::to_string);
        (command.get_name().to_owned(), about.unwrap_or_default())
    })
}

/// What `--help` of the command prints.
fn of_command(words: &[String]) -> Result<String, CommandError> {
    let mut grammar = crate::grammar();
    grammar.build();
    let mut command = &grammar;
    for word in words {
        command = visible(command)
            .find(|below| below.get_name() == word)
            .ok_or_else(|| unknown(words, word, command))?;
    }
    Ok(command.clone().render_long_help().to_string())
}

fn unknown(words: &[String], word: &str, command: &Command) -> CommandError {
    let known = match words {
        [_] => known(),
        _ => commands(command).collect(),
    };
    let error = CommandError::usage(NothingOfThatName(words.join(" ")));
    match suggest::nearest(word, known.iter().map(|(name, _)| name.as_str())) {
        Some(nearest) => error.hint(suggest::did_you_mean(nearest)),
        None => error.hint("`kpipe help` lists the commands and the pages"),
    }
}
