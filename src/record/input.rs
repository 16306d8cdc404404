//! What the user says the input is: each kind of line gives the same [`Outgoing`].

use super::error::LineError;
use super::fields::UnknownFields;
use super::framing::{self, LineKey};
use super::outgoing::Outgoing;
use super::{foreign, line};

/// A kind of line; which one is never guessed.
#[derive(Clone, Debug)]
pub enum Input {
    /// Record lines, as `tail` prints them.
    Record,
    /// Plain lines, each of them a value.
    Lines(LineKey),
    /// What `kcat -J` prints.
    Kcat,
    /// What `rpk topic consume --pretty-print=false` prints.
    Rpk,
    /// What `kaf consume --output json-each-row` prints.
    Kaf,
}

impl Input {
    /// Returns the record in a line, which comes without its line feed.
    pub fn parse<'a>(
        &self,
        line: &'a [u8],
        unknown: UnknownFields,
    ) -> Result<Outgoing<'a>, LineError> {
        match self {
            Self::Record => line::parse(line, unknown),
            Self::Lines(key) => framing::parse(line, key),
            Self::Kcat => foreign::kcat(line, unknown),
            Self::Rpk => foreign::rpk(line, unknown),
            Self::Kaf => foreign::kaf(line, unknown),
        }
    }
}
