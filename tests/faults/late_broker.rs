//! A broker that is not there yet when it is waited for.

use crate::support::executable::kpipe;
use crate::support::kafka::{node, topic};

#[test]
fn a_broker_that_comes_up_late_is_waited_for() {
    let topic = topic("late-broker").create();
    topic.append_numbers(0, 0..3);
    node("kill", 1);
    let commands = [
        vec!["-v", "wait", "broker", "--timeout", "2m"],
        vec![
            "-v",
            "wait",
            "topic",
            &topic,
            "--for",
            "leaders,messages=3",
            "--timeout",
            "2m",
        ],
        vec!["-v", "expect", &topic, "--count", "3", "--timeout", "2m"],
    ];
    let waiting: Vec<_> = commands
        .into_iter()
        .map(|command| {
            let wait = kpipe(command).start();
            wait.until_it_says("not yet: cannot reach Kafka");
            wait
        })
        .collect();
    node("start", 1);
    for wait in waiting {
        wait.wait().ok();
    }
}
