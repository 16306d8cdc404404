//! kpipe as process 1, as in a container without an init.

use rustix::process::{Signal, kill_process};

use crate::support::executable::{kpipe_as_pid_1, values};
use crate::support::kafka::{committed, group, topic};

#[test]
fn process_1_sends_and_prints() {
    let topic = topic("process-1").create();
    kpipe_as_pid_1(["send", &topic, "--lines"])
        .input("a\nb\n")
        .run()
        .ok()
        .says("2 sent, 0 failed");
    let tail = kpipe_as_pid_1(["tail", &topic, "-e"]).run().ok();
    assert_eq!(tail.values(), ["a", "b"]);
}

#[test]
fn process_1_ends_with_the_number_of_its_signal_and_commits() {
    let topic = topic("process-1-terminated").create();
    topic.append_numbers(0, 0..10);
    let group = group();
    let tail = kpipe_as_pid_1(["tail", &topic, "-g", &group]).start();
    assert_eq!(values(&tail.lines(10)).len(), 10);
    // The default action of a signal does nothing to process 1, so it must exit by itself.
    kill_process(tail.only_child(), Signal::TERM).unwrap();
    tail.wait().exits(143);
    assert_eq!(committed(&group, &topic), [10]);
}
