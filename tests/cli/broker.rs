//! The built-in broker: its address, its command's end, and the end of everything with it.

use rustix::process::Signal;
use serde_json::Value;

use crate::support::Place;

#[test]
fn its_address_is_one_line_of_json_and_a_signal_ends_it() {
    let place = Place::at("127.0.0.1:1");
    let mut broker = place
        .kpipe(&["broker", "--topic", "a:2:1", "--nodes", "2"])
        .start();
    let address: Value = serde_json::from_str(&broker.line()).unwrap();
    let brokers = address["brokers"].as_str().unwrap().to_owned();
    assert_eq!(brokers.split(',').count(), 2, "{brokers}");
    // A flag beats the environment, which names a closed port here.
    place
        .kpipe(&["send", "a", "v", "-p", "1", "-b", &brokers])
        .run()
        .ends(0);
    place
        .kpipe(&["send", "a", "v", "-p", "2", "-b", &brokers])
        .run()
        .ends(2)
        .says(&["it has 0 to 1"]);
    broker.signal(Signal::TERM);
    let ended = broker.ended().dies_of(Signal::TERM).errors("");
    assert_eq!(ended.out().lines().count(), 1);
}

#[test]
fn a_topic_has_three_partitions_unless_told() {
    let place = Place::with(&["orders"]);
    place
        .kpipe(&["send", "orders", "v", "-p", "2"])
        .run()
        .ends(0);
    place
        .kpipe(&["send", "orders", "v", "-p", "3"])
        .run()
        .ends(2);
}

#[test]
fn its_command_knows_the_address_and_its_status_is_handed_on() {
    let place = Place::at("127.0.0.1:1");
    let script = "[ \"$KPIPE_BROKERS\" = \"$KAFKA_BROKERS\" ] || exit 99
        kpipe send a hello -q --receipts none || exit 98
        kpipe tail a -e --values
        exit 7";
    place
        .kpipe(&["broker", "--topic", "a:1", "--", "bash", "-c", script])
        .run()
        .ends(7)
        .prints("hello\n")
        .errors("");
    place
        .kpipe(&["broker", "--", "true"])
        .run()
        .ends(0)
        .prints("")
        .errors("");
    // Also what is none of our own statuses, and what is.
    place
        .kpipe(&["broker", "--", "bash", "-c", "exit 255"])
        .run()
        .ends(255);
    place
        .kpipe(&["broker", "--", "bash", "-c", "exit 2"])
        .run()
        .ends(2)
        .errors("");
}

#[test]
fn its_commands_death_by_signal_is_handed_on() {
    let place = Place::at("127.0.0.1:1");
    place
        .kpipe(&["broker", "--", "bash", "-c", "kill -KILL $$"])
        .run()
        .dies_of(Signal::KILL)
        .errors("");
    place
        .kpipe(&["broker", "--", "bash", "-c", "kill -TERM $$"])
        .run()
        .dies_of(Signal::TERM)
        .errors("");
}

#[test]
fn a_signal_reaches_the_command_and_its_end_ends_the_broker() {
    let place = Place::at("127.0.0.1:1");
    let script = "trap 'echo told; exit 5' TERM; echo up; while true; do read -r _; done";
    let mut broker = place.kpipe(&["broker", "--", "bash", "-c", script]).start();
    assert_eq!(broker.line(), "up\n");
    broker.signal(Signal::TERM);
    assert_eq!(broker.line(), "told\n");
    broker.ended().ends(5);
}

#[test]
fn a_second_signal_ends_at_once() {
    let place = Place::at("127.0.0.1:1");
    // It ends with its stdin, which is ours.
    let script = "trap 'echo told' TERM; echo up; while read -r _ || [ $? -gt 128 ]; do :; done";
    let mut broker = place.kpipe(&["broker", "--", "bash", "-c", script]).start();
    assert_eq!(broker.line(), "up\n");
    broker.signal(Signal::TERM);
    assert_eq!(broker.line(), "told\n");
    broker.signal(Signal::INT);
    broker.ended().dies_of(Signal::INT);
}

#[test]
fn a_command_that_cannot_run_is_wrong_usage() {
    let place = Place::at("127.0.0.1:1");
    place
        .kpipe(&["broker", "--", "no-such-program"])
        .run()
        .ends(2)
        .says(&["cannot run `no-such-program`", "caused by: No such file"])
        .says_one_block();
}

#[test]
fn topics_that_cannot_be_are_wrong_usage() {
    let place = Place::at("127.0.0.1:1");
    for topic in ["", "a:0", "a:x", "a:1:1:1", "a/b"] {
        place
            .kpipe(&["broker", "--topic", topic, "--", "true"])
            .run()
            .ends(2);
    }
    // More copies than brokers.
    place
        .kpipe(&["broker", "--topic", "a:1:3", "--", "true"])
        .run()
        .hides(&["panicked"]);
    place
        .kpipe(&["broker", "--nodes", "0", "--", "true"])
        .run()
        .ends(2);
}

#[test]
fn its_help_says_what_it_cannot_do() {
    let place = Place::at("127.0.0.1:1");
    let help = place
        .kpipe(&["broker", "--help"])
        .run()
        .ends(0)
        .errors("")
        .out();
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    for limit in [
        "in memory, about 5 MiB a partition",
        "no admin requests, no limits of topics and no lookup by time",
        "shows what an aborted transaction wrote",
        "Java clients cannot connect",
        "`KPIPE_BROKERS` and `KAFKA_BROKERS`",
    ] {
        assert!(help.contains(limit), "{limit}: {help}");
    }
}
