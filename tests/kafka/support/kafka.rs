//! Topics of a test's own, and the independent client that fills and reads them.

use std::fmt;
use std::future::Future;
use std::ops::Deref;
use std::pin::pin;
use std::process::Command;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::{ClientContext, DefaultClientContext};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{Header, Headers, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};
use rdkafka::types::RDKafkaErrorCode as Code;
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};

use super::{PATIENCE, eventually, told};

fn client() -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", told("KAFKA_BROKERS"));
    config.set("allow.auto.create.topics", "false");
    config
}

/// A name that no other test has.
pub(crate) fn unique(name: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{name}-{}-{count}", std::process::id())
}

/// A group that no other test has.
pub(crate) fn group() -> String {
    unique("group-of-a-test")
}

/// Where `group` goes on in each partition of `topic`; 0 where it has committed nothing.
pub(crate) fn committed(group: &str, topic: &Topic) -> Vec<i64> {
    let consumer: BaseConsumer = client().set("group.id", group).create().unwrap();
    let mut list = TopicPartitionList::new();
    for partition in topic.partitions(&consumer) {
        list.add_partition(topic, partition);
    }
    let list = eventually("the group's coordinator answers", || {
        consumer
            .committed_offsets(list.clone(), Duration::from_secs(5))
            .ok()
    });
    list.elements()
        .iter()
        .map(|element| element.offset().to_raw().unwrap().max(0))
        .collect()
}

/// How many members `group` has, and whether it is done with sharing among them.
pub(crate) fn members(group: &str) -> (usize, bool) {
    let consumer: BaseConsumer = client().create().unwrap();
    let groups = eventually("the group's coordinator answers", || {
        let asked = consumer.fetch_group_list(Some(group), Duration::from_secs(5));
        asked.ok()
    });
    groups.groups().first().map_or((0, true), |group| {
        (group.members().len(), group.state() == "Stable")
    })
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

fn admin() -> (AdminClient<DefaultClientContext>, AdminOptions) {
    let options = AdminOptions::new()
        .operation_timeout(Some(PATIENCE))
        .request_timeout(Some(PATIENCE));
    (client().create().unwrap(), options)
}

/// A topic to be made.
pub(crate) struct Plan {
    name: String,
    partitions: i32,
    config: Vec<(&'static str, &'static str)>,
}

/// A topic with one partition, unless told otherwise.
pub(crate) fn topic(name: &str) -> Plan {
    Plan {
        name: unique(name),
        partitions: 1,
        // Records of tests have the times they were given: they are not to grow old, and may
        // be of any time to come, which Kafka refuses by default.
        config: vec![
            ("retention.ms", "-1"),
            ("message.timestamp.after.max.ms", "9223372036854775807"),
        ],
    }
}

impl Plan {
    pub(crate) fn partitions(mut self, partitions: i32) -> Self {
        self.partitions = partitions;
        self
    }

    pub(crate) fn config(mut self, name: &'static str, value: &'static str) -> Self {
        self.config.push((name, value));
        self
    }

    pub(crate) fn named(mut self, name: String) -> Self {
        self.name = name;
        self
    }

    pub(crate) fn create(self) -> Topic {
        let mut new = NewTopic::new(&self.name, self.partitions, TopicReplication::Fixed(-1));
        for (name, value) in &self.config {
            new = new.set(name, value);
        }
        let (admin, options) = admin();
        for result in block_on(admin.create_topics([&new], &options)).unwrap() {
            result.unwrap();
        }
        let topic = Topic(self.name);
        topic.until_it_has(self.partitions);
        topic
    }
}

/// A topic of one test.
pub(crate) struct Topic(String);

impl Deref for Topic {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<std::ffi::OsStr> for Topic {
    fn as_ref(&self) -> &std::ffi::OsStr {
        self.0.as_ref()
    }
}

/// A record as the independent client sees it; its offset is left out, because copies differ in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Record {
    pub(crate) partition: i32,
    pub(crate) timestamp: i64,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Record {
    /// Its value, which is text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.value.clone().unwrap()).unwrap()
    }

    /// Its key, which is text.
    pub(crate) fn key_text(&self) -> String {
        String::from_utf8(self.key.clone().unwrap()).unwrap()
    }
}

impl Topic {
    fn until_it_has(&self, partitions: i32) {
        let consumer: BaseConsumer = client().create().unwrap();
        eventually("the topic has its partitions", || {
            let metadata = consumer.fetch_metadata(Some(&self.0), PATIENCE).ok()?;
            let found = metadata.topics()[0].partitions();
            let led = found.iter().filter(|one| one.leader() >= 0).count();
            (i32::try_from(led) == Ok(partitions)).then_some(())
        });
    }

    pub(crate) fn add_partitions_up_to(&self, partitions: usize) {
        let (admin, options) = admin();
        let new = NewPartitions::new(&self.0, partitions);
        for result in block_on(admin.create_partitions([&new], &options)).unwrap() {
            result.unwrap();
        }
        self.until_it_has(i32::try_from(partitions).unwrap());
    }

    pub(crate) fn delete(&self) {
        let (admin, options) = admin();
        for result in block_on(admin.delete_topics(&[&self.0], &options)).unwrap() {
            result.unwrap();
        }
    }

    /// What retention does, now.
    pub(crate) fn delete_records_before(&self, partition: i32, offset: i64) {
        let (admin, options) = admin();
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&self.0, partition, Offset::Offset(offset))
            .unwrap();
        let deleted = block_on(admin.delete_records(&list, &options)).unwrap();
        for element in deleted.elements() {
            element.error().unwrap();
        }
    }

    /// First offset and end of a partition, open transactions included.
    pub(crate) fn watermarks(&self, partition: i32) -> (i64, i64) {
        let consumer = uncommitted();
        eventually("the partition answers", || {
            consumer
                .fetch_watermarks(&self.0, partition, Duration::from_secs(5))
                .ok()
        })
    }

    /// Waits until the log of all partitions together has passed `count` offsets.
    pub(crate) fn until_it_holds(&self, count: i64) {
        let consumer = uncommitted();
        let partitions = self.partitions(&consumer);
        eventually("the topic holds its records", || {
            let ends = partitions.iter().map(|partition| {
                consumer
                    .fetch_watermarks(&self.0, *partition, Duration::from_secs(5))
                    .map_or(0, |(_, end)| end)
            });
            (ends.sum::<i64>() >= count).then_some(())
        });
    }

    fn partitions(&self, consumer: &BaseConsumer) -> Vec<i32> {
        let metadata = consumer.fetch_metadata(Some(&self.0), PATIENCE).unwrap();
        metadata.topics()[0]
            .partitions()
            .iter()
            .map(rdkafka::metadata::MetadataPartition::id)
            .collect()
    }

    /// All committed records, by partition and offset.
    pub(crate) fn records(&self) -> Vec<Record> {
        self.read("read_committed")
    }

    /// All records, those of open and aborted transactions included.
    pub(crate) fn records_uncommitted(&self) -> Vec<Record> {
        self.read("read_uncommitted")
    }

    fn read(&self, isolation: &str) -> Vec<Record> {
        let consumer: BaseConsumer = client()
            .set("group.id", "unused")
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .set("isolation.level", isolation)
            .set("fetch.wait.max.ms", "20")
            .create()
            .unwrap();
        let partitions = self.partitions(&consumer);
        let mut list = TopicPartitionList::new();
        for partition in &partitions {
            list.add_partition_offset(&self.0, *partition, Offset::Beginning)
                .unwrap();
        }
        consumer.assign(&list).unwrap();
        let mut records = Vec::new();
        let mut open = partitions.len();
        while open > 0 {
            match consumer.poll(PATIENCE).expect("the log is read in time") {
                Ok(message) => {
                    records.push((message.partition(), message.offset(), read(&message)));
                }
                Err(KafkaError::PartitionEOF(_)) => open -= 1,
                // A broker that is just back is looked for again.
                Err(KafkaError::MessageConsumption(
                    Code::BrokerTransportFailure | Code::AllBrokersDown,
                )) => {}
                Err(error) => panic!("{error}"),
            }
        }
        records.sort_by_key(|(partition, offset, _)| (*partition, *offset));
        records.into_iter().map(|(_, _, record)| record).collect()
    }

    /// Adds `records`, and waits until they are acknowledged.
    pub(crate) fn append(&self, records: &[Record]) {
        let producer = producer();
        for record in records {
            send(&producer, self, record);
        }
        producer.flush(PATIENCE).unwrap();
        self.check_acknowledged(&producer, records.len());
    }

    fn check_acknowledged(&self, producer: &BaseProducer<Accounts>, count: usize) {
        let accounts = producer.context();
        let acknowledged = accounts.acknowledged.load(Ordering::Relaxed);
        assert_eq!(
            (acknowledged, accounts.failure.get()),
            (count, None),
            "records of {self} are not acknowledged"
        );
    }

    /// Adds records without a key to `partition`, whose values are these numbers.
    pub(crate) fn append_numbers(&self, partition: i32, numbers: std::ops::Range<i64>) {
        let records: Vec<_> = numbers.map(|number| number_in(partition, number)).collect();
        self.append(&records);
    }
}

/// A record whose value is a number.
pub(crate) fn number_in(partition: i32, number: i64) -> Record {
    Record {
        partition,
        timestamp: 1_763_668_800_000 + number,
        key: None,
        value: Some(number.to_string().into_bytes()),
        headers: Vec::new(),
    }
}

fn read(message: &rdkafka::message::BorrowedMessage<'_>) -> Record {
    let headers = message.headers().map_or_else(Vec::new, |headers| {
        headers
            .iter()
            .map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec)))
            .collect()
    });
    Record {
        partition: message.partition(),
        timestamp: message.timestamp().to_millis().unwrap(),
        key: message.key().map(<[u8]>::to_vec),
        value: message.payload().map(<[u8]>::to_vec),
        headers,
    }
}

/// What became of the records of a producer.
#[derive(Default)]
pub(crate) struct Accounts {
    acknowledged: AtomicUsize,
    failure: OnceLock<KafkaError>,
}

impl ClientContext for Accounts {}

impl ProducerContext for Accounts {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        match result {
            Ok(_) => {
                self.acknowledged.fetch_add(1, Ordering::Relaxed);
            }
            Err((error, _)) => {
                let _ = self.failure.set(error.clone());
            }
        }
    }
}

pub(crate) fn producer() -> BaseProducer<Accounts> {
    client()
        .set("enable.idempotence", "true")
        .set("queue.buffering.max.messages", "1000000")
        .create_with_context(Accounts::default())
        .unwrap()
}

/// A consumer that sees open transactions too.
fn uncommitted() -> BaseConsumer {
    client()
        .set("isolation.level", "read_uncommitted")
        .create()
        .unwrap()
}

/// Takes the place of whoever sends under this transactional id.
pub(crate) fn fence(id: &str) {
    let producer: BaseProducer = client().set("transactional.id", id).create().unwrap();
    producer.init_transactions(PATIENCE).unwrap();
}

/// A producer with a transaction that has begun.
pub(crate) fn transaction() -> BaseProducer {
    let producer: BaseProducer = client()
        .set("transactional.id", unique("transaction"))
        .create()
        .unwrap();
    producer.init_transactions(PATIENCE).unwrap();
    producer.begin_transaction().unwrap();
    producer
}

pub(crate) fn send<C>(producer: &BaseProducer<C>, topic: &str, record: &Record)
where
    C: ProducerContext<DeliveryOpaque = ()>,
{
    let headers = record
        .headers
        .iter()
        .fold(OwnedHeaders::new(), |headers, (key, value)| {
            headers.insert(Header {
                key,
                value: value.as_ref(),
            })
        });
    let mut outgoing = BaseRecord::<[u8], [u8]>::to(topic)
        .partition(record.partition)
        .timestamp(record.timestamp);
    if !record.headers.is_empty() {
        outgoing = outgoing.headers(headers);
    }
    if let Some(key) = &record.key {
        outgoing = outgoing.key(key);
    }
    if let Some(value) = &record.value {
        outgoing = outgoing.payload(value);
    }
    producer.send(outgoing).map_err(|(error, _)| error).unwrap();
}

/// A member of `group` that shares partitions in the old, eager way, once it has its share.
pub(crate) fn eager_member(group: &str, topic: &str) -> BaseConsumer {
    let consumer: BaseConsumer = client()
        .set("group.id", group)
        .set("partition.assignment.strategy", "range")
        .create()
        .unwrap();
    consumer.subscribe(&[topic]).unwrap();
    eventually("the eager member has its share", || {
        let _ = consumer.poll(Duration::from_millis(50));
        (consumer.assignment().unwrap().count() > 0).then_some(())
    });
    consumer
}

/// A member of `group` of the broker's own protocol (KIP-848), once it has its share.
pub(crate) fn member_of_new_protocol(group: &str, topic: &str) -> BaseConsumer {
    let consumer: BaseConsumer = client()
        .set("group.id", group)
        .set("group.protocol", "consumer")
        .create()
        .unwrap();
    consumer.subscribe(&[topic]).unwrap();
    eventually("the member has its share", || {
        let _ = consumer.poll(Duration::from_millis(50));
        (consumer.assignment().unwrap().count() > 0).then_some(())
    });
    consumer
}

/// Makes `group`, which has no members, go on at these offsets of a topic's partitions.
pub(crate) fn commit(group: &str, topic: &str, offsets: &[(i32, i64)]) {
    let consumer: BaseConsumer = client().set("group.id", group).create().unwrap();
    commit_as(&consumer, topic, offsets);
}

/// The same as a member.
pub(crate) fn commit_as(consumer: &BaseConsumer, topic: &str, offsets: &[(i32, i64)]) {
    let mut list = TopicPartitionList::new();
    for (partition, offset) in offsets {
        list.add_partition_offset(topic, *partition, Offset::Offset(*offset))
            .unwrap();
    }
    eventually("the group's coordinator takes the offsets", || {
        consumer.commit(&list, CommitMode::Sync).ok()
    });
}

/// Breaks and mends a node of the cluster.
pub(crate) fn node(action: &str, node: u32) {
    let status = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/ci/kafka-node"))
        .args([action, &node.to_string()])
        .status()
        .unwrap();
    assert!(status.success(), "ci/kafka-node {action} {node}");
}
