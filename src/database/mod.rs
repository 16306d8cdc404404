//! Files of `SQLite` that are kpipe's own, such as the registry: made for their owner alone, recognised before
//! they are touched, brought up to date, copied.

mod error;

use std::fmt::Write;
use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

pub use error::{Cause, Error};

/// One kind of file.
#[derive(Debug)]
pub struct Kind {
    /// What a file of another kind is told not to be, with its article.
    pub name: &'static str,
    /// At offset 68 of the file, where file(1) looks too; no two kinds share one.
    pub application_id: i32,
    /// What makes each version out of the one before.
    pub migrations: &'static [(u16, &'static str)],
}

/// How long to wait while others write. Each of them takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a file without a byte is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Emptiness {
    /// Nothing is lost in making something of it.
    IsFilled,
    /// All that was in it is gone, which whoever only reads must not hide.
    IsForeign,
}

/// Makes a folder for its owner alone, and those it is in, where there is none.
pub fn create_folder(path: &Path) -> Result<(), Error> {
    if path.exists() {
        return Ok(());
    }
    let mut folders = DirBuilder::new();
    let created = folders.recursive(true).mode(0o700).create(path);
    created.map_err(|source| Error::Create {
        path: path.to_owned(),
        source,
    })
}

/// Makes an empty file where there is none, and says whether it did; one that is empty already is for
/// its owner alone from then on.
///
/// # Errors
/// [`Error::NoFolder`]: to make folders would hide that a path is mistyped.
pub fn create(path: &Path) -> Result<bool, Error> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| matches!(folder.try_exists(), Ok(false))) {
        return Err(Error::NoFolder {
            path: folder.to_owned(),
        });
    }
    let created = match create_new(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            close_if_empty(path).map(|()| false)
        }
        Err(error) => Err(error),
    };
    created.map_err(|source| Error::Create {
        path: path.to_owned(),
        source,
    })
}

fn close_if_empty(path: &Path) -> io::Result<()> {
    match path.metadata() {
        Ok(metadata) if metadata.is_file() && metadata.len() == 0 => {
            fs::set_permissions(path, Permissions::from_mode(0o600))
        }
        // Opening it says what is wrong.
        _ => Ok(()),
    }
}

/// The files beside it, which `SQLite` makes, get the mode of the file.
fn create_new(path: &Path) -> io::Result<()> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map(drop)
}

impl Kind {
    /// Opens a file that is there, and brings it up to date.
    pub fn open(&self, path: &Path, emptiness: Emptiness) -> Result<Connection, Error> {
        let fault = |source| Error::of_file(path.to_owned(), self.name, source);
        self.recognise(path, emptiness)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(path, flags).map_err(fault)?;
        self.prepare(&mut connection).map_err(fault)?;
        self.check_version(path, version(&connection).map_err(fault)?)?;
        Ok(connection)
    }

    /// Refuses what is not of this kind, or of a version unknown.
    ///
    /// While somebody else is making it, half of it may be on the disk, so what looks wrong then is
    /// looked at again.
    fn recognise(&self, path: &Path, emptiness: Emptiness) -> Result<(), Error> {
        let start = Instant::now();
        loop {
            let before = Traces::of(path);
            match self.look(path, emptiness) {
                Err(Error::Foreign { .. } | Error::Damaged { .. })
                    if Traces::of(path).tell_of_a_writer(&before) && start.elapsed() < PATIENCE =>
                {
                    thread::sleep(Duration::from_millis(10));
                }
                looked => return looked,
            }
        }
    }

    /// Reads what the file says of itself, without a lock and without a look at the files beside it,
    /// because `SQLite` would else change a stranger's file by merely closing it.
    fn look(&self, path: &Path, emptiness: Emptiness) -> Result<(), Error> {
        let foreign = || Error::Foreign {
            path: path.to_owned(),
            kind: self.name,
        };
        let fault = |source| Error::of_file(path.to_owned(), self.name, source);
        match path.metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Error::Absent {
                    path: path.to_owned(),
                    kind: self.name,
                });
            }
            // A pipe would be waited for.
            Ok(metadata) if !metadata.is_file() => return Err(foreign()),
            _ => {}
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
            | OpenFlags::SQLITE_OPEN_URI
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let uri = format!("file://{}?immutable=1", encoded(path));
        let peek = Connection::open_with_flags(uri, flags).map_err(fault)?;
        let pragma = |name| peek.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
        let id = pragma("application_id").map_err(fault)?;
        let is_empty = pragma("page_count").map_err(fault)? == 0;
        if id != self.application_id && !(is_empty && emptiness == Emptiness::IsFilled) {
            return Err(foreign());
        }
        self.check_version(path, version(&peek).map_err(fault)?)
    }

    fn check_version(&self, path: &Path, version: u16) -> Result<(), Error> {
        let known = self.last_version();
        if version > known {
            return Err(Error::Newer {
                path: path.to_owned(),
                version,
                known,
            });
        }
        Ok(())
    }

    fn last_version(&self) -> u16 {
        self.migrations.last().map_or(0, |(number, _)| *number)
    }

    fn prepare(&self, connection: &mut Connection) -> rusqlite::Result<()> {
        connection.busy_timeout(PATIENCE)?;
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        // Without it a REPLACE would delete without asking the triggers.
        connection.pragma_update(None, "recursive_triggers", true)?;
        connection.pragma_update(None, "trusted_schema", false)?;
        self.migrate(connection)?;
        write_ahead(connection)
    }

    /// Each migration is one transaction, and only one of several processes does it.
    fn migrate(&self, connection: &mut Connection) -> rusqlite::Result<()> {
        for &(number, migration) in self.migrations {
            if version(connection)? >= number {
                continue;
            }
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            if version(&transaction)? < number {
                transaction.execute_batch(migration)?;
                transaction.pragma_update(None, "application_id", self.application_id)?;
                transaction.pragma_update(None, "user_version", number)?;
            }
            transaction.commit()?;
        }
        Ok(())
    }
}

/// What shows that a file is being written.
#[derive(PartialEq, Eq)]
struct Traces {
    /// `SQLite` deletes its rollback journal when a transaction is whole.
    has_journal: bool,
    /// Bytes and nanoseconds of the last change.
    state: Option<(u64, i64, i64)>,
}

impl Traces {
    fn of(path: &Path) -> Self {
        let mut journal = path.as_os_str().to_owned();
        journal.push("-journal");
        let state = path.metadata().ok();
        Self {
            has_journal: Path::new(&journal).exists(),
            state: state.map(|state| (state.len(), state.mtime(), state.mtime_nsec())),
        }
    }

    fn tell_of_a_writer(&self, before: &Self) -> bool {
        self.has_journal || before.has_journal || self != before
    }
}

/// As the path of a URI (RFC 3986).
fn encoded(path: &Path) -> String {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut text = String::new();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'/' | b'.' | b'_' | b'-' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => {
                text.push(char::from(*byte));
            }
            // Writing to a `String` does not fail.
            other => drop(write!(text, "%{other:02X}")),
        }
    }
    text
}

fn version(connection: &Connection) -> rusqlite::Result<u16> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Lets readers go on while one writes. The first change to it does not wait for others whatever the
/// busy timeout, so a transaction waits in its place.
fn write_ahead(connection: &mut Connection) -> rusqlite::Result<()> {
    loop {
        let changed = connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()));
        match changed {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            }
            other => return other,
        }
    }
}

/// Copies the database of `from` to `to`.
pub fn backup(from: &Connection, from_path: &Path, to: &Path) -> Result<(), Error> {
    create_new(to).map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => Error::BackupExists {
            path: to.to_owned(),
        },
        _ => Error::Create {
            path: to.to_owned(),
            source,
        },
    })?;
    let copied = Connection::open(to).and_then(|mut copy| {
        // All pages in one step are of one moment.
        Backup::new(from, &mut copy)?.step(-1)
    });
    let result = match copied {
        Ok(StepResult::Busy | StepResult::Locked) => Err(Error::Locked {
            path: from_path.to_owned(),
        }),
        Ok(_) => return Ok(()),
        Err(source) => Err(Error::of_file(to.to_owned(), "a copy", source)),
    };
    // What is half a copy must not be taken for one.
    let _ = fs::remove_file(to);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: Kind = Kind {
        name: "a test",
        application_id: 7,
        migrations: &[
            (1, "CREATE TABLE first (x)"),
            (
                2,
                "CREATE TABLE second (x); CREATE TABLE meta (name, value)",
            ),
        ],
    };

    #[test]
    fn migrations_follow_each_other_from_the_first_and_kinds_are_told_apart() {
        let kinds = [&crate::registry::KIND, &crate::store::KIND];
        for kind in kinds {
            let numbers = kind.migrations.iter().map(|(number, _)| *number);
            assert!(numbers.eq((1..).take(kind.migrations.len())));
        }
        assert_ne!(kinds[0].application_id, kinds[1].application_id);
    }

    #[test]
    fn whatever_version_a_file_has_it_is_brought_to_the_last_and_keeps_what_it_holds() {
        let folder = tempfile::tempdir().unwrap();
        for &(seen, _) in [(0, "")].iter().chain(KIND.migrations) {
            let path = folder.path().join(seen.to_string());
            create(&path).unwrap();
            let older = Connection::open(&path).unwrap();
            for (number, migration) in KIND.migrations.iter().filter(|(number, _)| *number <= seen)
            {
                older.execute_batch(migration).unwrap();
                older.pragma_update(None, "user_version", number).unwrap();
                older
                    .pragma_update(None, "application_id", KIND.application_id)
                    .unwrap();
            }
            if seen > 0 {
                older
                    .execute("INSERT INTO first VALUES ('kept')", [])
                    .unwrap();
            }
            drop(older);
            let connection = KIND.open(&path, Emptiness::IsFilled).unwrap();
            let id: i32 = connection
                .pragma_query_value(None, "application_id", |row| row.get(0))
                .unwrap();
            assert_eq!(
                (version(&connection).unwrap(), id),
                (KIND.last_version(), KIND.application_id)
            );
            let kept: u16 = connection
                .query_row("SELECT count(*) FROM first", [], |row| row.get(0))
                .unwrap();
            assert_eq!(kept, u16::from(seen > 0));
        }
    }

    #[test]
    fn a_migration_that_fails_leaves_the_file_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.db");
        create(&path).unwrap();
        let mut connection = Connection::open(&path).unwrap();
        // What the migration makes last is there already.
        connection.execute_batch("CREATE TABLE meta (x)").unwrap();
        assert!(KIND.migrate(&mut connection).is_err());
        let tables: u16 = connection
            .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
            .unwrap();
        assert_eq!((version(&connection).unwrap(), tables), (1, 2));
    }
}
