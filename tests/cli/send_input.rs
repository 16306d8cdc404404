//! What `send` makes of its input: record lines, other tools' lines, plain lines, whole files, and
//! everything that is none of these.

use serde_json::{Value, json};

use crate::support::{Place, each};

#[test]
fn a_first_line_that_is_no_record_line_sends_nothing() {
    let place = Place::with(&["orders:1"]);
    place
        .kpipe(&["send", "orders"])
        .input("plain\n{\"value\":\"b\"}\n")
        .run()
        .ends(2)
        .prints("")
        .says(&[
            "error: stdin:1:1: not a record line: ",
            "hint: kpipe send orders --lines",
        ]);
    assert_eq!(place.values("orders"), "");
}

#[test]
fn a_first_line_that_is_no_record_line_is_one_block() {
    let place = Place::with(&["orders:1"]);
    place
        .kpipe(&["send", "orders", "-q"])
        .input("plain\n{\"value\":\"b\"}\n")
        .run()
        .ends(2)
        .says_one_block();
}

#[test]
fn later_bad_lines_are_told_with_their_place_and_counted_and_the_rest_goes_on() {
    let place = Place::with(&["orders:1"]);
    let mut lines: Vec<String> = (1..=20).map(|n| format!("{{\"value\":\"{n}\"}}")).collect();
    lines[16] = r#"{"key":"0123456789","value":1  "headers":[]}"#.to_owned();
    lines[18] = r#"{"vlaue":"0123456789"}"#.to_owned();
    place
        .kpipe(&["send", "orders"])
        .input(lines.join("\n"))
        .run()
        .ends(1)
        .says(&[
            "error: stdin:17:32: expected `,` or `}`\n",
            "error: stdin:19:2: unknown field `vlaue`, did you mean `value`?\n",
            "18 sent, 2 failed",
        ]);
    let values = place.values("orders");
    assert_eq!(values.lines().count(), 18);
    assert!(values.ends_with("\n18\n20\n"), "{values}");
}

#[test]
fn what_is_wrong_with_a_line_is_told_in_plain_words() {
    let place = Place::with(&["orders:1"]);
    for (line, told) in [
        (
            "{\"value\":nul}",
            "stdin:2:13: expected `true`, `false` or `null`",
        ),
        (
            "{\"value\":",
            "stdin:2:9: the text ends where a value should be",
        ),
        (
            "{\"value\":1",
            "stdin:2:10: the text ends inside an object, without `}`",
        ),
        ("{value:1}", "stdin:2:2: expected a name in double quotes"),
        (
            "{\"value\":abc}",
            "stdin:2:10: expected a value; text stands in double quotes",
        ),
        (
            "{\"value\":{\"a\":01}}",
            "stdin:2:16: not a number as JSON writes them",
        ),
        (
            "{\"value\":1} {}",
            "stdin:2:13: more text behind the end of the value",
        ),
    ] {
        place
            .kpipe(&["send", "orders"])
            .input(format!("{{\"value\":1}}\n{line}\n"))
            .run()
            .ends(1)
            .says(&[&format!("error: {told}\n")]);
    }
}

#[test]
fn strict_sends_nothing_when_one_line_is_bad() {
    let place = Place::with(&["orders:1"]);
    let lines = "{\"value\":\"a\"}\n{\"value\":\"b\"\n{\"value\":\"c\"}\nd\n";
    place.write("lines", lines);
    for (arguments, name) in [
        (&["send", "orders", "--strict"][..], "stdin"),
        (&["send", "orders", "--strict", "--file", "lines"], "lines"),
    ] {
        place.kpipe(arguments).input(lines).run().ends(2).says(&[
            &format!("error: {name}:2:"),
            &format!("error: {name}:4:1: not a record line"),
            "error: nothing was sent: 2 lines are bad",
        ]);
    }
    assert_eq!(place.values("orders"), "");
    let good = "{\"value\":\"a\"}\n{\"value\":\"b\"}\n";
    place.write("good", good);
    place
        .kpipe(&["send", "orders", "--strict"])
        .input(good)
        .run()
        .ends(0);
    place
        .kpipe(&["send", "orders", "--strict", "--file", "good"])
        .run()
        .ends(0);
    assert_eq!(place.values("orders"), "a\nb\na\nb\n");
}

#[test]
fn an_unknown_field_is_an_error_unless_ignored() {
    let place = Place::with(&["orders:1"]);
    let lines = "{\"value\":\"a\"}\n{\"value\":\"b\",\"colour\":\"red\"}\n";
    place
        .kpipe(&["send", "orders"])
        .input(lines)
        .run()
        .ends(1)
        .says(&["stdin:2:14: unknown field `colour`"]);
    place
        .kpipe(&["send", "orders", "--ignore-unknown"])
        .input(lines)
        .run()
        .ends(0);
    assert_eq!(place.values("orders"), "a\na\nb\n");
}

#[test]
fn an_unknown_partition_ends_the_run_and_says_how_many_were_sent() {
    let place = Place::with(&["orders:2"]);
    let lines =
        "{\"value\":\"a\",\"partition\":1}\n{\"value\":\"b\",\"partition\":2}\n{\"value\":\"c\"}\n";
    place
        .kpipe(&["send", "orders"])
        .input(lines)
        .run()
        .ends(2)
        .says(&[
            "stdin:2: topic `orders` has no partition 2, it has 2; 1 sent",
            "--repartition",
        ]);
    assert_eq!(place.values("orders"), "a\n");
}

#[test]
fn repartition_ignores_the_partition_and_now_the_timestamp() {
    let place = Place::with(&["orders:3", "wide:3"]);
    let line = r#"{"value":"a","key":"21","partition":17,"timestamp":1000}"#;
    place
        .kpipe(&["send", "orders", "--repartition"])
        .input(line)
        .run()
        .ends(0);
    let records = place.records("orders");
    assert_eq!(
        records[0]["partition"],
        crate::send::partition_of(-973_932_308)
    );
    assert_eq!(records[0]["timestamp"], 1000);
    place
        .kpipe(&["send", "wide", "--repartition", "--now"])
        .input(line)
        .run()
        .ends(0);
    let now = &place.records("wide")[0]["timestamp"];
    assert!(now.as_i64().unwrap() > 1_700_000_000_000, "{now}");
}

#[test]
fn plain_lines_are_values_with_every_byte_before_the_line_feed() {
    let place = Place::with(&["orders:1"]);
    place
        .kpipe(&["send", "orders", "--lines"])
        .input(b"a\r\n\nb\0c\n\xff\xfe\nlast".to_vec())
        .run()
        .ends(0)
        .says(&["5 sent, 0 failed"]);
    let values = place
        .kpipe(&["tail", "orders", "-e", "--values"])
        .run()
        .ends(0);
    assert_eq!(values.bytes(), b"a\r\n\nb\0c\n\xff\xfe\nlast\n");
}

#[test]
fn keys_come_out_of_json_values_or_before_a_separator() {
    let place = Place::with(&["orders:1", "split:1"]);
    place
        .kpipe(&["send", "orders", "--lines", "--key-from", "/user/id"])
        .input("{\"user\":{\"id\":7}}\n{\"user\":{\"id\":\"u\"}}\n{}\nnot json\n")
        .run()
        .ends(1)
        .says(&["stdin:4:2: "]);
    let records = place.records("orders");
    assert_eq!(
        each(&records, "key"),
        [&json!("7"), &json!("u"), &Value::Null]
    );
    assert_eq!(records[0]["value"], json!({"user":{"id":7}}));
    for separator in [":", r"\x3a"] {
        place
            .kpipe(&["send", "split", "--lines", "-K", separator])
            .input("k:v:w\nnone\n:\n")
            .run()
            .ends(0);
    }
    let records = place.records("split");
    for half in records.chunks(3) {
        assert_eq!(each(half, "key"), [&json!("k"), &Value::Null, &json!("")]);
        assert_eq!(
            each(half, "value"),
            [&json!("v:w"), &json!("none"), &json!("")]
        );
    }
    assert_eq!(records.len(), 6);
    for flag in [["--key-from", "/a"], ["-K", ":"]] {
        place
            .kpipe(&["send", "orders", flag[0], flag[1]])
            .run()
            .ends(2)
            .says(&["hint: add `--lines`"]);
    }
}

#[test]
fn lines_of_other_tools_are_read_when_named() {
    let place = Place::with(&["kcat:1", "rpk:1", "kaf:1"]);
    let kcat = r#"{"topic":"kcat","partition":0,"offset":4,"tstype":"create","ts":1763668800123,"broker":1,"headers":["a","1","a",null],"key":"k","payload":"v"}"#;
    let rpk = r#"{"topic":"rpk","key":"k","value":"v","headers":[{"key":"a","value":"1"}],"timestamp":1763668800123,"partition":0,"offset":4}"#;
    let kaf = r#"{"headers":[{"key":"a","value":"1"}],"key":"k","partition":0,"offset":4,"timestamp":"2025-11-20T20:00:00.123Z","payload":"v"}"#;
    for (tool, line) in [("kcat", kcat), ("rpk", rpk), ("kaf", kaf)] {
        place
            .kpipe(&["send", tool, "--input", tool])
            .input(line)
            .run()
            .ends(0)
            .says(&["1 sent"]);
        let records = place.records(tool);
        let record = &records[0];
        assert_eq!(record["key"], "k", "{tool}");
        assert_eq!(record["value"], "v", "{tool}");
        assert_eq!(record["timestamp"], 1_763_668_800_123_i64, "{tool}");
        assert_eq!(
            record["headers"][0],
            json!({"key":"a","value":"1"}),
            "{tool}"
        );
    }
    // Not named, they are not guessed, but recognised well enough for a hint.
    place
        .kpipe(&["send", "kcat"])
        .input(kcat)
        .run()
        .ends(2)
        .says(&["unknown field `tstype`", "--input kcat"]);
}

#[test]
fn a_whole_file_is_a_value() {
    let place = Place::with(&["orders:1"]);
    place.write("a", b"one\ntwo\n\xff").write("empty", "");
    place
        .kpipe(&[
            "send", "orders", "--input", "whole", "--file", "a", "--file", "empty",
        ])
        .run()
        .ends(0)
        .says(&["2 sent, 0 failed"]);
    let values = place
        .kpipe(&["tail", "orders", "-e", "--values"])
        .run()
        .ends(0);
    assert_eq!(values.bytes(), b"one\ntwo\n\xff\n\n");
    place
        .kpipe(&["send", "orders", "--input", "whole"])
        .input("stdin\n")
        .run()
        .ends(0)
        .says(&["1 sent"]);
}

#[test]
fn bytes_that_are_no_text_are_told_by_their_place() {
    let place = Place::with(&["orders:1"]);
    let mut lines = b"{\"value\":\"a\"}\n{\"value\":\"".to_vec();
    lines.extend_from_slice(
        b"\xff\"}\n{\"value\":\"\0\"}\n{\"value\":\"crlf\"}\r\n{\"value\":\"last\"}",
    );
    place
        .kpipe(&["send", "orders"])
        .input(lines)
        .run()
        .ends(1)
        .says(&[
            "stdin:2:11: not valid UTF-8",
            "stdin:3:",
            "3 sent, 2 failed",
        ]);
    assert_eq!(place.values("orders"), "a\ncrlf\nlast\n");
}

#[test]
fn a_line_too_long_is_told_and_the_next_is_sent() {
    let place = Place::with(&["orders:1"]);
    let mut lines = b"before\n".to_vec();
    lines.resize(lines.len() + 20 * 1024 * 1024, b'x');
    lines.extend_from_slice(b"\nafter\n");
    place
        .kpipe(&["send", "orders", "--lines", "--failed", "left"])
        .input(lines.clone())
        .run()
        .ends(1)
        .says(&["stdin:2: ", "2 sent, 1 failed"]);
    assert_eq!(place.values("orders"), "before\nafter\n");
    assert!(
        place.read("left") == lines[7..lines.len() - 6],
        "the line is not kept whole"
    );
}

#[test]
fn a_record_too_large_fails_alone() {
    let place = Place::with(&["orders:1"]);
    let large = "x".repeat(2_000_000);
    place
        .kpipe(&["send", "orders", "--lines", "--receipts", "failed"])
        .input(format!("before\n{large}\nafter\n"))
        .run()
        .ends(1)
        .says(&["stdin:2: ", "2 sent, 1 failed"]);
    assert_eq!(place.values("orders"), "before\nafter\n");
}

#[test]
fn stdin_is_not_both_records_and_properties() {
    let place = Place::at("127.0.0.1:1");
    place
        .kpipe(&["send", "orders", "-F", "-"])
        .input("bootstrap.servers=localhost:1\n")
        .run()
        .ends(2)
        .says(&["stdin cannot be both"]);
}

#[test]
fn what_a_value_lacks_may_stand_on_the_command_line() {
    let place = Place::with(&["orders:2"]);
    place.write("order.json", "{\n  \"id\": 7\n}\n");
    let record = [
        "-H",
        "source=cron",
        "-H",
        "empty",
        "-p",
        "1",
        "--timestamp",
        "1700000000000",
    ];
    let whole = [
        "send",
        "orders",
        "--input",
        "whole",
        "--file",
        "order.json",
        "-k",
        "u-17",
    ];
    place.kpipe(&whole).arguments(&record).run().ends(0);
    // Keys of the lines' own stay.
    let lines = ["send", "orders", "--lines", "-K", ":"];
    place
        .kpipe(&lines)
        .arguments(&record)
        .input("a:1\nb:2\n")
        .run()
        .ends(0);
    let records = place.records("orders");
    let headers = json!([{"key": "source", "value": "cron"}, {"key": "empty", "value": null}]);
    let expected = |key: &str, value: &str| json!({"partition": 1, "timestamp": 1_700_000_000_000_i64, "key": key, "value": value, "headers": headers});
    for (record, expected) in records.iter().zip([
        expected("u-17", "{\n  \"id\": 7\n}\n"),
        expected("a", "1"),
        expected("b", "2"),
    ]) {
        for (name, value) in expected.as_object().unwrap() {
            assert_eq!(&record[name], value, "{record}");
        }
    }
    assert_eq!(records.len(), 3);
}

#[test]
fn record_lines_have_all_of_their_own() {
    let place = Place::with(&["orders:1"]);
    place
        .kpipe(&["send", "orders", "-k", "u-17"])
        .input("{\"value\":\"b\"}\n")
        .run()
        .ends(2)
        .says(&[
            "there is no VALUE",
            "hint: give a VALUE, `--tombstone`, `--lines` or",
        ]);
}
