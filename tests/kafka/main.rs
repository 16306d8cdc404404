//! What only real Kafka shows, through the real executable: `ci/kafka --secure cargo test --features real-kafka --test kafka`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(
    clippy::similar_names,
    clippy::type_complexity,
    clippy::format_collect,
    clippy::format_push_string
)]

mod advertised;
mod dead_letters;
mod following;
mod generate;
mod groups;
mod groups_admin;
mod handle;
mod limits;
mod removed;
mod round_trip;
mod security;
mod stages;
mod stats;
mod store;
mod subscriptions;
mod support;
mod times;
mod topics;
mod topics_drift;
mod trace;
mod traces;
mod transactions;
mod verbs;
