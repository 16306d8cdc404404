//! When the first record at or after an offset was made, for many partitions at once.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::client::{CONNECT_TIMEOUT, Client, Cluster, EAGER_CONNECTIONS};
use super::error::Error;
use super::ffi::{self, Messages, Queue, Role};
use super::groups::Committed;

/// How often log lines and errors are served meanwhile.
const SLICE: Duration = Duration::from_millis(50);

/// A connection for looking at single records; joins no group.
pub struct Peek {
    client: Arc<Client>,
    topics: HashMap<String, ffi::Topic>,
}

impl Peek {
    /// Makes a connection, which is used when something is asked.
    pub fn new(cluster: &Cluster) -> Result<Self, Error> {
        let client = Client::new(
            cluster,
            Role::Reader,
            &[
                EAGER_CONNECTIONS,
                // One record is all that is wanted of each partition.
                ("fetch.message.max.bytes", "16384"),
                ("fetch.wait.max.ms", "20"),
                ("queued.min.messages", "1"),
            ],
            &[
                // Lag counts to the high watermark, open transactions included.
                ("isolation.level", "read_uncommitted"),
                ("enable.partition.eof", "true"),
                // What was removed before it was read is as old as what is left.
                ("auto.offset.reset", "earliest"),
            ],
        )?;
        Ok(Self {
            client,
            topics: HashMap::new(),
        })
    }

    /// The timestamps, in milliseconds since the epoch, of the first record at or after each of
    /// these offsets; of those that have one, may be read and answer within [`CONNECT_TIMEOUT`].
    pub fn timestamps(&mut self, offsets: &Committed) -> Result<Committed, Error> {
        let queue = Queue::new(&self.client.native);
        for ((topic, partition), offset) in offsets {
            if !self.topics.contains_key(topic) {
                let handle = ffi::Topic::new(&self.client.native, topic)
                    .map_err(|error| Error::other(format!("read topic `{topic}`"), error))?;
                self.topics.insert(topic.clone(), handle);
            }
            if let Some(handle) = self.topics.get(topic) {
                handle
                    .start(*partition, *offset, &queue)
                    .map_err(|error| Error::other(format!("read topic `{topic}`"), error))?;
            }
        }
        let found = self.collect(&queue, offsets);
        for (topic, partition) in offsets.keys() {
            if let Some(handle) = self.topics.get(topic) {
                handle.stop(*partition);
            }
        }
        found
    }

    fn collect(&self, queue: &Queue, offsets: &Committed) -> Result<Committed, Error> {
        let start = Instant::now();
        let mut waiting: HashSet<&(String, i32)> = offsets.keys().collect();
        let mut found = Committed::new();
        while !waiting.is_empty() && start.elapsed() < CONNECT_TIMEOUT {
            let mut messages = Messages::default();
            queue.take(&mut messages, 1024, SLICE);
            self.client.serve_keeping(Duration::ZERO);
            if self.client.is_stopped() {
                return Err(Error::Interrupted);
            }
            for message in messages.iter() {
                let partition = (message.topic().to_owned(), message.partition());
                // The end of the partition, or why it cannot be read, is an answer too.
                if !waiting.remove(&partition) || message.error().is_some() {
                    continue;
                }
                if let Some(timestamp) = message.record(&mut Vec::new()).timestamp {
                    found.insert(partition, timestamp.millis);
                }
            }
        }
        Ok(found)
    }
}
