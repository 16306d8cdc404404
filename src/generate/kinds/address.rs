//! Addresses that belong to nobody.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::shapes::scatter;
use crate::generate::Dice;

/// An address of a range kept for documentation (RFC 5737, RFC 3849): the range, and its last part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Address(u8, u8);

impl Address {
    /// Returns where a user usually is.
    pub(super) fn usual(number: u32) -> Self {
        let [range, host, ..] = (scatter(number.into()) >> 16).to_le_bytes();
        Self(range, host)
    }

    /// Draws any.
    pub(super) fn anywhere(life: &mut Dice) -> Self {
        let [range, host, ..] = life.bits().to_le_bytes();
        Self(range, host)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(range, host) = self;
        match range % 4 {
            0 => write!(formatter, "192.0.2.{host}"),
            1 => write!(formatter, "198.51.100.{host}"),
            2 => write!(formatter, "203.0.113.{host}"),
            _ => write!(formatter, "2001:db8::{host:x}"),
        }
    }
}

/// Returns the schema of an address.
pub(super) fn schema() -> Value {
    json!({"anyOf": [
        {"type": "string", "format": "ipv4", "pattern": r"^(192\.0\.2|198\.51\.100|203\.0\.113)\."},
        {"type": "string", "format": "ipv6", "pattern": "^2001:db8::"},
    ]})
}
