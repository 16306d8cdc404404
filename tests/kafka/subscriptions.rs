//! `tail --user`: subscribers in groups of their own, across rebalances and changes of mind.

use rustix::process::Signal;

use crate::support::eventually;
use crate::support::executable::{Finished, Kpipe, Running, kpipe};
use crate::support::kafka::{Topic, committed, group, topic};

/// A registry in which topics are ACTIVE.
struct Approved {
    folder: tempfile::TempDir,
}

impl Approved {
    fn new(topics: &[&Topic]) -> Self {
        let approved = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        let names: Vec<&str> = topics.iter().map(|topic| &***topic).collect();
        let these = format!("^({})$", names.join("|"));
        approved
            .kpipe(&["topic", "import", &these, "--by", "alice"])
            .run()
            .ok();
        approved
    }

    fn kpipe(&self, arguments: &[&str]) -> Kpipe {
        kpipe(arguments).env("KPIPE_REGISTRY", self.folder.path().join("registry.db"))
    }

    fn subscription(&self, verb: &str, user: &str, topic: &Topic) {
        self.kpipe(&["subscription", verb, user, topic]).run().ok();
    }

    fn tail(&self, user: &str) -> Running {
        self.kpipe(&["tail", "--user", user]).start()
    }
}

fn numbers(running: &Running, topic: &Topic) -> Vec<i64> {
    of(&running.lines_so_far(), topic)
}

fn of(lines: &[serde_json::Value], topic: &Topic) -> Vec<i64> {
    let lines = lines.iter().filter(|line| line["topic"] == **topic);
    let mut numbers: Vec<i64> = lines
        .map(|line| line["value"].as_str().unwrap().parse().unwrap())
        .collect();
    numbers.sort_unstable();
    numbers
}

fn until_it_has_read(running: &Running, topic: &Topic, count: i64) {
    eventually("the subscriber has read all", || {
        (numbers(running, topic) == (0..count).collect::<Vec<_>>()).then_some(())
    });
}

fn terminated(running: Running) -> Finished {
    running.signal(Signal::TERM);
    running.wait().dies_of(Signal::TERM)
}

#[test]
fn two_subscribers_each_read_all_in_their_own_groups_and_go_on_where_they_were() {
    let (orders, sensors) = (topic("s-orders").create(), topic("s-sensors").create());
    let approved = Approved::new(&[&orders, &sensors]);
    let (one, other) = (group(), group());
    orders.append_numbers(0, 0..100);
    sensors.append_numbers(0, 0..50);
    approved.subscription("add", &one, &orders);
    approved.subscription("add", &one, &sensors);
    approved.subscription("add", &other, &orders);
    let (first, second) = (approved.tail(&one), approved.tail(&other));
    until_it_has_read(&first, &orders, 100);
    until_it_has_read(&first, &sensors, 50);
    until_it_has_read(&second, &orders, 100);
    terminated(first).says("150 records processed");
    let second = terminated(second).says("100 records processed");
    assert_eq!(of(&second.lines(), &sensors), Vec::<i64>::new());
    assert_eq!(committed(&format!("consumer_group_{one}"), &sensors), [50]);
    assert_eq!(
        committed(&format!("consumer_group_{other}"), &orders),
        [100]
    );
    orders.append_numbers(0, 100..110);
    let rest = approved.kpipe(&["tail", "--user", &one, "-e"]).run().ok();
    assert_eq!(of(&rest.lines(), &orders), (100..110).collect::<Vec<_>>());
}

#[test]
fn two_runs_of_a_user_share_and_when_one_leaves_nothing_is_lost_or_doubled() {
    let orders = topic("s-shared").partitions(4).create();
    let approved = Approved::new(&[&orders]);
    let user = group();
    approved.subscription("add", &user, &orders);
    let mut next = 0;
    let mut append = || {
        for partition in 0..4 {
            orders.append_numbers(partition, next..next + 5);
            next += 5;
        }
        next
    };
    let leaving = approved.tail(&user);
    eventually("the first reads", || {
        append();
        (!leaving.lines_so_far().is_empty()).then_some(())
    });
    let staying = approved.tail(&user);
    eventually("the second reads", || {
        append();
        (!staying.lines_so_far().is_empty()).then_some(())
    });
    let left = terminated(leaving);
    let all = append();
    let mut found = Vec::new();
    eventually("everything was printed", || {
        found = [of(&left.lines(), &orders), numbers(&staying, &orders)].concat();
        (i64::try_from(found.len()).unwrap() >= all).then_some(())
    });
    found.sort_unstable();
    assert_eq!(found, (0..all).collect::<Vec<_>>(), "once each");
}

#[test]
fn a_change_of_mind_loses_nothing_and_doubles_nothing() {
    let (orders, sensors) = (topic("s-stays").create(), topic("s-goes").create());
    let approved = Approved::new(&[&orders, &sensors]);
    let user = group();
    orders.append_numbers(0, 0..100);
    sensors.append_numbers(0, 0..100);
    let tail = approved.tail(&user);
    tail.until_it_says("subscribes to nothing");
    approved.subscription("add", &user, &orders);
    until_it_has_read(&tail, &orders, 100);
    approved.subscription("add", &user, &sensors);
    until_it_has_read(&tail, &sensors, 100);
    approved.subscription("remove", &user, &sensors);
    tail.until_it_says("no longer subscribes to");
    sensors.append_numbers(0, 100..200);
    orders.append_numbers(0, 100..200);
    until_it_has_read(&tail, &orders, 200);
    // What was read of it was committed when it was given up.
    eventually("the offset is committed", || {
        let offset = committed(&format!("consumer_group_{user}"), &sensors);
        (offset == [100]).then_some(())
    });
    assert_eq!(numbers(&tail, &sensors).len(), 100);
    approved.subscription("add", &user, &sensors);
    until_it_has_read(&tail, &sensors, 200);
    terminated(tail).says("400 records processed");
}

#[test]
fn a_topic_deleted_behind_its_back_is_told_and_the_rest_is_read_on() {
    let (orders, gone) = (topic("s-here").create(), topic("s-gone").create());
    let approved = Approved::new(&[&orders, &gone]);
    let user = group();
    approved.subscription("add", &user, &orders);
    approved.subscription("add", &user, &gone);
    orders.append_numbers(0, 0..10);
    gone.append_numbers(0, 0..10);
    let tail = approved.tail(&user);
    until_it_has_read(&tail, &gone, 10);
    gone.delete();
    tail.until_it_says(&format!("topic `{gone}` was deleted"));
    orders.append_numbers(0, 10..20);
    until_it_has_read(&tail, &orders, 20);
    terminated(tail);
    // And one that is gone from the start.
    let again = approved.kpipe(&["tail", "--user", &user, "-e"]).run().ok();
    assert_eq!(again.lines().len(), 0);
}

#[test]
fn a_subscription_that_comes_and_goes_while_records_flow_shows_each_once_in_order() {
    const RECORDS: i64 = 3000;
    let (orders, flowing) = (topic("s-calm").create(), topic("s-flows").create());
    let approved = Approved::new(&[&orders, &flowing]);
    let user = group();
    approved.subscription("add", &user, &orders);
    approved.subscription("add", &user, &flowing);
    let tail = approved.tail(&user);
    let lines: String = (0..RECORDS).map(|n| format!("{n}\n")).collect();
    let send = kpipe(["send", &flowing, "--lines", "--rate", "300/s"])
        .input(lines)
        .start();
    for round in 1..=3 {
        // It is given up between two commits, with output that is not committed.
        let seen = numbers(&tail, &flowing).len();
        eventually("more is read", || {
            (numbers(&tail, &flowing).len() > seen + 50).then_some(())
        });
        let said = |what: &str| {
            let line = format!("{user} {what} {flowing}\n");
            eventually("the change is followed", || {
                (tail.said().matches(&line).count() == round).then_some(())
            });
        };
        approved.subscription("remove", &user, &flowing);
        said("no longer subscribes to");
        approved.subscription("add", &user, &flowing);
        said("now subscribes to");
    }
    send.wait().ok();
    let last = (RECORDS - 1).to_string();
    eventually("all is read", || {
        let lines = tail.lines_so_far();
        let is_read = lines.iter().any(|line| line["value"] == last.as_str());
        is_read.then_some(())
    });
    let found: Vec<i64> = tail
        .lines_so_far()
        .iter()
        .map(|line| line["value"].as_str().unwrap().parse().unwrap())
        .collect();
    assert_eq!(found, (0..RECORDS).collect::<Vec<_>>());
}
