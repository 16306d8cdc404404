//! What is committed, aborted or still open.

use rdkafka::producer::Producer;

use crate::support::executable::kpipe;
use crate::support::kafka::{Topic, committed, group, number_in, send, topic, transaction};
use crate::support::{PATIENCE, eventually};

#[test]
fn a_committed_transaction_is_there_and_the_end_behind_its_marker_is_reached() {
    let topic = topic("committed").partitions(3).create();
    let lines: String = (0..100)
        .map(|number| format!("key-{number}:{number}\n"))
        .collect();
    kpipe(["send", &topic, "--lines", "-K", ":", "--transaction"])
        .input(lines)
        .run()
        .ok();
    assert_eq!(topic.records().len(), 100);
    let (_, end) = topic.watermarks(0);
    let last = topic
        .records()
        .iter()
        .filter(|record| record.partition == 0)
        .count();
    assert_eq!(
        end,
        i64::try_from(last).unwrap() + 1,
        "the log ends in a marker"
    );

    assert_eq!(kpipe(["tail", &topic, "-e"]).run().ok().lines().len(), 100);
    assert_eq!(
        kpipe(["tail", &topic, "-l", "100"])
            .run()
            .ok()
            .lines()
            .len(),
        100
    );
    assert_eq!(
        kpipe(["tail", &topic, "-l", "7"]).run().ok().lines().len(),
        7
    );
}

#[test]
fn one_bad_line_aborts_the_transaction_and_every_line_is_kept() {
    let topic = topic("aborted").create();
    let folder = tempfile::tempdir().unwrap();
    let failed = folder.path().join("failed");
    let lines = "{\"value\":\"a\"}\n{\"value\":\"b\"}\nnot a record\n{\"value\":\"c\"}\n";
    let arguments = [
        "send",
        &topic,
        "--transaction",
        "--failed",
        failed.to_str().unwrap(),
    ];
    kpipe(arguments)
        .input(lines)
        .run()
        .exits(1)
        .says("stdin:3:1");
    assert_eq!(topic.records(), []);
    assert_eq!(std::fs::read_to_string(&failed).unwrap(), lines);
}

#[test]
fn an_interrupted_transaction_is_aborted_and_every_line_is_kept() {
    let topic = topic("interrupted").create();
    let folder = tempfile::tempdir().unwrap();
    let failed = folder.path().join("failed");
    let arguments = [
        "send",
        &topic,
        "--transaction",
        "--failed",
        failed.to_str().unwrap(),
    ];
    let mut sending = kpipe(arguments).open_input().start();
    sending.write("{\"value\":\"a\"}\n{\"value\":\"b\"}\n");
    topic.until_it_holds(2);
    let _open = sending.keep_input();
    sending.signal(rustix::process::Signal::TERM);
    sending.wait().dies_of(rustix::process::Signal::TERM);
    assert_eq!(topic.records(), []);
    assert_eq!(
        topic.records_uncommitted().len(),
        2,
        "the fault came after they were sent"
    );
    let kept = std::fs::read_to_string(&failed).unwrap();
    assert_eq!(kept, "{\"value\":\"a\"}\n{\"value\":\"b\"}\n");
}

#[test]
fn aborted_records_are_not_printed_unless_asked_for() {
    let topic = topic("others-aborted").create();
    topic.append_numbers(0, 0..5);
    let producer = transaction();
    for number in 5..10 {
        send(&producer, &topic, &number_in(0, number));
    }
    producer.flush(PATIENCE).unwrap();
    producer.abort_transaction(PATIENCE).unwrap();
    let tail = kpipe(["tail", &topic, "-e"]).run().ok();
    assert_eq!(tail.offsets(), [0, 1, 2, 3, 4]);
    let last = kpipe(["tail", &topic, "-l", "3"]).run().ok();
    assert_eq!(last.offsets(), [2, 3, 4]);
    let all = kpipe([
        "tail",
        &topic,
        "-e",
        "-X",
        "isolation.level=read_uncommitted",
    ])
    .run()
    .ok();
    assert_eq!(all.lines().len(), 10);
}

#[test]
fn the_end_is_before_a_transaction_that_is_still_open() {
    let topic = topic("open").create();
    topic.append_numbers(0, 0..5);
    let producer = transaction();
    send(&producer, &topic, &number_in(0, 5));
    producer.flush(PATIENCE).unwrap();
    topic.append_numbers(0, 6..8);
    assert_eq!(
        topic.watermarks(0),
        (0, 8),
        "the transaction is in the middle of the log"
    );

    assert_eq!(
        kpipe(["tail", &topic, "-e"]).run().ok().offsets(),
        [0, 1, 2, 3, 4]
    );
    assert_eq!(
        kpipe(["tail", &topic, "-l", "2"]).run().ok().offsets(),
        [3, 4]
    );
    producer.commit_transaction(PATIENCE).unwrap();
    // Kafka says that it is committed before the marker is in every partition.
    eventually("the marker is written", || {
        (topic.watermarks(0) == (0, 9)).then_some(())
    });
    assert_eq!(
        kpipe(["tail", &topic, "-e"]).run().ok().offsets(),
        [0, 1, 2, 3, 4, 5, 6, 7]
    );
}

/// Twenty records of one transaction, in two partitions that end in its marker.
fn in_one_transaction() -> Topic {
    let topic = topic("group-marker").partitions(2).create();
    let lines: String = (0..20)
        .map(|number| format!("key-{number}:{number}\n"))
        .collect();
    kpipe(["send", &topic, "--lines", "-K", ":", "--transaction"])
        .input(lines)
        .run()
        .ok();
    topic
}

/// The more partitions get a marker, the longer Kafka takes to write them all.
#[test]
fn what_was_sent_in_a_transaction_is_there_when_its_command_has_ended() {
    for _ in 0..5 {
        let topic = topic("all-marked").partitions(100).create();
        let lines: String = (0..500).map(|number| format!("{number}\n")).collect();
        kpipe(["send", &topic, "--lines", "--key-from", "", "--transaction"])
            .input(lines)
            .run()
            .ok();
        let tail = kpipe(["tail", &topic, "-e"]).run().ok();
        assert_eq!(tail.lines().len(), 500);
    }
}

/// A group goes on behind the marker, so that nothing seems to be left.
#[track_caller]
fn commits_behind_the_marker(command: &str, arguments: &[&str]) {
    let (topic, group) = (in_one_transaction(), group());
    kpipe([command, &topic, "-g", &group, "-e"])
        .args(arguments)
        .run()
        .ok();
    let ends = [0, 1].map(|partition| topic.watermarks(partition).1);
    assert_eq!(committed(&group, &topic), ends);
}

#[test]
fn a_group_commits_behind_the_marker() {
    commits_behind_the_marker("tail", &[]);
}

#[test]
fn handled_is_what_lies_before_the_marker_and_the_marker() {
    commits_behind_the_marker("handle", &["-q", "--", "true"]);
}

#[test]
fn stored_is_what_lies_before_the_marker_and_the_marker() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("records.db");
    commits_behind_the_marker("store", &["--db", file.to_str().unwrap()]);
}

#[test]
fn a_group_ends_behind_the_marker_too() {
    let (topic, group) = (in_one_transaction(), group());
    let read = || {
        kpipe(["tail", &topic, "-e", "-g", &group])
            .run()
            .ok()
            .lines()
            .len()
    };
    assert_eq!(read(), 20);
    assert_eq!(read(), 0);
}
