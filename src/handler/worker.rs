//! Takes records from the queue and settles them: tries, waits, and halves.

use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

use super::breaker::Admission;
use super::dispatch::Event;
use super::input::{input, place, variables};
use super::listener::{Ears, Printed};
use super::process::{Ended, Process, Waiter};
use super::verdict::judge;
use super::wake::Wake;
use super::{Ending, Error, Failure, Item, Tools, Verdict};
use crate::kafka::Commits;

/// How often a closed door is looked at.
const GLANCE: Duration = Duration::from_millis(50);

/// One of those who work on the queue, with one handler at a time.
pub(super) struct Worker {
    pub(super) index: usize,
    pub(super) tools: Arc<Tools>,
    pub(super) wake: Wake,
    pub(super) waiter: Waiter,
    pub(super) events: SyncSender<Event>,
    pub(super) chance: ChaCha8Rng,
    pub(super) commits: Commits,
}

/// What came of one try.
pub(super) enum Attempt {
    Accepted,
    Failed(Failure, Verdict),
    /// It says nothing of the records.
    Interrupted,
    Fatal(Error),
}

impl Worker {
    /// Works until the queue has ended.
    pub(super) fn run(mut self) {
        if self.tools.manner.stream {
            return self.run_stream();
        }
        let tools = self.tools.clone();
        let (most, interval) = (tools.manner.batch, tools.manner.flush_interval);
        while let Some(items) = tools.queue.take(self.index, most, interval) {
            self.handle(items);
        }
    }

    /// Handles what a run before this one did not survive alone, and the rest together.
    fn handle(&mut self, items: Vec<Item>) {
        let mut together = Vec::new();
        for item in items {
            match self.tools.known_tries(&item) {
                Ok(None) => together.push(item),
                Ok(Some(tries)) => {
                    self.work(std::mem::take(&mut together), 0);
                    self.work(vec![item], tries);
                }
                Err(error) => {
                    self.fail(error);
                    self.give_up(&[item]);
                }
            }
        }
        self.work(together, 0);
    }

    /// Settles `items`, which were tried alone `before`.
    fn work(&mut self, items: Vec<Item>, before: u32) {
        let most = self.tools.manner.max_attempts;
        let deadly = Failure {
            ending: Ending::Deadly,
            words: String::new(),
        };
        if before >= most {
            for item in items {
                self.bury(item, &deadly, before);
            }
        } else {
            self.try_up_to(most - before, items, before, false);
        }
    }

    /// Tries `items` so often, then their halves once each, and single ones as often as allowed.
    fn try_up_to(&mut self, tries: u32, mut items: Vec<Item>, before: u32, is_half: bool) {
        let mut failures = 0;
        let mut is_first = !is_half;
        let failure = loop {
            items = self.still_ours(items);
            if items.is_empty() {
                return;
            }
            if !self.admitted(&items) {
                continue;
            }
            if std::mem::take(&mut is_first) {
                self.tools.consumed(&items);
            }
            let attempt = self.attempt(&items, failures + before > 0);
            if let Attempt::Failed(failure, verdict) = &attempt {
                // One bad record fails its batch and each half that it is in, which is one failure.
                let counts = items.len() == 1 || (!is_half && failures == 0);
                // A probe is answered whatever it was.
                if counts || *verdict != Verdict::Retry || self.tools.breaker.is_open() {
                    self.judge_handler(*verdict, failure);
                }
            }
            match attempt {
                Attempt::Accepted => {
                    self.tools.accepted(&items);
                    return self.settle(&items);
                }
                Attempt::Interrupted | Attempt::Failed(_, Verdict::Down) => {
                    self.take_back(&items, items.len() == 1);
                }
                Attempt::Failed(failure, verdict) => {
                    failures += 1;
                    if verdict == Verdict::Reject || failures >= tries {
                        break failure;
                    }
                    self.wait_to_retry(failures, &items);
                }
                Attempt::Fatal(error) => {
                    self.take_back(&items, items.len() == 1);
                    self.fail(error);
                    return self.give_up(&items);
                }
            }
        };
        if items.len() == 1 {
            for item in items {
                self.bury(item, &failure, before + failures);
            }
            return;
        }
        let second = items.split_off(items.len() / 2);
        for half in [items, second] {
            let tries = if half.len() == 1 {
                self.tools.manner.max_attempts
            } else {
                1
            };
            self.try_up_to(tries, half, 0, true);
        }
    }

    /// Lets go of what is no longer to be handled here.
    fn still_ours(&mut self, items: Vec<Item>) -> Vec<Item> {
        let ours = self.tools.queue.let_go(items);
        self.tools.queue.tell(&self.events);
        ours
    }

    fn attempt(&mut self, items: &[Item], again: bool) -> Attempt {
        if let Err(error) = self.tools.begin(items, items.len() == 1) {
            return Attempt::Fatal(error);
        }
        let start = Instant::now();
        let (ended, printed) = match self.run_handler(items) {
            Ok(ran) => ran,
            Err(error) => return Attempt::Fatal(error),
        };
        self.wake.forget_cancel();
        if let Some(error) = printed.broken {
            self.give_way();
            let _ = self.events.send(Event::NotPrinted(error));
            return Attempt::Interrupted;
        }
        let ending = match ended {
            Ended::Cancelled => {
                self.give_way();
                return Attempt::Interrupted;
            }
            Ended::Refused => Ending::BadOutput("it is too long".into()),
            Ended::Ending(ending) => ending,
        };
        self.tools.metrics.ran(items.len(), start.elapsed(), again);
        let verdict = judge(&ending, &self.tools.manner.rules);
        let words = printed.words;
        if verdict == Verdict::Accept {
            return self.deliver(items, &printed.output);
        }
        self.failed(Failure { ending, words }, verdict)
    }

    /// Takes notice of a failure, of which the breaker is yet to be told.
    pub(super) fn failed(&mut self, failure: Failure, verdict: Verdict) -> Attempt {
        self.tools.metrics.failed(&failure.ending);
        if let (Verdict::Stop, Ending::Exit(status)) = (verdict, &failure.ending) {
            self.give_way();
            return Attempt::Fatal(Error::NoProgram { status: *status });
        }
        Attempt::Failed(failure, verdict)
    }

    /// Tells the breaker what a verdict says of the handler.
    pub(super) fn judge_handler(&mut self, verdict: Verdict, failure: &Failure) {
        if matches!(verdict, Verdict::Accept | Verdict::Reject) {
            if self.tools.breaker.succeeded() {
                self.note("the handler works again");
            }
            return;
        }
        let (down, chance) = (verdict == Verdict::Down, self.chance());
        if self.tools.breaker.failed(down, Instant::now(), chance) {
            self.note(&format!(
                "the handler fails ({failure}): nothing is started but a probe now and then"
            ));
        }
    }

    pub(super) fn give_way(&self) {
        self.tools.breaker.gave_up();
    }

    fn note(&self, text: &str) {
        let _ = self.events.send(Event::Note(text.to_owned()));
    }

    pub(super) fn chance(&mut self) -> f64 {
        // Thirty-two bits are chance enough.
        f64::from(self.chance.next_u32()) / (f64::from(u32::MAX) + 1.0)
    }

    /// Waits until the breaker lets a handler start; says whether it did.
    fn admitted(&mut self, items: &[Item]) -> bool {
        loop {
            match self.tools.breaker.enter(Instant::now()) {
                Admission::Granted => return true,
                Admission::At(_) if self.tools.queue.lets_go(items) => return false,
                Admission::At(until) => {
                    let left = until.saturating_duration_since(Instant::now());
                    self.wake
                        .sleep(left.clamp(Duration::from_millis(1), GLANCE));
                }
            }
        }
    }

    pub(super) fn wait_to_retry(&mut self, failures: u32, items: &[Item]) {
        let chance = self.chance();
        let until = Instant::now() + self.tools.manner.backoff.wait(failures, chance);
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || self.tools.queue.lets_go(items) {
                return;
            }
            // What others finish meanwhile may decide whether these are let go.
            self.wake.sleep(left.min(GLANCE));
        }
    }

    /// Runs a handler over `items`, whatever comes of it.
    fn run_handler(&mut self, items: &[Item]) -> Result<(Ended, Printed), Error> {
        let tools = self.tools.clone();
        let manner = &tools.manner;
        let input = input(items, manner.form);
        let keeps = manner.to.is_some();
        let to = (!keeps).then_some(&tools.stdout);
        let mut ears = Ears::new(place(items), &tools.chatter, to);
        let child = match tools.program.spawn(&variables(items)) {
            Ok(child) => child,
            Err(error) if is_shortage(&error) => {
                let ended = Ended::Ending(Ending::NotStarted);
                let mut printed = ears.finish();
                printed.words = error.to_string();
                return Ok((ended, printed));
            }
            Err(source) => {
                self.give_way();
                return Err(Error::CannotRun {
                    program: tools.program.program.to_string_lossy().into_owned(),
                    source,
                });
            }
        };
        let ended = Process::new(child, &self.waiter)
            .and_then(|process| process.run(&input, manner.timeout, &self.wake, &mut ears))
            .map_err(|source| Error::System { source })?;
        Ok((ended, ears.finish()))
    }

    /// The run is to end with this.
    pub(super) fn fail(&mut self, error: Error) {
        // Before anybody else begins anything.
        self.tools.queue.abandon(None);
        let _ = self.events.send(Event::Failed(error));
    }

    /// These are done.
    pub(super) fn settle(&mut self, items: &[Item]) {
        if let Err(error) = self.tools.settle_attempts(items) {
            self.fail(error);
        }
        self.tools.queue.finish(items);
        self.tools.queue.tell(&self.events);
    }

    /// These are not done, and not to be done here.
    pub(super) fn give_up(&mut self, items: &[Item]) {
        self.tools.queue.give_up(items);
        self.tools.queue.tell(&self.events);
    }

    pub(super) fn take_back(&mut self, items: &[Item], alone: bool) {
        if let Err(error) = self.tools.take_back(items, alone) {
            self.fail(error);
        }
    }
}

/// The system has no room for another process just now (`fork(2)`).
pub(super) fn is_shortage(error: &std::io::Error) -> bool {
    [libc::EAGAIN, libc::ENOMEM, libc::EMFILE, libc::ENFILE]
        .map(Some)
        .contains(&error.raw_os_error())
}
