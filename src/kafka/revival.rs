//! Finds brokers again that the client library has lost for good.
//!
//! A broker that stood still for a while, such as one on a laptop that slept, is fenced for a moment when
//! it goes on, and what it answers then names no broker at all. librdkafka (2.12.1,
//! `rd_kafka_metadata_decommission_unavailable_brokers`) drops every broker that it knew upon that, those of
//! `bootstrap.servers` too. It begins with these again when it has counted all as down, and loses count:
//! a client in three or so never connected again.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::client::Client;

use super::context::Context;
use super::ffi;

/// From the loss to the first look, and then twice as long each time.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// Each look that finds nobody leaves the addresses in a list of librdkafka's, so they are to be few.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How long a broker that is there may take to answer.
const GLANCE: Duration = Duration::from_millis(100);

/// A second fencing may follow the first.
const ANSWERS: u32 = 2;

/// Looks for brokers, after all were lost, until they answer.
#[derive(Default)]
pub(super) struct Revival {
    search: Mutex<Option<Search>>,
}

#[derive(Clone, Copy)]
struct Search {
    next: Instant,
    /// From the next look to the one after it.
    pause: Duration,
    /// How many looks in a row were answered.
    answers: u32,
}

impl Revival {
    /// The client library says that all brokers are down.
    pub(super) fn lost(&self) {
        self.lock().get_or_insert(Search {
            next: Instant::now() + FIRST_PAUSE,
            pause: FIRST_PAUSE * 2,
            answers: 0,
        });
    }

    /// Looks whether a broker answers, if it is time to, and gives `client` the addresses that it
    /// began with if none does.
    pub(super) fn look(&self, client: &Client<Context>, brokers: &str) {
        let due = |search: &mut Search| search.next <= Instant::now();
        // Only one thread is to wait for the answer.
        let Some(search) = self.lock().take_if(due) else {
            return;
        };
        let answers = if ffi::is_answered(client, GLANCE) {
            search.answers + 1
        } else {
            ffi::add_brokers(client, brokers);
            0
        };
        if answers < ANSWERS {
            self.lock().get_or_insert(Search {
                next: Instant::now() + search.pause,
                pause: (search.pause * 2).min(LONGEST_PAUSE),
                answers,
            });
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Search>> {
        self.search.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
