//! `send --approved-only` and `approval = "enforce"`: what is not ACTIVE is not sent to.

use serde_json::{Value, json};

use crate::support::{Place, each};

const REGISTRY: &str = ".local/share/kpipe/registry.db";

/// `orders` is ACTIVE, `pending` PENDING, `approved` APPROVED, `rejected` REJECTED; Kafka has them all.
fn in_every_state() -> Place {
    let place = Place::with(&[
        "orders:1",
        "pending:1",
        "approved:1",
        "rejected:1",
        "unknown:1",
    ]);
    place.active(&["orders"]);
    let topic = |arguments: &[&str]| {
        let arguments = [&["topic"], arguments, &["-q"]].concat();
        let _ = place.kpipe(&arguments).run().ends(0);
    };
    for name in ["pending", "approved", "rejected"] {
        topic(&["request", name, "--by", "alice"]);
    }
    topic(&["approve", "approved", "--by", "bob"]);
    topic(&["reject", "rejected", "--by", "bob", "--reason", "no need"]);
    place
}

#[test]
fn one_record_goes_to_an_active_topic_alone() {
    let place = in_every_state();
    place
        .kpipe(&["send", "orders", "v", "--approved-only"])
        .run()
        .ends(0);
    for (topic, reason, hint) in [
        (
            "pending",
            "`pending` is PENDING: request ",
            "hint: kpipe topic approve pending",
        ),
        (
            "approved",
            "`approved` is APPROVED: request ",
            "hint: kpipe topic reconcile",
        ),
        (
            "rejected",
            "`rejected` is REJECTED: no need",
            "hint: kpipe topic request rejected",
        ),
        (
            "unknown",
            "nobody has asked for it",
            "hint: kpipe topic request unknown",
        ),
    ] {
        place
            .kpipe(&["send", topic, "v", "--approved-only"])
            .run()
            .ends(4)
            .prints("")
            .says(&[reason, hint])
            .says_one_block();
        assert_eq!(place.values(topic), "");
    }
    assert_eq!(place.values("orders"), "v\n");
}

#[test]
fn a_stream_to_a_topic_that_waits_is_not_even_read() {
    let place = in_every_state();
    place
        .kpipe(&["send", "pending", "--lines", "--approved-only"])
        .input("a\nb\n")
        .run()
        .ends(4)
        .prints("")
        .says(&["of alice waits for a decision"])
        .says_one_block();
    assert_eq!(place.values("pending"), "");
}

#[test]
fn lines_for_topics_that_wait_fail_and_are_kept_and_the_others_go() {
    let place = in_every_state();
    let line = |topic: &str, n: u32| format!("{{\"topic\":\"{topic}\",\"value\":\"{n}\"}}\n");
    let lines: String = ["orders", "pending", "orders", "unknown", "pending"]
        .iter()
        .zip(0..)
        .map(|(topic, n)| line(topic, n))
        .collect();
    let receipts = place
        .kpipe(&[
            "send",
            "--approved-only",
            "--failed",
            "left",
            "--receipts",
            "failed",
        ])
        .input(lines)
        .run()
        .ends(4)
        .says(&["stdin:2: topic `pending` is PENDING", "2 sent, 3 failed"])
        .json();
    let codes: Vec<&Value> = receipts.iter().map(|one| &one["error"]["code"]).collect();
    assert_eq!(codes, ["NOT_APPROVED"; 3]);
    assert_eq!(each(&receipts, "line"), [&json!(2), &json!(4), &json!(5)]);
    assert_eq!(
        String::from_utf8(place.read("left")).unwrap(),
        line("pending", 1) + &line("unknown", 3) + &line("pending", 4)
    );
    assert_eq!(place.values("orders"), "0\n2\n");
    assert_eq!(place.values("pending") + &place.values("unknown"), "");
}

#[test]
fn a_failed_file_keeps_all_lines_for_a_topic_that_waits() {
    let place = in_every_state();
    let send = [
        "send",
        "pending",
        "--lines",
        "--approved-only",
        "--failed",
        "left",
    ];
    for transaction in [&[][..], &["--transaction"]] {
        place
            .kpipe(&[&send, transaction].concat())
            .input("a\nb\n")
            .run()
            .ends(4)
            .says(&["stdin:1", "0 sent, 2 failed"]);
    }
    assert_eq!(place.read("left"), b"a\nb\na\nb\n");
    assert_eq!(place.values("pending"), "");
}

#[test]
fn the_profile_enforces_approval_whoever_names_the_brokers() {
    let place = in_every_state();
    place.write(
        "config/kpipe/config.toml",
        "default_profile = 'prod'\n[profiles.prod]\nbrokers = 'unused:1'\napproval = 'enforce'\n",
    );
    place
        .kpipe(&["send", "pending", "v"])
        .run()
        .ends(4)
        .says(&["`pending` is PENDING"])
        .says_one_block();
    place.kpipe(&["send", "orders", "v"]).run().ends(0);
    assert_eq!(place.values("pending"), "");
}

#[test]
fn without_a_sound_registry_nothing_is_sent() {
    let place = Place::with(&["orders:1"]);
    let send = |status, reason: &str| {
        place
            .kpipe(&["send", "orders", "v", "--approved-only"])
            .run()
            .ends(status)
            .prints("")
            .says(&[reason])
            .says_one_block();
        let failed = place
            .kpipe(&["send", "--approved-only", "--failed", "left"])
            .input("{\"topic\":\"orders\",\"value\":\"v\"}\n")
            .run()
            .ends(status)
            .says(&[reason]);
        assert_eq!(failed.bytes(), b"");
    };
    send(2, "there is no registry at ");
    place.write(REGISTRY, "a text of somebody's");
    send(2, "is not a registry");
    std::fs::remove_file(place.path(REGISTRY)).unwrap();
    place.active(&["orders"]);
    {
        let holder = rusqlite::Connection::open(place.path(REGISTRY)).unwrap();
        holder
            .execute_batch(
                "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; PRAGMA user_version = 1;",
            )
            .unwrap();
        place
            .kpipe(&["send", "orders", "v", "--approved-only"])
            .run()
            .ends(3)
            .says(&["is locked by another process"])
            .says_one_block();
    }
    let mut bytes = place.read(REGISTRY);
    bytes[4096..].fill(0xff);
    place.write(REGISTRY, bytes);
    send(2, "is damaged");
    assert_eq!(place.values("orders"), "");
}
