//! From events to the lines that are written: faults are done to them here, and all is counted.

use std::collections::BTreeMap;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::dice::hex;
use super::faults::{Fate, Fates, Faults};
use super::{Envelope, Event, Lines, Moment, Seed};
use crate::record::Pointer;

/// What a run has made so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Events, dropped ones included.
    pub events: u64,
    /// Lines.
    pub lines: u64,
    /// How many events have each fault, asked for or of the kind's own.
    pub faults: BTreeMap<&'static str, u64>,
    /// The first event's moment.
    pub first: Option<Moment>,
    /// The last event's moment.
    pub last: Option<Moment>,
}

/// Writes events as lines, with the faults that were asked for.
pub struct Recorder {
    lines: Lines,
    faults: Faults,
    fates: Option<Fates>,
    nulls: Vec<Pointer>,
    malformed: Seed,
    value: Vec<u8>,
    /// Lines that wait for event time to pass, by that and by their event.
    late: BTreeMap<(Moment, u64), Vec<u8>>,
    /// Lines that wait for the next of their entity.
    overtaken: BTreeMap<u64, Vec<u8>>,
    tally: Tally,
    hash: Option<Sha256>,
}

impl Recorder {
    /// Returns a recorder for the run that follows from `seed`; `nulls` are [`Faults::null`] as
    /// pointers into the value.
    ///
    /// With `hashed`, it also keeps a hash of all that it writes.
    pub fn new(
        lines: Lines,
        faults: Faults,
        nulls: Vec<Pointer>,
        seed: Seed,
        hashed: bool,
    ) -> Self {
        Self {
            lines,
            fates: (faults != Faults::default()).then(|| Fates::new(&faults, seed)),
            faults,
            nulls,
            malformed: seed.part("malformed", 0),
            value: Vec::new(),
            late: BTreeMap::new(),
            overtaken: BTreeMap::new(),
            tally: Tally::default(),
            hash: hashed.then(Sha256::new),
        }
    }

    /// Returns what was made so far.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Returns the SHA-256 of all that was written, if it is kept.
    pub fn hash(&self) -> Option<String> {
        Some(hex(&self.hash.clone()?.finalize()))
    }

    /// Makes the lines to come those of `topic`, of this kind.
    pub fn turn_to(&mut self, topic: &str, kind: &str, envelope: Envelope) {
        self.lines.turn_to(Some(topic), kind, envelope);
    }

    /// Appends the line of an event, and whatever else has its turn now: none, one or several.
    pub fn write(&mut self, event: &Event, out: &mut Vec<u8>) {
        let start = out.len();
        while let Some(held) = self.late.first_entry()
            && held.key().0 <= event.at
        {
            self.tally.lines += lines_in(held.get());
            out.extend_from_slice(&held.remove());
        }
        self.tally.events += 1;
        self.tally.first.get_or_insert(event.at);
        self.tally.last = Some(event.at);
        if let Some(fault) = event.fault {
            *self.tally.faults.entry(fault).or_default() += 1;
        }
        let fate = self
            .fates
            .as_mut()
            .and_then(Iterator::next)
            .unwrap_or_default();
        if fate.dropped {
            *self.tally.faults.entry("drop").or_default() += 1;
        } else {
            self.value.clear();
            self.lines.value(event, &mut self.value);
            if fate == Fate::default() {
                self.lines.line(event, &self.value, out);
                self.tally.lines += 1;
                self.follow_up(event.entity, out);
            } else {
                self.write_faulty(event, fate, out);
            }
        }
        if let Some(hash) = &mut self.hash {
            hash.update(&out[start..]);
        }
    }

    /// Appends what is still held back.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        let start = out.len();
        let held = std::mem::take(&mut self.late).into_values();
        for lines in held.chain(std::mem::take(&mut self.overtaken).into_values()) {
            self.tally.lines += lines_in(&lines);
            out.extend_from_slice(&lines);
        }
        if let Some(hash) = &mut self.hash {
            hash.update(&out[start..]);
        }
    }

    /// Appends the line that the line of the same entity just overtook.
    fn follow_up(&mut self, entity: u64, out: &mut Vec<u8>) {
        if !self.overtaken.is_empty()
            && let Some(lines) = self.overtaken.remove(&entity)
        {
            self.tally.lines += lines_in(&lines);
            out.extend_from_slice(&lines);
        }
    }

    fn write_faulty(&mut self, event: &Event, fate: Fate, out: &mut Vec<u8>) {
        let mut names = Vec::new();
        let value = if fate.tombstone {
            names.push("tombstone");
            None
        } else if fate.malformed {
            names.push("malformed");
            self.spoil(event.sequence);
            Some(())
        } else {
            if self.make_null(fate.null) {
                names.push("null");
            }
            Some(())
        };
        let overtaken = fate.out_of_order && !self.overtaken.contains_key(&event.entity);
        if fate.late {
            names.push("late");
        } else if overtaken {
            names.push("ooo");
        }
        let value = value.map(|()| self.value.as_slice());
        let mut text = Vec::new();
        self.lines
            .faulty_line(event, value, names.iter().copied(), &mut text);
        if fate.duplicate {
            names.push("dup");
            self.lines
                .faulty_line(event, value, names.iter().copied(), &mut text);
        }
        for name in names {
            *self.tally.faults.entry(name).or_default() += 1;
        }
        if fate.late {
            let millis = self.faults.late.map_or(0, |late| late.by_millis);
            let until = event.at.plus(Duration::from_millis(millis));
            self.late.insert((until, event.sequence), text);
        } else if overtaken {
            self.overtaken.insert(event.entity, text);
        } else {
            self.tally.lines += lines_in(&text);
            out.extend_from_slice(&text);
            self.follow_up(event.entity, out);
        }
    }

    /// Makes the value something that no JSON reader takes.
    fn spoil(&mut self, sequence: u64) {
        let mut dice = self.malformed.dice(sequence);
        let place = usize::try_from(dice.below(self.value.len() as u64)).unwrap_or_default();
        match dice.below(3) {
            0 => self.value.truncate(place),
            1 => self.value.insert(place, 0xff),
            _ => self.value.push(b'}'),
        }
    }

    /// Makes those fields null whose bits are set; says whether there was one to make null.
    fn make_null(&mut self, bits: u64) -> bool {
        let mut any = false;
        for (index, pointer) in self.nulls.iter().enumerate() {
            if bits >> index & 1 == 0 {
                continue;
            }
            let Ok(json) = str::from_utf8(&self.value) else {
                continue;
            };
            if let Ok(Some(found)) = pointer.find(json)
                && found.get() != "null"
            {
                let start = found.get().as_ptr().addr() - json.as_ptr().addr();
                let end = start + found.get().len();
                self.value.splice(start..end, *b"null");
                any = true;
            }
        }
        any
    }
}

fn lines_in(text: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', text).count() as u64
}
