//! Sends records and reports the fate of each.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode as Code;
use rdkafka::{Offset, TopicPartitionList};

use super::client::{Client, Cluster, EAGER_CONNECTIONS, will_pass};
use super::error::{Cause, Error};
use super::ffi::{self, GroupMetadata, Role, Transaction, TransactionError};
use crate::record::Header;

pub(super) use super::ffi::Delivery;

/// Kafka's default for a topic's `max.message.bytes`, which bounds a whole batch.
const DEFAULT_TOPIC_LIMIT: usize = 1_048_588;

/// What a batch may hold at most: librdkafka's default `batch.size`.
const BATCH: usize = 1_000_000;

/// What may wait for acknowledgement, in KiB; more where a single record may be larger.
const QUEUE_KBYTES: usize = 8192;

/// Settings of producers that a user's properties override.
///
/// `murmur2_random` is Java's partitioner: the same key lands on the same
/// partition. The queue bounds memory: a record waits in it until acknowledged.
pub const DEFAULTS: [(&str, &str); 7] = [
    ("acks", "all"),
    ("enable.idempotence", "true"),
    ("partitioner", "murmur2_random"),
    ("compression.type", "lz4"),
    ("queue.buffering.max.messages", "20000"),
    ("topic.metadata.propagation.max.ms", "5000"),
    EAGER_CONNECTIONS,
];

/// How long a commit whose outcome is not known is asked for again.
const TRANSACTION_PATIENCE: Duration = Duration::from_mins(1);

/// How a producer is to behave.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `all`, `1` or `0`; anything but `all` gives up idempotence.
    pub acks: Option<String>,
    /// A codec's name.
    pub compression: Option<String>,
    /// How long a record may wait for its acknowledgement.
    pub delivery_timeout: Duration,
    /// How long a batch waits for company; zero for a single record.
    pub linger: Duration,
    /// The id under which all records are one transaction.
    pub transactional_id: Option<String>,
    /// How long the broker lets a transaction be open.
    pub transaction_timeout: Duration,
}

/// One record to send.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// `None` leaves the choice to the partitioner.
    pub partition: Option<i32>,
    /// Milliseconds since the epoch; `None` is now.
    pub timestamp: Option<i64>,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    pub headers: &'a [Header<'a>],
}

impl Outgoing<'_> {
    /// Its bytes as librdkafka counts them against its limit (`rd_kafka_msg_max_wire_size` and
    /// `rd_kafka_header_add` of 2.12.1).
    fn size(&self) -> usize {
        const OVERHEAD: usize = 36;
        let length = |bytes: Option<&[u8]>| bytes.map_or(0, <[u8]>::len);
        // Zigzag, of which a null's -1 takes a byte like a 0.
        let varint = |length: usize| (usize::BITS - (length << 1 | 1).leading_zeros()).div_ceil(7);
        let with_length = |bytes: usize| bytes + varint(bytes) as usize;
        let headers = self.headers.iter();
        let headers = headers
            .map(|header| with_length(header.name.len()) + with_length(length(header.value)));
        OVERHEAD + length(self.key) + length(self.value) + headers.sum::<usize>()
    }
}

/// How one record fared.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    /// The number that [`Producer::send`] was given.
    pub slot: usize,
    pub result: Result<Acknowledged, Refusal>,
    /// From sending to the acknowledgement, of one report in some.
    pub latency: Option<Duration>,
}

/// Where an acknowledged record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acknowledged {
    pub partition: i32,
    /// -1 when `acks` is 0.
    pub offset: i64,
    /// Milliseconds since the epoch; `None` on the built-in broker, which says of every record that
    /// it was appended at 1234 (`rdkafka_mock_handlers.c` of 2.12.1).
    pub timestamp: Option<i64>,
}

/// Why a record was not acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub code: Code,
    /// The log may hold the record all the same.
    pub maybe_persisted: bool,
    /// By how much the record is too large, where it was refused before it was sent.
    pub excess: Option<Excess>,
}

/// A record that is larger than what is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Excess {
    bytes: usize,
    limit: usize,
    /// The limit is the user's own, and not that of the topic.
    is_chosen: bool,
}

impl fmt::Display for Excess {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bytes, limit, .. } = self;
        write!(formatter, "too large: {bytes} bytes as it is sent, and ")?;
        if self.is_chosen {
            write!(
                formatter,
                "`message.max.bytes` is {limit}: raise it with `-X`"
            )
        } else {
            write!(
                formatter,
                "the topic takes {limit}: raise its `max.message.bytes`"
            )
        }
    }
}

impl Refusal {
    /// Of a record that was not sent.
    fn at_once(code: Code) -> Self {
        Self {
            code,
            maybe_persisted: false,
            excess: None,
        }
    }

    /// Kafka's name for it, such as `MSG_SIZE_TOO_LARGE`.
    pub fn name(self) -> &'static str {
        ffi::name(self.code)
    }

    /// Whether it is the record that is not taken, and not Kafka that is away or closed to us.
    pub fn is_of_record(self) -> bool {
        matches!(
            self.code,
            Code::MessageSizeTooLarge
                | Code::InvalidMessageSize
                | Code::InvalidRecord
                | Code::InvalidTimestamp
                | Code::QueueFull
        )
    }

    /// Whether only the company is at fault: another record of its batch is not taken (KIP-467).
    pub fn is_of_company(self) -> bool {
        self.code == Code::InvalidDifferentRecord
    }

    /// Whether Kafka was away or too slow, so that the same record may be taken later.
    pub fn may_pass(self) -> bool {
        self.code == Code::MessageTimedOut || will_pass(self.code)
    }

    /// The same as an error of `what` was asked.
    pub fn into_error(self, what: &str) -> Error {
        Error::other(what, self.code)
    }

    /// What to raise where it is too large, else librdkafka's words for it.
    pub fn text(self) -> String {
        match self.excess {
            Some(excess) => excess.to_string(),
            None if self.code == Code::MessageSizeTooLarge => {
                "larger than the topic takes: raise its `max.message.bytes`".to_owned()
            }
            None => Cause::from(self.code).to_string(),
        }
    }
}

/// Why a record was not taken.
#[derive(Clone, Debug)]
pub enum NotTaken {
    /// The queue is full: serve, then send the same record again.
    QueueFull,
    /// The topic lacks the partition that the record asks for.
    UnknownPartition { partitions: i32 },
    /// This record cannot be sent.
    Refused(Refusal),
    /// No record can be sent to this topic.
    Topic(Error),
    /// Kafka is away just now: the same record may be sent again.
    Unreachable(Error),
    /// The producer cannot go on.
    Fatal(Error),
}

/// A producer, or several where topics take batches of different sizes.
pub struct Producer {
    cluster: Cluster,
    settings: Settings,
    /// One client for each limit on a batch, in bytes.
    clients: Vec<(usize, Arc<Client>)>,
    /// Known topics, and where in `routes` each is.
    topics: HashMap<String, usize>,
    routes: Vec<(String, Result<Route, Error>)>,
    /// Which route the last record took: most often that of the next.
    last: usize,
    /// The broker knows the transactional id.
    has_id: bool,
    in_transaction: bool,
    in_flight: usize,
    /// Reports that came while something else was asked.
    early: Vec<Delivery>,
}

struct Route {
    client: Arc<Client>,
    topic: ffi::Topic,
    partitions: i32,
}

impl Producer {
    /// Makes a producer; connects when it meets its first topic.
    pub fn new(cluster: Cluster, settings: Settings) -> Result<Self, Error> {
        let mut producer = Self {
            cluster,
            settings,
            clients: Vec::new(),
            topics: HashMap::new(),
            routes: Vec::new(),
            last: 0,
            has_id: false,
            in_transaction: false,
            in_flight: 0,
            early: Vec::new(),
        };
        producer.client(DEFAULT_TOPIC_LIMIT)?;
        Ok(producer)
    }

    /// The client whose batches stay within `limit` bytes.
    fn client(&mut self, limit: usize) -> Result<Arc<Client>, Error> {
        if let Some((_, client)) = self.clients.iter().find(|(known, _)| *known == limit) {
            return Ok(client.clone());
        }
        let settings = &self.settings;
        let timeout = settings.delivery_timeout.as_millis().to_string();
        let linger = settings.linger.as_millis().to_string();
        let transaction = settings.transaction_timeout.as_millis().to_string();
        let (batch, limit_text) = (limit.min(BATCH).to_string(), limit.to_string());
        let queue = (limit / 1024 * 2).max(QUEUE_KBYTES).to_string();
        let mut defaults = DEFAULTS.to_vec();
        defaults.extend([
            ("message.timeout.ms", timeout.as_str()),
            ("linger.ms", linger.as_str()),
            ("batch.size", batch.as_str()),
            ("message.max.bytes", limit_text.as_str()),
            ("queue.buffering.max.kbytes", queue.as_str()),
        ]);
        let mut fixed = Vec::new();
        if let Some(codec) = &settings.compression {
            fixed.push(("compression.type", codec.as_str()));
        }
        if let Some(acks) = settings.acks.as_deref().filter(|acks| *acks != "all") {
            fixed.extend([("acks", acks), ("enable.idempotence", "false")]);
        }
        if let Some(id) = &settings.transactional_id {
            defaults.push(("transaction.timeout.ms", &transaction));
            fixed.push(("transactional.id", id));
        }
        let client = Client::new(&self.cluster, Role::Producer, &defaults, &fixed)?;
        self.clients.push((limit, client.clone()));
        Ok(client)
    }

    /// Finds out about `topic`, and with `ask_limit` how large its batches may be.
    ///
    /// A client asks for its idempotent producer id when metadata arrives from a
    /// broker that counts as connected already, else only half a second later: the
    /// second of two requests finds it connected.
    pub fn prepare(&mut self, topic: &str, ask_limit: bool) -> Result<(), Error> {
        if let Some(route) = self.topics.get(topic) {
            let (_, route) = &self.routes[*route];
            return route.as_ref().map(|_| ()).map_err(Error::clone);
        }
        let first = self.routes.is_empty();
        let route = self.route(topic, ask_limit, first);
        let told = route.as_ref().map(|_| ()).map_err(Error::clone);
        // Nothing is concluded about a topic from a connection that failed.
        if !matches!(route, Err(Error::Unreachable { .. })) {
            self.topics.insert(topic.to_owned(), self.routes.len());
            self.routes.push((topic.to_owned(), route));
        }
        told
    }

    fn route(&mut self, topic: &str, ask_limit: bool, first: bool) -> Result<Route, Error> {
        let mut client = self.clients[0].1.clone();
        let mut metadata = client.topic(topic)?;
        if first {
            metadata = client.topic(topic)?;
        }
        let chosen = self.cluster.properties.contains_key("message.max.bytes");
        if ask_limit && !chosen {
            let limit = topic_limit(&client, topic);
            let in_transaction = self.settings.transactional_id.is_some();
            if limit != DEFAULT_TOPIC_LIMIT && in_transaction && first {
                // A transaction belongs to one client, so its first topic decides.
                self.clients.clear();
                client = self.client(limit)?;
                client.topic(topic)?;
                self.has_id = false;
                if std::mem::take(&mut self.in_transaction) {
                    self.begin_transaction()?;
                }
            } else if !in_transaction && limit != DEFAULT_TOPIC_LIMIT {
                client = self.client(limit)?;
                client.topic(topic)?;
            }
        }
        let handle = ffi::Topic::new(&client.native, topic)
            .map_err(|error| Error::other(format!("use topic `{topic}`"), error))?;
        Ok(Route {
            client,
            topic: handle,
            partitions: metadata.partitions,
        })
    }

    /// Takes `record`; its [`Report`] will carry `slot`.
    pub fn send(
        &mut self,
        topic: &str,
        record: &Outgoing<'_>,
        slot: usize,
    ) -> Result<(), NotTaken> {
        if self
            .routes
            .get(self.last)
            .is_none_or(|(last, _)| last != topic)
        {
            let was_there = !self.routes.is_empty();
            self.prepare(topic, true).map_err(|error| match error {
                Error::Unreachable { .. } if was_there => NotTaken::Unreachable(error),
                Error::Unreachable { .. } | Error::Interrupted => NotTaken::Fatal(error),
                error => NotTaken::Topic(error),
            })?;
            self.last = self.topics[topic];
        }
        let route = match &self.routes[self.last].1 {
            Ok(route) => route,
            Err(error) => return Err(NotTaken::Topic(error.clone())),
        };
        if let Some(partition) = record.partition
            && partition >= route.partitions
        {
            return Err(NotTaken::UnknownPartition {
                partitions: route.partitions,
            });
        }
        match ffi::produce(&route.client.native, &route.topic, record, slot) {
            Ok(()) => {
                self.in_flight += 1;
                Ok(())
            }
            // Nothing waits that could make room: the record alone is too large.
            Err(Code::QueueFull) if ffi::held(&route.client.native) == 0 => {
                Err(NotTaken::Refused(Refusal::at_once(Code::QueueFull)))
            }
            Err(Code::QueueFull) => Err(NotTaken::QueueFull),
            Err(Code::Fatal) => {
                Err(NotTaken::Fatal(route.client.decided().unwrap_or_else(
                    || Error::other("go on sending", Code::Fatal),
                )))
            }
            Err(code) => Err(NotTaken::Refused(self.refusal(code, record, &route.client))),
        }
    }

    /// Why `client` did not take `record`.
    fn refusal(&self, code: Code, record: &Outgoing<'_>, client: &Arc<Client>) -> Refusal {
        let chosen = self.cluster.properties.get("message.max.bytes");
        let of_client = || {
            let mut clients = self.clients.iter();
            clients.find_map(|(limit, known)| Arc::ptr_eq(known, client).then_some(*limit))
        };
        let limit = chosen.map_or_else(of_client, |limit| limit.parse().ok());
        let excess = limit
            .filter(|_| code == Code::MessageSizeTooLarge)
            .map(|limit| Excess {
                bytes: record.size(),
                limit,
                is_chosen: chosen.is_some(),
            });
        Refusal {
            excess,
            ..Refusal::at_once(code)
        }
    }

    /// Takes the first of `records`, which have neither headers nor a timestamp, as far as there is
    /// room; says how many have their fate now or will have a [`Report`], from `first_slot` on.
    ///
    /// `refused` is told of those that will not. What is left is for [`Producer::send`], also all
    /// of it while nothing is known of the topic.
    pub fn send_together(
        &mut self,
        topic: &str,
        records: &[Outgoing<'_>],
        first_slot: usize,
        mut refused: impl FnMut(usize, Refusal),
    ) -> usize {
        let Some((known, Ok(route))) = self.routes.get(self.last) else {
            return 0;
        };
        let has_partition = |record: &Outgoing<'_>| {
            let partition = record.partition;
            partition.is_none_or(|partition| partition < route.partitions)
        };
        if known != topic || !records.iter().all(has_partition) {
            return 0;
        }
        let mut settled = 0;
        for result in ffi::produce_together(&route.topic, records, first_slot) {
            match result {
                Ok(()) => self.in_flight += 1,
                Err(Code::QueueFull | Code::Fatal) => break,
                Err(code) => refused(
                    first_slot + settled,
                    self.refusal(code, &records[settled], &route.client),
                ),
            }
            settled += 1;
        }
        settled
    }

    /// Records sent and not yet reported.
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Hands on the reports there are; waits up to `timeout` for the first.
    pub fn serve(&mut self, timeout: Duration, mut report: impl FnMut(Report)) {
        let mut timeout = timeout / u32::try_from(self.clients.len()).unwrap_or(1);
        let in_flight = &mut self.in_flight;
        let mut hand_on = |client: &Client, delivery: Delivery| {
            *in_flight -= 1;
            let is_made_up = delivery.of_broker && client.has_shown_built_in_broker();
            report(Report {
                slot: delivery.slot,
                latency: delivery.latency,
                result: match delivery.result {
                    Ok(()) => Ok(Acknowledged {
                        partition: delivery.partition,
                        offset: delivery.offset,
                        timestamp: (!is_made_up).then_some(delivery.timestamp),
                    }),
                    Err(code) => Err(Refusal {
                        code,
                        maybe_persisted: delivery.maybe_persisted,
                        excess: None,
                    }),
                },
            });
        };
        for (_, client) in &self.clients {
            client.take_early(&mut self.early);
            if !self.early.is_empty() {
                timeout = Duration::ZERO;
            }
            let early = self.early.drain(..);
            early.for_each(|delivery| hand_on(client, delivery));
            client.serve(timeout, |delivery| hand_on(client, delivery));
        }
    }

    /// Waits up to `timeout` for reports and keeps them for [`Producer::serve`].
    ///
    /// Makes room in the queue, where a record counts until its report is taken.
    pub fn serve_keeping(&mut self, timeout: Duration) {
        for (_, client) in &self.clients {
            client.serve_keeping(timeout);
        }
    }

    /// Why nothing more can be sent, if so.
    pub fn decided(&self) -> Option<Error> {
        self.clients.iter().find_map(|(_, client)| client.decided())
    }

    /// Gives up what was sent and not acknowledged; the reports of it still come.
    pub fn purge(&self) {
        for (_, client) in &self.clients {
            ffi::purge(&client.native);
        }
    }

    /// Begins the transaction that everything sent from now on belongs to.
    pub fn begin_transaction(&mut self) -> Result<(), Error> {
        self.identify()?;
        self.transact(Transaction::Begin, "begin a transaction")?;
        self.in_transaction = true;
        Ok(())
    }

    /// Makes the transactional id known to the broker, if it is not; an earlier transaction under it
    /// has ended then, one way or the other, and its offsets can be read.
    pub fn identify(&mut self) -> Result<(), Error> {
        if !self.has_id {
            // Without a connection the first step would take its whole time to say so.
            self.clients[0].1.topics()?;
            self.transact(Transaction::Init, "begin a transaction")?;
            self.has_id = true;
        }
        Ok(())
    }

    /// Begins anew with another client, of which nothing was asked yet: the last one cannot go on.
    pub fn renew(&mut self) -> Result<(), Error> {
        *self = Self::new(self.cluster.clone(), self.settings.clone())?;
        Ok(())
    }

    /// Whether a transaction was begun and has not ended.
    pub fn is_in_transaction(&self) -> bool {
        self.in_transaction
    }

    /// Ends the transaction: all of it becomes visible at once. Everything must be acknowledged.
    ///
    /// Nothing can be sent by this producer after it.
    pub fn commit_transaction(&mut self) -> Result<(), Error> {
        self.transact(Transaction::Commit, "commit the transaction")?;
        self.in_transaction = false;
        if let Err(error) = self.until_visible() {
            tracing::info!("it is committed, but may not be visible yet: {error}");
        }
        Ok(())
    }

    /// Waits until consumers see what was committed.
    ///
    /// A commit is answered when it is decided, before its markers are in the partitions (KIP-98), and
    /// until then those end in front of it. Who asks for the same transactional id is answered after.
    pub fn until_visible(&self) -> Result<(), Error> {
        Self::new(self.cluster.clone(), self.settings.clone())?.identify()
    }

    /// Ends the transaction, and commits with it what was consumed for it: both or neither.
    ///
    /// Each offset is that of the next record wanted. Fails when `group` is no longer the group
    /// that it was (KIP-447).
    pub fn commit_with(
        &mut self,
        offsets: &[((String, i32), i64)],
        group: GroupMetadata,
    ) -> Result<(), CommitError> {
        let what = "commit the transaction";
        let mut list = TopicPartitionList::with_capacity(offsets.len());
        for ((topic, partition), offset) in offsets {
            list.add_partition_offset(topic, *partition, Offset::Offset(*offset))
                .map_err(|error| CommitError::Aborted(Error::other(what, error)))?;
        }
        self.in_background(what, move |client, timeout| {
            ffi::send_offsets(client, &list, &group, timeout)
        })
        .map_err(|failure| CommitError::Aborted(failure.error))?;
        let start = Instant::now();
        loop {
            let step = self.in_background(what, |client, timeout| {
                ffi::transaction(client, Transaction::Commit, timeout)
            });
            match step {
                Ok(()) => break,
                Err(failure) if failure.retriable && start.elapsed() < TRANSACTION_PATIENCE => {}
                Err(failure) if failure.abortable => {
                    return Err(CommitError::Aborted(failure.error));
                }
                Err(failure) => return Err(CommitError::Unknown(failure.error)),
            }
        }
        self.in_transaction = false;
        Ok(())
    }

    /// Ends the transaction: none of it ever becomes visible.
    pub fn abort_transaction(&mut self) -> Result<(), Error> {
        self.in_transaction = false;
        self.transact(Transaction::Abort, "abort the transaction")
    }

    fn transact(&mut self, step: Transaction, what: &str) -> Result<(), Error> {
        self.in_background(what, move |client, timeout| {
            ffi::transaction(client, step, timeout)
        })
        .map_err(|failure| failure.error)
    }

    /// Takes one step, which librdkafka does in the background while events are served here.
    fn in_background(
        &mut self,
        what: &str,
        step: impl FnOnce(
            &rdkafka::client::Client<super::context::Context>,
            Duration,
        ) -> Result<(), TransactionError>
        + Send
        + 'static,
    ) -> Result<(), StepFailure> {
        let client = self.clients[0].1.clone();
        let asked = client.clone();
        let worker = std::thread::spawn(move || step(&asked.native, Duration::from_secs(30)));
        let start = Instant::now();
        while !worker.is_finished() {
            client.serve_keeping(Duration::from_millis(1));
            if start.elapsed() > super::CONNECT_TIMEOUT
                && let Some(error) = client.decided()
            {
                return Err(StepFailure {
                    error,
                    retriable: false,
                    abortable: false,
                });
            }
        }
        let failed = |error: Error, retriable, abortable| StepFailure {
            error,
            retriable,
            abortable,
        };
        match worker.join() {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(failed(
                Error::other(what, error.code),
                error.retriable,
                error.abortable,
            )),
            Err(_) => Err(failed(
                Error::other(what, KafkaError::Canceled),
                false,
                false,
            )),
        }
    }
}

/// How large a batch `topic` takes, in bytes.
fn topic_limit(client: &Client, topic: &str) -> usize {
    const TIMEOUT: Duration = Duration::from_secs(1);
    // A request that the built-in broker lacks would take its whole time.
    if client.is_built_in_broker() != Some(false) {
        return DEFAULT_TOPIC_LIMIT;
    }
    let asked = [(topic, vec!["max.message.bytes"])];
    let answer = ffi::admin::describe_configs(&client.native, &asked, TIMEOUT)
        .ok()
        .and_then(|request| request.answer(TIMEOUT));
    let entries = answer.iter().flat_map(ffi::admin::Answer::configs);
    entries
        .flat_map(|(_, entries)| entries)
        .find_map(|entry| entry.value?.parse::<usize>().ok())
        // librdkafka takes no other values.
        .map_or(DEFAULT_TOPIC_LIMIT, |limit| {
            limit.clamp(1000, 1_000_000_000)
        })
}

/// Why a step of a transaction was not taken.
struct StepFailure {
    error: Error,
    retriable: bool,
    abortable: bool,
}

/// Why a transaction was not committed.
#[derive(Debug)]
pub enum CommitError {
    /// It is to be aborted; what it was about may be tried again.
    Aborted(Error),
    /// Nobody here knows whether it was: the group's offsets will tell the next who reads them.
    Unknown(Error),
}
