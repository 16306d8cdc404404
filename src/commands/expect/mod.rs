//! `kpipe expect`: whether a topic holds the records that it should.

mod judge;
mod reading;

use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use self::judge::Judge;
use self::reading::Reading;
use super::{selection, wait};
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::{Outcome, Status};
use crate::kafka::offset_spec::{OffsetSpec, Start, Stop};
use crate::kafka::{Admin, Cluster, Error, Reader, Selection, Topics, is_topic_name};
use crate::pipeline::filter::{Condition, Filter, Grep, Subset};
use crate::pipeline::pump::Bounds;
use crate::pipeline::tally::{Count, Distinct, Expectation, Tally};
use crate::record::PayloadMode;
use crate::sink::output::{Format, Output, cannot_write};
use crate::syntax::Syntax;
use crate::time;
use crate::ui::pretty::Pretty;
use crate::wait::{Obstacle, TopicCondition, look_at_topic};

/// Check that a topic holds the records that it should
///
/// Reads the topic from its beginning, waits for records that are still to come, and leaves
/// with status 0 as soon as what is expected holds, with 1 when the answer is no, also because time is
/// up, and with 3 when it could not be told. A broker and a topic that are not there yet are
/// waited for, too.
///
/// `--min` holds once there are enough. `--count`, `--distinct` and `--none` could be undone by
/// more records: they are judged when all that was in the topic at the start was read, and from
/// then on each time more comes; `--settle 5s` asks that they hold for five seconds longer. So
/// `--none` alone looks at what is there and does not wait.
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  kpipe expect orders                                     at least one record
  kpipe expect orders --where '/id=7' --timeout 10s
  kpipe expect orders --count 600 --distinct key=10 --timeout 2m
  kpipe expect orders --subset want.json --show-seen      shows the last ten when it fails
  kpipe expect orders.dlq --none
  kpipe expect orders --count 100 --settle 5s             and no duplicates after them")]
pub(crate) struct Args {
    /// The topic
    topic: String,

    /// Only records that match: REGEX, k:REGEX, v:REGEX, h:NAME=REGEX, !… (repeated: all of them)
    #[arg(long, value_name = "PATTERN", help_heading = "Which records")]
    grep: Vec<Grep>,

    /// Only records whose JSON value has this: '/total>100', '/a/b=x' (repeated: all of them)
    #[arg(
        long = "where",
        value_name = "CONDITION",
        help_heading = "Which records"
    )]
    conditions: Vec<Condition>,

    /// Only records whose JSON value holds all that is in this file, and perhaps more
    #[arg(long, value_name = "FILE", help_heading = "Which records")]
    subset: Option<PathBuf>,

    /// Where to begin and end: beginning end N -N +N N:M :end @TIME @T1:T2 [default: beginning]
    #[arg(
        short,
        long = "offset",
        value_name = "OFFSET",
        allow_hyphen_values = true,
        help_heading = "Which records"
    )]
    offsets: Vec<String>,

    /// Begin at this time
    #[arg(
        long,
        value_name = "TIME",
        allow_hyphen_values = true,
        help_heading = "Which records"
    )]
    since: Option<String>,

    /// Expect exactly COUNT of them
    #[arg(long, value_name = "COUNT", group = "quantity", help_heading = "What")]
    count: Option<u64>,

    /// Expect COUNT of them or more [default: 1]
    #[arg(long, value_name = "COUNT", group = "quantity", help_heading = "What")]
    min: Option<u64>,

    /// Expect none of them
    #[arg(
        long,
        group = "quantity",
        conflicts_with = "distinct",
        help_heading = "What"
    )]
    none: bool,

    /// Expect N different values: /pointer=N, key=N (repeated: all of them)
    #[arg(long, value_name = "PART=N", help_heading = "What")]
    distinct: Vec<Distinct>,

    /// How long to wait for it; 0 judges what is there now
    #[arg(
        long,
        default_value = "30s",
        value_name = "DURATION",
        value_parser = time::parse_duration,
        help_heading = "When"
    )]
    timeout: Duration,

    /// How much longer it must hold, once it does
    #[arg(
        long,
        default_value = "0",
        hide_default_value = true,
        value_name = "DURATION",
        value_parser = time::parse_duration,
        conflicts_with = "min",
        help_heading = "When"
    )]
    settle: Duration,

    /// Print the last records that it saw when it fails [default: 10]
    #[arg(
        long,
        value_name = "COUNT",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "10",
        help_heading = "Output"
    )]
    show_seen: Option<usize>,
}

/// How long records that are there may keep us waiting when there is no time to wait.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) fn run(args: &Args, context: &Context) -> Result<Outcome, CommandError> {
    if !is_topic_name(&args.topic) {
        return Err(Error::InvalidTopic(args.topic.clone()).into());
    }
    let expectation = args.expectation()?;
    let offsets = args.offsets(context)?;
    let start = Instant::now();
    let cluster = wait::patient(context.cluster()?, args.timeout);
    let is_bounded = offsets.until.is_some() || args.timeout.is_zero();
    if is_bounded && !args.settle.is_zero() {
        return Err(CommandError::usage(
            "`--settle` looks at what is still to come, and there is an end",
        ));
    }
    let reader = open(args, offsets, &cluster, start, context)?;
    let stop = context.stop.clone();
    let output = Output::stdout(format(context), move || stop.is_asked());
    let judge = Judge::new(
        Tally::new(&expectation),
        args.show_seen.unwrap_or(0),
        output.map_err(cannot_write)?,
    );
    let mut reading = Reading::new(args, start, judge, context);
    let ended = reading.read(&cluster, reader, is_bounded)?;
    reading.answer(&ended)
}

impl Args {
    fn expectation(&self) -> Result<Expectation, CommandError> {
        let subset = self.subset.as_ref().map(|path| {
            let path = path.display().to_string();
            let text = std::fs::read_to_string(&path).map_err(|source| {
                CommandError::usage(SubsetError::Read {
                    path: path.clone(),
                    source,
                })
            })?;
            let parsed: Result<Subset, _> = text.parse();
            parsed.map_err(|source| CommandError::usage(SubsetError::NotJson { path, source }))
        });
        Ok(Expectation {
            filter: Filter {
                grep: self.grep.clone(),
                conditions: self.conditions.clone(),
                subset: subset.transpose()?,
            },
            count: match (self.count, self.min) {
                (Some(count), _) => Count::Exactly(count),
                (_, Some(least)) => Count::AtLeast(least),
                _ if self.none => Count::Exactly(0),
                _ if self.distinct.is_empty() => Count::AtLeast(1),
                _ => Count::AtLeast(0),
            },
            distinct: self.distinct.clone(),
        })
    }

    fn offsets(&self, context: &Context) -> Result<OffsetSpec, CommandError> {
        let mut spec = selection::joined(&self.offsets, [&self.since, &None], context)?;
        if spec.from == Some(Start::Stored) {
            return Err(CommandError::usage(
                "`-o stored` asks for what a group has committed, but there is no group",
            ));
        }
        spec.from.get_or_insert(Start::Beginning);
        Ok(spec)
    }

    fn bounds(&self) -> Bounds {
        let is_patient = !self.timeout.is_zero();
        Bounds {
            timeout: is_patient.then_some(self.timeout),
            idle: (!is_patient).then_some(PATIENCE),
            ..Bounds::default()
        }
    }
}

/// How records are shown.
fn format(context: &Context) -> Format {
    if context.ui.stdout_is_terminal() {
        let zone = context.clock.zone().clone();
        Format::Pretty(Box::new(Pretty::new(context.ui.colors_stdout(), zone)))
    } else {
        Format::Line(PayloadMode::default())
    }
}

#[derive(Debug, thiserror::Error)]
enum SubsetError {
    #[error("cannot read {path}")]
    Read { path: String, source: io::Error },
    #[error("{path} is not JSON")]
    NotJson { path: String, source: Syntax },
}

/// Begins to read what is there now; waits for a broker and a topic that are not there yet.
fn open(
    args: &Args,
    mut offsets: OffsetSpec,
    cluster: &Cluster,
    start: Instant,
    context: &Context,
) -> Result<Reader, CommandError> {
    offsets.until.get_or_insert(Stop::End);
    let topics = Topics::new(std::slice::from_ref(&args.topic)).map_err(CommandError::usage)?;
    let selection = Selection {
        topics,
        partitions: Vec::new(),
        offsets,
        window: None,
    };
    let error = match Reader::new(cluster, selection.clone()) {
        Ok(reader) => return Ok(reader),
        Err(error) => error,
    };
    if args.timeout.is_zero() || !Obstacle::from(error.clone()).may_pass() {
        return Err(error.into());
    }
    let admin = Admin::new(cluster)?;
    // What was found first is what is told when there is no time left to look again.
    let mut found = Some(Obstacle::from(error));
    wait::until(args.timeout, start, context, || match found.take() {
        Some(obstacle) => Err(obstacle),
        None => look_at_topic(&admin, &args.topic, &[TopicCondition::Leaders]),
    })
    .map_err(|error| match error.obstacle() {
        // It has no records, whatever is expected of them.
        Obstacle::Kafka(Error::UnknownTopic { .. }) => CommandError {
            status: Status::Failed,
            ..error.into()
        },
        _ => error.into(),
    })?;
    Ok(Reader::new(cluster, selection)?)
}
