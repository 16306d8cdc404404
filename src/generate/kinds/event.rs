//! `event`: things that come into being, change and go; for topics of no kind in particular.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::fields::{self, Name};
use super::rounded;
use super::shapes::{choice, log_normal, scatter, weighted};
use crate::generate::{Dice, Event, Id, Kind, Moment, PayloadSchema};

const SUBJECTS: [&str; 6] = ["account", "device", "document", "job", "shipment", "ticket"];

/// General events.
pub(super) struct General;

/// What is responsible for one thing after the other.
#[derive(Serialize, Deserialize)]
pub(super) struct Source {
    number: u32,
    subject: Option<Subject>,
}

#[derive(Serialize, Deserialize)]
struct Subject {
    id: Id,
    version: u32,
    amount: f64,
}

#[derive(Serialize)]
struct Payload {
    event_id: Id,
    event: &'static str,
    source: Name,
    subject: &'static str,
    subject_id: Id,
    version: u32,
    severity: &'static str,
    amount: f64,
}

impl Kind for General {
    type Entity = Source;

    fn name(&self) -> &'static str {
        "event"
    }

    fn about(&self) -> &'static str {
        "general events: things created, updated and deleted by services"
    }

    fn entities(&self) -> u32 {
        20
    }

    fn interval(&self) -> Duration {
        Duration::from_secs(5)
    }

    fn payloads(&self) -> Vec<PayloadSchema> {
        vec![fields::payload(
            "event",
            &json!({
                "event_id": fields::id(),
                "event": {"enum": ["CREATED", "UPDATED", "DELETED"]},
                "source": fields::name("service"),
                "subject": {"enum": SUBJECTS},
                "subject_id": fields::id(),
                "version": {"type": "integer", "minimum": 1, "description": "counts the events of the subject"},
                "severity": {"enum": ["INFO", "WARNING", "ERROR"]},
                "amount": {"type": "number", "minimum": 0, "description": "a figure that moves a little with each event"},
            }),
        )]
    }

    fn birth(&self, number: u32, _: Moment, _: &mut Dice, _: &mut Dice) -> Source {
        Source {
            number,
            subject: None,
        }
    }

    fn next(&self, source: &mut Source, at: Moment, life: &mut Dice, event: &mut Event) {
        let mut subject = source.subject.take().unwrap_or_else(|| Subject {
            id: life.id(at),
            version: 0,
            amount: rounded(log_normal(life, 50.0, 0.5), 2),
        });
        subject.version = subject.version.saturating_add(1);
        let is_last = subject.version > 1 && life.chance(0.15);
        if subject.version > 1 {
            subject.amount = rounded((subject.amount + life.normal()).max(0.0), 2);
        }
        event.key(subject.id);
        event.payload(&Payload {
            event_id: life.id(at),
            event: match subject.version {
                1 => "CREATED",
                _ if is_last => "DELETED",
                _ => "UPDATED",
            },
            source: Name("service", source.number),
            subject: choice::<&str>(&SUBJECTS, scatter(source.number.into())),
            subject_id: subject.id,
            version: subject.version,
            severity: weighted(life, &[(0.93, "INFO"), (0.05, "WARNING"), (0.02, "ERROR")]),
            amount: subject.amount,
        });
        event.wait_seconds(log_normal(life, 4.0, 0.7));
        source.subject = (!is_last).then_some(subject);
    }
}
