//! A broker that stands still until it is fenced, as one on a laptop that slept.

use rustix::process::Signal;

use crate::support::executable::{Running, kpipe};
use crate::support::kafka::{group, node, topic};
use crate::support::{eventually, grows_to};

/// Each of several has its chance to lose its brokers.
const READERS: usize = 8;

#[test]
fn whoever_was_connected_goes_on_when_it_moves_again() {
    let topic = topic("frozen").partitions(3).create();
    let group = group();
    let alone = ["tail", &topic, "-o", "end"];
    let member = ["tail", &topic, "-g", &group];
    let mut readers: Vec<Running> = (0..READERS).map(|_| kpipe(alone).start()).collect();
    let members = [kpipe(member).start(), kpipe(member).start()];
    let mut send = kpipe(["send", &topic, "--lines", "--receipts", "all"])
        .open_input()
        .start();
    // A reader begins at an end that it does not tell.
    eventually("all read", || {
        send.write("before\n");
        let has_read = |reader: &Running| !reader.lines_so_far().is_empty();
        readers.iter().all(has_read).then_some(())
    });
    for round in 0..2 {
        node("stop", 1);
        send.write("while\n");
        // Longer than the nine seconds of `broker.session.timeout.ms`, after which it is fenced.
        let waited = kpipe(["wait", "broker", "--timeout", "12s"]).run();
        waited.exits(3);
        // One that comes too soon waits.
        readers.push(kpipe(alone).start());
        node("start", 1);
        let after = format!("after {round}");
        eventually("all read on", || {
            send.write(format!("{after}\n"));
            let has_read = |reader: &Running| {
                let lines = reader.lines_so_far();
                lines.iter().any(|line| line["value"] == after)
            };
            readers.iter().all(has_read).then_some(())
        });
        let by_members = || {
            let lines = members.iter().flat_map(Running::lines_so_far);
            lines.filter(|line| line["value"] == after).count()
        };
        grows_to(1, by_members);
    }
    send.wait().ok().says(" 0 failed");
    for mut reader in readers.into_iter().chain(members) {
        assert!(reader.is_running(), "{}", reader.said());
        reader.signal(Signal::TERM);
        let _ = reader.wait().dies_of(Signal::TERM);
    }
}
