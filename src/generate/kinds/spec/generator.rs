//! The generators that a spec can name, and how each draws its values.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::number::{Distribution, Number};
use crate::generate::kinds::address::{self, Address};
use crate::generate::kinds::fields;
use crate::generate::kinds::people::Person;
use crate::generate::kinds::phrases::Sentence;
use crate::generate::kinds::shapes::{rank, weighted};
use crate::generate::kinds::walk::Walk;
use crate::generate::{Dice, Moment};

/// A field of a payload.
#[derive(Debug)]
pub(super) struct Field {
    pub name: String,
    pub generator: Generator,
    /// Drawn once for each entity, not for each event.
    pub is_fixed: bool,
    /// How likely it is null.
    pub null: f64,
}

/// What makes values.
#[derive(Debug)]
pub(super) enum Generator {
    Id,
    /// A word and the number of the entity.
    Name {
        word: String,
    },
    /// A word and a number below `count`, of which the first come most often.
    Popular {
        word: String,
        count: u32,
    },
    Sequence {
        first: u32,
    },
    Constant(Value),
    Choice(Vec<(f64, Value)>),
    Chain(Vec<State>),
    Number(Number),
    Boolean {
        probability: f64,
    },
    Person,
    Username,
    Email,
    Phone,
    Street,
    Ip,
    Sentence,
    Object(Vec<Field>),
}

/// A state of a chain, and the places of those that follow, with weights.
#[derive(Debug)]
pub(super) struct State {
    pub name: String,
    pub next: Vec<(f64, usize)>,
}

/// What an entity remembers of a field.
#[derive(Serialize, Deserialize)]
pub(super) enum Memory {
    Nothing,
    Fixed(Value),
    Walk(Walk),
    /// The place of a chain's state, once it has one.
    State(Option<usize>),
    /// How many events there were.
    Count(u64),
    Object(Vec<Memory>),
}

/// Whose turn it is, and when.
#[derive(Clone, Copy)]
pub(super) struct Turn {
    pub entity: u32,
    pub at: Moment,
    /// Since the entity's turn before.
    pub seconds: f64,
}

impl Field {
    /// Returns what a new entity remembers of this field.
    pub(super) fn birth(&self, turn: Turn, identity: &mut Dice, life: &mut Dice) -> Memory {
        match &self.generator {
            Generator::Object(fields) => {
                let births = fields.iter().map(|field| field.birth(turn, identity, life));
                Memory::Object(births.collect())
            }
            _ if self.is_fixed => Memory::Fixed(self.draw(turn, identity)),
            Generator::Sequence { .. } => Memory::Count(0),
            Generator::Chain(_) => Memory::State(None),
            Generator::Number(Number {
                distribution: Distribution::Walk { deviation, .. },
                ..
            }) => Memory::Walk(Walk::new(*deviation, life)),
            _ => Memory::Nothing,
        }
    }

    /// Returns the value of the entity's next event.
    pub(super) fn next(&self, memory: &mut Memory, turn: Turn, life: &mut Dice) -> Value {
        let value = match (&self.generator, memory) {
            (Generator::Object(fields), Memory::Object(memories)) => {
                object(fields, memories, turn, life)
            }
            (_, Memory::Fixed(value)) => value.clone(),
            (Generator::Sequence { first }, Memory::Count(count)) => {
                let number = count.saturating_add((*first).into());
                *count = count.saturating_add(1);
                number.into()
            }
            (Generator::Chain(states), Memory::State(place)) => {
                // An end begins anew.
                let next = place
                    .and_then(|place| states.get(place))
                    .filter(|state| !state.next.is_empty())
                    .map_or(0, |state| weighted(life, &state.next));
                *place = Some(next);
                states[next].name.as_str().into()
            }
            (Generator::Number(number), Memory::Walk(walk)) => {
                number.step(walk, turn.at, turn.seconds, life)
            }
            _ => self.draw(turn, life),
        };
        if self.null > 0.0 && life.chance(self.null) {
            Value::Null
        } else {
            value
        }
    }

    /// Draws a value that depends on none before it.
    fn draw(&self, turn: Turn, dice: &mut Dice) -> Value {
        let person = Person(turn.entity);
        match &self.generator {
            Generator::Id => dice.id(turn.at).to_string().into(),
            Generator::Name { word } => format!("{word}_{}", turn.entity).into(),
            Generator::Popular { word, count } => {
                let number = rank(dice, *count);
                format!("{word}_{number}").into()
            }
            Generator::Sequence { first } => (*first).into(),
            Generator::Constant(value) => value.clone(),
            Generator::Choice(values) => dice.pick_weighted(values).clone(),
            Generator::Chain(states) => states[0].name.as_str().into(),
            Generator::Number(number) => number.draw(dice),
            Generator::Boolean { probability } => dice.chance(*probability).into(),
            Generator::Person => person.to_string().into(),
            Generator::Username => person.username().to_string().into(),
            Generator::Email => person.email().to_string().into(),
            Generator::Phone => person.phone().to_string().into(),
            Generator::Street => person.street().to_string().into(),
            Generator::Ip => Address::anywhere(dice).to_string().into(),
            Generator::Sentence => Sentence(dice.bits()).to_string().into(),
            Generator::Object(_) => Value::Null,
        }
    }

    /// Returns the schema of the values.
    pub(super) fn schema(&self) -> Value {
        let text = || json!({"type": "string", "minLength": 1});
        let schema = match &self.generator {
            Generator::Id => fields::id(),
            Generator::Name { word } | Generator::Popular { word, .. } => fields::name(word),
            Generator::Sequence { first } => fields::count_from(*first),
            Generator::Constant(value) => json!({"const": value}),
            Generator::Choice(values) => {
                let mut unlike: Vec<&Value> = Vec::new();
                for (_, value) in values {
                    if !unlike.contains(&value) {
                        unlike.push(value);
                    }
                }
                json!({"enum": unlike})
            }
            Generator::Chain(states) => {
                let names: Vec<&str> = states.iter().map(|state| state.name.as_str()).collect();
                json!({"enum": names})
            }
            Generator::Number(number) => number.schema(),
            Generator::Boolean { .. } => json!({"type": "boolean"}),
            Generator::Email => json!({"type": "string", "format": "email"}),
            Generator::Ip => address::schema(),
            Generator::Person
            | Generator::Username
            | Generator::Phone
            | Generator::Street
            | Generator::Sentence => text(),
            Generator::Object(fields) => object_schema(fields),
        };
        if self.null > 0.0 {
            fields::nullable(&schema)
        } else {
            schema
        }
    }

    /// Whether its values can be keys: never null, and text or whole numbers.
    pub(super) fn is_key(&self) -> bool {
        let is_text = match &self.generator {
            Generator::Constant(value) => value.is_string() || value.is_i64(),
            Generator::Choice(values) => {
                (values.iter()).all(|(_, value)| value.is_string() || value.is_i64())
            }
            Generator::Number(_) | Generator::Boolean { .. } | Generator::Object(_) => false,
            _ => true,
        };
        is_text && self.null == 0.0
    }
}

/// Returns the values of all fields.
pub(super) fn object(
    fields: &[Field],
    memories: &mut Vec<Memory>,
    turn: Turn,
    life: &mut Dice,
) -> Value {
    // The memories that were saved may be of a spec with fewer fields.
    memories.resize_with(fields.len(), || Memory::Nothing);
    let values = fields.iter().zip(memories);
    let values = values.map(|(field, memory)| (field.name.clone(), field.next(memory, turn, life)));
    Value::Object(values.collect::<Map<_, _>>())
}

/// Returns the schema of an object of these fields.
pub(super) fn object_schema(fields: &[Field]) -> Value {
    let properties = fields
        .iter()
        .map(|field| (field.name.clone(), field.schema()));
    fields::object(&Value::Object(properties.collect()))
}
