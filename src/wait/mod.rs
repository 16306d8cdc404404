//! Looks again and again until what is seen is what is waited for.
//!
//! A broker that is not up yet, a name that does not resolve yet and a topic that is not
//! there yet are waited out; what waiting cannot change ends the wait at once.

mod group;
mod topic;
mod unmet;

use std::time::{Duration, Instant};

use thiserror::Error;

pub use group::{GroupCondition, look as look_at_group};
pub use topic::{TopicCondition, look as look_at_topic};
pub use unmet::Unmet;

use crate::error::CommandError;
use crate::exit::Status;
use crate::kafka;
use crate::stop::Stop;
use crate::time;
use crate::ui::in_one_line;

/// The first pause between two looks, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// A look that was cut short tells less than the one before.
const SHORT_LOOK: Duration = Duration::from_secs(1);

/// Why what is waited for is not so yet.
#[derive(Clone, Debug, Error)]
pub enum Obstacle {
    /// Kafka is there and has something else.
    #[error(transparent)]
    Unmet(#[from] Unmet),
    /// Kafka did not tell.
    #[error(transparent)]
    Kafka(#[from] kafka::Error),
}

impl Obstacle {
    /// Whether it may come right by itself.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Unmet(_)
            | Self::Kafka(kafka::Error::UnknownTopic { .. } | kafka::Error::UnknownGroup(_)) => {
                true
            }
            Self::Kafka(error) => error.may_pass(),
        }
    }
}

/// Why a wait came to its end without what was waited for.
#[derive(Debug, Error)]
pub enum WaitError {
    #[error("time is up after {}", time::in_words(*after))]
    TimeIsUp {
        after: Duration,
        #[source]
        obstacle: Obstacle,
    },
    /// It was looked at once, or waiting cannot change it.
    #[error(transparent)]
    Now(Obstacle),
}

impl WaitError {
    /// What was in the way when the wait ended.
    pub fn obstacle(&self) -> &Obstacle {
        match self {
            Self::TimeIsUp { obstacle, .. } | Self::Now(obstacle) => obstacle,
        }
    }
}

impl From<WaitError> for CommandError {
    fn from(error: WaitError) -> Self {
        let hint = match error.obstacle() {
            Obstacle::Kafka(error) => error.hint(),
            Obstacle::Unmet(unmet) => unmet.hint(),
        };
        match error {
            WaitError::Now(obstacle) if !obstacle.may_pass() => match obstacle {
                Obstacle::Kafka(error) => error.into(),
                Obstacle::Unmet(unmet) => Self::new(Status::Unavailable, unmet),
            },
            error => Self {
                hint,
                ..Self::new(Status::Unavailable, error)
            },
        }
    }
}

/// How long to wait, and how.
pub struct Wait<'a> {
    pub start: Instant,
    /// Zero looks once.
    pub timeout: Duration,
    /// Gives numbers from 0 to 1: clients that wait for the same do not ask in step.
    pub random: &'a mut dyn FnMut() -> f64,
    pub stop: &'a Stop,
}

impl Wait<'_> {
    /// Looks until `look` finds what is wanted, and returns that.
    ///
    /// # Errors
    /// [`WaitError`], and [`kafka::Error::Interrupted`] in it.
    pub fn until<T>(self, mut look: impl FnMut() -> Result<T, Obstacle>) -> Result<T, WaitError> {
        let mut pause = PAUSES.0;
        let mut before: Option<Obstacle> = None;
        loop {
            let looked = Instant::now();
            let mut obstacle = match look() {
                Ok(found) => return Ok(found),
                Err(obstacle) => obstacle,
            };
            if self.timeout.is_zero() || !obstacle.may_pass() {
                return Err(WaitError::Now(obstacle));
            }
            let left = self.timeout.saturating_sub(self.start.elapsed());
            if let (true, true, Some(before)) =
                (left.is_zero(), looked.elapsed() < SHORT_LOOK, before.take())
                && matches!(obstacle, Obstacle::Kafka(kafka::Error::Unreachable { .. }))
            {
                obstacle = before;
            }
            if left.is_zero() {
                let after = self.timeout;
                return Err(WaitError::TimeIsUp { after, obstacle });
            }
            tracing::info!("not yet: {}", in_one_line(&obstacle));
            let jittered = pause.mul_f64(0.5 + (self.random)().clamp(0.0, 1.0) / 2.0);
            if self.stop.wait(jittered.min(left)) {
                return Err(WaitError::Now(kafka::Error::Interrupted.into()));
            }
            pause = (pause * 2).min(PAUSES.1);
            before = Some(obstacle);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing() -> Obstacle {
        kafka::Error::UnknownTopic {
            topic: "orders".into(),
            nearest: None,
            built_in: false,
        }
        .into()
    }

    fn wait(
        timeout: Duration,
        look: impl FnMut() -> Result<u32, Obstacle>,
    ) -> Result<u32, WaitError> {
        Wait {
            start: Instant::now(),
            timeout,
            random: &mut || 0.0,
            stop: &Stop::default(),
        }
        .until(look)
    }

    #[test]
    fn it_looks_until_it_sees_what_is_wanted() {
        let mut looks = 0;
        let found = wait(Duration::from_mins(1), || {
            looks += 1;
            if looks < 3 { Err(missing()) } else { Ok(looks) }
        });
        assert_eq!(found.unwrap(), 3);
    }

    #[test]
    fn without_time_it_looks_once() {
        let mut looks = 0;
        let error = wait(Duration::ZERO, || {
            looks += 1;
            Err(missing())
        })
        .unwrap_err();
        assert_eq!(looks, 1);
        assert_eq!(error.to_string(), "topic `orders` does not exist");
        assert_eq!(CommandError::from(error).status, Status::Unavailable);
    }

    #[test]
    fn the_end_of_its_time_is_told_with_what_was_in_the_way() {
        let error = wait(Duration::from_millis(1), || Err(missing())).unwrap_err();
        assert_eq!(error.to_string(), "time is up after 1ms");
        assert_eq!(
            error.obstacle().to_string(),
            "topic `orders` does not exist"
        );
        assert_eq!(CommandError::from(error).status, Status::Unavailable);
    }

    #[test]
    fn what_waiting_cannot_change_ends_it_at_once() {
        let error = wait(Duration::from_mins(1), || {
            Err(kafka::Error::InvalidTopic("a b".into()).into())
        })
        .unwrap_err();
        assert!(matches!(error, WaitError::Now(_)));
        assert_eq!(CommandError::from(error).status, Status::Usage);
    }

    #[test]
    fn a_look_that_was_cut_short_does_not_hide_what_was_seen_before() {
        let mut looks = 0;
        let cut_short = kafka::Error::Unreachable {
            brokers: "a:1".into(),
            within: Duration::ZERO,
            cause: None,
        };
        let error = wait(Duration::from_millis(10), || {
            looks += 1;
            Err(if looks == 1 {
                missing()
            } else {
                cut_short.clone().into()
            })
        })
        .unwrap_err();
        assert_eq!(
            error.obstacle().to_string(),
            "topic `orders` does not exist"
        );
    }

    #[test]
    fn a_stop_ends_the_wait() {
        let stop = Stop::default();
        stop.ask();
        let wait = Wait {
            start: Instant::now(),
            timeout: Duration::from_mins(1),
            random: &mut || 0.0,
            stop: &stop,
        };
        let error = wait.until(|| Err::<(), _>(missing())).unwrap_err();
        assert_eq!(error.to_string(), "interrupted");
    }
}
