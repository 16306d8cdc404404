//! Records in a group: committed once written, resumed, never lost.

use std::collections::BTreeSet;

use rustix::process::Signal;

use crate::support::Place;

fn three() -> Place {
    let place = Place::with(&["orders:1"]);
    place.send("orders", &["0", "1", "2"]);
    place
}

fn values(place: &Place, arguments: &[&str]) -> String {
    let arguments = [&["tail", "orders", "--values", "-g", "g"], arguments].concat();
    place
        .kpipe(&arguments)
        .run()
        .ends(0)
        .errors("")
        .out()
        .replace('\n', " ")
}

#[test]
fn a_new_group_begins_at_the_beginning_and_a_known_one_goes_on() {
    let place = three();
    assert_eq!(values(&place, &["-n", "2"]), "0 1 ");
    assert_eq!(values(&place, &["-n", "1"]), "2 ");
    place.send("orders", &["3"]);
    assert_eq!(values(&place, &["-e"]), "3 ");
}

#[test]
fn a_group_that_is_at_the_end_ends() {
    let place = three();
    assert_eq!(values(&place, &["-e"]), "0 1 2 ");
    assert_eq!(values(&place, &["-e"]), "");
}

#[test]
fn a_group_ends_on_empty_partitions_too() {
    let place = Place::with(&["orders:3"]);
    place
        .kpipe(&["send", "orders", "v", "-p", "1"])
        .run()
        .ends(0);
    assert_eq!(values(&place, &["-e"]), "v ");
    assert_eq!(values(&place, &["-e"]), "");
}

#[test]
fn without_commits_a_group_begins_again() {
    let place = three();
    assert_eq!(values(&place, &["-e", "--commit", "never"]), "0 1 2 ");
    assert_eq!(values(&place, &["-e"]), "0 1 2 ");
    place
        .kpipe(&["tail", "orders", "--commit", "never"])
        .run()
        .ends(2)
        .says(&["--group"]);
}

#[test]
fn an_offset_is_for_partitions_without_a_commit_alone() {
    let place = three();
    assert_eq!(values(&place, &["-n", "1", "-o", "1"]), "1 ");
    assert_eq!(values(&place, &["-e", "-o", "beginning"]), "2 ");
    assert_eq!(values(&place, &["-e", "-o", "stored"]), "");
}

#[test]
fn what_the_filter_left_out_is_committed_too() {
    let place = three();
    assert_eq!(values(&place, &["-e", "--grep", "1"]), "1 ");
    place.send("orders", &["3"]);
    assert_eq!(values(&place, &["-e"]), "3 ");
}

#[test]
fn what_could_not_be_written_is_printed_again() {
    let place = three();
    place
        .bash("kpipe tail orders -g g -e > /dev/full")
        .run()
        .ends(1)
        .says(&["No space left on device"])
        .says_one_block();
    assert_eq!(values(&place, &["-e"]), "0 1 2 ");
}

#[test]
fn a_signal_commits_what_was_written_and_leaves() {
    let place = three();
    let mut tail = place
        .kpipe(&["tail", "orders", "-g", "g", "--values"])
        .start();
    for value in ["0\n", "1\n", "2\n"] {
        assert_eq!(tail.line(), value);
    }
    tail.signal(Signal::TERM);
    tail.ended().dies_of(Signal::TERM).errors("");
    place.send("orders", &["3"]);
    assert_eq!(values(&place, &["-n", "1"]), "3 ");
}

#[test]
fn two_members_share_and_lose_nothing() {
    let place = Place::with(&["orders:2"]);
    let mut first = place
        .kpipe(&["tail", "orders", "-g", "g", "--values"])
        .start();
    place
        .kpipe(&["send", "orders", "a", "-p", "0"])
        .run()
        .ends(0);
    assert_eq!(first.line(), "a\n");
    let mut second = place
        .kpipe(&["tail", "orders", "-g", "g", "--values"])
        .start();
    // Once the second prints something, it has a partition of its own.
    let mut sent = 0;
    // At least once: a record may come twice while partitions move.
    let mut seen = BTreeSet::new();
    loop {
        for partition in ["0", "1"] {
            let value = format!("{sent}");
            place
                .kpipe(&["send", "orders", &value, "-p", partition])
                .run()
                .ends(0);
            sent += 1;
        }
        if let Some(line) = second.line_within(std::time::Duration::from_millis(200)) {
            seen.insert(line);
            break;
        }
    }
    first.signal(Signal::TERM);
    let first = first.ended().dies_of(Signal::TERM);
    place
        .kpipe(&["send", "orders", "last", "-p", "0"])
        .run()
        .ends(0);
    seen.extend(first.out().lines().map(|line| format!("{line}\n")));
    // Which of the two held which partition is theirs to decide.
    while seen.len() < sent + 2 {
        seen.insert(second.line());
    }
    second.signal(Signal::TERM);
    second.ended().dies_of(Signal::TERM);
}

#[test]
fn alone_it_leaves_no_commit() {
    let place = three();
    place.kpipe(&["tail", "orders", "-e"]).run().ends(0);
    assert_eq!(values(&place, &["-e"]), "0 1 2 ");
}

#[test]
fn a_group_does_not_choose_partitions_nor_the_last() {
    let place = Place::at("127.0.0.1:1");
    for flags in [["-p", "0"], ["-l", "1"]] {
        place
            .kpipe(&["tail", "orders", "-g", "g", flags[0], flags[1]])
            .run()
            .ends(2)
            .says(&["cannot be used with"]);
    }
}
