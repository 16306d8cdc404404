//! The only unsafe code: librdkafka's queues, messages and produce call, and its admin requests.
//!
//! The crate's own poll loops return one record at a time, name no topic when a
//! partition ends, and (for producers) always wait their whole timeout. Here are
//! safe wrappers for what lies under them. Every pointer is owned by exactly one
//! type and freed when that is dropped; what is borrowed carries a lifetime.
#![allow(unsafe_code)]

pub(super) mod admin;
pub(super) mod groups;

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr::{self, NonNull};
use std::slice;
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::bindings as rd;
use rdkafka::client::Client;
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::types::{RDKafkaErrorCode, RDKafkaType};

use super::context::Context;
use super::producer::Outgoing;
use crate::record::{Header, Record, Timestamp, TimestampKind};

/// `RD_KAFKA_PARTITION_UA`, a macro in C: the partitioner chooses.
const PARTITION_UNASSIGNED: i32 = -1;

/// Which side of Kafka a client is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Producer,
    /// Reads partitions it chose itself.
    Reader,
    /// Reads what its group gives it.
    Member,
    /// Reads nothing; is told how its connections are.
    Probe,
}

/// Makes a client whose log lines, errors, token requests and delivery reports
/// arrive as [`Event`]s on [`Queue::main`].
pub(super) fn client(
    config: &ClientConfig,
    role: Role,
    context: Context,
) -> KafkaResult<Client<Context>> {
    let native = config.create_native_config()?;
    let mut events = rd::RD_KAFKA_EVENT_LOG | rd::RD_KAFKA_EVENT_ERROR;
    if context.has_token_source() {
        events |= rd::RD_KAFKA_EVENT_OAUTHBEARER_TOKEN_REFRESH;
    }
    if role == Role::Producer {
        events |= rd::RD_KAFKA_EVENT_DR;
    }
    if role == Role::Probe {
        events |= rd::RD_KAFKA_EVENT_STATS;
    }
    // SAFETY: `native` is a live configuration that `Client::new` consumes after us.
    unsafe {
        rd::rd_kafka_conf_set_events(native.ptr(), events);
        if role == Role::Member {
            rd::rd_kafka_conf_set_rebalance_cb(native.ptr(), Some(rebalance));
        }
    }
    let kind = match role {
        Role::Producer => RDKafkaType::RD_KAFKA_PRODUCER,
        Role::Reader | Role::Member | Role::Probe => RDKafkaType::RD_KAFKA_CONSUMER,
    };
    Client::new(config, native, kind, context)
}

/// Runs on the thread that takes messages, inside `rd_kafka_consume_batch_queue`,
/// and in `rd_kafka_consumer_close`.
unsafe extern "C" fn rebalance(
    client: *mut rd::rd_kafka_t,
    error: rd::rd_kafka_resp_err_t,
    partitions: *mut rd::rd_kafka_topic_partition_list_t,
    opaque: *mut c_void,
) {
    // SAFETY: `Client::new` sets the opaque to the context's address and keeps
    // the context alive for as long as the client; the list outlives this call.
    let (context, partitions) = unsafe {
        (
            &*opaque.cast::<Context>().cast_const(),
            elements((*partitions).elems, count((*partitions).cnt)),
        )
    };
    let partitions: Vec<(String, i32)> = partitions
        .iter()
        // SAFETY: librdkafka's topic names are NUL-terminated.
        .map(|element| unsafe { (text(element.topic).into_owned(), element.partition) })
        .collect();
    let group = Group(client);
    if error == rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
        context.assigned(group, &partitions);
    } else {
        context.revoked(group, &partitions);
    }
}

/// A consumer's membership in its group.
#[derive(Clone, Copy)]
pub(super) struct Group(*mut rd::rd_kafka_t);

// SAFETY: librdkafka's calls on a client may come from any thread.
unsafe impl Send for Group {}
// SAFETY: as above.
unsafe impl Sync for Group {}

impl Group {
    /// Whether the client was thrown out, so that a commit would be too late.
    pub(super) fn assignment_lost(self) -> bool {
        // SAFETY: a `Group` is only made of a live client.
        unsafe { rd::rd_kafka_assignment_lost(self.0) != 0 }
    }

    fn is_cooperative(self) -> bool {
        // SAFETY: as above; the text is static.
        unsafe { text(rd::rd_kafka_rebalance_protocol(self.0)) == "COOPERATIVE" }
    }

    /// Begins to fetch `partitions`, each from its offset.
    pub(super) fn assign(self, partitions: &TopicPartitionList) -> KafkaResult<()> {
        // SAFETY: client and list live; the incremental call hands out an error to free.
        unsafe {
            if self.is_cooperative() {
                outcome(rd::rd_kafka_incremental_assign(self.0, partitions.ptr()))
            } else {
                resolve(rd::rd_kafka_assign(self.0, partitions.ptr()))
            }
        }
    }

    /// Lets `partitions` go; in the eager protocol that is all of them.
    pub(super) fn unassign(self, partitions: &TopicPartitionList) -> KafkaResult<()> {
        // SAFETY: as in `assign`.
        unsafe {
            if self.is_cooperative() {
                outcome(rd::rd_kafka_incremental_unassign(self.0, partitions.ptr()))
            } else {
                resolve(rd::rd_kafka_assign(self.0, ptr::null()))
            }
        }
    }

    /// Fills in the offsets that the group has committed for `partitions`.
    pub(super) fn committed(
        self,
        partitions: &TopicPartitionList,
        timeout: Duration,
    ) -> KafkaResult<()> {
        // SAFETY: client and list live; the list is updated in place before return.
        unsafe {
            resolve(rd::rd_kafka_committed(
                self.0,
                partitions.ptr(),
                millis(timeout),
            ))
        }
    }

    /// Begins again to fetch one of the partitions held, at `offset`.
    pub(super) fn restart(self, topic: &str, partition: i32, offset: i64) -> KafkaResult<()> {
        let mut list = TopicPartitionList::with_capacity(1);
        list.add_partition_offset(topic, partition, rdkafka::Offset::Offset(offset))?;
        if self.is_cooperative() {
            self.unassign(&list)?;
            return self.assign(&list);
        }
        let topic = CString::new(topic)?;
        let mut held = ptr::null_mut();
        // SAFETY: client and topic live; the list is ours to free once it was made.
        unsafe {
            // The eager protocol only knows all of them at once, each with where it is.
            resolve(rd::rd_kafka_assignment(self.0, &raw mut held))?;
            let assigned = resolve(rd::rd_kafka_position(self.0, held))
                .and_then(|()| {
                    resolve(rd::rd_kafka_topic_partition_list_set_offset(
                        held,
                        topic.as_ptr(),
                        partition,
                        offset,
                    ))
                })
                .and_then(|()| resolve(rd::rd_kafka_assign(self.0, held)));
            rd::rd_kafka_topic_partition_list_destroy(held);
            assigned
        }
    }

    /// Commits `offsets` and waits for the broker's answer.
    pub(super) fn commit(self, offsets: &TopicPartitionList) -> KafkaResult<()> {
        // SAFETY: client and list live for the call.
        unsafe { resolve(rd::rd_kafka_commit(self.0, offsets.ptr(), 0)) }
    }
}

/// Who a member is to its group: consumed offsets in a transaction are refused when it is no longer.
pub struct GroupMetadata(NonNull<rd::rd_kafka_consumer_group_metadata_t>);

// SAFETY: a copy of names and numbers, bound to no thread.
unsafe impl Send for GroupMetadata {}

impl Drop for GroupMetadata {
    fn drop(&mut self) {
        // SAFETY: made by `group_metadata`, once.
        unsafe { rd::rd_kafka_consumer_group_metadata_destroy(self.0.as_ptr()) }
    }
}

/// Who `client` is to its group at this moment; `None` unless it is a member.
///
/// A broker takes offsets of nobody in particular (generation -1) from everybody, so these are
/// never handed out.
pub(super) fn group_metadata(client: &Client<Context>) -> Option<GroupMetadata> {
    // SAFETY: the client lives; what is returned is ours, and lives while it is asked.
    unsafe {
        let group = rd::rd_kafka_consumer_group_metadata(client.native_ptr());
        let group = GroupMetadata(NonNull::new(group)?);
        let generation = rd::rd_kafka_consumer_group_metadata_generation_id(group.0.as_ptr());
        let member = text(rd::rd_kafka_consumer_group_metadata_member_id(
            group.0.as_ptr(),
        ));
        let is_member = generation >= 0 && !member.is_empty();
        drop(member);
        is_member.then_some(group)
    }
}

/// Makes `offsets` of `group` part of the producer's transaction.
pub(super) fn send_offsets(
    producer: &Client<Context>,
    offsets: &TopicPartitionList,
    group: &GroupMetadata,
    timeout: Duration,
) -> Result<(), TransactionError> {
    // SAFETY: all three live for the call, which hands out an error to free.
    unsafe {
        transaction_outcome(rd::rd_kafka_send_offsets_to_transaction(
            producer.native_ptr(),
            offsets.ptr(),
            group.0.as_ptr(),
            millis(timeout),
        ))
    }
}

/// The end of a partition as the last fetch told it, without asking; `None` before the first.
pub(super) fn known_end(client: &Client<Context>, topic: &str, partition: i32) -> Option<i64> {
    let topic = CString::new(topic).ok()?;
    let (mut low, mut high) = (0, 0);
    // SAFETY: client and topic live for the call, which writes both numbers.
    let code = unsafe {
        rd::rd_kafka_get_watermark_offsets(
            client.native_ptr(),
            topic.as_ptr(),
            partition,
            &raw mut low,
            &raw mut high,
        )
    };
    (resolve(code).is_ok() && high >= 0).then_some(high)
}

/// The membership of `client`, which must have been made as [`Role::Member`].
pub(super) fn group(client: &Client<Context>) -> Group {
    Group(client.native_ptr())
}

/// Joins the group for `topics`; a name that begins with `^` is a regular expression.
pub(super) fn subscribe(client: &Client<Context>, topics: &TopicPartitionList) -> KafkaResult<()> {
    // SAFETY: both live for the call.
    unsafe { resolve(rd::rd_kafka_subscribe(client.native_ptr(), topics.ptr())) }
}

/// Stays without topics: gives up every partition and leaves the group until the next [`subscribe`].
pub(super) fn unsubscribe(client: &Client<Context>) -> KafkaResult<()> {
    // SAFETY: the client lives for the call.
    unsafe { resolve(rd::rd_kafka_unsubscribe(client.native_ptr())) }
}

/// Leaves the group; serves the last revocation on this thread.
pub(super) fn close(client: &Client<Context>) -> KafkaResult<()> {
    // SAFETY: the client lives and closes once.
    unsafe { resolve(rd::rd_kafka_consumer_close(client.native_ptr())) }
}

/// Looks up offsets for all `partitions` at once, one request for each leader.
///
/// Each partition's offset goes in as a time in milliseconds, or -1 for the end
/// and -2 for the beginning (the `ListOffsets` request's own values), and comes out
/// as the offset found.
pub(super) fn offsets_for_times(
    client: &Client<Context>,
    partitions: &TopicPartitionList,
    timeout: Duration,
) -> KafkaResult<()> {
    // SAFETY: client and list live; the list is updated in place before return.
    unsafe {
        resolve(rd::rd_kafka_offsets_for_times(
            client.native_ptr(),
            partitions.ptr(),
            millis(timeout),
        ))
    }
}

/// A queue of messages and events.
pub(super) struct Queue(NonNull<rd::rd_kafka_queue_t>);

// SAFETY: librdkafka's queues lock themselves.
unsafe impl Send for Queue {}
// SAFETY: as above.
unsafe impl Sync for Queue {}

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: we hold one reference.
        unsafe { rd::rd_kafka_queue_destroy(self.0.as_ptr()) }
    }
}

impl Queue {
    /// The client's own queue: log lines, errors, token requests, delivery reports.
    pub(super) fn main(client: &Client<Context>) -> Self {
        // SAFETY: the client lives; the reference returned is ours.
        unsafe { Self::own(rd::rd_kafka_queue_get_main(client.native_ptr())) }
    }

    /// The queue that a group member's records and rebalances arrive on.
    pub(super) fn consumer(client: &Client<Context>) -> Self {
        // SAFETY: as above.
        unsafe { Self::own(rd::rd_kafka_queue_get_consumer(client.native_ptr())) }
    }

    /// A queue for partitions that are read without a group.
    pub(super) fn new(client: &Client<Context>) -> Self {
        // SAFETY: as above.
        unsafe { Self::own(rd::rd_kafka_queue_new(client.native_ptr())) }
    }

    unsafe fn own(queue: *mut rd::rd_kafka_queue_t) -> Self {
        Self(NonNull::new(queue).expect("librdkafka aborts rather than return no queue"))
    }

    /// Appends up to `limit` messages; returns as soon as there is one, or after `timeout`.
    ///
    /// `rd_kafka_consume_batch_queue` waits until the batch is full or the time is
    /// up, so it is asked for what is there, and only when that is nothing for one.
    pub(super) fn take(&self, messages: &mut Messages, limit: usize, timeout: Duration) {
        if self.take_within(messages, limit, 0) == 0 && !timeout.is_zero() {
            self.take_within(messages, 1, millis(timeout));
        }
    }

    fn take_within(&self, messages: &mut Messages, limit: usize, timeout: c_int) -> usize {
        messages.0.reserve(limit);
        let spare = messages.0.spare_capacity_mut();
        // SAFETY: the spare capacity holds at least `limit` pointers; librdkafka
        // writes as many as it returns and gives them to us to destroy.
        let taken = unsafe {
            rd::rd_kafka_consume_batch_queue(
                self.0.as_ptr(),
                timeout,
                spare.as_mut_ptr().cast(),
                limit,
            )
        };
        let taken = usize::try_from(taken).unwrap_or(0);
        // SAFETY: that many were written just now.
        unsafe { messages.0.set_len(messages.0.len() + taken) };
        taken
    }

    /// The next event, if there is one before `timeout`.
    pub(super) fn event(&self, timeout: Duration) -> Option<Event> {
        // SAFETY: the queue lives; the event is ours to destroy.
        let event = unsafe { rd::rd_kafka_queue_poll(self.0.as_ptr(), millis(timeout)) };
        NonNull::new(event).map(Event)
    }
}

/// Messages taken from a queue; their bytes stay in librdkafka's buffers.
#[derive(Default)]
pub struct Messages(Vec<NonNull<rd::rd_kafka_message_t>>);

// SAFETY: a message belongs to whoever took it; no thread is named in it.
unsafe impl Send for Messages {}

impl Drop for Messages {
    fn drop(&mut self) {
        for message in &self.0 {
            // SAFETY: each was given to us by `consume_batch_queue`, once.
            unsafe { rd::rd_kafka_message_destroy(message.as_ptr()) }
        }
    }
}

impl Messages {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Lets go of the messages that are not wanted.
    pub(super) fn retain(&mut self, mut wanted: impl FnMut(Message<'_>) -> bool) {
        self.0.retain(|message| {
            // SAFETY: the message lives until it is destroyed here, where it leaves the list.
            unsafe {
                let wanted = wanted(Message(message.as_ref()));
                if !wanted {
                    rd::rd_kafka_message_destroy(message.as_ptr());
                }
                wanted
            }
        });
    }

    /// The messages in the order in which they were taken.
    pub fn iter(&self) -> impl Iterator<Item = Message<'_>> {
        // SAFETY: the messages live as long as `self`.
        self.0
            .iter()
            .map(|message| Message(unsafe { message.as_ref() }))
    }
}

impl IntoIterator for Messages {
    type Item = Taken;
    type IntoIter = std::iter::Map<
        std::vec::IntoIter<NonNull<rd::rd_kafka_message_t>>,
        fn(NonNull<rd::rd_kafka_message_t>) -> Taken,
    >;

    fn into_iter(mut self) -> Self::IntoIter {
        std::mem::take(&mut self.0).into_iter().map(Taken)
    }
}

/// A message on its own, for who keeps some longer than others.
pub struct Taken(NonNull<rd::rd_kafka_message_t>);

// SAFETY: a message belongs to whoever took it; no thread is named in it.
unsafe impl Send for Taken {}

impl Drop for Taken {
    fn drop(&mut self) {
        // SAFETY: it was given to us by `consume_batch_queue`, once, and left its list.
        unsafe { rd::rd_kafka_message_destroy(self.0.as_ptr()) }
    }
}

impl Taken {
    /// Looks at the message.
    pub fn message(&self) -> Message<'_> {
        // SAFETY: the message lives as long as `self`.
        Message(unsafe { self.0.as_ref() })
    }
}

/// One message, or one error in a message's place.
#[derive(Clone, Copy)]
pub struct Message<'a>(&'a rd::rd_kafka_message_t);

impl<'a> Message<'a> {
    /// Why this is no record, and librdkafka's words for it.
    pub fn error(self) -> Option<(RDKafkaErrorCode, String)> {
        (self.0.err != rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR).then(|| {
            // SAFETY: an error's payload is its text, NUL-terminated, or null.
            let text = unsafe { text(rd::rd_kafka_message_errstr(self.0)) };
            (self.0.err.into(), text.into_owned())
        })
    }

    /// The topic's name; empty for an error that concerns no topic.
    pub fn topic(self) -> &'a str {
        if self.0.rkt.is_null() {
            return "";
        }
        // SAFETY: the message keeps its topic alive; the broker refuses names
        // that are not ASCII letters, digits, `.`, `_` and `-`.
        let name = unsafe { CStr::from_ptr(rd::rd_kafka_topic_name(self.0.rkt)) };
        name.to_str().unwrap_or_default()
    }

    pub fn partition(self) -> i32 {
        self.0.partition
    }

    pub fn offset(self) -> i64 {
        self.0.offset
    }

    /// Bytes of key and value together.
    pub fn size(self) -> usize {
        self.0.len + self.0.key_len
    }

    /// Looks at the message as a record; `headers` lends the room for its headers.
    pub fn record<'b>(self, headers: &'b mut Vec<Header<'a>>) -> Record<'b>
    where
        'a: 'b,
    {
        self.read_headers(headers);
        Record {
            topic: self.topic(),
            partition: self.0.partition,
            offset: self.0.offset,
            timestamp: self.timestamp(),
            // SAFETY: key and payload stay as they are while the message lives.
            key: unsafe { bytes(self.0.key, self.0.key_len) },
            value: unsafe { bytes(self.0.payload, self.0.len) },
            headers,
        }
    }

    fn timestamp(self) -> Option<Timestamp> {
        let mut kind = rd::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the message lives; the kind is written before return.
        let millis = unsafe { rd::rd_kafka_message_timestamp(self.0, &raw mut kind) };
        let kind = match kind {
            rd::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_CREATE_TIME => TimestampKind::Create,
            rd::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME => {
                TimestampKind::LogAppend
            }
            rd::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE => return None,
        };
        Some(Timestamp { millis, kind })
    }

    /// The crate's header iterator panics on a name that is not UTF-8, so names are read as bytes.
    fn read_headers(self, into: &mut Vec<Header<'a>>) {
        into.clear();
        let mut list = ptr::null_mut();
        // SAFETY: the message lives; librdkafka parses its headers on first use
        // and keeps them, so what is borrowed lives as long as the message.
        unsafe {
            if rd::rd_kafka_message_headers(self.0, &raw mut list)
                != rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR
            {
                return;
            }
            let (mut name, mut value, mut size) = (ptr::null(), ptr::null(), 0);
            while rd::rd_kafka_header_get_all(
                list,
                into.len(),
                &raw mut name,
                &raw mut value,
                &raw mut size,
            ) == rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR
            {
                into.push(Header {
                    name: CStr::from_ptr(name).to_bytes(),
                    value: bytes(value, size),
                });
            }
        }
    }
}

/// Something a client has to say.
pub(super) struct Event(NonNull<rd::rd_kafka_event_t>);

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: `Queue::event` gave it to us, once.
        unsafe { rd::rd_kafka_event_destroy(self.0.as_ptr()) }
    }
}

/// What an [`Event`] says.
pub(super) enum Said<'a> {
    /// A line of librdkafka's log: syslog level (0 to 7), facility, text.
    Log(i32, String, String),
    /// A client-wide error, whether it is fatal, and its text.
    Error(RDKafkaErrorCode, bool, String),
    /// An OAUTHBEARER token is wanted.
    TokenWanted,
    /// How the connections are, as JSON (librdkafka's STATISTICS.md).
    Statistics(String),
    /// Records that were acknowledged or given up.
    Deliveries(Deliveries<'a>),
}

impl Event {
    /// Reads the event; `None` for kinds that no one asked for.
    pub(super) fn read(&self) -> Option<Said<'_>> {
        let event = self.0.as_ptr();
        // SAFETY: the event lives; texts are NUL-terminated and copied here.
        unsafe {
            match rd::rd_kafka_event_type(event) {
                rd::RD_KAFKA_EVENT_LOG => {
                    let (mut facility, mut line, mut level) = (ptr::null(), ptr::null(), 0);
                    rd::rd_kafka_event_log(event, &raw mut facility, &raw mut line, &raw mut level);
                    Some(Said::Log(
                        level,
                        text(facility).into_owned(),
                        text(line).into_owned(),
                    ))
                }
                rd::RD_KAFKA_EVENT_ERROR => Some(Said::Error(
                    rd::rd_kafka_event_error(event).into(),
                    rd::rd_kafka_event_error_is_fatal(event) != 0,
                    text(rd::rd_kafka_event_error_string(event)).into_owned(),
                )),
                rd::RD_KAFKA_EVENT_OAUTHBEARER_TOKEN_REFRESH => Some(Said::TokenWanted),
                rd::RD_KAFKA_EVENT_STATS => Some(Said::Statistics(
                    text(rd::rd_kafka_event_stats(event)).into_owned(),
                )),
                rd::RD_KAFKA_EVENT_DR => Some(Said::Deliveries(Deliveries {
                    event: self,
                    index: 0,
                })),
                _ => None,
            }
        }
    }
}

/// One report in so many tells its latency: asking takes a look at the clock.
const LATENCY_SAMPLE: usize = 8;

/// The reports in one delivery event.
pub(super) struct Deliveries<'a> {
    event: &'a Event,
    index: usize,
}

impl Iterator for Deliveries<'_> {
    type Item = Delivery;

    fn next(&mut self) -> Option<Delivery> {
        // SAFETY: the event owns the message until it is destroyed; all is copied here.
        unsafe {
            let message = rd::rd_kafka_event_message_next(self.event.0.as_ptr()).as_ref()?;
            // The first of an event waited longest, so the longest wait is always seen.
            let sampled = self.index.is_multiple_of(LATENCY_SAMPLE);
            self.index += 1;
            let mut kind = rd::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
            let timestamp = rd::rd_kafka_message_timestamp(message, &raw mut kind);
            Some(Delivery {
                slot: message._private.addr(),
                result: if message.err == rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
                    Ok(())
                } else {
                    Err(message.err.into())
                },
                maybe_persisted: rd::rd_kafka_message_status(message)
                    != rd::rd_kafka_msg_status_t::RD_KAFKA_MSG_STATUS_NOT_PERSISTED,
                partition: message.partition,
                offset: message.offset,
                timestamp,
                of_broker: kind
                    == rd::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME,
                latency: sampled.then(|| {
                    let micros = rd::rd_kafka_message_latency(message);
                    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
                }),
            })
        }
    }
}

/// How one record fared.
#[derive(Clone, Copy, Debug)]
pub(super) struct Delivery {
    /// What [`produce`] was given.
    pub(super) slot: usize,
    pub(super) result: Result<(), RDKafkaErrorCode>,
    /// Whether the log may hold it; true whenever `result` is `Ok`.
    pub(super) maybe_persisted: bool,
    pub(super) partition: i32,
    pub(super) offset: i64,
    /// Milliseconds since the epoch.
    pub(super) timestamp: i64,
    /// The broker set the timestamp.
    pub(super) of_broker: bool,
    /// From [`produce`] to the acknowledgement, of one in some.
    pub(super) latency: Option<Duration>,
}

/// A topic as a producer or reader knows it.
pub(super) struct Topic(NonNull<rd::rd_kafka_topic_t>);

// SAFETY: librdkafka's topics lock themselves.
unsafe impl Send for Topic {}
// SAFETY: as above.
unsafe impl Sync for Topic {}

impl Drop for Topic {
    fn drop(&mut self) {
        // SAFETY: we hold one reference.
        unsafe { rd::rd_kafka_topic_destroy(self.0.as_ptr()) }
    }
}

impl Topic {
    pub(super) fn new(client: &Client<Context>, name: &str) -> KafkaResult<Self> {
        let name = CString::new(name)?;
        // SAFETY: client and name live for the call; the reference is ours.
        let topic =
            unsafe { rd::rd_kafka_topic_new(client.native_ptr(), name.as_ptr(), ptr::null_mut()) };
        NonNull::new(topic)
            .map(Self)
            // SAFETY: reads this thread's last error.
            .ok_or_else(|| KafkaError::Global(unsafe { rd::rd_kafka_last_error() }.into()))
    }

    /// Begins to read `partition` at `offset` into `queue`.
    pub(super) fn start(&self, partition: i32, offset: i64, queue: &Queue) -> KafkaResult<()> {
        // SAFETY: topic and queue live for the call; librdkafka counts its references.
        let started = unsafe {
            rd::rd_kafka_consume_start_queue(self.0.as_ptr(), partition, offset, queue.0.as_ptr())
        };
        if started == 0 {
            return Ok(());
        }
        // SAFETY: reads this thread's last error.
        Err(KafkaError::Global(
            unsafe { rd::rd_kafka_last_error() }.into(),
        ))
    }

    /// Reads `partition`, which was started, no further, and drops what was not taken.
    pub(super) fn stop(&self, partition: i32) {
        // SAFETY: the topic lives. Of a partition that is not read there is nothing to stop.
        unsafe { rd::rd_kafka_consume_stop(self.0.as_ptr(), partition) };
    }
}

/// Fetches `partitions` again that were paused.
pub(super) fn resume(client: &Client<Context>, partitions: &TopicPartitionList) -> KafkaResult<()> {
    // SAFETY: both live for the call.
    unsafe {
        resolve(rd::rd_kafka_resume_partitions(
            client.native_ptr(),
            partitions.ptr(),
        ))
    }
}

/// How many records and reports the client holds.
pub(super) fn held(client: &Client<Context>) -> usize {
    // SAFETY: the client lives.
    count(unsafe { rd::rd_kafka_outq_len(client.native_ptr()) })
}

/// Stops fetching `partitions`; what is queued may still come.
pub(super) fn pause(client: &Client<Context>, partitions: &TopicPartitionList) -> KafkaResult<()> {
    // SAFETY: both live for the call.
    unsafe {
        resolve(rd::rd_kafka_pause_partitions(
            client.native_ptr(),
            partitions.ptr(),
        ))
    }
}

/// Hands a copy of `record` to the client; its fate comes back as a [`Delivery`] with `slot`.
pub(super) fn produce(
    client: &Client<Context>,
    topic: &Topic,
    record: &Outgoing<'_>,
    slot: usize,
) -> Result<(), RDKafkaErrorCode> {
    use rd::rd_kafka_vtype_t as Kind;
    let argument = |vtype, u| rd::rd_kafka_vu_t { vtype, u };
    let memory = |bytes: Option<&[u8]>| rd::rd_kafka_vu_s__bindgen_ty_1 {
        mem: rd::rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_1 {
            ptr: bytes.map_or(ptr::null_mut(), |bytes| bytes.as_ptr().cast_mut().cast()),
            size: bytes.map_or(0, <[u8]>::len),
        },
    };
    let headers = headers(record.headers)?;
    let arguments = [
        argument(
            Kind::RD_KAFKA_VTYPE_RKT,
            rd::rd_kafka_vu_s__bindgen_ty_1 {
                rkt: topic.0.as_ptr(),
            },
        ),
        argument(
            Kind::RD_KAFKA_VTYPE_PARTITION,
            rd::rd_kafka_vu_s__bindgen_ty_1 {
                i32_: record.partition.unwrap_or(PARTITION_UNASSIGNED),
            },
        ),
        argument(
            Kind::RD_KAFKA_VTYPE_MSGFLAGS,
            rd::rd_kafka_vu_s__bindgen_ty_1 {
                i: rd::RD_KAFKA_MSG_F_COPY,
            },
        ),
        argument(Kind::RD_KAFKA_VTYPE_VALUE, memory(record.value)),
        argument(Kind::RD_KAFKA_VTYPE_KEY, memory(record.key)),
        argument(
            Kind::RD_KAFKA_VTYPE_TIMESTAMP,
            rd::rd_kafka_vu_s__bindgen_ty_1 {
                i64_: record.timestamp.unwrap_or(0),
            },
        ),
        argument(
            Kind::RD_KAFKA_VTYPE_OPAQUE,
            rd::rd_kafka_vu_s__bindgen_ty_1 {
                ptr: ptr::without_provenance_mut(slot),
            },
        ),
        argument(
            Kind::RD_KAFKA_VTYPE_HEADERS,
            rd::rd_kafka_vu_s__bindgen_ty_1 { headers },
        ),
    ];
    // SAFETY: all that the arguments point at lives for the call, which copies
    // key and value; the headers go over to librdkafka only when it succeeds.
    unsafe {
        let error =
            rd::rd_kafka_produceva(client.native_ptr(), arguments.as_ptr(), arguments.len());
        if error.is_null() {
            return Ok(());
        }
        let code = rd::rd_kafka_error_code(error);
        rd::rd_kafka_error_destroy(error);
        if !headers.is_null() {
            rd::rd_kafka_headers_destroy(headers);
        }
        Err(code.into())
    }
}

/// Hands copies of `records`, which have neither headers nor a timestamp, to the client together;
/// says of each whether it was taken. Its fate comes back with its place after `first_slot`.
///
/// One lock and two looks at the clock for all of them, not for each. When the queue is full, none
/// is taken after the first that had no room (`rd_kafka_produce_batch` of 2.12.1).
pub(super) fn produce_together(
    topic: &Topic,
    records: &[Outgoing<'_>],
    first_slot: usize,
) -> impl Iterator<Item = Result<(), RDKafkaErrorCode>> + use<> {
    let pointer = |bytes: Option<&[u8]>| {
        bytes.map_or(ptr::null_mut(), |bytes| {
            bytes.as_ptr().cast_mut().cast::<c_void>()
        })
    };
    let messages = records.iter().enumerate();
    let mut messages: Vec<rd::rd_kafka_message_t> = messages
        .map(|(index, record)| rd::rd_kafka_message_t {
            err: rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR,
            rkt: ptr::null_mut(),
            partition: record.partition.unwrap_or(PARTITION_UNASSIGNED),
            payload: pointer(record.value),
            len: record.value.map_or(0, <[u8]>::len),
            key: pointer(record.key),
            key_len: record.key.map_or(0, <[u8]>::len),
            offset: 0,
            _private: ptr::without_provenance_mut(first_slot + index),
        })
        .collect();
    // SAFETY: the topic's client lives as long as the topic; keys and values live for the call,
    // which copies them, and errors are written into the messages.
    unsafe {
        rd::rd_kafka_produce_batch(
            topic.0.as_ptr(),
            PARTITION_UNASSIGNED,
            rd::RD_KAFKA_MSG_F_COPY | rd::RD_KAFKA_MSG_F_PARTITION,
            messages.as_mut_ptr(),
            c_int::try_from(messages.len()).expect("a block has fewer than 2 billion lines"),
        );
    }
    messages.into_iter().map(|message| {
        if message.err == rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            Ok(())
        } else {
            Err(message.err.into())
        }
    })
}

/// Copies `headers` into a list of librdkafka's; null when there are none.
fn headers(headers: &[Header<'_>]) -> Result<*mut rd::rd_kafka_headers_t, RDKafkaErrorCode> {
    if headers.is_empty() {
        return Ok(ptr::null_mut());
    }
    // SAFETY: names and values live for the calls, which copy them; a null value is
    // a null pointer, and the list is freed here when it cannot be completed.
    unsafe {
        let list = rd::rd_kafka_headers_new(headers.len());
        for header in headers {
            let (value, size) = header
                .value
                .map_or((ptr::null(), 0), |value| (value.as_ptr(), value.len()));
            let error = rd::rd_kafka_header_add(
                list,
                header.name.as_ptr().cast::<c_char>(),
                header.name.len().cast_signed(),
                value.cast(),
                size.cast_signed(),
            );
            if error != rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
                rd::rd_kafka_headers_destroy(list);
                return Err(error.into());
            }
        }
        Ok(list)
    }
}

/// Whether any broker answers within `timeout`.
pub(super) fn is_answered(client: &Client<Context>, timeout: Duration) -> bool {
    let mut metadata: *const rd::rd_kafka_metadata = ptr::null();
    // SAFETY: the client lives; without a topic it is the locally known ones that are asked for, and
    // `metadata` is written where the call succeeds.
    let code = unsafe {
        rd::rd_kafka_metadata(
            client.native_ptr(),
            0,
            ptr::null_mut(),
            &raw mut metadata,
            millis(timeout),
        )
    };
    let is_answered = code == rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR;
    if is_answered {
        // SAFETY: it is ours since the call succeeded, and not used after this.
        unsafe { rd::rd_kafka_metadata_destroy(metadata) };
    }
    is_answered
}

/// Lets the client connect to `brokers`, a list as in `bootstrap.servers`, if it does not know them.
pub(super) fn add_brokers(client: &Client<Context>, brokers: &str) {
    let Ok(brokers) = CString::new(brokers) else {
        return;
    };
    // SAFETY: the client lives, and the list is copied.
    unsafe { rd::rd_kafka_brokers_add(client.native_ptr(), brokers.as_ptr()) };
}

/// Gives up what is queued and in flight; the reports of it still come.
pub(super) fn purge(client: &Client<Context>) {
    // SAFETY: the client lives; both flags are valid for a producer.
    unsafe {
        rd::rd_kafka_purge(
            client.native_ptr(),
            rd::RD_KAFKA_PURGE_F_QUEUE | rd::RD_KAFKA_PURGE_F_INFLIGHT,
        );
    }
}

/// One step of a transaction, run on the calling thread.
#[derive(Clone, Copy, Debug)]
pub(super) enum Transaction {
    Init,
    Begin,
    Commit,
    Abort,
}

/// Why a step of a transaction was not taken, and what that leaves.
#[derive(Clone, Copy, Debug)]
pub(super) struct TransactionError {
    pub(super) code: RDKafkaErrorCode,
    /// The same step may be taken again.
    pub(super) retriable: bool,
    /// The transaction must be aborted; the next may succeed.
    pub(super) abortable: bool,
}

/// Takes the step and waits for it, `timeout` at most.
pub(super) fn transaction(
    client: &Client<Context>,
    step: Transaction,
    timeout: Duration,
) -> Result<(), TransactionError> {
    let (client, timeout) = (client.native_ptr(), millis(timeout));
    // SAFETY: the client lives; each call hands out an error to free.
    unsafe {
        transaction_outcome(match step {
            Transaction::Init => rd::rd_kafka_init_transactions(client, timeout),
            Transaction::Begin => rd::rd_kafka_begin_transaction(client),
            Transaction::Commit => rd::rd_kafka_commit_transaction(client, timeout),
            Transaction::Abort => rd::rd_kafka_abort_transaction(client, timeout),
        })
    }
}

/// Answers [`Said::TokenWanted`]: the token, its end in epoch milliseconds and the
/// principal's name, or why there is none.
pub(super) fn answer_token(client: &Client<Context>, token: Result<(&str, i64, &str), &str>) {
    let failure = |why: &str| {
        let why = CString::new(why.replace('\0', " ")).unwrap_or_default();
        // SAFETY: client and text live for the call.
        unsafe { rd::rd_kafka_oauthbearer_set_token_failure(client.native_ptr(), why.as_ptr()) };
    };
    let (token, until, principal) = match token {
        Ok(token) => token,
        Err(why) => return failure(why),
    };
    let (Ok(token), Ok(principal)) = (CString::new(token), CString::new(principal)) else {
        return failure("the token holds a NUL");
    };
    let mut why: [c_char; 256] = [0; 256];
    // SAFETY: all texts live for the call; the buffer's size is what is said.
    let refused = unsafe {
        rd::rd_kafka_oauthbearer_set_token(
            client.native_ptr(),
            token.as_ptr(),
            until,
            principal.as_ptr(),
            ptr::null_mut(),
            0,
            why.as_mut_ptr(),
            why.len(),
        ) != rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR
    };
    if refused {
        // SAFETY: librdkafka NUL-terminates what it writes.
        failure(&unsafe { text(why.as_ptr()) });
    }
}

/// A cluster in memory, gone when dropped; it runs on a client's threads.
pub(super) struct MockCluster(NonNull<rd::rd_kafka_mock_cluster_t>);

impl Drop for MockCluster {
    fn drop(&mut self) {
        // SAFETY: made by `new`, destroyed once; its owner keeps the client for longer.
        unsafe { rd::rd_kafka_mock_cluster_destroy(self.0.as_ptr()) }
    }
}

impl MockCluster {
    /// Starts `nodes` brokers; `None` when librdkafka cannot.
    pub(super) fn new(client: &Client<Context>, nodes: i32) -> Option<Self> {
        // SAFETY: the client lives.
        let cluster = unsafe { rd::rd_kafka_mock_cluster_new(client.native_ptr(), nodes) };
        let cluster = NonNull::new(cluster)?;
        // SAFETY: the cluster lives. Three seconds of rebalance delay are for
        // fleets that start together; scripts would only wait.
        unsafe { rd::rd_kafka_mock_group_initial_rebalance_delay_ms(cluster.as_ptr(), 0) };
        Some(Self(cluster))
    }

    /// The addresses to connect to.
    pub(super) fn brokers(&self) -> String {
        // SAFETY: the text lives as long as the cluster and is copied.
        unsafe { text(rd::rd_kafka_mock_cluster_bootstraps(self.0.as_ptr())).into_owned() }
    }

    /// Makes a topic.
    pub(super) fn create_topic(
        &self,
        name: &str,
        partitions: i32,
        replication: i32,
    ) -> KafkaResult<()> {
        let name = CString::new(name)?;
        // SAFETY: cluster and name live for the call.
        unsafe {
            resolve(rd::rd_kafka_mock_topic_create(
                self.0.as_ptr(),
                name.as_ptr(),
                partitions,
                replication,
            ))
        }
    }
}

/// Ends the process at once, running nothing that was registered for its end.
///
/// librdkafka's threads still run, and OpenSSL's exit handlers would free what they use.
pub(crate) fn leave(status: i32) -> ! {
    // SAFETY: no destructor is owed: outputs are flushed and locks die with the process.
    unsafe { libc::_exit(status) }
}

/// Kafka's own name for an error code, such as `MSG_SIZE_TOO_LARGE`.
pub(super) fn name(code: RDKafkaErrorCode) -> &'static str {
    let Ok(code) = rd::rd_kafka_resp_err_t::try_from(code as i32) else {
        return "UNKNOWN";
    };
    // SAFETY: takes any code; the text is static ASCII.
    let name = unsafe { CStr::from_ptr(rd::rd_kafka_err2name(code)) };
    name.to_str().unwrap_or("UNKNOWN")
}

unsafe fn bytes<'a>(start: *const c_void, length: usize) -> Option<&'a [u8]> {
    // SAFETY: the caller vouches for `length` bytes; null is Kafka's null.
    (!start.is_null()).then(|| unsafe { slice::from_raw_parts(start.cast(), length) })
}

unsafe fn elements<'a, T>(start: *mut T, length: usize) -> &'a [T] {
    if start.is_null() {
        return &[];
    }
    // SAFETY: the caller vouches for `length` elements.
    unsafe { slice::from_raw_parts(start, length) }
}

unsafe fn text<'a>(start: *const c_char) -> std::borrow::Cow<'a, str> {
    if start.is_null() {
        return "".into();
    }
    // SAFETY: the caller vouches for a NUL-terminated text that outlives `'a`.
    unsafe { CStr::from_ptr(start) }.to_string_lossy()
}

unsafe fn outcome(error: *mut rd::rd_kafka_error_t) -> KafkaResult<()> {
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: the error is ours; its code is read before it goes.
    unsafe {
        let code = rd::rd_kafka_error_code(error);
        rd::rd_kafka_error_destroy(error);
        Err(KafkaError::Global(code.into()))
    }
}

unsafe fn transaction_outcome(error: *mut rd::rd_kafka_error_t) -> Result<(), TransactionError> {
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: the error is ours; all of it is read before it goes.
    unsafe {
        let read = TransactionError {
            code: rd::rd_kafka_error_code(error).into(),
            retriable: rd::rd_kafka_error_is_retriable(error) != 0,
            abortable: rd::rd_kafka_error_txn_requires_abort(error) != 0,
        };
        rd::rd_kafka_error_destroy(error);
        Err(read)
    }
}

fn resolve(error: rd::rd_kafka_resp_err_t) -> KafkaResult<()> {
    if error == rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
        Ok(())
    } else {
        Err(KafkaError::Global(error.into()))
    }
}

fn millis(duration: Duration) -> c_int {
    c_int::try_from(duration.as_millis()).unwrap_or(c_int::MAX)
}

fn count(length: c_int) -> usize {
    usize::try_from(length).unwrap_or(0)
}
