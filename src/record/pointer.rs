//! RFC 6901: a path into JSON, and the text that stands there, as it stands there.

use std::fmt;
use std::str::FromStr;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::fields::Name;

/// A JSON pointer such as `/user/id`; the empty one is the whole document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer(Vec<String>);

/// Why a text is no JSON pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PointerError {
    /// Only the empty pointer has none.
    #[error("a JSON pointer begins with `/`")]
    NoSlash,
    /// A `~` that escapes nothing (RFC 6901 section 3).
    #[error("in a JSON pointer `~` is written `~0`, and `/` in a name `~1`")]
    BareTilde,
}

impl FromStr for Pointer {
    type Err = PointerError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Ok(Self(Vec::new()));
        }
        let names = text.strip_prefix('/').ok_or(PointerError::NoSlash)?;
        names
            .split('/')
            .map(unescape)
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

fn unescape(name: &str) -> Result<String, PointerError> {
    let (escaped, mut after) = (name.replace("~1", "/"), name.split('~').skip(1));
    if !after.all(|rest| rest.starts_with(['0', '1'])) {
        return Err(PointerError::BareTilde);
    }
    Ok(escaped.replace("~0", "~"))
}

impl Pointer {
    /// Returns what stands at the pointer, `None` where nothing does, an error where `json` is
    /// not JSON. Of a name that repeats the last counts, as in jq, Java and JavaScript.
    pub fn find<'a>(&self, json: &'a str) -> Result<Option<&'a RawValue>, serde_json::Error> {
        let mut place: &RawValue = serde_json::from_str(json)?;
        for name in &self.0 {
            match step(place.get(), name)? {
                Some(next) => place = next,
                None => return Ok(None),
            }
        }
        Ok(Some(place))
    }
}

fn step<'a>(json: &'a str, name: &str) -> Result<Option<&'a RawValue>, serde_json::Error> {
    if json.starts_with('{') {
        serde_json::Deserializer::from_str(json).deserialize_map(Member(name))
    } else if json.starts_with('[') {
        let elements: Vec<&RawValue> = serde_json::from_str(json)?;
        Ok(index(name).and_then(|index| elements.get(index).copied()))
    } else {
        Ok(None)
    }
}

/// Returns an array index, which has digits alone and no leading zero (RFC 6901 section 4).
fn index(name: &str) -> Option<usize> {
    let plain = name == "0" || name.starts_with(|first| matches!(first, '1'..='9'));
    plain.then(|| name.parse().ok()).flatten()
}

struct Member<'n>(&'n str);

impl<'a> Visitor<'a> for Member<'_> {
    type Value = Option<&'a RawValue>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some((name, value)) = map.next_entry::<Name<'a>, &RawValue>()? {
            if name.0 == self.0 {
                found = Some(value);
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(pointer: &str, json: &str) -> Option<String> {
        let place = pointer.parse::<Pointer>().unwrap().find(json).unwrap();
        place.map(|place| place.get().to_owned())
    }

    #[test]
    fn the_examples_of_the_rfc_are_found() {
        let json = r#"{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\j":5,"k\"l":6," ":7,"m~n":8}"#;
        for (pointer, expected) in [
            ("", json),
            ("/foo", r#"["bar","baz"]"#),
            ("/foo/0", r#""bar""#),
            ("/", "0"),
            ("/a~1b", "1"),
            ("/c%d", "2"),
            ("/e^f", "3"),
            ("/g|h", "4"),
            ("/i\\j", "5"),
            ("/k\"l", "6"),
            ("/ ", "7"),
            ("/m~0n", "8"),
        ] {
            assert_eq!(found(pointer, json).as_deref(), Some(expected), "{pointer}");
        }
        assert_eq!(found("/~01", r#"{"~1":1,"/":2}"#).as_deref(), Some("1"));
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        let json = r#"{"a":[1,2],"b":"text"}"#;
        for pointer in [
            "/c", "/a/2", "/a/-", "/a/01", "/a/+1", "/a/x", "/b/0", "/a/0/0",
        ] {
            assert_eq!(found(pointer, json), None, "{pointer}");
        }
    }

    #[test]
    fn the_last_of_equal_names_counts_and_text_stays_as_it_is() {
        assert_eq!(
            found("/a", r#"{"a":1, "\u0061" : 1.50 }"#).as_deref(),
            Some("1.50")
        );
    }

    #[test]
    fn pointers_and_documents_are_checked() {
        assert_eq!("a".parse::<Pointer>(), Err(PointerError::NoSlash));
        assert_eq!("/a~".parse::<Pointer>(), Err(PointerError::BareTilde));
        assert_eq!("/a~2".parse::<Pointer>(), Err(PointerError::BareTilde));
        assert!(
            "/a".parse::<Pointer>()
                .unwrap()
                .find(r#"{"a":1,}"#)
                .is_err()
        );
    }
}
