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

/// In the words of the README.
#[test]
fn the_tour_runs_as_shown() {
    let readme = include_str!("../../README.md");
    let shown = readme
        .lines()
        .find_map(|line| line.strip_prefix("cargo run --release -- "))
        .unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_kpipe"));
    command
        .args(shown.split(' '))
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    passes(command);
}

#[test]
fn the_tour_runs_on_the_built_in_broker() {
    passes(example("tour.sh"));
}

#[test]
fn topics_are_approved_filled_and_read_and_recover_from_failures() {
    passes(example("approval/run.sh"));
}

#[test]
fn topics_from_a_file_are_made_once_in_ci() {
    passes(example("approval/ci.sh"));
}

#[test]
fn food_orders_are_handled_projected_and_compensated() {
    passes(example("orders/run.sh"));
}

#[test]
fn records_are_copied_between_clusters() {
    passes(example("recipes/copy-between-clusters.sh"));
}

#[test]
fn what_was_generated_arrives() {
    passes(example("recipes/generate-and-verify.sh"));
}

#[test]
fn failed_lines_are_recovered() {
    passes(example("recipes/recover-failed.sh"));
}

#[test]
fn a_program_is_tested_with_the_verbs_for_ci() {
    passes(example("ci-smoke/run.sh"));
}

#[test]
fn what_comes_late_is_waited_for_and_what_never_comes_is_told() {
    passes(example("ci-smoke/late.sh"));
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
    let mut command = example("ci-smoke/late.sh");
    command.env("KAFKA_BROKERS", &address);
    passes_at_brokers(command);
    is_forwarding.try_recv().unwrap();
}

#[test]
fn a_chat_has_badges_aggregates_alerts_and_messages_made_of_events() {
    passes(example("chat/run.sh"));
}

#[test]
fn a_crontab_prints_nothing_when_all_is_well_and_why_when_it_is_not() {
    passes(example("cron/run.sh"));
}

#[test]
fn a_request_is_made_per_record() {
    passes(example("recipes/curl-per-record.sh"));
}

#[test]
fn the_latest_value_of_each_key_is_kept() {
    passes(example("recipes/latest-value-per-key.sh"));
}

/// Where there is no `PostgreSQL` it says that it is skipped.
#[test]
fn records_are_loaded_into_postgresql() {
    passes(example("recipes/psql-every-500.sh"));
}

#[test]
fn dead_letters_are_driven_back() {
    passes(example("recipes/redrive.sh"));
}

#[test]
fn one_key_in_a_hundred_is_sampled() {
    passes(example("recipes/sample-one-percent.sh"));
}

/// Every script that can be started by itself; others are what these give to kpipe.
#[test]
fn every_example_is_run_here() {
    let examples = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/examples"));
    let mut folders = vec![examples.to_owned()];
    let mut scripts = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            if !text.contains("/setting.sh\"\n") {
                continue;
            }
            scripts += 1;
            let name = path.strip_prefix(examples).unwrap().to_str().unwrap();
            assert!(
                include_str!("examples.rs").contains(&format!("\"{name}\"")),
                "no test runs examples/{name}"
            );
        }
    }
    assert!(scripts > 5);
}

/// It is run as cron does by the example; here it is the same.
#[test]
fn the_crontab_of_the_page_about_cron_is_of_the_example() {
    let fields = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let example = include_str!("../../examples/cron/crontab");
    let example: Vec<String> = example.lines().map(fields).collect();
    let page = include_str!("../../docs/cron.md");
    let (_, shown) = page.split_once("\n```sh\n").unwrap();
    let (shown, _) = shown.split_once("\n```\n").unwrap();
    let shown = shown.lines().filter(|line| !line.starts_with('#'));
    let shown: Vec<String> = shown.map(fields).collect();
    assert!(shown.len() > 4, "{shown:?}");
    for line in shown {
        assert!(example.contains(&line), "{line}");
    }
}
