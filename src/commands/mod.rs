//! The commands: one file each, with its arguments, whose docs are its help, and `run`.

pub(crate) mod broker;
pub(crate) mod config;
pub(crate) mod handle;
pub(crate) mod help;
pub(crate) mod selection;
pub(crate) mod send;
pub(crate) mod tail;
