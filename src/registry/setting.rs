//! Which settings a topic can have. Brokers of other makes and of later versions know more, so that one which
//! is not here is worth a warning and no refusal.

use std::collections::BTreeMap;
use std::fmt;

use crate::suggest;

/// `org.apache.kafka.common.config.TopicConfig` of Kafka 4.3, and the two of `QuotaConfig` that topics have.
const KNOWN: [&str; 34] = [
    "cleanup.policy",
    "compression.gzip.level",
    "compression.lz4.level",
    "compression.type",
    "compression.zstd.level",
    "delete.retention.ms",
    "file.delete.delay.ms",
    "flush.messages",
    "flush.ms",
    "follower.replication.throttled.replicas",
    "index.interval.bytes",
    "leader.replication.throttled.replicas",
    "local.retention.bytes",
    "local.retention.ms",
    "max.compaction.lag.ms",
    "max.message.bytes",
    "message.downconversion.enable",
    "message.timestamp.after.max.ms",
    "message.timestamp.before.max.ms",
    "message.timestamp.type",
    "min.cleanable.dirty.ratio",
    "min.compaction.lag.ms",
    "min.insync.replicas",
    "preallocate",
    "remote.log.copy.disable",
    "remote.log.delete.on.disable",
    "remote.storage.enable",
    "retention.bytes",
    "retention.ms",
    "segment.bytes",
    "segment.index.bytes",
    "segment.jitter.ms",
    "segment.ms",
    "unclean.leader.election.enable",
];

/// A setting that Kafka does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unknown<'a> {
    name: &'a str,
    /// Which one was most likely meant.
    nearest: Option<&'static str>,
}

impl fmt::Display for Unknown<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "Kafka 4 has no setting `{}` for topics",
            self.name
        )?;
        match self.nearest {
            Some(nearest) => write!(formatter, "; {}", suggest::did_you_mean(nearest)),
            None => Ok(()),
        }
    }
}

/// Returns those that Kafka does not have.
pub fn unknown(config: &BTreeMap<String, String>) -> impl Iterator<Item = Unknown<'_>> {
    let unknown = config.keys().filter(|name| !KNOWN.contains(&name.as_str()));
    unknown.map(|name| Unknown {
        name,
        nearest: suggest::nearest(name, KNOWN.into_iter()),
    })
}
