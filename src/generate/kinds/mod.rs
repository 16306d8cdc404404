//! The kinds there are; each file is one of them.

mod address;
mod analytics;
mod audit;
mod call;
mod event;
mod fields;
mod market;
mod message;
mod month;
mod order;
mod payment;
mod people;
mod phrases;
mod places;
mod presence;
mod sensor;
mod shapes;
mod sky;
mod spec;
#[cfg(test)]
mod tests;
mod topic;
mod user;
mod walk;
mod weather;

use super::AnyKind;
pub use spec::{Spec, SpecError};

pub use topic::{Because, for_topic};

/// Returns every kind, in the order of their list.
pub fn all() -> Vec<Box<dyn AnyKind>> {
    vec![
        Box::new(sensor::Sensor),
        Box::new(weather::Weather),
        Box::new(payment::Payments),
        Box::new(order::Orders),
        Box::new(user::Users),
        Box::new(message::Messages),
        Box::new(presence::Presence),
        Box::new(call::Calls),
        Box::new(audit::Audit),
        Box::new(analytics::Analytics),
        Box::new(event::General),
    ]
}

/// Returns the kind of this name.
pub fn named(name: &str) -> Option<Box<dyn AnyKind>> {
    all().into_iter().find(|kind| kind.name() == name)
}

/// Returns `value` to so many decimals, and never a negative zero.
fn rounded(value: f64, decimals: i32) -> f64 {
    let scale = 10_f64.powi(decimals);
    (value * scale).round() / scale + 0.0
}

/// What the tests of every kind have in common.
#[cfg(test)]
pub(super) mod testing {
    use crate::generate::dice::hex;
    use crate::generate::{
        Arrival, Event, Events, Lines, Moment, Plan, Run, Schedule, Seed, Shape,
    };
    use sha2::{Digest, Sha256};

    /// 2026-11-20T00:00:00Z
    pub(crate) const START: Moment = Moment::from_micros(1_795_132_800_000_000);

    /// A run of a kind at its own pace.
    pub(crate) fn run(kind: &str, seed: u64) -> Box<dyn Events> {
        run_at(kind, seed, START, None)
    }

    /// The same from another moment, with so many entities.
    pub(crate) fn run_at(
        kind: &str,
        seed: u64,
        start: Moment,
        entities: Option<u32>,
    ) -> Box<dyn Events> {
        let seed = Seed::new(seed);
        let plan = Plan {
            seed,
            start,
            entities,
            schedule: Schedule::new(Arrival::Own, Shape::Flat, start, seed.of_run(start)),
            saved: None,
        };
        super::named(kind).unwrap().start(plan).unwrap()
    }

    /// The first record lines of a run.
    pub(crate) fn lines(kind: &str, seed: u64, count: usize) -> Vec<u8> {
        let mut events = run(kind, seed);
        let (mut event, mut value, mut text) = (Event::default(), Vec::new(), Vec::new());
        let seed = Seed::new(seed);
        let envelope = super::named(kind).unwrap().envelope();
        let run = Run::new(seed, kind, START);
        let mut lines = Lines::new(&run, kind, envelope, None, 0, seed);
        for _ in 0..count {
            events.next(&mut event);
            value.clear();
            lines.value(&event, &mut value);
            lines.line(&event, &value, &mut text);
        }
        text
    }

    /// The payloads of the first events, each with its type (`None` is the kind's name).
    pub(crate) fn payloads(
        kind: &str,
        seed: u64,
        count: usize,
    ) -> impl Iterator<Item = (Event, serde_json::Value)> {
        let mut events = run(kind, seed);
        (0..count).map(move |_| {
            let mut event = Event::default();
            events.next(&mut event);
            let payload = serde_json::from_slice(&event.payload).unwrap();
            (event, payload)
        })
    }

    /// SHA-256 of the first 1000 record lines with seed 1, which no version may change.
    pub(crate) fn golden(kind: &str) -> String {
        hex(&Sha256::digest(lines(kind, 1, 1000)))
    }

    /// Every value of the first `count` fits the schema that `describe` prints.
    #[track_caller]
    pub(crate) fn fits_its_schema(kind: &str, count: usize) {
        let schema = super::named(kind).unwrap().schema();
        let validator = jsonschema::options()
            .should_validate_formats(true)
            .build(&schema)
            .unwrap();
        for line in lines(kind, 1, count).split_inclusive(|byte| *byte == b'\n') {
            let line: serde_json::Value = serde_json::from_slice(line).unwrap();
            if let Err(error) = validator.validate(&line["value"]) {
                panic!("{error} at {}: {line}", error.instance_path());
            }
        }
    }
}
