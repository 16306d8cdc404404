//! Stages that any pipeline reports, and the topic they go to.

use std::io::Write;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{Place, each};

fn nowhere() -> Place {
    Place::at("127.0.0.1:1")
}

fn events(place: &Place, file: &str) -> Vec<Value> {
    let text = place.read(file);
    let lines = text.split_inclusive(|byte| *byte == b'\n');
    lines
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect()
}

const LINES: &str = concat!(
    r#"{"topic":"orders","partition":2,"offset":7,"key":null,"value":{"id":"m-1"},"headers":[]}"#,
    "\n",
    r#" {"value" : "x", "more":1, "headers":[{"key":"ce_id","value":"m-2"}]}"#,
    "\r\n",
    r#"{"topic":"orders","partition":0,"offset":9,"value":null}"#,
);

#[test]
fn lines_pass_byte_for_byte_and_their_stage_is_reported() {
    let place = nowhere();
    place
        .kpipe(&[
            "trace",
            "mark",
            "stored",
            "--trace-file",
            "s",
            "--service",
            "db",
        ])
        .input(LINES)
        .run()
        .ends(0)
        .errors("")
        .prints(LINES);
    let events = events(&place, "s");
    assert_eq!(each(&events, "stage"), ["STORED"; 3]);
    assert_eq!(each(&events, "service"), ["db"; 3]);
    assert_eq!(
        each(&events, "message_id"),
        [&json!("m-1"), &json!("m-2"), &Value::Null]
    );
    assert_eq!(
        each(&events, "offset"),
        [&json!(7), &Value::Null, &json!(9)]
    );
    assert_eq!(
        each(&events, "partition"),
        [&json!(2), &Value::Null, &json!(0)]
    );
}

#[test]
fn an_error_is_reported_as_one() {
    let place = nowhere();
    place
        .kpipe(&[
            "trace",
            "mark",
            "BROADCASTED",
            "--error",
            "nobody is there",
            "--trace-file",
            "s",
        ])
        .input(LINES)
        .run()
        .ends(0);
    let events = events(&place, "s");
    assert_eq!(each(&events, "status"), ["error"; 3]);
    assert_eq!(events[0]["error"], "nobody is there");
}

#[test]
fn events_go_to_the_topic_under_the_id_or_the_place() {
    let place = Place::with(&["stages:1"]);
    place
        .kpipe(&["trace", "mark", "DISPLAYED", "--trace-topic", "stages"])
        .input(LINES)
        .run()
        .ends(0)
        .errors("");
    let records = place.records("stages");
    assert_eq!(each(&records, "key"), ["m-1", "m-2", "orders:0:9"]);
    assert_eq!(records[0]["value"]["stage"], "DISPLAYED");
}

#[test]
fn in_a_quiet_pipe_a_line_passes_at_once() {
    let place = nowhere();
    let marking = place
        .kpipe(&["trace", "mark", "STORED", "--trace-file", "s"])
        .start();
    let (mut marking, mut input) = marking.with_input();
    for number in 0..3 {
        let line = format!("{{\"value\":{{\"id\":{number}}}}}\n");
        input.write_all(line.as_bytes()).unwrap();
        assert_eq!(marking.line(), line);
    }
    drop(input);
    let _ = marking.ended().ends(0);
    assert_eq!(events(&place, "s").len(), 3);
}

#[test]
fn a_line_that_is_no_record_passes_too_and_is_told() {
    let place = nowhere();
    let lines = "{\"value\":{\"id\":1}}\nhello\n\n{\"value\":{\"id\":2}}\n";
    place
        .kpipe(&["trace", "mark", "STORED", "--trace-file", "s"])
        .input(lines)
        .run()
        .ends(1)
        .prints(lines)
        .says(&[
            "stdin:2:1: not a record line: expected a JSON object, found other text",
            "stdin:3:1: not a record line: expected a JSON object, found an empty line",
        ]);
    assert_eq!(each(&events(&place, "s"), "message_id"), ["1", "2"]);
}

#[test]
fn a_first_line_that_is_no_record_is_another_input() {
    let place = nowhere();
    place
        .kpipe(&["trace", "mark", "STORED", "--trace-file", "s"])
        .input("{\"id\":1}\n")
        .run()
        .ends(2)
        .prints("")
        .says(&[
            "stdin:1:1: neither `value` nor `value_base64`",
            "`kpipe tail` and `kpipe generate` print record lines",
        ])
        .says_one_block();
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let place = nowhere();
    place.write("lines", "{\"value\":{\"id\":1}}\n".repeat(100_000));
    place
        .bash("kpipe trace mark STORED --trace-file s < lines | head -1")
        .run()
        .ends(0)
        .errors("")
        .prints("{\"value\":{\"id\":1}}\n");
    // And where nothing more comes in, too.
    let marking = place
        .bash("kpipe trace mark STORED --trace-file s | head -1")
        .start();
    let (mut marking, mut input) = marking.with_input();
    input.write_all(b"{\"value\":{\"id\":1}}\n").unwrap();
    assert_eq!(marking.line(), "{\"value\":{\"id\":1}}\n");
    let _ = marking.ended().ends(0);
    drop(input);
}

#[test]
fn what_was_not_passed_on_was_not_reported() {
    let place = nowhere();
    place.write("lines", LINES);
    place
        .bash("kpipe trace mark STORED --trace-file s < lines > /dev/full")
        .run()
        .ends(1)
        .says(&["error: cannot write to stdout"])
        .says_one_block();
    assert_eq!(events(&place, "s"), Vec::<Value>::new());
}

#[test]
fn a_signal_ends_it_after_what_was_read() {
    let place = nowhere();
    let marking = place
        .kpipe(&["trace", "mark", "STORED", "--trace-file", "s"])
        .start();
    let (mut marking, mut input) = marking.with_input();
    input.write_all(b"{\"value\":{\"id\":1}}\n").unwrap();
    let _ = marking.line();
    marking.signal(Signal::INT);
    let _ = marking.ended().dies_of(Signal::INT);
    drop(input);
    assert_eq!(events(&place, "s").len(), 1);
}

#[test]
fn what_cannot_be_found_again_is_told() {
    let place = nowhere();
    place
        .kpipe(&["trace", "mark", "STORED", "--trace-file", "s"])
        .input("{\"value\":\"a\"}\n{\"value\":{\"id\":1}}\n")
        .run()
        .ends(0)
        .errors(
            "warning: 1 of 2 stage events were lost: a record has neither an id nor a place in \
             Kafka\n",
        );
}

#[test]
fn a_stage_that_is_none_is_wrong_usage() {
    nowhere()
        .kpipe(&["trace", "mark", "store"])
        .run()
        .ends(2)
        .says(&["did you mean `STORED`?"]);
}

#[test]
fn the_built_in_broker_is_given_its_topics_when_it_starts() {
    let place = Place::with(&["kpipe.stages:2"]);
    place
        .kpipe(&["trace", "init"])
        .run()
        .ends(0)
        .prints("")
        .errors("Topic `kpipe.stages` is there already.\n");
    place
        .kpipe(&["trace", "init", "--trace-topic", "mine"])
        .run()
        .ends(2)
        .says(&[
            "not on the built-in broker",
            "hint: kpipe broker --topic mine",
        ])
        .says_one_block();
}

#[test]
fn where_topics_are_approved_the_one_of_stages_is_asked_for_too() {
    let place = nowhere();
    place.write(
        "config/kpipe/config.toml",
        "default_profile = \"prod\"\n[profiles.prod]\nbrokers = \"127.0.0.1:1\"\napproval = \"enforce\"\n",
    );
    place
        .kpipe(&["trace", "init", "-C", "prod"])
        .run()
        .ends(4)
        .says(&[
            "hint: kpipe topic request kpipe.stages --partitions 6 --config retention.ms=604800000",
        ])
        .says_one_block();
}
