//! The least work there is: takes every record of a topic by librdkafka's batch call
//! and throws it away. `ci/bench` compares `kpipe tail` with it.
//!
//! Usage: `ceiling TOPIC`, with `KAFKA_BROKERS` set. Prints the number of records.
#![allow(unsafe_code, clippy::print_stdout, clippy::unwrap_used)]

use std::ffi::{CString, c_char};
use std::ptr;

use rdkafka::bindings as rd;

/// What `kpipe tail` uses, so that the two differ in what they do with a record only.
const SETTINGS: [(&str, &str); 7] = [
    ("isolation.level", "read_committed"),
    ("check.crcs", "true"),
    ("queued.min.messages", "1000"),
    ("queued.max.messages.kbytes", "8192"),
    ("fetch.queue.backoff.ms", "1"),
    ("fetch.wait.max.ms", "20"),
    ("reconnect.backoff.ms", "20"),
];

fn main() {
    let topic = CString::new(std::env::args().nth(1).unwrap()).unwrap();
    let brokers = std::env::var("KAFKA_BROKERS").unwrap();
    // SAFETY: one thread calls librdkafka as its header says; nothing is freed at the end.
    unsafe {
        let conf = rd::rd_kafka_conf_new();
        let more = std::env::var("CEILING_X").unwrap_or_default();
        let more = more
            .split_whitespace()
            .filter_map(|pair| pair.split_once('='));
        let settings = SETTINGS
            .into_iter()
            .chain([("bootstrap.servers", &*brokers)])
            .chain(more);
        for (key, value) in settings {
            let (key, value) = (CString::new(key).unwrap(), CString::new(value).unwrap());
            rd::rd_kafka_conf_set(conf, key.as_ptr(), value.as_ptr(), ptr::null_mut(), 0);
        }
        let mut why: [c_char; 256] = [0; 256];
        let consumer = rd::rd_kafka_type_t::RD_KAFKA_CONSUMER;
        let client = rd::rd_kafka_new(consumer, conf, why.as_mut_ptr(), why.len());
        let handle = rd::rd_kafka_topic_new(client, topic.as_ptr(), ptr::null_mut());
        let mut metadata = ptr::null();
        rd::rd_kafka_metadata(client, 0, handle, &raw mut metadata, 5000);
        let partitions = (*(*metadata).topics).partition_cnt;
        let queue = rd::rd_kafka_queue_new(client);
        let mut left: i64 = 0;
        for partition in 0..partitions {
            let (mut low, mut high) = (0, 0);
            let (low_out, high_out) = (&raw mut low, &raw mut high);
            rd::rd_kafka_query_watermark_offsets(
                client,
                topic.as_ptr(),
                partition,
                low_out,
                high_out,
                5000,
            );
            left += high - low;
            rd::rd_kafka_consume_start_queue(handle, partition, low, queue);
        }
        let total = left;
        let mut messages = vec![ptr::null_mut(); 4096];
        while left > 0 {
            let room = messages.len();
            let mut taken = rd::rd_kafka_consume_batch_queue(queue, 0, messages.as_mut_ptr(), room);
            if taken == 0 {
                taken = rd::rd_kafka_consume_batch_queue(queue, 1000, messages.as_mut_ptr(), 1);
            }
            for message in &messages[..usize::try_from(taken).unwrap_or(0)] {
                left -= i64::from(
                    (**message).err == rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR,
                );
                rd::rd_kafka_message_destroy(*message);
            }
        }
        println!("{total}");
        libc::_exit(0);
    }
}
