//! The arguments of `kpipe tail`, and what several of them say together.

use clap::ValueEnum;
use clap::builder::NonEmptyStringValueParser;

use crate::commands::registry::RegistryArgs;
use crate::commands::selection::Selection;
use crate::commands::tracing::TraceArgs;
use crate::context::Context;
use crate::error::CommandError;
use crate::record::{PayloadMode, Template};
use crate::sink::output::Format;
use crate::ui::pretty::Pretty;

/// Print the records of topics
///
/// Alone, it joins no group, commits nothing and leaves no trace. In a group (`-g`) it
/// goes on where the group left off and commits what was written. In a pipe it prints
/// record lines, which `kpipe send` turns back into the same records; on a terminal
/// something to read.
///
/// Without a bound it begins at the end and follows; with one (`-e`, `-n`, `-l`,
/// `--until`, `-o N:M`) it begins at the beginning, unless told otherwise.
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  kpipe tail orders                             what comes from now on
  kpipe tail orders -e | jq .value.id           all there is, then end
  kpipe tail orders -l 5                        the last five
  kpipe tail orders --since 1h --where '/total>100'
  kpipe tail orders -g billing -n 100           the next hundred of a group
  kpipe tail --user user_1                      what user_1 subscribes to
  kpipe tail '^logs-' -f '%t %T{RFC3339} %s\\n'

TIME is RFC 3339, a date, seconds or milliseconds since the epoch, or a time ago (`2h`, `7d`).")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag that is given or not"
)]
pub(crate) struct Args {
    /// Topics; a regular expression begins with `^`
    #[arg(
        required_unless_present = "user",
        conflicts_with = "user",
        value_name = "TOPIC",
        value_parser = NonEmptyStringValueParser::new()
    )]
    pub(super) topics: Vec<String>,

    /// Join this consumer group
    #[arg(
        short,
        long,
        group = "membership",
        value_parser = NonEmptyStringValueParser::new(),
        help_heading = "Group"
    )]
    group: Option<String>,

    /// Read what USER subscribes to, in the group `consumer_group_USER`
    ///
    /// Follows `kpipe subscription add` and `remove` while it runs. On a terminal it prints
    /// topic, data type, time and payload of each record.
    #[arg(
        long,
        group = "membership",
        value_parser = NonEmptyStringValueParser::new(),
        help_heading = "Group"
    )]
    pub(super) user: Option<String>,

    #[command(flatten)]
    pub(super) registry: RegistryArgs,

    /// When to commit: after the output was written, or never
    #[arg(
        long,
        value_enum,
        default_value_t,
        value_name = "WHEN",
        requires = "membership",
        help_heading = "Group"
    )]
    pub(super) commit: Commit,

    #[command(flatten)]
    pub(super) selection: Selection,

    /// Print the last COUNT records of all partitions, in the order of their times
    #[arg(
        short,
        long,
        value_name = "COUNT",
        conflicts_with_all = ["membership", "count"],
        help_heading = "Where"
    )]
    pub(super) last: Option<usize>,

    /// Go on after the last records
    #[arg(long, requires = "last", conflicts_with_all = ["exit", "until"], help_heading = "Where")]
    pub(super) follow: bool,

    /// Only these partitions (can be repeated)
    #[arg(
        short,
        long = "partition",
        value_name = "PARTITION",
        value_delimiter = ',',
        value_parser = clap::value_parser!(i32).range(0..),
        conflicts_with = "membership",
        help_heading = "Where"
    )]
    pub(super) partitions: Vec<i32>,

    /// Status 1 when no record was printed
    #[arg(long, help_heading = "What")]
    pub(super) fail_empty: bool,

    /// How record lines show payloads
    #[arg(
        long,
        value_name = "FORM",
        default_value = "auto",
        conflicts_with_all = ["values", "format"],
        help_heading = "Output"
    )]
    payload: PayloadMode,

    /// Print values only: their bytes and a newline
    #[arg(long, conflicts_with_all = ["format", "json"], help_heading = "Output")]
    values: bool,

    /// Print by template: %t %p %o %k %s %T %h, %s{hex}, %T{RFC3339}, \n
    #[arg(
        short,
        long,
        value_name = "TEMPLATE",
        conflicts_with = "json",
        help_heading = "Output"
    )]
    format: Option<String>,

    /// Print record lines also on a terminal
    #[arg(short = 'J', long, help_heading = "Output")]
    json: bool,

    #[command(flatten)]
    pub(super) trace: TraceArgs,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Commit {
    #[default]
    After,
    Never,
}

impl Args {
    /// The group that is joined; a user has one of their own.
    pub(super) fn group(&self) -> Option<String> {
        let of_user = |user| format!("consumer_group_{user}");
        self.group
            .clone()
            .or_else(|| self.user.as_ref().map(of_user))
    }

    pub(super) fn format(&self, context: &Context) -> Result<Format, CommandError> {
        let zone = context.clock.zone();
        if let Some(template) = &self.format {
            let template = Template::parse(template, zone.clone()).map_err(CommandError::usage)?;
            return Ok(Format::Template(Box::new(template)));
        }
        if self.values {
            return Ok(Format::Values);
        }
        if context.ui.stdout_is_terminal() && !self.json {
            let pretty = Pretty::new(context.ui.colors_stdout(), zone.clone());
            return Ok(if self.user.is_some() {
                Format::Labelled(Box::new(pretty))
            } else {
                Format::Pretty(Box::new(pretty))
            });
        }
        Ok(Format::Line(self.payload))
    }
}
