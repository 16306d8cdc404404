//! `kpipe ping`: brokers that answer, that do not, and that say they are elsewhere.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use rustix::process::Signal;

use crate::support::{Place, each};
use crate::unreachable::closed_port;
use crate::wait::late;

/// A way to the broker on which it advertises `host`, of as many letters as 127.0.0.1.
fn advertising(target: &str, host: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let changes = vec![(b"127.0.0.1".to_vec(), host.into())];
    rewriting(listener, target, changes);
    address
}

/// A way to brokers of which all say that the one with this index is at a name that does not
/// resolve.
pub(crate) fn misplacing(brokers: &[&str], index: usize) -> String {
    let in_metadata = |host: &[u8], port: u16| [host, &i32::from(port).to_be_bytes()].concat();
    let mut listeners = Vec::new();
    let mut changes = Vec::new();
    for (number, broker) in brokers.iter().enumerate() {
        let (host, port) = broker.split_once(':').unwrap();
        let said = in_metadata(host.as_bytes(), port.parse().unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let instead = if number == index {
            in_metadata(b"a.invalid", port.parse().unwrap())
        } else {
            in_metadata(b"127.0.0.1", listener.local_addr().unwrap().port())
        };
        changes.push((said, instead));
        listeners.push(listener);
    }
    let address = listeners[usize::from(index == 0)].local_addr().unwrap();
    for (listener, broker) in listeners.into_iter().zip(brokers) {
        rewriting(listener, broker, changes.clone());
    }
    address.to_string()
}

/// Forwards to a broker, and of what that says changes parts to others of the same length.
fn rewriting(listener: TcpListener, target: &str, changes: Vec<(Vec<u8>, Vec<u8>)>) {
    for (said, instead) in &changes {
        assert_eq!(said.len(), instead.len());
    }
    let target = target.to_owned();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let broker = TcpStream::connect(&target).unwrap();
            let mut there = (stream.try_clone().unwrap(), broker.try_clone().unwrap());
            thread::spawn(move || std::io::copy(&mut there.0, &mut there.1));
            let (mut broker, mut stream) = (broker, stream);
            let changes = changes.clone();
            thread::spawn(move || {
                let mut bytes = vec![0; 64 * 1024];
                while let Ok(length @ 1..) = broker.read(&mut bytes) {
                    let answer = &mut bytes[..length];
                    for (said, instead) in &changes {
                        let places = memchr::memmem::find_iter(answer, said);
                        for place in places.collect::<Vec<_>>() {
                            answer[place..place + said.len()].copy_from_slice(instead);
                        }
                    }
                    if stream.write_all(answer).is_err() {
                        return;
                    }
                }
            });
        }
    });
}

#[test]
fn brokers_that_answer_are_rows_with_what_they_advertise() {
    let place = Place::with(&["orders"]);
    let ping = place.kpipe(&["ping"]).run().ends(0).errors("");
    let rows = ping.json();
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(rows[0]["broker"], 1);
    assert_eq!(rows[0]["address"], place.brokers());
    assert_eq!(rows[0]["answers"], true);
    place
        .kpipe(&["ping", "-q"])
        .run()
        .ends(0)
        .prints("")
        .errors("");
}

#[test]
fn every_broker_is_reached_though_one_is_named() {
    let place = Place::at("127.0.0.1:1");
    let mut brokers = place.kpipe(&["broker", "--nodes", "3"]).start();
    let address: serde_json::Value = serde_json::from_str(&brokers.line()).unwrap();
    let (first, _) = address["brokers"]
        .as_str()
        .unwrap()
        .split_once(',')
        .unwrap();
    let rows = place.kpipe(&["ping", "-b", first]).run().ends(0).json();
    assert_eq!(each(&rows, "broker"), [1, 2, 3]);
    assert!(
        each(&rows, "answers")
            .iter()
            .all(|answers| **answers == true)
    );
}

#[test]
fn an_advertised_name_that_does_not_resolve_is_told_as_that() {
    let place = Place::with(&["orders"]);
    let address = advertising(place.brokers(), "a.invalid");
    let (_, port) = place.brokers().split_once(':').unwrap();
    let told = format!(
        "connected to {address}, but broker 1 advertises a.invalid:{port}, which does not resolve here\n"
    );
    let ping = place.kpipe(&["ping", "-b", &address]).run().ends(3);
    let ping = ping.says(&[&format!("error: {told}"), "hint: ", "advertised.listeners"]);
    let ping = ping.says_one_block();
    assert_eq!(ping.json()[0]["answers"], false);
    place
        .kpipe(&["wait", "broker", "-b", &address, "--timeout", "3s"])
        .run()
        .ends(3)
        .says(&[&format!("error: time is up after 3s\n  caused by: {told}")]);
}

#[test]
fn an_advertised_address_that_does_not_answer_is_told_as_that() {
    let place = Place::with(&["orders"]);
    let address = advertising(place.brokers(), "127.9.9.9");
    let (_, port) = place.brokers().split_once(':').unwrap();
    place
        .kpipe(&["ping", "-b", &address])
        .run()
        .ends(3)
        .says(&[
            &format!(
                "error: connected to {address}, but broker 1 advertises 127.9.9.9:{port}, which does not answer\n"
            ),
            "  caused by: ",
            "Connection refused",
            "advertised.listeners",
        ])
        .says_one_block();
}

#[test]
fn a_broker_that_is_not_there_is_status_3_within_the_time_given() {
    let address = closed_port();
    let place = Place::at(&address);
    for quiet in [&[][..], &["-q"]] {
        place
            .kpipe(&[&["ping", "--timeout", "2s"], quiet].concat())
            .run()
            .ends(3)
            .prints("")
            .says(&[
                &format!("error: cannot reach Kafka at {address} within 2 s\n"),
                "Connection refused",
            ])
            .says_one_block();
    }
}

#[test]
fn a_record_goes_out_and_comes_back() {
    let place = Place::with(&["health:1", "orders:3"]);
    place.send("health", &["of another"]);
    let rows = place
        .kpipe(&["ping", "--deep", "health", "--count", "2"])
        .run()
        .ends(0)
        .says(&["2 round trips: fastest "])
        .json();
    assert_eq!(each(&rows, "number"), [1, 2]);
    assert_eq!(each(&rows, "offset"), [1, 2]);
    for row in &rows {
        assert_eq!(
            (&row["topic"], &row["partition"]),
            (&"health".into(), &0.into())
        );
        assert!(row["acknowledged_ms"].as_f64().unwrap() <= row["round_trip_ms"].as_f64().unwrap());
    }
    let records = place.records("health");
    assert_eq!(records.len(), 3);
    assert_eq!(records[2]["key"], "kpipe-ping");
    assert_eq!(records[2]["value"]["number"], 2);
    assert_ne!(records[1]["value"]["ping"], records[2]["value"]["ping"]);
}

#[test]
fn a_topic_that_is_not_there_is_status_1_and_what_is_none_is_status_2() {
    let place = Place::with(&["health"]);
    place
        .kpipe(&["ping", "--deep", "heallth"])
        .run()
        .ends(1)
        .says(&[
            "error: topic `heallth` does not exist\n",
            "did you mean `health`?",
        ])
        .says_one_block();
    for arguments in [
        &["ping", "--deep", "a b"][..],
        &["ping", "--count", "0"],
        &["ping", "--timeout", "0"],
    ] {
        place.kpipe(arguments).run().ends(2).prints("");
    }
}

#[test]
fn an_interrupt_ends_the_wait_for_a_broker() {
    let (address, is_met) = late("127.0.0.1:1", 3);
    let place = Place::at(&address);
    let ping = place.kpipe(&["ping", "--timeout", "1h"]).start();
    is_met.recv().unwrap();
    ping.signal(Signal::INT);
    ping.ended().dies_of(Signal::INT).errors("");
}
