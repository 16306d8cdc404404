//! How the sky changes: a Markov chain in continuous time.

use serde::{Deserialize, Serialize};

use super::shapes::weighted;
use crate::generate::Dice;

/// What the sky does, whatever the temperature makes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Sky {
    Clear,
    Fair,
    Overcast,
    Fog,
    Drizzle,
    Rain,
    Storm,
}

/// What a sky brings with it.
pub(super) struct Climate {
    /// How long it stays in the mean, in hours.
    pub stay: f64,
    /// What it becomes, with weights.
    pub next: &'static [(f64, Sky)],
    /// Least and most cloud cover, in percent.
    pub cloud: (f64, f64),
    /// How far the dew point is below the temperature: its mean and its most, in degrees.
    pub dryness: (f64, f64),
    /// Mean of the precipitation, in millimetres an hour; 0 when it is dry.
    pub precipitation: f64,
    /// Least and most visibility, in metres (fog is below 1000, by the WMO's definition).
    pub visibility: (f64, f64),
}

impl Sky {
    pub(super) fn climate(self) -> &'static Climate {
        match self {
            Self::Clear => &Climate {
                stay: 7.0,
                next: &[(0.94, Self::Fair), (0.06, Self::Fog)],
                cloud: (0.0, 12.0),
                dryness: (9.0, 40.0),
                precipitation: 0.0,
                visibility: (15_000.0, 60_000.0),
            },
            Self::Fair => &Climate {
                stay: 4.0,
                next: &[
                    (0.45, Self::Clear),
                    (0.5, Self::Overcast),
                    (0.05, Self::Storm),
                ],
                cloud: (20.0, 65.0),
                dryness: (7.0, 30.0),
                precipitation: 0.0,
                visibility: (12_000.0, 50_000.0),
            },
            Self::Overcast => &Climate {
                stay: 5.0,
                next: &[
                    (0.45, Self::Fair),
                    (0.25, Self::Drizzle),
                    (0.25, Self::Rain),
                    (0.05, Self::Fog),
                ],
                cloud: (85.0, 100.0),
                dryness: (4.0, 20.0),
                precipitation: 0.0,
                visibility: (8_000.0, 30_000.0),
            },
            Self::Fog => &Climate {
                stay: 3.0,
                next: &[(0.5, Self::Overcast), (0.5, Self::Fair)],
                cloud: (70.0, 100.0),
                dryness: (0.2, 0.4),
                precipitation: 0.0,
                visibility: (50.0, 900.0),
            },
            Self::Drizzle => &Climate {
                stay: 2.0,
                next: &[(0.6, Self::Overcast), (0.4, Self::Rain)],
                cloud: (90.0, 100.0),
                dryness: (1.2, 3.0),
                precipitation: 0.3,
                visibility: (3_000.0, 10_000.0),
            },
            Self::Rain => &Climate {
                stay: 3.0,
                next: &[
                    (0.5, Self::Overcast),
                    (0.35, Self::Drizzle),
                    (0.15, Self::Storm),
                ],
                cloud: (90.0, 100.0),
                dryness: (1.0, 3.0),
                precipitation: 2.5,
                visibility: (2_000.0, 8_000.0),
            },
            Self::Storm => &Climate {
                stay: 1.0,
                next: &[(0.6, Self::Rain), (0.4, Self::Fair)],
                cloud: (80.0, 100.0),
                dryness: (1.5, 4.0),
                precipitation: 11.0,
                visibility: (1_200.0, 6_000.0),
            },
        }
    }

    /// Returns what follows.
    pub(super) fn change(self, dice: &mut Dice) -> Self {
        weighted(dice, self.climate().next)
    }
}
