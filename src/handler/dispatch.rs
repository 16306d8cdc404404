//! Puts records into the queue, and reports as finished what is settled without a gap.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::handover::Leaving;
use super::partition::Holding;
use super::process::Waiter;
use super::queue::{Arrival, Queue};
use super::wake::{Bell, Wake};
use super::worker::Worker;
use super::{Assignment, Error, Metrics, Tools};
use crate::kafka::{Commits, Hold, Member, Messages, Notice};
use crate::pipeline::filter::Filter;
use crate::pipeline::pump::{Bounds, End, Flow, GLANCE, Running};
use crate::record::Record;
use crate::stop::Stop;

/// Kept of the time to drain, so that handlers can be ended within it.
const LAST_SECOND: Duration = Duration::from_secs(1);

/// How many events may wait for the dispatcher.
const EVENTS: usize = 64;

/// Records of each partition that are not finished.
pub type Lags = BTreeMap<(String, i32), i64>;

/// What reaches the dispatcher.
pub enum Event {
    /// From the group.
    Flow(Flow),
    /// Something in the queue was settled.
    Settled,
    /// The run is to end with this.
    Failed(Error),
    /// Our stdout does not take what a handler printed.
    NotPrinted(io::Error),
    /// Worth a line.
    Note(String),
}

impl From<Flow> for Event {
    fn from(flow: Flow) -> Self {
        Self::Flow(flow)
    }
}

/// The channel that events come by.
pub fn channel_of_events() -> (SyncSender<Event>, Receiver<Event>) {
    sync_channel(EVENTS)
}

/// Looks at the counts, at what is not finished, and at whether this is the last time.
pub type Observe<'a> = dyn FnMut(&Metrics, &dyn Fn() -> Lags, bool) + 'a;

/// A run over what a group gives.
pub struct Dispatch<'a> {
    pub tools: Arc<Tools>,
    pub source: &'a Running<Member>,
    pub events: Receiver<Event>,
    /// For the workers.
    pub sender: SyncSender<Event>,
    pub commits: Commits,
    pub workers: usize,
    /// Whether records keep their order by partition, and not by key alone.
    pub by_partition: bool,
    pub filter: Filter,
    pub bounds: Bounds,
    pub start: Instant,
    /// How long what runs may go on when the run is to stop.
    pub drain: Duration,
    pub stop: Stop,
    /// Decides the waits between tries.
    pub seed: u64,
    /// Is told what the user should know.
    pub notice: &'a mut dyn FnMut(&dyn std::fmt::Display),
    /// Is asked often to look at the counts, and with `true` a last time.
    pub observe: &'a mut Observe<'a>,
}

/// Topic and number of a partition.
pub(super) type Key = (String, i32);

pub(super) struct State {
    workers: Vec<JoinHandle<()>>,
    pub(super) partitions: BTreeMap<Key, Arc<Assignment>>,
    assignments: Holding,
    taken: u64,
    last_record: Instant,
    pub(super) hold: Hold,
    pub(super) leaving: Option<Leaving>,
    pub(super) end: Option<End>,
    pub(super) failure: Option<Error>,
}

impl Dispatch<'_> {
    /// Runs until there is a reason to end, and until what was begun is settled or given up.
    pub fn run(mut self) -> Result<End, Error> {
        let workers = (0..self.workers).map(|index| self.hire(index));
        let workers: io::Result<Vec<JoinHandle<()>>> = workers.collect();
        let mut state = State {
            workers: workers.map_err(|source| Error::System { source })?,
            partitions: BTreeMap::new(),
            assignments: 0,
            taken: 0,
            last_record: Instant::now(),
            hold: Hold::default(),
            leaving: None,
            end: (self.bounds.limit == Some(0)).then_some(End::Limit),
            failure: None,
        };
        self.pass(&mut state);
        self.wind_up(&mut state);
        self.queue().end();
        // Nobody listens any more, so nobody waits to be heard.
        drop(self.events);
        let is_done = self.tools.queue.load().records == 0;
        for worker in state.workers {
            if worker.is_finished() || is_done {
                let _ = worker.join();
            }
        }
        match (state.failure, state.end) {
            (Some(failure), _) => Err(failure),
            (None, end) => Ok(end.unwrap_or(End::Source)),
        }
    }

    pub(super) fn queue(&self) -> &Queue {
        &self.tools.queue
    }

    fn hire(&self, index: usize) -> io::Result<JoinHandle<()>> {
        let wake = Wake::new()?;
        let bell: Bell = wake.bell();
        self.queue().listen(bell.clone());
        let worker = Worker {
            index,
            tools: self.tools.clone(),
            waiter: Waiter::start(bell, self.tools.herd.clone())?,
            wake,
            events: self.sender.clone(),
            chance: ChaCha8Rng::seed_from_u64(self.seed.wrapping_add(index as u64)),
            commits: self.commits.clone(),
        };
        thread::Builder::new()
            .name("worker".into())
            .spawn(move || worker.run())
    }

    /// Takes events until there is a reason to end.
    fn pass(&mut self, state: &mut State) {
        while state.end.is_none() && state.failure.is_none() {
            if self.stop.is_asked() {
                state.end = Some(End::Stopped);
            } else if is_over(self.bounds.timeout, self.start) {
                state.end = Some(End::Timeout);
            }
            self.turn(state);
            if self.queue().load().records > 0 {
                state.last_record = Instant::now();
            } else if is_over(self.bounds.idle, state.last_record) {
                state.end.get_or_insert(End::Idle);
            }
        }
    }

    /// Lets what was begun come to its end: all of it, or, where somebody is waiting, what does so in
    /// time, with all that lies before something that is finished already.
    fn wind_up(&mut self, state: &mut State) {
        let mut until = None;
        let mut is_cancelled = false;
        self.queue().flush();
        while self.queue().load().records > 0 {
            let in_a_hurry = state.failure.is_some()
                || self.stop.is_asked()
                || !matches!(state.end, Some(End::Source | End::Limit | End::Idle));
            if in_a_hurry || is_over(self.bounds.timeout, self.start) {
                let until = *until.get_or_insert_with(|| {
                    if !in_a_hurry {
                        // What is given up now was asked for.
                        state.end = Some(End::Timeout);
                    }
                    if state.failure.is_some() {
                        self.queue().abandon(None);
                    } else {
                        self.queue().close(None);
                    }
                    self.stop.asked_at().unwrap_or_else(Instant::now) + self.drain
                });
                let last = LAST_SECOND.min(self.drain / 4);
                if Instant::now() + last >= until && !is_cancelled {
                    is_cancelled = true;
                    self.queue().abandon(None);
                    self.queue().cancel_all();
                }
                // One that is stopped for good is not waited for.
                if Instant::now() >= until + LAST_SECOND / 2 {
                    self.tools.herd.kill();
                    break;
                }
            }
            self.turn(state);
        }
        if self.stop.is_asked() && matches!(state.end, Some(End::Source | End::Limit | End::Idle)) {
            state.end = Some(End::Stopped);
        }
        self.report(state);
        self.look(state, true);
    }

    /// Takes one event, if there is one soon, and does what is due.
    fn turn(&mut self, state: &mut State) {
        match self.events.recv_timeout(GLANCE) {
            Ok(event) => self.take(event, state),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
        }
        // What waits is taken at one go.
        for _ in 0..EVENTS {
            match self.events.try_recv() {
                Ok(event) => self.take(event, state),
                Err(_) => break,
            }
        }
        self.report(state);
        self.hand_over(state);
        self.hold(state);
        self.look(state, false);
    }

    fn look(&mut self, state: &State, last: bool) {
        let (commits, partitions, tools) = (&self.commits, &state.partitions, &self.tools);
        let lags = || lags(commits, partitions, &tools.queue);
        (self.observe)(&tools.metrics, &lags, last);
    }

    fn take(&mut self, event: Event, state: &mut State) {
        match event {
            Event::Flow(Flow::Batch(batch)) if state.end.is_none() && state.failure.is_none() => {
                state.last_record = Instant::now();
                self.distribute(batch, state);
            }
            Event::Flow(Flow::Reached(reached))
                if state.end.is_none() && state.failure.is_none() =>
            {
                for ((topic, partition), next) in reached {
                    let assignment = self.assignment(&topic, partition, next, state);
                    self.queue().pass(&assignment, next - 1);
                }
            }
            Event::Flow(Flow::Batch(_) | Flow::Reached(_)) | Event::Settled => {}
            Event::Flow(Flow::Notices(notices)) => {
                for notice in &notices {
                    let notice: &Notice = notice;
                    (self.notice)(notice);
                }
            }
            Event::Flow(Flow::Drain(handover, done)) => self.begin_handover(&handover, done, state),
            Event::Flow(Flow::End(Ok(()))) => {
                state.end.get_or_insert(End::Source);
            }
            Event::Flow(Flow::End(Err(error))) => state.end = Some(End::Failed(error)),
            Event::Failed(error) => {
                state.failure.get_or_insert(error);
            }
            Event::NotPrinted(error) => {
                self.queue().abandon(None);
                if error.kind() == io::ErrorKind::BrokenPipe {
                    state.end = Some(End::ClosedPipe);
                } else {
                    state.failure.get_or_insert(Error::Stdout { source: error });
                }
            }
            Event::Note(text) => (self.notice)(&text),
        }
    }

    /// Puts each record that is wanted into the queue.
    fn distribute(&mut self, batch: Messages, state: &mut State) {
        let mut arrivals = Vec::with_capacity(batch.len());
        let mut last: Option<Arc<Assignment>> = None;
        for taken in batch {
            let message = taken.message();
            let offset = message.offset();
            let (topic, partition) = (message.topic(), message.partition());
            // Records come in runs of one partition.
            let same = last.filter(|last| last.partition == partition && last.topic == topic);
            let assignment =
                same.unwrap_or_else(|| self.assignment(topic, partition, offset, state));
            last = Some(assignment.clone());
            let (is_wanted, order) = {
                let mut room = Vec::new();
                let record = message.record(&mut room);
                let is_wanted = self.filter.is_empty() || self.filter.matches(&record);
                (is_wanted, order(&record, self.by_partition))
            };
            if !is_wanted {
                // Behind those of its partition that came before it.
                self.queue().arrive(arrivals.drain(..));
                self.queue().pass(&assignment, offset);
                continue;
            }
            arrivals.push(Arrival {
                taken,
                assignment,
                order,
            });
            state.taken += 1;
            if self.bounds.limit == Some(state.taken) {
                state.end = Some(End::Limit);
                break;
            }
        }
        self.queue().arrive(arrivals.into_iter());
    }

    fn assignment(
        &self,
        topic: &str,
        partition: i32,
        offset: i64,
        state: &mut State,
    ) -> Arc<Assignment> {
        let key = (topic.to_owned(), partition);
        let entry = state.partitions.entry(key);
        let assignment = entry.or_insert_with_key(|(topic, partition)| {
            state.assignments += 1;
            let assignment = Assignment {
                holding: state.assignments,
                topic: topic.clone(),
                partition: *partition,
            };
            self.tools.queue.open(&assignment, offset);
            Arc::new(assignment)
        });
        assignment.clone()
    }

    /// Reports what is finished without a gap.
    pub(super) fn report(&self, state: &State) {
        let finished = self.queue().take_finished();
        if finished.is_empty() {
            return;
        }
        let leaving = state
            .leaving
            .iter()
            .flat_map(|leaving| &leaving.assignments);
        // What belongs to an older assignment is nobody's.
        let ours = state.partitions.values().chain(leaving);
        self.commits.finished(ours.filter_map(|assignment| {
            let next = finished.get(&assignment.holding)?;
            Some(((assignment.topic.clone(), assignment.partition), *next))
        }));
    }
}

fn is_over(most: Option<Duration>, since: Instant) -> bool {
    most.is_some_and(|most| since.elapsed() >= most)
}

fn order(record: &Record<'_>, by_partition: bool) -> Option<u64> {
    let mut hasher = DefaultHasher::new();
    record.topic.hash(&mut hasher);
    if by_partition {
        record.partition.hash(&mut hasher);
    } else {
        record.key?.hash(&mut hasher);
    }
    Some(hasher.finish())
}

/// What of each partition is not finished.
fn lags(commits: &Commits, partitions: &BTreeMap<Key, Arc<Assignment>>, queue: &Queue) -> Lags {
    let lag = |((topic, number), assignment): (&Key, &Arc<Assignment>)| {
        let end = commits.known_end(topic, *number)?;
        let next = queue.next(assignment)?;
        Some(((topic.clone(), *number), (end - next).max(0)))
    };
    partitions.iter().filter_map(lag).collect()
}
