//! Kafka for shell pipelines: the library under the `kpipe` executable.

pub mod config;
pub mod kafka;
pub mod pipeline;
pub mod record;
pub mod time;
pub mod ui;
