//! Lookup by time, which the built-in broker does not have.

use crate::support::executable::kpipe;
use crate::support::kafka::{Topic, topic};

/// Records 0 to 99 of each of two partitions, a millisecond apart from `BASE` on.
const BASE: i64 = 1_763_668_800_000;

fn a_hundred_in_each_partition() -> Topic {
    let topic = topic("times").partitions(2).create();
    topic.append_numbers(0, 0..100);
    topic.append_numbers(1, 0..100);
    topic
}

/// The numbers that `tail` prints, in order.
fn numbers(arguments: &[&str]) -> Vec<i64> {
    let tail = kpipe([&["tail"], arguments].concat()).run().ok();
    let values = tail.values();
    let mut numbers: Vec<i64> = values.iter().map(|value| value.parse().unwrap()).collect();
    numbers.sort_unstable();
    numbers
}

/// Each number once a partition.
fn twice(numbers: std::ops::Range<i64>) -> Vec<i64> {
    numbers.flat_map(|number| [number, number]).collect()
}

#[test]
fn since_begins_at_the_first_record_of_that_time() {
    let topic = a_hundred_in_each_partition();
    assert_eq!(
        numbers(&[&topic, "-e", "--since", "2025-11-20T20:00:00.090Z"]),
        twice(90..100)
    );
    let from = format!("@{}", BASE + 95);
    assert_eq!(numbers(&[&topic, "-e", "-o", &from]), twice(95..100));
}

#[test]
fn since_a_time_after_the_last_record_prints_nothing() {
    let topic = a_hundred_in_each_partition();
    assert_eq!(
        numbers(&[&topic, "-e", "--since", "2025-11-21T00:00:00Z"]),
        twice(0..0)
    );
}

#[test]
fn until_ends_before_the_first_record_of_that_time() {
    let topic = a_hundred_in_each_partition();
    assert_eq!(
        numbers(&[&topic, "--until", "2025-11-20T20:00:00.010Z"]),
        twice(0..10)
    );
}

#[test]
fn a_range_of_times_is_its_records() {
    let topic = a_hundred_in_each_partition();
    let range = format!("@{}:{}", BASE + 20, BASE + 30);
    assert_eq!(numbers(&[&topic, "-o", &range]), twice(20..30));
}

#[test]
fn the_last_of_all_partitions_come_in_the_order_of_their_times() {
    let topic = topic("last").partitions(2).create();
    topic.append_numbers(0, 0..50);
    topic.append_numbers(1, 50..60);
    topic.append_numbers(0, 60..63);
    let tail = kpipe(["tail", &topic, "-l", "5"]).run().ok();
    assert_eq!(tail.values(), ["58", "59", "60", "61", "62"]);
}
