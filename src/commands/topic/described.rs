//! What a topic's description looks like, to programs and to people.

use std::fmt::Write as _;

use serde_json::Value;

use super::describe::{Description, InKafka};
use crate::ui::sanitize::OneLine;

/// One line of JSON.
pub(super) fn json(description: &Description) -> serde_json::Result<String> {
    let mut line = serde_json::to_string(description)?;
    line.push('\n');
    Ok(line)
}

/// Lines to read.
pub(super) fn text(description: &Description) -> String {
    let mut text = Lines::default();
    let state = description
        .state
        .map_or("not in the registry", |state| state.name());
    text.line(0, "topic", &description.name);
    text.line(0, "state", state);
    if let Some(request) = &description.request {
        text.fields("request", request);
    }
    if let Some(decision) = &description.decision {
        text.fields("decision", decision);
    }
    match &description.kafka {
        Some(kafka) => text.kafka(kafka),
        None => text.line(0, "kafka", "does not have it"),
    }
    match description.drift.as_deref() {
        None => {}
        Some([]) => text.line(0, "drift", "none"),
        Some(differences) => {
            text.title("drift");
            for difference in differences {
                let safe = if difference.safe { "safe" } else { "not safe" };
                text.line(1, safe, &difference.to_string());
            }
        }
    }
    text.0
}

#[derive(Default)]
struct Lines(String);

impl Lines {
    fn title(&mut self, title: &str) {
        // A String takes all that is written to it.
        let _ = writeln!(self.0, "{title}");
    }

    fn line(&mut self, indent: usize, label: &str, value: &str) {
        let (space, width) = ("  ".repeat(indent), 16 - 2 * indent);
        let (label, value) = (OneLine(label).to_string(), OneLine(value));
        let _ = writeln!(self.0, "{space}{label:<width$} {value}");
    }

    /// The fields of an object that are there, and theirs.
    fn fields(&mut self, title: &str, object: &Value) {
        self.title(title);
        self.inner(1, object);
    }

    fn inner(&mut self, indent: usize, object: &Value) {
        for (key, value) in object.as_object().into_iter().flatten() {
            match value {
                Value::Null => {}
                Value::Object(fields) if fields.is_empty() => {}
                Value::Object(_) => {
                    let _ = writeln!(self.0, "{}{key}", "  ".repeat(indent));
                    self.inner(indent + 1, value);
                }
                Value::String(value) => self.line(indent, key, value),
                other => self.line(indent, key, &other.to_string()),
            }
        }
    }

    fn kafka(&mut self, kafka: &InKafka) {
        self.title("kafka");
        self.line(1, "cluster", &kafka.cluster_id);
        self.line(1, "replication", &kafka.replication.to_string());
        self.line(1, "records", &kafka.records.to_string());
        for (key, value) in kafka.config.iter().flatten() {
            self.line(1, key, value.as_deref().unwrap_or("(hidden)"));
        }
        let _ = writeln!(
            self.0,
            "  {:>9} {:>6} {:>12} {:>12}  replicas",
            "partition", "leader", "from", "to"
        );
        for one in &kafka.partitions {
            let number = |number: Option<i64>| number.map_or("-".to_owned(), |one| one.to_string());
            let replicas = one.replicas.iter().map(|id| {
                let mark = if one.in_sync.contains(id) {
                    ""
                } else {
                    " (behind)"
                };
                format!("{id}{mark}")
            });
            let replicas: Vec<String> = replicas.collect();
            let _ = writeln!(
                self.0,
                "  {:>9} {:>6} {:>12} {:>12}  {}",
                one.partition,
                number(one.leader.map(i64::from)),
                number(one.low),
                number(one.high),
                replicas.join(", ")
            );
        }
    }
}
