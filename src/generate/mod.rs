//! Synthetic records that look real, repeat exactly and can be checked. No I/O happens here.
//!
//! A [`Kind`] says what its entities (sensors, cards, users) do next; an engine lets the one
//! that is due first act. Every entity draws from a stream of its own, so one more of them changes
//! nothing that the others do, and all that is drawn follows from the seed.

mod dice;
mod engine;
mod event;
mod kind;
pub mod kinds;
mod label;
mod line;
mod moment;
mod schedule;
mod schema;

pub use dice::{Dice, Id, Seed};
pub use engine::{Engine, Events};
pub use event::{Envelope, Event};
pub use kind::{AnyKind, Kind, Plan};
pub use label::{Run, checksum};
pub use line::Lines;
pub use moment::Moment;
pub use schedule::{Arrival, Schedule, Shape};
pub use schema::PayloadSchema;
