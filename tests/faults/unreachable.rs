//! Brokers that are not there: status 3 in less than 10 s, in one block.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use crate::support::executable::kpipe;

fn check(brokers: &str) {
    for command in [
        &["send", "orders", "v"][..],
        &["send", "orders", "--lines"],
        &["tail", "orders", "-e"],
        &["tail", "orders", "-g", "g"],
    ] {
        let start = Instant::now();
        kpipe(command)
            .env("KPIPE_BROKERS", brokers)
            .input("a\n")
            .run()
            .exits(3)
            .says(&format!("error: cannot reach Kafka at {brokers}"))
            .says_one_error();
        // The ten seconds are promised.
        assert!(start.elapsed() < Duration::from_secs(10), "{command:?}");
    }
}

#[test]
fn a_dead_broker_is_told_in_seconds() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = listener.local_addr().unwrap().to_string();
    drop(listener);
    check(&closed);
}

#[test]
fn an_unknown_host_is_told_in_seconds() {
    check("no-such-host.invalid:9092");
}
