//! Data for every ACTIVE topic, as they are activated and deactivated.

use jiff::Timestamp;
use kpipe::registry::{Actor, Registry, Stamp, State};
use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Place, Running};

/// A place with a registry, and what the one who creates topics does there.
fn place() -> Place {
    let place = Place::at("127.0.0.1:1");
    request(&place, &["never-approved"]);
    place
}

fn request(place: &Place, arguments: &[&str]) {
    let request = place.kpipe(&["-q", "topic", "--registry", "r.db", "request"]);
    request.arguments(arguments).run().ends(0);
}

fn activate(place: &Place, arguments: &[&str]) {
    request(place, &[arguments, &["--approved-by", "somebody"]].concat());
    let mut registry = Registry::open(&place.path("r.db")).unwrap();
    let actor = Actor {
        name: "reconcile".into(),
        login: None,
        uid: 0,
        host: "here".into(),
    };
    let stamp = Stamp {
        actor: &actor,
        at: "2026-11-20T10:00:00Z".parse::<Timestamp>().unwrap(),
    };
    for request in registry.requests(Some(State::Approved)).unwrap() {
        registry.activate(&request.id, false, stamp).unwrap();
    }
}

fn deactivate(place: &Place, topic: &str) {
    let arguments = [
        "-q",
        "topic",
        "--registry",
        "r.db",
        "deactivate",
        topic,
        "--reason",
        "done",
    ];
    place.kpipe(&arguments).run().ends(0);
}

/// Reads until `enough` of a line; what it looks for has to come.
fn until(running: &mut Running, enough: impl Fn(&Value) -> bool) -> Value {
    loop {
        let record: Value = serde_json::from_str(&running.line()).unwrap();
        if enough(&record) {
            return record;
        }
    }
}

fn is_of(topic: &str) -> impl Fn(&Value) -> bool {
    move |record| record["topic"] == topic
}

#[test]
fn each_topic_gets_the_kind_of_its_type_or_of_its_name() {
    let place = place();
    activate(&place, &["eu-payments"]);
    activate(&place, &["readings", "--type", "sensor"]);
    activate(&place, &["stuff"]);
    activate(&place, &["things", "--type", "nonesuch"]);
    let arguments = [
        "generate",
        "--active",
        "--registry",
        "r.db",
        "--rate",
        "1000/s",
        "-n",
        "300",
    ];
    let ended = place.kpipe(&arguments).run().ends(0);
    let mut kinds = std::collections::BTreeMap::new();
    let mut sequence = 0;
    for record in ended.json() {
        let kind = record["value"]["data_type"].as_str().unwrap().to_owned();
        kinds.insert(record["topic"].as_str().unwrap().to_owned(), kind);
        let label = record["headers"][1]["value"].as_str().unwrap().to_owned();
        assert_eq!(label, sequence.to_string());
        sequence += 1;
    }
    assert_eq!(sequence, 300);
    assert_eq!(kinds["eu-payments"], "payment");
    assert_eq!(kinds["readings"], "sensor");
    assert_eq!(kinds["stuff"], "event");
    assert_eq!(kinds["things"], "event");
    assert!(!kinds.contains_key("never-approved"));
    let general = "stuff: neither type nor name says what it is for";
    assert_eq!(ended.stderr().matches(general).count(), 1);
    ended.says(&["eu-payments: payment.", "no kind is called `nonesuch`"]);
}

#[test]
fn topics_are_followed_as_they_come_and_go() {
    let place = place();
    let arguments = [
        "-q",
        "generate",
        "--active",
        "--registry",
        "r.db",
        "--every",
        "5ms..15ms",
    ];
    let mut generate = place.kpipe(&arguments).start();
    activate(&place, &["orders"]);
    until(&mut generate, is_of("orders"));
    activate(&place, &["weather"]);
    until(&mut generate, is_of("weather"));
    deactivate(&place, "orders");
    // Until it was noticed, some of the old topic come: so many of the other alone are no chance.
    let mut alone = 0;
    while alone < 40 {
        let record = until(&mut generate, |_| true);
        alone = if record["topic"] == "weather" {
            alone + 1
        } else {
            0
        };
    }
    deactivate(&place, "weather");
    activate(&place, &["calls"]);
    until(&mut generate, is_of("calls"));
    generate.signal(Signal::INT);
    generate.ended().dies_of(Signal::INT).errors("");
}

#[test]
fn without_an_active_topic_it_waits_and_says_so() {
    let place = place();
    let arguments = [
        "generate",
        "--active",
        "--registry",
        "r.db",
        "--for",
        "1500ms",
    ];
    let ended = place.kpipe(&arguments).run().ends(0).prints("");
    assert_eq!(ended.stderr().matches("No topic is ACTIVE").count(), 1);
}

#[test]
fn without_a_registry_it_does_not_begin() {
    let place = Place::at("127.0.0.1:1");
    let ended = place
        .kpipe(&["generate", "--active", "--registry", "r.db"])
        .run();
    ended
        .ends(2)
        .prints("")
        .says(&["there is no registry at r.db"])
        .says_one_block();
    assert!(!place.path("r.db").exists());
}

#[test]
fn what_was_made_for_several_topics_is_verified() {
    let place = place();
    activate(&place, &["orders"]);
    activate(&place, &["sensors"]);
    let arguments = [
        "-q",
        "generate",
        "--active",
        "--registry",
        "r.db",
        "--rate",
        "100000/s",
        "-n",
        "1000",
        "--manifest",
        "made.json",
        "--ooo",
        "10%",
        "--drop",
        "10%",
    ];
    let made = place.kpipe(&arguments).run().ends(0).out();
    place
        .kpipe(&["generate", "verify", "made.json"])
        .input(made)
        .run()
        .ends(0);
}
