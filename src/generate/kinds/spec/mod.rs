//! Kinds of one's own, written down in TOML: named generators and distributions, no code.
//!
//! ```toml
//! about = "parcels on their way"
//! entities = 200
//! interval = "30s"
//! key = "parcel"
//!
//! [fields]
//! parcel = { is = "name", word = "parcel" }
//! status = { is = "chain", next = { PACKED = { SENT = 1 }, SENT = { ARRIVED = 9, LOST = 1 } } }
//! weight = { is = "log_normal", median = 2.5, deviation = 0.6, per = "entity" }
//! ```

mod error;
mod generator;
mod number;
mod read;
mod settings;
#[cfg(test)]
mod tests;

use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use error::SpecError;

use crate::generate::{Dice, Envelope, Event, Kind, Moment, PayloadSchema};
use crate::suggest::nearest;
use generator::{Field, Memory, Turn};
use settings::Settings;

/// A kind that somebody wrote down.
#[derive(Debug)]
pub struct Spec {
    name: String,
    about: String,
    envelope: Envelope,
    entities: u32,
    interval: Duration,
    fields: Vec<Field>,
    /// The place of the field that is the key; the entity's name when there is none.
    key: Option<usize>,
}

/// An entity and what its fields remember.
#[derive(Serialize, Deserialize)]
pub struct Entity {
    number: u32,
    last: Moment,
    memories: Vec<Memory>,
}

const KNOWN: [&str; 7] = [
    "name", "about", "envelope", "entities", "interval", "key", "fields",
];

impl Spec {
    /// Reads a spec; `name` is its name unless it says another.
    ///
    /// # Errors
    /// [`SpecError`], which says what is wrong and where.
    pub fn parse(text: &str, name: &str) -> Result<Self, SpecError> {
        let table = toml::Table::from_str(text).map_err(|error| SpecError::syntax(&error, text))?;
        let mut settings = Settings::new(String::new(), table, &KNOWN)?;
        let fields = match settings.take("fields") {
            Some(toml::Value::Table(table)) if !table.is_empty() => {
                read::fields("fields", table, 0)?
            }
            _ => return Err(SpecError::NoFields),
        };
        let key = match settings.text("key")? {
            None => None,
            Some(key) => Some(key_place(&fields, key)?),
        };
        let count = settings.count("entities", 10_000_000, "a whole number from 1 to 10000000")?;
        if count == Some(0) {
            return Err(settings.wrong("entities", "a whole number from 1 to 10000000"));
        }
        let name = settings.word("name")?.unwrap_or_else(|| name.to_owned());
        Ok(Self {
            about: settings.text("about")?.unwrap_or_else(|| name.clone()),
            name,
            envelope: match settings.text("envelope")?.as_deref() {
                None | Some("data") => Envelope::Data,
                Some("type") => Envelope::Type,
                Some(_) => return Err(settings.wrong("envelope", "\"data\" or \"type\"")),
            },
            entities: count.unwrap_or(100),
            interval: settings
                .duration("interval")?
                .unwrap_or(Duration::from_secs(1)),
            fields,
            key,
        })
    }
}

fn key_place(fields: &[Field], name: String) -> Result<usize, SpecError> {
    let can_be = |field: &&Field| field.is_key();
    fields
        .iter()
        .position(|field| field.name == name && field.is_key())
        .ok_or_else(|| {
            let names = fields
                .iter()
                .filter(can_be)
                .map(|field| field.name.as_str());
            SpecError::Key {
                suggestion: nearest(&name, names).map(str::to_owned),
                name,
            }
        })
}

impl Kind for Spec {
    type Entity = Entity;

    fn name(&self) -> &str {
        &self.name
    }

    fn about(&self) -> &str {
        &self.about
    }

    fn envelope(&self) -> Envelope {
        self.envelope
    }

    fn entities(&self) -> u32 {
        self.entities
    }

    fn interval(&self) -> Duration {
        self.interval
    }

    fn payloads(&self) -> Vec<PayloadSchema> {
        vec![PayloadSchema {
            event_type: self.name.clone().into(),
            schema: generator::object_schema(&self.fields),
        }]
    }

    fn birth(&self, number: u32, at: Moment, identity: &mut Dice, life: &mut Dice) -> Entity {
        let turn = Turn {
            entity: number,
            at,
            seconds: 0.0,
        };
        let births = (self.fields.iter()).map(|field| field.birth(turn, identity, life));
        Entity {
            number,
            last: at,
            memories: births.collect(),
        }
    }

    fn next(&self, entity: &mut Entity, at: Moment, life: &mut Dice, event: &mut Event) {
        let turn = Turn {
            entity: entity.number,
            at,
            seconds: at.seconds_since(entity.last).max(0.0),
        };
        entity.last = at;
        let payload = generator::object(&self.fields, &mut entity.memories, turn, life);
        match self.key.map(|place| &payload[&self.fields[place].name]) {
            Some(serde_json::Value::String(text)) => event.key(text),
            Some(number) => event.key(number),
            None => event.key(format_args!("{}_{}", self.name, entity.number)),
        }
        event.payload(&payload);
        event.wait_seconds(self.interval.as_secs_f64() * life.exponential());
    }
}
