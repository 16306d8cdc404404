//! The entities of a run and whose turn it is.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::{Dice, Event, Kind, Plan, Schedule};

/// Events without end, in the order of their moments.
pub trait Events: Send {
    /// Puts the next event in the place of `event`.
    fn next(&mut self, event: &mut Event);
}

/// Lets the entity act that is due first.
pub struct Engine<K: Kind> {
    kind: K,
    entities: Vec<(K::Entity, Dice)>,
    /// Microseconds since the start by their own pace, then the entity: a tie is no accident.
    due: BinaryHeap<Reverse<(u64, u32)>>,
    schedule: Schedule,
    sequence: u64,
    interval_micros: u64,
}

impl<K: Kind> Engine<K> {
    /// Makes the entities and says when each is due for the first time.
    pub fn new(kind: K, plan: Plan) -> Self {
        let interval_micros = u64::try_from(kind.interval().as_micros()).unwrap_or(u64::MAX);
        let identities = plan.seed.part("identity", 0);
        // One of i64's 2^64 values each.
        let lives = plan.seed.part("life", plan.start.micros().cast_unsigned());
        let numbers = 0..plan.entities.unwrap_or_else(|| kind.entities()).max(1);
        let mut due = Vec::with_capacity(numbers.len());
        let entities = numbers
            .map(|number| {
                let mut life = lives.dice(number.into());
                due.push(Reverse((life.below(interval_micros), number)));
                let identity = &mut identities.dice(number.into());
                (kind.birth(number, plan.start, identity, &mut life), life)
            })
            .collect();
        Self {
            kind,
            entities,
            due: due.into(),
            schedule: plan.schedule,
            sequence: 0,
            interval_micros,
        }
    }
}

impl<K: Kind> Events for Engine<K> {
    fn next(&mut self, event: &mut Event) {
        let mut first = self.due.peek_mut().expect("there is always an entity");
        let Reverse((due, number)) = *first;
        event.at = self.schedule.next(due);
        event.sequence = self.sequence;
        event.entity = number;
        event.fault = None;
        event.wait_micros = self.interval_micros;
        event.name = None;
        let (entity, life) = &mut self.entities[number as usize];
        self.kind.next(entity, event.at, life, event);
        *first = Reverse((due.saturating_add(event.wait_micros.max(1)), number));
        self.sequence += 1;
    }
}
