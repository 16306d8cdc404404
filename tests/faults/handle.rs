//! Handlers that fail at random, members that are killed, join and leave, and a broker that is
//! restarted: nothing is lost, nobody who is well dies, and in transactions nothing is there twice.
//!
//! What runs unasked takes a minute or two without optimisation on two cores. `HANDLE_STORM=full` is
//! 100 000 records, 20 kills, 10 members that leave and as many that join.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Write;
use std::path::Path;

use rustix::process::Signal;

use crate::support::executable::{Running, kpipe};
use crate::support::java::java;
use crate::support::kafka::{Record, Topic, committed, group, node, topic};
use crate::support::{eventually, grows_to};

const PARTITIONS: i32 = 4;
const KEYS: usize = 100;

/// Every so many-th record is poison.
const POISON: usize = 500;

/// How much is done, and to how many.
struct Size {
    records: usize,
    kills: usize,
    leaves: usize,
}

fn size() -> Size {
    match std::env::var("HANDLE_STORM").as_deref() {
        Ok("full") => Size {
            records: 100_000,
            kills: 20,
            leaves: 10,
        },
        _ => Size {
            records: 20_000,
            kills: 4,
            leaves: 2,
        },
    }
}

/// Numbered records of a hundred keys, each key in one partition.
fn fill(topic: &Topic, count: usize) {
    let records: Vec<Record> = (0..count)
        .map(|number| {
            let key = number % KEYS;
            Record {
                partition: i32::try_from(key).unwrap() % PARTITIONS,
                timestamp: 1_763_668_800_000,
                key: Some(format!("k{key}").into_bytes()),
                value: Some(format!("{number}").into_bytes()),
                headers: Vec::new(),
            }
        })
        .collect();
    topic.append(&records);
}

fn is_poison(number: usize) -> bool {
    number % POISON == POISON - 1
}

/// A handler of streams that keeps an account of each value before it accepts it, fails now and then,
/// dies now and then, and rejects poison. All append to one account, so it tells who was first.
const HANDLER: &str = r#"
import json, os, random, sys, time
account = open(sys.argv[1], "a", buffering=1)
for line in sys.stdin:
    record = json.loads(line)
    number, place = int(record["value"]), (record["partition"], record["offset"])
    verdict = "accept"
    time.sleep(0.001)
    if number % 500 == 499:
        verdict = "reject"
    elif random.random() < 0.01:
        verdict = "release"
    elif random.random() < 0.0005:
        os.kill(os.getpid(), 9)
    else:
        account.write("%s %s %d %d %d\n" % (sys.argv[2], record["key"], number, *place))
    print(json.dumps({"partition": place[0], "offset": place[1], "verdict": verdict}), flush=True)
"#;

/// One of three that work, and its name in the account.
struct Worker {
    name: String,
    running: Running,
}

fn member(topic: &Topic, dead: &Topic, group: &str, folder: &Path, name: usize) -> Worker {
    let script = folder.join("handler.py");
    std::fs::write(&script, HANDLER).unwrap();
    let dlq = format!("--dlq={}", &**dead);
    let name = format!("member-{name}");
    let running = kpipe(["handle", &**topic, "-g", group, &dlq, "-q", "--stream"])
        .args(["--batch", "20", "--concurrency", "2"])
        .args(["--max-attempts", "20", "--backoff", "1ms..5ms"])
        .args(["--breaker", "0", "-X", "session.timeout.ms=6000"])
        .args(["--", "python3"])
        .args([script, folder.join("account"), name.clone().into()])
        .start();
    Worker { name, running }
}

/// What one handler wrote down.
struct Entry {
    member: String,
    key: String,
    number: usize,
    partition: usize,
    offset: i64,
}

fn account(folder: &Path) -> Vec<Entry> {
    let text = std::fs::read_to_string(folder.join("account")).unwrap_or_default();
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let read = whole.lines().map(|line| {
        let words: Vec<&str> = line.split(' ').collect();
        Entry {
            member: words[0].to_owned(),
            key: words[1].to_owned(),
            number: words[2].parse().unwrap(),
            partition: words[3].parse().unwrap(),
            offset: words[4].parse().unwrap(),
        }
    });
    read.collect()
}

fn handled(folder: &Path) -> usize {
    let account = std::fs::read(folder.join("account")).unwrap_or_default();
    memchr::memchr_iter(b'\n', &account).count()
}

/// Restarts the broker; nobody can connect in between.
fn restart_the_broker() {
    node("kill", 1);
    let address = crate::support::told("KAFKA_BROKERS");
    let address = address.split(',').next().unwrap();
    eventually("the broker is away", || {
        std::net::TcpStream::connect(address).is_err().then_some(())
    });
    node("start", 1);
}

fn left(group: &str, topic: &Topic) -> i64 {
    let ends: i64 = (0..PARTITIONS)
        .map(|partition| topic.watermarks(partition).1)
        .sum();
    let committed = committed(group, topic);
    ends - committed.iter().map(|offset| (*offset).max(0)).sum::<i64>()
}

#[test]
fn whatever_is_killed_every_record_is_handled_and_only_poison_dies() {
    let Size {
        records,
        kills,
        leaves,
    } = size();
    let topic = topic("handle-storm").partitions(PARTITIONS).create();
    let dead = crate::support::kafka::topic("dead").create();
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let group = group();
    fill(&topic, records);
    let mut next = 0;
    let mut start = || {
        next += 1;
        member(&topic, &dead, &group, folder, next)
    };
    let mut members: Vec<Worker> = (0..3).map(|_| start()).collect();
    let steps = kills + leaves;
    let (mut killed, mut left_well, mut restarts) = (0, 0, 0);
    // Who was killed, and what was committed just before.
    let mut victims: HashMap<String, Vec<i64>> = HashMap::new();
    for step in 1..=steps {
        let goal = records * step / (steps + 2);
        grows_to(goal, || handled(folder));
        let mut gone = members.remove(0);
        assert!(gone.running.is_running(), "{}", gone.running.said());
        if step * leaves / steps > (step - 1) * leaves / steps {
            gone.running.signal(Signal::TERM);
            let _ = gone.running.wait().dies_of(Signal::TERM);
            left_well += 1;
        } else {
            victims.insert(gone.name, committed(&group, &topic));
            gone.running.signal(Signal::KILL);
            let _ = gone.running.wait().dies_of(Signal::KILL);
            killed += 1;
        }
        if step == steps / 2 {
            restart_the_broker();
            restarts += 1;
        }
        members.push(start());
    }
    grows_to(0, || -left(&group, &topic));
    for member in members {
        member.running.signal(Signal::TERM);
        let _ = member.running.wait().dies_of(Signal::TERM);
    }
    assert_eq!((killed, left_well, restarts), (kills, leaves, 1));

    let account = account(folder);
    let handled: BTreeSet<usize> = account.iter().map(|entry| entry.number).collect();
    let lost: Vec<usize> = (0..records)
        .filter(|number| !is_poison(*number) && !handled.contains(number))
        .collect();
    assert_eq!(lost, Vec::<usize>::new(), "records are lost");

    // The first time that each record of a key was handled is behind those before it.
    let mut latest: HashMap<&str, usize> = HashMap::new();
    let mut first: HashMap<usize, Vec<&Entry>> = HashMap::new();
    for entry in &account {
        let times = first.entry(entry.number).or_default();
        times.push(entry);
        if times.len() == 1 {
            let before = latest.insert(&entry.key, entry.number);
            assert!(
                before < Some(entry.number),
                "{} of {} came behind {before:?}",
                entry.number,
                entry.key
            );
        }
    }

    let dead: BTreeSet<usize> = dead
        .records()
        .iter()
        .map(|record| record.text().parse().unwrap())
        .collect();
    let poison: BTreeSet<usize> = (0..records).filter(|number| is_poison(*number)).collect();
    assert_eq!(dead, poison);

    // What was handled again was with somebody who was killed, and not committed then.
    let was_open = |entry: &&Entry| {
        let committed = victims.get(&entry.member);
        committed.is_some_and(|committed| entry.offset >= committed[entry.partition])
    };
    let again: Vec<&Entry> = first
        .values()
        .flat_map(|times| &times[..times.len() - 1])
        .copied()
        .collect();
    let open = account.iter().filter(was_open).count();
    assert!(open > 0, "nobody was killed with something in hand");
    let strange: Vec<String> = again
        .iter()
        .filter(|entry| !was_open(entry))
        .map(|entry| format!("{} by {}", entry.number, entry.member))
        .collect();
    assert_eq!(strange, Vec::<String>::new(), "handled again");
    let told = format!(
        "{records} records, {killed} killed, {left_well} left, {restarts} restart: {} handled \
         again of {open} that were open",
        again.len()
    );
    let _ = writeln!(std::io::stderr(), "{told}");
}

#[test]
fn in_transactions_each_record_is_there_once_whatever_is_killed() {
    let Size {
        records: count,
        kills,
        leaves,
    } = size();
    let topic = topic("handle-once").partitions(PARTITIONS).create();
    let out = crate::support::kafka::topic("once-out")
        .partitions(PARTITIONS)
        .create();
    let group = group();
    fill(&topic, count);
    let start = || {
        kpipe([
            "handle",
            &topic,
            "-g",
            &group,
            "--to",
            &out,
            "--exactly-once",
            "-q",
        ])
        .args(["--batch", "200", "--flush-interval", "50ms"])
        .args([
            "--backoff",
            "1ms..5ms",
            "--max-attempts",
            "50",
            "--breaker",
            "0",
        ])
        .args(["-X", "session.timeout.ms=6000", "--", "sh", "-c"])
        // One in twenty prints half of it and fails.
        .args(["if [ $(($$ % 20)) = 0 ]; then head -n 50; exit 1; fi; exec cat"])
        .start()
    };
    let mut members = vec![start(), start()];
    let written = || {
        let ends = (0..PARTITIONS).map(|partition| out.watermarks(partition).1);
        usize::try_from(ends.sum::<i64>()).unwrap()
    };
    let steps = kills + leaves;
    let (mut killed, mut left_well, mut restarts) = (0, 0, 0);
    for step in 1..=steps {
        let goal = count * step / (steps + 2);
        grows_to(goal, written);
        let mut gone = members.remove(0);
        assert!(gone.is_running(), "{}", gone.said());
        if step * leaves / steps > (step - 1) * leaves / steps {
            gone.signal(Signal::TERM);
            let _ = gone.wait().dies_of(Signal::TERM);
            left_well += 1;
        } else {
            gone.signal(Signal::KILL);
            let _ = gone.wait().dies_of(Signal::KILL);
            killed += 1;
        }
        if step == steps / 2 {
            restart_the_broker();
            restarts += 1;
        }
        members.push(start());
    }
    grows_to(0, || -left(&group, &topic));
    for member in members {
        member.signal(Signal::TERM);
        let _ = member.wait().dies_of(Signal::TERM);
    }
    assert_eq!((killed, left_well, restarts), (kills, leaves, 1));

    // Counted by Kafka's own consumer.
    let read = java(
        "org.apache.kafka.tools.consumer.ConsoleConsumer",
        &[
            "--topic",
            &out,
            "--from-beginning",
            "--isolation-level",
            "read_committed",
            "--timeout-ms",
            "15000",
        ],
        "",
    );
    let mut times: BTreeMap<usize, usize> = BTreeMap::new();
    for line in read.lines().filter(|line| !line.starts_with("Processed")) {
        *times.entry(line.parse().unwrap()).or_default() += 1;
    }
    let wrong: Vec<_> = (0..count)
        .map(|number| (number, times.get(&number).copied().unwrap_or(0)))
        .filter(|(_, times)| *times != 1)
        .collect();
    assert_eq!(wrong, [], "each is there once");
    assert_eq!(times.len(), count);
}

#[test]
fn a_signal_ends_it_within_the_time_to_drain_though_the_broker_is_away() {
    let topic = topic("handle-away").create();
    topic.append_numbers(0, 0..100);
    let folder = tempfile::tempdir().unwrap();
    // One that commits cannot, and one that hangs does not end by itself.
    let account = folder.path().join("account");
    let script = "echo done >> $0; [ $KAFKA_OFFSET != 20 ] || { trap '' TERM; sleep 1000; }";
    let running = kpipe(["handle", &*topic, "-g", &group(), "--drain", "1s"])
        .args(["--", "sh", "-c", script])
        .args([&account])
        .start();
    eventually("it is at work", || {
        let done = std::fs::read(&account).unwrap_or_default();
        (done.len() > 10 * "done\n".len()).then_some(())
    });
    node("kill", 1);
    running.until_it_says("waiting for Kafka");
    let start = std::time::Instant::now();
    running.signal(Signal::TERM);
    let ended = running.wait();
    let took = start.elapsed();
    node("start", 1);
    let _ = ended.dies_of(Signal::TERM);
    // It was nine seconds once.
    assert!(took < std::time::Duration::from_secs(6), "it took {took:?}");
}
