//! Pieces that payloads have in common, with their JSON Schema (draft 2020-12).

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::generate::PayloadSchema;

/// A name that is a word and a number, such as `station_17`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Name(pub &'static str, pub u32);

impl std::fmt::Display for Name {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}_{}", self.0, self.1)
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What is a string in JSON, as it is shown.
pub(super) struct Text<T>(pub T);

impl<T: std::fmt::Display> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// Returns the payload of an event type: an object that has all of `properties` and no other.
pub(super) fn payload(event_type: &'static str, properties: &Value) -> PayloadSchema {
    PayloadSchema {
        event_type: event_type.into(),
        schema: object(properties),
    }
}

/// Returns the schema of an object that has all of `properties` and no other.
pub(super) fn object(properties: &Value) -> Value {
    let properties_map = properties.as_object();
    let names: Vec<&String> = properties_map
        .into_iter()
        .flat_map(|map| map.keys())
        .collect();
    json!({
        "type": "object",
        "properties": properties,
        "required": names,
        "additionalProperties": false,
    })
}

/// Returns the schema of a [`Name`] with this word.
pub(super) fn name(word: &str) -> Value {
    json!({"type": "string", "pattern": format!("^{word}_[0-9]+$")})
}

/// Returns the schema of an id.
pub(super) fn id() -> Value {
    json!({"type": "string", "format": "uuid"})
}

/// Returns the schema of a whole number from `minimum`.
pub(super) fn count_from(minimum: u32) -> Value {
    json!({"type": "integer", "minimum": minimum})
}

/// Returns `schema`, or null.
pub(super) fn nullable(schema: &Value) -> Value {
    json!({"anyOf": [schema, {"type": "null"}]})
}
