//! What holds for every seed and every choice of faults, schedules and sizes.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::kinds::{self, testing::START};
use super::{
    Arrival, Event, Faults, Late, Lines, Manifest, Null, Plan, Recorder, Report, Run, Saved,
    Schedule, Seed, Shape, Verifier, pointers,
};
use crate::record::{self, UnknownFields};

/// Everything that may be asked of a run.
#[derive(Clone, Debug)]
struct Asked {
    kind: &'static str,
    seed: u64,
    entities: u32,
    arrival: Arrival,
    shape: Shape,
    size: usize,
    faults: Faults,
    count: u64,
}

fn asked() -> impl Strategy<Value = Asked> {
    let rate = prop_oneof![Just(0.0), 0.0..=0.3_f64];
    let faults = (
        (rate.clone(), rate.clone(), rate.clone(), rate.clone()),
        (
            rate.clone(),
            rate,
            prop::option::of((0.0..0.3_f64, 0..20_000_u64)),
        ),
    );
    let faults = faults.prop_map(
        |((duplicate, dropped, out_of_order, malformed), (tombstone, null, late))| Faults {
            duplicate,
            dropped,
            late: late.map(|(rate, by_millis)| Late { rate, by_millis }),
            out_of_order,
            malformed,
            tombstone,
            null: vec![Null {
                field: "temperature".into(),
                rate: null,
            }],
        },
    );
    let arrival = prop_oneof![
        Just(Arrival::Own),
        (0.1..10_000_f64).prop_map(Arrival::Constant),
        (0.1..10_000_f64).prop_map(Arrival::Poisson),
    ];
    let shape = prop_oneof![Just(Shape::Flat), Just(Shape::Daily)];
    (
        any::<u64>(),
        1..40_u32,
        arrival,
        shape,
        prop_oneof![Just(0), 0..3_000_usize],
        faults,
        1..150_u64,
    )
        .prop_map(
            |(seed, entities, arrival, shape, size, faults, count)| Asked {
                kind: "sensor",
                seed,
                entities,
                arrival,
                shape,
                size,
                faults,
                count,
            },
        )
}

/// What a run writes, and its manifest.
fn made(asked: &Asked) -> (Vec<Vec<u8>>, Manifest) {
    let kind = kinds::named(asked.kind).unwrap();
    let (seed, name) = (Seed::new(asked.seed), asked.kind);
    let of_run = seed.of_run(START);
    let nulls = pointers(&asked.faults.null, &kind.schema()).unwrap();
    let run = Run::new(seed, name, START);
    let lines = Lines::new(&run, name, kind.envelope(), Some("t"), asked.size, of_run);
    let mut recorder = Recorder::new(lines, asked.faults.clone(), nulls, of_run, true);
    let mut events = kind
        .start(Plan {
            seed,
            start: START,
            entities: Some(asked.entities),
            schedule: Schedule::new(asked.arrival, asked.shape, START, of_run),
            saved: None,
        })
        .unwrap();
    let (mut event, mut text) = (Event::default(), Vec::new());
    for _ in 0..asked.count {
        events.next(&mut event);
        recorder.write(&event, &mut text);
    }
    recorder.finish(&mut text);
    let tally = recorder.tally();
    let hash = recorder.hash();
    let manifest = Manifest::new(
        &run,
        name,
        asked.seed,
        START,
        asked.faults.clone(),
        tally,
        hash,
    );
    let lines = text.split_inclusive(|byte| *byte == b'\n');
    (lines.map(<[u8]>::to_vec).collect(), manifest)
}

fn verified<'a>(manifest: &Manifest, lines: impl IntoIterator<Item = &'a Vec<u8>>) -> Report {
    let mut verifier = Verifier::new(manifest.clone());
    for line in lines {
        let record = record::parse(line, UnknownFields::Refuse).unwrap();
        verifier.see(&record).unwrap();
    }
    verifier.finish()
}

/// What a line says: its value, if that is JSON.
fn value(line: &[u8]) -> Option<serde_json::Value> {
    let record = record::parse(line, UnknownFields::Refuse).unwrap();
    serde_json::from_slice(&record.value?).ok()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_line_is_a_record_and_what_is_made_is_verified(asked in asked()) {
        let (lines, manifest) = made(&asked);
        prop_assert_eq!(lines.len() as u64, manifest.lines);
        prop_assert_eq!(manifest.events, asked.count);
        for line in &lines {
            let record = record::parse(line, UnknownFields::Refuse).unwrap();
            prop_assert_eq!(record.topic.as_deref(), Some("t"));
            prop_assert!(record.key.is_some());
            let faulty = record.headers.iter().any(|header| *header.name == *b"gen-fault");
            if !faulty {
                let value = record.value.unwrap();
                let json: serde_json::Value = serde_json::from_slice(&value).unwrap();
                prop_assert!(json["payload"].is_object());
                prop_assert!(value.len() >= asked.size.min(value.len()));
                prop_assert!(asked.size < 500 || value.len() == asked.size);
            }
        }
        let report = verified(&manifest, &lines);
        prop_assert!(report.is_clean(), "{:?}", report);
        prop_assert_eq!(report.received, manifest.lines);
        prop_assert_eq!(report.expected, manifest.lines);
    }

    #[test]
    fn the_same_is_made_again(asked in asked()) {
        prop_assert_eq!(made(&asked), made(&asked));
    }

    #[test]
    fn faults_leave_the_other_records_as_they_are(asked in asked()) {
        let (lines, _) = made(&asked);
        let (clean, _) = made(&Asked { faults: Faults::default(), ..asked });
        let clean: BTreeSet<Vec<u8>> = clean.into_iter().collect();
        for line in lines {
            let fault = b"gen-fault";
            prop_assert!(memchr::memmem::find(&line, fault).is_some() || clean.contains(&line));
        }
    }

    #[test]
    fn an_entity_s_events_are_in_order_and_more_entities_change_none(asked in asked()) {
        let asked = Asked { faults: Faults::default(), arrival: Arrival::Own, size: 0, ..asked };
        let by_key = |asked: &Asked| {
            let mut values: BTreeMap<String, Vec<serde_json::Value>> = BTreeMap::new();
            for line in made(asked).0 {
                let value = value(&line).unwrap();
                let key = value["payload"]["sensor_id"].as_str().unwrap().to_owned();
                values.entry(key).or_default().push(value);
            }
            values
        };
        let few = by_key(&asked);
        let more = by_key(&Asked { entities: asked.entities + 3, count: asked.count + 50, ..asked.clone() });
        for (key, values) in few {
            for (index, value) in values.iter().enumerate() {
                prop_assert_eq!(value["payload"]["sequence"].as_u64(), Some(index as u64));
            }
            let times: Vec<_> = values.iter().map(|value| value["timestamp"].as_str()).collect();
            prop_assert!(times.is_sorted());
            let same = more.get(&key).map_or(&[][..], Vec::as_slice);
            let both = values.len().min(same.len());
            prop_assert_eq!(&values[..both], &same[..both]);
            prop_assert!(both > 0 || asked.count < 60);
        }
    }

    #[test]
    fn what_happens_on_the_way_is_found(
        asked in asked(),
        place in any::<prop::sample::Index>(),
        other in any::<prop::sample::Index>(),
    ) {
        let asked = Asked { faults: Faults::default(), ..asked };
        let (lines, manifest) = made(&asked);
        let place = place.index(lines.len());

        let mut lost = lines.clone();
        lost.remove(place);
        let report = verified(&manifest, &lost);
        prop_assert_eq!((report.lost, report.repeated, report.reordered, report.changed), (1, 0, 0, 0));

        let mut repeated = lines.clone();
        repeated.insert(other.index(lines.len()), lines[place].clone());
        let report = verified(&manifest, &repeated);
        prop_assert_eq!((report.lost, report.repeated, report.changed), (0, 1, 0));

        if place > 0 {
            let mut reordered = lines.clone();
            reordered.swap(place - 1, place);
            let report = verified(&manifest, &reordered);
            prop_assert_eq!((report.lost, report.repeated, report.reordered, report.changed), (0, 0, 1, 0));
        }

        let mut changed = lines.clone();
        let text = String::from_utf8(changed[place].clone()).unwrap();
        changed[place] = text.replacen("\"sensor\"", "\"sensors\"", 1).into_bytes();
        let report = verified(&manifest, &changed);
        prop_assert_eq!((report.lost, report.repeated, report.reordered, report.changed), (0, 0, 0, 1));

        let strangers = Manifest { run: "0123456789abcdef".into(), ..manifest.clone() };
        let report = verified(&strangers, &lines);
        prop_assert_eq!((report.other, report.lost), (manifest.lines, manifest.lines));
    }

    #[test]
    fn two_windows_with_state_are_one_run(seed in any::<u64>(), entities in 1..20_u32) {
        // Draws differ between the two, so what is compared is what walks carry over.
        let end = START.plus(std::time::Duration::from_secs(30));
        let run = |start, saved: Option<Saved>| {
            let seed = Seed::new(seed);
            let schedule = Schedule::new(Arrival::Own, Shape::Flat, start, seed.of_run(start));
            let plan = Plan { seed, start, entities: Some(entities), schedule, saved };
            kinds::named("sensor").unwrap().start(plan).unwrap()
        };
        let mut first = run(START, None);
        let mut last = BTreeMap::new();
        let mut event = Event::default();
        while first.due() < end {
            first.next(&mut event);
            let payload: serde_json::Value = serde_json::from_slice(&event.payload).unwrap();
            last.insert(event.entity, (event.at, payload["sequence"].as_u64().unwrap()));
        }
        let saved = serde_json::to_string(&first.save(end).unwrap()).unwrap();
        let mut second = run(end, serde_json::from_str(&saved).unwrap());
        let mut entities = BTreeSet::new();
        while entities.len() < last.len() {
            second.next(&mut event);
            prop_assert!(event.at >= end);
            if entities.insert(event.entity) {
                let payload: serde_json::Value = serde_json::from_slice(&event.payload).unwrap();
                let (at, sequence) = last[&event.entity];
                prop_assert_eq!(payload["sequence"].as_u64(), Some(sequence + 1));
                let gap = event.at.seconds_since(at);
                prop_assert!((0.9..1.1).contains(&gap) || gap > 29.0, "{}", gap);
            }
        }
    }
}

#[test]
fn ids_are_unique() {
    let mut dice = Seed::new(1).dice(0);
    let ids: BTreeSet<_> = (0..100_000).map(|_| dice.id(START)).collect();
    assert_eq!(ids.len(), 100_000);
}
