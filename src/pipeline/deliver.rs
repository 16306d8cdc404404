//! Sends what a reader brings, and sees to it that every line gets its fate.

use std::borrow::Cow;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::ledger::{Fate, Ledger, Outlet, SettleError};
use super::milestones::Traced;
use super::pace::Pace;
use crate::kafka::{Error, NotTaken, Outgoing, Producer};
use crate::record::{Header, LineError};
use crate::registry::{self, Gate};
use crate::sink::receipt::Failure;
use crate::sink::stages::Reporter;
use crate::source::lines::Piece;
use crate::source::parsed::{Parsed, Ready, Rejected};
use crate::stop::Stop;

/// What the parsing thread hands on.
#[derive(Debug)]
pub enum Input {
    Parsed(Parsed),
    /// Parts of a line that is too long, or the end of a broken input.
    Other(Piece),
}

/// Bytes of input that may wait for their fate.
const OPEN_BYTES: usize = 16 * 1024 * 1024;

/// Records that are handed over together are no more than this.
const TOGETHER: usize = 1024;

/// How long an interrupted run waits for acknowledgements.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// How a record is sent, beyond what its line says.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag that is given or not"
)]
pub struct Manner {
    /// Where every record goes; `None` leaves it to each line.
    pub topic: Option<String>,
    /// Ignore the lines' partitions and hash the keys.
    pub repartition: bool,
    /// Ignore the lines' timestamps.
    pub now: bool,
    /// Records a second.
    pub rate: Option<f64>,
    /// One failure ends the run.
    pub all_or_nothing: bool,
    /// A first line without a record means that the input is something else.
    pub first_line_decides: bool,
    pub longest_line: usize,
    /// How long Kafka may be away before that ends the run.
    pub delivery_timeout: Duration,
}

/// Why sending ended before the input did.
#[derive(Debug)]
pub enum Halt {
    /// Somebody asked.
    Interrupted,
    /// The very first line is no record.
    NotRecordLines { place: String, error: LineErrorText },
    /// A line asks for a partition that is not there.
    UnknownPartition {
        place: String,
        topic: String,
        partition: i32,
        partitions: i32,
    },
    /// Kafka refuses to go on.
    Kafka(Error),
    /// The registry cannot say what is approved.
    Registry(registry::Error),
    /// A failure in an all-or-nothing run.
    Failure,
    /// The input broke off.
    Input {
        place: String,
        error: std::io::Error,
    },
}

/// A line's error with its column, which outlive the line.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{text}")]
pub struct LineErrorText {
    text: String,
    /// What to type, if the line suggests it.
    pub hint: Option<&'static str>,
    /// It is not even an object, so it may be a plain value.
    pub is_plain: bool,
}

impl From<&LineError> for LineErrorText {
    fn from(error: &LineError) -> Self {
        Self {
            text: error.to_string(),
            hint: error.hint(),
            is_plain: matches!(error, LineError::NotARecordLine { .. }),
        }
    }
}

/// One run.
pub struct Delivery<'a, O> {
    pub producer: &'a mut Producer,
    pub ledger: Ledger<O>,
    pub input: &'a Receiver<Input>,
    pub manner: &'a Manner,
    pub stop: &'a Stop,
    /// Is asked to read no further when sending halts.
    pub reading: &'a Stop,
    /// Is told now and then how many were acknowledged and failed.
    pub progress: &'a mut dyn FnMut(u64, u64),
    /// Acknowledgement times in microseconds.
    pub latencies: Histogram<u64>,
    /// Which topics may be sent to, when that is not all.
    gate: Option<Gate>,
    pace: Pace,
    /// Who is told of records that are published and persisted.
    reporter: Option<Reporter>,
    halt: Option<Halt>,
    halted: Option<Instant>,
    purged: bool,
    acknowledged: u64,
    failed: u64,
}

/// How a run went.
pub struct Delivered<O> {
    pub ledger: Ledger<O>,
    pub latencies: Histogram<u64>,
    pub halt: Option<Halt>,
    /// A record was for a topic that is not approved.
    pub refused: bool,
}

impl<'a, O: Outlet> Delivery<'a, O> {
    /// A run that has not begun.
    pub fn new(
        producer: &'a mut Producer,
        ledger: Ledger<O>,
        input: &'a Receiver<Input>,
        manner: &'a Manner,
        stop: &'a Stop,
        reading: &'a Stop,
        progress: &'a mut dyn FnMut(u64, u64),
    ) -> Self {
        // An hour is the most that a delivery timeout may sensibly be.
        let latencies =
            Histogram::new_with_bounds(1, 3_600_000_000, 3).expect("these bounds are valid");
        Self {
            producer,
            ledger,
            input,
            manner,
            stop,
            reading,
            progress,
            latencies,
            gate: None,
            pace: Pace::new(manner.rate),
            reporter: None,
            halt: None,
            halted: None,
            purged: false,
            acknowledged: 0,
            failed: 0,
        }
    }

    /// Sends nothing if there is an error already; what is read then is told as not sent.
    #[must_use]
    pub fn unless(mut self, error: Option<Error>) -> Self {
        self.halt = error.map(Halt::Kafka);
        self
    }

    /// Sends to the topics that `gate` lets through alone; a record for another one has failed.
    #[must_use]
    pub fn guarded(mut self, gate: Option<Gate>) -> Self {
        self.gate = gate;
        self
    }

    /// Tells `reporter` of each record that it is published, and that it is persisted or is not.
    #[must_use]
    pub fn traced(mut self, reporter: Option<Reporter>) -> Self {
        self.reporter = reporter;
        self
    }

    /// Sends until the input ends or there is a reason to halt, then waits for all fates.
    ///
    /// After a halt the reader is asked to come to its end; what it hands on until then
    /// was read and is not sent, and told so.
    pub fn run(mut self) -> Result<Delivered<O>, SettleError> {
        loop {
            self.look_for_halt();
            if self.ledger.open_bytes() >= OPEN_BYTES {
                self.serve(Duration::from_millis(10))?;
                continue;
            }
            let next = if self.producer.in_flight() > 0 {
                self.input.try_recv()
            } else {
                match self.input.recv_timeout(Duration::from_millis(50)) {
                    Ok(input) => Ok(input),
                    Err(RecvTimeoutError::Timeout) => Err(TryRecvError::Empty),
                    Err(RecvTimeoutError::Disconnected) => Err(TryRecvError::Disconnected),
                }
            };
            match next {
                Ok(Input::Parsed(parsed)) => {
                    self.send(parsed)?;
                    self.serve(Duration::ZERO)?;
                }
                Ok(Input::Other(piece)) => self.other(piece)?,
                Err(TryRecvError::Empty) => self.serve(Duration::from_millis(2))?,
                Err(TryRecvError::Disconnected) => break,
            }
        }
        self.wait_for_fates()?;
        Ok(Delivered {
            ledger: self.ledger,
            latencies: self.latencies,
            halt: self.halt,
            refused: self.gate.is_some_and(|gate| gate.has_refused()),
        })
    }

    /// Notices a reason to halt; once there is one, bounds the wait for acknowledgements.
    fn look_for_halt(&mut self) {
        if self.halt.is_some() {
            self.reading.ask();
            let waited = self.halted.get_or_insert_with(Instant::now).elapsed();
            let is_hopeless = self.producer.decided().is_some();
            if !self.purged && (is_hopeless || waited >= DRAIN_TIMEOUT) {
                self.purged = true;
                self.producer.purge();
            }
        } else if self.stop.is_asked() {
            self.halt = Some(Halt::Interrupted);
        } else if let Some(error) = self.producer.decided() {
            self.halt = Some(Halt::Kafka(error));
        } else if self.manner.all_or_nothing && self.failed > 0 {
            self.halt = Some(Halt::Failure);
        }
    }

    fn why_not_sent(&self) -> Cow<'static, str> {
        match &self.halt {
            Some(Halt::Interrupted) => "not sent: interrupted".into(),
            Some(Halt::Kafka(error)) => format!("not sent: {error}").into(),
            Some(Halt::Registry(error)) => format!("not sent: {error}").into(),
            _ => "not sent: an earlier line ended the run".into(),
        }
    }

    fn decide(&mut self, slot: usize, fate: Fate) {
        if matches!(fate, Fate::Failed(_)) {
            self.failed += 1;
        } else {
            self.acknowledged += 1;
        }
        self.ledger.decide(slot, fate);
    }

    fn send(&mut self, parsed: Parsed) -> Result<(), SettleError> {
        let lines = parsed.block.len();
        self.ledger.open(parsed);
        let mut next = 0;
        while let Some(index) = self.next_alone(&mut next, lines) {
            if self.manner.rate.is_some() {
                self.serve(Duration::ZERO)?;
                self.look_for_halt();
            }
            let Some((parsed, first_slot)) = self.ledger.last() else {
                break;
            };
            let slot = first_slot + index;
            if self.halt.is_some() {
                let failure = Failure {
                    // What is told of an interruption is from where on nothing was sent.
                    ends_run: !matches!(self.halt, Some(Halt::Interrupted)),
                    ..Failure::not_sent(self.why_not_sent())
                };
                self.decide(slot, Fate::Failed(Box::new(failure)));
                continue;
            }
            let mut room: Vec<Header<'_>> = Vec::new();
            let failure = match parsed.record(index, &mut room) {
                Err(rejected) => {
                    if slot == 0 && self.manner.first_line_decides {
                        self.halt = not_record_lines(parsed, rejected);
                    }
                    Failure {
                        ends_run: self.halt.is_some(),
                        ..Failure::from(rejected)
                    }
                }
                Ok(record) => {
                    let topic = self.manner.topic.as_deref().or(record.topic);
                    let outgoing = self.manner.outgoing(&record);
                    let traced = self.reporter.as_ref().map(|reporter| Traced {
                        reporter,
                        topic,
                        headers: record.headers,
                        value: record.value,
                    });
                    let Some(topic) = topic else {
                        let failure = no_topic();
                        if let Some(traced) = traced {
                            traced.published(None, Some(&failure));
                        }
                        self.decide(slot, Fate::Failed(Box::new(failure)));
                        continue;
                    };
                    let result = pass(self.gate.as_mut(), topic).and_then(|()| {
                        take(
                            self.producer,
                            topic,
                            &outgoing,
                            slot,
                            self.stop,
                            &mut self.pace,
                            self.manner,
                        )
                    });
                    if let Some(traced) = traced {
                        tell(traced, outgoing.partition, &result);
                    }
                    match result {
                        Ok(()) => continue,
                        Err(Refused::Interrupted) => {
                            self.halt = Some(Halt::Interrupted);
                            Failure::not_sent("not sent: interrupted")
                        }
                        Err(Refused::Record(failure)) => failure,
                        Err(Refused::Run(halt)) => {
                            self.halt = Some(halt);
                            Failure {
                                ends_run: true,
                                ..Failure::not_sent(self.why_not_sent())
                            }
                        }
                        Err(Refused::UnknownPartition(partitions)) => {
                            self.halt = Some(Halt::UnknownPartition {
                                place: place(parsed, index, 0),
                                topic: topic.to_owned(),
                                partition: outgoing.partition.unwrap_or_default(),
                                partitions,
                            });
                            Failure {
                                code: "UNKNOWN_PARTITION".into(),
                                ends_run: true,
                                ..Failure::not_sent("the topic has no such partition")
                            }
                        }
                    }
                }
            };
            self.decide(slot, Fate::Failed(Box::new(failure)));
            if self.manner.all_or_nothing && self.halt.is_none() {
                self.halt = Some(Halt::Failure);
            }
        }
        Ok(())
    }

    /// Sends what may go together of the lines from `next` on; returns the one behind them, with
    /// which something is to be done by itself.
    fn next_alone(&mut self, next: &mut usize, lines: usize) -> Option<usize> {
        if *next < lines {
            *next += self.send_together(*next, lines);
        }
        let index = *next;
        *next += 1;
        (index < lines).then_some(index)
    }

    /// Sends what may go together of the lines from `first` on; says how many of them have their
    /// fate or will have it.
    fn send_together(&mut self, first: usize, lines: usize) -> usize {
        // What is traced has headers, and is told of one by one.
        if self.halt.is_some() || self.manner.rate.is_some() || self.reporter.is_some() {
            return 0;
        }
        let Some((parsed, first_slot)) = self.ledger.last() else {
            return 0;
        };
        let manner = self.manner;
        let topic_of = |index| manner.topic.as_deref().or_else(|| parsed.topic(index));
        let Some(topic) = topic_of(first) else {
            return 0;
        };
        if pass(self.gate.as_mut(), topic).is_err() {
            return 0;
        }
        let records: Vec<Outgoing<'_>> = (first..lines)
            .take(TOGETHER)
            .take_while(|index| *index == first || topic_of(*index) == Some(topic))
            .map_while(|index| parsed.without_headers(index))
            .take_while(|record| record.timestamp.is_none() || manner.now)
            .map(|record| Outgoing {
                partition: record.partition.filter(|_| !manner.repartition),
                timestamp: None,
                key: record.key,
                value: record.value,
                headers: &[],
            })
            .collect();
        if records.is_empty() {
            return 0;
        }
        let mut refused = Vec::new();
        let settled =
            self.producer
                .send_together(topic, &records, first_slot + first, |slot, refusal| {
                    refused.push((slot, refusal));
                });
        for (slot, refusal) in refused {
            self.decide(slot, Fate::Failed(Box::new(refusal.into())));
            if self.manner.all_or_nothing {
                self.halt = Some(Halt::Failure);
            }
        }
        settled
    }

    fn other(&mut self, piece: Piece) -> Result<(), SettleError> {
        match piece {
            Piece::Lines(_) => Ok(()),
            Piece::NotKept(error) => Err(error.into()),
            Piece::Overlong { last, .. } => {
                // Lines before it are told first.
                while !self.ledger.is_settled() {
                    self.serve(Duration::from_millis(10))?;
                    self.look_for_halt();
                }
                self.failed += u64::from(last);
                self.ledger.overlong(&piece, self.manner.longest_line)
            }
            Piece::Broken { input, error } => {
                self.halt.get_or_insert(Halt::Input {
                    place: input.to_string(),
                    error,
                });
                Ok(())
            }
        }
    }

    /// Takes reports in, for up to `timeout` until there is one, and settles what it can.
    fn serve(&mut self, timeout: Duration) -> Result<(), SettleError> {
        let (ledger, latencies) = (&mut self.ledger, &mut self.latencies);
        let reporter = self.reporter.as_ref();
        let (mut acknowledged, mut failed) = (0, 0);
        self.producer.serve(timeout, |report| {
            let result = report.result.map_err(Failure::from);
            if let Some(reporter) = reporter
                && let Some((record, topic)) = ledger.record(report.slot, &mut Vec::new())
            {
                let traced = Traced {
                    reporter,
                    topic,
                    headers: record.headers,
                    value: record.value,
                };
                traced.persisted(result.as_ref().copied(), report.latency);
            }
            let fate = match result {
                Ok(place) => {
                    acknowledged += 1;
                    if let Some(latency) = report.latency {
                        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
                        latencies.saturating_record(micros);
                    }
                    Fate::Acknowledged(place)
                }
                Err(failure) => {
                    failed += 1;
                    Fate::Failed(Box::new(failure))
                }
            };
            ledger.decide(report.slot, fate);
        });
        self.acknowledged += acknowledged;
        self.failed += failed;
        self.ledger.settle()?;
        (self.progress)(self.acknowledged, self.failed);
        Ok(())
    }

    /// Waits until nothing is in flight; a signal or an error that decides bounds the wait.
    fn wait_for_fates(&mut self) -> Result<(), SettleError> {
        while self.producer.in_flight() > 0 {
            self.serve(Duration::from_millis(50))?;
            self.look_for_halt();
        }
        self.serve(Duration::ZERO)
    }
}

impl Manner {
    /// What becomes of a record, and what of it is passed over.
    fn outgoing<'a>(&self, record: &Ready<'a>) -> Outgoing<'a> {
        Outgoing {
            partition: record.partition.filter(|_| !self.repartition),
            timestamp: record.timestamp.filter(|_| !self.now),
            key: record.key,
            value: record.value,
            headers: record.headers,
        }
    }
}

/// The halt of a run whose very first line holds no record, if that is why it was rejected.
fn not_record_lines(parsed: &Parsed, rejected: &Rejected) -> Option<Halt> {
    match rejected {
        Rejected::Malformed(error) => Some(Halt::NotRecordLines {
            place: place(parsed, 0, error.column()),
            error: error.into(),
        }),
        Rejected::Invalid(_) => None,
    }
}

fn no_topic() -> Failure {
    Failure {
        code: "NO_TOPIC".into(),
        ..Failure::not_sent("no `topic`, and none on the command line")
    }
}

/// Reports that a record was handed over or refused; of a run that ended it did not come to that.
fn tell(traced: Traced<'_>, partition: Option<i32>, result: &Result<(), Refused>) {
    match result {
        Ok(()) => traced.published(partition, None),
        Err(Refused::Record(failure)) => traced.published(partition, Some(failure)),
        Err(_) => {}
    }
}

/// Why a record did not go.
enum Refused {
    Record(Failure),
    Run(Halt),
    UnknownPartition(i32),
    Interrupted,
}

/// Lets a record for `topic` through, if that is approved where it has to be.
fn pass(gate: Option<&mut Gate>, topic: &str) -> Result<(), Refused> {
    let Some(gate) = gate else {
        return Ok(());
    };
    let failed = |error| Refused::Run(Halt::Registry(error));
    match gate.refusal(topic).map_err(failed)? {
        None => Ok(()),
        Some(refusal) => Err(Refused::Record(Failure {
            code: "NOT_APPROVED".into(),
            ..Failure::not_sent(refusal.to_string())
        })),
    }
}

/// Hands one record over, as soon as rate and queue allow; nothing overtakes it.
fn take(
    producer: &mut Producer,
    topic: &str,
    record: &Outgoing<'_>,
    slot: usize,
    stop: &Stop,
    pace: &mut Pace,
    manner: &Manner,
) -> Result<(), Refused> {
    loop {
        let left = pace.left();
        if left.is_zero() {
            break;
        }
        if stop.is_asked() {
            return Err(Refused::Interrupted);
        }
        producer.serve_keeping(left.min(Duration::from_millis(20)));
    }
    pace.step();
    let start = Instant::now();
    loop {
        match producer.send(topic, record, slot) {
            Ok(()) => return Ok(()),
            Err(NotTaken::QueueFull) => {
                if stop.is_asked() {
                    return Err(Refused::Interrupted);
                }
                producer.serve_keeping(Duration::from_millis(20));
            }
            Err(NotTaken::UnknownPartition { partitions }) => {
                return Err(Refused::UnknownPartition(partitions));
            }
            Err(NotTaken::Refused(refusal)) => return Err(Refused::Record(refusal.into())),
            Err(NotTaken::Topic(error)) => {
                return Err(Refused::Record(Failure {
                    code: "UNKNOWN_TOPIC".into(),
                    ..Failure::not_sent(error.to_string())
                }));
            }
            Err(NotTaken::Unreachable(_)) if start.elapsed() < manner.delivery_timeout => {
                if stop.is_asked() {
                    return Err(Refused::Interrupted);
                }
                producer.serve_keeping(Duration::ZERO);
            }
            Err(NotTaken::Unreachable(error) | NotTaken::Fatal(error)) => {
                return Err(Refused::Run(Halt::Kafka(error)));
            }
        }
    }
}

/// `file:line:column`, or `file:line` for column 0.
fn place(parsed: &Parsed, index: usize, column: usize) -> String {
    let (input, line) = (&parsed.block.input, parsed.block.first_line + index as u64);
    match column {
        0 => format!("{input}:{line}"),
        column => format!("{input}:{line}:{column}"),
    }
}
