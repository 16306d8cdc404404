//! `kpipe tail a -e | kpipe send b` makes b an exact copy of a, as an independent client sees it.
#![allow(
    unsafe_code,
    reason = "the crate cannot carry header names that are not UTF-8"
)]

use std::ffi::CStr;
use std::ptr;
use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use rdkafka::bindings;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{BorrowedMessage, Headers, Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};

use crate::support::{DEADLINE, Place};

const PARTITIONS: i32 = 3;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Original {
    partition: i32,
    timestamp: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

/// Bytes of every kind that the record line tells apart.
fn payload() -> impl Strategy<Value = Vec<u8>> {
    let text = |samples: &'static [&'static str]| {
        prop::sample::select(samples).prop_map(|sample| sample.as_bytes().to_vec())
    };
    prop_oneof![
        Just(Vec::new()),
        vec(any::<u8>(), 0..40),
        ".{0,20}".prop_map(String::into_bytes),
        // JSON that is embedded, and text that only looks like it.
        text(&[
            r#"{"id":7,"total":1.50,"id":8}"#,
            "{}",
            "[]",
            "[1e400, -0, \"\\ud800\"]",
            " {\"a\":1}",
            "{\"a\":1} ",
            "{\"a\":\n1}",
            "{\"a\":\r1}",
            "\u{feff}{}",
            "{\"a\":1}{}",
            "{\"a\"",
            "{\"a\":1}\n",
            "[\u{2028}]",
            "{\"\u{7f}\u{9b}\":\"\u{202e}\"}",
        ]),
        text(&[
            "42",
            "null",
            "true",
            "\"hi\"",
            "\"",
            "\\",
            "\0",
            "\u{1b}[31m",
            "1.50",
            " ",
            "\r\n"
        ]),
        // The framing of a schema registry, also where it happens to be UTF-8.
        vec(any::<u8>(), 4..12).prop_map(|rest| [&[0], &rest[..]].concat()),
        vec(0_u8..128, 4..12).prop_map(|rest| [&[0], &rest[..]].concat()),
        // JSON with bytes in it that are not UTF-8.
        vec(128_u8..=255, 1..4).prop_map(|bytes| [b"{\"a\":\"", &bytes[..], b"\"}"].concat()),
    ]
}

/// All but NUL, which librdkafka cannot carry in a name.
fn header_name() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::sample::select(&["a", "b", "traceparent", ""][..]).prop_map(Into::into),
        vec(1_u8..=255, 0..8),
    ]
}

fn original() -> impl Strategy<Value = Original> {
    (
        0..PARTITIONS,
        prop_oneof![9 => 1_i64..4_102_444_800_000, 1 => Just(1), 1 => -4_000_000_000_000_i64..-1],
        option::of(payload()),
        option::of(payload()),
        vec((header_name(), option::of(payload())), 0..4),
    )
        .prop_map(|(partition, timestamp, key, value, headers)| Original {
            partition,
            timestamp,
            key,
            value,
            headers,
        })
}

fn produce(brokers: &str, topic: &str, records: &[Original]) {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("linger.ms", "1")
        .create()
        .unwrap();
    for record in records {
        let headers = OwnedHeaders::new();
        let native = ptr::from_ref(headers.as_borrowed())
            .cast_mut()
            .cast::<bindings::rd_kafka_headers_t>();
        for (name, value) in &record.headers {
            let (bytes, length) = value
                .as_ref()
                .map_or((ptr::null(), 0), |value| (value.as_ptr(), value.len()));
            // SAFETY: the list lives until the record is sent, and both parts are copied.
            let error = unsafe {
                bindings::rd_kafka_header_add(
                    native,
                    name.as_ptr().cast(),
                    isize::try_from(name.len()).unwrap(),
                    bytes.cast(),
                    isize::try_from(length).unwrap(),
                )
            };
            assert_eq!(
                error,
                bindings::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR
            );
        }
        let mut outgoing = BaseRecord::<[u8], [u8]>::to(topic)
            .partition(record.partition)
            .timestamp(record.timestamp)
            .headers(headers);
        outgoing.key = record.key.as_deref();
        outgoing.payload = record.value.as_deref();
        producer.send(outgoing).map_err(|(error, _)| error).unwrap();
    }
    producer.flush(DEADLINE).unwrap();
    assert_eq!(producer.in_flight_count(), 0);
}

/// The records of a topic, partition by partition.
fn consume(brokers: &str, topic: &str, count: usize) -> Vec<Original> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "witness")
        .set("enable.auto.commit", "false")
        .create()
        .unwrap();
    let mut partitions = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        partitions
            .add_partition_offset(topic, partition, Offset::Beginning)
            .unwrap();
    }
    consumer.assign(&partitions).unwrap();
    let deadline = Instant::now() + DEADLINE;
    let mut records = Vec::new();
    while records.len() < count {
        assert!(
            Instant::now() < deadline,
            "{} of {count} records",
            records.len()
        );
        if let Some(message) = consumer.poll(Duration::from_millis(100)) {
            records.push(read(&message.unwrap()));
        }
    }
    // None too many: the ends are where the count says.
    let ends: i64 = (0..PARTITIONS)
        .map(|partition| {
            consumer
                .fetch_watermarks(topic, partition, DEADLINE)
                .unwrap()
                .1
        })
        .sum();
    assert_eq!(ends, i64::try_from(count).unwrap());
    records.sort_by_key(|record| record.partition);
    records
}

fn read(message: &BorrowedMessage<'_>) -> Original {
    let mut headers = Vec::new();
    if let Some(list) = message.headers() {
        let native = ptr::from_ref(list).cast::<bindings::rd_kafka_headers_t>();
        for index in 0..list.count() {
            let (mut name, mut value, mut length) = (ptr::null(), ptr::null(), 0);
            // SAFETY: name and value live as long as the message.
            let header = unsafe {
                let error = bindings::rd_kafka_header_get_all(
                    native,
                    index,
                    &raw mut name,
                    &raw mut value,
                    &raw mut length,
                );
                assert_eq!(
                    error,
                    bindings::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR
                );
                let name = CStr::from_ptr(name).to_bytes().to_vec();
                let value = (!value.is_null())
                    .then(|| std::slice::from_raw_parts(value.cast::<u8>(), length).to_vec());
                (name, value)
            };
            headers.push(header);
        }
    }
    Original {
        partition: message.partition(),
        timestamp: message.timestamp().to_millis().unwrap_or(-1),
        key: message.key().map(<[u8]>::to_vec),
        value: message.payload().map(<[u8]>::to_vec),
        headers,
    }
}

/// Copies records with kpipe, and compares what is there before and after.
fn copy_is_exact(flags: &str, records: &[Original]) {
    let place = Place::with(&["a:3", "b:3"]);
    produce(place.brokers(), "a", records);
    place
        .bash(&format!("kpipe tail a -e -q {flags} | kpipe send b -q"))
        .run()
        .ends(0)
        .errors("")
        .prints("");
    let mut expected = records.to_vec();
    expected.sort_by_key(|record| record.partition);
    let copy = consume(place.brokers(), "b", records.len());
    for (copied, original) in copy.iter().zip(&expected) {
        assert_eq!(copied, original);
    }
}

/// Many records in few cases, for it is records that differ and cases that cost.
fn cases(count: u32) -> ProptestConfig {
    ProptestConfig {
        cases: count,
        max_shrink_iters: 40,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(cases(8))]

    #[test]
    fn tail_into_send_is_an_exact_copy(records in vec(original(), 500)) {
        copy_is_exact("", &records);
    }
}

proptest! {
    #![proptest_config(cases(3))]

    #[test]
    fn payloads_as_text_are_an_exact_copy_too(records in vec(original(), 500)) {
        copy_is_exact("--payload text", &records);
    }

    #[test]
    fn payloads_as_base64_are_an_exact_copy_too(records in vec(original(), 500)) {
        copy_is_exact("--payload base64", &records);
    }
}

/// What a broker of another age holds: no timestamp at all would be one, but the mock has none.
#[test]
fn a_group_copies_exactly_as_well() {
    let place = Place::with(&["a:3", "b:3"]);
    let records: Vec<Original> = (0..300)
        .map(|n| Original {
            partition: n % PARTITIONS,
            timestamp: 1_763_668_800_000 + i64::from(n),
            key: (n % 2 == 0).then(|| n.to_string().into_bytes()),
            value: (n % 5 != 0).then(|| vec![0xff, 0x00]),
            headers: Vec::new(),
        })
        .collect();
    produce(place.brokers(), "a", &records);
    place
        .bash("kpipe tail a -e -q -g copier | kpipe send b -q")
        .run()
        .ends(0)
        .errors("");
    let mut expected = records;
    expected.sort_by_key(|record| record.partition);
    assert_eq!(consume(place.brokers(), "b", expected.len()), expected);
}
