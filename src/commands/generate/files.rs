//! What a run keeps: its lock, the state for the next run, the manifest for who checks.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::CommandError;
use crate::exit::Status;
use crate::sink::whole;
use crate::syntax::Syntax;

/// Why a file of a run cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{} is not what {what} holds", path.display())]
    Content {
        path: PathBuf,
        what: &'static str,
        source: Syntax,
    },
    #[error("cannot write {}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("`{name}` is no name for a lock: expected letters, digits, `.`, `_` and `-`")]
    LockName { name: String },
    #[error("another run holds the lock `{name}`")]
    Held { name: String },
    #[error("there is no home directory for locks")]
    NoHome,
}

impl From<FileError> for CommandError {
    fn from(error: FileError) -> Self {
        let (status, hint) = match &error {
            FileError::Held { .. } => (
                Status::Unavailable,
                Some("try again when it has ended".to_owned()),
            ),
            FileError::Write { .. } => (Status::Failed, None),
            FileError::NoHome => (Status::Usage, Some("set HOME or XDG_STATE_HOME".to_owned())),
            FileError::Content { path, what, .. } if *what == "--state" => (
                Status::Usage,
                Some(format!("to begin anew, remove {}", path.display())),
            ),
            FileError::Content { .. } => (
                Status::Usage,
                Some("`kpipe generate KIND --manifest FILE` writes one".to_owned()),
            ),
            FileError::Read { .. } | FileError::LockName { .. } => (Status::Usage, None),
        };
        let error = Self::new(status, error);
        match hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}

/// Reads a JSON file; `None` where there is none.
pub(super) fn read<T: DeserializeOwned>(
    path: &Path,
    what: &'static str,
) -> Result<Option<T>, FileError> {
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => {
            let path = path.to_owned();
            return Err(FileError::Read { path, source });
        }
    };
    let content = serde_json::from_slice(&text).map_err(|source| FileError::Content {
        path: path.to_owned(),
        what,
        source: source.into(),
    })?;
    Ok(Some(content))
}

/// Writes a JSON file, all of it or nothing.
pub(super) fn write(path: &Path, content: &impl Serialize) -> Result<(), FileError> {
    let all = || {
        let mut text = serde_json::to_vec(content)?;
        text.push(b'\n');
        whole::write(path, 0o600, &text)
    };
    all().map_err(|source| FileError::Write {
        path: path.to_owned(),
        source,
    })
}

/// Takes the lock of this name until the file is dropped.
pub(super) fn lock(name: &str) -> Result<File, FileError> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if name.is_empty() || name.len() > 100 || !name.bytes().all(fits) {
        return Err(FileError::LockName { name: name.into() });
    }
    // Not in the runtime directory, which cron does not have.
    let state = etcetera::choose_base_strategy()
        .ok()
        .and_then(|base| base.state_dir())
        .ok_or(FileError::NoHome)?;
    let folder = state.join("kpipe").join("locks");
    let path = folder.join(format!("{name}.lock"));
    let open = || {
        std::fs::create_dir_all(&folder)?;
        File::options().create(true).append(true).open(&path)
    };
    let trouble = |source| FileError::Write {
        path: path.clone(),
        source,
    };
    let file = open().map_err(trouble)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(FileError::Held { name: name.into() }),
        Err(TryLockError::Error(source)) => Err(trouble(source)),
    }
}
