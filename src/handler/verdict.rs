//! What becomes of a record, by how its handler ended: statuses of `sysexits.h` unless told otherwise.

use std::fmt;
use std::process::ExitStatus;
use std::str::FromStr;

use std::os::unix::process::ExitStatusExt;

/// What is to be done with what was handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is done.
    Accept,
    /// It will never be: a dead letter without another try.
    Reject,
    /// It may be the next time.
    Retry,
    /// It is not to blame: what the handler needs is down.
    Down,
    /// The handler itself is not there, so nothing can be said of any record.
    Stop,
}

/// How a handler ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With a status.
    Exit(i32),
    /// By a signal.
    Signal(i32),
    /// It took too long and was killed.
    Timeout,
    /// What it printed is no output.
    BadOutput(String),
    /// A line of its verdicts says so.
    Verdict(Verdict),
    /// It closed its end in the middle of a record.
    Closed,
    /// Tried as often as allowed in runs that did not survive it.
    Deadly,
    /// The system had no room for another process.
    NotStarted,
}

impl From<ExitStatus> for Ending {
    fn from(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Exit(code),
            (None, signal) => Self::Signal(signal.unwrap_or_default()),
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exit(code) => write!(formatter, "exit {code}"),
            Self::Signal(signal) => write!(formatter, "signal {signal}"),
            Self::Timeout => formatter.write_str("timeout"),
            Self::BadOutput(why) => write!(formatter, "bad output: {why}"),
            Self::Verdict(Verdict::Reject) => formatter.write_str("rejected"),
            Self::Verdict(_) => formatter.write_str("released"),
            Self::Closed => formatter.write_str("ended without a verdict"),
            Self::Deadly => formatter.write_str("ended kpipe itself"),
            Self::NotStarted => formatter.write_str("not started"),
        }
    }
}

/// Some statuses and their verdict, `22=reject` or `6,7,28=down`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    codes: Vec<i32>,
    verdict: Verdict,
}

/// Text that is no [`Rule`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected statuses from 0 to 255 and accept, reject, retry or down, such as `6,7,28=down`")]
pub struct RuleError;

impl FromStr for Rule {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (codes, verdict) = text.split_once('=').ok_or(RuleError)?;
        let verdict = match verdict {
            "accept" => Verdict::Accept,
            "reject" => Verdict::Reject,
            "retry" => Verdict::Retry,
            "down" => Verdict::Down,
            _ => return Err(RuleError),
        };
        let codes: Result<Vec<i32>, _> = codes
            .split(',')
            .map(|code| code.trim().parse::<u8>().map(i32::from))
            .collect();
        let codes = codes.map_err(|_| RuleError)?;
        Ok(Self { codes, verdict })
    }
}

/// Returns the verdict of an ending; of `rules` the last that names the status decides.
pub(super) fn judge(ending: &Ending, rules: &[Rule]) -> Verdict {
    let Ending::Exit(code) = ending else {
        return match ending {
            Ending::Verdict(verdict) => *verdict,
            Ending::Deadly => Verdict::Reject,
            Ending::NotStarted => Verdict::Down,
            _ => Verdict::Retry,
        };
    };
    let told = rules.iter().rev().find(|rule| rule.codes.contains(code));
    match (told, code) {
        (Some(rule), _) => rule.verdict,
        (None, 0) => Verdict::Accept,
        // EX_DATAERR
        (None, 65) => Verdict::Reject,
        // EX_UNAVAILABLE
        (None, 69) => Verdict::Down,
        // POSIX shells: found and not executable; not found.
        (None, 126 | 127) => Verdict::Stop,
        // EX_TEMPFAIL, 75, among them.
        (None, _) => Verdict::Retry,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(code: i32, rules: &[&str]) -> Verdict {
        let rules: Vec<Rule> = rules.iter().map(|rule| rule.parse().unwrap()).collect();
        judge(&Ending::Exit(code), &rules)
    }

    #[test]
    fn statuses_mean_what_sysexits_says() {
        use Verdict::{Accept, Down, Reject, Retry, Stop};
        let verdicts = [0, 65, 75, 69, 126, 127, 1, 255].map(|code| judged(code, &[]));
        assert_eq!(
            verdicts,
            [Accept, Reject, Retry, Down, Stop, Stop, Retry, Retry]
        );
    }

    #[test]
    fn a_rule_overrules_and_the_last_one_wins() {
        assert_eq!(judged(22, &["22=reject"]), Verdict::Reject);
        assert_eq!(judged(7, &["6, 7,28=down"]), Verdict::Down);
        assert_eq!(judged(1, &["1=accept", "1=retry"]), Verdict::Retry);
        assert_eq!(judged(127, &["127=retry"]), Verdict::Retry);
        assert_eq!(judged(0, &["0=reject"]), Verdict::Reject);
    }

    #[test]
    fn who_dies_of_a_signal_or_of_time_is_tried_again() {
        assert_eq!(judge(&Ending::Signal(11), &[]), Verdict::Retry);
        assert_eq!(judge(&Ending::Timeout, &[]), Verdict::Retry);
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        for text in ["", "1", "=down", "256=down", "1=ok", "-1=down", "1,=down"] {
            assert_eq!(text.parse::<Rule>(), Err(RuleError), "{text}");
        }
    }
}
