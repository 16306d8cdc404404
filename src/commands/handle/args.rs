//! The arguments of `kpipe handle`, and what of them does not go together.

use std::ffi::OsString;
use std::num::NonZero;
use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use clap::builder::NonEmptyStringValueParser;

use crate::commands::selection::Selection;
use crate::commands::tracing::TraceArgs;
use crate::error::CommandError;
use crate::handler::{Backoff, Form, LastResort, Manner, Rule, Target};
use crate::kafka::{Error, is_topic_name};
use crate::time;

/// Records of a batch when there are to be batches and nobody says how large.
const TRANSACTION: NonZero<usize> = NonZero::new(500).expect("500 is not 0");

/// Run a command per record, and commit what it accepted
///
/// CMD finds the record line on stdin and its place in `KAFKA_TOPIC`, `KAFKA_PARTITION`,
/// `KAFKA_OFFSET`, `KAFKA_TIMESTAMP`, `KAFKA_TOMBSTONE` (true or false) and `KAFKA_KEY`.
/// `KAFKA_KEY` is absent where the record has no key, or one that is not UTF-8, has a NUL or is
/// over 4 KiB; with --stream or several records none of these is set. The status of CMD decides: 0 accepts,
/// 65 rejects, 69 says that what it needs is down, 126 and 127 end the run, anything else is
/// tried again. A record is committed when it was accepted, or its dead letter was acknowledged;
/// `kpipe help handle` has the rest.
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  kpipe handle orders -g print -- cat
  kpipe handle orders -g billing --values --dlq --on 6,7,28=down -- \\
      curl -fsS --data-binary @- https://api.example.com/charge
  kpipe handle orders -g load --batch 500 --on 2=down -- ./load.sh
  kpipe handle in -g g --to out --exactly-once -- jq -c '.value |= .order'
  kpipe handle orders -g ml --stream --batch 100 --concurrency 4 --skip -- python3 -u score.py

With --stream, CMD stays: it reads record lines and writes one verdict line for each,
{\"partition\":0,\"offset\":17,\"verdict\":\"accept\"}, or \"release\", to try the record again, or \"reject\", with a \"reason\"
where there is one, and \"topic\" where it reads several.")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag that is given or not"
)]
pub(crate) struct Args {
    /// Topics; a regular expression begins with `^`
    #[arg(required = true, value_name = "TOPIC", value_parser = NonEmptyStringValueParser::new())]
    pub(super) topics: Vec<String>,

    /// Join this consumer group
    #[arg(short, long, value_parser = NonEmptyStringValueParser::new(), help_heading = "Group")]
    pub(super) group: String,

    #[command(flatten)]
    pub(super) selection: Selection,

    /// Give CMD the values alone: of one record its bytes and nothing else; of several, joined by line feeds, one
    /// at the end too
    #[arg(long, conflicts_with = "stream", help_heading = "What CMD gets")]
    values: bool,

    /// Give CMD up to COUNT records at once; with --stream, as many before their verdicts
    #[arg(long, value_name = "COUNT", help_heading = "What CMD gets")]
    batch: Option<NonZero<usize>>,

    /// How long a batch waits until it is full
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "1s",
        value_parser = time::parse_duration,
        help_heading = "What CMD gets"
    )]
    flush_interval: Duration,

    /// Start CMD once, for record lines in and verdict lines out
    #[arg(long, help_heading = "What CMD gets")]
    stream: bool,

    /// Run so many of CMD at a time, each with other keys
    #[arg(
        long,
        value_name = "COUNT",
        default_value = "1",
        help_heading = "What CMD gets"
    )]
    pub(super) concurrency: NonZero<usize>,

    /// What keeps its order
    #[arg(
        long,
        value_enum,
        default_value_t,
        value_name = "WHAT",
        help_heading = "What CMD gets"
    )]
    pub(super) order: Order,

    /// What a status means: 2=reject, 6,7,28=down, 3=accept, 4=retry (can be repeated)
    #[arg(long, value_name = "STATUS,…=VERDICT", help_heading = "When CMD fails")]
    on: Vec<Rule>,

    /// Try a record so often, the first time included
    #[arg(
        long,
        value_name = "COUNT",
        default_value = "3",
        help_heading = "When CMD fails"
    )]
    max_attempts: NonZero<u32>,

    /// How long to wait between tries: doubled each time, at random below that
    #[arg(
        long,
        value_name = "SHORTEST..LONGEST",
        default_value = "100ms..30s",
        help_heading = "When CMD fails"
    )]
    pub(super) backoff: Backoff,

    /// End a CMD that takes longer: TERM, and KILL after 5 s, to it and all that it started
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "60s",
        value_parser = time::parse_duration,
        help_heading = "When CMD fails"
    )]
    handler_timeout: Duration,

    /// After the last try, send the record to `dlq.` and its topic, or to TOPIC
    #[arg(
        long,
        value_name = "TOPIC",
        num_args = 0..=1,
        require_equals = true,
        conflicts_with = "skip",
        help_heading = "When CMD fails"
    )]
    #[expect(clippy::option_option, reason = "without, with, and with a topic")]
    pub(super) dlq: Option<Option<String>>,

    /// After the last try, pass over the record and say so
    #[arg(long, help_heading = "When CMD fails")]
    skip: bool,

    /// After so many failures in a row, start only a probe now and then; 0 never does
    #[arg(
        long,
        value_name = "FAILURES",
        default_value = "10",
        help_heading = "When CMD fails"
    )]
    pub(super) breaker: u32,

    /// Remember tries in this file, so that a record that kills kpipe dies too
    #[arg(long, value_name = "FILE", help_heading = "When CMD fails")]
    pub(super) attempts_file: Option<PathBuf>,

    /// Send what CMD prints to this topic: record lines, partitions by key
    #[arg(
        long,
        value_name = "TOPIC",
        conflicts_with = "stream",
        help_heading = "Output"
    )]
    pub(super) to: Option<String>,

    /// CMD prints plain values; of one record they keep its key and headers
    #[arg(long, requires = "to", help_heading = "Output")]
    lines: bool,

    /// Commit output and offsets in one transaction for each batch, 500 unless told otherwise
    #[arg(
        long,
        requires = "to",
        conflicts_with = "concurrency",
        help_heading = "Output"
    )]
    pub(super) exactly_once: bool,

    /// How long the run may take to end after a signal, while it finishes what it has in hand
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "10s",
        value_parser = time::parse_duration,
        help_heading = "When to stop"
    )]
    pub(super) drain: Duration,

    /// Write counts to this file, for Prometheus, every few seconds and at the end
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(super) metrics: Option<PathBuf>,

    #[command(flatten)]
    pub(super) trace: TraceArgs,

    /// What to run, and its arguments
    #[arg(last = true, required = true, value_name = "CMD")]
    pub(super) command: Vec<OsString>,
}

/// What keeps its order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Order {
    /// Records of the same key
    #[default]
    Key,
    /// Records of the same partition
    Partition,
}

impl Args {
    /// How records are handled, or what of the flags does not go together.
    pub(super) fn manner(&self) -> Result<Manner, CommandError> {
        for topic in self.own_topics() {
            if !is_topic_name(topic) {
                return Err(Error::InvalidTopic(topic.to_owned()).into());
            }
            if self.topics.iter().any(|source| source == topic) {
                return Err(CommandError::usage(EndlessLoop(topic.to_owned()))
                    .hint("read one topic and write another"));
            }
        }
        let default = if self.exactly_once {
            TRANSACTION
        } else {
            NonZero::<usize>::MIN
        };
        Ok(Manner {
            group: self.group.clone(),
            form: if self.values {
                Form::Values
            } else {
                Form::Lines
            },
            stream: self.stream,
            batch: self.batch.unwrap_or(default).get(),
            flush_interval: self.flush_interval,
            timeout: self.handler_timeout,
            max_attempts: self.max_attempts.get(),
            backoff: self.backoff,
            rules: self.on.clone(),
            last_resort: match &self.dlq {
                Some(topic) => LastResort::DeadLetter(topic.clone()),
                None if self.skip => LastResort::Skip,
                None => LastResort::Stop,
            },
            to: self.to.clone().map(|topic| Target {
                topic,
                lines: self.lines,
                exactly_once: self.exactly_once,
            }),
        })
    }

    /// The topics that are written to, as far as they are named.
    fn own_topics(&self) -> impl Iterator<Item = &str> {
        let dlq = self.dlq.as_ref().and_then(Option::as_deref);
        self.to.as_deref().into_iter().chain(dlq)
    }

    /// The topics that dead letters will go to, as far as that is known now.
    pub(super) fn dead_letter_topics(&self) -> Vec<String> {
        match &self.dlq {
            None => Vec::new(),
            Some(Some(topic)) => vec![topic.clone()],
            Some(None) => {
                let named = self.topics.iter().filter(|topic| !topic.starts_with('^'));
                named.map(|topic| format!("dlq.{topic}")).collect()
            }
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("topic `{0}` is read and written: its records would come round for ever")]
struct EndlessLoop(String);
