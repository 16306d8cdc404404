//! What goes wrong in production, done on purpose to real Kafka and to the real executable:
//! `ci/kafka cargo test --features real-kafka --test faults -- --test-threads=1`.
//!
//! Each test proves that its fault happened, and runs alone because it may break the broker.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(
    clippy::similar_names,
    clippy::type_complexity,
    clippy::format_collect,
    clippy::format_push_string
)]

mod cluster;
mod dead_letters;
mod frozen_broker;
mod generate;
mod handle;
mod killed_send;
mod late_broker;
mod lost_broker;
mod numbered;
mod process_1;
mod reader;
mod reconcile;
mod stats;
mod store;
mod tail;
mod unreachable;

#[path = "../kafka/support/mod.rs"]
mod support;
