//! A broker that dies while records are sent.

use std::collections::BTreeSet;

use crate::numbered::{MANY, check_all, check_all_once_in_order, lines, numbers, on_log};
use crate::support::executable::kpipe;
use crate::support::kafka::{node, topic};

/// What the client library says of a broker that is gone.
const GONE: &str = "Connection refused";

#[test]
fn a_broker_that_is_killed_and_restarted_costs_no_record_and_no_order() {
    let topic = topic("restarted").partitions(3).create();
    let mut send = kpipe(["-v", "send", &topic]).open_input().start();
    send.write(lines(0..MANY / 2));
    topic.until_it_holds(1000);
    node("kill", 1);
    // More comes in meanwhile, but not so much that the pipe blocks the test.
    send.write(lines(MANY / 2..MANY / 2 + 2000));
    send.until_it_says(GONE);
    node("start", 1);
    send.write(lines(MANY / 2 + 2000..MANY));
    send.wait().ok().says("200000 sent, 0 failed");
    check_all_once_in_order(&topic, MANY);
}

#[test]
fn a_broker_that_stays_away_leaves_the_rest_in_the_failed_file() {
    const LINES: usize = 20_000;
    let topic = topic("away").partitions(3).create();
    let folder = tempfile::tempdir().unwrap();
    let failed = folder.path().join("failed");
    let mut send = kpipe([
        "send",
        &topic,
        "--delivery-timeout",
        "5s",
        "--receipts",
        "all",
    ])
    .args(["--failed".as_ref(), failed.as_os_str()])
    .open_input()
    .start();
    send.write(lines(0..LINES / 2));
    send.lines(LINES / 2);
    node("kill", 1);
    send.write(lines(LINES / 2..LINES));
    let ended = send.wait();
    let status = ended.status.code();
    let left = std::fs::read(&failed).unwrap();
    node("start", 1);
    assert_eq!(status, Some(3), "{ended:?}");
    let receipts = ended.lines();
    assert_eq!(receipts.len(), LINES, "each line has a receipt");
    let acknowledged = receipts
        .iter()
        .filter(|receipt| receipt.get("offset").is_some())
        .count();
    assert_eq!(acknowledged, LINES / 2, "what was acknowledged stays so");
    assert_eq!(numbers(&left), (LINES / 2..LINES).collect::<BTreeSet<_>>());
    assert_eq!(left, lines(LINES / 2..LINES), "byte for byte, in order");
    let summary = format!("{} sent, {} failed", LINES / 2, LINES / 2);
    assert!(ended.stderr.contains(&summary), "{}", ended.stderr);

    kpipe([
        "send".as_ref(),
        topic.as_ref(),
        "--file".as_ref(),
        failed.as_os_str(),
    ])
    .run()
    .ok();
    check_all(&on_log(&topic).into_iter().collect(), LINES);
}
