//! Data for several topics, each of its own kind, that come and go.

use super::kinds::{Because, for_topic};
use super::{Arrival, Dice, Envelope, Event, Events, Moment, Plan, Schedule, Seed, Shape};

/// The topics that get data now; each draws from a stream of its own.
pub struct Mix {
    seed: Seed,
    entities: Option<u32>,
    topics: Vec<Topic>,
    /// Picks the topic of each event.
    picks: Dice,
    sequence: u64,
    made: u64,
}

/// A topic and where its data come from.
pub struct Topic {
    /// Its name.
    pub name: String,
    /// The name of its kind.
    pub kind: String,
    /// What stands around its payloads.
    pub envelope: Envelope,
    /// What its request says that it is for.
    request_type: Option<String>,
    events: Box<dyn Events>,
    /// Tells its entities from those of other topics.
    number: u64,
}

/// What became different.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A topic gets data of a kind.
    Begins {
        /// Its name.
        topic: String,
        /// The kind.
        kind: String,
        /// Why that kind.
        because: Because,
    },
    /// A topic gets no more data.
    Ends {
        /// Its name.
        topic: String,
    },
}

impl Mix {
    /// Returns a mix without topics; each kind has so many entities, or its own number.
    pub fn new(seed: Seed, entities: Option<u32>) -> Self {
        Self {
            seed,
            entities,
            topics: Vec::new(),
            picks: seed.part("topics", 0).dice(0),
            sequence: 0,
            made: 0,
        }
    }

    /// Returns whether no topic gets data.
    pub fn is_empty(&self) -> bool {
        self.topics.is_empty()
    }

    /// Makes `wanted`, names and types, the topics that get data from `at` on.
    ///
    /// # Errors
    /// When entities cannot be made.
    pub fn follow(
        &mut self,
        wanted: &[(String, Option<String>)],
        at: Moment,
    ) -> serde_json::Result<Vec<Change>> {
        let mut changes = Vec::new();
        self.topics.retain(|topic| {
            let stays = wanted.iter().any(|(name, request_type)| {
                *name == topic.name && *request_type == topic.request_type
            });
            if !stays {
                changes.push(Change::Ends {
                    topic: topic.name.clone(),
                });
            }
            stays
        });
        for (name, request_type) in wanted {
            if self.topics.iter().any(|topic| topic.name == *name) {
                continue;
            }
            let (kind, because) = for_topic(name, request_type.as_deref());
            let (kind_name, envelope) = (kind.name().to_owned(), kind.envelope());
            let seed = self.seed.part(name, 0);
            let plan = Plan {
                seed,
                start: at,
                entities: self.entities,
                schedule: Schedule::new(Arrival::Own, Shape::Flat, at, seed),
                saved: None,
            };
            self.topics.push(Topic {
                name: name.clone(),
                kind: kind_name.clone(),
                envelope,
                request_type: request_type.clone(),
                events: kind.start(plan)?,
                number: self.made,
            });
            self.made += 1;
            changes.push(Change::Begins {
                topic: name.clone(),
                kind: kind_name,
                because,
            });
        }
        // So that a pick depends on the names, not on their history.
        self.topics.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(changes)
    }

    /// Lets something happen at `at` in one of the topics, each as likely as any other; `None`
    /// where there is none.
    pub fn next(&mut self, at: Moment, event: &mut Event) -> Option<&Topic> {
        let pick = self.picks.below(self.topics.len() as u64);
        let topic = self.topics.get_mut(usize::try_from(pick).ok()?)?;
        topic.events.next_at(at, event);
        event.entity |= topic.number << 32;
        event.sequence = self.sequence;
        self.sequence += 1;
        Some(topic)
    }
}

#[cfg(test)]
mod tests {
    use super::super::kinds::testing::START;
    use super::*;

    fn topics(names: &[&str]) -> Vec<(String, Option<String>)> {
        names
            .iter()
            .map(|name| ((*name).to_owned(), None))
            .collect()
    }

    fn counts(mix: &mut Mix, count: usize) -> std::collections::BTreeMap<String, usize> {
        let mut counts = std::collections::BTreeMap::new();
        let mut event = Event::default();
        for _ in 0..count {
            let topic = mix.next(START, &mut event).unwrap();
            *counts.entry(topic.name.clone()).or_default() += 1;
        }
        counts
    }

    #[test]
    fn each_topic_gets_its_share_while_it_is_wanted() {
        let mut mix = Mix::new(Seed::new(1), Some(3));
        assert!(mix.next(START, &mut Event::default()).is_none());
        let changes = mix.follow(&topics(&["orders", "zzz"]), START).unwrap();
        assert_eq!(
            changes,
            [
                Change::Begins {
                    topic: "orders".into(),
                    kind: "order".into(),
                    because: Because::Name
                },
                Change::Begins {
                    topic: "zzz".into(),
                    kind: "event".into(),
                    because: Because::Nothing
                },
            ]
        );
        let both = counts(&mut mix, 1000);
        assert!((450..550).contains(&both["orders"]) && (450..550).contains(&both["zzz"]));
        assert_eq!(mix.follow(&topics(&["orders", "zzz"]), START).unwrap(), []);
        let changes = mix.follow(&topics(&["zzz"]), START).unwrap();
        assert_eq!(
            changes,
            [Change::Ends {
                topic: "orders".into()
            }]
        );
        assert_eq!(counts(&mut mix, 10)["zzz"], 10);
        mix.follow(&[], START).unwrap();
        assert!(mix.is_empty());
    }

    #[test]
    fn events_are_numbered_across_topics() {
        let mut mix = Mix::new(Seed::new(1), Some(1));
        mix.follow(&topics(&["sensors", "weather"]), START).unwrap();
        let mut event = Event::default();
        let mut entities = std::collections::BTreeSet::new();
        for sequence in 0..20 {
            mix.next(START, &mut event).unwrap();
            assert_eq!(event.sequence, sequence);
            entities.insert(event.entity);
        }
        assert_eq!(entities.len(), 2);
    }
}
