//! Properties of the backlog: order for each key, nothing lost, bounded, and a clean end.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use proptest::prelude::*;
use proptest::sample::Index;

use super::backlog::Backlog;
use super::partition::Ticket;

const WINDOW: usize = 8;
const WORKERS: usize = 3;

#[derive(Clone, Debug)]
enum Step {
    /// A record of this partition and key comes; an offset may be missing before it.
    Arrive(u64, Option<u64>, bool),
    /// One comes that nobody wants.
    Pass(u64),
    Take(usize, usize),
    TakeOneOfEach(usize, usize),
    Finish(Index),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..2_u64, prop::option::weighted(0.8, 0..4_u64), any::<bool>())
            .prop_map(|(partition, key, gap)| Step::Arrive(partition, key, gap)),
        1 => (0..2_u64).prop_map(Step::Pass),
        2 => (0..WORKERS, 1..6_usize).prop_map(|(worker, most)| Step::Take(worker, most)),
        2 => (0..WORKERS, 1..4_usize).prop_map(|(worker, most)| Step::TakeOneOfEach(worker, most)),
        4 => any::<Index>().prop_map(Step::Finish),
    ]
}

/// A backlog, and what is expected of it.
struct Bench {
    backlog: Backlog<i64>,
    /// The next offset of each partition.
    ends: BTreeMap<u64, i64>,
    /// Records that came, by partition, and the key of each.
    came: BTreeMap<u64, BTreeMap<i64, Option<u64>>>,
    taken: BTreeMap<u64, BTreeSet<i64>>,
    finished: BTreeMap<u64, BTreeSet<i64>>,
    committed: BTreeMap<u64, i64>,
    in_hand: Vec<(Ticket, usize)>,
    /// The last that was taken of each key in each partition.
    last: HashMap<(u64, u64), i64>,
}

impl Bench {
    fn new() -> Self {
        let mut backlog = Backlog::new(WINDOW);
        for partition in 0..2 {
            backlog.open(partition, 0);
        }
        Self {
            backlog,
            ends: [(0, 0), (1, 0)].into(),
            came: [(0, BTreeMap::new()), (1, BTreeMap::new())].into(),
            taken: [(0, BTreeSet::new()), (1, BTreeSet::new())].into(),
            finished: [(0, BTreeSet::new()), (1, BTreeSet::new())].into(),
            committed: [(0, 0), (1, 0)].into(),
            in_hand: Vec::new(),
            last: HashMap::new(),
        }
    }

    fn arrive(&mut self, partition: u64, key: Option<u64>, gap: bool) {
        let end = self.ends.get_mut(&partition).unwrap();
        let offset = *end + i64::from(gap);
        *end = offset + 1;
        self.came.get_mut(&partition).unwrap().insert(offset, key);
        // A key is in one partition, as it is in Kafka.
        let order = key.map(|key| key * 2 + partition);
        self.backlog.arrive(partition, offset, order, 1, offset);
    }

    fn took(&mut self, taken: Vec<(Ticket, i64)>, worker: usize, most: usize) {
        assert!(taken.len() <= most);
        for (ticket, offset) in taken {
            assert_eq!(ticket.offset, offset);
            let partition = ticket.holding;
            let key = self.came[&partition][&offset];
            if let Some(key) = key {
                let order = Some(key * 2 + partition);
                let elsewhere =
                    |(other, holder): &&(Ticket, usize)| other.order == order && *holder != worker;
                let other = self.in_hand.iter().find(elsewhere);
                assert_eq!(other, None, "a key is with one worker");
                let last = self.last.insert((partition, key), offset);
                assert!(last < Some(offset), "{offset} came behind {last:?}");
                let earlier = self.came[&partition].range(..offset);
                let skipped: Vec<_> = earlier
                    .filter(|(offset, other)| {
                        **other == Some(key) && !self.taken[&partition].contains(offset)
                    })
                    .collect();
                assert_eq!(skipped, [], "{offset} overtook its key");
            }
            let is_new = self.taken.get_mut(&partition).unwrap().insert(offset);
            assert!(is_new, "{offset} was given out twice");
            let unfinished = self.came[&partition]
                .keys()
                .find(|offset| !self.finished[&partition].contains(offset));
            let first = *unfinished.unwrap();
            let ahead = self.came[&partition].range(first..offset).count();
            assert!(ahead < WINDOW, "{offset} is {ahead} ahead of {first}");
            self.in_hand.push((ticket, worker));
        }
    }

    fn finish(&mut self, index: usize) {
        let (ticket, _) = self.in_hand.swap_remove(index);
        self.finished
            .get_mut(&ticket.holding)
            .unwrap()
            .insert(ticket.offset);
        self.backlog.finish(&ticket);
        for (partition, next) in self.backlog.take_finished() {
            let before = self.committed.insert(partition, next).unwrap();
            assert!(before < next, "commits go forward");
            let mut before = self.came[&partition].range(..next);
            assert!(
                before.all(|(offset, _)| self.finished[&partition].contains(offset)),
                "nothing unfinished is committed"
            );
        }
    }

    fn run(&mut self, steps: Vec<Step>) {
        for step in steps {
            match step {
                Step::Arrive(partition, key, gap) => self.arrive(partition, key, gap),
                Step::Pass(partition) => {
                    let end = self.ends.get_mut(&partition).unwrap();
                    self.backlog.pass(partition, *end);
                    *end += 1;
                }
                Step::Take(worker, most) => {
                    let taken = self.backlog.take(most, worker, WORKERS);
                    self.took(taken, worker, most);
                }
                Step::TakeOneOfEach(worker, most) => {
                    let taken = self.backlog.take_one_of_each(most, worker);
                    self.took(taken, worker, most);
                }
                Step::Finish(index) if !self.in_hand.is_empty() => {
                    self.finish(index.index(self.in_hand.len()));
                }
                Step::Finish(_) => {}
            }
            self.check_takeable();
        }
    }

    /// One who takes all gets as many as were promised.
    fn check_takeable(&self) {
        let takeable = self.backlog.takeable();
        assert_eq!(takeable > 0, self.backlog.has_ready());
        let unfinished: usize = self
            .came
            .iter()
            .map(|(partition, came)| came.len() - self.finished[partition].len())
            .sum();
        assert!(takeable <= unfinished);
    }

    /// Lets one worker do all that may still begin.
    fn drain(&mut self) {
        loop {
            while !self.in_hand.is_empty() {
                self.finish(self.in_hand.len() - 1);
            }
            let (promised, most) = (self.backlog.takeable(), usize::MAX);
            let taken = self.backlog.take(most, 0, 1);
            assert_eq!(taken.len(), promised);
            if taken.is_empty() {
                return;
            }
            self.took(taken, 0, most);
        }
    }
}

proptest! {
    #[test]
    fn everything_is_handled_once_in_the_order_of_its_key_and_committed(
        steps in prop::collection::vec(step(), 0..120),
    ) {
        let mut bench = Bench::new();
        bench.run(steps);
        bench.drain();
        for partition in [0, 1] {
            let came: BTreeSet<i64> = bench.came[&partition].keys().copied().collect();
            prop_assert_eq!(&bench.finished[&partition], &came);
            prop_assert!(!bench.backlog.is_busy(partition));
        }
        prop_assert_eq!(bench.backlog.records(), 0);
        prop_assert_eq!(bench.backlog.bytes(), 0);
    }

    #[test]
    fn what_is_closed_ends_with_nothing_finished_that_is_not_committed(
        steps in prop::collection::vec(step(), 0..120),
    ) {
        let mut bench = Bench::new();
        bench.run(steps);
        let in_hand: BTreeSet<(u64, i64)> = bench
            .in_hand
            .iter()
            .map(|(ticket, _)| (ticket.holding, ticket.offset))
            .collect();
        let done = bench.finished.clone();
        bench.backlog.close(0);
        bench.backlog.close(1);
        bench.drain();
        for partition in [0, 1] {
            let finished = &bench.finished[&partition];
            let behind = finished.range(bench.committed[&partition]..).count();
            prop_assert_eq!(behind, 0, "finished and not committed");
            // No more than it takes.
            let needed = in_hand.iter().filter(|(of, _)| *of == partition);
            let needed = needed.map(|(_, offset)| *offset).chain(done[&partition].iter().copied());
            prop_assert_eq!(finished.last().copied(), needed.max());
            prop_assert!(!bench.backlog.is_busy(partition));
        }
        prop_assert_eq!(bench.backlog.records(), 0);
    }

    #[test]
    fn what_is_in_hand_may_go_where_nothing_behind_it_is_done(
        steps in prop::collection::vec(step(), 0..120),
    ) {
        let mut bench = Bench::new();
        bench.run(steps);
        bench.backlog.close(0);
        bench.backlog.close(1);
        // The last first, as the workers ask.
        bench.in_hand.sort_by_key(|(ticket, _)| ticket.offset);
        let mut index = bench.in_hand.len();
        while index > 0 {
            index -= 1;
            let (ticket, _) = bench.in_hand[index];
            let last = bench.finished[&ticket.holding].last().copied();
            prop_assert_eq!(bench.backlog.let_go(&ticket), last < Some(ticket.offset));
            if last < Some(ticket.offset) {
                bench.in_hand.remove(index);
            }
        }
        bench.drain();
        for partition in [0, 1] {
            let finished = &bench.finished[&partition];
            prop_assert_eq!(finished.range(bench.committed[&partition]..).count(), 0);
        }
        prop_assert_eq!(bench.backlog.records(), 0);
    }

    #[test]
    fn what_is_abandoned_never_begins_and_holds_up_nobody_else(
        steps in prop::collection::vec(step(), 0..120),
    ) {
        let mut bench = Bench::new();
        bench.run(steps);
        let before = bench.taken[&0].clone();
        bench.backlog.abandon(0);
        bench.drain();
        prop_assert_eq!(&bench.taken[&0], &before);
        let came: BTreeSet<i64> = bench.came[&1].keys().copied().collect();
        prop_assert_eq!(&bench.finished[&1], &came);
        bench.backlog.forget(0);
        bench.backlog.forget(1);
        prop_assert_eq!(bench.backlog.records(), 0);
    }
}

fn filled(keys: impl IntoIterator<Item = Option<u64>>) -> Backlog<i64> {
    let mut backlog = Backlog::new(100);
    backlog.open(0, 0);
    for (offset, key) in (0..).zip(keys) {
        backlog.arrive(0, offset, key, 1, offset);
    }
    backlog
}

fn offsets(taken: &[(Ticket, i64)]) -> Vec<i64> {
    taken.iter().map(|(_, offset)| *offset).collect()
}

#[test]
fn a_slow_record_holds_up_its_own_key_alone() {
    let mut backlog = filled([Some(1), Some(2), Some(1), Some(2), None]);
    let slow = backlog.take_one_of_each(1, 0);
    assert_eq!(offsets(&slow), [0]);
    let others = backlog.take(10, 1, 1);
    assert_eq!(offsets(&others), [1, 3, 4]);
    assert_eq!(backlog.takeable(), 0);
    backlog.finish(&slow[0].0);
    assert_eq!(offsets(&backlog.take(10, 1, 1)), [2]);
}

#[test]
fn idle_workers_share_the_keys_while_there_is_enough_for_all() {
    let keys = || (0..40).map(|number| Some(number % 4));
    assert_eq!(filled(keys()).take(10, 0, 1).len(), 10);
    let mut backlog = filled(keys());
    let taken = backlog.take(10, 0, 4);
    let of: BTreeSet<_> = taken.iter().map(|(ticket, _)| ticket.order).collect();
    assert_eq!((taken.len(), of.len()), (10, 1));
    assert_eq!(backlog.take(10, 1, 3).len(), 10);
    assert_eq!(backlog.take(10, 2, 2).len(), 10);
    assert_eq!(backlog.take(10, 3, 1).len(), 10);
}

#[test]
fn a_record_of_an_older_assignment_finishes_nothing_of_the_next() {
    let mut backlog = filled([Some(1), Some(1)]);
    let old = backlog.take_one_of_each(1, 0);
    backlog.forget(0);
    backlog.open(1, 0);
    backlog.arrive(1, 0, Some(1), 1, 0);
    assert!(!backlog.has_ready(), "its key is still in hand");
    backlog.finish(&old[0].0);
    assert_eq!(backlog.take_finished(), []);
    assert_eq!(offsets(&backlog.take(1, 0, 1)), [0]);
}
