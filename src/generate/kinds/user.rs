//! `user`: accounts from creation to deletion.
//!
//! An account is created, changed now and then, perhaps banned, and in the end deleted; then
//! the next person signs up in its place. Nothing but its deletion happens to a banned
//! account, and nothing to a deleted one.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::fields::{self, Name, Text};
use super::people::Person;
use super::shapes::{log_normal, one_of, rank, weighted};
use crate::generate::{Dice, Envelope, Event, Id, Kind, Moment, PayloadSchema};

const HOUR: f64 = 3600.0;
/// More places than anybody asks for.
const PLACES: u32 = 1 << 20;
const LANGUAGES: [(f64, &str); 6] = [
    (0.5, "en"),
    (0.12, "de"),
    (0.12, "fr"),
    (0.12, "es"),
    (0.07, "ja"),
    (0.07, "pt"),
];
const CHANGES: [(f64, &str); 4] = [
    (0.4, "avatar"),
    (0.25, "language"),
    (0.2, "display_name"),
    (0.15, "email"),
];

/// Accounts of a chat application.
pub(super) struct Users;

/// The account that is in a place now.
#[derive(Serialize, Deserialize)]
pub(super) struct Place {
    number: u32,
    /// How many people signed up here.
    people: u32,
    account: Option<Account>,
}

#[derive(Serialize, Deserialize)]
struct Account {
    id: Id,
    /// Counts what happened to it.
    version: u32,
    is_banned: bool,
}

#[derive(Serialize)]
struct Created<Username, Email, Phone> {
    user_id: Id,
    version: u32,
    username: Username,
    display_name: Text<Person>,
    email: Email,
    phone: Phone,
    language: &'static str,
    plan: &'static str,
}

#[derive(Serialize)]
struct Updated {
    user_id: Id,
    version: u32,
    changed: &'static str,
}

#[derive(Serialize)]
struct Banned {
    user_id: Id,
    version: u32,
    reason: &'static str,
    moderator: Name,
}

#[derive(Serialize)]
struct Deleted {
    user_id: Id,
    version: u32,
    reason: &'static str,
}

impl Kind for Users {
    type Entity = Place;

    fn name(&self) -> &'static str {
        "user"
    }

    fn about(&self) -> &'static str {
        "accounts of a chat: created, updated, banned and deleted"
    }

    fn envelope(&self) -> Envelope {
        Envelope::Type
    }

    fn entities(&self) -> u32 {
        500
    }

    fn interval(&self) -> Duration {
        Duration::from_hours(24)
    }

    fn payloads(&self) -> Vec<PayloadSchema> {
        let id = fields::id();
        let version = json!({"type": "integer", "minimum": 2, "description": "counts the events of the account"});
        vec![
            fields::payload(
                "USER_CREATED",
                &json!({
                    "user_id": id,
                    "version": {"const": 1},
                    "username": {"type": "string", "pattern": "^[a-z]+[0-9]+$"},
                    "display_name": {"type": "string", "minLength": 1},
                    "email": {"type": "string", "format": "email", "pattern": r"@example\.(com|org)$"},
                    "phone": {"type": "string", "pattern": r"^\+1-[0-9]{3}-555-01[0-9]{2}$"},
                    "language": {"enum": LANGUAGES.map(|(_, language)| language)},
                    "plan": {"enum": ["FREE", "PRO"]},
                }),
            ),
            fields::payload(
                "USER_UPDATED",
                &json!({
                    "user_id": id,
                    "version": version,
                    "changed": {"enum": CHANGES.map(|(_, field)| field)},
                }),
            ),
            fields::payload(
                "USER_BANNED",
                &json!({
                    "user_id": id,
                    "version": version,
                    "reason": {"enum": ["SPAM", "ABUSE", "FRAUD"]},
                    "moderator": fields::name("moderator"),
                }),
            ),
            fields::payload(
                "USER_DELETED",
                &json!({
                    "user_id": id,
                    "version": version,
                    "reason": {"enum": ["REQUESTED", "INACTIVE", "BANNED"]},
                }),
            ),
        ]
    }

    fn birth(&self, number: u32, _: Moment, _: &mut Dice, _: &mut Dice) -> Place {
        Place {
            number,
            people: 0,
            account: None,
        }
    }

    fn next(&self, place: &mut Place, at: Moment, life: &mut Dice, event: &mut Event) {
        event.wait_seconds(log_normal(life, 14.0 * HOUR, 1.0));
        let Some(account) = &mut place.account else {
            // The next person of this place: no other place will have it.
            let person = Person(place.people.wrapping_mul(PLACES).wrapping_add(place.number));
            place.people = place.people.wrapping_add(1);
            let user_id = life.id(at);
            place.account = Some(Account {
                id: user_id,
                version: 1,
                is_banned: false,
            });
            event.event_type("USER_CREATED");
            event.key(user_id);
            event.payload(&Created {
                user_id,
                version: 1,
                username: Text(person.username()),
                display_name: Text(person),
                email: Text(person.email()),
                phone: Text(person.phone()),
                language: weighted(life, &LANGUAGES),
                plan: weighted(life, &[(0.9, "FREE"), (0.1, "PRO")]),
            });
            return;
        };
        account.version = account.version.saturating_add(1);
        let (user_id, version) = (account.id, account.version);
        event.key(user_id);
        if account.is_banned || life.chance(0.04) {
            let reasons = [(0.7, "REQUESTED"), (0.3, "INACTIVE")];
            let reason = if account.is_banned {
                "BANNED"
            } else {
                weighted(life, &reasons)
            };
            place.account = None;
            event.event_type("USER_DELETED");
            event.payload(&Deleted {
                user_id,
                version,
                reason,
            });
        } else if life.chance(0.02) {
            account.is_banned = true;
            event.event_type("USER_BANNED");
            event.payload(&Banned {
                user_id,
                version,
                reason: one_of(life, &["SPAM", "ABUSE", "FRAUD"]),
                moderator: Name("moderator", rank(life, 12)),
            });
        } else {
            event.event_type("USER_UPDATED");
            event.payload(&Updated {
                user_id,
                version,
                changed: weighted(life, &CHANGES),
            });
        }
    }
}
