//! Why records are not stored, with the status and what to type next.

use std::io;
use std::path::PathBuf;

use crate::database;
use crate::error::CommandError;
use crate::exit::Status;

/// Why nothing more is stored. What was committed before stays; of the transaction at hand nothing does.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Trouble with the file.
    #[error(transparent)]
    File(#[from] database::Error),
    /// A file of statements cannot be read.
    #[error("cannot read `{path}`")]
    Unreadable {
        path: String,
        #[source]
        source: io::Error,
    },
    /// A statement that is none, or that is not allowed; found before anything is read.
    #[error("{place}: {problem}")]
    Statement {
        place: String,
        problem: String,
        hint: Option<&'static str>,
    },
    /// A statement failed for a record.
    #[error("{record} is not stored: {place}: {problem}")]
    Record {
        record: String,
        place: String,
        problem: String,
    },
    /// Somebody put an older file in the place of this one, or changed its offsets.
    #[error(
        "{} was set back: {topic}[{partition}] is stored up to offset {stored} there, and was up to {known}",
        path.display()
    )]
    SetBack {
        path: PathBuf,
        topic: String,
        partition: i32,
        stored: i64,
        known: i64,
    },
    /// The file at the path is another one since it was opened.
    #[error("{} is not the file that it was", path.display())]
    Replaced { path: PathBuf },
    /// A rebuilt file would not hold something that the old one does.
    #[error("{} {what}", path.display())]
    WouldLose { path: PathBuf, what: String },
}

impl Error {
    fn status(&self) -> Status {
        match self {
            Self::File(error) => error.status(),
            Self::Unreadable { .. } | Self::Statement { .. } => Status::Usage,
            Self::Record { .. } | Self::WouldLose { .. } => Status::Failed,
            Self::SetBack { .. } | Self::Replaced { .. } => Status::Unavailable,
        }
    }

    fn hint(&self) -> Option<String> {
        use database::Error as File;
        Some(match self {
            Self::File(File::Foreign { .. } | File::Damaged { .. } | File::BackupExists { .. }) => {
                "nothing was changed in it; choose another file with --db".to_owned()
            }
            Self::File(File::Newer { .. }) => "use the newer kpipe that wrote it".to_owned(),
            Self::File(error @ File::NoFolder { .. }) => return error.command(),
            Self::File(File::Create { .. } | File::ReadOnly { .. }) => {
                "choose another place with --db".to_owned()
            }
            Self::File(File::Locked { .. }) => {
                "somebody keeps a transaction open in it; try again".to_owned()
            }
            Self::File(File::Full { .. }) => {
                "make room and start again: it goes on after the last transaction".to_owned()
            }
            Self::Record { .. } => {
                "its transaction was undone; mend the statement or its table, and start again"
                    .to_owned()
            }
            Self::SetBack { .. } | Self::Replaced { .. } => {
                "start again: it goes on where the file says".to_owned()
            }
            Self::WouldLose { path, .. } => format!(
                "nothing was replaced; `sqlite3 {0} '.restore {0}.rebuild'` does it all the same",
                path.display()
            ),
            Self::Statement { hint, .. } => return hint.map(str::to_owned),
            _ => return None,
        })
    }
}

impl From<Error> for CommandError {
    fn from(error: Error) -> Self {
        let (status, hint) = (error.status(), error.hint());
        Self {
            hint,
            ..Self::new(status, error)
        }
    }
}

/// `SQLite`'s words for what is wrong with a statement, without the statement.
pub(super) fn problem(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqlInputError { msg, .. } => msg.clone(),
        rusqlite::Error::SqliteFailure(_, Some(message)) => message.clone(),
        other => other.to_string(),
    }
}
