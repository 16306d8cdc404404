//! Handlers on real Kafka: slower than the fetch, longer than the poll interval, and handed over.

use std::collections::BTreeMap;
use std::path::Path;

use rustix::process::Signal;

use crate::support::eventually;
use crate::support::executable::{Running, kpipe};
use crate::support::java::java;
use crate::support::kafka::{Record, Topic, committed, fence, group, topic};

/// Accepts each record after it wrote its partition and offset down.
const ACCOUNT: &str = r#"
import json, sys
account = open(sys.argv[1], "a", buffering=1)
for line in sys.stdin:
    record = json.loads(line)
    account.write("%d %d\n" % (record["partition"], record["offset"]))
    print(json.dumps({"partition": record["partition"], "offset": record["offset"], "verdict": "accept"}), flush=True)
"#;

fn account(folder: &Path) -> BTreeMap<i32, Vec<i64>> {
    let mut offsets: BTreeMap<i32, Vec<i64>> = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        for line in text.lines().filter(|line| !line.is_empty()) {
            let (partition, offset) = line.split_once(' ').unwrap();
            let partition = partition.parse().unwrap();
            offsets
                .entry(partition)
                .or_default()
                .push(offset.parse().unwrap());
        }
    }
    offsets
}

#[test]
fn what_waits_for_a_slow_handler_is_handled_once_and_in_order() {
    let topic = topic("handle-slow").partitions(2).create();
    // More than may wait, so that fetching stops and goes on.
    topic.append_numbers(0, 0..25_000);
    topic.append_numbers(1, 0..25_000);
    let group = group();
    let folder = tempfile::tempdir().unwrap();
    kpipe(["handle", &topic, "-g", &group, "-e", "-q", "--stream"])
        .args(["--batch", "50", "--", "python3", "-c", ACCOUNT])
        .args([folder.path().join("account")])
        .run()
        .ok();
    let account = account(folder.path());
    for partition in [0, 1] {
        assert_eq!(account[&partition], (0..25_000).collect::<Vec<_>>());
    }
    assert_eq!(committed(&group, &topic), [25_000, 25_000]);
}

#[test]
fn a_handler_may_take_longer_than_the_poll_interval() {
    let topic = topic("handle-long").create();
    topic.append_numbers(0, 0..3);
    let group = group();
    let ended = kpipe(["handle", &topic, "-g", &group, "-e", "-v"])
        .args([
            "-X",
            "max.poll.interval.ms=6000",
            "-X",
            "session.timeout.ms=6000",
        ])
        .args([
            "--",
            "sh",
            "-c",
            "[ $KAFKA_OFFSET != 1 ] || sleep 8; echo $KAFKA_OFFSET",
        ])
        .run()
        .ok();
    assert_eq!(ended.stdout, b"0\n1\n2\n");
    assert!(
        !ended.stderr.contains("MAXPOLL"),
        "the group kept it: {}",
        ended.stderr
    );
    assert_eq!(committed(&group, &topic), [3]);
}

fn member(topic: &Topic, group: &str, folder: &Path, workers: &str) -> Running {
    let script =
        "echo $KAFKA_PARTITION $KAFKA_OFFSET > $0/$KAFKA_PARTITION-$KAFKA_OFFSET-$$; sleep 0.02";
    kpipe(["handle", &**topic, "-g", group, "-q", "--concurrency"])
        .args([workers, "--", "sh", "-c", script])
        .args([folder])
        .start()
}

#[test]
fn a_partition_is_handed_over_without_a_record_handled_twice() {
    is_handed_over("1");
}

#[test]
fn nor_is_one_handled_twice_where_many_are_handled_at_a_time() {
    is_handed_over("4");
}

fn is_handed_over(workers: &str) {
    let topic = topic("handle-over").partitions(4).create();
    for partition in 0..4 {
        topic.append_numbers(partition, 0..100);
    }
    let group = group();
    let folder = tempfile::tempdir().unwrap();
    let handled = || std::fs::read_dir(folder.path()).unwrap().count();
    let first = member(&topic, &group, folder.path(), workers);
    eventually("the first is at work", || (handled() > 20).then_some(()));
    let second = member(&topic, &group, folder.path(), workers);
    eventually("all is handled", || (handled() >= 400).then_some(()));
    eventually("all is committed", || {
        (committed(&group, &topic) == [100; 4]).then_some(())
    });
    for member in [first, second] {
        member.signal(Signal::TERM);
        let _ = member.wait().dies_of(Signal::TERM);
    }
    let mut account = account(folder.path());
    for partition in 0..4 {
        let offsets = account.get_mut(&partition).unwrap();
        offsets.sort_unstable();
        assert_eq!(*offsets, (0..100).collect::<Vec<_>>());
    }
}

/// What the handler printed is in `output` as often as it ran.
fn handles_exactly_once(filter: &str, runs: usize) {
    let (source, output) = (topic("once-in").create(), topic("once-out").create());
    source.append_numbers(0, 0..5);
    let group = group();
    kpipe([
        "handle",
        &source,
        "-g",
        &group,
        "-e",
        "-q",
        "--exactly-once",
    ])
    .args([
        "--grep", filter, "--to", &output, "--lines", "--", "echo", "ran",
    ])
    .run()
    .ok();
    assert_eq!(output.records().len(), runs);
    assert_eq!(committed(&group, &source), [5], "all is looked at");
}

#[test]
fn what_a_filter_leaves_out_is_committed_behind_the_last_that_is_handled_exactly_once() {
    handles_exactly_once("^1$", 1);
}

#[test]
fn what_a_filter_leaves_out_is_committed_where_nothing_is_left() {
    handles_exactly_once("^nothing$", 0);
}

/// As when the broker ended a transaction because its time was up, or somebody took the producer's place.
#[test]
fn a_producer_that_cannot_go_on_is_replaced_and_no_output_is_there_twice() {
    let (source, output) = (topic("fenced-in").create(), topic("fenced-out").create());
    let group = group();
    source.append_numbers(0, 0..5);
    let handle = kpipe(["handle", &source, "-g", &group, "-q", "--exactly-once"])
        .args(["--batch", "1", "--to", &output, "--values", "--lines"])
        .args(["--", "cat"])
        .start();
    let until = |count: i64| {
        eventually("they are handled", || {
            (committed(&group, &source) == [count]).then_some(())
        });
    };
    until(5);
    let listed = java("org.apache.kafka.tools.TransactionsCommand", &["list"], "");
    let id = listed
        .split_whitespace()
        .find(|word| word.starts_with(&format!("kpipe-{group}-")))
        .unwrap();
    fence(id);
    source.append_numbers(0, 5..10);
    until(10);
    handle.signal(Signal::TERM);
    handle.wait().dies_of(Signal::TERM);
    let values: Vec<_> = output.records().iter().map(Record::text).collect();
    let expected: Vec<_> = (0..10).map(|number| number.to_string()).collect();
    assert_eq!(values, expected);
}

/// One of them has nothing of its own at first, and partitions move while the other is at work.
#[test]
fn of_two_members_with_an_end_neither_ends_before_all_is_done() {
    let topic = topic("handle-ends").partitions(3).create();
    for partition in 0..3 {
        topic.append_numbers(partition, 0..100);
    }
    let group = group();
    let folder = tempfile::tempdir().unwrap();
    let member = || {
        let script = "echo > $0/$KAFKA_PARTITION-$KAFKA_OFFSET; sleep 0.01";
        kpipe(["handle", &topic, "-g", &group, "-e", "-q"])
            .args(["--", "sh", "-c", script])
            .args([folder.path()])
            .start()
    };
    let handled = || std::fs::read_dir(folder.path()).unwrap().count();
    let first = member();
    eventually("the first is at work", || (handled() > 20).then_some(()));
    let second = member();
    for member in [first, second] {
        member.wait().ok();
        // Whoever ends first does so when nothing is left for either.
        assert_eq!(handled(), 300);
    }
    assert_eq!(committed(&group, &topic), [100; 3]);
}

/// The more partitions get a marker, the longer Kafka takes to write them all.
#[test]
fn what_was_handled_exactly_once_is_there_when_the_run_has_ended() {
    let source = topic("visible-in").create();
    source.append_numbers(0, 0..500);
    for _ in 0..5 {
        let output = topic("visible-out").partitions(100).create();
        kpipe(["handle", &source, "-g", &group(), "-e", "-q"])
            .args(["--exactly-once", "--to", &output])
            .args(["--", "jq", "-c", "{value, key: \"\\(.offset)\"}"])
            .run()
            .ok();
        let tail = kpipe(["tail", &output, "-e"]).run().ok();
        assert_eq!(tail.lines().len(), 500);
    }
}
