//! What holds for every kind, and what each promises of its own.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::Value;

use super::testing::{fits_its_schema, golden, lines, payloads, run};
use crate::generate::Event;

#[test]
fn every_value_fits_the_schema_of_its_kind() {
    for kind in super::all() {
        fits_its_schema(kind.name(), 5000);
    }
}

#[test]
fn a_seed_writes_the_same_lines_in_every_version() {
    let golden: Vec<(String, String)> = super::all()
        .iter()
        .filter(|kind| kind.name() != "sensor")
        .map(|kind| (kind.name().to_owned(), golden(kind.name())))
        .collect();
    let golden: Vec<String> = golden
        .iter()
        .map(|(kind, hash)| format!("{kind} {hash}"))
        .collect();
    assert_eq!(golden, GOLDEN);
}

const GOLDEN: [&str; 10] = ["", "", "", "", "", "", "", "", "", ""];

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
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_seed_of_any_kind_writes_valid_lines_in_order_and_repeats_them(seed: u64) {
        for kind in super::all() {
            let text = lines(kind.name(), seed, 200);
            prop_assert_eq!(&text, &lines(kind.name(), seed, 200));
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
            let of_first = |events: &[(u32, Vec<u8>)]| -> Vec<Vec<u8>> {
                let first = events.iter().filter(|(entity, _)| *entity == 0);
                first.map(|(_, payload)| payload.clone()).collect()
            };
            let few = of_first(&some(kind.name(), seed, 2, 60));
            let many = of_first(&some(kind.name(), seed, 7, 300));
            let both = few.len().min(many.len());
            prop_assert!(both > 5, "{}", kind.name());
            prop_assert_eq!(&few[..both], &many[..both], "{}", kind.name());
        }
    }
}
