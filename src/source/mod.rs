//! Where records come from, when that is not Kafka.

pub mod lines;
pub mod parsed;
