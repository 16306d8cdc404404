//! `kpipe wait`: what is there, what comes late, what never comes.

use std::io::copy;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use rustix::process::Signal;

use crate::support::Place;
use crate::unreachable::closed_port;

/// Listens as a port forwarder does: hangs up while nobody listens behind it, `count` times,
/// and then forwards to `target`. Tells its address, and when it begins to forward.
pub(crate) fn late(target: &str, count: usize) -> (String, Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (forwards, is_forwarding) = channel();
    let target = target.to_owned();
    thread::spawn(move || {
        for (index, stream) in listener.incoming().flatten().enumerate() {
            if index < count {
                let _ = stream.shutdown(Shutdown::Both);
                continue;
            }
            let _ = forwards.send(());
            let broker = TcpStream::connect(&target).unwrap();
            for (mut from, mut to) in [
                (stream.try_clone().unwrap(), broker.try_clone().unwrap()),
                (broker, stream),
            ] {
                thread::spawn(move || copy(&mut from, &mut to));
            }
        }
    });
    (address, is_forwarding)
}

#[test]
fn what_is_there_is_not_waited_for() {
    let place = Place::with(&["orders:3"]);
    place.send("orders", &["a", "b", "c"]);
    for arguments in [
        &["wait", "broker"][..],
        &["wait", "topic", "orders"],
        &[
            "wait",
            "topic",
            "orders",
            "--for",
            "partitions=3,leaders,isr",
        ],
        &[
            "wait",
            "topic",
            "orders",
            "--for",
            "exists",
            "--for",
            "messages=3",
        ],
        &["wait", "topic", "nonesuch", "--for", "deleted"],
    ] {
        for timeout in ["0", "30s"] {
            place
                .kpipe(&[arguments, &["--timeout", timeout]].concat())
                .run()
                .ends(0)
                .prints("");
        }
    }
}

#[test]
fn it_says_what_is_so_and_nothing_when_quiet() {
    let place = Place::with(&["orders:3"]);
    place
        .kpipe(&["wait", "broker"])
        .run()
        .ends(0)
        .errors("1 broker answers.\n");
    let topic = ["wait", "topic", "orders", "--for", "leaders,isr"];
    place
        .kpipe(&topic)
        .run()
        .ends(0)
        .errors("Topic `orders`: leaders, isr.\n");
    place
        .kpipe(&[&topic[..], &["-q"]].concat())
        .run()
        .ends(0)
        .prints("")
        .errors("");
}

#[test]
fn what_never_comes_is_status_3_with_how_far_it_was() {
    let place = Place::with(&["orders:3"]);
    place.send("orders", &["a", "b"]);
    for (name, condition, found) in [
        ("nonesuch", "exists", "topic `nonesuch` does not exist"),
        (
            "orders",
            "partitions=4",
            "topic `orders` has 3 of 4 partitions",
        ),
        ("orders", "messages=3", "topic `orders` has 2 of 3 messages"),
        ("orders", "deleted", "topic `orders` is still there"),
    ] {
        let wait = ["wait", "topic", name, "--for", condition];
        place
            .kpipe(&[&wait[..], &["--timeout", "0"]].concat())
            .run()
            .ends(3)
            .prints("")
            .says(&[&format!("error: {found}\n")])
            .says_one_block();
        place
            .kpipe(&[&wait[..], &["--timeout", "2s"]].concat())
            .run()
            .ends(3)
            .prints("")
            .says(&[&format!(
                "error: time is up after 2s\n  caused by: {found}\n"
            )])
            .says_one_block();
    }
}

#[test]
fn a_topic_of_nearly_that_name_is_named() {
    let place = Place::with(&["orders"]);
    place
        .kpipe(&["wait", "topic", "ordres", "--timeout", "0"])
        .run()
        .ends(3)
        .says(&["hint: did you mean `orders`?"]);
}

#[test]
fn what_no_wait_can_bring_about_is_status_2_at_once() {
    let nowhere = Place::at("127.0.0.1:1");
    for arguments in [
        &["wait", "topic", "a b"][..],
        &["wait", "topic", "orders", "--for", "ready"],
        &["wait", "topic", "orders", "--for", "messages"],
        &["wait", "topic", "orders", "--for", "deleted,leaders"],
        &["wait", "topic", "orders", "--timeout", "soon"],
        &["wait", "topic"],
        &["wait", "group", "g", "--for", "lag"],
        &["wait", "group", "g", "--for", "stable,empty"],
        &["wait"],
    ] {
        nowhere.kpipe(arguments).run().ends(2).prints("");
    }
}

#[test]
fn a_broker_that_never_comes_is_status_3_with_the_cause() {
    let address = closed_port();
    let place = Place::at(&address);
    for arguments in [&["wait", "broker"][..], &["wait", "topic", "orders"]] {
        place
            .kpipe(&[arguments, &["--timeout", "3s"]].concat())
            .run()
            .ends(3)
            .says(&[
                "error: time is up after 3s\n",
                &format!("  caused by: cannot reach Kafka at {address} within "),
                "Connection refused",
            ])
            .says_one_block();
    }
}

#[test]
fn a_name_that_does_not_resolve_is_waited_for() {
    let place = Place::at("no-such-host.invalid:9092");
    place
        .kpipe(&["wait", "broker", "--timeout", "3s"])
        .run()
        .ends(3)
        .says(&["error: time is up after 3s\n", "no-such-host.invalid"])
        .says_one_block();
}

#[test]
fn a_broker_that_comes_up_late_is_waited_for() {
    let place = Place::with(&["orders"]);
    for wait in [&["wait", "broker"][..], &["wait", "topic", "orders"]] {
        let (address, is_forwarding) = late(place.brokers(), 3);
        place
            .kpipe(&[wait, &["-b", &address]].concat())
            .run()
            .ends(0);
        is_forwarding.try_recv().unwrap();
    }
}

#[test]
fn a_topic_that_appears_late_is_waited_for() {
    let place = Place::with(&["orders"]);
    let mut wait = place.kpipe(&["-v", "wait", "topic", "late"]).start();
    wait.until_it_says("not yet: topic `late` does not exist");
    place
        .kpipe(&["send", "late", "v", "-X", "allow.auto.create.topics=true"])
        .run()
        .ends(0);
    wait.ended().ends(0);
}

#[test]
fn a_group_is_waited_for_until_it_has_caught_up() {
    let place = Place::with(&["orders:1"]);
    place.send("orders", &["a", "b", "c"]);
    let caught_up = ["wait", "group", "billing", "--for", "lag=0"];
    let at_once = [&caught_up[..], &["--timeout", "0"]].concat();
    place
        .kpipe(&at_once)
        .run()
        .ends(3)
        .says(&["error: group `billing` has committed nothing\n"]);
    place
        .kpipe(&[
            "tail",
            "orders",
            "-g",
            "billing",
            "-o",
            "beginning",
            "-n",
            "1",
        ])
        .run()
        .ends(0);
    place
        .kpipe(&at_once)
        .run()
        .ends(3)
        .says(&[
            "error: group `billing` is 2 behind\n",
            "hint: `kpipe group lag billing`",
        ])
        .says_one_block();
    let mut wait = place.kpipe(&[&["-v"], &caught_up[..]].concat()).start();
    wait.until_it_says("not yet: group `billing` is 2 behind");
    place
        .kpipe(&["tail", "orders", "-g", "billing", "-n", "2"])
        .run()
        .ends(0);
    wait.ended().ends(0);
}

#[test]
fn an_interrupt_ends_the_wait() {
    let (address, is_forwarding) = late("127.0.0.1:1", usize::MAX);
    let place = Place::at(&address);
    let mut wait = place
        .kpipe(&["-v", "wait", "broker", "--timeout", "1h"])
        .start();
    wait.until_it_says("not yet: cannot ");
    drop(is_forwarding);
    wait.signal(Signal::INT);
    wait.ended().dies_of(Signal::INT);
}
