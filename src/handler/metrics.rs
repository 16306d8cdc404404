//! Counts what handlers did, and writes it in Prometheus' text format (version 0.0.4).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::verdict::Ending;
use crate::sink::whole;

/// Upper bounds of batch sizes, in records.
const SIZES: [f64; 10] = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0];

/// Upper bounds of processing times, in seconds.
const TIMES: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 15.0, 60.0,
];

/// Shared by all who handle.
#[derive(Debug, Default)]
pub struct Metrics(Mutex<State>);

/// How many records came to which end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Accepted by their handler.
    pub processed: u64,
    /// Runs that failed.
    pub failed: u64,
    /// Runs that were another try.
    pub retried: u64,
    pub dead_lettered: u64,
    pub skipped: u64,
}

#[derive(Debug, Default)]
struct State {
    counts: Counts,
    failures: BTreeMap<String, u64>,
    sizes: Histogram<10>,
    times: Histogram<12>,
    last_success: Option<Instant>,
}

#[derive(Debug)]
struct Histogram<const BUCKETS: usize> {
    counts: [u64; BUCKETS],
    total: u64,
    sum: f64,
}

impl<const BUCKETS: usize> Default for Histogram<BUCKETS> {
    fn default() -> Self {
        Self {
            counts: [0; BUCKETS],
            total: 0,
            sum: 0.0,
        }
    }
}

impl<const BUCKETS: usize> Histogram<BUCKETS> {
    fn add(&mut self, value: f64, bounds: &[f64; BUCKETS]) {
        if let Some(bucket) = bounds.iter().position(|bound| value <= *bound) {
            self.counts[bucket] += 1;
        }
        self.total += 1;
        self.sum += value;
    }

    fn write(&self, name: &str, bounds: &[f64; BUCKETS], out: &mut String) {
        let mut total = 0;
        for (bound, count) in bounds.iter().zip(self.counts) {
            total += count;
            let _ = writeln!(out, "{name}_bucket{{le=\"{bound}\"}} {total}");
        }
        let _ = writeln!(out, "{name}_bucket{{le=\"+Inf\"}} {}", self.total);
        let _ = writeln!(out, "{name}_sum {}\n{name}_count {}", self.sum, self.total);
    }
}

impl Metrics {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A run over `records` records took so long; `again` when it was not the first.
    pub(super) fn ran(&self, records: usize, time: Duration, again: bool) {
        let mut state = self.lock();
        let records = u32::try_from(records).unwrap_or(u32::MAX);
        state.sizes.add(f64::from(records), &SIZES);
        state.times.add(time.as_secs_f64(), &TIMES);
        state.counts.retried += u64::from(again);
    }

    /// So many records were accepted.
    pub(super) fn processed(&self, records: usize) {
        let mut state = self.lock();
        state.counts.processed += records as u64;
        state.last_success = Some(Instant::now());
    }

    /// A run failed.
    pub(super) fn failed(&self, ending: &Ending) {
        let mut state = self.lock();
        state.counts.failed += 1;
        let kind = match ending {
            Ending::BadOutput(_) => "bad output".to_owned(),
            ending => ending.to_string(),
        };
        *state.failures.entry(kind).or_default() += 1;
    }

    /// A record was set aside.
    pub(super) fn dead_lettered(&self) {
        self.lock().counts.dead_lettered += 1;
    }

    /// A record was passed over.
    pub(super) fn skipped(&self) {
        self.lock().counts.skipped += 1;
    }

    /// Returns the counts so far.
    pub fn counts(&self) -> Counts {
        self.lock().counts
    }

    /// Returns all as Prometheus reads it; `now` is in milliseconds since the epoch.
    pub fn render(&self, now: i64, lags: &BTreeMap<(String, i32), i64>) -> String {
        let state = self.lock();
        let mut out = String::new();
        let mut number = |name: &str, kind: &str, help: &str, values: &[(String, String)]| {
            let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
            for (labels, value) in values {
                let _ = writeln!(out, "{name}{labels} {value}");
            }
        };
        let one = |value: u64| [(String::new(), value.to_string())];
        let counts = state.counts;
        number(
            "kpipe_processed_records_total",
            "counter",
            "Records that their handler accepted.",
            &one(counts.processed),
        );
        let failures = state.failures.iter();
        number(
            "kpipe_failed_runs_total",
            "counter",
            "Runs of the handler that failed, by how they ended.",
            &failures
                .map(|(kind, count)| (format!("{{ending=\"{kind}\"}}"), count.to_string()))
                .collect::<Vec<_>>(),
        );
        number(
            "kpipe_retried_runs_total",
            "counter",
            "Runs of the handler that were another try.",
            &one(counts.retried),
        );
        number(
            "kpipe_dead_lettered_records_total",
            "counter",
            "Records that were set aside.",
            &one(counts.dead_lettered),
        );
        number(
            "kpipe_skipped_records_total",
            "counter",
            "Records that were passed over.",
            &one(counts.skipped),
        );
        number(
            "kpipe_lag_records",
            "gauge",
            "Records that are not finished, by partition.",
            &lags
                .iter()
                .map(|((topic, partition), lag)| {
                    let labels = format!("{{topic=\"{topic}\",partition=\"{partition}\"}}");
                    (labels, lag.to_string())
                })
                .collect::<Vec<_>>(),
        );
        if let Some(last) = state.last_success {
            let ago = i64::try_from(last.elapsed().as_millis()).unwrap_or(i64::MAX);
            let seconds = now.saturating_sub(ago) / 1000;
            number(
                "kpipe_last_success_timestamp_seconds",
                "gauge",
                "When a handler last accepted something.",
                &[(String::new(), seconds.to_string())],
            );
        }
        let mut histogram = |name: &str, help: &str| {
            let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} histogram");
        };
        let name = "kpipe_batch_size_records";
        histogram(name, "Records that one run of the handler was given.");
        state.sizes.write(name, &SIZES, &mut out);
        let name = "kpipe_processing_seconds";
        let _ = writeln!(
            out,
            "# HELP {name} How long a run of the handler took.\n# TYPE {name} histogram"
        );
        state.times.write(name, &TIMES, &mut out);
        out
    }
}

/// Writes `text` to `path` as a whole or not at all: whoever reads it never sees a part.
pub fn write_file(path: &Path, text: &str) -> io::Result<()> {
    // Prometheus' textfile collector runs as another user.
    whole::write(path, 0o644, text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_counted_is_told() {
        let metrics = Metrics::default();
        metrics.ran(100, Duration::from_millis(3), false);
        metrics.ran(1, Duration::from_mins(5), true);
        metrics.processed(100);
        metrics.failed(&Ending::Exit(65));
        metrics.failed(&Ending::BadOutput("a \"quoted\" reason".into()));
        metrics.dead_lettered();
        metrics.skipped();
        let lags = [(("orders".to_owned(), 2), 7)].into();
        let text = metrics.render(1_763_668_800_000, &lags);
        for line in [
            "# TYPE kpipe_processed_records_total counter",
            "kpipe_processed_records_total 100",
            "kpipe_failed_runs_total{ending=\"exit 65\"} 1",
            "kpipe_failed_runs_total{ending=\"bad output\"} 1",
            "kpipe_retried_runs_total 1",
            "kpipe_dead_lettered_records_total 1",
            "kpipe_skipped_records_total 1",
            "kpipe_lag_records{topic=\"orders\",partition=\"2\"} 7",
            "kpipe_batch_size_records_bucket{le=\"50\"} 1",
            "kpipe_batch_size_records_bucket{le=\"100\"} 2",
            "kpipe_batch_size_records_sum 101",
            "kpipe_processing_seconds_bucket{le=\"60\"} 1",
            "kpipe_processing_seconds_bucket{le=\"+Inf\"} 2",
            "kpipe_processing_seconds_count 2",
        ] {
            assert!(text.lines().any(|told| told == line), "{line} in\n{text}");
        }
        assert!(text.contains("kpipe_last_success_timestamp_seconds 17636"));
    }

    #[test]
    fn a_file_is_replaced_as_a_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kpipe.prom");
        write_file(&path, "one\n").unwrap();
        write_file(&path, "two\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "two\n");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
