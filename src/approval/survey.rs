//! What is approved beside what Kafka has: looked at, nothing changed.

use std::collections::{BTreeMap, BTreeSet};

use super::{Error, Found, Purpose, Verdict, verdict};
use crate::kafka::{Admin, Topic, TopicConfig};
use crate::registry::{self, Registry, Request, Spec, State};

/// An APPROVED or ACTIVE request and what is to be done about it.
#[derive(Clone, Debug)]
pub struct Surveyed {
    pub request: Request,
    pub verdict: Verdict,
    /// What Kafka has under the name.
    pub found: Option<Found>,
}

/// What a look at both showed.
#[derive(Clone, Debug)]
pub struct Survey {
    /// By name. An ACTIVE topic that an APPROVED change is about to replace is not among them.
    pub topics: Vec<Surveyed>,
    pub cluster_id: String,
    /// Kafka can only be looked at, and settings not even that.
    pub is_built_in_broker: bool,
}

/// Looks at Kafka and then at the registry.
///
/// # Errors
/// [`crate::registry::Error::OtherCluster`] besides what either side says.
pub fn survey(registry: &Registry, admin: &Admin) -> Result<Survey, Error> {
    // Kafka first: a topic that is made meanwhile is then one to be created that exists
    // already, which is looked at again, rather than one to be recreated in silence.
    let kafka = admin.topics()?;
    let cluster_id = admin.cluster_id()?;
    if let Some(pinned) = registry.cluster()?.filter(|pinned| *pinned != cluster_id) {
        let found = cluster_id;
        return Err(registry::Error::OtherCluster { pinned, found }.into());
    }
    let is_built_in_broker = admin.is_built_in_broker()?;
    let approved = registry.requests(Some(State::Approved))?;
    let active = registry.requests(Some(State::Active))?;
    let to_be: BTreeSet<String> = approved.iter().map(name).collect();
    let (changed, kept): (Vec<Request>, Vec<Request>) = active
        .into_iter()
        .partition(|request| to_be.contains(&request.spec.name));
    let changed: BTreeMap<String, Spec> = changed
        .into_iter()
        .map(|request| (name(&request), request.spec))
        .collect();
    let approved = approved.into_iter().map(|request| {
        let from = changed.get(&request.spec.name);
        (request, from.map_or(Purpose::New, Purpose::Change))
    });
    let kept = kept.into_iter().map(|request| (request, Purpose::Kept));
    let mut requests: Vec<(Request, Purpose<'_>)> = approved.chain(kept).collect();
    requests.sort_by(|(one, _), (other, _)| one.spec.name.cmp(&other.spec.name));
    let mut configs = if is_built_in_broker {
        None
    } else {
        Some(configs(&requests, &kafka, admin)?)
    };
    let topics = requests.into_iter().map(|(request, purpose)| {
        let found = kafka.get(&request.spec.name).map(|topic| Found {
            partitions: topic.partition_count(),
            replication: topic.replication(),
            config: configs
                .as_mut()
                .map(|configs| configs.remove(&request.spec.name).unwrap_or_default()),
        });
        Surveyed {
            verdict: verdict(&request.spec, purpose, found.as_ref()),
            request,
            found,
        }
    });
    Ok(Survey {
        topics: topics.collect(),
        cluster_id,
        is_built_in_broker,
    })
}

fn name(request: &Request) -> String {
    request.spec.name.clone()
}

/// What Kafka has for the settings that the requests name, or that they take back.
fn configs(
    requests: &[(Request, Purpose<'_>)],
    kafka: &BTreeMap<String, Topic>,
    admin: &Admin,
) -> Result<BTreeMap<String, TopicConfig>, Error> {
    let asked: Vec<(&str, Vec<&str>)> = requests
        .iter()
        .map(|(request, purpose)| {
            let mut keys: BTreeSet<&String> = request.spec.config.keys().collect();
            if let Purpose::Change(from) = purpose {
                keys.extend(from.config.keys());
            }
            // No setting has such a name, and librdkafka could not ask about it.
            let keys = keys.into_iter().filter(|key| !key.contains('\0'));
            let keys = keys.map(String::as_str).collect();
            (request.spec.name.as_str(), keys)
        })
        // Asked for no setting, Kafka would tell all.
        .filter(|(name, keys): &(&str, Vec<&str>)| !keys.is_empty() && kafka.contains_key(*name))
        .collect();
    let mut configs = BTreeMap::new();
    for ((name, _), config) in asked.iter().zip(admin.configs(&asked)?) {
        configs.insert((*name).to_owned(), config?);
    }
    Ok(configs)
}
