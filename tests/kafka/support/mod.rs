//! Real Kafka, kpipe's own executable and clients that are not ours, for tests that read like sentences.
#![allow(dead_code, reason = "each test binary uses a part")]

pub(crate) mod executable;
pub(crate) mod java;
pub(crate) mod kafka;
pub(crate) mod registry;

use std::time::{Duration, Instant};

/// How long a condition may take to come true before the test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// Waits until `look` finds something.
pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "it never came true: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Waits until `count` is at least `goal`, which may take long while it grows.
pub(crate) fn grows_to<C: PartialOrd + Copy + std::fmt::Debug>(
    goal: C,
    mut count: impl FnMut() -> C,
) {
    let mut best = count();
    while best < goal {
        best = eventually(&format!("it grows beyond {best:?}, to {goal:?}"), || {
            Some(count()).filter(|count| *count > best)
        });
    }
}

/// Partition, offset, key and value of each committed record, as kcat reads them, in the order of the log.
pub(crate) fn kcat(topic: &str) -> Vec<String> {
    let format = "%p %o %k %s\n";
    let output = std::process::Command::new("kcat")
        .args([
            "-b",
            &told("KAFKA_BROKERS"),
            "-C",
            "-e",
            "-q",
            "-t",
            topic,
            "-o",
            "beginning",
        ])
        .args(["-X", "isolation.level=read_committed", "-f", format])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort_by_key(|line| {
        let mut numbers = line
            .split(' ')
            .map(|number| number.parse::<i64>().unwrap_or_default());
        (numbers.next(), numbers.next())
    });
    lines
}

/// What `ci/kafka` tells.
pub(crate) fn told(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!("{variable} is not set: run me with `ci/kafka --secure cargo test …`")
    })
}
