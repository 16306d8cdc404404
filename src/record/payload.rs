//! Payload bytes as JSON, without losing one of them.

use std::str::{self, FromStr};

use data_encoding::BASE64;
use memchr::memchr2;
use serde_json::value::RawValue;

/// How payloads are written into a record line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PayloadMode {
    /// JSON objects and arrays as they are, other text as a string, other bytes as base64.
    #[default]
    Auto,
    /// As `Auto`, but JSON is a string too.
    Text,
    /// Everything that is not null as base64.
    Base64,
}

/// Says which payload modes there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected `auto`, `text` or `base64`")]
pub struct PayloadModeError;

impl FromStr for PayloadMode {
    type Err = PayloadModeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "auto" => Ok(Self::Auto),
            "text" => Ok(Self::Text),
            "base64" => Ok(Self::Base64),
            _ => Err(PayloadModeError),
        }
    }
}

impl PayloadMode {
    /// Returns the mode for keys and header values, which are never embedded as JSON:
    /// readers compare them, and a string is one type where `any JSON` is six.
    pub(super) fn without_embedding(self) -> Self {
        match self {
            Self::Auto => Self::Text,
            mode => mode,
        }
    }
}

/// Appends `"name":PAYLOAD`, or `"name_base64":"…"` for what JSON text cannot carry.
pub(crate) fn write(line: &mut Vec<u8>, name: &str, payload: Option<&[u8]>, mode: PayloadMode) {
    line.push(b'"');
    line.extend_from_slice(name.as_bytes());
    match payload.map(|bytes| Form::of(bytes, mode)) {
        None => line.extend_from_slice(b"\":null"),
        Some(Form::Json(text)) => {
            line.extend_from_slice(b"\":");
            line.extend_from_slice(text.as_bytes());
        }
        Some(Form::Text(text)) => {
            line.extend_from_slice(b"\":");
            write_json(line, text);
        }
        Some(Form::Bytes(bytes)) => {
            line.extend_from_slice(b"_base64\":\"");
            let start = line.len();
            line.resize(start + BASE64.encode_len(bytes.len()), 0);
            BASE64.encode_mut(bytes, &mut line[start..]);
            line.push(b'"');
        }
    }
}

/// Appends a string or a number as JSON.
pub(crate) fn write_json(line: &mut Vec<u8>, value: &(impl serde::Serialize + ?Sized)) {
    serde_json::to_writer(line, value).expect("a Vec takes every byte and scalars serialize");
}

enum Form<'a> {
    Json(&'a str),
    Text(&'a str),
    Bytes(&'a [u8]),
}

impl<'a> Form<'a> {
    fn of(payload: &'a [u8], mode: PayloadMode) -> Self {
        if mode == PayloadMode::Base64 || is_framed(payload) {
            return Self::Bytes(payload);
        }
        match str::from_utf8(payload) {
            Ok(text) if mode == PayloadMode::Auto && is_embeddable(text) => Self::Json(text),
            Ok(text) => Self::Text(text),
            Err(_) => Self::Bytes(payload),
        }
    }
}

/// Tells Confluent's wire format: a zero byte and a four-byte schema id. What follows is
/// binary, and whether it happens to be UTF-8 must not decide its form from record to record.
fn is_framed(payload: &[u8]) -> bool {
    payload.len() >= 5 && payload[0] == 0
}

/// Tells whether readers find these very bytes again when they stand in the line as JSON.
///
/// The ends decide first, because parsing is what costs. They also rule out outer white space,
/// which `RawValue` drops, and scalars, which would be taken for the text they contain.
fn is_embeddable(text: &str) -> bool {
    let bytes = text.as_bytes();
    let ends = (bytes.first(), bytes.last());
    matches!(ends, (Some(b'{'), Some(b'}')) | (Some(b'['), Some(b']')))
        && memchr2(b'\n', b'\r', bytes).is_none()
        && serde_json::from_str::<&RawValue>(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(payload: &[u8], mode: PayloadMode) -> String {
        let mut line = Vec::new();
        write(&mut line, "value", Some(payload), mode);
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn objects_and_arrays_are_embedded_byte_for_byte() {
        for json in [r#"{"a":1.50,"a":1e5, "b" : [ ]}"#, "[]", r#"["\ud800"]"#] {
            assert_eq!(
                written(json.as_bytes(), PayloadMode::Auto),
                format!("\"value\":{json}")
            );
        }
    }

    #[test]
    fn other_text_is_a_string() {
        for (text, json) in [
            ("42", r#""42""#),
            ("null", r#""null""#),
            (r#""hi""#, r#""\"hi\"""#),
            ("", r#""""#),
            (" {}", r#"" {}""#),
            ("{} ", r#""{} ""#),
            ("{\n}", r#""{\n}""#),
            ("[\r]", r#""[\r]""#),
            ("{a}", r#""{a}""#),
            ("{}{}", r#""{}{}""#),
            ("{]", r#""{]""#),
        ] {
            assert_eq!(
                written(text.as_bytes(), PayloadMode::Auto),
                format!("\"value\":{json}")
            );
        }
    }

    #[test]
    fn bytes_and_framed_payloads_are_base64() {
        assert_eq!(
            written(b"\xff", PayloadMode::Auto),
            r#""value_base64":"/w==""#
        );
        assert_eq!(
            written(b"\0\0\0\0\x07", PayloadMode::Auto),
            r#""value_base64":"AAAAAAc=""#
        );
        assert_eq!(
            written(b"\0abc", PayloadMode::Auto),
            r#""value":"\u0000abc""#
        );
    }

    #[test]
    fn modes_never_embed_or_always_encode() {
        assert_eq!(written(b"{}", PayloadMode::Text), r#""value":"{}""#);
        assert_eq!(
            written(b"\0\0\0\0\x07", PayloadMode::Text),
            r#""value_base64":"AAAAAAc=""#
        );
        assert_eq!(
            written(b"{}", PayloadMode::Base64),
            r#""value_base64":"e30=""#
        );
        let mut line = Vec::new();
        write(&mut line, "value", None, PayloadMode::Base64);
        assert_eq!(line, br#""value":null"#);
    }

    #[test]
    fn modes_have_names() {
        assert_eq!("text".parse(), Ok(PayloadMode::Text));
        assert_eq!("json".parse::<PayloadMode>(), Err(PayloadModeError));
    }
}
