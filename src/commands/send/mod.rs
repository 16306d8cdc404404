//! `kpipe send`: one record, or what comes in as lines; waits for every acknowledgement.

mod one;
mod prepare;
mod stream;
mod strict;
mod talk;

pub(crate) use stream::CannotRead;

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;

use crate::commands::registry::RegistryArgs;
use crate::commands::tracing::TraceArgs;
use crate::config::Approval;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Outcome;
use crate::kafka::Settings;
use crate::record::{Input, LineKey, Outgoing, OutgoingHeader, Pointer, Separator};
use crate::registry::Gate;
use crate::rules::{Assignment, Field};
use crate::time;

/// Send one record, or record lines from stdin or files
///
/// With VALUE, sends it as one record and prints its receipt. Without, reads record
/// lines, as `kpipe tail` prints them, or what `--input` names. Every line is
/// acknowledged by all in-sync replicas or accounted for; the status is 0 only if all
/// were. TOPIC, where given, overrides the lines' topics.
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  kpipe send orders '{\"id\":7}' -k u-17           one record
  kpipe send orders -k u-17 --input whole < order.json
  kpipe tail orders -e | kpipe send copy         an exact copy
  kpipe send orders --lines < values.txt         each line is a value
  kpipe send orders --lines --key-from /user     keys out of JSON values
  kpipe send --file day.jsonl --failed left.jsonl
  kpipe send < left.jsonl                        what was left
  kpipe send orders --lines --require message --default user_id=anonymous --assign timestamp=now
  kpipe send orders '{\"id\":7}' --trace          and report its stages")]
pub(crate) struct Args {
    /// Topic to send to
    topic: Option<String>,

    /// Value of one record; `-` reads stdin instead
    #[arg(allow_negative_numbers = true)]
    value: Option<String>,

    #[command(flatten)]
    record: OneRecord,

    #[command(flatten)]
    input: InputArgs,

    #[command(flatten)]
    rules: RulesArgs,

    #[command(flatten)]
    delivery: DeliveryArgs,

    #[command(flatten)]
    trace: TraceArgs,

    #[command(flatten)]
    approval: ApprovalArgs,
}

#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Values")]
struct RulesArgs {
    /// Refuse a value without this field, or with null there: a name or a JSON pointer (can be
    /// repeated)
    #[arg(long, value_name = "FIELD")]
    require: Vec<Field>,

    /// Refuse a value that this JSON Schema does not allow
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,

    /// Set a field where it is missing or null (can be repeated)
    #[arg(
        long,
        value_name = "FIELD=VALUE",
        long_help = "Set a field where it is missing or null (can be repeated)\n\nVALUE is `now`, \
            `uuid` or `host`, made anew for each record; else JSON; else text. In quotes every text \
            is itself: `--default 'state=\"now\"'`. Values are checked as they come, and then \
            completed; all other bytes of them stay as they are"
    )]
    default: Vec<Assignment>,

    /// Set a field whatever is there (can be repeated); VALUE as in `--default`
    #[arg(long, value_name = "FIELD=VALUE")]
    assign: Vec<Assignment>,
}

#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Approval")]
struct ApprovalArgs {
    /// Send to topics that are ACTIVE in the registry alone, as with `approval = "enforce"`
    #[arg(long)]
    approved_only: bool,

    #[command(flatten)]
    registry: RegistryArgs,
}

#[derive(clap::Args, Debug)]
#[command(next_help_heading = "One record, or each value of --lines and --input whole")]
struct OneRecord {
    /// Its key
    #[arg(
        short,
        long,
        allow_hyphen_values = true,
        conflicts_with_all = ["key_from", "separator"]
    )]
    key: Option<String>,

    /// A header; NAME alone is a null value (can be repeated)
    #[arg(short = 'H', long = "header", value_name = "NAME=VALUE")]
    headers: Vec<String>,

    /// The partition, instead of the key's
    #[arg(
        short,
        long,
        value_parser = clap::value_parser!(i32).range(0..),
        conflicts_with = "repartition"
    )]
    partition: Option<i32>,

    /// When it was made, instead of now
    #[arg(
        long,
        value_name = "TIME",
        allow_hyphen_values = true,
        conflicts_with = "now"
    )]
    timestamp: Option<String>,

    /// A null value, which deletes the key in a compacted topic
    #[arg(long, conflicts_with = "value")]
    tombstone: bool,
}

impl OneRecord {
    fn is_asked_for(&self) -> bool {
        self.key.is_some()
            || !self.headers.is_empty()
            || self.partition.is_some()
            || self.timestamp.is_some()
    }

    /// What the command line has of a record, which lacks its value.
    fn read(&self, context: &Context) -> Result<Outgoing<'static>, CommandError> {
        let headers: Vec<_> = self.headers.iter().map(|text| header(text)).collect();
        if headers.iter().any(|header| header.name.is_empty()) {
            return Err(CommandError::usage("a header needs a name").hint("-H NAME=VALUE"));
        }
        let timestamp = self.timestamp.as_deref().map(|text| {
            time::parse(text, context.clock.now(), context.clock.zone())
                .map_err(CommandError::usage)
        });
        let timestamp = timestamp.transpose()?.map(jiff::Timestamp::as_millisecond);
        if timestamp == Some(0) {
            return Err(CommandError::usage(
                "the client library cannot carry a timestamp of 0, which it takes for now",
            ));
        }
        Ok(Outgoing {
            topic: None,
            partition: self.partition,
            timestamp,
            key: self.key.as_ref().map(|key| key.clone().into_bytes().into()),
            value: None,
            headers,
        })
    }
}

/// The text after `-H`.
fn header(text: &str) -> OutgoingHeader<'static> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value.as_bytes().to_vec().into())),
        None => (text, None),
    };
    OutgoingHeader {
        name: name.as_bytes().to_vec().into(),
        value,
    }
}

#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Input")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag that is given or not"
)]
struct InputArgs {
    /// Read this file; `-` is stdin (can be repeated)
    #[arg(long = "file", value_name = "FILE")]
    files: Vec<PathBuf>,

    /// What the input is
    #[arg(long, value_enum, default_value_t, value_name = "KIND")]
    input: Kind,

    /// Each line is a value: short for `--input lines`
    #[arg(long, conflicts_with = "input")]
    lines: bool,

    /// With lines: take the key out of the JSON value
    #[arg(long, value_name = "/JSON/POINTER", conflicts_with = "separator")]
    key_from: Option<Pointer>,

    /// With lines: a key stands before the first SEPARATOR
    #[arg(short = 'K', long = "key-separator", value_name = "SEPARATOR")]
    separator: Option<Separator>,

    /// Accept fields that record lines do not have
    #[arg(long)]
    ignore_unknown: bool,

    /// Read all of the input first; one bad line and nothing is sent
    #[arg(long)]
    strict: bool,

    /// Ignore the lines' partitions and hash the keys
    #[arg(long)]
    repartition: bool,

    /// Ignore the lines' timestamps
    #[arg(long)]
    now: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Record lines
    #[default]
    Record,
    /// Each line is a value
    Lines,
    /// Each file is a value
    Whole,
    /// Lines of `kcat -J`
    Kcat,
    /// Lines of `rpk topic consume --pretty-print=false`
    Rpk,
    /// Lines of `kaf consume --output json-each-row`
    Kaf,
}

#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Delivery")]
struct DeliveryArgs {
    /// Which receipts to print [default: all for one record, none for many]
    #[arg(long, value_enum, value_name = "WHICH")]
    receipts: Option<Receipts>,

    /// Append the lines that were not acknowledged to this file, and why to FILE.why
    #[arg(long, value_name = "FILE")]
    failed: Option<PathBuf>,

    /// All or nothing: one transaction, which consumers see at once or never
    #[arg(long)]
    transaction: bool,

    /// Records a second, such as `100/s` or `90/m`
    #[arg(long, value_parser = time::parse_rate)]
    rate: Option<f64>,

    /// How long a record may wait for its acknowledgement
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "60s",
        value_parser = parse_delivery_timeout
    )]
    delivery_timeout: Duration,

    /// Compress batches [default: lz4]
    #[arg(short = 'z', long, value_enum, value_name = "CODEC")]
    compression: Option<Compression>,

    /// Who must have a record before it counts [default: all]
    #[arg(long, value_enum, conflicts_with = "transaction")]
    acks: Option<Acks>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Receipts {
    All,
    Failed,
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Compression {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

impl Compression {
    fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Acks {
    /// Every replica in sync
    All,
    /// The leader alone
    #[value(name = "1", alias = "leader")]
    Leader,
    /// Nobody: what is lost is lost in silence
    #[value(name = "0", alias = "none")]
    Nobody,
}

pub(crate) fn run(args: &Args, context: &mut Context) -> Result<Outcome, CommandError> {
    let value = args.value.as_deref().filter(|value| *value != "-");
    if value.is_some() || args.record.tombstone {
        return one::run(args, value, context);
    }
    if args.record.is_asked_for() && !args.input.is_values() {
        return Err(CommandError::usage(
            "key, headers, partition and timestamp are those of a value, but there is no VALUE",
        )
        .hint(
            "give a VALUE, `--tombstone`, `--lines` or `--input whole`; in record lines each line has \
             its own",
        ));
    }
    stream::run(args, context)
}

impl Args {
    /// Which topics may be sent to, when that is not all.
    fn gate(&self, context: &Context) -> Result<Option<Gate>, CommandError> {
        let enforced = context.governance()?.approval == Approval::Enforce;
        if !self.approval.approved_only && !enforced {
            return Ok(None);
        }
        let registry = self.approval.registry.open_existing(context)?;
        Ok(Some(Gate::new(registry)))
    }

    fn settings(&self, linger: Duration) -> Settings {
        let delivery = &self.delivery;
        Settings {
            acks: delivery.acks.map(|acks| {
                match acks {
                    Acks::All => "all",
                    Acks::Leader => "1",
                    Acks::Nobody => "0",
                }
                .to_owned()
            }),
            compression: delivery.compression.map(|codec| codec.name().to_owned()),
            delivery_timeout: delivery.delivery_timeout,
            linger,
            transactional_id: delivery
                .transaction
                // A new id each time: nobody continues the transaction of a run that died.
                .then(|| format!("kpipe-{}", uuid::Uuid::now_v7())),
            // The longest that a broker allows unless told otherwise: input may be slow.
            transaction_timeout: Duration::from_mins(15),
        }
    }
}

impl DeliveryArgs {
    /// Whether anything was asked that makes no sense for one record.
    fn is_for_many(&self) -> bool {
        self.transaction || self.failed.is_some() || self.rate.is_some()
    }
}

impl InputArgs {
    /// Whether anything was asked of an input.
    fn is_asked_for(&self) -> bool {
        !self.files.is_empty()
            || self.kind() != Kind::Record
            || self.key_from.is_some()
            || self.separator.is_some()
            || self.ignore_unknown
            || self.strict
            || self.repartition
            || self.now
    }

    fn kind(&self) -> Kind {
        if self.lines { Kind::Lines } else { self.input }
    }

    /// Whether what is read is values, to which the command line may add the rest of a record.
    fn is_values(&self) -> bool {
        matches!(self.kind(), Kind::Lines | Kind::Whole)
    }

    /// How a line is read.
    fn input(&self) -> Result<Input, CommandError> {
        let key = match (&self.key_from, &self.separator) {
            (Some(pointer), _) => LineKey::Pointer(pointer.clone()),
            (None, Some(separator)) => LineKey::Separator(separator.clone()),
            (None, None) => LineKey::None,
        };
        let kind = self.kind();
        if kind != Kind::Lines && !matches!(key, LineKey::None) {
            return Err(
                CommandError::usage("`--key-from` and `-K` take keys out of plain lines")
                    .hint("add `--lines`"),
            );
        }
        Ok(match kind {
            Kind::Record => Input::Record,
            Kind::Lines | Kind::Whole => Input::Lines(key),
            Kind::Kcat => Input::Kcat,
            Kind::Rpk => Input::Rpk,
            Kind::Kaf => Input::Kaf,
        })
    }
}

/// What librdkafka can count to, without the 0 that means for ever.
fn parse_delivery_timeout(text: &str) -> Result<Duration, TimeoutError> {
    let timeout = time::parse_duration(text)?;
    let range = Duration::from_millis(1)..=Duration::from_hours(24 * 24);
    if range.contains(&timeout) {
        Ok(timeout)
    } else {
        Err(TimeoutError::OutOfRange)
    }
}

#[derive(Debug, thiserror::Error)]
enum TimeoutError {
    #[error(transparent)]
    NotADuration(#[from] time::TimeError),
    #[error("expected 1ms to 24d")]
    OutOfRange,
}
