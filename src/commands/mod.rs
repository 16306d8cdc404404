//! The commands: one file each, with its arguments, whose docs are its help, and `run`.

pub(crate) mod broker;
pub(crate) mod complete;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod confirmation;
pub(crate) mod dlq;
pub(crate) mod expect;
pub(crate) mod generate;
pub(crate) mod group;
pub(crate) mod handle;
pub(crate) mod help;
pub(crate) mod man;
pub(crate) mod ping;
pub(crate) mod registry;
pub(crate) mod selection;
pub(crate) mod send;
pub(crate) mod stats;
pub(crate) mod store;
pub(crate) mod subscription;
pub(crate) mod tail;
pub(crate) mod topic;
pub(crate) mod trace;
pub(crate) mod tracing;
pub(crate) mod wait;
