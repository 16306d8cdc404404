//! Two writers with one file, as after a member was thrown out and does not know it, and files that are not what they were.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;

use super::{Counts, Error, Kept, Manner, Rebuild, Script, Writer};
use crate::pipeline::pump::Sink;
use crate::record::Record;

fn manner(scripts: Vec<Script>) -> Manner {
    Manner {
        group: Some("g".to_owned()),
        scripts,
        batch: 1000,
        flush_interval: Duration::ZERO,
        now: Box::new(|| 1),
    }
}

fn writer(path: &Path) -> Writer {
    Writer::open(path, manner(Vec::new())).unwrap()
}

fn record(offset: i64) -> Record<'static> {
    Record {
        topic: "t",
        partition: 0,
        offset,
        timestamp: None,
        key: None,
        value: Some(b"v"),
        headers: &[],
    }
}

fn store(writer: &mut Writer, offsets: std::ops::Range<i64>) -> Result<(), Error> {
    for offset in offsets {
        writer.take(&record(offset))?;
    }
    writer.commit()
}

fn offsets(path: &Path) -> Vec<i64> {
    let file = Connection::open(path).unwrap();
    let mut query = file
        .prepare("SELECT offset FROM records ORDER BY offset")
        .unwrap();
    let rows = query.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

fn next(path: &Path) -> i64 {
    let file = Connection::open(path).unwrap();
    let next = file.query_row("SELECT next FROM kpipe_offsets", [], |row| row.get(0));
    next.unwrap()
}

fn place() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f.db");
    (folder, path)
}

#[test]
fn who_was_thrown_out_and_does_not_know_it_stores_nothing_twice_and_takes_nothing_back() {
    let (_folder, path) = place();
    let (mut old, mut new) = (writer(&path), writer(&path));
    store(&mut old, 0..10).unwrap();
    store(&mut new, 10..20).unwrap();
    store(&mut old, 10..15).unwrap();
    assert_eq!(next(&path), 20, "the group does not go back");
    store(&mut old, 15..25).unwrap();
    store(&mut new, 20..30).unwrap();
    assert_eq!(offsets(&path), (0..30).collect::<Vec<_>>());
    assert_eq!(next(&path), 30);
    assert_eq!(
        old.counts(),
        Counts {
            stored: 15,
            there: 10
        }
    );
    assert_eq!(
        new.counts(),
        Counts {
            stored: 15,
            there: 5
        }
    );
}

#[test]
fn what_was_deleted_by_hand_does_not_come_back() {
    let (_folder, path) = place();
    let (mut old, mut new) = (writer(&path), writer(&path));
    store(&mut new, 0..10).unwrap();
    let file = Connection::open(&path).unwrap();
    file.execute_batch("DELETE FROM records WHERE offset < 5")
        .unwrap();
    store(&mut old, 0..10).unwrap();
    assert_eq!(offsets(&path), (5..10).collect::<Vec<_>>());
}

#[test]
fn a_gap_is_an_error_when_the_file_was_set_back_behind_where_a_partition_began() {
    let (_folder, path) = place();
    store(&mut writer(&path), 0..10).unwrap();
    let set_back = || {
        let file = Connection::open(&path).unwrap();
        file.execute_batch("UPDATE kpipe_offsets SET next = 4")
            .unwrap();
    };
    // Before anything of it is stored by this one, and after.
    let kept = Arc::new(Kept::open(&path, "g").unwrap());
    assert_eq!(kept.next(&[("t".to_owned(), 0)]).unwrap(), [Some(10)]);
    let mut begun = writer(&path);
    begun.follow(kept);
    set_back();
    assert!(matches!(
        store(&mut begun, 10..12),
        Err(Error::SetBack {
            stored: 4,
            known: 10,
            ..
        })
    ));
    let mut running = writer(&path);
    store(&mut running, 4..12).unwrap();
    set_back();
    assert!(matches!(
        store(&mut running, 12..14),
        Err(Error::SetBack {
            stored: 4,
            known: 12,
            ..
        })
    ));
    assert_eq!(offsets(&path), (0..12).collect::<Vec<_>>());
    assert_eq!(next(&path), 4);
}

#[test]
fn a_file_that_another_was_put_in_the_place_of_is_not_written() {
    let (folder, path) = place();
    let mut running = writer(&path);
    store(&mut running, 0..1).unwrap();
    std::fs::rename(&path, folder.path().join("away")).unwrap();
    assert!(matches!(
        store(&mut running, 1..2),
        Err(Error::Replaced { .. })
    ));
    drop(writer(&path));
    assert!(matches!(
        store(&mut running, 1..2),
        Err(Error::Replaced { .. })
    ));
}

#[test]
fn what_is_locked_is_kept_and_stored_later() {
    let (_folder, path) = place();
    let mut running = writer(&path);
    running.take(&record(0)).unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert!(!running.flush(Some(std::time::Instant::now())).unwrap());
    other.execute_batch("COMMIT").unwrap();
    assert!(running.flush(Some(std::time::Instant::now())).unwrap());
    assert_eq!(offsets(&path), [0]);
}

#[test]
fn a_transaction_is_full_at_so_many_records() {
    let (_folder, path) = place();
    let few = Manner {
        batch: 3,
        ..manner(Vec::new())
    };
    let mut running = Writer::open(&path, few).unwrap();
    for offset in 0..8 {
        running.take(&record(offset)).unwrap();
    }
    assert_eq!(offsets(&path), (0..6).collect::<Vec<_>>());
    running.pass("t", 0, 20);
    running.commit().unwrap();
    assert_eq!((offsets(&path).len(), next(&path)), (8, 21));
}

#[test]
fn one_rebuild_at_a_time_and_what_an_ended_one_left_is_begun_anew() {
    let (_folder, path) = place();
    store(&mut writer(&path), 0..3).unwrap();
    let (first, mut fresh) = Rebuild::begin(&path, manner(Vec::new())).unwrap();
    store(&mut fresh, 0..2).unwrap();
    // As a process that is killed.
    drop((first, fresh));
    let (second, mut fresh) = Rebuild::begin(&path, manner(Vec::new())).unwrap();
    store(&mut fresh, 0..5).unwrap();
    assert_eq!(second.swap(fresh).unwrap().records, 5);
    assert_eq!((offsets(&path).len(), next(&path)), (5, 5));
}
