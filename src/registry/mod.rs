//! The registry of topics by approval: who asked, who decided, what became of it, who subscribes.
//!
//! One `SQLite` file, and the only SQL that touches it. A state moves in one transaction together with
//! its event in the history, and only from the state it was believed to be in; the rules that must
//! never be broken (one open request and one ACTIVE topic a name, four eyes, an append-only history)
//! are constraints and triggers of the file itself. Time, identity and randomness are passed in.

mod ask;
mod error;
mod event;
mod gate;
mod life;
pub mod line;
mod meta;
pub mod name;
mod policy;
mod request;
pub mod setting;
mod state;
mod subscription;
pub(crate) mod time;

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::database::{self, Emptiness, Kind};

pub use ask::{Approver, Asked, Import, Imported, Requested};
pub use error::{Difference, Error};
pub use event::{Actor, Event, Stamp, person};
pub use gate::{Gate, NotApproved};
pub use life::Meant;
pub use line::{LineError, NamedLine};
pub use meta::{Statistics, producer_key};
pub use policy::{FourEyes, Policy, Range, Rules, Violation};
pub use request::{Observation, Request, Spec, Wish};
pub use state::{Reason, ReasonCode, State};
pub use subscription::Subscription;

/// The file.
pub(crate) const KIND: Kind = Kind {
    name: "a registry",
    application_id: i32::from_be_bytes(*b"kpip"),
    migrations: &[(1, include_str!("migrations/0001_registry.sql"))],
};

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
        database::create(path)?;
        Ok(Self {
            connection: KIND.open(path, Emptiness::IsFilled)?,
            path: path.to_owned(),
        })
    }

    /// Opens the registry at `path`, for who must not go on without one.
    ///
    /// # Errors
    /// [`database::Error::Absent`], [`database::Error::Foreign`] also for an empty file, and as [`Registry::open`].
    pub fn open_existing(path: &Path) -> Result<Self, Error> {
        Ok(Self {
            connection: KIND.open(path, Emptiness::IsForeign)?,
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
    /// [`database::Error::BackupExists`] rather than overwrite anything.
    pub fn backup(&self, path: &Path) -> Result<(), Error> {
        Ok(database::backup(&self.connection, &self.path, path)?)
    }

    fn read<T>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, Error> {
        read(&self.connection)
            .map_err(|source| database::Error::of_file(self.path.clone(), KIND.name, source).into())
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
            Fault::File(source) => {
                database::Error::of_file(self.path.clone(), KIND.name, source).into()
            }
        })
    }
}

#[cfg(test)]
mod tests;
