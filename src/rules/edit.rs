//! Sets a member of a JSON text and leaves every other byte of it as it is.

use std::fmt;
use std::ops::Range;

use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::record::Name;

/// When a member is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Policy {
    /// Where there is nothing, or null.
    Missing,
    Always,
}

/// Why a member cannot be set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Obstacle {
    NotJson,
    /// What stands above it has no members of such a name.
    NoRoom {
        found: &'static str,
    },
}

impl From<serde_json::Error> for Obstacle {
    fn from(_: serde_json::Error) -> Self {
        Self::NotJson
    }
}

/// Returns `json` with the member at `path` set to what `make` gives, or `None` where nothing is to be
/// changed.
///
/// A member that is there is replaced where it stands; a new one, with the objects on the way to it,
/// comes after the last.
pub(super) fn set(
    json: &str,
    path: &[String],
    policy: Policy,
    make: impl FnOnce() -> String,
) -> Result<Option<String>, Obstacle> {
    let (mut start, mut end) = (0, json.len());
    let mut left = path;
    // Down to the deepest of what is there.
    let (text, place) = loop {
        let Some((name, below)) = left.split_first() else {
            let is_missing = &json[start..end] == "null";
            if policy == Policy::Missing && !is_missing {
                return Ok(None);
            }
            break (make(), start..end);
        };
        let above = &json[start..end];
        match look(above, name)? {
            Found::Member(range) => {
                (start, end) = (start + range.start, start + range.end);
                left = below;
            }
            Found::Room { at, is_first } => {
                let text = member(name, below, make(), is_first);
                break (text, start + at..start + at);
            }
            // What is null is nothing: it makes way for an object.
            Found::Neither("null") if !path.is_empty() => {
                break (object(left, make()), start..end);
            }
            Found::Neither(found) => return Err(Obstacle::NoRoom { found }),
        }
    };
    let mut changed = String::with_capacity(json.len() + text.len());
    changed.push_str(&json[..place.start]);
    changed.push_str(&text);
    changed.push_str(&json[place.end..]);
    Ok(Some(changed))
}

/// A new member, and the objects around its value.
fn member(name: &str, below: &[String], value: String, is_first: bool) -> String {
    let name = serde_json::Value::from(name);
    let comma = if is_first { "" } else { "," };
    format!("{comma}{name}:{}", object(below, value))
}

/// The value inside of an object for each of `path`.
fn object(path: &[String], value: String) -> String {
    path.iter().rev().fold(value, |value, name| {
        format!("{{{}:{value}}}", serde_json::Value::from(name.as_str()))
    })
}

enum Found {
    /// Where in the text the member's value stands.
    Member(Range<usize>),
    /// Where a new member may come.
    Room { at: usize, is_first: bool },
    /// What it is instead of something with such a member.
    Neither(&'static str),
}

/// Looks for a member of `json`, which is checked to its end.
fn look(json: &str, name: &str) -> Result<Found, Obstacle> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let found = match json.trim_ascii_start().as_bytes().first() {
        Some(b'{') => {
            let members = deserializer.deserialize_map(Members { json, name })?;
            let begin = json.len() - json.trim_ascii_start().len() + 1;
            match members {
                (Some(range), _) => Found::Member(range),
                (None, Some(last)) => Found::Room {
                    at: last,
                    is_first: false,
                },
                (None, None) => Found::Room {
                    at: begin,
                    is_first: true,
                },
            }
        }
        Some(b'[') => {
            let element = deserializer.deserialize_seq(Elements { json, name })?;
            element.map_or(Found::Neither("an array"), Found::Member)
        }
        first => {
            <&RawValue as serde::Deserialize>::deserialize(&mut deserializer)?;
            Found::Neither(match first {
                Some(b'"') => "a string",
                Some(b't' | b'f') => "a boolean",
                Some(b'n') => "null",
                _ => "a number",
            })
        }
    };
    deserializer.end()?;
    Ok(found)
}

fn range(json: &str, value: &RawValue) -> Range<usize> {
    let start = value.get().as_ptr().addr() - json.as_ptr().addr();
    start..start + value.get().len()
}

/// Finds the last member of a name, which counts, and where the last of all ends.
struct Members<'a> {
    json: &'a str,
    name: &'a str,
}

impl<'de> Visitor<'de> for Members<'de> {
    type Value = (Option<Range<usize>>, Option<usize>);

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut found, mut last) = (None, None);
        while let Some((Name(name), value)) = map.next_entry::<Name<'de>, &'de RawValue>()? {
            let range = range(self.json, value);
            last = Some(range.end);
            if name == self.name {
                found = Some(range);
            }
        }
        Ok((found, last))
    }
}

/// Finds an element by its index.
struct Elements<'a> {
    json: &'a str,
    name: &'a str,
}

impl<'de> Visitor<'de> for Elements<'de> {
    type Value = Option<Range<usize>>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
        let (mut index, mut found) = (0_usize, None);
        while let Some(value) = sequence.next_element::<&'de RawValue>()? {
            if index.to_string() == self.name {
                found = Some(range(self.json, value));
            }
            index += 1;
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn names(pointer: &str) -> Vec<String> {
        pointer.split('/').skip(1).map(ToOwned::to_owned).collect()
    }

    fn always(json: &str, pointer: &str) -> Result<Option<String>, Obstacle> {
        set(json, &names(pointer), Policy::Always, || "9".to_owned())
    }

    #[test]
    fn a_new_member_comes_last_and_nothing_else_moves() {
        for (json, expected) in [
            (r#"{"a":1.50}"#, r#"{"a":1.50,"x":9}"#),
            (
                r#" { "a" : 1e5 , "b":[ 1 ] } "#,
                r#" { "a" : 1e5 , "b":[ 1 ],"x":9 } "#,
            ),
            ("{}", r#"{"x":9}"#),
            (" {\n} ", " {\"x\":9\n} "),
            (r#"{"é":"\u00e9}"}"#, r#"{"é":"\u00e9}","x":9}"#),
            (r#"{"a":{"x":1}}"#, r#"{"a":{"x":1},"x":9}"#),
        ] {
            assert_eq!(always(json, "/x").unwrap().as_deref(), Some(expected));
        }
    }

    #[test]
    fn a_member_is_replaced_where_it_stands() {
        for (json, expected) in [
            (r#"{"x": {"a":1} ,"b":2}"#, r#"{"x": 9 ,"b":2}"#),
            (r#"{"\u0078":1,"b":2}"#, r#"{"\u0078":9,"b":2}"#),
            // The last of equal names is the one that counts.
            (r#"{"x":1,"x":2}"#, r#"{"x":1,"x":9}"#),
        ] {
            assert_eq!(always(json, "/x").unwrap().as_deref(), Some(expected));
        }
    }

    #[test]
    fn a_path_leads_through_what_is_there_and_makes_what_is_not() {
        for (json, pointer, expected) in [
            (r#"{"a":{"b":{ }}}"#, "/a/b/x", r#"{"a":{"b":{"x":9 }}}"#),
            (r#"{"b":1}"#, "/a/b/x", r#"{"b":1,"a":{"b":{"x":9}}}"#),
            (r#"{"a":null}"#, "/a/b/x", r#"{"a":{"b":{"x":9}}}"#),
            (r#"{"a":[1,{"x":2}]}"#, "/a/1/x", r#"{"a":[1,{"x":9}]}"#),
            (r#"{"a":[1,2]}"#, "/a/0", r#"{"a":[9,2]}"#),
            ("{}", "/a\"b", r#"{"a\"b":9}"#),
        ] {
            assert_eq!(always(json, pointer).unwrap().as_deref(), Some(expected));
        }
    }

    #[test]
    fn what_is_no_object_has_no_room() {
        for (json, pointer, found) in [
            (r#"{"a":"s"}"#, "/a/x", "a string"),
            (r#"{"a":-1}"#, "/a/x", "a number"),
            (r#"{"a":true}"#, "/a/x", "a boolean"),
            (r#"{"a":[1]}"#, "/a/1", "an array"),
            (r#"{"a":[1]}"#, "/a/00", "an array"),
        ] {
            assert_eq!(always(json, pointer), Err(Obstacle::NoRoom { found }));
        }
        for json in ["", "{", "{} {}", "{\"a\":}", "{\"a\":1,}", "x"] {
            assert_eq!(always(json, "/x"), Err(Obstacle::NotJson), "{json}");
        }
    }

    #[test]
    fn what_is_there_is_not_missing() {
        let set = |json: &str| set(json, &names("/a/x"), Policy::Missing, || "9".to_owned());
        assert_eq!(set(r#"{"a":{"x":false}}"#), Ok(None));
        assert_eq!(
            set(r#"{"a":{"x":null}}"#),
            Ok(Some(r#"{"a":{"x":9}}"#.to_owned()))
        );
        assert_eq!(set(r#"{"a":{}}"#), Ok(Some(r#"{"a":{"x":9}}"#.to_owned())));
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<i64>().prop_map(Value::from),
            "[ax,{}\"\\\\]{0,4}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[abx\"]{0,2}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn it_sets_what_a_whole_parse_would_set(
            value in any_json(), pointer in "(/[abx01]{1,2}){1,3}", pretty in any::<bool>(),
        ) {
            let json = if pretty {
                serde_json::to_string_pretty(&value).unwrap()
            } else {
                value.to_string()
            };
            if let Ok(changed) = always(&json, &pointer) {
                let changed = changed.unwrap();
                let after: Value = serde_json::from_str(&changed).unwrap();
                prop_assert_eq!(after.pointer(&pointer), Some(&Value::from(9)));
                // Taken back, it is as it was.
                if let Some(before) = value.pointer(&pointer) {
                    let mut back = after;
                    *back.pointer_mut(&pointer).unwrap() = before.clone();
                    prop_assert_eq!(back, value);
                } else {
                    prop_assert!(changed.len() > json.len());
                }
            }
        }
    }
}
