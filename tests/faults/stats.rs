//! A broker that dies while numbers are shown.

use rustix::process::Signal;
use serde_json::Value;

use crate::support::eventually;
use crate::support::executable::kpipe;
use crate::support::kafka::{node, topic};

#[test]
fn requests_that_a_broker_did_not_answer_are_counted_when_it_is_back() {
    let topic = topic("unanswered").create();
    let watch = kpipe(["stats", &topic, "--watch=200ms"]).start();
    watch.lines(2);
    let errors = |line: &Value| line["request_errors_per_second"].as_f64().unwrap();
    assert!(watch.lines_so_far().iter().all(|line| errors(line) == 0.0));
    node("kill", 1);
    watch.until_it_says("cannot reach Kafka");
    node("start", 1);
    let told = eventually("the errors are told", || {
        watch
            .lines_so_far()
            .iter()
            .position(|line| errors(line) > 0.0)
    });
    // Each client waits by itself before it connects again.
    eventually("the broker takes connections", || {
        let lines = watch.lines_so_far();
        lines[told..]
            .iter()
            .any(|line| line["brokers_unreachable"] == 0)
            .then_some(())
    });
    watch.signal(Signal::TERM);
    watch.wait().dies_of(Signal::TERM);
}
