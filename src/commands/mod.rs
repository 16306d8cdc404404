//! The commands: one file each, with its arguments, whose docs are its help, and `run`.

pub mod broker;
pub mod config;
pub mod help;
pub mod send;
pub mod tail;
