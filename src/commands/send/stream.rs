//! Many records from stdin or files, each accounted for.

use std::fs::File;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use super::prepare::Preparation;
use super::strict::Strict;
use super::talk::{Talk, progress_bar, summary};
use super::{Args, Kind, Receipts};
use crate::commands::tracing;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::{Outcome, Status};
use crate::kafka::{Cluster, Producer, is_topic_name};
use crate::pipeline::deliver::{Delivered, Delivery, Halt, Input, Manner};
use crate::pipeline::ledger::{Counts, Ledger, SettleError};
use crate::record::{self, Outgoing, UnknownFields};
use crate::rules::Rules;
use crate::sink::failed::{FailedFile, Journal};
use crate::sink::output;
use crate::sink::stages::Reporter;
use crate::source::lines::{self, Piece, Reader};
use crate::source::parsed::Parsed;
use crate::stop::Stop;

/// The longest line, unless larger records are configured.
const LONGEST_LINE: usize = 16 * 1024 * 1024;

/// How long a batch waits for company.
const LINGER: Duration = Duration::from_millis(5);

pub(super) fn run(args: &Args, context: &mut Context) -> Result<Outcome, CommandError> {
    let start = Instant::now();
    let kind = args.input.kind();
    check_usage(args, kind, context)?;
    let mut gate = args.gate(context)?;
    let refusal = match (&mut gate, &args.topic) {
        (Some(gate), Some(topic)) => gate.refusal(topic)?.cloned(),
        _ => None,
    };
    if let Some(refusal) = &refusal
        && args.delivery.failed.is_none()
    {
        return Err(refusal.clone().into());
    }
    let mut inputs = open(args)?;
    let cluster = context.cluster()?;
    let longest_line = longest_line(&cluster);
    let reporter = args.trace.start("kpipe-send", None, context)?;
    let rules = args.rules.read()?;
    let parse = Parse::new(args, rules.clone(), context, reporter.clone())?;
    let files: Vec<&File> = inputs.iter().map(lines::Input::file).collect();
    let mut failed = args
        .delivery
        .failed
        .as_deref()
        .map(|path| FailedFile::open(path, &files).map_err(CommandError::usage))
        .transpose()?;
    let mut talk = Talk::new(args, context.ui)?;
    if args.input.strict {
        // What is read first to see whether it is right is not on its way yet.
        let strict = Strict {
            parse: &mut Parse::new(args, rules, context, None)?,
            longest_line,
            topic: args.topic.as_deref(),
            failed: failed.as_mut(),
            talk: &mut talk,
            stop: &context.stop,
        };
        inputs = strict.check(inputs)?;
    }
    let mut producer = Producer::new(cluster, args.settings(LINGER))?;
    // What is not approved is not sent, so that Kafka need not know of it.
    let ready = match refusal {
        None => get_ready(args, &mut producer),
        Some(_) => Ok(()),
    };
    if args.delivery.failed.is_none() {
        ready.clone()?;
    }
    let manner = manner(args, kind, longest_line);
    let journal = failed.map(Journal::new);
    let ledger = Ledger::new(
        args.topic.clone(),
        journal.clone(),
        args.delivery.transaction,
        talk,
    )
    .naming_messages(args.trace.is_asked_for());
    let bytes_read = Arc::new(AtomicU64::new(0));
    let bar = progress_bar(context.ui, &inputs);
    let reading = Stop::default();
    let reader = Reader {
        longest_line,
        finish_reading: args.delivery.failed.is_some(),
        bytes_read: bytes_read.clone(),
        stop: reading.clone(),
        journal,
    };
    let input = read_and_parse(reader, inputs, parse, kind).map_err(CommandError::failed)?;
    let delivered = Delivery::new(
        &mut producer,
        ledger,
        &input,
        &manner,
        &context.stop,
        &reading,
        &mut |acknowledged, failed| {
            if let Some(bar) = &bar {
                bar.set_position(bytes_read.load(Ordering::Relaxed));
                bar.set_message(format!("{acknowledged} sent, {failed} failed"));
            }
        },
    )
    .unless(ready.err())
    .guarded(gate)
    .traced(reporter.clone())
    .run();
    let finished = match delivered {
        Ok(delivered) => {
            if let Some(bar) = &bar {
                bar.finish_and_clear();
            }
            finish(args, context, &mut producer, delivered, start)
        }
        Err(error) => {
            // Left open, it would keep consumers waiting until it times out.
            if args.delivery.transaction {
                let _ = producer.abort_transaction();
            }
            Err(settle_error(error))
        }
    };
    tracing::finish(reporter.as_ref(), context);
    finished
}

/// The longest line that may hold a record.
fn longest_line(cluster: &Cluster) -> usize {
    (cluster.properties.get("message.max.bytes"))
        .and_then(|limit| limit.parse::<usize>().ok())
        .map_or(LONGEST_LINE, |limit| LONGEST_LINE.max(limit * 2))
}

fn manner(args: &Args, kind: Kind, longest_line: usize) -> Manner {
    Manner {
        topic: args.topic.clone(),
        repartition: args.input.repartition,
        now: args.input.now,
        rate: args.delivery.rate,
        all_or_nothing: args.delivery.transaction,
        first_line_decides: !matches!(kind, Kind::Lines | Kind::Whole),
        longest_line,
        delivery_timeout: args.delivery.delivery_timeout,
    }
}

/// Finds out about the topic and begins the transaction, as far as they are known and asked for.
fn get_ready(args: &Args, producer: &mut Producer) -> Result<(), crate::kafka::Error> {
    if let Some(topic) = &args.topic {
        producer.prepare(topic, true)?;
    }
    if args.delivery.transaction {
        producer.begin_transaction()?;
    }
    Ok(())
}

fn check_usage(args: &Args, kind: Kind, context: &Context) -> Result<(), CommandError> {
    let reads_stdin =
        args.input.files.is_empty() || args.input.files.iter().any(|file| file.as_os_str() == "-");
    if reads_stdin
        && args.value.is_none()
        && args.input.files.is_empty()
        && io::stdin().is_terminal()
    {
        return Err(
            CommandError::usage("nothing to send: stdin is a terminal").hint(
                "kpipe send TOPIC VALUE, or kpipe send TOPIC --file FILE; `-` reads the terminal",
            ),
        );
    }
    if reads_stdin && context.connection_reads_stdin() {
        return Err(CommandError::usage(
            "stdin cannot be both the records and the properties of `-F -`",
        )
        .hint("give one of them as a file"));
    }
    if let Some(topic) = args.topic.as_deref().filter(|topic| !is_topic_name(topic)) {
        return Err(crate::kafka::Error::InvalidTopic(topic.to_owned()).into());
    }
    if kind == Kind::Whole && args.delivery.failed.is_some() {
        return Err(CommandError::usage(
            "`--failed` keeps lines, and a file that is one value has none",
        )
        .hint("leave `--failed` out: a file that was not sent is still there"));
    }
    if args.topic.is_none() && matches!(kind, Kind::Lines | Kind::Whole) {
        return Err(
            CommandError::usage("plain values name no topic").hint("kpipe send TOPIC --lines")
        );
    }
    if args.delivery.transaction && args.trace.is_asked_for() {
        return Err(CommandError::usage(
            "the records of a transaction are there at its end or never, so that none of them can \
             be told to be PERSISTED before",
        )
        .hint("leave `--trace` out, or `--transaction`"));
    }
    if args.delivery.transaction && args.delivery.receipts == Some(Receipts::All) {
        return Err(CommandError::usage(
            "a transaction has one receipt, its status: none of its records counts before the end",
        )
        .hint("leave `--receipts all` out"));
    }
    Ok(())
}

fn open(args: &Args) -> Result<Vec<lines::Input>, CommandError> {
    let stdin = [PathBuf::from("-")];
    let files = if args.input.files.is_empty() {
        &stdin[..]
    } else {
        &args.input.files
    };
    files
        .iter()
        .map(|path| {
            lines::Input::open(path).map_err(|error| {
                CommandError::usage(CannotRead {
                    path: path.clone(),
                    error,
                })
            })
        })
        .collect()
}

#[derive(Debug, thiserror::Error)]
#[error("cannot read `{path}`")]
pub(crate) struct CannotRead {
    pub(crate) path: PathBuf,
    #[source]
    pub(crate) error: io::Error,
}

/// How lines become records.
pub(super) struct Parse {
    input: record::Input,
    unknown: UnknownFields,
    /// What each record is but its value, where the command line says it.
    given: Option<Outgoing<'static>>,
    preparation: Option<Preparation>,
}

impl Parse {
    fn new(
        args: &Args,
        rules: Rules,
        context: &Context,
        reporter: Option<Reporter>,
    ) -> Result<Self, CommandError> {
        Ok(Self {
            preparation: Preparation::new(args, rules, context, reporter)?,
            input: args.input.input()?,
            unknown: if args.input.ignore_unknown {
                UnknownFields::Ignore
            } else {
                UnknownFields::Refuse
            },
            given: (args.record.is_asked_for())
                .then(|| args.record.read(context))
                .transpose()?,
        })
    }

    pub(super) fn block(&mut self, block: lines::Block) -> Parsed {
        let (input, unknown, given) = (&self.input, self.unknown, self.given.as_ref());
        if given.is_none() && self.preparation.is_none() {
            return Parsed::new(block, |line, _| Ok(input.parse(line, unknown)?));
        }
        let preparation = &mut self.preparation;
        Parsed::new(block, |line, _| {
            let mut record = input.parse(line, unknown)?;
            if let Some(given) = given {
                // The line may have a key of its own, and never has the rest.
                record = Outgoing {
                    key: record.key.or_else(|| given.key.clone()),
                    value: record.value,
                    ..given.clone()
                };
            }
            if let Some(preparation) = preparation {
                preparation.prepare(&mut record)?;
            }
            Ok(record)
        })
    }
}

/// Reads on one thread and parses on another.
fn read_and_parse(
    reader: Reader,
    inputs: Vec<lines::Input>,
    mut parse: Parse,
    kind: Kind,
) -> io::Result<Receiver<Input>> {
    let (to_parse, pieces) = sync_channel(2);
    let (parsed, input) = sync_channel(4);
    thread::Builder::new().name("read".into()).spawn(move || {
        if kind == Kind::Whole {
            read_whole(&reader, inputs, &to_parse);
        } else {
            reader.run(inputs, &to_parse);
        }
    })?;
    thread::Builder::new().name("parse".into()).spawn(move || {
        for piece in pieces {
            let next = match piece {
                Piece::Lines(block) if block.is_empty() => continue,
                Piece::Lines(block) => Input::Parsed(parse.block(block)),
                other => Input::Other(other),
            };
            if parsed.send(next).is_err() {
                return;
            }
        }
    })?;
    Ok(input)
}

/// Each file is a value.
fn read_whole(reader: &Reader, inputs: Vec<lines::Input>, pieces: &SyncSender<Piece>) {
    for input in inputs {
        let name = input.name.clone();
        let whole = input
            .rereadable(&reader.stop)
            .and_then(|input| input.read_whole(reader.longest_line));
        let piece = match whole {
            Ok(Some(block)) => Piece::Lines(block),
            Ok(None) => Piece::Overlong {
                input: name,
                line: 1,
                bytes: Vec::new(),
                last: true,
            },
            Err(error) => Piece::Broken { input: name, error },
        };
        if reader.stop.is_asked() || pieces.send(piece).is_err() {
            return;
        }
    }
}

fn settle_error(error: SettleError) -> CommandError {
    CommandError::failed(error)
}

/// Ends the transaction if there is one, tells the sum, and decides the status.
fn finish(
    args: &Args,
    context: &Context,
    producer: &mut Producer,
    delivered: Delivered<Talk>,
    start: Instant,
) -> Result<Outcome, CommandError> {
    let Delivered {
        ledger,
        latencies,
        halt,
        refused,
    } = delivered;
    let mut transaction_error = None;
    let mut committed = false;
    let in_transaction = producer.is_in_transaction();
    if in_transaction {
        // A signal that came with the end of the input is an interrupt all the same.
        let is_whole = halt.is_none() && ledger.counts().failed == 0 && !context.stop.is_asked();
        let ended = if is_whole {
            producer
                .commit_transaction()
                .map(|()| committed = true)
                .inspect_err(|_| {
                    let _ = producer.abort_transaction();
                })
        } else {
            producer.abort_transaction()
        };
        if let Err(error) = ended {
            transaction_error = Some(error);
        }
    }
    let (counts, mut talk) = ledger.finish(committed).map_err(settle_error)?;
    talk.say();
    let broken = talk.broken.take();
    if !matches!(halt, Some(Halt::NotRecordLines { .. })) {
        context
            .ui
            .status(summary(counts, start.elapsed(), &latencies));
    }
    if let Some(error) = transaction_error {
        return Err(error.into());
    }
    if in_transaction && !committed {
        context
            .ui
            .item_error("the transaction was aborted: none of it is to be seen");
    }
    if let Some(error) = halt.and_then(|halt| halted(halt, counts, args)) {
        return Err(error);
    }
    if let Some(error) = broken {
        return Err(output::cannot_write(error));
    }
    if let Some(signal) = context.stop.signal() {
        return Ok(Outcome::Signal(signal));
    }
    Ok(Outcome::Exit(match counts.failed {
        0 => Status::Done,
        _ if refused => Status::Refused,
        failed if failed == counts.may_pass => Status::Unavailable,
        _ => Status::Failed,
    }))
}

/// What the user is told of a run that ended early; signals and failed lines were told already.
fn halted(halt: Halt, counts: Counts, args: &Args) -> Option<CommandError> {
    let sent = counts.acknowledged;
    Some(match halt {
        Halt::Interrupted | Halt::Failure => return None,
        Halt::NotRecordLines { place, error } => {
            let topic = args.topic.as_deref().unwrap_or("TOPIC");
            let hint = match error.hint {
                _ if error.is_plain => Some(format!("kpipe send {topic} --lines")),
                hint => hint.map(ToOwned::to_owned),
            };
            CommandError {
                hint,
                ..CommandError::usage(format!("{place}: {error}"))
            }
        }
        Halt::UnknownPartition {
            place,
            topic,
            partition,
            partitions,
        } => CommandError::usage(format!(
            "{place}: topic `{topic}` has no partition {partition}, it has {partitions}; {sent} sent"
        ))
        .hint("`--repartition` ignores the partitions and hashes the keys"),
        Halt::Kafka(error) => error.into(),
        Halt::Registry(error) => error.into(),
        Halt::Input { place, error } => CommandError::failed(CannotRead {
            path: PathBuf::from(place),
            error,
        }),
    })
}
