//! Numbers of topics, as far as the built-in broker tells them.

use std::os::unix::fs::PermissionsExt;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::ping::misplacing;
use crate::support::Place;

fn filled() -> Place {
    let place = Place::with(&["orders:2", "empty:1", "other:1"]);
    let record = |key: &str, partition: u8, length: usize| {
        format!(
            "{}\n",
            json!({"key": key, "partition": partition, "value": "x".repeat(length)})
        )
    };
    let mut lines = String::new();
    for _ in 0..3 {
        lines.push_str(&record("a", 0, 9));
    }
    lines.push_str(&record("bb", 1, 98));
    place
        .kpipe(&["send", "orders", "-q"])
        .input(lines)
        .run()
        .ends(0);
    place
}

fn of_topic<'a>(rows: &'a [Value], topic: &str) -> &'a Value {
    rows.iter().find(|row| row["topic"] == topic).unwrap()
}

#[test]
fn a_line_for_each_topic_has_what_is_in_its_records() {
    let place = filled();
    let rows = place
        .kpipe(&["stats", "--window", "100s"])
        .run()
        .ends(0)
        .errors("")
        .json();
    assert_eq!(rows.len(), 3);
    let orders = of_topic(&rows, "orders");
    for (field, expected) in [
        ("records", json!(4)),
        ("records_per_second", json!(0.04)),
        ("bytes_per_second", json!(1.3)),
        ("size_p50", json!(10)),
        ("size_p95", json!(100)),
        ("keys", json!(2)),
        ("top_key_share", json!(0.75)),
        ("partitions", json!({"0": 3, "1": 1})),
        ("leaderless", json!(0)),
        ("failed", json!(0)),
        ("failed_per_second", json!(0.0)),
        ("dead_letters", json!(0)),
        ("brokers", json!(1)),
        ("brokers_unreachable", json!(0)),
        ("request_errors_per_second", json!(0.0)),
        ("troubles", json!(0)),
    ] {
        assert_eq!(orders[field], expected, "{field} of {orders}");
    }
    let empty = of_topic(&rows, "empty");
    assert_eq!(
        (&empty["records"], &empty["partitions"]),
        (&json!(0), &json!({"0": 0}))
    );
    let some = place
        .kpipe(&["stats", "other", "^emp"])
        .run()
        .ends(0)
        .json();
    assert_eq!(some.len(), 2);
}

#[test]
fn dead_letters_are_failures_of_the_topic_that_they_come_from() {
    let place = Place::with(&["orders:1", "orders.dlq:1", "other:1"]);
    place.send("orders", &["a", "b", "c", "d"]);
    place.send("other", &["a"]);
    place
        .kpipe(&[
            "handle",
            "orders",
            "-g",
            "g",
            "-e",
            "-q",
            "--values",
            "--max-attempts",
            "1",
            "--dlq=orders.dlq",
            "--",
            "grep",
            "-q",
            "[ab]",
        ])
        .run()
        .ends(0);
    // Of another tool, about another topic.
    let connect =
        json!({"value": "x", "headers": [{"key": "__connect.errors.topic", "value": "other"}]});
    place
        .kpipe(&["send", "orders.dlq", "-q"])
        .input(format!("{connect}\n"))
        .run()
        .ends(0);
    let rows = place
        .kpipe(&["stats", "--window", "100s"])
        .run()
        .ends(0)
        .json();
    let of = |topic, field: &str| of_topic(&rows, topic)[field].clone();
    for (topic, failed, per_second, dead) in [
        ("orders", 2, 0.02, 0),
        ("other", 1, 0.01, 0),
        ("orders.dlq", 0, 0.0, 3),
    ] {
        assert_eq!(of(topic, "failed"), failed, "{topic}");
        assert_eq!(of(topic, "failed_per_second"), per_second, "{topic}");
        assert_eq!(of(topic, "dead_letters"), dead, "{topic}");
    }
    let table = place
        .kpipe(&["stats", "orders", "orders.dlq", "--output", "table"])
        .run()
        .ends(0)
        .out();
    let column = table.find("FAILED").unwrap();
    let row = table
        .lines()
        .find(|line| line.starts_with("orders "))
        .unwrap();
    assert!(row[column..].starts_with("2 "), "{table}");
}

#[test]
fn brokers_that_are_named_and_take_no_connection_are_counted_and_told_once() {
    let place = Place::at("127.0.0.1:1");
    let mut brokers = place
        .kpipe(&["broker", "--nodes", "3", "--topic", "orders:1"])
        .start();
    let address: Value = serde_json::from_str(&brokers.line()).unwrap();
    let addresses: Vec<&str> = address["brokers"].as_str().unwrap().split(',').collect();
    let described = place
        .kpipe(&["topic", "describe", "orders", "-b", addresses[0]])
        .run()
        .ends(0)
        .json();
    // Not the one that leads, or nothing could be read.
    let leader = described[0]["kafka"]["partitions"][0]["leader"]
        .as_u64()
        .unwrap();
    let away = if leader == 3 { 2 } else { 3 };
    let (_, port) = addresses[away - 1].split_once(':').unwrap();
    let way = misplacing(&addresses, away - 1);
    let warning = format!("broker {away} advertises a.invalid:{port}, which does not resolve here");
    let stats = place
        .kpipe(&["stats", "orders", "-b", &way, "--metrics", "stats.prom"])
        .run()
        .ends(0)
        .says(&["warning: ", &warning]);
    let row = &stats.json()[0];
    assert_eq!(
        (&row["brokers"], &row["brokers_unreachable"]),
        (&json!(3), &json!(1))
    );
    let text = String::from_utf8(place.read("stats.prom")).unwrap();
    for line in [
        format!("kafka_broker_info{{address=\"a.invalid:{port}\",id=\"{away}\"}} 1"),
        format!("kpipe_broker_up{{address=\"a.invalid:{port}\",id=\"{away}\"}} 0"),
    ] {
        assert!(text.lines().any(|one| one == line), "no {line} in {text}");
    }
    assert_eq!(text.matches("kpipe_broker_up{").count(), 3, "{text}");
    let mut watch = place
        .kpipe(&["stats", "orders", "-b", &way, "--watch=10ms"])
        .start();
    for _ in 0..3 {
        watch.line();
    }
    watch.signal(Signal::TERM);
    let ended = watch.ended().dies_of(Signal::TERM);
    let said = ended.stderr();
    assert_eq!(said.matches(&warning).count(), 1, "{said}");
}

#[test]
fn a_table_has_bars() {
    let place = filled();
    let table = place
        .kpipe(&["stats", "orders", "--output", "table"])
        .run()
        .ends(0)
        .errors("")
        .out();
    let lines: Vec<&str> = table.lines().collect();
    assert!(
        lines[0].starts_with("TOPIC") && lines[0].ends_with("WINDOW"),
        "{table}"
    );
    for part in ["orders", "10 B", "75%", "0: 75%", "▁▁", "█"] {
        assert!(lines[1].contains(part), "no {part} in {table}");
    }
}

#[test]
fn a_watch_tells_what_came_since_and_ends_with_its_reader() {
    let place = filled();
    let mut watch = place.kpipe(&["stats", "orders", "--watch=50ms"]).start();
    let mut line = || -> Value { serde_json::from_str(&watch.line()).unwrap() };
    while line()["records"] != 4 {}
    place.send("orders", &["one more"]);
    let mut rates = Vec::new();
    loop {
        let line = line();
        rates.push(line["records_per_second"].as_f64().unwrap());
        if line["records"] == 5 && rates.last() == Some(&0.0) {
            break;
        }
    }
    assert!(rates.iter().any(|rate| *rate > 0.0), "{rates:?}");
    place
        .bash("kpipe stats orders --watch=20ms | head -n 2")
        .run()
        .ends(0)
        .errors("");
}

#[test]
fn metrics_have_the_names_of_kafka_exporter_and_can_be_read_by_others() {
    let place = filled();
    place.write("stats.prom", "old");
    place
        .kpipe(&["stats", "orders", "--metrics", "stats.prom"])
        .run()
        .ends(0)
        .errors("");
    let text = String::from_utf8(place.read("stats.prom")).unwrap();
    for line in [
        "# TYPE kafka_brokers gauge",
        "kafka_topic_partitions{topic=\"orders\"} 2",
        "kafka_topic_partition_current_offset{partition=\"0\",topic=\"orders\"} 3",
        "kafka_topic_partition_oldest_offset{partition=\"1\",topic=\"orders\"} 0",
        "kafka_topic_partition_leader_is_preferred{partition=\"1\",topic=\"orders\"} 1",
        "kpipe_topic_failed_per_second{topic=\"orders\"} 0",
        "kpipe_topic_dead_letters{topic=\"orders\"} 0",
        "kpipe_request_errors_per_second 0",
        "kpipe_topic_record_bytes{topic=\"orders\",quantile=\"0.5\"} 10",
    ] {
        assert!(text.lines().any(|one| one == line), "no {line} in {text}");
    }
    let mode = std::fs::metadata(place.path("stats.prom"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o644);
    let files = std::fs::read_dir(place.path(".")).unwrap();
    let strays = files.filter(|file| {
        let name = file.as_ref().unwrap().file_name();
        name.to_str().unwrap().starts_with(".tmp")
    });
    assert_eq!(strays.count(), 0);
    place
        .kpipe(&["stats", "orders", "--metrics", "no/such/folder/x"])
        .run()
        .ends(1)
        .says_one_block()
        .says(&["cannot write metrics to no/such/folder/x"]);
}

#[test]
fn where_no_topic_is_to_be_seen_that_is_said() {
    let place = Place::with(&[]);
    place
        .kpipe(&["stats"])
        .run()
        .ends(1)
        .says(&[
            "there is no topic to be seen",
            "hint: `kpipe topic create NAME`",
        ])
        .hides(&["regular expression"]);
}
