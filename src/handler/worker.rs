//! Settles what comes down a lane: tries, waits, halves, and buries what cannot be handled.

use std::sync::atomic::Ordering;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

use super::breaker::Admission;
use super::dispatch::{Event, Fate, Settled};
use super::error;
use super::lane::Lane;
use super::listener::{Ears, Printed};
use super::outlet::{Letter, SendError, Transacted};
use super::process::{Ended, Process, Waiter};
use super::verdict::judge;
use super::wake::Wake;
use super::{Ending, Error, Failure, Form, Item, LastResort, Outlet, Tools, Verdict};
use crate::kafka::{Commits, Outgoing};
use crate::record::dead_letter::Death;
use crate::record::{self, Header, LineKey, PayloadMode, UnknownFields};

/// How often a closed door is looked at.
const GLANCE: Duration = Duration::from_millis(50);

/// A key is no longer than this in a handler's environment, in bytes.
const LONGEST_KEY: usize = 4096;

/// One lane's worker.
pub(super) struct Worker {
    pub(super) index: usize,
    pub(super) lane: Arc<Lane>,
    pub(super) tools: Arc<Tools>,
    pub(super) wake: Wake,
    pub(super) waiter: Waiter,
    pub(super) events: SyncSender<Event>,
    pub(super) chance: ChaCha8Rng,
    pub(super) commits: Commits,
}

/// What came of one try.
enum Attempt {
    Accepted,
    Failed(Failure, Verdict),
    /// It was not to be just now.
    NotBegun,
    /// It says nothing of the records.
    Interrupted,
    Fatal(Error),
}

impl Worker {
    /// Works until the lane is closed.
    pub(super) fn run(mut self) {
        if self.tools.manner.stream {
            return self.run_stream();
        }
        let manner = &self.tools.manner;
        let (most, interval) = (manner.batch, manner.flush_interval);
        while let Some(items) = self.lane.take(most, interval) {
            self.handle(items);
        }
    }

    /// Handles what a run before this one did not survive alone, and the rest together.
    fn handle(&mut self, items: Vec<Item>) {
        let mut together = Vec::new();
        for item in items {
            match self.known_tries(&item) {
                Ok(None) => together.push(item),
                Ok(Some(tries)) => {
                    self.work(std::mem::take(&mut together), 0);
                    self.work(vec![item], tries);
                }
                Err(error) => {
                    self.fail(error);
                    self.give_up(vec![item]);
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
        let failure = loop {
            items = self.still_ours(items);
            if items.is_empty() {
                return;
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
                    self.tools.metrics.processed(items.len());
                    return self.settle(items);
                }
                Attempt::NotBegun => {}
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
                    return self.give_up(items);
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
    pub(super) fn still_ours(&mut self, items: Vec<Item>) -> Vec<Item> {
        let over = self.is_winding_up();
        let (gone, ours): (Vec<Item>, Vec<Item>) = items
            .into_iter()
            .partition(|item| over || item.assignment.is_revoked());
        self.give_up(gone);
        ours
    }

    pub(super) fn is_winding_up(&self) -> bool {
        self.tools.winding_up.load(Ordering::SeqCst)
    }

    fn attempt(&mut self, items: &[Item], again: bool) -> Attempt {
        if !self.admitted(items) {
            return Attempt::NotBegun;
        }
        if let Err(error) = self.begin(items, items.len() == 1) {
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
    fn failed(&mut self, failure: Failure, verdict: Verdict) -> Attempt {
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

    fn give_way(&self) {
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
                Admission::At(_) if self.is_called_off(items) => return false,
                Admission::At(until) => {
                    let left = until.saturating_duration_since(Instant::now());
                    self.wake
                        .sleep(left.clamp(Duration::from_millis(1), GLANCE));
                }
            }
        }
    }

    fn is_called_off(&self, items: &[Item]) -> bool {
        self.is_winding_up() || is_revoked(items)
    }

    fn wait_to_retry(&mut self, failures: u32, items: &[Item]) {
        let chance = self.chance();
        let until = Instant::now() + self.tools.manner.backoff.wait(failures, chance);
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || self.is_called_off(items) {
                return;
            }
            self.wake.sleep(left);
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

    /// Sends what an accepted run printed, if that is wanted.
    fn deliver(&mut self, items: &[Item], output: &[u8]) -> Attempt {
        let tools = self.tools.clone();
        let accepted = |worker: &mut Self| {
            let nothing = Failure {
                ending: Ending::Exit(0),
                words: String::new(),
            };
            worker.judge_handler(Verdict::Accept, &nothing);
            Attempt::Accepted
        };
        let Some(target) = &tools.manner.to else {
            return accepted(self);
        };
        let bad = |worker: &mut Self, why: String| {
            let failure = Failure {
                ending: Ending::BadOutput(why),
                words: String::new(),
            };
            worker.failed(failure, Verdict::Retry)
        };
        let records = match parse(output, target.lines) {
            Ok(records) => records,
            Err(why) => return bad(self, why),
        };
        let mut room = Vec::new();
        let input = match items {
            [item] if target.lines => Some(item.record(&mut room)),
            _ => None,
        };
        let headers: Vec<Vec<Header<'_>>> = records.iter().map(headers).collect();
        let letters: Vec<Letter<'_>> = records
            .iter()
            .zip(&headers)
            .map(|(record, headers)| {
                let outgoing = Outgoing {
                    partition: None,
                    timestamp: record.timestamp,
                    key: input.map_or(record.key.as_deref(), |input| input.key),
                    value: record.value.as_deref(),
                    headers: input.map_or(headers, |input| input.headers),
                };
                (target.topic.as_str(), outgoing)
            })
            .collect();
        match self.send(&letters, items) {
            Ok(Sent::Done) => accepted(self),
            Ok(Sent::Again) => {
                self.give_way();
                self.wait_to_retry(1, items);
                Attempt::Interrupted
            }
            Err(SendError::Refused(refusal)) => bad(self, refusal.text()),
            Err(SendError::Kafka(source)) => {
                self.give_way();
                Attempt::Fatal(self.not_sent(&target.topic, source))
            }
        }
    }

    fn not_sent(&self, topic: &str, source: crate::kafka::Error) -> Error {
        if self.is_exactly_once() {
            return Error::Transaction {
                source: Box::new(source),
            };
        }
        Error::Output {
            topic: topic.to_owned(),
            source: Box::new(source),
        }
    }

    fn is_exactly_once(&self) -> bool {
        let target = self.tools.manner.to.as_ref();
        target.is_some_and(|target| target.exactly_once)
    }

    /// Sends `letters`, and with exactly-once the end of `items` with them.
    fn send(&self, letters: &[Letter<'_>], items: &[Item]) -> Result<Sent, SendError> {
        if letters.is_empty() && !self.is_exactly_once() {
            return Ok(Sent::Done);
        }
        let Some(outlet) = &self.tools.outlet else {
            return Ok(Sent::Done);
        };
        let mut outlet = outlet.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.is_exactly_once() {
            return outlet.send(letters).map(|()| Sent::Done);
        }
        // Taken while the partitions are ours: once they are not, it is refused.
        let group = self.commits.group_metadata();
        if is_revoked(items) {
            return Ok(Sent::Again);
        }
        let Some(group) = group else {
            return Ok(Sent::Again);
        };
        match outlet.transact(letters, &ends(items), group)? {
            Transacted::Committed => Ok(Sent::Done),
            Transacted::Aborted(error) => {
                tracing::info!("a transaction was aborted: {error}");
                Ok(Sent::Again)
            }
        }
    }

    /// Does what is to be done with a record that cannot be handled.
    pub(super) fn bury(&mut self, item: Item, failure: &Failure, attempts: u32) {
        let tools = self.tools.clone();
        let place = item.place().to_string();
        match &tools.manner.last_resort {
            LastResort::Stop => {
                self.fail(Error::NotHandled {
                    place,
                    attempts,
                    failure: failure.to_string(),
                });
                self.give_up(vec![item]);
            }
            LastResort::Skip => {
                if self.is_exactly_once() && !self.commit_alone(&item, &[], &place) {
                    return self.give_up(vec![item]);
                }
                tools.metrics.skipped();
                let text = format!("skipped after {}: {failure}", error::in_words(attempts));
                tools.chatter.say(&place, text.as_bytes());
                self.settle(vec![item]);
            }
            LastResort::DeadLetter(topic) => {
                let own = format!("dlq.{}", item.assignment.topic);
                let topic = topic.as_deref().unwrap_or(&own);
                if topic == item.assignment.topic
                    || item.assignment.topic.starts_with("dlq.") && topic == own
                {
                    self.fail(Error::DeadAlready { place });
                    return self.give_up(vec![item]);
                }
                let (mut room, mut header_room) = (Vec::new(), Vec::new());
                let record = item.record(&mut header_room);
                let (status, message) = (failure.ending.to_string(), failure.to_string());
                let death = Death {
                    topic: Some(record.topic.into()),
                    partition: Some(record.partition),
                    offset: Some(record.offset),
                    timestamp: record.timestamp.map(|timestamp| timestamp.millis),
                    group: Some(tools.manner.group.as_str().into()),
                    deliveries: Some(attempts.into()),
                    message: Some(message.into()),
                    status: Some(status.into()),
                };
                let headers = death.write(record.headers, &mut room);
                let letter = Outgoing {
                    partition: None,
                    timestamp: None,
                    key: record.key,
                    value: record.value,
                    headers: &headers,
                };
                if !self.commit_alone(&item, &[(topic, letter)], &place) {
                    return self.give_up(vec![item]);
                }
                tools.metrics.dead_lettered();
                let text = format!("dead letter after {}: {failure}", error::in_words(attempts));
                tools.chatter.say(&place, text.as_bytes());
                self.settle(vec![item]);
            }
        }
    }

    /// Sends the letters of one record; says whether that is done, or ends the run.
    fn commit_alone(&mut self, item: &Item, letters: &[Letter<'_>], place: &str) -> bool {
        let items = std::slice::from_ref(item);
        loop {
            let source = match self.send(letters, items) {
                Ok(Sent::Done) => return true,
                Ok(Sent::Again) if self.is_called_off(items) => return false,
                Ok(Sent::Again) => {
                    self.wait_to_retry(1, items);
                    continue;
                }
                Err(SendError::Refused(refusal)) => refusal.into_error("send it"),
                Err(SendError::Kafka(source)) => source,
            };
            self.fail(match letters.first() {
                Some((topic, _)) => Error::DeadLetter {
                    place: place.to_owned(),
                    topic: (*topic).to_owned(),
                    source: Box::new(source),
                },
                None => Error::Transaction {
                    source: Box::new(source),
                },
            });
            return false;
        }
    }

    /// The run is to end with this.
    pub(super) fn fail(&mut self, error: Error) {
        self.tools.winding_up.store(true, Ordering::SeqCst);
        let _ = self.events.send(Event::Failed(error));
    }

    /// These are done.
    pub(super) fn settle(&mut self, items: Vec<Item>) {
        let settled = self.with_attempts(|attempts| attempts.settle(&items));
        if let Err(error) = settled {
            self.fail(error);
        }
        self.tell(items, Fate::Finished);
    }

    /// These are not done, and not to be done here.
    pub(super) fn give_up(&mut self, items: Vec<Item>) {
        self.tell(items, Fate::GivenUp);
    }

    fn tell(&mut self, items: Vec<Item>, fate: Fate) {
        if items.is_empty() {
            return;
        }
        let settled = items.into_iter().map(|item| Settled::new(&item, fate));
        let _ = self.events.send(Event::Settled {
            lane: self.index,
            records: settled.collect(),
        });
    }

    pub(super) fn known_tries(&self, item: &Item) -> Result<Option<u32>, Error> {
        self.with_attempts(|attempts| attempts.known(item))
            .map(Option::flatten)
    }

    pub(super) fn begin(&self, items: &[Item], alone: bool) -> Result<(), Error> {
        self.with_attempts(|attempts| attempts.begin(items, alone))
            .map(|_| ())
    }

    pub(super) fn take_back(&mut self, items: &[Item], alone: bool) {
        if let Err(error) = self.with_attempts(|attempts| attempts.take_back(items, alone)) {
            self.fail(error);
        }
    }

    fn with_attempts<T>(
        &self,
        use_them: impl FnOnce(&mut super::Attempts) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, Error> {
        let Some(attempts) = &self.tools.attempts else {
            return Ok(None);
        };
        let mut attempts = attempts.lock().unwrap_or_else(PoisonError::into_inner);
        let used = use_them(&mut attempts);
        used.map(Some).map_err(|source| Error::Attempts { source })
    }
}

/// What came of sending.
enum Sent {
    Done,
    /// Nothing is to be seen of it, and the whole may be done again.
    Again,
}

/// An outlet that workers share.
pub(super) type SharedOutlet = Mutex<Outlet>;

/// The system has no room for another process just now (`fork(2)`).
pub(super) fn is_shortage(error: &std::io::Error) -> bool {
    [libc::EAGAIN, libc::ENOMEM, libc::EMFILE, libc::ENFILE]
        .map(Some)
        .contains(&error.raw_os_error())
}

fn is_revoked(items: &[Item]) -> bool {
    items.iter().any(|item| item.assignment.is_revoked())
}

/// Where these are, in a few words.
fn place(items: &[Item]) -> String {
    match items {
        [] => String::new(),
        [item] => item.place().to_string(),
        [first, rest @ ..] => format!("{} and {} more", first.place(), rest.len()),
    }
}

fn input(items: &[Item], form: Form) -> Vec<u8> {
    let mut input = Vec::new();
    let mut room = Vec::new();
    for item in items {
        let mut headers = std::mem::take(&mut room);
        let record = item.record(&mut headers);
        match form {
            Form::Lines => record::encode(&record, PayloadMode::Auto, &mut input),
            Form::Values => {
                input.extend_from_slice(record.value.unwrap_or_default());
                if items.len() > 1 {
                    input.push(b'\n');
                }
            }
        }
    }
    input
}

/// What a handler of one record finds in its environment.
fn variables(items: &[Item]) -> Vec<(&'static str, Vec<u8>)> {
    let [item] = items else {
        return Vec::new();
    };
    let mut room = Vec::new();
    let record = item.record(&mut room);
    let mut variables = vec![
        ("KAFKA_TOPIC", record.topic.as_bytes().to_vec()),
        ("KAFKA_PARTITION", record.partition.to_string().into_bytes()),
        ("KAFKA_OFFSET", record.offset.to_string().into_bytes()),
        (
            "KAFKA_TOMBSTONE",
            record.value.is_none().to_string().into_bytes(),
        ),
    ];
    if let Some(timestamp) = record.timestamp {
        let millis = timestamp.millis.to_string().into_bytes();
        variables.push(("KAFKA_TIMESTAMP", millis));
    }
    let fits =
        |key: &&[u8]| key.len() <= LONGEST_KEY && !key.contains(&0) && str::from_utf8(key).is_ok();
    if let Some(key) = record.key.filter(fits) {
        variables.push(("KAFKA_KEY", key.to_vec()));
    }
    variables
}

/// The records that a handler printed, or why they are none.
fn parse(output: &[u8], lines: bool) -> Result<Vec<record::Outgoing<'_>>, String> {
    let form = if lines {
        record::Input::Lines(LineKey::None)
    } else {
        record::Input::Record
    };
    let text = output.strip_suffix(b"\n").unwrap_or(output);
    if output.is_empty() {
        return Ok(Vec::new());
    }
    text.split(|byte| *byte == b'\n')
        .enumerate()
        .map(|(index, line)| {
            form.parse(line, UnknownFields::Refuse)
                .map_err(|error| format!("stdout:{}:{}: {error}", index + 1, error.column()))
        })
        .collect()
}

fn headers<'a>(record: &'a record::Outgoing<'_>) -> Vec<Header<'a>> {
    let headers = record.headers.iter();
    headers
        .map(|header| Header {
            name: &header.name,
            value: header.value.as_deref(),
        })
        .collect()
}

/// The next offset wanted of each partition when `items` are done.
fn ends(items: &[Item]) -> Vec<((String, i32), i64)> {
    let mut ends = std::collections::BTreeMap::new();
    for item in items {
        let place = item.place();
        let key = (place.topic.to_owned(), place.partition);
        ends.insert(key, place.offset + 1);
    }
    ends.into_iter().collect()
}
