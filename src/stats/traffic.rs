//! The records of a topic within a sliding window: how many, how large, which partitions and keys.
//!
//! A record belongs to the moment of its timestamp. Memory is bounded whatever comes: the window
//! has [`SLOTS`] slots, each with a histogram of sizes and at most `KEYS_PER_SLOT` keys.

use std::collections::hash_map::{DefaultHasher, Entry};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::{Hash, Hasher};
use std::time::Duration;

use hdrhistogram::Histogram;

/// So many parts has a window, and a sparkline bars.
pub const SLOTS: usize = 30;

/// The same, to reckon with times.
const SPAN: i64 = 30;

/// Of more keys in a slot, those that came later are not told apart.
const KEYS_PER_SLOT: usize = 4096;

/// A record as it is counted.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    pub partition: i32,
    /// Milliseconds since the epoch.
    pub at: i64,
    pub key: Option<&'a [u8]>,
    /// Bytes of key, value and headers.
    pub size: u64,
    /// Its headers say that somebody failed to handle it.
    pub is_dead: bool,
}

/// What was seen of a topic.
#[derive(Debug)]
pub struct Traffic {
    slot_millis: i64,
    /// By time; the first is the oldest. Empty slots are not kept.
    slots: VecDeque<Slot>,
}

#[derive(Debug)]
struct Slot {
    /// Its time divided by the length of a slot.
    number: i64,
    bytes: u64,
    dead: u64,
    sizes: Histogram<u64>,
    partitions: BTreeMap<i32, u64>,
    keys: HashMap<u64, u64>,
    keys_overflow: bool,
}

/// The numbers of a window.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Numbers {
    pub records: u64,
    pub bytes: u64,
    /// How many of them are dead letters.
    pub dead: u64,
    /// Half of the records are no larger than this, to within 1 in 100.
    pub size_p50: u64,
    /// 95 of 100 records are no larger.
    pub size_p95: u64,
    /// Records by partition, of those that had some.
    pub partitions: BTreeMap<i32, u64>,
    /// How many different keys there were; `None` when too many to tell.
    pub keys: Option<u64>,
    /// Which part of all records has the most frequent key, 0 to 1.
    pub top_key_share: f64,
    /// Records in each slot, the oldest first.
    pub bars: Vec<u64>,
}

impl Traffic {
    /// Counts over a window of this length, at least 30 ms.
    pub fn new(window: Duration) -> Self {
        let millis = i64::try_from(window.as_millis()).unwrap_or(i64::MAX);
        Self {
            slot_millis: (millis / SPAN).max(1),
            slots: VecDeque::new(),
        }
    }

    /// Counts a record, unless it is older than the window that ends at `now`; what a producer's
    /// clock has in the future is of now.
    pub fn add(&mut self, seen: Seen<'_>, now: i64) {
        let number = seen.at.min(now).div_euclid(self.slot_millis);
        let last = now.div_euclid(self.slot_millis);
        if last.saturating_sub(number) >= SPAN {
            return;
        }
        let place = self.slots.partition_point(|slot| slot.number < number);
        if self
            .slots
            .get(place)
            .is_none_or(|slot| slot.number != number)
        {
            self.slots.insert(place, Slot::new(number));
            self.forget_before(last);
        }
        let place = self.slots.partition_point(|slot| slot.number < number);
        if let Some(slot) = self.slots.get_mut(place) {
            slot.add(seen);
        }
    }

    /// The numbers of the window that ends at `now`, in milliseconds since the epoch.
    pub fn numbers(&mut self, now: i64) -> Numbers {
        let last = now.div_euclid(self.slot_millis);
        self.forget_before(last);
        let mut numbers = Numbers {
            bars: vec![0; SLOTS],
            keys: Some(0),
            ..Numbers::default()
        };
        let mut sizes = empty_histogram();
        let mut keys: HashMap<u64, u64> = HashMap::new();
        let mut overflow = false;
        for slot in self.slots.iter().filter(|slot| slot.number <= last) {
            let records = slot.sizes.len();
            numbers.records += records;
            numbers.bytes += slot.bytes;
            numbers.dead += slot.dead;
            let bar = usize::try_from(last - slot.number).map_or(0, |age| SLOTS - 1 - age);
            numbers.bars[bar] += records;
            // Both have the same bounds.
            let _ = sizes.add(&slot.sizes);
            for (partition, count) in &slot.partitions {
                *numbers.partitions.entry(*partition).or_default() += count;
            }
            for (key, count) in &slot.keys {
                *keys.entry(*key).or_default() += count;
            }
            overflow |= slot.keys_overflow;
        }
        numbers.size_p50 = sizes.value_at_quantile(0.5);
        numbers.size_p95 = sizes.value_at_quantile(0.95);
        numbers.keys = (!overflow).then_some(keys.len() as u64);
        numbers.top_key_share = share(keys.values().copied().max(), numbers.records);
        numbers
    }

    fn forget_before(&mut self, last: i64) {
        let first = last.saturating_sub(SPAN - 1);
        while self.slots.front().is_some_and(|slot| slot.number < first) {
            self.slots.pop_front();
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share to three digits")]
fn share(part: Option<u64>, whole: u64) -> f64 {
    let share = part.unwrap_or(0) as f64 / whole.max(1) as f64;
    (share * 1000.0).round() / 1000.0
}

fn empty_histogram() -> Histogram<u64> {
    Histogram::new(2).expect("two digits are a precision that exists")
}

impl Slot {
    fn new(number: i64) -> Self {
        Self {
            number,
            bytes: 0,
            dead: 0,
            sizes: empty_histogram(),
            partitions: BTreeMap::new(),
            keys: HashMap::new(),
            keys_overflow: false,
        }
    }

    fn add(&mut self, seen: Seen<'_>) {
        self.bytes += seen.size;
        self.dead += u64::from(seen.is_dead);
        // It grows by itself to whatever a size can be.
        let _ = self.sizes.record(seen.size);
        *self.partitions.entry(seen.partition).or_default() += 1;
        let Some(key) = seen.key else { return };
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let is_full = self.keys.len() >= KEYS_PER_SLOT;
        match self.keys.entry(hasher.finish()) {
            Entry::Occupied(mut count) => *count.get_mut() += 1,
            Entry::Vacant(_) if is_full => self.keys_overflow = true,
            Entry::Vacant(place) => {
                place.insert(1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(at: i64, partition: i32, key: &'static str, size: u64) -> Seen<'static> {
        Seen {
            partition,
            at,
            key: Some(key.as_bytes()),
            size,
            is_dead: false,
        }
    }

    fn traffic() -> Traffic {
        Traffic::new(Duration::from_secs(30))
    }

    #[test]
    fn records_are_counted_by_size_partition_key_and_time() {
        let mut traffic = traffic();
        for at in 0..10 {
            let key = if at < 3 { "a" } else { "b" };
            traffic.add(seen(1000 * at, i32::from(at == 9), key, 10), 9999);
        }
        let mut keyless = seen(9500, 0, "", 90);
        keyless.key = None;
        keyless.is_dead = true;
        traffic.add(keyless, 9999);
        let numbers = traffic.numbers(9999);
        assert_eq!((numbers.records, numbers.bytes), (11, 190));
        assert_eq!(numbers.dead, 1);
        assert_eq!((numbers.size_p50, numbers.size_p95), (10, 90));
        assert_eq!(numbers.partitions, BTreeMap::from([(0, 10), (1, 1)]));
        assert_eq!(numbers.keys, Some(2));
        assert!((numbers.top_key_share - 0.636).abs() < 1e-9);
        assert_eq!(numbers.bars[19..], [0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2]);
    }

    #[test]
    fn what_is_older_than_the_window_is_forgotten_and_not_taken_in() {
        let mut traffic = traffic();
        traffic.add(seen(1000, 0, "a", 1), 1000);
        traffic.add(seen(20_000, 0, "a", 1), 20_000);
        assert_eq!(traffic.numbers(30_999).records, 2);
        assert_eq!(traffic.numbers(31_000).records, 1);
        assert_eq!(traffic.numbers(60_000).records, 0);
        traffic.add(seen(1000, 0, "a", 1), 60_000);
        assert_eq!(traffic.numbers(60_000).records, 0);
    }

    #[test]
    fn what_is_of_the_future_is_of_now() {
        let mut traffic = traffic();
        traffic.add(seen(i64::MAX, 0, "a", 1), 5000);
        assert_eq!(traffic.numbers(5000).bars.last(), Some(&1));
        traffic.add(seen(6000, 0, "a", 1), 6000);
        assert_eq!(traffic.numbers(6000).records, 2);
    }

    #[test]
    fn memory_is_bounded_in_keys_and_in_time() {
        let mut traffic = traffic();
        for number in 0..10_000_i64 {
            let key = number.to_string();
            let seen = Seen {
                partition: 0,
                at: 0,
                key: Some(key.as_bytes()),
                size: 1 << 40,
                is_dead: false,
            };
            traffic.add(seen, 0);
        }
        assert_eq!(traffic.slots[0].keys.len(), KEYS_PER_SLOT);
        assert_eq!(traffic.numbers(0).keys, None);
        for at in [i64::MIN, i64::MAX, 0, -1] {
            traffic.add(seen(at, 0, "a", 1), 0);
        }
        for at in 0..1000 {
            traffic.add(seen(at * 1000, 0, "a", 1), at * 1000);
        }
        assert!(traffic.slots.len() <= SLOTS);
    }

    #[test]
    fn nothing_is_no_trouble() {
        let numbers = traffic().numbers(0);
        assert_eq!((numbers.records, numbers.keys), (0, Some(0)));
        assert!(numbers.top_key_share < 1e-9 && numbers.bars.len() == SLOTS);
    }
}
