//! A fresh file beside the old one, and its contents in the place of the old ones, all at once.
//!
//! The swap is one transaction of `SQLite` in the old file, and no rename: the log (`-wal`) of the old file would
//! then stand beside the new one, and whoever opens that next would take its pages for the new file's. So
//! readers see the old contents until the transaction is whole, and the new ones after, without opening the file anew,
//! and whatever is killed in the middle leaves the old.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use super::writer::{Manner, Writer};
use super::{Error, KIND, of_file, open};
use crate::counted::Counted;
use crate::database::{self, Emptiness};

/// A file that is being made anew.
#[derive(Debug)]
pub struct Rebuild {
    path: PathBuf,
    fresh: PathBuf,
}

/// What was put in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rebuilt {
    /// Records that the file holds now.
    pub records: i64,
}

impl Rebuild {
    /// Begins the fresh file: `FILE.rebuild`, where what a run left that did not come to its end is thrown away.
    pub fn begin(path: &Path, manner: Manner) -> Result<(Self, Writer), Error> {
        let rebuild = Self {
            fresh: beside(path, ".rebuild"),
            path: path.to_owned(),
        };
        // A stranger's file is refused before anything is read, and a first one is made.
        drop(open(path)?);
        let fresh = &rebuild.fresh;
        if fresh.exists() {
            drop(alone(fresh, KIND.open(fresh, Emptiness::IsFilled)?)?);
            rebuild.discard();
        }
        let connection = alone(fresh, open(fresh)?)?;
        // If the machine goes down, the fresh file is begun anew anyway.
        connection
            .pragma_update(None, "synchronous", "OFF")
            .map_err(|source| of_file(fresh, source))?;
        match Writer::over(connection, fresh, manner) {
            Ok(writer) => Ok((rebuild, writer)),
            Err(error) => {
                rebuild.discard();
                Err(error)
            }
        }
    }

    /// Puts what was written in the place of what the file held.
    pub fn swap(self, writer: Writer) -> Result<Rebuilt, Error> {
        // With its last connection goes the log.
        drop(writer.into_connection());
        let mut old = open(&self.path)?;
        self.check(&old)?;
        let fault = |source| of_file(&self.path, source);
        let from = |source| of_file(&self.fresh, source);
        let fresh = KIND.open(&self.fresh, Emptiness::IsForeign)?;
        let records = fresh
            .query_row("SELECT count(*) FROM records", [], |row| row.get(0))
            .map_err(from)?;
        let copied = Backup::new(&fresh, &mut old).and_then(|backup| backup.step(-1));
        match copied.map_err(fault)? {
            StepResult::Busy | StepResult::Locked => {
                return Err(database::Error::Locked { path: self.path }.into());
            }
            _ => {}
        }
        drop(fresh);
        self.discard();
        Ok(Rebuilt { records })
    }

    /// Refuses what would be lost: records that Kafka no longer has, other topics, groups and tables.
    fn check(&self, old: &Connection) -> Result<(), Error> {
        let fault = |source| of_file(&self.path, source);
        old.execute("ATTACH ?1 AS fresh", [self.fresh.display().to_string()])
            .map_err(fault)?;
        let lost = losses(old);
        old.execute_batch("DETACH fresh").map_err(fault)?;
        match lost.map_err(fault)? {
            None => Ok(()),
            Some(what) => Err(Error::WouldLose {
                path: self.path.clone(),
                what,
            }),
        }
    }

    /// Removes the fresh file.
    pub fn discard(&self) {
        for end in ["", "-wal", "-shm"] {
            let _ = fs::remove_file(beside(&self.fresh, end));
        }
    }
}

/// What `main` has and `fresh` has not.
fn losses(connection: &Connection) -> rusqlite::Result<Option<String>> {
    let names = |sql: &str| -> rusqlite::Result<Vec<String>> {
        let mut query = connection.prepare(sql)?;
        let rows = query.query_map([], |row| row.get(0))?;
        rows.collect()
    };
    let tables = names(
        "SELECT name FROM main.sqlite_schema WHERE type IN ('table', 'view', 'trigger', 'index') \
         AND name NOT LIKE 'sqlite_%' EXCEPT SELECT name FROM fresh.sqlite_schema",
    )?;
    if !tables.is_empty() {
        return Ok(Some(format!("also has {}", tables.join(", "))));
    }
    let groups = names(
        "SELECT DISTINCT consumer_group FROM main.kpipe_offsets \
         EXCEPT SELECT consumer_group FROM fresh.kpipe_offsets",
    )?;
    if let ([group, ..], false) = (groups.as_slice(), names(ANY_RECORD)?.is_empty()) {
        return Ok(Some(format!("also has the offsets of group `{group}`")));
    }
    let missing: Vec<(i64, String)> = {
        let mut query = connection.prepare(
            "SELECT count(*), min(topic || '[' || partition || ']@' || offset) FROM main.records AS old \
             WHERE NOT EXISTS (SELECT 1 FROM fresh.records AS new WHERE new.topic = old.topic \
             AND new.partition = old.partition AND new.offset = old.offset)",
        )?;
        let rows = query.query_map([], |row| {
            Ok((
                row.get(0)?,
                row.get::<_, Option<String>>(1)?.unwrap_or_default(),
            ))
        })?;
        rows.collect::<rusqlite::Result<_>>()?
    };
    Ok(match missing.as_slice() {
        [(count, first), ..] if *count > 0 => Some(format!(
            "has {} not there to be read again, such as {first}",
            Counted(*count, "record")
        )),
        _ => None,
    })
}

const ANY_RECORD: &str = "SELECT topic FROM fresh.records LIMIT 1";

/// Keeps everybody else out.
fn alone(path: &Path, connection: Connection) -> Result<Connection, Error> {
    let fault = |source| of_file(path, source);
    connection
        .pragma_update(None, "locking_mode", "EXCLUSIVE")
        .and_then(|()| connection.execute_batch("BEGIN IMMEDIATE; COMMIT"))
        .map_err(fault)?;
    Ok(connection)
}

/// The path with something behind it.
fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(end);
    name.into()
}
