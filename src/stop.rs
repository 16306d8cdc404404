//! Why and when a run is asked to stop.

use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// Asked of every loop that waits; clones share one state.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<State>);

#[derive(Debug, Default)]
struct State {
    /// The signal that came; 0 while none has.
    signal: AtomicI32,
    /// When somebody first asked.
    asked: Mutex<Option<Instant>>,
    changed: Condvar,
    last_deed: LastDeed,
}

/// What is done before a sudden end.
#[derive(Default)]
struct LastDeed(Mutex<Option<Box<dyn Fn() + Send>>>);

impl std::fmt::Debug for LastDeed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("LastDeed")
    }
}

impl Stop {
    /// Turns the first interrupt or termination into a request to stop; the second ends
    /// the process at once. A hang-up is left alone, so that `nohup` keeps its meaning.
    pub fn on_signals() -> std::io::Result<Self> {
        let stop = Self::default();
        let mut signals = Signals::new([SIGINT, SIGTERM])?;
        let told = stop.clone();
        thread::Builder::new()
            .name("signals".into())
            .spawn(move || {
                for signal in signals.forever() {
                    let first = told.0.signal.swap(signal, Ordering::SeqCst) == 0;
                    if !first {
                        told.do_last_deed();
                        crate::exit::leave(crate::exit::Outcome::Signal(signal));
                    }
                    told.ask();
                }
            })?;
        Ok(stop)
    }

    /// Does this before a second signal ends the process; it must not wait for anybody.
    pub fn before_sudden_end(&self, deed: impl Fn() + Send + 'static) {
        let last = self.0.last_deed.0.lock();
        *last.unwrap_or_else(PoisonError::into_inner) = Some(Box::new(deed));
    }

    fn do_last_deed(&self) {
        let last = self.0.last_deed.0.lock();
        if let Some(deed) = last.unwrap_or_else(PoisonError::into_inner).as_ref() {
            deed();
        }
    }

    /// Asks everything to come to its end.
    pub fn ask(&self) {
        self.lock().get_or_insert_with(Instant::now);
        self.0.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Option<Instant>> {
        self.0.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When somebody asked first that the run ends.
    pub fn asked_at(&self) -> Option<Instant> {
        *self.lock()
    }

    /// Whether the run is to end.
    pub fn is_asked(&self) -> bool {
        self.asked_at().is_some()
    }

    /// The signal that asked, if one did.
    pub fn signal(&self) -> Option<i32> {
        Some(self.0.signal.load(Ordering::SeqCst)).filter(|signal| *signal != 0)
    }

    /// Waits until the run is to end or `timeout` has passed; says whether it is to end.
    pub fn wait(&self, timeout: Duration) -> bool {
        let (asked, _) = self
            .0
            .changed
            .wait_timeout_while(self.lock(), timeout, |asked| asked.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        asked.is_some()
    }
}
