//! Finding one message on real Kafka: by its time, by its key, by its stage events.

use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use serde_json::Value;

use crate::support::executable::{Finished, kpipe};
use crate::support::java::java;
use crate::support::kafka::{Record, Topic, topic, unique};
use crate::support::{PATIENCE, told};

const BASE: i64 = 1_763_668_800_000;

/// The `UUIDv7` of this time.
fn id(millis: i64) -> String {
    let digits = format!("{millis:012x}");
    format!("{}-{}-7abc-8abc-0123456789ab", &digits[..8], &digits[8..])
}

fn record(partition: i32, timestamp: i64, id: &str) -> Record {
    Record {
        partition,
        timestamp,
        key: Some(b"k".to_vec()),
        value: Some(br#"{"total":1}"#.to_vec()),
        headers: vec![("message-id".to_owned(), Some(id.into()))],
    }
}

fn trace(arguments: &[&str]) -> Finished {
    kpipe([&["trace"], arguments].concat()).run()
}

fn rows(finished: &Finished) -> Vec<Value> {
    let lines = finished.stdout.split_inclusive(|byte| *byte == b'\n');
    lines
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect()
}

fn stage<'a>(rows: &'a [Value], stage: &str) -> &'a Value {
    rows.iter().find(|row| row["stage"] == stage).unwrap()
}

/// How many records were looked at in topics of the test's own, as stderr says.
fn looked_at(finished: &Finished) -> u64 {
    let pattern = regex::Regex::new(r"(\d+) records? in \d").unwrap();
    // The topic that all share may hold anything.
    let own = finished
        .stderr
        .lines()
        .filter(|line| !line.contains(" kpipe.stages["));
    let counts = own.filter_map(|line| pattern.captures(line));
    counts.map(|count| count[1].parse::<u64>().unwrap()).sum()
}

/// A thousand records in each of two partitions, a minute apart.
fn by_the_minute() -> Topic {
    let topic = topic("trace").partitions(2).create();
    let records: Vec<Record> = (0..2000)
        .map(|number| {
            let at = BASE + (number / 2) * 60_000 + number % 2;
            record(i32::try_from(number % 2).unwrap(), at, &id(at))
        })
        .collect();
    topic.append(&records);
    topic
}

#[test]
fn an_id_with_a_time_is_looked_for_around_it() {
    let topic = by_the_minute();
    let at = BASE + 500 * 60_000;
    let found = trace(&[&id(at), "--topics", &topic]).ok();
    let persisted = rows(&found);
    let persisted = stage(&persisted, "PERSISTED");
    assert_eq!(
        (&persisted["partition"], &persisted["offset"]),
        (&0.into(), &500.into())
    );
    assert!(looked_at(&found) <= 2, "{}", found.stderr);
}

#[test]
fn a_record_that_is_not_where_its_time_says_is_found_all_the_same() {
    let topic = by_the_minute();
    // Sent hours later, and before its time by a clock that is behind; the last lies behind
    // records that are later than it.
    let (late, early) = (BASE + 7, BASE + 800 * 60_000 + 7);
    topic.append(&[
        record(1, BASE + 60_000_000, &id(late)),
        record(0, BASE + 30_000, &id(early)),
    ]);
    for (made, partition) in [(late, 1), (early, 0)] {
        let found = trace(&[&id(made), "--topics", &topic]).ok();
        let rows = rows(&found);
        assert_eq!(stage(&rows, "PERSISTED")["partition"], partition);
        assert_eq!(stage(&rows, "PERSISTED")["offset"], 1000);
        assert_eq!(stage(&rows, "CREATED")["at"], made * 1000);
    }
    let absent = trace(&[&id(BASE + 3), "--topics", &topic]).exits(1);
    // Window after window, and yet each offset once.
    assert_eq!(looked_at(&absent), 2002, "{}", absent.stderr);
    absent.says("is in none of the 2002 offsets of 2 partitions");
}

#[test]
fn times_bound_a_search() {
    let topic = by_the_minute();
    let since = "2025-11-20T20:10:00Z";
    let until = "2025-11-20T20:20:00Z";
    let bounds = ["--topics", &topic, "--since", since, "--until", until];
    let absent = trace(&[&["nobody"], &bounds[..]].concat()).exits(1);
    assert_eq!(looked_at(&absent), 20);
    let outside = id(BASE);
    trace(&[&[outside.as_str()], &bounds[..]].concat()).exits(1);
    let inside = id(BASE + 15 * 60_000);
    trace(&[&[inside.as_str()], &bounds[..]].concat()).ok();
}

#[test]
fn a_key_is_found_where_java_and_librdkafka_put_it() {
    let topic = topic("trace-keys").partitions(7).create();
    let keys: Vec<String> = (0..20).map(|number| format!("key-{number}")).collect();
    let lines: String = keys.iter().map(|key| format!("{key}\tjava\n")).collect();
    java(
        "org.apache.kafka.tools.ConsoleProducer",
        &["--topic", &topic, "--reader-property", "parse.key=true"],
        &lines,
    );
    // As kcat and most clients of other languages do it.
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", told("KAFKA_BROKERS"))
        .create()
        .unwrap();
    for key in &keys {
        let record = BaseRecord::to(&topic).key(key).payload("librdkafka");
        producer.send(record).unwrap();
    }
    producer.flush(PATIENCE).unwrap();
    let all = topic.records();
    assert_eq!(all.len(), 40);
    for key in &keys {
        let found = trace(&["--key", key, "--topics", &topic, "--all"]).ok();
        let rows = rows(&found);
        let found: Vec<(i64, i64)> = rows
            .iter()
            .filter(|row| row["stage"] == "PERSISTED")
            .map(|row| {
                let number = |name: &str| row[name].as_i64().unwrap();
                (number("partition"), number("offset"))
            })
            .collect();
        let mut partitions: Vec<i64> = all
            .iter()
            .filter(|record| record.key_text() == **key)
            .map(|record| record.partition.into())
            .collect();
        let mut seen: Vec<i64> = found.iter().map(|place| place.0).collect();
        partitions.sort_unstable();
        seen.sort_unstable();
        assert_eq!(seen, partitions, "{key}");
    }
    trace(&["--key", "stranger", "--topics", &topic])
        .exits(1)
        .says("`--all-partitions` searches all");
}

#[test]
fn the_brokers_time_is_told_from_the_producers() {
    let made = topic("trace-made").create();
    let appended = topic("trace-appended")
        .config("message.timestamp.type", "LogAppendTime")
        .create();
    for topic in [&made, &appended] {
        topic.append(&[record(0, BASE, "m-1")]);
    }
    let of_made = rows(&trace(&["m-1", "--topics", &made]).ok());
    assert_eq!(stage(&of_made, "CREATED")["source"], "CreateTime");
    assert_eq!(stage(&of_made, "CREATED")["at"], BASE * 1000);
    assert_eq!(stage(&of_made, "PERSISTED")["at"], Value::Null);
    let of_appended = rows(&trace(&["m-1", "--topics", &appended]).ok());
    assert_eq!(stage(&of_appended, "PERSISTED")["source"], "LogAppendTime");
    assert!(stage(&of_appended, "PERSISTED")["at"].as_i64() > Some(BASE * 1000));
    assert_eq!(stage(&of_appended, "CREATED")["status"], "missing");
}

#[test]
fn a_message_sent_and_tailed_has_its_stages_in_order_with_its_offset() {
    let orders = topic("trace-orders").partitions(3).create();
    let stages = unique("trace-stages");
    let with_stages = ["--trace-topic", &stages];
    kpipe([&["trace", "init"], &with_stages[..]].concat())
        .run()
        .ok();
    orders.append_numbers(2, 0..5);
    let send = ["send", &orders, "{\"total\":1}", "-p", "2", "--trace"];
    let receipt = kpipe([&send[..], &with_stages].concat()).run().ok();
    let receipt = rows(&receipt).remove(0);
    let id = receipt["message_id"].as_str().unwrap();
    let tail = ["tail", &orders, "-p", "2", "-e", "--trace", "-q"];
    kpipe([&tail[..], &with_stages].concat()).run().ok();
    let found = trace(&[&[id], &with_stages[..]].concat()).ok();
    let rows = rows(&found);
    let there = || rows.iter().filter(|row| row["status"] == "ok");
    let names: Vec<&str> = there().map(|row| row["stage"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        [
            "CREATED",
            "VALIDATED",
            "PUBLISHED",
            "PERSISTED",
            "CONSUMED",
            "PROCESSED",
            "TOTAL"
        ]
    );
    for row in there().filter(|row| !row["offset"].is_null()) {
        assert_eq!((&row["partition"], &row["offset"]), (&2.into(), &5.into()));
    }
    assert_eq!(stage(&rows, "CONSUMED")["offset"], 5);
    // Only the partition of the id is read: its own events, and at most those beside it.
    assert!(looked_at(&found) <= 7 + 4 * 5, "{}", found.stderr);
}

#[test]
fn a_record_that_was_removed_is_not_found_at_its_place() {
    let topic = topic("trace-removed").create();
    topic.append_numbers(0, 0..10);
    topic.delete_records_before(0, 5);
    for place in ["0:4", "0:10", "1:0"] {
        trace(&[&format!("{topic}:{place}")])
            .exits(1)
            .says("not found: there is no record at");
    }
    trace(&[&format!("{topic}:0:5")]).ok();
}
