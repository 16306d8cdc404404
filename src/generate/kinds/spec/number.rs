//! Numbers that a spec can ask for: the distribution, and what an instrument makes of them.

use std::f64::consts::TAU;

use rand_distr::{Gamma, Zipf};
use serde_json::{Value, json};

use super::SpecError;
use super::settings::{MOST, Settings};
use crate::generate::kinds::rounded;
use crate::generate::kinds::shapes::{log_normal, pareto};
use crate::generate::kinds::walk::Walk;
use crate::generate::{Dice, Moment};

/// How numbers spread.
#[derive(Debug)]
pub(super) enum Distribution {
    Uniform {
        low: f64,
        high: f64,
    },
    Normal {
        mean: f64,
        deviation: f64,
    },
    LogNormal {
        median: f64,
        deviation: f64,
    },
    Exponential {
        mean: f64,
    },
    Gamma(Gamma<f64>),
    Pareto {
        least: f64,
        shape: f64,
    },
    Zipf(Zipf<f64>),
    /// Comes back to a mean, which is higher by `daily` at 15:00 UTC and lower at 3:00.
    Walk {
        mean: f64,
        deviation: f64,
        /// In seconds.
        memory: f64,
        daily: f64,
    },
}

/// A number with so many decimals and between these bounds.
#[derive(Debug)]
pub(super) struct Number {
    pub distribution: Distribution,
    decimals: u8,
    minimum: f64,
    maximum: f64,
}

impl Number {
    /// Reads the bounds that all numbers can have.
    pub(super) fn read(
        distribution: Distribution,
        settings: &mut Settings,
    ) -> Result<Self, SpecError> {
        let decimals = settings.count("decimals", 9, "a whole number from 0 to 9")?;
        let is_rank = matches!(distribution, Distribution::Zipf(_));
        let decimals = decimals.unwrap_or(if is_rank { 0 } else { 2 });
        let mut minimum = settings.number("minimum")?.unwrap_or(-MOST);
        let mut maximum = settings.number("maximum")?.unwrap_or(MOST);
        if decimals == 0 {
            (minimum, maximum) = (minimum.ceil(), maximum.floor());
        }
        if minimum > maximum {
            return Err(settings.wrong("maximum", "not below `minimum`"));
        }
        Ok(Self {
            distribution,
            decimals: u8::try_from(decimals).unwrap_or(9),
            minimum,
            maximum,
        })
    }

    /// Draws one.
    pub(super) fn draw(&self, dice: &mut Dice) -> Value {
        self.shown(match &self.distribution {
            Distribution::Uniform { low, high } => dice.between(*low, *high),
            Distribution::Normal { mean, deviation } => mean + deviation * dice.normal(),
            Distribution::LogNormal { median, deviation } => log_normal(dice, *median, *deviation),
            Distribution::Exponential { mean } => mean * dice.exponential(),
            Distribution::Gamma(gamma) => dice.sample(gamma),
            Distribution::Pareto { least, shape } => least * pareto(dice, *shape),
            Distribution::Zipf(zipf) => dice.sample(zipf),
            Distribution::Walk { mean, .. } => *mean,
        })
    }

    /// Moves a walk on by `seconds`.
    pub(super) fn step(&self, walk: &mut Walk, at: Moment, seconds: f64, dice: &mut Dice) -> Value {
        let Distribution::Walk {
            mean,
            deviation,
            memory,
            daily,
        } = &self.distribution
        else {
            return self.draw(dice);
        };
        let of_day = daily * ((at.hour() - 15.0) / 24.0 * TAU).cos();
        self.shown(mean + of_day + walk.step(seconds, *deviation, *memory, dice))
    }

    /// Makes a number what is written of it; what overflowed is the largest number there is.
    fn shown(&self, number: f64) -> Value {
        let number = rounded(number.clamp(-MOST, MOST), self.decimals.into());
        self.exact(number.clamp(self.minimum, self.maximum))
    }

    #[expect(clippy::cast_possible_truncation, reason = "at most 10^15")]
    fn exact(&self, number: f64) -> Value {
        if self.decimals == 0 {
            (number as i64).into()
        } else {
            number.into()
        }
    }

    pub(super) fn schema(&self) -> Value {
        let is_whole = self.decimals == 0;
        let mut schema = json!({"type": if is_whole { "integer" } else { "number" }});
        if self.minimum > -MOST {
            schema["minimum"] = self.exact(self.minimum);
        }
        if self.maximum < MOST {
            schema["maximum"] = self.exact(self.maximum);
        }
        schema
    }
}
