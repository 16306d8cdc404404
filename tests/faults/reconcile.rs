//! A reconciler whose broker goes away, and one that is killed at work.

use std::collections::BTreeSet;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::eventually;
use crate::support::executable::kpipe;
use crate::support::kafka::{node, unique};
use crate::support::registry::Registry;

#[test]
fn a_broker_that_is_killed_is_waited_for() {
    let registry = Registry::new();
    let (before, meanwhile) = (unique("before"), unique("meanwhile"));
    registry.approve(&[json!({"name": before})]);
    let watch = registry.watch();
    assert_eq!(watch.lines(1)[0]["action"], "created");
    node("kill", 1);
    registry.approve(&[json!({"name": meanwhile})]);
    watch.until_it_says("warning: cannot reach Kafka");
    // One pass alone does not wait.
    let state = registry
        .kpipe(&["topic", "list", "--state", "APPROVED"])
        .run()
        .ok();
    assert_eq!(state.lines()[0]["name"], meanwhile.as_str());
    node("start", 1);
    let told = watch.lines(2).remove(1);
    assert_eq!(
        (&told["name"], &told["action"]),
        (&json!(meanwhile), &json!("created"))
    );
    watch.until_it_says("Going on.");
    watch.signal(Signal::TERM);
    let ended = watch.wait().dies_of(Signal::TERM);
    assert_eq!(
        ended.lines().len(),
        2,
        "an outage is no drift: {:?}",
        ended.lines()
    );
    assert_eq!(
        ended.stderr.matches("warning").count(),
        1,
        "{}",
        ended.stderr
    );
}

/// As many topics as take a second or two.
fn many(registry: &Registry) -> Vec<String> {
    let prefix = unique("killed");
    let names: Vec<String> = (0..300)
        .map(|number| format!("{prefix}.{number:03}"))
        .collect();
    let requests: Vec<Value> = names
        .iter()
        .map(|name| json!({"name": name, "partitions": 1}))
        .collect();
    registry.approve(&requests);
    names
}

/// Every one is ACTIVE and in Kafka.
fn check_all_made(registry: &Registry, names: &[String]) {
    assert!(registry.plan(0).is_empty(), "nothing is left to do");
    let listed = registry.kpipe(&["topic", "list"]).run().ok().lines();
    let is_made = |row: &&Value| row["state"] == "ACTIVE" && row["in_kafka"] == true;
    let made = listed.iter().filter(is_made);
    let made: BTreeSet<&str> = made.map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(made, names.iter().map(String::as_str).collect());
}

/// Waits until Kafka has some of these.
fn until_some_are_there(names: &[String]) {
    eventually("some topics are there", || {
        let listed = kpipe(["topic", "list", &names[0][..names[0].len() - 3]]).run();
        (!listed.lines().is_empty()).then_some(())
    });
}

#[test]
fn a_broker_that_is_killed_while_it_makes_topics_makes_them_all_in_the_end() {
    let registry = Registry::new();
    let names = many(&registry);
    let watch = registry.watch();
    until_some_are_there(&names);
    node("kill", 1);
    node("start", 1);
    watch.lines(names.len());
    watch.signal(Signal::TERM);
    watch.wait().dies_of(Signal::TERM);
    check_all_made(&registry, &names);
}

#[test]
fn a_reconciler_that_is_killed_at_work_is_taken_over_from() {
    let registry = Registry::new();
    let names = many(&registry);
    let killed = registry.kpipe(&["topic", "reconcile"]).start();
    until_some_are_there(&names);
    killed.signal(Signal::KILL);
    let before = killed.wait().dies_of(Signal::KILL).lines().len();
    assert!(
        before < names.len(),
        "it was killed too late to prove anything"
    );
    eventually("the next pass ends what is left", || {
        let pass = registry.kpipe(&["topic", "reconcile"]).run();
        (pass.status.code() == Some(0)).then_some(())
    });
    check_all_made(&registry, &names);
}
