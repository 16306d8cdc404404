//! What the handler of a stream answers, and what follows when it dies instead.

use std::borrow::Cow;
use std::time::Instant;

use serde::Deserialize;

use super::session::Session;
use super::{Hand, Pending};
use crate::handler::process::{End, Ended};
use crate::handler::verdict::judge;
use crate::handler::worker::Worker;
use crate::handler::{Ending, Error, Failure, Item, Verdict};
use crate::syntax::Words;

/// What a handler answers.
#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    topic: Option<Cow<'a, str>>,
    partition: i32,
    offset: i64,
    verdict: Word,
    reason: Option<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    Accept,
    Release,
    Reject,
}

impl From<Word> for Verdict {
    fn from(word: Word) -> Self {
        match word {
            Word::Accept => Self::Accept,
            Word::Release => Self::Retry,
            Word::Reject => Self::Reject,
        }
    }
}

impl Worker {
    /// Takes all verdict lines that are there; returns what was accepted.
    pub(super) fn hear_all(&mut self, open: &mut Session<'_>, hand: &mut Hand) -> Vec<Item> {
        let mut accepted = Vec::new();
        let mut heard = false;
        while let Some(line) = open.ears.take_line() {
            if let Err(why) = self.hear(&line, hand, &mut accepted) {
                open.refuse(why);
                break;
            }
            heard = true;
        }
        if heard {
            open.give_time(self.tools.manner.timeout);
        }
        accepted
    }

    /// What was accepted is done.
    pub(super) fn accept(&mut self, items: &[Item]) {
        if !items.is_empty() {
            self.tools.accepted(items);
            self.settle(items);
        }
    }

    /// Takes a verdict line; an error says why it is none.
    fn hear(
        &mut self,
        line: &[u8],
        hand: &mut Hand,
        accepted: &mut Vec<Item>,
    ) -> Result<(), String> {
        let answer: Answer<'_> = serde_json::from_slice(line)
            .map_err(|error| format!("no verdict: {}", Words(&error)))?;
        let is_meant = |one: &Pending| {
            let place = one.item.place();
            one.due.is_none()
                && (place.partition, place.offset) == (answer.partition, answer.offset)
                && answer
                    .topic
                    .as_ref()
                    .is_none_or(|topic| topic == place.topic)
        };
        let Some(index) = hand.pending.iter().position(is_meant) else {
            return Err("a verdict on a record that waits for none".into());
        };
        let one = hand.pending.remove(index);
        self.tools
            .metrics
            .ran(1, one.written_at.elapsed(), one.failures > 0);
        let verdict = Verdict::from(answer.verdict);
        let failure = Failure {
            ending: Ending::Verdict(verdict),
            words: answer.reason.unwrap_or_default(),
        };
        if verdict != Verdict::Retry {
            hand.suspects = hand.suspects.saturating_sub(1);
        }
        self.judge_handler(verdict, &failure);
        if verdict == Verdict::Accept {
            accepted.push(one.item);
            return Ok(());
        }
        self.tools.metrics.failed(&failure.ending);
        self.try_again(one, hand, &failure, verdict);
        Ok(())
    }

    /// Lets a record wait for its next try, or does what is to be done after the last.
    fn try_again(
        &mut self,
        mut one: Pending,
        hand: &mut Hand,
        failure: &Failure,
        verdict: Verdict,
    ) {
        one.failures += 1;
        if verdict == Verdict::Reject || one.failures >= self.tools.manner.max_attempts {
            if verdict != Verdict::Reject {
                hand.suspects = hand.suspects.saturating_sub(1);
            }
            return self.bury(one.item, failure, one.failures);
        }
        let chance = self.chance();
        one.due = Some(Instant::now() + self.tools.manner.backoff.wait(one.failures, chance));
        hand.pending.insert(0, one);
    }

    /// Takes notice that a handler has ended, and of whom that speaks.
    pub(super) fn bid_farewell(&mut self, session: Session<'_>, hand: &mut Hand) {
        let Session {
            mut process,
            mut ears,
            end,
            ..
        } = session;
        process.read_leftovers(&mut ears);
        let mut accepted = Vec::new();
        while let Some(line) = ears.take_line() {
            if self.hear(&line, hand, &mut accepted).is_err() {
                break;
            }
        }
        self.accept(&accepted);
        let own = process.reap(&end);
        let words = ears.finish().words;
        let ending = match end {
            End::Hastened(Ended::Ending(ending), _) => ending,
            // It says nothing of the records.
            End::Hastened(..) => {
                self.tools.breaker.gave_up();
                for one in hand.pending.iter_mut().filter(|one| one.due.is_none()) {
                    self.take_back(std::slice::from_ref(&one.item), one.alone);
                    one.due = Some(Instant::now());
                }
                return;
            }
            End::Natural(_) => match own {
                Ok(Ending::Exit(0)) => Ending::Closed,
                Ok(ending) => ending,
                Err(source) => return self.fail(Error::System { source }),
            },
        };
        let verdict = judge(&ending, &self.tools.manner.rules);
        if let (Verdict::Stop, Ending::Exit(status)) = (verdict, &ending) {
            return self.fail(Error::NoProgram { status: *status });
        }
        let in_hand = hand.take_written();
        if in_hand.is_empty() {
            return;
        }
        self.tools.metrics.failed(&ending);
        let failure = Failure { ending, words };
        self.judge_handler(verdict, &failure);
        let is_to_blame = in_hand.len() == 1 && verdict != Verdict::Down;
        if !is_to_blame {
            hand.suspects = hand.suspects.max(in_hand.len());
        }
        for mut one in in_hand.into_iter().rev() {
            if is_to_blame {
                let verdict = match verdict {
                    Verdict::Reject => Verdict::Reject,
                    _ => Verdict::Retry,
                };
                self.try_again(one, hand, &failure, verdict);
            } else {
                self.take_back(std::slice::from_ref(&one.item), one.alone);
                one.due = Some(Instant::now());
                hand.pending.insert(0, one);
            }
        }
    }
}
