//! A walk that comes back: the Ornstein–Uhlenbeck process.

use serde::{Deserialize, Serialize};

use crate::generate::Dice;

/// A deviation that returns to 0, exact for steps of any length.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Walk(f64);

impl Walk {
    /// Returns a walk that has been under way for ever.
    pub(super) fn new(deviation: f64, dice: &mut Dice) -> Self {
        Self(deviation * dice.normal())
    }

    /// Moves on by `seconds`, with the standard deviation that it has over a long time and the
    /// seconds after which its correlation with itself is 1/e.
    pub(super) fn step(
        &mut self,
        seconds: f64,
        deviation: f64,
        memory: f64,
        dice: &mut Dice,
    ) -> f64 {
        let kept = (-seconds / memory).exp();
        self.0 = self.0 * kept + deviation * (1.0 - kept * kept).sqrt() * dice.normal();
        self.0
    }
}
