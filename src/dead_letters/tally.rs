//! What many dead letters died of, counted by kind.

use std::collections::{BTreeMap, HashMap};

use super::likeness::{beginning, likeness};
use crate::record::Record;
use crate::record::dead_letter::{self, Dialect};

/// So many kinds are kept apart, and up to twice as many for a while.
const KINDS: usize = 1000;

/// The longest name of a topic, a group or an error that is kept, in bytes.
const LONGEST: usize = 249;

/// What dead letters that are counted together have in common.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind {
    /// Where they are.
    pub topic: String,
    /// The topic they came from.
    pub origin: Option<String>,
    /// The group that could not handle them.
    pub group: Option<String>,
    /// Whose headers say so; `None` when there are none.
    pub dialect: Option<Dialect>,
    /// What kind of failure.
    pub status: Option<String>,
    /// What their messages have in common.
    pub error: Option<String>,
    /// Where they would go, in a plan.
    pub to: Option<String>,
    /// Why they would stay, in a plan.
    pub stays: Option<String>,
}

/// How many there are of a kind, and when they died.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    pub records: u64,
    /// Those that were replayed before.
    pub replayed: u64,
    /// The first death, in milliseconds since the epoch.
    pub first: Option<i64>,
    /// The last.
    pub last: Option<i64>,
    /// A message as it is, when it is the same in all of them.
    pub message: Option<String>,
}

impl Sum {
    fn add(&mut self, other: &Self) {
        let same = self.records == 0 || self.message == other.message;
        self.message = other.message.clone().filter(|_| same);
        self.records += other.records;
        self.replayed += other.replayed;
        self.first = [self.first, other.first].into_iter().flatten().min();
        self.last = self.last.max(other.last);
    }
}

/// Kinds and how many there are of each.
type Ranked = Vec<(Kind, Sum)>;

/// Counts dead letters in memory that does not grow with them.
#[derive(Debug, Default)]
pub struct Tally {
    kinds: HashMap<Kind, Sum>,
    /// What there were too many kinds of, by the topic where they are.
    others: BTreeMap<String, Sum>,
    records: u64,
}

impl Tally {
    /// Counts a dead letter.
    pub fn add(&mut self, record: &Record<'_>) {
        self.add_planned(record, None, None);
    }

    /// Counts a dead letter that would go somewhere, or stay for a reason.
    pub fn add_planned(&mut self, record: &Record<'_>, to: Option<&str>, stays: Option<&str>) {
        let (dialect, death) = match dead_letter::read(record.headers) {
            Some((dialect, death)) => (Some(dialect), death),
            None => (None, dead_letter::Death::default()),
        };
        let kept = |text: &str| text[..text.floor_char_boundary(LONGEST)].to_owned();
        let message = death.message.as_deref();
        let kind = Kind {
            topic: record.topic.to_owned(),
            origin: death.topic.as_deref().map(kept),
            group: death.group.as_deref().map(kept),
            dialect,
            status: death.status.as_deref().map(kept),
            error: message.map(likeness),
            to: to.map(kept),
            stays: stays.map(kept),
        };
        let time = record.timestamp.map(|timestamp| timestamp.millis);
        let sum = Sum {
            records: 1,
            replayed: u64::from(dead_letter::replays(record.headers) > 0),
            first: time,
            last: time,
            message: message.map(|message| beginning(message).to_owned()),
        };
        self.records += 1;
        self.kinds.entry(kind).or_default().add(&sum);
        if self.kinds.len() >= 2 * KINDS {
            self.fold();
        }
    }

    /// How many there are.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// The `most` most frequent kinds, and what all others of each topic come to.
    pub fn ranked(mut self, most: usize) -> (Ranked, BTreeMap<String, Sum>) {
        let (kept, rest) = self.rank(most);
        self.put_aside(rest);
        (kept, self.others)
    }

    /// Keeps the most frequent kinds apart; of what comes often, most comes again.
    fn fold(&mut self) {
        let (kept, rest) = self.rank(KINDS);
        self.put_aside(rest);
        self.kinds = kept.into_iter().collect();
    }

    fn rank(&mut self, most: usize) -> (Ranked, Ranked) {
        let mut ranked: Vec<_> = self.kinds.drain().collect();
        // The latest first among equals, and then by name, so that a run prints what the last did.
        ranked.sort_by(|(one_kind, one), (other_kind, other)| {
            (other.records, other.last, one_kind).cmp(&(one.records, one.last, other_kind))
        });
        let rest = ranked.split_off(most.min(ranked.len()));
        (ranked, rest)
    }

    fn put_aside(&mut self, rest: Ranked) {
        for (kind, sum) in rest {
            self.others.entry(kind.topic).or_default().add(&sum);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Header, Timestamp, TimestampKind};

    fn add(tally: &mut Tally, origin: &str, message: &str, millis: i64) {
        let header = |name: &'static str, value| Header {
            name: name.as_bytes(),
            value: Some(value),
        };
        let headers = [
            header("__dlq.errors.topic", origin.as_bytes()),
            header("__dlq.errors.message", message.as_bytes()),
            header("dlq.replay.count", b"1"),
        ];
        tally.add(&record(&headers, millis));
    }

    fn record<'a>(headers: &'a [Header<'a>], millis: i64) -> Record<'a> {
        Record {
            topic: "dlq",
            partition: 0,
            offset: 0,
            timestamp: Some(Timestamp {
                millis,
                kind: TimestampKind::Create,
            }),
            key: None,
            value: None,
            headers,
        }
    }

    #[test]
    fn messages_that_differ_in_a_number_are_of_one_kind() {
        let mut tally = Tally::default();
        add(&mut tally, "orders", "no order 100001", 5);
        add(&mut tally, "orders", "no order 100002", 9);
        add(&mut tally, "payments", "no order 100002", 7);
        tally.add(&record(&[], 1));
        assert_eq!(tally.records(), 4);
        let (kinds, others) = tally.ranked(10);
        assert!(others.is_empty());
        let (kind, sum) = &kinds[0];
        assert_eq!(kind.origin.as_deref(), Some("orders"));
        assert_eq!(kind.error.as_deref(), Some("no order #"));
        assert_eq!(
            *sum,
            Sum {
                records: 2,
                replayed: 2,
                first: Some(5),
                last: Some(9),
                message: None,
            }
        );
        let (kind, sum) = &kinds[1];
        assert_eq!(kind.origin.as_deref(), Some("payments"));
        assert_eq!(sum.message.as_deref(), Some("no order 100002"));
        assert_eq!((kinds[2].0.dialect, &kinds[2].0.error), (None, &None));
    }

    #[test]
    fn kinds_beyond_the_first_are_told_together() {
        let mut tally = Tally::default();
        for _ in 0..3 {
            add(&mut tally, "orders", "often", 4);
        }
        add(&mut tally, "orders", "once", 2);
        add(&mut tally, "orders", "twice", 3);
        add(&mut tally, "orders", "twice", 3);
        let (kinds, others) = tally.ranked(1);
        assert_eq!(kinds.len(), 1);
        assert_eq!(kinds[0].1.records, 3);
        assert_eq!((others["dlq"].records, others["dlq"].first), (3, Some(2)));
    }

    #[test]
    fn memory_is_bounded_when_all_messages_differ_and_what_is_frequent_is_found_all_the_same() {
        let mut tally = Tally::default();
        let count = 20 * KINDS;
        for number in 0..count {
            // Words, because numbers are made alike.
            let word: String = number
                .to_string()
                .bytes()
                .map(|digit| char::from(digit - b'0' + b'k'))
                .collect();
            add(&mut tally, "orders", &word, 0);
            if number > count / 2 && number % 10 == 0 {
                add(&mut tally, "orders", "late and often", 0);
            }
            assert!(tally.kinds.len() < 2 * KINDS);
        }
        let records = tally.records();
        let (kinds, others) = tally.ranked(5);
        assert_eq!(kinds[0].0.error.as_deref(), Some("late and often"));
        let told: u64 = kinds.iter().map(|(_, sum)| sum.records).sum();
        assert_eq!(told + others["dlq"].records, records);
    }
}
