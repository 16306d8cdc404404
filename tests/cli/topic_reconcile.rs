//! Topics by approval against the built-in broker, which can be looked at and not changed.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{Place, each};

/// Asked for by alice, approved by bob.
fn approve(place: &Place, requests: &[Value]) {
    let lines: String = requests.iter().map(|line| format!("{line}\n")).collect();
    let request = place.kpipe(&["topic", "request", "-", "--by", "alice", "-q"]);
    let asked = request.input(lines).run().ends(0);
    let approve = place.kpipe(&["topic", "approve", "-", "--by", "bob", "-q"]);
    approve.input(asked.bytes()).run().ends(0);
}

/// Makes a registry, in which one request is PENDING.
fn ask(place: &Place) {
    let request = ["topic", "request", "waiting", "--by", "alice", "-q"];
    place.kpipe(&request).run().ends(0);
}

/// Under the rules of a profile that enforces approval.
const ENFORCE: &str = "default_profile = 'strict'\n\
    [profiles.strict]\nbrokers = 'localhost:1'\napproval = 'enforce'\n";

#[test]
fn what_is_there_just_so_is_adopted_and_for_the_rest_there_is_a_reason() {
    let place = Place::with(&["same:2", "other:2"]);
    approve(
        &place,
        &[
            json!({"name": "same", "partitions": 2, "config": {"retention.ms": "1"}}),
            json!({"name": "other", "partitions": 3}),
            json!({"name": "absent", "partitions": 1}),
        ],
    );
    let plan = place.kpipe(&["topic", "plan"]).run().ends(1).json();
    assert_eq!(each(&plan, "name"), ["absent", "other", "same"]);
    assert_eq!(each(&plan, "action"), ["unsupported", "conflict", "adopt"]);
    assert_eq!(
        (&plan[1]["kafka"], &plan[1]["asked"]),
        (&json!("2"), &json!("3"))
    );

    let reconcile = ["topic", "reconcile", "--by", "carol"];
    let pass = place.kpipe(&reconcile).run().ends(1).errors(
        "error: topic `absent` failed: cannot create topics: not on the built-in broker\n\
         error: topic `other` is in conflict: partitions: 2 in Kafka, 3 asked for\n",
    );
    let told = pass.json();
    let of = |name: &str| told.iter().find(|row| row["name"] == name).unwrap();
    assert_eq!(
        (&of("same")["action"], &of("same")["state"]),
        (&json!("adopted"), &json!("ACTIVE"))
    );
    assert_eq!(of("other")["reason"], "ResourceConflict");
    assert_eq!(
        of("other")["message"],
        "partitions: 2 in Kafka, 3 asked for"
    );
    assert_eq!(of("absent")["reason"], "NotSupported");
    let list = ["topic", "list", "--state", "APPROVED", "--output", "table"];
    let table = place.kpipe(&list).run().ends(0).out();
    let reasons = table.lines().map(|line| line.split_whitespace().last());
    let reasons: Vec<&str> = reasons.map(Option::unwrap).collect();
    assert_eq!(reasons, ["REASON", "NotSupported", "ResourceConflict"]);

    let told = place.kpipe(&reconcile).run().ends(1).json();
    assert_eq!(
        told.len(),
        2,
        "what stands against it is told by each run: {told:?}"
    );
    let history = place
        .kpipe(&["topic", "history", "same"])
        .run()
        .ends(0)
        .json();
    let activated = history.last().unwrap();
    assert_eq!(
        (&activated["action"], &activated["actor"]),
        (&json!("activate"), &json!("carol"))
    );
}

#[test]
fn a_description_has_the_same_six_fields_whatever_there_is() {
    let place = Place::with(&["known:1", "foreign:2"]);
    place.send("known", &["1", "2"]);
    approve(
        &place,
        &[
            json!({"name": "known", "partitions": 1}),
            json!({"name": "wanted"}),
        ],
    );
    place.kpipe(&["topic", "reconcile"]).run().ends(1);
    let describe = |name: &str| {
        let run = place
            .kpipe(&["topic", "describe", name])
            .run()
            .ends(0)
            .errors("");
        let description = run.json().remove(0);
        let fields: Vec<&String> = description.as_object().unwrap().keys().collect();
        assert_eq!(
            fields,
            ["name", "state", "request", "decision", "kafka", "drift"]
        );
        description
    };
    let known = describe("known");
    assert_eq!(known["state"], "ACTIVE");
    assert_eq!(known["decision"]["decided_by"], "bob");
    assert_eq!(known["kafka"]["records"], 2);
    assert_eq!(known["kafka"]["partitions"][0]["high"], 2);
    assert_eq!(known["kafka"]["partitions"][0]["leader"], 1);
    assert_eq!(
        known["kafka"]["config"],
        Value::Null,
        "nobody can ask for it here"
    );
    assert_eq!(known["drift"], json!([]));
    let foreign = describe("foreign");
    for field in ["state", "request", "decision", "drift"] {
        assert_eq!(foreign[field], Value::Null, "{field}");
    }
    assert_eq!(foreign["kafka"]["partitions"].as_array().unwrap().len(), 2);
    let wanted = describe("wanted");
    assert_eq!(
        (&wanted["state"], &wanted["kafka"]),
        (&json!("APPROVED"), &Value::Null)
    );
    assert_eq!(wanted["request"]["reason"], "NotSupported");

    let text = place
        .kpipe(&["topic", "describe", "known", "--output", "table"])
        .run()
        .ends(0)
        .out();
    for line in [
        "state            ACTIVE",
        "  decided_by     bob",
        "drift            none",
    ] {
        assert!(text.contains(&format!("{line}\n")), "{text}");
    }
    let nobody = place.kpipe(&["topic", "describe", "knwon"]).run().ends(1);
    nobody
        .says(&["topic `knwon` does not exist", "did you mean `known`?"])
        .says_one_block();
    // Also one that Kafka does not have.
    let nobody = place.kpipe(&["topic", "describe", "watned"]).run().ends(1);
    nobody
        .says(&["topic `watned` does not exist", "did you mean `wanted`?"])
        .says_one_block();
}

#[test]
fn a_list_has_kafkas_topics_and_then_the_requests_without_one() {
    let place = Place::with(&["a:1", "c:2", "d:1"]);
    let alone = place
        .kpipe(&["topic", "list"])
        .run()
        .ends(0)
        .errors("")
        .json();
    assert_eq!(
        each(&alone, "name"),
        ["a", "c", "d"],
        "no registry is needed"
    );
    assert!(
        place.read(".local/share/kpipe/registry.db").is_empty(),
        "nor made"
    );
    assert_eq!(each(&alone, "partitions"), [1, 2, 1]);
    approve(
        &place,
        &[
            json!({"name": "c", "partitions": 2}),
            json!({"name": "b", "partitions": 9}),
        ],
    );
    place.kpipe(&["topic", "reconcile"]).run().ends(1);
    place
        .kpipe(&[
            "topic",
            "request",
            "c",
            "--by",
            "alice",
            "--partitions",
            "4",
            "-q",
        ])
        .run()
        .ends(0);
    let all = place.kpipe(&["topic", "list"]).run().ends(0).json();
    assert_eq!(each(&all, "name"), ["a", "c", "d", "b", "c"]);
    let states = [
        json!(null),
        json!("ACTIVE"),
        json!(null),
        json!("APPROVED"),
        json!("PENDING"),
    ];
    assert_eq!(each(&all, "state"), states.iter().collect::<Vec<_>>());
    assert_eq!(each(&all, "in_kafka"), [true, true, true, false, false]);
    assert_eq!(each(&all, "partitions"), [1, 2, 1, 9, 4]);
    assert_eq!(all[1]["created_by"], "alice");
    let some = place
        .kpipe(&["topic", "list", "^[ab]$"])
        .run()
        .ends(0)
        .json();
    assert_eq!(each(&some, "name"), ["a", "b"]);
    let table = place
        .kpipe(&["topic", "list", "^a$", "--output", "table"])
        .run()
        .ends(0);
    table.prints(
        "NAME  STATE  IN-KAFKA  PARTITIONS  REPLICATION  CREATED-BY\n\
         a     -      true      1           1            -\n",
    );
    let pending = ["topic", "list", "--state", "pending", "-b", "127.0.0.1:1"];
    let pending = place.kpipe(&pending).run().ends(0).json();
    assert_eq!(each(&pending, "name"), ["c"], "the registry alone is asked");
    // What is printed can be asked for again.
    let request = place.kpipe(&[
        "topic",
        "request",
        "-",
        "--by",
        "dora",
        "--registry",
        "other.db",
    ]);
    let lines: String = alone.iter().map(|line| format!("{line}\n")).collect();
    assert_eq!(request.input(lines).run().ends(0).json().len(), 3);
}

#[test]
fn kafkas_own_topics_are_listed_when_asked_for() {
    let place = Place::with(&["a:1", "__own:1"]);
    let listed = |arguments: &[&str]| {
        let rows = place.kpipe(arguments).run().ends(0).json();
        each(&rows, "name")
            .into_iter()
            .cloned()
            .collect::<Vec<Value>>()
    };
    assert_eq!(listed(&["topic", "list"]), ["a"]);
    assert_eq!(listed(&["topic", "list", "--internal"]), ["__own", "a"]);
}

#[test]
fn a_watching_reconciler_sees_what_is_approved_meanwhile_and_ends_when_asked() {
    let place = Place::with(&["one:1", "two:1"]);
    ask(&place);
    let mut watch = place.kpipe(&["topic", "reconcile", "--watch=50ms"]).start();
    for name in ["one", "two"] {
        approve(&place, &[json!({"name": name, "partitions": 1})]);
        let told: Value = serde_json::from_str(&watch.line()).unwrap();
        assert_eq!(
            (&told["name"], &told["action"]),
            (&json!(name), &json!("adopted"))
        );
    }
    let second = place
        .kpipe(&["topic", "reconcile", "--watch"])
        .run()
        .ends(3);
    second
        .says(&["another reconciler is at work on"])
        .says_one_block();
    watch.signal(Signal::TERM);
    watch.ended().dies_of(Signal::TERM).errors("");
}

#[test]
fn a_reconciler_that_nobody_reads_from_ends_quietly() {
    let place = Place::with(&["one:1", "two:1"]);
    approve(
        &place,
        &[
            json!({"name": "one", "partitions": 1}),
            json!({"name": "two", "partitions": 1}),
        ],
    );
    let script = "kpipe topic reconcile --watch=50ms | true";
    place.bash(script).run().ends(0).errors("");
}

#[test]
fn what_expires_is_not_made() {
    let place = Place::with(&["late:1"]);
    let request = [
        "topic",
        "request",
        "late",
        "--partitions",
        "1",
        "--by",
        "alice",
        "--expires",
        "1ms",
        "-q",
    ];
    place.kpipe(&request).run().ends(0);
    place
        .kpipe(&["topic", "reconcile"])
        .run()
        .ends(0)
        .prints("");
    let rejected = place
        .kpipe(&["topic", "list", "--state", "REJECTED"])
        .run()
        .ends(0)
        .json();
    assert_eq!(each(&rejected, "reason_code"), ["expired"]);
}

#[test]
fn topics_are_taken_in_from_the_built_in_broker() {
    let place = Place::with(&["a:1", "b:2"]);
    let import = ["topic", "import", ".", "--by", "alice", "--dry-run"];
    let would = place
        .kpipe(&import)
        .run()
        .ends(0)
        .errors("Would take 2 topics in; 0 were known.\n");
    assert_eq!(each(&would.json(), "imported"), [true, true]);
    let active = ["topic", "list", "--state", "ACTIVE"];
    place
        .kpipe(&import[..5])
        .run()
        .ends(0)
        .errors("Took 2 topics in; 0 were known.\n");
    place
        .kpipe(&import[..5])
        .run()
        .ends(0)
        .errors("Took 0 topics in; 2 were known.\n");
    let rows = place.kpipe(&active).run().ends(0).json();
    assert_eq!(each(&rows, "partitions"), [1, 2]);
    let nothing = place
        .kpipe(&["topic", "import", "^x", "--by", "alice"])
        .run()
        .ends(1);
    nothing.says(&["no topic matches `^x`"]).says_one_block();
    let wrong = place
        .kpipe(&["topic", "import", "(", "--by", "alice"])
        .run()
        .ends(2);
    wrong
        .says(&["`(` is not a regular expression"])
        .says_one_block();
    let line = place.kpipe(&["topic", "import", "-", "--by", "alice"]);
    let line = line.input("{\"name\":\"a\"}\n{\"nam\":1}\n").run().ends(2);
    line.says(&["stdin:2: unknown field `nam`, did you mean `name`?"])
        .says_one_block();
}

#[test]
fn where_topics_are_approved_somebody_else_approves_what_is_taken_in() {
    let place = Place::with(&["a:1", "b:2"]);
    place.write("config/kpipe/config.toml", ENFORCE);
    let import = |more: &[&str]| {
        let import = ["topic", "import", ".", "--by", "alice"];
        place.kpipe(&[&import[..], more].concat()).run()
    };
    import(&["--dry-run"]).ends(0);
    for more in [&[][..], &["--approved-by", "Alice"]] {
        import(more)
            .ends(4)
            .prints("")
            .says(&[
                "`a` is not taken in: somebody else than alice approves it",
                "hint: --approved-by",
            ])
            .says_one_block();
    }
    let active = ["topic", "list", "--state", "ACTIVE"];
    place.kpipe(&active).run().ends(0).prints("");
    import(&["--approved-by", "bob", "-q"]).ends(0).errors("");
    let rows = place.kpipe(&active).run().ends(0).json();
    assert_eq!(each(&rows, "created_by"), ["alice", "alice"]);
    assert_eq!(each(&rows, "decided_by"), ["bob", "bob"]);
    let history = place.kpipe(&["topic", "history", "a"]).run().ends(0).json();
    assert_eq!(each(&history, "action"), ["import", "approve"]);
    assert_eq!(each(&history, "actor"), ["alice", "bob"]);
    // Nothing is news.
    import(&[])
        .ends(0)
        .errors("Took 0 topics in; 2 were known.\n");
}

#[test]
fn whose_a_topic_is_does_not_approve_that_it_is_taken_in() {
    let place = Place::with(&["a:1"]);
    let import = [
        "topic",
        "import",
        "-",
        "--by",
        "alice",
        "--approved-by",
        "bob",
    ];
    let import = |owner: &str| {
        let line = format!(r#"{{"name":"a","created_by":"{owner}"}}"#);
        place.kpipe(&import).input(line).run()
    };
    let refused = import("Bob").ends(4).prints("");
    refused.says(&["`a` is not taken in: somebody else than Bob approves it"]);
    import("carol").ends(0);
}

#[test]
fn what_the_built_in_broker_cannot_do_is_said_at_once() {
    let place = Place::with(&["a:1"]);
    for arguments in [&["create", "b"][..], &["delete", "a", "--yes"]] {
        let run = place.kpipe(&[&["topic"], arguments].concat()).run().ends(2);
        run.says(&["not on the built-in broker"]).says_one_block();
    }
}

#[test]
fn where_topics_are_approved_nobody_makes_or_deletes_one_at_once() {
    // Nobody is asked: there is no broker.
    let place = Place::at("127.0.0.1:1");
    place.write("config/kpipe/config.toml", ENFORCE);
    let create = [
        "topic",
        "create",
        "a",
        "--partitions",
        "3",
        "--config",
        "retention.ms=1",
    ];
    let create = place.kpipe(&create).run().ends(4).says_one_block();
    create.says(&[
        "topics are approved",
        "hint: kpipe topic request a --partitions 3 --config retention.ms=1\n",
    ]);
    let delete = place
        .kpipe(&["topic", "delete", "a", "--yes"])
        .run()
        .ends(4)
        .says_one_block();
    delete.says(&[
        "topics are approved",
        "hint: `kpipe topic deactivate a --reason TEXT`",
    ]);
}

#[test]
fn wrong_usage_is_said_before_a_broker_is_asked() {
    let place = Place::at("127.0.0.1:1");
    for (arguments, what) in [
        (&["create", "a b"][..], "`a b` is not a topic name"),
        (&["create", "a", "--partitions", "0"], "0 is not in 1.."),
        (&["create", "a", "--config", "x"], "expected KEY=VALUE"),
        (&["delete", "a"], "deletes its records"),
        (&["reconcile", "--watch=0"], "expected more than 0"),
        (&["reconcile", "--watch=soon"], "is not a duration"),
        (
            &["reconcile", "--producer-key-file", "nowhere"],
            "cannot read the producer key from nowhere",
        ),
    ] {
        let run = place.kpipe(&[&["topic"], arguments].concat()).run().ends(2);
        run.says(&[what]);
    }
    place
        .kpipe(&["topic", "create", "__x"])
        .run()
        .ends(4)
        .says_one_block();
}

#[test]
fn without_a_registry_there_is_an_error_and_not_nothing_to_do() {
    let place = Place::at("127.0.0.1:1");
    for words in [
        &["plan"][..],
        &["reconcile"],
        &["key", "new"],
        &["list", "--state", "PENDING"],
        &["approve", "orders", "--by", "bob"],
        &["reject", "orders", "--by", "bob", "--reason", "no"],
        &["cancel", "orders", "--by", "alice"],
        &["deactivate", "orders", "--by", "bob", "--reason", "old"],
        &["history"],
        &["stats"],
        &["backup", "copy.db"],
    ] {
        let words = [&["topic"], words, &["--registry", "mistyped/r.db"]].concat();
        let run = place.kpipe(&words).run().ends(2).prints("");
        run.says(&["there is no registry at mistyped/r.db"])
            .says_one_block();
        assert!(!place.path("mistyped").exists(), "{words:?} made one");
    }
}

#[test]
fn a_watching_reconciler_waits_for_the_first_request() {
    let place = Place::with(&["one:1"]);
    let mut watch = place.kpipe(&["topic", "reconcile", "--watch=20ms"]).start();
    watch.until_it_says("warning: there is no registry at ");
    let registry = ".local/share/kpipe/registry.db";
    assert!(!place.path(registry).exists(), "it made one");
    // So a file is while whoever asks first is making it.
    place.write(registry, "");
    approve(&place, &[json!({"name": "one", "partitions": 1})]);
    let told: Value = serde_json::from_str(&watch.line()).unwrap();
    assert_eq!(told["action"], "adopted");
    watch.until_it_says("Going on.");
    watch.signal(Signal::TERM);
    let ended = watch.ended().dies_of(Signal::TERM);
    assert_eq!(ended.stderr().matches("warning").count(), 1);
}

#[test]
fn a_watching_reconciler_that_still_waits_for_a_registry_ends_when_asked() {
    let place = Place::at("127.0.0.1:1");
    let mut watch = place.kpipe(&["topic", "reconcile", "--watch"]).start();
    watch.until_it_says("there is no registry at ");
    watch.signal(Signal::INT);
    watch.ended().dies_of(Signal::INT).prints("");
}

#[test]
fn without_a_broker_a_pass_ends_and_a_watch_says_so_and_goes_on() {
    let place = Place::at("127.0.0.1:1");
    ask(&place);
    place
        .kpipe(&["topic", "reconcile"])
        .run()
        .ends(3)
        .says_one_block();
    let mut watch = place.kpipe(&["topic", "reconcile", "--watch=10ms"]).start();
    watch.until_it_says("warning: cannot reach Kafka at 127.0.0.1:1");
    watch.signal(Signal::INT);
    let ended = watch.ended().dies_of(Signal::INT);
    assert_eq!(
        ended.stderr().matches("warning").count(),
        1,
        "{}",
        ended.stderr()
    );
}

#[test]
fn taking_topics_in_needs_the_producer_key_once_there_is_one() {
    let place = Place::with(&["a:1"]);
    ask(&place);
    let key = place.kpipe(&["topic", "key", "new"]).run().ends(0).out();
    let import = ["topic", "import", ".", "--by", "alice"];
    let refused = place.kpipe(&import).run().ends(4).prints("");
    refused.says(&["needs the producer key"]).says_one_block();
    let dry = place.kpipe(&[&import[..], &["--dry-run"]].concat()).run();
    assert_eq!(each(&dry.ends(0).json(), "imported"), [true]);
    place.write("key", key);
    let with_key = [&import[..], &["--producer-key-file", "key"]].concat();
    place.kpipe(&with_key).run().ends(0);
}

#[test]
fn a_key_file_without_an_end_is_not_read_to_it() {
    let place = Place::with(&["a:1"]);
    ask(&place);
    place.kpipe(&["topic", "key", "new"]).run().ends(0);
    let reconcile = ["topic", "reconcile", "--producer-key-file", "/dev/zero"];
    let refused = place.kpipe(&reconcile).run().ends(4);
    refused.says(&["is not the one of this registry"]);
}

#[test]
fn a_change_that_needs_nothing_in_kafka_is_no_adoption() {
    let place = Place::with(&["one:1"]);
    for description in ["first", "second"] {
        approve(
            &place,
            &[json!({"name": "one", "partitions": 1, "description": description})],
        );
        let told = place.kpipe(&["topic", "reconcile"]).run().ends(0).json();
        let expected = if description == "first" {
            "adopted"
        } else {
            "changed"
        };
        assert_eq!(each(&told, "action"), [expected]);
    }
    let rows = place.kpipe(&["topic", "list", "--state", "ACTIVE"]).run();
    assert_eq!(each(&rows.ends(0).json(), "adopted"), [false]);
}

#[test]
fn what_stands_against_a_topic_is_said_where_nobody_reads_stdout() {
    let place = Place::with(&["other:2"]);
    approve(&place, &[json!({"name": "other", "partitions": 3})]);
    place
        .bash("kpipe -q topic reconcile > /dev/null")
        .run()
        .ends(1)
        .errors("error: topic `other` is in conflict: partitions: 2 in Kafka, 3 asked for\n");
}

#[test]
fn a_watching_reconciler_says_once_what_stands_against_a_topic() {
    let place = Place::with(&["one:1", "two:1"]);
    approve(&place, &[json!({"name": "one", "partitions": 3})]);
    let mut watch = place.kpipe(&["topic", "reconcile", "--watch=20ms"]).start();
    watch.until_it_says("error: topic `one` is in conflict: ");
    approve(&place, &[json!({"name": "two", "partitions": 4})]);
    watch.until_it_says("error: topic `two` is in conflict: ");
    watch.signal(Signal::TERM);
    let ended = watch.ended().dies_of(Signal::TERM);
    assert_eq!(ended.stderr().lines().count(), 2, "{}", ended.stderr());
}
