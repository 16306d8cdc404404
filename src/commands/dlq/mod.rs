//! `kpipe dlq`: what died, of what, and back with it.

mod replay;
mod report;
mod rows;
mod show;
mod stats;

use clap::Subcommand;
use clap::builder::NonEmptyStringValueParser;

use crate::commands::selection::Selection;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Outcome;
use crate::kafka::{self, Topics};
use crate::sink::output;

/// Look after dead letters
///
/// Reads those of `kpipe handle --dlq` and Kafka's share groups, of Kafka Connect, Kafka Streams
/// and Spring Kafka. `kpipe help dead-letters` says more.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Stats(stats::Args),
    Show(show::Args),
    Replay(Box<replay::Args>),
}

pub(crate) fn run(args: &Args, context: &mut Context) -> Result<Outcome, CommandError> {
    match &args.command {
        Command::Stats(args) => stats::run(args, context),
        Command::Show(args) => show::run(args, context),
        Command::Replay(args) => replay::run(args, context),
    }
}

/// Which dead letters are read.
#[derive(clap::Args, Debug)]
struct Which {
    /// Topics of dead letters; a regular expression begins with `^`
    #[arg(required = true, value_name = "TOPIC", value_parser = NonEmptyStringValueParser::new())]
    topics: Vec<String>,

    #[command(flatten)]
    selection: Selection,

    /// Only these partitions (can be repeated)
    #[arg(
        short,
        long = "partition",
        value_name = "PARTITION",
        value_delimiter = ',',
        value_parser = clap::value_parser!(i32).range(0..),
        help_heading = "Where"
    )]
    partitions: Vec<i32>,
}

impl Which {
    /// Where to read from and to; to the end as it is now, unless it is to go on.
    fn places(&self, follow: bool, context: &Context) -> Result<kafka::Selection, CommandError> {
        let mut offsets = self.selection.offsets(false, !follow, context)?;
        // What there is comes first, also where more is waited for.
        let beginning = kafka::offset_spec::Start::Beginning;
        offsets.from.get_or_insert(beginning);
        Ok(kafka::Selection {
            topics: Topics::new(&self.topics).map_err(CommandError::usage)?,
            partitions: self.partitions.clone(),
            offsets,
            window: None,
        })
    }
}

/// Prints bytes in one write; nobody need read them.
fn print(printed: &[u8]) -> Result<(), CommandError> {
    let mut out = output::stdout().map_err(CommandError::failed)?;
    output::tolerate_closed(output::write_all(&mut out, printed))
}
