//! Synthetic records: as many as asked, when asked, the same every time, and quiet about it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::support::Place;

const START: &str = "2026-11-20T10:00:00Z";

fn nowhere() -> Place {
    Place::at("127.0.0.1:1")
}

/// What `kpipe generate` prints with these arguments.
fn generated(place: &Place, arguments: &[&str]) -> Vec<u8> {
    let generate = place.kpipe(&["-q", "generate"]).arguments(arguments);
    generate.run().ends(0).errors("").bytes().to_vec()
}

fn json(lines: &[u8]) -> Vec<Value> {
    let lines = lines.split_inclusive(|byte| *byte == b'\n');
    lines
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect()
}

/// A header's value.
fn label<'a>(record: &'a Value, name: &str) -> Option<&'a str> {
    let headers = record["headers"].as_array().unwrap();
    let header = headers.iter().find(|header| header["key"] == *name)?;
    header["value"].as_str()
}

#[test]
fn a_date_alone_is_midnight_here_and_other_events_in_another_zone() {
    let place = nowhere();
    let of = |start: &str, zone: &str| {
        let arguments = [
            "-q", "generate", "sensor", "-n", "3", "--seed", "7", "--start", start,
        ];
        let generate = place.kpipe(&arguments).env("TZ", zone);
        generate.run().ends(0).bytes().to_vec()
    };
    let (here, there) = ("Asia/Tokyo", "America/New_York");
    assert_ne!(of("2026-11-20", here), of("2026-11-20", there));
    let zoned = "2026-11-20T00:00:00Z";
    assert_eq!(of(zoned, here), of(zoned, there));
}

#[test]
fn every_kind_is_listed_described_and_generated() {
    let place = nowhere();
    let kinds = place
        .kpipe(&["generate", "list"])
        .run()
        .ends(0)
        .errors("")
        .json();
    assert!(kinds.len() >= 11, "{kinds:?}");
    for kind in kinds {
        let kind = kind["kind"].as_str().unwrap();
        let schema = generated(&place, &["describe", kind]);
        let schema: Value = serde_json::from_slice(&schema).unwrap();
        let schema = jsonschema::validator_for(&schema).unwrap();
        let records = json(&generated(&place, &[kind, "-n", "200"]));
        assert_eq!(records.len(), 200);
        for record in records {
            assert!(schema.is_valid(&record["value"]), "{kind}: {record}");
            assert!(record["key"].is_string());
        }
    }
    let table = place
        .kpipe(&["generate", "list", "--output", "table"])
        .run();
    let table = table.ends(0).out();
    assert!(table.starts_with("KIND"), "{table}");
}

#[test]
fn a_line_is_a_record_with_labels() {
    let record = &json(&generated(
        &nowhere(),
        &[
            "sensor", "-n", "1", "--seed", "7", "--start", START, "--topic", "readings",
        ],
    ))[0];
    let names: Vec<_> = record.as_object().unwrap().keys().collect();
    assert_eq!(names, ["topic", "timestamp", "key", "value", "headers"]);
    assert_eq!(record["topic"], "readings");
    assert_eq!(label(record, "gen-seq"), Some("0"));
    assert_eq!(label(record, "gen-run").unwrap().len(), 16);
    assert_eq!(label(record, "gen-sum").unwrap().len(), 8);
    assert_eq!(record["value"]["data_type"], "sensor");
    let names: Vec<_> = record["value"]["payload"]
        .as_object()
        .unwrap()
        .keys()
        .collect();
    assert_eq!(
        names[..4],
        ["sensor_id", "temperature", "humidity", "pressure"]
    );
}

#[test]
fn a_seed_and_a_start_make_the_same_bytes_and_without_them_nothing_is_the_same() {
    let place = nowhere();
    for arguments in [
        &["sensor", "-n", "500"][..],
        &[
            "order",
            "-n",
            "500",
            "--rate",
            "100000/s",
            "--arrival",
            "poisson",
        ],
        &[
            "message", "-n", "500", "--shape", "daily", "--dup", "5%", "--late", "5%:1m",
        ],
    ] {
        let mut repeated = arguments.to_vec();
        repeated.extend(["--seed", "42", "--start", START]);
        let first = generated(&place, &repeated);
        assert_eq!(first, generated(&place, &repeated));
        assert_ne!(first, generated(&place, arguments));
        assert_ne!(generated(&place, arguments), generated(&place, arguments));
    }
}

#[test]
fn bounds_are_counts_spans_and_times() {
    let place = nowhere();
    let times = |arguments: &[&str]| -> Vec<i64> {
        let mut all = vec!["sensor", "--entities", "5", "--start", START];
        all.extend(arguments);
        let records = json(&generated(&place, &all));
        records
            .iter()
            .map(|record| record["timestamp"].as_i64().unwrap())
            .collect()
    };
    assert_eq!(times(&["-n", "0"]).len(), 0);
    assert_eq!(times(&["-n", "13"]).len(), 13);
    let start = 1_795_168_800_000;
    for arguments in [
        &["--for", "10s"][..],
        &["--until", "2026-11-20T10:00:10Z"],
        &["--for", "10s", "-n", "1000000"],
    ] {
        let times = times(arguments);
        assert!((45..=55).contains(&times.len()), "{times:?}");
        assert!(times.is_sorted());
        assert!(times[0] >= start && *times.last().unwrap() < start + 10_000);
    }
    assert_eq!(times(&["--until", START]).len(), 0);
}

#[test]
fn what_nobody_waits_for_has_happened_by_now() {
    let place = nowhere();
    for arguments in [&["payment", "-n", "3000"][..], &["sensor", "--for", "1m"]] {
        let records = json(&generated(&place, arguments));
        let now = i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap();
        let (first, last) = (
            &records[0]["timestamp"],
            &records[records.len() - 1]["timestamp"],
        );
        let (first, last) = (first.as_i64().unwrap(), last.as_i64().unwrap());
        assert!(first < now - 50_000);
        // The number of events in a time is not exact.
        assert!(last < now + (now - first) / 5, "{first} {last} {now}");
    }
}

#[test]
fn a_rate_is_kept_in_event_time_and_not_exceeded_in_real_time() {
    let place = nowhere();
    let begin = Instant::now();
    let arguments = ["sensor", "--rate", "100/s", "-n", "51", "--start", START];
    let records = json(&generated(&place, &arguments));
    assert!(begin.elapsed() >= Duration::from_millis(500));
    let times: Vec<_> = records
        .iter()
        .map(|record| record["timestamp"].as_i64())
        .collect();
    let expected: Vec<_> = (0..51)
        .map(|number| Some(1_795_168_800_000 + number * 10))
        .collect();
    assert_eq!(times, expected);
}

#[test]
fn a_slow_rate_is_written_line_by_line_and_ends_at_once() {
    let place = nowhere();
    // Each line is seen although the next is a quarter of an hour away.
    let mut generate = place
        .kpipe(&["generate", "sensor", "--rate", "0.001/s"])
        .start();
    generate.line();
    generate.signal(Signal::INT);
    let ended = generate.ended().dies_of(Signal::INT);
    ended.says(&["Generated 1 line of sensor"]);
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let place = nowhere();
    for rate in ["", "--rate 0.001/s", "--rate 100000/s"] {
        let script = format!("kpipe generate sensor {rate} | head -n 1 | wc -l");
        place.bash(&script).run().ends(0).prints("1\n").errors("");
    }
}

#[test]
fn a_full_disk_is_an_error() {
    nowhere()
        .bash("kpipe generate sensor -n 10000 > /dev/full")
        .run()
        .ends(1)
        .says(&["error: cannot write to stdout"])
        .says_one_block();
}

#[test]
fn a_window_is_the_same_every_time_whoever_fills_it() {
    let place = nowhere();
    let window = ["order", "--window", "2026-11-20T10:00/PT1H"];
    let first = generated(&place, &window);
    assert_eq!(first, generated(&place, &window));
    let elsewhere = place
        .kpipe(&["-q", "generate"])
        .arguments(&window)
        .env("TZ", "America/New_York");
    assert_eq!(first, elsewhere.run().ends(0).bytes());
    let by_hand = [
        "order",
        "--seed",
        "0",
        "--start",
        START,
        "--until",
        "2026-11-20T11:00:00Z",
    ];
    assert_eq!(first, generated(&place, &by_hand));
    assert!(json(&first).len() > 100);
    let next = generated(&place, &["order", "--window", "2026-11-20T11:00/PT1H"]);
    let keys = |lines: &[u8]| -> Vec<String> {
        json(lines)
            .iter()
            .map(|record| record["key"].to_string())
            .collect()
    };
    let seen = keys(&first);
    let again = keys(&next)
        .into_iter()
        .filter(|key| key.starts_with("\"0") && seen.contains(key));
    assert_eq!(
        again.collect::<Vec<_>>(),
        Vec::<String>::new(),
        "an order is of one window"
    );
}

#[test]
fn the_last_window_is_complete_and_aligned() {
    let place = nowhere();
    let records = json(&generated(
        &place,
        &["sensor", "--window", "1s", "--entities", "50"],
    ));
    assert!((40..=60).contains(&records.len()));
    let seconds: Vec<_> = records
        .iter()
        .map(|record| record["timestamp"].as_i64().unwrap() / 1000)
        .collect();
    assert!(seconds.iter().all(|second| *second == seconds[0]));
}

#[test]
fn a_window_with_a_rate_has_so_many_and_is_not_waited_for() {
    let arguments = [
        "sensor",
        "--window",
        "2026-11-20T10:00/PT1H",
        "--rate",
        "2/s",
    ];
    assert_eq!(json(&generated(&nowhere(), &arguments)).len(), 7200);
}

#[test]
fn state_carries_walks_over_and_repeats_the_last_window() {
    let place = nowhere();
    let window = |start: &str| {
        let window = format!("2026-11-20T{start}/PT10S");
        let arguments = [
            "sensor",
            "--entities",
            "3",
            "--state",
            "walks.json",
            "--window",
            &window,
        ];
        let ended = place
            .kpipe(&["generate"])
            .arguments(&arguments)
            .run()
            .ends(0);
        let mut sequences = BTreeMap::<String, Vec<u64>>::new();
        for record in ended.json() {
            let payload = &record["value"]["payload"];
            let sensor = payload["sensor_id"].as_str().unwrap().to_owned();
            let sequence = payload["sequence"].as_u64().unwrap();
            sequences.entry(sensor).or_default().push(sequence);
        }
        (sequences, ended.bytes().to_vec(), ended.stderr().to_owned())
    };
    let (first, bytes, _) = window("10:00:00");
    assert_eq!(window("10:00:00").1, bytes, "again, as if it had not been");
    let (second, bytes, _) = window("10:00:10");
    for (sensor, sequences) in &second {
        assert_eq!(sequences[0], first[sensor].last().unwrap() + 1, "{sensor}");
    }
    assert_eq!(window("10:00:10").1, bytes);
    let (later, _, said) = window("12:00:00");
    assert!(later.values().all(|sequences| sequences[0] == 0));
    assert!(said.contains("entities begin anew"), "{said}");
}

#[test]
fn without_a_window_a_run_goes_on_where_the_last_one_ended() {
    let place = nowhere();
    let run = || {
        let arguments = ["sensor", "--entities", "4", "-n", "40", "--state", "s.json"];
        json(&generated(&place, &arguments))
    };
    let (first, second) = (run(), run());
    let sequence = |record: &Value| record["value"]["payload"]["sequence"].as_u64().unwrap();
    let time = |record: &Value| record["timestamp"].as_i64().unwrap();
    let (last, next) = (&first[39], &second[0]);
    assert!(
        (0..2_000).contains(&(time(next) - time(last))),
        "{last} {next}"
    );
    let mut expected: BTreeMap<String, u64> = BTreeMap::new();
    for record in first.iter().chain(&second) {
        let count = expected.entry(record["key"].to_string()).or_default();
        assert_eq!(sequence(record), *count);
        *count += 1;
    }
}

#[test]
fn a_state_of_something_else_is_refused() {
    let place = nowhere();
    generated(
        &place,
        &["sensor", "-n", "1", "--state", "s.json", "--seed", "1"],
    );
    for arguments in [
        &["generate", "order", "-n", "1", "--state", "s.json"][..],
        &[
            "generate", "sensor", "-n", "1", "--state", "s.json", "--seed", "2",
        ],
    ] {
        let ended = place.kpipe(arguments).run().ends(2).prints("");
        ended
            .says(&["s.json is the state of sensor with seed 1"])
            .says_one_block();
    }
    place.write("s.json", "{}");
    let ended = place
        .kpipe(&["generate", "sensor", "--state", "s.json"])
        .run();
    ended
        .ends(2)
        .says(&["s.json is not what --state holds", "remove s.json"]);
}

#[test]
fn one_run_holds_a_lock_and_the_next_says_so() {
    let place = nowhere();
    let run = ["generate", "sensor", "--rate", "0.001/s", "--lock", "gen"];
    let mut first = place.kpipe(&run).start();
    first.line();
    place
        .kpipe(&run)
        .run()
        .ends(3)
        .prints("")
        .says(&["another run holds the lock `gen`"])
        .says_one_block();
    generated(&place, &["sensor", "-n", "1", "--lock", "other"]);
    first.signal(Signal::KILL);
    drop(first);
    generated(&place, &["sensor", "-n", "1", "--lock", "gen"]);
    for name in ["../x", "", "a/b"] {
        place
            .kpipe(&["generate", "sensor", "--lock", name])
            .run()
            .ends(2);
    }
}

#[test]
fn the_line_for_cron_fills_a_topic_in_silence() {
    let place = Place::with(&["orders"]);
    let script = "kpipe -q generate order --window 1h --lock gen --topic orders | kpipe -q send";
    place.bash(script).run().ends(0).prints("").errors("");
    let records = place.records("orders");
    assert!(records.len() > 100);
    let mut partitions = BTreeMap::new();
    for record in &records {
        // All events of an order are in one partition.
        let before = partitions.insert(record["key"].to_string(), record["partition"].clone());
        assert!(before.is_none_or(|before| before == record["partition"]));
    }
}

#[test]
fn values_are_filled_up_to_a_size() {
    let place = nowhere();
    let lines = generated(&place, &["sensor", "-n", "20", "--size", "2KiB"]);
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        let record: BTreeMap<String, Box<serde_json::value::RawValue>> =
            serde_json::from_slice(line).unwrap();
        assert_eq!(record["value"].get().len(), 2048);
    }
}

#[test]
fn faults_are_labelled_and_nowhere_else() {
    let arguments = [
        "sensor",
        "-n",
        "2000",
        "--seed",
        "3",
        "--malformed",
        "5%",
        "--tombstone",
        "5%",
        "--null",
        "temperature=5%",
        "--dup",
        "5%",
        "--drop",
        "5%",
        "--ooo",
        "5%",
    ];
    let mut counts = BTreeMap::<String, u32>::new();
    for record in json(&generated(&nowhere(), &arguments)) {
        let faults = label(&record, "gen-fault").unwrap_or_default();
        let faults: Vec<&str> = faults.split(',').collect();
        let value = &record["value"];
        assert_eq!(
            faults.contains(&"tombstone"),
            value.is_null() && !record.as_object().unwrap().contains_key("value_base64")
        );
        let is_json = value.is_object() || value.is_null();
        assert_eq!(
            faults.contains(&"malformed"),
            !is_json || record.as_object().unwrap().contains_key("value_base64"),
            "{record}"
        );
        let is_null = value["payload"].is_object() && value["payload"]["temperature"].is_null();
        assert_eq!(faults.contains(&"null"), is_null, "{record}");
        for fault in faults {
            *counts.entry(fault.to_owned()).or_default() += 1;
        }
    }
    for fault in ["malformed", "tombstone", "null", "dup", "ooo"] {
        assert!((60..140).contains(&counts[fault]), "{counts:?}");
    }
}

#[test]
fn what_cannot_be_is_refused_with_what_can() {
    let place = nowhere();
    for (arguments, parts) in [
        (
            &["senso"][..],
            &["no kind `senso`", "did you mean `sensor`?"][..],
        ),
        (
            &["zzz\u{1b}[31m"],
            &["no kind `zzz\\x1b[31m`", "sensor, weather"],
        ),
        (
            &[],
            &["what to generate is missing", "kpipe generate sensor"],
        ),
        (&["describe", "ordr"], &["did you mean `order`?"]),
        (
            &["sensor", "--null", "temprature=1%"],
            &["did you mean `temperature`?"],
        ),
        (
            &["sensor", "--null", "/a~b=1%"],
            &["no payload has a field `/a~b`"],
        ),
        (&["sensor", "--window", "5"], &["`5` is not a window"]),
        (
            &["sensor", "--start", "yesterday"],
            &["`yesterday` is not a time"],
        ),
    ] {
        let generate = place.kpipe(&["generate"]).arguments(arguments);
        generate
            .run()
            .ends(2)
            .prints("")
            .says(parts)
            .says_one_block();
    }
    for arguments in [
        &["sensor", "--arrival", "poisson"][..],
        &["sensor", "--window", "5m", "--start", "2h"],
        &["sensor", "--for", "5m", "--until", "now"],
        &["sensor", "--dup", "2"],
        &["sensor", "--topic", "a\nb"],
        &["sensor", "--entities", "0"],
        &["sensor", "--every", "1s"],
        &["sensor", "--active"],
    ] {
        let generate = place.kpipe(&["generate", "-n", "1"]).arguments(arguments);
        generate.run().ends(2).prints("");
    }
}

/// A broker refuses what is further ahead than an hour.
#[test]
fn what_nobody_waits_for_has_happened_by_now_whatever_the_hour() {
    let place = Place::at("127.0.0.1:1");
    for kind in ["audit", "payment", "presence", "analytics"] {
        let lines = place
            .kpipe(&["generate", kind, "-n", "3000", "--seed", "1"])
            .run()
            .ends(0)
            .json();
        let now = millis_now();
        let times: Vec<i64> = lines
            .iter()
            .map(|line| line["timestamp"].as_i64().unwrap())
            .collect();
        let (first, last) = (times[0], *times.last().unwrap());
        assert!(last <= now, "{kind}: {} ms to come", last - now);
        assert!(
            now - last <= (last - first) / 5,
            "{kind}: {} ms ago of {}",
            now - last,
            last - first
        );
    }
}

/// Milliseconds since the epoch.
fn millis_now() -> i64 {
    let elapsed = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    i64::try_from(elapsed.as_millis()).unwrap()
}
