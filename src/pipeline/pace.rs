//! When the next record may go, with a rate.

use std::time::{Duration, Instant};

/// How much a rate may lag and still catch up.
const CREDIT: Duration = Duration::from_millis(100);

/// Steps at a rate; without one, nothing waits.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    interval: Option<Duration>,
    due: Option<Instant>,
}

impl Pace {
    /// So many records a second.
    pub fn new(rate: Option<f64>) -> Self {
        Self {
            interval: rate.map(|rate| Duration::from_secs_f64(1.0 / rate)),
            due: None,
        }
    }

    /// How long the next record has to wait yet.
    pub fn left(&mut self) -> Duration {
        self.left_at(Instant::now())
    }

    fn left_at(&mut self, now: Instant) -> Duration {
        if self.interval.is_none() {
            return Duration::ZERO;
        }
        // A pause in the input is not made up for by a burst.
        let due = self.due.filter(|due| *due + CREDIT >= now).unwrap_or(now);
        self.due = Some(due);
        due.saturating_duration_since(now)
    }

    /// A record went.
    pub fn step(&mut self) {
        if let (Some(interval), Some(due)) = (self.interval, self.due) {
            self.due = Some(due + interval);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_an_interval_apart_and_a_short_delay_is_made_up_for() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut pace = Pace::new(Some(20.0));
        assert_eq!(pace.left_at(at(0)), Duration::ZERO);
        pace.step();
        assert_eq!(pace.left_at(at(10)), Duration::from_millis(40));
        assert_eq!(pace.left_at(at(90)), Duration::ZERO);
        pace.step();
        assert_eq!(pace.left_at(at(90)), Duration::from_millis(10));
    }

    #[test]
    fn a_pause_is_not_made_up_for_by_a_burst() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut pace = Pace::new(Some(20.0));
        assert_eq!(pace.left_at(at(0)), Duration::ZERO);
        pace.step();
        assert_eq!(pace.left_at(at(5000)), Duration::ZERO);
        pace.step();
        assert_eq!(pace.left_at(at(5000)), Duration::from_millis(50));
    }

    #[test]
    fn without_a_rate_nothing_waits() {
        let mut pace = Pace::new(None);
        assert_eq!(pace.left(), Duration::ZERO);
        pace.step();
        assert_eq!(pace.left(), Duration::ZERO);
    }
}
