//! The rules of a profile: each refuses for itself, all that are broken are named, no flag gets round.

use serde_json::json;

use crate::support::{Ended, Place};
use crate::topic::offline;

const PROFILES: &str = r#"
default_profile = "house"

[profiles.house]
brokers = "127.0.0.1:1"

[profiles.house.policy]
names = ["(shop|bank)\\.[a-z]+"]
partitions = { min = 2, max = 12 }
replication = { min = 1, max = 3 }
config = ["retention.ms"]

[profiles.free]
brokers = "127.0.0.1:1"
four_eyes = "off"
"#;

fn house() -> Place {
    let place = offline();
    place.write("config/kpipe/config.toml", PROFILES);
    place
}

fn request(place: &Place, words: &str) -> Ended {
    let words = format!("topic request --by alice {words}");
    place.kpipe(&words.split(' ').collect::<Vec<_>>()).run()
}

#[test]
fn each_rule_refuses_for_itself() {
    let place = house();
    request(
        &place,
        "shop.orders --partitions 2 --replication 3 --config retention.ms=1",
    )
    .ends(0);
    for (words, rule) in [
        (
            "my-shop.orders",
            "the name matches none of `(shop|bank)\\.[a-z]+`",
        ),
        (
            "shop.a --partitions 1",
            "1 partition, and 2 to 12 is allowed",
        ),
        (
            "shop.a --partitions 13",
            "13 partitions, and 2 to 12 is allowed",
        ),
        (
            "shop.a --replication 4",
            "a replication of 4, and 1 to 3 is allowed",
        ),
        (
            "shop.a --config cleanup.policy=compact",
            "`cleanup.policy` may not be set, only `retention.ms`",
        ),
    ] {
        request(&place, words)
            .ends(4)
            .prints("")
            .says(&[rule, "policy"])
            .says_one_block();
    }
    request(&place, "shop.orders")
        .ends(0)
        .says(&["PENDING already"]);
}

#[test]
fn kafkas_own_rules_for_names_are_wrong_usage() {
    let place = offline();
    let long = "a".repeat(250);
    for (name, rule) in [
        (".", "folders"),
        ("..", "folders"),
        ("a/b", "'/'"),
        (long.as_str(), "250 characters"),
        ("__consumer_offsets", "Kafka's own topics"),
    ] {
        request(&place, name)
            .ends(2)
            .prints("")
            .says(&[rule])
            .says_one_block();
    }
    place
        .kpipe(&["topic", "request", "", "--by", "alice"])
        .run()
        .ends(2)
        .says(&["needs a name"]);
    request(&place, "a.b").ends(0);
    request(&place, "a_b")
        .ends(2)
        .says(&["collides with topic `a.b`"])
        .says_one_block();
}

#[test]
fn all_rules_that_are_broken_are_named() {
    let place = house();
    request(
        &place,
        "my/orders --partitions 99 --replication 9 --config a=1 --config b=2",
    )
    .ends(2)
    .says(&[
        "'/'",
        "(shop|bank)",
        "99 partitions",
        "replication of 9",
        "`a`",
        "`b`",
    ])
    .says_one_block();
}

#[test]
fn the_rules_of_the_profile_in_force_hold_whoever_names_the_brokers() {
    let place = house();
    let refused = |words: &[&str]| {
        let mut all = vec!["topic", "request", "mine", "--by", "alice"];
        all.extend(words);
        place.kpipe(&all).run().ends(4);
        place.kpipe(&all).without_env("KPIPE_BROKERS").run().ends(4);
    };
    refused(&[]);
    refused(&["-b", "127.0.0.1:2"]);
    refused(&["-X", "bootstrap.servers=127.0.0.1:2"]);
    place
        .kpipe(&["topic", "request", "mine", "--by", "alice"])
        .env("KPIPE_PROFILE", "free")
        .run()
        .ends(0);
    place
        .kpipe(&["topic", "request", "his", "--by", "alice", "-C", "free"])
        .run()
        .ends(0);
    place
        .kpipe(&["topic", "request", "hers", "--by", "alice", "-C", "nobodys"])
        .run()
        .ends(2)
        .says(&["no profile nobodys"]);
}

#[test]
fn four_eyes_can_be_lifted_by_the_profile_and_the_registry_keeps_that_it_was() {
    let place = house();
    request(&place, "shop.orders").ends(0);
    let approve = |profile: &str| {
        place
            .kpipe(&[
                "topic",
                "approve",
                "shop.orders",
                "--by",
                "alice",
                "-C",
                profile,
            ])
            .run()
    };
    approve("house").ends(4);
    let row = approve("free").ends(0).json().remove(0);
    assert_eq!(
        (&row["state"], &row["decided_by"]),
        (&json!("APPROVED"), &json!("alice"))
    );
}

#[test]
fn a_rule_that_cannot_be_read_is_wrong_configuration_with_its_place() {
    let place = offline();
    for (rules, says) in [
        ("names = ['(']", "`(` is not a regular expression"),
        ("partitons = { max = 3 }", "unknown field `partitons`"),
        ("partitions = { most = 3 }", "unknown field `most`"),
        ("partitions = 3", "expected"),
    ] {
        let config = format!(
            "default_profile='x'\n[profiles.x]\nbrokers='a:1'\n[profiles.x.policy]\n{rules}\n"
        );
        place.write("config/kpipe/config.toml", config);
        request(&place, "orders")
            .ends(2)
            .says(&["config.toml:5:", says])
            .says_one_block();
    }
    for rule in ["approval = 'maybe'", "four_eyes = 'never'"] {
        let config = format!("default_profile='x'\n[profiles.x]\nbrokers='a:1'\n{rule}\n");
        place.write("config/kpipe/config.toml", config);
        request(&place, "orders")
            .ends(2)
            .says(&["config.toml:4:"])
            .says_one_block();
    }
}

#[test]
fn config_show_has_the_rules_and_where_they_are_from() {
    let place = house();
    let shown = |flags: &[&str]| {
        let mut words = vec!["config", "show"];
        words.extend(flags);
        let rows = place.kpipe(&words).run().ends(0).json();
        let rules = rows.into_iter().filter(|row| {
            let name = row["property"].as_str().unwrap();
            name.starts_with("policy.") || ["approval", "four_eyes"].contains(&name)
        });
        rules
            .map(|row| {
                assert!(
                    row["origin"].as_str().unwrap().starts_with("profile "),
                    "{row}"
                );
                json!([row["property"], row["value"]])
            })
            .collect::<Vec<_>>()
    };
    // The brokers are the environment's, and the rules the profile's all the same.
    assert_eq!(
        shown(&[]),
        [
            json!(["approval", "off"]),
            json!(["four_eyes", "on"]),
            json!(["policy.config", "retention.ms"]),
            json!(["policy.names", "(shop|bank)\\.[a-z]+"]),
            json!(["policy.partitions", "2 to 12"]),
            json!(["policy.replication", "1 to 3"]),
        ]
    );
    assert_eq!(shown(&["-C", "free"])[1], json!(["four_eyes", "off"]));
}

#[test]
fn a_profile_of_rules_alone_needs_no_brokers_until_something_connects() {
    let place = offline();
    let config = "default_profile = 'house'\n[profiles.house.policy]\npartitions = { max = 6 }\n";
    place.write("config/kpipe/config.toml", config);
    let run = |words: &str| {
        let words: Vec<&str> = words.split(' ').collect();
        place.kpipe(&words).without_env("KPIPE_BROKERS").run()
    };
    run("topic request orders --by alice --partitions 7")
        .ends(4)
        .says(&["7 partitions, and 6 or fewer is allowed"])
        .says_one_block();
    run("topic request orders --by alice").ends(0).errors("");
    run("topic approve orders --by bob").ends(0).errors("");
    let shown = run("config show").ends(0).errors("").json();
    let is_brokers = |row: &serde_json::Value| row["property"] == "bootstrap.servers";
    assert!(!shown.iter().any(is_brokers), "{shown:?}");
    for words in ["topic plan", "-C house topic plan", "tail orders -e"] {
        run(words)
            .ends(2)
            .says(&[
                "profile house in ",
                "config.toml: no brokers are named",
                "hint: `brokers = \"kafka:9092\"` in the profile, or --brokers or KPIPE_BROKERS",
            ])
            .says_one_block();
    }
    // Whoever else names them will do.
    for words in [&["topic", "plan"][..], &["-C", "house", "topic", "plan"]] {
        let plan = place.kpipe(words).run().ends(3);
        plan.says(&["cannot reach Kafka at 127.0.0.1:1"]);
    }
}

#[test]
fn a_setting_that_kafka_does_not_know_is_told_with_the_one_that_was_meant() {
    let place = offline();
    let asked = request(
        &place,
        "orders --config retention.msx=1 --config cleanup.policy=compact",
    );
    asked
        .ends(0)
        .errors("warning: `orders`: Kafka 4 has no setting `retention.msx` for topics; did you mean `retention.ms`?\n");
    request(&place, "invoices --config retention.msx=1 -q")
        .ends(0)
        .errors("");
    let lines = place.kpipe(&["topic", "request", "-", "--by", "alice"]);
    let lines = lines
        .input(r#"{"name":"x","config":{"0":"1"}}"#)
        .run()
        .ends(0);
    let _ = lines.errors("warning: `x`: Kafka 4 has no setting `0` for topics\n");
    // A house that allows it has a broker that knows it.
    let policy = "default_profile = 'house'\n[profiles.house.policy]\nconfig = ['retention.msx']\n";
    place.write("config/kpipe/config.toml", policy);
    request(&place, "users --config retention.msx=1")
        .ends(0)
        .errors("");
}
