//! Members of groups that die, and brokers that die while they are followed.

use std::collections::{BTreeSet, HashSet};

use rustix::process::Signal;

use crate::support::eventually;
use crate::support::executable::{Finished, bash, kpipe, offsets};
use crate::support::kafka::{Record, Topic, committed, group, node, topic};

const MANY: i64 = 100_000;

/// Fills three partitions with records of about 100 bytes.
fn fill(topic: &Topic, count: i64) {
    let records: Vec<_> = (0..count)
        .map(|number| Record {
            partition: i32::try_from(number % 3).unwrap(),
            timestamp: 1_763_668_800_000,
            key: None,
            value: Some(format!("{number:0100}").into_bytes()),
            headers: Vec::new(),
        })
        .collect();
    topic.append(&records);
}

/// Partition and offset of each printed record.
fn places(finished: &Finished) -> Vec<(usize, i64)> {
    let lines = finished.lines();
    let partitions = lines
        .iter()
        .map(|line| usize::try_from(line["partition"].as_u64().unwrap()).unwrap());
    partitions.zip(offsets(&lines)).collect()
}

#[test]
fn what_a_killed_member_had_not_committed_is_printed_again_and_no_more() {
    let topic = topic("member-killed").partitions(3).create();
    fill(&topic, MANY);
    let group = group();
    // The group waits for a dead member no longer than its session.
    let session = ["-X", "session.timeout.ms=6000"];
    let mut tail = kpipe(["tail", &topic, "-g", &group])
        .args(session)
        .start_unread();
    eventually("something is committed", || {
        tail.read_some(1024 * 1024);
        (committed(&group, &topic).iter().sum::<i64>() > 0).then_some(())
    });
    tail.signal(Signal::KILL);
    let first = tail.wait().dies_of(Signal::KILL);
    let committed = committed(&group, &topic);
    let first = places(&first);
    assert!(first.len() < 100_000, "it was done before it was killed");

    let second = kpipe(["tail", &topic, "-g", &group, "-e"]).run().ok();
    let second = places(&second);
    let first_set: HashSet<_> = first.iter().copied().collect();
    assert_eq!(first_set.len(), first.len(), "the first doubles nothing");
    let ends = [33_334, 33_333, 33_333];
    let mut again: BTreeSet<_> = BTreeSet::new();
    for (partition, (end, from)) in ends.into_iter().zip(&committed).enumerate() {
        let unprinted = (0..*from).find(|offset| !first_set.contains(&(partition, *offset)));
        assert_eq!(unprinted, None, "committed before it was printed");
        again.extend((*from..end).map(|offset| (partition, offset)));
    }
    assert_eq!(second.len(), again.len());
    assert_eq!(second.into_iter().collect::<BTreeSet<_>>(), again);
}

#[test]
fn a_member_goes_on_after_its_broker_was_killed() {
    let topic = topic("followed").create();
    topic.append_numbers(0, 0..1000);
    let group = group();
    let tail = kpipe(["tail", &topic, "-g", &group]).start();
    tail.lines(1000);
    let until_committed = |offset| {
        eventually("what was printed is committed", || {
            (committed(&group, &topic) == [offset]).then_some(())
        });
    };
    until_committed(1000);
    node("kill", 1);
    tail.until_it_says("warning: ");
    node("start", 1);
    topic.append_numbers(0, 1000..2000);
    let lines = tail.lines(2000);
    assert_eq!(offsets(&lines), (0..2000).collect::<Vec<_>>());
    // It goes on to commit as well, once the group's coordinator is back.
    until_committed(2000);
    tail.signal(Signal::TERM);
    let ended = tail.wait().dies_of(Signal::TERM);
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
}

#[test]
fn a_full_disk_is_status_1_and_nothing_is_committed() {
    let topic = topic("full-disk").partitions(3).create();
    fill(&topic, 10_000);
    let group = group();
    bash(&format!("exec kpipe tail {topic} -g {group} -e >/dev/full"))
        .run()
        .exits(1)
        .says_one_error();
    assert_eq!(committed(&group, &topic), [0, 0, 0]);
    let all = kpipe(["tail", &topic, "-g", &group, "-e"]).run().ok();
    assert_eq!(all.lines().len(), 10_000);
}

#[test]
fn a_reader_that_goes_away_is_no_failure_under_pipefail() {
    let topic = topic("head").create();
    fill_one(&topic);
    for more in ["-e", "-o beginning"] {
        let ended = bash(&format!("kpipe tail {topic} {more} | head -n 1"))
            .run()
            .ok();
        assert_eq!((ended.offsets(), ended.stderr.as_str()), (vec![0], ""));
    }
}

fn fill_one(topic: &Topic) {
    topic.append_numbers(0, 0..50_000);
}
