//! When events come: virtual time, which never drifts because nothing in it is added up from sleeps.

use super::{Dice, Moment, Seed};

/// What decides when the next event comes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Arrival {
    /// Each entity's own pace.
    Own,
    /// So many a second, evenly.
    Constant(f64),
    /// So many a second on average, each as if there were no other.
    Poisson(f64),
    /// So many seconds after the one before, from the first number to the second.
    Uniform(f64, f64),
}

/// How the pace changes over a day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shape {
    /// Not at all.
    #[default]
    Flat,
    /// Nights (UTC) are quiet and evenings busy; a whole day has as many events as with `Flat`.
    Daily,
}

/// Weights of the hours of a day from midnight UTC, in twentieths of the mean: they sum to 480.
const DAILY: [u16; 24] = [
    8, 5, 4, 3, 3, 5, 9, 15, 21, 24, 26, 28, 31, 29, 26, 25, 26, 29, 33, 36, 34, 28, 20, 12,
];
const HOUR: i64 = 3_600_000_000;

/// Gives each event its moment.
#[derive(Debug)]
pub struct Schedule {
    arrival: Arrival,
    shape: Shape,
    arrivals: Dice,
    /// When the entity was due, by its own pace, whose event came last.
    own: u64,
    /// How many events came, and the gaps between them summed up.
    count: u64,
    gaps: f64,
    start: Moment,
    /// A moment and the even time, in microseconds since the start, that it stands for.
    bend: (Moment, f64),
}

impl Schedule {
    /// Returns the schedule that begins at `start`.
    pub fn new(arrival: Arrival, shape: Shape, start: Moment, seed: Seed) -> Self {
        Self {
            arrival,
            shape,
            arrivals: seed.part("arrivals", 0).dice(0),
            own: 0,
            count: 0,
            gaps: 0.0,
            start,
            bend: (start, 0.0),
        }
    }

    /// Returns the entities' own time at `end`, in microseconds since the start.
    pub(super) fn own_time(&self, end: Moment) -> u64 {
        if self.arrival == Arrival::Own && self.shape == Shape::Flat {
            u64::try_from(end.micros().saturating_sub(self.start.micros())).unwrap_or_default()
        } else {
            self.own
        }
    }

    /// Returns the moment of the next event, whose entity is due `own` microseconds after the
    /// start by its own pace.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "microseconds are exact for 285 years, and then stop at the end of time"
    )]
    pub fn next(&mut self, own: u64) -> Moment {
        self.own = own;
        let even = match self.arrival {
            Arrival::Own if self.shape == Shape::Flat => {
                let own = i64::try_from(own).unwrap_or(i64::MAX);
                return Moment::from_micros(self.start.micros().saturating_add(own));
            }
            Arrival::Own => own as f64,
            Arrival::Constant(rate) => self.count as f64 * 1e6 / rate,
            Arrival::Poisson(rate) => {
                self.gaps += self.arrivals.exponential();
                self.gaps * 1e6 / rate
            }
            Arrival::Uniform(low, high) => {
                self.gaps += self.arrivals.between(low, high);
                self.gaps * 1e6
            }
        };
        self.count += 1;
        match self.shape {
            Shape::Flat => {
                Moment::from_micros(self.start.micros().saturating_add(even.floor() as i64))
            }
            Shape::Daily => self.bent(even),
        }
    }

    /// Returns the moment by which the hours so far had room for `even` microseconds.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "microseconds are exact for 285 years, and an hour of the day is below 24"
    )]
    fn bent(&mut self, even: f64) -> Moment {
        loop {
            let (moment, passed) = self.bend;
            let micros = moment.micros();
            let weight = f64::from(DAILY[(micros.div_euclid(HOUR).rem_euclid(24)) as usize]) / 20.0;
            let hour_ends = micros
                .div_euclid(HOUR)
                .saturating_add(1)
                .saturating_mul(HOUR);
            let room = (hour_ends - micros) as f64 * weight;
            if even < passed + room || hour_ends == i64::MAX {
                let into = ((even - passed) / weight).floor() as i64;
                return Moment::from_micros(micros.saturating_add(into));
            }
            self.bend = (Moment::from_micros(hour_ends), passed + room);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Moment = Moment::from_micros(1_763_596_800_000_000); // midnight

    fn moments(arrival: Arrival, shape: Shape, count: usize) -> Vec<i64> {
        let mut schedule = Schedule::new(arrival, shape, START, Seed::new(1));
        (0..count)
            .map(|_| schedule.next(0).micros() - START.micros())
            .collect()
    }

    #[test]
    fn a_constant_rate_does_not_drift() {
        let moments = moments(Arrival::Constant(3.0), Shape::Flat, 3_000_001);
        assert_eq!(moments[..4], [0, 333_333, 666_666, 1_000_000]);
        assert_eq!(moments[3_000_000], 1_000_000_000_000);
    }

    #[test]
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    fn poisson_gaps_have_the_mean_and_the_deviation_of_the_rate() {
        let moments = moments(Arrival::Poisson(10.0), Shape::Flat, 100_000);
        let gaps: Vec<f64> = moments
            .windows(2)
            .map(|two| (two[1] - two[0]) as f64)
            .collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        assert!((mean / 100_000.0 - 1.0).abs() < 0.02, "{mean}");
        assert!((variance.sqrt() / mean - 1.0).abs() < 0.02, "{variance}");
    }

    #[test]
    fn uniform_gaps_keep_within_their_bounds() {
        let moments = moments(Arrival::Uniform(0.5, 1.5), Shape::Flat, 10_000);
        let gaps = moments.windows(2).map(|two| two[1] - two[0]);
        let (low, high) = (gaps.clone().min().unwrap(), gaps.max().unwrap());
        assert!((499_999..510_000).contains(&low) && (1_490_000..=1_500_000).contains(&high));
    }

    #[test]
    fn a_daily_shape_moves_events_within_the_day_and_keeps_their_number() {
        let moments = moments(Arrival::Constant(1.0), Shape::Daily, 3 * 86_400);
        let between = |from: i64, to: i64| {
            let hours = from * HOUR..to * HOUR;
            moments
                .iter()
                .filter(|moment| hours.contains(moment))
                .count()
        };
        for day in 0..3 {
            assert_eq!(between(day * 24, day * 24 + 24), 86_400);
            assert_eq!(between(day * 24 + 3, day * 24 + 4), 540);
            assert_eq!(between(day * 24 + 19, day * 24 + 20), 6480);
        }
        assert!(moments.is_sorted());
        assert_eq!(DAILY.iter().sum::<u16>(), 480);
    }
}
