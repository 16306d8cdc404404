//! `kpipe trace ID`: finding one message, its life, and the verdict.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{Ended, Place, each};
use crate::unreachable::closed_port;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const MADE: i64 = 1_763_668_800_123;

fn line(topic: &str, key: &str, headers: &[(&str, &str)], value: &Value) -> String {
    let headers: Vec<Value> = headers
        .iter()
        .map(|(key, value)| json!({"key": key, "value": value}))
        .collect();
    let line = json!({
        "topic": topic, "timestamp": MADE, "key": key, "value": value, "headers": headers,
    });
    format!("{line}\n")
}

fn send(place: &Place, lines: &str) {
    let sent = place.kpipe(&["send", "-q"]).input(lines).run();
    let _ = sent.ends(0).errors("");
}

fn trace(place: &Place, arguments: &[&str]) -> Ended {
    place.kpipe(&[&["trace"], arguments].concat()).run()
}

/// The rows of stages that were reached, or failed.
fn reached(ended: &Ended) -> Vec<Value> {
    let mut rows = ended.json();
    rows.retain(|row| row["status"] != "missing" && row["stage"] != "TOTAL");
    rows
}

/// A hundred records in three partitions; of the one in the middle the id is `m-50`.
fn orders() -> Place {
    let place = Place::with(&["orders:3", "empty:1", "other:1"]);
    let lines: String = (0..100)
        .map(|number| {
            line(
                "orders",
                &format!("u-{}", number % 7),
                &[("message-id", &format!("m-{number}"))],
                &json!({"order": number, "nested": {"id": format!("n-{number}")}}),
            )
        })
        .collect();
    send(&place, &lines);
    place
}

#[test]
fn without_stage_events_and_topics_nothing_is_searched() {
    let place = orders();
    let _ = trace(&place, &["m-50"])
        .ends(2)
        .prints("")
        .says_one_block()
        .says(&[
            "no stage event of `m-50` in `kpipe.stages`, which does not exist",
            "`kpipe trace m-50 --topics TOPIC,…`",
        ]);
    let _ = trace(&place, &["m-50", "--trace-topic", "empty"])
        .ends(1)
        .prints("")
        .says(&["no stage event of `m-50` in `empty`"])
        .hides(&["searched orders"]);
    // One that was named must be there.
    let _ = trace(&place, &["m-50", "--trace-topic", "nowhere"])
        .ends(1)
        .says(&["topic `nowhere` does not exist"]);
}

#[test]
fn a_record_without_stage_events_says_what_is_known() {
    let place = orders();
    let found = trace(&place, &["m-50", "--topics", "orders"]).ends(0);
    let rows = reached(&found);
    assert_eq!(each(&rows, "stage"), ["CREATED", "PERSISTED"]);
    assert_eq!(rows[0]["at"], MADE * 1000);
    assert_eq!(rows[0]["source"], "CreateTime");
    assert_eq!(rows[1]["at"], Value::Null);
    assert_eq!(rows[1]["message_id"], "m-50");
    let record = &place
        .kpipe(&["tail", "orders", "-e", "--grep", "h:message-id=^m-50$"])
        .run()
        .json()[0];
    assert_eq!(rows[1]["topic"], "orders");
    assert_eq!(rows[1]["partition"], record["partition"]);
    assert_eq!(rows[1]["offset"], record["offset"]);
    let stages = found.json();
    assert_eq!(stages.len(), 11);
    assert_eq!(stages[10]["stage"], "TOTAL");
    let _ = found.says(&["found in orders[0] 0:"]);
}

#[test]
fn a_place_is_an_id_and_any_other_way_to_say_which_leads_to_the_same() {
    let place = orders();
    let found = trace(&place, &["m-50", "--topics", "^ord", "-q"]).ends(0);
    let (rows, _) = (found.json(), found.errors(""));
    let persisted = &reached_of(&rows)[1];
    let at = format!("orders:{}:{}", persisted["partition"], persisted["offset"]);
    for arguments in [
        &[at.as_str()][..],
        &["--header", "message-id=m-50", "--topics", "orders"],
        &["--where", "/order=50", "--topics", "empty,orders"],
        &["--key", "u-1", "--where", "/order=50", "--topics", "orders"],
        &["m-50", "--key", "u-1", "--topics", "orders"],
    ] {
        let same = trace(&place, arguments).ends(0);
        assert_eq!(same.json(), rows, "{arguments:?}");
    }
    for gone in ["orders:0:4711", "orders:7:0"] {
        let _ = trace(&place, &[gone])
            .ends(1)
            .prints("")
            .says(&["not found: there is no record at"]);
    }
}

fn reached_of(rows: &[Value]) -> Vec<Value> {
    let mut rows = rows.to_vec();
    rows.retain(|row| row["status"] != "missing");
    rows
}

#[test]
fn not_there_and_not_searched_never_look_alike() {
    let place = orders();
    let _ = trace(&place, &["m-100", "--topics", "orders"])
        .ends(1)
        .prints("")
        .says(&[
            "searched orders[0] 0:",
            "100 records in",
            "not found: `m-100` is in none of the 100 offsets of 3 partitions",
        ])
        .hides(&["cut short"]);
    let _ = trace(&place, &["m-100", "--topics", "orders", "--limit", "99"])
        .ends(3)
        .prints("")
        .says(&[
            "searched a part of orders[0] 0:",
            "search cut short after 99 records: what was not searched may hold `m-100`",
            "as many records were searched as `--limit` allows",
            "hint: a higher `--limit`",
        ])
        .hides(&["not found"]);
    // Exactly as many as there are is all of them.
    let _ = trace(&place, &["m-100", "--topics", "empty", "--limit", "1"]).ends(1);
    // Found before the cut, but not in each of the topics.
    let part = trace(
        &place,
        &[
            "m-50",
            "--topics",
            "orders,other",
            "--limit",
            "100",
            "--all",
        ],
    )
    .ends(3);
    assert_eq!(reached(&part).len(), 2);
}

#[test]
fn a_broker_that_is_away_is_neither() {
    let place = Place::at(&closed_port());
    for arguments in [&["m-1"][..], &["a:0:1"]] {
        let _ = trace(&place, arguments)
            .ends(3)
            .prints("")
            .says(&["cannot reach Kafka"]);
    }
}

#[test]
fn a_key_is_looked_for_where_it_belongs() {
    let place = orders();
    let _ = trace(&place, &["--key", "u-3", "--topics", "orders"]).ends(0);
    let absent = trace(&place, &["--key", "u-8", "--topics", "orders"]).ends(1);
    let narrow = absent.says(&[
        "a record with the key `u-8` is in none of the",
        "`--all-partitions` searches all",
    ]);
    assert!(!narrow.stderr().contains("100 offsets of 3 partitions"));
    let _ = trace(
        &place,
        &["--key", "u-8", "--topics", "orders", "--all-partitions"],
    )
    .ends(1)
    .says(&["100 offsets of 3 partitions"])
    .hides(&["--all-partitions"]);
    // A producer of its own mind.
    let key = |partition: &str| {
        let sent = place
            .kpipe(&["send", "orders", "x", "-k", "stray", "-p", partition, "-q"])
            .run();
        let _ = sent.ends(0);
    };
    ["0", "1", "2"].into_iter().for_each(key);
    let all = trace(
        &place,
        &[
            "--key",
            "stray",
            "--topics",
            "orders",
            "--all-partitions",
            "--all",
        ],
    )
    .ends(0);
    assert_eq!(reached(&all).len(), 6);
}

#[test]
fn traces_of_other_tools_are_read() {
    let outbox = "406c07f3-26f0-4eea-a50c-109940064b8f";
    let b3 = format!(
        "{}-00f067aa0ba902b7-1-05e3ac9a4f6e3b90",
        TRACE.to_uppercase()
    );
    for (ids, headers) in [
        (
            &[TRACE, PARENT][..],
            &[
                ("traceparent", PARENT),
                ("tracestate", "rojo=00f067aa0ba902b7"),
                ("baggage", "userId=alice"),
            ][..],
        ),
        (&[TRACE], &[("b3", b3.as_str())]),
        (
            &[TRACE],
            &[
                ("X-B3-TraceId", TRACE),
                ("X-B3-SpanId", "00f067aa0ba902b7"),
                ("X-B3-Sampled", "1"),
            ],
        ),
        (
            &["ce-7", TRACE],
            &[
                ("ce_specversion", "1.0"),
                ("ce_type", "com.example.order.created"),
                ("ce_source", "/orders"),
                ("ce_id", "ce-7"),
                ("ce_time", "2025-11-20T20:00:00.5Z"),
                ("ce_traceparent", PARENT),
            ],
        ),
        (&[outbox], &[("id", outbox), ("eventType", "OrderCreated")]),
        (&[outbox], &[("id", &format!("\"{outbox}\""))]),
    ] {
        let topic = &format!("t-{}", headers[0].0.to_lowercase());
        let place = Place::with(&[&format!("{topic}:2")]);
        let stranger = line(
            topic,
            "k",
            &[("traceparent", "nonsense")],
            &json!({"id": 1}),
        );
        let wanted = line(topic, "k", headers, &json!({"total": 1}));
        send(&place, &format!("{stranger}{wanted}{stranger}"));
        for id in ids {
            let found = trace(&place, &[id, "--topics", topic]).ends(0);
            let rows = reached(&found);
            assert_eq!(
                each(&rows, "stage"),
                ["CREATED", "PERSISTED"],
                "{headers:?}"
            );
            assert_eq!(rows[1]["offset"], 1, "{headers:?}");
            if headers[0].0 == "ce_specversion" {
                assert_eq!(rows[0]["source"], "ce_time");
                assert_eq!(rows[0]["at"], 1_763_668_800_500_000_i64);
                assert_eq!(rows[0]["trace_id"], TRACE);
            }
        }
        let other = "4bf92f3577b34da6a3ce929d0e0e4737";
        let _ = trace(&place, &[other, "--topics", topic]).ends(1);
    }
}

#[test]
fn a_record_that_only_mentions_the_id_is_told_as_such() {
    let place = orders();
    let found = trace(&place, &["n-50", "--topics", "orders"]).ends(0);
    assert_eq!(reached(&found)[1]["message_id"], "m-50");
    let _ = found.says(&[
        "`n-50` is not the id of orders:",
        "but stands there in the value",
    ]);
}

#[test]
fn stages_are_found_by_the_id_with_the_record_they_tell_of() {
    let place = Place::with(&["orders:3", "kpipe.stages:4"]);
    place.send("orders", &["other", "other"]);
    let receipt = place
        .kpipe(&["send", "orders", "{\"total\":1}", "--trace", "-p", "2"])
        .run()
        .ends(0)
        .json();
    let id = receipt[0]["message_id"].as_str().unwrap();
    let tail = [
        "tail",
        "orders",
        "-n",
        "3",
        "-o",
        "beginning",
        "--trace",
        "-g",
        "web",
    ];
    let _ = place.kpipe(&tail).run().ends(0);
    let found = trace(&place, &[id]).ends(0);
    let rows = reached(&found);
    assert_eq!(
        each(&rows, "stage"),
        [
            "CREATED",
            "VALIDATED",
            "PUBLISHED",
            "PERSISTED",
            "CONSUMED",
            "PROCESSED",
        ]
    );
    for row in &rows[3..] {
        assert_eq!(row["partition"], 2);
        assert_eq!(row["offset"], receipt[0]["offset"]);
    }
    assert_eq!(rows[5]["group"], "web");
    let found = found.says(&["searched kpipe.stages[", "orders[2] "]);
    // Only the partition of the id was read.
    assert_eq!(found.stderr().matches("kpipe.stages[").count(), 1);
    let trace_id = rows[0]["trace_id"].as_str().unwrap();
    let by_trace = trace(&place, &[trace_id]).ends(0);
    assert_eq!(reached(&by_trace), rows);
    let at = format!("orders:2:{}", receipt[0]["offset"]);
    assert_eq!(reached(&trace(&place, &[&at]).ends(0)), rows);
}

/// Stage events of one message: half a second in all, skewed where it is consumed.
fn stages(place: &Place) {
    let event = |stage: &str, at: i64, more: &Value| {
        let mut event =
            json!({"stage": stage, "at": 1_763_668_800_000_000 + at, "message_id": "m-1"});
        event
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        format!("{event}\n")
    };
    let none = json!({});
    let text = [
        event("CREATED", 0, &none),
        event(
            "PERSISTED",
            12_000,
            &json!({"topic": "orders", "partition": 1, "offset": 7}),
        ),
        event(
            "CONSUMED",
            9_000,
            &json!({"topic": "orders", "group": "billing"}),
        ),
        event(
            "PROCESSED",
            40_000,
            &json!({"topic": "orders", "group": "billing",
            "status": "error", "error": "exit status 22"}),
        ),
        event(
            "PROCESSED",
            500_000,
            &json!({"topic": "orders", "group": "audit"}),
        ),
        "nonsense\n".to_owned(),
        event("CREATED", 0, &none),
    ]
    .concat();
    place.write("stages.jsonl", text);
}

fn in_file(place: &Place, arguments: &[&str]) -> Ended {
    let base = ["m-1", "--trace-file", "stages.jsonl"];
    trace(place, &[&base, arguments].concat())
}

#[test]
fn a_waterfall_shows_every_stage_and_clocks_as_they_are() {
    let place = Place::at("127.0.0.1:1");
    stages(&place);
    let shown = in_file(&place, &["--output", "table"])
        .ends(0)
        .says(&["stages.jsonl: 1 line is no stage event"])
        .out();
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines[0], "message m-1");
    assert!(lines[1].starts_with("STAGE  "), "{shown}");
    let words = |index: usize| lines[index].split_whitespace().collect::<Vec<_>>();
    assert_eq!(words(3)[..5], ["VALIDATED", "-", "-", "-", "missing"]);
    assert_eq!(
        words(6)[..7],
        [
            "PERSISTED",
            "2025-11-20",
            "20:00:00.012000",
            "12.0ms",
            "12.0ms",
            "ok",
            "orders:1:7"
        ]
    );
    assert_eq!(words(7)[3..6], ["-3.00ms", "9.00ms", "skewed"]);
    assert!(lines[8].contains("error: exit status 22"), "{shown}");
    let total = lines.last().unwrap();
    assert!(
        total.starts_with("TOTAL") && total.contains("500ms"),
        "{shown}"
    );
    assert_eq!(lines.len(), 2 + 11 + 1);
    let rows = in_file(&place, &["-q"]).ends(0).errors("").json();
    assert_eq!(rows[5]["since_previous"], -3000);
    assert_eq!(rows.last().unwrap()["since_first"], 500_000);
}

#[test]
fn what_is_expected_decides_the_status_and_the_last_line() {
    let place = Place::at("127.0.0.1:1");
    stages(&place);
    for (expectation, status, last) in [
        (r#"stages = ["CREATED", "PERSISTED"]"#, 0, "TOTAL"),
        (
            r#"stages = ["CREATED", "STORED", "DISPLAYED"]"#,
            1,
            "STORED missing (m-1): it was expected",
        ),
        (
            r#"stages = [{ stage = "PROCESSED", group = "billing" }]"#,
            1,
            "PROCESSED error (m-1): exit status 22",
        ),
        (
            r#"stages = [{ stage = "PERSISTED", within = "11ms" }]"#,
            1,
            "PERSISTED late (m-1): 12.0ms rather than 11ms",
        ),
        (
            "{\"within\": \"499ms\"}",
            1,
            "PROCESSED late (m-1): 500ms rather than 499ms",
        ),
        (
            r#"topics = ["orders", "paid"]"#,
            1,
            "PERSISTED missing (m-1): it was expected in topic `paid`",
        ),
    ] {
        place.write("life", expectation);
        let table = in_file(&place, &["--expect", "life", "--output", "table"]).ends(status);
        let out = table.out();
        let line = out.lines().last().unwrap();
        assert!(line.starts_with(last), "{expectation}: {line}");
        let json = in_file(&place, &["--expect", "life"]).ends(status).json();
        let stage = json.last().unwrap()["stage"].as_str().unwrap();
        assert!(last.starts_with(stage), "{expectation}: {stage}");
    }
    let late = in_file(&place, &["--budget", "499ms"]).ends(1).json();
    assert_eq!(late.last().unwrap()["status"], "late");
    let _ = in_file(&place, &["--budget", "500ms"]).ends(0);
    place.write("life", "stage = 1");
    let _ = in_file(&place, &["--expect", "life"])
        .ends(2)
        .prints("")
        .says(&["life does not say what to expect", "unknown field `stage`"]);
    let _ = in_file(&place, &["--expect", "none"])
        .ends(2)
        .says(&["cannot read none"]);
}

#[test]
fn what_is_missing_is_waited_for() {
    let place = Place::with(&["orders:2", "kpipe.stages:2"]);
    place.write(
        "life.toml",
        r#"stages = ["CREATED", "PERSISTED", "CONSUMED"]"#,
    );
    let mut waiting = place
        .kpipe(&["-v", "trace", "m-1", "--follow", "--timeout", "60s"])
        .arguments(&["--expect", "life.toml", "--topics", "orders"])
        .start();
    waiting.until_it_says("waiting for what is missing");
    let record = line("orders", "k", &[("message-id", "m-1")], &json!({}));
    let sent = place.kpipe(&["send", "--trace"]).input(record).run();
    let _ = sent.ends(0);
    let tail = ["tail", "orders", "-n", "1", "-o", "beginning", "--trace"];
    let _ = place.kpipe(&tail).run().ends(0);
    let ended = waiting.ended().ends(0);
    assert!(each(&reached(&ended), "stage").contains(&&json!("CONSUMED")));
    // What does not come is missing once time is up.
    place.write("life.toml", r#"stages = ["STORED"]"#);
    let late = [
        "m-1",
        "--follow",
        "--timeout",
        "100ms",
        "--expect",
        "life.toml",
    ];
    let last = trace(&place, &late).ends(1).json();
    assert_eq!(last.last().unwrap()["stage"], "STORED");
}

#[test]
fn an_interrupted_search_dies_of_its_signal_and_says_what_it_did_not_see() {
    let place = Place::with(&["orders:1", "kpipe.stages:1"]);
    let mut waiting = place
        .kpipe(&["-v", "trace", "m-1", "--follow", "--topics", "orders"])
        .start();
    waiting.until_it_says("waiting for what is missing");
    waiting.signal(Signal::INT);
    let _ = waiting
        .ended()
        .dies_of(Signal::INT)
        .prints("")
        .says(&["search cut short", "caused by: interrupted"]);
}

#[test]
fn a_wait_that_lost_its_broker_does_not_know() {
    let mut place = Place::with(&["orders:1", "kpipe.stages:1"]);
    let mut waiting = place
        .kpipe(&["-v", "trace", "m-1", "--follow", "--topics", "orders"])
        .arguments(&["--timeout", "5s"])
        .start();
    waiting.until_it_says("waiting for what is missing");
    place.lose_broker();
    let _ = waiting.ended().ends(3).prints("").says(&[
        "waiting for Kafka",
        "search cut short",
        "does not answer any more",
    ]);
}

#[test]
fn times_are_compared_one_by_one_where_they_cannot_be_looked_up() {
    let place = orders();
    let found = |arguments: &[&str]| {
        let base = ["m-50", "--topics", "orders"];
        trace(&place, &[&base, arguments].concat())
    };
    let _ = found(&[
        "--since",
        "2025-11-20T20:00:00Z",
        "--until",
        "2025-11-20T20:00:01Z",
    ])
    .ends(0)
    .says(&["the built-in broker cannot look up times"]);
    let _ = found(&["--since", "2025-11-20T20:00:01Z"]).ends(1);
    let _ = found(&["--until", "2025-11-20T20:00:00Z"]).ends(1);
    let _ = found(&["-o", "end"]).ends(1);
}

#[test]
fn what_cannot_be_meant_is_wrong_usage() {
    let place = Place::at("127.0.0.1:1");
    for (arguments, says) in [
        (&[][..], "required"),
        (&[""], "an id is not empty"),
        (&["a", "--all-partitions"], "--key"),
        (&["a", "--header", "x"], "expected NAME=VALUE"),
        (&["a", "--where", "x"], "compares nothing"),
        (&["a", "--topics", "^("], "is not a regular expression"),
        (&["a", "--topics", "t", "-o", "stored"], "there is no group"),
        (&["a", "--budget", "0"], "expected more than 0"),
        (
            &["a", "--follow", "--trace-file", "f"],
            "cannot be used with",
        ),
        (&["a", "--trace-file", "none"], "cannot read none"),
    ] {
        let _ = trace(&place, arguments).ends(2).prints("").says(&[says]);
    }
}

#[test]
fn statistics_tell_each_stage() {
    let place = Place::with(&["orders:1", "kpipe.stages:2"]);
    let lines: String = (0..50)
        .map(|number| {
            line(
                "orders",
                "k",
                &[("message-id", &format!("m-{number}"))],
                &json!({}),
            )
        })
        .collect();
    let sent = place.kpipe(&["send", "--trace", "-q"]).input(lines).run();
    let _ = sent.ends(0);
    let tail = [
        "tail",
        "orders",
        "-n",
        "30",
        "-o",
        "beginning",
        "--trace",
        "-q",
    ];
    let _ = place.kpipe(&tail).run().ends(0);
    // Their CREATED is years ago, as the records say.
    let stats = |since: &str| place.kpipe(&["trace", "stats", "--since", since]).run();
    let rows = stats("2025-01-01").ends(0);
    let rows = rows.says(&["events of 50 messages"]).json();
    assert_eq!(rows.len(), 10);
    let of = |stage: &str| rows.iter().find(|row| row["stage"] == stage).unwrap();
    assert_eq!(of("PERSISTED")["missing"], 0);
    assert!(of("PERSISTED")["p50"].as_i64().unwrap() >= 0);
    assert!(of("PERSISTED")["since_created_p99"].as_i64().unwrap() > 1_000_000);
    assert_eq!(of("CONSUMED")["messages"], 30);
    assert_eq!(of("CONSUMED")["missing_share"], 0.4);
    assert_eq!(of("STORED")["missing"], 50);
    let recent = stats("1h").ends(0).json();
    assert_eq!(recent[0]["messages"], 0);
    let none = place
        .kpipe(&["trace", "stats", "--topics", "other", "--since", "1h"])
        .run();
    assert!(
        none.json()
            .iter()
            .all(|row| row["messages"] == 0 || row["stage"] != "PERSISTED")
    );
    let _ = place
        .kpipe(&["trace", "stats", "--trace-topic", "orders"])
        .run()
        .ends(1)
        .says(&["there is no stage event"]);
    stages(&place);
    let table = place
        .kpipe(&[
            "trace",
            "stats",
            "--trace-file",
            "stages.jsonl",
            "--since",
            "2025-01-01",
        ])
        .arguments(&["--output", "table"])
        .run()
        .ends(0)
        .out();
    let consumed = table.lines().find(|line| line.starts_with("CONSUMED"));
    assert!(consumed.unwrap().contains("-3.00ms"), "{table}");
}
