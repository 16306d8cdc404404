//! Kafka for shell pipelines: the library under the `kpipe` executable.

pub mod config;
pub mod error;
pub mod exit;
pub mod kafka;
pub mod pipeline;
pub mod record;
pub mod sink;
pub mod source;
pub mod stop;
pub mod time;
pub mod ui;
