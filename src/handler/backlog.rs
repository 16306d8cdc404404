//! What was taken from Kafka and is not finished: who may have which record next, what may be
//! committed, and what is left out when partitions are given up. No threads and no Kafka in here.
//!
//! - Records with the same order token are in the hands of one worker at a time, in order.
//! - Of each partition no record begins that is [`Backlog::new`]'s `window` or more behind the first
//!   unfinished one, so what is finished and cannot be committed yet is bounded by it.
//! - A partition that is closed lets nothing begin but what lies before something that is finished or
//!   in hand: when that is done too, all that is finished can be committed.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use super::partition::{Holding, Partition, Stage, Ticket, Waiting};

/// Records that wait or are in hand; `T` is what they carry.
pub(super) struct Backlog<T> {
    window: usize,
    holdings: HashMap<Holding, Partition<T>>,
    /// Keys of which something waits or is in hand.
    keys: HashMap<u64, Key<T>>,
    /// What may begin: records without a token, and the first of each key that nobody has.
    ready: BTreeMap<u64, Waiting<T>>,
    /// What may be taken at one go: all that is ready and, behind it, the rest of its keys.
    takeable: usize,
    serial: u64,
    records: usize,
    bytes: usize,
}

struct Key<T> {
    /// Records of it in hand, all with one worker.
    in_hand: usize,
    is_ready: bool,
    behind: VecDeque<Waiting<T>>,
}

impl<T> Backlog<T> {
    /// Nothing yet.
    pub(super) fn new(window: usize) -> Self {
        Self {
            window,
            holdings: HashMap::new(),
            keys: HashMap::new(),
            ready: BTreeMap::new(),
            takeable: 0,
            serial: 0,
            records: 0,
            bytes: 0,
        }
    }

    /// A partition became ours, and its records come from `next` on.
    pub(super) fn open(&mut self, holding: Holding, next: i64) {
        let partition = Partition::new(next);
        self.holdings.insert(holding, partition);
    }

    /// Forgets a partition, and what came of it.
    pub(super) fn forget(&mut self, holding: Holding) {
        self.abandon(holding);
        self.holdings.remove(&holding);
    }

    /// A record came that is to be handled; those of one partition come in order.
    pub(super) fn arrive(
        &mut self,
        holding: Holding,
        offset: i64,
        order: Option<u64>,
        size: usize,
        load: T,
    ) {
        self.serial += 1;
        let ticket = Ticket {
            holding,
            offset,
            order,
            size,
            serial: self.serial,
        };
        let window = self.window;
        let Some(partition) = self.holdings.get_mut(&holding) else {
            return;
        };
        partition.tracker.begin(offset);
        if partition.stage != Stage::Open {
            return;
        }
        partition.waiting += 1;
        partition.waiting_bytes += size;
        self.records += 1;
        self.bytes += size;
        if partition.tracker.len() > window {
            partition.beyond.push_back((ticket, load));
        } else {
            self.admit((ticket, load));
        }
    }

    /// A record came that nobody wants.
    pub(super) fn pass(&mut self, holding: Holding, offset: i64) {
        if let Some(partition) = self.holdings.get_mut(&holding) {
            partition.tracker.pass(offset);
        }
    }

    /// Lets a record begin when its turn comes.
    fn admit(&mut self, waiting: Waiting<T>) {
        let (ticket, _) = &waiting;
        let Some(order) = ticket.order else {
            self.takeable += 1;
            self.ready.insert(ticket.serial, waiting);
            return;
        };
        let key = self.keys.entry(order).or_insert_with(|| Key {
            in_hand: 0,
            is_ready: false,
            behind: VecDeque::new(),
        });
        self.takeable += usize::from(key.in_hand == 0);
        if key.in_hand == 0 && !key.is_ready {
            key.is_ready = true;
            self.ready.insert(ticket.serial, waiting);
        } else {
            key.behind.push_back(waiting);
        }
    }

    /// So many could be taken at one go.
    pub(super) fn takeable(&self) -> usize {
        self.takeable
    }

    /// Whether there is anything to take.
    pub(super) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Gives `worker` up to `most` records, one of each key, the first that came first.
    pub(super) fn take_one_of_each(&mut self, most: usize, worker: usize) -> Vec<Waiting<T>> {
        let mut taken = Vec::new();
        while taken.len() < most {
            let Some((_, waiting)) = self.ready.pop_first() else {
                break;
            };
            self.hand_out(&waiting.0, worker);
            taken.push(waiting);
        }
        taken
    }

    /// Gives `worker` up to `most` records in the order in which they came, each key with all that
    /// waits of it.
    ///
    /// While there is enough for `idle` workers each gets its share of the keys.
    pub(super) fn take(&mut self, most: usize, worker: usize, idle: usize) -> Vec<Waiting<T>> {
        let mut share = usize::MAX;
        if idle > 1 && self.takeable >= most.saturating_mul(idle) {
            share = self.ready.len().div_ceil(idle);
        }
        let mut taken: Vec<Waiting<T>> = Vec::new();
        // The keys of this take, by the next record of each.
        let mut own: BTreeMap<u64, u64> = BTreeMap::new();
        while taken.len() < most {
            let next = self.ready.first_key_value().map(|(serial, _)| *serial);
            let next_own = own.first_key_value().map(|(serial, _)| *serial);
            let from_own = match (next, next_own) {
                (None, None) => break,
                (Some(next), Some(next_own)) => share == 0 || next_own < next,
                (None, Some(_)) => true,
                (Some(_), None) => false,
            };
            let waiting = if from_own {
                let key = own.pop_first();
                let key = key.and_then(|(_, order)| self.keys.get_mut(&order));
                key.and_then(|key| key.behind.pop_front())
            } else {
                share = share.saturating_sub(1);
                self.ready.pop_first().map(|(_, waiting)| waiting)
            };
            let Some(waiting) = waiting else { break };
            self.hand_out(&waiting.0, worker);
            if let Some(order) = waiting.0.order
                && let Some(key) = self.keys.get(&order)
                && let Some((behind, _)) = key.behind.front()
            {
                own.insert(behind.serial, order);
            }
            taken.push(waiting);
        }
        taken.sort_unstable_by_key(|(ticket, _)| ticket.serial);
        taken
    }

    /// A record goes from those that wait to those in hand.
    fn hand_out(&mut self, ticket: &Ticket, worker: usize) {
        match ticket.order.and_then(|order| self.keys.get_mut(&order)) {
            None => self.takeable -= 1,
            Some(key) => {
                if key.in_hand == 0 {
                    key.is_ready = false;
                    self.takeable -= 1 + key.behind.len();
                }
                key.in_hand += 1;
            }
        }
        if let Some(partition) = self.holdings.get_mut(&ticket.holding) {
            partition.waiting -= 1;
            partition.waiting_bytes -= ticket.size;
            partition.in_hand.insert(ticket.offset, worker);
        }
    }

    /// A record in hand is finished.
    pub(super) fn finish(&mut self, ticket: &Ticket) {
        self.put_down(ticket);
        let Some(partition) = self.holdings.get_mut(&ticket.holding) else {
            return;
        };
        partition.tracker.finish(ticket.offset);
        let highest = partition.highest_finished.max(Some(ticket.offset));
        partition.highest_finished = highest;
        self.advance(ticket.holding);
    }

    /// Lets those begin that are no longer too far behind.
    fn advance(&mut self, holding: Holding) {
        loop {
            let Some(partition) = self.holdings.get_mut(&holding) else {
                return;
            };
            let len = partition.tracker.len();
            if len - partition.beyond.len().min(len) >= self.window {
                return;
            }
            let Some(waiting) = partition.beyond.pop_front() else {
                return;
            };
            self.admit(waiting);
        }
    }

    /// A record in hand is to be left to whoever comes next, if nothing is lost by that: asks
    /// first of those that came last.
    pub(super) fn let_go(&mut self, ticket: &Ticket) -> bool {
        let partition = self.holdings.get(&ticket.holding);
        let lets_go = partition.is_none_or(|partition| partition.lets_go(ticket.offset));
        if lets_go {
            self.give_up(ticket);
        }
        lets_go
    }

    /// Whether [`Self::let_go`] would.
    pub(super) fn would_let_go(&self, ticket: &Ticket) -> bool {
        let partition = self.holdings.get(&ticket.holding);
        partition.is_none_or(|partition| partition.lets_go(ticket.offset))
    }

    /// A record in hand is not finished, and not to be finished here.
    pub(super) fn give_up(&mut self, ticket: &Ticket) {
        self.put_down(ticket);
        self.trim(ticket.holding);
    }

    fn put_down(&mut self, ticket: &Ticket) {
        self.records -= 1;
        self.bytes -= ticket.size;
        if let Some(partition) = self.holdings.get_mut(&ticket.holding) {
            partition.in_hand.remove(&ticket.offset);
        }
        if let Some(order) = ticket.order
            && let Some(key) = self.keys.get_mut(&order)
        {
            key.in_hand -= 1;
            if key.in_hand == 0 {
                self.takeable += key.behind.len();
                self.promote(order);
            }
        }
    }

    /// Makes the first record ready of a key that nobody has.
    fn promote(&mut self, order: u64) {
        let Some(key) = self.keys.get_mut(&order) else {
            return;
        };
        if key.in_hand > 0 || key.is_ready {
            return;
        }
        match key.behind.pop_front() {
            Some(waiting) => {
                key.is_ready = true;
                self.ready.insert(waiting.0.serial, waiting);
            }
            None => {
                self.keys.remove(&order);
            }
        }
    }

    /// Lets nothing of a partition begin but what lies before something that is finished or in hand.
    pub(super) fn close(&mut self, holding: Holding) {
        if let Some(partition) = self.holdings.get_mut(&holding)
            && partition.stage == Stage::Open
        {
            partition.stage = Stage::Closed;
            self.trim(holding);
        }
    }

    /// Lets nothing of a partition begin.
    pub(super) fn abandon(&mut self, holding: Holding) {
        if let Some(partition) = self.holdings.get_mut(&holding) {
            partition.stage = Stage::Abandoned;
            self.trim(holding);
        }
    }

    /// All partitions there are.
    pub(super) fn holdings(&self) -> Vec<Holding> {
        self.holdings.keys().copied().collect()
    }

    /// Takes out what waits of a partition and is not to begin any more.
    fn trim(&mut self, holding: Holding) {
        let Some(partition) = self.holdings.get_mut(&holding) else {
            return;
        };
        let until = match partition.stage {
            Stage::Open => return,
            Stage::Closed => partition.highest().unwrap_or(i64::MIN),
            Stage::Abandoned => i64::MIN,
        };
        if partition.waiting == 0 {
            return;
        }
        let (mut records, mut bytes) = (0, 0);
        let mut stays = |ticket: &Ticket| {
            let stays = ticket.holding != holding || ticket.offset < until;
            if !stays {
                records += 1;
                bytes += ticket.size;
            }
            stays
        };
        partition.beyond.retain(|(ticket, _)| stays(ticket));
        let keys = &mut self.keys;
        self.ready.retain(|_, (ticket, _)| {
            let stays = stays(ticket);
            if !stays && let Some(key) = ticket.order.and_then(|order| keys.get_mut(&order)) {
                key.is_ready = false;
            }
            stays
        });
        for key in self.keys.values_mut() {
            key.behind.retain(|(ticket, _)| stays(ticket));
        }
        partition.waiting -= records;
        partition.waiting_bytes -= bytes;
        self.records -= records;
        self.bytes -= bytes;
        let orders: BTreeSet<u64> = self.keys.keys().copied().collect();
        for order in orders {
            self.promote(order);
        }
        let free = self.keys.values().filter(|key| key.in_hand == 0);
        self.takeable = self.ready.len() + free.map(|key| key.behind.len()).sum::<usize>();
    }

    /// Whether something of a partition is in hand or will be.
    pub(super) fn is_busy(&self, holding: Holding) -> bool {
        let partition = self.holdings.get(&holding);
        partition.is_some_and(|partition| partition.waiting > 0 || !partition.in_hand.is_empty())
    }

    /// Who has something of a partition in hand.
    pub(super) fn workers_with(&self, holding: Holding) -> BTreeSet<usize> {
        let partition = self.holdings.get(&holding);
        partition.map_or_else(BTreeSet::new, |partition| {
            partition.in_hand.values().copied().collect()
        })
    }

    /// Whether a partition is given up, finished or not.
    pub(super) fn is_abandoned(&self, holding: Holding) -> bool {
        let partition = self.holdings.get(&holding);
        partition.is_none_or(|partition| partition.stage == Stage::Abandoned)
    }

    /// Returns what may be committed of each partition where that is more than when last asked: the
    /// next offset wanted.
    pub(super) fn take_finished(&mut self) -> Vec<(Holding, i64)> {
        let partitions = self.holdings.iter_mut();
        let finished = partitions.filter_map(|(holding, partition)| {
            let next = partition.tracker.take_finished()?;
            partition.next = next;
            Some((*holding, next))
        });
        finished.collect()
    }

    /// The next offset of a partition that is not finished.
    pub(super) fn next(&self, holding: Holding) -> Option<i64> {
        self.holdings.get(&holding).map(|partition| partition.next)
    }

    /// Records that wait or are in hand.
    pub(super) fn records(&self) -> usize {
        self.records
    }

    /// The same in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Records of a partition that wait, and their bytes.
    pub(super) fn waiting_of(&self, holding: Holding) -> (usize, usize) {
        let partition = self.holdings.get(&holding);
        partition.map_or((0, 0), |partition| {
            (partition.waiting, partition.waiting_bytes)
        })
    }
}
