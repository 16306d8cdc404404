//! The stages of what is sent and tailed, on a topic or in a file.

use serde_json::{Value, json};

use crate::support::{Place, each};

/// The events in a file.
fn events(place: &Place, file: &str) -> Vec<Value> {
    let text = place.read(file);
    let lines = text.split_inclusive(|byte| *byte == b'\n');
    lines
        .map(|line| {
            assert!(line.ends_with(b"\n"));
            serde_json::from_slice(line).unwrap()
        })
        .collect()
}

fn header<'a>(record: &'a Value, name: &str) -> Vec<&'a str> {
    let headers = record["headers"].as_array().unwrap().iter();
    headers
        .filter(|header| header["key"] == name)
        .map(|header| header["value"].as_str().unwrap())
        .collect()
}

#[test]
fn a_record_is_named_and_its_stages_are_on_the_topic_by_its_name() {
    let place = Place::with(&["orders:3", "kpipe.stages:2"]);
    let receipt = place
        .kpipe(&["send", "orders", "{\"total\":1}", "--trace", "-p", "2"])
        .arguments(&["--assign", "at=now", "--service", "gateway"])
        .run()
        .ends(0)
        .errors("")
        .json();
    let id = receipt[0]["message_id"].as_str().unwrap();
    let record = &place.records("orders")[0];
    assert_eq!(header(record, "message-id"), [id]);
    let parent = header(record, "traceparent")[0];
    let parts: Vec<&str> = parent.split('-').collect();
    assert_eq!((parts.len(), parts[0], parts[3]), (4, "00", "01"));
    place
        .kpipe(&["tail", "orders", "-n", "1", "-o", "beginning", "--trace"])
        .run()
        .ends(0)
        .errors("");
    let stages = place.records("kpipe.stages");
    // All events of a message are in one partition, under its id.
    assert!(stages.iter().all(|stage| stage["key"] == id));
    assert!(
        each(&stages, "partition")
            .windows(2)
            .all(|two| two[0] == two[1])
    );
    let events: Vec<Value> = stages.iter().map(|stage| stage["value"].clone()).collect();
    assert_eq!(
        each(&events, "stage"),
        [
            "CREATED",
            "VALIDATED",
            "ENRICHED",
            "PUBLISHED",
            "PERSISTED",
            "CONSUMED",
            "PROCESSED",
        ]
    );
    let times: Vec<i64> = events
        .iter()
        .map(|event| event["at"].as_i64().unwrap())
        .collect();
    assert!(times.is_sorted(), "{times:?}");
    // Microseconds of this century.
    assert!(times[0] > 1_700_000_000_000_000);
    for event in &events {
        assert_eq!(event["message_id"], id);
        assert_eq!(event["trace_id"], parts[1]);
        assert_eq!(event["span_id"], parts[2]);
        assert_eq!(event["status"], "ok");
        assert_eq!(event["topic"], "orders");
        assert!(event["host"].is_string());
    }
    assert_eq!(events[0]["service"], "gateway");
    assert_eq!(events[5]["service"], "kpipe-tail");
    assert_eq!(events[3]["partition"], 2);
    assert_eq!(events[3]["offset"], Value::Null);
    for event in &events[4..] {
        assert_eq!(
            (&event["partition"], &event["offset"]),
            (&json!(2), &json!(0))
        );
    }
}

#[test]
fn an_id_and_a_trace_that_are_there_are_never_changed() {
    let place = Place::with(&["orders:1"]);
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
    let lines = [
        json!({"value": "a", "headers": [{"key": "ce_id", "value": "one"}, {"key": "traceparent", "value": parent}]}),
        json!({"value": {"id": 2}, "headers": [{"key": "b3", "value": "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1"}]}),
        json!({"value": "c", "headers": [{"key": "id", "value": "three"}, {"key": "traceparent", "value": "strange"}]}),
    ];
    let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
    let receipts = place
        .kpipe(&[
            "send",
            "orders",
            "--receipts",
            "all",
            "--trace",
            "--trace-file",
            "s",
        ])
        .input(lines.join("\n"))
        .run()
        .ends(0)
        .json();
    assert_eq!(each(&receipts, "message_id"), ["one", "2", "three"]);
    let records = place.records("orders");
    assert!(
        records
            .iter()
            .all(|record| header(record, "message-id").is_empty())
    );
    assert_eq!(header(&records[0], "traceparent"), [parent]);
    assert!(header(&records[1], "traceparent").is_empty());
    assert_eq!(header(&records[2], "traceparent"), ["strange"]);
    let events = events(&place, "s");
    for (id, trace) in [
        ("one", json!("4bf92f3577b34da6a3ce929d0e0e4736")),
        ("2", json!("4bf92f3577b34da6a3ce929d0e0e4736")),
        ("three", Value::Null),
    ] {
        let of_message: Vec<Value> = (events.iter())
            .filter(|event| event["message_id"] == id)
            .cloned()
            .collect();
        assert_eq!(
            each(&of_message, "stage"),
            ["CREATED", "VALIDATED", "PUBLISHED", "PERSISTED"]
        );
        assert!(of_message.iter().all(|event| event["trace_id"] == trace));
    }
}

#[test]
fn a_record_was_created_at_its_own_time_if_it_has_one() {
    let place = Place::with(&["orders:1"]);
    let line = "{\"value\":\"a\",\"timestamp\":1763632800123}\n";
    for (flag, file, own) in [("--repartition", "own", true), ("--now", "now", false)] {
        place
            .kpipe(&["send", "orders", flag, "--trace", "--trace-file", file])
            .input(line)
            .run()
            .ends(0);
        let created = &events(&place, file)[0];
        assert_eq!(created["stage"], "CREATED");
        assert_eq!(created["at"] == 1_763_632_800_123_000_i64, own);
    }
}

#[test]
fn a_refused_record_stops_where_it_was_refused() {
    let place = Place::with(&["orders:1"]);
    let lines =
        "{\"value\":{\"id\":\"m-1\"}}\n{\"value\":{}}\n{\"value\":{\"id\":\"m-2\",\"a\":0}}\n";
    place
        .kpipe(&["send", "orders", "--require", "a", "--assign", "/a/b=1"])
        .arguments(&["--trace", "--trace-file", "s"])
        .input(lines)
        .run()
        .ends(1);
    let events = events(&place, "s");
    // Of one that has no id nobody could ask.
    assert_eq!(
        each(&events, "message_id"),
        ["m-1", "m-1", "m-2", "m-2", "m-2"]
    );
    assert_eq!(
        each(&events, "stage"),
        ["CREATED", "VALIDATED", "CREATED", "VALIDATED", "ENRICHED"]
    );
    assert_eq!(
        each(&events, "status"),
        ["ok", "error", "ok", "ok", "error"]
    );
    assert_eq!(events[1]["error"], "/a: required, and missing");
    assert_eq!(
        events[4]["error"],
        "/a/b: cannot be set: above it there is a number"
    );
}

#[test]
fn what_cannot_be_published_says_why() {
    let place = Place::with(&["orders:1"]);
    place
        .kpipe(&["send", "--trace", "--trace-file", "s"])
        .input("{\"topic\":\"nonesuch\",\"value\":{\"id\":1}}\n{\"value\":{\"id\":2}}\n")
        .run()
        .ends(1);
    place
        .kpipe(&[
            "send",
            "nonesuch",
            "{\"id\":3}",
            "--trace",
            "--trace-file",
            "s",
        ])
        .run()
        .ends(1);
    let failed: Vec<Value> = (events(&place, "s").into_iter())
        .filter(|event| event["status"] == "error")
        .collect();
    assert_eq!(each(&failed, "stage"), ["PUBLISHED"; 3]);
    assert_eq!(each(&failed, "message_id"), ["1", "2", "3"]);
    assert_eq!(
        each(&failed, "error"),
        [
            "topic `nonesuch` does not exist",
            "no `topic`, and none on the command line",
            "topic `nonesuch` does not exist",
        ]
    );
}

#[test]
fn tracing_that_fails_is_told_once_and_changes_nothing() {
    let place = Place::with(&["orders:1"]);
    let warning = "stage events were lost: topic `kpipe.stages` does not exist; `kpipe trace init` creates it";
    let sent = place
        .kpipe(&["send", "orders", "--lines", "--trace"])
        .input("a\nb\nc\n")
        .run()
        .ends(0)
        .says(&["3 sent, 0 failed", &format!("warning: 12 of 12 {warning}")]);
    assert_eq!(sent.stderr().matches("warning").count(), 1);
    let tailed = place
        .kpipe(&["tail", "orders", "-e", "--values", "--trace"])
        .run()
        .ends(0)
        .prints("a\nb\nc\n");
    assert_eq!(tailed.stderr(), format!("warning: 6 of 6 {warning}\n"));
    let full = ["--trace", "--trace-file", "/dev/full"];
    place
        .kpipe(&["send", "orders", "d"])
        .arguments(&full)
        .run()
        .ends(0)
        .says(&["warning: 4 of 4 stage events were lost: No space left on device"]);
    // Quiet is quiet.
    place
        .kpipe(&["tail", "orders", "-e", "-q"])
        .arguments(&full)
        .run()
        .ends(0)
        .errors("");
}

#[test]
fn a_group_is_named_and_a_sample_is_the_same_everywhere() {
    let place = Place::with(&["orders:1"]);
    let lines: String = (0..200)
        .map(|id| format!("{{\"id\":\"m-{id}\"}}\n"))
        .collect();
    let sample = ["--trace", "--trace-sample", "0.2", "--trace-file"];
    place
        .kpipe(&["send", "orders", "--lines", "-q"])
        .arguments(&sample)
        .arguments(&["sent"])
        .input(lines)
        .run()
        .ends(0);
    place
        .kpipe(&["tail", "orders", "-g", "billing", "-n", "200"])
        .arguments(&sample)
        .arguments(&["tailed"])
        .run()
        .ends(0);
    let of_stage = |file: &str, stage: &str| -> Vec<Value> {
        let events = events(&place, file).into_iter();
        events.filter(|event| event["stage"] == stage).collect()
    };
    let (sent, tailed) = (
        of_stage("sent", "PERSISTED"),
        of_stage("tailed", "PROCESSED"),
    );
    assert!((10..90).contains(&sent.len()), "{}", sent.len());
    assert_eq!(each(&sent, "message_id"), each(&tailed, "message_id"));
    assert!(tailed.iter().all(|event| event["group"] == "billing"));
}

#[test]
fn only_what_passes_the_filter_is_reported() {
    let place = Place::with(&["orders:1"]);
    place.send("orders", &["{\"id\":1}", "{\"id\":2}"]);
    place
        .kpipe(&[
            "tail",
            "orders",
            "-e",
            "--where",
            "/id=2",
            "--trace",
            "--trace-file",
            "s",
        ])
        .run()
        .ends(0);
    let events = events(&place, "s");
    assert_eq!(each(&events, "message_id"), ["2", "2"]);
    assert_eq!(each(&events, "stage"), ["CONSUMED", "PROCESSED"]);
}

#[test]
fn stage_events_have_no_stages() {
    let place = Place::with(&["kpipe.stages:1"]);
    place
        .kpipe(&["send", "kpipe.stages", "{\"id\":1}", "--trace"])
        .run()
        .ends(0);
    place
        .kpipe(&["tail", "kpipe.stages", "-e", "--trace"])
        .run()
        .ends(0)
        .errors("");
    assert_eq!(place.records("kpipe.stages").len(), 1);
}

#[test]
fn several_processes_append_whole_lines_to_one_file() {
    let place = Place::with(&["orders:1"]);
    place
        .bash(
            "for run in 1 2 3 4; do \
               seq 500 | kpipe send orders --lines -q --trace --trace-file s --service $run & \
             done; wait",
        )
        .run()
        .ends(0);
    assert_eq!(events(&place, "s").len(), 4 * 4 * 500);
}

#[test]
fn flags_that_say_how_need_the_one_that_says_that() {
    let place = Place::at("127.0.0.1:1");
    for flags in [
        ["--trace-topic", "t"],
        ["--trace-file", "f"],
        ["--trace-sample", "0.5"],
        ["--service", "s"],
    ] {
        for command in [&["send", "orders", "v"][..], &["tail", "orders"]] {
            place
                .kpipe(command)
                .arguments(&flags)
                .run()
                .ends(2)
                .says(&["hint: add `--trace`"])
                .says_one_block();
        }
    }
    for (flags, told) in [
        (&["--trace-sample", "2"][..], "a share from 0 to 1"),
        (
            &["--trace-file", "no/such/folder"],
            "cannot append to `no/such/folder`",
        ),
        (
            &["--trace-topic", "no/topic"],
            "`no/topic` is not a topic name",
        ),
        (
            &["--trace-topic", "t", "--trace-file", "f"],
            "cannot be used with",
        ),
    ] {
        place
            .kpipe(&["send", "orders", "v", "--trace"])
            .arguments(flags)
            .run()
            .ends(2)
            .says(&[told]);
    }
    place
        .kpipe(&["send", "orders", "--trace", "--transaction"])
        .run()
        .ends(2)
        .says(&["hint: leave `--trace` out, or `--transaction`"]);
    place
        .kpipe(&["tail", "orders", "--trace", "-l", "1"])
        .run()
        .ends(2)
        .says(&["hint: leave `--trace` out, or `-l`"]);
}
