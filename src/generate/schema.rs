//! The JSON Schema of a kind's whole value, from those of its payloads.

use std::borrow::Cow;
use std::fmt;

use serde_json::{Value, json};

use super::Envelope;
use super::faults::{MOST_NULLS, Null};
use crate::record::{Pointer, PointerError};
use crate::suggest::nearest;

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

/// Why a field cannot be made null.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    /// No payload has it.
    #[error("no payload has a field `{field}`{}", DidYouMean(suggestion.as_deref()))]
    Unknown {
        /// As it was typed.
        field: String,
        /// One that there is, with nearly that name.
        suggestion: Option<String>,
    },
    /// It looks like a JSON pointer, and is none.
    #[error("`{field}` is not a field: {error}")]
    NotAPointer {
        /// As it was typed.
        field: String,
        /// What is wrong with it.
        error: PointerError,
    },
    /// There is a bit for each, and no more.
    #[error("at most {MOST_NULLS} fields can be null")]
    TooMany,
}

struct DidYouMean<'a>(Option<&'a str>);

impl fmt::Display for DidYouMean<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .map_or(Ok(()), |name| write!(formatter, ", did you mean `{name}`?"))
    }
}

/// Returns where in a value the fields are that are null at times.
///
/// # Errors
/// [`FieldError`], also for a field that no payload of `schema` has.
pub fn pointers(nulls: &[Null], schema: &Value) -> Result<Vec<Pointer>, FieldError> {
    if nulls.len() > MOST_NULLS {
        return Err(FieldError::TooMany);
    }
    let mut known = Vec::new();
    fields(schema, "", &mut known);
    nulls
        .iter()
        .map(|null| {
            let field = null.field.clone();
            let path = if field.starts_with('/') {
                format!("/payload{field}")
            } else {
                format!("/payload/{}", field.replace('~', "~0").replace('/', "~1"))
            };
            // Items of an array have numbers that no schema names.
            let shape: Vec<&str> = path
                .split('/')
                .map(|name| {
                    if name.parse::<u64>().is_ok() {
                        "-"
                    } else {
                        name
                    }
                })
                .collect();
            if !known.contains(&shape.join("/")) {
                let names = known
                    .iter()
                    .filter_map(|path| path.strip_prefix("/payload/"));
                let suggestion = nearest(field.trim_start_matches('/'), names);
                let suggestion = suggestion.map(|name| {
                    let slash = if name.contains('/') { "/" } else { "" };
                    format!("{slash}{name}")
                });
                return Err(FieldError::Unknown { field, suggestion });
            }
            path.parse()
                .map_err(|error| FieldError::NotAPointer { field, error })
        })
        .collect()
}

/// Collects the paths of everything that a schema names; `-` is any item of an array.
fn fields(schema: &Value, path: &str, known: &mut Vec<String>) {
    for choices in ["oneOf", "anyOf", "allOf"] {
        for choice in schema[choices].as_array().into_iter().flatten() {
            fields(choice, path, known);
        }
    }
    for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}/{}", name.replace('~', "~0").replace('/', "~1"));
        known.push(path.clone());
        fields(schema, &path, known);
    }
    if schema["items"].is_object() {
        let path = format!("{path}/-");
        known.push(path.clone());
        fields(&schema["items"], &path, known);
    }
}
