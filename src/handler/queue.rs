//! The one queue between the dispatcher and the workers, of which a free worker takes what is next.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::backlog::Backlog;
use super::dispatch::Event;
use super::partition::{Holding, Ticket};
use super::wake::Bell;
use super::{Assignment, Item};
use crate::kafka::Taken;

/// Records that may begin behind one of their partition that is not finished. After a crash no more
/// than these come again, besides what was in hand and what was finished since the last commit.
const WINDOW: usize = 1000;

/// Shared by the dispatcher and the workers.
pub struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    /// Something happened that the dispatcher has not been told of.
    untold: AtomicBool,
    /// Something may have to be let go.
    closing: AtomicBool,
}

struct State {
    backlog: Backlog<(Taken, Arc<Assignment>)>,
    bells: Vec<Bell>,
    /// Workers that wait for something to do.
    idle: usize,
    /// A batch does not wait for more.
    flush: bool,
    closed: bool,
}

/// A record on its way into the queue.
pub(super) struct Arrival {
    pub(super) taken: Taken,
    pub(super) assignment: Arc<Assignment>,
    pub(super) order: Option<u64>,
}

/// What waits, as far as the source may have to be held back.
pub(super) struct Load {
    pub(super) records: usize,
    pub(super) bytes: usize,
}

impl Queue {
    /// A queue for `workers` that take up to `most` records at once.
    pub fn new(workers: usize, most: usize) -> Self {
        let in_hand = workers.saturating_mul(most);
        Self {
            state: Mutex::new(State {
                backlog: Backlog::new(WINDOW.max(in_hand.saturating_mul(2))),
                bells: Vec::new(),
                idle: 0,
                flush: false,
                closed: false,
            }),
            changed: Condvar::new(),
            untold: AtomicBool::new(false),
            closing: AtomicBool::new(false),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Rings `bell` of the next worker when there may be something to do.
    pub(super) fn listen(&self, bell: Bell) {
        self.lock().bells.push(bell);
    }

    /// A partition became ours.
    pub(super) fn open(&self, assignment: &Assignment, next: i64) {
        self.lock().backlog.open(assignment.holding, next);
    }

    /// A record came that nobody wants.
    pub(super) fn pass(&self, assignment: &Assignment, offset: i64) {
        self.lock().backlog.pass(assignment.holding, offset);
    }

    /// Records came, those of each partition in order.
    pub(super) fn arrive(&self, arrivals: impl Iterator<Item = Arrival>) {
        let mut state = self.lock();
        for arrival in arrivals {
            let message = arrival.taken.message();
            let (offset, size) = (message.offset(), message.size());
            let (holding, order) = (arrival.assignment.holding, arrival.order);
            let load = (arrival.taken, arrival.assignment);
            state.backlog.arrive(holding, offset, order, size, load);
        }
        self.wake(&state);
    }

    fn wake(&self, state: &State) {
        self.changed.notify_all();
        state.bells.iter().for_each(Bell::ring);
    }

    /// Waits for up to `most` records, for the first as long as it takes, for the rest until
    /// `interval` has passed; `None` when the queue is closed.
    pub(super) fn take(&self, worker: usize, most: usize, interval: Duration) -> Option<Vec<Item>> {
        let mut state = self.lock();
        let mut since: Option<Instant> = None;
        state.idle += 1;
        let taken = loop {
            if state.closed {
                break None;
            }
            let takeable = state.backlog.takeable();
            if takeable == 0 {
                since = None;
                let waited = self.changed.wait(state);
                state = waited.unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let left = interval.saturating_sub(since.get_or_insert_with(Instant::now).elapsed());
            if takeable >= most || state.flush || left.is_zero() {
                let idle = state.idle;
                break Some(state.backlog.take(most, worker, idle));
            }
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        };
        state.idle -= 1;
        drop(state);
        taken.map(items)
    }

    /// Takes up to `most` records that are there, without waiting, one of each key.
    pub(super) fn take_one_of_each(&self, worker: usize, most: usize) -> Vec<Item> {
        let mut state = self.lock();
        if most == 0 || !state.backlog.has_ready() {
            return Vec::new();
        }
        let taken = state.backlog.take_one_of_each(most, worker);
        drop(state);
        items(taken)
    }

    /// These are done.
    pub(super) fn finish(&self, done: &[Item]) {
        let mut state = self.lock();
        for item in done {
            state.backlog.finish(&item.ticket);
        }
        self.moved(&state);
    }

    /// Whether partitions have been closed or abandoned in this run: if not, nothing is let go.
    pub(super) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }

    /// Leaves those to whoever comes next of which nothing is lost by that; returns the others.
    pub(super) fn let_go(&self, mut items: Vec<Item>) -> Vec<Item> {
        if !self.is_closing() {
            return items;
        }
        let mut state = self.lock();
        let mut stay = Vec::with_capacity(items.len());
        while let Some(item) = items.pop() {
            if !state.backlog.let_go(&item.ticket) {
                stay.push(item);
            }
        }
        stay.reverse();
        self.moved(&state);
        stay
    }

    /// Whether [`Queue::let_go`] would keep less than all.
    pub(super) fn lets_go(&self, items: &[Item]) -> bool {
        self.is_closing() && {
            let state = self.lock();
            items
                .iter()
                .any(|item| state.backlog.would_let_go(&item.ticket))
        }
    }

    /// These are not done, and not to be done here.
    pub(super) fn give_up(&self, items: &[Item]) {
        let mut state = self.lock();
        for item in items.iter().rev() {
            state.backlog.give_up(&item.ticket);
        }
        self.moved(&state);
    }

    fn moved(&self, state: &State) {
        if state.idle > 0 {
            self.changed.notify_all();
        }
        self.untold.store(true, Ordering::SeqCst);
    }

    /// Tells the dispatcher, if it has not been told yet, that something was settled.
    pub(super) fn tell(&self, events: &SyncSender<Event>) {
        if self.untold.swap(false, Ordering::SeqCst) {
            // Who has other events to take will look anyway.
            let _ = events.try_send(Event::Settled);
        }
    }

    /// Lets a batch begin that is not full.
    pub(super) fn flush(&self) {
        let mut state = self.lock();
        state.flush = true;
        self.wake(&state);
    }

    /// Lets nothing begin but what lies before something that is finished or in hand, in these
    /// partitions or in all.
    pub(super) fn close(&self, of: Option<&[Arc<Assignment>]>) {
        let mut state = self.lock();
        self.closing.store(true, Ordering::SeqCst);
        for holding in state.holdings(of) {
            state.backlog.close(holding);
        }
        // What is to be finished does not wait for what will not come.
        state.flush |= of.is_none();
        self.wake(&state);
    }

    /// Lets nothing begin in these partitions, or in all; what runs of them says nothing any more.
    pub(super) fn abandon(&self, of: Option<&[Arc<Assignment>]>) {
        let mut state = self.lock();
        self.closing.store(true, Ordering::SeqCst);
        for holding in state.holdings(of) {
            state.backlog.abandon(holding);
        }
        self.wake(&state);
    }

    /// Ends workers when they are done with what they have in hand.
    pub(super) fn end(&self) {
        let mut state = self.lock();
        state.closed = true;
        self.wake(&state);
    }

    /// Whether workers are to end.
    pub(super) fn has_ended(&self) -> bool {
        self.lock().closed
    }

    /// Whether any of these is given up, so that nothing of it counts any more.
    pub(super) fn is_abandoned(&self, items: &[Item]) -> bool {
        let state = self.lock();
        items
            .iter()
            .any(|item| state.backlog.is_abandoned(item.ticket.holding))
    }

    /// Whether something of these partitions is in hand or will be.
    pub(super) fn is_busy(&self, with: &[Arc<Assignment>]) -> bool {
        let state = self.lock();
        with.iter()
            .any(|assignment| state.backlog.is_busy(assignment.holding))
    }

    /// Asks those who have something of these partitions in hand to end what they run.
    pub(super) fn cancel(&self, of: &[Arc<Assignment>]) {
        let state = self.lock();
        let workers = of
            .iter()
            .flat_map(|assignment| state.backlog.workers_with(assignment.holding));
        for worker in workers.collect::<BTreeSet<usize>>() {
            state.bells[worker].cancel();
        }
    }

    /// Asks all to end what they run.
    pub(super) fn cancel_all(&self) {
        self.lock().bells.iter().for_each(Bell::cancel);
    }

    /// Forgets a partition.
    pub(super) fn forget(&self, assignment: &Assignment) {
        self.lock().backlog.forget(assignment.holding);
    }

    /// What may be committed of each partition and was not told yet.
    pub(super) fn take_finished(&self) -> BTreeMap<Holding, i64> {
        self.lock().backlog.take_finished().into_iter().collect()
    }

    /// The next offset of a partition that is not finished.
    pub(super) fn next(&self, assignment: &Assignment) -> Option<i64> {
        self.lock().backlog.next(assignment.holding)
    }

    /// All that waits or is in hand.
    pub(super) fn load(&self) -> Load {
        let state = self.lock();
        Load {
            records: state.backlog.records(),
            bytes: state.backlog.bytes(),
        }
    }

    /// What waits of one partition.
    pub(super) fn load_of(&self, assignment: &Assignment) -> Load {
        let (records, bytes) = self.lock().backlog.waiting_of(assignment.holding);
        Load { records, bytes }
    }
}

impl State {
    fn holdings(&self, of: Option<&[Arc<Assignment>]>) -> Vec<Holding> {
        match of {
            Some(assignments) => assignments.iter().map(|one| one.holding).collect(),
            None => self.backlog.holdings(),
        }
    }
}

fn items(taken: Vec<(Ticket, (Taken, Arc<Assignment>))>) -> Vec<Item> {
    let item = |(ticket, (taken, assignment))| Item {
        taken,
        assignment,
        ticket,
    };
    taken.into_iter().map(item).collect()
}
