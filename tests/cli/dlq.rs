//! Dead letters of five dialects: counted, shown, and sent back as the records they were.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{Ended, Place, each};

/// Of Kafka's share groups, Connect, Streams and Spring, whose numbers are big-endian, and of nobody.
const LETTERS: &str = r#"{"key":"s","value":{"n":1},"timestamp":1763668800000,"headers":[{"key":"own","value":"1"},{"key":"__dlq.errors.topic","value":"orders"},{"key":"__dlq.errors.partition","value":"0"},{"key":"__dlq.errors.offset","value":"17"},{"key":"__dlq.errors.group","value":"billing"},{"key":"__dlq.errors.delivery.count","value":"5"},{"key":"__dlq.errors.message","value":"Offset rejected by client."}]}
{"key":"c","value":{"n":2},"timestamp":1763668860000,"headers":[{"key":"__connect.errors.topic","value":"orders"},{"key":"__connect.errors.partition","value":"0"},{"key":"__connect.errors.offset","value":"18"},{"key":"__connect.errors.connector.name","value":"sink"},{"key":"__connect.errors.task.id","value":"0"},{"key":"__connect.errors.stage","value":"VALUE_CONVERTER"},{"key":"__connect.errors.class.name","value":"org.apache.kafka.connect.json.JsonConverter"},{"key":"__connect.errors.exception.class.name","value":"org.apache.kafka.connect.errors.DataException"},{"key":"__connect.errors.exception.message","value":"no field 'total'"},{"key":"__connect.errors.exception.stacktrace","value":"at a.B\n\tat c.D"}]}
{"key":"t","value":{"n":3},"timestamp":1763668920000,"headers":[{"key":"__streams.errors.exception","value":"a.B"},{"key":"__streams.errors.stacktrace","value":"at a.B"},{"key":"__streams.errors.message","value":"no"},{"key":"__streams.errors.topic","value":"payments"},{"key":"__streams.errors.partition","value":"0"},{"key":"__streams.errors.offset","value":"19"}]}
{"key":"p","value":{"n":4},"timestamp":1763668980000,"headers":[{"key":"kafka_dlt-original-topic","value":"payments"},{"key":"kafka_dlt-original-partition","value_base64":"AAAAAg=="},{"key":"kafka_dlt-original-offset","value_base64":"AAAAAAAAEmc="},{"key":"kafka_dlt-original-timestamp","value_base64":"AAABmqLaMns="},{"key":"kafka_dlt-original-timestamp-type","value":"CreateTime"},{"key":"kafka_dlt-original-consumer-group","value":"ledger"},{"key":"kafka_dlt-exception-fqcn","value":"a.ListenerException"},{"key":"kafka_dlt-exception-message","value":"no balance"},{"key":"retry_topic-attempts","value_base64":"AAAAAw=="},{"key":"own","value":null}]}
{"key":"n","value":{"n":5},"timestamp":1763669040000,"headers":[{"key":"own","value":"5"}]}
"#;

/// A cluster with one dead letter of each.
fn letters() -> Place {
    let place = Place::with(&["dlq:1", "orders:1", "payments:1", "out:1"]);
    send(&place, "dlq", LETTERS);
    place
}

fn send(place: &Place, topic: &str, lines: impl Into<Vec<u8>>) {
    let sent = place.kpipe(&["send", topic, "-q"]).input(lines).run();
    sent.ends(0).errors("");
}

/// A dead letter of `origin`, whose value is a number, as a record line.
fn letter(origin: &str, number: u64) -> String {
    let headers = [json!({"key": "__dlq.errors.topic", "value": origin})];
    let line = json!({"value": number.to_string(), "headers": headers});
    format!("{line}\n")
}

/// `kpipe dlq replay dlq --yes` with more flags.
fn replay(place: &Place, flags: &[&str]) -> Ended {
    let begin = &["dlq", "replay", "dlq", "--yes"][..];
    place.kpipe(&[begin, flags].concat()).run()
}

/// Both have the names of KIP-1191, and kpipe two of its own beside them.
#[test]
fn dead_letters_of_kpipe_are_told_from_those_of_share_groups() {
    let place = Place::with(&["orders:1", "dlq.orders:1"]);
    place.send("orders", &["v"]);
    place
        .kpipe(&["-q", "handle", "orders", "-g", "g", "-n", "1", "--dlq"])
        .arguments(&["--", "sh", "-c", "exit 65"])
        .run()
        .ends(0);
    send(&place, "dlq.orders", LETTERS.lines().next().unwrap());
    let rows = stats(&place, &["dlq.orders"]).ends(1).json();
    let mut headers = each(&rows, "headers");
    headers.sort_by_key(ToString::to_string);
    assert_eq!(headers, ["kpipe", "share"]);
}

fn stats(place: &Place, flags: &[&str]) -> Ended {
    place.kpipe(&[&["dlq", "stats"], flags].concat()).run()
}

#[test]
fn dead_letters_of_all_dialects_are_counted_by_origin_and_error() {
    let place = letters();
    send(&place, "dlq", LETTERS.lines().next().unwrap());
    let rows = stats(&place, &["dlq"]).ends(1).errors("").json();
    assert_eq!(
        rows[0],
        json!({
            "topic": "dlq", "origin": "orders", "group": "billing", "headers": "share", "status": null,
            "error": "Offset rejected by client.", "records": 2, "replayed": 0,
            "first": "2025-11-20T20:00:00Z", "last": "2025-11-20T20:00:00Z",
        })
    );
    // What is as frequent: the latest first.
    let last: Vec<Value> = rows[1..].to_vec();
    assert_eq!(
        each(&last, "headers"),
        ["none", "spring", "streams", "connect"]
    );
    let nobody = Value::Null;
    assert_eq!(
        each(&last, "origin"),
        [
            &nobody,
            &json!("payments"),
            &json!("payments"),
            &json!("orders")
        ]
    );
    assert_eq!(
        each(&last, "status"),
        [
            &nobody,
            &json!("a.ListenerException"),
            &json!("a.B"),
            &json!("org.apache.kafka.connect.errors.DataException")
        ]
    );
    assert_eq!(
        each(&last, "error"),
        [
            &nobody,
            &json!("no balance"),
            &json!("no"),
            &json!("no field 'total'")
        ]
    );
    assert_eq!(each(&last, "records"), [1, 1, 1, 1]);
}

#[test]
fn without_dead_letters_the_status_is_0_for_cron() {
    let place = letters();
    stats(&place, &["out"])
        .ends(0)
        .prints("")
        .says(&["No dead letters."]);
    stats(&place, &["out", "-q"]).ends(0).prints("").errors("");
    stats(&place, &["dlq", "--grep", "k:^nobody"])
        .ends(0)
        .prints("");
    stats(&place, &["nonesuch"])
        .ends(1)
        .says(&["topic `nonesuch` does not exist"]);
}

#[test]
fn what_is_counted_can_be_chosen_as_in_tail() {
    let place = letters();
    let of = |flags: &[&str]| {
        let rows = stats(&place, &[&["dlq"], flags].concat()).ends(1).json();
        rows.iter()
            .map(|row| row["records"].as_u64().unwrap())
            .sum::<u64>()
    };
    assert_eq!(of(&["--grep", "h:own=5"]), 1);
    assert_eq!(of(&["--where", "/n>2"]), 3);
    assert_eq!(of(&["-o", "1:3"]), 2);
    assert_eq!(of(&["-n", "4"]), 4);
    assert_eq!(of(&["-p", "0"]), 5);
    stats(&place, &["dlq", "-p", "1"])
        .ends(2)
        .says(&["no partition 1"]);
}

#[test]
fn errors_that_differ_in_a_number_are_one_and_rare_ones_are_told_together() {
    let place = Place::with(&["dlq.a:1", "dlq.b:1"]);
    let mut lines = String::new();
    for (number, word) in ["x", "y", "z"].iter().enumerate() {
        for message in [
            format!("no order {}", 100_000 + number),
            format!("rare {word}"),
        ] {
            let headers = [json!({"key": "__dlq.errors.message", "value": message})];
            lines.push_str(&format!("{}\n", json!({"value": "", "headers": headers})));
        }
    }
    send(&place, "dlq.a", lines);
    place.send("dlq.b", &["v"]);
    let rows = stats(&place, &["^dlq\\.", "--top", "1"]).ends(1).json();
    assert_eq!(each(&rows, "topic"), ["dlq.a", "dlq.a", "dlq.b"]);
    assert_eq!(each(&rows, "records"), [3, 3, 1]);
    assert_eq!(
        each(&rows, "error"),
        ["no order #", "other errors", "other errors"]
    );
    assert_eq!(each(&rows, "headers"), ["share", "several", "several"]);
    let table = stats(&place, &["^dlq\\.", "--output", "table"])
        .ends(1)
        .out();
    let head: Vec<_> = table.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(
        head,
        [
            "TOPIC", "ORIGIN", "GROUP", "STATUS", "RECORDS", "REPLAYED", "FIRST", "LAST",
            "HEADERS", "ERROR"
        ]
    );
    assert!(table.contains(" ago "), "{table}");
}

#[test]
fn a_full_disk_and_a_reader_that_goes_away_are_told_apart() {
    let place = letters();
    place
        .bash("kpipe dlq stats dlq > /dev/full")
        .run()
        .ends(1)
        .says(&["cannot write to stdout"]);
    place
        .bash("kpipe dlq show dlq > /dev/full")
        .run()
        .ends(1)
        .says(&["cannot write to stdout"]);
    place
        .bash("kpipe dlq show dlq | true")
        .run()
        .ends(0)
        .errors("");
}

#[test]
fn in_a_pipe_dead_letters_are_shown_as_record_lines_with_all_headers() {
    let place = letters();
    let tail = place.kpipe(&["tail", "dlq", "-e"]).run().ends(0).out();
    place
        .kpipe(&["dlq", "show", "dlq"])
        .run()
        .ends(0)
        .prints(&tail)
        .errors("");
    let lines: Vec<&str> = tail.split_inclusive('\n').collect();
    for (flags, shown) in [
        (&["-n", "2"][..], lines[..2].concat()),
        (&["-l", "1"], lines[4..].concat()),
        (&["--grep", "hk:^own$", "-l", "2"], lines[3..].concat()),
        (&["--where", "/n=3"], lines[2].to_owned()),
    ] {
        let show = [&["dlq", "show", "dlq"], flags].concat();
        place.kpipe(&show).run().ends(0).prints(shown).errors("");
    }
}

#[test]
fn with_follow_those_that_come_are_shown_after_those_there_are() {
    let place = letters();
    let mut show = place.kpipe(&["dlq", "show", "dlq", "--follow"]).start();
    for _ in 0..5 {
        show.line();
    }
    send(&place, "dlq", letter("orders", 6));
    assert!(show.line().contains(r#""value":"6""#));
    show.signal(Signal::TERM);
    let _ = show.ended().dies_of(Signal::TERM);
    let usage = ["dlq", "show", "dlq", "--follow", "-e"];
    place.kpipe(&usage).run().ends(2).says(&["--follow"]);
}

#[test]
fn what_handle_buries_comes_back_as_it_was() {
    let place = Place::with(&["orders:3", "dlq.orders:2"]);
    let lines = r#"{"partition":0,"key":"u-17","value":{"total":1.50},"headers":[{"key":"a","value":"1"},{"key":"a","value":null},{"key":"a","value":"1"}]}
{"partition":1,"key_base64":"/wA=","value_base64":"AAH/","headers":[{"key":"b","value_base64":"/w=="}]}
{"partition":2,"key":null,"value":null,"headers":[]}
{"partition":0,"key":"","value":"","headers":[{"key":"","value":""}]}
"#;
    send(&place, "orders", lines);
    let handle = [
        "handle", "orders", "-g", "g", "-e", "-q", "--dlq", "--", "sh", "-c", "exit 65",
    ];
    place.kpipe(&handle).run().ends(0);
    let original = place.records("orders");
    place
        .kpipe(&["dlq", "replay", "dlq.orders", "-y"])
        .run()
        .ends(0)
        .says(&[
            "warning: every group that reads topic `orders` will see these records again",
            "4 sent: 4 to orders",
        ]);
    let all = place.records("orders");
    assert_eq!(all.len(), 8);
    let content = |record: &Value, count: Option<&str>| {
        let mut record = record.clone();
        if let Some(count) = count {
            let last = record["headers"].as_array_mut().unwrap().pop();
            assert_eq!(
                last,
                Some(json!({"key": "dlq.replay.count", "value": count}))
            );
        }
        for place in ["partition", "offset", "timestamp"] {
            record[place].take();
        }
        record.to_string()
    };
    let mut before: Vec<_> = original
        .iter()
        .map(|record| content(record, None))
        .collect();
    let back = all.iter().filter(|record| !original.contains(record));
    let mut back: Vec<_> = back.map(|record| content(record, Some("1"))).collect();
    before.sort_unstable();
    back.sort_unstable();
    assert_eq!(back, before);
    // The time is that of the replay, and the key decides the partition, as it would for any sender.
    let times = |records: &[Value]| {
        let times = records
            .iter()
            .map(|record| record["timestamp"].as_i64().unwrap());
        (times.clone().min().unwrap(), times.max().unwrap())
    };
    assert!(times(&all).1 > times(&original).1);
    place
        .kpipe(&["dlq", "replay", "dlq.orders", "-y", "-q"])
        .run()
        .ends(0)
        .errors("");
    assert_eq!(place.records("orders").len(), 8, "each goes once");
}

#[test]
fn dead_letters_of_all_dialects_go_where_they_came_from_without_error_headers() {
    let place = letters();
    replay(&place, &[]).ends(1).says(&[
        "4 sent: 2 to orders, 2 to payments; 1 stay",
        "dlq[0]@4 stays: no header says where it came from",
        "1 left: without a header that says where they came from (`--to TOPIC`)",
    ]);
    let headers = |topic: &str| {
        let records = place.records(topic);
        each(&records, "headers")
            .into_iter()
            .cloned()
            .collect::<Vec<_>>()
    };
    let count = json!({"key": "dlq.replay.count", "value": "1"});
    assert_eq!(
        headers("orders"),
        [json!([{"key": "own", "value": "1"}, count]), json!([count])]
    );
    assert_eq!(
        headers("payments"),
        [
            json!([count]),
            json!([{"key": "own", "value": null}, count])
        ]
    );
    let keys = |topic: &str| place.kpipe(&["tail", topic, "-e", "-f", "%k"]).run().out();
    assert_eq!(
        (keys("orders"), keys("payments")),
        ("sc".to_owned(), "tp".to_owned())
    );
    // They are behind the group, and what was left can be taken by its place.
    replay(&place, &[]).ends(0).says(&["Nothing to replay"]);
    replay(&place, &["-o", "4", "--to", "out"])
        .ends(0)
        .says(&["1 sent: 1 to out"]);
    assert_eq!(place.values("out"), "{\"n\":5}\n");
}

#[test]
fn all_can_go_to_one_topic() {
    let place = letters();
    replay(&place, &["--to", "out"])
        .ends(0)
        .says(&["5 sent: 5 to out"]);
    let records = place.records("out");
    assert_eq!(records.len(), 5);
    for record in &records {
        let text = record["headers"].to_string();
        assert!(
            !text.contains("error") && !text.contains("kafka_dlt"),
            "{text}"
        );
    }
}

#[test]
fn a_record_is_replayed_so_often_and_then_stays() {
    let place = Place::with(&["dlq:1", "orders:1"]);
    send(&place, "dlq", letter("orders", 7));
    let bury = [
        "handle",
        "orders",
        "-g",
        "g",
        "-e",
        "-q",
        "--dlq=dlq",
        "--",
        "sh",
        "-c",
        "exit 65",
    ];
    for round in 1..=2 {
        replay(&place, &["--max-replays", "2"])
            .ends(0)
            .says(&["1 sent"]);
        place.kpipe(&bury).run().ends(0);
        let last = place.records("dlq").pop().unwrap();
        let text = last["headers"].to_string();
        let count = format!(r#"{{"key":"dlq.replay.count","value":"{round}"}}"#);
        assert_eq!(text.matches("dlq.replay.count").count(), 1, "{text}");
        assert!(text.contains(&count), "{text}");
    }
    replay(&place, &["--max-replays", "2"]).ends(1).says(&[
        "dlq[0]@2 stays: replayed 2 times already",
        "0 sent; 1 stay",
        "1 left: replayed as often as allowed (`--max-replays`)",
    ]);
    assert_eq!(place.values("orders"), "7\n7\n");
    let row = stats(&place, &["dlq", "-o", "2"]).ends(1).json();
    assert_eq!(row[0]["replayed"], 1);
}

#[test]
fn with_a_filter_nothing_is_committed_and_the_others_are_counted() {
    let place = letters();
    replay(&place, &["--where", "/n=2"]).ends(0).says(&[
        "1 sent: 1 to orders",
        "4 that do not match stay; nothing was committed",
    ]);
    let since = [
        "--since",
        "2025-11-20T20:02:00Z",
        "--until",
        "2025-11-20T20:04:00Z",
    ];
    replay(&place, &since)
        .ends(0)
        .says(&["2 sent: 2 to payments", "3 that do not match stay"]);
    replay(&place, &["--skip", "-n", "4"])
        .ends(0)
        .says(&["4 sent"])
        .hides(&["nothing was committed"]);
    replay(&place, &["--where", "/n=2"])
        .ends(0)
        .says(&["0 sent", "1 that do not match"]);
}

#[test]
fn a_dry_run_says_what_would_go_where_and_sends_and_commits_nothing() {
    let place = letters();
    send(&place, "dlq", letter("nonesuch", 6));
    for _ in 0..2 {
        let ended = place
            .kpipe(&["dlq", "replay", "dlq", "--dry-run"])
            .run()
            .ends(1);
        let rows = ended.json();
        let plan = |row: &Value| {
            (
                row["origin"].clone(),
                row["to"].clone(),
                row["stays"].clone(),
            )
        };
        let mut plans: Vec<_> = rows.iter().map(plan).collect();
        plans.sort_by_key(|(origin, to, stays)| format!("{origin}{to}{stays}"));
        let none = Value::Null;
        let there = |topic: &str| (json!(topic), json!(topic), none.clone());
        assert_eq!(
            plans,
            [
                (
                    json!("nonesuch"),
                    none.clone(),
                    json!("topic `nonesuch` does not exist")
                ),
                there("orders"),
                there("orders"),
                there("payments"),
                there("payments"),
                (
                    none.clone(),
                    none.clone(),
                    json!("no header says where it came from")
                ),
            ]
        );
        ended.says(&["4 would be sent: 2 to orders, 2 to payments; 2 would stay"]);
    }
    assert_eq!(place.values("orders"), "");
    let table = [
        "dlq",
        "replay",
        "dlq",
        "--dry-run",
        "--output",
        "table",
        "-q",
    ];
    let table = place.kpipe(&table).run().ends(1).errors("").out();
    assert!(table.starts_with("TO "), "{table}");
}

#[test]
fn nothing_is_passed_over_unless_told_to_where_a_topic_is_missing() {
    let place = Place::with(&["dlq:1", "orders:1"]);
    let lines = [("orders", 1), ("nonesuch", 2), ("orders", 3)];
    let lines = lines.map(|(origin, number)| letter(origin, number));
    send(&place, "dlq", lines.concat());
    for sent in ["1 sent: 1 to orders; 2 stay", "0 sent; 2 stay"] {
        replay(&place, &[]).ends(1).says(&[
            "error: dlq[0]@1: topic `nonesuch` does not exist",
            "`--skip` passes over it",
            sent,
        ]);
        assert_eq!(place.values("orders"), "1\n");
    }
    replay(&place, &["--skip"]).ends(1).says(&[
        "error: dlq[0]@1 stays: topic `nonesuch` does not exist",
        "1 sent: 1 to orders; 1 stay",
    ]);
    assert_eq!(place.values("orders"), "1\n3\n");
    replay(&place, &["--to", "nonesuch"])
        .ends(1)
        .says_one_block();
}

#[test]
fn a_record_that_is_too_large_is_left_and_the_others_go() {
    let place = Place::with(&["dlq:1", "orders:1"]);
    // It fits as it is, and no longer with the count of replays.
    let large = format!("{}\n", json!({"value": "v".repeat(1_048_545)}));
    send(&place, "dlq", [large, letter("orders", 2)].concat());
    replay(&place, &["--to", "orders"]).ends(1).says(&[
        "error: dlq[0]@0 stays: too large: ",
        " bytes as it is sent, and the topic takes 1048588: raise its `max.message.bytes`\n",
        "1 sent: 1 to orders; 1 stay",
    ]);
    assert_eq!(place.values("orders"), "2\n");
    replay(&place, &["--to", "orders"])
        .ends(0)
        .says(&["Nothing to replay"]);
}

#[test]
fn where_nobody_can_be_asked_nothing_is_done_without_yes() {
    let place = letters();
    place
        .kpipe(&["dlq", "replay", "dlq"])
        .run()
        .ends(2)
        .says_one_block()
        .says(&["nobody to ask", "`--yes`", "`--dry-run`"]);
    assert_eq!(place.values("orders"), "");
}

#[test]
fn what_makes_no_sense_is_usage() {
    let place = letters();
    replay(&place, &["--to", "dlq"])
        .ends(2)
        .says(&["come round for ever"]);
    replay(&place, &["--to", "a b"])
        .ends(2)
        .says(&["`a b` is not a topic name"]);
    replay(&place, &["-g", "g", "-o", "1"])
        .ends(2)
        .says(&["--offset"]);
    replay(&place, &["-p", "0"]).ends(2).says(&["--offset"]);
    replay(&place, &["--max-replays", "0"]).ends(2);
    let pattern = ["dlq", "replay", "^dlq", "--yes"];
    place
        .kpipe(&pattern)
        .run()
        .ends(2)
        .says(&["`^dlq` is not a topic name"]);
    let missing = ["dlq", "replay", "nonesuch", "--yes"];
    place.kpipe(&missing).run().ends(1).says_one_block();
    let nowhere = Place::at("127.0.0.1:1");
    replay(&nowhere, &[]).ends(3).says_one_block();
    stats(&nowhere, &["dlq"]).ends(3).says_one_block();
}

#[test]
fn a_record_keeps_its_first_time_when_asked_to() {
    let place = letters();
    replay(&place, &["--keep-timestamp"]).ends(1);
    let times = |topic: &str| place.kpipe(&["tail", topic, "-e", "-f", "%T "]).run().out();
    // Of Spring the time it had; of Connect and Streams the dead letter has it.
    assert_eq!(times("payments"), "1763668920000 1763668800123 ");
    assert_eq!(times("orders"), "1763668800000 1763668860000 ");
}

/// Twenty dead letters, and a replay that has sent one of them.
fn slow(place: &Place) -> crate::support::Running {
    let lines: String = (0..20).map(|number| letter("orders", number)).collect();
    send(place, "dlq", lines);
    let mut replay = place
        .kpipe(&["dlq", "replay", "dlq", "--yes", "--rate", "5/s"])
        .start();
    replay.until_it_says("every group");
    replay
}

#[test]
fn what_comes_while_it_runs_is_not_chased() {
    let place = Place::with(&["dlq:1", "orders:1"]);
    let replaying = slow(&place);
    send(&place, "dlq", letter("orders", 20));
    let _ = replaying.ended().ends(0).says(&["20 sent: 20 to orders"]);
    replay(&place, &[]).ends(0).says(&["1 sent: 1 to orders"]);
}

#[test]
fn a_signal_ends_it_after_what_was_sent_is_committed() {
    let place = Place::with(&["dlq:1", "orders:1"]);
    let replaying = slow(&place);
    replaying.signal(Signal::TERM);
    let _ = replaying
        .ended()
        .dies_of(Signal::TERM)
        .says(&[" to orders"]);
    let sent = place.records("orders").len();
    assert!((1..20).contains(&sent), "{sent} were sent");
    replay(&place, &[]).ends(0);
    let numbers: Vec<String> = (0..20).map(|number| format!("{number}\n")).collect();
    assert_eq!(place.values("orders"), numbers.concat());
}

#[test]
fn a_rate_is_kept_and_time_that_is_up_is_status_3() {
    let place = Place::with(&["dlq:1", "orders:1"]);
    let lines: String = (0..3).map(|number| letter("orders", number)).collect();
    send(&place, "dlq", lines);
    let flags = ["--rate", "1/m", "--timeout", "4s"];
    replay(&place, &flags)
        .ends(3)
        .says(&["1 sent: 1 to orders", "time is up"]);
    assert_eq!(place.values("orders"), "0\n");
}
