//! One line's JSON object as its known fields, each with its column, nothing copied.

use std::borrow::Cow;
use std::fmt;

use data_encoding::BASE64;
use memchr::memchr;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::error::{Found, LineError};

/// What becomes of a field that the format does not know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnknownFields {
    /// An error that names the field: a typo must not drop a key.
    #[default]
    Refuse,
    /// Skipped, once it is valid JSON.
    Ignore,
}

/// One field of an object: its value as JSON text, valid and without outer white space.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field<'a> {
    pub(super) name: &'static str,
    pub(super) text: &'a str,
    /// Where `text` begins in the line, in bytes from 1.
    pub(super) column: usize,
}

/// The fields of an object, in the order of the names asked for.
pub(super) type Fields<'a, const N: usize> = [Option<Field<'a>>; N];

/// Returns a line's fields. A byte order mark before it and white space around it, such as
/// the CR of a CRLF file, are no part of JSON and are passed over.
pub(super) fn of_line<'a, const N: usize>(
    line: &'a [u8],
    names: &'static [&'static str; N],
    unknown: UnknownFields,
) -> Result<Fields<'a, N>, LineError> {
    let bytes = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
    let start = line.len() - bytes.len() + 1;
    let white = bytes
        .iter()
        .take_while(|byte| byte.is_ascii_whitespace())
        .count();
    let found = match bytes.get(white) {
        Some(b'{') => {
            let text = utf8(bytes, start)?;
            return of_object(text, start, names, unknown);
        }
        None => Found::Nothing,
        Some(b'[') => Found::Array,
        Some(b'"') => Found::String,
        Some(_) => Found::Text,
    };
    Err(LineError::NotARecordLine {
        found,
        column: start + white,
    })
}

/// Returns bytes that begin at column `start` as text.
pub(super) fn utf8(bytes: &[u8], start: usize) -> Result<&str, LineError> {
    str::from_utf8(bytes).map_err(|error| LineError::NotUtf8 {
        column: start + error.valid_up_to(),
    })
}

/// Returns the fields of an object that begins at column `start` of its line.
pub(super) fn of_object<'a, const N: usize>(
    text: &'a str,
    start: usize,
    names: &'static [&'static str; N],
    unknown: UnknownFields,
) -> Result<Fields<'a, N>, LineError> {
    let mut collector = Collector {
        base: text.as_ptr().addr() - start,
        names,
        unknown,
        fields: [None; N],
        problem: None,
    };
    let mut json = serde_json::Deserializer::from_str(text);
    let parsed = json
        .deserialize_map(&mut collector)
        .and_then(|()| json.end());
    match (collector.problem, parsed) {
        (Some(problem), _) => Err(problem),
        (None, Err(error)) => Err(LineError::syntax(error, start)),
        (None, Ok(())) => Ok(collector.fields),
    }
}

/// Returns the elements of the array that `field` must be, `wanted` being its description.
pub(super) fn elements<'a>(
    field: Field<'a>,
    wanted: &'static str,
) -> Result<impl Iterator<Item = Field<'a>>, LineError> {
    let elements: Vec<&RawValue> =
        serde_json::from_str(field.text).map_err(|_| field.unfit(wanted))?;
    Ok(elements.into_iter().map(move |element| field.part(element)))
}

/// Returns the payload of a field or of its base64 sibling, of which one must be there.
pub(super) fn payload<'a>(
    plain: Option<Field<'a>>,
    encoded: Option<Field<'a>>,
    absent: LineError,
) -> Result<Option<Cow<'a, [u8]>>, LineError> {
    match (plain, encoded) {
        (Some(field), None) => field.payload(),
        (None, Some(field)) => field.base64().map(Some),
        (Some(field), Some(encoded)) => Err(LineError::Both {
            name: field.name,
            column: encoded.column,
        }),
        (None, None) => Err(absent),
    }
}

impl<'a> Field<'a> {
    /// Returns a part of this field's text as a field of its own.
    pub(super) fn part(self, value: &'a RawValue) -> Self {
        let text = value.get();
        let offset = text.as_ptr().addr() - self.text.as_ptr().addr();
        Self {
            text,
            column: self.column + offset,
            ..self
        }
    }

    pub(super) fn unfit(self, wanted: &'static str) -> LineError {
        LineError::Unfit {
            name: self.name,
            wanted,
            column: self.column,
        }
    }

    pub(super) fn is_null(&self) -> bool {
        self.text == "null"
    }

    /// Returns a string's text, anything else's own text, and `None` for null.
    pub(super) fn payload(self) -> Result<Option<Cow<'a, [u8]>>, LineError> {
        if self.is_null() {
            Ok(None)
        } else if self.text.starts_with('"') {
            self.string().map(|text| Some(into_bytes(text)))
        } else {
            Ok(Some(Cow::Borrowed(self.text.as_bytes())))
        }
    }

    /// Returns the text of a string.
    pub(super) fn string(self) -> Result<Cow<'a, str>, LineError> {
        let inner = self
            .text
            .strip_prefix('"')
            .and_then(|text| text.strip_suffix('"'));
        match inner {
            None => Err(self.unfit("a string")),
            Some(inner) if memchr(b'\\', inner.as_bytes()).is_none() => Ok(Cow::Borrowed(inner)),
            Some(_) => serde_json::from_str(self.text)
                .map(Cow::Owned)
                .map_err(|error| LineError::syntax(error, self.column)),
        }
    }

    /// Returns the bytes of a base64 string (RFC 4648 section 4, padded, no stray bits).
    pub(super) fn base64(self) -> Result<Cow<'a, [u8]>, LineError> {
        let text = self.string()?;
        BASE64
            .decode(text.as_bytes())
            .map(Cow::Owned)
            .map_err(|error| LineError::Unfit {
                name: self.name,
                wanted: "base64 with padding",
                // Past the quote; exact where nothing is escaped, as in all base64 but `\/`.
                column: self.column + 1 + error.position,
            })
    }

    /// Returns a partition's number.
    pub(super) fn partition(self) -> Result<i32, LineError> {
        (self.text.parse().ok())
            .filter(|&number| number >= 0)
            .ok_or_else(|| self.unfit("a whole number from 0 to 2147483647"))
    }

    /// Returns the place of a record in its partition.
    pub(super) fn offset(self) -> Result<i64, LineError> {
        (self.text.parse().ok())
            .filter(|&number| number >= 0)
            .ok_or_else(|| self.unfit("a whole number from 0"))
    }

    /// Returns milliseconds since the epoch that can be sent.
    ///
    /// Negative ones are sent as they are, as Kafka keeps and librdkafka carries them (source of
    /// 2.12.1), -1 too, which is a record without a timestamp. Only 0 does not survive
    /// (`rd_kafka_msg_new0`).
    pub(super) fn timestamp(self) -> Result<i64, LineError> {
        match self.millis()? {
            0 => Err(LineError::ZeroTimestamp {
                column: self.column,
            }),
            millis => Ok(millis),
        }
    }

    /// Returns milliseconds since the epoch, from a number of them or an RFC 3339 string.
    pub(super) fn millis(self) -> Result<i64, LineError> {
        let millis = if self.text.starts_with('"') {
            (self.string()?.parse().ok()).map(jiff::Timestamp::as_millisecond)
        } else {
            self.text.parse().ok()
        };
        millis.ok_or_else(|| self.unfit("whole milliseconds since the epoch or an RFC 3339 time"))
    }

    /// Returns the field's bytes as the name of a header.
    pub(super) fn header_name(self, name: Cow<'a, [u8]>) -> Result<Cow<'a, [u8]>, LineError> {
        match memchr(0, &name) {
            None => Ok(name),
            Some(_) => Err(LineError::NulInHeaderName {
                column: self.column,
            }),
        }
    }
}

/// Returns the bytes of a text.
pub(super) fn into_bytes(text: Cow<'_, str>) -> Cow<'_, [u8]> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}

/// Takes an object's values as raw text: `RawValue` is the one type that tells null from
/// absent here, keeps the bytes and, being checked, never lets half a value through.
struct Collector<'a, const N: usize> {
    /// The address of what would be the line's column 0.
    base: usize,
    names: &'static [&'static str; N],
    unknown: UnknownFields,
    fields: Fields<'a, N>,
    /// What was wrong with a field; the error returned to serde only stops it.
    problem: Option<LineError>,
}

impl<'a, const N: usize> Collector<'a, N> {
    fn add(&mut self, name: Cow<'a, str>, value: &'a RawValue) -> Result<(), LineError> {
        let column = match &name {
            Cow::Borrowed(name) => name.as_ptr().addr() - 1,
            // A name with an escape is a copy, so its value stands for the place.
            Cow::Owned(_) => value.get().as_ptr().addr(),
        } - self.base;
        let Some(index) = self.names.iter().position(|known| *known == name) else {
            return match self.unknown {
                UnknownFields::Ignore => Ok(()),
                UnknownFields::Refuse => Err(LineError::UnknownField {
                    suggestion: closest(&name, self.names),
                    name: name.into_owned(),
                    column,
                }),
            };
        };
        let field = Field {
            name: self.names[index],
            text: value.get(),
            column: value.get().as_ptr().addr() - self.base,
        };
        match self.fields[index].replace(field) {
            None => Ok(()),
            Some(_) => Err(LineError::DuplicateField {
                name: field.name,
                column,
            }),
        }
    }
}

impl<'a, const N: usize> Visitor<'a> for &mut Collector<'a, N> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some((Name(name), value)) = map.next_entry()? {
            if let Err(problem) = self.add(name, value) {
                self.problem = Some(problem);
                return Err(de::Error::custom(""));
            }
        }
        Ok(())
    }
}

/// A name in an object, without a copy where nothing in it is escaped.
#[derive(serde::Deserialize)]
pub(crate) struct Name<'a>(#[serde(borrow)] pub(crate) Cow<'a, str>);

/// Returns the known name that a typo most likely meant.
fn closest(name: &str, names: &[&'static str]) -> Option<&'static str> {
    let edits = |known: &&'static str| strsim::osa_distance(name, known);
    (names.iter().copied())
        .filter(|known| edits(known) <= 2)
        .min_by_key(edits)
}
