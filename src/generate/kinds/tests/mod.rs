//! What holds for every kind, and what each promises of its own.

mod chat;
mod order;
mod payment;
mod weather;

use std::collections::{BTreeMap, BTreeSet};

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
        "711053d7ca5040f49f023b1eceed5617134fd762e1a7f871c6c06f41e8a1388d",
    ),
    (
        "payment",
        "fbe6db5b3356357753e9eb0049454856004c09ad7c4cb511355268bb5884e1cb",
    ),
    (
        "order",
        "8fd1112a98eaf20c2f1bc81935adc8cfef741f8d99f04bb6fabe6b373db48879",
    ),
    (
        "user",
        "46453edcc329b1cf30f3eefcc17bcab56f28fdd881432dd370995b328720fa2f",
    ),
    (
        "message",
        "43a63bb12c73803bc1406e058a268a97f290eecba7420e06aabed4614a626d5b",
    ),
    (
        "presence",
        "ea8ca23537e74ef70b4b30144f4ca27de5d29886c40c0612b380ca53a61dbcda",
    ),
    (
        "call",
        "ba1bf3644e97a24f12570490432f7bc0f3efc69bfc53c6ec234886d8654f3ca0",
    ),
    (
        "audit",
        "89e94c0bc377c2b29dbafe0af8be8fca8865ab6eb581e3b2ba3daad372ed5f40",
    ),
    (
        "analytics",
        "85e7b53bab71cb088ac31aaa9d4fd52ad7615c69bc68ab7f5c8bc6051bb0bf0c",
    ),
    (
        "event",
        "766086be587cd135ad4ad63e83c8a76d1fdba588372db689b975945d0cc092e2",
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

#[test]
fn no_two_kinds_make_the_same_id() {
    let mut makers: BTreeMap<String, String> = BTreeMap::new();
    for kind in super::all() {
        let text = String::from_utf8(lines(kind.name(), 1, 300)).unwrap();
        for id in text.split('"').filter(|word| word.len() == 36) {
            // Version and all after it: the time before it is no difference to rely on.
            let maker = makers
                .entry(id[14..].to_owned())
                .or_insert_with(|| kind.name().to_owned());
            assert_eq!(maker, kind.name(), "{id}");
        }
    }
    assert!(makers.len() > 1000, "{}", makers.len());
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
