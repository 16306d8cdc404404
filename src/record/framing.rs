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
    #[error("an empty separator would make every key empty")]
    Empty,
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
