//! What `kpipe stats` asks the cluster: topics, their ends, and groups.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::error::CommandError;
use crate::kafka::{Admin, Committed, Error, GroupKind, GroupLag, Probe, Reached, Topic, Topics};

/// How long a broker has to take a connection.
const REACH_TIMEOUT: Duration = Duration::from_secs(3);

/// The cluster at one moment.
pub(super) struct ClusterState {
    pub(super) brokers: Vec<Reached>,
    pub(super) topics: BTreeMap<String, Topic>,
    pub(super) beginnings: Committed,
    pub(super) ends: Committed,
    /// The groups that may be seen; none on the built-in broker, which does not list them.
    pub(super) groups: BTreeMap<String, GroupLag>,
}

impl ClusterState {
    pub(super) fn ask(
        admin: &Admin,
        probe: &mut Probe,
        wanted: &Topics,
    ) -> Result<Self, CommandError> {
        let mut topics = admin.topics()?;
        topics.retain(|name, _| wanted.matches(name));
        let partitions: Vec<(String, i32)> = topics
            .values()
            .flat_map(|topic| {
                let ids = topic.partitions.iter().map(|partition| partition.id);
                ids.map(|id| (topic.name.clone(), id))
            })
            .collect();
        let mut groups = BTreeMap::new();
        if !admin.is_built_in_broker()? {
            let names: Vec<String> = admin
                .groups()?
                .into_iter()
                .filter(|group| !matches!(group.kind, GroupKind::Other(_)))
                .map(|group| group.group)
                .collect();
            let asked: Vec<&str> = names.iter().map(String::as_str).collect();
            for (name, lag) in names.iter().zip(admin.lag(&asked)?) {
                match lag {
                    Ok(lag) => {
                        groups.insert(name.clone(), lag);
                    }
                    // Deleted since it was listed, or not ours to see.
                    Err(Error::UnknownGroup(_) | Error::Authorization { .. }) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(Self {
            brokers: probe.reach(Some(Instant::now() + REACH_TIMEOUT))?,
            beginnings: admin.beginnings(partitions.clone())?,
            ends: admin.ends(partitions)?,
            topics,
            groups,
        })
    }

    /// How many brokers are named and take no connection from here.
    pub(super) fn unreachable(&self) -> usize {
        let brokers = self.brokers.iter();
        brokers.filter(|broker| broker.answer.is_err()).count()
    }

    /// By how much groups are behind in a topic, of those that have committed in it.
    pub(super) fn lags(&self, topic: &str) -> BTreeMap<String, i64> {
        let of = |lag: &GroupLag| {
            lag.partitions
                .iter()
                .filter(|one| one.topic == topic)
                .filter_map(crate::kafka::PartitionLag::lag)
                .reduce(|one, next| one + next)
        };
        let groups = self.groups.iter();
        groups
            .filter_map(|(name, lag)| Some((name.clone(), of(lag)?)))
            .collect()
    }
}
