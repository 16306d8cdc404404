//! Many records from stdin or files, each accounted for.

use std::fmt::Write;
use std::fs::File;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::{Args, Kind, Receipts};
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::{Outcome, Status};
use crate::kafka::{Producer, is_topic_name};
use crate::pipeline::deliver::{Delivered, Delivery, Halt, Input, Manner};
use crate::pipeline::ledger::{Counts, Ledger, Outlet, SettleError};
use crate::record::{self, UnknownFields};
use crate::sink::failed::{FailedFile, Journal};
use crate::sink::output;
use crate::sink::receipt::{Failure, Receipt};
use crate::source::lines::{self, Piece, Reader};
use crate::source::parsed::Parsed;
use crate::stop::Stop;
use crate::ui::Ui;

/// The longest line, unless larger records are configured.
const LONGEST_LINE: usize = 16 * 1024 * 1024;

/// How long a batch waits for company.
const LINGER: Duration = Duration::from_millis(5);

pub(super) fn run(args: &Args, context: &mut Context) -> Result<Outcome, CommandError> {
    let start = Instant::now();
    let kind = args.input.kind();
    check_usage(args, kind, context)?;
    let mut inputs = open(args)?;
    let cluster = context.cluster()?;
    let longest_line = cluster
        .properties
        .get("message.max.bytes")
        .and_then(|limit| limit.parse::<usize>().ok())
        .map_or(LONGEST_LINE, |limit| LONGEST_LINE.max(limit * 2));
    let parse = Parse {
        input: args.input.input()?,
        unknown: if args.input.ignore_unknown {
            UnknownFields::Ignore
        } else {
            UnknownFields::Refuse
        },
    };
    let files: Vec<&File> = inputs.iter().map(lines::Input::file).collect();
    let mut failed = args
        .delivery
        .failed
        .as_deref()
        .map(|path| FailedFile::open(path, &files).map_err(CommandError::usage))
        .transpose()?;
    if args.input.strict {
        inputs = checked(inputs, &parse, longest_line, failed.as_mut(), context)?;
    }
    let mut producer = Producer::new(cluster, args.settings(LINGER))?;
    let ready = get_ready(args, &mut producer);
    if args.delivery.failed.is_none() {
        ready.clone()?;
    }
    let manner = Manner {
        topic: args.topic.clone(),
        repartition: args.input.repartition,
        now: args.input.now,
        rate: args.delivery.rate,
        all_or_nothing: args.delivery.transaction,
        first_line_decides: !matches!(kind, Kind::Lines | Kind::Whole),
        longest_line,
        delivery_timeout: args.delivery.delivery_timeout,
    };
    let outlet = Talk::new(args, context.ui)?;
    let journal = failed.map(Journal::new);
    let ledger = Ledger::new(
        args.topic.clone(),
        journal.clone(),
        args.delivery.transaction,
        outlet,
    );
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
    .run();
    let delivered = match delivered {
        Ok(delivered) => delivered,
        Err(error) => {
            // Left open, it would keep consumers waiting until it times out.
            if args.delivery.transaction {
                let _ = producer.abort_transaction();
            }
            return Err(settle_error(error));
        }
    };
    if let Some(bar) = &bar {
        bar.finish_and_clear();
    }
    finish(args, context, &mut producer, delivered, start)
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
struct CannotRead {
    path: PathBuf,
    #[source]
    error: io::Error,
}

/// How lines become records.
#[derive(Clone)]
struct Parse {
    input: record::Input,
    unknown: UnknownFields,
}

impl Parse {
    fn block(&self, block: lines::Block) -> Parsed {
        Parsed::new(block, |line, _| self.input.parse(line, self.unknown))
    }
}

/// Reads on one thread and parses on another.
fn read_and_parse(
    reader: Reader,
    inputs: Vec<lines::Input>,
    parse: Parse,
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

/// Reads all input once, for `--strict`; stdin goes to a temporary file meanwhile.
fn checked(
    inputs: Vec<lines::Input>,
    parse: &Parse,
    longest_line: usize,
    failed: Option<&mut FailedFile>,
    context: &Context,
) -> Result<Vec<lines::Input>, CommandError> {
    let mut bad = 0_u64;
    let mut again = Vec::new();
    for input in inputs {
        let mut input = input
            .rereadable(&context.stop)
            .map_err(CommandError::failed)?;
        let (sender, pieces) = sync_channel(2);
        let reader = Reader {
            longest_line,
            finish_reading: false,
            bytes_read: Arc::default(),
            stop: context.stop.clone(),
            journal: None,
        };
        let first_pass = input.again().map_err(CommandError::failed)?;
        let reading = thread::spawn(move || reader.run(vec![first_pass], &sender));
        for piece in pieces {
            match piece {
                Piece::Lines(block) => {
                    let parsed = parse.block(block);
                    for (index, error) in parsed.errors() {
                        bad += 1;
                        let line = parsed.block.first_line + index as u64;
                        context.ui.item_error(format_args!(
                            "{}:{line}:{}: {error}",
                            parsed.block.input,
                            error.column()
                        ));
                    }
                }
                Piece::Overlong {
                    input, line, last, ..
                } => {
                    if last {
                        bad += 1;
                        context
                            .ui
                            .item_error(format_args!("{input}:{line}: line too long"));
                    }
                }
                Piece::NotKept(error) => return Err(CommandError::failed(error)),
                Piece::Broken { input, error } => {
                    return Err(CommandError::failed(CannotRead {
                        path: PathBuf::from(&*input),
                        error,
                    }));
                }
            }
        }
        let _ = reading.join();
        if context.stop.is_asked() {
            return Err(crate::kafka::Error::Interrupted.into());
        }
        input.rewind().map_err(CommandError::failed)?;
        again.push(input);
    }
    if bad == 0 {
        return Ok(again);
    }
    if let Some(failed) = failed {
        for mut input in again {
            let file = input.rewind().map_err(CommandError::failed)?;
            failed.keep_input(file).map_err(CommandError::failed)?;
        }
    }
    Err(CommandError::usage(format!(
        "nothing was sent: {bad} {} bad",
        if bad == 1 { "line is" } else { "lines are" }
    )))
}

fn progress_bar(ui: Ui, inputs: &[lines::Input]) -> Option<ProgressBar> {
    if !ui.shows_progress() {
        return None;
    }
    let length: Option<u64> = inputs.iter().map(|input| input.length).sum();
    let (bar, template) = match length {
        Some(length) => (
            ProgressBar::new(length),
            "{bar:30} {percent}% {msg}, {bytes_per_sec}, {eta} left",
        ),
        None => (
            ProgressBar::new_spinner(),
            "{spinner} {msg}, {bytes} read, {elapsed}",
        ),
    };
    let style = ProgressStyle::with_template(template).ok()?;
    bar.set_style(style);
    Some(bar)
}

/// Tells receipts to programs and failures to people; equal failures in a row in one line.
struct Talk {
    ui: Ui,
    receipts: Option<Receipts>,
    out: Option<File>,
    buffer: Vec<u8>,
    broken: Option<io::Error>,
    run: Option<Run>,
}

struct Run {
    input: String,
    first: u64,
    last: u64,
    failure: Failure,
}

impl Talk {
    fn new(args: &Args, ui: Ui) -> Result<Self, CommandError> {
        let receipts = args
            .delivery
            .receipts
            .filter(|which| *which != Receipts::None);
        Ok(Self {
            ui,
            out: receipts
                .map(|_| output::stdout())
                .transpose()
                .map_err(output::cannot_write)?,
            receipts,
            buffer: Vec::new(),
            broken: None,
            run: None,
        })
    }

    fn say(&mut self) {
        let Some(run) = self.run.take() else {
            return;
        };
        let Run {
            input,
            first,
            last,
            failure,
        } = run;
        let place = match failure.column {
            Some(column) => format!("{input}:{first}:{column}"),
            None if first == last => format!("{input}:{first}"),
            None => format!("{input}:{first}-{last}"),
        };
        let maybe = if failure.maybe_persisted {
            " (it may be in the log all the same)"
        } else {
            ""
        };
        self.ui
            .item_error(format_args!("{place}: {}{maybe}", failure.text));
    }
}

impl Outlet for Talk {
    fn settled(&mut self, receipt: &Receipt<'_>, failure: Option<&Failure>, input: &str) {
        let wanted = match self.receipts {
            Some(Receipts::All) => true,
            Some(Receipts::Failed) => failure.is_some(),
            _ => false,
        };
        if wanted && self.out.is_some() {
            // Writing to memory does not fail.
            let _ = receipt.write(&mut self.buffer);
        }
        let Some(failure) = failure.filter(|failure| !failure.ends_run) else {
            return;
        };
        let line = receipt.line.unwrap_or_default();
        if let Some(run) = &mut self.run
            && run.last + 1 == line
            && run.input == input
            && run.failure == *failure
            && failure.column.is_none()
        {
            run.last = line;
            return;
        }
        self.say();
        self.run = Some(Run {
            input: input.to_owned(),
            first: line,
            last: line,
            failure: failure.clone(),
        });
    }

    fn end_block(&mut self) -> io::Result<()> {
        let Some(out) = &mut self.out else {
            return Ok(());
        };
        let written = output::write_all(out, &self.buffer);
        self.buffer.clear();
        if let Err(error) = written {
            // Nobody reads receipts any more, which is no reason to leave lines unsent.
            self.out = None;
            if error.kind() != io::ErrorKind::BrokenPipe {
                self.broken = Some(error);
            }
        }
        Ok(())
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
        summarize(context.ui, counts, start.elapsed(), &latencies);
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
    Ok(if counts.failed == 0 {
        Outcome::DONE
    } else {
        Outcome::Exit(Status::Failed)
    })
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
        Halt::Input { place, error } => CommandError::failed(CannotRead {
            path: PathBuf::from(place),
            error,
        }),
    })
}

fn summarize(ui: Ui, counts: Counts, elapsed: Duration, latencies: &hdrhistogram::Histogram<u64>) {
    let Counts {
        acknowledged,
        failed,
    } = counts;
    let seconds = elapsed.as_secs_f64();
    let mut line = format!("{acknowledged} sent, {failed} failed, {seconds:.1} s");
    if acknowledged > 0 {
        #[expect(clippy::cast_precision_loss, reason = "a rate of three digits")]
        let rate = acknowledged as f64 / seconds;
        let rate = if rate >= 1000.0 {
            format!("{:.0} k/s", rate / 1000.0)
        } else {
            format!("{rate:.0}/s")
        };
        let millis = |micros: u64| micros.div_ceil(1000);
        let _ = write!(
            line,
            ", {rate}, ack p50 {} ms p99 {} ms max {} ms",
            millis(latencies.value_at_quantile(0.5)),
            millis(latencies.value_at_quantile(0.99)),
            millis(latencies.max()),
        );
    }
    ui.status(line);
}
