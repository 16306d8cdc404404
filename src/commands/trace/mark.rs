//! `kpipe trace mark`: reports a stage of each record that passes by.

use std::io::{self, IsTerminal};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;

use crate::commands::tracing::{self, ReportArgs};
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::{Outcome, Status};
use crate::pipeline::pump::{GLANCE, Sink};
use crate::record::{self, LineError, PayloadMode, UnknownFields};
use crate::sink::output::{Format, Output, cannot_write};
use crate::sink::stages::Reporter;
use crate::source::lines::{Block, Input, Piece, Reader};
use crate::trace::{Stage, StageEvent};
use crate::ui::Ui;

/// The longest line whose record is looked at.
const LONGEST_LINE: usize = 16 * 1024 * 1024;

/// Report that records reached a stage, and pass them on
///
/// Reads record lines from stdin and prints them byte for byte. Of each it reports that its
/// message has reached STAGE: CREATED, VALIDATED, ENRICHED, PUBLISHED, PERSISTED, CONSUMED, PROCESSED,
/// STORED, BROADCASTED or DISPLAYED. A line that is no record is passed on as well, and told: then
/// the status is 1.
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  kpipe tail orders -g web | kpipe trace mark BROADCASTED --service gateway | ./to-browsers
  kpipe trace mark STORED --error 'disk full' --trace-file stages.jsonl < failed.jsonl")]
pub(crate) struct Args {
    /// The stage that was reached
    stage: Stage,

    /// Report that it was not reached, and why
    #[arg(long, value_name = "TEXT")]
    error: Option<String>,

    #[command(flatten)]
    report: ReportArgs,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<Outcome, CommandError> {
    if io::stdin().is_terminal() {
        return Err(CommandError::usage("nothing to mark: stdin is a terminal")
            .hint("kpipe tail TOPIC | kpipe trace mark STAGE"));
    }
    if context.connection_reads_stdin() {
        return Err(CommandError::usage(
            "stdin cannot be both the records and the properties of `-F -`",
        )
        .hint("give the properties as a file"));
    }
    let reporter = args.report.start("kpipe-mark", None, context)?;
    let stop = context.stop.clone();
    let output = Output::stdout(Format::Line(PayloadMode::Auto), move || stop.is_asked());
    let mut marking = Marking {
        args,
        ui: context.ui,
        reporter: &reporter,
        output: output.map_err(cannot_write)?,
        bad: 0,
    };
    let passed = marking.pass(&read(context)?);
    let bad = marking.bad;
    tracing::finish(Some(&reporter), context);
    passed?;
    if let Some(signal) = context.stop.signal() {
        return Ok(Outcome::Signal(signal));
    }
    Ok(Outcome::Exit(match bad {
        0 => Status::Done,
        _ => Status::Failed,
    }))
}

/// Reads stdin on a thread of its own.
fn read(context: &Context) -> Result<Receiver<Piece>, CommandError> {
    let input = Input::open(Path::new("-")).map_err(CommandError::usage)?;
    let reader = Reader {
        longest_line: LONGEST_LINE,
        finish_reading: false,
        bytes_read: Arc::default(),
        stop: context.stop.clone(),
        journal: None,
    };
    let (sender, pieces) = sync_channel(2);
    thread::Builder::new()
        .name("read".into())
        .spawn(move || reader.run(vec![input], &sender))
        .map_err(CommandError::failed)?;
    Ok(pieces)
}

#[derive(Debug, thiserror::Error)]
#[error("stdin:1:{}: {error}", error.column())]
struct NotRecordLines {
    error: LineError,
}

struct Marking<'a> {
    args: &'a Args,
    ui: Ui,
    reporter: &'a Reporter,
    output: Output,
    /// Lines that hold no record.
    bad: u64,
}

impl Marking<'_> {
    /// Passes on all that is read, until nobody reads it any more.
    fn pass(&mut self, pieces: &Receiver<Piece>) -> Result<(), CommandError> {
        let mut is_first = true;
        loop {
            let piece = match pieces.recv_timeout(GLANCE) {
                Ok(piece) => piece,
                Err(RecvTimeoutError::Timeout) if self.output.is_closed() => return Ok(()),
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            };
            let at = self.reporter.now();
            if std::mem::take(&mut is_first)
                && let Piece::Lines(block) = &piece
                && !block.is_empty()
            {
                expect_record(block.line(0))?;
            }
            let written = match &piece {
                Piece::Lines(block) => self.write(&block.bytes),
                Piece::Overlong { bytes, .. } => self.write(bytes),
                Piece::Broken { .. } | Piece::NotKept(_) => Ok(()),
            };
            match written {
                Ok(()) => {}
                // Nobody reads on, or not in time when it is time to end.
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::BrokenPipe | io::ErrorKind::TimedOut
                    ) =>
                {
                    return Ok(());
                }
                Err(error) => return Err(cannot_write(error)),
            }
            match piece {
                Piece::Lines(block) => self.mark(&block, at),
                Piece::Overlong { line, last, .. } => {
                    if last {
                        self.bad += 1;
                        self.ui.item_error(format_args!(
                            "stdin:{line}: line longer than {} MiB",
                            LONGEST_LINE / (1024 * 1024)
                        ));
                    }
                }
                Piece::Broken { error, .. } => {
                    return Err(CommandError::failed(CannotRead(error)));
                }
                Piece::NotKept(error) => return Err(CommandError::failed(error)),
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.output.write_lines(bytes)?;
        self.output.flush(None).map(|_| ())
    }

    /// Reports the stage of each record in `block`.
    fn mark(&mut self, block: &Block, at: i64) {
        for (index, number) in (0..block.len()).zip(block.first_line..) {
            match record::parse_with_offset(block.line(index), UnknownFields::Ignore) {
                Ok((record, offset)) => {
                    let headers = record.lend_headers();
                    let event = StageEvent {
                        topic: record.topic.as_deref().map(ToOwned::to_owned),
                        partition: record.partition,
                        offset,
                        ..StageEvent::of(self.args.stage, at, &headers, record.value.as_deref())
                    };
                    self.reporter.report(match &self.args.error {
                        Some(why) => event.failed(why),
                        None => event,
                    });
                }
                Err(error) => {
                    self.bad += 1;
                    let column = error.column();
                    self.ui
                        .item_error(format_args!("stdin:{number}:{column}: {error}"));
                }
            }
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("cannot read stdin")]
struct CannotRead(#[source] io::Error);

/// A first line without a record means that the input is something else.
fn expect_record(line: &[u8]) -> Result<(), CommandError> {
    let Err(error) = record::parse(line, UnknownFields::Ignore) else {
        return Ok(());
    };
    Err(CommandError::usage(NotRecordLines { error }).hint(
        "`kpipe tail` and `kpipe generate` print record lines in a pipe; see `kpipe help record-line`",
    ))
}
