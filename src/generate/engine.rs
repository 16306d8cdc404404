//! The entities of a run and whose turn it is.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Dice, Event, Kind, Moment, Plan, Schedule};

/// Events without end, in the order of their moments.
pub trait Events: Send {
    /// Returns when the next event happens; nothing has happened yet.
    fn due(&mut self) -> Moment;

    /// Lets it happen at `at` instead, which no event so far is after, and puts it in the place of
    /// `event`.
    fn next_at(&mut self, at: Moment, event: &mut Event);

    /// Lets it happen when it is due.
    fn next(&mut self, event: &mut Event) {
        let at = self.due();
        self.next_at(at, event);
    }

    /// Returns how the entities stand at `end`, for a run that begins there.
    ///
    /// # Errors
    /// When an entity cannot be written as JSON.
    fn save(&self, end: Moment) -> serde_json::Result<Saved>;
}

/// How the entities of a run stood at its end.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Saved {
    /// Each entity, and in how many microseconds it is due.
    entities: Vec<(Box<RawValue>, u64)>,
}

/// Lets the entity act that is due first.
pub struct Engine<K: Kind> {
    kind: K,
    entities: Vec<(K::Entity, Dice)>,
    /// Microseconds since the start by their own pace, then the entity: a tie is no accident.
    due: BinaryHeap<Reverse<(u64, u32)>>,
    schedule: Schedule,
    /// When the next event happens, once that was asked for.
    next: Option<Moment>,
    sequence: u64,
    interval_micros: u64,
}

impl<K: Kind> Engine<K> {
    /// Makes the entities, or takes those that were saved, and says when each is due first.
    ///
    /// # Errors
    /// When a saved entity is none of this kind.
    pub fn new(kind: K, plan: Plan) -> serde_json::Result<Self> {
        let interval_micros = u64::try_from(kind.interval().as_micros()).unwrap_or(u64::MAX);
        // Or ids of one kind would be those of another at the same moment.
        let seed = plan.seed.part(kind.name(), 0);
        let identities = seed.part("identity", 0);
        let lives = seed.of_run(plan.start).part("life", 0);
        let numbers = 0..plan.entities.unwrap_or_else(|| kind.entities()).max(1);
        let mut saved = plan.saved.into_iter().flat_map(|saved| saved.entities);
        let mut due = Vec::with_capacity(numbers.len());
        let entities = numbers
            .map(|number| {
                let mut life = lives.dice(number.into());
                let (entity, wait) = if let Some((entity, wait)) = saved.next() {
                    (serde_json::from_str(entity.get())?, wait)
                } else {
                    let wait = life.below(interval_micros);
                    let identity = &mut identities.dice(number.into());
                    (kind.birth(number, plan.start, identity, &mut life), wait)
                };
                due.push(Reverse((wait, number)));
                Ok((entity, life))
            })
            .collect::<serde_json::Result<_>>()?;
        Ok(Self {
            kind,
            entities,
            due: due.into(),
            schedule: plan.schedule,
            next: None,
            sequence: 0,
            interval_micros,
        })
    }
}

impl<K: Kind> Events for Engine<K> {
    fn due(&mut self) -> Moment {
        let Reverse((due, _)) = self.due.peek().expect("there is always an entity");
        *self.next.get_or_insert_with(|| self.schedule.next(*due))
    }

    fn next_at(&mut self, at: Moment, event: &mut Event) {
        self.next = None;
        let mut first = self.due.peek_mut().expect("there is always an entity");
        let Reverse((due, number)) = *first;
        event.at = at;
        event.sequence = self.sequence;
        event.entity = number.into();
        event.fault = None;
        event.wait_micros = self.interval_micros;
        event.name = None;
        let (entity, life) = &mut self.entities[number as usize];
        self.kind.next(entity, at, life, event);
        *first = Reverse((due.saturating_add(event.wait_micros.max(1)), number));
        self.sequence += 1;
    }

    fn save(&self, end: Moment) -> serde_json::Result<Saved> {
        let mut waits = vec![0; self.entities.len()];
        let now = self.schedule.own_time(end);
        for Reverse((due, number)) in &self.due {
            waits[*number as usize] = due.saturating_sub(now);
        }
        let entities = self.entities.iter().zip(waits);
        Ok(Saved {
            entities: entities
                .map(|((entity, _), wait)| Ok((serde_json::value::to_raw_value(entity)?, wait)))
                .collect::<serde_json::Result<_>>()?,
        })
    }
}
