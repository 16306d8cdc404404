//! Whether what arrived is what a run made: nothing lost, repeated, reordered or changed but what
//! was asked for.
//!
//! Memory is two bits for an event, whatever its size, and a number for each partition.

use std::collections::{BTreeMap, HashMap, TryReserveError};

use serde::Serialize;

use super::Manifest;
use super::label::{self, checksum};
use crate::record::Outgoing;

/// How many of each trouble are told one by one.
const EXAMPLES: usize = 5;

/// Compares records with a manifest.
#[derive(Debug)]
pub struct Verifier {
    manifest: Manifest,
    /// How often each event came, two bits each; 3 is three or more.
    seen: Vec<u8>,
    /// The highest event so far of each topic and partition.
    highest: HashMap<(String, i32), u64>,
    report: Report,
    /// The name of the last other run.
    other: Option<String>,
}

/// What became of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The run's name.
    pub run: String,
    /// Records that were made and written.
    pub expected: u64,
    /// Records of this run that arrived.
    pub received: u64,
    /// Records that did not arrive.
    pub lost: u64,
    /// Records that arrived more often than they were written.
    pub repeated: u64,
    /// Records behind one that was made later, in their partition.
    pub reordered: u64,
    /// Records whose key or value is not the one that was written.
    pub changed: u64,
    /// Records of other runs, or of none.
    pub other: u64,
    /// Numbers of the first events of each trouble.
    #[serde(skip)]
    pub examples: BTreeMap<&'static str, Vec<u64>>,
}

impl Report {
    /// Returns whether all is as it was asked for.
    pub fn is_clean(&self) -> bool {
        self.lost + self.repeated + self.reordered + self.changed == 0
    }

    fn note(&mut self, trouble: &'static str, sequence: u64) {
        let examples = self.examples.entry(trouble).or_default();
        if examples.len() < EXAMPLES {
            examples.push(sequence);
        }
    }
}

impl Verifier {
    /// Returns a verifier to which nothing has arrived.
    pub fn new(manifest: Manifest) -> Self {
        Self {
            report: Report {
                run: manifest.run.clone(),
                ..Report::default()
            },
            manifest,
            seen: Vec::new(),
            highest: HashMap::new(),
            other: None,
        }
    }

    /// Takes note of a record.
    ///
    /// # Errors
    /// When there is no memory for so many events.
    pub fn see(&mut self, record: &Outgoing<'_>) -> Result<(), TryReserveError> {
        let labels = Labels::of(record);
        if labels.run != Some(self.manifest.run.as_bytes()) {
            self.report.other += 1;
            if let Some(run) = labels.run {
                self.other
                    .get_or_insert_with(|| String::from_utf8_lossy(run).into_owned());
            }
            return Ok(());
        }
        self.report.received += 1;
        let Some(sequence) = labels
            .sequence
            .filter(|sequence| *sequence < self.manifest.events)
        else {
            self.report.changed += 1;
            return Ok(());
        };
        let sum = checksum(record.key.as_deref(), record.value.as_deref());
        if labels.checksum != Some(sum) {
            self.report.changed += 1;
            self.report.note("changed", sequence);
        }
        if self.count(sequence)? > 0 {
            return Ok(());
        }
        let topic = record.topic.as_deref().unwrap_or_default();
        let place = (topic.to_owned(), record.partition.unwrap_or(-1));
        let highest = self.highest.entry(place).or_insert(sequence);
        if sequence < *highest && !labels.moved {
            self.report.reordered += 1;
            self.report.note("reordered", sequence);
        }
        *highest = sequence.max(*highest);
        Ok(())
    }

    /// Counts one more of an event; returns how many there were before.
    fn count(&mut self, sequence: u64) -> Result<u8, TryReserveError> {
        let index = usize::try_from(sequence / 4).unwrap_or(usize::MAX - 1);
        if index >= self.seen.len() {
            self.seen.try_reserve(index + 1 - self.seen.len())?;
            self.seen.resize(index + 1, 0);
        }
        let shift = sequence % 4 * 2;
        let before = self.seen[index] >> shift & 3;
        if before < 3 {
            self.seen[index] += 1 << shift;
        } else {
            self.report.repeated += 1;
        }
        Ok(before)
    }

    /// Returns the name of another run whose records came, if any did.
    pub fn other_run(&self) -> Option<&str> {
        self.other.as_deref()
    }

    /// Returns what became of the run, now that all that arrives has arrived.
    pub fn finish(mut self) -> Report {
        for (sequence, fate) in (0..self.manifest.events).zip(self.manifest.fates()) {
            let written: u8 = match (fate.dropped, fate.duplicate) {
                (true, _) => 0,
                (false, false) => 1,
                (false, true) => 2,
            };
            let index = usize::try_from(sequence / 4).unwrap_or(usize::MAX);
            let seen = self.seen.get(index).copied().unwrap_or_default() >> (sequence % 4 * 2) & 3;
            self.report.expected += u64::from(written);
            if seen < written {
                self.report.lost += u64::from(written - seen);
                self.report.note("lost", sequence);
            } else if seen > written {
                self.report.repeated += u64::from(seen - written);
                self.report.note("repeated", sequence);
            }
        }
        self.report
    }
}

/// The headers that a generator adds.
#[derive(Default)]
struct Labels<'a> {
    run: Option<&'a [u8]>,
    sequence: Option<u64>,
    checksum: Option<u32>,
    /// Whether it is where it is on request.
    moved: bool,
}

impl<'a> Labels<'a> {
    fn of(record: &'a Outgoing<'_>) -> Self {
        let mut labels = Self::default();
        for header in &record.headers {
            let Some(value) = header.value.as_deref() else {
                continue;
            };
            let text = || str::from_utf8(value).ok();
            if *header.name == *label::RUN.as_bytes() {
                labels.run = Some(value);
            } else if *header.name == *label::SEQUENCE.as_bytes() {
                labels.sequence = text().and_then(|text| text.parse().ok());
            } else if *header.name == *label::CHECKSUM.as_bytes() {
                labels.checksum = text().and_then(|text| u32::from_str_radix(text, 16).ok());
            } else if *header.name == *label::FAULT.as_bytes() {
                let mut faults = value.split(|byte| *byte == b',');
                labels.moved = faults.any(|fault| matches!(fault, b"late" | b"ooo"));
            }
        }
        labels
    }
}
