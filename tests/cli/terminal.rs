//! A terminal: something to read, nothing that could drive it, and no waiting for keys.

use std::process::Command;

use rexpect::process::WaitStatus;
use rexpect::session::spawn_command;

use crate::support::{DEADLINE, Invocation, Place};

/// Runs it with all its streams on a terminal; returns what that shows, and the status.
fn on_terminal(invocation: Invocation) -> (String, i32) {
    on(invocation.into_command())
}

fn on(command: Command) -> (String, i32) {
    let deadline = u64::try_from(DEADLINE.as_millis()).unwrap();
    let mut session = spawn_command(command, Some(deadline)).unwrap();
    let screen = session.exp_eof().unwrap();
    let status = match session.process().wait().unwrap() {
        WaitStatus::Exited(_, status) => status,
        other => panic!("{other:?}"),
    };
    (screen, status)
}

/// A title, a clipboard, a colour, a C1 sequence, a delete, text that runs backwards, and a space
/// that has no width.
const HOSTILE: &str =
    "\u{1b}]0;t\u{7}\u{1b}]52;c;eA==\u{7}\u{1b}[31mred\u{9b}2J\u{7f}\u{202e}\u{200b}evil";

#[track_caller]
fn harmless(screen: &str) {
    let colours = regex::Regex::new("\u{1b}\\[[0-9;]*m").unwrap();
    let rest = colours.replace_all(screen, "");
    for bad in ['\u{1b}', '\u{7}', '\u{7f}', '\u{9b}', '\u{202e}'] {
        assert!(!rest.contains(bad), "{bad:?} in {screen:?}");
    }
    // As bytes, where the terminal's reader does not decode them.
    for bad in ["\u{e2}\u{80}\u{ae}", "\u{e2}\u{80}\u{8b}"] {
        assert!(!rest.contains(bad), "{bad:?} in {screen:?}");
    }
}

fn hostile() -> Place {
    let place = Place::with(&["orders:1"]);
    let line = serde_json::json!({
        "key": HOSTILE,
        "value": {"text": format!("\u{9b}2J\u{7f}\u{202e}{HOSTILE}")},
        "headers": [{"key": HOSTILE, "value": HOSTILE}],
    });
    let text = serde_json::json!({"value": HOSTILE});
    place
        .kpipe(&["send", "orders", "-q"])
        .input(format!("{line}\n{text}\n"))
        .run()
        .ends(0);
    place
}

#[test]
fn records_are_readable_and_cannot_drive_the_terminal() {
    let place = hostile();
    for color in ["never", "always"] {
        let (screen, status) =
            on_terminal(place.kpipe(&["tail", "orders", "-e", "--color", color]));
        assert_eq!(status, 0, "{screen}");
        harmless(&screen);
        assert!(screen.contains("orders -p 0 -o 0"), "{screen}");
        assert!(screen.contains("evil"), "{screen}");
        assert_eq!(screen.contains('\u{1b}'), color == "always", "{screen:?}");
    }
}

/// The width on the screen of a line without colours, as the characters here are wide.
fn width(line: &str) -> usize {
    let of = |character| match character {
        '漢' => 2,
        '\u{301}' | '\r' => 0,
        _ => 1,
    };
    line.chars().map(of).sum()
}

#[test]
fn long_values_are_folded_at_the_width_of_the_terminal() {
    let place = Place::with(&["orders:1"]);
    let text = format!("{}{}", "漢e\u{301}".repeat(40), " ".repeat(99));
    let forged = format!("{text}orders -p 0 -o 7  2026-11-20 21:41:03.123  key x");
    let line = serde_json::json!({
        "key": forged, "value": {"text": forged}, "headers": [{"key": "h", "value": forged}],
    });
    let lines = format!("{line}\n{}\n", serde_json::json!({"value": forged}));
    place
        .kpipe(&["send", "orders", "-q"])
        .input(lines)
        .run()
        .ends(0);
    let colours = regex::Regex::new("\u{1b}\\[[0-9;]*m").unwrap();
    for columns in [33, 50, 120] {
        let script = format!("stty cols {columns}; kpipe tail orders -e --color always");
        let (screen, status) = on_terminal(place.bash(&script));
        // The terminal's reader takes each byte for a character.
        let bytes: Vec<u8> = screen
            .chars()
            .map(|one| u8::try_from(one).unwrap())
            .collect();
        let screen = String::from_utf8(bytes).unwrap();
        assert_eq!(status, 0, "{screen}");
        let screen = colours.replace_all(&screen, "");
        let widest = screen.lines().map(width).max().unwrap();
        assert!(
            (columns - 1..=columns).contains(&widest),
            "{widest} in {columns}: {screen}"
        );
        let heads = screen.lines().filter(|line| !line.starts_with("  "));
        let heads: Vec<&str> = heads.collect();
        assert_eq!(heads.len(), 2, "{screen}");
        assert!(heads[1].starts_with("orders -p 0 -o 1"), "{screen}");
    }
}

#[test]
fn json_has_colours_unless_they_are_unwanted() {
    let place = Place::with(&["orders:1"]);
    place.send("orders", &[r#"{"id":7}"#]);
    let tail = ["tail", "orders", "-e"];
    let shown = |invocation: Invocation| on_terminal(invocation.env("TERM", "xterm")).0;
    let name = "\u{1b}[34m\"id\"\u{1b}[0m:";
    let coloured = shown(place.kpipe(&tail));
    assert!(coloured.contains(name), "{coloured:?}");
    let plain = shown(place.kpipe(&tail).env("NO_COLOR", "1"));
    assert!(
        plain.contains("{\"id\":7}") && !plain.contains('\u{1b}'),
        "{plain:?}"
    );
    let never = shown(place.kpipe(&[&tail[..], &["--color", "never"]].concat()));
    assert_eq!(never, plain);
}

#[test]
fn record_lines_on_a_terminal_cannot_drive_it_either() {
    let place = hostile();
    let (screen, status) = on_terminal(place.kpipe(&["tail", "orders", "-e", "-J"]));
    assert_eq!(status, 0, "{screen}");
    assert!(
        screen.starts_with(r#"{"topic":"orders","partition":0,"#),
        "{screen}"
    );
    harmless(&screen);
}

#[test]
fn values_on_a_terminal_cannot_drive_it_either() {
    let place = hostile();
    let (screen, status) = on_terminal(place.kpipe(&["tail", "orders", "-e", "--values"]));
    assert_eq!(status, 0, "{screen}");
    assert!(screen.contains("evil"), "{screen}");
    harmless(&screen);
}

#[test]
fn templates_on_a_terminal_cannot_drive_it_either() {
    let place = hostile();
    let (screen, status) = on_terminal(place.kpipe(&["tail", "orders", "-e", "-f", r"%k %s %h\n"]));
    assert_eq!(status, 0, "{screen}");
    assert!(screen.contains("evil"), "{screen}");
    harmless(&screen);
}

#[test]
fn what_expect_saw_is_readable_on_a_terminal_and_its_place_can_be_pasted() {
    let place = hostile();
    let expect = [
        "expect",
        "orders",
        "--min",
        "9",
        "--timeout",
        "0",
        "--show-seen",
    ];
    let (screen, status) = on_terminal(place.kpipe(&expect));
    assert_eq!(status, 1, "{screen}");
    harmless(&screen);
    assert!(
        screen.contains("evil") && screen.contains("error: "),
        "{screen}"
    );
    let line = screen
        .lines()
        .find(|line| line.starts_with("orders "))
        .unwrap();
    let (position, _) = line.split_once("  ").unwrap();
    let mut tail = vec!["tail", "-n", "1"];
    tail.extend(position.split(' '));
    let records = place.kpipe(&tail).run().ends(0).json();
    assert_eq!(records[0]["offset"], 0);
}

#[test]
fn what_a_handler_prints_cannot_drive_the_terminal_and_its_counts_are_shown() {
    let place = hostile();
    let handle = [
        "handle",
        "orders",
        "-g",
        "g",
        "-e",
        "--values",
        "--",
        "tee",
        "/dev/stderr",
    ];
    let (screen, status) = on_terminal(place.kpipe(&handle));
    assert_eq!(status, 0);
    // The counts move the cursor; titles, colours and bells are the handler's.
    for bad in ["\u{1b}]0", "\u{1b}[31m", "\u{7}", "\u{7f}"] {
        assert!(!screen.contains(bad), "{bad:?} in {screen:?}");
    }
    assert!(
        screen.contains("[31mred"),
        "it is shown as text: {screen:?}"
    );
    assert!(screen.contains("orders[0]@"), "{screen:?}");
    assert!(screen.contains("2 handled"), "{screen:?}");
}

#[test]
fn errors_cannot_drive_the_terminal() {
    let place = Place::with(&["orders:1"]);
    // A field of another's making, and a name on the command line.
    let mut lines = "{\"value\":1}\n".to_owned();
    lines.push_str(&serde_json::json!({HOSTILE: 1}).to_string());
    place.write("lines", lines);
    let (screen, status) = on_terminal(place.kpipe(&["send", "orders", "--file", "lines"]));
    assert_eq!(status, 1, "{screen}");
    assert!(screen.contains("unknown field"), "{screen}");
    assert!(screen.contains("evil"), "{screen}");
    harmless(&screen);
    for arguments in [
        ["tail", HOSTILE, "-e"],
        ["send", HOSTILE, "v"],
        ["tail", "orders", &format!("--offset={HOSTILE}")],
        ["send", "orders", &format!("--file={HOSTILE}")],
    ] {
        let (screen, status) = on_terminal(place.kpipe(&arguments));
        assert_ne!(status, 0, "{screen}");
        assert!(screen.contains("error: "), "{screen}");
        harmless(&screen);
    }
}

#[test]
fn a_terminal_on_stdin_is_no_input() {
    let place = Place::with(&["orders:1"]);
    let (screen, status) = on_terminal(place.kpipe(&["send", "orders"]));
    assert_eq!(status, 2, "{screen}");
    assert!(
        screen.contains("error: nothing to send: stdin is a terminal"),
        "{screen}"
    );
    assert!(screen.contains("hint: kpipe send TOPIC VALUE"), "{screen}");
    let (screen, status) = on_terminal(place.kpipe(&["send", "orders", "v"]));
    assert_eq!(status, 0, "{screen}");
}

#[test]
fn a_subscriber_sees_topic_type_time_and_payload_each_on_its_line() {
    let place = Place::with(&["sensors:1"]);
    place.active(&["sensors"]).send(
        "sensors",
        &[
            r#"{"data_type":"sensor","timestamp":"2026-11-20T10:00:00Z","payload":{"id":"s","t":25.30}}"#,
            &serde_json::json!({"data_type": HOSTILE, "timestamp": HOSTILE, "payload": {HOSTILE: HOSTILE}})
                .to_string(),
        ],
    );
    place
        .kpipe(&["subscription", "add", "user_1", "sensors", "-q"])
        .run()
        .ends(0);
    let tail = ["tail", "--user", "user_1", "-e"];
    let (screen, status) = on_terminal(place.kpipe(&tail));
    assert_eq!(status, 0, "{screen}");
    harmless(&screen);
    let screen = screen.replace('\r', "");
    let parts = "topic: sensors\ndata type: sensor\ntime: 2026-11-20T10:00:00Z\npayload:\n  {\n    \"id\": \"s\",\n    \"t\": 25.30\n  }\n\n";
    assert!(screen.contains(parts), "{screen}");
    assert!(screen.ends_with("2 records processed\n"), "{screen}");
}

#[test]
fn sending_a_file_draws_a_bar_and_a_pipe_counts() {
    let place = Place::with(&["orders:1"]);
    let lines: String = (0..20).map(|n| format!("{n}\n")).collect();
    place.write("lines", &lines);
    // Slow enough to be seen at work.
    let send = "kpipe send orders --lines --rate 40/s";
    let drawing = |script: &str| place.bash(script).env("TERM", "xterm");
    let (screen, status) = on_terminal(drawing(&format!("{send} --file lines")));
    assert_eq!(status, 0, "{screen}");
    // `█` as bytes, which the terminal's reader does not decode.
    assert!(screen.contains("\u{e2}\u{96}\u{88}"), "{screen}");
    assert!(
        screen.contains("% ") && screen.contains(" left"),
        "{screen}"
    );
    let (screen, status) = on_terminal(drawing(&format!("cat lines | {send}")));
    assert_eq!(status, 0, "{screen}");
    assert!(screen.contains(" sent, 0 failed, "), "{screen}");
    assert!(screen.contains(" B read, "), "{screen}");
    for quiet in ["-q", "2>said"] {
        let script = format!("{send} --file lines {quiet}; test ! -e said || cat said");
        let (screen, status) = on_terminal(drawing(&script));
        assert_eq!(status, 0, "{screen}");
        assert!(!screen.contains(" left"), "{screen}");
        assert!(!screen.contains('\u{1b}'), "{screen:?}");
    }
}

#[test]
fn a_dash_reads_the_terminal() {
    let place = Place::with(&["orders:1"]);
    let command = place
        .kpipe(&["send", "orders", "-", "--lines"])
        .into_command();
    let deadline = u64::try_from(DEADLINE.as_millis()).unwrap();
    let mut session = spawn_command(command, Some(deadline)).unwrap();
    session.send_line("typed").unwrap();
    session.send_control('d').unwrap();
    let screen = session.exp_eof().unwrap();
    let status = session.process().wait().unwrap();
    assert!(
        matches!(status, WaitStatus::Exited(_, 0)),
        "{status:?} {screen}"
    );
    assert_eq!(place.values("orders"), "typed\n");
}

#[test]
fn settings_are_a_table_on_a_terminal_and_lines_by_hand() {
    let place = Place::at("environment:9092");
    let (screen, status) = on_terminal(place.kpipe(&["config", "show"]));
    assert_eq!(status, 0, "{screen}");
    assert!(!screen.contains('{'), "{screen}");
    assert!(screen.contains("bootstrap.servers"), "{screen}");
    let (screen, _) = on_terminal(place.kpipe(&["config", "show", "--output", "json"]));
    assert!(screen.starts_with('{'), "{screen}");
}

#[test]
fn no_color_means_no_colour() {
    let place = hostile();
    let coloured = |invocation: Invocation| on_terminal(invocation).0.contains('\u{1b}');
    let tail = ["tail", "orders", "-e"];
    assert!(coloured(place.kpipe(&tail).env("TERM", "xterm")));
    assert!(!coloured(
        place.kpipe(&tail).env("TERM", "xterm").env("NO_COLOR", "1")
    ));
    assert!(!coloured(place.kpipe(&tail).env("TERM", "dumb")));
    let missing = ["tail", "nonesuch", "-e"];
    assert!(coloured(place.kpipe(&missing).env("TERM", "xterm")));
    assert!(!coloured(
        place
            .kpipe(&missing)
            .env("TERM", "xterm")
            .env("NO_COLOR", "1")
    ));
}

#[test]
fn what_has_no_way_back_is_asked_first_and_no_is_the_default() {
    let place = Place::at("127.0.0.1:1");
    let command = place.kpipe(&["group", "delete", "billing"]).into_command();
    let deadline = u64::try_from(DEADLINE.as_millis()).unwrap();
    let mut session = spawn_command(command, Some(deadline)).unwrap();
    session
        .exp_string("Delete group `billing` for ever? [y/N]")
        .unwrap();
    session.send_line("").unwrap();
    session.exp_eof().unwrap();
    let status = session.process().wait().unwrap();
    assert!(matches!(status, WaitStatus::Exited(_, 1)), "{status:?}");
}

#[test]
fn dead_letters_are_shown_with_their_errors_and_cannot_drive_the_terminal() {
    let place = Place::with(&["dlq:1"]);
    let line = serde_json::json!({
        "key": HOSTILE,
        "value": HOSTILE,
        "headers": [
            {"key": "__dlq.errors.topic", "value": HOSTILE},
            {"key": "__dlq.errors.message", "value": HOSTILE},
            {"key": "dlq.status", "value": "exit 22"},
        ],
    });
    let sent = place
        .kpipe(&["send", "dlq", "-q"])
        .input(format!("{line}\n"));
    sent.run().ends(0);
    let (screen, status) = on_terminal(place.kpipe(&["dlq", "show", "dlq"]));
    assert_eq!(status, 0, "{screen}");
    harmless(&screen);
    // Only head lines begin in the first column, of the error and of the record, however they fold.
    let colours = regex::Regex::new("\u{1b}\\[[0-9;]*m").unwrap();
    let plain = colours.replace_all(&screen, "");
    let heads: Vec<&str> = plain
        .lines()
        .filter(|line| !line.starts_with("  "))
        .collect();
    assert_eq!(heads.len(), 2, "{screen}");
    assert!(heads[0].starts_with("dead letter of "), "{screen}");
    assert!(heads[1].starts_with("dlq -p 0 -o 0"), "{screen}");
    assert!(
        screen.contains("exit 22") && screen.contains("evil"),
        "{screen}"
    );
    let (screen, status) = on_terminal(place.kpipe(&["dlq", "stats", "dlq"]));
    assert_eq!(status, 1, "{screen}");
    harmless(&screen);
    assert!(screen.contains("RECORDS"), "{screen}");
}

#[test]
fn a_replay_asks_and_sends_nothing_without_a_yes() {
    let place = Place::with(&["dlq:1", "orders:1"]);
    place.send("dlq", &["v"]);
    let deadline = u64::try_from(DEADLINE.as_millis()).unwrap();
    for (answer, status, values) in [("n", 1, ""), ("y", 0, "v\n")] {
        let replay = ["dlq", "replay", "dlq", "--to", "orders"];
        let command = place.kpipe(&replay).into_command();
        let mut session = spawn_command(command, Some(deadline)).unwrap();
        session.exp_string("[y/N]").unwrap();
        session.send_line(answer).unwrap();
        let screen = session.exp_eof().unwrap();
        let ended = session.process().wait().unwrap();
        assert!(
            matches!(ended, WaitStatus::Exited(_, found) if found == status),
            "{ended:?}: {screen}"
        );
        assert_eq!(place.values("orders"), values);
    }
}

#[test]
fn what_is_shown_to_somebody_is_displayed() {
    let place = Place::with(&["orders:1"]);
    place.send("orders", &["{\"id\":1}"]);
    let tail = ["tail", "orders", "-e", "--trace", "--trace-file", "s"];
    let (screen, status) = on_terminal(place.kpipe(&tail));
    assert_eq!(status, 0, "{screen}");
    let events = String::from_utf8(place.read("s")).unwrap();
    let stages: Vec<&str> = events
        .lines()
        .map(|event| event.split('"').nth(3).unwrap())
        .collect();
    assert_eq!(stages, ["CONSUMED", "PROCESSED", "DISPLAYED"]);
}
