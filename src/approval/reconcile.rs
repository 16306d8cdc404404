//! Makes Kafka have what was approved, one pass at a time.
//!
//! Looks first, creates what is not there, and leaves as it is what is there as something
//! else. Whatever happens between Kafka's answer and the registry's record of it, a death of
//! the process included, the next pass finds the topic there and goes on.

use std::collections::BTreeMap;

use jiff::{Timestamp, Unit};
use serde::Serialize;

use super::survey::{Surveyed, survey};
use super::{Difference, Error, Verdict, delay, summary};
use crate::exit::Status;
use crate::kafka::{self, Admin, Each, NewTopic};
use crate::registry::{self, Actor, Observation, Reason, Registry, Request, Stamp, State};
use crate::stop::Stop;
use crate::ui::in_one_line;

/// So many topics are created before the registry knows of it.
const BATCH: usize = 500;

/// What a pass did about a topic, or had to say of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Told {
    #[serde(skip)]
    pub request_id: String,
    pub name: String,
    pub action: Action,
    pub state: State,
    /// Whether Kafka agrees with the registry.
    pub ready: bool,
    pub reason: Option<Reason>,
    pub message: Option<String>,
    /// Whether Kafka will not do it however often it is asked, so that only another request helps.
    #[serde(skip)]
    pub is_hopeless: bool,
    #[serde(serialize_with = "registry::time::print_some")]
    pub next_attempt_at: Option<Timestamp>,
}

/// In a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    Created,
    /// Kafka had it already.
    Adopted,
    /// A request took the place of another.
    Changed,
    /// Kafka has something else under the name.
    Conflict,
    /// Kafka did not do what was asked of it.
    Failed,
    /// An ACTIVE topic is not as it was approved.
    Drift,
    /// An ACTIVE topic is as it was approved again.
    Restored,
}

impl Action {
    /// Returns the word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Adopted => "adopted",
            Self::Changed => "changed",
            Self::Conflict => "conflict",
            Self::Failed => "failed",
            Self::Drift => "drift",
            Self::Restored => "restored",
        }
    }
}

/// One pass over all APPROVED and ACTIVE requests.
pub struct Pass<'a> {
    pub registry: &'a mut Registry,
    pub admin: &'a Admin,
    pub actor: &'a Actor,
    pub producer_key: Option<&'a str>,
    pub now: &'a dyn Fn() -> Timestamp,
    /// Gives numbers from 0 to 1.
    pub random: &'a mut dyn FnMut() -> f64,
    pub stop: &'a Stop,
    /// Leaves alone what failed and is to be tried again later.
    pub is_patient: bool,
    /// Is told of each topic that something is to be said of, as soon as it is so.
    pub tell: &'a mut dyn FnMut(Told),
}

impl Pass<'_> {
    /// Makes the pass; ends early, between topics, when it is to stop.
    ///
    /// # Errors
    /// What concerns no single topic: the registry, the producer key, another cluster, Kafka
    /// that cannot be reached.
    pub fn run(mut self) -> Result<(), Error> {
        let now = (self.now)();
        self.registry.expire(now)?;
        self.registry.check_producer_key(self.producer_key)?;
        let topics = self.look()?;
        let existed = self.settle(topics)?;
        if existed.is_empty() || self.stop.is_asked() {
            return Ok(());
        }
        // Somebody made them since we looked.
        let mut again = self.look()?;
        again.retain(|topic| existed.iter().any(|one| one.id == topic.request.id));
        for request in self.settle(again)? {
            // It is there and hidden from us.
            let error = kafka::Error::TopicExists(request.spec.name.clone());
            self.fails(&request, &error)?;
        }
        Ok(())
    }

    fn look(&mut self) -> Result<Vec<Surveyed>, Error> {
        let survey = survey(self.registry, self.admin)?;
        if !survey.is_built_in_broker {
            let stamp = stamp(self.actor, self.now);
            self.registry.pin_cluster(&survey.cluster_id, stamp)?;
            return Ok(survey.topics);
        }
        // It has a new id each time it is started, so one tour would spoil the registry.
        let mut topics = Vec::new();
        for topic in survey.topics {
            match topic.verdict {
                Verdict::Create | Verdict::Change { .. } => self.is_not_supported(&topic)?,
                _ => topics.push(topic),
            }
        }
        Ok(topics)
    }

    /// Does what each verdict says, and returns those that were to be created and exist.
    fn settle(&mut self, topics: Vec<Surveyed>) -> Result<Vec<Request>, Error> {
        let (mut new, mut changes) = (Vec::new(), Vec::new());
        for topic in topics {
            if self.stop.is_asked() {
                return Ok(Vec::new());
            }
            let request = &topic.request;
            match &topic.verdict {
                Verdict::Create | Verdict::Change { .. } if self.waits(request) => {}
                Verdict::Create => new.push(topic.request),
                Verdict::Change { .. } => changes.push(topic),
                Verdict::Agrees if request.state == State::Approved => {
                    self.activate(request, Action::Adopted)?;
                }
                Verdict::Agrees if request.observation.ready == Some(true) => {}
                Verdict::Agrees => {
                    let agrees = self.observation(request, None);
                    self.observe(request, Action::Restored, agrees, false)?;
                }
                Verdict::Conflict(differences) => {
                    self.differs(request, Action::Conflict, differences)?;
                }
                Verdict::Drift(differences) => {
                    self.differs(request, Action::Drift, differences)?;
                }
            }
        }
        let mut existed = Vec::new();
        for batch in new.chunks(BATCH) {
            if self.stop.is_asked() {
                return Ok(existed);
            }
            self.create(batch, &mut existed)?;
        }
        for batch in changes.chunks(BATCH) {
            if self.stop.is_asked() {
                return Ok(existed);
            }
            self.change(batch)?;
        }
        Ok(existed)
    }

    fn create(&mut self, requests: &[Request], existed: &mut Vec<Request>) -> Result<(), Error> {
        let topics: Vec<NewTopic> = requests
            .iter()
            .map(|Request { spec, .. }| NewTopic {
                name: spec.name.clone(),
                partitions: Some(spec.partitions),
                replication: Some(spec.replication),
                config: spec.config.clone(),
            })
            .collect();
        let results = bisected(&topics, &|topics| self.admin.create(topics))?;
        for (request, result) in requests.iter().zip(results) {
            match result {
                Ok(()) => self.activate(request, Action::Created)?,
                Err(kafka::Error::TopicExists(_)) => existed.push(request.clone()),
                Err(error) => self.fails(request, &error)?,
            }
        }
        Ok(())
    }

    fn change(&mut self, topics: &[Surveyed]) -> Result<(), Error> {
        let mut failures: BTreeMap<&str, kafka::Error> = BTreeMap::new();
        let (mut grown, mut altered) = (Vec::new(), Vec::new());
        for topic in topics {
            let Verdict::Change {
                partitions, config, ..
            } = &topic.verdict
            else {
                continue;
            };
            let name = topic.request.spec.name.as_str();
            grown.extend(partitions.map(|partitions| (name, partitions)));
            if !config.is_empty() {
                altered.push((name, config.clone()));
            }
        }
        let results = bisected(&grown, &|grown| self.admin.grow(grown))?;
        for ((name, _), result) in grown.iter().zip(results) {
            if let Err(error) = result {
                failures.insert(name, error);
            }
        }
        let results = bisected(&altered, &|altered| self.admin.alter(altered))?;
        for ((name, _), result) in altered.iter().zip(results) {
            if let Err(error) = result {
                failures.entry(name).or_insert(error);
            }
        }
        for Surveyed { request, .. } in topics {
            match failures.get(request.spec.name.as_str()) {
                None => self.activate(request, Action::Changed)?,
                Some(error) => self.fails(request, error)?,
            }
        }
        Ok(())
    }

    /// Whether it failed, and its time has not come.
    fn waits(&self, request: &Request) -> bool {
        let next = request.observation.next_attempt_at;
        self.is_patient && next.is_some_and(|next| next > (self.now)())
    }

    fn activate(&mut self, request: &Request, action: Action) -> Result<(), Error> {
        let stamp = stamp(self.actor, self.now);
        let is_adopted = action == Action::Adopted;
        let activated = self.registry.activate(&request.id, is_adopted, stamp);
        let (request_id, name) = (request.id.clone(), request.spec.name.clone());
        (self.tell)(match activated {
            Ok(active) => Told {
                request_id,
                name,
                // It was ours before.
                action: if is_adopted && active.adopted == Some(false) {
                    Action::Changed
                } else {
                    action
                },
                state: active.state,
                ready: true,
                reason: None,
                message: Some(summary(&active.spec)),
                is_hopeless: false,
                next_attempt_at: None,
            },
            // It was taken back since we looked, and Kafka has it now.
            Err(error @ registry::Error::InState { state, .. }) => Told {
                request_id,
                name,
                action: Action::Failed,
                state,
                ready: false,
                reason: Some(Reason::ResourceConflict),
                message: Some(error.to_string()),
                is_hopeless: false,
                next_attempt_at: None,
            },
            Err(error) => return Err(error.into()),
        });
        Ok(())
    }

    fn is_not_supported(&mut self, topic: &Surveyed) -> Result<(), Error> {
        let what = match topic.verdict {
            Verdict::Create => "create topics",
            _ => "change topics",
        };
        let error = kafka::Error::NotOnBuiltInBroker(what);
        let why = Some((Reason::NotSupported, error.to_string()));
        let unsupported = self.observation(&topic.request, why);
        self.observe(&topic.request, Action::Failed, unsupported, false)
    }

    fn differs(
        &mut self,
        request: &Request,
        action: Action,
        differences: &[Difference],
    ) -> Result<(), Error> {
        let why = Some((Reason::ResourceConflict, listed(differences)));
        let differs = self.observation(request, why);
        self.observe(request, action, differs, false)
    }

    fn fails(&mut self, request: &Request, error: &kafka::Error) -> Result<(), Error> {
        let reason = if error.is_policy_violation() {
            Reason::PolicyViolation
        } else {
            Reason::KafkaError
        };
        let attempts = request.observation.attempts.saturating_add(1);
        let wait = delay(attempts, (self.random)());
        let why = Some((reason, in_one_line(error)));
        let failed = Observation {
            attempts,
            next_attempt_at: (self.now)()
                .checked_add(wait)
                .and_then(|next| next.round(Unit::Millisecond))
                .ok(),
            ..self.observation(request, why)
        };
        let is_hopeless = error.is_policy_violation() || error.is_invalid_config();
        self.observe(request, Action::Failed, failed, is_hopeless)
    }

    fn observation(&self, request: &Request, why: Option<(Reason, String)>) -> Observation {
        let (reason, message) = why.unzip();
        Observation {
            ready: Some(reason.is_none()),
            reason,
            message,
            attempts: request.observation.attempts,
            next_attempt_at: None,
            observed_at: Some((self.now)()),
        }
    }

    /// Keeps whether Kafka agrees, if that is news, and tells it.
    fn observe(
        &mut self,
        request: &Request,
        action: Action,
        observation: Observation,
        is_hopeless: bool,
    ) -> Result<(), Error> {
        let known = Observation {
            observed_at: observation.observed_at,
            ..request.observation.clone()
        };
        if observation != known {
            let stamp = stamp(self.actor, self.now);
            let id = &request.id;
            match self.registry.record_observation(id, &observation, stamp) {
                // It came to its end since we looked.
                Err(registry::Error::InState { .. }) => return Ok(()),
                recorded => recorded?,
            }
        }
        (self.tell)(Told {
            request_id: request.id.clone(),
            name: request.spec.name.clone(),
            action,
            state: request.state,
            ready: observation.reason.is_none(),
            reason: observation.reason,
            message: observation.message,
            is_hopeless,
            next_attempt_at: observation.next_attempt_at,
        });
        Ok(())
    }
}

/// Does `act` for all of `items` at once. Where one of them makes the whole of it fail, as what
/// librdkafka refuses to send does, it is found by halving, and the others go on.
fn bisected<T>(
    items: &[T],
    act: &impl Fn(&[T]) -> Result<Each<()>, kafka::Error>,
) -> Result<Each<()>, kafka::Error> {
    match act(items) {
        Err(error) if error.status() == Status::Unavailable => Err(error),
        Err(error @ kafka::Error::Interrupted) => Err(error),
        Err(error) if items.len() == 1 => Ok(vec![Err(error)]),
        Err(_) if items.len() > 1 => {
            let (one, other) = items.split_at(items.len() / 2);
            let mut results = bisected(one, act)?;
            results.extend(bisected(other, act)?);
            Ok(results)
        }
        acted => acted,
    }
}

fn stamp<'a>(actor: &'a Actor, now: &dyn Fn() -> Timestamp) -> Stamp<'a> {
    Stamp { actor, at: now() }
}

/// Differences in one line.
fn listed(differences: &[Difference]) -> String {
    let listed: Vec<String> = differences.iter().map(ToString::to_string).collect();
    listed.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_has_times_with_milliseconds() {
        let mut told = Told {
            request_id: String::new(),
            name: "orders".to_owned(),
            action: Action::Failed,
            state: State::Approved,
            ready: false,
            reason: None,
            message: None,
            is_hopeless: false,
            next_attempt_at: Timestamp::from_second(1_800_000_000).ok(),
        };
        let printed = |told: &Told| serde_json::to_value(told).unwrap()["next_attempt_at"].clone();
        assert_eq!(printed(&told), "2027-01-15T08:00:00.000Z");
        told.next_attempt_at = None;
        assert_eq!(printed(&told), serde_json::Value::Null);
    }

    fn refused() -> kafka::Error {
        kafka::Error::InvalidTopic("three".to_owned())
    }

    #[test]
    fn one_that_makes_all_fail_fails_alone() {
        let act = |items: &[i32]| {
            if items.contains(&3) {
                Err(refused())
            } else {
                Ok(items.iter().map(|_| Ok(())).collect())
            }
        };
        let results = bisected(&[1, 2, 3, 4, 5], &act).unwrap();
        let is_ok: Vec<bool> = results.iter().map(Result::is_ok).collect();
        assert_eq!(is_ok, [true, true, false, true, true]);
        assert!(bisected(&[], &act).unwrap().is_empty());
    }

    #[test]
    fn what_concerns_all_is_not_tried_for_each() {
        let asked = std::cell::Cell::new(0);
        let act = |_: &[i32]| {
            asked.set(asked.get() + 1);
            Err(kafka::Error::Interrupted)
        };
        assert!(bisected(&[1, 2, 3], &act).is_err());
        assert_eq!(asked.get(), 1);
    }
}
