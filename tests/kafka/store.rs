//! Records in `SQLite` on real Kafka: what is in the table is what kcat reads, each record once.

use std::path::Path;

use rdkafka::producer::Producer;
use rusqlite::Connection;
use rustix::process::Signal;

use crate::support::executable::{Kpipe, Running, kpipe};
use crate::support::kafka::{Topic, commit, committed, group, number_in, send, topic, transaction};
use crate::support::{PATIENCE, eventually, kcat};

fn store(topic: &Topic, group: &str, file: &Path) -> Kpipe {
    kpipe(["store", topic, "-g", group, "--db"])
        .args([file])
        .args(["-X", "session.timeout.ms=6000"])
}

/// Partition, offset, key and value of each record in the table, in the order of the log.
fn rows(file: &Path) -> Vec<String> {
    let file = Connection::open(file).unwrap();
    let sql = "SELECT partition || ' ' || offset || ' ' || coalesce(key, '') || ' ' || value FROM records \
               ORDER BY partition, offset";
    let mut query = file.prepare(sql).unwrap();
    let rows = query.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

fn count(file: &Path) -> usize {
    let Ok(file) = Connection::open(file) else {
        return 0;
    };
    let count = file.query_row("SELECT count(*) FROM records", [], |row| {
        row.get::<_, i64>(0)
    });
    count.map_or(0, |count| usize::try_from(count).unwrap())
}

fn ends(member: Running) {
    member.signal(Signal::TERM);
    let _ = member.wait().dies_of(Signal::TERM);
}

#[test]
fn members_with_one_file_share_the_partitions_and_each_record_is_there_once() {
    let topic = topic("store-shared").partitions(4).create();
    for partition in 0..4 {
        topic.append_numbers(partition, 0..2000);
    }
    let (group, folder) = (group(), tempfile::tempdir().unwrap());
    let file = folder.path().join("f.db");
    let first = store(&topic, &group, &file)
        .args(["--batch", "50", "-q"])
        .start();
    eventually("the first is at work", || {
        (count(&file) > 100).then_some(())
    });
    let second = store(&topic, &group, &file)
        .args(["--batch", "50", "-q"])
        .start();
    for partition in 0..4 {
        topic.append_numbers(partition, 2000..4000);
    }
    eventually("all is stored", || (count(&file) >= 16_000).then_some(()));
    eventually("the group is told", || {
        (committed(&group, &topic) == [4000; 4]).then_some(())
    });
    // What was stored by one is where the other goes on.
    ends(first);
    topic.append_numbers(0, 4000..4100);
    eventually("the second goes on", || {
        (count(&file) >= 16_100).then_some(())
    });
    ends(second);
    assert_eq!(rows(&file), kcat(&topic));
}

#[test]
fn what_was_stored_and_not_committed_is_not_stored_again() {
    let topic = topic("store-killed").create();
    topic.append_numbers(0, 0..1000);
    let (group, folder) = (group(), tempfile::tempdir().unwrap());
    let file = folder.path().join("f.db");
    store(&topic, &group, &file).args(["-e", "-q"]).run().ok();
    // As a kill between the two leaves it.
    commit(&group, &topic, &[(0, 400)]);
    let again = store(&topic, &group, &file).args(["-e"]).run().ok();
    assert_eq!(
        again.stderr,
        format!(
            "warning: {topic}[0] goes on at offset 1000, as the file has it, though the group is at 400\n0 stored\n"
        )
    );
    assert_eq!(committed(&group, &topic), [1000]);
    // As an older copy of the file does.
    Connection::open(&file)
        .unwrap()
        .execute_batch(
            "DELETE FROM records WHERE offset >= 300; UPDATE kpipe_offsets SET next = 300",
        )
        .unwrap();
    let again = store(&topic, &group, &file).args(["-e"]).run().ok();
    let _ = again.says("at offset 300").says("700 stored");
    assert_eq!(rows(&file), kcat(&topic));
    assert_eq!(committed(&group, &topic), [1000]);
}

#[test]
fn records_of_aborted_transactions_are_not_there_and_leave_no_difference_behind() {
    let topic = topic("store-transactions").create();
    for (number, commits) in [(0, true), (1, false), (2, true), (3, false)] {
        let producer = transaction();
        for one in 0..10 {
            send(&producer, &topic, &number_in(0, number * 10 + one));
        }
        if commits {
            producer.commit_transaction(PATIENCE).unwrap();
        } else {
            // What was not sent yet would not be in the log at all.
            producer.flush(PATIENCE).unwrap();
            producer.abort_transaction(PATIENCE).unwrap();
        }
    }
    let (group, folder) = (group(), tempfile::tempdir().unwrap());
    let file = folder.path().join("f.db");
    for expected in ["20 stored\n", "0 stored\n"] {
        let run = store(&topic, &group, &file).args(["-e"]).run().ok();
        assert_eq!(run.stderr, expected);
    }
    assert_eq!(rows(&file), kcat(&topic));
    store(&topic, &group, &file)
        .args(["--rebuild", "-q"])
        .run()
        .ok();
    assert_eq!(rows(&file), kcat(&topic));
}

#[test]
fn a_topic_that_was_made_anew_is_not_mixed_with_the_old() {
    let old = topic("store-anew").create();
    old.append_numbers(0, 0..100);
    let (group, folder) = (group(), tempfile::tempdir().unwrap());
    let file = folder.path().join("f.db");
    store(&old, &group, &file).args(["-e", "-q"]).run().ok();
    old.delete();
    let name = old.to_string();
    let new = eventually("the name is free", || {
        std::panic::catch_unwind(|| topic("").named(name.clone()).create()).ok()
    });
    new.append_numbers(0, 0..5);
    let _ = store(&new, &group, &file)
        .args(["-e"])
        .run()
        .exits(1)
        .says("goes on at offset 100, but its log ends at 5")
        .says_one_error();
    assert_eq!(rows(&file).len(), 100);
}

#[test]
fn retention_that_was_faster_is_told_and_the_run_goes_on() {
    let topic = topic("store-gap").create();
    topic.append_numbers(0, 0..100);
    let (group, folder) = (group(), tempfile::tempdir().unwrap());
    let file = folder.path().join("f.db");
    store(&topic, &group, &file)
        .args(["-n", "10", "-q"])
        .run()
        .ok();
    topic.delete_records_before(0, 50);
    let _ = store(&topic, &group, &file)
        .args(["-e"])
        .run()
        .ok()
        .says("offsets 10 to 49 were removed before they were read")
        .says("50 stored");
    assert_eq!(rows(&file).len(), 60);
    let _ = store(&topic, &group, &file)
        .args(["--rebuild"])
        .run()
        .exits(1)
        .says("has 10 records not there to be read again");
}
