//! The command lines that help, README and `docs/` show do what they can on the built-in broker.
//!
//! `src/documented.rs` parses every one of them; here bash runs them, in a home that has the files and
//! around programs that do nothing. What a line comes to depends on what is there, so any status will do
//! but those of a wrong line: 2, a crash, a program that is not there. A line that goes on for ever
//! is interrupted.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Mutex;
use std::thread;

use crate::support::Place;

/// Programs that the examples run and that are not ours: each reads its input and is content.
const PROGRAMS: [&str; 15] = [
    "./charge.sh",
    "./load.sh",
    "./my-test.sh",
    "./smoke-test.sh",
    "./store",
    "./test.sh",
    "./to-browsers",
    "curl",
    "less",
    "mail",
    "notify",
    "pass",
    "psql",
    "python3",
    "sqlite3",
];

/// Lines that cannot be run here, and why.
const LEFT_OUT: [(&str, &str); 3] = [
    (
        "kpipe -b kafka:9093 -X security.protocol=ssl -X ssl.ca.location=ca.pem tail orders -e",
        "a certificate; `tests/kafka/security.rs` has one",
    ),
    (
        "kpipe topic reconcile --watch=30s --producer-key-file /run/secrets/kpipe",
        "a secret of the system",
    ),
    (
        "kpipe tail payments -e | kpipe generate verify made.json",
        "the line before it makes made.json, and lines run side by side",
    ),
];

/// What a right line may be told with status 2 here.
const ANSWERS: [&str; 3] = [
    // Only a real one does that: `tests/kafka` has those.
    "not on the built-in broker",
    // There is no terminal.
    "there is nobody to ask",
    // No message has that id here.
    "say which topics to search",
];

/// Each line once, without what is said beside it.
fn lines() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut lines = BTreeSet::new();
    for page in fs::read_dir(root.join("man")).unwrap() {
        let page = page.unwrap().file_name().into_string().unwrap();
        let command = page.trim_end_matches(".1").replace('-', " ");
        let words: Vec<&str> = command.split(' ').skip(1).chain(["--help"]).collect();
        let help = Place::at("127.0.0.1:1")
            .kpipe(&words)
            .env("COLUMNS", "400")
            .run()
            .ends(0)
            .out();
        let examples = help.lines().skip_while(|line| *line != "Examples:");
        let examples = examples.skip(1).take_while(|line| line.starts_with("  "));
        lines.extend(examples.filter_map(whole));
    }
    let docs = fs::read_dir(root.join("docs")).unwrap();
    let pages = docs.map(|page| page.unwrap().path());
    for page in pages.chain([root.join("README.md")]) {
        let text = fs::read_to_string(page).unwrap();
        // Every second part is between fences.
        for block in text.split("\n```").skip(1).step_by(2) {
            if let Some(script) = block.strip_prefix("sh\n") {
                lines.extend(script.lines().filter_map(whole));
            }
        }
    }
    lines
}

/// A line that is a command of kpipe by itself.
fn whole(line: &str) -> Option<String> {
    let line = line.trim().split("  ").next().unwrap_or_default();
    let line = line.split(" #").next().unwrap_or_default();
    // What stays behind in the background would stay behind the test.
    let line = line.trim().trim_end_matches('&').trim_end();
    let alone = line.starts_with("kpipe ")
        && !line.ends_with(['\\', '|', '{'])
        && !line.ends_with(" in")
        && !line.contains(['…', '%']);
    alone.then(|| line.to_owned())
}

/// A home in which the examples find what they name.
fn furnished() -> Place {
    let place = Place::with(&[
        "orders",
        "invoices",
        "payments",
        "dlq.orders",
        "copy",
        "in",
        "out",
        "kpipe.stages",
    ]);
    place.active(&["orders", "invoices", "payments"]);
    let line = r#"{"topic":"orders","key":"u-17","value":{"id":7,"total":120},"headers":[]}"#;
    for file in ["day.jsonl", "left.jsonl", "failed.jsonl", "stages.jsonl"] {
        place.write(file, format!("{line}\n"));
    }
    place
        .write("values", "{\"id\":7,\"user\":\"u-17\"}\n")
        .write("values.txt", "{\"id\":7,\"user\":\"u-17\"}\n")
        .write("want.json", "{\"id\":7}")
        .write("life.toml", "stages = [\"PERSISTED\"]\n")
        .write(
            "kcat.conf",
            format!("bootstrap.servers={}\n", place.brokers()),
        )
        .write(
            "client.properties",
            format!("bootstrap.servers={}\n", place.brokers()),
        )
        .write(
            "parcel.toml",
            include_str!("../../examples/recipes/parcel.toml"),
        )
        .write(
            "config/kpipe/config.toml",
            ["prod", "dev"]
                .map(|name| format!("[profiles.{name}]\nbrokers = '{}'\n", place.brokers()))
                .concat(),
        );
    for file in ["created.sql", "latest.sql", "new.sql", "new-model.sql"] {
        let model = "CREATE TABLE IF NOT EXISTS latest (key TEXT PRIMARY KEY, value TEXT) STRICT;\n\
                     INSERT OR REPLACE INTO latest VALUES (:key, :value);\n";
        place.write(file, model);
    }
    for program in PROGRAMS {
        let path = program
            .strip_prefix("./")
            .map_or(format!("bin/{program}"), str::to_owned);
        place.write(&path, "#!/bin/sh\ncat > /dev/null\n");
        fs::set_permissions(place.path(&path), fs::Permissions::from_mode(0o755)).unwrap();
    }
    place
}

/// How a line is run: what goes on for ever is interrupted.
const RUN: &str = r#"PATH="$HOME/bin:$PATH" exec timeout --signal INT --kill-after 60 2 \
    bash -o pipefail -c "$LINE""#;

#[test]
fn what_is_shown_runs() {
    let place = furnished();
    let lines: Vec<String> = lines().into_iter().collect();
    assert!(lines.len() > 150, "only {} lines were found", lines.len());
    for (line, why) in LEFT_OUT {
        assert!(
            lines.iter().any(|shown| shown == line),
            "{line} is shown no more: {why}"
        );
    }
    let is_left_out = |line: &&String| LEFT_OUT.iter().any(|(left_out, _)| left_out == line);
    let to_run = lines.iter().filter(|line| !is_left_out(line)).map(|line| {
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        (
            line,
            place
                .bash(RUN)
                .env("LINE", line)
                .env("ID", id)
                .env("id", id),
        )
    });
    let to_run = Mutex::new(to_run.collect::<Vec<_>>());
    let next = || to_run.lock().unwrap().pop();
    let wrong = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while let Some((line, invocation)) = next() {
                    let ended = invocation.run();
                    if matches!(ended.status().code(), None | Some(2 | 101 | 126 | 127))
                        && !ANSWERS.iter().any(|answer| ended.stderr().contains(answer))
                    {
                        let told = format!("{line}\n  {}: {}", ended.status(), ended.stderr());
                        wrong.lock().unwrap().push(told);
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
