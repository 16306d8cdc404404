//! What a handler finds: its input, and the place of its record in the environment.

use super::{Form, Item};
use crate::record::{self, PayloadMode};

/// A key is no longer than this in a handler's environment, in bytes.
const LONGEST_KEY: usize = 4096;

/// Where these are, in a few words.
pub(super) fn place(items: &[Item]) -> String {
    match items {
        [] => String::new(),
        [item] => item.place().to_string(),
        [first, rest @ ..] => format!("{} and {} more", first.place(), rest.len()),
    }
}

/// What a handler of `items` reads.
pub(super) fn input(items: &[Item], form: Form) -> Vec<u8> {
    let mut input = Vec::new();
    let mut room = Vec::new();
    for item in items {
        let mut headers = std::mem::take(&mut room);
        let record = item.record(&mut headers);
        match form {
            Form::Lines => record::encode(&record, PayloadMode::Auto, &mut input),
            Form::Values => {
                input.extend_from_slice(record.value.unwrap_or_default());
                if items.len() > 1 {
                    input.push(b'\n');
                }
            }
        }
    }
    input
}

/// What a handler of one record finds in its environment.
pub(super) fn variables(items: &[Item]) -> Vec<(&'static str, Vec<u8>)> {
    let [item] = items else {
        return Vec::new();
    };
    let mut room = Vec::new();
    let record = item.record(&mut room);
    let mut variables = vec![
        ("KAFKA_TOPIC", record.topic.as_bytes().to_vec()),
        ("KAFKA_PARTITION", record.partition.to_string().into_bytes()),
        ("KAFKA_OFFSET", record.offset.to_string().into_bytes()),
        (
            "KAFKA_TOMBSTONE",
            record.value.is_none().to_string().into_bytes(),
        ),
    ];
    if let Some(timestamp) = record.timestamp {
        let millis = timestamp.millis.to_string().into_bytes();
        variables.push(("KAFKA_TIMESTAMP", millis));
    }
    let fits =
        |key: &&[u8]| key.len() <= LONGEST_KEY && !key.contains(&0) && str::from_utf8(key).is_ok();
    if let Some(key) = record.key.filter(fits) {
        variables.push(("KAFKA_KEY", key.to_vec()));
    }
    variables
}
