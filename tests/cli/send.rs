//! One record from the command line, and record lines with their topics.

use serde_json::{Value, json};

use crate::support::{Place, each};

#[test]
fn one_record_has_what_the_flags_say_and_prints_its_receipt() {
    let place = Place::with(&["orders:3"]);
    let receipt = place
        .kpipe(&[
            "send",
            "orders",
            r#"{"id":7}"#,
            "-k",
            "u-17",
            "-H",
            "a=1",
            "-H",
            "a=x=y",
            "-H",
            "none",
            "-H",
            "empty=",
            "-p",
            "2",
            "--timestamp",
            "2025-11-20T10:00:00.123Z",
        ])
        .run()
        .ends(0)
        .errors("")
        .json();
    let [receipt] = receipt.as_slice() else {
        panic!("{receipt:?}");
    };
    assert_eq!(receipt["topic"], "orders");
    assert_eq!(receipt["partition"], 2);
    assert_eq!(receipt["offset"], 0);
    place
        .kpipe(&["tail", "orders", "-e"])
        .run()
        .ends(0)
        .errors("")
        .prints(concat!(
            r#"{"topic":"orders","partition":2,"offset":0,"timestamp":1763632800123,"key":"u-17","value":{"id":7},"#,
            r#""headers":[{"key":"a","value":"1"},{"key":"a","value":"x=y"},{"key":"none","value":null},{"key":"empty","value":""}]}"#,
            "\n"
        ));
}

/// librdkafka's mock cluster answers every record with 1234 as the time at which it was appended.
#[test]
fn a_receipt_of_the_built_in_broker_has_no_made_up_time() {
    let place = Place::with(&["orders:1"]);
    place
        .kpipe(&["send", "orders", "v"])
        .run()
        .ends(0)
        .prints("{\"topic\":\"orders\",\"partition\":0,\"offset\":0}\n");
    place
        .kpipe(&["send", "orders", "--lines", "--receipts", "all"])
        .input("v\n")
        .run()
        .ends(0)
        .prints("{\"line\":1,\"topic\":\"orders\",\"partition\":0,\"offset\":1}\n");
}

#[test]
fn a_tombstone_is_null_and_an_empty_value_is_not() {
    let place = Place::with(&["orders:1"]);
    place
        .kpipe(&["send", "orders", "--tombstone", "-k", "k"])
        .run()
        .ends(0)
        .errors("");
    place
        .kpipe(&["send", "orders", "", "-k", ""])
        .run()
        .ends(0)
        .errors("");
    let records = place.records("orders");
    assert_eq!(each(&records, "value"), [&Value::Null, &json!("")]);
    assert_eq!(each(&records, "key"), [&json!("k"), &json!("")]);
}

#[test]
fn a_value_may_begin_with_a_hyphen() {
    let place = Place::with(&["orders:1"]);
    place.kpipe(&["send", "orders", "-5"]).run().ends(0);
    let dashed = ["send", "orders", "--", "--line"];
    place.kpipe(&dashed).run().ends(0);
    assert_eq!(place.values("orders"), "-5\n--line\n");
}

#[test]
fn a_mistyped_flag_is_not_sent_as_a_value() {
    let place = Place::with(&["orders:1"]);
    place
        .kpipe(&["send", "orders", "--line"])
        .input("a\n")
        .run()
        .ends(2)
        .says(&["unexpected argument '--line'", "'--lines'"]);
    place
        .kpipe(&["send", "orders", "-P"])
        .input("a\n")
        .run()
        .ends(2)
        .says(&["records go in with `kpipe send TOPIC`"]);
    assert_eq!(place.values("orders"), "");
}

/// Where Java's partitioner puts a key with this murmur2 hash, of three partitions.
pub(crate) fn partition_of(hash: i32) -> i32 {
    (hash & i32::MAX) % 3
}

#[test]
fn the_key_decides_the_partition_as_in_java() {
    let place = Place::with(&["orders:3"]);
    // murmur2 of Kafka's own tests, `UtilsTest.testMurmur2`: "21" -973932308, "foobar" -790332482.
    for (key, hash) in [("21", -973_932_308_i32), ("foobar", -790_332_482)] {
        let receipt = place
            .kpipe(&["send", "orders", "v", "-k", key])
            .run()
            .ends(0)
            .json();
        assert_eq!(receipt[0]["partition"], partition_of(hash), "{key}");
    }
}

#[test]
fn quietly_a_record_is_sent_with_its_receipt_alone() {
    let place = Place::with(&["orders:1"]);
    let sent = place
        .kpipe(&["send", "orders", "v", "-q"])
        .run()
        .ends(0)
        .errors("");
    assert_eq!(sent.json().len(), 1);
    place
        .kpipe(&["send", "orders", "v", "--receipts", "none"])
        .run()
        .ends(0)
        .errors("")
        .prints("");
}

#[test]
fn a_partition_that_is_not_there_is_named_for_one_record() {
    let place = Place::with(&["orders:3"]);
    place
        .kpipe(&["send", "orders", "v", "-p", "3"])
        .run()
        .ends(2)
        .prints("")
        .says(&["topic `orders` has no partition 3; it has 0 to 2"])
        .says_one_block();
}

#[test]
fn a_topic_that_is_not_there_is_an_error_and_is_not_made() {
    let place = Place::with(&["orders:1"]);
    for arguments in [&["send", "nonesuch", "v"][..], &["send", "nonesuch"]] {
        place
            .kpipe(arguments)
            .input(r#"{"value":"v"}"#)
            .run()
            .ends(1)
            .prints("")
            .says(&[
                "error: topic `nonesuch` does not exist",
                "`kpipe broker --topic nonesuch`",
            ])
            .says_one_block();
    }
    // The line of a stream names it: this line fails, and the rest goes on.
    place
        .kpipe(&["send"])
        .input("{\"topic\":\"nonesuch\",\"value\":\"v\"}\n{\"topic\":\"orders\",\"value\":\"w\"}\n")
        .run()
        .ends(1)
        .says(&[
            "stdin:1: topic `nonesuch` does not exist",
            "1 sent, 1 failed",
        ]);
    assert_eq!(place.values("orders"), "w\n");
    place.kpipe(&["tail", "nonesuch", "-e"]).run().ends(1);
    place.kpipe(&["tail", "^none", "-e"]).run().ends(1);
}

#[test]
fn a_name_that_is_no_topics_is_wrong_usage() {
    let place = Place::at("127.0.0.1:1");
    place
        .kpipe(&["send", "no/topic", "v"])
        .run()
        .ends(2)
        .says(&["`no/topic` is not a topic name"]);
    place
        .kpipe(&["send", "no/topic"])
        .run()
        .ends(2)
        .says(&["`no/topic` is not a topic name"]);
}

#[test]
fn a_timestamp_of_zero_is_refused_because_it_would_become_now() {
    let place = Place::with(&["orders:1"]);
    place
        .kpipe(&["send", "orders", "v", "--timestamp", "1970-01-01T00:00:00Z"])
        .run()
        .ends(2)
        .says(&["timestamp of 0"]);
    place
        .kpipe(&["send", "orders"])
        .input("{\"value\":\"a\"}\n{\"value\":\"b\",\"timestamp\":0}\n")
        .run()
        .ends(1)
        .says(&["stdin:2:", "timestamp 0 cannot be sent"]);
    assert_eq!(place.values("orders"), "a\n");
}

#[test]
fn lines_name_their_topics_unless_the_command_line_does() {
    let place = Place::with(&["orders:1", "bills:1", "copy:1"]);
    let lines = "{\"topic\":\"orders\",\"value\":\"o\"}\n{\"topic\":\"bills\",\"value\":\"b\"}\n";
    place
        .kpipe(&["send"])
        .input(lines)
        .run()
        .ends(0)
        .prints("")
        .says(&["2 sent, 0 failed"]);
    assert_eq!(place.values("orders"), "o\n");
    assert_eq!(place.values("bills"), "b\n");
    place.kpipe(&["send", "copy"]).input(lines).run().ends(0);
    assert_eq!(place.values("copy"), "o\nb\n");
    place
        .kpipe(&["send"])
        .input("{\"topic\":\"orders\",\"value\":\"o\"}\n{\"value\":\"b\"}\n")
        .run()
        .ends(1)
        .says(&["stdin:2: no `topic`"]);
}

#[test]
fn the_summary_counts_and_has_latencies_and_quiet_leaves_it_out() {
    let place = Place::with(&["orders:1"]);
    let sent = place
        .kpipe(&["send", "orders"])
        .input("{\"value\":1}\n")
        .run()
        .ends(0);
    let shape = regex::Regex::new(
        r"^1 sent, 0 failed, \d+\.\d s(, [0-9k ]+/s)?, ack p50 \d+ ms p99 \d+ ms max \d+ ms\n$",
    )
    .unwrap();
    assert!(shape.is_match(sent.stderr()), "{}", sent.stderr());
    let quiet = ["send", "orders", "-q"];
    place
        .kpipe(&quiet)
        .input("{\"value\":1}\n")
        .run()
        .ends(0)
        .errors("")
        .prints("");
    let nothing = place.kpipe(&["send", "orders"]).run().ends(0);
    assert!(
        nothing.stderr().starts_with("0 sent, 0 failed"),
        "{}",
        nothing.stderr()
    );
}

#[test]
fn receipts_tell_the_line_the_place_and_the_reason() {
    let place = Place::with(&["orders:1"]);
    let lines = "{\"value\":\"a\"}\n{\"key\":\"b\"}\n{\"value\":\"c\"}\n";
    let all = place
        .kpipe(&["send", "orders", "--receipts", "all"])
        .input(lines)
        .run()
        .ends(1)
        .json();
    assert_eq!(each(&all, "line"), [&json!(1), &json!(2), &json!(3)]);
    assert_eq!(each(&all, "offset"), [&json!(0), &Value::Null, &json!(1)]);
    assert_eq!(
        each(&all, "persisted"),
        [&Value::Null, &json!("no"), &Value::Null]
    );
    assert_eq!(all[1]["error"]["code"], "MALFORMED");
    let failed = place
        .kpipe(&["send", "orders", "--receipts", "failed"])
        .input(lines)
        .run()
        .ends(1)
        .json();
    assert_eq!(each(&failed, "line"), [&json!(2)]);
    place
        .kpipe(&["send", "orders", "--receipts", "none"])
        .input(lines)
        .run()
        .ends(1)
        .prints("");
}

#[test]
fn receipts_name_the_file() {
    let place = Place::with(&["orders:1"]);
    place
        .write("a.jsonl", "{\"value\":1}")
        .write("b.jsonl", "{\"value\":2}\n");
    let receipts = place
        .kpipe(&[
            "send",
            "orders",
            "--file",
            "a.jsonl",
            "--file",
            "b.jsonl",
            "--receipts",
            "all",
        ])
        .run()
        .ends(0)
        .json();
    assert_eq!(
        each(&receipts, "file"),
        [&json!("a.jsonl"), &json!("b.jsonl")]
    );
    assert_eq!(each(&receipts, "line"), [&json!(1), &json!(1)]);
    assert_eq!(place.values("orders"), "1\n2\n");
}

#[test]
fn files_and_stdin_are_read_in_the_order_given() {
    let place = Place::with(&["orders:1"]);
    place
        .write("a", "{\"value\":\"a\"}\n")
        .write("b", "{\"value\":\"b\"}\n");
    place
        .kpipe(&[
            "send", "orders", "--file", "b", "--file", "-", "--file", "a",
        ])
        .input("{\"value\":\"stdin\"}\n")
        .run()
        .ends(0);
    assert_eq!(place.values("orders"), "b\nstdin\na\n");
    place
        .kpipe(&["send", "orders", "-"])
        .input("{\"value\":\"dash\"}\n")
        .run()
        .ends(0);
    assert_eq!(place.values("orders"), "b\nstdin\na\ndash\n");
    place
        .kpipe(&["send", "orders", "--file", "missing"])
        .run()
        .ends(2)
        .says(&["missing", "caused by: No such file"])
        .says_one_block();
}

#[test]
fn every_codec_carries_the_same_bytes() {
    let place = Place::with(&["orders:1"]);
    let long = "x".repeat(5000);
    let mut expected = String::new();
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        place
            .kpipe(&["send", "orders", "--lines", "-z", codec])
            .input(format!("{codec} {long}\n"))
            .run()
            .ends(0);
        expected.push_str(&format!("{codec} {long}\n"));
    }
    assert_eq!(place.values("orders"), expected);
}

#[test]
fn every_level_of_acknowledgement_is_counted() {
    let place = Place::with(&["orders:1"]);
    for acks in ["all", "1", "0"] {
        place
            .kpipe(&["send", "orders", "--lines", "--acks", acks])
            .input("a\nb\n")
            .run()
            .ends(0)
            .says(&["2 sent, 0 failed"]);
    }
    // Without an answer nobody knows the offset, and the receipt does not make one up.
    let receipt = place
        .kpipe(&["send", "orders", "v", "--acks", "0"])
        .run()
        .ends(0)
        .json();
    assert_eq!(receipt[0]["offset"], Value::Null);
}

#[test]
fn a_rate_sends_everything_and_nonsense_is_refused() {
    let place = Place::with(&["orders:1"]);
    place
        .kpipe(&["send", "orders", "--lines", "--rate", "1000/s"])
        .input("a\nb\nc\n")
        .run()
        .ends(0)
        .says(&["3 sent"]);
    assert_eq!(place.values("orders"), "a\nb\nc\n");
    for rate in ["0", "-1/s", "5/d", "fast"] {
        place
            .kpipe(&["send", "orders", "--lines", &format!("--rate={rate}")])
            .run()
            .ends(2)
            .says(&["expected records a second, minute or hour"]);
    }
}

#[test]
fn a_record_that_is_too_large_is_told_with_its_size_and_the_limit() {
    let place = Place::with(&["orders:1"]);
    let lines = format!("small\n{}\n", "v".repeat(1_200_000));
    place
        .kpipe(&["send", "orders", "--lines"])
        .input(lines)
        .run()
        .ends(1)
        .says(&[
            "error: stdin:2: too large: 1200036 bytes as it is sent, and the topic takes 1048588: \
             raise its `max.message.bytes`\n",
            "1 sent, 1 failed",
        ]);
    let limited = |length: usize, header: &[&str]| {
        let value = "v".repeat(length);
        let arguments = [
            "send",
            "orders",
            &value,
            "-k",
            "key",
            "-X",
            "message.max.bytes=2000",
        ];
        place.kpipe(&[&arguments, header].concat()).run()
    };
    for (longest, header) in [
        (1961, &[][..]),
        (1950, &["-H", "name=value"]),
        (1822, &["-H", &format!("n={}", "v".repeat(135))]),
    ] {
        limited(longest, header).ends(0);
        limited(longest + 1, header).ends(1).says(&[
            "error: not sent: too large: 2001 bytes as it is sent, and `message.max.bytes` is 2000: \
             raise it with `-X`\n",
        ]);
    }
}
