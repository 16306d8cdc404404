//! When something that failed is tried again.

use std::time::Duration;

/// No topic waits longer.
const LONGEST: Duration = Duration::from_mins(5);

/// How long to wait after so many failures in a row: a second, doubled each time, five
/// minutes at most; of that between a half and all, as `random` (0 to 1) says, so that many
/// topics that failed together do not come back together.
pub(super) fn delay(failures: u32, random: f64) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    let whole = LONGEST.min(Duration::from_secs(1 << doublings));
    whole.mul_f64(0.5 + random.clamp(0.0, 1.0) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_doubles_up_to_five_minutes() {
        let whole = |failures| delay(failures, 1.0).as_secs();
        assert_eq!([1, 2, 3, 9, 10, 60].map(whole), [1, 2, 4, 256, 300, 300]);
        assert_eq!(delay(0, 1.0), delay(1, 1.0));
        assert_eq!(delay(u32::MAX, 1.0), LONGEST);
    }

    #[test]
    fn half_of_a_delay_is_left_to_chance() {
        assert_eq!(delay(3, 0.0), Duration::from_secs(2));
        assert_eq!(delay(3, 0.5), Duration::from_secs(3));
    }
}
