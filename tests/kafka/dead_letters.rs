//! Dead letters on real Kafka: back byte for byte, as kcat sees it, and what its topics refuse.

use std::process::Command;

use crate::support::executable::{Finished, kpipe};
use crate::support::kafka::{Record, Topic, committed, topic};
use crate::support::told;

fn record(key: Option<&[u8]>, value: Option<&[u8]>, headers: &[(&str, Option<&[u8]>)]) -> Record {
    Record {
        partition: 0,
        timestamp: 1_763_668_800_123,
        key: key.map(<[u8]>::to_vec),
        value: value.map(<[u8]>::to_vec),
        headers: headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.map(<[u8]>::to_vec)))
            .collect(),
    }
}

/// A dead letter of `origin`.
fn letter(origin: &str, value: &[u8]) -> Record {
    let headers = [("__dlq.errors.topic", Some(origin.as_bytes()))];
    record(None, Some(value), &headers)
}

fn replay(dead: &Topic, flags: &[&str]) -> Finished {
    kpipe(["dlq", "replay", dead, "--yes"]).args(flags).run()
}

/// Keys, values and headers as kcat prints them, with lengths, one record after the other.
fn kcat(topic: &Topic) -> Vec<Vec<u8>> {
    let output = Command::new("kcat")
        .args(["-C", "-e", "-q", "-Z", "-o", "beginning", "-b"])
        .arg(told("KAFKA_BROKERS"))
        .args(["-t", topic, "-f", "%K:%k %S:%s %h<end>"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let mut rest = &output.stdout[..];
    let mut records = Vec::new();
    while let Some(end) = memchr::memmem::find(rest, b"<end>") {
        records.push(rest[..end].to_vec());
        rest = &rest[end + 5..];
    }
    records
}

#[test]
fn what_handle_buries_comes_back_byte_for_byte() {
    let orders = topic("orders").create();
    let dead = topic("dead").create();
    let binary: Vec<u8> = (0..=255).collect();
    let originals = [
        record(None, None, &[]),
        record(Some(b""), Some(b""), &[("", Some(b""))]),
        record(Some(b"\xff\0"), Some(&binary), &[("b", Some(&binary))]),
        record(
            Some(b"k"),
            Some(b"{\"total\":1.50}"),
            &[("a", Some(b"1")), ("a", None), ("a", Some(b"1"))],
        ),
        record(
            Some(b"\0\0\0\0\x07k"),
            Some(b"\0\0\0\0\x07framed\n"),
            &[("n", None)],
        ),
        record(
            Some("ключ".as_bytes()),
            Some(b"null"),
            &[("é", Some(b"\x1b[2J"))],
        ),
    ];
    orders.append(&originals);
    let before = kcat(&orders);
    let dlq = format!("--dlq={}", &*dead);
    kpipe([
        "handle",
        &orders,
        "-g",
        &crate::support::kafka::group(),
        "-e",
        "-q",
        &dlq,
    ])
    .args(["--", "sh", "-c", "exit 65"])
    .run()
    .ok();
    assert_eq!(dead.records().len(), originals.len());
    let count = originals.len();
    replay(&dead, &[])
        .ok()
        .says(&format!("{count} sent: {count} to {orders}"));
    let group = format!("kpipe-replay.{dead}");
    assert_eq!(committed(&group, &dead), [6]);

    let after = kcat(&orders);
    assert_eq!(after[..count], before);
    let counted = |shown: &[u8]| {
        let text = shown.strip_suffix(b"dlq.replay.count=1").unwrap();
        text.strip_suffix(b",").unwrap_or(text).to_vec()
    };
    let back: Vec<_> = after[count..].iter().map(|shown| counted(shown)).collect();
    assert_eq!(back, before);
    // kcat shows a null header as it shows the text NULL.
    let records = orders.records();
    for (original, record) in originals.iter().zip(&records[count..]) {
        let (last, own) = record.headers.split_last().unwrap();
        assert_eq!(*last, ("dlq.replay.count".to_owned(), Some(b"1".to_vec())));
        assert_eq!(
            (&record.key, &record.value),
            (&original.key, &original.value)
        );
        assert_eq!(own, original.headers);
        assert!(
            record.timestamp > original.timestamp,
            "its time is that of the replay"
        );
    }
    replay(&dead, &["-q"]).ok();
    assert_eq!(orders.records().len(), 2 * count);
}

#[test]
fn numbers_of_spring_are_read_from_what_an_independent_client_wrote() {
    let orders = topic("orders").create();
    let dead = topic("dead").create();
    let headers = [
        ("kafka_dlt-original-topic", Some(orders.as_bytes())),
        ("kafka_dlt-original-partition", Some(&b"\0\0\0\x02"[..])),
        ("kafka_dlt-original-offset", Some(b"\0\0\0\0\0\0\x12\x67")),
        (
            "kafka_dlt-original-timestamp",
            Some(b"\0\0\x01\x9a\xa2\xda\x32\x7b"),
        ),
        ("kafka_dlt-exception-fqcn", Some(b"a.B")),
        ("kafka_dlt-exception-message", Some(b"no")),
        ("own", Some(b"1")),
    ];
    dead.append(&[record(Some(b"k"), Some(b"v"), &headers)]);
    let rows = kpipe(["dlq", "stats", &dead]).run().exits(1).lines();
    assert_eq!(rows[0]["origin"], &*orders);
    assert_eq!(
        (&rows[0]["status"], &rows[0]["error"]),
        (&"a.B".into(), &"no".into())
    );
    replay(&dead, &["--keep-timestamp"]).ok();
    let back = orders.records().pop().unwrap();
    assert_eq!(back.timestamp, 1_763_668_800_123);
    let own = ("own".to_owned(), Some(b"1".to_vec()));
    assert_eq!(back.headers[0], own);
    assert_eq!(back.headers.len(), 2);
}

#[test]
fn a_record_that_its_topic_no_longer_takes_is_left_and_the_others_go() {
    let small = topic("small").config("max.message.bytes", "20000").create();
    let dead = topic("dead").create();
    let large: Vec<u8> = (0..50_000_u32)
        .flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes())
        .collect();
    dead.append(&[
        letter(&small, b"1"),
        letter(&small, &large),
        letter(&small, b"3"),
    ]);
    replay(&dead, &[])
        .exits(1)
        .says(&format!("error: {dead}[0]@1 stays: "))
        .says(&format!("2 sent: 2 to {small}; 1 stay"));
    let values: Vec<_> = small.records().iter().map(Record::text).collect();
    assert_eq!(values, ["1", "3"]);
    assert_eq!(committed(&format!("kpipe-replay.{dead}"), &dead), [3]);
}

#[test]
fn a_topic_that_is_gone_ends_its_partition_and_nothing_is_committed_past_it() {
    let orders = topic("orders").create();
    let dead = topic("dead").partitions(2).create();
    let gone = crate::support::kafka::unique("gone");
    let elsewhere = |record: Record| Record {
        partition: 1,
        ..record
    };
    dead.append(&[
        letter(&orders, b"1"),
        letter(&gone, b"2"),
        letter(&orders, b"3"),
        elsewhere(letter(&orders, b"4")),
    ]);
    replay(&dead, &[])
        .exits(1)
        .says(&format!(
            "error: {dead}[0]@1: topic `{gone}` does not exist"
        ))
        .says(&format!("2 sent: 2 to {orders}; 2 stay"));
    assert_eq!(committed(&format!("kpipe-replay.{dead}"), &dead), [1, 1]);
    replay(&dead, &["--skip"]).exits(1).says("1 sent");
    let mut values: Vec<_> = orders.records().iter().map(Record::text).collect();
    values.sort_unstable();
    assert_eq!(values, ["1", "3", "4"]);
}

#[test]
fn those_since_a_time_are_counted_and_shown() {
    let dead = topic("dead").create();
    let at = |timestamp| Record {
        timestamp,
        ..letter("orders", b"v")
    };
    dead.append(&[
        at(1_763_668_800_000),
        at(1_763_668_900_000),
        at(1_763_669_000_000),
    ]);
    let since = ["--since", "1763668900"];
    let rows = kpipe(["dlq", "stats", &dead])
        .args(since)
        .run()
        .exits(1)
        .lines();
    assert_eq!(rows[0]["records"], 2);
    assert_eq!(rows[0]["first"], "2025-11-20T20:01:40Z");
    let shown = kpipe(["dlq", "show", &dead]).args(since).run().ok();
    assert_eq!(shown.offsets(), [1, 2]);
    kpipe(["dlq", "stats", &dead, "--since", "1h"]).run().ok();
}

#[test]
fn a_replay_of_many_goes_on_in_order_and_sends_each_once() {
    let orders = topic("orders").partitions(3).create();
    let dead = topic("dead").partitions(3).create();
    for partition in 0..3 {
        let records = (0..20_000).map(|number| Record {
            partition,
            key: Some(partition.to_string().into_bytes()),
            ..letter(&orders, format!("{number}").as_bytes())
        });
        dead.append(&records.collect::<Vec<_>>());
    }
    replay(&dead, &["-n", "25000"]).ok().says("25000 sent");
    replay(&dead, &[]).ok().says("35000 sent");
    assert_eq!(
        committed(&format!("kpipe-replay.{dead}"), &dead),
        [20_000; 3]
    );
    let mut next = std::collections::HashMap::new();
    for record in orders.records() {
        let next = next.entry(record.key_text()).or_insert(0);
        assert_eq!(record.text(), next.to_string());
        *next += 1;
    }
    assert_eq!(next.values().collect::<Vec<_>>(), [&20_000; 3]);
}

#[test]
fn a_record_that_the_broker_refuses_is_left_and_its_company_goes() {
    // Which takes none without a key.
    let compacted = topic("compacted")
        .config("cleanup.policy", "compact")
        .create();
    let dead = topic("dead").create();
    let keyed = |number: usize| Record {
        key: Some(b"k".to_vec()),
        ..letter(&compacted, number.to_string().as_bytes())
    };
    let mut letters: Vec<Record> = (0..100).map(keyed).collect();
    letters[50].key = None;
    dead.append(&letters);
    replay(&dead, &[])
        .exits(1)
        .says(&format!("error: {dead}[0]@50 stays: "))
        .says(&format!("99 sent: 99 to {compacted}; 1 stay"));
    let values: Vec<_> = compacted.records().iter().map(Record::text).collect();
    let expected = (0..100).filter(|number| *number != 50);
    assert_eq!(
        values,
        expected
            .map(|number| number.to_string())
            .collect::<Vec<_>>()
    );
    assert_eq!(committed(&format!("kpipe-replay.{dead}"), &dead), [100]);
}
