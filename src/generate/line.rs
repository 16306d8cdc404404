//! Events as record lines, in the order of fields that `tail` prints too.

use super::label::{self, Run, checksum};
use super::moment::Rfc3339;
use super::{Dice, Envelope, Event, Moment, Seed};
use crate::record::{PayloadMode, write_json, write_payload};

/// Bytes of text that padding is cut from.
const PADDING: usize = 64 * 1024;

/// Writes events as record lines of one run.
pub struct Lines {
    /// The line's beginning, up to the timestamp.
    head: Vec<u8>,
    /// The first header, up to the event's number.
    run: Vec<u8>,
    kind: String,
    envelope: Envelope,
    /// Bytes that a value is filled up to.
    size: usize,
    padding: Vec<u8>,
    clock: Rfc3339,
}

impl Lines {
    /// Returns a writer of lines for `topic`, or for none, with values of at least `size` bytes.
    pub fn new(
        run: &Run,
        kind: &str,
        envelope: Envelope,
        topic: Option<&str>,
        size: usize,
        seed: Seed,
    ) -> Self {
        let run = format!(
            ",\"headers\":[{{\"key\":\"{}\",\"value\":\"{}\"}},{{\"key\":\"{}\",\"value\":\"",
            label::RUN,
            run.as_str(),
            label::SEQUENCE
        );
        let mut lines = Self {
            head: Vec::new(),
            run: run.into_bytes(),
            kind: String::new(),
            envelope,
            size,
            padding: if size > 0 {
                random_text(&mut seed.part("padding", 0).dice(0))
            } else {
                Vec::new()
            },
            clock: Rfc3339::default(),
        };
        lines.turn_to(topic, kind, envelope);
        lines
    }

    /// Makes the lines to come those of `topic`, or of none, and of this kind.
    pub(super) fn turn_to(&mut self, topic: Option<&str>, kind: &str, envelope: Envelope) {
        kind.clone_into(&mut self.kind);
        self.envelope = envelope;
        self.head.clear();
        self.head.push(b'{');
        if let Some(topic) = topic {
            self.head.extend_from_slice(b"\"topic\":");
            write_json(&mut self.head, topic);
            self.head.push(b',');
        }
        self.head.extend_from_slice(b"\"timestamp\":");
    }

    /// Appends the value of an event: its payload in its envelope.
    pub fn value(&mut self, event: &Event, value: &mut Vec<u8>) {
        let start = value.len();
        value.extend_from_slice(match self.envelope {
            Envelope::Data => b"{\"data_type\":",
            Envelope::Type => b"{\"type\":",
        });
        write_json(value, event.name.unwrap_or(&self.kind));
        match self.envelope {
            Envelope::Data => {
                self.timestamp(event.at, value);
                value.extend_from_slice(b",\"payload\":");
                value.extend_from_slice(&event.payload);
            }
            Envelope::Type => {
                value.extend_from_slice(b",\"payload\":");
                value.extend_from_slice(&event.payload);
                self.timestamp(event.at, value);
            }
        }
        self.pad(event.sequence, start, value);
        value.push(b'}');
    }

    fn timestamp(&mut self, at: Moment, value: &mut Vec<u8>) {
        value.extend_from_slice(b",\"timestamp\":\"");
        self.clock.write(at, value);
        value.push(b'"');
    }

    /// Fills up to the size with text that no compression makes small.
    fn pad(&self, sequence: u64, start: usize, value: &mut Vec<u8>) {
        const FIELD: &[u8] = b",\"padding\":\"";
        let length = value.len() - start + FIELD.len() + "\"}".len();
        let Some(mut missing) = self.size.checked_sub(length) else {
            return;
        };
        value.extend_from_slice(FIELD);
        #[expect(clippy::cast_possible_truncation, reason = "below the length")]
        let mut from = (sequence.wrapping_mul(7919) % PADDING as u64) as usize;
        while missing > 0 {
            let length = missing.min(PADDING - from);
            value.extend_from_slice(&self.padding[from..from + length]);
            missing -= length;
            from = 0;
        }
        value.push(b'"');
    }

    /// Appends the line of an event whose value is the JSON text `value`.
    pub fn line(&self, event: &Event, value: &[u8], line: &mut Vec<u8>) {
        self.begin(event, line);
        line.extend_from_slice(b",\"value\":");
        line.extend_from_slice(value);
        self.end(event, Some(value), event.fault.into_iter(), line);
    }

    /// Appends the line of an event to whose value something was done, so that it may be anything.
    pub fn faulty_line<'f>(
        &self,
        event: &Event,
        value: Option<&[u8]>,
        faults: impl Iterator<Item = &'f str>,
        line: &mut Vec<u8>,
    ) {
        self.begin(event, line);
        line.push(b',');
        write_payload(line, "value", value, PayloadMode::Auto);
        self.end(event, value, event.fault.into_iter().chain(faults), line);
    }

    fn begin(&self, event: &Event, line: &mut Vec<u8>) {
        line.extend_from_slice(&self.head);
        // librdkafka takes 0 for the time of sending, and so the record line refuses it.
        let millis = event.at.millis();
        write_json(line, &if millis == 0 { 1 } else { millis });
        line.extend_from_slice(b",\"key\":");
        write_json(line, event.key.as_str());
    }

    fn end<'f>(
        &self,
        event: &Event,
        value: Option<&[u8]>,
        faults: impl Iterator<Item = &'f str>,
        line: &mut Vec<u8>,
    ) {
        line.extend_from_slice(&self.run);
        write_json(line, &event.sequence);
        line.extend_from_slice(b"\"},{\"key\":\"");
        line.extend_from_slice(label::CHECKSUM.as_bytes());
        line.extend_from_slice(b"\",\"value\":\"");
        let sum = checksum(Some(event.key.as_bytes()), value);
        for nibble in (0..8).rev() {
            line.push(b"0123456789abcdef"[(sum >> (nibble * 4) & 15) as usize]);
        }
        let mut any = false;
        for fault in faults {
            if any {
                line.push(b',');
            } else {
                line.extend_from_slice(b"\"},{\"key\":\"");
                line.extend_from_slice(label::FAULT.as_bytes());
                line.extend_from_slice(b"\",\"value\":\"");
            }
            line.extend_from_slice(fault.as_bytes());
            any = true;
        }
        line.extend_from_slice(b"\"}]}\n");
    }
}

fn random_text(dice: &mut Dice) -> Vec<u8> {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    (0..PADDING).map(|_| *dice.pick(LETTERS)).collect()
}
