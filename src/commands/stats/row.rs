//! What `kpipe stats` prints of a topic.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::cluster::ClusterState;
use crate::kafka::Topic;
use crate::stats::sparkline;
use crate::stats::traffic::Numbers;

/// A line of JSON.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    at: Timestamp,
    pub(super) topic: String,
    /// Within the window.
    records: u64,
    pub(super) records_per_second: f64,
    pub(super) bytes_per_second: f64,
    pub(super) size_p50: u64,
    pub(super) size_p95: u64,
    keys: Option<u64>,
    top_key_share: f64,
    partitions: BTreeMap<i32, u64>,
    /// Dead letters of the window, in whatever topic, that say they come from this one.
    failed: u64,
    pub(super) failed_per_second: f64,
    /// Records of this topic that are dead letters.
    pub(super) dead_letters: u64,
    /// Partitions that nobody leads.
    leaderless: usize,
    /// Partitions of which a replica is behind or gone.
    under_replicated: usize,
    lag: BTreeMap<String, i64>,
    brokers: usize,
    /// Brokers that are named and take no connection from here.
    brokers_unreachable: usize,
    /// Requests of ours that failed or timed out.
    request_errors_per_second: f64,
    /// How often reading was disturbed: records removed before they were read, brokers away.
    troubles: u64,
    /// Records in each thirtieth of the window.
    #[serde(skip)]
    bars: Vec<u64>,
}

/// The same on a terminal.
#[derive(Debug, Serialize)]
pub(super) struct Shown<'a> {
    topic: &'a str,
    records_s: f64,
    bytes_s: String,
    p50: String,
    p95: String,
    keys: String,
    top_key: String,
    failed: String,
    partitions: usize,
    /// The one with the most records, and its share.
    fullest: String,
    trouble: String,
    lag: String,
    window: String,
}

/// What came of a topic within a time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Arrived {
    pub(super) records: u64,
    pub(super) bytes: u64,
    /// Dead letters that come from it.
    pub(super) failed: u64,
}

/// What is of all topics.
#[derive(Clone, Copy, Debug)]
pub(super) struct Health {
    pub(super) request_errors_per_second: f64,
    pub(super) troubles: u64,
}

/// So many within a time, a second.
#[expect(clippy::cast_precision_loss, reason = "a rate is an estimate")]
pub(super) fn rate(count: u64, time: Duration) -> f64 {
    let seconds = time.as_secs_f64().max(0.001);
    (count as f64 / seconds * 1000.0).round() / 1000.0
}

impl Row {
    pub(super) fn new(
        at: Timestamp,
        topic: &Topic,
        numbers: Numbers,
        failed: u64,
        (arrived, time): (Arrived, Duration),
        state: &ClusterState,
        health: Health,
    ) -> Self {
        let partitions = || topic.partitions.iter();
        // Those without records count too, or a skew would not show.
        let mut records: BTreeMap<i32, u64> = partitions().map(|one| (one.id, 0)).collect();
        records.extend(numbers.partitions);
        Self {
            at,
            topic: topic.name.clone(),
            records: numbers.records,
            records_per_second: rate(arrived.records, time),
            bytes_per_second: rate(arrived.bytes, time),
            size_p50: numbers.size_p50,
            size_p95: numbers.size_p95,
            keys: numbers.keys,
            top_key_share: numbers.top_key_share,
            partitions: records,
            failed,
            failed_per_second: rate(arrived.failed, time),
            dead_letters: numbers.dead,
            leaderless: partitions().filter(|one| one.leader.is_none()).count(),
            under_replicated: partitions()
                .filter(|one| one.in_sync.len() < one.replicas.len())
                .count(),
            lag: state.lags(&topic.name),
            brokers: state.brokers.len(),
            brokers_unreachable: state.unreachable(),
            request_errors_per_second: health.request_errors_per_second,
            troubles: health.troubles,
            bars: numbers.bars,
        }
    }

    pub(super) fn shown(&self) -> Shown<'_> {
        let fullest = self.partitions.iter().max_by_key(|(_, records)| **records);
        let fullest = fullest.filter(|(_, records)| **records > 0);
        let trouble = match (self.leaderless, self.under_replicated) {
            (0, 0) => "-".to_owned(),
            (0, behind) => format!("{behind} under-replicated"),
            (leaderless, _) => format!("{leaderless} leaderless"),
        };
        let worst = self.lag.iter().max_by_key(|(_, lag)| **lag);
        Shown {
            topic: &self.topic,
            records_s: self.records_per_second,
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a rate is an estimate, and never below 0"
            )]
            bytes_s: size(self.bytes_per_second as u64),
            p50: size(self.size_p50),
            p95: size(self.size_p95),
            keys: match self.keys {
                Some(keys) => keys.to_string(),
                None if self.records == 0 => "-".to_owned(),
                None => "many".to_owned(),
            },
            top_key: format!("{:.0}%", self.top_key_share * 100.0),
            failed: match self.failed {
                0 => "-".to_owned(),
                failed => failed.to_string(),
            },
            partitions: self.partitions.len(),
            fullest: fullest.map_or("-".to_owned(), |(partition, records)| {
                format!("{partition}: {}%", records * 100 / self.records.max(1))
            }),
            trouble,
            lag: worst.map_or("-".to_owned(), |(group, lag)| format!("{lag} {group}")),
            window: sparkline(&self.bars),
        }
    }
}

/// Such as `1.5 MiB`.
#[expect(clippy::cast_precision_loss, reason = "to one digit")]
fn size(bytes: u64) -> String {
    let mut number = bytes as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if number < 1024.0 {
            return if unit == "B" {
                format!("{bytes} B")
            } else {
                format!("{number:.1} {unit}")
            };
        }
        number /= 1024.0;
    }
    format!("{number:.1} TiB")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_told_in_the_largest_unit_that_fits() {
        assert_eq!(size(0), "0 B");
        assert_eq!(size(1023), "1023 B");
        assert_eq!(size(1536), "1.5 KiB");
        assert_eq!(size(5 << 20), "5.0 MiB");
        assert_eq!(size(1 << 50), "1024.0 TiB");
    }
}
