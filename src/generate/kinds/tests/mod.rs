//! What holds for every kind, and what each promises of its own.

mod chat;
mod order;
mod payment;
mod weather;

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::Value;

use super::testing::{START, fits_its_schema, golden, lines, payloads};
use crate::generate::{Arrival, Event, Events, Moment, Plan, Schedule, Seed, Shape};

#[test]
fn every_value_fits_the_schema_of_its_kind() {
    for kind in super::all() {
        fits_its_schema(kind.name(), 5000);
    }
}

#[test]
fn a_seed_writes_the_same_lines_in_every_version() {
    let of_kind = |(kind, _): &(&str, &str)| golden(kind);
    let now: Vec<String> = GOLDEN.iter().map(of_kind).collect();
    assert_eq!(now, GOLDEN.map(|(_, hash)| hash));
}

/// SHA-256 of the first 1000 lines of each kind with seed 1; `sensor` has its own.
const GOLDEN: [(&str, &str); 10] = [
    (
        "weather",
        "f77e180863da0370f234471a4236d657d2a8f65b9b1724639d29255390be39b1",
    ),
    (
        "payment",
        "f606288ff7c4ecb2f63b82c282ec1f72e389e3533ba5f487d70fec61ddde8611",
    ),
    (
        "order",
        "ae9175ca18ccc6d9b3ebdd5022281f9d232340eca25b427348eafcd635a974f8",
    ),
    (
        "user",
        "cdd07df84124426562f8b8e7454cd6d79100bb7505ac489081ed8e81220613e5",
    ),
    (
        "message",
        "03d3ceebdc7f5ca4a9814492ea16066502ebee232e17ae52eee7368dd81d9ff3",
    ),
    (
        "presence",
        "13d7f05b00bf803789f2d7dd5b1d5b51fb6b9397dc80db085968b19d8afeee6c",
    ),
    (
        "call",
        "b138b75d38fbc5965a79eb9099f1878537920b7eb92791c4a04497a654f55148",
    ),
    (
        "audit",
        "ada3d70ab82530b1bb4dab3c502993e54f9d1847ab301ef2b65986dcc6910a98",
    ),
    (
        "analytics",
        "6fb895640600fd190957d1b881e4f5349f92fbfc608dcd49196ddd465b5b0d78",
    ),
    (
        "event",
        "8c349ddd0332799d86e24d55b3a606e60b4e5ff4b81b1b0f7146ae65205709b4",
    ),
];

#[test]
fn every_event_type_of_a_schema_is_written() {
    for kind in super::all() {
        let schema = kind.schema();
        let types: BTreeSet<String> = (schema["oneOf"].as_array().into_iter().flatten())
            .map(|value| value["properties"][kind.envelope().type_field()]["const"].clone())
            .map(|name| name.as_str().unwrap().to_owned())
            .collect();
        let written: BTreeSet<String> = payloads(kind.name(), 1, 5000)
            .filter_map(|(event, _)| event.name.map(str::to_owned))
            .collect();
        assert_eq!(written, types, "{}", kind.name());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn any_seed_of_any_kind_writes_valid_lines_in_order_and_repeats_them(seed: u64) {
        for kind in super::all() {
            let text = lines(kind.name(), seed, 100);
            prop_assert_eq!(&text, &lines(kind.name(), seed, 100));
            let mut last = i64::MIN;
            for line in text.split_inclusive(|byte| *byte == b'\n') {
                let line: Value = serde_json::from_slice(line).unwrap();
                let at = line["timestamp"].as_i64().unwrap();
                prop_assert!(last <= at);
                last = at;
            }
        }
    }

    #[test]
    fn more_entities_change_nothing_that_the_others_do(seed: u64) {
        for kind in super::all() {
            prop_assert_eq!(of_first(kind.name(), seed, 1), of_first(kind.name(), seed, 9));
        }
    }
}

/// The first payloads of entity 0 among so many.
fn of_first(kind: &str, seed: u64, entities: u32) -> Vec<Vec<u8>> {
    let mut events = run_at(kind, seed, START, Some(entities));
    let mut event = Event::default();
    let mut payloads = Vec::new();
    while payloads.len() < 10 {
        events.next(&mut event);
        if event.entity == 0 {
            payloads.push(event.payload.clone());
        }
    }
    payloads
}

/// A run of a kind at its own pace.
fn run_at(kind: &str, seed: u64, start: Moment, entities: Option<u32>) -> Box<dyn Events> {
    let seed = Seed::new(seed);
    super::named(kind).unwrap().start(Plan {
        seed,
        start,
        entities,
        schedule: Schedule::new(Arrival::Own, Shape::Flat, start, seed),
    })
}

/// The share of `part` in `whole`.
#[expect(clippy::cast_precision_loss, reason = "counts of a test")]
fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}

/// The text in a field that every payload has.
#[track_caller]
fn text<'a>(payload: &'a Value, field: &str) -> &'a str {
    payload[field]
        .as_str()
        .unwrap_or_else(|| panic!("no {field} in {payload}"))
}

#[track_caller]
fn number(payload: &Value, field: &str) -> f64 {
    payload[field]
        .as_f64()
        .unwrap_or_else(|| panic!("no {field} in {payload}"))
}

#[track_caller]
fn count(payload: &Value, field: &str) -> u64 {
    payload[field]
        .as_u64()
        .unwrap_or_else(|| panic!("no {field} in {payload}"))
}
