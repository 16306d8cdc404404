//! Where a group goes on, as the file knows it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::{Error, of_file, open};

/// The offsets of a group, on a connection of their own: they are asked for while the writer writes.
#[derive(Debug)]
pub struct Kept {
    connection: Mutex<Connection>,
    path: PathBuf,
    group: String,
    /// Where partitions were last begun here.
    begun: Mutex<HashMap<(String, i32), i64>>,
}

impl Kept {
    pub fn open(path: &Path, group: &str) -> Result<Self, Error> {
        Ok(Self {
            connection: Mutex::new(open(path)?),
            path: path.to_owned(),
            group: group.to_owned(),
            begun: Mutex::default(),
        })
    }

    /// The first offset of each partition that is not stored, where anything is known of it.
    pub fn next(&self, partitions: &[(String, i32)]) -> Result<Vec<Option<i64>>, Error> {
        let connection = self.lock();
        let read =
            |(topic, partition): &(String, i32)| next(&connection, &self.group, topic, *partition);
        let read: rusqlite::Result<Vec<_>> = partitions.iter().map(read).collect();
        let read = read.map_err(|source| of_file(&self.path, source))?;
        let known = partitions.iter().zip(&read);
        self.note(known.filter_map(|(place, next)| Some((place.clone(), (*next)?))));
        Ok(read)
    }

    /// Writes down where partitions begin of which nothing is known, so that what comes before the first record of
    /// one is not passed over when it begins again.
    pub fn begin(&self, begins: &[((String, i32), i64)]) -> Result<(), Error> {
        let mut connection = self.lock();
        let mut write = || {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            for ((topic, partition), start) in begins {
                transaction
                    .prepare_cached(
                        "INSERT INTO main.kpipe_offsets VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
                    )?
                    .execute(params![self.group, topic, partition, start])?;
            }
            transaction.commit()
        };
        write().map_err(|source| of_file(&self.path, source))?;
        self.note(begins.iter().cloned());
        Ok(())
    }

    fn note(&self, starts: impl Iterator<Item = ((String, i32), i64)>) {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        begun.extend(starts);
    }

    /// Where a partition was last begun here: nothing before that will come.
    pub(super) fn begun(&self, topic: &str, partition: i32) -> Option<i64> {
        let begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        begun.get(&(topic.to_owned(), partition)).copied()
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// The first offset of a partition that a group has not stored.
pub(super) fn next(
    connection: &Connection,
    group: &str,
    topic: &str,
    partition: i32,
) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached(
            "SELECT next FROM main.kpipe_offsets \
             WHERE consumer_group = ?1 AND topic = ?2 AND partition = ?3",
        )?
        .query_row(params![group, topic, partition], |row| row.get(0))
        .optional()
}
