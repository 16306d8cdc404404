//! The only module that speaks to Kafka.

pub mod offset_spec;
