//! Members of groups: where they go on, how they share, and how they leave.

use std::collections::BTreeSet;
use std::time::Duration;

use rustix::process::Signal;

use crate::support::eventually;
use crate::support::executable::{Running, kpipe, values};
use crate::support::kafka::{Topic, eager_member, group, members, topic};

#[test]
fn a_group_goes_on_exactly_where_it_left_off() {
    let topic = topic("resume").create();
    topic.append_numbers(0, 0..100);
    let group = group();
    let first = kpipe(["tail", &topic, "-g", &group, "-n", "30"]).run().ok();
    assert_eq!(first.offsets(), (0..30).collect::<Vec<_>>());
    let second = kpipe(["tail", &topic, "-g", &group, "-n", "30"]).run().ok();
    assert_eq!(second.offsets(), (30..60).collect::<Vec<_>>());
    let rest = kpipe(["tail", &topic, "-g", &group, "-e"]).run().ok();
    assert_eq!(rest.offsets(), (60..100).collect::<Vec<_>>());
    let none = kpipe(["tail", &topic, "-g", &group, "-e", "-o", "beginning"])
        .run()
        .ok();
    assert_eq!(none.offsets(), Vec::<i64>::new());
}

#[test]
fn what_is_never_committed_comes_again() {
    let topic = topic("never").create();
    topic.append_numbers(0, 0..10);
    let group = group();
    for _ in 0..2 {
        let tail = kpipe(["tail", &topic, "-g", &group, "--commit", "never", "-e"])
            .run()
            .ok();
        assert_eq!(tail.lines().len(), 10);
    }
}

#[test]
fn a_terminated_member_commits_what_it_printed() {
    let topic = topic("terminated").create();
    topic.append_numbers(0, 0..10);
    let group = group();
    let tail = kpipe(["tail", &topic, "-g", &group]).start();
    tail.lines(10);
    tail.signal(Signal::TERM);
    tail.wait().dies_of(Signal::TERM);
    topic.append_numbers(0, 10..15);
    let rest = kpipe(["tail", &topic, "-g", &group, "-e"]).run().ok();
    assert_eq!(rest.offsets(), [10, 11, 12, 13, 14]);
}

/// Else the next rebalance waits for the end of its session.
#[test]
fn a_member_without_partitions_leaves_too() {
    let topic = topic("spare").create();
    topic.append_numbers(0, 0..1);
    let group = group();
    let first = kpipe(["tail", &topic, "-g", &group]).start();
    first.lines(1);
    let second = kpipe(["tail", &topic, "-g", &group]).start();
    eventually("both are members", || {
        (members(&group) == (2, true)).then_some(())
    });
    second.signal(Signal::TERM);
    second.wait().dies_of(Signal::TERM);
    assert_eq!(members(&group).0, 1);
    first.signal(Signal::TERM);
    first.wait().dies_of(Signal::TERM);
}

fn numbers(lines: &[serde_json::Value]) -> Vec<i64> {
    values(lines)
        .iter()
        .map(|value| value.parse().unwrap())
        .collect()
}

/// Appends to all partitions, in turn, until each of `members` has printed something new.
fn append_until_all_print(topic: &Topic, members: &[&Running], next: &mut i64) {
    let before: Vec<_> = members
        .iter()
        .map(|member| member.lines_so_far().len())
        .collect();
    eventually("every member has a share", || {
        for partition in 0..4 {
            topic.append_numbers(partition, *next..*next + 5);
            *next += 5;
        }
        let all = members
            .iter()
            .zip(&before)
            .all(|(member, before)| member.lines_so_far().len() > *before);
        all.then_some(())
    });
}

#[test]
fn two_members_share_and_when_one_leaves_nothing_is_lost_or_doubled() {
    let topic = topic("shared").partitions(4).create();
    let group = group();
    let mut next = 0;
    let leaving = kpipe(["tail", &topic, "-g", &group]).start();
    append_until_all_print(&topic, &[&leaving], &mut next);
    let staying = kpipe(["tail", &topic, "-g", &group]).start();
    append_until_all_print(&topic, &[&leaving, &staying], &mut next);
    leaving.signal(Signal::TERM);
    let left = leaving.wait().dies_of(Signal::TERM);
    append_until_all_print(&topic, &[&staying], &mut next);
    let mut found = Vec::new();
    eventually("everything was printed", || {
        found = [numbers(&left.lines()), numbers(&staying.lines_so_far())].concat();
        let distinct: BTreeSet<_> = found.iter().collect();
        (i64::try_from(distinct.len()) == Ok(next)).then_some(())
    });
    found.sort_unstable();
    assert_eq!(found, (0..next).collect::<Vec<_>>(), "once each");
}

#[test]
fn when_a_member_is_killed_nothing_is_lost() {
    let topic = topic("killed").partitions(4).create();
    let group = group();
    // A dead member is missed after its session's timeout.
    let member = || {
        kpipe([
            "tail",
            &topic,
            "-g",
            &group,
            "-X",
            "session.timeout.ms=6000",
        ])
        .start()
    };
    let mut next = 0;
    let (killed, staying) = (member(), member());
    append_until_all_print(&topic, &[&killed, &staying], &mut next);
    killed.signal(Signal::KILL);
    let left = killed.wait().dies_of(Signal::KILL);
    for partition in 0..4 {
        topic.append_numbers(partition, next..next + 20);
        next += 20;
    }
    eventually("everything was printed", || {
        let found = [numbers(&left.lines()), numbers(&staying.lines_so_far())].concat();
        let distinct: BTreeSet<_> = found.into_iter().collect();
        (distinct == (0..next).collect()).then_some(())
    });
}

#[test]
fn a_member_among_members_of_the_old_way_says_so() {
    let topic = topic("mixed").create();
    topic.append_numbers(0, 0..1);
    let group = group();
    let _eager = eager_member(&group, &topic);
    let tail = kpipe(["tail", &topic, "-g", &group])
        .within(Duration::from_secs(25))
        .run();
    tail.exits(2)
        .says("members with another way of sharing partitions")
        .says("-X partition.assignment.strategy=range,roundrobin")
        .says_one_error();
}

#[test]
fn what_the_hint_says_joins_members_of_the_old_way() {
    let topic = topic("mixed-joined").partitions(2).create();
    topic.append_numbers(0, 0..5);
    topic.append_numbers(1, 5..10);
    let group = group();
    let eager = eager_member(&group, &topic);
    let strategy = "partition.assignment.strategy=range,roundrobin";
    let tail = kpipe(["tail", &topic, "-g", &group, "-X", strategy]).start();
    // Its share, once the other has given it up.
    eventually("it joins", || {
        use rdkafka::consumer::Consumer;
        let _ = eager.poll(Duration::from_millis(50));
        (eager.assignment().unwrap().count() == 1).then_some(())
    });
    tail.lines(5);
}
