//! What a client remembers of its own troubles, and whom it tells of rebalances.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use rdkafka::ClientContext;
use rdkafka::types::RDKafkaErrorCode;

use super::ffi::Group;

/// Gives OAUTHBEARER tokens: the token, its end in epoch milliseconds, the principal.
pub type TokenSource = Arc<dyn Fn() -> Result<(String, i64, String), String> + Send + Sync>;

/// Is told what a group member gains and loses, on the thread that takes records.
pub(super) trait Rebalance: Send + Sync {
    /// Must assign `partitions`, each from where it is to begin.
    fn assigned(&self, group: Group, partitions: &[(String, i32)]);
    /// Must finish with `partitions` and unassign them.
    fn revoked(&self, group: Group, partitions: &[(String, i32)]);
}

/// The last thing of its kind that went wrong on a client's connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) code: RDKafkaErrorCode,
    pub(super) text: String,
    /// The client will not recover.
    pub(super) fatal: bool,
}

/// One client's memory.
pub(super) struct Context {
    token_source: Option<TokenSource>,
    trouble: Mutex<Option<Trouble>>,
    all_down: AtomicBool,
    /// What a probe was told of its connections, as JSON.
    statistics: Mutex<Vec<String>>,
    /// What went wrong last on each connection, by its name.
    troubles: Mutex<BTreeMap<String, Trouble>>,
    rebalance: OnceLock<Box<dyn Rebalance>>,
}

impl ClientContext for Context {}

impl Context {
    pub(super) fn new(token_source: Option<TokenSource>) -> Self {
        Self {
            token_source,
            trouble: Mutex::new(None),
            all_down: AtomicBool::new(false),
            statistics: Mutex::default(),
            troubles: Mutex::default(),
            rebalance: OnceLock::new(),
        }
    }

    pub(super) fn has_token_source(&self) -> bool {
        self.token_source.is_some()
    }

    pub(super) fn token(&self) -> Result<(String, i64, String), String> {
        self.token_source
            .as_ref()
            .map_or_else(|| Err("no oauth_token_command".into()), |source| source())
    }

    /// Says once who handles rebalances.
    pub(super) fn set_rebalance(&self, rebalance: Box<dyn Rebalance>) {
        let _ = self.rebalance.set(rebalance);
    }

    pub(super) fn assigned(&self, group: Group, partitions: &[(String, i32)]) {
        if let Some(rebalance) = self.rebalance.get() {
            rebalance.assigned(group, partitions);
        }
    }

    pub(super) fn revoked(&self, group: Group, partitions: &[(String, i32)]) {
        if let Some(rebalance) = self.rebalance.get() {
            rebalance.revoked(group, partitions);
        }
    }

    /// Remembers an error, unless it tells less than the one before.
    pub(super) fn remember(&self, trouble: Trouble) {
        if trouble.code == RDKafkaErrorCode::AllBrokersDown {
            self.all_down.store(true, Ordering::Relaxed);
            return;
        }
        if let Some((broker, _)) = trouble.text.split_once(": ") {
            lock(&self.troubles).insert(broker.to_owned(), trouble.clone());
        }
        let mut last = lock(&self.trouble);
        let tells_less = |last: &Trouble| {
            last.fatal
                || (Self::decides(last.code) && !Self::decides(trouble.code) && !trouble.fatal)
        };
        if last.as_ref().is_some_and(tells_less) {
            return;
        }
        *last = Some(trouble);
    }

    /// Whether trying again cannot help.
    pub(super) fn decides(code: RDKafkaErrorCode) -> bool {
        matches!(
            code,
            RDKafkaErrorCode::Authentication
                | RDKafkaErrorCode::SSL
                | RDKafkaErrorCode::SaslAuthenticationFailed
        )
    }

    pub(super) fn trouble(&self) -> Option<Trouble> {
        lock(&self.trouble).clone()
    }

    pub(super) fn all_down(&self) -> bool {
        self.all_down.load(Ordering::Relaxed)
    }

    pub(super) fn forget(&self) {
        self.all_down.store(false, Ordering::Relaxed);
        *lock(&self.trouble) = None;
    }

    /// Keeps what the client library tells of its connections.
    pub(super) fn keep_statistics(&self, json: String) {
        lock(&self.statistics).push(json);
    }

    /// The statistics that came since last asked.
    pub(super) fn take_statistics(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.statistics))
    }

    /// What went wrong last on the connection of this name.
    pub(super) fn trouble_of(&self, connection: &str) -> Option<Trouble> {
        lock(&self.troubles).get(connection).cloned()
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
