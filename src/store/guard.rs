//! Keeps statements of a user's from breaking the promises of the transaction that they run in.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};

use super::TABLES;

/// What a statement must not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) what: &'static str,
    pub(super) hint: Option<&'static str>,
}

const fn refusal(what: &'static str) -> Refusal {
    Refusal { what, hint: None }
}

const BY_HAND: Option<&str> = Some("do it once by hand, with sqlite3");

/// Says what is wrong with an action, if something is.
///
/// `SQLite` asks while it prepares a statement, also for what the triggers that it fires would do.
fn judge(action: AuthAction<'_>) -> Option<Refusal> {
    let is_ours = |name: &str| TABLES.iter().any(|ours| ours.eq_ignore_ascii_case(name));
    match action {
        AuthAction::Transaction { .. } | AuthAction::Savepoint { .. } => Some(refusal(
            "the transaction belongs to kpipe, which begins and ends it",
        )),
        AuthAction::Attach { .. } | AuthAction::Detach { .. } => Some(refusal(
            "what is in another file does not belong to the transaction",
        )),
        // What the full-text index asks by itself.
        AuthAction::Pragma {
            pragma_name: "data_version",
            pragma_value: None,
        } => None,
        AuthAction::Pragma { .. } => Some(refusal("the settings of the file are kpipe's")),
        AuthAction::Insert { table_name }
        | AuthAction::Delete { table_name }
        | AuthAction::Update { table_name, .. }
            if is_ours(table_name) =>
        {
            Some(refusal("only kpipe writes `records` and `kpipe_offsets`"))
        }
        AuthAction::CreateTrigger { table_name, .. }
        | AuthAction::CreateTempTrigger { table_name, .. }
            if is_ours(table_name) =>
        {
            Some(Refusal {
                what: "a trigger could keep a record from being stored",
                hint: Some("a statement of its own runs for each record too"),
            })
        }
        AuthAction::DropTable { .. } | AuthAction::DropVtable { .. } => Some(Refusal {
            what: "a table must not be dropped whenever kpipe starts",
            hint: BY_HAND,
        }),
        AuthAction::AlterTable { .. } => Some(Refusal {
            what: "a table must not be altered whenever kpipe starts",
            hint: BY_HAND,
        }),
        AuthAction::Function { function_name }
            if function_name.eq_ignore_ascii_case("load_extension") =>
        {
            Some(refusal("extensions are not loaded"))
        }
        // A code that this SQLite has and nobody here knows.
        AuthAction::Unknown { .. } => Some(refusal("not known to be harmless")),
        _ => None,
    }
}

/// Watches what is prepared until it is dropped.
pub(super) struct Guard<'a> {
    connection: &'a mut Connection,
    refused: Arc<Mutex<Option<Refusal>>>,
}

impl<'a> Guard<'a> {
    pub(super) fn over(connection: &'a mut Connection) -> rusqlite::Result<Self> {
        let refused = Arc::new(Mutex::new(None));
        let note = refused.clone();
        connection.authorizer(Some(move |context: AuthContext<'_>| {
            match judge(context.action) {
                None => Authorization::Allow,
                Some(refusal) => {
                    *note.lock().unwrap_or_else(PoisonError::into_inner) = Some(refusal);
                    Authorization::Deny
                }
            }
        }))?;
        Ok(Self {
            connection,
            refused,
        })
    }

    pub(super) fn connection(&self) -> &Connection {
        self.connection
    }

    /// Why the last statement was not prepared, if it was for its deeds.
    pub(super) fn take_refusal(&self) -> Option<Refusal> {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.take()
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        let none: Option<fn(AuthContext<'_>) -> Authorization> = None;
        let _ = self.connection.authorizer(none);
    }
}
