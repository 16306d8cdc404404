//! The file of a run that fails before it has stored anything: it does not stay behind.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, TransactionBehavior};

use super::{Error, open};
use crate::database;

/// A file, and whether this run has made it.
#[derive(Debug)]
pub struct Made {
    path: PathBuf,
    is_ours: bool,
}

impl Made {
    /// Makes the file where there is none.
    pub fn at(path: &Path) -> Result<Self, Error> {
        Ok(Self {
            is_ours: database::create(path)?,
            path: path.to_owned(),
        })
    }

    /// Removes the file again, if this run made it, nothing was stored, and nobody else has it open.
    pub fn take_back(&self) {
        if !self.is_ours {
            return;
        }
        if let Err(error) = self.remove() {
            tracing::info!("{} stays: {error}", self.path.display());
        }
    }

    fn remove(&self) -> Result<(), Box<dyn std::error::Error>> {
        let mut connection = open(&self.path)?;
        if is_used(&connection)? {
            return Ok(());
        }
        // Without a log there is no other file to remove, and SQLite gives it up only where nobody else
        // has the file open.
        connection.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(()))?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Exclusive)?;
        if !is_used(&transaction)? {
            fs::remove_file(&self.path)?;
        }
        Ok(())
    }
}

fn is_used(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM main.records) OR EXISTS (SELECT 1 FROM main.kpipe_offsets)",
        [],
        |row| row.get(0),
    )
}
