//! What handlers print on its way to Kafka: read as records, and sent, with exactly-once in one
//! transaction with the offsets of what they were made of.

use std::sync::PoisonError;

use super::outlet::{Letter, SendError, Transacted};
use super::worker::{Attempt, Worker};
use super::{Ending, Error, Failure, Item, Verdict};
use crate::kafka::Outgoing;
use crate::record::{self, Header, LineKey, UnknownFields};

/// What came of sending.
pub(super) enum Sent {
    Done,
    /// Nothing is to be seen of it, and the whole may be done again.
    Again,
}

impl Worker {
    /// Sends what an accepted run printed, if that is wanted.
    pub(super) fn deliver(&mut self, items: &[Item], output: &[u8]) -> Attempt {
        let tools = self.tools.clone();
        let accepted = |worker: &mut Self| {
            let nothing = Failure {
                ending: Ending::Exit(0),
                words: String::new(),
            };
            worker.judge_handler(Verdict::Accept, &nothing);
            Attempt::Accepted
        };
        let Some(target) = &tools.manner.to else {
            return accepted(self);
        };
        let bad = |worker: &mut Self, why: String| {
            let failure = Failure {
                ending: Ending::BadOutput(why),
                words: String::new(),
            };
            worker.failed(failure, Verdict::Retry)
        };
        let records = match parse(output, target.lines) {
            Ok(records) => records,
            Err(why) => return bad(self, why),
        };
        let mut room = Vec::new();
        let input = match items {
            [item] if target.lines => Some(item.record(&mut room)),
            _ => None,
        };
        let headers: Vec<Vec<Header<'_>>> = records.iter().map(headers).collect();
        let letters: Vec<Letter<'_>> = records
            .iter()
            .zip(&headers)
            .map(|(record, headers)| {
                let outgoing = Outgoing {
                    partition: None,
                    timestamp: record.timestamp,
                    key: input.map_or(record.key.as_deref(), |input| input.key),
                    value: record.value.as_deref(),
                    headers: input.map_or(headers, |input| input.headers),
                };
                (target.topic.as_str(), outgoing)
            })
            .collect();
        match self.send(&letters, items) {
            Ok(Sent::Done) => accepted(self),
            Ok(Sent::Again) => {
                self.give_way();
                self.wait_to_retry(1, items);
                Attempt::Interrupted
            }
            Err(SendError::Refused(refusal)) => bad(self, refusal.text()),
            Err(SendError::Kafka(source)) => {
                self.give_way();
                Attempt::Fatal(self.not_sent(&target.topic, source))
            }
        }
    }

    fn not_sent(&self, topic: &str, source: crate::kafka::Error) -> Error {
        if self.is_exactly_once() {
            return Error::Transaction {
                source: Box::new(source),
            };
        }
        Error::Output {
            topic: topic.to_owned(),
            source: Box::new(source),
        }
    }

    pub(super) fn is_exactly_once(&self) -> bool {
        let target = self.tools.manner.to.as_ref();
        target.is_some_and(|target| target.exactly_once)
    }

    /// Sends `letters`, and with exactly-once the end of `items` with them.
    pub(super) fn send(&self, letters: &[Letter<'_>], items: &[Item]) -> Result<Sent, SendError> {
        if letters.is_empty() && !self.is_exactly_once() {
            return Ok(Sent::Done);
        }
        let Some(outlet) = &self.tools.outlet else {
            return Ok(Sent::Done);
        };
        let mut outlet = outlet.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.is_exactly_once() {
            return outlet.send(letters).map(|()| Sent::Done);
        }
        // Taken while the partitions are ours: once they are not, it is refused.
        let group = self.commits.group_metadata();
        if self.tools.queue.is_abandoned(items) {
            return Ok(Sent::Again);
        }
        let Some(group) = group else {
            return Ok(Sent::Again);
        };
        match outlet.transact(letters, &ends(items), group, |partitions| {
            self.commits.committed(partitions)
        })? {
            Transacted::Committed => Ok(Sent::Done),
            Transacted::Aborted(error) => {
                tracing::info!("a transaction was aborted: {error}");
                Ok(Sent::Again)
            }
        }
    }
}

/// The records that a handler printed, or why they are none.
fn parse(output: &[u8], lines: bool) -> Result<Vec<record::Outgoing<'_>>, String> {
    let form = if lines {
        record::Input::Lines(LineKey::None)
    } else {
        record::Input::Record
    };
    let text = output.strip_suffix(b"\n").unwrap_or(output);
    if output.is_empty() {
        return Ok(Vec::new());
    }
    text.split(|byte| *byte == b'\n')
        .enumerate()
        .map(|(index, line)| {
            form.parse(line, UnknownFields::Refuse)
                .map_err(|error| format!("stdout:{}:{}: {error}", index + 1, error.column()))
        })
        .collect()
}

fn headers<'a>(record: &'a record::Outgoing<'_>) -> Vec<Header<'a>> {
    let headers = record.headers.iter();
    headers
        .map(|header| Header {
            name: &header.name,
            value: header.value.as_deref(),
        })
        .collect()
}

/// The next offset wanted of each partition when `items` are done.
fn ends(items: &[Item]) -> Vec<((String, i32), i64)> {
    let mut ends = std::collections::BTreeMap::new();
    for item in items {
        let place = item.place();
        let key = (place.topic.to_owned(), place.partition);
        ends.insert(key, place.offset + 1);
    }
    ends.into_iter().collect()
}
