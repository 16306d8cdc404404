//! Gives partitions up: what is in hand of them is finished, with what lies before something that is
//! finished already, so that whoever gets them does nothing again; what takes too long is ended.

use std::sync::Arc;
use std::sync::mpsc::{Sender, SyncSender, channel};
use std::time::{Duration, Instant};

use super::Assignment;
use super::dispatch::{Dispatch, Event, State};
use crate::kafka::Handover;
use crate::pipeline::pump::Flow;

/// Kept of the time for a handover, so that a handler can be ended within it.
const LAST_MOMENT: Duration = Duration::from_secs(3);

/// How long partitions may take to be handed over.
const HANDOVER: Duration = Duration::from_secs(10);

/// Asks the dispatcher to hand partitions over; see [`Member::join`](crate::kafka::Member::join).
pub fn drain(events: SyncSender<Event>) -> impl Fn(Handover) + Send + Sync + 'static {
    move |handover| {
        let (done, is_done) = channel();
        if events.send(Flow::Drain(handover, done).into()).is_ok() {
            // The dispatcher is never long in answering: it waits for no handler.
            let _ = is_done.recv();
        }
    }
}

/// Partitions that are being given up.
pub(super) struct Leaving {
    pub(super) assignments: Vec<Arc<Assignment>>,
    done: Sender<()>,
    /// When what runs is ended, and is not waited for any more.
    cancel_at: Instant,
    is_cancelled: bool,
}

impl Dispatch<'_> {
    /// Lets nothing of these partitions begin but what lies before something that is finished, and lets
    /// what runs come to its end.
    pub(super) fn begin_handover(
        &mut self,
        handover: &Handover,
        done: Sender<()>,
        state: &mut State,
    ) {
        let keys = handover.partitions.iter();
        let assignments: Vec<_> = keys
            .filter_map(|key| state.partitions.remove(key))
            .collect();
        let now = Instant::now();
        let cancel_at = if handover.lost {
            now
        } else {
            self.queue().close(Some(&assignments));
            now + HANDOVER.saturating_sub(LAST_MOMENT)
        };
        state.leaving = Some(Leaving {
            assignments,
            done,
            cancel_at,
            is_cancelled: false,
        });
    }

    /// Gives up partitions of which nothing runs any more, and ends what runs for too long.
    pub(super) fn hand_over(&mut self, state: &mut State) {
        let Some(mut leaving) = state.leaving.take() else {
            return;
        };
        let now = Instant::now();
        if now >= leaving.cancel_at && !leaving.is_cancelled {
            leaving.is_cancelled = true;
            self.queue().abandon(Some(&leaving.assignments));
            self.queue().cancel(&leaving.assignments);
        }
        // Whoever does not end even now works for nobody.
        let is_over = now >= leaving.cancel_at + LAST_MOMENT;
        if self.queue().is_busy(&leaving.assignments) && !is_over {
            state.leaving = Some(leaving);
            return;
        }
        state.leaving = Some(leaving);
        self.report(state);
        if let Some(leaving) = state.leaving.take() {
            for assignment in &leaving.assignments {
                self.queue().forget(assignment);
            }
            let _ = leaving.done.send(());
        }
    }
}
