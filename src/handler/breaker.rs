//! Stops trying while trying is of no use: after failures in a row nothing is started but one probe
//! at a time, until one succeeds.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::backoff::Backoff;

/// Shared by all who start handlers.
#[derive(Debug)]
pub struct Breaker {
    /// So many failures in a row open it; 0 never does.
    most: u32,
    backoff: Backoff,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Since the last success.
    failures: u32,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    /// When the next probe may start.
    until: Instant,
    /// Probes that failed, and what opened it.
    failures: u32,
    probing: bool,
}

/// Whether to start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Go.
    Granted,
    /// Ask again then, or a little later.
    At(Instant),
}

impl Breaker {
    /// Opens after `most` failures in a row, and waits for probes as `backoff` says.
    pub fn new(most: u32, backoff: Backoff) -> Self {
        Self {
            most,
            backoff,
            state: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks to start a handler; what was granted is answered by one of the calls below.
    pub fn enter(&self, now: Instant) -> Admission {
        match &mut self.lock().open {
            None => Admission::Granted,
            Some(open) if !open.probing && now >= open.until => {
                open.probing = true;
                Admission::Granted
            }
            Some(open) => Admission::At(open.until),
        }
    }

    /// The handler did its work, whatever it said of the record. Says whether that closed it.
    pub fn succeeded(&self) -> bool {
        let mut state = self.lock();
        state.failures = 0;
        state.open.take().is_some()
    }

    /// The handler failed, or with `down` said that nothing can succeed now. Says whether that
    /// opened it.
    pub fn failed(&self, down: bool, now: Instant, chance: f64) -> bool {
        let mut state = self.lock();
        state.failures = state.failures.saturating_add(1);
        let opens = down || (self.most > 0 && state.failures >= self.most);
        let was_open = state.open.is_some();
        if !opens && !was_open {
            return false;
        }
        let failures = state.open.as_ref().map_or(0, |open| open.failures) + 1;
        state.open = Some(Open {
            until: now + self.backoff.wait(failures, chance),
            failures,
            probing: false,
        });
        !was_open
    }

    /// What was granted did not come to its end.
    pub fn gave_up(&self) {
        if let Some(open) = &mut self.lock().open {
            open.probing = false;
        }
    }

    /// Whether it is open.
    pub fn is_open(&self) -> bool {
        self.lock().open.is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn breaker(most: u32) -> (Breaker, Instant) {
        (
            Breaker::new(most, "1s..4s".parse().unwrap()),
            Instant::now(),
        )
    }

    #[test]
    fn so_many_failures_in_a_row_open_it() {
        let (breaker, now) = breaker(3);
        assert!(!breaker.failed(false, now, 1.0));
        assert!(!breaker.failed(false, now, 1.0));
        breaker.succeeded();
        assert!(!breaker.failed(false, now, 1.0));
        assert!(!breaker.failed(false, now, 1.0));
        assert_eq!(breaker.enter(now), Admission::Granted);
        assert!(breaker.failed(false, now, 1.0));
        let until = now + Duration::from_secs(1);
        assert_eq!(breaker.enter(now), Admission::At(until));
    }

    #[test]
    fn one_probe_at_a_time_passes_and_its_success_closes_it() {
        let (breaker, now) = breaker(3);
        assert!(breaker.failed(true, now, 1.0));
        let then = now + Duration::from_secs(1);
        assert_eq!(breaker.enter(then), Admission::Granted);
        assert_eq!(breaker.enter(then), Admission::At(then));
        assert!(breaker.succeeded());
        assert!(!breaker.is_open());
        assert_eq!(breaker.enter(then), Admission::Granted);
    }

    #[test]
    fn a_probe_that_fails_makes_the_next_wait_longer() {
        let (breaker, now) = breaker(1);
        breaker.failed(false, now, 1.0);
        assert!(!breaker.failed(false, now, 1.0), "it was open before");
        let until = now + Duration::from_secs(2);
        assert_eq!(breaker.enter(now), Admission::At(until));
    }

    #[test]
    fn a_probe_that_was_given_up_lets_another_pass() {
        let (breaker, now) = breaker(1);
        breaker.failed(false, now, 0.0);
        assert_eq!(breaker.enter(now), Admission::Granted);
        breaker.gave_up();
        assert_eq!(breaker.enter(now), Admission::Granted);
    }

    #[test]
    fn without_a_number_only_the_word_down_opens_it() {
        let (breaker, now) = breaker(0);
        for _ in 0..1000 {
            assert!(!breaker.failed(false, now, 1.0));
        }
        assert!(breaker.failed(true, now, 1.0));
    }
}
