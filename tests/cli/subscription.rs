//! Subscriptions: to what is ACTIVE alone, and followed by `tail --user` while it runs.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use crate::support::{Place, Running, each};

fn two_active() -> Place {
    let place = Place::with(&["orders:1", "sensors:1"]);
    place.active(&["orders", "sensors"]);
    place
}

fn subscribe(place: &Place, verb: &str, user: &str, topic: &str) {
    place
        .kpipe(&["subscription", verb, user, topic, "-q"])
        .run()
        .ends(0)
        .errors("");
}

#[test]
fn a_subscription_is_added_listed_and_removed() {
    let place = two_active();
    let add = ["subscription", "add", "user_1", "orders"];
    place
        .kpipe(&add)
        .run()
        .ends(0)
        .prints("")
        .errors("user_1 subscribes to orders\n");
    place
        .kpipe(&add)
        .run()
        .ends(0)
        .errors("user_1 subscribes to orders already\n");
    subscribe(&place, "add", "user_2", "sensors");
    let all = place.kpipe(&["subscription", "list"]).run().ends(0).json();
    assert_eq!(each(&all, "user"), [&json!("user_1"), &json!("user_2")]);
    let one = place
        .kpipe(&["subscription", "list", "--user", "user_2"])
        .run()
        .ends(0)
        .json();
    assert_eq!(each(&one, "topic"), [&json!("sensors")]);
    assert_eq!(each(&one, "state"), [&json!("ACTIVE")]);
    let remove = ["subscription", "remove", "user_1", "orders"];
    place
        .kpipe(&remove)
        .run()
        .ends(0)
        .errors("user_1 no longer subscribes to orders\n");
    place
        .kpipe(&remove)
        .run()
        .ends(0)
        .errors("user_1 did not subscribe to orders\n");
    place
        .kpipe(&["subscription", "list", "--user", "user_1"])
        .run()
        .ends(0)
        .prints("");
}

#[test]
fn a_misspelt_topic_names_the_one_that_was_meant() {
    let place = two_active();
    place
        .kpipe(&["subscription", "add", "user_1", "odrers"])
        .run()
        .ends(4)
        .prints("")
        .says(&[
            "nobody has asked for topic `odrers`",
            "hint: did you mean `orders`?",
        ])
        .says_one_block();
}

#[test]
fn without_a_registry_nobody_is_a_subscriber() {
    let place = Place::with(&["orders:1"]);
    for arguments in [
        &["subscription", "add", "user_1", "orders"][..],
        &["subscription", "list"],
        &["tail", "--user", "user_1"],
    ] {
        place
            .kpipe(arguments)
            .run()
            .ends(2)
            .prints("")
            .says(&["there is no registry at "])
            .says_one_block();
    }
}

#[test]
fn a_user_reads_what_they_subscribe_to_in_a_group_of_their_own() {
    let place = two_active();
    place.send("orders", &["o"]).send("sensors", &["s"]);
    subscribe(&place, "add", "user_1", "orders");
    subscribe(&place, "add", "user_2", "orders");
    subscribe(&place, "add", "user_2", "sensors");
    let values = |user| {
        let ended = place
            .kpipe(&["tail", "--user", user, "-e", "--values"])
            .run()
            .ends(0);
        let mut lines: Vec<_> = ended.out().lines().map(ToOwned::to_owned).collect();
        lines.sort();
        (lines.join(" "), ended.stderr().to_owned())
    };
    assert_eq!(
        values("user_1"),
        (
            "o".to_owned(),
            "user_1 subscribes to orders\n1 record processed\n".to_owned()
        )
    );
    assert_eq!(values("user_2").0, "o s");
    // Each group goes on where it was.
    assert_eq!(values("user_1").0, "");
    place
        .kpipe(&["tail", "orders", "-g", "consumer_group_user_2", "-e", "-q"])
        .run()
        .ends(0)
        .prints("");
}

#[test]
fn record_lines_are_piped_as_ever_and_bounds_hold() {
    let place = two_active();
    place.send("orders", &["a", "b", "c"]);
    subscribe(&place, "add", "user_1", "orders");
    let tail = ["tail", "--user", "user_1", "-n", "2", "-q"];
    let lines = place.kpipe(&tail).run().ends(0).errors("").json();
    assert_eq!(each(&lines, "value"), [&json!("a"), &json!("b")]);
    place
        .kpipe(&["tail", "--user", "user_1", "-n", "2", "--timeout", "2s"])
        .run()
        .ends(3)
        .says(&["time is up after 1 record"]);
    for flags in [&["orders"][..], &["-g", "g"], &["-l", "1"], &["-p", "0"]] {
        place
            .kpipe(&[&["tail", "--user", "user_1"], flags].concat())
            .run()
            .ends(2)
            .prints("");
    }
}

#[test]
fn without_subscriptions_a_bounded_run_ends_and_another_waits() {
    let place = two_active();
    let nothing =
        "user_1 subscribes to nothing; `kpipe subscription add user_1 TOPIC` changes that";
    place
        .kpipe(&["tail", "--user", "user_1", "-e"])
        .run()
        .ends(0)
        .prints("")
        .errors(&format!("{nothing}\n0 records processed\n"));
    place.send("orders", &["a"]);
    let mut tail = place
        .kpipe(&["tail", "--user", "user_1", "--values"])
        .start();
    tail.until_it_says(nothing);
    subscribe(&place, "add", "user_1", "orders");
    assert_eq!(tail.line(), "a\n");
    tail.signal(Signal::INT);
    tail.ended()
        .dies_of(Signal::INT)
        .says(&["user_1 now subscribes to orders", "1 record processed"]);
}

/// Sends to `topic` until a line comes.
fn send_until_read(place: &Place, topic: &str, tail: &mut Running) -> String {
    loop {
        place.send(topic, &[topic]);
        if let Some(line) = tail.line_within(Duration::from_millis(500)) {
            return line;
        }
    }
}

#[test]
fn what_is_subscribed_and_unsubscribed_meanwhile_is_followed() {
    let place = two_active();
    subscribe(&place, "add", "user_1", "orders");
    place.send("orders", &["first"]);
    let mut tail = place
        .kpipe(&["tail", "--user", "user_1", "--values"])
        .start();
    assert_eq!(tail.line(), "first\n");
    place.send("sensors", &["before"]);
    subscribe(&place, "add", "user_1", "sensors");
    assert_eq!(tail.line(), "before\n");
    subscribe(&place, "remove", "user_1", "orders");
    tail.until_it_says("user_1 no longer subscribes to orders");
    place.send("orders", &["unread"]);
    assert_eq!(send_until_read(&place, "sensors", &mut tail), "sensors\n");
    // All of it goes, and comes back where it was.
    subscribe(&place, "remove", "user_1", "sensors");
    tail.until_it_says("user_1 subscribes to nothing");
    subscribe(&place, "add", "user_1", "orders");
    assert_eq!(tail.line(), "unread\n");
    tail.signal(Signal::TERM);
    let ended = tail.ended().dies_of(Signal::TERM);
    assert!(!ended.out().contains("first\nfirst"), "{}", ended.out());
}

#[test]
fn what_is_not_active_is_not_subscribed_to() {
    let place = Place::with(&["orders:1"]);
    place
        .kpipe(&["topic", "request", "orders", "--by", "alice", "-q"])
        .run()
        .ends(0);
    let add = ["subscription", "add", "user_1", "orders"];
    place
        .kpipe(&add)
        .run()
        .ends(4)
        .prints("")
        .says(&[
            "`orders` is PENDING, and subscriptions are to ACTIVE topics",
            "`kpipe topic approve orders`",
        ])
        .says_one_block();
    place
        .kpipe(&["topic", "approve", "orders", "--by", "bob", "-q"])
        .run()
        .ends(0);
    place
        .kpipe(&add)
        .run()
        .ends(4)
        .says(&["`orders` is APPROVED", "`kpipe topic reconcile`"])
        .says_one_block();
}

#[test]
fn a_topic_out_of_use_is_no_longer_read() {
    let place = two_active();
    subscribe(&place, "add", "user_1", "orders");
    let mut tail = place
        .kpipe(&["tail", "--user", "user_1", "--values"])
        .start();
    tail.until_it_says("user_1 subscribes to orders");
    place
        .kpipe(&[
            "topic",
            "deactivate",
            "orders",
            "--reason",
            "moved",
            "--by",
            "alice",
            "-q",
        ])
        .run()
        .ends(0);
    tail.until_it_says("user_1 no longer subscribes to orders");
    let rows = place.kpipe(&["subscription", "list"]).run().ends(0).json();
    assert_eq!(each(&rows, "state"), [&json!("INACTIVE")]);
}

#[test]
fn an_offset_holds_for_what_is_subscribed_to_later_too() {
    let place = two_active();
    place.send("orders", &["old"]);
    let mut tail = place
        .kpipe(&["tail", "--user", "user_1", "--values", "-o", "end"])
        .start();
    tail.until_it_says("user_1 subscribes to nothing");
    subscribe(&place, "add", "user_1", "orders");
    assert_eq!(send_until_read(&place, "orders", &mut tail), "orders\n");
}
