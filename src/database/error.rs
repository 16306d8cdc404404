//! What can be wrong with a file of kpipe's own, with a status.

use std::io;
use std::path::PathBuf;

use rusqlite::ErrorCode;

use crate::exit::Status;
use crate::shell::quoted;

/// Why a file was not opened, read or written. Nothing in it was changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no file, where one has to be.
    #[error("there is no {} at {}", kind.rsplit(' ').next().unwrap_or_default(), path.display())]
    Absent { path: PathBuf, kind: &'static str },
    /// There is no folder for the file.
    #[error("there is no folder {}", path.display())]
    NoFolder { path: PathBuf },
    /// The file or its folder cannot be made.
    #[error("cannot create {}", path.display())]
    Create { path: PathBuf, source: io::Error },
    /// A file that something else wrote.
    #[error("{} is not {kind}", path.display())]
    Foreign {
        path: PathBuf,
        /// As [`super::Kind::name`].
        kind: &'static str,
    },
    /// A later kpipe wrote it.
    #[error("{} has version {version}, and this kpipe knows {known}", path.display())]
    Newer {
        path: PathBuf,
        version: u16,
        known: u16,
    },
    /// Parts of the file are not as `SQLite` left them.
    #[error("{} is damaged", path.display())]
    Damaged { path: PathBuf, source: Cause },
    /// Another process has been writing all the time.
    #[error("{} is locked by another process", path.display())]
    Locked { path: PathBuf },
    /// The disk is full.
    #[error("no space left for {}", path.display())]
    Full { path: PathBuf, source: Cause },
    /// The file, its folder or the whole disk cannot be written, or not so much of it.
    #[error("cannot write {}", path.display())]
    ReadOnly { path: PathBuf, source: Cause },
    /// Anything else that `SQLite` says.
    #[error("cannot use {}", path.display())]
    Sqlite { path: PathBuf, source: Cause },
    /// A backup does not overwrite.
    #[error("{} is there already", path.display())]
    BackupExists { path: PathBuf },
}

/// `SQLite`'s words; its own cause would say them again.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Cause(rusqlite::Error);

impl Error {
    /// Says which of the troubles with a file `source` is.
    pub fn of_file(path: PathBuf, kind: &'static str, source: rusqlite::Error) -> Self {
        let code = source.sqlite_error_code();
        let source = Cause(source);
        match code {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked { path },
            Some(ErrorCode::DiskFull) => Self::Full { path, source },
            Some(ErrorCode::NotADatabase) => Self::Foreign { path, kind },
            // What is not there or is not what was written, in a file that says it is ours.
            None | Some(ErrorCode::DatabaseCorrupt | ErrorCode::Unknown) => {
                Self::Damaged { path, source }
            }
            Some(
                ErrorCode::ReadOnly
                | ErrorCode::CannotOpen
                | ErrorCode::PermissionDenied
                | ErrorCode::SystemIoFailure,
            ) => Self::ReadOnly { path, source },
            _ => Self::Sqlite { path, source },
        }
    }

    /// Returns the command that mends it, where one does.
    pub fn command(&self) -> Option<String> {
        match self {
            Self::NoFolder { path } => {
                Some(format!("mkdir -p {}", quoted(&path.to_string_lossy())))
            }
            _ => None,
        }
    }

    /// Returns the status that a run which ends with this error leaves with.
    pub fn status(&self) -> Status {
        match self {
            Self::Absent { .. }
            | Self::NoFolder { .. }
            | Self::Foreign { .. }
            | Self::Newer { .. }
            | Self::Damaged { .. }
            | Self::BackupExists { .. } => Status::Usage,
            Self::Create { .. }
            | Self::Full { .. }
            | Self::ReadOnly { .. }
            | Self::Sqlite { .. } => Status::Failed,
            Self::Locked { .. } => Status::Unavailable,
        }
    }
}
