//! The kinds of a chat application: nothing happens to what is not there.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::super::testing::payloads;
use super::{count, number, share, text};
use crate::generate::Event;

const COUNT: usize = 100_000;

fn events(kind: &str) -> impl Iterator<Item = (Event, Value)> {
    payloads(kind, 1, COUNT)
}

#[test]
fn nothing_happens_to_an_account_before_it_is_created_or_after_it_is_deleted() {
    let mut versions: BTreeMap<String, (u64, bool)> = BTreeMap::new();
    let (mut names, mut deleted, mut banned) = (BTreeSet::new(), BTreeSet::new(), 0);
    for (event, payload) in events("user") {
        let id = text(&payload, "user_id").to_owned();
        assert_eq!(event.key, id);
        assert!(!deleted.contains(&id), "{payload}");
        let version = count(&payload, "version");
        if event.name == Some("USER_CREATED") {
            assert!(versions.insert(id, (1, false)).is_none(), "{payload}");
            assert!(
                names.insert(text(&payload, "username").to_owned()),
                "{payload}"
            );
            assert!(text(&payload, "email").starts_with(text(&payload, "username")));
            continue;
        }
        let (last, is_banned) = versions.get_mut(&id).expect("an account that was created");
        assert_eq!(version, *last + 1, "{payload}");
        *last = version;
        let is_deletion = event.name == Some("USER_DELETED");
        assert!(!*is_banned || is_deletion, "{payload}");
        if is_deletion {
            assert_eq!(*is_banned, payload["reason"] == "BANNED", "{payload}");
            deleted.insert(id);
        }
        if event.name == Some("USER_BANNED") {
            *is_banned = true;
            banned += 1;
        }
    }
    assert!(
        banned > 1000 && deleted.len() > 3000,
        "{banned} {}",
        deleted.len()
    );
}

#[test]
fn only_what_was_sent_is_answered_edited_deleted_and_reacted_to() {
    let mut messages: BTreeMap<String, (String, String, u64)> = BTreeMap::new();
    let mut reactions = BTreeSet::new();
    let mut answers = 0;
    let mut authors: BTreeMap<(String, String), usize> = BTreeMap::new();
    for (event, payload) in events("message") {
        let id = text(&payload, "message_id").to_owned();
        let channel = text(&payload, "channel_id").to_owned();
        let user = text(&payload, "user_id").to_owned();
        assert_eq!(event.key, channel);
        if event.name == Some("MESSAGE_SENT") {
            if let Some(answered) = payload["reply_to"].as_str() {
                answers += 1;
                assert_eq!(messages[answered].0, channel, "{payload}");
            }
            *authors.entry((channel.clone(), user.clone())).or_default() += 1;
            assert!(
                messages.insert(id, (channel, user, 0)).is_none(),
                "{payload}"
            );
            continue;
        }
        let (of_channel, author, edits) = messages.get_mut(&id).expect("a message that was sent");
        assert_eq!(*of_channel, channel, "{payload}");
        match event.name.unwrap() {
            "MESSAGE_EDITED" => {
                assert_eq!(*author, user, "{payload}");
                *edits += 1;
                assert_eq!(count(&payload, "edit"), *edits, "{payload}");
            }
            "REACTION_ADDED" => {
                let reaction = (id, user, text(&payload, "reaction").to_owned());
                assert!(reactions.insert(reaction), "{payload}");
            }
            _ => {
                assert_eq!(*author == user, payload["by"] == "AUTHOR", "{payload}");
                messages.remove(&id);
            }
        }
    }
    assert!(answers > 10_000, "{answers}");
    let of_channel = authors
        .iter()
        .filter(|((channel, _), _)| channel == "channel_0");
    let mut counts: Vec<usize> = of_channel.map(|(_, count)| *count).collect();
    counts.sort_unstable();
    let all: usize = counts.iter().sum();
    // Zipf: of twelve members one writes a third.
    assert!(
        (0.25..0.5).contains(&share(counts[counts.len() - 1], all)),
        "{counts:?}"
    );
}

#[test]
fn pauses_in_a_conversation_are_log_normal() {
    let mut last: BTreeMap<u64, i64> = BTreeMap::new();
    let mut pauses = Vec::new();
    for (event, _) in events("message") {
        if let Some(last) = last.insert(event.entity, event.at.micros()) {
            pauses.push(std::time::Duration::from_micros(
                (event.at.micros() - last).unsigned_abs(),
            ));
        }
    }
    let logarithms: Vec<f64> = pauses
        .iter()
        .map(|pause| pause.as_secs_f64().ln())
        .collect();
    let count = f64::from(u32::try_from(logarithms.len()).unwrap());
    let mean = logarithms.iter().sum::<f64>() / count;
    let variance = logarithms
        .iter()
        .map(|each| (each - mean).powi(2))
        .sum::<f64>()
        / count;
    assert!((mean.exp() - 20.0).abs() < 0.6, "{}", mean.exp());
    assert!((variance.sqrt() - 1.5).abs() < 0.03, "{variance}");
}

#[test]
fn nobody_goes_offline_or_types_who_is_not_online() {
    let mut online: BTreeMap<String, (String, String, i64)> = BTreeMap::new();
    for (event, payload) in events("presence") {
        let user = text(&payload, "user_id").to_owned();
        let session = text(&payload, "session_id").to_owned();
        assert_eq!(event.key, user);
        if event.name == Some("USER_ONLINE") {
            let now = (session, "ACTIVE".to_owned(), event.at.micros());
            assert!(online.insert(user, now).is_none(), "{payload}");
            continue;
        }
        let (of_session, mood, since) = online.get_mut(&user).expect("a user who is online");
        assert_eq!(*of_session, session, "{payload}");
        match event.name.unwrap() {
            "USER_OFFLINE" => {
                let seconds = (event.at.micros() - *since) / 1_000_000;
                assert_eq!(payload["duration_seconds"], seconds, "{payload}");
                online.remove(&user);
            }
            "USER_TYPING" => assert_eq!(mood, "ACTIVE", "{payload}"),
            _ => {
                assert_eq!(payload["previous"], mood.as_str(), "{payload}");
                assert_ne!(payload["status"], payload["previous"], "{payload}");
                text(&payload, "status").clone_into(mood);
            }
        }
    }
}

#[test]
fn only_who_joined_leaves_and_a_call_ends_when_it_is_empty() {
    let mut calls: BTreeMap<String, (String, BTreeSet<String>, u64, u64)> = BTreeMap::new();
    let (mut ended, mut joined) = (BTreeSet::new(), 0);
    for (event, payload) in events("call") {
        let id = text(&payload, "call_id").to_owned();
        assert_eq!(event.key, text(&payload, "channel_id"));
        assert!(!ended.contains(&id), "{payload}");
        if event.name == Some("CALL_STARTED") {
            let initiator = text(&payload, "initiator").to_owned();
            let call = (initiator, BTreeSet::new(), 0, 0);
            assert!(calls.insert(id, call).is_none(), "{payload}");
            continue;
        }
        let (initiator, present, in_all, peak) = calls.get_mut(&id).expect("a call that started");
        match event.name.unwrap() {
            "PARTICIPANT_JOINED" => {
                let user = text(&payload, "user_id").to_owned();
                assert!(*in_all > 0 || user == *initiator, "{payload}");
                assert!(present.insert(user), "{payload}");
                *in_all += 1;
                *peak = (*peak).max(present.len() as u64);
                assert_eq!(count(&payload, "participants"), present.len() as u64);
                joined += 1;
            }
            "PARTICIPANT_LEFT" => {
                assert!(present.remove(text(&payload, "user_id")), "{payload}");
                assert_eq!(count(&payload, "participants"), present.len() as u64);
            }
            _ => {
                assert!(present.is_empty(), "{payload}");
                assert_eq!(count(&payload, "joined"), *in_all, "{payload}");
                assert_eq!(count(&payload, "peak_participants"), *peak, "{payload}");
                ended.insert(id);
            }
        }
    }
    let mean = share(joined, calls.len());
    assert!((2.5..6.0).contains(&mean), "{mean}");
}

#[test]
fn what_is_refused_or_exported_belongs_to_a_session_that_was_begun() {
    let mut sessions: BTreeMap<String, String> = BTreeMap::new();
    let mut failures: BTreeMap<String, u64> = BTreeMap::new();
    let (mut ids, mut locked, mut failed, mut logins) = (BTreeSet::new(), 0, 0, 0);
    for (event, payload) in events("audit") {
        let actor = text(&payload, "actor").to_owned();
        assert_eq!(event.key, actor);
        assert!(
            ids.insert(text(&payload, "event_id").to_owned()),
            "{payload}"
        );
        match event.name.unwrap() {
            "LOGIN_SUCCESS" => {
                failures.remove(&actor);
                sessions.insert(actor, text(&payload, "session_id").to_owned());
                logins += 1;
            }
            "LOGIN_FAILED" => {
                let attempt = failures.entry(actor).or_default();
                *attempt += 1;
                failed += 1;
                assert_eq!(count(&payload, "attempt"), *attempt, "{payload}");
                assert_eq!(
                    *attempt == 5,
                    payload["reason"] == "ACCOUNT_LOCKED",
                    "{payload}"
                );
                if *attempt == 5 {
                    locked += 1;
                    *attempt = 0;
                }
            }
            _ => assert_eq!(sessions[&actor], text(&payload, "session_id"), "{payload}"),
        }
    }
    let wrong = share(failed, failed + logins);
    assert!((0.12..0.3).contains(&wrong), "{wrong}");
    assert!(locked > 100, "{locked}");
}

#[test]
fn a_visit_goes_from_page_to_page() {
    let mut visits: BTreeMap<String, (String, u64)> = BTreeMap::new();
    let mut over = BTreeSet::new();
    let mut paints = Vec::new();
    for (event, payload) in events("analytics") {
        let session = text(&payload, "session_id").to_owned();
        let path = text(&payload, "path").to_owned();
        assert_eq!(event.key, text(&payload, "user_id"));
        assert!(!over.contains(&session), "{payload}");
        let views = event.name == Some("PAGE_VIEW");
        let sequence = count(&payload, "sequence");
        match visits.get(&session) {
            None => assert!(
                views && sequence == 1 && payload["referrer"].is_null(),
                "{payload}"
            ),
            Some((page, last)) => {
                assert_eq!(sequence, last + 1, "{payload}");
                let page_before = if views {
                    &payload["referrer"]
                } else {
                    &payload["path"]
                };
                assert_eq!(page_before, page.as_str(), "{payload}");
            }
        }
        if payload["fatal"] == true {
            over.insert(session.clone());
        }
        if payload["metric"] == "LARGEST_CONTENTFUL_PAINT" {
            paints.push(number(&payload, "value"));
        }
        visits.insert(session, (path, sequence));
    }
    paints.sort_unstable_by(f64::total_cmp);
    let median = paints[paints.len() / 2];
    assert!((1350.0..1450.0).contains(&median), "{median}");
}

#[test]
fn a_subject_is_created_first_and_deleted_last() {
    let mut subjects: BTreeMap<String, (u64, bool)> = BTreeMap::new();
    for (event, payload) in events("event") {
        let id = text(&payload, "subject_id").to_owned();
        assert_eq!(event.key, id);
        let version = count(&payload, "version");
        let (last, is_gone) = subjects.entry(id).or_default();
        assert!(!*is_gone, "{payload}");
        assert_eq!(version, *last + 1, "{payload}");
        assert_eq!(version == 1, payload["event"] == "CREATED", "{payload}");
        *last = version;
        *is_gone = payload["event"] == "DELETED";
    }
    // Each service has one that still lives, at most; about one event in eight is the last.
    let living = subjects.values().filter(|(_, is_gone)| !is_gone).count();
    assert!(living <= 20, "{living}");
    let mean = share(COUNT, subjects.len());
    assert!((7.0..8.5).contains(&mean), "{mean}");
}
