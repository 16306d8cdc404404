//! `kpipe store` without a topic: record lines from stdin, each with its place.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use super::{Args, told};
use crate::commands::send::CannotRead;
use crate::commands::tracing;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::{Outcome, Status};
use crate::pipeline::filter::Filter;
use crate::pipeline::pump::GLANCE;
use crate::record::{Header, LineError, Record, Timestamp, UnknownFields, parse_placed};
use crate::source::lines::{Input, Piece, Reader};
use crate::store::{Counts, Writer};

/// The longest line.
const LONGEST_LINE: usize = 16 * 1024 * 1024;

/// Bad lines are told up to so many; the rest is counted.
const MOST_TOLD: u64 = 20;

const HINT: &str = "each line is one record with its place, as `kpipe tail` prints it; see `kpipe help record-line`";

pub(super) fn run(args: &Args, context: &Context) -> Result<Outcome, CommandError> {
    if std::io::stdin().is_terminal() {
        return Err(CommandError::usage("no topic, and stdin is a terminal")
            .hint("kpipe store TOPIC -g GROUP --db FILE, or kpipe tail TOPIC -e | kpipe store --db FILE"));
    }
    let cannot_read = |error| {
        CommandError::failed(CannotRead {
            path: PathBuf::from("stdin"),
            error,
        })
    };
    let input = Input::open(Path::new("-")).map_err(cannot_read)?;
    let mut writer = Writer::open(&args.db, args.manner(context))?;
    let reporter = args.trace.start("kpipe-store", None, context)?;
    writer.report_to(reporter.clone());
    let reader = Reader {
        longest_line: LONGEST_LINE,
        // A pipe that is full when it is time to stop holds records that somebody counts as handed over.
        finish_reading: true,
        bytes_read: Arc::new(AtomicU64::new(0)),
        stop: context.stop.clone(),
        journal: None,
    };
    let (sender, pieces) = sync_channel(2);
    thread::Builder::new()
        .name("read".into())
        .spawn(move || reader.run(vec![input], &sender))
        .map_err(CommandError::failed)?;
    let mut lines = Lines {
        context,
        writer,
        filter: args.selection.filter(),
        limit: args.selection.count,
        unknown: if args.ignore_unknown {
            UnknownFields::Ignore
        } else {
            UnknownFields::Refuse
        },
        taken: 0,
        bad: 0,
    };
    let ended = lines.take_all(&pieces, args.flush_interval());
    let end = lines.writer.commit();
    tracing::finish(reporter.as_ref(), context);
    if ended.is_ok() || lines.writer.counts() != Counts::default() {
        told(context, lines.writer.counts(), lines.bad);
    }
    ended?;
    end?;
    if let Some(signal) = context.stop.signal() {
        return Ok(Outcome::Signal(signal));
    }
    Ok(match lines.bad {
        0 => Outcome::DONE,
        _ => Outcome::Exit(Status::Failed),
    })
}

struct Lines<'a> {
    context: &'a Context,
    writer: Writer,
    filter: Filter,
    limit: Option<u64>,
    unknown: UnknownFields,
    taken: u64,
    bad: u64,
}

impl Lines<'_> {
    /// Stores what comes, at the latest when it has waited for `interval`.
    fn take_all(
        &mut self,
        pieces: &Receiver<Piece>,
        interval: Duration,
    ) -> Result<(), CommandError> {
        let mut last_commit = Instant::now();
        while self.limit.is_none_or(|limit| self.taken < limit) {
            match pieces.recv_timeout(GLANCE) {
                Ok(Piece::Lines(block)) => {
                    for index in 0..block.len() {
                        if self.limit == Some(self.taken) {
                            break;
                        }
                        let line = block.first_line + index as u64;
                        self.line(block.line(index), line)?;
                    }
                }
                Ok(Piece::Overlong { line, last, .. }) => {
                    if last {
                        self.refuse(format_args!("stdin:{line}: line longer than 16 MiB"));
                    }
                }
                Ok(Piece::Broken { error, .. }) => {
                    return Err(CommandError::failed(CannotRead {
                        path: PathBuf::from("stdin"),
                        error,
                    }));
                }
                Ok(Piece::NotKept(error)) => return Err(CommandError::failed(error)),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            if last_commit.elapsed() >= interval {
                self.writer.commit()?;
                last_commit = Instant::now();
            }
        }
        Ok(())
    }

    fn line(&mut self, bytes: &[u8], line: u64) -> Result<(), CommandError> {
        let (read, origin) = match parse_placed(bytes, self.unknown) {
            Ok(read) => read,
            Err(error) => return self.bad_line(&error, line),
        };
        let headers: Vec<Header<'_>> = read
            .headers
            .iter()
            .map(|header| Header {
                name: &header.name,
                value: header.value.as_deref(),
            })
            .collect();
        let record = Record {
            topic: read.topic.as_deref().unwrap_or_default(),
            partition: read.partition.unwrap_or_default(),
            offset: origin.offset,
            timestamp: read.timestamp.map(|millis| Timestamp {
                millis,
                kind: origin.timestamp,
            }),
            key: read.key.as_deref(),
            value: read.value.as_deref(),
            headers: &headers,
        };
        if self.filter.matches(&record) {
            self.writer.take(&record)?;
            self.taken += 1;
        }
        Ok(())
    }

    /// A bad line is told and passed over; where the first is one, the input is something else.
    fn bad_line(&mut self, error: &LineError, line: u64) -> Result<(), CommandError> {
        let text = format!("stdin:{line}:{}: {error}", error.column());
        if line == 1 {
            return Err(CommandError::usage(text).hint(HINT));
        }
        self.refuse(format_args!("{text}"));
        Ok(())
    }

    fn refuse(&mut self, text: std::fmt::Arguments<'_>) {
        self.bad += 1;
        if self.bad <= MOST_TOLD {
            self.context.ui.item_error(text);
        }
    }
}
