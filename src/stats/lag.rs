//! Whether a consumer keeps up, by Burrow's rules over a sliding window of samples.
//!
//! Burrow (github.com/linkedin/Burrow, wiki "Consumer Lag Evaluation Rules") reads every commit
//! with its time. Here a group is asked now and then, which shows where it is but not that it
//! committed the same again; so what tells STOP from STALL is whether a member has the partition.

use std::collections::VecDeque;
use std::time::Duration;

use serde::Serialize;

/// How a group fares in a partition, from good to bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    /// Lag was 0 within the window, or did not only grow.
    Ok,
    /// The offset moves, and lag grew from each sample to the next or stayed, and is larger than at first.
    Warn,
    /// A member has the partition, there is lag, and the offset did not move in the whole window.
    Stall,
    /// The same, and no member has the partition.
    Stop,
    /// The offset went back.
    Rewind,
}

/// What was seen of a partition at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Since the first sample of the run.
    pub at: Duration,
    pub committed: i64,
    pub lag: i64,
    /// Whether a member has the partition.
    pub is_owned: bool,
}

/// The last samples of a partition.
#[derive(Clone, Debug)]
pub struct Window {
    samples: VecDeque<Sample>,
    length: Duration,
    /// A sample was dropped because it was too old, so all of the window was seen.
    is_full: bool,
}

impl Window {
    /// A window of this length, yet without samples.
    pub fn new(length: Duration) -> Self {
        Self {
            samples: VecDeque::new(),
            length,
            is_full: false,
        }
    }

    /// Adds a sample, later than those before, and forgets those that are too old.
    pub fn push(&mut self, sample: Sample) {
        self.samples.push_back(sample);
        // The last one outside shows what was true when the window began.
        while self.samples.len() > 1 && sample.at.saturating_sub(self.samples[1].at) >= self.length
        {
            self.samples.pop_front();
        }
        self.is_full = sample.at.saturating_sub(self.samples[0].at) >= self.length;
    }

    /// The status; `None` while too little was seen to tell.
    pub fn status(&self) -> Option<Status> {
        let (first, last) = (self.samples.front()?, self.samples.back()?);
        if last.lag <= 0 {
            return Some(Status::Ok);
        }
        let pairs = || self.samples.iter().zip(self.samples.iter().skip(1));
        // Burrow looks for a stop before it asks whether lag was ever 0: what came since is not read.
        let stands = pairs().all(|(one, next)| one.committed == next.committed);
        if self.is_full && stands && !last.is_owned {
            return Some(Status::Stop);
        }
        if self.samples.iter().any(|sample| sample.lag <= 0) {
            return Some(Status::Ok);
        }
        if pairs().any(|(one, next)| next.committed < one.committed) {
            return Some(Status::Rewind);
        }
        if !self.is_full {
            return None;
        }
        if stands {
            return Some(Status::Stall);
        }
        let only_grows = pairs().all(|(one, next)| next.lag >= one.lag) && last.lag > first.lag;
        Some(if only_grows { Status::Warn } else { Status::Ok })
    }

    /// By how many records a second lag grows over the window, or shrinks; `None` with fewer than two samples.
    #[expect(clippy::cast_precision_loss, reason = "a rate is an estimate")]
    pub fn trend(&self) -> Option<f64> {
        let (first, last) = (self.samples.front()?, self.samples.back()?);
        let seconds = last.at.saturating_sub(first.at).as_secs_f64();
        (seconds > 0.0).then(|| ((last.lag - first.lag) as f64 / seconds * 10.0).round() / 10.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A window of 10 s with a sample each 5 s, of `(committed, lag)`.
    fn window(samples: &[(i64, i64)], is_owned: bool) -> Window {
        let mut window = Window::new(Duration::from_secs(10));
        for (index, (committed, lag)) in (0_u64..).zip(samples) {
            window.push(Sample {
                at: Duration::from_secs(5 * index),
                committed: *committed,
                lag: *lag,
                is_owned,
            });
        }
        window
    }

    fn status(samples: &[(i64, i64)]) -> Option<Status> {
        window(samples, true).status()
    }

    #[test]
    fn without_lag_all_is_well_from_the_first_sample_on() {
        assert_eq!(status(&[(5, 0)]), Some(Status::Ok));
        assert_eq!(status(&[]), None);
    }

    #[test]
    fn lag_that_was_zero_within_the_window_is_no_trouble() {
        assert_eq!(status(&[(5, 3), (8, 0), (8, 4)]), Some(Status::Ok));
        assert_eq!(
            status(&[(8, 0), (8, 4), (8, 5), (8, 6)]),
            Some(Status::Stall)
        );
    }

    #[test]
    fn an_offset_that_stands_while_there_is_lag_is_a_stall() {
        assert_eq!(status(&[(5, 3), (5, 3)]), None);
        assert_eq!(status(&[(5, 3), (5, 3), (5, 9)]), Some(Status::Stall));
    }

    #[test]
    fn an_offset_that_stands_and_that_nobody_moves_is_a_stop() {
        let stopped = window(&[(5, 0), (5, 3), (5, 3)], false);
        assert_eq!(stopped.status(), Some(Status::Stop));
        assert_eq!(window(&[(5, 3), (5, 3)], false).status(), None);
    }

    #[test]
    fn lag_that_only_grows_while_the_offset_moves_is_a_warning() {
        assert_eq!(status(&[(5, 3), (6, 4), (7, 4)]), Some(Status::Warn));
        assert_eq!(status(&[(5, 3), (6, 4), (7, 3)]), Some(Status::Ok));
        assert_eq!(status(&[(5, 3), (6, 3), (7, 3)]), Some(Status::Ok));
    }

    #[test]
    fn an_offset_that_goes_back_is_a_rewind_at_once() {
        assert_eq!(status(&[(5, 3), (2, 6)]), Some(Status::Rewind));
        // And is forgotten with the window.
        let later = [(5, 3), (2, 6), (4, 5), (6, 4), (7, 3)];
        assert_eq!(status(&later), Some(Status::Ok));
    }

    #[test]
    fn the_trend_is_records_a_second() {
        assert_eq!(window(&[(5, 3)], true).trend(), None);
        assert_eq!(window(&[(5, 3), (5, 8), (5, 13)], true).trend(), Some(1.0));
        assert_eq!(window(&[(5, 13), (8, 10)], true).trend(), Some(-0.6));
    }

    #[test]
    fn statuses_are_ordered_from_good_to_bad() {
        assert!(Status::Ok < Status::Warn && Status::Warn < Status::Stall);
        assert!(Status::Stall < Status::Stop && Status::Stop < Status::Rewind);
    }
}
