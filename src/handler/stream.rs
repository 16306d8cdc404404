//! `--stream`: one handler that stays, reads record lines, and answers each with a verdict line.
//!
//! Several records may wait for their verdict, never two with the same order token. When a handler
//! dies with several in hand nobody knows which was to blame, so these are tried one at a time.

use std::time::{Duration, Instant};

use serde::Deserialize;

use super::breaker::Admission;
use super::listener::Ears;
use super::process::{End, Ended, Process};
use super::verdict::judge;
use super::worker::{Worker, is_shortage};
use super::{Ending, Error, Failure, Item, Verdict};
use crate::record::{self, PayloadMode};

/// How often a worker that waits for nothing in particular looks around.
const GLANCE: Duration = Duration::from_millis(50);

/// How long a handler has to end after its input has ended.
const FAREWELL: Duration = Duration::from_secs(2);

/// What a handler answers.
#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    topic: Option<std::borrow::Cow<'a, str>>,
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

/// A record in hand.
struct Pending {
    item: Item,
    /// Tries that failed, those of earlier runs included.
    failures: u32,
    /// Not to be written before; `None` when it was written and waits for its verdict.
    due: Option<Instant>,
    written_at: Instant,
    /// Whether it was written as the only one.
    alone: bool,
}

/// A handler at work.
struct Session<'a> {
    process: Process,
    ears: Ears<'a>,
    end: End,
    input: Vec<u8>,
    written: usize,
}

impl Worker {
    /// Works until the lane is closed.
    pub(super) fn run_stream(mut self) {
        let tools = self.tools.clone();
        let mut pending: Vec<Pending> = Vec::new();
        let mut session: Option<Session<'_>> = None;
        // So many are to be tried one at a time.
        let mut suspects = 0;
        loop {
            self.let_go(&mut pending, session.is_some());
            if self.lane.is_closed() && pending.is_empty() {
                break;
            }
            let most = if suspects > 0 { 1 } else { tools.manner.batch };
            self.take_in(&mut pending, &mut suspects, most);
            let most = if suspects > 0 { 1 } else { most };
            self.lane.holds(pending.iter().map(|pending| &pending.item));
            if let Err(error) = self.write(&mut pending, &mut session, &tools, most) {
                self.fail(error);
                continue;
            }
            let Some(open) = &mut session else {
                let due = pending.iter().filter_map(|pending| pending.due).min();
                let left = due.map(|due| due.saturating_duration_since(Instant::now()));
                self.wake.sleep(left.unwrap_or(GLANCE).min(GLANCE));
                continue;
            };
            if pending.iter().all(|pending| pending.due.is_some()) {
                // Nobody waits for it.
                if let End::Natural(until) = &mut open.end {
                    *until = Instant::now() + tools.manner.timeout;
                }
            }
            self.attend(open, &pending);
            while let Some(line) = open.ears.take_line() {
                if let Err(why) = self.hear(&line, &mut pending, &mut suspects) {
                    let why = Ended::Ending(Ending::BadOutput(why));
                    open.end.hasten(&open.process, why, Duration::from_secs(1));
                    break;
                }
                if let End::Natural(until) = &mut open.end {
                    *until = Instant::now() + tools.manner.timeout;
                }
            }
            if let Some(front) = pending.iter().find(|pending| pending.due.is_none()) {
                open.ears.turn_to(front.item.place().to_string());
            }
            if open.process.has_ended()
                && let Some(ended) = session.take()
            {
                self.bid_farewell(ended, &mut pending, &mut suspects);
            }
        }
        if let Some(session) = session {
            self.close(session);
        }
    }

    /// Lets go of what is no longer to be handled here and does not wait for a verdict.
    fn let_go(&mut self, pending: &mut Vec<Pending>, is_running: bool) {
        let over = self.is_winding_up();
        let (gone, stay) = std::mem::take(pending)
            .into_iter()
            .partition(|one: &Pending| {
                (over || one.item.assignment.is_revoked()) && (one.due.is_some() || !is_running)
            });
        *pending = stay;
        let gone: Vec<Pending> = gone;
        self.give_up(gone.into_iter().map(|pending| pending.item).collect());
    }

    fn take_in(&mut self, pending: &mut Vec<Pending>, suspects: &mut usize, most: usize) {
        while pending.len() < most && !self.is_winding_up() {
            let in_hand = &*pending;
            let is_free = |item: &Item| {
                let same = |other: &Pending| other.item.order == item.order;
                item.order.is_none() || !in_hand.iter().any(same)
            };
            let Some(item) = self.lane.take_more(1, is_free).pop() else {
                return;
            };
            let known = match self.known_tries(&item) {
                Ok(known) => known,
                Err(error) => {
                    self.fail(error);
                    self.give_up(vec![item]);
                    return;
                }
            };
            let is_suspect = known.is_some();
            let known = known.unwrap_or(0);
            if known >= self.tools.manner.max_attempts {
                let failure = Failure {
                    ending: Ending::Deadly,
                    words: String::new(),
                };
                self.bury(item, &failure, known);
                continue;
            }
            let now = Instant::now();
            pending.push(Pending {
                item,
                failures: known,
                due: Some(now),
                written_at: now,
                alone: false,
            });
            if is_suspect {
                // Those before it are settled first, so that it is alone.
                *suspects = (*suspects).max(pending.len());
            }
        }
    }

    /// Writes what is due to the handler, which is started where there is none.
    fn write<'a>(
        &mut self,
        pending: &mut [Pending],
        session: &mut Option<Session<'a>>,
        tools: &'a super::Tools,
        most: usize,
    ) -> Result<(), Error> {
        let now = Instant::now();
        let mut waiting = pending.iter().filter(|one| one.due.is_none()).count();
        for one in pending {
            if one.due.is_none_or(|due| now < due) || waiting >= most || self.is_winding_up() {
                continue;
            }
            let takes = session.as_ref().is_none_or(|open| {
                open.process.takes_input() && matches!(open.end, End::Natural(_))
            });
            if !takes || tools.breaker.enter(now) != Admission::Granted {
                return Ok(());
            }
            let open = match session {
                Some(open) => open,
                None => match self.start(tools) {
                    Ok(Some(started)) => session.insert(started),
                    Ok(None) => return Ok(()),
                    Err(error) => {
                        tools.breaker.gave_up();
                        return Err(error);
                    }
                },
            };
            one.alone = most == 1;
            self.begin(std::slice::from_ref(&one.item), one.alone)?;
            let mut room = Vec::new();
            let record = one.item.record(&mut room);
            record::encode(&record, PayloadMode::Auto, &mut open.input);
            if waiting == 0
                && let End::Natural(until) = &mut open.end
            {
                *until = now + tools.manner.timeout;
            }
            one.due = None;
            one.written_at = now;
            waiting += 1;
        }
        Ok(())
    }

    /// Starts a handler; `None` when the system has no room for it just now.
    fn start<'a>(&mut self, tools: &'a super::Tools) -> Result<Option<Session<'a>>, Error> {
        let child = match tools.program.spawn(&[]) {
            Ok(child) => child,
            Err(error) if is_shortage(&error) => {
                let failure = Failure {
                    ending: Ending::NotStarted,
                    words: error.to_string(),
                };
                self.judge_handler(Verdict::Down, &failure);
                return Ok(None);
            }
            Err(source) => {
                return Err(Error::CannotRun {
                    program: tools.program.program.to_string_lossy().into_owned(),
                    source,
                });
            }
        };
        let process =
            Process::new(child, &self.waiter).map_err(|source| Error::System { source })?;
        Ok(Some(Session {
            process,
            ears: Ears::new(String::new(), &tools.chatter, None),
            end: End::Natural(Instant::now() + tools.manner.timeout),
            input: Vec::new(),
            written: 0,
        }))
    }

    /// Lets the handler read and write, and ends it where that is due.
    fn attend(&mut self, open: &mut Session<'_>, pending: &[Pending]) {
        if self.wake.is_cancelled() {
            let why = Ended::Cancelled;
            open.end.hasten(&open.process, why, Duration::from_secs(1));
            self.wake.forget_cancel();
        }
        open.end.come(&open.process);
        let due = pending.iter().filter_map(|pending| pending.due).min();
        let deadline = due.into_iter().chain(open.end.deadline()).min();
        // A door that is closed is looked at again.
        let glance = Instant::now() + GLANCE;
        let deadline = if self.tools.breaker.is_open() {
            deadline.map_or(glance, |deadline| deadline.max(Instant::now()).min(glance))
        } else {
            deadline.unwrap_or(glance)
        };
        let mut input = &open.input[open.written..];
        let before = input.len();
        let wanted = open.process.step(
            &mut input,
            false,
            Some(deadline),
            &self.wake,
            &mut open.ears,
        );
        open.written += before - input.len();
        if open.written == open.input.len() {
            open.input.clear();
            open.written = 0;
        }
        if !wanted {
            let why = Ended::Ending(Ending::BadOutput("a line is too long".into()));
            open.end.hasten(&open.process, why, Duration::from_secs(1));
        }
    }

    /// Takes a verdict line; an error says why it is none.
    fn hear(
        &mut self,
        line: &[u8],
        pending: &mut Vec<Pending>,
        suspects: &mut usize,
    ) -> Result<(), String> {
        let answer: Answer<'_> =
            serde_json::from_slice(line).map_err(|error| format!("no verdict: {error}"))?;
        let is_meant = |one: &Pending| {
            let place = one.item.place();
            one.due.is_none()
                && (place.partition, place.offset) == (answer.partition, answer.offset)
                && answer
                    .topic
                    .as_ref()
                    .is_none_or(|topic| topic == place.topic)
        };
        let Some(index) = pending.iter().position(is_meant) else {
            return Err("a verdict on a record that waits for none".into());
        };
        let one = pending.remove(index);
        self.tools
            .metrics
            .ran(1, one.written_at.elapsed(), one.failures > 0);
        let verdict = Verdict::from(answer.verdict);
        let failure = Failure {
            ending: Ending::Verdict(verdict),
            words: answer.reason.unwrap_or_default(),
        };
        *suspects = suspects.saturating_sub(usize::from(verdict != Verdict::Retry));
        self.judge_handler(verdict, &failure);
        if verdict == Verdict::Accept {
            self.tools.metrics.processed(1);
            self.settle(vec![one.item]);
            return Ok(());
        }
        self.tools.metrics.failed(&failure.ending);
        self.try_again(one, pending, &failure, verdict, suspects);
        Ok(())
    }

    /// Lets a record wait for its next try, or does what is to be done after the last.
    fn try_again(
        &mut self,
        mut one: Pending,
        pending: &mut Vec<Pending>,
        failure: &Failure,
        verdict: Verdict,
        suspects: &mut usize,
    ) {
        one.failures += 1;
        if verdict == Verdict::Reject || one.failures >= self.tools.manner.max_attempts {
            if verdict != Verdict::Reject {
                *suspects = suspects.saturating_sub(1);
            }
            return self.bury(one.item, failure, one.failures);
        }
        let chance = self.chance();
        one.due = Some(Instant::now() + self.tools.manner.backoff.wait(one.failures, chance));
        pending.insert(0, one);
    }

    /// Takes notice that a handler has ended, and of whom that speaks.
    fn bid_farewell(
        &mut self,
        session: Session<'_>,
        pending: &mut Vec<Pending>,
        suspects: &mut usize,
    ) {
        let Session {
            mut process,
            mut ears,
            end,
            ..
        } = session;
        process.read_leftovers(&mut ears);
        while let Some(line) = ears.take_line() {
            if self.hear(&line, pending, suspects).is_err() {
                break;
            }
        }
        let own = process.reap(&end);
        let words = ears.finish().words;
        let ending = match end {
            End::Hastened(Ended::Ending(ending), _) => ending,
            // It says nothing of the records.
            End::Hastened(..) => {
                self.tools.breaker.gave_up();
                for one in pending.iter_mut().filter(|one| one.due.is_none()) {
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
        let (in_hand, waiting): (Vec<Pending>, Vec<Pending>) = std::mem::take(pending)
            .into_iter()
            .partition(|one| one.due.is_none());
        *pending = waiting;
        if in_hand.is_empty() {
            return;
        }
        self.tools.metrics.failed(&ending);
        let failure = Failure { ending, words };
        self.judge_handler(verdict, &failure);
        let is_to_blame = in_hand.len() == 1 && verdict != Verdict::Down;
        if !is_to_blame {
            *suspects = (*suspects).max(in_hand.len());
        }
        for mut one in in_hand.into_iter().rev() {
            if is_to_blame {
                let verdict = match verdict {
                    Verdict::Reject => Verdict::Reject,
                    _ => Verdict::Retry,
                };
                self.try_again(one, pending, &failure, verdict, suspects);
            } else {
                self.take_back(std::slice::from_ref(&one.item), one.alone);
                one.due = Some(Instant::now());
                pending.insert(0, one);
            }
        }
    }

    /// Lets a handler end by itself that has nothing more to read.
    fn close(&mut self, mut session: Session<'_>) {
        session.end = match session.end {
            End::Natural(_) => End::Natural(Instant::now() + FAREWELL),
            hastened @ End::Hastened(..) => hastened,
        };
        while !session.process.has_ended() {
            session.end.come(&session.process);
            let deadline = session.end.deadline();
            let mut nothing: &[u8] = &[];
            let process = &mut session.process;
            process.step(&mut nothing, true, deadline, &self.wake, &mut session.ears);
        }
        session.process.read_leftovers(&mut session.ears);
        let _ = session.process.reap(&session.end);
        session.ears.finish();
    }
}
