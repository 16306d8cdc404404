//! `message`: conversations in channels.
//!
//! A channel remembers its last messages. Only they are answered, edited by who wrote them,
//! deleted once, and reacted to; nobody reacts twice to one message in the same way.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::fields::{self, Name, Text};
use super::phrases::{REACTIONS, Sentence};
use super::shapes::{log_normal, place_below, rank, scatter};
use crate::generate::{Dice, Envelope, Event, Id, Kind, Moment, PayloadSchema};

/// How many messages a channel remembers.
const REMEMBERED: usize = 24;
const MEMBERS: u32 = 12;
const USERS: u64 = 500;

/// Messages of a chat application.
pub(super) struct Messages;

/// A channel and what was said in it lately, the oldest first.
#[derive(Serialize, Deserialize)]
pub(super) struct Channel {
    number: u32,
    recent: Vec<Message>,
}

#[derive(Serialize, Deserialize)]
struct Message {
    id: Id,
    author: u32,
    edits: u32,
    /// Who reacted, and with which of the reactions.
    reactions: Vec<(u32, usize)>,
}

#[derive(Serialize)]
struct Sent {
    message_id: Id,
    channel_id: Name,
    user_id: Name,
    text: Text<Sentence>,
    reply_to: Option<Id>,
}

#[derive(Serialize)]
struct Edited {
    message_id: Id,
    channel_id: Name,
    user_id: Name,
    text: Text<Sentence>,
    edit: u32,
}

#[derive(Serialize)]
struct Deleted {
    message_id: Id,
    channel_id: Name,
    user_id: Name,
    by: &'static str,
}

#[derive(Serialize)]
struct Reacted {
    message_id: Id,
    channel_id: Name,
    user_id: Name,
    reaction: &'static str,
}

impl Kind for Messages {
    type Entity = Channel;

    fn name(&self) -> &'static str {
        "message"
    }

    fn about(&self) -> &'static str {
        "messages in channels: sent, answered, edited, deleted and reacted to"
    }

    fn envelope(&self) -> Envelope {
        Envelope::Type
    }

    fn entities(&self) -> u32 {
        50
    }

    fn interval(&self) -> Duration {
        Duration::from_mins(1)
    }

    fn payloads(&self) -> Vec<PayloadSchema> {
        let id = fields::id();
        let (channel, user) = (fields::name("channel"), fields::name("user"));
        let text = json!({"type": "string", "minLength": 1});
        vec![
            fields::payload(
                "MESSAGE_SENT",
                &json!({
                    "message_id": id,
                    "channel_id": channel,
                    "user_id": user,
                    "text": text,
                    "reply_to": fields::nullable(&id),
                }),
            ),
            fields::payload(
                "MESSAGE_EDITED",
                &json!({
                    "message_id": id,
                    "channel_id": channel,
                    "user_id": user,
                    "text": text,
                    "edit": fields::count_from(1),
                }),
            ),
            fields::payload(
                "MESSAGE_DELETED",
                &json!({
                    "message_id": id,
                    "channel_id": channel,
                    "user_id": {"type": "string", "pattern": "^(user|moderator)_[0-9]+$"},
                    "by": {"enum": ["AUTHOR", "MODERATOR"]},
                }),
            ),
            fields::payload(
                "REACTION_ADDED",
                &json!({
                    "message_id": id,
                    "channel_id": channel,
                    "user_id": user,
                    "reaction": {"enum": REACTIONS},
                }),
            ),
        ]
    }

    fn birth(&self, number: u32, _: Moment, _: &mut Dice, _: &mut Dice) -> Channel {
        Channel {
            number,
            recent: Vec::new(),
        }
    }

    fn next(&self, channel: &mut Channel, at: Moment, life: &mut Dice, event: &mut Event) {
        event.key(Name("channel", channel.number));
        // Answers come at once or much later.
        event.wait_seconds(log_normal(life, 20.0, 1.5));
        let happened = match life.below(100) {
            0..26 => channel.react(life, event),
            26..34 => channel.edit(life, event),
            34..38 => channel.delete(life, event),
            _ => false,
        };
        if !happened {
            channel.send(at, life, event);
        }
    }
}

impl Channel {
    fn name(&self) -> Name {
        Name("channel", self.number)
    }

    /// Draws one of the members; some write more than others.
    fn member(&self, life: &mut Dice) -> u32 {
        let place = u64::from(self.number) * 1000 + u64::from(rank(life, MEMBERS));
        u32::try_from(scatter(place) % USERS).unwrap_or(0)
    }

    fn send(&mut self, at: Moment, life: &mut Dice, event: &mut Event) {
        let (id, author) = (life.id(at), self.member(life));
        // People answer what was said last.
        let is_answer = !self.recent.is_empty() && life.chance(0.3);
        let reply_to = is_answer.then(|| {
            let back = rank(life, self.recent.len().try_into().unwrap_or(1));
            self.recent[self.recent.len() - 1 - back as usize].id
        });
        event.event_type("MESSAGE_SENT");
        event.payload(&Sent {
            message_id: id,
            channel_id: self.name(),
            user_id: Name("user", author),
            text: Text(Sentence(life.bits())),
            reply_to,
        });
        if self.recent.len() >= REMEMBERED {
            self.recent.remove(0);
        }
        self.recent.push(Message {
            id,
            author,
            edits: 0,
            reactions: Vec::new(),
        });
    }

    fn react(&mut self, life: &mut Dice, event: &mut Event) -> bool {
        let user = self.member(life);
        let reaction = rank(life, 8) as usize;
        let channel_id = self.name();
        let Some(message) = some_of(&mut self.recent, life) else {
            return false;
        };
        if message.reactions.contains(&(user, reaction)) {
            return false;
        }
        message.reactions.push((user, reaction));
        event.event_type("REACTION_ADDED");
        event.payload(&Reacted {
            message_id: message.id,
            channel_id,
            user_id: Name("user", user),
            reaction: REACTIONS[reaction],
        });
        true
    }

    fn edit(&mut self, life: &mut Dice, event: &mut Event) -> bool {
        let channel_id = self.name();
        let Some(message) = some_of(&mut self.recent, life) else {
            return false;
        };
        message.edits = message.edits.saturating_add(1);
        event.event_type("MESSAGE_EDITED");
        event.payload(&Edited {
            message_id: message.id,
            channel_id,
            user_id: Name("user", message.author),
            text: Text(Sentence(life.bits())),
            edit: message.edits,
        });
        true
    }

    fn delete(&mut self, life: &mut Dice, event: &mut Event) -> bool {
        if self.recent.is_empty() {
            return false;
        }
        let message = self.recent.remove(place_below(life, self.recent.len()));
        let (user_id, by) = if life.chance(0.1) {
            (Name("moderator", rank(life, 12)), "MODERATOR")
        } else {
            (Name("user", message.author), "AUTHOR")
        };
        event.event_type("MESSAGE_DELETED");
        event.payload(&Deleted {
            message_id: message.id,
            channel_id: self.name(),
            user_id,
            by,
        });
        true
    }
}

/// Draws one of the messages, if there is one.
fn some_of<'a>(messages: &'a mut [Message], life: &mut Dice) -> Option<&'a mut Message> {
    let place = place_below(life, messages.len());
    messages.get_mut(place)
}
