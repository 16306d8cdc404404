//! Topics by approval: what each verb does, refuses, prints and keeps.

use std::io::Write;

use jiff::Timestamp;
use kpipe::registry::{Actor, Registry, Stamp, State};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{Ended, Place, each};

/// Nothing listens at this address, and nothing here asks.
pub(crate) fn offline() -> Place {
    Place::at("127.0.0.1:1")
}

pub(crate) const REGISTRY: &str = ".local/share/kpipe/registry.db";

/// Runs words, separated by spaces.
pub(crate) fn kpipe(place: &Place, words: &str) -> Ended {
    place.kpipe(&words.split(' ').collect::<Vec<_>>()).run()
}

/// Reconcile without Kafka: what is APPROVED becomes ACTIVE.
pub(crate) fn activate(place: &Place) {
    let mut registry = Registry::open(&place.path(REGISTRY)).unwrap();
    let actor = Actor {
        name: "reconciler".to_owned(),
        login: None,
        uid: 0,
        host: "host".to_owned(),
    };
    let stamp = Stamp {
        actor: &actor,
        at: Timestamp::UNIX_EPOCH,
    };
    for request in registry
        .requests(Some("APPROVED".parse().unwrap()))
        .unwrap()
    {
        registry.activate(&request.id, false, stamp).unwrap();
    }
}

/// The requests that stand, by state, from the registry alone.
fn standing(place: &Place) -> Vec<Value> {
    let states = State::ALL.map(State::name).into_iter();
    states
        .flat_map(|state| {
            kpipe(place, &format!("topic list --state {state}"))
                .ends(0)
                .json()
        })
        .collect()
}

/// Their names, sorted, with their states.
fn states(place: &Place) -> Vec<Value> {
    let mut rows: Vec<Value> = standing(place)
        .iter()
        .map(|row| json!([row["name"], row["state"]]))
        .collect();
    rows.sort_by_key(Value::to_string);
    rows
}

/// As a shell says it.
const STANDING: &str = "for state in PENDING APPROVED ACTIVE INACTIVE REJECTED; do kpipe topic list --state $state; done";

#[test]
fn a_request_is_kept_as_it_was_made() {
    let place = offline();
    let made = place
        .kpipe(&[
            "topic",
            "request",
            "orders",
            "--by",
            "alice",
            "--partitions",
            "6",
            "--replication",
            "2",
            "--config",
            "retention.ms=1000",
            "--config",
            "cleanup.policy=compact",
            "--description",
            "what the shop sells",
            "--type",
            "payment",
        ])
        .run()
        .ends(0)
        .errors("")
        .json();
    let row = &made[0];
    assert_eq!(
        json!([
            row["name"],
            row["state"],
            row["created_by"],
            row["partitions"],
            row["replication"]
        ]),
        json!(["orders", "PENDING", "alice", 6, 2])
    );
    assert_eq!(
        row["config"],
        json!({"cleanup.policy": "compact", "retention.ms": "1000"})
    );
    assert_eq!(
        (&row["description"], &row["type"]),
        (&json!("what the shop sells"), &json!("payment"))
    );
    assert_eq!(
        kpipe(&place, "topic list --state PENDING").ends(0).json(),
        made
    );
}

#[test]
fn what_is_not_said_is_kafkas_usual() {
    let place = offline();
    let made = kpipe(&place, "topic request orders --by alice")
        .ends(0)
        .json();
    assert_eq!(
        (&made[0]["partitions"], &made[0]["replication"]),
        (&json!(3), &json!(1))
    );
}

#[test]
fn every_move_is_made_from_its_states_and_refused_from_all_others() {
    let place = offline();
    let bring = |name: &str, state: &str| {
        kpipe(&place, &format!("topic request {name} --by alice")).ends(0);
        match state {
            "PENDING" => {}
            "REJECTED" => {
                kpipe(&place, &format!("topic reject {name} --by bob --reason no")).ends(0);
            }
            _ => {
                kpipe(&place, &format!("topic approve {name} --by bob")).ends(0);
            }
        }
        if ["ACTIVE", "INACTIVE"].contains(&state) {
            activate(&place);
        }
        if state == "INACTIVE" {
            kpipe(
                &place,
                &format!("topic deactivate {name} --by bob --reason old"),
            )
            .ends(0);
        }
    };
    let moves = [
        ("approve", "--by bob", vec!["PENDING"], "APPROVED"),
        (
            "reject",
            "--by bob --reason no",
            vec!["PENDING"],
            "REJECTED",
        ),
        (
            "cancel",
            "--by alice",
            vec!["PENDING", "APPROVED"],
            "REJECTED",
        ),
        (
            "deactivate",
            "--by bob --reason old",
            vec!["ACTIVE"],
            "INACTIVE",
        ),
    ];
    for (verb, flags, from, to) in &moves {
        // Those that are brought further by `activate` come first.
        for state in ["INACTIVE", "ACTIVE", "APPROVED", "PENDING", "REJECTED"] {
            let name = format!("{verb}-{state}");
            bring(&name, state);
            let history = kpipe(&place, &format!("topic history {name}"))
                .ends(0)
                .json()
                .len();
            let ended = kpipe(&place, &format!("topic {verb} {name} {flags}"));
            let after = if from.contains(&state) {
                let row = ended.ends(0).errors("").json().remove(0);
                assert_eq!(row["state"], *to);
                history + 1
            } else {
                ended
                    .ends(4)
                    .prints("")
                    .says(&[&name, state])
                    .says_one_block();
                history
            };
            let events = kpipe(&place, &format!("topic history {name}"))
                .ends(0)
                .json();
            assert_eq!(events.len(), after, "{verb} from {state}");
        }
    }
    for (verb, flags, ..) in &moves {
        kpipe(&place, &format!("topic {verb} nobodys {flags}"))
            .ends(1)
            .says(&["nobodys", "kpipe topic request nobodys"])
            .says_one_block();
    }
}

#[test]
fn asking_again_is_the_same_request_and_asking_for_another_shows_the_difference() {
    let place = offline();
    let ask = |more: &str| kpipe(&place, &format!("topic request orders --by alice{more}"));
    let id = ask(" --partitions 6").ends(0).json().remove(0)["id"].clone();
    let again = ask(" --partitions 6").ends(0).says(&["PENDING already"]);
    assert_eq!(again.json()[0]["id"], id);
    let quiet = ask(" -q").ends(0).errors("");
    assert_eq!(quiet.json()[0]["id"], id);
    ask(" --partitions 12 --config a=b")
        .ends(4)
        .prints("")
        .says(&[
            "partitions 6, not 12",
            "config.a nothing, not b",
            "kpipe topic cancel orders",
        ])
        .says_one_block();
    kpipe(&place, "topic cancel orders --by alice").ends(0);
    let new = ask(" --partitions 12").ends(0).json();
    assert_ne!(new[0]["id"], id);
}

#[test]
fn a_change_of_an_active_topic_is_a_request_beside_it() {
    let place = offline();
    kpipe(
        &place,
        "topic request orders --by alice --approved-by bob --config a=b",
    )
    .ends(0);
    activate(&place);
    kpipe(&place, "topic request orders --by alice --partitions 2")
        .ends(4)
        .says(&["3 partitions", "2 is fewer"]);
    kpipe(&place, "topic request orders --by alice --replication 3")
        .ends(4)
        .says(&["replication of 1"]);
    kpipe(&place, "topic request orders --by carol")
        .ends(0)
        .says(&["ACTIVE already"]);
    let change = kpipe(&place, "topic request orders --by carol --partitions 9")
        .ends(0)
        .json();
    assert_eq!(
        (&change[0]["state"], &change[0]["config"]),
        (&json!("PENDING"), &json!({"a": "b"}))
    );
    assert_eq!(
        states(&place),
        [json!(["orders", "ACTIVE"]), json!(["orders", "PENDING"])]
    );
    kpipe(&place, "topic approve orders --by bob").ends(0);
    activate(&place);
    assert_eq!(states(&place), [json!(["orders", "ACTIVE"])]);
    let history = kpipe(&place, "topic history orders").ends(0).json();
    assert_eq!(
        each(&history, "action"),
        [
            "request",
            "approve",
            "activate",
            "request",
            "approve",
            "supersede",
            "activate"
        ]
    );
}

#[test]
fn the_requester_does_not_decide() {
    let place = offline();
    kpipe(&place, "topic request orders --by alice").ends(0);
    for verb in ["approve orders", "reject orders --reason no"] {
        kpipe(&place, &format!("topic {verb} --by alice"))
            .ends(4)
            .prints("")
            .says(&["requested by alice", "--by"])
            .says_one_block();
    }
    kpipe(
        &place,
        "topic request invoices --by alice --approved-by alice",
    )
    .ends(4);
    kpipe(&place, "topic cancel orders --by bob")
        .ends(4)
        .says(&["requested by alice"]);
    assert_eq!(states(&place), [json!(["orders", "PENDING"])]);
}

#[test]
fn whoever_is_named_is_kept_with_who_it_really_was() {
    let place = offline();
    kpipe(&place, "topic request orders --by alice").ends(0);
    place
        .kpipe(&["topic", "approve", "orders"])
        .env("KPIPE_ACTOR", "bob")
        .run()
        .ends(0);
    kpipe(&place, "topic request mine").ends(0);
    let history = kpipe(&place, "topic history").ends(0).json();
    let login = &history[0]["login"];
    assert_eq!(
        each(&history, "actor"),
        [&json!("alice"), &json!("bob"), login]
    );
    for event in &history {
        assert_eq!(event["uid"], json!(rustix::process::getuid().as_raw()));
        assert_eq!(&event["login"], login);
        assert!(event["host"].is_string() && login.is_string());
        assert!(event["at"].as_str().unwrap().parse::<Timestamp>().is_ok());
    }
    kpipe(&place, "topic request orders --by ")
        .ends(2)
        .says(&["nobody is named"]);
}

#[test]
fn several_are_decided_and_each_is_accounted_for() {
    let place = offline();
    for name in ["a", "b", "c"] {
        kpipe(&place, &format!("topic request {name} --by alice")).ends(0);
    }
    let ended = kpipe(&place, "topic approve a nobodys c --by bob")
        .ends(1)
        .says(&["nobodys", "Done: 2 of 3; 1 failed."]);
    assert_eq!(each(&ended.json(), "name"), ["a", "c"]);
    kpipe(&place, "topic approve a c --by bob")
        .ends(4)
        .prints("")
        .says(&["Done: 0 of 2; 2 failed."]);
}

#[test]
fn what_list_prints_decides_in_a_pipeline() {
    let place = offline();
    for (name, partitions) in [("small", 3), ("large", 30)] {
        kpipe(
            &place,
            &format!("topic request {name} --by alice --partitions {partitions}"),
        )
        .ends(0);
    }
    place
        .bash("kpipe topic list --state PENDING | grep -v '\"partitions\":30' | kpipe topic approve - --by bob")
        .run()
        .ends(0)
        .errors("");
    assert_eq!(
        states(&place),
        [json!(["large", "PENDING"]), json!(["small", "APPROVED"])]
    );
}

#[test]
fn a_line_decides_the_request_that_was_seen_and_no_other() {
    let place = offline();
    let seen = kpipe(&place, "topic request orders --by alice")
        .ends(0)
        .out();
    kpipe(&place, "topic cancel orders --by alice").ends(0);
    kpipe(&place, "topic request orders --by alice --partitions 999").ends(0);
    place
        .kpipe(&["topic", "approve", "-", "--by", "bob"])
        .input(seen)
        .run()
        .ends(4)
        .says(&["`orders` is another request by now"]);
    assert_eq!(states(&place), [json!(["orders", "PENDING"])]);
}

#[test]
fn what_list_prints_makes_the_same_registry_elsewhere() {
    let place = offline();
    kpipe(
        &place,
        "topic request a --by alice --partitions 5 --config segment.ms=1 --description d --type t",
    )
    .ends(0);
    kpipe(&place, "topic request b --by bob --expires 72h").ends(0);
    kpipe(&place, "topic approve a --by bob").ends(0);
    activate(&place);
    let rebuilt = place
        .bash(&format!(
            "({STANDING}) | kpipe topic request - --registry other.db --by ci --approved-by carol"
        ))
        .run()
        .ends(0)
        .errors("")
        .json();
    let before = standing(&place);
    for field in [
        "name",
        "created_by",
        "partitions",
        "replication",
        "config",
        "description",
        "type",
    ] {
        assert_eq!(each(&rebuilt, field), each(&before, field), "{field}");
    }
    assert_eq!(each(&rebuilt, "state"), ["APPROVED", "APPROVED"]);
    let history = kpipe(&place, "topic history --registry other.db")
        .ends(0)
        .json();
    assert_eq!(each(&history, "actor"), ["ci", "carol", "ci", "carol"]);
    // A second time it is the same.
    place
        .bash(&format!(
            "({STANDING}) | kpipe topic request - --registry other.db --by ci --approved-by carol -q"
        ))
        .run()
        .ends(0)
        .errors("");
    assert_eq!(
        kpipe(&place, "topic history --registry other.db")
            .ends(0)
            .json(),
        history
    );
}

#[test]
fn one_bad_line_and_nothing_is_done() {
    let place = offline();
    for (bad, says) in [
        (
            "{\"name\":\"b\",\"partitons\":3}",
            "stdin:2: unknown field `partitons`, did you mean `partitions`?",
        ),
        (
            "{\"name\":\"b\"",
            "stdin:2:11: the text ends inside an object",
        ),
        ("b", "stdin:2:1: expected a value"),
        ("\u{1b}[2J", "stdin:2:1: expected a value"),
        ("{\"partitions\":3}", "stdin:2: no `name`"),
        (
            "{\"name\":\"b\",\"partitions\":-1}",
            "stdin:2: `partitions` must be",
        ),
    ] {
        place
            .kpipe(&["topic", "request", "-", "--by", "alice"])
            .input(format!("{{\"name\":\"a\"}}\n{bad}\n"))
            .run()
            .ends(2)
            .prints("")
            .says(&[says, "nothing was done"])
            .hides(&["\u{1b}"])
            .says_one_block();
    }
    kpipe(&place, "topic list --state PENDING")
        .ends(2)
        .says(&["there is no registry"]);
    place
        .kpipe(&["topic", "request", "-", "--by", "alice"])
        .input([0xff, b'\n'])
        .run()
        .ends(2);
}

#[test]
fn lines_say_themselves_what_their_topics_are() {
    let place = offline();
    place
        .kpipe(&["topic", "request", "-", "--partitions", "3"])
        .run()
        .ends(2)
        .says(&["each line says itself"]);
    let lines =
        "{\"name\":\"a\",\"created_by\":\"alice\"}\n\n{\"name\":\"b c\"}\n{\"name\":\"d\"}\n";
    let ended = place
        .kpipe(&["topic", "request", "-", "--by", "ci"])
        .input(lines)
        .run()
        .ends(1)
        .says(&["stdin:3: `b c`", "Done: 2 of 3; 1 failed."]);
    assert_eq!(each(&ended.json(), "created_by"), ["alice", "ci"]);
}

#[test]
fn what_nobody_decides_in_time_is_rejected() {
    let place = offline();
    let made = kpipe(&place, "topic request later --by alice --expires 72h")
        .ends(0)
        .json();
    let times = ["requested_at", "expires_at"].map(|field| {
        let time: Timestamp = made[0][field].as_str().unwrap().parse().unwrap();
        time
    });
    assert_eq!(times[1].duration_since(times[0]).as_hours(), 72);
    kpipe(&place, "topic request now --by alice --expires 1ms").ends(0);
    assert_eq!(
        states(&place),
        [json!(["later", "PENDING"]), json!(["now", "REJECTED"])]
    );
    kpipe(&place, "topic approve now --by bob")
        .ends(4)
        .says(&["REJECTED"]);
    let history = kpipe(&place, "topic history now").ends(0).json();
    assert_eq!(each(&history, "action"), ["request", "expire"]);
    assert_eq!(history[1]["actor"], Value::Null);
}

#[test]
fn numbers_lists_and_history_are_filtered_and_shown_as_tables() {
    let place = offline();
    kpipe(&place, "topic request shop.orders --by alice").ends(0);
    kpipe(
        &place,
        "topic request bank.orders --by alice --approved-by bob",
    )
    .ends(0);
    let out = kpipe(&place, "topic stats").ends(0).out();
    let expected = r#"{"total":2,"pending":1,"approved":1,"active":0,"inactive":0,"rejected":0,"subscriptions":0}"#;
    assert_eq!(out.trim_end(), expected);
    let listed = |words: &str| {
        let rows = kpipe(&place, words).ends(0).json();
        each(&rows, "name").into_iter().cloned().collect::<Vec<_>>()
    };
    assert_eq!(listed("topic list ^shop --state PENDING"), ["shop.orders"]);
    assert!(listed("topic list ^bank --state PENDING").is_empty());
    assert_eq!(listed("topic list --state approved"), ["bank.orders"]);
    kpipe(&place, "topic list (").ends(2);
    kpipe(&place, "topic list --state GONE")
        .ends(2)
        .says(&["expected PENDING, APPROVED"]);
    let table = kpipe(&place, "topic list --state APPROVED --output table")
        .ends(0)
        .out();
    let words: Vec<Vec<&str>> = table
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(words[0][..3], ["NAME", "STATE", "CREATED-BY"]);
    assert_eq!(words[1][..4], ["bank.orders", "APPROVED", "alice", "3"]);
    kpipe(&place, "topic history nobodys")
        .ends(1)
        .says(&["nobodys"]);
    let change =
        "topic request team.orders --by alice --config retention.ms=1 --description two\nlines";
    let change: Vec<&str> = change.split(' ').collect();
    place.kpipe(&change).run().ends(0);
    let table = kpipe(&place, "topic history team.orders --output table")
        .ends(0)
        .out();
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 2);
    assert!(lines[0].ends_with("COMMENT  DETAILS"), "{table}");
    let details = "created_by=alice, partitions=3, replication=1, config.retention.ms=1, description=two\\nlines";
    assert!(lines[1].ends_with(details), "{table}");
}

#[test]
fn hostile_words_reach_no_terminal() {
    let place = offline();
    let hostile = "\u{1b}]0;owned\u{7}\u{202e}'; DROP TABLE request; --";
    let person = "\u{202e}'; DROP TABLE request; --";
    place
        .kpipe(&[
            "topic",
            "request",
            "orders",
            "--by",
            person,
            "--description",
            hostile,
        ])
        .run()
        .ends(0);
    place
        .kpipe(&[
            "topic", "reject", "orders", "--by", "bob", "--reason", hostile,
        ])
        .run()
        .ends(0);
    for words in [
        "topic list --state REJECTED --output table",
        "topic history --output table",
    ] {
        let out = kpipe(&place, words).ends(0).out();
        assert!(!out.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{out:?}");
        assert!(out.contains("DROP TABLE"), "{out:?}");
    }
    assert_eq!(each(&standing(&place), "created_by"), [person]);
    place
        .kpipe(&["topic", "cancel", "\u{1b}[2J", "--by", "bob"])
        .run()
        .ends(1)
        .hides(&["\u{1b}"]);
}

#[test]
fn a_key_is_printed_once_and_each_time_another() {
    let place = offline();
    kpipe(&place, "topic request orders --by alice").ends(0);
    let new = || {
        kpipe(&place, "topic key new --by alice")
            .ends(0)
            .errors("")
            .out()
    };
    let (one, other) = (new(), new());
    assert_ne!(one, other);
    assert!(one.starts_with("kpipe_") && one.len() > 43, "{one}");
    let registry = Registry::open(&place.path(REGISTRY)).unwrap();
    assert!(registry.check_producer_key(Some(one.trim())).is_err());
    registry.check_producer_key(Some(other.trim())).unwrap();
    let history = kpipe(&place, "topic history").ends(0);
    assert!(!history.out().contains(one.trim()));
    assert_eq!(each(&history.json(), "action"), ["request", "key", "key"]);
}

#[test]
fn whoever_is_interrupted_while_typing_lines_has_done_nothing() {
    let place = offline();
    kpipe(&place, "topic request orders --by alice").ends(0);
    let approve = place.kpipe(&["topic", "approve", "-", "--by", "bob"]);
    let (running, mut input) = approve.start().with_input();
    // More than fits into a pipe, so that kpipe is known to be reading; the end is yet to come.
    let lines = "{\"name\":\"orders\"}\n".repeat(200_000);
    input.write_all(lines.as_bytes()).unwrap();
    running.signal(Signal::INT);
    running.ended().dies_of(Signal::INT).prints("");
    drop(input);
    assert_eq!(states(&place), [json!(["orders", "PENDING"])]);
}

#[test]
fn what_kafka_can_never_have_is_refused_when_asked() {
    let place = offline();
    for (flag, value) in [
        ("--partitions", "100001"),
        ("--config", "a=\n"),
        ("--config", "a\u{1b}=b"),
    ] {
        let request = ["topic", "request", "orders", "--by", "alice", flag, value];
        place.kpipe(&request).run().ends(2).prints("");
    }
    kpipe(
        &place,
        "topic request orders --by alice --partitions 100000",
    )
    .ends(0);
}

#[test]
fn a_key_that_nobody_saw_is_not_taken() {
    let place = offline();
    kpipe(&place, "topic request orders --by alice").ends(0);
    let key = kpipe(&place, "topic key new --by alice").ends(0).out();
    let full = "kpipe topic key new --by alice > /dev/full";
    place.bash(full).run().ends(1).says_one_block();
    let registry = Registry::open(&place.path(REGISTRY)).unwrap();
    registry.check_producer_key(Some(key.trim())).unwrap();
}

#[test]
fn what_was_approved_makes_room_when_it_is_cancelled() {
    let place = offline();
    kpipe(&place, "topic request orders --by alice --approved-by bob").ends(0);
    let other = "topic request orders --by alice --partitions 12";
    let refused = kpipe(&place, other).ends(4);
    refused.says(&["is APPROVED already", "kpipe topic cancel orders"]);
    kpipe(&place, "topic cancel orders --by alice").ends(0);
    kpipe(&place, other).ends(0);
}

#[test]
fn what_says_nothing_or_two_things_is_refused() {
    let place = offline();
    for (arguments, what) in [
        (
            &["reject", "orders", "--by", "bob", "--reason", ""][..],
            "expected a reason",
        ),
        (
            &["deactivate", "orders", "--by", "bob", "--reason", " "],
            "expected a reason",
        ),
        (
            &["request", "orders", "--by", "alice", "--expires", "0s"],
            "expected more than 0",
        ),
        (
            &[
                "request", "orders", "--by", "alice", "--config", "k=1", "--config", "k=2",
            ],
            "`--config k=` is there twice",
        ),
        (
            &["create", "orders", "--config", "k=1", "--config", "k=2"],
            "`--config k=` is there twice",
        ),
    ] {
        let run = place.kpipe(&[&["topic"], arguments].concat()).run();
        run.ends(2).prints("").says(&[what]);
    }
}

#[test]
fn blanks_around_a_name_make_nobody_another_and_control_characters_are_refused() {
    let place = offline();
    kpipe(&place, "topic request orders --by alice").ends(0);
    let by = |who: &str| {
        let approve = ["topic", "approve", "orders", "--by", who];
        place.kpipe(&approve).run()
    };
    by("alice ").ends(4).says(&["was requested by alice"]);
    by("al\u{1b}ice").ends(2).says(&["control character"]);
    let elsewhere = |who: &str| {
        let request = [
            "topic",
            "request",
            "x",
            "--by",
            "alice",
            "--approved-by",
            who,
        ];
        place.kpipe(&request).run()
    };
    elsewhere(" alice").ends(4).says(&["alice asks for it"]);
    elsewhere("b\n").ends(0);
    elsewhere("b\u{7}b").ends(2).says(&["control characters"]);
}

#[test]
fn a_table_has_the_reason_in_the_words_of_who_gave_it() {
    let place = offline();
    for (name, verb, word, flag) in [
        ("declined", "reject", "bob", "--reason"),
        ("taken-back", "cancel", "alice", "--comment"),
        ("old", "deactivate", "bob", "--reason"),
    ] {
        let request = format!("topic request {name} --by alice");
        kpipe(&place, &request).ends(0);
        if verb == "deactivate" {
            kpipe(&place, &format!("topic approve {name} --by carol")).ends(0);
            activate(&place);
        }
        let ended = [
            "topic",
            verb,
            name,
            "--by",
            word,
            flag,
            "in my own words",
            "--output",
            "table",
        ];
        let table = place.kpipe(&ended).run().ends(0).out();
        let lines: Vec<&str> = table.lines().collect();
        assert!(lines[0].ends_with(" REASON"), "{table}");
        assert!(lines[1].ends_with(" in my own words"), "{table}");
        let state = if verb == "deactivate" {
            "INACTIVE"
        } else {
            "REJECTED"
        };
        let listed = format!("topic list ^{name}$ --state {state} --output table");
        kpipe(&place, &listed).ends(0).prints(table);
    }
    // For programs it stays in the field of its own.
    let rows = kpipe(&place, "topic list ^declined$ --state REJECTED")
        .ends(0)
        .json();
    assert_eq!(
        (&rows[0]["comment"], &rows[0]["reason"]),
        (&json!("in my own words"), &Value::Null)
    );
    // What was said when it was approved is no reason.
    kpipe(&place, "topic request fine --by alice").ends(0);
    let approve = "topic approve fine --by bob --comment good --output table";
    let table = kpipe(&place, approve).ends(0).out();
    assert!(table.trim_end().ends_with(" -"), "{table}");
}

#[test]
fn a_request_that_its_requester_approves_is_not_made_and_the_refusal_says_so() {
    let place = offline();
    let lines = "{\"name\":\"a\",\"created_by\":\"alice\"}\n{\"name\":\"b\"}\n";
    let ask = |lines: &str| {
        let request = [
            "topic",
            "request",
            "-",
            "--by",
            "ci",
            "--approved-by",
            "alice",
        ];
        place.kpipe(&request).input(lines).run()
    };
    ask(lines)
        .ends(1)
        .says(&[
            "stdin:1: `a` is not requested: alice asks for it, so somebody else approves it",
            "Done: 1 of 2; 1 failed.",
        ])
        .hides(&["was requested"]);
    assert_eq!(states(&place), [json!(["b", "APPROVED"])]);
    let alone = lines.lines().next().unwrap();
    ask(alone)
        .ends(4)
        .prints("")
        .says(&[
            "`a` is not requested",
            "hint: without --approved-by it waits for",
        ])
        .says_one_block();
    assert_eq!(states(&place), [json!(["b", "APPROVED"])]);
    // Who asked before is told what stands.
    kpipe(&place, "topic request a --by alice").ends(0);
    ask(alone).ends(4).says(&["`a` was requested by alice"]);
    assert_eq!(
        states(&place),
        [json!(["a", "PENDING"]), json!(["b", "APPROVED"])]
    );
}

#[test]
fn a_misspelt_topic_names_the_one_that_was_meant_whatever_its_state() {
    let place = offline();
    for name in ["orders", "payments"] {
        kpipe(&place, &format!("topic request {name} --by alice")).ends(0);
    }
    kpipe(&place, "topic reject payments --by bob --reason no").ends(0);
    let meant = [("odrers", "orders"), ("paymnets", "payments")];
    for (typed, meant) in meant {
        for (verb, flags) in [
            ("approve", "--by bob"),
            ("reject", "--by bob --reason no"),
            ("cancel", "--by alice"),
            ("deactivate", "--by bob --reason old"),
            ("history", ""),
        ] {
            kpipe(&place, format!("topic {verb} {typed} {flags}").trim_end())
                .ends(1)
                .prints("")
                .says(&[
                    &format!("nobody has asked for topic `{typed}`"),
                    &format!("hint: did you mean `{meant}`?"),
                ])
                .says_one_block();
        }
        kpipe(&place, &format!("subscription add user_1 {typed}"))
            .prints("")
            .says(&[&format!("hint: did you mean `{meant}`?")])
            .says_one_block();
        kpipe(&place, &format!("subscription remove user_1 {typed}"))
            .ends(0)
            .errors(&format!(
                "user_1 did not subscribe to {typed}; did you mean `{meant}`?\n"
            ));
        kpipe(&place, &format!("send {typed} v --approved-only"))
            .ends(4)
            .says(&[&format!("hint: did you mean `{meant}`?")])
            .says_one_block();
    }
    kpipe(&place, "topic approve odrers orders --by bob")
        .ends(1)
        .says(&["error: nobody has asked for topic `odrers`; did you mean `orders`?\n"]);
    // What is like nothing can be asked for.
    kpipe(&place, "topic history zebra")
        .ends(1)
        .says(&["hint: kpipe topic request zebra\n"]);
}
