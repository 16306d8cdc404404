//! What was read, what became of it: every line is acknowledged or accounted for.
//!
//! Lines are settled in the order of the input, a block at a time, so receipts and
//! failed lines come in that order too, and per key nothing overtakes anything.

use std::collections::VecDeque;
use std::io;

use crate::kafka::Acknowledged;
use crate::record::Header;
use crate::sink::failed::{FailedFileError, Journal};
use crate::sink::receipt::{Failure, Outcome, Receipt};
use crate::source::lines::Piece;
use crate::source::parsed::{Parsed, Ready};
use crate::trace;

/// What became of one line.
#[derive(Debug)]
pub enum Fate {
    /// Not known yet.
    Open,
    Acknowledged(Acknowledged),
    Failed(Box<Failure>),
}

/// A block whose lines are at work.
struct Entry {
    /// Number of its first line among all lines of the run.
    first_slot: usize,
    parsed: Parsed,
    fates: Vec<Fate>,
    open: usize,
}

/// Lines so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub acknowledged: u64,
    pub failed: u64,
    /// Of those that failed, the ones that may be taken later.
    pub may_pass: u64,
}

/// Where fates are told.
pub trait Outlet {
    /// A line was settled. `place` is `file:line` for people.
    fn settled(&mut self, receipt: &Receipt<'_>, failure: Option<&Failure>, input: &str);
    /// The lines told since the last call are a block.
    fn end_block(&mut self) -> io::Result<()>;
}

/// The lines of a run.
pub struct Ledger<O> {
    entries: VecDeque<Entry>,
    next_slot: usize,
    counts: Counts,
    /// Where every record goes, when that is one topic.
    topic: Option<String>,
    failed: Option<Journal>,
    /// In a transaction nothing is settled before its end.
    transaction: bool,
    transaction_bytes: u64,
    /// Receipts name the ids of messages.
    names_messages: bool,
    outlet: O,
}

impl<O: Outlet> Ledger<O> {
    /// An empty ledger.
    pub fn new(
        topic: Option<String>,
        failed: Option<Journal>,
        transaction: bool,
        outlet: O,
    ) -> Self {
        Self {
            entries: VecDeque::new(),
            next_slot: 0,
            counts: Counts::default(),
            topic,
            failed,
            transaction,
            transaction_bytes: 0,
            names_messages: false,
            outlet,
        }
    }

    /// Has receipts name the ids of messages, if `named`.
    #[must_use]
    pub fn naming_messages(mut self, named: bool) -> Self {
        self.names_messages = named;
        self
    }

    /// Opens the lines of `parsed`; they must all be given a fate.
    pub fn open(&mut self, parsed: Parsed) {
        let lines = parsed.block.len();
        self.entries.push_back(Entry {
            first_slot: self.next_slot,
            fates: std::iter::repeat_with(|| Fate::Open).take(lines).collect(),
            open: lines,
            parsed,
        });
        self.next_slot += lines;
    }

    /// The block opened last, and the slot of its first line.
    pub fn last(&self) -> Option<(&Parsed, usize)> {
        let entry = self.entries.back()?;
        Some((&entry.parsed, entry.first_slot))
    }

    /// Bytes of input whose fate is open.
    pub fn open_bytes(&self) -> usize {
        self.entries
            .iter()
            .map(|entry| entry.parsed.block.bytes.len())
            .sum()
    }

    /// Lines so far, as far as they are settled.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Where the entry is that holds `slot`.
    fn index(&self, slot: usize) -> usize {
        self.entries
            .partition_point(|entry| entry.first_slot + entry.fates.len() <= slot)
    }

    /// The record in `slot`, where its line is not settled, and the topic that it goes to.
    pub fn record<'a>(
        &'a self,
        slot: usize,
        room: &'a mut Vec<Header<'a>>,
    ) -> Option<(Ready<'a>, Option<&'a str>)> {
        let entry = self.entries.get(self.index(slot))?;
        let record = entry.parsed.record(slot - entry.first_slot, room).ok()?;
        Some((record, self.topic.as_deref().or(record.topic)))
    }

    /// Gives the line in `slot` its fate.
    pub fn decide(&mut self, slot: usize, fate: Fate) {
        let index = self.index(slot);
        let Some(entry) = self.entries.get_mut(index) else {
            return;
        };
        let line = &mut entry.fates[slot - entry.first_slot];
        if matches!(line, Fate::Open) {
            *line = fate;
            entry.open -= 1;
        }
    }

    /// Settles blocks from the front as far as all their lines have a fate.
    pub fn settle(&mut self) -> Result<(), SettleError> {
        while self.entries.front().is_some_and(|entry| entry.open == 0) {
            let Some(entry) = self.entries.pop_front() else {
                break;
            };
            self.settle_entry(&entry)?;
        }
        Ok(())
    }

    fn settle_entry(&mut self, entry: &Entry) -> Result<(), SettleError> {
        let block = &entry.parsed.block;
        let mut kept = Vec::new();
        for (index, fate) in entry.fates.iter().enumerate() {
            let line = block.first_line + index as u64;
            let file = (&*block.input != "stdin").then_some(&*block.input);
            let topic = self.topic.as_deref().or_else(|| entry.parsed.topic(index));
            let (fate, failure): (Outcome<'_>, _) = match fate {
                Fate::Acknowledged(place) => {
                    self.counts.acknowledged += 1;
                    ((*place).into(), None)
                }
                Fate::Failed(failure) => {
                    self.counts.failed += 1;
                    self.counts.may_pass += u64::from(failure.may_pass);
                    (failure.as_ref().into(), Some(&**failure))
                }
                Fate::Open => continue,
            };
            let mut room = Vec::new();
            let record = self
                .names_messages
                .then(|| entry.parsed.record(index, &mut room));
            let message_id = record
                .and_then(Result::ok)
                .and_then(|record| trace::message_id(record.headers, record.value));
            let receipt = Receipt {
                file,
                line: Some(line),
                topic,
                message_id: message_id.as_deref(),
                fate,
            };
            self.outlet.settled(&receipt, failure, &block.input);
            if failure.is_some()
                && let Some(failed) = &self.failed
            {
                failed.file().explain(&receipt)?;
                kept.extend_from_slice(block.raw(index));
                if !kept.ends_with(b"\n") {
                    kept.push(b'\n');
                }
            }
        }
        let bytes = block.bytes.len() as u64 + u64::from(!block.bytes.ends_with(b"\n"));
        self.settle_bytes(bytes, &kept)?;
        self.outlet.end_block().map_err(SettleError::Receipts)
    }

    fn settle_bytes(&mut self, bytes: u64, kept: &[u8]) -> Result<(), FailedFileError> {
        self.transaction_bytes += bytes;
        match &self.failed {
            Some(failed) if !self.transaction => failed.file().settle(bytes, kept),
            _ => Ok(()),
        }
    }

    /// Takes in a part of a line that is too long to be sent.
    ///
    /// Waits for nothing: the caller settles all lines before it.
    pub fn overlong(&mut self, piece: &Piece, limit: usize) -> Result<(), SettleError> {
        let Piece::Overlong {
            input,
            line,
            bytes,
            last,
        } = piece
        else {
            return Ok(());
        };
        let mut kept = bytes.clone();
        if *last {
            self.counts.failed += 1;
            let failure = Failure::too_long(limit);
            let receipt = Receipt {
                file: (&**input != "stdin").then_some(&**input),
                line: Some(*line),
                topic: self.topic.as_deref(),
                message_id: None,
                fate: (&failure).into(),
            };
            self.outlet.settled(&receipt, Some(&failure), input);
            if let Some(failed) = &self.failed {
                failed.file().explain(&receipt)?;
                // The journal was given one as well.
                if !bytes.ends_with(b"\n") {
                    kept.push(b'\n');
                }
            }
        }
        self.settle_bytes(kept.len() as u64, &kept)?;
        self.outlet.end_block().map_err(SettleError::Receipts)
    }

    /// Whether every line read is settled.
    pub fn is_settled(&self) -> bool {
        self.entries.is_empty()
    }

    /// Ends the run; `committed` says how a transaction ended.
    pub fn finish(mut self, committed: bool) -> Result<(Counts, O), SettleError> {
        if self.transaction && !committed {
            let undone = std::mem::take(&mut self.counts.acknowledged);
            if self.counts.failed == self.counts.may_pass {
                self.counts.may_pass += undone;
            }
            self.counts.failed += undone;
        }
        if let Some(failed) = &self.failed {
            let mut failed = failed.file();
            if self.transaction && committed {
                failed.settle(self.transaction_bytes, b"")?;
            } else if self.transaction {
                failed.keep_all(self.transaction_bytes);
                let failure = Failure {
                    code: "ABORTED".into(),
                    ..Failure::not_sent(
                        "the transaction was aborted, and with it every line that has no \
                         reason of its own",
                    )
                };
                failed.explain(&Receipt {
                    file: None,
                    line: None,
                    topic: self.topic.as_deref(),
                    message_id: None,
                    fate: (&failure).into(),
                })?;
            }
            failed.finish()?;
        }
        Ok((self.counts, self.outlet))
    }
}

/// Why a fate could not be told.
#[derive(Debug, thiserror::Error)]
pub enum SettleError {
    #[error(transparent)]
    Failed(#[from] FailedFileError),
    #[error("cannot write receipts")]
    Receipts(#[source] io::Error),
}
