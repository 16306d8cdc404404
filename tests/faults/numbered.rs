//! Input whose every line has a number, so that a missing one has a name.

use std::collections::{BTreeSet, HashMap};

use crate::support::kafka::Topic;

/// How many lines a long input has.
pub(crate) const MANY: usize = 200_000;

/// Record lines of about 120 bytes with a thousand keys, from number `from` to before `to`.
pub(crate) fn lines(numbers: std::ops::Range<usize>) -> Vec<u8> {
    let mut lines = Vec::with_capacity(numbers.len() * 128);
    for n in numbers {
        let key = n % 1000;
        let line =
            format!("{{\"key\":\"user-{key}\",\"value\":{{\"n\":{n},\"text\":\"{n:064}\"}}}}\n");
        lines.extend_from_slice(line.as_bytes());
    }
    lines
}

/// The number in a line, or in a value.
pub(crate) fn number(line: &str) -> usize {
    let (_, rest) = line.split_once("{\"n\":").expect("a numbered line");
    let (number, _) = rest.split_once(',').expect("a whole line");
    number.parse().unwrap()
}

/// The numbers of the whole lines in `bytes`.
pub(crate) fn numbers(bytes: &[u8]) -> BTreeSet<usize> {
    let text = std::str::from_utf8(bytes).unwrap();
    text.split_inclusive('\n')
        .filter(|line| line.ends_with("}}\n"))
        .map(number)
        .collect()
}

/// The numbers on the log, in its order, partition by partition.
pub(crate) fn on_log(topic: &Topic) -> Vec<usize> {
    let records = topic.records();
    let texts = records.iter().map(|record| number(&record.text()));
    texts.collect()
}

/// Every number up to `count` is on the log once, in order within its key.
pub(crate) fn check_all_once_in_order(topic: &Topic, count: usize) {
    let mut last: HashMap<String, usize> = HashMap::new();
    let records = topic.records();
    for record in &records {
        let number = number(&record.text());
        if let Some(before) = last.insert(record.key_text(), number) {
            assert!(before < number, "{before} is before {number} on the log");
        }
    }
    assert_eq!(records.len(), count);
    let numbers: BTreeSet<_> = records.iter().map(|one| number(&one.text())).collect();
    check_all(&numbers, count);
}

/// No number up to `count` is missing.
pub(crate) fn check_all(found: &BTreeSet<usize>, count: usize) {
    let missing: Vec<_> = (0..count).filter(|n| !found.contains(n)).collect();
    assert!(
        missing.is_empty(),
        "{} lines are lost, the first is {}",
        missing.len(),
        missing[0]
    );
}
