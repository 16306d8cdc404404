//! The arguments of `kpipe store`, and what of them does not go together.

use std::num::NonZero;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;

use crate::commands::selection::Selection;
use crate::commands::tracing::TraceArgs;
use crate::context::Context;
use crate::error::CommandError;
use crate::store::{Manner, Script};
use crate::time;

/// Keep records in SQLite, each exactly once
///
/// Every record becomes a row of the table `records` of FILE. How far the group is stands in FILE too, in the same
/// transaction, so whatever is killed, each record is there once. Without TOPIC, reads record lines with their places
/// from stdin, and stores those that are not there. See `kpipe help store`.
#[allow(clippy::doc_markdown, reason = "it is the help too")]
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  kpipe store orders -g archive --db orders.db
  sqlite3 orders.db \"SELECT value ->> 'total' FROM records WHERE key = 'u-17'\"
  kpipe store orders -g shop --db shop.db --sql OrderCreated=created.sql --sql latest.sql
  kpipe store orders -g shop --db shop.db --sql new.sql --rebuild
  kpipe tail orders -e | kpipe store --db orders.db

Statements of --sql that begin with CREATE or DROP run once at the start; the others run for each record, with
:topic :partition :offset :timestamp :key :value :headers :consumed_at.")]
pub(crate) struct Args {
    /// Topics; a regular expression begins with `^`
    #[arg(value_name = "TOPIC", requires = "group", value_parser = NonEmptyStringValueParser::new())]
    pub(super) topics: Vec<String>,

    /// Join this consumer group
    #[arg(
        short,
        long,
        requires = "topics",
        value_parser = NonEmptyStringValueParser::new(),
        help_heading = "Group"
    )]
    pub(super) group: Option<String>,

    #[command(flatten)]
    pub(super) selection: Selection,

    /// The file; it is made, readable by its owner alone, where there is none
    #[arg(long, value_name = "FILE", help_heading = "File")]
    pub(super) db: PathBuf,

    /// Run the statements in this file for each record, or for those of TYPE: their `/type`, `/data_type` or header
    /// `ce_type` (can be repeated)
    #[arg(long = "sql", value_name = "[TYPE=]FILE", help_heading = "File")]
    scripts: Vec<Script>,

    /// Replay the topics from their beginning into FILE.rebuild, put that in the place of what FILE holds, and end
    #[arg(long, requires = "topics", help_heading = "File")]
    pub(super) rebuild: bool,

    /// Up to COUNT records in one transaction
    #[arg(
        long,
        value_name = "COUNT",
        default_value = "10000",
        help_heading = "File"
    )]
    batch: NonZero<usize>,

    /// How long a transaction waits until it is full
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "1s",
        value_parser = time::parse_duration,
        help_heading = "File"
    )]
    flush_interval: Duration,

    #[command(flatten)]
    pub(super) trace: TraceArgs,

    /// On stdin, accept fields that record lines do not have
    #[arg(long, conflicts_with = "topics", help_heading = "What")]
    pub(super) ignore_unknown: bool,
}

impl Args {
    /// How records are stored.
    pub(super) fn manner(&self, context: &Context) -> Manner {
        let clock = context.clock.clone();
        Manner {
            group: self.group.clone(),
            scripts: self.scripts.clone(),
            batch: self.batch.get(),
            flush_interval: self.flush_interval,
            now: Box::new(move || clock.now().as_millisecond()),
        }
    }

    /// How long a record waits for its transaction.
    pub(super) fn flush_interval(&self) -> Duration {
        self.flush_interval
    }

    pub(super) fn check(&self) -> Result<(), CommandError> {
        let place = self.selection.named_place();
        if self.topics.is_empty() {
            if let Some(flag) = place.or(self.selection.named_end()) {
                return Err(CommandError::usage(format!(
                    "`{flag}` is about a topic, and lines from stdin begin and end where they do"
                ))
                .hint("name a topic and a group: kpipe store TOPIC -g GROUP --db FILE"));
            }
        } else if self.rebuild {
            if self.trace.is_asked_for() {
                return Err(CommandError::usage(
                    "`--trace` tells of what is stored for the first time, and a rebuild stores it again",
                )
                .hint("leave `--trace` out"));
            }
            let count = self.selection.count.map(|_| "--count");
            if let Some(flag) = place.or(count) {
                return Err(CommandError::usage(format!(
                    "`{flag}` leaves records out, and a file is rebuilt from all of them"
                ))
                .hint("`--grep` and `--where` say which of them are wanted"));
            }
        }
        Ok(())
    }
}
