//! The rules of the registry, each where it can be broken.

use super::*;

fn actor(name: &str) -> Actor {
    Actor {
        name: name.to_owned(),
        login: Some("login".to_owned()),
        uid: 1000,
        host: "host".to_owned(),
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn spec(name: &str) -> Spec {
    Spec {
        name: name.to_owned(),
        created_by: "alice".to_owned(),
        partitions: 3,
        replication: 1,
        config: [("retention.ms".to_owned(), "1000".to_owned())].into(),
        description: Some("what was ordered".to_owned()),
        kind: None,
    }
}

/// Everything said.
fn wish(spec: &Spec) -> Wish {
    let spec = spec.clone();
    Wish {
        name: spec.name,
        created_by: spec.created_by,
        partitions: Some(spec.partitions),
        replication: Some(spec.replication),
        config: Some(spec.config),
        description: Some(spec.description.unwrap_or_default()),
        kind: Some(spec.kind.unwrap_or_default()),
    }
}

/// A registry in a folder of its own, and somebody who acts at second 0.
struct Place {
    folder: tempfile::TempDir,
    registry: Registry,
    ids: u64,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let registry = Registry::open(&folder.path().join("registry.db")).unwrap();
        Self {
            folder,
            registry,
            ids: 0,
        }
    }

    fn ask(&mut self, spec: &Spec) -> Result<Requested, Error> {
        self.ask_until(spec, None)
    }

    fn ask_until(
        &mut self,
        spec: &Spec,
        expires_at: Option<Timestamp>,
    ) -> Result<Requested, Error> {
        self.ids += 1;
        let asked = Asked {
            id: uuid::Uuid::from_u64_pair(0, self.ids),
            wish: &wish(spec),
            expires_at,
            approved_by: None,
        };
        let actor = actor(&spec.created_by);
        let stamp = Stamp {
            actor: &actor,
            at: at(0),
        };
        self.registry.request(&asked, &Rules::default(), stamp)
    }

    fn by<T>(
        &mut self,
        name: &str,
        act: impl FnOnce(&mut Registry, Stamp<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let actor = actor(name);
        let stamp = Stamp {
            actor: &actor,
            at: at(1),
        };
        act(&mut self.registry, stamp)
    }

    fn approve(&mut self, name: &str) -> Result<Request, Error> {
        self.by("bob", |registry, stamp| {
            registry.approve(name, None, FourEyes::On, stamp)
        })
    }

    /// Brings `name` into a state, if nobody has asked for it yet.
    fn in_state(&mut self, name: &str, state: State) -> Request {
        let Requested::New(request) = self.ask(&spec(name)).unwrap() else {
            panic!("{name} is known");
        };
        match state {
            State::Pending => request,
            State::Rejected => self
                .by("bob", |registry, stamp| {
                    registry.reject(name, "no", FourEyes::On, stamp)
                })
                .unwrap(),
            State::Approved => self.approve(name).unwrap(),
            State::Active => self.activate(name),
            State::Inactive => {
                self.activate(name);
                self.by("bob", |registry, stamp| {
                    registry.deactivate(name, "old", stamp)
                })
                .unwrap()
            }
        }
    }

    /// Brings the PENDING request for `name` to ACTIVE.
    fn activate(&mut self, name: &str) -> Request {
        let request = self.approve(name).unwrap();
        self.by("reconciler", |registry, stamp| {
            registry.activate(&request.id, false, stamp)
        })
        .unwrap()
    }

    fn actions(&self, name: &str) -> Vec<String> {
        let history = self.registry.history(Some(name)).unwrap();
        history.into_iter().map(|event| event.action).collect()
    }
}

#[test]
fn each_move_goes_from_the_states_it_can_go_from_and_from_no_other() {
    type Move = fn(&mut Place, &str) -> Result<Request, Error>;
    let moves: [(&str, Move, &[State], State); 5] = [
        (
            "approve",
            |place, name| place.approve(name),
            &[State::Pending],
            State::Approved,
        ),
        (
            "reject",
            |place, name| {
                place.by("bob", |registry, stamp| {
                    registry.reject(name, "no", FourEyes::On, stamp)
                })
            },
            &[State::Pending],
            State::Rejected,
        ),
        (
            "cancel",
            |place, name| {
                place.by("alice", |registry, stamp| {
                    registry.cancel(name, None, stamp)
                })
            },
            &[State::Pending, State::Approved],
            State::Rejected,
        ),
        (
            "activate",
            |place, name| {
                let id = place.registry.topic(name)?.unwrap().id;
                place.by("reconciler", |registry, stamp| {
                    registry.activate(&id, true, stamp)
                })
            },
            &[State::Approved],
            State::Active,
        ),
        (
            "deactivate",
            |place, name| {
                place.by("bob", |registry, stamp| {
                    registry.deactivate(name, "old", stamp)
                })
            },
            &[State::Active],
            State::Inactive,
        ),
    ];
    let mut place = Place::new();
    for (verb, make, from, to) in moves {
        for state in State::ALL {
            let name = format!("{verb}-{state}").to_lowercase();
            let before = place.in_state(&name, state);
            assert_eq!(before.state, state);
            let events = place.actions(&name).len();
            match make(&mut place, &name) {
                Ok(after) => {
                    assert!(from.contains(&state), "{verb} from {state}");
                    assert_eq!(after.state, to);
                    assert_eq!(after.id, before.id);
                    let history = place.registry.history(Some(&name)).unwrap();
                    let last = history.last().unwrap();
                    assert_eq!(last.action, verb);
                    assert_eq!((last.from_state, last.to_state), (Some(state), Some(to)));
                    assert_eq!((last.uid, last.at), (Some(1000), at(1)));
                }
                Err(error) => {
                    assert!(!from.contains(&state), "{verb} from {state}: {error}");
                    assert!(matches!(error, Error::InState { .. }), "{error}");
                    assert_eq!(place.registry.topic(&name).unwrap(), Some(before));
                    assert_eq!(place.actions(&name).len(), events);
                }
            }
        }
    }
}

#[test]
fn what_nobody_asked_for_is_unknown() {
    let mut place = Place::new();
    assert!(matches!(
        place.approve("orders"),
        Err(Error::Unknown { .. })
    ));
    assert_eq!(place.registry.state_of("orders").unwrap(), None);
}

#[test]
fn asking_again_for_the_same_is_the_same_request_and_for_another_is_refused_with_the_difference() {
    let mut place = Place::new();
    let Requested::New(first) = place.ask(&spec("orders")).unwrap() else {
        panic!("it is new");
    };
    assert_eq!(
        place.ask(&spec("orders")).unwrap(),
        Requested::Known(first.clone())
    );
    let other = Spec {
        partitions: 6,
        config: [("cleanup.policy".to_owned(), "compact".to_owned())].into(),
        ..spec("orders")
    };
    let error = place.ask(&other).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`orders` is PENDING already, with partitions 3, not 6; \
         config.retention.ms 1000, not nothing; config.cleanup.policy nothing, not compact"
    );
    assert_eq!(place.registry.requests_for("orders").unwrap(), [first]);
}

#[test]
fn a_change_is_a_request_of_its_own_that_takes_the_place_of_the_topic_when_applied() {
    let mut place = Place::new();
    let old = place.in_state("orders", State::Active);
    let more = Spec {
        partitions: 6,
        created_by: "carol".to_owned(),
        ..spec("orders")
    };
    let Requested::New(change) = place.ask(&more).unwrap() else {
        panic!("it is a change");
    };
    assert_ne!(change.id, old.id);
    assert_eq!(
        place.registry.state_of("orders").unwrap(),
        Some(State::Active)
    );
    assert_eq!(place.registry.requests(None).unwrap().len(), 2);
    let active = place.activate("orders");
    assert_eq!((active.id, active.spec.partitions), (change.id, 6));
    let all = place.registry.requests_for("orders").unwrap();
    assert_eq!(all[0].state, State::Inactive);
    assert_eq!(all[0].reason_code, Some(ReasonCode::Superseded));
    let standing = place.registry.requests(None).unwrap();
    assert_eq!(standing.len(), 1, "what was superseded is history");
    assert_eq!(
        place.actions("orders"),
        [
            "request",
            "approve",
            "activate",
            "request",
            "approve",
            "supersede",
            "activate"
        ]
    );
}

#[test]
fn what_is_not_said_stays_as_it_is() {
    let mut place = Place::new();
    let topic = place.in_state("orders", State::Active);
    let wish = |partitions| Wish {
        name: "orders".to_owned(),
        created_by: "bob".to_owned(),
        partitions,
        ..Wish::default()
    };
    let mut ask = |wish: &Wish| {
        let asked = Asked {
            id: uuid::Uuid::from_u64_pair(1, 1),
            wish,
            expires_at: None,
            approved_by: None,
        };
        place.by("bob", |registry, stamp| {
            registry.request(&asked, &Rules::default(), stamp)
        })
    };
    assert_eq!(ask(&wish(None)).unwrap(), Requested::Known(topic.clone()));
    let Requested::New(change) = ask(&wish(Some(6))).unwrap() else {
        panic!("more partitions are a change");
    };
    let expected = Spec {
        partitions: 6,
        created_by: "bob".to_owned(),
        ..topic.spec
    };
    assert_eq!(change.spec, expected);
    assert_eq!(ask(&wish(None)).unwrap(), Requested::Known(change));
    let cleared = Wish {
        description: Some(String::new()),
        ..wish(None)
    };
    let error = ask(&cleared).unwrap_err().to_string();
    assert!(
        error.contains("description what was ordered, not nothing"),
        "{error}"
    );
}

#[test]
fn a_request_that_took_the_place_of_the_one_seen_is_not_decided() {
    let mut place = Place::new();
    let seen = place.in_state("orders", State::Pending).id;
    place
        .by("alice", |registry, stamp| {
            registry.cancel("orders", None, stamp)
        })
        .unwrap();
    let standing = place.in_state("orders", State::Pending).id;
    let mut approve = |id| {
        let meant = Meant {
            name: "orders",
            id: Some(id),
        };
        place.by("bob", |registry, stamp| {
            registry.approve(meant, None, FourEyes::On, stamp)
        })
    };
    assert!(matches!(approve(&seen), Err(Error::Another { .. })));
    assert_eq!(approve(&standing).unwrap().state, State::Approved);
}

#[test]
fn what_came_to_its_end_may_be_asked_for_again() {
    let mut place = Place::new();
    for state in [State::Rejected, State::Inactive] {
        let ended = place.in_state(state.name(), state);
        let other = Spec {
            partitions: 1,
            replication: 2,
            ..spec(state.name())
        };
        let Requested::New(request) = place.ask(&other).unwrap() else {
            panic!("it is new");
        };
        assert_ne!(request.id, ended.id);
        assert_eq!(request.spec, other);
    }
}

#[test]
fn a_change_that_kafka_cannot_make_is_refused_when_asked() {
    let mut place = Place::new();
    place.in_state("orders", State::Active);
    let fewer = Spec {
        partitions: 2,
        ..spec("orders")
    };
    assert!(matches!(
        place.ask(&fewer),
        Err(Error::FewerPartitions {
            has: 3,
            asked: 2,
            ..
        })
    ));
    let replicated = Spec {
        replication: 3,
        ..spec("orders")
    };
    assert!(matches!(
        place.ask(&replicated),
        Err(Error::Replication {
            has: 1,
            asked: 3,
            ..
        })
    ));
    assert!(matches!(
        place.ask(&spec("orders")),
        Ok(Requested::Known(_))
    ));
}

#[test]
fn names_that_collide_in_kafkas_metrics_do_not_stand_beside_each_other() {
    let mut place = Place::new();
    place.in_state("a.b_c", State::Pending);
    let error = place.ask(&spec("a_b.c")).unwrap_err();
    assert!(matches!(error, Error::Collides { other, .. } if other == "a.b_c"));
    place
        .by("alice", |registry, stamp| {
            registry.cancel("a.b_c", None, stamp)
        })
        .unwrap();
    assert!(matches!(place.ask(&spec("a_b.c")), Ok(Requested::New(_))));
}

#[test]
fn the_requester_neither_approves_nor_rejects_unless_the_rule_is_off() {
    let mut place = Place::new();
    place.in_state("orders", State::Pending);
    place.in_state("invoices", State::Pending);
    let approved = place.by("alice", |registry, stamp| {
        registry.approve("orders", None, FourEyes::On, stamp)
    });
    assert!(matches!(approved, Err(Error::FourEyes { .. })));
    let rejected = place.by("alice", |registry, stamp| {
        registry.reject("orders", "no", FourEyes::On, stamp)
    });
    assert!(matches!(rejected, Err(Error::FourEyes { .. })));
    assert_eq!(place.actions("orders"), ["request"]);
    let approved = place.by("alice", |registry, stamp| {
        registry.approve("orders", None, FourEyes::Off, stamp)
    });
    assert_eq!(approved.unwrap().state, State::Approved);
    let cancelled = place.by("bob", |registry, stamp| {
        registry.cancel("invoices", None, stamp)
    });
    assert!(matches!(cancelled, Err(Error::NotRequester { .. })));
}

#[test]
fn a_name_written_otherwise_is_no_second_person() {
    let mut place = Place::new();
    let asker = Spec {
        created_by: "Änne".to_owned(),
        ..spec("orders")
    };
    place.ask(&asker).unwrap();
    for written in ["änne", "ÄNNE", " Änne\t"] {
        let approved = place.by(written, |registry, stamp| {
            registry.approve("orders", None, FourEyes::On, stamp)
        });
        let Err(Error::FourEyes { by, .. }) = approved else {
            panic!("{written} asked for it: {approved:?}");
        };
        assert_eq!(by, written, "a name is shown as it was given");
    }
    let cancelled = place.by("änne", |registry, stamp| {
        registry.cancel("orders", None, stamp)
    });
    let cancelled = cancelled.unwrap();
    assert_eq!(cancelled.spec.created_by, "Änne");
    assert_eq!(cancelled.ended_by.as_deref(), Some("änne"));
}

#[test]
fn a_request_can_be_approved_as_it_is_made_and_four_eyes_still_apply() {
    let mut place = Place::new();
    let mut ask = |by: &str, number| {
        let asked = Asked {
            id: uuid::Uuid::from_u64_pair(0, number),
            wish: &wish(&spec("orders")),
            expires_at: None,
            approved_by: Some(by),
        };
        place.by("alice", |registry, stamp| {
            registry.request(&asked, &Rules::default(), stamp)
        })
    };
    assert!(matches!(ask("alice", 1), Err(Error::OwnApproval { .. })));
    let Requested::New(request) = ask("bob", 2).unwrap() else {
        panic!("the refused one left nothing");
    };
    assert_eq!(request.state, State::Approved);
    assert_eq!(request.decided_by.as_deref(), Some("bob"));
    assert_eq!(ask("bob", 3).unwrap(), Requested::Known(request));
    let history = place.registry.history(Some("orders")).unwrap();
    let actors: Vec<_> = history.iter().map(|event| event.actor.as_deref()).collect();
    assert_eq!(actors, [Some("alice"), Some("bob")]);
}

#[test]
fn what_nobody_decides_in_time_is_rejected_and_may_be_asked_for_again() {
    let mut place = Place::new();
    place.ask_until(&spec("orders"), Some(at(60))).unwrap();
    place.registry.expire(at(59)).unwrap();
    assert_eq!(
        place.registry.state_of("orders").unwrap(),
        Some(State::Pending)
    );
    let bob = actor("bob");
    let late = Stamp {
        actor: &bob,
        at: at(60),
    };
    let approved = place.registry.approve("orders", None, FourEyes::On, late);
    assert!(matches!(
        approved,
        Err(Error::InState {
            state: State::Rejected,
            ..
        })
    ));
    let expired = place.registry.topic("orders").unwrap().unwrap();
    assert_eq!(expired.reason_code, Some(ReasonCode::Expired));
    assert_eq!(expired.ended_by, None);
    let last = place
        .registry
        .history(Some("orders"))
        .unwrap()
        .pop()
        .unwrap();
    assert_eq!((last.action.as_str(), last.actor), ("expire", None));
    assert!(matches!(place.ask(&spec("orders")), Ok(Requested::New(_))));
}

#[test]
fn an_observation_stands_beside_the_state_and_the_history_has_it_when_it_is_another() {
    let mut place = Place::new();
    let request = place.in_state("orders", State::Approved);
    for attempts in [1, 2] {
        let observation = Observation {
            ready: Some(false),
            reason: Some(Reason::ResourceConflict),
            message: Some("partitions 6, not 3".to_owned()),
            attempts,
            next_attempt_at: Some(at(5)),
            observed_at: Some(at(1)),
        };
        place
            .by("reconciler", |registry, stamp| {
                registry.record_observation(&request.id, &observation, stamp)
            })
            .unwrap();
        let seen = place.registry.topic("orders").unwrap().unwrap();
        assert_eq!(
            (seen.state, seen.observation),
            (State::Approved, observation)
        );
    }
    assert_eq!(place.actions("orders"), ["request", "approve", "observe"]);
    let active = place
        .by("reconciler", |registry, stamp| {
            registry.activate(&request.id, true, stamp)
        })
        .unwrap();
    assert_eq!(active.adopted, Some(true));
    assert_eq!(active.observation.ready, Some(true));
    assert_eq!(active.observation.reason, None);
}

#[test]
fn the_first_cluster_is_kept_and_another_refused() {
    let mut place = Place::new();
    for _ in 0..2 {
        place
            .by("reconciler", |registry, stamp| {
                registry.pin_cluster("one", stamp)
            })
            .unwrap();
    }
    let other = place.by("reconciler", |registry, stamp| {
        registry.pin_cluster("two", stamp)
    });
    assert!(matches!(other, Err(Error::OtherCluster { .. })));
    assert_eq!(place.registry.cluster().unwrap().as_deref(), Some("one"));
    assert_eq!(place.registry.history(None).unwrap().len(), 1);
}

#[test]
fn once_a_key_was_made_only_the_newest_opens_and_the_file_does_not_hold_it() {
    let mut place = Place::new();
    place.registry.check_producer_key(None).unwrap();
    let mut make = |random| {
        let key = super::producer_key(&random);
        place
            .by("alice", |registry, stamp| {
                registry.set_producer_key(&key, stamp)
            })
            .unwrap();
        key
    };
    let (old, new) = (make([1; 32]), make([2; 32]));
    let check = |key| place.registry.check_producer_key(key);
    assert!(matches!(check(None), Err(Error::KeyMissing)));
    assert!(matches!(check(Some(&old)), Err(Error::KeyWrong)));
    check(Some(&new)).unwrap();
    for file in std::fs::read_dir(place.folder.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert_eq!(memchr::memmem::find(&bytes, new.as_bytes()), None);
    }
}

#[test]
fn import_takes_in_what_is_new_and_leaves_what_is_known() {
    let mut place = Place::new();
    place.in_state("asked", State::Pending);
    let topics: Vec<Import> = ["asked", "old"]
        .into_iter()
        .enumerate()
        .map(|(number, name)| Import {
            id: uuid::Uuid::from_u64_pair(1, number as u64),
            spec: spec(name),
            violations: vec!["too few partitions".to_owned()],
        })
        .collect();
    let mut import = || {
        place
            .by("carol", |registry, stamp| {
                registry.import(&topics, Approver::default(), stamp)
            })
            .unwrap()
    };
    assert_eq!(import(), [Imported::Known(State::Pending), Imported::New]);
    assert_eq!(
        import(),
        [
            Imported::Known(State::Pending),
            Imported::Known(State::Active)
        ]
    );
    let history = place.registry.history(Some("old")).unwrap();
    assert_eq!(history.len(), 1);
    let violations = &history[0].detail.as_ref().unwrap()["violations"];
    assert_eq!(violations, &serde_json::json!(["too few partitions"]));
}

#[test]
fn subscriptions_are_to_active_topics_and_last_when_the_topic_changes() {
    let mut place = Place::new();
    let add = |place: &mut Place| {
        place.by("alice", |registry, stamp| {
            registry.subscribe("user_1", "orders", stamp)
        })
    };
    assert!(matches!(add(&mut place), Err(Error::NotAsked { .. })));
    place.in_state("orders", State::Pending);
    assert!(matches!(
        add(&mut place),
        Err(Error::NotActive {
            state: State::Pending,
            ..
        })
    ));
    place.activate("orders");
    assert!(add(&mut place).unwrap());
    assert!(!add(&mut place).unwrap());
    let bigger = Spec {
        partitions: 9,
        kind: Some("payment".to_owned()),
        ..spec("orders")
    };
    place.ask(&bigger).unwrap();
    place.activate("orders");
    let list = |place: &Place, user| {
        let all = place.registry.subscriptions(user).unwrap();
        all.into_iter()
            .map(|one| (one.topic, one.state, one.kind))
            .collect::<Vec<_>>()
    };
    let one = (
        "orders".to_owned(),
        State::Active,
        Some("payment".to_owned()),
    );
    for user in [None, Some("user_1")] {
        assert_eq!(list(&place, user), std::slice::from_ref(&one));
    }
    assert_eq!(list(&place, Some("user_2")), []);
    assert_eq!(place.registry.statistics().unwrap().subscriptions, 1);
    let mut remove = || {
        place
            .by("alice", |registry, stamp| {
                registry.unsubscribe("user_1", "orders", stamp)
            })
            .unwrap()
    };
    assert!(remove());
    assert!(!remove());
}

#[test]
fn the_numbers_are_of_what_stands() {
    let mut place = Place::new();
    for state in State::ALL {
        place.in_state(state.name(), state);
    }
    place.ask(&spec("REJECTED")).unwrap();
    let numbers = place.registry.statistics().unwrap();
    assert_eq!(numbers.total, 5);
    assert_eq!((numbers.pending, numbers.rejected), (2, 0));
    let pending = place.registry.requests(Some(State::Pending)).unwrap();
    let names: Vec<_> = pending.iter().map(|request| &request.spec.name).collect();
    assert_eq!(names, ["PENDING", "REJECTED"]);
}

#[test]
fn the_file_itself_refuses_what_would_break_its_rules() {
    let mut place = Place::new();
    place.in_state("orders", State::Active);
    place.in_state("waiting", State::Pending);
    // As somebody with a shell would, without our settings.
    let shell = Connection::open(place.registry.path()).unwrap();
    for (statement, refusal) in [
        ("UPDATE event SET actor = 'bob'", "append-only"),
        ("DELETE FROM event", "append-only"),
        (
            "REPLACE INTO event (seq, at, action) VALUES (1, '', '')",
            "append-only",
        ),
        ("DELETE FROM request", "not deleted"),
        ("REPLACE INTO request SELECT * FROM request", "not replaced"),
        ("UPDATE request SET partitions = 99", "not changed"),
        (
            "UPDATE request SET decided_by = 'bob', decided_at = '' WHERE name = 'orders'",
            "decided once",
        ),
        (
            "UPDATE request SET state = 'ACTIVE' WHERE name = 'waiting'",
            "does not move that way",
        ),
        (
            "UPDATE request SET state = 'PENDING' WHERE name = 'orders'",
            "does not move that way",
        ),
        (
            "UPDATE request SET state = 'APPROVED' WHERE name = 'waiting'",
            "approved",
        ),
        (
            "UPDATE request SET decided_by = created_by, decided_at = '' WHERE name = 'waiting'",
            "four_eyes",
        ),
        (
            "UPDATE request SET decided_by = upper(created_by) || ' ', decided_at = '' WHERE name = 'waiting'",
            "four_eyes",
        ),
        (
            "UPDATE request SET state = 'GONE' WHERE name = 'waiting'",
            "does not move that way",
        ),
        (
            "INSERT INTO request (id, name, state, created_by, partitions, replication, config, requested_at) \
             VALUES ('x', 'x', 'APPROVED', 'eve', 1, 1, '{}', '')",
            "begins as PENDING",
        ),
        (
            "INSERT INTO request (id, name, state, created_by, partitions, replication, config, requested_at) \
             VALUES ('x', 'waiting', 'PENDING', 'eve', 1, 1, '{}', '')",
            "UNIQUE",
        ),
        (
            "INSERT INTO subscription VALUES ('u', 'waiting', '')",
            "ACTIVE topic",
        ),
        (
            "INSERT INTO request (partitions) VALUES ('many')",
            "cannot store TEXT value",
        ),
    ] {
        let error = shell
            .execute_batch(statement)
            .expect_err(statement)
            .to_string();
        assert!(error.contains(refusal), "{statement}: {error}");
    }
}

#[test]
fn printed_times_always_have_milliseconds_so_that_they_sort_as_text() {
    let mut place = Place::new();
    place.ask_until(&spec("orders"), Some(at(60))).unwrap();
    let request = place.activate("orders");
    let observation = Observation {
        next_attempt_at: Some(at(5)),
        observed_at: Some(at(1)),
        ..Observation::default()
    };
    place
        .by("alice", |registry, stamp| {
            registry.record_observation(&request.id, &observation, stamp)?;
            registry.subscribe("user_1", "orders", stamp)?;
            registry.deactivate("orders", "old", stamp)
        })
        .unwrap();
    let request = place.registry.topic("orders").unwrap();
    let json = [
        serde_json::to_value(request).unwrap(),
        serde_json::to_value(&place.registry.history(None).unwrap()[0]).unwrap(),
        serde_json::to_value(&place.registry.subscriptions(None).unwrap()[0]).unwrap(),
    ];
    let mut times = 0;
    for (field, value) in json.iter().flat_map(|json| json.as_object().unwrap()) {
        if field == "at" || field.ends_with("_at") {
            let time = value.as_str().unwrap();
            assert!(time.get(19..) == Some(".000Z"), "{field}: {time}");
            times += 1;
        }
    }
    assert_eq!(times, 9);
    let untold = serde_json::to_value(Observation::default()).unwrap();
    assert_eq!(untold["next_attempt_at"], serde_json::Value::Null);
}

#[test]
fn times_are_read_with_as_many_decimals_as_they_have() {
    let mut place = Place::new();
    place.in_state("orders", State::Active);
    let shell = Connection::open(place.registry.path()).unwrap();
    for (written, millis) in [("", 0), (".5", 500), (".25", 250), (".125", 125)] {
        let update = format!("UPDATE request SET observed_at = '2026-11-20T08:00:00{written}Z'");
        shell.execute_batch(&update).unwrap();
        let request = place.registry.topic("orders").unwrap().unwrap();
        let read = request.observation.observed_at.unwrap();
        assert_eq!(read.subsec_millisecond(), millis);
        let printed = serde_json::to_value(&request).unwrap();
        let expected = format!("2026-11-20T08:00:00.{millis:03}Z");
        assert_eq!(printed["observed_at"], expected);
    }
}
