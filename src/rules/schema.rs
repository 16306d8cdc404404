//! A JSON Schema that values are checked against.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use jsonschema::{ValidationError, Validator};
use serde_json::Value;

use super::Violation;
use crate::syntax::Syntax;

/// The longest text of a violation that quotes what it found.
const LONGEST: usize = 160;

/// A schema, ready to check.
#[derive(Clone)]
pub struct Schema(Arc<Validator>);

impl fmt::Debug for Schema {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Schema")
    }
}

/// Why a text is no schema.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    #[error("not JSON")]
    NotJson(#[source] Syntax),
    #[error("not a JSON Schema{}: {what}", Place(place))]
    NotASchema { place: String, what: String },
}

struct Place<'a>(&'a str);

impl fmt::Display for Place<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            "" => Ok(()),
            place => write!(formatter, ", at {place}"),
        }
    }
}

impl FromStr for Schema {
    type Err = SchemaError;

    /// Reads a schema, of the draft that its `$schema` names or else of 2020-12. It is whole: a
    /// `$ref` leads nowhere else.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let schema: Value =
            serde_json::from_str(text).map_err(|error| SchemaError::NotJson(error.into()))?;
        let validator =
            jsonschema::validator_for(&schema).map_err(|error| SchemaError::NotASchema {
                place: error.instance_path().to_string(),
                what: words(&error),
            })?;
        Ok(Self(Arc::new(validator)))
    }
}

impl Schema {
    /// Checks a value; of several violations the first is told, and how many more there are.
    pub(super) fn check(&self, value: &[u8]) -> Result<(), Violation> {
        let value: Value = serde_json::from_slice(value).map_err(|_| super::not_json())?;
        let mut errors = self.0.iter_errors(&value);
        let Some(first) = errors.next() else {
            return Ok(());
        };
        let (place, mut what) = (first.instance_path().to_string(), words(&first));
        let more = errors.count();
        if more > 0 {
            what = format!("{what} (and {more} more)");
        }
        Err(Violation {
            place,
            what: what.into(),
        })
    }
}

/// The words for an error, without what was found where that is long.
fn words(error: &ValidationError<'_>) -> String {
    let words = error.to_string();
    if words.len() <= LONGEST {
        return words;
    }
    error.masked().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDER: &str = r#"{"type":"object","required":["id"],"properties":{
        "id":{"type":"integer"},"total":{"type":"number","minimum":0},
        "lines":{"items":{"type":"string"}}}}"#;

    fn told(value: &str) -> String {
        let checked = ORDER.parse::<Schema>().unwrap().check(value.as_bytes());
        checked.map_or_else(|violation| violation.to_string(), |()| "ok".to_owned())
    }

    #[test]
    fn what_fails_is_told_with_its_place() {
        assert_eq!(told(r#"{"id":7,"total":1.5}"#), "ok");
        assert_eq!(
            told(r#"{"id":7,"total":"much"}"#),
            r#"/total: "much" is not of type "number""#
        );
        assert_eq!(
            told(r#"{"id":7,"lines":["a",2]}"#),
            r#"/lines/1: 2 is not of type "string""#
        );
        assert_eq!(told("{}"), "\"id\" is a required property");
        assert_eq!(told("7"), r#"7 is not of type "object""#);
        assert_eq!(told("{"), "the value is not JSON");
        let several = told(r#"{"id":"x","total":-1,"lines":[1]}"#);
        assert!(several.ends_with(" (and 2 more)"), "{several}");
    }

    #[test]
    fn a_long_value_is_not_quoted() {
        let long = format!(r#"{{"id":7,"total":"{}"}}"#, "x".repeat(1000));
        assert_eq!(told(&long), r#"/total: value is not of type "number""#);
    }

    #[test]
    fn what_is_no_schema_is_told() {
        let error = |text: &str| text.parse::<Schema>().unwrap_err().to_string();
        assert_eq!(error("{"), "not JSON");
        let told = error(r#"{"type":"strnig"}"#);
        assert!(told.starts_with("not a JSON Schema, at /type: "), "{told}");
        let told = error(r#"{"$ref":"https://example.com/order.json"}"#);
        assert!(told.starts_with("not a JSON Schema"), "{told}");
    }
}
