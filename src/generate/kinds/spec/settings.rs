//! Settings of a table, taken out one by one; what is left over is a mistake.

use std::time::Duration;

use toml::{Table, Value};

use super::SpecError;
use crate::suggest::nearest;
use crate::time;

/// The largest number that a spec may name: whole numbers up to it are exact.
pub(super) const MOST: f64 = 1e15;

/// A table of a spec and where it stands.
#[derive(Debug)]
pub(super) struct Settings {
    pub place: String,
    table: Table,
}

impl Settings {
    /// Takes a table that has no settings but `known` ones.
    pub(super) fn new(
        place: String,
        table: Table,
        known: &'static [&'static str],
    ) -> Result<Self, SpecError> {
        match table.keys().find(|name| !known.contains(&name.as_str())) {
            None => Ok(Self { place, table }),
            Some(name) => Err(SpecError::UnknownSetting {
                place,
                name: name.clone(),
                suggestion: nearest(name, known.iter().copied()),
                known,
            }),
        }
    }

    /// Takes a setting out.
    pub(super) fn take(&mut self, setting: &str) -> Option<Value> {
        self.table.remove(setting)
    }

    /// Says that a setting has another form.
    pub(super) fn wrong(&self, setting: &'static str, expected: &'static str) -> SpecError {
        SpecError::Form {
            place: self.place.clone(),
            setting,
            expected,
        }
    }

    /// Returns what was found, or says that it is missing.
    pub(super) fn needed<T>(
        &self,
        found: Option<T>,
        setting: &'static str,
    ) -> Result<T, SpecError> {
        found.ok_or_else(|| SpecError::Missing {
            place: self.place.clone(),
            setting,
        })
    }

    pub(super) fn text(&mut self, setting: &'static str) -> Result<Option<String>, SpecError> {
        match self.take(setting) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.wrong(setting, "text")),
        }
    }

    /// Takes a word of letters, digits, `.`, `_` and `-`.
    pub(super) fn word(&mut self, setting: &'static str) -> Result<Option<String>, SpecError> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        match self.text(setting)? {
            Some(word) if !(1..=64).contains(&word.len()) || !word.bytes().all(fits) => {
                Err(self.wrong(setting, "up to 64 letters, digits, `.`, `_` and `-`"))
            }
            word => Ok(word),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "checked against MOST")]
    pub(super) fn number(&mut self, setting: &'static str) -> Result<Option<f64>, SpecError> {
        let number = match self.take(setting) {
            None => return Ok(None),
            Some(Value::Integer(number)) => number as f64,
            Some(Value::Float(number)) => number,
            Some(_) => return Err(self.wrong(setting, "a number")),
        };
        if number.abs() <= MOST {
            Ok(Some(number))
        } else {
            Err(self.wrong(setting, "a number from -1e15 to 1e15"))
        }
    }

    /// Takes a number above 0.
    pub(super) fn positive(&mut self, setting: &'static str) -> Result<Option<f64>, SpecError> {
        match self.number(setting)? {
            Some(number) if number <= 0.0 => Err(self.wrong(setting, "a number above 0")),
            number => Ok(number),
        }
    }

    pub(super) fn probability(&mut self, setting: &'static str) -> Result<Option<f64>, SpecError> {
        match self.number(setting)? {
            Some(number) if !(0.0..=1.0).contains(&number) => {
                Err(self.wrong(setting, "a number from 0 to 1"))
            }
            number => Ok(number),
        }
    }

    /// Takes a whole number from 0 to `most`.
    pub(super) fn count(
        &mut self,
        setting: &'static str,
        most: u32,
        expected: &'static str,
    ) -> Result<Option<u32>, SpecError> {
        match self.take(setting) {
            None => Ok(None),
            Some(Value::Integer(number)) => match u32::try_from(number) {
                Ok(number) if number <= most => Ok(Some(number)),
                _ => Err(self.wrong(setting, expected)),
            },
            Some(_) => Err(self.wrong(setting, expected)),
        }
    }

    pub(super) fn duration(
        &mut self,
        setting: &'static str,
    ) -> Result<Option<Duration>, SpecError> {
        let Some(text) = self.text(setting)? else {
            return Ok(None);
        };
        match time::parse_duration(&text) {
            Ok(duration) if !duration.is_zero() => Ok(Some(duration)),
            _ => Err(self.wrong(setting, "a duration such as \"500ms\", \"30s\" or \"2h\"")),
        }
    }
}
