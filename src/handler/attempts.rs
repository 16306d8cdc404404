//! Remembers across runs which records were being handled, so that one that kills whoever handles
//! it is not tried for ever.
//!
//! A row is there from before the first try until the record is settled. Who finds one at the start
//! knows that a run did not survive it, or was killed in the middle; such a record is tried alone.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::Place;

/// What the file answers.
pub(super) type Answer<T> = rusqlite::Result<T>;

/// `kpip`, and 2 for this kind of file, so that no other is taken for one.
const APPLICATION_ID: i32 = 0x6b70_6902;

/// Each record is one row while it is handled; `tries` are those it was alone in.
const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS attempt (
    consumer  TEXT NOT NULL,
    topic     TEXT NOT NULL,
    partition INTEGER NOT NULL,
    place     INTEGER NOT NULL,
    tries     INTEGER NOT NULL,
    PRIMARY KEY (consumer, topic, partition, place)
) STRICT, WITHOUT ROWID;";

/// How records were tried: only of one that was alone it is known who was to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tried {
    Alone,
    Together,
}

impl Tried {
    pub(super) fn new(alone: bool) -> Self {
        if alone { Self::Alone } else { Self::Together }
    }
}

/// The file of attempts, for one group.
pub struct Attempts {
    connection: Connection,
    group: String,
}

impl Attempts {
    /// Opens the file, or makes it; several processes may share it.
    pub fn open(path: &Path, group: &str) -> rusqlite::Result<Self> {
        let mut connection = Connection::open(path)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        // What survives the process is enough.
        connection.pragma_update(None, "synchronous", "normal")?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let id: i32 = transaction.pragma_query_value(None, "application_id", |row| row.get(0))?;
        let tables: i64 =
            transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        if id != APPLICATION_ID && tables > 0 {
            return Err(rusqlite::Error::InvalidPath(path.to_owned()));
        }
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.execute_batch(SCHEMA)?;
        transaction.commit()?;
        Ok(Self {
            connection,
            group: group.to_owned(),
        })
    }

    /// Returns how often the record was tried alone, if a run left it unsettled.
    pub(super) fn known(&self, place: &Place<'_>) -> rusqlite::Result<Option<u32>> {
        self.connection
            .prepare_cached(
                "SELECT tries FROM attempt \
                 WHERE consumer = ?1 AND topic = ?2 AND partition = ?3 AND place = ?4",
            )?
            .query_row(
                params![self.group, place.topic, place.partition, place.offset],
                |row| row.get(0),
            )
            .optional()
    }

    /// These are about to be tried.
    pub(super) fn begin(&mut self, places: &[Place<'_>], tried: Tried) -> rusqlite::Result<()> {
        self.each(
            places,
            "INSERT INTO attempt (consumer, topic, partition, place, tries) \
             VALUES (?1, ?2, ?3, ?4, ?5) \
             ON CONFLICT DO UPDATE SET tries = tries + ?5",
            &[u32::from(tried == Tried::Alone)],
        )
    }

    /// These were not tried after all.
    pub(super) fn take_back(&mut self, places: &[Place<'_>], tried: Tried) -> rusqlite::Result<()> {
        if tried == Tried::Alone {
            self.each(
                places,
                "UPDATE attempt SET tries = tries - 1 \
                 WHERE consumer = ?1 AND topic = ?2 AND partition = ?3 AND place = ?4",
                &[],
            )?;
        }
        self.each(
            places,
            "DELETE FROM attempt \
             WHERE consumer = ?1 AND topic = ?2 AND partition = ?3 AND place = ?4 AND tries = 0",
            &[],
        )
    }

    /// These are settled.
    pub(super) fn settle(&mut self, places: &[Place<'_>]) -> rusqlite::Result<()> {
        self.each(
            places,
            "DELETE FROM attempt \
             WHERE consumer = ?1 AND topic = ?2 AND partition = ?3 AND place = ?4",
            &[],
        )
    }

    fn each(&mut self, places: &[Place<'_>], sql: &str, more: &[u32]) -> rusqlite::Result<()> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            let mut statement = transaction.prepare_cached(sql)?;
            for place in places {
                statement.raw_bind_parameter(1, &self.group)?;
                statement.raw_bind_parameter(2, place.topic)?;
                statement.raw_bind_parameter(3, place.partition)?;
                statement.raw_bind_parameter(4, place.offset)?;
                for (index, value) in more.iter().enumerate() {
                    statement.raw_bind_parameter(5 + index, value)?;
                }
                statement.raw_execute()?;
            }
        }
        transaction.commit()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(offset: i64) -> Place<'static> {
        Place {
            topic: "orders",
            partition: 0,
            offset,
        }
    }

    fn file() -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tries.db");
        (folder, path)
    }

    #[test]
    fn tries_alone_are_counted_across_runs_and_those_together_are_only_known() {
        let (_folder, path) = file();
        let mut attempts = Attempts::open(&path, "g").unwrap();
        assert_eq!(attempts.known(&place(1)).unwrap(), None);
        attempts.begin(&[place(1)], Tried::Alone).unwrap();
        attempts
            .begin(&[place(1), place(2)], Tried::Together)
            .unwrap();
        // A run that is killed closes nothing.
        std::mem::forget(attempts);
        let mut attempts = Attempts::open(&path, "g").unwrap();
        attempts.begin(&[place(1)], Tried::Alone).unwrap();
        let known = [1, 2, 3].map(|offset| attempts.known(&place(offset)).unwrap());
        assert_eq!(known, [Some(2), Some(0), None]);
    }

    #[test]
    fn what_is_settled_is_forgotten() {
        let (_folder, path) = file();
        let mut attempts = Attempts::open(&path, "g").unwrap();
        attempts.begin(&[place(1)], Tried::Alone).unwrap();
        attempts.begin(&[place(2)], Tried::Alone).unwrap();
        attempts.settle(&[place(1)]).unwrap();
        assert_eq!(attempts.known(&place(1)).unwrap(), None);
        assert_eq!(attempts.known(&place(2)).unwrap(), Some(1));
    }

    #[test]
    fn a_try_that_was_none_is_taken_back_and_earlier_ones_stay() {
        let (_folder, path) = file();
        let mut attempts = Attempts::open(&path, "g").unwrap();
        attempts.begin(&[place(1)], Tried::Alone).unwrap();
        attempts.begin(&[place(1)], Tried::Alone).unwrap();
        attempts.take_back(&[place(1)], Tried::Alone).unwrap();
        assert_eq!(attempts.known(&place(1)).unwrap(), Some(1));
        attempts.take_back(&[place(1)], Tried::Alone).unwrap();
        assert_eq!(attempts.known(&place(1)).unwrap(), None);
        attempts.begin(&[place(2)], Tried::Together).unwrap();
        attempts.take_back(&[place(2)], Tried::Together).unwrap();
        assert_eq!(attempts.known(&place(2)).unwrap(), None);
    }

    #[test]
    fn groups_and_processes_share_a_file() {
        let (_folder, path) = file();
        let mut one = Attempts::open(&path, "g").unwrap();
        let mut other = Attempts::open(&path, "h").unwrap();
        one.begin(&[place(1)], Tried::Alone).unwrap();
        assert_eq!(other.known(&place(1)).unwrap(), None);
        other.begin(&[place(1)], Tried::Alone).unwrap();
        other.settle(&[place(1)]).unwrap();
        assert_eq!(one.known(&place(1)).unwrap(), Some(1));
    }

    #[test]
    fn another_programs_database_is_left_alone() {
        let (_folder, path) = file();
        let strange = Connection::open(&path).unwrap();
        strange.execute_batch("CREATE TABLE theirs (x)").unwrap();
        drop(strange);
        assert!(Attempts::open(&path, "g").is_err());
    }
}
