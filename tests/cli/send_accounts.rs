//! acked + failed = lines read, and what failed is kept byte for byte.
//!
//! The built-in broker shows what an aborted transaction wrote, so that readers do not see it is
//! a test of real Kafka.

use rdkafka::mocking::MockCluster;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use rustix::process::Signal;
use serde_json::json;

use crate::support::{Place, each};

const MIXED: &str = "{\"value\":\"a\"}\n { \"vlaue\" : \"b\" }\r\n{\"value\":\"c\"}\n{\"key\":1}";

#[test]
fn failed_lines_are_kept_byte_for_byte_with_their_reasons() {
    let place = Place::with(&["orders:1"]);
    place
        .kpipe(&["send", "orders", "--failed", "left"])
        .input(MIXED)
        .run()
        .ends(1)
        .says(&["2 sent, 2 failed"]);
    assert_eq!(
        String::from_utf8(place.read("left")).unwrap(),
        " { \"vlaue\" : \"b\" }\r\n{\"key\":1}\n"
    );
    let why = String::from_utf8(place.read("left.why")).unwrap();
    let why: Vec<serde_json::Value> = why
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(each(&why, "line"), [&json!(2), &json!(4)]);
    assert!(
        why.iter()
            .all(|reason| reason["error"]["code"] == "MALFORMED")
    );
}

#[test]
fn the_failed_file_is_empty_when_nothing_failed() {
    let place = Place::with(&["orders:1"]);
    place
        .kpipe(&["send", "orders", "--lines", "--failed", "left"])
        .input("a\nb\n")
        .run()
        .ends(0);
    assert!(place.path("left").exists());
    assert_eq!(place.read("left"), b"");
}

#[test]
fn sending_the_failed_file_completes_the_job() {
    let place = Place::with(&["orders:1"]);
    // The second line's topic is not there yet, in the words of this run.
    let lines = "{\"topic\":\"orders\",\"value\":\"a\"}\n{\"topic\":\"late\",\"value\":\"b\"}\n{\"topic\":\"orders\",\"value\":\"c\"}\n";
    place
        .kpipe(&["send", "--failed", "left"])
        .input(lines)
        .run()
        .ends(1);
    assert_eq!(
        place.read("left"),
        b"{\"topic\":\"late\",\"value\":\"b\"}\n"
    );
    place
        .kpipe(&["send", "orders", "--file", "left", "--failed", "left2"])
        .run()
        .ends(0);
    assert_eq!(place.values("orders"), "a\nc\nb\n");
    assert_eq!(place.read("left2"), b"");
}

#[test]
fn what_an_earlier_run_left_stays() {
    let place = Place::with(&["orders:1"]);
    place.write("left", "old, no line end");
    place
        .kpipe(&["send", "orders", "--failed", "left"])
        .input(MIXED)
        .run()
        .ends(1);
    assert_eq!(
        String::from_utf8(place.read("left")).unwrap(),
        "old, no line end\n { \"vlaue\" : \"b\" }\r\n{\"key\":1}\n"
    );
}

#[test]
fn the_input_is_refused_as_the_failed_file() {
    let place = Place::with(&["orders:1"]);
    place.write("lines", "{\"value\":\"a\"}\n");
    std::os::unix::fs::symlink(place.path("lines"), place.path("link")).unwrap();
    for failed in ["lines", "link"] {
        place
            .kpipe(&["send", "orders", "--file", "lines", "--failed", failed])
            .run()
            .ends(2)
            .says(&["is also the input"])
            .says_one_block();
    }
    assert_eq!(place.read("lines"), b"{\"value\":\"a\"}\n");
    assert_eq!(place.values("orders"), "");
}

#[test]
fn the_input_is_refused_as_the_file_of_the_reasons() {
    let place = Place::with(&["orders:1"]);
    place.write("left.why", "{\"value\":\"a\"}\n");
    std::os::unix::fs::symlink(place.path("left.why"), place.path("link")).unwrap();
    for input in ["left.why", "link"] {
        place
            .kpipe(&["send", "orders", "--file", input, "--failed", "left"])
            .run()
            .ends(2)
            .says(&["left.why` is also the input"])
            .says_one_block();
    }
    assert_eq!(place.read("left.why"), b"{\"value\":\"a\"}\n");
    assert!(!place.path("left").exists());
    assert_eq!(place.values("orders"), "");
}

#[test]
fn strict_gives_its_reasons_in_receipts_and_beside_the_failed_file() {
    let place = Place::with(&["orders:1"]);
    let receipts = place
        .kpipe(&[
            "send",
            "orders",
            "--strict",
            "--failed",
            "left",
            "--receipts",
            "failed",
        ])
        .input(MIXED)
        .run()
        .ends(2)
        .says(&["error: nothing was sent: 2 lines are bad"])
        .json();
    assert_eq!(
        String::from_utf8(place.read("left")).unwrap(),
        format!("{MIXED}\n")
    );
    let why = String::from_utf8(place.read("left.why")).unwrap();
    let why: Vec<serde_json::Value> = why
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(why, receipts);
    // The last is for every line that has no reason of its own.
    assert_eq!(
        each(&why, "line"),
        [&json!(2), &json!(4), &serde_json::Value::Null]
    );
    let codes: Vec<_> = why.iter().map(|reason| &reason["error"]["code"]).collect();
    assert_eq!(codes, ["MALFORMED", "MALFORMED", "NOT_SENT"]);
    assert_eq!(place.values("orders"), "");
}

#[test]
fn what_the_broker_refuses_is_failed_and_kept() {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic("orders", 1, 1).unwrap();
    let place = Place::at(&cluster.bootstrap_servers());
    cluster.request_errors(
        RDKafkaApiKey::Produce,
        &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_INVALID_RECORD; 10],
    );
    let failed = place
        .kpipe(&[
            "send",
            "orders",
            "--lines",
            "--failed",
            "left",
            "--receipts",
            "failed",
        ])
        .input("a\nb\n")
        .run()
        .ends(1)
        .says(&["stdin:1-2: ", "0 sent, 2 failed"])
        .json();
    assert_eq!(each(&failed, "line"), [&json!(1), &json!(2)]);
    assert_eq!(place.read("left"), b"a\nb\n");
    cluster.clear_request_errors(RDKafkaApiKey::Produce);
    place
        .kpipe(&[
            "send", "orders", "--lines", "--file", "left", "--failed", "left2",
        ])
        .run()
        .ends(0);
    assert_eq!(place.values("orders"), "a\nb\n");
}

#[test]
fn errors_that_pass_are_retried_in_order() {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic("orders", 1, 1).unwrap();
    let place = Place::at(&cluster.bootstrap_servers());
    cluster.request_errors(
        RDKafkaApiKey::Produce,
        &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION; 2],
    );
    place
        .kpipe(&["send", "orders", "--lines"])
        .input("a\nb\nc\n")
        .run()
        .ends(0)
        .says(&["3 sent, 0 failed"]);
    assert_eq!(place.values("orders"), "a\nb\nc\n");
}

#[test]
fn an_interrupted_run_accounts_for_every_line() {
    let place = Place::with(&["orders:1"]);
    let lines: String = (0..1000).map(|n| format!("line {n}\n")).collect();
    place.write("lines", &lines);
    let send = place
        .kpipe(&[
            "send",
            "orders",
            "--lines",
            "--file",
            "lines",
            "--rate",
            "50/s",
            "--failed",
            "left",
            "--receipts",
            "all",
        ])
        .start();
    // It is in the middle once a reader sees the first.
    let seen = place
        .kpipe(&["tail", "orders", "-n", "1", "--values"])
        .run()
        .ends(0);
    assert_eq!(seen.bytes(), b"line 0\n");
    send.signal(Signal::TERM);
    let ended = send.ended().dies_of(Signal::TERM);
    let arrived = place.values("orders");
    let left = String::from_utf8(place.read("left")).unwrap();
    assert!(!arrived.is_empty() && !left.is_empty());
    assert_eq!(arrived + &left, lines);
    let receipts = ended.json();
    assert_eq!(receipts.len(), 1000);
    let failed = receipts
        .iter()
        .filter(|receipt| receipt["error"].is_object());
    assert_eq!(failed.count(), left.lines().count());
}

#[test]
fn a_transaction_is_seen_whole() {
    let place = Place::with(&["orders:1"]);
    place
        .kpipe(&["send", "orders", "--lines", "--transaction"])
        .input("a\nb\n")
        .run()
        .ends(0)
        .says(&["2 sent, 0 failed"]);
    assert_eq!(place.values("orders"), "a\nb\n");
}

#[test]
fn a_transaction_with_a_bad_line_fails_whole_and_every_line_is_kept() {
    let place = Place::with(&["orders:1"]);
    place
        .kpipe(&["send", "orders", "--transaction", "--failed", "left"])
        .input(MIXED)
        .run()
        .ends(1)
        .says(&["stdin:2:4: ", "0 sent, 4 failed"]);
    assert_eq!(
        String::from_utf8(place.read("left")).unwrap(),
        format!("{MIXED}\n")
    );
}

#[test]
fn an_interrupted_transaction_fails_whole_and_every_line_is_kept() {
    let place = Place::with(&["orders:1"]);
    let lines: String = (0..1000).map(|n| format!("line {n}\n")).collect();
    place.write("lines", &lines);
    let send = place
        .kpipe(&[
            "send",
            "orders",
            "--lines",
            "--file",
            "lines",
            "--rate",
            "50/s",
            "--failed",
            "left",
            "--transaction",
        ])
        .start();
    // It is in the middle once a reader of uncommitted records sees the first.
    let seen = place
        .kpipe(&[
            "tail",
            "orders",
            "-n",
            "1",
            "--values",
            "-X",
            "isolation.level=read_uncommitted",
        ])
        .run()
        .ends(0);
    assert_eq!(seen.bytes(), b"line 0\n");
    send.signal(Signal::TERM);
    send.ended()
        .dies_of(Signal::TERM)
        .says(&["0 sent, 1000 failed"]);
    assert!(place.read("left") == lines.as_bytes());
}

#[test]
fn a_transaction_has_no_receipts_before_its_end_and_wants_all_acknowledgements() {
    let place = Place::at("127.0.0.1:1");
    for flags in [["--receipts", "all"], ["--acks", "1"]] {
        place
            .kpipe(&["send", "orders", "--transaction", flags[0], flags[1]])
            .run()
            .ends(2);
    }
}

#[test]
fn receipts_that_nobody_reads_stop_no_line() {
    let place = Place::with(&["orders:1"]);
    let lines: String = (0..20_000).map(|n| format!("{n}\n")).collect();
    place.write("lines", &lines);
    place
        .bash("kpipe send orders --lines --file lines --receipts all -q | head -n 1 >/dev/null")
        .run()
        .ends(0)
        .errors("");
    assert!(place.values("orders") == lines);
}
