//! How the entities stood when a run ended, kept for the run that follows.

use serde::{Deserialize, Serialize};

use super::{Moment, Saved};

/// What `--state` keeps between runs of one kind and one seed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// The kind of the entities.
    pub kind: String,
    /// The number that all follows from.
    pub seed: u64,
    /// How they stood when the last run began, so that it can be repeated; `None` where it made
    /// them.
    before: Stand,
    after: Stand,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stand {
    at_micros: i64,
    saved: Option<Saved>,
}

/// How a run stands to the one whose state is kept.
#[derive(Debug)]
pub enum Resumed {
    /// It goes on from there.
    GoesOn(Option<Saved>),
    /// It is the same window again, and begins as it began.
    Again(Option<Saved>),
    /// It is another window, and has to begin anew.
    Anew,
}

impl State {
    /// Returns the state after a run from `start`, where its entities stood as in `before`.
    pub fn new(
        kind: String,
        seed: u64,
        (start, before): (Moment, Option<Saved>),
        (end, after): (Moment, Saved),
    ) -> Self {
        Self {
            kind,
            seed,
            before: Stand {
                at_micros: start.micros(),
                saved: before,
            },
            after: Stand {
                at_micros: end.micros(),
                saved: Some(after),
            },
        }
    }

    /// Returns where the last run ended.
    pub fn end(&self) -> Moment {
        Moment::from_micros(self.after.at_micros)
    }

    /// Returns where a run begins: one of the window that begins at `window`, or just the next.
    pub fn resume(self, window: Option<Moment>) -> Resumed {
        match window.map(Moment::micros) {
            Some(start) if start == self.before.at_micros => Resumed::Again(self.before.saved),
            Some(start) if start != self.after.at_micros => Resumed::Anew,
            _ => Resumed::GoesOn(self.after.saved),
        }
    }
}
