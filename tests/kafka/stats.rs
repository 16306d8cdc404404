//! `kpipe stats` where groups are listed and offsets found by time.

use jiff::Timestamp;
use rustix::process::Signal;
use serde_json::json;

use crate::support::executable::kpipe;
use crate::support::kafka::{Record, commit, eager_member, group, number_in, topic};

/// A record of this moment.
#[expect(clippy::disallowed_methods, reason = "the window ends now")]
fn now(partition: i32, value: &str) -> Record {
    Record {
        timestamp: Timestamp::now().as_millisecond(),
        value: Some(value.as_bytes().to_vec()),
        ..number_in(partition, 0)
    }
}

#[test]
fn only_the_records_of_the_window_are_read_and_lag_is_of_all() {
    let topic = topic("window").partitions(2).create();
    topic.append_numbers(0, 0..50);
    topic.append(&[now(0, "four"), now(1, "sixsix")]);
    let (one, two) = (group(), group());
    commit(&one, &topic, &[(0, 1), (1, 1)]);
    commit(&two, &topic, &[(0, 51)]);
    let rows = kpipe(["stats", &topic, "--window", "10m"])
        .run()
        .ok()
        .lines();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["records"], 2);
    assert_eq!(rows[0]["partitions"], json!({"0": 1, "1": 1}));
    assert_eq!(rows[0]["lag"], json!({&one: 50, &two: 0}));
    assert_eq!(rows[0]["brokers"], 1);
}

#[test]
fn a_watch_follows_and_its_metrics_tell_of_groups() {
    let topic = topic("metrics").partitions(2).create();
    topic.append_numbers(0, 0..5);
    topic.append_numbers(1, 0..5);
    let (empty, part, member) = (group(), group(), group());
    commit(&empty, &topic, &[(0, 2), (1, 4)]);
    commit(&part, &topic, &[(0, 3)]);
    let _consumer = eager_member(&member, &topic);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kafka.prom");
    let watch = kpipe(["stats", &topic, "--watch=100ms", "--metrics"])
        .args([&file])
        .start();
    watch.lines(1);
    let text = std::fs::read_to_string(&file).unwrap();
    for line in [
        "kafka_brokers 1".to_owned(),
        format!("kafka_topic_partition_current_offset{{partition=\"1\",topic=\"{topic}\"}} 5"),
        format!("kafka_topic_partition_in_sync_replica{{partition=\"0\",topic=\"{topic}\"}} 1"),
        format!(
            "kafka_consumergroup_current_offset{{consumergroup=\"{empty}\",partition=\"1\",topic=\"{topic}\"}} 4"
        ),
        // As kafka_exporter has it where nothing was committed, for alerts.
        format!(
            "kafka_consumergroup_current_offset{{consumergroup=\"{part}\",partition=\"1\",topic=\"{topic}\"}} -1"
        ),
        format!(
            "kafka_consumergroup_lag{{consumergroup=\"{part}\",partition=\"1\",topic=\"{topic}\"}} -1"
        ),
        format!("kafka_consumergroup_lag_sum{{consumergroup=\"{part}\",topic=\"{topic}\"}} 2"),
        format!(
            "kafka_consumergroup_lag{{consumergroup=\"{empty}\",partition=\"0\",topic=\"{topic}\"}} 3"
        ),
        format!("kafka_consumergroup_lag_sum{{consumergroup=\"{empty}\",topic=\"{topic}\"}} 4"),
        format!(
            "kafka_consumergroup_current_offset_sum{{consumergroup=\"{empty}\",topic=\"{topic}\"}} 6"
        ),
        format!("kafka_consumergroup_members{{consumergroup=\"{member}\"}} 1"),
    ] {
        assert!(text.lines().any(|one| one == line), "no {line} in {text}");
    }
    topic.append(&[now(0, "new")]);
    let seen = crate::support::eventually("the record is counted", || {
        let lines = watch.lines_so_far();
        lines.into_iter().find(|line| line["records"] == 1)
    });
    assert!(seen["records_per_second"].as_f64().unwrap() > 0.0);
    watch.signal(Signal::TERM);
    watch.wait().dies_of(Signal::TERM);
}
