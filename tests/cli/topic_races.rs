//! Many processes at one registry, and processes that die in the middle.

use std::collections::BTreeMap;

use kpipe::registry::Registry;
use rusqlite::Connection;
use rustix::process::Signal;
use serde_json::json;

use crate::support::{Ended, Place, each};
use crate::topic::{REGISTRY, kpipe, offline};

const PROCESSES: usize = 8;
const DECISIONS: usize = 200;

/// Lines that ask for or decide on `count` topics.
fn lines(prefix: &str, count: usize) -> String {
    (0..count)
        .map(|number| format!("{{\"name\":\"{prefix}{number}\"}}\n"))
        .collect()
}

fn ask(place: &Place, lines: String) {
    place
        .kpipe(&["topic", "request", "-", "--by", "alice"])
        .input(lines)
        .run()
        .ends(0);
}

/// Eight processes that approve at once, each its own `lines`.
fn approve_at_once(place: &Place, lines: impl Fn(usize) -> String) -> Vec<Ended> {
    let processes: Vec<_> = (0..PROCESSES)
        .map(|process| {
            let by = format!("p{process}");
            let approve = place
                .kpipe(&["topic", "approve", "-", "--by", &by])
                .input(lines(process));
            std::thread::spawn(|| approve.run())
        })
        .collect();
    let ended = processes.into_iter().map(|process| process.join().unwrap());
    ended.collect()
}

/// Who approved each topic, as the history has it; each exactly once.
fn approvals(place: &Place) -> BTreeMap<String, String> {
    let history = kpipe(place, "topic history").ends(0).json();
    let mut approvals = BTreeMap::new();
    for event in history.iter().filter(|event| event["action"] == "approve") {
        let text = |field: &str| event[field].as_str().unwrap().to_owned();
        let before = approvals.insert(text("name"), text("actor"));
        assert_eq!(before, None, "{event}");
    }
    approvals
}

#[test]
fn of_eight_that_decide_the_same_at_once_one_wins_each() {
    let place = offline();
    ask(&place, lines("t", DECISIONS));
    let all = approve_at_once(&place, |_| lines("t", DECISIONS));
    let mut winners = BTreeMap::new();
    for ended in all {
        let ended = ended.hides(&["locked", "busy"]);
        let lost = ended.stderr().matches("is APPROVED, not PENDING").count();
        let won = ended.json();
        assert_eq!(won.len() + lost, DECISIONS, "{}", ended.stderr());
        for row in won {
            let text = |field: &str| row[field].as_str().unwrap().to_owned();
            assert_eq!(winners.insert(text("name"), text("decided_by")), None);
        }
    }
    assert_eq!(winners.len(), DECISIONS);
    assert_eq!(approvals(&place), winners);
}

#[test]
fn of_eight_that_decide_apart_at_once_none_waits_in_vain() {
    let place = offline();
    for process in 0..PROCESSES {
        ask(&place, lines(&format!("p{process}."), DECISIONS));
    }
    for ended in approve_at_once(&place, |process| lines(&format!("p{process}."), DECISIONS)) {
        assert_eq!(ended.ends(0).errors("").json().len(), DECISIONS);
    }
    let approvals = approvals(&place);
    assert_eq!(approvals.len(), PROCESSES * DECISIONS);
    for (name, by) in approvals {
        assert!(name.starts_with(&format!("{by}.")), "{name} by {by}");
    }
}

#[test]
fn of_eight_that_find_no_registry_all_use_the_one_that_is_made() {
    for _ in 0..10 {
        let place = offline();
        let processes: Vec<_> = (0..PROCESSES)
            .map(|process| {
                let name = format!("t{process}");
                let request = place.kpipe(&["topic", "request", &name, "--by", "alice"]);
                std::thread::spawn(|| request.run())
            })
            .collect();
        for process in processes {
            process.join().unwrap().ends(0).errors("");
        }
        let made = kpipe(&place, "topic list --state PENDING").ends(0).json();
        let names: Vec<_> = (0..PROCESSES)
            .map(|process| json!(format!("t{process}")))
            .collect();
        assert_eq!(each(&made, "name"), names.iter().collect::<Vec<_>>());
    }
}

#[test]
fn whoever_is_killed_has_done_each_decision_whole_or_not_at_all() {
    const EACH: usize = 5;
    let place = offline();
    for round in 0..100 {
        let prefix = format!("r{round}.");
        ask(&place, lines(&prefix, EACH));
        let registry = Registry::open(&place.path(REGISTRY)).unwrap();
        let before = registry.statistics().unwrap().approved as usize;
        let (process, mut input) = place
            .kpipe(&["topic", "approve", "-", "--by", "bob"])
            .start()
            .with_input();
        std::io::Write::write_all(&mut input, lines(&prefix, EACH).as_bytes()).unwrap();
        drop(input);
        let approved = || registry.statistics().unwrap().approved as usize - before;
        // Round by round a little later.
        while approved() < round % EACH {
            std::thread::yield_now();
        }
        process.signal(Signal::KILL);
        let _ = process.ended();
        let seen = approved();
        let integrity: String = Connection::open(place.path(REGISTRY))
            .unwrap()
            .pragma_query_value(None, "integrity_check", |row| row.get(0))
            .unwrap();
        assert_eq!(integrity, "ok");
        let mut events = 0;
        for number in 0..EACH {
            let name = format!("{prefix}{number}");
            let request = registry.topic(&name).unwrap().unwrap();
            let is_approved = request.state.name() == "APPROVED";
            assert_eq!(request.decided_by.is_some(), is_approved, "{name}");
            let actions = registry.history(Some(&name)).unwrap().len();
            assert_eq!(actions, 1 + usize::from(is_approved), "{name}");
            events += actions;
        }
        assert_eq!(events, EACH + seen);
    }
    let approved = approvals(&place).len();
    assert!(
        approved > 0 && approved < 100 * EACH,
        "{approved} were approved before a kill"
    );
}
