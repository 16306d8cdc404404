//! The examples do what they say, on the executable that is tested.

use std::process::Command;

use crate::support::Place;
use crate::wait::late;

/// Runs an example as README tells people to; it fails if its own checks do.
#[track_caller]
fn passes(mut command: Command) {
    command.env_remove("KAFKA_BROKERS");
    passes_at_brokers(command);
}

#[track_caller]
fn passes_at_brokers(mut command: Command) {
    let home = tempfile::tempdir().unwrap();
    let output = command
        .env_remove("KAFKA_CLASSPATH")
        .env_remove("KPIPE_BROKERS")
        .env("KPIPE", env!("CARGO_BIN_EXE_kpipe"))
        .env("HOME", home.path())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}\n{}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

fn example(name: &str) -> Command {
    Command::new(format!("{}/examples/{name}", env!("CARGO_MANIFEST_DIR")))
}

#[test]
fn the_tour_runs_on_the_built_in_broker() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kpipe"));
    command
        .args(["broker", "--topic", "orders", "--topic", "copy", "--"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/tour.sh"));
    passes(command);
}

#[test]
fn a_topic_is_approved_and_read_by_its_subscriber() {
    passes(example("approval.sh"));
}

#[test]
fn records_are_copied_between_clusters() {
    passes(example("copy-between-clusters.sh"));
}

#[test]
fn what_was_generated_arrives() {
    passes(example("generate.sh"));
}

#[test]
fn failed_lines_are_recovered() {
    passes(example("recover-failed.sh"));
}

#[test]
fn a_script_is_smoke_tested() {
    passes(example("smoke-test.sh"));
}

#[test]
fn a_program_is_tested_with_the_verbs_for_ci() {
    passes(example("ci-smoke.sh"));
}

#[test]
fn what_comes_late_is_waited_for_and_what_never_comes_is_told() {
    passes(example("late.sh"));
}

#[test]
fn a_message_comes_from_the_gateway_to_the_browser_through_all_its_stages() {
    passes(example("data-flow/run.sh"));
}

#[test]
fn members_come_and_go_and_are_killed_and_no_order_is_lost() {
    passes(example("platform/run.sh"));
}

#[test]
fn a_broker_that_comes_up_late_is_waited_for_in_a_script() {
    let place = Place::with(&["unused"]);
    let (address, is_forwarding) = late(place.brokers(), 5);
    let mut command = example("late.sh");
    command.env("KAFKA_BROKERS", &address);
    passes_at_brokers(command);
    is_forwarding.try_recv().unwrap();
}

#[test]
fn every_example_is_run_here() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");
    let mut scripts: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.rsplit('.').next() == Some("sh"))
        .collect();
    scripts.sort();
    assert_eq!(
        scripts,
        [
            "approval.sh",
            "ci-smoke.sh",
            "copy-between-clusters.sh",
            "generate.sh",
            "late.sh",
            "recover-failed.sh",
            "smoke-test.sh",
            "tour.sh"
        ]
    );
}
