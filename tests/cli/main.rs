//! The executable against the built-in broker: hermetic, in milliseconds, without Kafka.
//!
//! One binary for all commands, because each test binary links librdkafka anew.
#![allow(
    clippy::format_collect,
    clippy::format_push_string,
    reason = "inputs are small, and the shortest way to say them is best"
)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod approved;
mod broker;
mod completions;
mod config;
mod dependencies;
mod dlq;
mod documented;
mod examples;
mod expect;
mod generate;
mod generate_active;
mod generate_spec;
mod generate_verify;
mod generated;
mod group;
mod handle;
mod help;
mod layering;
mod ping;
mod round_trip;
mod send;
mod send_accounts;
mod send_input;
mod send_rules;
mod send_trace;
mod stats;
mod store;
mod subscription;
mod support;
mod tail;
mod tail_group;
mod terminal;
mod topic;
mod topic_file;
mod topic_policy;
mod topic_races;
mod topic_reconcile;
mod trace_find;
mod trace_mark;
mod unreachable;
mod usage;
mod wait;
