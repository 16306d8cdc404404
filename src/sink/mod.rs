//! Where records go, when that is not Kafka.

pub mod output;
pub mod failed;
pub mod receipt;
