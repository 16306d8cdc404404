//! librdkafka's admin requests: each is sent once and answered on a queue of its own.
//!
//! librdkafka answers every request, with an error event when its time is up, so
//! whoever waits for an [`Answer`] gets one. None of them may be sent to the built-in
//! broker, which lacks them and would take the whole time.

use std::ffi::{CStr, CString, c_char};
use std::ptr::{self, NonNull};
use std::time::Duration;

use rdkafka::bindings as rd;
use rdkafka::client::Client;
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::types::RDKafkaErrorCode;

use super::{Event, Queue, elements, millis, outcome, resolve, text};
use crate::kafka::context::Context;

/// Something of librdkafka's that we made and must free.
pub(super) struct Owned<T> {
    pub(super) pointer: NonNull<T>,
    destroy: unsafe extern "C" fn(*mut T),
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: the pointer came from the constructor that `destroy` belongs to, once.
        unsafe { (self.destroy)(self.pointer.as_ptr()) }
    }
}

impl<T> Owned<T> {
    /// `None` for null, which is how librdkafka refuses its arguments.
    pub(super) fn new(pointer: *mut T, destroy: unsafe extern "C" fn(*mut T)) -> Option<Self> {
        NonNull::new(pointer).map(|pointer| Self { pointer, destroy })
    }

    /// As the array that a request takes.
    fn array(owned: &[Self]) -> Vec<*mut T> {
        owned.iter().map(|owned| owned.pointer.as_ptr()).collect()
    }
}

/// A request under way.
pub(in crate::kafka) struct Request(pub(super) Queue);

impl Request {
    /// The answer, if it comes before `timeout`.
    pub(in crate::kafka) fn answer(&self, timeout: Duration) -> Option<Answer> {
        self.0.event(timeout).map(Answer)
    }
}

/// What the cluster, or librdkafka in its place, said to a [`Request`].
pub(in crate::kafka) struct Answer(pub(super) Event);

/// How one topic of a request fared.
pub(in crate::kafka) struct TopicOutcome {
    pub(in crate::kafka) topic: String,
    /// The code and the broker's own words.
    pub(in crate::kafka) result: Result<(), (RDKafkaErrorCode, String)>,
}

/// One setting of a topic as the broker has it.
pub(in crate::kafka) struct ConfigEntry {
    pub(in crate::kafka) name: String,
    pub(in crate::kafka) value: Option<String>,
    /// Set for this topic (`DYNAMIC_TOPIC_CONFIG`), not inherited.
    pub(in crate::kafka) is_of_topic: bool,
    pub(in crate::kafka) is_sensitive: bool,
}

impl Answer {
    /// Why the request as a whole failed.
    pub(in crate::kafka) fn error(&self) -> Result<(), (RDKafkaErrorCode, String)> {
        let event = self.0.0.as_ptr();
        // SAFETY: the event lives; its text is copied.
        unsafe {
            let error = rd::rd_kafka_event_error(event);
            described(error, rd::rd_kafka_event_error_string(event))
        }
    }

    /// How each topic fared that was to be made, deleted or grown.
    pub(in crate::kafka) fn topics(&self) -> Vec<TopicOutcome> {
        let event = self.0.0.as_ptr();
        let mut length = 0;
        // SAFETY: the event lives and is of the type looked at, else there is nothing;
        // what it holds is copied.
        unsafe {
            let topics = match rd::rd_kafka_event_type(event) {
                rd::RD_KAFKA_EVENT_CREATETOPICS_RESULT => rd::rd_kafka_CreateTopics_result_topics(
                    rd::rd_kafka_event_CreateTopics_result(event),
                    &raw mut length,
                ),
                rd::RD_KAFKA_EVENT_DELETETOPICS_RESULT => rd::rd_kafka_DeleteTopics_result_topics(
                    rd::rd_kafka_event_DeleteTopics_result(event),
                    &raw mut length,
                ),
                rd::RD_KAFKA_EVENT_CREATEPARTITIONS_RESULT => {
                    rd::rd_kafka_CreatePartitions_result_topics(
                        rd::rd_kafka_event_CreatePartitions_result(event),
                        &raw mut length,
                    )
                }
                _ => ptr::null_mut(),
            };
            elements(topics, length)
                .iter()
                .map(|&topic| TopicOutcome {
                    topic: text(rd::rd_kafka_topic_result_name(topic)).into_owned(),
                    result: described(
                        rd::rd_kafka_topic_result_error(topic),
                        rd::rd_kafka_topic_result_error_string(topic),
                    ),
                })
                .collect()
        }
    }

    /// How each topic fared whose configuration was asked for or to be changed, and what
    /// was asked for.
    pub(in crate::kafka) fn configs(&self) -> Vec<(TopicOutcome, Vec<ConfigEntry>)> {
        let event = self.0.0.as_ptr();
        let mut length = 0;
        // SAFETY: as in `topics`.
        unsafe {
            let resources = match rd::rd_kafka_event_type(event) {
                rd::RD_KAFKA_EVENT_DESCRIBECONFIGS_RESULT => {
                    rd::rd_kafka_DescribeConfigs_result_resources(
                        rd::rd_kafka_event_DescribeConfigs_result(event),
                        &raw mut length,
                    )
                }
                rd::RD_KAFKA_EVENT_INCREMENTALALTERCONFIGS_RESULT => {
                    rd::rd_kafka_IncrementalAlterConfigs_result_resources(
                        rd::rd_kafka_event_IncrementalAlterConfigs_result(event),
                        &raw mut length,
                    )
                }
                _ => ptr::null_mut(),
            };
            elements(resources, length)
                .iter()
                .map(|&resource| {
                    let outcome = TopicOutcome {
                        topic: text(rd::rd_kafka_ConfigResource_name(resource)).into_owned(),
                        result: described(
                            rd::rd_kafka_ConfigResource_error(resource),
                            rd::rd_kafka_ConfigResource_error_string(resource),
                        ),
                    };
                    let mut length = 0;
                    let entries = rd::rd_kafka_ConfigResource_configs(resource, &raw mut length);
                    let entries = elements(entries, length).iter();
                    (outcome, entries.map(|&entry| read_entry(entry)).collect())
                })
                .collect()
        }
    }
}

unsafe fn read_entry(entry: *const rd::rd_kafka_ConfigEntry_t) -> ConfigEntry {
    // SAFETY: the caller vouches for the entry; what it holds is copied.
    unsafe {
        let value = rd::rd_kafka_ConfigEntry_value(entry);
        ConfigEntry {
            name: text(rd::rd_kafka_ConfigEntry_name(entry)).into_owned(),
            value: (!value.is_null()).then(|| text(value).into_owned()),
            is_of_topic: rd::rd_kafka_ConfigEntry_source(entry)
                == rd::rd_kafka_ConfigSource_t::RD_KAFKA_CONFIG_SOURCE_DYNAMIC_TOPIC_CONFIG,
            is_sensitive: rd::rd_kafka_ConfigEntry_is_sensitive(entry) != 0,
        }
    }
}

/// The code and the words of an error; librdkafka's words where the broker has none.
pub(super) unsafe fn described(
    error: rd::rd_kafka_resp_err_t,
    words: *const c_char,
) -> Result<(), (RDKafkaErrorCode, String)> {
    if error == rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
        return Ok(());
    }
    let code = RDKafkaErrorCode::from(error);
    // SAFETY: the caller vouches for the text, which is copied.
    let words = unsafe { text(words) };
    let words = if words.is_empty() {
        code.to_string()
    } else {
        words.into_owned()
    };
    Err((code, words))
}

/// A topic to be made: its name, how many partitions, how many replicas, its own
/// settings. -1 of either number leaves it to the broker (KIP-464).
pub(in crate::kafka) type TopicToMake<'a> = (&'a str, i32, i32, Vec<(&'a str, &'a str)>);

/// Asks for topics to be made, or only whether they could be.
pub(in crate::kafka) fn create_topics(
    client: &Client<Context>,
    topics: &[TopicToMake<'_>],
    validate_only: bool,
    timeout: Duration,
) -> KafkaResult<Request> {
    let mut made = Vec::with_capacity(topics.len());
    for (name, partitions, replication, config) in topics {
        let name = CString::new(*name)?;
        let topic = checked(|why, size| {
            // SAFETY: name and buffer live for the call; what it returns is ours to free.
            unsafe {
                Owned::new(
                    rd::rd_kafka_NewTopic_new(name.as_ptr(), *partitions, *replication, why, size),
                    rd::rd_kafka_NewTopic_destroy,
                )
            }
        })?;
        for (key, value) in config {
            let (key, value) = (CString::new(*key)?, CString::new(*value)?);
            // SAFETY: the topic lives; both texts are copied.
            unsafe {
                resolve(rd::rd_kafka_NewTopic_set_config(
                    topic.pointer.as_ptr(),
                    key.as_ptr(),
                    value.as_ptr(),
                ))?;
            }
        }
        made.push(topic);
    }
    let options = options(
        client,
        rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_CREATETOPICS,
        timeout,
    )?;
    // SAFETY: the options live.
    unsafe {
        resolve(rd::rd_kafka_AdminOptions_set_validate_only(
            options.pointer.as_ptr(),
            i32::from(validate_only),
            ptr::null_mut(),
            0,
        ))?;
    }
    Ok(send(client, &made, &options, rd::rd_kafka_CreateTopics))
}

/// Asks for topics to be deleted.
pub(in crate::kafka) fn delete_topics(
    client: &Client<Context>,
    topics: &[&str],
    timeout: Duration,
) -> KafkaResult<Request> {
    let mut doomed = Vec::with_capacity(topics.len());
    for topic in topics {
        let name = CString::new(*topic)?;
        // SAFETY: the name lives for the call; what it returns is ours to free.
        doomed.extend(unsafe {
            Owned::new(
                rd::rd_kafka_DeleteTopic_new(name.as_ptr()),
                rd::rd_kafka_DeleteTopic_destroy,
            )
        });
    }
    let options = options(
        client,
        rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DELETETOPICS,
        timeout,
    )?;
    Ok(send(client, &doomed, &options, rd::rd_kafka_DeleteTopics))
}

/// Asks for topics to have so many partitions.
pub(in crate::kafka) fn create_partitions(
    client: &Client<Context>,
    topics: &[(&str, usize)],
    timeout: Duration,
) -> KafkaResult<Request> {
    let mut grown = Vec::with_capacity(topics.len());
    for (name, partitions) in topics {
        let name = CString::new(*name)?;
        grown.push(checked(|why, size| {
            // SAFETY: name and buffer live for the call; what it returns is ours to free.
            unsafe {
                Owned::new(
                    rd::rd_kafka_NewPartitions_new(name.as_ptr(), *partitions, why, size),
                    rd::rd_kafka_NewPartitions_destroy,
                )
            }
        })?);
    }
    let options = options(
        client,
        rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_CREATEPARTITIONS,
        timeout,
    )?;
    Ok(send(
        client,
        &grown,
        &options,
        rd::rd_kafka_CreatePartitions,
    ))
}

/// Asks for settings of topics to be changed, the others left as they are (KIP-339).
pub(in crate::kafka) fn alter_configs(
    client: &Client<Context>,
    topics: &[(&str, Vec<(&str, &str)>)],
    timeout: Duration,
) -> KafkaResult<Request> {
    let mut resources = Vec::with_capacity(topics.len());
    for (name, settings) in topics {
        let resource = resource(name)?;
        for (key, value) in settings {
            let (key, value) = (CString::new(*key)?, CString::new(*value)?);
            // SAFETY: the resource lives; both texts are copied.
            unsafe {
                outcome(rd::rd_kafka_ConfigResource_add_incremental_config(
                    resource.pointer.as_ptr(),
                    key.as_ptr(),
                    rd::rd_kafka_AlterConfigOpType_t::RD_KAFKA_ALTER_CONFIG_OP_TYPE_SET,
                    value.as_ptr(),
                ))?;
            }
        }
        resources.push(resource);
    }
    let options = options(
        client,
        rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_INCREMENTALALTERCONFIGS,
        timeout,
    )?;
    Ok(send(
        client,
        &resources,
        &options,
        rd::rd_kafka_IncrementalAlterConfigs,
    ))
}

/// Asks for settings of topics: these of each, or all when none are named.
pub(in crate::kafka) fn describe_configs(
    client: &Client<Context>,
    topics: &[(&str, Vec<&str>)],
    timeout: Duration,
) -> KafkaResult<Request> {
    let mut resources = Vec::with_capacity(topics.len());
    for (name, keys) in topics {
        let resource = resource(name)?;
        for key in keys {
            let key = CString::new(*key)?;
            // A question has no value, but a null one is refused.
            // SAFETY: the resource lives; both texts are copied.
            unsafe {
                resolve(rd::rd_kafka_ConfigResource_set_config(
                    resource.pointer.as_ptr(),
                    key.as_ptr(),
                    c"".as_ptr(),
                ))?;
            }
        }
        resources.push(resource);
    }
    let options = options(
        client,
        rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS,
        timeout,
    )?;
    Ok(send(
        client,
        &resources,
        &options,
        rd::rd_kafka_DescribeConfigs,
    ))
}

fn resource(topic: &str) -> KafkaResult<Owned<rd::rd_kafka_ConfigResource_t>> {
    let name = CString::new(topic)?;
    // SAFETY: the name lives for the call; what it returns is ours to free.
    let resource = unsafe {
        Owned::new(
            rd::rd_kafka_ConfigResource_new(
                rd::rd_kafka_ResourceType_t::RD_KAFKA_RESOURCE_TOPIC,
                name.as_ptr(),
            ),
            rd::rd_kafka_ConfigResource_destroy,
        )
    };
    resource.ok_or(KafkaError::Global(RDKafkaErrorCode::InvalidArgument))
}

pub(super) fn options(
    client: &Client<Context>,
    operation: rd::rd_kafka_admin_op_t,
    timeout: Duration,
) -> KafkaResult<Owned<rd::rd_kafka_AdminOptions_t>> {
    // SAFETY: the client lives; the options are ours to free.
    unsafe {
        let options = Owned::new(
            rd::rd_kafka_AdminOptions_new(client.native_ptr(), operation),
            rd::rd_kafka_AdminOptions_destroy,
        );
        let options = options.ok_or(KafkaError::Global(RDKafkaErrorCode::InvalidArgument))?;
        resolve(rd::rd_kafka_AdminOptions_set_request_timeout(
            options.pointer.as_ptr(),
            millis(timeout),
            ptr::null_mut(),
            0,
        ))?;
        Ok(options)
    }
}

/// What all of librdkafka's admin calls look like.
pub(super) type Call<T> = unsafe extern "C" fn(
    *mut rd::rd_kafka_t,
    *mut *mut T,
    usize,
    *const rd::rd_kafka_AdminOptions_t,
    *mut rd::rd_kafka_queue_t,
);

pub(super) fn send<T>(
    client: &Client<Context>,
    subjects: &[Owned<T>],
    options: &Owned<rd::rd_kafka_AdminOptions_t>,
    call: Call<T>,
) -> Request {
    let queue = Queue::new(client);
    let mut subjects = Owned::array(subjects);
    // SAFETY: all live for the call, which copies what it is given; librdkafka counts
    // its reference to the queue.
    unsafe {
        call(
            client.native_ptr(),
            subjects.as_mut_ptr(),
            subjects.len(),
            options.pointer.as_ptr(),
            queue.0.as_ptr(),
        );
    }
    Request(queue)
}

/// Makes something, or tells why librdkafka would not.
fn checked<T>(make: impl FnOnce(*mut c_char, usize) -> Option<Owned<T>>) -> KafkaResult<Owned<T>> {
    let mut why: [c_char; 256] = [0; 256];
    make(why.as_mut_ptr(), why.len()).ok_or_else(|| {
        // SAFETY: librdkafka NUL-terminates what it writes, and the buffer began as NULs.
        let why = unsafe { CStr::from_ptr(why.as_ptr()) };
        KafkaError::AdminOpCreation(why.to_string_lossy().into_owned())
    })
}
