//! A request's life: every move from one state to another, each together with its event.

use jiff::Timestamp;
use rusqlite::{Transaction, named_params, params};
use serde_json::{Value, json};
use uuid::Uuid;

use super::event::{Actor, Entry, Stamp};
use super::policy::{FourEyes, Policy, Rules};
use super::request::{self, COLUMNS, Observation, ReasonCode, Request, Spec, State, Wish, stored};
use super::{Error, Fault, Registry};

/// What [`Registry::request`] is given.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    /// A `UUIDv7`, for when it is new.
    pub id: Uuid,
    pub wish: &'a Wish,
    /// Undecided at this time, it is rejected.
    pub expires_at: Option<Timestamp>,
    /// Who has approved it elsewhere.
    pub approved_by: Option<&'a str>,
}

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

/// What became of asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Requested {
    New(Request),
    /// The same was asked before.
    Known(Request),
}

/// A topic that Kafka has, to be taken in.
#[derive(Clone, Debug)]
pub struct Import {
    /// A `UUIDv7`, for when it is new.
    pub id: Uuid,
    pub spec: Spec,
    /// What the policy has against it, for the history.
    pub violations: Vec<String>,
}

/// What became of an [`Import`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Imported {
    New,
    /// A request for the name is at work already; nothing was changed.
    Known(State),
}

const OPEN: &[State] = &[State::Pending, State::Approved];

impl Registry {
    /// Asks for a topic, or for a change of an ACTIVE one. Who asks for what is open or ACTIVE already
    /// gets that request.
    ///
    /// # Errors
    /// [`Error::Broken`], [`Error::Differs`], [`Error::FewerPartitions`], [`Error::Replication`],
    /// [`Error::Collides`], and with `approved_by` [`Error::FourEyes`].
    pub fn request(
        &mut self,
        asked: &Asked<'_>,
        rules: &Rules,
        stamp: Stamp<'_>,
    ) -> Result<Requested, Error> {
        self.write(stamp.at, |transaction| {
            let requested = ask(transaction, asked, &rules.policy, stamp)?;
            let (Requested::New(request) | Requested::Known(request)) = &requested;
            match asked.approved_by {
                Some(by) if request.state == State::Pending => {
                    let actor = Actor {
                        name: by.to_owned(),
                        ..stamp.actor.clone()
                    };
                    let stamp = Stamp {
                        actor: &actor,
                        ..stamp
                    };
                    let approved = approve(transaction, request, None, rules.four_eyes, stamp)?;
                    Ok(match requested {
                        Requested::New(_) => Requested::New(approved),
                        Requested::Known(_) => Requested::Known(approved),
                    })
                }
                _ => Ok(requested),
            }
        })
    }

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
            if request.spec.created_by != stamp.actor.name {
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
    /// INACTIVE. `adopted` says that Kafka had the topic before.
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
            if let Some(old) = request::active(transaction, &request.spec.name)? {
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

    /// Takes in topics that Kafka has as ACTIVE: all of them or none. The answers are in the order of
    /// `topics`.
    pub fn import(&mut self, topics: &[Import], stamp: Stamp<'_>) -> Result<Vec<Imported>, Error> {
        self.write(stamp.at, |transaction| {
            let mut imported = Vec::new();
            for topic in topics {
                let name = &topic.spec.name;
                let known = match request::active(transaction, name)? {
                    None => request::open(transaction, name)?,
                    active => active,
                };
                if let Some(request) = known {
                    imported.push(Imported::Known(request.state));
                    continue;
                }
                insert(
                    transaction,
                    &topic.id.to_string(),
                    &topic.spec,
                    State::Active,
                    None,
                    stamp,
                )?;
                let mut detail = of_spec(&topic.spec);
                detail["violations"] = json!(topic.violations);
                let entry = Entry {
                    action: "import",
                    request: Some(&topic.id.to_string()),
                    name: Some(name),
                    to: Some(State::Active),
                    detail: Some(detail),
                    ..Entry::default()
                };
                entry.append(transaction, Some(stamp.actor), stamp.at)?;
                imported.push(Imported::New);
            }
            Ok(imported)
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

fn ask(
    transaction: &Transaction<'_>,
    asked: &Asked<'_>,
    policy: &Policy,
    stamp: Stamp<'_>,
) -> Result<Requested, Fault> {
    let name = &asked.wish.name;
    if let Some(open) = request::open(transaction, name)? {
        let differences = open
            .spec
            .differences(&asked.wish.complete(Some(&open.spec)));
        if differences.is_empty() {
            return Ok(Requested::Known(open));
        }
        return Err(Fault::Refused(Error::Differs {
            name: name.clone(),
            state: open.state,
            differences,
        }));
    }
    let active = request::active(transaction, name)?;
    let spec = &asked
        .wish
        .complete(active.as_ref().map(|active| &active.spec));
    if let Some(active) = active {
        let (has, name) = (&active.spec, name.clone());
        if has.differences(spec).is_empty() {
            return Ok(Requested::Known(active));
        }
        if spec.partitions < has.partitions {
            return Err(Fault::Refused(Error::FewerPartitions {
                name,
                has: has.partitions,
                asked: spec.partitions,
            }));
        }
        if spec.replication != has.replication {
            return Err(Fault::Refused(Error::Replication {
                name,
                has: has.replication,
                asked: spec.replication,
            }));
        }
    }
    let broken = policy.check(spec);
    if !broken.is_empty() {
        return Err(Fault::Refused(Error::Broken {
            name: name.clone(),
            broken,
        }));
    }
    if let Some(other) = colliding(transaction, name)? {
        return Err(Fault::Refused(Error::Collides {
            name: name.clone(),
            other,
        }));
    }
    let id = asked.id.to_string();
    insert(
        transaction,
        &id,
        spec,
        State::Pending,
        asked.expires_at,
        stamp,
    )?;
    let entry = Entry {
        action: "request",
        request: Some(&id),
        name: Some(name),
        to: Some(State::Pending),
        detail: Some(of_spec(spec)),
        ..Entry::default()
    };
    entry.append(transaction, Some(stamp.actor), stamp.at)?;
    with_id(transaction, &id, &[State::Pending]).map(Requested::New)
}

fn insert(
    transaction: &Transaction<'_>,
    id: &str,
    spec: &Spec,
    state: State,
    expires_at: Option<Timestamp>,
    stamp: Stamp<'_>,
) -> rusqlite::Result<()> {
    let is_active = (state == State::Active).then_some(true);
    let at = stored(stamp.at);
    transaction
        .prepare_cached(
            "INSERT INTO request (id, name, state, created_by, partitions, replication, config, \
             description, type, requested_at, expires_at, activated_at, adopted, ready, observed_at) \
             VALUES (:id, :name, :state, :created_by, :partitions, :replication, :config, \
             :description, :type, :at, :expires_at, :activated_at, :is_active, :is_active, :activated_at)",
        )?
        .execute(named_params! {
            ":id": id,
            ":name": spec.name,
            ":state": state,
            ":created_by": spec.created_by,
            ":partitions": spec.partitions,
            ":replication": spec.replication,
            ":config": json!(spec.config).to_string(),
            ":description": spec.description,
            ":type": spec.kind,
            ":at": at,
            ":expires_at": expires_at.map(stored),
            ":activated_at": is_active.map(|_| at.clone()),
            ":is_active": is_active,
        })?;
    Ok(())
}

fn approve(
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
fn decide(
    transaction: &Transaction<'_>,
    request: &Request,
    comment: Option<&str>,
    four_eyes: FourEyes,
    stamp: Stamp<'_>,
) -> Result<(), Fault> {
    let by = &stamp.actor.name;
    if four_eyes == FourEyes::On && *by == request.spec.created_by {
        return Err(Fault::Refused(Error::FourEyes {
            name: request.spec.name.clone(),
            by: by.clone(),
        }));
    }
    let changed = transaction
        .prepare_cached(
            "UPDATE request SET decided_at = ?2, decided_by = ?3, comment = ?4, four_eyes = ?5 \
             WHERE id = ?1 AND state = 'PENDING'",
        )?
        .execute(params![
            request.id,
            stored(stamp.at),
            by,
            comment,
            four_eyes == FourEyes::On
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
        (request, _) => in_state(request, name, wanted),
    }
}

fn with_id(
    transaction: &Transaction<'_>,
    id: &str,
    wanted: &'static [State],
) -> Result<Request, Fault> {
    in_state(request::with_id(transaction, id)?, id, wanted)
}

fn in_state(
    request: Option<Request>,
    name: &str,
    wanted: &'static [State],
) -> Result<Request, Fault> {
    match request {
        None => Err(Fault::Refused(Error::Unknown {
            name: name.to_owned(),
        })),
        Some(request) if wanted.contains(&request.state) => Ok(request),
        Some(request) => Err(Fault::Refused(Error::InState {
            name: request.spec.name,
            state: request.state,
            wanted,
        })),
    }
}

fn again(transaction: &Transaction<'_>, request: &Request) -> Result<Request, Fault> {
    with_id(transaction, &request.id, &State::ALL)
}

/// Another name that is at work and differs only in `.` and `_`.
fn colliding(transaction: &Transaction<'_>, name: &str) -> rusqlite::Result<Option<String>> {
    use rusqlite::OptionalExtension;
    transaction
        .prepare_cached(
            "SELECT name FROM request WHERE replace(name, '.', '_') = replace(?1, '.', '_') \
             AND name <> ?1 AND state IN ('PENDING', 'APPROVED', 'ACTIVE') LIMIT 1",
        )?
        .query_row([name], |row| row.get(0))
        .optional()
}

fn of_spec(spec: &Spec) -> Value {
    json!({
        "created_by": spec.created_by,
        "partitions": spec.partitions,
        "replication": spec.replication,
        "config": spec.config,
        "description": spec.description,
        "type": spec.kind,
    })
}
