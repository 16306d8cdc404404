//! A reader that takes nothing, and a line that is too long for anyone.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::eventually;
use crate::support::executable::kpipe;
use crate::support::kafka::{Record, Topic, topic};

const RECORDS: i64 = 200_000;

/// A MiB in KiB.
const MIB: u64 = 1024;

fn filled(name: &str) -> Topic {
    let topic = topic(name).create();
    let records: Vec<_> = (0..RECORDS)
        .map(|number| Record {
            partition: 0,
            timestamp: 1_763_668_800_000,
            key: None,
            value: Some(format!("{number:0190}").into_bytes()),
            headers: Vec::new(),
        })
        .collect();
    topic.append(&records);
    topic
}

#[test]
fn a_reader_that_takes_nothing_for_long_costs_no_memory_and_gets_all() {
    let topic = filled("slow-reader");
    let mut tail = kpipe(["tail", &topic, "-e"]).start_unread();
    let peak = tail.settled_memory();
    assert!(tail.is_running(), "nobody read, and yet it is done");
    assert!(peak < 64 * MIB, "{peak} KiB");
    let all = tail.wait().ok();
    assert_eq!(all.offsets(), (0..RECORDS).collect::<Vec<_>>());
}

#[test]
fn a_reader_that_takes_nothing_does_not_hold_up_the_end() {
    let topic = filled("stuck-reader");
    for group in [&[][..], &["-g", "group-of-a-test-stuck"]] {
        let mut tail = kpipe(["tail", &topic, "-o", "beginning"])
            .args(group)
            .start_unread();
        tail.settled_memory();
        let start = Instant::now();
        tail.signal(Signal::TERM);
        eventually("it ends", || (!tail.is_running()).then_some(()));
        // The ten seconds are promised.
        assert!(start.elapsed() < Duration::from_secs(10), "{group:?}");
        tail.wait().dies_of(Signal::TERM);
    }
}

/// A line between two others, too long to be a record.
fn check_long_line(name: &str, more: &[&str], line: impl Fn(&str) -> Vec<u8>) {
    let topic = topic(name).create();
    let folder = tempfile::tempdir().unwrap();
    let failed = folder.path().join("failed");
    let long = line(&"x".repeat(100_000_000));
    let mut send = kpipe(["send", &topic])
        .args(more)
        .args(["--failed".as_ref(), failed.as_os_str()])
        .open_input()
        .start();
    send.write(line("before"));
    send.write(&long);
    send.write(line("after"));
    topic.until_it_holds(2);
    let peak = send.peak_memory();
    assert!(peak < 128 * MIB, "{peak} KiB");
    send.wait()
        .exits(1)
        .says("stdin:2: line longer than 16 MiB")
        .says("2 sent, 1 failed");
    let texts: Vec<_> = topic.records().iter().map(Record::text).collect();
    assert_eq!(texts, ["before", "after"]);
    assert!(
        std::fs::read(failed).unwrap() == long,
        "the failed file holds something else"
    );
}

#[test]
fn a_plain_line_of_100_mb_is_reported_kept_and_passed_over() {
    check_long_line("long-line", &["--lines"], |text| {
        format!("{text}\n").into_bytes()
    });
}

#[test]
fn a_record_line_of_100_mb_is_reported_kept_and_passed_over() {
    check_long_line("long-record-line", &[], |text| {
        format!("{{\"value\":\"{text}\"}}\n").into_bytes()
    });
}
