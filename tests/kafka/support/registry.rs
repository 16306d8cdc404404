//! A registry of a test's own, in which alice asks and bob approves.

use std::fmt::Write as _;
use std::path::PathBuf;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::executable::{Kpipe, Running, kpipe};
use super::java::java;

/// A registry in a folder of its own.
pub(crate) struct Registry(TempDir);

impl Registry {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// The file.
    pub(crate) fn path(&self) -> PathBuf {
        self.0.path().join("registry.db")
    }

    /// `kpipe` with these arguments, on this registry.
    pub(crate) fn kpipe(&self, arguments: &[&str]) -> Kpipe {
        self.own(kpipe(arguments))
    }

    /// The same run, on this registry.
    pub(crate) fn own(&self, run: Kpipe) -> Kpipe {
        run.env("KPIPE_REGISTRY", self.path())
            .env("KPIPE_ACTOR", "carol")
    }

    /// What alice asks for and bob approves.
    pub(crate) fn approve(&self, requests: &[Value]) {
        let mut lines = String::new();
        for request in requests {
            writeln!(lines, "{request}").unwrap();
        }
        let request = self.kpipe(&["topic", "request", "-", "--by", "alice", "-q"]);
        let asked = request.input(lines).run().ok();
        let approve = self.kpipe(&["topic", "approve", "-", "--by", "bob", "-q"]);
        approve.input(asked.stdout).run().ok();
    }

    /// Starts the daemon, looking often.
    pub(crate) fn watch(&self) -> Running {
        self.kpipe(&["topic", "reconcile", "--watch=100ms"]).start()
    }

    /// What one pass prints; it ends with this status.
    #[track_caller]
    pub(crate) fn reconcile(&self, status: i32) -> Vec<Value> {
        let pass = self.kpipe(&["topic", "reconcile"]).run();
        pass.exits(status).lines()
    }

    /// The rows of the plan; it ends with this status.
    #[track_caller]
    pub(crate) fn plan(&self, status: i32) -> Vec<Value> {
        let plan = self.kpipe(&["topic", "plan"]).run();
        plan.exits(status).lines()
    }

    pub(crate) fn describe(&self, topic: &str) -> Value {
        let described = self.kpipe(&["topic", "describe", topic]).run().ok();
        described.lines().remove(0)
    }

    /// The state of a topic, and what the registry remembers of Kafka's view of it.
    pub(crate) fn standing(&self, topic: &str) -> Value {
        let described = self.describe(topic);
        let request = &described["request"];
        json!([described["state"], request["ready"], request["reason"]])
    }
}

/// What Kafka's own tool says of a topic.
pub(crate) fn described_by_kafka(topic: &str) -> String {
    java(
        "org.apache.kafka.tools.TopicCommand",
        &["--describe", "--topic", topic],
        "",
    )
}
