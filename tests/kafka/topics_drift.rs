//! Topics that change behind the registry's back, that it learns of late, and those made without it.

use std::collections::BTreeSet;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::eventually;
use crate::support::executable::kpipe;
use crate::support::java::java;
use crate::support::kafka::{topic, unique};
use crate::support::registry::{Registry, described_by_kafka};

/// An ACTIVE topic with one partition, and a setting that it was approved with.
fn active(registry: &Registry) -> String {
    let name = unique("drifting");
    let config = json!({"retention.ms": "1000000"});
    registry.approve(&[json!({"name": name, "partitions": 2, "config": config})]);
    registry.reconcile(0);
    name
}

fn alter(topic: &str, setting: &str) {
    let arguments = [
        "--entity-type",
        "topics",
        "--entity-name",
        topic,
        "--alter",
        "--add-config",
        setting,
    ];
    java("kafka.admin.ConfigCommand", &arguments, "");
}

#[test]
fn drift_is_told_and_left_until_kafka_agrees_again() {
    let registry = Registry::new();
    let name = active(&registry);
    let watch = registry.watch();
    // Nobody asked about that one.
    alter(&name, "segment.ms=700000");
    alter(&name, "retention.ms=2000000");
    let told = watch.lines(1).remove(0);
    assert_eq!(
        (&told["action"], &told["ready"]),
        (&json!("drift"), &json!(false))
    );
    assert_eq!(
        told["message"],
        "config.retention.ms: 2000000 in Kafka, 1000000 asked for"
    );
    let planned = registry.plan(1);
    assert_eq!(planned.len(), 1, "{planned:?}");
    assert_eq!(planned[0]["field"], "config.retention.ms");
    assert_eq!(
        planned[0]["safe"], false,
        "a shorter retention deletes records"
    );
    assert_eq!(
        registry.describe(&name)["drift"][0]["field"],
        "config.retention.ms"
    );
    assert_eq!(
        registry.standing(&name),
        json!(["ACTIVE", false, "ResourceConflict"])
    );
    assert!(
        described_by_kafka(&name).contains("retention.ms=2000000"),
        "it is left as it is"
    );

    alter(&name, "retention.ms=1000000");
    let told = watch.lines(2).remove(1);
    assert_eq!(
        (&told["action"], &told["ready"]),
        (&json!("restored"), &json!(true))
    );
    assert_eq!(registry.standing(&name), json!(["ACTIVE", true, null]));
    watch.signal(Signal::TERM);
    assert_eq!(watch.wait().lines().len(), 2, "each is told once");
}

#[test]
fn partitions_that_somebody_added_are_drift_until_a_change_takes_them_in() {
    let registry = Registry::new();
    let name = active(&registry);
    let arguments = ["--alter", "--topic", &name, "--partitions", "5"];
    java("org.apache.kafka.tools.TopicCommand", &arguments, "");
    let told = eventually("the drift is seen", || {
        registry.kpipe(&["topic", "reconcile"]).run().lines().pop()
    });
    assert_eq!(told["message"], "partitions: 5 in Kafka, 2 asked for");
    assert_eq!(
        registry.plan(1)[0]["safe"],
        false,
        "partitions are never taken away"
    );
    let config = json!({"retention.ms": "1000000"});
    registry.approve(&[json!({"name": name, "partitions": 5, "config": config})]);
    assert_eq!(registry.reconcile(0)[0]["action"], "changed");
    assert!(registry.plan(0).is_empty());
}

#[test]
fn a_topic_deleted_behind_its_back_is_told_and_not_made_again() {
    let registry = Registry::new();
    let name = active(&registry);
    let delete = registry
        .kpipe(&["topic", "delete", &name, "--yes"])
        .run()
        .ok();
    delete.says("the registry has it as ACTIVE");
    for _ in 0..2 {
        let told = registry.reconcile(1).remove(0);
        assert_eq!(
            (&told["action"], &told["ready"]),
            (&json!("drift"), &json!(false))
        );
        assert_eq!(told["message"], "Kafka does not have it");
    }
    let planned = registry.plan(1).remove(0);
    assert_eq!(
        (&planned["field"], &planned["safe"]),
        (&json!("topic"), &json!(false))
    );
    let described = registry.describe(&name);
    assert_eq!(described["kafka"], Value::Null);
    assert_eq!(described["drift"][0]["field"], "topic");
    // Nor does a change of it make it again.
    let config = json!({"retention.ms": "1000000"});
    registry.approve(&[json!({"name": name, "partitions": 3, "config": config})]);
    assert_eq!(registry.reconcile(1)[0]["action"], "conflict");
    let listed = kpipe(["topic", "list", &name]).run().ok();
    assert!(listed.lines().is_empty(), "{listed:?}");
}

#[test]
fn topics_are_taken_in_once_with_what_is_against_the_policy_noted() {
    let registry = Registry::new();
    let (one, other) = (
        topic("import").partitions(2).create(),
        topic("import").create(),
    );
    let pattern = format!("^({}|{}|__.*)$", &*one, &*other);
    let import = |more: &[&str]| {
        let arguments = [&["topic", "import", &pattern, "--by", "alice"], more].concat();
        let config = "[profiles.p]\nbrokers = 'x'\npolicy.partitions.max = 1\n";
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("config.toml"), config).unwrap();
        let run = registry.kpipe(&arguments);
        let run = run.env("KPIPE_CONFIG", folder.path().join("config.toml"));
        run.env("KPIPE_PROFILE", "p").run().ok().lines()
    };
    let names: BTreeSet<&str> = [&*one, &*other].into();
    let found = |rows: &[Value], news: bool| {
        let found: BTreeSet<&str> = rows
            .iter()
            .map(|row| row["name"].as_str().unwrap())
            .collect();
        assert_eq!(found, names, "Kafka's own are left out");
        assert!(rows.iter().all(|row| row["imported"] == news), "{rows:?}");
    };
    found(&import(&["--dry-run"]), true);
    let rows = import(&[]);
    found(&rows, true);
    let of_one = rows.iter().find(|row| row["name"] == *one).unwrap();
    assert_eq!(
        of_one["violations"],
        "2 partitions, and 1 or fewer is allowed"
    );
    found(&import(&[]), false);

    let described = registry.describe(&one);
    assert_eq!(described["state"], "ACTIVE");
    assert_eq!(described["request"]["config"]["retention.ms"], "-1");
    assert_eq!(described["drift"], json!([]));
    let history = registry
        .kpipe(&["topic", "history", &one])
        .run()
        .ok()
        .lines();
    let violations = &history[0]["detail"]["violations"];
    assert_eq!(
        violations,
        &json!(["2 partitions, and 1 or fewer is allowed"])
    );
    assert!(registry.plan(0).is_empty());
    assert!(registry.reconcile(0).is_empty());
}

#[test]
fn topics_are_taken_in_from_lines_all_or_none() {
    let registry = Registry::new();
    let theirs = topic("listed").create();
    let line = json!({"name": &*theirs, "created_by": "dora", "description": "for the shop"});
    let missing = json!({"name": unique("missing")});
    let import = |lines: String| {
        let run = registry.kpipe(&["topic", "import", "-", "--by", "alice"]);
        run.input(lines).run()
    };
    import(format!("{line}\n{missing}\n"))
        .exits(1)
        .says("does not exist");
    assert_eq!(
        registry.describe(&theirs)["state"],
        Value::Null,
        "nothing was taken in"
    );
    import(format!("{line}\n")).ok();
    let request = &registry.describe(&theirs)["request"];
    assert_eq!(
        (&request["created_by"], &request["description"]),
        (&json!("dora"), &json!("for the shop"))
    );
    // What `list` prints can be taken in too.
    let another = topic("listed").create();
    let listed = registry
        .kpipe(&["topic", "list", &format!("^{}$", &*another)])
        .run()
        .ok();
    import(String::from_utf8(listed.stdout).unwrap()).ok();
    assert_eq!(
        registry.describe(&another)["request"]["created_by"],
        "alice"
    );
}

#[test]
fn a_topic_is_made_and_deleted_at_once() {
    let name = unique("at-once");
    let create = [
        "topic",
        "create",
        &name,
        "--partitions",
        "3",
        "--config",
        "retention.ms=7000",
    ];
    kpipe(create).run().ok();
    // At once: nothing waits until the brokers have heard of it.
    kpipe(["send", &name, "hello"]).run().ok();
    let kafkas = described_by_kafka(&name);
    assert!(
        kafkas.contains("PartitionCount: 3") && kafkas.contains("retention.ms=7000"),
        "{kafkas}"
    );
    kpipe(create)
        .run()
        .exits(1)
        .says("exists already")
        .says_one_error();
    kpipe(["topic", "delete", &name])
        .run()
        .exits(2)
        .says("--yes");
    kpipe(["topic", "delete", &name, "--yes"]).run().ok();
    kpipe(["topic", "describe", &name])
        .run()
        .exits(1)
        .says("does not exist");
    kpipe(["topic", "delete", &name, "--yes"])
        .run()
        .exits(1)
        .says("does not exist");
    for verb in [&["create"][..], &["delete", "--yes"]] {
        let arguments = [&["topic"], verb, &["__consumer_offsets"]].concat();
        kpipe(arguments)
            .run()
            .exits(4)
            .says("belongs to Kafka itself");
    }
    let refused = kpipe([
        "topic",
        "create",
        &unique("refused"),
        "--config",
        "retention.ms=soon",
    ]);
    let words = "Invalid value soon for configuration retention.ms";
    refused.run().exits(1).says(words).says_one_error();
}
