//! Lines that are values: every byte before the line feed, and perhaps a key among them.

use std::borrow::Cow;
use std::str::FromStr;

use memchr::memmem::Finder;

use super::error::LineError;
use super::fields::{self, Field};
use super::outgoing::Outgoing;
use super::pointer::Pointer;

/// Where the key of a line is. A line is its bytes without the line feed: a CR before it
/// stays, the empty line is the empty value, and nothing needs to be UTF-8.
#[derive(Clone, Debug)]
pub enum LineKey {
    /// Nowhere: every key is null.
    None,
    /// In the value, which must be JSON and is sent whole. A string is its text, a missing
    /// member and null are a null key, all else is its JSON text.
    Pointer(Pointer),
    /// Before the first separator, with the value after it. As in kcat, a line without a
    /// separator is a value with a null key, so that nothing is lost.
    Separator(Separator),
}

/// What stands between key and value.
#[derive(Clone, Debug)]
pub struct Separator(Box<Finder<'static>>);

/// Why a text is no separator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SeparatorError {
    /// It would be found before every line.
    #[error("an empty separator would make every key empty")]
    Empty,
    /// A `\x` without its digits.
    #[error("`\\x` in a separator needs two hexadecimal digits")]
    Hex,
}

impl FromStr for Separator {
    type Err = SeparatorError;

    /// Reads `\t`, `\n` and `\xHH` as kcat's `-K` does, and any other backslash as itself.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.split('\\');
        let mut bytes: Vec<u8> = parts.next().unwrap_or_default().into();
        for part in parts {
            let (byte, rest) = match part.as_bytes() {
                [b't', rest @ ..] => (b'\t', rest),
                [b'n', rest @ ..] => (b'\n', rest),
                [b'x', digits @ ..] => {
                    let (digits, rest) = digits.split_at_checked(2).ok_or(SeparatorError::Hex)?;
                    let byte = data_encoding::HEXLOWER_PERMISSIVE.decode(digits);
                    (byte.map_err(|_| SeparatorError::Hex)?[0], rest)
                }
                rest => (b'\\', rest),
            };
            bytes.push(byte);
            bytes.extend_from_slice(rest);
        }
        if bytes.is_empty() {
            return Err(SeparatorError::Empty);
        }
        Ok(Self(Box::new(Finder::new(&bytes).into_owned())))
    }
}

/// Returns the record whose value is the line, or what the line has after its key.
pub(super) fn parse<'a>(line: &'a [u8], key: &LineKey) -> Result<Outgoing<'a>, LineError> {
    let (key, value) = match key {
        LineKey::None => (None, line),
        LineKey::Pointer(pointer) => (key_at(pointer, line)?, line),
        LineKey::Separator(Separator(separator)) => match separator.find(line) {
            None => (None, line),
            Some(at) => {
                let after = at + separator.needle().len();
                (Some(Cow::Borrowed(&line[..at])), &line[after..])
            }
        },
    };
    Ok(Outgoing {
        key,
        value: Some(Cow::Borrowed(value)),
        ..Outgoing::default()
    })
}

fn key_at<'a>(pointer: &Pointer, line: &'a [u8]) -> Result<Option<Cow<'a, [u8]>>, LineError> {
    let text = fields::utf8(line, 1)?;
    let line = Field {
        name: "key",
        text,
        column: 1,
    };
    let found = pointer
        .find(text)
        .map_err(|error| LineError::syntax(error, 1))?;
    found.map_or(Ok(None), |key| line.part(key).payload())
}

#[cfg(test)]
mod tests {
    use super::*;

    type Parts = (Option<Vec<u8>>, Vec<u8>);

    fn parts(line: &[u8], key: &LineKey) -> Parts {
        let outgoing = parse(line, key).unwrap();
        (outgoing.key.map(Vec::from), outgoing.value.unwrap().into())
    }

    fn split(separator: &str, line: &[u8]) -> Parts {
        parts(line, &LineKey::Separator(separator.parse().unwrap()))
    }

    fn pointed(pointer: &str, line: &str) -> Option<String> {
        let (key, value) = parts(line.as_bytes(), &LineKey::Pointer(pointer.parse().unwrap()));
        assert_eq!(value, line.as_bytes());
        key.map(|key| String::from_utf8(key).unwrap())
    }

    #[test]
    fn every_byte_of_a_line_is_the_value() {
        for line in [&b""[..], b"\r", b"a\r", b"\xff\0", b" {} "] {
            assert_eq!(parts(line, &LineKey::None), (None, line.to_vec()));
        }
    }

    #[test]
    fn the_first_separator_splits() {
        assert_eq!(split(":", b"k:v:w"), (Some(b"k".into()), b"v:w".into()));
        assert_eq!(split("::", b"k:::v"), (Some(b"k".into()), b":v".into()));
        assert_eq!(split(":", b":"), (Some(b"".into()), b"".into()));
        assert_eq!(
            split(":", b"\xff:\xfe"),
            (Some(b"\xff".into()), b"\xfe".into())
        );
    }

    #[test]
    fn a_line_without_a_separator_is_a_value() {
        assert_eq!(split(":", b"value"), (None, b"value".into()));
        assert_eq!(split(":", b""), (None, b"".into()));
    }

    #[test]
    fn separators_are_written_as_in_kcat() {
        assert_eq!(split(r"\t", b"k\tv"), (Some(b"k".into()), b"v".into()));
        assert_eq!(
            split(r"\x1Fa", b"k\x1fav"),
            (Some(b"k".into()), b"v".into())
        );
        assert_eq!(split(r"\|", b"k\\|v"), (Some(b"k".into()), b"v".into()));
        assert_eq!("".parse::<Separator>().unwrap_err(), SeparatorError::Empty);
        assert_eq!(
            r"\x1".parse::<Separator>().unwrap_err(),
            SeparatorError::Hex
        );
        assert_eq!(
            r"\xgg".parse::<Separator>().unwrap_err(),
            SeparatorError::Hex
        );
    }

    #[test]
    fn a_pointer_takes_the_key_from_the_value() {
        let line = r#" {"s":"a\nb","n":1.50,"t":true,"z":null,"o":{ "x" :1},"a":[1]} "#;
        assert_eq!(pointed("/s", line).as_deref(), Some("a\nb"));
        assert_eq!(pointed("/n", line).as_deref(), Some("1.50"));
        assert_eq!(pointed("/t", line).as_deref(), Some("true"));
        assert_eq!(pointed("/z", line), None);
        assert_eq!(pointed("/missing", line), None);
        assert_eq!(pointed("/o", line).as_deref(), Some(r#"{ "x" :1}"#));
        assert_eq!(pointed("/a/0", line).as_deref(), Some("1"));
    }

    #[test]
    fn a_pointer_needs_json() {
        let key = LineKey::Pointer("/a".parse().unwrap());
        for (line, text, column) in [
            (
                &br#"{"a":1"#[..],
                "the text ends inside an object, without `}`",
                6,
            ),
            (b"", "the text ends where a value should be", 1),
            (br#"{"a":1} {}"#, "more text behind the end of the value", 9),
            (b"\"\xff\"", "not valid UTF-8", 2),
            (br#"{"b":1,"a":"\ud800"}"#, "`\\u` of half a character", 19),
        ] {
            let error = parse(line, &key).unwrap_err();
            assert_eq!((error.to_string().as_str(), error.column()), (text, column));
        }
    }
}
