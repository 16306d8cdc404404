//! What a kind of data has to say of itself.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::schema::{self, PayloadSchema};
use super::{Dice, Engine, Envelope, Event, Events, Moment, Saved, Schedule, Seed};

/// A kind of data: what entities it has, and what they do next.
///
/// Nothing that an entity draws or keeps may depend on another entity.
pub trait Kind: Send {
    /// What an entity remembers from event to event.
    type Entity: Serialize + DeserializeOwned + Send;

    /// Returns the name that users type.
    fn name(&self) -> &str;

    /// Returns what it is, in a line.
    fn about(&self) -> &str;

    /// Returns what stands around the payloads.
    fn envelope(&self) -> Envelope {
        Envelope::Data
    }

    /// Returns how many entities there are unless somebody says otherwise; at least 1.
    fn entities(&self) -> u32;

    /// Returns the mean time between two events of one entity.
    fn interval(&self) -> Duration;

    /// Returns the event types and the JSON Schema (draft 2020-12) of the payload of each.
    fn payloads(&self) -> Vec<PayloadSchema>;

    /// Makes entity `number` as it is at `at`.
    ///
    /// What it is called and how it is made are drawn from `identity`, which is the same in every
    /// run of a seed; how it happens to stand right now from `life`, which belongs to this run.
    fn birth(&self, number: u32, at: Moment, identity: &mut Dice, life: &mut Dice) -> Self::Entity;

    /// Lets an entity act at `at`: fills in the event, at least its key and its payload.
    fn next(&self, entity: &mut Self::Entity, at: Moment, life: &mut Dice, event: &mut Event);
}

/// How a kind is to be run.
#[derive(Debug)]
pub struct Plan {
    /// What all draws follow from.
    pub seed: Seed,
    /// The first moment of event time.
    pub start: Moment,
    /// How many entities; the kind's own number when `None`.
    pub entities: Option<u32>,
    /// When events come.
    pub schedule: Schedule,
    /// The entities of the run before; the rest are made anew.
    pub saved: Option<Saved>,
}

/// Any kind, whatever its entities are.
pub trait AnyKind: Send {
    /// Returns [`Kind::name`].
    fn name(&self) -> &str;

    /// Returns [`Kind::about`].
    fn about(&self) -> &str;

    /// Returns [`Kind::envelope`].
    fn envelope(&self) -> Envelope;

    /// Returns [`Kind::entities`].
    fn entities(&self) -> u32;

    /// Returns [`Kind::interval`].
    fn interval(&self) -> Duration;

    /// Returns the JSON Schema of the whole value.
    fn schema(&self) -> Value;

    /// Begins a run.
    ///
    /// # Errors
    /// When a saved entity is none of this kind.
    fn start(self: Box<Self>, plan: Plan) -> serde_json::Result<Box<dyn Events>>;
}

impl<K: Kind + 'static> AnyKind for K {
    fn name(&self) -> &str {
        Kind::name(self)
    }

    fn about(&self) -> &str {
        Kind::about(self)
    }

    fn envelope(&self) -> Envelope {
        Kind::envelope(self)
    }

    fn entities(&self) -> u32 {
        Kind::entities(self)
    }

    fn interval(&self) -> Duration {
        Kind::interval(self)
    }

    fn schema(&self) -> Value {
        schema::of_value(Kind::name(self), Kind::envelope(self), self.payloads())
    }

    fn start(self: Box<Self>, plan: Plan) -> serde_json::Result<Box<dyn Events>> {
        Ok(Box::new(Engine::new(*self, plan)?))
    }
}
