//! `--stream`: one handler that stays, reads record lines, and answers each with a verdict line.
//!
//! Several records may wait for their verdict, never two with the same order token. When a handler
//! dies with several in hand nobody knows which was to blame, so these are tried one at a time.

mod answer;
mod session;

use std::time::{Duration, Instant};

use super::breaker::Admission;
use super::process::End;
use super::worker::Worker;
use super::{Ending, Error, Failure, Item, Tools};
use crate::record::{self, PayloadMode};
use session::Session;

/// How often a worker that waits for nothing in particular looks around.
const GLANCE: Duration = Duration::from_millis(50);

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
    /// Whether a handler had it before in this run.
    is_known: bool,
}

/// What a worker has in hand, in the order in which it is to be written.
#[derive(Default)]
struct Hand {
    pending: Vec<Pending>,
    /// So many are to be tried one at a time.
    suspects: usize,
}

impl Hand {
    /// Takes out what is with the handler.
    fn take_written(&mut self) -> Vec<Pending> {
        let (written, waiting) = std::mem::take(&mut self.pending)
            .into_iter()
            .partition(|one: &Pending| one.due.is_none());
        self.pending = waiting;
        written
    }

    /// Whether nothing waits for a verdict.
    fn waits_for_nobody(&self) -> bool {
        self.pending.iter().all(|one| one.due.is_some())
    }

    /// When the first of those is due that were not written.
    fn due(&self) -> Option<Instant> {
        self.pending.iter().filter_map(|one| one.due).min()
    }

    /// How many may be with the handler.
    fn most(&self, tools: &Tools) -> usize {
        if self.suspects > 0 {
            1
        } else {
            tools.manner.batch
        }
    }
}

impl Worker {
    /// Works until the queue has ended.
    pub(super) fn run_stream(mut self) {
        let tools = self.tools.clone();
        let mut hand = Hand::default();
        let mut session: Option<Session<'_>> = None;
        loop {
            self.leave_what_is_not_needed(&mut hand, session.is_some());
            if tools.queue.has_ended() && hand.pending.is_empty() {
                break;
            }
            self.take_in(&mut hand);
            if let Err(error) = self.write(&mut hand, &mut session, &tools) {
                self.fail(error);
                continue;
            }
            let Some(open) = &mut session else {
                let left = hand
                    .due()
                    .map(|due| due.saturating_duration_since(Instant::now()));
                self.wake.sleep(left.unwrap_or(GLANCE).min(GLANCE));
                continue;
            };
            if hand.waits_for_nobody() {
                open.give_time(tools.manner.timeout);
            }
            self.attend(open, &hand);
            let accepted = self.hear_all(open, &mut hand);
            self.accept(&accepted);
            if let Some(front) = hand.pending.iter().find(|pending| pending.due.is_none()) {
                open.turn_to(&front.item);
            }
            if open.process.has_ended()
                && let Some(ended) = session.take()
            {
                self.bid_farewell(ended, &mut hand);
            }
        }
        if let Some(session) = session {
            self.close(session);
        }
    }

    /// Lets go of what is no longer to be handled here and is not with the handler.
    fn leave_what_is_not_needed(&mut self, hand: &mut Hand, is_running: bool) {
        if hand.pending.is_empty() || !self.tools.queue.is_closing() {
            return;
        }
        let mut stay = Vec::with_capacity(hand.pending.len());
        // The last first, because what is before something in hand is needed.
        while let Some(one) = hand.pending.pop() {
            let is_with_handler = one.due.is_none() && is_running;
            if is_with_handler || !self.tools.queue.lets_go(std::slice::from_ref(&one.item)) {
                stay.push(one);
            } else {
                self.give_up(&[one.item]);
            }
        }
        stay.reverse();
        hand.pending = stay;
    }

    /// Takes as many as there is room for.
    fn take_in(&mut self, hand: &mut Hand) {
        let room = hand.most(&self.tools).saturating_sub(hand.pending.len());
        for item in self.tools.queue.take_one_of_each(self.index, room) {
            let known = match self.tools.known_tries(&item) {
                Ok(known) => known,
                Err(error) => {
                    self.fail(error);
                    self.give_up(&[item]);
                    continue;
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
            hand.pending.push(Pending {
                item,
                failures: known,
                due: Some(now),
                written_at: now,
                alone: false,
                is_known: false,
            });
            if is_suspect {
                // Those before it are settled first, so that it is alone.
                hand.suspects = hand.suspects.max(hand.pending.len());
            }
        }
    }

    /// Writes what is due to the handler, which is started where there is none.
    fn write<'a>(
        &mut self,
        hand: &mut Hand,
        session: &mut Option<Session<'a>>,
        tools: &'a Tools,
    ) -> Result<(), Error> {
        let now = Instant::now();
        let most = hand.most(tools);
        let mut waiting = hand.pending.iter().filter(|one| one.due.is_none()).count();
        for one in &mut hand.pending {
            if one.due.is_none_or(|due| now < due) || waiting >= most {
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
            let items = std::slice::from_ref(&one.item);
            tools.begin(items, one.alone)?;
            if !std::mem::replace(&mut one.is_known, true) {
                tools.consumed(items);
            }
            let mut room = Vec::new();
            let record = one.item.record(&mut room);
            record::encode(&record, PayloadMode::Auto, &mut open.input);
            if waiting == 0 {
                open.give_time(tools.manner.timeout);
            }
            one.due = None;
            one.written_at = now;
            waiting += 1;
        }
        Ok(())
    }
}
