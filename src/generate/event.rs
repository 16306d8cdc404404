//! What an entity says of its next event, in buffers that are used again and again.

use std::fmt::{self, Write as _};
use std::time::Duration;

use serde::Serialize;

use super::Moment;

/// What stands around a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Envelope {
    /// `{"data_type":…,"timestamp":…,"payload":…}`
    Data,
    /// `{"type":…,"payload":…,"timestamp":…}`, as chat applications have it.
    Type,
}

/// An event, as its entity fills it in.
#[derive(Debug, Default)]
pub struct Event {
    /// `None` where it is the kind's name.
    pub(super) name: Option<&'static str>,
    pub(super) key: String,
    pub(super) payload: Vec<u8>,
    pub(super) fault: Option<&'static str>,
    pub(super) wait_micros: u64,
    /// When it happens, never before the event ahead of it.
    pub at: Moment,
    /// Its number in the run, from 0.
    pub sequence: u64,
    /// The number of its entity; in a mix of topics, unlike that of any other topic's.
    pub entity: u64,
}

impl Event {
    /// Says what type of event it is, where a kind has several; the kind's name otherwise.
    pub fn event_type(&mut self, name: &'static str) {
        self.name = Some(name);
    }

    /// Sets the key, by which events stay in order.
    pub fn key(&mut self, key: impl fmt::Display) {
        self.key.clear();
        let _ = write!(self.key, "{key}");
    }

    /// Sets the payload, which has to be an object.
    ///
    /// # Panics
    /// When `payload` has a map whose keys are no strings.
    pub fn payload(&mut self, payload: &impl Serialize) {
        self.payload.clear();
        serde_json::to_writer(&mut self.payload, payload)
            .expect("a Vec takes every byte and payloads have names for keys");
    }

    /// Says what is wrong with the event, in a word for a header and never in the payload.
    pub fn fault(&mut self, fault: &'static str) {
        self.fault = Some(fault);
    }

    /// Says how long the entity rests until its next event; its kind's mean otherwise.
    pub fn wait(&mut self, wait: Duration) {
        self.wait_micros = u64::try_from(wait.as_micros()).unwrap_or(u64::MAX);
    }

    /// Says the same in seconds; less than a microsecond is one.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a cast of a float stops at the ends of the range"
    )]
    pub fn wait_seconds(&mut self, seconds: f64) {
        self.wait_micros = (seconds * 1e6) as u64;
    }
}
