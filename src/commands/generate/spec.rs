//! Kinds of one's own, read from files.

use std::io;
use std::path::{Path, PathBuf};

use crate::error::CommandError;
use crate::generate::kinds::{Spec, SpecError};

/// Why a file is no kind.
#[derive(Debug, thiserror::Error)]
enum SpecFileError {
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{} describes no kind", path.display())]
    Content { path: PathBuf, source: SpecError },
}

/// Reads the kind that a file describes, named like the file unless it says otherwise.
pub(super) fn read(path: &Path) -> Result<Spec, CommandError> {
    let text = std::fs::read_to_string(path).map_err(|source| {
        let path = path.to_owned();
        CommandError::usage(SpecFileError::Read { path, source })
    })?;
    let name = path.file_stem().map(|stem| stem.to_string_lossy());
    let name = name.filter(|name| crate::kafka::is_topic_name(name));
    Spec::parse(&text, name.as_deref().unwrap_or("custom")).map_err(|source| {
        let (path, hint) = (path.to_owned(), source.hint());
        CommandError::usage(SpecFileError::Content { path, source }).hint(hint)
    })
}
