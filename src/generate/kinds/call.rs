//! `call`: calls that start, are joined and left, and end.
//!
//! Whoever starts a call joins it first. Only who is in it leaves, it has at most eight
//! participants at once, and it ends when the last one has left.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::fields::{self, Name};
use super::shapes::{log_normal, place_below, rank, weighted};
use crate::generate::{Dice, Envelope, Event, Id, Kind, Moment, PayloadSchema};

const MINUTE: f64 = 60.0;
const USERS: u32 = 500;
const MOST: usize = 8;

/// Calls of a chat application.
pub(super) struct Calls;

/// A channel that has one call after the other.
#[derive(Serialize, Deserialize)]
pub(super) struct Channel {
    number: u32,
    call: Option<Call>,
}

#[derive(Serialize, Deserialize)]
struct Call {
    id: Id,
    began: Moment,
    initiator: u32,
    present: Vec<u32>,
    /// How many there were in all, and at once.
    joined: u32,
    peak: usize,
}

#[derive(Serialize)]
struct Started {
    call_id: Id,
    channel_id: Name,
    initiator: Name,
    media: &'static str,
}

#[derive(Serialize)]
struct Joined {
    call_id: Id,
    channel_id: Name,
    user_id: Name,
    participants: usize,
}

#[derive(Serialize)]
struct Left {
    call_id: Id,
    channel_id: Name,
    user_id: Name,
    participants: usize,
    reason: &'static str,
}

#[derive(Serialize)]
struct Ended {
    call_id: Id,
    channel_id: Name,
    duration_seconds: i64,
    joined: u32,
    peak_participants: usize,
}

impl Kind for Calls {
    type Entity = Channel;

    fn name(&self) -> &'static str {
        "call"
    }

    fn about(&self) -> &'static str {
        "calls that start, are joined and left, and end when nobody is left"
    }

    fn envelope(&self) -> Envelope {
        Envelope::Type
    }

    fn entities(&self) -> u32 {
        50
    }

    fn interval(&self) -> Duration {
        Duration::from_mins(10)
    }

    fn payloads(&self) -> Vec<PayloadSchema> {
        let (id, channel, user) = (fields::id(), fields::name("channel"), fields::name("user"));
        vec![
            fields::payload(
                "CALL_STARTED",
                &json!({
                    "call_id": id,
                    "channel_id": channel,
                    "initiator": user,
                    "media": {"enum": ["AUDIO", "VIDEO"]},
                }),
            ),
            fields::payload(
                "PARTICIPANT_JOINED",
                &json!({
                    "call_id": id,
                    "channel_id": channel,
                    "user_id": user,
                    "participants": {"type": "integer", "minimum": 1, "maximum": MOST, "description": "with this one"},
                }),
            ),
            fields::payload(
                "PARTICIPANT_LEFT",
                &json!({
                    "call_id": id,
                    "channel_id": channel,
                    "user_id": user,
                    "participants": {"type": "integer", "minimum": 0, "maximum": MOST, "description": "without this one"},
                    "reason": {"enum": ["LEFT", "CONNECTION_LOST"]},
                }),
            ),
            fields::payload(
                "CALL_ENDED",
                &json!({
                    "call_id": id,
                    "channel_id": channel,
                    "duration_seconds": fields::count_from(0),
                    "joined": fields::count_from(1),
                    "peak_participants": {"type": "integer", "minimum": 1, "maximum": MOST},
                }),
            ),
        ]
    }

    fn birth(&self, number: u32, _: Moment, _: &mut Dice, _: &mut Dice) -> Channel {
        Channel { number, call: None }
    }

    fn next(&self, channel: &mut Channel, at: Moment, life: &mut Dice, event: &mut Event) {
        let channel_id = Name("channel", channel.number);
        event.key(channel_id);
        match &mut channel.call {
            None => {
                let (id, initiator) = (life.id(at), rank(life, USERS));
                event.event_type("CALL_STARTED");
                event.payload(&Started {
                    call_id: id,
                    channel_id,
                    initiator: Name("user", initiator),
                    media: weighted(life, &[(0.6, "VIDEO"), (0.4, "AUDIO")]),
                });
                event.wait_seconds(life.between(0.1, 1.5));
                channel.call = Some(Call {
                    id,
                    began: at,
                    initiator,
                    present: Vec::new(),
                    joined: 0,
                    peak: 0,
                });
            }
            Some(call) if call.joined > 0 && call.present.is_empty() => {
                event.event_type("CALL_ENDED");
                event.payload(&Ended {
                    call_id: call.id,
                    channel_id,
                    duration_seconds: at.micros().saturating_sub(call.began.micros()) / 1_000_000,
                    joined: call.joined,
                    peak_participants: call.peak,
                });
                event.wait_seconds(log_normal(life, 60.0 * MINUTE, 1.0));
                channel.call = None;
            }
            Some(call) => call.go_on(channel_id, life, event),
        }
    }
}

impl Call {
    /// Somebody joins or leaves.
    fn go_on(&mut self, channel_id: Name, life: &mut Dice, event: &mut Event) {
        let newcomer = if self.joined == 0 {
            Some(self.initiator)
        } else {
            // The longer a call lasts, the fewer still come.
            let comes = 0.9 / (1.0 + 0.25 * f64::from(self.joined));
            let user = rank(life, USERS);
            let is_welcome = self.present.len() < MOST && !self.present.contains(&user);
            (is_welcome && life.chance(comes)).then_some(user)
        };
        if let Some(user) = newcomer {
            self.present.push(user);
            self.joined = self.joined.saturating_add(1);
            self.peak = self.peak.max(self.present.len());
            event.event_type("PARTICIPANT_JOINED");
            event.payload(&Joined {
                call_id: self.id,
                channel_id,
                user_id: Name("user", user),
                participants: self.present.len(),
            });
            event.wait_seconds(log_normal(life, 0.7 * MINUTE, 1.2));
        } else {
            let user = self
                .present
                .swap_remove(place_below(life, self.present.len()));
            event.event_type("PARTICIPANT_LEFT");
            event.payload(&Left {
                call_id: self.id,
                channel_id,
                user_id: Name("user", user),
                participants: self.present.len(),
                reason: weighted(life, &[(0.93, "LEFT"), (0.07, "CONNECTION_LOST")]),
            });
            event.wait_seconds(if self.present.is_empty() {
                life.between(0.1, 1.0)
            } else {
                log_normal(life, 3.0 * MINUTE, 1.0)
            });
        }
    }
}
