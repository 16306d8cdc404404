//! Records on stdout: formatted here, written on a thread of its own, never twice buffered.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::error::CommandError;
use crate::pipeline::pump::Sink;
use crate::record::{PayloadMode, Record, Template, encode};
use crate::ui::dead_letters::DeadLetters;
use crate::ui::pretty::Pretty;
use crate::ui::sanitize::sanitize_into;

/// A chunk is handed to the writer when it holds so much.
const CHUNK: usize = 512 * 1024;

/// Chunks that may wait for the writer.
const CHUNKS: usize = 2;

/// How often a waiting thread looks whether the run is over.
const GLANCE: Duration = Duration::from_millis(50);

/// How long a reader that takes nothing holds up the end of a run.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a record looks like.
pub enum Format {
    /// A record line.
    Line(PayloadMode),
    /// The value's bytes and a newline.
    Values,
    Template(Box<Template>),
    /// For people, on a terminal.
    Pretty(Box<Pretty>),
    /// The same with a label to each part.
    Labelled(Box<Pretty>),
    /// The same with what it died of in front.
    Dead(Box<DeadLetters>),
}

impl Format {
    fn write(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        match self {
            Self::Line(mode) => encode(record, *mode, out),
            Self::Values => {
                out.extend_from_slice(record.value.unwrap_or_default());
                out.push(b'\n');
            }
            Self::Template(template) => template.write(record, out),
            Self::Pretty(pretty) => pretty.write(record, out),
            Self::Labelled(pretty) => pretty.write_labelled(record, out),
            Self::Dead(letters) => letters.write(record, out),
        }
    }
}

/// A sink that writes each record as `format` says.
pub struct Output {
    format: Format,
    /// Where the text of one record is made fit for a terminal, if stdout is one.
    for_terminal: Option<Vec<u8>>,
    chunk: Vec<u8>,
    writer: Writer,
    /// Watched for its reader going away.
    file: File,
}

impl Output {
    /// Writes to stdout.
    ///
    /// Once `is_over`, a reader that takes nothing is waited for a little longer only;
    /// then writing fails as timed out.
    pub fn stdout(format: Format, is_over: impl Fn() -> bool + 'static) -> io::Result<Self> {
        let file = stdout()?;
        // What is for people is fit for a terminal already.
        let is_for_people = matches!(
            format,
            Format::Pretty(_) | Format::Labelled(_) | Format::Dead(_)
        );
        let raw = file.is_terminal() && !is_for_people;
        Ok(Self {
            format,
            for_terminal: raw.then(Vec::new),
            chunk: Vec::new(),
            writer: Writer::start(file.try_clone()?, Box::new(is_over))?,
            file,
        })
    }

    /// Formats a record without writing it.
    pub fn format(&mut self, record: &Record<'_>) -> Vec<u8> {
        let before = self.chunk.len();
        self.append(record);
        self.chunk.split_off(before)
    }

    fn append(&mut self, record: &Record<'_>) {
        // People change the width of their terminals while they read.
        let pretty = match &mut self.format {
            Format::Pretty(pretty) | Format::Labelled(pretty) => Some(&mut **pretty),
            Format::Dead(letters) => Some(letters.pretty()),
            _ => None,
        };
        if let Some(pretty) = pretty
            && let Some(width) = width(&self.file)
        {
            pretty.set_width(width);
        }
        match &mut self.for_terminal {
            None => self.format.write(record, &mut self.chunk),
            Some(text) => {
                text.clear();
                self.format.write(record, text);
                sanitize_into(text, &mut self.chunk);
            }
        }
    }

    /// Writes what [`Output::format`] made.
    pub fn write_formatted(&mut self, text: &[u8]) -> io::Result<()> {
        self.chunk.extend_from_slice(text);
        self.hand_over_from(CHUNK)
    }

    /// Writes lines that were made elsewhere; on a terminal, what is unfit for one is escaped.
    pub fn write_lines(&mut self, lines: &[u8]) -> io::Result<()> {
        if self.for_terminal.is_some() {
            sanitize_into(lines, &mut self.chunk);
        } else {
            self.chunk.extend_from_slice(lines);
        }
        self.hand_over_from(CHUNK)
    }

    fn hand_over_from(&mut self, size: usize) -> io::Result<()> {
        if self.chunk.len() >= size {
            let chunk = std::mem::take(&mut self.chunk);
            self.chunk = self.writer.write(chunk)?;
        }
        Ok(())
    }
}

impl Sink for Output {
    fn write(&mut self, record: &Record<'_>) -> io::Result<()> {
        self.append(record);
        self.hand_over_from(CHUNK)
    }

    fn end_batch(&mut self) -> io::Result<()> {
        self.hand_over_from(1)
    }

    fn flush(&mut self, until: Option<Instant>) -> io::Result<bool> {
        self.hand_over_from(1)?;
        self.writer.flush(until)
    }

    fn is_closed(&self) -> bool {
        let mut descriptors = [PollFd::new(&self.file, PollFlags::empty())];
        let now = Timespec::default();
        poll(&mut descriptors, Some(&now)).is_ok_and(|_| {
            let gone = PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL;
            descriptors[0].revents().intersects(gone)
        })
    }
}

/// Stdout without a buffer of its own; a pipe is made larger where that is allowed.
pub fn stdout() -> io::Result<File> {
    let stdout: OwnedFd = io::stdout().as_fd().try_clone_to_owned()?;
    let _ = rustix::pipe::fcntl_setpipe_size(&stdout, 1024 * 1024);
    Ok(File::from(stdout))
}

/// Writes whole chunks on a thread, so that formatting goes on meanwhile.
struct Writer {
    chunks: SyncSender<Vec<u8>>,
    /// Chunks that are written come back empty, to be filled again.
    written: Receiver<io::Result<Vec<u8>>>,
    outstanding: usize,
    is_over: Box<dyn Fn() -> bool>,
    over_since: Option<Instant>,
}

impl Writer {
    fn start(mut file: File, is_over: Box<dyn Fn() -> bool>) -> io::Result<Self> {
        let (chunks, to_write) = sync_channel::<Vec<u8>>(CHUNKS);
        let (report, written) = sync_channel(CHUNKS + 2);
        thread::Builder::new().name("write".into()).spawn(move || {
            for mut chunk in to_write {
                let result = write_all(&mut file, &chunk);
                chunk.clear();
                if report.send(result.map(|()| chunk)).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self {
            chunks,
            written,
            outstanding: 0,
            is_over,
            over_since: None,
        })
    }

    /// Hands `chunk` over and gives an empty one back.
    fn write(&mut self, chunk: Vec<u8>) -> io::Result<Vec<u8>> {
        let mut spare = None;
        while let Ok(written) = self.written.try_recv() {
            self.outstanding -= 1;
            spare = Some(written?);
        }
        if self.outstanding > CHUNKS {
            spare = Some(self.wait(None)?.unwrap_or_default());
        }
        self.outstanding += 1;
        self.chunks.send(chunk).map_err(|_| gone())?;
        Ok(spare.unwrap_or_else(|| Vec::with_capacity(CHUNK + CHUNK / 4)))
    }

    fn flush(&mut self, until: Option<Instant>) -> io::Result<bool> {
        while self.outstanding > 0 {
            if self.wait(until)?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Waits for one chunk to be written; `None` when that took too long.
    fn wait(&mut self, until: Option<Instant>) -> io::Result<Option<Vec<u8>>> {
        loop {
            let left = until.map_or(GLANCE, |until| {
                until.saturating_duration_since(Instant::now()).min(GLANCE)
            });
            match self.written.recv_timeout(left) {
                Ok(written) => {
                    self.outstanding -= 1;
                    return written.map(Some);
                }
                Err(RecvTimeoutError::Disconnected) => return Err(gone()),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if until.is_some_and(|until| Instant::now() >= until) {
                return Ok(None);
            }
            if (self.is_over)() {
                let since = self.over_since.get_or_insert_with(Instant::now);
                if since.elapsed() >= PATIENCE {
                    return Err(io::ErrorKind::TimedOut.into());
                }
            }
        }
    }
}

/// How many columns a terminal has; `None` where it does not tell, and of what is none.
fn width(file: &File) -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(file).ok()?;
    (size.ws_col > 0).then(|| size.ws_col.into())
}

fn gone() -> io::Error {
    io::Error::other("the writing thread ended")
}

/// Writes all of `bytes`, also where somebody made the pipe non-blocking.
pub fn write_all(file: &mut File, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                poll(&mut [PollFd::new(&*file, PollFlags::OUT)], None)?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Makes a closed pipe an end like any other, and other troubles errors.
pub fn tolerate_closed(result: io::Result<()>) -> Result<(), CommandError> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(cannot_write(error)),
        _ => Ok(()),
    }
}

/// Stdout does not take what is written: a full disk, say.
pub fn cannot_write(error: io::Error) -> CommandError {
    CommandError::failed(WriteError(error))
}

#[derive(Debug, thiserror::Error)]
#[error("cannot write to stdout")]
struct WriteError(#[source] io::Error);
