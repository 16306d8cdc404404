//! What all workers use, and the one place where a record is told to be taken up or accepted.

use std::sync::{Arc, Mutex, PoisonError};

use super::attempts::{Answer, Attempts, Tried};
use super::listener::Stdout;
use super::process::{Herd, Program};
use super::queue::Queue;
use super::{Breaker, Chatter, Error, Failure, Item, Manner, Metrics, Outlet};
use crate::record::Record;

/// What all workers use.
pub struct Tools {
    pub manner: Manner,
    pub program: Program,
    /// What of it runs.
    pub herd: Herd,
    pub queue: Queue,
    pub breaker: Breaker,
    pub chatter: Chatter,
    pub stdout: Stdout,
    pub metrics: Arc<Metrics>,
    pub outlet: Option<Arc<Mutex<Outlet>>>,
    pub attempts: Option<Mutex<Attempts>>,
    /// Is told of each record.
    pub witness: Option<Box<dyn Witness>>,
}

/// Is told what happens to records, on the thread of who does it; it is to be quick.
pub trait Witness: Send + Sync {
    /// A handler is about to get it, for the first time in this run.
    fn consumed(&self, record: &Record<'_>);
    /// Its handler accepted it; where there is output, that was acknowledged.
    fn accepted(&self, record: &Record<'_>);
    /// It was tried as often as allowed, and is not to be tried again in this run; why, in words.
    fn failed(&self, record: &Record<'_>, why: &str);
}

impl Tools {
    /// A handler is about to get these, for the first time.
    pub(super) fn consumed(&self, items: &[Item]) {
        self.tell(items, |witness, record| witness.consumed(record));
    }

    /// Their handler accepted these, and its output is where it should be.
    pub(super) fn accepted(&self, items: &[Item]) {
        self.metrics.processed(items.len());
        self.tell(items, |witness, record| witness.accepted(record));
    }

    /// It was tried as often as allowed.
    pub(super) fn failed(&self, item: &Item, why: &Failure) {
        let tell = |witness: &dyn Witness, record: &Record<'_>| {
            witness.failed(record, &why.to_string());
        };
        self.tell(std::slice::from_ref(item), tell);
    }

    fn tell(&self, items: &[Item], what: impl Fn(&dyn Witness, &Record<'_>)) {
        let Some(witness) = self.witness.as_deref() else {
            return;
        };
        for item in items {
            let mut room = Vec::new();
            what(witness, &item.record(&mut room));
        }
    }

    /// How often a record was tried alone, if a run left it unsettled.
    pub(super) fn known_tries(&self, item: &Item) -> Result<Option<u32>, Error> {
        self.with_attempts(|attempts| attempts.known(&item.place()))
            .map(Option::flatten)
    }

    /// These are about to be tried, or one of them `alone`.
    pub(super) fn begin(&self, items: &[Item], alone: bool) -> Result<(), Error> {
        self.with_attempts(|attempts| attempts.begin(&places(items), Tried::new(alone)))
            .map(drop)
    }

    /// These were not tried after all.
    pub(super) fn take_back(&self, items: &[Item], alone: bool) -> Result<(), Error> {
        self.with_attempts(|attempts| attempts.take_back(&places(items), Tried::new(alone)))
            .map(drop)
    }

    /// Of these there is nothing more to remember.
    pub(super) fn settle_attempts(&self, items: &[Item]) -> Result<(), Error> {
        self.with_attempts(|attempts| attempts.settle(&places(items)))
            .map(drop)
    }

    fn with_attempts<T>(
        &self,
        use_them: impl FnOnce(&mut Attempts) -> Answer<T>,
    ) -> Result<Option<T>, Error> {
        let Some(attempts) = &self.attempts else {
            return Ok(None);
        };
        let mut attempts = attempts.lock().unwrap_or_else(PoisonError::into_inner);
        let used = use_them(&mut attempts);
        used.map(Some).map_err(|source| Error::Attempts { source })
    }
}

fn places(items: &[Item]) -> Vec<super::Place<'_>> {
    items.iter().map(Item::place).collect()
}
