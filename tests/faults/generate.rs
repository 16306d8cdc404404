//! A broker that goes away in the middle of what is generated.

use std::time::Duration;

use crate::support::executable::bash;
use crate::support::kafka::{node, topic};

/// A million, or without optimisation, which makes it five times slower, a fifth of them.
const PAYMENTS: usize = if cfg!(debug_assertions) {
    200_000
} else {
    1_000_000
};

/// What the client library says of a broker that is gone.
const GONE: &str = "Connection refused";

#[test]
fn every_payment_arrives_though_the_broker_restarts() {
    let topic = topic("payments").partitions(3).create();
    let folder = tempfile::tempdir().unwrap();
    let manifest = folder.path().join("made.json");
    let long = Duration::from_mins(15);
    // At most at this pace, so that the broker dies in the middle.
    let script = format!(
        "kpipe generate payment -n {PAYMENTS} --manifest {manifest:?} --start 1h --rate 20000/s | \
         kpipe -v send {:?}",
        &*topic
    );
    let send = bash(&script).within(long).start();
    topic.until_it_holds(1000);
    node("kill", 1);
    send.until_it_says(GONE);
    node("start", 1);
    send.wait().ok().says(&format!("{PAYMENTS} sent, 0 failed"));
    let script = format!(
        "kpipe tail {:?} -e | kpipe generate verify {manifest:?}",
        &*topic
    );
    let verified = bash(&script).within(long).run().ok().lines();
    assert_eq!(verified[0]["received"], PAYMENTS);
    assert_eq!(verified[0]["expected"], PAYMENTS);
}
