//! The handler of a stream from its start to its end.

use std::time::{Duration, Instant};

use super::{GLANCE, Hand};
use crate::handler::listener::Ears;
use crate::handler::process::{End, Ended, Process, SHORT_GRACE};
use crate::handler::worker::{Worker, is_shortage};
use crate::handler::{Ending, Error, Failure, Item, Tools, Verdict};

/// How long a handler has to end after its input has ended.
const FAREWELL: Duration = Duration::from_secs(2);

/// How long a handler has to end that broke the rules.
const GRACE: Duration = Duration::from_secs(1);

/// A handler at work.
pub(super) struct Session<'a> {
    pub(super) process: Process,
    pub(super) ears: Ears<'a>,
    pub(super) end: End,
    pub(super) input: Vec<u8>,
    written: usize,
}

impl Session<'_> {
    /// It has so long from now on to answer.
    pub(super) fn give_time(&mut self, timeout: Duration) {
        if let End::Natural(until) = &mut self.end {
            *until = Instant::now() + timeout;
        }
    }

    /// What it writes to stderr is about this record.
    pub(super) fn turn_to(&mut self, item: &Item) {
        self.ears.turn_to(item.place().to_string());
    }

    /// Ends it because what it printed is no verdict.
    pub(super) fn refuse(&mut self, why: String) {
        let why = Ended::Ending(Ending::BadOutput(why));
        self.end.hasten(&self.process, why, GRACE);
    }
}

impl Worker {
    /// Starts a handler; `None` when the system has no room for it just now.
    pub(super) fn start<'a>(&mut self, tools: &'a Tools) -> Result<Option<Session<'a>>, Error> {
        let child = match tools.program.spawn(&[]) {
            Ok(child) => child,
            Err(error) if is_shortage(&error) => {
                let failure = Failure {
                    ending: Ending::NotStarted,
                    words: error.to_string(),
                };
                self.judge_handler(Verdict::Down, &failure);
                return Ok(None);
            }
            Err(source) => {
                return Err(Error::CannotRun {
                    program: tools.program.program.to_string_lossy().into_owned(),
                    source,
                });
            }
        };
        let process =
            Process::new(child, &self.waiter).map_err(|source| Error::System { source })?;
        Ok(Some(Session {
            process,
            ears: Ears::new(String::new(), &tools.chatter, None),
            end: End::Natural(Instant::now() + tools.manner.timeout),
            input: Vec::new(),
            written: 0,
        }))
    }

    /// Lets the handler read and write, and ends it where that is due.
    pub(super) fn attend(&mut self, open: &mut Session<'_>, hand: &Hand) {
        if self.wake.is_cancelled() {
            open.end
                .hasten(&open.process, Ended::Cancelled, SHORT_GRACE);
            self.wake.forget_cancel();
        }
        open.end.come(&open.process);
        let deadline = hand.due().into_iter().chain(open.end.deadline()).min();
        // A door that is closed is looked at again.
        let glance = Instant::now() + GLANCE;
        let deadline = if self.tools.breaker.is_open() {
            deadline.map_or(glance, |deadline| deadline.max(Instant::now()).min(glance))
        } else {
            deadline.unwrap_or(glance)
        };
        let mut input = &open.input[open.written..];
        let before = input.len();
        let wanted = open.process.step(
            &mut input,
            false,
            Some(deadline),
            &self.wake,
            &mut open.ears,
        );
        open.written += before - input.len();
        if open.written == open.input.len() {
            open.input.clear();
            open.written = 0;
        }
        if !wanted {
            open.refuse("a line is too long".into());
        }
    }

    /// Lets a handler end by itself that has nothing more to read.
    pub(super) fn close(&mut self, mut session: Session<'_>) {
        session.end = match session.end {
            End::Natural(_) => End::Natural(Instant::now() + FAREWELL),
            hastened @ End::Hastened(..) => hastened,
        };
        while !session.process.has_ended() {
            session.end.come(&session.process);
            let deadline = session.end.deadline();
            let mut nothing: &[u8] = &[];
            let process = &mut session.process;
            process.step(&mut nothing, true, deadline, &self.wake, &mut session.ears);
        }
        session.process.read_leftovers(&mut session.ears);
        let _ = session.process.reap(&session.end);
        session.ears.finish();
    }
}
