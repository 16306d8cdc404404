//! Why a line is not a record, and at which column.

use std::fmt;

use crate::syntax::Words;

/// One line that could not be read. Columns are bytes and begin at 1.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// Not even a JSON object, so most likely a plain value.
    #[error("not a record line: expected a JSON object, found {found}")]
    NotARecordLine { found: Found, column: usize },
    /// Its column is that of the first byte that is no text.
    #[error("not valid UTF-8")]
    NotUtf8 { column: usize },
    /// Not JSON; the parser's own idea of the place is that in a part.
    #[error("{}", Words(error))]
    Syntax {
        error: serde_json::Error,
        column: usize,
    },
    /// The suggestion is a known name at most two edits away.
    #[error("unknown field `{name}`{}", DidYouMean(*suggestion))]
    UnknownField {
        name: String,
        suggestion: Option<&'static str>,
        column: usize,
    },
    /// Which of two was meant cannot be told.
    #[error("`{name}` stands here twice")]
    DuplicateField { name: &'static str, column: usize },
    /// A field that the tool named always prints.
    #[error("no `{name}`")]
    Missing { name: &'static str, column: usize },
    /// An absent value is never taken for a tombstone.
    #[error("neither `{name}` nor `{name}_base64`")]
    Neither { name: &'static str, column: usize },
    /// Which of the pair was meant cannot be told.
    #[error("both `{name}` and `{name}_base64`")]
    Both { name: &'static str, column: usize },
    /// A field of the wrong type or out of its range.
    #[error("`{name}` must be {wanted}")]
    Unfit {
        name: &'static str,
        wanted: &'static str,
        column: usize,
    },
    /// `rd_kafka_msg_new0` stamps it anew.
    #[error("timestamp 0 cannot be sent: librdkafka takes it for the time of sending")]
    ZeroTimestamp { column: usize },
    /// librdkafka writes such a name whole, but hands out C strings when it reads.
    #[error("a header name with a NUL cannot be sent: librdkafka reads it back cut off there")]
    NulInHeaderName { column: usize },
    /// kcat prints null where it could not decode; sending that would be a tombstone.
    #[error("kcat could not decode this record: `{name}`")]
    Undecoded { name: &'static str, column: usize },
    /// What stands in the place of a value that `rpk --meta-only` left out.
    #[error("`value_size` stands for a value that rpk left out")]
    ValueLeftOut { column: usize },
}

/// What a line that is no JSON object begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing but white space.
    Nothing,
    /// A `[`.
    Array,
    /// A `"`.
    String,
    /// Anything else.
    Text,
}

impl fmt::Display for Found {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Nothing => "an empty line",
            Self::Array => "an array",
            Self::String => "a string",
            Self::Text => "other text",
        })
    }
}

impl LineError {
    /// Returns a syntax error of JSON that begins at `start`, a column of the line.
    pub(super) fn syntax(error: serde_json::Error, start: usize) -> Self {
        // serde_json counts from 1, and says 0 for the end of nothing.
        let column = start + error.column().saturating_sub(1);
        Self::Syntax { error, column }
    }

    /// Returns where in the line it went wrong, in bytes from 1.
    pub fn column(&self) -> usize {
        match self {
            Self::NotARecordLine { column, .. }
            | Self::NotUtf8 { column }
            | Self::Syntax { column, .. }
            | Self::UnknownField { column, .. }
            | Self::DuplicateField { column, .. }
            | Self::Missing { column, .. }
            | Self::Neither { column, .. }
            | Self::Both { column, .. }
            | Self::Unfit { column, .. }
            | Self::ZeroTimestamp { column }
            | Self::NulInHeaderName { column }
            | Self::Undecoded { column, .. }
            | Self::ValueLeftOut { column } => *column,
        }
    }

    /// Returns what to type instead, where there is such a thing.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NotUtf8 { .. } => Some(
                "bytes go base64 into `key_base64` and `value_base64`; see `kpipe help record-line`",
            ),
            Self::Syntax { .. } => {
                Some("each line is one JSON object; see `kpipe help record-line`")
            }
            Self::UnknownField { name, .. } => Some(match name.as_str() {
                "tstype" | "ts" | "broker" => "`--input kcat` reads what `kcat -J` prints",
                "payload" => "`--input kaf` reads what `kaf --output json-each-row` prints",
                "value_size" => "`--input rpk` reads what `rpk topic consume` prints",
                _ => "`--ignore-unknown` skips such fields, `--lines` sends each line as a value",
            }),
            Self::Neither { name: "value", .. } => {
                Some("a tombstone has `\"value\":null`; `--lines` sends each line as a value")
            }
            Self::ZeroTimestamp { .. } => Some("`--now` sends every record with the current time"),
            Self::ValueLeftOut { .. } => Some("run `rpk topic consume` without `--meta-only`"),
            _ => None,
        }
    }
}

struct DidYouMean(Option<&'static str>);

impl fmt::Display for DidYouMean {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .map_or(Ok(()), |name| write!(formatter, ", did you mean `{name}`?"))
    }
}
