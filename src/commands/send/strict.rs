//! `--strict`: reads all of the input first; one bad line and nothing is sent.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread;

use super::stream::{CannotRead, Parse};
use super::talk::Talk;
use crate::error::CommandError;
use crate::pipeline::ledger::Outlet;
use crate::sink::failed::FailedFile;
use crate::sink::receipt::{Failure, Receipt};
use crate::source::lines::{Input, Piece, Reader};
use crate::stop::Stop;

/// The first pass over the input.
pub(super) struct Strict<'a> {
    pub(super) parse: &'a mut Parse,
    pub(super) longest_line: usize,
    /// Where every record is to go, when that is one topic.
    pub(super) topic: Option<&'a str>,
    pub(super) failed: Option<&'a mut FailedFile>,
    pub(super) talk: &'a mut Talk,
    pub(super) stop: &'a Stop,
}

/// Why a strict run sends nothing.
#[derive(Debug, thiserror::Error)]
#[error("nothing was sent: {bad} {} bad", if *bad == 1 { "line is" } else { "lines are" })]
struct BadLines {
    bad: u64,
}

impl Strict<'_> {
    /// Reads all of it, stdin into a temporary file, and gives it back to be read again.
    ///
    /// Bad lines are told as in any other run, and all lines are kept with why.
    pub(super) fn check(mut self, inputs: Vec<Input>) -> Result<Vec<Input>, CommandError> {
        let mut bad = 0;
        let mut again = Vec::new();
        for input in inputs {
            let mut input = input.rereadable(self.stop).map_err(CommandError::failed)?;
            bad += self.read(&input)?;
            if self.stop.is_asked() {
                return Err(crate::kafka::Error::Interrupted.into());
            }
            input.rewind().map_err(CommandError::failed)?;
            again.push(input);
        }
        if bad == 0 {
            return Ok(again);
        }
        let rest = Failure {
            ends_run: true,
            ..Failure::not_sent(
                "nothing was sent because of other lines, and with it every line that has no \
                 reason of its own",
            )
        };
        self.tell("", None, &rest)?;
        self.talk.end_block().map_err(CommandError::failed)?;
        self.talk.say();
        if let Some(failed) = self.failed {
            for mut input in again {
                let file = input.rewind().map_err(CommandError::failed)?;
                failed.keep_input(file).map_err(CommandError::failed)?;
            }
        }
        Err(CommandError::usage(BadLines { bad }))
    }

    /// Reads one input and counts its bad lines.
    fn read(&mut self, input: &Input) -> Result<u64, CommandError> {
        let (sender, pieces) = sync_channel(2);
        let reader = Reader {
            longest_line: self.longest_line,
            finish_reading: false,
            bytes_read: Arc::default(),
            stop: self.stop.clone(),
            journal: None,
        };
        let first_pass = input.again().map_err(CommandError::failed)?;
        let reading = thread::spawn(move || reader.run(vec![first_pass], &sender));
        let mut bad = 0;
        for piece in pieces {
            match piece {
                Piece::Lines(block) => {
                    let parsed = self.parse.block(block);
                    for (index, error) in parsed.errors() {
                        bad += 1;
                        let line = parsed.block.first_line + index as u64;
                        self.tell(&parsed.block.input, Some(line), &error.into())?;
                    }
                }
                Piece::Overlong {
                    input, line, last, ..
                } => {
                    if last {
                        bad += 1;
                        self.tell(&input, Some(line), &Failure::too_long(self.longest_line))?;
                    }
                }
                Piece::NotKept(error) => return Err(CommandError::failed(error)),
                Piece::Broken { input, error } => {
                    return Err(CommandError::failed(CannotRead {
                        path: PathBuf::from(&*input),
                        error,
                    }));
                }
            }
            self.talk.end_block().map_err(CommandError::failed)?;
        }
        let _ = reading.join();
        Ok(bad)
    }

    fn tell(
        &mut self,
        input: &str,
        line: Option<u64>,
        failure: &Failure,
    ) -> Result<(), CommandError> {
        let receipt = Receipt {
            file: (line.is_some() && input != "stdin").then_some(input),
            line,
            topic: self.topic,
            message_id: None,
            fate: failure.into(),
        };
        self.talk.settled(&receipt, Some(failure), input);
        match &mut self.failed {
            Some(failed) => failed.explain(&receipt).map_err(CommandError::failed),
            None => Ok(()),
        }
    }
}
