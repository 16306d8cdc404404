//! What holds for every kind, and what each promises of its own.

mod chat;
mod order;
mod payment;
mod weather;

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::Value;

use super::testing::{START, fits_its_schema, golden, lines, payloads, run_at};
use crate::generate::Event;

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
        "c4b99f74c79ed52ad663f84a67e8d62ec1778958ebb4c8b58e27c243f07a6524",
    ),
    (
        "payment",
        "d5688bc3842f7aec0e7be560e654263987627026094c07d554522c15a25e9020",
    ),
    (
        "order",
        "c9b2519fcf062caea2e1603075afcd703da87164b7e00b2d2d8e4a31f5be169c",
    ),
    (
        "user",
        "e95556dd73e82bb30b045f7854f7810dac91bf76cb2a437c0a6447cc987bfa5d",
    ),
    (
        "message",
        "edb15a0117b3766766f1665e0922802340bb77d46ceae3654efd48a8d8c326ba",
    ),
    (
        "presence",
        "34a39434188c7bb5bef1bbc9ce1c7a599cc0dbaceaf26da86b405a3167a8b86d",
    ),
    (
        "call",
        "d921f45ac30aa00cda186cb1a4067f8337fa883de760d5ad151a81e30bd7b51a",
    ),
    (
        "audit",
        "583470466e747fed7c1c4c88b4ae1b2a158d3c80eb2b5c4522618d9e29ef51c9",
    ),
    (
        "analytics",
        "eb11b756d1242aa8d2dc950240f81eac0c923585477f792407d29c623f859aa5",
    ),
    (
        "event",
        "bb98ccb1dca3111303be066fe0b3c524597870c264172202df8bd42d59068e5d",
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
