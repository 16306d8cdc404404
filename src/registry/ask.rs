//! How requests come in: somebody asks, or Kafka has the topic already.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Transaction, named_params};
use serde_json::{Value, json};
use uuid::Uuid;

use super::event::{Actor, Entry, Stamp, is_same_person};
use super::life::{approve, decide, with_id};
use super::policy::{FourEyes, Policy, Rules};
use super::request::{self, Request, Spec, Wish};
use super::state::State;
use super::time::stored;
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

/// Who approves what is taken in.
#[derive(Clone, Copy, Debug, Default)]
pub struct Approver<'a> {
    pub name: Option<&'a str>,
    /// Whether nothing is taken in without one.
    pub is_needed: bool,
    pub four_eyes: FourEyes,
}

/// What became of an [`Import`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Imported {
    New,
    /// A request for the name is at work already; nothing was changed.
    Known(State),
}

impl Registry {
    /// Asks for a topic, or for a change of an ACTIVE one. Who asks for what is open or ACTIVE already
    /// gets that request.
    ///
    /// # Errors
    /// [`Error::Broken`], [`Error::Differs`], [`Error::FewerPartitions`], [`Error::Replication`],
    /// [`Error::Collides`], and with `approved_by` [`Error::OwnApproval`], or [`Error::FourEyes`] for
    /// what was asked before.
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
                    let approved = approve(transaction, request, None, rules.four_eyes, stamp);
                    let approved = approved.map_err(|fault| match (fault, &requested) {
                        (Fault::Refused(Error::FourEyes { name, by }), Requested::New(_)) => {
                            Fault::Refused(Error::OwnApproval { name, by })
                        }
                        (fault, _) => fault,
                    })?;
                    Ok(match requested {
                        Requested::New(_) => Requested::New(approved),
                        Requested::Known(_) => Requested::Known(approved),
                    })
                }
                _ => Ok(requested),
            }
        })
    }

    /// Takes in topics that Kafka has as ACTIVE: all of them or none. The answers are in the order of
    /// `topics`.
    ///
    /// # Errors
    /// [`Error::NotTakenIn`] where nobody but who asks for it, or whose the topic is, approves it.
    pub fn import(
        &mut self,
        topics: &[Import],
        approver: Approver<'_>,
        stamp: Stamp<'_>,
    ) -> Result<Vec<Imported>, Error> {
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
                approver.approve(transaction, topic, stamp)?;
                imported.push(Imported::New);
            }
            Ok(imported)
        })
    }
}

impl Approver<'_> {
    /// Keeps that what was just taken in is approved, if it is.
    fn approve(
        self,
        transaction: &Transaction<'_>,
        topic: &Import,
        stamp: Stamp<'_>,
    ) -> Result<(), Fault> {
        let refused = |by: &str| {
            Err(Fault::Refused(Error::NotTakenIn {
                name: topic.spec.name.clone(),
                by: by.to_owned(),
            }))
        };
        let asker = &stamp.actor.name;
        let Some(name) = self.name else {
            return if self.is_needed {
                refused(asker)
            } else {
                Ok(())
            };
        };
        if self.four_eyes == FourEyes::On && is_same_person(name, asker) {
            return refused(asker);
        }
        let actor = Actor {
            name: name.to_owned(),
            ..stamp.actor.clone()
        };
        let stamp = Stamp {
            actor: &actor,
            ..stamp
        };
        let request = with_id(transaction, &topic.id.to_string(), &[State::Active])?;
        match decide(transaction, &request, None, self.four_eyes, stamp) {
            Err(Fault::Refused(Error::FourEyes { .. })) => refused(&request.spec.created_by),
            Err(fault) => Err(fault),
            Ok(()) => {
                let entry = Entry::of("approve", &request, State::Active);
                Ok(entry.append(transaction, Some(&actor), stamp.at)?)
            }
        }
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

/// Another name that is at work and differs only in `.` and `_`.
fn colliding(transaction: &Transaction<'_>, name: &str) -> rusqlite::Result<Option<String>> {
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
