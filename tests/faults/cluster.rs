//! One of three brokers dies while records are sent:
//! `ci/kafka --nodes 3 cargo test --features real-kafka --test faults -- --ignored cluster`.

use crate::numbered::{check_all_once_in_order, lines};
use crate::support::executable::kpipe;
use crate::support::kafka::{node, topic};

#[test]
#[ignore = "needs a cluster of three nodes"]
fn a_broker_of_three_that_is_killed_costs_no_record_and_no_order() {
    const LINES: usize = 100_000;
    // Replication is the cluster's default, 3, of which 2 must be in sync.
    let topic = topic("three").partitions(6).create();
    let mut send = kpipe(["-v", "send", &topic]).open_input().start();
    send.write(lines(0..LINES / 2));
    topic.until_it_holds(1000);
    node("kill", 1);
    send.write(lines(LINES / 2..LINES));
    let finished = send.wait().ok();
    node("start", 1);
    finished
        .says("Connection refused")
        .says("100000 sent, 0 failed");
    check_all_once_in_order(&topic, LINES);
}
