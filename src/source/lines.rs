//! Input in blocks of whole lines, read on a thread of its own.
//!
//! Memory does not grow with the input: blocks are about 256 KiB, the
//! channel holds a few, and a line longer than the limit passes through in pieces.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;

use memchr::{memchr, memrchr};
use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::sink::failed::{FailedFileError, Journal};
use crate::stop::Stop;

/// Bytes read at a time.
const BLOCK: usize = 256 * 1024;

/// Bytes that a pipe is made to hold.
const PIPE: usize = 1024 * 1024;

/// How often a reader of a quiet pipe looks whether it is to stop.
const GLANCE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 50_000_000,
};

/// One input: stdin or a file.
#[derive(Debug)]
pub struct Input {
    /// As the user calls it: `stdin`, or the path.
    pub name: Arc<str>,
    file: File,
    /// Length in bytes, where it is a regular file.
    pub length: Option<u64>,
}

impl Input {
    /// Opens a file, or stdin for `-`.
    pub fn open(path: &Path) -> io::Result<Self> {
        if path == Path::new("-") {
            let stdin: OwnedFd = io::stdin().as_fd().try_clone_to_owned()?;
            return Self::new("stdin".into(), File::from(stdin));
        }
        Self::new(path.display().to_string().into(), File::open(path)?)
    }

    fn new(name: Arc<str>, file: File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        // A larger pipe lets both sides work longer before they meet; harmless if refused.
        let _ = rustix::pipe::fcntl_setpipe_size(&file, PIPE);
        Ok(Self {
            name,
            length: metadata.is_file().then_some(metadata.len()),
            file,
        })
    }

    /// The file itself, to compare it with others or to read it twice.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// The same input as a regular file at its beginning; what cannot be read twice is
    /// copied to a temporary file, which goes with the process.
    pub fn rereadable(mut self, stop: &Stop) -> io::Result<Self> {
        if self.length.is_some() {
            return Ok(self);
        }
        let mut copy = tempfile::tempfile()?;
        let length = AtomicU64::new(0);
        let mut buffer = Vec::new();
        while !stop.is_asked() {
            let mut readable = [PollFd::new(&self.file, PollFlags::IN)];
            match poll(&mut readable, Some(&GLANCE)) {
                Ok(0) | Err(rustix::io::Errno::INTR) => continue,
                other => other?,
            };
            if fill(&self.file, &mut buffer, &length)? {
                break;
            }
            copy.write_all(&buffer)?;
            buffer.clear();
        }
        copy.rewind()?;
        self.file = copy;
        self.length = Some(length.into_inner());
        Ok(self)
    }

    /// Another handle on the same file, at its beginning; the two share one position.
    pub fn again(&self) -> io::Result<Self> {
        let mut file = self.file.try_clone()?;
        file.rewind()?;
        Self::new(self.name.clone(), file)
    }

    /// Goes back to the beginning, for whoever reads the file itself.
    pub fn rewind(&mut self) -> io::Result<&mut File> {
        self.file.rewind()?;
        Ok(&mut self.file)
    }

    /// Reads all of a file that is one value; `None` when it exceeds `limit` bytes.
    pub fn read_whole(self, limit: usize) -> io::Result<Option<Block>> {
        let mut bytes = Vec::new();
        let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
        (&self.file).take(most).read_to_end(&mut bytes)?;
        Ok((bytes.len() <= limit).then(|| Block {
            input: self.name,
            first_line: 1,
            lines: vec![span(0, bytes.len())],
            bytes,
            is_one_value: true,
        }))
    }
}

/// Some whole lines of one input.
#[derive(Debug)]
pub struct Block {
    /// The name of the input.
    pub input: Arc<str>,
    /// Number of the first line, from 1.
    pub first_line: u64,
    /// The lines with their line ends.
    pub bytes: Vec<u8>,
    lines: Vec<Span>,
    /// A line feed at its end is part of it.
    is_one_value: bool,
}

/// A place in a block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) start: u32,
    pub(super) length: u32,
}

pub(super) fn span(start: usize, length: usize) -> Span {
    let narrow = |n| u32::try_from(n).expect("a block is shorter than 4 GiB");
    Span {
        start: narrow(start),
        length: narrow(length),
    }
}

impl Span {
    pub(super) fn of(self, bytes: &[u8]) -> &[u8] {
        let start = self.start as usize;
        &bytes[start..start + self.length as usize]
    }
}

impl Block {
    fn new(input: Arc<str>, first_line: u64, bytes: Vec<u8>) -> Self {
        let mut lines = Vec::with_capacity(bytes.len() / 128 + 1);
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', &bytes) {
            lines.push(span(start, end + 1 - start));
            start = end + 1;
        }
        if start < bytes.len() {
            lines.push(span(start, bytes.len() - start));
        }
        Self {
            input,
            first_line,
            bytes,
            lines,
            is_one_value: false,
        }
    }

    /// How many lines there are.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether there is no line.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Line `index` with its line end.
    pub fn raw(&self, index: usize) -> &[u8] {
        self.lines[index].of(&self.bytes)
    }

    /// Line `index` without its line feed, or the value that this is.
    pub fn line(&self, index: usize) -> &[u8] {
        let raw = self.raw(index);
        if self.is_one_value {
            return raw;
        }
        raw.strip_suffix(b"\n").unwrap_or(raw)
    }
}

/// What the reader hands on, in the order of the input.
#[derive(Debug)]
pub enum Piece {
    /// Whole lines.
    Lines(Block),
    /// A part of a line that exceeds the limit.
    Overlong {
        input: Arc<str>,
        /// The line's number.
        line: u64,
        bytes: Vec<u8>,
        /// Whether the line ends here.
        last: bool,
    },
    /// The input broke off.
    Broken { input: Arc<str>, error: io::Error },
    /// What was read cannot be written down, so nothing more is read.
    NotKept(FailedFileError),
}

/// Reads inputs one after the other.
#[derive(Debug)]
pub struct Reader {
    /// A line longer than this many bytes is handed on in pieces.
    pub longest_line: usize,
    /// Asked to stop, read on: a file to its end, a pipe as far as it is filled,
    /// so that whoever keeps unsent lines gets all of them.
    pub finish_reading: bool,
    /// Counts the bytes read, for progress.
    pub bytes_read: Arc<AtomicU64>,
    pub stop: Stop,
    /// Where all that is read is written down before it waits for anything.
    pub journal: Option<Journal>,
}

/// Why an input is not read to its end.
enum Trouble {
    Input(io::Error),
    Journal(FailedFileError),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Input(error)
    }
}

impl From<FailedFileError> for Trouble {
    fn from(error: FailedFileError) -> Self {
        Self::Journal(error)
    }
}

impl Reader {
    /// Reads all `inputs` into `pieces`; ends early when nobody listens any more.
    pub fn run(&self, inputs: Vec<Input>, pieces: &SyncSender<Piece>) {
        for input in inputs {
            let name = input.name.clone();
            match self.read(&input, pieces) {
                Ok(true) => {}
                Ok(false) => return,
                Err(Trouble::Input(error)) => {
                    let _ = pieces.send(Piece::Broken { input: name, error });
                    return;
                }
                Err(Trouble::Journal(error)) => {
                    let _ = pieces.send(Piece::NotKept(error));
                    return;
                }
            }
        }
    }

    fn note(&self, bytes: &[u8]) -> Result<(), FailedFileError> {
        let journal = self.journal.as_ref();
        journal.map_or(Ok(()), |journal| journal.note(bytes))
    }

    /// Ends a last line that has no line end.
    fn end_line(&self) -> Result<(), FailedFileError> {
        self.journal.as_ref().map_or(Ok(()), Journal::end_line)
    }

    /// Returns whether to go on with the next input.
    fn read(&self, input: &Input, pieces: &SyncSender<Piece>) -> Result<bool, Trouble> {
        let mut buffer: Vec<u8> = Vec::with_capacity(BLOCK);
        let mut line = 1;
        // Within a line that exceeds the limit.
        let mut overlong = false;
        // What a full pipe may still hold when it is time to stop.
        let mut last_fill = PIPE;
        loop {
            let stopping = self.stop.is_asked() && input.length.is_none();
            if !self.wait(input)? || (stopping && last_fill == 0) {
                // What is left of a line was read, so it is handed on as well.
                self.end_line()?;
                let rest = Piece::Lines(Block::new(input.name.clone(), line, buffer));
                let _ = pieces.send(rest);
                return Ok(false);
            }
            let before = buffer.len();
            let ended = match fill(&input.file, &mut buffer, &self.bytes_read) {
                Ok(ended) => ended,
                Err(error) => {
                    // What was read of the last line was read.
                    self.end_line()?;
                    let rest = Piece::Lines(Block::new(input.name.clone(), line, buffer));
                    let _ = pieces.send(rest);
                    return Err(error.into());
                }
            };
            self.note(&buffer[before..])?;
            if ended {
                self.end_line()?;
            }
            if stopping {
                last_fill = last_fill.saturating_sub(buffer.len() - before);
            }
            if overlong {
                let end = memchr(b'\n', &buffer).map(|end| end + 1);
                let rest = buffer.split_off(end.unwrap_or(buffer.len()));
                let piece = Piece::Overlong {
                    input: input.name.clone(),
                    line,
                    last: end.is_some() || ended,
                    bytes: std::mem::replace(&mut buffer, with_room(&rest)),
                };
                if pieces.send(piece).is_err() {
                    return Ok(false);
                }
                overlong = end.is_none();
                line += u64::from(end.is_some());
            }
            let whole = if ended {
                buffer.len()
            } else if overlong {
                0
            } else {
                memrchr(b'\n', &buffer).map_or(0, |end| end + 1)
            };
            if whole > 0 {
                let rest = with_room(&buffer[whole..]);
                buffer.truncate(whole);
                let block = Block::new(
                    input.name.clone(),
                    line,
                    std::mem::replace(&mut buffer, rest),
                );
                line += block.len() as u64;
                if pieces.send(Piece::Lines(block)).is_err() {
                    return Ok(false);
                }
            }
            if ended {
                return Ok(true);
            }
            overlong |= buffer.len() > self.longest_line;
        }
    }

    /// Waits for input; says whether to go on reading.
    fn wait(&self, input: &Input) -> io::Result<bool> {
        loop {
            let asked = self.stop.is_asked();
            if asked && !self.finish_reading {
                return Ok(false);
            }
            if input.length.is_some() {
                return Ok(true);
            }
            let timeout = if asked { Timespec::default() } else { GLANCE };
            match poll(
                &mut [PollFd::new(&input.file, PollFlags::IN)],
                Some(&timeout),
            ) {
                Ok(0) if asked => return Ok(false),
                Ok(0) | Err(rustix::io::Errno::INTR) => {}
                Ok(_) => return Ok(true),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Appends what one read gives; says whether the input has ended.
fn fill(file: &File, buffer: &mut Vec<u8>, bytes_read: &AtomicU64) -> io::Result<bool> {
    // A long line grows its buffer by what it holds already, so that it is copied a few times only.
    if buffer.capacity() - buffer.len() < BLOCK / 4 {
        buffer.reserve(BLOCK.max(buffer.len()));
    }
    loop {
        match rustix::io::read(file, spare_capacity(buffer)) {
            Ok(read) => {
                bytes_read.fetch_add(read as u64, Ordering::Relaxed);
                return Ok(read == 0);
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn with_room(rest: &[u8]) -> Vec<u8> {
    let mut buffer = Vec::with_capacity(BLOCK.max(rest.len() * 2));
    buffer.extend_from_slice(rest);
    buffer
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;

    /// What a reader makes of `bytes`: blocks joined again, then pieces of long lines.
    fn read(bytes: &[u8], longest_line: usize) -> Vec<Piece> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file.rewind().unwrap();
        let input = Input::new("file".into(), file).unwrap();
        let (sender, receiver) = sync_channel(1000);
        Reader {
            longest_line,
            finish_reading: false,
            bytes_read: Arc::default(),
            stop: Stop::default(),
            journal: None,
        }
        .run(vec![input], &sender);
        drop(sender);
        receiver.iter().collect()
    }

    fn joined(pieces: &[Piece]) -> Vec<u8> {
        pieces
            .iter()
            .flat_map(|piece| match piece {
                Piece::Lines(block) => block.bytes.clone(),
                Piece::Overlong { bytes, .. } => bytes.clone(),
                Piece::Broken { error, .. } => panic!("{error}"),
                Piece::NotKept(error) => panic!("{error}"),
            })
            .collect()
    }

    #[test]
    fn blocks_hold_whole_lines_and_lose_no_byte() {
        let text: Vec<u8> = (0..200_000)
            .flat_map(|n| format!("line {n}\r\n").into_bytes())
            .chain(*b"no end")
            .collect();
        let pieces = read(&text, 1 << 20);
        assert_eq!(joined(&pieces), text);
        let mut next = 1;
        for piece in &pieces {
            let Piece::Lines(block) = piece else {
                panic!("no line is long")
            };
            assert_eq!(block.first_line, next);
            next += block.len() as u64;
        }
        assert_eq!(next, 200_002);
    }

    #[test]
    fn an_overlong_line_passes_in_pieces_and_the_next_is_read_again() {
        let mut text = b"a\n".to_vec();
        text.extend(std::iter::repeat_n(b'x', 3 * BLOCK));
        text.extend(b"\nb\n");
        let pieces = read(&text, BLOCK);
        assert_eq!(joined(&pieces), text);
        let Some(Piece::Lines(last)) = pieces.last() else {
            panic!("ends in a line")
        };
        assert_eq!((last.first_line, last.line(0)), (3, b"b".as_slice()));
        let ends = pieces
            .iter()
            .filter(|piece| matches!(piece, Piece::Overlong { last: true, .. }))
            .count();
        assert_eq!(ends, 1);
    }
}
