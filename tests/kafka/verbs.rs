//! `kpipe wait`, `expect` and `ping` beside Kafka's own tools.

use rdkafka::producer::Producer;
use rustix::process::Signal;

use crate::support::PATIENCE;
use crate::support::executable::kpipe;
use crate::support::java::java;
use crate::support::kafka::{group, number_in, send, topic, transaction, unique};

const TOPICS: &str = "org.apache.kafka.tools.TopicCommand";
const GROUPS: &str = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand";

#[test]
fn a_topic_that_kafkas_tool_makes_and_deletes_is_waited_for() {
    let name = unique("late");
    let conditions = ["--for", "partitions=2,leaders,isr"];
    let wait = kpipe(["-v", "wait", "topic", &name])
        .args(conditions)
        .start();
    wait.until_it_says("not yet: topic");
    java(
        TOPICS,
        &["--create", "--topic", &name, "--partitions", "2"],
        "",
    );
    wait.wait().ok().says("partitions=2, leaders, isr");
    kpipe([
        "wait",
        "topic",
        &name,
        "--for",
        "partitions=3",
        "--timeout",
        "0",
    ])
    .run()
    .exits(3)
    .says("has 2 of 3 partitions");
    let wait = kpipe(["-v", "wait", "topic", &name, "--for", "deleted"]).start();
    wait.until_it_says("is still there");
    java(TOPICS, &["--delete", "--topic", &name], "");
    wait.wait().ok();
}

#[test]
fn a_group_is_stable_and_empty_when_kafkas_tool_says_so() {
    let topic = topic("waited").create();
    topic.append_numbers(0, 0..5);
    let group = group();
    let state = || java(GROUPS, &["--describe", "--state", "--group", &group], "");
    kpipe(["wait", "group", &group, "--timeout", "0"])
        .run()
        .exits(3)
        .says("group `");
    let tail = kpipe(["tail", &topic, "-g", &group, "-o", "beginning"]).start();
    kpipe(["wait", "group", &group]).run().ok();
    assert!(state().contains("Stable"), "{}", state());
    tail.lines(5);
    tail.signal(Signal::TERM);
    tail.wait().dies_of(Signal::TERM);
    let both = ["wait", "group", &group, "--for", "empty", "--for", "lag=0"];
    kpipe(both).run().ok().says("empty, lag=0");
    assert!(state().contains("Empty"), "{}", state());
    topic.append_numbers(0, 5..7);
    kpipe(["wait", "group", &group, "--for", "lag=0", "--timeout", "0"])
        .run()
        .exits(3)
        .says("is 2 behind");
    let lags = java(GROUPS, &["--describe", "--group", &group], "");
    let row: Vec<&str> = lags
        .lines()
        .find(|line| line.contains(&*topic))
        .unwrap()
        .split_whitespace()
        .collect();
    assert_eq!(row[5], "2", "{lags}");
}

#[test]
fn only_committed_records_count() {
    let topic = topic("expected").create();
    let abandoned = transaction();
    send(&abandoned, &topic, &number_in(0, 1));
    abandoned.flush(PATIENCE).unwrap();
    abandoned.abort_transaction(PATIENCE).unwrap();
    let kept = transaction();
    send(&kept, &topic, &number_in(0, 2));
    send(&kept, &topic, &number_in(0, 3));
    kept.flush(PATIENCE).unwrap();
    let expect = |more: &[&str]| kpipe([&["expect", &*topic], more].concat()).run();
    expect(&["--none", "--timeout", "0"]).ok();
    kept.commit_transaction(PATIENCE).unwrap();
    expect(&["--count", "2"]).ok().says("Found 2 records.");
    expect(&["--grep", "^1$", "--none"]).ok();
    expect(&["--min", "3", "--timeout", "1s"])
        .exits(1)
        .says("expected at least 3 records, found 2");
    // What lies in the log is more: an aborted record and two markers.
    kpipe([
        "wait",
        "topic",
        &topic,
        "--for",
        "messages=5",
        "--timeout",
        "0",
    ])
    .run()
    .ok();
}

#[test]
fn what_kafkas_producer_sends_late_is_expected() {
    let topic = topic("expected-late").partitions(3).create();
    let running = kpipe(["-v", "expect", &topic, "--count", "3", "--distinct", "/n=2"]).start();
    running.until_it_says("waiting for more");
    java(
        "org.apache.kafka.tools.ConsoleProducer",
        &["--topic", &topic],
        "{\"n\":1}\n{\"n\":2}\n{\"n\":1}\n",
    );
    running.wait().ok().says("Found 3 records.");
    kpipe(["expect", &topic, "--since", "1h", "--count", "3"])
        .run()
        .ok();
}

#[test]
fn a_record_goes_out_and_comes_back_on_a_compacted_topic() {
    let topic = topic("health").config("cleanup.policy", "compact").create();
    let rows = kpipe(["ping", "--deep", &topic, "--count", "2"])
        .run()
        .ok()
        .lines();
    assert_eq!(rows.len(), 2);
    assert_eq!(topic.records().len(), 2);
    let brokers = kpipe(["ping"]).run().ok().lines();
    assert_eq!(brokers[0]["answers"], true);
    kpipe(["ping", "-q"]).run().ok();
}

#[test]
fn an_open_transaction_keeps_the_record_from_coming_back() {
    let topic = topic("held-back").create();
    let open = transaction();
    send(&open, &topic, &number_in(0, 1));
    open.flush(PATIENCE).unwrap();
    kpipe(["ping", "--deep", &topic, "--timeout", "1s"])
        .run()
        .exits(3)
        .says("was acknowledged and did not come back within 1s")
        .says("an open transaction");
    open.abort_transaction(PATIENCE).unwrap();
}
