//! The file of `--metrics`: what `kafka_exporter` (danielqsj's) would tell, by its names and
//! labels, and our own numbers of each topic.

use std::io;
use std::path::{Path, PathBuf};

use super::cluster::ClusterState;
use super::row::{Health, Row};
use crate::error::CommandError;
use crate::kafka::{Partition, PartitionLag, Reached, Topic};
use crate::sink::whole;
use crate::stats::prometheus::Page;

#[derive(Debug, thiserror::Error)]
#[error("cannot write metrics to {}", path.display())]
struct WriteError {
    path: PathBuf,
    #[source]
    cause: io::Error,
}

/// Replaces the file at `path` at once.
pub(super) fn write(
    path: &Path,
    state: &ClusterState,
    rows: &[Row],
    health: Health,
) -> Result<(), CommandError> {
    // Somebody else's collector reads it.
    let written = whole::write(path, 0o644, page(state, rows, health).as_bytes());
    written.map_err(|cause| {
        CommandError::failed(WriteError {
            path: path.to_owned(),
            cause,
        })
    })
}

type Labels = Vec<(&'static str, String)>;

/// Name and help of a family.
type Head = (&'static str, &'static str);

fn page(state: &ClusterState, rows: &[Row], health: Health) -> String {
    let mut page = Page::default();
    add_brokers(&mut page, state, health);
    add_topics(&mut page, state);
    add_groups(&mut page, state);
    let topic = |row: &Row| vec![("topic", row.topic.clone())];
    page.gauge(
        "kpipe_topic_records_per_second",
        "Records a second",
        rows.iter().map(|row| (topic(row), row.records_per_second)),
    );
    page.gauge(
        "kpipe_topic_bytes_per_second",
        "Bytes of keys, values and headers a second",
        rows.iter().map(|row| (topic(row), row.bytes_per_second)),
    );
    page.gauge(
        "kpipe_topic_failed_per_second",
        "Dead letters a second that come from this Topic",
        rows.iter().map(|row| (topic(row), row.failed_per_second)),
    );
    page.gauge(
        "kpipe_topic_dead_letters",
        "Dead letters in this Topic within the window",
        rows.iter().map(|row| (topic(row), row.dead_letters)),
    );
    page.gauge(
        "kpipe_topic_record_bytes",
        "Size that this part of the records does not exceed",
        rows.iter().flat_map(|row| {
            [("0.5", row.size_p50), ("0.95", row.size_p95)].map(|(quantile, size)| {
                let mut labels = topic(row);
                labels.push(("quantile", quantile.to_owned()));
                (labels, size)
            })
        }),
    );
    page.finish()
}

fn add_brokers(page: &mut Page, state: &ClusterState, health: Health) {
    page.gauge(
        "kafka_brokers",
        "Number of Brokers in the Kafka Cluster.",
        [(Labels::new(), state.brokers.len())],
    );
    let each = |number: fn(&Reached) -> u8| {
        let brokers = state.brokers.iter();
        brokers.map(move |broker| {
            let labels = vec![
                ("address", broker.address.clone()),
                ("id", broker.id.to_string()),
            ];
            (labels, number(broker))
        })
    };
    page.gauge(
        "kafka_broker_info",
        "Information about the Kafka Broker.",
        each(|_| 1),
    );
    page.gauge(
        "kpipe_broker_up",
        "1 if the Broker takes connections at the address that it advertises",
        each(|broker| broker.answer.is_ok().into()),
    );
    page.gauge(
        "kpipe_request_errors_per_second",
        "Requests a second that failed or timed out",
        [(Labels::new(), health.request_errors_per_second)],
    );
}

fn add_topics(page: &mut Page, state: &ClusterState) {
    page.gauge(
        "kafka_topic_partitions",
        "Number of partitions for this Topic",
        state
            .topics
            .values()
            .map(|topic| (vec![("topic", topic.name.clone())], topic.partitions.len())),
    );
    for (name, help, offsets) in [
        (
            "kafka_topic_partition_current_offset",
            "Current Offset of a Broker at Topic/Partition",
            &state.ends,
        ),
        (
            "kafka_topic_partition_oldest_offset",
            "Oldest Offset of a Broker at Topic/Partition",
            &state.beginnings,
        ),
    ] {
        let samples = offsets.iter();
        page.gauge(
            name,
            help,
            samples.map(|((topic, id), offset)| (of_partition(topic, *id), *offset)),
        );
    }
    let mut add = |name, help, number: fn(&Partition) -> Option<i64>| {
        let partitions = |topic: &Topic| {
            let samples = topic.partitions.iter();
            samples
                .filter_map(|one| Some((of_partition(&topic.name, one.id), number(one)?)))
                .collect::<Vec<_>>()
        };
        page.gauge(name, help, state.topics.values().flat_map(partitions));
    };
    add(
        "kafka_topic_partition_leader",
        "Leader Broker ID of this Topic/Partition",
        |one| one.leader.map(i64::from),
    );
    add(
        "kafka_topic_partition_leader_is_preferred",
        "1 if Topic/Partition is using the Preferred Broker",
        |one| {
            let preferred = one.replicas.first().copied();
            Some((one.leader.is_some() && one.leader == preferred).into())
        },
    );
    add(
        "kafka_topic_partition_replicas",
        "Number of Replicas for this Topic/Partition",
        |one| i64::try_from(one.replicas.len()).ok(),
    );
    add(
        "kafka_topic_partition_in_sync_replica",
        "Number of In-Sync Replicas for this Topic/Partition",
        |one| i64::try_from(one.in_sync.len()).ok(),
    );
    add(
        "kafka_topic_partition_under_replicated_partition",
        "1 if Topic/Partition is under Replicated",
        |one| Some((one.in_sync.len() < one.replicas.len()).into()),
    );
}

fn add_groups(page: &mut Page, state: &ClusterState) {
    let members = state.groups.iter().filter_map(|(name, group)| {
        let members = group.description.as_ref()?.members.len();
        Some((vec![("consumergroup", name.clone())], members))
    });
    page.gauge(
        "kafka_consumergroup_members",
        "Amount of members in a consumer group",
        members.collect::<Vec<_>>(),
    );
    add_offsets(
        page,
        state,
        (
            "kafka_consumergroup_current_offset",
            "Current Offset of a ConsumerGroup at Topic/Partition",
        ),
        (
            "kafka_consumergroup_current_offset_sum",
            "Current Offset of a ConsumerGroup at Topic for all partitions",
        ),
        |one| one.committed,
    );
    add_offsets(
        page,
        state,
        (
            "kafka_consumergroup_lag",
            "Current Approximate Lag of a ConsumerGroup at Topic/Partition",
        ),
        (
            "kafka_consumergroup_lag_sum",
            "Current Approximate Lag of a ConsumerGroup at Topic for all partitions",
        ),
        PartitionLag::lag,
    );
}

/// Adds a number of each partition of each topic that a group has committed in, -1 where it has
/// committed nothing, as `kafka_exporter` does for alerts; and the sum over each topic of the others.
fn add_offsets(
    page: &mut Page,
    state: &ClusterState,
    each: Head,
    sum: Head,
    number: fn(&PartitionLag) -> Option<i64>,
) {
    let mut samples: Vec<(Labels, i64)> = Vec::new();
    let mut sums: Vec<(Labels, i64)> = Vec::new();
    for (name, group) in &state.groups {
        let of_topics = group
            .partitions
            .chunk_by(|one, next| one.topic == next.topic);
        for found in of_topics {
            let Some(topic) = state.topics.get(&found[0].topic) else {
                continue;
            };
            if found.iter().all(|one| one.committed.is_none()) {
                continue;
            }
            let labels = vec![("consumergroup", name.clone())];
            for partition in &topic.partitions {
                let mut found = found.iter();
                let found = found.find(|one| one.partition == partition.id);
                let number = match found.filter(|one| one.committed.is_some()) {
                    Some(one) => number(one),
                    None => Some(-1),
                };
                if let Some(number) = number {
                    let mut labels = labels.clone();
                    labels.extend(of_partition(&topic.name, partition.id));
                    samples.push((labels, number));
                }
            }
            let mut labels = labels.clone();
            labels.push(("topic", topic.name.clone()));
            let committed = found.iter().filter(|one| one.committed.is_some());
            sums.push((labels, committed.filter_map(number).sum()));
        }
    }
    page.gauge(each.0, each.1, samples);
    page.gauge(sum.0, sum.1, sums);
}

fn of_partition(topic: &str, partition: i32) -> Labels {
    vec![
        ("partition", partition.to_string()),
        ("topic", topic.to_owned()),
    ]
}
