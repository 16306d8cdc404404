//! Sends dead letters back, at a rate, and reports as finished what is behind us without a gap.
//!
//! The pump writes and waits; here a slow rate is waited for beside the group, which is asked on all
//! the while, so nothing blocks: records wait in a queue that holds the source when it is long.

use std::collections::{HashMap, VecDeque};
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

use super::plan::{Fate, Plan, Reason, Room};
use super::told::{Counts, Told};
use crate::kafka::{
    Commits, Error, Handover, Hold, Messages, NotTaken, Producer, Report, Source, Taken,
};
use crate::pipeline::pace::Pace;
use crate::pipeline::pump::{Bounds, End, Flow, GLANCE, Running};
use crate::pipeline::tracker::Tracker;
use crate::record::Record;
use crate::stop::Stop;

/// Records that wait are no more than this, in bytes.
const MOST_BYTES: usize = 8 * 1024 * 1024;

/// The same in records.
const MOST_RECORDS: usize = 10_000;

/// Batches that are taken in a row.
const EVENTS: usize = 3;

/// How long acknowledgements are waited for when nothing else comes.
const SERVE: Duration = Duration::from_millis(5);

/// How long what is in flight may take when the run is to end, or partitions are given up.
const DRAIN: Duration = Duration::from_secs(8);

/// How long a record waits for a broker that is away.
const PATIENCE: Duration = Duration::from_mins(1);

/// A run over what a source gives.
pub struct Replay<'a, S> {
    pub plan: &'a Plan,
    pub flow: &'a Receiver<Flow>,
    pub source: &'a Running<S>,
    pub producer: &'a mut Producer,
    /// Where finished offsets are reported, in a group.
    pub commits: Option<&'a Commits>,
    pub bounds: Bounds,
    pub pace: Pace,
    pub stop: &'a Stop,
    pub tell: &'a mut dyn FnMut(Told<'_>),
    /// When the run began.
    pub start: Instant,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Taken>,
    waiting_bytes: usize,
    /// Those whose batch was refused: librdkafka does not always say for which of them, so they go
    /// again before all others, each alone.
    suspects: VecDeque<Taken>,
    /// What is in flight is alone.
    is_alone: bool,
    partitions: HashMap<i32, Partition>,
    in_flight: HashMap<usize, Sent>,
    slots: usize,
    counts: Counts,
    /// Records that were meant, for the limit.
    taken: u64,
    last_record: Option<Instant>,
    holds: bool,
    source_ended: bool,
    away_since: Option<Instant>,
    failure: Option<Error>,
}

#[derive(Default)]
struct Partition {
    tracker: Tracker,
    last: i64,
    is_stuck: bool,
}

struct Sent {
    taken: Taken,
    alone: bool,
    partition: i32,
    offset: i64,
    topic: String,
}

impl<S: Source + Send + 'static> Replay<'_, S> {
    /// Sends until there is a reason to end, and waits for what is in flight.
    ///
    /// After the end, all that is finished without a gap is reported.
    pub fn run(mut self) -> (End, Counts) {
        let mut state = State::default();
        let end = loop {
            if let Some(end) = self.end(&state) {
                break end;
            }
            self.turn(&mut state);
        };
        state.waiting.clear();
        self.drain(&mut state, true, |_| true);
        // Nobody knows what became of these, so they stay.
        state.counts.stuck += state.in_flight.len() as u64;
        self.report(&mut state);
        (self.tell)(Told::Progress(&state.counts));
        let end = match (end, state.failure) {
            (End::Source | End::Limit | End::Idle, Some(error)) => End::Failed(error),
            (end, _) => end,
        };
        (end, state.counts)
    }

    fn end(&self, state: &State) -> Option<End> {
        let is_over = |most: Option<Duration>, since: Instant| {
            most.is_some_and(|most| since.elapsed() >= most)
        };
        let is_idle =
            state.waiting.is_empty() && state.suspects.is_empty() && state.in_flight.is_empty();
        if let Some(error) = &state.failure {
            Some(End::Failed(error.clone()))
        } else if self.stop.is_asked() {
            Some(End::Stopped)
        } else if is_over(self.bounds.timeout, self.start) {
            Some(End::Timeout)
        } else if !is_idle {
            None
        } else if self.is_limit_reached(state) {
            Some(End::Limit)
        } else if state.source_ended {
            Some(End::Source)
        } else {
            is_over(self.bounds.idle, state.last_record.unwrap_or(self.start)).then_some(End::Idle)
        }
    }

    fn is_limit_reached(&self, state: &State) -> bool {
        self.bounds.limit.is_some_and(|most| state.taken >= most)
    }

    fn turn(&mut self, state: &mut State) {
        let none_waits = state.waiting.is_empty() && state.suspects.is_empty();
        let wait = match (none_waits, state.in_flight.is_empty()) {
            (true, true) => GLANCE,
            // The queue is full, or the rate is low.
            (false, true) => self.pace.left().clamp(Duration::from_millis(1), GLANCE),
            (_, false) => Duration::ZERO,
        };
        let mut flow = if wait.is_zero() {
            self.flow.try_recv().ok()
        } else {
            self.flow.recv_timeout(wait).ok()
        };
        // Few at a time, so that a fast source is held before much waits.
        for _ in 0..EVENTS {
            let Some(event) = flow else { break };
            self.take(event, state);
            flow = self.flow.try_recv().ok();
        }
        if let Some(event) = flow {
            self.take(event, state);
        }
        self.hand_over(state);
        if !state.in_flight.is_empty() {
            self.serve(SERVE, state);
        }
        if let Some(error) = self.producer.decided() {
            state.failure.get_or_insert(error);
        }
        self.report(state);
        self.hold(state);
        (self.tell)(Told::Progress(&state.counts));
    }

    fn take(&mut self, event: Flow, state: &mut State) {
        match event {
            Flow::Batch(batch) => {
                state.source_ended = false;
                state.last_record = Some(Instant::now());
                self.sort(batch, state);
            }
            Flow::Reached(reached) => {
                for ((_, number), next) in reached {
                    self.reach(number, next, state);
                }
            }
            Flow::Notices(notices) => {
                for notice in &notices {
                    (self.tell)(Told::Notice(notice));
                }
            }
            Flow::Drain(handover, done) => self.give_up(&handover, &done, state),
            Flow::End(Ok(())) => state.source_ended = true,
            Flow::End(Err(error)) => {
                state.failure.get_or_insert(error);
            }
        }
    }

    /// Before `next` nothing more will come.
    fn reach(&self, number: i32, next: i64, state: &mut State) {
        if !self.is_limit_reached(state) {
            let partition = state.partitions.entry(number).or_default();
            partition.tracker.pass(next - 1);
            partition.last = partition.last.max(next - 1);
        }
    }

    /// Lets those wait that are meant.
    fn sort(&mut self, batch: Messages, state: &mut State) {
        for taken in batch {
            if self.is_limit_reached(state) {
                return;
            }
            let message = taken.message();
            let (number, offset) = (message.partition(), message.offset());
            let partition = state.partitions.entry(number).or_default();
            if offset <= partition.last {
                // It was given up, and came back.
                *partition = Partition::default();
            }
            partition.last = offset;
            let mut room = Vec::new();
            if !self.plan.wants(&message.record(&mut room)) {
                state.counts.passed += 1;
                partition.tracker.pass(offset);
                continue;
            }
            partition.tracker.begin(offset);
            state.waiting_bytes += message.size();
            state.waiting.push_back(taken);
            state.taken += 1;
        }
    }

    /// Sends what waits, as far as rate and queue allow.
    fn hand_over(&mut self, state: &mut State) {
        while state.failure.is_none() {
            let alone = !state.suspects.is_empty();
            if (alone || state.is_alone) && !state.in_flight.is_empty() {
                return;
            }
            state.is_alone = false;
            let queue = if alone {
                &state.suspects
            } else {
                &state.waiting
            };
            let Some(taken) = queue.front() else { return };
            let message = taken.message();
            let mut room = Vec::new();
            let record = message.record(&mut room);
            let is_stuck = state.partitions.get(&record.partition);
            let is_stuck = is_stuck.is_some_and(|partition| partition.is_stuck);
            let next = if is_stuck {
                Next::Stuck(None)
            } else {
                self.pass(&record, state.slots, state.away_since)
            };
            match next {
                Next::Wait => return,
                Next::Away(error) => {
                    let since = *state.away_since.get_or_insert_with(Instant::now);
                    if since.elapsed() >= PATIENCE {
                        state.failure = Some(error);
                    }
                    return;
                }
                Next::Failed(error) => {
                    state.failure = Some(error);
                    return;
                }
                Next::Sent(topic) => {
                    if !state.counts.sent.contains_key(&topic) {
                        (self.tell)(Told::Target(&topic));
                        state.counts.sent.insert(topic.clone(), 0);
                    }
                    let (partition, offset) = (record.partition, record.offset);
                    let Some(taken) = state.next_is_gone(alone) else {
                        return;
                    };
                    let sent = Sent {
                        taken,
                        alone,
                        partition,
                        offset,
                        topic,
                    };
                    state.in_flight.insert(state.slots, sent);
                    state.slots += 1;
                    state.is_alone = alone;
                    continue;
                }
                Next::Planned(topic) => {
                    (self.tell)(Told::Planned {
                        record: &record,
                        to: Some(&topic),
                        reason: None,
                    });
                    *state.counts.sent.entry(topic).or_default() += 1;
                }
                Next::Left(reason) => {
                    if self.plan.dry_run {
                        (self.tell)(Told::Planned {
                            record: &record,
                            to: None,
                            reason: Some(&reason),
                        });
                    }
                    let place = (record.partition, record.offset);
                    self.leave(place, &reason, &mut state.counts, &mut state.partitions);
                }
                Next::Stuck(reason) => {
                    state.counts.stuck += 1;
                    let place = (record.partition, record.offset);
                    self.stick(place, reason.as_ref(), &mut state.partitions);
                }
            }
            state.next_is_gone(alone);
        }
    }

    /// Sends one record, or says why not.
    fn pass(&mut self, record: &Record<'_>, slot: usize, away_since: Option<Instant>) -> Next {
        let topic = match self.plan.fate(record) {
            Fate::Goes(topic) => topic.into_owned(),
            Fate::Stays(reason) => return Next::Left(reason),
        };
        if self.plan.dry_run {
            return match self.producer.prepare(&topic, false) {
                Ok(()) => Next::Planned(topic),
                Err(error @ (Error::Unreachable { .. } | Error::Interrupted)) => {
                    Next::Failed(error)
                }
                Err(error) => Next::Left(Reason::Topic(error)),
            };
        }
        // Whoever is away is not asked at once again.
        let again = away_since.is_some_and(|since| since.elapsed() < GLANCE);
        if again || !self.pace.left().is_zero() {
            return Next::Wait;
        }
        let (mut headers, mut room) = (Vec::new(), Room::default());
        let letter = self.plan.letter(record, &mut headers, &mut room);
        match self.producer.send(&topic, &letter, slot) {
            Ok(()) => {
                self.pace.step();
                Next::Sent(topic)
            }
            Err(NotTaken::QueueFull) => Next::Wait,
            Err(NotTaken::Unreachable(error)) => Next::Away(error),
            Err(NotTaken::Fatal(error)) => Next::Failed(error),
            Err(NotTaken::Topic(error)) => self.cannot(Reason::Topic(error)),
            Err(NotTaken::Refused(refusal)) if refusal.is_of_record() => {
                Next::Left(Reason::Refused(refusal))
            }
            Err(NotTaken::Refused(refusal)) => {
                let what = format!("send to topic `{topic}`");
                self.cannot(Reason::Topic(refusal.into_error(&what)))
            }
            Err(NotTaken::UnknownPartition { partitions }) => {
                self.cannot(Reason::Topic(Error::UnknownPartition {
                    topic,
                    partition: letter.partition.unwrap_or_default(),
                    last: partitions - 1,
                }))
            }
        }
    }

    /// What becomes of a record that is as it should be and cannot be sent.
    fn cannot(&self, reason: Reason) -> Next {
        if self.plan.skip {
            Next::Left(reason)
        } else {
            Next::Stuck(Some(reason))
        }
    }

    fn leave(
        &mut self,
        (partition, offset): (i32, i64),
        reason: &Reason,
        counts: &mut Counts,
        partitions: &mut HashMap<i32, Partition>,
    ) {
        *counts.left.entry(reason.in_words()).or_default() += 1;
        (self.tell)(Told::Left {
            partition,
            offset,
            reason,
        });
        if let Some(partition) = partitions.get_mut(&partition) {
            partition.tracker.finish(offset);
        }
    }

    fn stick(
        &mut self,
        (partition, offset): (i32, i64),
        reason: Option<&Reason>,
        partitions: &mut HashMap<i32, Partition>,
    ) {
        let state = partitions.get_mut(&partition);
        let was_stuck = state.is_some_and(|state| std::mem::replace(&mut state.is_stuck, true));
        if let Some(reason) = reason.filter(|_| !was_stuck) {
            (self.tell)(Told::Stuck {
                partition,
                offset,
                reason,
            });
        }
    }

    /// Takes reports in, for up to `timeout` until there is one.
    fn serve(&mut self, timeout: Duration, state: &mut State) {
        let mut reports: Vec<Report> = Vec::new();
        self.producer.serve(timeout, |report| reports.push(report));
        let mut again: Vec<Taken> = Vec::new();
        for report in reports {
            let Some(sent) = state.in_flight.remove(&report.slot) else {
                continue;
            };
            let place = (sent.partition, sent.offset);
            match report.result {
                Ok(_) => {
                    *state.counts.sent.entry(sent.topic).or_default() += 1;
                    if let Some(partition) = state.partitions.get_mut(&sent.partition) {
                        partition.tracker.finish(sent.offset);
                    }
                }
                Err(refusal)
                    if refusal.is_of_company() || (refusal.is_of_record() && !sent.alone) =>
                {
                    again.push(sent.taken);
                }
                Err(refusal) => {
                    let reason = Reason::Refused(refusal);
                    let error = refusal.into_error(&format!("send to topic `{}`", sent.topic));
                    if error.may_pass() {
                        state.counts.stuck += 1;
                        state.failure.get_or_insert(error);
                    } else if refusal.is_of_record() || self.plan.skip {
                        self.leave(place, &reason, &mut state.counts, &mut state.partitions);
                    } else {
                        state.counts.stuck += 1;
                        let reason = Reason::Topic(error);
                        self.stick(place, Some(&reason), &mut state.partitions);
                    }
                }
            }
        }
        state.suspects.extend(again);
    }

    /// Reports what is finished without a gap.
    fn report(&self, state: &mut State) {
        for (number, partition) in &mut state.partitions {
            if let (Some(next), Some(commits)) = (partition.tracker.take_finished(), self.commits) {
                commits.finished([((self.plan.topic.clone(), *number), next)]);
            }
        }
    }

    /// Lets the source stop to fetch when enough is here.
    fn hold(&self, state: &mut State) {
        let share = if state.holds { 2 } else { 1 };
        let hold = self.is_limit_reached(state)
            || state.waiting_bytes > MOST_BYTES / share
            || state.waiting.len() > MOST_RECORDS / share;
        if hold != state.holds {
            state.holds = hold;
            self.source.hold(Hold {
                all: hold,
                ..Hold::default()
            });
        }
    }

    /// Lets go of what waits of partitions that are given up, and waits for what is in flight.
    fn give_up(&mut self, handover: &Handover, done: &Sender<()>, state: &mut State) {
        let numbers: Vec<i32> = handover
            .partitions
            .iter()
            .map(|(_, number)| *number)
            .collect();
        let is_kept = |taken: &Taken| !numbers.contains(&taken.message().partition());
        let before = state.waiting.len() + state.suspects.len();
        state.waiting.retain(is_kept);
        state.suspects.retain(is_kept);
        state.waiting_bytes = state.waiting.iter().map(|one| one.message().size()).sum();
        // They are somebody else's to take.
        let kept = state.waiting.len() + state.suspects.len();
        state.taken -= (before - kept) as u64;
        if !handover.lost {
            self.drain(state, false, |sent| numbers.contains(&sent.partition));
            self.report(state);
        }
        for number in &numbers {
            state.partitions.remove(number);
        }
        let _ = done.send(());
    }

    /// Waits until none of these is in flight, or for too long.
    fn drain(&mut self, state: &mut State, is_end: bool, of: impl Fn(&Sent) -> bool) {
        let until = Instant::now() + DRAIN;
        while state.in_flight.values().any(&of) && Instant::now() < until {
            self.serve(GLANCE, state);
            if self.producer.decided().is_some() {
                return;
            }
            // At the end nothing more is taken, but whoever gives partitions up is not kept waiting.
            if is_end && let Ok(Flow::Drain(_, done)) = self.flow.try_recv() {
                self.report(state);
                let _ = done.send(());
            }
        }
    }
}

impl State {
    /// Takes the first that waits, of the suspects or of all others.
    fn next_is_gone(&mut self, suspect: bool) -> Option<Taken> {
        self.away_since = None;
        if suspect {
            return self.suspects.pop_front();
        }
        let taken = self.waiting.pop_front()?;
        self.waiting_bytes -= taken.message().size();
        Some(taken)
    }
}

/// What comes next of a record.
enum Next {
    /// Later.
    Wait,
    Away(Error),
    Failed(Error),
    Sent(String),
    Planned(String),
    Left(Reason),
    /// It cannot be sent, or is behind one that cannot.
    Stuck(Option<Reason>),
}
