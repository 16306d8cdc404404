//! People who do not exist, at addresses that never will.

use std::fmt;

use super::shapes::{choice, scatter};

const GIVEN: [&str; 32] = [
    "Ada", "Amir", "Ana", "Ben", "Chen", "Chloe", "Dara", "Deniz", "Elif", "Emil", "Farah", "Finn",
    "Grace", "Hana", "Hugo", "Ines", "Ivan", "Jonas", "Kofi", "Lea", "Luca", "Maya", "Mei", "Nils",
    "Nora", "Omar", "Priya", "Rosa", "Sam", "Tariq", "Yuki", "Zoe",
];

const FAMILY: [&str; 32] = [
    "Adler", "Bakker", "Costa", "Diaz", "Eriksen", "Fischer", "Garcia", "Haddad", "Ito", "Jansen",
    "Kaya", "Larsen", "Mensah", "Moreau", "Nakamura", "Novak", "Okafor", "Olsen", "Park", "Petrov",
    "Quinn", "Rossi", "Sato", "Schmidt", "Silva", "Singh", "Tanaka", "Usman", "Vargas", "Weber",
    "Yilmaz", "Zhang",
];

const STREETS: [&str; 12] = [
    "Acacia Avenue",
    "Birch Lane",
    "Chestnut Street",
    "Dock Road",
    "Elm Street",
    "Foundry Row",
    "Garden Terrace",
    "Hill Road",
    "Juniper Close",
    "Mill Street",
    "Orchard Way",
    "Station Road",
];

/// A person; the same number is the same person wherever it turns up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Person(pub u32);

impl Person {
    fn names(self) -> (&'static str, &'static str) {
        let bits = scatter(self.0.into());
        (*choice(&GIVEN, bits), *choice(&FAMILY, bits >> 8))
    }

    /// Returns a name to sign in with, which is nobody else's.
    pub(super) fn username(self) -> impl fmt::Display {
        let ((given, family), number) = (self.names(), self.0);
        fmt::from_fn(move |formatter| {
            for letter in given.chars().chain(family.chars()) {
                write!(formatter, "{}", letter.to_ascii_lowercase())?;
            }
            write!(formatter, "{number}")
        })
    }

    /// Returns an address of a domain that is reserved for examples (RFC 2606).
    pub(super) fn email(self) -> impl fmt::Display {
        let domain = choice(
            &["example.com", "example.org"],
            scatter(self.0.into()) >> 16,
        );
        fmt::from_fn(move |formatter| write!(formatter, "{}@{domain}", self.username()))
    }

    /// Returns a number that is reserved for fiction: 555-0100 to 555-0199.
    pub(super) fn phone(self) -> impl fmt::Display {
        let bits = scatter(self.0.into()) >> 24;
        let area = *choice(&[202, 312, 415, 512, 617, 718], bits);
        let line = (bits >> 8) % 100;
        fmt::from_fn(move |formatter| write!(formatter, "+1-{area}-555-01{line:02}"))
    }

    /// Returns a street and a number in it.
    pub(super) fn street(self) -> impl fmt::Display {
        let bits = scatter(self.0.into()) >> 40;
        let (street, number) = (choice(&STREETS, bits), (bits >> 8) % 180 + 1);
        fmt::from_fn(move |formatter| write!(formatter, "{number} {street}"))
    }
}

impl fmt::Display for Person {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (given, family) = self.names();
        write!(formatter, "{given} {family}")
    }
}
