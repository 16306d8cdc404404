//! Gives records to lanes, and reports as finished what is settled without a gap.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::lane::Lane;
use super::listener::Stdout;
use super::process::{Herd, Program, Waiter};
use super::wake::{Bell, Wake};
use super::worker::{SharedOutlet, Worker};
use super::{Assignment, Attempts, Breaker, Chatter, Error, Item, Manner, Metrics};
use crate::kafka::{Commits, Handover, Member, Messages, Notice};
use crate::pipeline::filter::Filter;
use crate::pipeline::pump::{Bounds, End, Flow, GLANCE, Running};
use crate::pipeline::tracker::Tracker;
use crate::stop::Stop;

/// Records that wait for a handler are no more than this, in bytes.
const MOST_BYTES: usize = 8 * 1024 * 1024;

/// The same in records.
const MOST_RECORDS: usize = 10_000;

/// Records of one partition behind one that is not finished are no more than this.
const MOST_UNCOMMITTED: usize = 100_000;

/// Kept of the time for a handover, so that a handler can be ended within it.
const LAST_MOMENT: Duration = Duration::from_secs(3);

/// How long partitions may take to be handed over; the source waits a little longer.
const HANDOVER: Duration = Duration::from_secs(10);

/// How many events may wait for the dispatcher.
const EVENTS: usize = 64;

/// Records of each partition that are not finished.
pub type Lags = BTreeMap<(String, i32), i64>;

/// What reaches the dispatcher.
pub enum Event {
    /// From the group.
    Flow(Flow),
    /// From a lane.
    Settled { lane: usize, records: Vec<Settled> },
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

/// What became of one record.
pub struct Settled {
    assignment: Arc<Assignment>,
    offset: i64,
    order: Option<u64>,
    size: usize,
    fate: Fate,
}

/// Whether a record is behind us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Finished,
    GivenUp,
}

impl Settled {
    pub(super) fn new(item: &Item, fate: Fate) -> Self {
        Self {
            assignment: item.assignment.clone(),
            offset: item.offset(),
            order: item.order,
            size: item.taken.message().size(),
            fate,
        }
    }
}

/// What all workers use.
pub struct Tools {
    pub manner: Manner,
    pub program: Program,
    /// What of it runs.
    pub herd: Herd,
    pub breaker: Breaker,
    pub chatter: Chatter,
    pub stdout: Stdout,
    pub metrics: Arc<Metrics>,
    pub outlet: Option<SharedOutlet>,
    pub attempts: Option<Mutex<Attempts>>,
    /// No more tries are begun.
    pub winding_up: AtomicBool,
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
    pub lanes: usize,
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

struct Hand {
    lane: Arc<Lane>,
    bell: Bell,
    thread: JoinHandle<()>,
    /// Records that are with it.
    load: usize,
}

struct Partition {
    assignment: Arc<Assignment>,
    tracker: Tracker,
    /// The next offset that is not finished.
    next: i64,
}

impl Partition {
    fn new(topic: &str, partition: i32, next: i64) -> Self {
        Self {
            assignment: Arc::new(Assignment {
                topic: topic.to_owned(),
                partition,
                revoked: AtomicBool::new(false),
            }),
            tracker: Tracker::default(),
            next,
        }
    }
}

/// Partitions that are being given up.
struct Leaving {
    partitions: Vec<(String, i32)>,
    done: Sender<()>,
    cancel_at: Instant,
}

struct State {
    hands: Vec<Hand>,
    partitions: BTreeMap<(String, i32), Partition>,
    /// Where records with a token are, and how many.
    orders: HashMap<u64, (usize, usize)>,
    waiting_records: usize,
    waiting_bytes: usize,
    taken: u64,
    last_record: Instant,
    holds: bool,
    leaving: Option<Leaving>,
    end: Option<End>,
    failure: Option<Error>,
}

impl Dispatch<'_> {
    /// Runs until there is a reason to end, and until what was begun is settled or given up.
    pub fn run(mut self) -> Result<End, Error> {
        let hands = (0..self.lanes).map(|index| self.hire(index));
        let hands: io::Result<Vec<Hand>> = hands.collect();
        let mut state = State {
            hands: hands.map_err(|source| Error::System { source })?,
            partitions: BTreeMap::new(),
            orders: HashMap::new(),
            waiting_records: 0,
            waiting_bytes: 0,
            taken: 0,
            last_record: Instant::now(),
            holds: false,
            leaving: None,
            end: (self.bounds.limit == Some(0)).then_some(End::Limit),
            failure: None,
        };
        self.pass(&mut state);
        self.wind_up(&mut state);
        for hand in &state.hands {
            hand.lane.close();
            hand.bell.ring();
        }
        // Nobody listens any more, so nobody waits to be heard.
        drop(self.events);
        for hand in state.hands {
            if hand.thread.is_finished() || state.waiting_records == 0 {
                let _ = hand.thread.join();
            }
        }
        match (state.failure, state.end) {
            (Some(failure), _) => Err(failure),
            (None, end) => Ok(end.unwrap_or(End::Source)),
        }
    }

    fn hire(&self, index: usize) -> io::Result<Hand> {
        let lane = Arc::new(Lane::default());
        let wake = Wake::new()?;
        let bell = wake.bell();
        let worker = Worker {
            index,
            lane: lane.clone(),
            tools: self.tools.clone(),
            waiter: Waiter::start(bell.clone(), self.tools.herd.clone())?,
            wake,
            events: self.sender.clone(),
            chance: ChaCha8Rng::seed_from_u64(self.seed.wrapping_add(index as u64)),
            commits: self.commits.clone(),
        };
        let thread = thread::Builder::new()
            .name("worker".into())
            .spawn(move || worker.run())?;
        Ok(Hand {
            lane,
            bell,
            thread,
            load: 0,
        })
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
            let is_idle = state.waiting_records == 0;
            if !is_idle {
                state.last_record = Instant::now();
            } else if is_over(self.bounds.idle, state.last_record) {
                state.end.get_or_insert(End::Idle);
            }
        }
    }

    /// Lets what was begun come to its end: all of it, or, where somebody is waiting, what does so in
    /// time.
    fn wind_up(&mut self, state: &mut State) {
        let mut deadline = None;
        let mut is_cancelled = false;
        for hand in &state.hands {
            hand.lane.flush();
        }
        while state.waiting_records > 0 {
            let in_a_hurry = state.failure.is_some()
                || self.stop.is_asked()
                || !matches!(state.end, Some(End::Source | End::Limit | End::Idle));
            if in_a_hurry || is_over(self.bounds.timeout, self.start) {
                let until = *deadline.get_or_insert_with(|| {
                    self.tools.winding_up.store(true, Ordering::SeqCst);
                    if !in_a_hurry {
                        // What is given up now was asked for.
                        state.end = Some(End::Timeout);
                    }
                    let out = state.hands.iter().enumerate();
                    let out: Vec<_> = out
                        .flat_map(|(lane, hand)| {
                            hand.bell.ring();
                            let items = hand.lane.discard(|_| true);
                            items.into_iter().map(move |item| (lane, item))
                        })
                        .collect();
                    for (lane, item) in out {
                        state.settle(lane, &Settled::new(&item, Fate::GivenUp));
                    }
                    Instant::now() + self.drain
                });
                if Instant::now() >= until && !is_cancelled {
                    is_cancelled = true;
                    for hand in &state.hands {
                        hand.bell.cancel();
                    }
                }
                if Instant::now() >= until + LAST_MOMENT {
                    break;
                }
            }
            self.turn(state);
        }
        if self.stop.is_asked() && matches!(state.end, Some(End::Source | End::Limit | End::Idle)) {
            state.end = Some(End::Stopped);
        }
        self.report(state);
        let (commits, partitions) = (&self.commits, &state.partitions);
        (self.observe)(&self.tools.metrics, &|| lags(commits, partitions), true);
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
        let (commits, partitions) = (&self.commits, &state.partitions);
        (self.observe)(&self.tools.metrics, &|| lags(commits, partitions), false);
    }

    fn take(&mut self, event: Event, state: &mut State) {
        match event {
            Event::Flow(Flow::Batch(batch)) if state.end.is_none() && state.failure.is_none() => {
                state.last_record = Instant::now();
                self.distribute(batch, state);
            }
            Event::Flow(Flow::Batch(_)) => {}
            Event::Flow(Flow::Notices(notices)) => {
                for notice in &notices {
                    let notice: &Notice = notice;
                    (self.notice)(notice);
                }
            }
            Event::Flow(Flow::Drain(handover, done)) => begin_handover(handover, done, state),
            Event::Flow(Flow::End(Ok(()))) => {
                state.end.get_or_insert(End::Source);
            }
            Event::Flow(Flow::End(Err(error))) => state.end = Some(End::Failed(error)),
            Event::Settled { lane, records } => {
                for settled in &records {
                    state.settle(lane, settled);
                }
            }
            Event::Failed(error) => {
                state.failure.get_or_insert(error);
            }
            Event::NotPrinted(error) => {
                self.tools.winding_up.store(true, Ordering::SeqCst);
                if error.kind() == io::ErrorKind::BrokenPipe {
                    state.end = Some(End::ClosedPipe);
                } else {
                    state.failure.get_or_insert(Error::Stdout { source: error });
                }
            }
            Event::Note(text) => (self.notice)(&text),
        }
    }

    /// Gives each record that is wanted to a lane.
    fn distribute(&mut self, batch: Messages, state: &mut State) {
        for taken in batch {
            let message = taken.message();
            let (offset, size) = (message.offset(), message.size());
            let key = (message.topic().to_owned(), message.partition());
            let (is_wanted, order) = {
                let mut room = Vec::new();
                let record = message.record(&mut room);
                let is_wanted = self.filter.is_empty() || self.filter.matches(&record);
                (is_wanted, order(&record, self.by_partition))
            };
            let partition = state
                .partitions
                .entry(key)
                .or_insert_with_key(|(topic, number)| Partition::new(topic, *number, offset));
            if partition.assignment.is_revoked() {
                // It came back before the last of it was let go.
                *partition = Partition::new(message.topic(), message.partition(), offset);
            }
            if !is_wanted {
                partition.tracker.pass(offset);
                continue;
            }
            partition.tracker.begin(offset);
            let item = Item {
                assignment: partition.assignment.clone(),
                order,
                taken,
            };
            state.waiting_records += 1;
            state.waiting_bytes += size;
            let lane = state.lane_for(order);
            state.hands[lane].load += 1;
            state.hands[lane].lane.push(item);
            state.taken += 1;
            if self.bounds.limit == Some(state.taken) {
                state.end = Some(End::Limit);
                break;
            }
        }
        if self.tools.manner.stream {
            for hand in &state.hands {
                hand.bell.ring();
            }
        }
    }

    /// Reports what is finished without a gap.
    fn report(&self, state: &mut State) {
        for (key, partition) in &mut state.partitions {
            if let Some(next) = partition.tracker.take_finished() {
                partition.next = next;
                self.commits.finished([(key.clone(), next)]);
            }
        }
    }

    /// Gives up partitions of which nothing runs any more, and ends what runs for too long.
    fn hand_over(&mut self, state: &mut State) {
        let Some(mut leaving) = state.leaving.take() else {
            return;
        };
        let revoked = || {
            let hands = state.hands.iter();
            hands.filter(|hand| hand.lane.runs(Assignment::is_revoked))
        };
        if revoked().next().is_some() {
            if Instant::now() >= leaving.cancel_at {
                revoked().for_each(|hand| hand.bell.cancel());
                // Once is enough: what starts next must live.
                leaving.cancel_at = Instant::now() + HANDOVER;
            }
            state.leaving = Some(leaving);
            return;
        }
        // A worker tells what came of it before it lets go.
        while let Ok(event) = self.events.try_recv() {
            self.take(event, state);
        }
        self.report(state);
        for key in &leaving.partitions {
            let partition = state.partitions.get(key);
            if partition.is_some_and(|partition| partition.assignment.is_revoked()) {
                state.partitions.remove(key);
            }
        }
        let _ = leaving.done.send(());
    }

    /// Lets the source stop to fetch when enough is here, or nothing can be done with it.
    fn hold(&self, state: &mut State) {
        let crowded = |share: usize| {
            state.waiting_bytes > MOST_BYTES / share
                || state.waiting_records > self.most_records() / share
                || state
                    .partitions
                    .values()
                    .any(|partition| partition.tracker.len() > MOST_UNCOMMITTED / share)
        };
        let hold = state.end.is_some()
            || self.tools.breaker.is_open()
            || crowded(if state.holds { 2 } else { 1 });
        if hold != state.holds {
            state.holds = hold;
            self.source.hold(hold);
        }
    }

    fn most_records(&self) -> usize {
        let in_hand = self.lanes.saturating_mul(self.tools.manner.batch);
        MOST_RECORDS.max(in_hand.saturating_mul(2))
    }
}

impl State {
    /// The lane where records of the same order are, else the one with the least to do.
    fn lane_for(&mut self, order: Option<u64>) -> usize {
        if let Some((lane, count)) = order.and_then(|order| self.orders.get_mut(&order)) {
            *count += 1;
            return *lane;
        }
        let hands = self.hands.iter().enumerate();
        let least = hands.min_by_key(|(_, hand)| hand.load);
        let lane = least.map_or(0, |(lane, _)| lane);
        if let Some(order) = order {
            self.orders.insert(order, (lane, 1));
        }
        lane
    }

    fn settle(&mut self, lane: usize, settled: &Settled) {
        self.waiting_records -= 1;
        self.waiting_bytes -= settled.size;
        self.hands[lane].load -= 1;
        if let Some(order) = settled.order
            && let Some((_, count)) = self.orders.get_mut(&order)
        {
            *count -= 1;
            if *count == 0 {
                self.orders.remove(&order);
            }
        }
        if settled.fate == Fate::GivenUp {
            return;
        }
        let assignment = &settled.assignment;
        let key = (assignment.topic.clone(), assignment.partition);
        // What belongs to an older assignment is nobody's.
        if let Some(partition) = self.partitions.get_mut(&key)
            && Arc::ptr_eq(&partition.assignment, assignment)
        {
            partition.tracker.finish(settled.offset);
        }
    }
}

/// Lets nothing of these partitions begin, and lets what runs come to its end.
fn begin_handover(handover: Handover, done: Sender<()>, state: &mut State) {
    let now = Instant::now();
    for key in &handover.partitions {
        if let Some(partition) = state.partitions.get(key) {
            partition.assignment.revoked.store(true, Ordering::SeqCst);
        }
    }
    let out: Vec<_> = (0..state.hands.len())
        .flat_map(|lane| {
            let hand = &state.hands[lane];
            let items = hand.lane.discard(|item| item.assignment.is_revoked());
            hand.bell.ring();
            items.into_iter().map(move |item| (lane, item))
        })
        .collect();
    for (lane, item) in out {
        state.settle(lane, &Settled::new(&item, Fate::GivenUp));
    }
    state.leaving = Some(Leaving {
        partitions: handover.partitions,
        done,
        cancel_at: if handover.lost {
            now
        } else {
            now + HANDOVER.saturating_sub(LAST_MOMENT)
        },
    });
}

fn is_over(most: Option<Duration>, since: Instant) -> bool {
    most.is_some_and(|most| since.elapsed() >= most)
}

fn order(record: &crate::record::Record<'_>, by_partition: bool) -> Option<u64> {
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
fn lags(commits: &Commits, partitions: &BTreeMap<(String, i32), Partition>) -> Lags {
    let lag = |((topic, number), partition): (&(String, i32), &Partition)| {
        let end = commits.known_end(topic, *number)?;
        Some(((topic.clone(), *number), (end - partition.next).max(0)))
    };
    partitions.iter().filter_map(lag).collect()
}
