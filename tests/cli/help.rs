//! Help is data on stdout, complete, and says where more is.

use crate::support::Place;

#[test]
fn pages_are_printed_as_they_are_in_the_repository() {
    let place = Place::at("127.0.0.1:1");
    for (topic, page) in [
        ("record-line", include_str!("../../docs/record-line.md")),
        ("approval", include_str!("../../docs/approval.md")),
        ("exit-status", include_str!("../../docs/exit-status.md")),
        ("offsets", include_str!("../../docs/offsets.md")),
        ("cron", include_str!("../../docs/cron.md")),
        ("generate", include_str!("../../docs/generate.md")),
        ("handle", include_str!("../../docs/handle.md")),
        ("store", include_str!("../../docs/store.md")),
        ("tracing", include_str!("../../docs/tracing.md")),
        ("ci", include_str!("../../docs/ci.md")),
        ("dead-letters", include_str!("../../docs/dead-letters.md")),
    ] {
        place
            .kpipe(&["help", topic])
            .run()
            .ends(0)
            .prints(page)
            .errors("");
    }
    place
        .kpipe(&["help", "nonesuch"])
        .run()
        .ends(2)
        .prints("")
        .says(&["no page and no command `nonesuch`", "`kpipe help`"])
        .says_one_block();
}

#[test]
fn help_of_a_command_is_what_its_flag_prints() {
    let place = Place::at("127.0.0.1:1");
    for command in [
        &["send"][..],
        &["topic"],
        &["topic", "list"],
        &["generate", "verify"],
        &["help"],
    ] {
        let flag = place.kpipe(&[command, &["--help"]].concat()).run().out();
        place
            .kpipe(&[&["help"], command].concat())
            .run()
            .ends(0)
            .prints(flag)
            .errors("");
    }
    for (words, meant) in [
        (&["sned"][..], "`send`"),
        (&["topic", "lsit"], "`list`"),
        (&["of-fsets"], "`offsets`"),
    ] {
        place
            .kpipe(&[&["help"], words].concat())
            .run()
            .ends(2)
            .prints("")
            .says(&[&format!("did you mean {meant}?")])
            .says_one_block();
    }
}

#[test]
fn help_lists_each_page_in_a_line() {
    let place = Place::at("127.0.0.1:1");
    for words in [&["help"][..], &["help", "--help"]] {
        let list = place.kpipe(words).run().ends(0).errors("").out();
        for (page, about) in [
            ("record-line", "How one record is one line of JSON"),
            ("exit-status", "What each exit status means"),
            ("cron", "Jobs that are silent on success"),
        ] {
            let is_of_page = |line: &&str| {
                line.trim_start().starts_with(&format!("{page} ")) && line.ends_with(about)
            };
            assert!(list.lines().any(|line| is_of_page(&line)), "{page}: {list}");
        }
    }
}

#[test]
fn the_overview_names_every_command() {
    let place = Place::at("127.0.0.1:1");
    let flag = place.kpipe(&["--help"]).run().ends(0).errors("").out();
    for command in ["send", "tail", "generate", "broker", "config", "help"] {
        assert!(
            flag.lines()
                .any(|line| line.trim_start().starts_with(&format!("{command} "))),
            "{command}: {flag}"
        );
    }
    assert!(!flag.contains("produce"), "{flag}");
    let word = place.kpipe(&["help"]).run().ends(0).errors("").out();
    assert!(word.contains("kpipe help record-line"), "{word}");
}

#[test]
fn every_command_has_help_with_examples_that_begin_with_its_name() {
    let place = Place::at("127.0.0.1:1");
    for (command, argument) in [
        ("send", "orders"),
        ("tail", "orders"),
        ("expect", "orders"),
        ("wait", "broker"),
        ("ping", "-q"),
        ("dlq stats", "dlq.orders"),
        ("dlq show", "dlq.orders"),
        ("dlq replay", "dlq.orders"),
    ] {
        let words: Vec<&str> = command.split(' ').chain(["--help"]).collect();
        let help = place.kpipe(&words).run().ends(0).errors("").out();
        assert!(help.contains("Examples:"), "{help}");
        assert!(
            help.contains(&format!("\n  kpipe {command} {argument}")),
            "{help}"
        );
        assert!(
            help.lines().all(|line| line.chars().count() <= 100),
            "{help}"
        );
    }
}

#[test]
fn the_version_is_the_packages() {
    let place = Place::at("127.0.0.1:1");
    place
        .kpipe(&["--version"])
        .run()
        .ends(0)
        .prints(concat!("kpipe ", env!("CARGO_PKG_VERSION"), "\n"))
        .errors("");
}

#[test]
fn a_reader_of_help_may_go_away() {
    let place = Place::at("127.0.0.1:1");
    place
        .bash("kpipe send --help | true")
        .run()
        .ends(0)
        .errors("");
    place
        .bash("kpipe help record-line | true")
        .run()
        .ends(0)
        .errors("");
}
