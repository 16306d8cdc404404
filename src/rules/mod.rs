//! What values must be, and what is added to them: `--require`, `--schema`, `--default`, `--assign`.
//!
//! Values are checked as they come, and then completed. A tombstone has no fields, so it is let
//! through as it is; all other values must be JSON, and an object where a field is spoken of.

mod assignment;
mod edit;
mod field;
mod schema;

pub use assignment::{Assignment, AssignmentError, Maker};
pub use field::{Field, FieldError};
pub use schema::{Schema, SchemaError};

use std::borrow::Cow;
use std::fmt;

use edit::{Obstacle, Policy};

/// The rules of a run.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Fields that must be there, and not null.
    pub required: Vec<Field>,
    pub schema: Option<Schema>,
    /// Are set where there is nothing, or null.
    pub defaults: Vec<Assignment>,
    /// Are set whatever is there.
    pub assigned: Vec<Assignment>,
}

/// Why a value is refused: where in it, and what is wrong there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// A JSON pointer; empty for the whole value.
    pub place: String,
    pub what: Cow<'static, str>,
}

impl Violation {
    fn whole(what: impl Into<Cow<'static, str>>) -> Self {
        Self {
            place: String::new(),
            what: what.into(),
        }
    }

    fn at(field: &Field, what: impl Into<Cow<'static, str>>) -> Self {
        Self {
            place: field.to_string(),
            what: what.into(),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.place.is_empty() {
            write!(formatter, "{}: ", self.place)?;
        }
        formatter.write_str(&self.what)
    }
}

impl std::error::Error for Violation {}

impl Rules {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.required.is_empty() && self.schema.is_none() && !self.completes()
    }

    /// Whether anything is added to values.
    pub fn completes(&self) -> bool {
        !self.defaults.is_empty() || !self.assigned.is_empty()
    }

    /// Checks a value as it came.
    pub fn check(&self, value: Option<&[u8]>) -> Result<(), Violation> {
        let Some(value) = value else {
            return Ok(());
        };
        if !self.required.is_empty() {
            let json = object(value)?;
            for field in &self.required {
                match field.pointer().find(json).map_err(|_| not_json())? {
                    None => return Err(Violation::at(field, "required, and missing")),
                    Some(found) if found.get() == "null" => {
                        return Err(Violation::at(field, "required, and null"));
                    }
                    Some(_) => {}
                }
            }
        }
        match &self.schema {
            Some(schema) => schema.check(value),
            None => Ok(()),
        }
    }

    /// Returns a value with what is to be added, all else in it byte for byte as it was.
    pub fn complete<'a>(
        &self,
        value: Option<&'a [u8]>,
        maker: &mut Maker,
    ) -> Result<Option<Cow<'a, [u8]>>, Violation> {
        let Some(value) = value else {
            return Ok(None);
        };
        if !self.completes() {
            return Ok(Some(value.into()));
        }
        let mut json = Cow::Borrowed(object(value)?);
        maker.begin();
        let defaults = self.defaults.iter().map(|one| (one, Policy::Missing));
        let assigned = self.assigned.iter().map(|one| (one, Policy::Always));
        for (assignment, policy) in defaults.chain(assigned) {
            let set = edit::set(&json, assignment.field.path(), policy, || {
                maker.make(&assignment.value)
            });
            match set {
                Ok(None) => {}
                Ok(Some(changed)) => json = Cow::Owned(changed),
                Err(Obstacle::NotJson) => return Err(not_json()),
                Err(Obstacle::NoRoom { found }) => {
                    let what = format!("cannot be set: above it there is {found}");
                    return Err(Violation::at(&assignment.field, what));
                }
            }
        }
        Ok(Some(match json {
            Cow::Borrowed(json) => json.as_bytes().into(),
            Cow::Owned(json) => json.into_bytes().into(),
        }))
    }
}

fn not_json() -> Violation {
    Violation::whole("the value is not JSON")
}

fn object(value: &[u8]) -> Result<&str, Violation> {
    let json = str::from_utf8(value).map_err(|_| not_json())?;
    match json.trim_ascii_start().as_bytes().first() {
        Some(b'{') => Ok(json),
        _ => Err(Violation::whole("the value is not a JSON object")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn required(fields: &[&str]) -> Rules {
        Rules {
            required: fields.iter().map(|field| field.parse().unwrap()).collect(),
            ..Rules::default()
        }
    }

    fn checked(rules: &Rules, value: &str) -> String {
        let checked = rules.check(Some(value.as_bytes()));
        checked.map_or_else(|violation| violation.to_string(), |()| "ok".to_owned())
    }

    fn completed(defaults: &[&str], assigned: &[&str], value: &str) -> String {
        let read = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        let rules = Rules {
            defaults: read(defaults),
            assigned: read(assigned),
            ..Rules::default()
        };
        match rules.complete(Some(value.as_bytes()), &mut Maker::for_tests()) {
            Ok(value) => String::from_utf8(value.unwrap().into_owned()).unwrap(),
            Err(violation) => violation.to_string(),
        }
    }

    #[test]
    fn what_is_required_must_be_there_and_not_null() {
        let rules = required(&["message", "/user/id", "/tags/0"]);
        let value = r#"{"message":"","user":{"id":0},"tags":[false]}"#;
        assert_eq!(checked(&rules, value), "ok");
        for (value, told) in [
            (r#"{"user":{"id":0}}"#, "/message: required, and missing"),
            (r#"{"message":null}"#, "/message: required, and null"),
            (
                r#"{"message":"","user":{}}"#,
                "/user/id: required, and missing",
            ),
            (
                r#"{"message":"","user":{"id":0},"tags":[]}"#,
                "/tags/0: required, and missing",
            ),
            ("[1]", "the value is not a JSON object"),
            ("", "the value is not a JSON object"),
            ("{\"message\":", "the value is not JSON"),
        ] {
            assert_eq!(checked(&rules, value), told, "{value}");
        }
        assert_eq!(
            rules.check(Some(b"{\"message\":\"\xff\"}")),
            Err(not_json())
        );
    }

    #[test]
    fn a_tombstone_is_let_through() {
        let mut rules = required(&["a"]);
        rules.assigned = vec!["a=1".parse().unwrap()];
        assert_eq!(rules.check(None), Ok(()));
        assert_eq!(rules.complete(None, &mut Maker::for_tests()), Ok(None));
    }

    #[test]
    fn a_default_is_for_what_is_missing_and_an_assignment_for_all() {
        let value = r#"{"n":1.50,"a":null,"b":"x"}"#;
        assert_eq!(
            completed(&["a=1", "b=y", "c=z"], &[], value),
            r#"{"n":1.50,"a":1,"b":"x","c":"z"}"#
        );
        assert_eq!(
            completed(&[], &["a=1", "b=y", "c=z"], value),
            r#"{"n":1.50,"a":1,"b":"y","c":"z"}"#
        );
        // Defaults come first, and each sees what came before it.
        assert_eq!(
            completed(&["a=1", "a=2"], &["/b/c=3", "b={}"], "{}"),
            r#"{"a":1,"b":{}}"#
        );
    }

    #[test]
    fn what_cannot_be_set_says_why() {
        for (value, told) in [
            (
                r#"{"a":1}"#,
                "/a/b: cannot be set: above it there is a number",
            ),
            (
                r#"{"a":[]}"#,
                "/a/b: cannot be set: above it there is an array",
            ),
            ("1", "the value is not a JSON object"),
            ("{]", "the value is not JSON"),
        ] {
            assert_eq!(completed(&["/a/b=1"], &[], value), told, "{value}");
        }
    }

    #[test]
    fn the_moment_is_one_for_all_of_a_value() {
        let value = completed(&["a=now", "b=now"], &["c=uuid", "d=uuid"], "{}");
        let value: serde_json::Value = serde_json::from_str(&value).unwrap();
        assert_eq!(value["a"], value["b"]);
        assert_ne!(value["c"], value["d"]);
    }
}
