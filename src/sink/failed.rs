//! The file of input lines that were not acknowledged, true at every moment.
//!
//! Bytes are written here as they are read and lines taken out when they are
//! acknowledged, so that even after `SIGKILL` the file holds every line whose fate is
//! open, byte for byte: sending it completes the job, at least once. A last line without
//! a line end gets one, so that lines of a later run cannot run into it. The file is
//!
//! ```text
//! | failed for good (kept) | settled since (dead) | read, fate open |
//! ```
//!
//! and is rewritten beside itself and renamed when the dead part is large.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tempfile::NamedTempFile;
use thiserror::Error;

use super::receipt::Receipt;

/// Dead bytes that are worth a rewrite.
const DEAD: u64 = 8 * 1024 * 1024;

/// Why a file cannot take failed lines.
#[derive(Debug, Error)]
pub enum FailedFileError {
    #[error("`{0}` is also the input, and would be overwritten while it is read")]
    IsInput(PathBuf),
    #[error("cannot write `{path}`")]
    Io {
        path: PathBuf,
        #[source]
        error: io::Error,
    },
}

/// The file, and beside it `FILE.why` with a receipt for each line in it.
#[derive(Debug)]
pub struct FailedFile {
    path: PathBuf,
    file: File,
    why: BufWriter<File>,
    /// A pipe or a terminal cannot take lines back, so it gets only what failed for good.
    direct: bool,
    /// Bytes at the front that stay.
    kept: u64,
    /// Bytes after them that were settled.
    dead: u64,
    /// The failed lines among the dead bytes.
    failed: Vec<u8>,
    /// What was noted last is not the end of a line.
    line_is_open: bool,
}

impl FailedFile {
    /// Opens `path`; lines that an earlier run left there stay.
    pub fn open(path: &Path, inputs: &[&File]) -> Result<Self, FailedFileError> {
        let failed = |error| FailedFileError::Io {
            path: path.to_owned(),
            error,
        };
        let same = |path: &Path, other: &File| {
            let (Ok(ours), Ok(other)) = (path.metadata(), other.metadata()) else {
                return false;
            };
            (ours.dev(), ours.ino()) == (other.dev(), other.ino())
                && !ours.file_type().is_char_device()
        };
        // Where a symbolic link leads, so that a rename replaces the file and not the link.
        let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        for ours in [path, &reasons_of(&real)] {
            if inputs.iter().any(|input| same(ours, input)) {
                return Err(FailedFileError::IsInput(ours.to_owned()));
            }
        }
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .or_else(|_| OpenOptions::new().append(true).open(path))
            .map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        let direct = !metadata.is_file();
        let mut kept = if direct { 0 } else { metadata.len() };
        if kept > 0 {
            let mut last = [0];
            file.seek(SeekFrom::End(-1))
                .and_then(|_| file.read_exact(&mut last))
                .and_then(|()| terminate(&mut file, &last))
                .map_err(failed)?;
            kept += u64::from(last != *b"\n");
        }
        let path = if direct {
            path.to_owned()
        } else {
            path.canonicalize().map_err(failed)?
        };
        let why = if direct {
            OpenOptions::new().write(true).open("/dev/null")
        } else {
            OpenOptions::new()
                .create(true)
                .append(true)
                .mode(0o600)
                .open(reasons_of(&path))
        };
        Ok(Self {
            path,
            file,
            why: BufWriter::new(why.map_err(failed)?),
            direct,
            kept,
            dead: 0,
            failed: Vec::new(),
            line_is_open: false,
        })
    }

    fn at(&self, error: io::Error) -> FailedFileError {
        FailedFileError::Io {
            path: self.path.clone(),
            error,
        }
    }

    /// Writes down what was read, before it can be sent or lost.
    fn note(&mut self, bytes: &[u8]) -> Result<(), FailedFileError> {
        if self.direct || bytes.is_empty() {
            return Ok(());
        }
        self.line_is_open = !bytes.ends_with(b"\n");
        self.file.write_all(bytes).map_err(|error| self.at(error))
    }

    /// Ends the line that an input left open.
    fn end_line(&mut self) -> Result<(), FailedFileError> {
        if self.line_is_open {
            self.note(b"\n")?;
        }
        Ok(())
    }

    /// Takes in the fate of the lines at the front of the open part: all `bytes` of them,
    /// of which `failed` stay.
    pub fn settle(&mut self, bytes: u64, failed: &[u8]) -> Result<(), FailedFileError> {
        if self.direct {
            return self.file.write_all(failed).map_err(|error| self.at(error));
        }
        if self.dead == 0 && failed.len() as u64 == bytes {
            self.kept += bytes;
            return Ok(());
        }
        self.dead += bytes;
        self.failed.extend_from_slice(failed);
        if self.dead >= DEAD + self.kept / 8 {
            self.rewrite().map_err(|error| self.at(error))?;
        }
        Ok(())
    }

    /// Takes all lines of an input in, none of which was sent.
    pub fn keep_input(&mut self, input: &mut File) -> Result<(), FailedFileError> {
        let copied = io::copy(input, &mut self.file).map_err(|error| self.at(error))?;
        self.kept += copied;
        if copied > 0 {
            let mut last = [0];
            let ended = input
                .seek(SeekFrom::End(-1))
                .and_then(|_| input.read_exact(&mut last))
                .and_then(|()| terminate(&mut self.file, &last));
            self.kept += u64::from(last != *b"\n");
            ended.map_err(|error| self.at(error))?;
        }
        self.finish()
    }

    /// Takes in that all `bytes` of the open part failed.
    pub fn keep_all(&mut self, bytes: u64) {
        self.kept += bytes;
    }

    /// Notes why a line failed.
    pub fn explain(&mut self, receipt: &Receipt<'_>) -> Result<(), FailedFileError> {
        receipt.write(&mut self.why).map_err(|error| self.at(error))
    }

    /// Leaves only what failed, on the disk.
    pub fn finish(&mut self) -> Result<(), FailedFileError> {
        let rewritten = if self.dead > 0 {
            self.rewrite()
        } else {
            Ok(())
        };
        rewritten
            .and_then(|()| self.why.flush())
            .and_then(|()| {
                if self.direct {
                    Ok(())
                } else {
                    self.file.sync_all()
                }
            })
            .map_err(|error| self.at(error))
    }

    fn rewrite(&mut self) -> io::Result<()> {
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        let mut next = NamedTempFile::new_in(folder)?;
        self.file.rewind()?;
        io::copy(&mut (&self.file).take(self.kept), next.as_file_mut())?;
        next.write_all(&self.failed)?;
        self.file.seek(SeekFrom::Start(self.kept + self.dead))?;
        io::copy(&mut self.file, next.as_file_mut())?;
        next.as_file()
            .set_permissions(self.file.metadata()?.permissions())?;
        // Renamed before it is on the disk, it might be empty after a power cut.
        next.as_file().sync_all()?;
        self.file = next.persist(&self.path)?;
        self.kept += self.failed.len() as u64;
        self.dead = 0;
        self.failed.clear();
        Ok(())
    }
}

/// Writes down what a reader takes from its input, while another thread settles it.
#[derive(Clone, Debug)]
pub struct Journal(Arc<Mutex<FailedFile>>);

impl Journal {
    /// Begins to keep a file.
    pub fn new(file: FailedFile) -> Self {
        Self(Arc::new(Mutex::new(file)))
    }

    /// The file itself, for as long as nothing else happens to it.
    pub fn file(&self) -> MutexGuard<'_, FailedFile> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes down what was read, before it can be sent or lost.
    pub fn note(&self, bytes: &[u8]) -> Result<(), FailedFileError> {
        self.file().note(bytes)
    }

    /// Ends the line that an input left open.
    pub fn end_line(&self) -> Result<(), FailedFileError> {
        self.file().end_line()
    }
}

/// `FILE.why`, beside `FILE`.
fn reasons_of(path: &Path) -> PathBuf {
    let mut reasons = path.to_owned().into_os_string();
    reasons.push(".why");
    reasons.into()
}

/// Ends the line that `written` left open.
fn terminate(file: &mut File, written: &[u8]) -> io::Result<()> {
    if written.is_empty() || written.ends_with(b"\n") {
        Ok(())
    } else {
        file.write_all(b"\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(path: &Path) -> String {
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn the_file_holds_at_every_moment_what_is_not_acknowledged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("failed");
        let mut file = FailedFile::open(&path, &[]).unwrap();
        file.note(b"a\nb\nc").unwrap();
        assert_eq!(content(&path), "a\nb\nc");
        file.note(b"\nd").unwrap();
        file.end_line().unwrap();
        file.end_line().unwrap();
        assert_eq!(content(&path), "a\nb\nc\nd\n");
        file.settle(4, b"b\n").unwrap();
        file.rewrite().unwrap();
        assert_eq!(content(&path), "b\nc\nd\n");
        file.settle(4, b"").unwrap();
        file.finish().unwrap();
        assert_eq!(content(&path), "b\n");
    }

    #[test]
    fn lines_of_an_earlier_run_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("failed");
        std::fs::write(&path, "old").unwrap();
        let mut file = FailedFile::open(&path, &[]).unwrap();
        file.note(b"new\n").unwrap();
        file.settle(4, b"new\n").unwrap();
        file.finish().unwrap();
        assert_eq!(content(&path), "old\nnew\n");
    }

    #[test]
    fn the_input_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("input");
        std::fs::write(&path, "a\n").unwrap();
        let input = File::open(&path).unwrap();
        let refused = FailedFile::open(&path, &[&input]);
        assert!(matches!(refused, Err(FailedFileError::IsInput(_))));
        assert_eq!(content(&path), "a\n");
    }
}
