//! A queue with one worker behind it.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{Arc, Assignment, Item};

/// Where one worker's records wait.
#[derive(Default)]
pub(super) struct Lane {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Item>,
    /// The partitions of what the worker has in hand.
    running: Vec<Arc<Assignment>>,
    /// A batch does not wait for more.
    flush: bool,
    closed: bool,
}

impl Lane {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a record behind the others.
    pub(super) fn push(&self, item: Item) {
        self.lock().queue.push_back(item);
        self.changed.notify_one();
    }

    /// Lets a batch begin that is not full.
    pub(super) fn flush(&self) {
        self.lock().flush = true;
        self.changed.notify_one();
    }

    /// Ends the worker when it is done with what it has in hand.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_one();
    }

    /// Takes waiting records out.
    pub(super) fn discard(&self, unwanted: impl Fn(&Item) -> bool) -> Vec<Item> {
        let mut state = self.lock();
        let (out, stay): (VecDeque<Item>, VecDeque<Item>) = std::mem::take(&mut state.queue)
            .into_iter()
            .partition(|item| unwanted(item));
        state.queue = stay;
        Vec::from(out)
    }

    /// Whether the worker has something in hand for which this holds.
    pub(super) fn runs(&self, of: impl Fn(&Assignment) -> bool) -> bool {
        self.lock().running.iter().any(|running| of(running))
    }

    /// The worker has these in hand and no others.
    pub(super) fn holds<'a>(&self, items: impl Iterator<Item = &'a Item>) {
        let mut state = self.lock();
        state.running.clear();
        for item in items {
            state.runs(item);
        }
    }

    /// Waits for up to `most` records, for the first as long as it takes, for the rest until
    /// `interval` has passed; `None` when the lane is closed.
    pub(super) fn take(&self, most: usize, interval: Duration) -> Option<Vec<Item>> {
        let mut state = self.lock();
        state.running.clear();
        let mut since: Option<Instant> = None;
        loop {
            if state.closed {
                return None;
            }
            let is_due = since.is_some_and(|since| since.elapsed() >= interval);
            if state.queue.len() >= most || (!state.queue.is_empty() && (state.flush || is_due)) {
                return Some(state.hand_out(most));
            }
            if state.queue.is_empty() {
                since = None;
                state.flush = false;
                state = self
                    .changed
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
            } else {
                let left =
                    interval.saturating_sub(since.get_or_insert_with(Instant::now).elapsed());
                let waited = self.changed.wait_timeout(state, left);
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
        }
    }

    /// Takes up to `most` records that are there, without waiting, to what the worker has in hand.
    pub(super) fn take_more(&self, most: usize, wanted: impl Fn(&Item) -> bool) -> Vec<Item> {
        let mut state = self.lock();
        let leading = state.queue.iter().take(most);
        let count = leading.take_while(|item| wanted(item)).count();
        state.hand_out(count)
    }

    /// Whether the worker is to end.
    pub(super) fn is_closed(&self) -> bool {
        self.lock().closed
    }
}

impl State {
    fn hand_out(&mut self, most: usize) -> Vec<Item> {
        let count = most.min(self.queue.len());
        let items: Vec<Item> = self.queue.drain(..count).collect();
        for item in &items {
            self.runs(item);
        }
        items
    }

    fn runs(&mut self, item: &Item) {
        let last = self.running.last();
        if last.is_none_or(|last| !Arc::ptr_eq(last, &item.assignment)) {
            self.running.push(item.assignment.clone());
        }
    }
}
