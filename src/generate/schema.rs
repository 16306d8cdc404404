//! The JSON Schema of a kind's whole value, from those of its payloads.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::Envelope;

/// An event type and what its payload looks like.
#[derive(Clone, Debug)]
pub struct PayloadSchema {
    /// What stands in `data_type` or `type`.
    pub event_type: Cow<'static, str>,
    /// JSON Schema, draft 2020-12; `additionalProperties` false.
    pub schema: Value,
}

/// Returns the schema of `{"data_type"|"type","timestamp","payload"}`.
pub(super) fn of_value(name: &str, envelope: Envelope, payloads: Vec<PayloadSchema>) -> Value {
    let type_field = envelope.type_field();
    let mut values: Vec<Value> = payloads
        .into_iter()
        .map(|payload| {
            json!({
                "type": "object",
                "properties": {
                    type_field: {"const": payload.event_type},
                    "timestamp": {
                        "type": "string",
                        "format": "date-time",
                        "description": "when it happened, UTC, in microseconds",
                    },
                    "payload": payload.schema,
                    "padding": {"type": "string", "description": "fills up to --size"},
                },
                "required": [type_field, "timestamp", "payload"],
                "additionalProperties": false,
            })
        })
        .collect();
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": name,
    });
    if values.len() == 1
        && let (Value::Object(schema), Value::Object(value)) = (&mut schema, values.remove(0))
    {
        schema.extend(value);
    } else {
        schema["oneOf"] = Value::Array(values);
    }
    schema
}

impl Envelope {
    /// Returns the name of the field that says what the payload is.
    pub fn type_field(self) -> &'static str {
        match self {
            Self::Data => "data_type",
            Self::Type => "type",
        }
    }
}
