//! Sends what handlers print, and dead letters: acknowledged when a call returns, or in one
//! transaction with the offsets of what they were made of.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::kafka::{
    CommitError, Committer, Error, GroupMetadata, NotTaken, Outgoing, Producer, Refusal, Report,
};
use crate::stop::Stop;

/// How often the broker is asked to go on after it was away.
const PAUSE: Duration = Duration::from_millis(100);

/// How long a record waits for a broker that is away.
const PATIENCE: Duration = Duration::from_mins(2);

/// Where records of our own go.
pub struct Outlet {
    producer: Producer,
    stop: Stop,
    /// How far transactions committed partitions.
    committed: HashMap<(String, i32), i64>,
}

/// Why records were not sent.
#[derive(Debug)]
pub enum SendError {
    /// One of them is not taken as it is.
    Refused(Refusal),
    /// Kafka does not take any.
    Kafka(Error),
}

/// How a transaction ended.
#[derive(Debug)]
pub enum Transacted {
    Committed,
    /// None of it is to be seen, and it may be tried again.
    Aborted(Error),
}

/// A record and its topic.
pub(super) type Letter<'a> = (&'a str, Outgoing<'a>);

impl Outlet {
    /// Sends by `producer`, until `stop` is asked.
    pub fn new(producer: Producer, stop: Stop) -> Self {
        Self {
            producer,
            stop,
            committed: HashMap::new(),
        }
    }

    /// Finds out whether `topic` can be sent to.
    pub fn prepare(&mut self, topic: &str) -> Result<(), Error> {
        self.producer.prepare(topic, true)
    }

    /// Sends all and waits until they are acknowledged.
    pub fn send(&mut self, letters: &[Letter<'_>]) -> Result<(), SendError> {
        let mut refusal = None;
        let start = Instant::now();
        for (slot, (topic, record)) in letters.iter().enumerate() {
            loop {
                match self.producer.send(topic, record, slot) {
                    Ok(()) => break,
                    Err(NotTaken::QueueFull) => self.take_reports(&mut refusal),
                    Err(NotTaken::Unreachable(error)) => {
                        if start.elapsed() > PATIENCE || self.stop.wait(PAUSE) {
                            return Err(SendError::Kafka(error));
                        }
                    }
                    Err(NotTaken::Refused(refused)) => {
                        refusal.get_or_insert(refused);
                        break;
                    }
                    Err(NotTaken::Topic(error) | NotTaken::Fatal(error)) => {
                        return Err(SendError::Kafka(error));
                    }
                    Err(NotTaken::UnknownPartition { partitions }) => {
                        return Err(SendError::Kafka(Error::UnknownPartition {
                            topic: (*topic).to_owned(),
                            partition: record.partition.unwrap_or_default(),
                            last: partitions - 1,
                        }));
                    }
                }
            }
        }
        while self.producer.in_flight() > 0 {
            self.take_reports(&mut refusal);
            if let Some(error) = self.producer.decided() {
                return Err(SendError::Kafka(error));
            }
        }
        match refusal {
            None => Ok(()),
            Some(refusal) if refusal.is_of_record() => Err(SendError::Refused(refusal)),
            Some(refusal) => Err(SendError::Kafka(refusal.into_error("send records"))),
        }
    }

    fn take_reports(&mut self, refusal: &mut Option<Refusal>) {
        self.producer.serve(PAUSE, |report: Report| {
            if let Err(refused) = report.result {
                refusal.get_or_insert(refused);
            }
        });
    }

    /// Sends all and commits `offsets` with them, each that of the next record wanted.
    ///
    /// Where nobody can say how that ended, or the producer is of no more use, another one takes its
    /// place, which ends what was begun, and `committed` says how. An error is that of Kafka being away
    /// for too long; of letters that were refused, the transaction was aborted.
    pub fn transact(
        &mut self,
        letters: &[Letter<'_>],
        offsets: &[((String, i32), i64)],
        group: GroupMetadata,
        committed: impl Fn(&[(String, i32)]) -> Result<Vec<Option<i64>>, Error>,
    ) -> Result<Transacted, SendError> {
        let lost = match self.attempt(letters, offsets, group) {
            Ok(Transacted::Committed) => {
                self.note(offsets);
                return Ok(Transacted::Committed);
            }
            Ok(Transacted::Aborted(error)) => return Ok(Transacted::Aborted(error)),
            Err(SendError::Refused(refusal)) => return Err(SendError::Refused(refusal)),
            Err(SendError::Kafka(error)) => error,
        };
        tracing::info!("a transaction was lost: {lost}");
        self.renew().map_err(SendError::Kafka)?;
        let partitions: Vec<_> = offsets.iter().map(|(place, _)| place.clone()).collect();
        let known = committed(&partitions).map_err(SendError::Kafka)?;
        // Whoever has them now begins behind them, or where we did.
        let is_there = |((_, next), known): (&((String, i32), i64), &Option<i64>)| {
            known.is_some_and(|known| known >= *next)
        };
        if offsets.iter().zip(&known).all(is_there) {
            self.note(offsets);
            return Ok(Transacted::Committed);
        }
        Ok(Transacted::Aborted(lost))
    }

    /// An error is that of a transaction whose end nobody knows, or of a producer that cannot go on.
    fn attempt(
        &mut self,
        letters: &[Letter<'_>],
        offsets: &[((String, i32), i64)],
        group: GroupMetadata,
    ) -> Result<Transacted, SendError> {
        self.producer
            .begin_transaction()
            .map_err(SendError::Kafka)?;
        let refused = match self.send(letters) {
            Ok(()) => match self.producer.commit_with(offsets, group) {
                Ok(()) => return Ok(Transacted::Committed),
                Err(CommitError::Unknown(error)) => return Err(SendError::Kafka(error)),
                Err(CommitError::Aborted(error)) => Ok(Transacted::Aborted(error)),
            },
            Err(SendError::Kafka(error)) => Ok(Transacted::Aborted(error)),
            Err(refused) => Err(refused),
        };
        self.producer
            .abort_transaction()
            .map_err(SendError::Kafka)?;
        refused
    }

    /// Puts another producer in the place of this one, under the same transactional id.
    fn renew(&mut self) -> Result<(), Error> {
        self.producer.renew()?;
        let start = Instant::now();
        loop {
            match self.producer.identify() {
                Err(error @ Error::Unreachable { .. }) => {
                    if start.elapsed() > PATIENCE || self.stop.wait(PAUSE) {
                        return Err(error);
                    }
                }
                other => return other,
            }
        }
    }

    /// Waits until consumers see what the last transaction committed; see [`Producer::until_visible`].
    pub fn settle(&self) {
        if !self.committed.is_empty()
            && !self.stop.is_asked()
            && let Err(error) = self.producer.until_visible()
        {
            tracing::info!("all is committed, but may not be visible yet: {error}");
        }
    }

    /// Transactions have committed up to `offsets`.
    fn note(&mut self, offsets: &[((String, i32), i64)]) {
        for (partition, next) in offsets {
            let committed = self.committed.entry(partition.clone()).or_insert(*next);
            *committed = (*next).max(*committed);
        }
    }
}

/// Commits, in transactions of their own, offsets behind records that nobody wants: those of records
/// that are handled go with what their handlers printed.
pub struct Transactions(pub Arc<Mutex<Outlet>>);

impl Committer for Transactions {
    fn commit(
        &self,
        offsets: &[((String, i32), i64)],
        member: GroupMetadata,
    ) -> Result<(), CommitError> {
        let mut outlet = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let committed = &outlet.committed;
        let further = |(partition, next): &&((String, i32), i64)| {
            let committed = committed.get(partition);
            committed.is_none_or(|committed| committed < next)
        };
        let offsets: Vec<_> = offsets.iter().filter(further).cloned().collect();
        if offsets.is_empty() {
            return Ok(());
        }
        // What is not known to be committed is committed again, which is as good.
        let unknown = |partitions: &[(String, i32)]| Ok(vec![None; partitions.len()]);
        match outlet.transact(&[], &offsets, member, unknown) {
            Ok(Transacted::Committed) => Ok(()),
            Ok(Transacted::Aborted(error)) => Err(CommitError::Aborted(error)),
            Err(SendError::Kafka(error)) => Err(CommitError::Unknown(error)),
            Err(SendError::Refused(refusal)) => {
                Err(CommitError::Unknown(refusal.into_error("commit offsets")))
            }
        }
    }
}
