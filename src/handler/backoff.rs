//! How long to wait before the next try: longer each time, and never all at once.

use std::str::FromStr;
use std::time::Duration;

use crate::time;

/// The shortest and the longest of the waits, `100ms..30s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    base: Duration,
    most: Duration,
}

/// Text that is no [`Backoff`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected two durations, the shorter first, such as `100ms..30s`")]
pub struct BackoffError;

impl FromStr for Backoff {
    type Err = BackoffError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (base, most) = text.split_once("..").ok_or(BackoffError)?;
        let read = |text| time::parse_duration(text).map_err(|_| BackoffError);
        let (base, most) = (read(base)?, read(most)?);
        if base > most {
            return Err(BackoffError);
        }
        Ok(Self { base, most })
    }
}

impl Backoff {
    /// Returns the wait after `failures` failures in a row, at least one.
    ///
    /// Full jitter: anything from nothing to the base doubled each time, which spreads those who
    /// failed together best (Marc Brooker, "Exponential Backoff And Jitter"). `chance` is evenly
    /// distributed from 0 to below 1.
    pub fn wait(self, failures: u32, chance: f64) -> Duration {
        let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
        let most = self.base.saturating_mul(doubled).min(self.most);
        most.mul_f64(chance.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_doubles_up_to_the_longest() {
        let backoff: Backoff = "100ms..1s".parse().unwrap();
        let bounds = [1, 2, 3, 4, 5, 100].map(|failures| backoff.wait(failures, 1.0).as_millis());
        assert_eq!(bounds, [100, 200, 400, 800, 1000, 1000]);
    }

    #[test]
    fn chance_spreads_from_nothing_to_the_bound() {
        let backoff: Backoff = "1s..1s".parse().unwrap();
        assert_eq!(backoff.wait(3, 0.0), Duration::ZERO);
        assert_eq!(backoff.wait(3, 0.25), Duration::from_millis(250));
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for text in ["", "1s", "1s..", "..1s", "2s..1s", "a..b"] {
            assert_eq!(text.parse::<Backoff>(), Err(BackoffError), "{text}");
        }
    }
}
