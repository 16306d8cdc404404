//! Kafka's own command-line tools. A second each, so rarely.

use std::io::Write;
use std::process::{Command, Stdio};

use super::told;

/// Runs a tool by its class and returns what it printed.
pub(crate) fn java(class: &str, arguments: &[&str], input: &str) -> String {
    let mut child = Command::new("java")
        .args(["-XX:TieredStopAtLevel=1", "-XX:-UsePerfData", "-cp"])
        .arg(told("KAFKA_CLASSPATH"))
        .arg(class)
        .args(["--bootstrap-server", &told("KAFKA_BROKERS")])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{class}: {printed}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    printed
}
