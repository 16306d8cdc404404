//! What only real Kafka shows, through the real executable: `ci/kafka --secure cargo test --features real-kafka --test kafka`.

mod following;
mod groups;
mod limits;
mod removed;
mod round_trip;
mod security;
mod support;
mod times;
mod traces;
mod transactions;
