//! Synthetic records that look real, repeat exactly and can be checked. No I/O happens here.
//!
//! A [`Kind`] says what its entities (sensors, cards, users) do next; an engine lets the one
//! that is due first act. Every entity draws from a stream of its own, so one more of them changes
//! nothing that the others do, and all that is drawn follows from the seed.

mod dice;
mod engine;
mod event;
mod faults;
mod kind;
pub mod kinds;
mod label;
mod line;
mod manifest;
mod mix;
mod moment;
#[cfg(test)]
mod properties;
mod recorder;
mod schedule;
mod schema;
mod state;
mod verify;
mod window;

pub use dice::{Dice, Id, Seed};
pub use engine::{Engine, Events, Saved};
pub use event::{Envelope, Event};
pub use faults::{Fate, Fates, Faults, Late, MOST_NULLS, Null};
pub use kind::{AnyKind, Kind, Plan};
pub use label::{Run, checksum};
pub use line::Lines;
pub use manifest::Manifest;
pub use mix::{Change, Mix, Topic};
pub use moment::Moment;
pub use recorder::{Recorder, Tally};
pub use schedule::{Arrival, Schedule, Shape};
pub use schema::{FieldError, PayloadSchema, pointers};
pub use state::{Resumed, State};
pub use verify::{Report, Verifier};
pub use window::{Window, WindowError};
