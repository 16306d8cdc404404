//! What a run made, as a file to check what arrived against.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::faults::Faults;
use super::recorder::Tally;
use super::{Fates, Moment, Run, Seed};

/// What a run was asked for and what it made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The run's name, as in the header `gen-run`.
    pub run: String,
    /// The kind, or what stands for several.
    pub kind: String,
    /// Version of the program that made it.
    pub version: String,
    /// The number that all follows from.
    pub seed: u64,
    /// Where event time begins, microseconds since the epoch.
    pub start_micros: i64,
    /// How many events there were, dropped ones included; they are numbered from 0.
    pub events: u64,
    /// How many lines were written.
    pub lines: u64,
    /// When the first and the last event happened, milliseconds since the epoch.
    pub first: Option<i64>,
    /// See `first`.
    pub last: Option<i64>,
    /// The faults that were asked for.
    pub asked: Faults,
    /// How many events have each fault.
    pub faults: BTreeMap<String, u64>,
    /// SHA-256 of the lines, where they did not go to several topics.
    pub sha256: Option<String>,
}

impl Manifest {
    /// Returns the manifest of a run.
    pub fn new(
        run: &Run,
        kind: &str,
        seed: u64,
        start: Moment,
        asked: Faults,
        tally: &Tally,
        sha256: Option<String>,
    ) -> Self {
        Self {
            run: run.as_str().to_owned(),
            kind: kind.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            seed,
            start_micros: start.micros(),
            events: tally.events,
            lines: tally.lines,
            first: tally.first.map(Moment::millis),
            last: tally.last.map(Moment::millis),
            asked,
            faults: tally
                .faults
                .iter()
                .map(|(name, count)| ((*name).to_owned(), *count))
                .collect(),
            sha256,
        }
    }

    /// Returns what was to be done to each event.
    pub(super) fn fates(&self) -> Fates {
        let start = Moment::from_micros(self.start_micros);
        Fates::new(&self.asked, Seed::new(self.seed).of_run(start))
    }
}
