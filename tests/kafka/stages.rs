//! Stages of messages on real Kafka, as kcat reads them.

use std::process::Command;

use serde_json::Value;

use crate::support::executable::{bash, kpipe};
use crate::support::java::java;
use crate::support::kafka::{group, topic, unique};
use crate::support::told;

/// A topic of stage events of one test.
fn stages() -> String {
    let name = unique("stages");
    kpipe(["trace", "init", "--trace-topic", &name, "--partitions", "3"])
        .run()
        .ok()
        .says(&format!("Created topic `{name}`."));
    name
}

/// What kcat prints, asked for whole topics.
fn kcat(arguments: &[&str]) -> String {
    let output = Command::new("kcat")
        .args(["-b", &told("KAFKA_BROKERS"), "-q"])
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The events of a topic in the order of their times, each with the partition and the key of its record.
fn events(stages: &str) -> Vec<(String, String, Value)> {
    let printed = kcat(&["-C", "-e", "-t", stages, "-f", "%p %k %s\n"]);
    let mut events: Vec<(String, String, Value)> = printed
        .lines()
        .map(|line| {
            let mut parts = line.splitn(3, ' ');
            let mut part = || parts.next().unwrap().to_owned();
            (part(), part(), serde_json::from_str(&part()).unwrap())
        })
        .collect();
    events.sort_by_key(|(_, _, event)| event["at"].as_i64());
    events
}

#[test]
fn the_topic_of_stages_is_made_once_and_keeps_seven_days() {
    let stages = stages();
    kpipe(["trace", "init", "--trace-topic", &stages])
        .run()
        .ok()
        .says("is there already");
    let described = java(
        "org.apache.kafka.tools.TopicCommand",
        &["--describe", "--topic", &stages],
        "",
    );
    assert!(described.contains("PartitionCount: 3"), "{described}");
    assert!(described.contains("retention.ms=604800000"), "{described}");
    assert!(described.contains("cleanup.policy=delete"), "{described}");
}

#[test]
fn the_stages_of_one_message_are_in_order_with_its_place() {
    let stages = stages();
    let (topic, group) = (topic("staged").partitions(3).create(), group());
    topic.append_numbers(1, 0..4);
    let trace = ["--trace", "--trace-topic", stages.as_str()];
    let receipt = kpipe([
        "send",
        &topic,
        "{\"total\":1.50}",
        "-p",
        "1",
        "--default",
        "by=me",
    ])
    .args(trace)
    .run()
    .ok()
    .lines();
    let id = receipt[0]["message_id"].as_str().unwrap().to_owned();
    assert_eq!(receipt[0]["offset"], 4);
    kpipe(["tail", &topic, "-g", &group, "-o", "beginning", "-n", "5"])
        .args(trace)
        .run()
        .ok();
    bash(&format!(
        "kpipe tail {} -p 1 -o 4 -n 1 | kpipe trace mark STORED --trace-topic {stages} --service db",
        &*topic
    ))
    .run()
    .ok();
    let events: Vec<_> = (events(&stages).into_iter())
        .filter(|(_, key, _)| *key == id)
        .collect();
    let of_all = |field: &str| -> Vec<Value> {
        events
            .iter()
            .map(|(_, _, event)| event[field].clone())
            .collect()
    };
    assert_eq!(
        of_all("stage"),
        [
            "CREATED",
            "VALIDATED",
            "ENRICHED",
            "PUBLISHED",
            "PERSISTED",
            "CONSUMED",
            "PROCESSED",
            "STORED",
        ]
    );
    assert!(
        events
            .iter()
            .all(|(partition, _, _)| *partition == events[0].0)
    );
    assert!(
        of_all("message_id")
            .iter()
            .all(|named| *named == id.as_str())
    );
    assert_eq!(of_all("offset")[4..], [4; 4]);
    assert_eq!(of_all("partition")[4..], [1; 4]);
    assert_eq!(of_all("group")[5], group);
    assert_eq!(of_all("service")[7], "db");
    let traces = of_all("trace_id");
    assert!(
        traces
            .iter()
            .all(|trace| *trace == traces[0] && trace.is_string())
    );
    // Its headers, as kcat sees them.
    let headers = kcat(&["-C", "-e", "-t", &topic, "-p", "1", "-o", "4", "-f", "%h"]);
    let trace = traces[0].as_str().unwrap();
    assert!(
        headers.starts_with(&format!("message-id={id},traceparent=00-{trace}-")),
        "{headers}"
    );
}

/// Sends one message that is traced, and returns its id.
fn sent(topic: &str, value: &str, stages: &str) -> String {
    let send = ["send", topic, value, "-p", "1", "--assign", "sent_at=now"];
    let receipt = kpipe(send)
        .args(["--trace", "--trace-topic", stages])
        .run()
        .ok()
        .lines();
    receipt[0]["message_id"].as_str().unwrap().to_owned()
}

#[test]
fn one_message_is_followed_through_send_handle_store_and_tail() {
    let stages = stages();
    let topic = topic("followed").partitions(2).create();
    topic.append_numbers(1, 0..3);
    let id = sent(&topic, "{\"total\":1}", &stages);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("f.db");
    let trace = ["--trace", "--trace-topic", stages.as_str()];
    let (billing, archive) = (group(), group());
    kpipe([
        "handle",
        &topic,
        "-g",
        &billing,
        "-o",
        "beginning",
        "-e",
        "-q",
    ])
    .args(trace)
    .args(["--", "cat"])
    .run()
    .ok();
    kpipe([
        "store",
        &topic,
        "-g",
        &archive,
        "-o",
        "beginning",
        "-e",
        "--db",
    ])
    .args([&file])
    .args(trace)
    .run()
    .ok();
    bash(&format!(
        "kpipe tail {} -p 1 -o 3 -n 1 | kpipe trace mark BROADCASTED --trace-topic {stages} --service web",
        &*topic
    ))
    .run()
    .ok();
    let own = |events: Vec<(String, String, Value)>| -> Vec<Value> {
        let of_it = events.into_iter().filter(|(_, key, _)| *key == id);
        of_it.map(|(_, _, event)| event).collect()
    };
    let events = own(events(&stages));
    let told: Vec<String> = events
        .iter()
        .map(|event| {
            let fields = ["stage", "status", "partition", "offset", "group"];
            let text = fields.map(|field| event[field].to_string()).join(" ");
            text.replace('"', "")
                .replace(&billing, "b")
                .replace(&archive, "a")
        })
        .collect();
    assert_eq!(
        told,
        [
            "CREATED ok null null null",
            "VALIDATED ok null null null",
            "ENRICHED ok null null null",
            "PUBLISHED ok 1 null null",
            "PERSISTED ok 1 3 null",
            "CONSUMED ok 1 3 b",
            "PROCESSED ok 1 3 b",
            "CONSUMED ok 1 3 a",
            "STORED ok 1 3 a",
            "BROADCASTED ok 1 3 null",
        ]
    );
    // And the question at night.
    let answer = kpipe(["trace", &id, "--trace-topic", &stages])
        .run()
        .ok()
        .lines();
    let stages_of: Vec<&str> = answer
        .iter()
        .filter_map(|row| row["stage"].as_str())
        .collect();
    for stage in [
        "CREATED",
        "PERSISTED",
        "CONSUMED",
        "PROCESSED",
        "STORED",
        "BROADCASTED",
    ] {
        assert!(stages_of.contains(&stage), "{answer:?}");
    }
}

#[test]
fn a_handler_that_fails_shows_where_a_message_stopped() {
    let stages = stages();
    let topic = topic("stopped").partitions(2).create();
    let id = sent(&topic, "{\"total\":-1}", &stages);
    let group = group();
    kpipe([
        "handle",
        &topic,
        "-g",
        &group,
        "-o",
        "beginning",
        "-e",
        "--skip",
    ])
    .args(["--trace", "--trace-topic", &stages])
    .args(["--", "sh", "-c", "echo negative >&2; exit 65"])
    .run()
    .ok();
    let events = events(&stages);
    let (_, _, last) = events.iter().rfind(|(_, key, _)| *key == id).unwrap();
    assert_eq!(
        (&last["stage"], &last["status"]),
        (&"PROCESSED".into(), &"error".into())
    );
    assert!(
        last["error"].as_str().unwrap().contains("negative"),
        "{last}"
    );
    assert_eq!(last["group"], group);
    let answer = kpipe(["trace", &id, "--trace-topic", &stages]).run();
    let told = String::from_utf8_lossy(&answer.stdout).into_owned();
    assert!(told.contains("negative"), "{told}");
}

#[test]
fn without_the_topic_of_stages_delivery_is_as_ever_and_that_is_told() {
    let topic = topic("untraced").partitions(1).create();
    let absent = unique("absent");
    let lines: String = (0..1000).map(|number| format!("{number}\n")).collect();
    let trace = ["--trace", "--trace-topic", absent.as_str()];
    let warning = format!("stage events were lost: topic `{absent}` does not exist");
    kpipe(["send", &topic, "--lines"])
        .args(trace)
        .input(lines.clone())
        .run()
        .ok()
        .says("1000 sent, 0 failed")
        .says(&format!("warning: 4000 of 4000 {warning}"));
    let group = group();
    kpipe([
        "tail",
        &topic,
        "-g",
        &group,
        "-o",
        "beginning",
        "-n",
        "1000",
        "--values",
    ])
    .args(trace)
    .run()
    .ok()
    .says(&format!("warning: 2000 of 2000 {warning}"));
    assert_eq!(kcat(&["-C", "-e", "-t", &topic]), lines);
    assert_eq!(crate::support::kafka::committed(&group, &topic), [1000]);
    let topics = java("org.apache.kafka.tools.TopicCommand", &["--list"], "");
    assert!(!topics.contains(&absent));
}

#[test]
fn what_is_too_large_fails_to_be_persisted() {
    let stages = stages();
    let topic = topic("small").config("max.message.bytes", "2000").create();
    kpipe([
        "send",
        &topic,
        "--lines",
        "--trace",
        "--trace-topic",
        &stages,
    ])
    .args(["-X", "message.max.bytes=1000000"])
    .input(format!(
        "{{\"id\":\"large\",\"x\":\"{}\"}}\n",
        random_text()
    ))
    .run()
    .exits(1);
    let events = events(&stages);
    let (_, key, last) = events.last().unwrap();
    assert_eq!(
        (key.as_str(), &last["stage"]),
        ("large", &Value::from("PERSISTED"))
    );
    assert_eq!(last["status"], "error");
    assert!(last["error"].as_str().unwrap().contains("large"), "{last}");
}

/// Text that compression does not make small.
fn random_text() -> String {
    let mut state = 1_u64;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        format!("{state:016x}")
    };
    (0..1000).map(|_| next()).collect()
}
