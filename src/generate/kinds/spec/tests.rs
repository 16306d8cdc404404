//! What a spec can say, what it cannot, and what comes of it.

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::generate::kinds::testing::START;
use crate::generate::{AnyKind, Arrival, Event, Plan, Schedule, Seed, Shape};

const PARCEL: &str = r#"
about = "parcels on their way"
entities = 20
interval = "30s"
key = "parcel"

[fields]
parcel = { is = "name", word = "parcel" }
event = { is = "id" }
number = { is = "sequence" }
status = { is = "chain", next = { PACKED = { SENT = 1 }, SENT = { ARRIVED = 9, LOST = 1 } } }
weight = { is = "log_normal", median = 2.5, deviation = 0.6, minimum = 0.1, per = "entity" }
temperature = { is = "walk", mean = 4.0, deviation = 0.5, memory = "1h", daily = 1.0, decimals = 1 }
rank = { is = "zipf", count = 50 }
delay = { is = "gamma", shape = 2.0, mean = 5.0, null = 0.25 }
express = { is = "boolean", probability = 0.2 }
size = { is = "choice", values = ["S", "M", "L"], weights = [1, 2.5, 1] }
shop = { is = "popular", word = "shop", count = 30 }
carrier = "example-post"

[fields.to]
is = "object"

[fields.to.fields]
name = { is = "person" }
email = { is = "email" }
phone = { is = "phone" }
street = { is = "street" }
floor = { is = "uniform", low = 0, high = 9, decimals = 0 }
"#;

fn run(text: &str, seed: u64, count: usize) -> Vec<(String, Value)> {
    let spec = Spec::parse(text, "parcel").unwrap();
    let seed = Seed::new(seed);
    let plan = Plan {
        seed,
        start: START,
        entities: None,
        schedule: Schedule::new(Arrival::Own, Shape::Flat, START, seed.of_run(START)),
        saved: None,
    };
    let mut events = Box::new(spec).start(plan).unwrap();
    let mut event = Event::default();
    (0..count)
        .map(|_| {
            events.next(&mut event);
            let payload = serde_json::from_slice(&event.payload).unwrap();
            (event.key.clone(), payload)
        })
        .collect()
}

#[track_caller]
fn fits(text: &str, payloads: &[(String, Value)]) {
    let spec = Spec::parse(text, "parcel").unwrap();
    let schema = spec.payloads().remove(0).schema;
    let validator = jsonschema::options()
        .should_validate_formats(true)
        .build(&schema)
        .unwrap();
    for (_, payload) in payloads {
        if let Err(error) = validator.validate(payload) {
            panic!("{error} at {}: {payload}", error.instance_path());
        }
    }
}

#[test]
fn a_spec_is_a_kind_whose_values_fit_its_schema() {
    let events = run(PARCEL, 1, 5000);
    fits(PARCEL, &events);
    let fields: Vec<&String> = events[0].1.as_object().unwrap().keys().collect();
    assert_eq!(
        fields[..4],
        ["parcel", "event", "number", "status"],
        "in the order of the file"
    );

    let mut before: std::collections::BTreeMap<&str, &Value> = std::collections::BTreeMap::new();
    let (mut nulls, mut strays, mut arrived) = (0, 0, 0);
    for (key, parcel) in &events {
        assert_eq!(parcel["parcel"], key.as_str());
        if let Some(last) = before.insert(key, parcel) {
            assert_eq!(parcel["weight"], last["weight"], "one for each entity");
            assert_eq!(parcel["to"]["email"], last["to"]["email"]);
            assert_eq!(
                parcel["number"].as_u64(),
                last["number"].as_u64().map(|last| last + 1)
            );
            let status = parcel["status"].as_str().unwrap();
            let follows = match last["status"].as_str().unwrap() {
                "PACKED" => status == "SENT",
                "SENT" => ["ARRIVED", "LOST"].contains(&status),
                _ => status == "PACKED",
            };
            assert!(follows, "{last} before {parcel}");
        } else {
            assert_eq!(
                (&parcel["status"], &parcel["number"]),
                (&"PACKED".into(), &1.into())
            );
        }
        nulls += i32::from(parcel["delay"].is_null());
        strays += i32::from(parcel["status"] == "LOST");
        arrived += i32::from(parcel["status"] == "ARRIVED");
    }
    assert!((1100..1400).contains(&nulls), "{nulls}");
    let share = f64::from(strays) / f64::from(strays + arrived);
    assert!((0.07..0.13).contains(&share), "{share}");
}

#[test]
fn numbers_have_the_mean_that_they_were_given() {
    let text = r#"
fields.uniform = { is = "uniform", low = 2, high = 4 }
fields.normal = { is = "normal", mean = 3, deviation = 1 }
fields.exponential = { is = "exponential", mean = 3 }
fields.gamma = { is = "gamma", shape = 0.5, mean = 3 }
fields.pareto = { is = "pareto", least = 2, shape = 3 }
fields.walk = { is = "walk", mean = 3, deviation = 1, memory = "1s" }
fields.log_normal = { is = "log_normal", median = 3, deviation = 0.1 }
"#;
    let events = run(text, 1, 20_000);
    for field in [
        "uniform",
        "normal",
        "exponential",
        "gamma",
        "pareto",
        "walk",
        "log_normal",
    ] {
        let sum: f64 = events
            .iter()
            .map(|(_, each)| each[field].as_f64().unwrap())
            .sum();
        let mean = sum / 20_000.0;
        assert!((2.9..3.1).contains(&mean), "{field} {mean}");
    }
    assert_eq!(
        events[0].0[..7],
        *"parcel_",
        "the entity is the key when none is named"
    );
}

#[test]
fn what_is_misspelt_is_told_with_what_was_meant() {
    for (text, error, hint) in [
        (
            "entitys = 3\nfields.a = 1",
            "at the top: unknown setting `entitys`",
            "did you mean `entities`?",
        ),
        (
            "fields.a = { is = \"unifrm\" }",
            "`fields.a`: no generator `unifrm`",
            "did you mean `uniform`?",
        ),
        (
            "fields.a = { is = \"normal\", maen = 1 }",
            "`fields.a`: unknown setting `maen`",
            "did you mean `mean`?",
        ),
        (
            "key = \"nmae\"\nfields.name = { is = \"person\" }",
            "`key`: no field `nmae` that can be a key",
            "did you mean `name`?",
        ),
        (
            "fields.a = { is = \"chain\", begin = \"NEWW\", next = { NEW = { OLD = 1 } } }",
            "`fields.a`: the chain has no state `NEWW`",
            "did you mean `NEW`?",
        ),
        (
            "fields.a = { is = \"id\", xyz = 1 }",
            "`fields.a`: unknown setting `xyz`",
            "the settings here are is, null, per",
        ),
        (
            "fields.a = { is = \"normal\", mean = 1 }",
            "`fields.a`: `deviation` is missing",
            "`kpipe help generate` has an example",
        ),
        (
            "fields.a = { mean = 1 }",
            "`fields.a`: `is` is missing",
            "`kpipe help generate` has an example",
        ),
        (
            "fields.a = { is = \"object\", fields = { b = { is = 3 } } }",
            "`fields.a.b`: `is` is the name of a generator",
            "`kpipe help generate` has an example",
        ),
        (
            "",
            "there are no `[fields]`",
            "`kpipe help generate` has an example",
        ),
        (
            "a = ",
            "line 1, column 5: ",
            "`kpipe help generate` has an example",
        ),
    ] {
        let found = Spec::parse(text, "x").unwrap_err();
        assert!(found.to_string().starts_with(error), "{found} for {text}");
        assert_eq!(found.hint(), hint, "{text}");
    }
}

#[test]
fn what_cannot_be_is_refused() {
    for text in [
        "entities = 0\nfields.a = 1",
        "entities = -1\nfields.a = 1",
        "interval = \"0\"\nfields.a = 1",
        "interval = 5\nfields.a = 1",
        "envelope = \"x\"\nfields.a = 1",
        "name = \"\\u001b[2J\"\nfields.a = 1",
        "fields.a = nan",
        "fields.a = []",
        "fields = {}",
        "key = \"a\"\nfields.a = { is = \"uniform\", low = 0, high = 1 }",
        "key = \"a\"\nfields.a = { is = \"id\", null = 0.1 }",
        "fields.a = { is = \"uniform\", low = 2, high = 1 }",
        "fields.a = { is = \"uniform\", low = 0, high = inf }",
        "fields.a = { is = \"normal\", mean = nan, deviation = 1 }",
        "fields.a = { is = \"normal\", mean = 0, deviation = 0 }",
        "fields.a = { is = \"normal\", mean = 0, deviation = 1, decimals = 10 }",
        "fields.a = { is = \"normal\", mean = 0, deviation = 1, minimum = 2, maximum = 1 }",
        "fields.a = { is = \"normal\", mean = 0, deviation = 1, decimals = 0, minimum = 0.1, maximum = 0.9 }",
        "fields.a = { is = \"gamma\", shape = 1e15, mean = 1e-320 }",
        "fields.a = { is = \"zipf\", count = 0 }",
        "fields.a = { is = \"zipf\", count = 9, exponent = 101 }",
        "fields.a = { is = \"popular\", word = \"a\" }",
        "fields.a = { is = \"name\", word = \"a b\" }",
        "fields.a = { is = \"choice\", values = [] }",
        "fields.a = { is = \"choice\", values = [1, 2], weights = [1] }",
        "fields.a = { is = \"choice\", values = [1], weights = [0] }",
        "fields.a = { is = \"chain\", next = {} }",
        "fields.a = { is = \"chain\", next = { A = { B = -1 } } }",
        "fields.a = { is = \"chain\", next = { A = 1 } }",
        "fields.a = { is = \"id\", null = 1.5 }",
        "fields.a = { is = \"id\", per = \"day\" }",
        "fields.a = { is = \"boolean\", probability = 2 }",
    ] {
        Spec::parse(text, "x").expect_err(text);
    }
    let deep = format!(
        "fields.a = {}1{}",
        "{ is = \"object\", fields = { a = ".repeat(40),
        " } }".repeat(40)
    );
    let error = Spec::parse(&deep, "x").unwrap_err();
    assert!(matches!(error, SpecError::TooDeep { .. }), "{error}");
}

#[test]
fn a_chain_begins_where_it_is_told_to() {
    let text =
        "fields.a = { is = \"chain\", begin = \"B\", next = { A = { B = 1 }, B = { A = 1 } } }";
    let events = run(text, 1, 1);
    assert_eq!(events[0].1["a"], "B");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_numbers_give_values_that_fit_the_schema(
        seed: u64,
        one in prop_oneof![-1e15..1e15, -10.0..10.0, Just(1e-300)],
        other in prop_oneof![1e-300..1e15, 1e-3..10.0],
        decimals in 0..10,
    ) {
        let (low, high) = (f64::min(one, other), f64::max(one, other));
        let text = format!(
            "fields.uniform = {{ is = \"uniform\", low = {low:e}, high = {high:e}, decimals = {decimals} }}
             fields.normal = {{ is = \"normal\", mean = {one:e}, deviation = {other:e}, decimals = {decimals} }}
             fields.log_normal = {{ is = \"log_normal\", median = {other:e}, deviation = {other:e} }}
             fields.pareto = {{ is = \"pareto\", least = {other:e}, shape = {other:e}, maximum = {high:e} }}
             fields.walk = {{ is = \"walk\", mean = {one:e}, deviation = {other:e}, daily = {one:e} }}
             fields.whole = {{ is = \"normal\", mean = {one:e}, deviation = {other:e}, decimals = 0, minimum = {low:e} }}"
        );
        fits(&text, &run(&text, seed, 20));
    }

    #[test]
    fn no_text_is_too_strange_to_read(text in ".{0,200}", name in "[a-z]{1,9}", value in ".{0,20}") {
        let _ = Spec::parse(&text, "x");
        let _ = Spec::parse(&format!("fields.a = {{ is = {value:?} }}"), "x");
        let _ = Spec::parse(&format!("fields.a = {{ is = \"normal\", {name} = {value} }}"), "x");
    }
}
