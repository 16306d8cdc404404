//! Numbers of topics, as far as the built-in broker tells them.

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

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
        .kpipe(&["stats", "--window", "10s"])
        .run()
        .ends(0)
        .errors("")
        .json();
    assert_eq!(rows.len(), 3);
    let orders = of_topic(&rows, "orders");
    for (field, expected) in [
        ("records", json!(4)),
        ("records_per_second", json!(0.4)),
        ("bytes_per_second", json!(13.0)),
        ("size_p50", json!(10)),
        ("size_p95", json!(100)),
        ("keys", json!(2)),
        ("top_key_share", json!(0.75)),
        ("partitions", json!({"0": 3, "1": 1})),
        ("leaderless", json!(0)),
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
    assert!(rates.iter().any(|rate| *rate > 1.0), "{rates:?}");
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
