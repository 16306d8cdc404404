//! What reading alone and reading in a group have in common.

use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::types::RDKafkaErrorCode as Code;

use super::client::{Client, Lookup};
use super::error::Error;
use super::ffi::{Message, Messages, Queue};
use super::progress::{Progress, Verdict};
use super::{Notice, Step, ffi};

/// Settings of consumers that a user's properties override.
///
/// A small queue keeps memory small; `fetch.queue.backoff.ms`, a second by default, is
/// how long librdkafka waits before it fetches again when that queue is full.
pub const DEFAULTS: [(&str, &str); 7] = [
    ("isolation.level", "read_committed"),
    ("check.crcs", "true"),
    ("queued.min.messages", "1000"),
    ("queued.max.messages.kbytes", "8192"),
    ("fetch.queue.backoff.ms", "1"),
    // How soon a deleted topic, a new partition or a newly matching topic is noticed.
    ("topic.metadata.refresh.interval.ms", "3000"),
    // How long a deleted topic is taken for one that is still being made.
    ("topic.metadata.propagation.max.ms", "3000"),
];

/// Settings that kpipe's promises rest on.
pub(super) const FIXED: [(&str, &str); 3] = [
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    // Where a reader goes that retention overtook is decided here, and said.
    ("auto.offset.reset", "error"),
];

/// A batch ends at so many bytes or messages, so that a few of them stay small.
const BATCH_BYTES: usize = 1024 * 1024;
const BATCH_MESSAGES: usize = 4096;

/// Messages taken at a time: what one call may exceed [`BATCH_BYTES`] by.
const BITE: usize = 256;

/// Takes what there is, up to a batch; waits `timeout` for the first message.
pub(super) fn take(queue: &Queue, batch: &mut Messages, timeout: Duration) {
    let mut timeout = timeout;
    let mut bytes = 0;
    loop {
        let before = batch.len();
        queue.take(batch, BITE, timeout);
        bytes += batch.iter().skip(before).map(Message::size).sum::<usize>();
        let taken = batch.len() - before;
        if taken == 0 || bytes >= BATCH_BYTES || batch.len() >= BATCH_MESSAGES {
            return;
        }
        timeout = Duration::ZERO;
    }
}

/// Keeps the records that are wanted, and says what else the queue said.
pub(super) fn sort_out(
    client: &Client,
    batch: &mut Messages,
    progress: &mut Progress,
    mut restart: impl FnMut(&str, i32, i64) -> Result<(), Error>,
    news: &mut News,
) -> Result<(), Error> {
    let mut done = Vec::new();
    let mut failed = None;
    batch.retain(|message| {
        let (topic, partition) = (message.topic(), message.partition());
        let Some((code, text)) = message.error() else {
            let verdict = progress.see(topic, partition, message.offset());
            if verdict == Verdict::DropBehindEnd {
                news.reached(progress, topic, partition);
            }
            return match verdict {
                Verdict::Keep => true,
                Verdict::Drop => false,
                verdict => {
                    done.push((topic.to_owned(), partition));
                    verdict == Verdict::KeepLast
                }
            };
        };
        let result = match code {
            Code::PartitionEOF => {
                let before = progress.position(topic, partition);
                if progress.reach(topic, partition, message.offset()) {
                    done.push((topic.to_owned(), partition));
                }
                if progress.position(topic, partition) > before {
                    news.reached(progress, topic, partition);
                }
                Ok(())
            }
            Code::AutoOffsetReset | Code::OffsetOutOfRange => {
                tracing::info!("{topic}[{partition}]: {code:?}: {text}");
                overtaken(client, progress, topic, partition, &mut restart, news)
            }
            Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition => {
                Err(Error::TopicDeleted(topic.to_owned()))
            }
            code => refusal(code, &text, topic),
        };
        // The other messages are still to be seen: an end is told once.
        if let Err(error) = result {
            failed.get_or_insert(error);
        }
        false
    });
    if !done.is_empty() {
        // Fetching on behind the end would only be thrown away.
        let mut list = TopicPartitionList::with_capacity(done.len());
        for (topic, partition) in &done {
            list.add_partition(topic, *partition);
        }
        let _ = ffi::pause(&client.native, &list);
    }
    failed.map_or(Ok(()), Err)
}

/// Goes on where records begin again, and says which are gone.
fn overtaken(
    client: &Client,
    progress: &mut Progress,
    topic: &str,
    partition: i32,
    restart: &mut impl FnMut(&str, i32, i64) -> Result<(), Error>,
    news: &mut News,
) -> Result<(), Error> {
    let Some(position) = progress.position(topic, partition) else {
        return Ok(());
    };
    // Nothing more is wanted of it.
    if progress.is_at_end(topic, partition) {
        return Ok(());
    }
    let here = [(topic.to_owned(), partition)];
    let low = client.offsets(&here, Lookup::Beginning)?[0];
    let high = client.offsets(&here, Lookup::End)?[0];
    let next = position.clamp(low, high.max(low));
    news.add(Notice::Gap {
        topic: topic.to_owned(),
        partition,
        from: position,
        to: next,
    });
    progress.reach(topic, partition, low);
    if low > position {
        news.reached(progress, topic, partition);
    }
    if next < position {
        progress.rewind(topic, partition, next);
        let mut list = TopicPartitionList::with_capacity(1);
        list.add_partition(topic, partition);
        let _ = ffi::resume(&client.native, &list);
    }
    // librdkafka has stopped to fetch it, and would ignore a seek.
    restart(topic, partition, next)
}

/// Tells the errors that end a run from those that librdkafka mends by itself.
fn refusal(code: Code, text: &str, topic: &str) -> Result<(), Error> {
    match code {
        Code::TopicAuthorizationFailed => Err(Error::other(format!("read topic `{topic}`"), code)),
        Code::GroupAuthorizationFailed => Err(Error::other("join the group", code)),
        Code::InconsistentGroupProtocol => Err(Error::MixedGroup(String::new())),
        Code::Fenced
        | Code::Fatal
        | Code::InvalidGroupId
        | Code::InvalidSessionTimeout
        | Code::UnsupportedVersion
        | Code::TopicDeletionDisabled
        | Code::PollExceeded => Err(Error::other("read on", code)),
        _ => {
            tracing::warn!(target: "librdkafka", "{code:?}: {text}");
            Ok(())
        }
    }
}

/// What [`Step`] follows from a batch that was sorted out.
pub(super) fn step(batch: &Messages, progress: &Progress) -> Step {
    if !batch.is_empty() {
        Step::Records
    } else if progress.is_done() {
        Step::End
    } else {
        Step::Idle
    }
}

/// What the user should know, and has not been told.
#[derive(Default)]
pub(super) struct News {
    notices: Vec<Notice>,
    reached: Vec<((String, i32), i64)>,
    announced_trouble: bool,
}

impl News {
    pub(super) fn add(&mut self, notice: Notice) {
        self.notices.push(notice);
    }

    pub(super) fn take(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    /// A partition is read further than its last record.
    fn reached(&mut self, progress: &Progress, topic: &str, partition: i32) {
        let next = progress.read_to(topic, partition);
        let reached = next.map(|next| ((topic.to_owned(), partition), next));
        self.reached.extend(reached);
    }

    pub(super) fn take_reached(&mut self) -> Vec<((String, i32), i64)> {
        std::mem::take(&mut self.reached)
    }

    /// Ends the run when the connection cannot come back, and says once when it is away.
    pub(super) fn watch(&mut self, client: &Client, step: Step) -> Result<Step, Error> {
        if let Some(error) = client.decided() {
            return Err(error);
        }
        if step == Step::Records {
            self.announced_trouble = false;
            client.forget_trouble();
        } else if !self.announced_trouble
            && let Some(trouble) = client.outage()
        {
            self.announced_trouble = true;
            self.add(Notice::Waiting { trouble });
        }
        Ok(step)
    }
}
