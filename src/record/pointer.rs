//! RFC 6901: a path into JSON, and the text that stands there, as it stands there. It is looked
//! up while the JSON is read: nothing is built but what it names.

use std::fmt;
use std::str::FromStr;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
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

impl fmt::Display for Pointer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names = self.0.iter();
        names.try_for_each(|name| {
            let escaped = name.replace('~', "~0").replace('/', "~1");
            write!(formatter, "/{escaped}")
        })
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
    /// Returns the pointer that leads through members of these names.
    pub fn from_names(names: Vec<String>) -> Self {
        Self(names)
    }

    /// The names on the way, unescaped.
    pub fn names(&self) -> &[String] {
        &self.0
    }

    /// Returns what stands at the pointer, `None` where nothing does, an error where `json` is
    /// not JSON to its end. Of a name that repeats the last counts, as in jq, Java and JavaScript.
    pub fn find<'a>(&self, json: &'a str) -> Result<Option<&'a RawValue>, serde_json::Error> {
        let mut deserializer = serde_json::Deserializer::from_str(json);
        let found = Find(&self.0).deserialize(&mut deserializer)?;
        deserializer.end()?;
        Ok(found)
    }
}

/// Finds what a path names, below the value that is read next.
struct Find<'path>(&'path [String]);

impl<'de> DeserializeSeed<'de> for Find<'_> {
    type Value = Option<&'de RawValue>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        match self.0 {
            [] => serde::Deserialize::deserialize(deserializer).map(Some),
            [token, rest @ ..] => deserializer.deserialize_any(Below { token, rest }),
        }
    }
}

struct Below<'path> {
    token: &'path str,
    rest: &'path [String],
}

impl<'de> Visitor<'de> for Below<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(name) = map.next_key::<Name<'de>>()? {
            if name.0 == self.token {
                found = map.next_value_seed(Find(self.rest))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        if let Some(index) = index(self.token) {
            for _ in 0..index {
                if sequence.next_element::<IgnoredAny>()?.is_none() {
                    return Ok(None);
                }
            }
            found = sequence.next_element_seed(Find(self.rest))?.flatten();
        }
        while sequence.next_element::<IgnoredAny>()?.is_some() {}
        Ok(found)
    }

    // A scalar has nothing below it.
    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }
}

/// An index into an array has no leading zeros (RFC 6901 §4); `-`, the element after the last, is
/// never there.
fn index(token: &str) -> Option<usize> {
    let digits = token.bytes().all(|byte| byte.is_ascii_digit());
    (digits && (token == "0" || !token.starts_with('0'))).then(|| token.parse().ok())?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    /// What is found; nothing in what is no JSON.
    fn find<'json>(pointer: &str, json: &'json str) -> Option<&'json str> {
        let pointer: Pointer = pointer.parse().unwrap();
        pointer.find(json).ok().flatten().map(RawValue::get)
    }

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
    fn the_last_of_equal_names_counts_and_text_stays_as_it_is() {
        assert_eq!(
            found("/a", r#"{"a":1, "\u0061" : 1.50 }"#).as_deref(),
            Some("1.50")
        );
    }

    #[test]
    fn a_pointer_is_written_as_it_is_read() {
        for text in ["", "/", "/a/0", "/a~1b/m~0n", "/~01"] {
            assert_eq!(text.parse::<Pointer>().unwrap().to_string(), text);
        }
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

    #[test]
    fn nothing_is_found_where_nothing_is() {
        let json = r#"{"a":[1,{"b":null}],"s":"x","t":true,"n":null,"f":1.5,"i":-1}"#;
        assert_eq!(find("/a/1/b", json), Some("null"));
        for pointer in [
            "/b",
            "/a/2",
            "/a/-",
            "/a/01",
            "/a/+1",
            "/a/b",
            "/a/0/b",
            "/a/1/b/c",
            "/s/0",
            "/t/0",
            "/n/0",
            "/f/0",
            "/i/0",
            "/a/99999999999999999999",
            "/A",
            "/a/",
        ] {
            assert_eq!(find(pointer, json), None, "{pointer}");
        }
    }

    #[test]
    fn what_is_not_json_to_its_end_holds_nothing() {
        for json in [
            "",
            "{",
            r#"{"a":1"#,
            r#"{"a":1}}"#,
            r#"{"a":1} x"#,
            r#"{"a":1,}"#,
            r#"{"a":1,"b":nul}"#,
        ] {
            assert_eq!(find("/a", json), None, "{json}");
        }
        assert_eq!(find("/a", " {\"a\" : [1 , 2] } \n"), Some("[1 , 2]"));
    }

    #[test]
    fn the_last_of_a_repeated_name_counts_and_escaped_names_are_found() {
        assert_eq!(find("/a", r#"{"a":1,"a":2}"#), Some("2"));
        assert_eq!(find("/a/b", r#"{"a":{"b":1},"a":3}"#), None);
        assert_eq!(find("/é", r#"{"\u00e9":1}"#), Some("1"));
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[a~/\"\\\\é]{0,3}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[ab01~/\"]{0,2}", inner, 0..4)
                    .prop_map(|map| json!(map)),
            ]
        })
    }

    proptest! {
        #[test]
        fn it_finds_what_a_whole_parse_finds(
            value in any_json(), pointer in "(/([ab01\"]|~0|~1){0,2}){0,3}",
        ) {
            let json = value.to_string();
            let found = find(&pointer, &json).map(|json| serde_json::from_str::<Value>(json).unwrap());
            prop_assert_eq!(found.as_ref(), value.pointer(&pointer));
        }
    }
}
