//! `presence`: who is there, and what they are doing.
//!
//! A user comes online with a session, is active, away or busy, types while active, and goes
//! offline again from that session.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::fields::{self, Name};
use super::shapes::{log_normal, rank, weighted};
use crate::generate::{Dice, Envelope, Event, Id, Kind, Moment, PayloadSchema};

const MINUTE: f64 = 60.0;
const CHANNELS: u32 = 50;

/// Users of a chat application as they come and go.
pub(super) struct Presence;

/// A user, and the session while there is one.
#[derive(Serialize, Deserialize)]
pub(super) struct User {
    number: u32,
    session: Option<Session>,
}

#[derive(Serialize, Deserialize)]
struct Session {
    id: Id,
    began: Moment,
    mood: Mood,
}

/// What a user lets others know.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Mood {
    Active,
    Away,
    Busy,
}

#[derive(Serialize)]
struct Online {
    user_id: Name,
    session_id: Id,
    status: Mood,
    platform: &'static str,
}

#[derive(Serialize)]
struct Offline {
    user_id: Name,
    session_id: Id,
    reason: &'static str,
    duration_seconds: u64,
}

#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "as they are written")]
struct Typing {
    user_id: Name,
    session_id: Id,
    channel_id: Name,
}

#[derive(Serialize)]
struct Changed {
    user_id: Name,
    session_id: Id,
    previous: Mood,
    status: Mood,
}

impl Kind for Presence {
    type Entity = User;

    fn name(&self) -> &'static str {
        "presence"
    }

    fn about(&self) -> &'static str {
        "users of a chat as they come online, type, are away and go offline"
    }

    fn envelope(&self) -> Envelope {
        Envelope::Type
    }

    fn entities(&self) -> u32 {
        500
    }

    fn interval(&self) -> Duration {
        Duration::from_mins(10)
    }

    fn payloads(&self) -> Vec<PayloadSchema> {
        let (user, id) = (fields::name("user"), fields::id());
        let mood = json!({"enum": ["ACTIVE", "AWAY", "BUSY"]});
        vec![
            fields::payload(
                "USER_ONLINE",
                &json!({
                    "user_id": user,
                    "session_id": id,
                    "status": {"const": "ACTIVE"},
                    "platform": {"enum": ["DESKTOP", "WEB", "IOS", "ANDROID"]},
                }),
            ),
            fields::payload(
                "USER_OFFLINE",
                &json!({
                    "user_id": user,
                    "session_id": id,
                    "reason": {"enum": ["SIGNED_OUT", "CONNECTION_LOST", "TIMEOUT"]},
                    "duration_seconds": {"type": "integer", "minimum": 0, "description": "since the session came online"},
                }),
            ),
            fields::payload(
                "USER_TYPING",
                &json!({"user_id": user, "session_id": id, "channel_id": fields::name("channel")}),
            ),
            fields::payload(
                "STATUS_CHANGED",
                &json!({"user_id": user, "session_id": id, "previous": mood, "status": mood}),
            ),
        ]
    }

    fn birth(&self, number: u32, _: Moment, _: &mut Dice, _: &mut Dice) -> User {
        User {
            number,
            session: None,
        }
    }

    fn next(&self, user: &mut User, at: Moment, life: &mut Dice, event: &mut Event) {
        let user_id = Name("user", user.number);
        event.key(user_id);
        event.wait_seconds(log_normal(life, 4.0 * MINUTE, 1.2));
        let Some(session) = &mut user.session else {
            let session_id = life.id(at);
            user.session = Some(Session {
                id: session_id,
                began: at,
                mood: Mood::Active,
            });
            event.event_type("USER_ONLINE");
            event.payload(&Online {
                user_id,
                session_id,
                status: Mood::Active,
                platform: weighted(
                    life,
                    &[
                        (0.4, "DESKTOP"),
                        (0.2, "WEB"),
                        (0.2, "IOS"),
                        (0.2, "ANDROID"),
                    ],
                ),
            });
            return;
        };
        let session_id = session.id;
        let leaves = if session.mood == Mood::Away {
            0.3
        } else {
            0.08
        };
        if life.chance(leaves) {
            event.event_type("USER_OFFLINE");
            event.payload(&Offline {
                user_id,
                session_id,
                reason: if session.mood == Mood::Away {
                    "TIMEOUT"
                } else {
                    weighted(life, &[(0.7, "SIGNED_OUT"), (0.3, "CONNECTION_LOST")])
                },
                duration_seconds: session.seconds(at),
            });
            user.session = None;
            // The next time is hours away.
            event.wait_seconds(log_normal(life, 90.0 * MINUTE, 1.0));
        } else if session.mood == Mood::Active && life.chance(0.75) {
            event.event_type("USER_TYPING");
            event.payload(&Typing {
                user_id,
                session_id,
                channel_id: Name("channel", rank(life, CHANNELS)),
            });
        } else {
            let status = match session.mood {
                Mood::Active => weighted(life, &[(0.7, Mood::Away), (0.3, Mood::Busy)]),
                Mood::Away | Mood::Busy => Mood::Active,
            };
            let previous = std::mem::replace(&mut session.mood, status);
            event.event_type("STATUS_CHANGED");
            event.payload(&Changed {
                user_id,
                session_id,
                previous,
                status,
            });
        }
    }
}

impl Session {
    /// How long it has lasted, in whole seconds.
    fn seconds(&self, at: Moment) -> u64 {
        let micros = at.micros().saturating_sub(self.began.micros());
        u64::try_from(micros / 1_000_000).unwrap_or(0)
    }
}
