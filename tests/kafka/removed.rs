//! Records that compaction or retention took away.

use rdkafka::producer::Producer;

use crate::support::executable::{kpipe, offsets, values};
use crate::support::kafka::{Record, Topic, group, number_in, send, topic, transaction};
use crate::support::{PATIENCE, eventually};

fn keyed(key: i64, number: i64) -> Record {
    Record {
        key: Some(key.to_string().into_bytes()),
        ..number_in(0, number)
    }
}

/// A log with gaps, a transaction's marker for its end, and what is left of it as an independent client sees it.
fn compacted() -> (Topic, Vec<String>) {
    let topic = topic("compacted")
        .config("cleanup.policy", "compact")
        .config("segment.ms", "100")
        .config("min.cleanable.dirty.ratio", "0.01")
        .config("max.compaction.lag.ms", "100")
        .create();
    for round in 0..5 {
        let records: Vec<_> = (0..200)
            .map(|number| keyed(number % 20, round * 200 + number))
            .collect();
        topic.append(&records);
    }
    eventually("compaction leaves gaps", || {
        // A segment is only rolled, and so compacted, when something is written.
        let producer = transaction();
        send(&producer, &topic, &keyed(1000, 1_000_000));
        producer.flush(PATIENCE).unwrap();
        producer.commit_transaction(PATIENCE).unwrap();
        (topic.records().len() < 200).then_some(())
    });
    let left = topic.records().iter().map(Record::text).collect();
    (topic, left)
}

#[test]
fn the_end_and_the_last_are_right_in_a_compacted_log() {
    let (topic, left) = compacted();
    let (_, end) = topic.watermarks(0);
    assert!(end > 1000);
    // Compaction may go on between the two looks, but never behind the newest of each key.
    let tail = kpipe(["tail", &topic, "-e"]).run().ok();
    let printed = tail.values();
    let mut rest = left.iter();
    assert!(
        printed.iter().all(|value| rest.any(|one| one == value)),
        "{printed:?} {left:?}"
    );
    assert!(printed.len() >= 21);
    let gaps = tail.offsets().windows(2).any(|pair| pair[1] > pair[0] + 1);
    assert!(gaps);

    let last = kpipe(["tail", &topic, "-l", "15"]).run().ok();
    assert_eq!(last.lines().len(), 15);
    let sum = kpipe(["tail", &topic, "-e", "-g", &group()]).run().ok();
    assert!(sum.lines().len() >= 21);
    let all_newest: Vec<_> = (980..1000).map(|number: i64| number.to_string()).collect();
    assert!(all_newest.iter().all(|value| printed.contains(value)));
}

#[test]
fn a_group_that_retention_overtook_says_which_records_are_gone() {
    let topic = topic("overtaken-group").create();
    topic.append_numbers(0, 0..100);
    let group = group();
    let first = kpipe(["tail", &topic, "-g", &group, "-n", "5"]).run().ok();
    assert_eq!(first.offsets(), [0, 1, 2, 3, 4]);
    topic.delete_records_before(0, 50);
    let rest = kpipe(["tail", &topic, "-g", &group, "-e"]).run().ok();
    assert_eq!(rest.offsets(), (50..100).collect::<Vec<_>>());
    rest.says("offsets 5 to 49 were removed before they were read");
}

#[test]
fn a_slow_reader_that_retention_overtook_says_which_records_are_gone() {
    let topic = topic("overtaken")
        .config("max.message.bytes", "2000000")
        .create();
    let count = 60_000;
    let records: Vec<_> = (0..count)
        .map(|number| Record {
            value: Some(format!("{number:01000}").into_bytes()),
            ..number_in(0, number)
        })
        .collect();
    topic.append(&records);
    // Its output is full and its queue holds 8 MB, so most of 60 MB is not fetched yet.
    let mut tail = kpipe(["tail", &topic, "-o", "beginning"]).start_unread();
    tail.until_it_is_blocked();
    topic.delete_records_before(0, count - 10);
    tail.read_on();
    tail.until_it_says("were removed before they were read");
    topic.append_numbers(0, count..count + 1);
    eventually("the newest arrives", || {
        let lines = tail.lines_so_far();
        let last = values(&lines).pop()?;
        (last == count.to_string()).then_some(())
    });
    let found = offsets(&tail.lines_so_far());
    let (before, after): (Vec<i64>, Vec<i64>) =
        found.iter().partition(|offset| **offset < count - 10);
    assert_eq!(after, (count - 10..=count).collect::<Vec<_>>());
    assert_eq!(
        before,
        (0..i64::try_from(before.len()).unwrap()).collect::<Vec<_>>()
    );
    let gap = format!("offsets {} to {} were removed", before.len(), count - 11);
    assert!(tail.said().contains(&gap), "{gap}: {}", tail.said());
}
