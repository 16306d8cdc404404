//! A request's life: every move from one state to another, each together with its event.

use jiff::Timestamp;
use rusqlite::{Transaction, named_params, params};
use serde_json::json;

use super::event::{Actor, Entry, Stamp, is_same_person};
use super::policy::FourEyes;
use super::request::{self, COLUMNS, Observation, Request};
use super::state::{ReasonCode, State};
use super::time::stored;
use super::{Error, Fault, Registry};

/// Which request is meant: that for a name, and no other than the one somebody saw.
#[derive(Clone, Copy, Debug)]
pub struct Meant<'a> {
    pub name: &'a str,
    /// The id that was seen. Between a look and a decision another request can take the place.
    pub id: Option<&'a str>,
}

impl<'a> From<&'a str> for Meant<'a> {
    fn from(name: &'a str) -> Self {
        Self { name, id: None }
    }
}

const OPEN: &[State] = &[State::Pending, State::Approved];

impl Registry {
    /// Moves the PENDING request for `name` to APPROVED.
    ///
    /// # Errors
    /// [`Error::Unknown`], [`Error::InState`], [`Error::FourEyes`].
    pub fn approve<'a>(
        &mut self,
        meant: impl Into<Meant<'a>>,
        comment: Option<&str>,
        four_eyes: FourEyes,
        stamp: Stamp<'_>,
    ) -> Result<Request, Error> {
        self.write(stamp.at, |transaction| {
            let request = found(transaction, meant.into(), &[State::Pending])?;
            approve(transaction, &request, comment, four_eyes, stamp)
        })
    }

    /// Moves the PENDING request for `name` to REJECTED.
    ///
    /// # Errors
    /// As [`Registry::approve`].
    pub fn reject<'a>(
        &mut self,
        meant: impl Into<Meant<'a>>,
        reason: &str,
        four_eyes: FourEyes,
        stamp: Stamp<'_>,
    ) -> Result<Request, Error> {
        self.write(stamp.at, |transaction| {
            let request = found(transaction, meant.into(), &[State::Pending])?;
            decide(transaction, &request, Some(reason), four_eyes, stamp)?;
            let code = ReasonCode::Declined;
            end(
                transaction,
                &request,
                State::Rejected,
                code,
                None,
                Some(stamp.actor),
                stamp.at,
            )?;
            let entry = Entry {
                reason_code: Some(code),
                comment: Some(reason),
                ..Entry::of("reject", &request, State::Rejected)
            };
            entry.append(transaction, Some(stamp.actor), stamp.at)?;
            again(transaction, &request)
        })
    }

    /// Takes back the open request for `name`, which only its requester can. An APPROVED one can be
    /// taken back as well: one that conflicts with what Kafka has would else hold its name for ever.
    ///
    /// # Errors
    /// [`Error::Unknown`], [`Error::InState`], [`Error::NotRequester`].
    pub fn cancel<'a>(
        &mut self,
        meant: impl Into<Meant<'a>>,
        comment: Option<&str>,
        stamp: Stamp<'_>,
    ) -> Result<Request, Error> {
        self.write(stamp.at, |transaction| {
            let request = found(transaction, meant.into(), OPEN)?;
            if !is_same_person(&request.spec.created_by, &stamp.actor.name) {
                return Err(Fault::Refused(Error::NotRequester {
                    name: request.spec.name,
                    created_by: request.spec.created_by,
                    by: stamp.actor.name.clone(),
                }));
            }
            let code = ReasonCode::Cancelled;
            let actor = Some(stamp.actor);
            end(
                transaction,
                &request,
                State::Rejected,
                code,
                comment,
                actor,
                stamp.at,
            )?;
            let entry = Entry {
                reason_code: Some(code),
                comment,
                ..Entry::of("cancel", &request, State::Rejected)
            };
            entry.append(transaction, actor, stamp.at)?;
            again(transaction, &request)
        })
    }

    /// Moves the ACTIVE topic `name` to INACTIVE. Kafka keeps its data.
    ///
    /// # Errors
    /// [`Error::Unknown`], [`Error::InState`].
    pub fn deactivate<'a>(
        &mut self,
        meant: impl Into<Meant<'a>>,
        reason: &str,
        stamp: Stamp<'_>,
    ) -> Result<Request, Error> {
        self.write(stamp.at, |transaction| {
            let request = found(transaction, meant.into(), &[State::Active])?;
            let code = ReasonCode::Deactivated;
            let actor = Some(stamp.actor);
            end(
                transaction,
                &request,
                State::Inactive,
                code,
                Some(reason),
                actor,
                stamp.at,
            )?;
            let entry = Entry {
                reason_code: Some(code),
                comment: Some(reason),
                ..Entry::of("deactivate", &request, State::Inactive)
            };
            entry.append(transaction, actor, stamp.at)?;
            again(transaction, &request)
        })
    }

    /// Moves the APPROVED request `id` to ACTIVE, and the topic that it changes, if it does, to
    /// INACTIVE. `adopted` says that Kafka had the topic before, which a change of it does not keep.
    ///
    /// # Errors
    /// [`Error::Unknown`], [`Error::InState`].
    pub fn activate(
        &mut self,
        id: &str,
        adopted: bool,
        stamp: Stamp<'_>,
    ) -> Result<Request, Error> {
        self.write(stamp.at, |transaction| {
            let request = with_id(transaction, id, &[State::Approved])?;
            let actor = Some(stamp.actor);
            let old = request::active(transaction, &request.spec.name)?;
            let adopted = adopted && old.is_none();
            if let Some(old) = old {
                let code = ReasonCode::Superseded;
                end(transaction, &old, State::Inactive, code, None, actor, stamp.at)?;
                let entry = Entry {
                    reason_code: Some(code),
                    detail: Some(json!({ "by": request.id })),
                    ..Entry::of("supersede", &old, State::Inactive)
                };
                entry.append(transaction, actor, stamp.at)?;
            }
            let changed = transaction
                .prepare_cached(
                    "UPDATE request SET state = 'ACTIVE', activated_at = :at, adopted = :adopted, ready = 1, \
                     reason = NULL, message = NULL, next_attempt_at = NULL, observed_at = :at \
                     WHERE id = :id AND state = 'APPROVED'",
                )?
                .execute(named_params! {
                    ":at": stored(stamp.at), ":adopted": adopted, ":id": request.id
                })?;
            exactly_one(changed)?;
            let entry = Entry {
                detail: Some(json!({ "adopted": adopted })),
                ..Entry::of("activate", &request, State::Active)
            };
            entry.append(transaction, actor, stamp.at)?;
            again(transaction, &request)
        })
    }

    /// Keeps what Kafka said of an APPROVED or ACTIVE request; the state stays. The history has it when
    /// `ready` or `reason` is another than before.
    ///
    /// # Errors
    /// [`Error::Unknown`], [`Error::InState`].
    pub fn record_observation(
        &mut self,
        id: &str,
        observation: &Observation,
        stamp: Stamp<'_>,
    ) -> Result<(), Error> {
        self.write(stamp.at, |transaction| {
            let request = with_id(transaction, id, &[State::Approved, State::Active])?;
            transaction
                .prepare_cached(
                    "UPDATE request SET ready = ?2, reason = ?3, message = ?4, attempts = ?5, \
                     next_attempt_at = ?6, observed_at = ?7 WHERE id = ?1",
                )?
                .execute(params![
                    id,
                    observation.ready,
                    observation.reason,
                    observation.message,
                    observation.attempts,
                    observation.next_attempt_at.map(stored),
                    observation.observed_at.map(stored),
                ])?;
            let before = &request.observation;
            if (before.ready, before.reason) != (observation.ready, observation.reason) {
                let entry = Entry {
                    comment: observation.message.as_deref(),
                    detail: Some(json!({
                        "ready": observation.ready, "reason": observation.reason
                    })),
                    ..Entry::of("observe", &request, request.state)
                };
                entry.append(transaction, Some(stamp.actor), stamp.at)?;
            }
            Ok(())
        })
    }

    /// Rejects what nobody decided in time. Whoever reads does this first; whoever writes need not.
    pub fn expire(&mut self, at: Timestamp) -> Result<(), Error> {
        const DUE: &str = "state = 'PENDING' AND expires_at IS NOT NULL AND expires_at <= ?1";
        let at_text = stored(at);
        let is_due: bool = self.read(|connection| {
            connection
                .prepare_cached(&format!(
                    "SELECT EXISTS (SELECT 1 FROM request WHERE {DUE})"
                ))?
                .query_row([&at_text], |row| row.get(0))
        })?;
        if !is_due {
            return Ok(());
        }
        self.transaction(|transaction| {
            let due: Vec<Request> = transaction
                .prepare(&format!("SELECT {COLUMNS} FROM request WHERE {DUE}"))?
                .query_map([&at_text], Request::from_row)?
                .collect::<rusqlite::Result<_>>()?;
            for request in due {
                let code = ReasonCode::Expired;
                end(transaction, &request, State::Rejected, code, None, None, at)?;
                let entry = Entry {
                    reason_code: Some(code),
                    ..Entry::of("expire", &request, State::Rejected)
                };
                entry.append(transaction, None, at)?;
            }
            Ok(())
        })
    }
}

pub(super) fn approve(
    transaction: &Transaction<'_>,
    request: &Request,
    comment: Option<&str>,
    four_eyes: FourEyes,
    stamp: Stamp<'_>,
) -> Result<Request, Fault> {
    decide(transaction, request, comment, four_eyes, stamp)?;
    let changed = transaction
        .prepare_cached(
            "UPDATE request SET state = 'APPROVED' WHERE id = ?1 AND state = 'PENDING'",
        )?
        .execute([&request.id])?;
    exactly_one(changed)?;
    let entry = Entry {
        comment,
        ..Entry::of("approve", request, State::Approved)
    };
    entry.append(transaction, Some(stamp.actor), stamp.at)?;
    again(transaction, request)
}

/// Keeps who decided, under the rule of four eyes, which the file enforces too.
pub(super) fn decide(
    transaction: &Transaction<'_>,
    request: &Request,
    comment: Option<&str>,
    four_eyes: FourEyes,
    stamp: Stamp<'_>,
) -> Result<(), Fault> {
    let by = &stamp.actor.name;
    if four_eyes == FourEyes::On && is_same_person(by, &request.spec.created_by) {
        return Err(Fault::Refused(Error::FourEyes {
            name: request.spec.name.clone(),
            by: by.clone(),
        }));
    }
    let changed = transaction
        .prepare_cached(
            "UPDATE request SET decided_at = ?2, decided_by = ?3, comment = ?4, four_eyes = ?5 \
             WHERE id = ?1 AND state = ?6",
        )?
        .execute(params![
            request.id,
            stored(stamp.at),
            by,
            comment,
            four_eyes == FourEyes::On,
            request.state,
        ])?;
    exactly_one(changed)?;
    Ok(())
}

fn end(
    transaction: &Transaction<'_>,
    request: &Request,
    state: State,
    code: ReasonCode,
    comment: Option<&str>,
    actor: Option<&Actor>,
    at: Timestamp,
) -> rusqlite::Result<()> {
    let changed = transaction
        .prepare_cached(
            "UPDATE request SET state = :state, ended_at = :at, ended_by = :by, reason_code = :code, \
             ended_comment = :comment WHERE id = :id AND state = :from",
        )?
        .execute(named_params! {
            ":state": state,
            ":at": stored(at),
            ":by": actor.map(|actor| &actor.name),
            ":code": code,
            ":comment": comment,
            ":id": request.id,
            ":from": request.state,
        })?;
    exactly_one(changed)
}

/// What was read in this very transaction is what is changed.
fn exactly_one(changed: usize) -> rusqlite::Result<()> {
    if changed == 1 {
        Ok(())
    } else {
        Err(rusqlite::Error::StatementChangedRows(changed))
    }
}

/// The request that is meant, which has to be in one of these states.
fn found(
    transaction: &Transaction<'_>,
    meant: Meant<'_>,
    wanted: &'static [State],
) -> Result<Request, Fault> {
    let name = meant.name;
    let request = if wanted == [State::Active] {
        request::active(transaction, name)?
    } else {
        request::open(transaction, name)?
    };
    let request = match request {
        None => request::current(transaction, name)?,
        found => found,
    };
    match (request, meant.id) {
        (Some(request), Some(id)) if request.id != id => Err(Fault::Refused(Error::Another {
            name: name.to_owned(),
            seen: id.to_owned(),
            standing: request.id,
        })),
        (None, _) => Err(Fault::Refused(Error::Unknown {
            name: name.to_owned(),
            nearest: request::nearest(transaction, name)?,
        })),
        (Some(request), _) => in_state(request, wanted),
    }
}

pub(super) fn with_id(
    transaction: &Transaction<'_>,
    id: &str,
    wanted: &'static [State],
) -> Result<Request, Fault> {
    match request::with_id(transaction, id)? {
        Some(request) => in_state(request, wanted),
        None => Err(Fault::Refused(Error::Unknown {
            name: id.to_owned(),
            nearest: None,
        })),
    }
}

fn in_state(request: Request, wanted: &'static [State]) -> Result<Request, Fault> {
    if wanted.contains(&request.state) {
        return Ok(request);
    }
    Err(Fault::Refused(Error::InState {
        name: request.spec.name,
        state: request.state,
        wanted,
    }))
}

fn again(transaction: &Transaction<'_>, request: &Request) -> Result<Request, Fault> {
    with_id(transaction, &request.id, &State::ALL)
}
