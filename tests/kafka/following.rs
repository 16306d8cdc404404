//! Topics and partitions that come and go while they are followed.

use crate::support::executable::{kpipe, values};
use crate::support::kafka::{group, topic, unique};

#[test]
fn an_added_partition_is_followed_from_its_beginning() {
    let topic = topic("grows").create();
    topic.append_numbers(0, 0..1);
    let tail = kpipe(["tail", &topic, "-o", "beginning"]).start();
    tail.lines(1);
    topic.add_partitions_up_to(3);
    topic.append_numbers(1, 1..50);
    topic.append_numbers(2, 50..100);
    let mut found = values(&tail.lines(100));
    found.sort_by_key(|value| value.parse::<u32>().unwrap());
    assert_eq!(
        found,
        (0..100)
            .map(|number| number.to_string())
            .collect::<Vec<_>>()
    );
}

#[test]
fn an_added_partition_is_followed_from_its_beginning_in_a_group() {
    let topic = topic("grows-in-a-group").create();
    topic.append_numbers(0, 0..1);
    // Where the group begins is not applied to what appears later.
    let tail = kpipe(["tail", &topic, "-g", &group(), "-o", "0"]).start();
    tail.lines(1);
    topic.add_partitions_up_to(3);
    topic.append_numbers(1, 1..50);
    topic.append_numbers(2, 50..100);
    let mut found = values(&tail.lines(100));
    found.sort_by_key(|value| value.parse::<u32>().unwrap());
    assert_eq!(
        found,
        (0..100)
            .map(|number| number.to_string())
            .collect::<Vec<_>>()
    );
}

#[test]
fn a_group_told_to_begin_at_the_end_loses_nothing_of_an_added_partition() {
    let topic = topic("grows-at-the-end").create();
    topic.append_numbers(0, 0..10);
    let group = group();
    let tail = kpipe(["tail", &topic, "-g", &group, "-o", "end"]).start();
    // It has its share when something new arrives; what came before that is not asked for.
    crate::support::eventually("the group follows", || {
        topic.append_numbers(0, 10..11);
        (!tail.lines_so_far().is_empty()).then_some(())
    });
    topic.add_partitions_up_to(2);
    topic.append_numbers(1, 100..150);
    let from_new = |lines: Vec<serde_json::Value>| {
        lines
            .into_iter()
            .filter(|line| line["partition"] == 1)
            .collect::<Vec<_>>()
    };
    crate::support::eventually("all of the new partition arrives", || {
        (from_new(tail.lines_so_far()).len() >= 50).then_some(())
    });
    let found = values(&from_new(tail.lines_so_far()));
    assert_eq!(
        found,
        (100..150)
            .map(|number| number.to_string())
            .collect::<Vec<_>>()
    );
}

#[test]
fn a_topic_that_a_pattern_matches_later_is_followed_from_its_beginning() {
    let prefix = unique("pattern");
    let first = topic("").named(format!("{prefix}-first")).create();
    first.append_numbers(0, 0..1);
    let tail = kpipe(["tail", &format!("^{prefix}-"), "-o", "beginning"]).start();
    tail.lines(1);
    let second = topic("").named(format!("{prefix}-second")).create();
    second.append_numbers(0, 1..30);
    let lines = tail.lines(30);
    assert!(lines[1..].iter().all(|line| line["topic"] == *second));
    assert_eq!(
        values(&lines),
        (0..30).map(|number| number.to_string()).collect::<Vec<_>>()
    );
}

#[test]
fn a_topic_that_a_pattern_matches_later_is_followed_in_a_group() {
    let prefix = unique("group-pattern");
    let first = topic("").named(format!("{prefix}-first")).create();
    first.append_numbers(0, 0..1);
    let tail = kpipe(["tail", &format!("^{prefix}-"), "-g", &group()]).start();
    tail.lines(1);
    let second = topic("").named(format!("{prefix}-second")).create();
    second.append_numbers(0, 1..30);
    assert_eq!(
        values(&tail.lines(30)),
        (0..30).map(|number| number.to_string()).collect::<Vec<_>>()
    );
}

#[test]
fn a_topic_deleted_while_it_is_followed_is_an_error() {
    let topic = topic("deleted").create();
    topic.append_numbers(0, 0..1);
    let tail = kpipe(["tail", &topic, "-o", "beginning"]).start();
    tail.lines(1);
    topic.delete();
    tail.wait().exits(1).says("was deleted").says_one_error();
}

#[test]
fn a_topic_deleted_while_a_group_follows_it_is_an_error() {
    let topic = topic("deleted-in-a-group").create();
    topic.append_numbers(0, 0..1);
    let tail = kpipe(["tail", &topic, "-g", &group()]).start();
    tail.lines(1);
    topic.delete();
    tail.wait().exits(1).says("was deleted").says_one_error();
}

#[test]
fn a_topic_that_only_a_pattern_matched_may_go() {
    let prefix = unique("going");
    let first = topic("").named(format!("{prefix}-first")).create();
    let second = topic("").named(format!("{prefix}-second")).create();
    first.append_numbers(0, 0..1);
    second.append_numbers(0, 0..1);
    let tail = kpipe(["tail", &format!("^{prefix}-"), "-o", "beginning"]).start();
    tail.lines(2);
    first.delete();
    tail.until_it_says("was deleted");
    second.append_numbers(0, 1..2);
    assert_eq!(tail.lines(3)[2]["topic"], *second);
}
