//! Members with one `SQLite` file that are killed, join and leave, and a broker that is restarted: each record is in
//! the table once, and what the statements made of the records is as if nothing had happened.
//!
//! `STORE_RECORDS=100000` for a release build.

use std::path::Path;

use rusqlite::Connection;
use rustix::process::Signal;

use crate::support::executable::{Running, kpipe};
use crate::support::kafka::{Record, Topic, committed, group, node, topic};
use crate::support::{eventually, grows_to, kcat};

const PARTITIONS: i32 = 4;
const KEYS: usize = 100;

fn total() -> usize {
    std::env::var("STORE_RECORDS").map_or(30_000, |count| count.parse().unwrap())
}

fn fill(topic: &Topic, count: usize) {
    let records: Vec<Record> = (0..count)
        .map(|number| Record {
            partition: i32::try_from(number % KEYS).unwrap() % PARTITIONS,
            timestamp: 1_763_668_800_000,
            key: Some(format!("k{}", number % KEYS).into_bytes()),
            value: Some(format!("{number}").into_bytes()),
            headers: Vec::new(),
        })
        .collect();
    topic.append(&records);
}

const STATEMENTS: &str = "
CREATE TABLE IF NOT EXISTS counter (key ANY PRIMARY KEY, count INTEGER, sum INTEGER);
INSERT INTO counter VALUES (:key, 1, CAST(:value AS INTEGER))
  ON CONFLICT DO UPDATE SET count = count + 1, sum = sum + excluded.sum;
";

fn member(topic: &Topic, group: &str, folder: &Path) -> Running {
    kpipe(["store", &**topic, "-g", group, "-q", "--batch", "20"])
        .args([
            "--flush-interval",
            "20ms",
            "-X",
            "session.timeout.ms=6000",
            "--db",
        ])
        .args([folder.join("f.db"), "--sql".into(), folder.join("c.sql")])
        .start()
}

fn all(file: &Path, sql: &str) -> Vec<String> {
    let file = Connection::open(file).unwrap();
    let mut query = file.prepare(sql).unwrap();
    let rows = query.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

fn stored(file: &Path) -> usize {
    let Ok(file) = Connection::open(file) else {
        return 0;
    };
    let count = file.query_row("SELECT count(*) FROM records", [], |row| {
        row.get::<_, i64>(0)
    });
    count.map_or(0, |count| usize::try_from(count).unwrap())
}

#[test]
fn whatever_is_killed_each_record_is_in_the_table_once() {
    let count = total();
    let topic = topic("store-storm").partitions(PARTITIONS).create();
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let file = folder.join("f.db");
    std::fs::write(folder.join("c.sql"), STATEMENTS).unwrap();
    let group = group();
    let mut members: Vec<Running> = (0..3).map(|_| member(&topic, &group, folder)).collect();
    let (mut kills, mut leaves, mut restarts) = (0, 0, 0);
    let steps = 30;
    for step in 1..=steps {
        // Something to do at every step, so that each fault comes in the middle of it.
        fill(&topic, count / steps);
        let goal = count / steps * (step - 1) + 1;
        grows_to(goal, || stored(&file));
        let mut gone = members.remove(0);
        assert!(
            gone.is_running(),
            "there is somebody to end: {}",
            gone.said()
        );
        if step % 3 == 0 {
            gone.signal(Signal::TERM);
            let _ = gone.wait().dies_of(Signal::TERM);
            leaves += 1;
        } else {
            gone.signal(Signal::KILL);
            let _ = gone.wait().dies_of(Signal::KILL);
            kills += 1;
        }
        if step == steps / 2 {
            node("kill", 1);
            node("start", 1);
            restarts += 1;
        }
        members.push(member(&topic, &group, folder));
    }
    let expected = kcat(&topic);
    grows_to(expected.len(), || stored(&file));
    eventually("the group is told", || {
        let ends = (0..PARTITIONS).map(|partition| topic.watermarks(partition).1);
        (committed(&group, &topic) == ends.collect::<Vec<_>>()).then_some(())
    });
    for member in members {
        member.signal(Signal::TERM);
        let _ = member.wait().dies_of(Signal::TERM);
    }
    assert_eq!(
        (kills, leaves, restarts),
        (20, 10, 1),
        "the faults happened"
    );

    assert_eq!(expected.len(), count / steps * steps);
    let rows = all(
        &file,
        "SELECT partition || ' ' || offset || ' ' || key || ' ' || value FROM records ORDER BY partition, offset",
    );
    assert!(rows == expected, "the table is not the log");
    // The primary key says little of what the statements did.
    let counted = all(
        &file,
        "SELECT key || ' ' || count || ' ' || sum FROM counter ORDER BY key",
    );
    let once = all(
        &file,
        "SELECT key || ' ' || count(*) || ' ' || sum(CAST(value AS INTEGER)) FROM records GROUP BY key ORDER BY key",
    );
    assert_eq!(counted, once);
    assert_eq!(all(&file, "PRAGMA integrity_check"), ["ok"]);
}
