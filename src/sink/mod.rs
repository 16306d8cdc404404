//! Where records go, when that is not Kafka.

pub mod failed;
pub mod output;
pub mod receipt;
pub mod stages;
pub mod whole;
pub mod witness;
