//! What values must be and what is added to them, however they come.

use serde_json::{Value, json};

use crate::support::{Place, each};

const SCHEMA: &str = r#"{"type":"object","properties":{"total":{"type":"number","minimum":0}}}"#;

#[test]
fn a_value_that_lacks_what_is_required_fails_alone() {
    let place = Place::with(&["orders:1"]);
    let lines = "{\"value\":{\"message\":\"a\"}}\n{\"value\":{\"x\":1}}\n{\"value\":{\"message\":null}}\n\
                 {\"value\":\"text\"}\n{\"value\":null,\"key\":\"k\"}\n{\"value\":{\"message\":\"\"}}\n";
    let sent = place
        .kpipe(&["send", "orders", "--require", "message"])
        .arguments(&["--receipts", "failed", "--failed", "left.jsonl"])
        .input(lines)
        .run()
        .ends(1)
        .says(&[
            "stdin:2: /message: required, and missing\n",
            "stdin:3: /message: required, and null\n",
            "stdin:4: the value is not a JSON object\n",
            "3 sent, 3 failed",
        ]);
    let receipts = sent.json();
    assert_eq!(each(&receipts, "line"), [&json!(2), &json!(3), &json!(4)]);
    for receipt in &receipts {
        assert_eq!(receipt["error"]["code"], "INVALID");
        assert_eq!(receipt["persisted"], "no");
    }
    let left: String = lines.split_inclusive('\n').skip(1).take(3).collect();
    assert_eq!(place.read("left.jsonl"), left.as_bytes());
    assert_eq!(place.values("orders").lines().count(), 3);
}

#[test]
fn a_first_line_that_is_refused_does_not_end_the_run() {
    let place = Place::with(&["orders:1"]);
    place
        .kpipe(&["send", "orders", "--require", "/user/id"])
        .input("{\"value\":{}}\n{\"value\":{\"user\":{\"id\":1}}}\n")
        .run()
        .ends(1)
        .says(&["stdin:1: /user/id: required", "1 sent, 1 failed"]);
}

#[test]
fn a_schema_says_where_and_why() {
    let place = Place::with(&["orders:1"]);
    place.write("order.json", SCHEMA);
    place
        .kpipe(&["send", "orders", "--lines", "--schema", "order.json"])
        .input("{\"total\":1.50}\n{\"total\":\"much\"}\n{\n{\"total\":-1}\n")
        .run()
        .ends(1)
        .says(&[
            "stdin:2: /total: \"much\" is not of type \"number\"\n",
            "stdin:3: the value is not JSON\n",
            "stdin:4: /total: -1 is less than the minimum of 0\n",
        ]);
    assert_eq!(place.values("orders"), "{\"total\":1.50}\n");
    let receipt = place
        .kpipe(&["send", "orders", "{\"total\":[]}", "--schema", "order.json"])
        .run()
        .ends(1)
        .errors("error: not sent: /total: [] is not of type \"number\"\n")
        .json();
    assert_eq!(receipt[0]["error"]["code"], "INVALID");
    assert_eq!(
        receipt[0]["error"]["message"],
        "/total: [] is not of type \"number\""
    );
}

#[test]
fn a_schema_that_is_none_is_wrong_usage() {
    let place = Place::at("127.0.0.1:1");
    place
        .write("typo.json", r#"{"type":"nmuber"}"#)
        .write("cut.json", "{");
    for (file, told) in [
        ("absent.json", "error: cannot read the schema `absent.json`"),
        ("typo.json", "not a JSON Schema, at /type"),
        ("cut.json", "caused by: not JSON"),
    ] {
        place
            .kpipe(&["send", "orders", "{}", "--schema", file])
            .run()
            .ends(2)
            .says(&[told])
            .says_one_block();
    }
}

#[test]
fn what_is_added_comes_last_and_all_else_stays_as_it_is() {
    let place = Place::with(&["orders:1"]);
    let rules = [
        "--default",
        "user_id=anonymous",
        "--default",
        "/meta/source=\"now\"",
        "--assign",
        "n=42",
    ];
    let value = r#"{ "price":1.50 ,"big":12345678901234567890, "n" : 1e2 }"#;
    let expected = r#"{ "price":1.50 ,"big":12345678901234567890, "n" : 42,"user_id":"anonymous","meta":{"source":"now"} }"#;
    place
        .kpipe(&["send", "orders", "--lines", "-q"])
        .arguments(&rules)
        .input(format!("{value}\n"))
        .run()
        .ends(0)
        .errors("");
    place
        .kpipe(&["send", "orders", "-q"])
        .arguments(&rules)
        .input(format!("{{\"value\":{value}}}\n"))
        .run()
        .ends(0);
    place
        .kpipe(&["send", "orders", value, "-q"])
        .arguments(&rules)
        .run()
        .ends(0);
    assert_eq!(place.values("orders"), format!("{expected}\n").repeat(3));
}

#[test]
fn a_value_that_needs_nothing_is_sent_byte_for_byte() {
    let place = Place::with(&["orders:1"]);
    let value = "{ \"user_id\" : \"u\\u0031\" }  \r\n";
    place
        .kpipe(&["send", "orders", "--lines", "-q", "--default", "user_id=x"])
        .input(value)
        .run()
        .ends(0);
    place
        .kpipe(&[
            "send",
            "orders",
            "--tombstone",
            "-k",
            "k",
            "-q",
            "--assign",
            "a=1",
        ])
        .run()
        .ends(0);
    let records = place.records("orders");
    assert_eq!(place.values("orders"), format!("{value}\n"));
    assert_eq!(records[1]["value"], Value::Null);
}

#[test]
fn words_are_made_anew_for_each_record() {
    let place = Place::with(&["orders:1"]);
    place
        .kpipe(&["send", "orders", "--lines", "-q"])
        .arguments(&[
            "--assign",
            "id=uuid",
            "--assign",
            "at=now",
            "--assign",
            "host=host",
        ])
        .input("{}\n{}\n")
        .run()
        .ends(0);
    let records = place.records("orders");
    let [one, other] = [&records[0]["value"], &records[1]["value"]];
    assert_ne!(one["id"], other["id"]);
    assert_eq!(one["id"].as_str().unwrap().len(), 36);
    let at: jiff::Timestamp = one["at"].as_str().unwrap().parse().unwrap();
    assert!(at.as_second() > 1_700_000_000, "{at}");
    assert_eq!(one["host"], other["host"]);
    assert!(!one["host"].as_str().unwrap().is_empty());
}

#[test]
fn values_are_checked_as_they_come_and_then_completed() {
    let place = Place::with(&["orders:1"]);
    place
        .kpipe(&["send", "orders", "{}", "--require", "a", "--default", "a=1"])
        .run()
        .ends(1)
        .says(&["/a: required, and missing"]);
}

#[test]
fn a_strict_run_sends_nothing_where_one_value_is_refused() {
    let place = Place::with(&["orders:1"]);
    place
        .kpipe(&["send", "orders", "--lines", "--strict", "--require", "a"])
        .input("{\"a\":1}\n{\"b\":1}\n")
        .run()
        .ends(2)
        .says(&["stdin:2: /a: required, and missing", "1 line is bad"]);
    assert_eq!(place.values("orders"), "");
    // A schema from a pipe can be read once.
    place
        .bash(
            "seq 3 | kpipe send orders --lines --strict --schema <(echo '{\"type\":\"integer\"}')",
        )
        .run()
        .ends(0)
        .says(&["3 sent, 0 failed"]);
}

#[test]
fn an_assignment_that_is_none_is_wrong_usage() {
    let place = Place::at("127.0.0.1:1");
    for (assignment, told) in [
        ("a", "expected FIELD=VALUE"),
        ("=1", "a field has a name"),
        ("a={b:1}", "is not JSON; in quotes it is a text"),
        ("/a~=1", "`~0`"),
    ] {
        place
            .kpipe(&["send", "orders", "{}", "--assign", assignment])
            .run()
            .ends(2)
            .says(&[told]);
    }
}
