//! What is done with what a handler prints: stdout to ours or kept, stderr as lines.

use std::fs::File;
use std::io::{self, IsTerminal};
use std::sync::{Mutex, PoisonError};

use super::chatter::{Chatter, Lines};
use super::process::Listener;
use crate::sink::output;
use crate::ui::sanitize::sanitize_into;

/// Output that is kept until a handler ends is no longer than this, in bytes.
const LONGEST_OUTPUT: usize = 64 * 1024 * 1024;

/// The end of a line is waited for up to so many bytes.
const LONGEST_LINE: usize = 1024 * 1024;

/// Our stdout, for all handlers.
pub struct Stdout {
    file: Mutex<File>,
    is_terminal: bool,
}

impl Stdout {
    /// Opens it.
    pub fn open() -> io::Result<Self> {
        let file = output::stdout()?;
        Ok(Self {
            is_terminal: file.is_terminal(),
            file: Mutex::new(file),
        })
    }

    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_terminal {
            let mut text = Vec::new();
            sanitize_into(bytes, &mut text);
            return output::write_all(&mut file, &text);
        }
        output::write_all(&mut file, bytes)
    }
}

/// Listens to one run.
pub(super) struct Ears<'a> {
    place: String,
    chatter: &'a Chatter,
    lines: Lines,
    output: Output<'a>,
    /// So much of what was kept was taken line by line.
    taken: usize,
}

enum Output<'a> {
    Kept(Vec<u8>),
    Passed {
        to: &'a Stdout,
        /// The beginning of a line whose end is to come.
        line: Vec<u8>,
        broken: Option<io::Error>,
    },
}

/// What a run printed.
pub(super) struct Printed {
    /// What was kept of stdout.
    pub output: Vec<u8>,
    /// The last that it wrote to stderr.
    pub words: String,
    /// Our stdout does not take what it printed.
    pub broken: Option<io::Error>,
}

impl<'a> Ears<'a> {
    /// Passes stdout on to `to`, or keeps it.
    pub(super) fn new(place: String, chatter: &'a Chatter, to: Option<&'a Stdout>) -> Self {
        Self {
            place,
            chatter,
            lines: Lines::default(),
            taken: 0,
            output: to.map_or(Output::Kept(Vec::new()), |to| Output::Passed {
                to,
                line: Vec::new(),
                broken: None,
            }),
        }
    }

    /// Names another record.
    pub(super) fn turn_to(&mut self, place: String) {
        self.place = place;
    }

    /// Takes the next line that was kept, without its line feed.
    pub(super) fn take_line(&mut self) -> Option<Vec<u8>> {
        let Output::Kept(output) = &mut self.output else {
            return None;
        };
        let end = memchr::memchr(b'\n', &output[self.taken..]);
        let Some(end) = end.map(|end| self.taken + end) else {
            output.drain(..self.taken);
            self.taken = 0;
            return None;
        };
        let line = output[self.taken..end].to_vec();
        self.taken = end + 1;
        Some(line)
    }

    /// The run is over.
    pub(super) fn finish(mut self) -> Printed {
        let (chatter, place) = (self.chatter, &self.place);
        self.lines.finish(|line| chatter.say(place, line));
        let words = self.lines.take_last();
        match self.output {
            Output::Kept(output) => Printed {
                output,
                words,
                broken: None,
            },
            Output::Passed { to, line, broken } => Printed {
                output: Vec::new(),
                words,
                broken: broken.or_else(|| to.write(&line).err()),
            },
        }
    }
}

impl Listener for Ears<'_> {
    fn stdout(&mut self, bytes: &[u8]) -> bool {
        match &mut self.output {
            Output::Kept(output) => {
                output.extend_from_slice(bytes);
                output.len() <= LONGEST_OUTPUT
            }
            Output::Passed { broken, .. } if broken.is_some() => false,
            Output::Passed { to, line, broken } => {
                let whole = memchr::memrchr(b'\n', bytes).map_or(0, |end| end + 1);
                line.extend_from_slice(&bytes[..whole]);
                if whole > 0 || line.len() > LONGEST_LINE {
                    *broken = to.write(line).err();
                    line.clear();
                }
                line.extend_from_slice(&bytes[whole..]);
                broken.is_none()
            }
        }
    }

    fn stderr(&mut self, bytes: &[u8]) {
        let (chatter, place) = (self.chatter, &self.place);
        self.lines.push(bytes, |line| chatter.say(place, line));
    }
}
