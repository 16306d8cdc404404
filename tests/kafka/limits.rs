//! What a topic takes and what it does not.

use std::time::Duration;

use crate::support::executable::kpipe;
use crate::support::java::java;
use crate::support::kafka::{topic, unique};

#[test]
fn one_record_too_large_fails_alone() {
    let topic = topic("small").config("max.message.bytes", "20000").create();
    let mut lines: Vec<String> = (0..100).map(|number| format!("small-{number}")).collect();
    lines.insert(50, "x".repeat(50_000));
    let send = kpipe(["send", &topic, "--lines", "--receipts", "failed"])
        .input(lines.join("\n"))
        .run()
        .exits(1)
        .says("100 sent, 1 failed");
    let receipts = send.lines();
    assert_eq!(receipts.len(), 1);
    assert_eq!(receipts[0]["line"], 51);
    assert_eq!(receipts[0]["error"]["code"], "MSG_SIZE_TOO_LARGE");
    assert_eq!(receipts[0]["persisted"], "no");
    let values: Vec<_> = topic
        .records()
        .iter()
        .map(crate::support::kafka::Record::text)
        .collect();
    lines.remove(50);
    assert_eq!(values, lines);
}

#[test]
fn many_small_records_fit_a_topic_that_takes_small_batches() {
    let topic = topic("small-batches")
        .config("max.message.bytes", "20000")
        .create();
    // Incompressible, so that a batch is as large as it looks.
    let lines: String = (0..5000_u64)
        .map(|number| {
            let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            format!(
                "{mixed:020}{:020}\n",
                mixed.rotate_left(29).wrapping_mul(number | 1)
            )
        })
        .collect();
    for codec in ["none", "lz4"] {
        kpipe(["send", &topic, "--lines", "-z", codec])
            .input(lines.clone())
            .run()
            .ok()
            .says("5000 sent, 0 failed");
    }
    assert_eq!(topic.records().len(), 10_000);
}

#[test]
fn a_topic_with_a_larger_limit_takes_a_larger_record() {
    let topic = topic("large")
        .config("max.message.bytes", "5000000")
        .create();
    let line = "y".repeat(3_000_000);
    kpipe(["send", &topic, "--lines"])
        .input(line.clone())
        .run()
        .ok();
    assert_eq!(topic.records()[0].text(), line);
    let tail = kpipe(["tail", &topic, "-e"]).run().ok();
    assert_eq!(tail.values(), [line]);
}

#[test]
fn topics_with_different_limits_are_sent_to_in_one_run() {
    let (small, large) = (
        topic("one-small")
            .config("max.message.bytes", "20000")
            .create(),
        topic("one-large")
            .config("max.message.bytes", "5000000")
            .create(),
    );
    let line = |topic: &str, size| {
        format!(
            "{{\"topic\":\"{topic}\",\"value\":\"{}\"}}\n",
            "z".repeat(size)
        )
    };
    let mut lines = String::new();
    for _ in 0..50 {
        lines += &line(&small, 1000);
        lines += &line(&large, 1_500_000);
    }
    kpipe(["send"])
        .input(lines)
        .run()
        .ok()
        .says("100 sent, 0 failed");
    assert_eq!(small.records().len(), 50);
    assert_eq!(large.records().len(), 50);
}

/// The client library's own patience with an unknown topic is 30 s.
const SOON: Duration = Duration::from_secs(20);

#[test]
fn an_unknown_topic_is_an_error_at_once_and_is_not_created() {
    let name = unique("unknown");
    let says = format!("topic `{name}` does not exist");
    let value = kpipe(["send", &name, "value"]).within(SOON).run();
    value.exits(1).says(&says).says_one_error();
    let lines = kpipe(["send", &name, "--lines"])
        .input("a\nb\n")
        .within(SOON)
        .run();
    lines.exits(1).says(&says).says_one_error();
    let record_line = format!("{{\"topic\":\"{name}\",\"value\":\"a\"}}\n");
    kpipe(["send"])
        .input(record_line)
        .within(SOON)
        .run()
        .exits(1)
        .says(&says);
    kpipe(["tail", &name])
        .within(SOON)
        .run()
        .exits(1)
        .says(&says)
        .says_one_error();
    kpipe(["tail", &name, "-e"])
        .within(SOON)
        .run()
        .exits(1)
        .says(&says)
        .says_one_error();
    let group = crate::support::kafka::group();
    kpipe(["tail", &name, "-g", &group])
        .within(SOON)
        .run()
        .exits(1)
        .says(&says)
        .says_one_error();

    let known = topic("known").create();
    let list = java("org.apache.kafka.tools.TopicCommand", &["--list"], "");
    assert!(list.lines().any(|line| line == &*known));
    assert!(!list.lines().any(|line| line == name));
}
