//! Topics by approval: asked for, approved, made in Kafka by the reconciler.

use kpipe::registry::{Actor, Asked, Rules, Stamp, Wish};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::eventually;
use crate::support::executable::kpipe;
use crate::support::kafka::{topic, unique};
use crate::support::registry::{Registry, described_by_kafka};

/// `field` of each.
fn each<'a>(rows: &'a [Value], field: &str) -> Vec<&'a Value> {
    rows.iter().map(|row| &row[field]).collect()
}

#[test]
fn an_approved_topic_is_made_and_carries_records_to_its_subscriber() {
    let registry = Registry::new();
    let watch = registry.watch();
    let name = unique("journey");
    registry
        .approve(&[json!({"name": name, "partitions": 3, "config": {"retention.ms": "86400000"}})]);
    let told = watch.lines(1).remove(0);
    assert_eq!(told["name"], name.as_str());
    assert_eq!(
        (&told["action"], &told["state"]),
        (&json!("created"), &json!("ACTIVE"))
    );

    let add = registry.kpipe(&["subscription", "add", "user_1", &name]);
    add.run().ok();
    let tail = registry
        .kpipe(&["tail", "--user", "user_1", "-n", "1"])
        .start();
    registry
        .kpipe(&[
            "send",
            &name,
            "--approved-only",
            r#"{"sensor_id":"sensor_42"}"#,
        ])
        .run()
        .ok();
    let lines = tail.wait().ok().lines();
    assert_eq!(lines[0]["value"], json!({"sensor_id": "sensor_42"}));

    let kafkas = described_by_kafka(&name);
    for fact in [
        "PartitionCount: 3",
        "ReplicationFactor: 1",
        "retention.ms=86400000",
    ] {
        assert!(kafkas.contains(fact), "{kafkas}");
    }
    let described = registry.describe(&name);
    let fields: Vec<&String> = described.as_object().unwrap().keys().collect();
    assert_eq!(
        fields,
        ["name", "state", "request", "decision", "kafka", "drift"]
    );
    assert_eq!(described["request"]["created_by"], "alice");
    assert_eq!(described["decision"]["decided_by"], "bob");
    assert_eq!(described["kafka"]["records"], 1);
    assert_eq!(
        described["kafka"]["config"],
        json!({"retention.ms": "86400000"})
    );
    assert_eq!(described["drift"], json!([]));

    watch.signal(Signal::TERM);
    watch.wait().dies_of(Signal::TERM);
    assert!(registry.plan(0).is_empty(), "nothing is left to do");
}

#[test]
fn five_hundred_topics_approved_at_once_are_made() {
    let registry = Registry::new();
    let prefix = unique("many");
    let names: Vec<String> = (0..500)
        .map(|number| format!("{prefix}.{number:03}"))
        .collect();
    let requests: Vec<Value> = names
        .iter()
        .map(|name| json!({"name": name, "partitions": 1}))
        .collect();
    registry.approve(&requests);
    let told = registry.reconcile(0);
    assert_eq!(each(&told, "name"), names.iter().collect::<Vec<_>>());
    assert!(
        each(&told, "action")
            .iter()
            .all(|action| *action == "created")
    );
    let listed = registry
        .kpipe(&["topic", "list", &prefix])
        .run()
        .ok()
        .lines();
    assert_eq!(listed.len(), 500);
    let is_there = |row: &Value| row["in_kafka"] == true && row["state"] == "ACTIVE";
    assert!(listed.iter().all(is_there));
    assert!(registry.reconcile(0).is_empty(), "there is no more to say");
}

#[test]
fn a_change_of_an_active_topic_grows_it_and_sets_what_it_says_and_no_more() {
    let registry = Registry::new();
    let name = unique("growing");
    let config = json!({"retention.ms": "1000000", "segment.ms": "500000"});
    registry.approve(&[json!({"name": name, "partitions": 1, "config": config})]);
    registry.reconcile(0);
    let config = json!({"segment.ms": "600000", "max.message.bytes": "2000"});
    registry.approve(&[json!({"name": name, "partitions": 4, "config": config})]);
    let planned = registry.plan(1);
    let fields = [
        "partitions",
        "config.max.message.bytes",
        "config.segment.ms",
        "config.retention.ms",
    ];
    assert_eq!(each(&planned, "field"), fields);
    assert_eq!(each(&planned, "action"), ["change"; 4]);
    assert_eq!(each(&planned, "safe"), [true, true, true, false]);

    let told = registry.reconcile(0);
    assert_eq!(each(&told, "action"), ["changed"]);
    let kafkas = described_by_kafka(&name);
    for fact in [
        "PartitionCount: 4",
        "segment.ms=600000",
        "max.message.bytes=2000",
    ] {
        assert!(kafkas.contains(fact), "{kafkas}");
    }
    assert!(!kafkas.contains("retention.ms"), "{kafkas}");
    let history = registry
        .kpipe(&["topic", "history", &name])
        .run()
        .ok()
        .lines();
    let codes = each(&history, "reason_code");
    assert!(codes.contains(&&json!("superseded")), "{history:?}");
    assert!(registry.plan(0).is_empty());
}

#[test]
fn a_topic_that_is_there_just_so_is_adopted() {
    let registry = Registry::new();
    let theirs = topic("adopted").partitions(2).create();
    // Without `retention.ms`, which it has too, and which nobody asked about.
    let config = json!({"message.timestamp.after.max.ms": 9_223_372_036_854_775_807_i64});
    registry.approve(&[json!({"name": &*theirs, "partitions": 2, "config": config})]);
    assert_eq!(each(&registry.plan(1), "action"), ["adopt"]);
    assert_eq!(each(&registry.reconcile(0), "action"), ["adopted"]);
    assert_eq!(registry.describe(&theirs)["request"]["adopted"], true);
}

#[test]
fn a_topic_that_is_there_as_something_else_is_left_as_it_is() {
    let registry = Registry::new();
    let theirs = topic("theirs").partitions(2).create();
    let config = json!({"retention.ms": "1"});
    registry.approve(&[json!({"name": &*theirs, "partitions": 3, "config": config})]);
    let planned = registry.plan(1);
    assert_eq!(each(&planned, "action"), ["conflict", "conflict"]);
    assert_eq!(
        each(&planned, "field"),
        ["partitions", "config.retention.ms"]
    );
    assert_eq!(each(&planned, "kafka"), ["2", "-1"]);
    assert_eq!(each(&planned, "safe"), [true, false]);
    let told = registry.reconcile(1);
    assert_eq!(told[0]["reason"], "ResourceConflict");
    let difference =
        "partitions: 2 in Kafka, 3 asked for; config.retention.ms: -1 in Kafka, 1 asked for";
    assert_eq!(told[0]["message"], difference);
    assert_eq!(
        registry.standing(&theirs),
        json!(["APPROVED", false, "ResourceConflict"])
    );
    let kafkas = described_by_kafka(&theirs);
    assert!(
        kafkas.contains("PartitionCount: 2") && kafkas.contains("retention.ms=-1"),
        "{kafkas}"
    );

    // It goes, and there is room.
    theirs.delete();
    eventually("the topic is gone and made anew", || {
        let told = registry.kpipe(&["topic", "reconcile"]).run().lines();
        (told.first()?["action"] == "created").then_some(())
    });
}

#[test]
fn topics_that_somebody_else_makes_at_the_same_time_are_adopted() {
    let registry = Registry::new();
    let prefix = unique("raced");
    let names: Vec<String> = (0..40)
        .map(|number| format!("{prefix}.{number:02}"))
        .collect();
    let requests: Vec<Value> = names
        .iter()
        .map(|name| json!({"name": name, "partitions": 1}))
        .collect();
    registry.approve(&requests);
    let pass = registry.kpipe(&["topic", "reconcile"]).start();
    for name in &names {
        // Whoever is second is told that it exists.
        let create = kpipe(["topic", "create", name, "--partitions", "1"]).run();
        assert!(matches!(create.status.code(), Some(0 | 1)), "{create:?}");
    }
    let told = pass.wait().ok().lines();
    assert_eq!(told.len(), 40);
    assert!(told.iter().all(|row| row["ready"] == true), "{told:?}");
}

#[test]
fn what_kafka_refuses_is_kept_with_its_words_and_tried_again_when_its_time_has_come() {
    let registry = Registry::new();
    let (bad, good) = (unique("bad"), unique("good"));
    // Kafka's limit for one request is a policy to it.
    let large = unique("large");
    registry.approve(&[
        json!({"name": large, "partitions": 10_001}),
        json!({"name": bad, "config": {"no.such.setting": "1"}}),
        json!({"name": good}),
    ]);
    let pass = registry.kpipe(&["topic", "reconcile"]).run().exits(1);
    for name in [&bad, &large] {
        let way_out = format!("; `kpipe topic cancel {name}` makes room for another request\n");
        assert!(pass.stderr.contains(&way_out), "{}", pass.stderr);
    }
    let told = pass.lines();
    let of = |name: &str| told.iter().find(|row| row["name"] == name).unwrap();
    assert_eq!(
        of(&good)["action"],
        "created",
        "one does not hold up the other"
    );
    assert_eq!(of(&large)["reason"], "PolicyViolation");
    assert_eq!(of(&bad)["reason"], "KafkaError");
    let message = of(&bad)["message"].as_str().unwrap();
    assert!(
        message.ends_with("Unknown topic config name: no.such.setting"),
        "{message}"
    );
    let request = |field: &str| registry.describe(&bad)["request"][field].clone();
    assert_eq!(request("attempts"), 1);
    assert!(request("next_attempt_at").is_string());
    let cancel = |name: &str| {
        let cancel = ["topic", "cancel", name, "--by", "alice"];
        registry.kpipe(&cancel).run().ok();
    };
    cancel(&large);
    let watch = registry.watch();
    // The first two waits are half a second to two.
    eventually("it was tried twice again", || {
        (request("attempts").as_u64()? >= 3).then_some(())
    });
    cancel(&bad);
    watch.signal(Signal::INT);
    // What stays the same is told and said once.
    let ended = watch.wait().dies_of(Signal::INT);
    assert_eq!(each(&ended.lines(), "name"), [&bad]);
    let said = ended.stderr;
    assert_eq!(said.matches("error: topic ").count(), 1, "{said}");
    let why = format!("error: topic `{bad}` failed: ");
    assert!(
        said.starts_with(&why) && said.contains("no.such.setting"),
        "{said}"
    );
    assert!(
        registry.reconcile(0).is_empty(),
        "what was taken back is let be"
    );
}

#[test]
fn only_one_reconciler_works_on_a_registry() {
    let registry = Registry::new();
    let name = unique("locked");
    let watch = registry.watch();
    registry.approve(&[json!({"name": name})]);
    watch.lines(1);
    let second = registry.kpipe(&["topic", "reconcile"]).run();
    second
        .exits(3)
        .says("another reconciler is at work")
        .says_one_error();
    watch.signal(Signal::KILL);
    watch.wait().dies_of(Signal::KILL);
    assert!(
        registry.reconcile(0).is_empty(),
        "the lock died with its process"
    );
}

#[test]
fn without_the_producer_key_nothing_is_made() {
    let registry = Registry::new();
    let name = unique("keyed");
    registry.approve(&[json!({"name": name})]);
    let made = registry.kpipe(&["topic", "key", "new"]).run().ok();
    let key = String::from_utf8(made.stdout).unwrap();
    let reconcile = || registry.kpipe(&["topic", "reconcile"]);
    reconcile().run().exits(4).says("needs the producer key");
    let wrong = reconcile().env("KPIPE_PRODUCER_KEY", "kpipe_wrong").run();
    wrong.exits(4).says("is not the one of this registry");
    let described = registry.describe(&name);
    assert_eq!(
        (&described["state"], &described["kafka"]),
        (&json!("APPROVED"), &Value::Null)
    );
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), key).unwrap();
    let keyed = reconcile().args(["--producer-key-file".as_ref(), file.path().as_os_str()]);
    assert_eq!(each(&keyed.run().ok().lines(), "action"), ["created"]);
}

#[test]
fn a_registry_is_for_one_cluster() {
    let registry = Registry::new();
    registry.approve(&[json!({"name": unique("first")})]);
    registry.reconcile(0);
    let other = unique("second");
    registry.approve(&[json!({"name": other, "partitions": 1})]);
    let topic = format!("{other}:1");
    for verb in ["reconcile", "plan"] {
        let kpipe = env!("CARGO_BIN_EXE_kpipe");
        let elsewhere = ["broker", "--topic", &topic, "--", kpipe, "topic", verb];
        let run = registry.kpipe(&elsewhere).run();
        run.exits(2)
            .says("the registry is for cluster")
            .says_one_error();
    }
    assert_eq!(registry.describe(&other)["state"], "APPROVED");
}

/// Asks for what the command itself refuses, as a registry from before may have it.
fn approve_unchecked(registry: &Registry, wish: &Wish) {
    let mut file = kpipe::registry::Registry::open(&registry.path()).unwrap();
    let actor = Actor {
        name: "alice".to_owned(),
        login: None,
        uid: 0,
        host: "host".to_owned(),
    };
    let asked = Asked {
        id: uuid::Uuid::now_v7(),
        wish,
        expires_at: None,
        approved_by: Some("bob"),
    };
    let at = jiff::Timestamp::UNIX_EPOCH;
    let stamp = Stamp { actor: &actor, at };
    file.request(&asked, &Rules::default(), stamp).unwrap();
}

#[test]
fn what_librdkafka_refuses_to_send_fails_alone() {
    let registry = Registry::new();
    let [huge, hostile, grown, altered, good] =
        ["huge", "hostile", "grown", "altered", "good"].map(unique);
    registry.approve(&[json!({"name": grown}), json!({"name": altered})]);
    registry.reconcile(0);
    let wish = |name: &String, partitions, setting: &str| Wish {
        name: name.clone(),
        created_by: "alice".to_owned(),
        partitions: Some(partitions),
        config: Some([(setting.to_owned(), "1000\0".to_owned())].into()),
        ..Wish::default()
    };
    let many = |name| Wish {
        config: None,
        ..wish(name, 100_001, "")
    };
    for wish in [
        many(&huge),
        wish(&hostile, 1, "retention.ms"),
        many(&grown),
        wish(&altered, 3, "retention\0.ms"),
    ] {
        approve_unchecked(&registry, &wish);
    }
    registry.approve(&[json!({"name": good})]);
    let told = registry.reconcile(1);
    for row in &told {
        let expected = if row["name"] == good.as_str() {
            json!(["created", null])
        } else {
            json!(["failed", "KafkaError"])
        };
        assert_eq!(json!([row["action"], row["reason"]]), expected, "{row}");
    }
    assert_eq!(told.len(), 5, "{told:?}");
}
