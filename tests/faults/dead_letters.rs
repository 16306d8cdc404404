//! Replays that are killed, and a broker that goes away: nothing is lost, and what comes twice is what
//! was sent and not yet committed.

use std::collections::BTreeMap;
use std::ops::Range;

use rustix::process::Signal;

use crate::support::executable::{Kpipe, kpipe};
use crate::support::kafka::{Record, Topic, committed, node, topic};
use crate::support::{eventually, grows_to};

const COUNT: i64 = 20_000;

fn fill(dead: &Topic, orders: &Topic, numbers: Range<i64>) {
    let headers = [("__dlq.errors.topic", &**orders)];
    let headers = headers.map(|(name, value)| (name.to_owned(), Some(value.as_bytes().to_vec())));
    let records = numbers.map(|number| Record {
        partition: i32::try_from(number % 2).unwrap(),
        timestamp: 1_763_668_800_000,
        key: Some(format!("k{}", number % 2).into_bytes()),
        value: Some(number.to_string().into_bytes()),
        headers: headers.to_vec(),
    });
    dead.append(&records.collect::<Vec<_>>());
}

fn replay(dead: &Topic) -> Kpipe {
    kpipe(["dlq", "replay", dead, "--yes", "-q"]).args(["-X", "session.timeout.ms=6000"])
}

/// How often each number is on the log.
fn times(orders: &Topic) -> BTreeMap<i64, i64> {
    let mut times = BTreeMap::new();
    for record in orders.records() {
        *times.entry(record.text().parse().unwrap()).or_default() += 1;
    }
    times
}

#[test]
fn whatever_is_killed_every_dead_letter_goes_back_and_few_go_twice() {
    let orders = topic("orders").create();
    let dead = topic("dead").partitions(2).create();
    fill(&dead, &orders, 0..COUNT);
    let group = format!("kpipe-replay.{dead}");
    let done = || committed(&group, &dead).iter().sum::<i64>();
    let (mut kills, mut uncommitted) = (0, 0);
    for step in 1..=3 {
        let goal = COUNT * step / 5;
        let mut running = replay(&dead).args(["--rate", "3000/s"]).start();
        grows_to(goal, &done);
        assert!(
            running.is_running(),
            "there is one to kill: {}",
            running.said()
        );
        running.signal(Signal::KILL);
        let _ = running.wait().dies_of(Signal::KILL);
        kills += 1;
        // What is in the log and not committed is what may come again.
        uncommitted += orders.watermarks(0).1 - done();
    }
    replay(&dead).run().ok();
    assert_eq!((kills, done()), (3, COUNT));
    let times = times(&orders);
    let lost: Vec<_> = (0..COUNT)
        .filter(|number| !times.contains_key(number))
        .collect();
    assert_eq!(lost, Vec::<i64>::new(), "dead letters are lost");
    let doubled = times.values().sum::<i64>() - COUNT;
    assert!(
        doubled < COUNT / 2,
        "{doubled} went twice, {uncommitted} were not committed"
    );
}

#[test]
fn a_broker_that_comes_back_is_waited_for() {
    let orders = topic("orders").create();
    let dead = topic("dead").partitions(2).create();
    fill(&dead, &orders, 0..COUNT);
    let running = replay(&dead).args(["--rate", "4000/s"]).start();
    eventually("it is at work", || {
        (orders.watermarks(0).1 > COUNT / 10).then_some(())
    });
    node("kill", 1);
    node("start", 1);
    let _ = running.wait().ok();
    let times = times(&orders);
    assert_eq!(times.len(), usize::try_from(COUNT).unwrap());
}

#[test]
fn a_broker_that_stays_away_is_status_3_and_nothing_is_lost() {
    let orders = topic("orders").create();
    let dead = topic("dead").partitions(2).create();
    fill(&dead, &orders, 0..COUNT);
    let running = replay(&dead)
        .args(["--rate", "2000/s", "-X", "message.timeout.ms=3000"])
        .start();
    eventually("it is at work", || {
        (orders.watermarks(0).1 > COUNT / 10).then_some(())
    });
    node("kill", 1);
    let ended = running.wait();
    node("start", 1);
    let _ = ended.exits(3).says_one_error();
    let last = eventually("the broker is back", || {
        Some(replay(&dead).run()).filter(|ended| ended.status.code() != Some(3))
    });
    let _ = last.ok();
    let times = times(&orders);
    assert_eq!(times.len(), usize::try_from(COUNT).unwrap());
}
