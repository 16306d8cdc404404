//! `audit`: who signed in, what was refused to them, and what they took out.
//!
//! A user signs in, perhaps after some wrong passwords; five in a row lock the account for a
//! while. Refusals and exports belong to a session that was begun by a `LOGIN_SUCCESS`.
//! Addresses are of the ranges kept for documentation (RFC 5737, RFC 3849).

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::address::{self, Address};
use super::fields::{self, Name, Text};
use super::shapes::{choice, log_normal, one_of, scatter, weighted, whole};
use crate::generate::{Dice, Envelope, Event, Id, Kind, Moment, PayloadSchema};

const MINUTE: f64 = 60.0;
/// Wrong passwords in a row that lock an account.
const ATTEMPTS: u32 = 5;
const ROLES: [&str; 4] = ["MEMBER", "MEMBER", "MODERATOR", "ADMIN"];
const REFUSED: [(&str, &str); 6] = [
    ("channel.delete", "channel"),
    ("member.remove", "workspace"),
    ("billing.view", "invoice"),
    ("role.grant", "user"),
    ("audit.read", "workspace"),
    ("message.delete", "channel"),
];
const EXPORTED: [&str; 4] = ["MESSAGES", "MEMBERS", "FILES", "AUDIT_LOG"];
const AGENTS: [&str; 4] = [
    "Mozilla/5.0 (X11; Linux x86_64) Firefox/145.0",
    "Mozilla/5.0 (Macintosh) Safari/605.1",
    "ChatDesktop/7.2 (Windows)",
    "ChatMobile/9.0 (Android)",
];

/// The audit log of a chat application.
pub(super) struct Audit;

/// A user as the audit log sees one.
#[derive(Serialize, Deserialize)]
pub(super) struct Actor {
    number: u32,
    /// Wrong passwords since the last right one.
    failures: u32,
    session: Option<Id>,
    address: Address,
}

#[derive(Serialize)]
struct LoginSuccess {
    event_id: Id,
    actor: Name,
    role: &'static str,
    ip: Text<Address>,
    outcome: &'static str,
    session_id: Id,
    method: &'static str,
    user_agent: &'static str,
}

#[derive(Serialize)]
struct LoginFailed {
    event_id: Id,
    actor: Name,
    role: &'static str,
    ip: Text<Address>,
    outcome: &'static str,
    reason: &'static str,
    attempt: u32,
    user_agent: &'static str,
}

#[derive(Serialize)]
struct PermissionDenied {
    event_id: Id,
    actor: Name,
    role: &'static str,
    ip: Text<Address>,
    outcome: &'static str,
    session_id: Id,
    action: &'static str,
    resource: Name,
}

#[derive(Serialize)]
struct DataExported {
    event_id: Id,
    actor: Name,
    role: &'static str,
    ip: Text<Address>,
    outcome: &'static str,
    session_id: Id,
    data: &'static str,
    rows: u32,
    bytes: u64,
}

impl Kind for Audit {
    type Entity = Actor;

    fn name(&self) -> &'static str {
        "audit"
    }

    fn about(&self) -> &'static str {
        "an audit log: logins, failed logins, denied permissions and exported data"
    }

    fn envelope(&self) -> Envelope {
        Envelope::Type
    }

    fn entities(&self) -> u32 {
        300
    }

    fn interval(&self) -> Duration {
        Duration::from_mins(40)
    }

    fn payloads(&self) -> Vec<PayloadSchema> {
        let id = fields::id();
        let role = json!({"enum": ["MEMBER", "MODERATOR", "ADMIN"]});
        let ip = address::schema();
        let agent = json!({"enum": AGENTS});
        let actor = fields::name("user");
        vec![
            fields::payload(
                "LOGIN_SUCCESS",
                &json!({
                    "event_id": id,
                    "actor": actor,
                    "role": role,
                    "ip": ip,
                    "outcome": {"const": "SUCCESS"},
                    "session_id": id,
                    "method": {"enum": ["PASSWORD", "SSO", "PASSKEY"]},
                    "user_agent": agent,
                }),
            ),
            fields::payload(
                "LOGIN_FAILED",
                &json!({
                    "event_id": id,
                    "actor": actor,
                    "role": role,
                    "ip": ip,
                    "outcome": {"const": "FAILURE"},
                    "reason": {"enum": ["WRONG_PASSWORD", "ACCOUNT_LOCKED"]},
                    "attempt": {"type": "integer", "minimum": 1, "maximum": ATTEMPTS, "description": "in a row; the last one locks the account"},
                    "user_agent": agent,
                }),
            ),
            fields::payload(
                "PERMISSION_DENIED",
                &json!({
                    "event_id": id,
                    "actor": actor,
                    "role": {"enum": ["MEMBER", "MODERATOR"]},
                    "ip": ip,
                    "outcome": {"const": "DENIED"},
                    "session_id": id,
                    "action": {"enum": REFUSED.map(|(action, _)| action)},
                    "resource": {"type": "string", "pattern": "^(channel|workspace|invoice|user)_[0-9]+$"},
                }),
            ),
            fields::payload(
                "DATA_EXPORTED",
                &json!({
                    "event_id": id,
                    "actor": actor,
                    "role": role,
                    "ip": ip,
                    "outcome": {"const": "SUCCESS"},
                    "session_id": id,
                    "data": {"enum": EXPORTED},
                    "rows": fields::count_from(1),
                    "bytes": fields::count_from(1),
                }),
            ),
        ]
    }

    fn birth(&self, number: u32, _: Moment, _: &mut Dice, _: &mut Dice) -> Actor {
        Actor {
            number,
            failures: 0,
            session: None,
            address: Address::usual(number),
        }
    }

    fn next(&self, actor: &mut Actor, at: Moment, life: &mut Dice, event: &mut Event) {
        event.key(actor.name());
        event.wait_seconds(log_normal(life, 30.0 * MINUTE, 1.0));
        match actor.session {
            None if life.chance(actor.mistakes()) => actor.fail(at, life, event),
            None => actor.sign_in(at, life, event),
            Some(session_id) => {
                if actor.role() != "ADMIN" && life.chance(0.7) {
                    actor.be_refused(session_id, at, life, event);
                } else {
                    actor.export(session_id, at, life, event);
                }
                // Sessions end without a word.
                if life.chance(0.45) {
                    actor.session = None;
                    event.wait_seconds(log_normal(life, 240.0 * MINUTE, 0.8));
                }
            }
        }
    }
}

impl Actor {
    fn name(&self) -> Name {
        Name("user", self.number)
    }

    fn role(&self) -> &'static str {
        choice::<&str>(&ROLES, scatter(self.number.into()))
    }

    fn user_agent(&self) -> &'static str {
        choice::<&str>(&AGENTS, scatter(self.number.into()) >> 8)
    }

    /// How likely the next password is wrong: somebody who guesses goes on guessing.
    fn mistakes(&self) -> f64 {
        match self.failures {
            0 => 0.12,
            1 => 0.4,
            _ => 0.75,
        }
    }

    fn fail(&mut self, at: Moment, life: &mut Dice, event: &mut Event) {
        if self.failures == 0 && life.chance(0.2) {
            // Not the user, then.
            self.address = Address::anywhere(life);
        }
        self.failures += 1;
        let is_locked = self.failures >= ATTEMPTS;
        event.event_type("LOGIN_FAILED");
        event.payload(&LoginFailed {
            event_id: life.id(at),
            actor: self.name(),
            role: self.role(),
            ip: Text(self.address),
            outcome: "FAILURE",
            reason: if is_locked {
                "ACCOUNT_LOCKED"
            } else {
                "WRONG_PASSWORD"
            },
            attempt: self.failures,
            user_agent: self.user_agent(),
        });
        if is_locked {
            self.failures = 0;
            self.address = Address::usual(self.number);
            event.wait_seconds(30.0 * MINUTE);
        } else {
            event.wait_seconds(log_normal(life, 8.0, 0.5));
        }
    }

    fn sign_in(&mut self, at: Moment, life: &mut Dice, event: &mut Event) {
        let session_id = life.id(at);
        self.failures = 0;
        self.address = if life.chance(0.1) {
            Address::anywhere(life)
        } else {
            Address::usual(self.number)
        };
        self.session = Some(session_id);
        event.event_type("LOGIN_SUCCESS");
        event.payload(&LoginSuccess {
            event_id: life.id(at),
            actor: self.name(),
            role: self.role(),
            ip: Text(self.address),
            outcome: "SUCCESS",
            session_id,
            method: weighted(life, &[(0.6, "PASSWORD"), (0.3, "SSO"), (0.1, "PASSKEY")]),
            user_agent: self.user_agent(),
        });
    }

    fn be_refused(&self, session_id: Id, at: Moment, life: &mut Dice, event: &mut Event) {
        let (action, resource) = one_of(life, &REFUSED);
        event.event_type("PERMISSION_DENIED");
        event.payload(&PermissionDenied {
            event_id: life.id(at),
            actor: self.name(),
            role: self.role(),
            ip: Text(self.address),
            outcome: "DENIED",
            session_id,
            action,
            resource: Name(resource, whole(life.between(0.0, 49.0))),
        });
    }

    fn export(&self, session_id: Id, at: Moment, life: &mut Dice, event: &mut Event) {
        let rows = whole(log_normal(life, 400.0, 1.5)).max(1);
        event.event_type("DATA_EXPORTED");
        event.payload(&DataExported {
            event_id: life.id(at),
            actor: self.name(),
            role: self.role(),
            ip: Text(self.address),
            outcome: "SUCCESS",
            session_id,
            data: one_of(life, &EXPORTED),
            rows,
            bytes: u64::from(rows) * (80 + life.below(320)),
        });
    }
}
