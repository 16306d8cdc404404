//! `tail a -e | send b` makes b an exact copy of a.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::support::executable::kpipe;
use crate::support::java::java;
use crate::support::kafka::{Record, Topic, topic, unique};

/// Copies `from` to a new topic by a pipeline's two commands.
fn copy(from: &Topic, partitions: i32) -> Topic {
    let to = topic("copy").partitions(partitions).create();
    let tail = kpipe(["tail", from, "-e"]).run().ok();
    kpipe(["send", &to]).input(tail.stdout).run().ok();
    to
}

fn record(partition: i32, key: Option<&[u8]>, value: Option<&[u8]>) -> Record {
    Record {
        partition,
        timestamp: 1_763_668_800_123,
        key: key.map(<[u8]>::to_vec),
        value: value.map(<[u8]>::to_vec),
        headers: Vec::new(),
    }
}

/// The broker says that there is no such topic while it makes it.
#[test]
fn a_topic_that_the_broker_makes_on_demand_takes_the_first_record() {
    let make = ["-X", "allow.auto.create.topics=true"];
    let one = unique("demand");
    kpipe(["send", &one, "v"]).args(make).run().ok();
    let many = unique("demand");
    let lines = format!("{{\"topic\":\"{many}\",\"value\":\"v\"}}\n").repeat(3);
    kpipe(["send"]).args(make).input(lines).run().ok();
    for (topic, count) in [(&one, 1), (&many, 3)] {
        let values = kpipe(["tail", topic, "-e"]).run().ok().values();
        assert_eq!(values.len(), count);
    }
    // Unless told to, kpipe makes none.
    let none = unique("demand");
    kpipe(["send", &none, "v"]).run().exits(1);
}

#[test]
fn a_copy_has_every_byte() {
    let from = topic("exact").partitions(3).create();
    let values: [Option<&[u8]>; 20] = [
        None,
        Some(b""),
        Some(b"text"),
        Some(b"null"),
        Some(b"\"quoted\""),
        Some(b"42"),
        Some(b"1.50"),
        Some(b"{\"b\":1.50,\"a\":[1e5,null],\"b\":2}"),
        Some(b" {\"a\": 1}"),
        Some(b"{\"a\":\n1}"),
        Some(b"{\"a\":\r1}"),
        Some(b"{\"a\":1} "),
        Some(b"{\"a\":1"),
        Some(b"[1,  2]"),
        Some(b"\0\0\0\0\x07framed"),
        Some(b"nul\0byte"),
        Some(b"\xff\xfe\x80"),
        Some(b"line\nfeed\r\n"),
        Some("\u{1f600} \u{202e} \u{85}".as_bytes()),
        Some(b"{\"bad\":\"\xff\"}"),
    ];
    let mut records = Vec::new();
    for (index, value) in values.iter().enumerate() {
        let partition = i32::try_from(index % 3).unwrap();
        records.push(record(partition, None, *value));
        records.push(record(partition, Some(b""), *value));
        records.push(record(partition, *value, Some(b"value")));
    }
    records.push(Record {
        timestamp: 1,
        headers: vec![
            ("trace".into(), Some(b"one".to_vec())),
            ("empty".into(), Some(Vec::new())),
            ("trace".into(), Some(b"two".to_vec())),
            ("null".into(), None),
            ("bytes".into(), Some(b"\xff\0\n".to_vec())),
            (String::new(), Some(b"no name".to_vec())),
        ],
        ..record(2, Some(b"\xfe"), None)
    });
    from.append(&records);
    let original = from.records();
    assert_eq!(original.len(), records.len());
    let to = copy(&from, 3);
    assert_eq!(to.records(), original);
}

#[test]
fn a_copy_has_every_byte_of_anything() {
    let bytes = || {
        prop_oneof![
            2 => vec(any::<u8>(), 0..40),
            1 => "[\\[{\"\\]}:,0-9a-z \n\\\\]{0,20}".prop_map(String::into_bytes),
            1 => "\\PC{0,20}".prop_map(String::into_bytes),
        ]
    };
    let header = ("[^\0]{0,8}", proptest::option::of(bytes()));
    let record = (
        0..3_i32,
        1..4_000_000_000_000_i64,
        proptest::option::of(bytes()),
        proptest::option::of(bytes()),
        vec(header, 0..3),
    )
        .prop_map(|(partition, timestamp, key, value, headers)| Record {
            partition,
            timestamp,
            key,
            value,
            headers,
        });
    let from = topic("anything").partitions(3).create();
    let mut runner = TestRunner::new(Config {
        failure_persistence: None,
        ..Config::with_cases(5)
    });
    let ran = runner.run(&vec(record, 1..300), |records| {
        // Grows from case to case: a copy is of all there is.
        from.append(&records);
        let to = copy(&from, 3);
        prop_assert_eq!(to.records(), from.records());
        Ok(())
    });
    ran.unwrap();
    assert!(!from.records().is_empty());
}

#[test]
fn a_timestamp_that_the_broker_assigned_is_marked_and_copied() {
    let stamped = topic("stamped")
        .config("message.timestamp.type", "LogAppendTime")
        .create();
    stamped.append(&[record(0, None, Some(b"a"))]);
    let tail = kpipe(["tail", &stamped, "-e"]).run().ok();
    let line = &tail.lines()[0];
    assert_eq!(line["timestamp_type"], "log_append");
    let assigned = stamped.records()[0].timestamp;
    assert_ne!(assigned, 1_763_668_800_123);
    assert_eq!(line["timestamp"], assigned);
    let to = copy(&stamped, 1);
    assert_eq!(to.records(), stamped.records());

    let plain = kpipe(["tail", &to, "-e"]).run().ok();
    assert_eq!(plain.lines()[0].get("timestamp_type"), None);
}

fn partitions_by_key(topic: &Topic) -> BTreeMap<String, BTreeSet<i32>> {
    let mut found = BTreeMap::<_, BTreeSet<_>>::new();
    for record in topic.records() {
        found
            .entry(record.key_text())
            .or_default()
            .insert(record.partition);
    }
    found
}

#[test]
fn a_key_lands_on_the_partition_where_java_puts_it() {
    let (theirs, ours) = (
        topic("java").partitions(7).create(),
        topic("ours").partitions(7).create(),
    );
    let mut keys: Vec<String> = (0..300).map(|number| format!("user-{number}")).collect();
    keys.extend(["", "é", "\u{1f600}", "a", "aa", "aaa", "aaaa", "{\"a\":1}"].map(String::from));
    let lines: String = keys.iter().map(|key| format!("{key}\tvalue\n")).collect();
    java(
        "org.apache.kafka.tools.ConsoleProducer",
        &["--topic", &theirs, "--reader-property", "parse.key=true"],
        &lines,
    );
    kpipe(["send", &ours, "--lines", "-K", "\t"])
        .input(lines)
        .run()
        .ok();
    let placed = partitions_by_key(&ours);
    assert_eq!(placed.len(), keys.len());
    assert!(placed.values().all(|partitions| partitions.len() == 1));
    assert_eq!(placed, partitions_by_key(&theirs));
}

#[test]
fn a_null_key_goes_anywhere_and_an_empty_key_to_one_place() {
    let topic = topic("no-key").partitions(4).create();
    let line = |key: &str| format!("{{\"key\":{key},\"value\":\"v\"}}\n");
    // Records without a key stick to a partition for a batch, so each is a run of its own.
    for _ in 0..30 {
        kpipe(["send", &topic])
            .input(line("null") + &line("\"\""))
            .run()
            .ok();
    }
    let mut places = BTreeMap::<_, BTreeSet<_>>::new();
    for record in topic.records() {
        places
            .entry(record.key)
            .or_default()
            .insert(record.partition);
    }
    assert_eq!(places.len(), 2);
    assert!(places[&None].len() > 1);
    assert_eq!(places[&Some(Vec::new())].len(), 1);
}

#[test]
fn the_order_of_each_key_is_that_of_the_input() {
    let topic = topic("order").partitions(5).create();
    let lines: String = (0..20_000)
        .map(|number| format!("key-{}:{number}\n", number % 17))
        .collect();
    kpipe(["send", &topic, "--lines", "-K", ":"])
        .input(lines)
        .run()
        .ok();
    let mut by_key = BTreeMap::<_, Vec<u32>>::new();
    for record in topic.records() {
        by_key
            .entry(record.key_text())
            .or_default()
            .push(record.text().parse().unwrap());
    }
    assert_eq!(by_key.values().map(Vec::len).sum::<usize>(), 20_000);
    assert!(by_key.values().all(|numbers| numbers.is_sorted()));
}

#[test]
fn a_partition_that_the_target_lacks_ends_the_run_unless_keys_are_hashed() {
    let topic = topic("lacking").partitions(2).create();
    let lines = "{\"partition\":1,\"value\":\"here\"}\n{\"partition\":5,\"value\":\"nowhere\"}\n";
    kpipe(["send", &topic])
        .input(lines)
        .run()
        .exits(2)
        .says("has no partition 5")
        .says("1 sent")
        .says("--repartition");
    assert_eq!(topic.records().len(), 1);
    kpipe(["send", &topic, "--repartition"])
        .input(lines)
        .run()
        .ok();
    assert_eq!(topic.records().len(), 3);
}
