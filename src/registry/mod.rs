//! The registry of topics by approval: who asked, who decided, what became of it, who subscribes.
//!
//! One `SQLite` file, and the only SQL that touches it. A state moves in one transaction together with
//! its event in the history, and only from the state it was believed to be in; the rules that must
//! never be broken (one open request and one ACTIVE topic a name, four eyes, an append-only history)
//! are constraints and triggers of the file itself. Time, identity and randomness are passed in.

mod ask;
mod error;
mod event;
mod file;
mod gate;
mod life;
pub mod line;
mod meta;
pub mod name;
mod policy;
mod request;
mod state;
mod subscription;

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::{Connection, Transaction, TransactionBehavior};

pub use ask::{Asked, Import, Imported, Requested};
pub use error::{Difference, Error};
pub use event::{Actor, Event, Stamp, person};
use file::Emptiness;
pub use gate::{Gate, NotApproved};
pub use life::Meant;
pub use line::{LineError, NamedLine};
pub use meta::{Statistics, producer_key};
pub use policy::{FourEyes, Policy, Range, Rules, Violation};
pub use request::{Observation, Request, Spec, Wish};
pub use state::{Reason, ReasonCode, State};
pub use subscription::Subscription;

/// An open registry.
#[derive(Debug)]
pub struct Registry {
    connection: Connection,
    path: PathBuf,
}

/// What can happen inside a transaction: a rule was broken, or the file gave trouble.
enum Fault {
    Refused(Error),
    File(rusqlite::Error),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::File(error)
    }
}

impl Registry {
    /// Opens the registry at `path`, and makes it, readable by its owner alone, if it is not there.
    ///
    /// # Errors
    /// Everything that can be wrong with a file. A stranger's, a newer and a damaged file are not
    /// touched.
    pub fn open(path: &Path) -> Result<Self, Error> {
        file::create(path)?;
        Ok(Self {
            connection: file::open(path, Emptiness::BecomesRegistry)?,
            path: path.to_owned(),
        })
    }

    /// Opens the registry at `path`, for who must not go on without one.
    ///
    /// # Errors
    /// [`Error::Absent`], [`Error::Foreign`] also for an empty file, and as [`Registry::open`].
    pub fn open_existing(path: &Path) -> Result<Self, Error> {
        Ok(Self {
            connection: file::open(path, Emptiness::IsForeign)?,
            path: path.to_owned(),
        })
    }

    /// Returns where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Copies the registry, as it is at one moment and while others use it, to a new file that only
    /// its owner reads.
    ///
    /// # Errors
    /// [`Error::BackupExists`] rather than overwrite anything.
    pub fn backup(&self, path: &Path) -> Result<(), Error> {
        file::backup(&self.connection, &self.path, path)
    }

    fn read<T>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, Error> {
        read(&self.connection).map_err(|source| Error::of_file(self.path.clone(), source))
    }

    /// Does all of `write` or nothing; before that, what has expired by `at` is settled for itself, so
    /// that it stays settled also when `write` is refused.
    fn write<T>(
        &mut self,
        at: Timestamp,
        write: impl FnOnce(&Transaction<'_>) -> Result<T, Fault>,
    ) -> Result<T, Error> {
        self.expire(at)?;
        self.transaction(write)
    }

    /// Does all of `write` or nothing. A deferred transaction that first reads and then writes is
    /// refused at once when another wrote in between, whatever the busy timeout; an immediate one waits.
    fn transaction<T>(
        &mut self,
        write: impl FnOnce(&Transaction<'_>) -> Result<T, Fault>,
    ) -> Result<T, Error> {
        let all = || {
            let transaction = self
                .connection
                .transaction_with_behavior(TransactionBehavior::Immediate)?;
            let done = write(&transaction)?;
            transaction.commit()?;
            Ok(done)
        };
        all().map_err(|fault| match fault {
            Fault::Refused(error) => error,
            Fault::File(source) => Error::of_file(self.path.clone(), source),
        })
    }
}

#[cfg(test)]
mod tests;
