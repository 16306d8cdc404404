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

/// What `ci/kafka` tells.
pub(crate) fn told(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!("{variable} is not set: run me with `ci/kafka --secure cargo test …`")
    })
}
