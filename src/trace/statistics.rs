//! How long messages take from stage to stage, how often one is missing, how often one fails.
//!
//! Memory is bounded whatever comes: of more than [`MOST`] messages those are measured whose id's
//! hash is among the lowest, half of them each time there are too many. The hash decides, not the
//! order, so that who is measured is a fair sample, and all stages of a message are or none.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use hdrhistogram::Histogram;

use super::event::{StageEvent, StageStatus};
use super::stage::Stage;

/// So many messages are kept at a time: some 50 MiB with two groups.
const MOST: usize = 131_072;

const STAGES: usize = Stage::ALL.len();

/// Stages until a message is in Kafka. From there groups go their own ways.
const COMMON: usize = Stage::Persisted as usize + 1;

/// More groups of one message than this are taken for one.
const WAYS: usize = 8;

/// When stages were reached; [`UNKNOWN`] those that were not.
type Times<const COUNT: usize> = [i64; COUNT];

const UNKNOWN: i64 = i64::MIN;

/// One message.
#[derive(Debug)]
struct Life {
    common: Times<COMMON>,
    /// Of each group, by the hash of its name; reading alone is a group, too.
    ways: Vec<(u64, Times<{ STAGES - COMMON }>)>,
}

impl Life {
    const UNBORN: Self = Self {
        common: [UNKNOWN; COMMON],
        ways: Vec::new(),
    };

    fn time_of(&mut self, stage: usize, group: Option<&str>) -> &mut i64 {
        if stage < COMMON {
            return &mut self.common[stage];
        }
        let group = hash(&group);
        let known = self.ways.iter().position(|way| way.0 == group);
        let index = known.unwrap_or_else(|| {
            if self.ways.len() < WAYS {
                self.ways.push((group, [UNKNOWN; STAGES - COMMON]));
            }
            self.ways.len() - 1
        });
        &mut self.ways[index].1[stage - COMMON]
    }

    /// Each time that a stage was reached, with that of the stage before.
    fn reached(&self, stage: usize) -> impl Iterator<Item = (i64, Option<i64>)> {
        let common = self.common;
        let of_common = (stage < COMMON).then(|| (common[..=stage].to_vec(), common[stage]));
        let of_ways = self.ways.iter().filter(move |_| stage >= COMMON);
        let of_ways = of_ways.map(move |(_, way)| {
            let way = &way[..=stage - COMMON];
            ([&common[..], way].concat(), way[stage - COMMON])
        });
        let reached = of_common.into_iter().chain(of_ways);
        reached.filter(|(_, at)| *at != UNKNOWN).map(|(times, at)| {
            let before = times[..times.len() - 1].iter().rev();
            (at, before.copied().find(|time| *time != UNKNOWN))
        })
    }
}

fn hash(text: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// Stage events as they come in, in any order.
#[derive(Debug)]
pub struct Statistics {
    lives: HashMap<u64, Life>,
    most: usize,
    /// Messages with a hash that has so many zeros at its end are measured.
    zeros: u32,
    events: u64,
    errors: [u64; STAGES],
}

/// One stage over all messages measured. Times are in microseconds; those below 0 are of clocks
/// that differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageStatistics {
    pub stage: Stage,
    /// Messages that reached it.
    pub messages: u64,
    /// Messages that are not known to have reached it.
    pub missing: u64,
    /// Events that reported an error, of all messages.
    pub errors: u64,
    /// p50, p95 and p99 of the time since the stage before that the message has reached.
    pub since_previous: Option<[i64; 3]>,
    /// The same since it was created.
    pub since_created: Option<[i64; 3]>,
    /// How often the stage before is later.
    pub skewed: u64,
}

impl Default for Statistics {
    fn default() -> Self {
        Self::holding(MOST)
    }
}

impl Statistics {
    fn holding(most: usize) -> Self {
        Self {
            lives: HashMap::new(),
            most,
            zeros: 0,
            events: 0,
            errors: [0; STAGES],
        }
    }

    /// Takes an event in; of a stage that is reported more than once the first success counts.
    pub fn add(&mut self, event: &StageEvent) {
        let Some(key) = event.key() else { return };
        self.events += 1;
        let hash = hash(&key);
        let stage = event.stage as usize;
        self.errors[stage] += u64::from(event.status == StageStatus::Error);
        if hash.trailing_zeros() < self.zeros {
            return;
        }
        let life = self.lives.entry(hash).or_insert(Life::UNBORN);
        if event.status == StageStatus::Ok {
            let time = life.time_of(stage, event.group.as_deref());
            if *time == UNKNOWN || event.at < *time {
                *time = event.at;
            }
        }
        while self.lives.len() > self.most {
            self.zeros += 1;
            let zeros = self.zeros;
            self.lives.retain(|hash, _| hash.trailing_zeros() >= zeros);
        }
    }

    /// How many events came in.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// How many messages are measured.
    pub fn measured(&self) -> usize {
        self.lives.len()
    }

    /// One message in so many is measured.
    pub fn one_in(&self) -> u64 {
        1 << self.zeros
    }

    /// What came of each stage, in order.
    pub fn stages(&self) -> Vec<StageStatistics> {
        Stage::ALL.map(|stage| self.stage(stage)).into()
    }

    fn stage(&self, stage: Stage) -> StageStatistics {
        let index = stage as usize;
        let (mut previous, mut created) = (Spread::default(), Spread::default());
        let mut messages = 0;
        for life in self.lives.values() {
            let mut is_reached = false;
            for (at, before) in life.reached(index) {
                is_reached = true;
                if let Some(before) = before {
                    previous.add(at.saturating_sub(before));
                }
                if index > 0 && life.common[0] != UNKNOWN {
                    created.add(at.saturating_sub(life.common[0]));
                }
            }
            messages += u64::from(is_reached);
        }
        StageStatistics {
            stage,
            messages,
            missing: self.lives.len() as u64 - messages,
            errors: self.errors[index],
            since_previous: previous.percentiles(),
            since_created: created.percentiles(),
            skewed: previous.below.as_ref().map_or(0, Histogram::len),
        }
    }
}

/// Times of which some may be below 0, to three digits.
#[derive(Debug, Default)]
struct Spread {
    /// The distance from 0 of those below it.
    below: Option<Histogram<u64>>,
    above: Option<Histogram<u64>>,
}

impl Spread {
    fn add(&mut self, time: i64) {
        let side = if time < 0 {
            &mut self.below
        } else {
            &mut self.above
        };
        if side.is_none() {
            *side = Histogram::new(3).ok();
        }
        if let Some(side) = side {
            // It grows with its values, and takes each.
            let _ = side.record(time.unsigned_abs());
        }
    }

    fn percentiles(&self) -> Option<[i64; 3]> {
        let count = |side: &Option<Histogram<u64>>| side.as_ref().map_or(0, Histogram::len);
        let all = count(&self.below) + count(&self.above);
        (all > 0).then(|| [50, 95, 99].map(|percent| self.at((all * percent).div_ceil(100))))
    }

    /// The time of this rank, from 1, the lowest first.
    fn at(&self, rank: u64) -> i64 {
        // Half a count is safe against what a quotient loses.
        #[expect(clippy::cast_precision_loss, reason = "there are fewer than 2^52")]
        let value = |side: &Histogram<u64>, rank: u64| {
            side.value_at_quantile((rank as f64 - 0.5) / side.len() as f64)
        };
        let below = self.below.as_ref().map_or(0, Histogram::len);
        if rank <= below {
            let time = self
                .below
                .as_ref()
                .map(|side| value(side, below - rank + 1));
            return -i64::try_from(time.unwrap_or(0)).unwrap_or(i64::MAX);
        }
        let time = self.above.as_ref().map(|side| value(side, rank - below));
        i64::try_from(time.unwrap_or(0)).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(id: usize, stage: Stage, at: i64) -> StageEvent {
        StageEvent {
            message_id: Some(format!("m-{id}")),
            ..StageEvent::new(stage, at)
        }
    }

    fn of(statistics: &Statistics, stage: Stage) -> StageStatistics {
        statistics.stages().remove(stage as usize)
    }

    /// Whether `time` is `expected`, to three digits.
    #[track_caller]
    fn is_about(times: Option<[i64; 3]>, expected: [i64; 3]) {
        for (time, expected) in times.unwrap().into_iter().zip(expected) {
            let off = (time - expected).unsigned_abs();
            assert!(off <= expected.unsigned_abs() / 500 + 1, "{times:?}");
        }
    }

    #[test]
    fn times_are_since_the_stage_before_that_was_reached_and_since_it_was_created() {
        let mut statistics = Statistics::default();
        for id in 1..=1000 {
            let took = i64::try_from(id).unwrap() * 100;
            statistics.add(&event(id, Stage::Created, 5_000_000));
            // In half of them it is missing.
            if id % 2 == 0 {
                statistics.add(&event(id, Stage::Persisted, 5_000_000 + took));
            }
            statistics.add(&event(id, Stage::Consumed, 5_000_000 + took * 2));
        }
        let persisted = of(&statistics, Stage::Persisted);
        assert_eq!((persisted.messages, persisted.missing), (500, 500));
        is_about(persisted.since_previous, [50_000, 95_000, 99_000]);
        let consumed = of(&statistics, Stage::Consumed);
        assert_eq!((consumed.messages, consumed.missing), (1000, 0));
        is_about(consumed.since_created, [100_000, 190_000, 198_000]);
        assert_eq!(of(&statistics, Stage::Created).since_previous, None);
        assert_eq!(of(&statistics, Stage::Displayed).missing, 1000);
    }

    #[test]
    fn the_first_success_counts_and_failures_are_counted() {
        let mut statistics = Statistics::default();
        let failed = StageEvent {
            status: StageStatus::Error,
            ..event(1, Stage::Processed, 10)
        };
        for event in [
            event(1, Stage::Created, 0),
            failed.clone(),
            failed,
            event(1, Stage::Processed, 90),
            event(1, Stage::Processed, 70),
        ] {
            statistics.add(&event);
        }
        let processed = of(&statistics, Stage::Processed);
        assert_eq!((processed.messages, processed.errors), (1, 2));
        is_about(processed.since_previous, [70, 70, 70]);
        assert_eq!(statistics.events(), 5);
    }

    #[test]
    fn groups_are_measured_each_from_its_own_stage_before() {
        let mut statistics = Statistics::default();
        let by = |group: &str, stage, at| StageEvent {
            group: Some(group.into()),
            ..event(1, stage, at)
        };
        for event in [
            event(1, Stage::Persisted, 0),
            by("slow", Stage::Consumed, 500),
            by("slow", Stage::Processed, 900),
            by("quick", Stage::Consumed, 5),
            event(1, Stage::Consumed, 10),
            event(1, Stage::Displayed, 12),
        ] {
            statistics.add(&event);
        }
        is_about(
            of(&statistics, Stage::Consumed).since_previous,
            [10, 500, 500],
        );
        is_about(
            of(&statistics, Stage::Processed).since_previous,
            [400, 400, 400],
        );
        let displayed = of(&statistics, Stage::Displayed);
        is_about(displayed.since_previous, [2, 2, 2]);
        assert_eq!((displayed.messages, displayed.skewed), (1, 0));
        for group in 0..100 {
            statistics.add(&by(&group.to_string(), Stage::Stored, 20));
        }
        assert_eq!(of(&statistics, Stage::Stored).messages, 1);
    }

    #[test]
    fn times_below_0_are_times_too() {
        let mut statistics = Statistics::default();
        for id in 0..100 {
            statistics.add(&event(id, Stage::Published, 1000));
            let at = if id < 60 { 700 } else { 5000 };
            statistics.add(&event(id, Stage::Persisted, at));
        }
        let persisted = of(&statistics, Stage::Persisted);
        is_about(persisted.since_previous, [-300, 4000, 4000]);
        assert_eq!(persisted.skewed, 60);
        let mut spread = Spread::default();
        (-100..0).for_each(|time| spread.add(time * 10));
        is_about(spread.percentiles(), [-510, -60, -20]);
    }

    #[test]
    fn of_too_many_messages_a_fair_sample_is_measured() {
        let mut statistics = Statistics::holding(1000);
        // Stage after stage, so that a message would be torn if order decided.
        for stage in [Stage::Created, Stage::Persisted] {
            for id in 0..20_000 {
                let took = i64::try_from(id).unwrap();
                let at = if stage == Stage::Created { 0 } else { took };
                statistics.add(&event(id, stage, at));
            }
        }
        let measured = statistics.measured();
        assert!((250..=1000).contains(&measured), "{measured}");
        let of_all = statistics.one_in() * measured as u64;
        assert!((16_000..24_000).contains(&of_all), "{of_all}");
        let persisted = of(&statistics, Stage::Persisted);
        assert_eq!(persisted.missing, 0);
        let median = persisted.since_previous.unwrap()[0];
        assert!((8_000..12_000).contains(&median), "{median}");
    }
}
