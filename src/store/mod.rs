//! Records in `SQLite`: each is there exactly once, whatever is killed.
//!
//! The offsets of a group are in the file itself, written in the transaction that stores the records, and it is
//! they that say where the group goes on. The primary key of the records decides what is stored already, so neither
//! a second process, nor a member that does not know that it was thrown out, stores anything twice; a user's
//! statements run for a record in the transaction that stores it, and for no other.

mod buffer;
mod error;
mod guard;
mod kept;
mod made;
mod rebuild;
mod script;
mod statements;
mod writer;

use std::path::Path;

use rusqlite::Connection;

pub use error::Error;
pub use kept::Kept;
pub use made::Made;
pub use rebuild::{Rebuild, Rebuilt};
pub use script::{Script, ScriptNameError};
pub use writer::{Counts, Manner, Writer};

use crate::database::{self, Emptiness, Kind};

/// The file.
pub(crate) const KIND: Kind = Kind {
    name: "a file of `kpipe store`",
    application_id: 0x6b70_6903,
    migrations: &[(1, include_str!("migrations/0001_store.sql"))],
};

/// What the tables that keep the promises are called; no statement of a user's changes them.
const TABLES: [&str; 2] = ["records", "kpipe_offsets"];

/// Pages of the file that stay in memory, in KiB: the ends of an index of many partitions.
const CACHE: i32 = 16 * 1024;

/// Pages of the log after which it is written back: about 16 MiB, so that pages that change often are written once.
const CHECKPOINT: i32 = 4096;

/// Opens the file at `path`, and makes it, readable by its owner alone, if it is not there.
fn open(path: &Path) -> Result<Connection, Error> {
    database::create(path)?;
    let connection = KIND.open(path, Emptiness::IsFilled)?;
    let tuned = connection
        .pragma_update(None, "cache_size", -CACHE)
        .and_then(|()| connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT));
    tuned.map_err(|source| of_file(path, source))?;
    Ok(connection)
}

fn of_file(path: &Path, source: rusqlite::Error) -> Error {
    database::Error::of_file(path.to_owned(), KIND.name, source).into()
}

#[cfg(test)]
mod tests;
