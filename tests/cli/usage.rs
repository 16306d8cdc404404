//! What is typed wrong is status 2, on stderr, with the way out.

use crate::support::Place;

#[test]
fn words_of_other_tools_name_ours() {
    let place = Place::at("127.0.0.1:1");
    for arguments in [
        &["produce", "orders"][..],
        &["consume", "orders", "-e"],
        &["produce", "-t", "orders", "-p", "1"],
        &["consume", "--help"],
    ] {
        place
            .kpipe(arguments)
            .run()
            .ends(2)
            .prints("")
            .says(&["`kpipe send TOPIC`", "`kpipe tail TOPIC`"])
            .says_one_block();
    }
}

#[test]
fn flags_of_other_tools_name_what_to_type() {
    let place = Place::at("127.0.0.1:1");
    for (arguments, instead) in [
        ("-t orders", "`kpipe tail TOPIC`"),
        ("-C -t orders", "`kpipe tail TOPIC`"),
        ("tail -t orders", "`kpipe tail TOPIC`"),
        ("send -t orders", "`kpipe send TOPIC`"),
        ("tail --topic orders", "`kpipe tail TOPIC`"),
        ("-C -b localhost", "`kpipe tail TOPIC`"),
        ("tail orders -C", "`kpipe tail TOPIC`"),
        ("-P -t orders", "`kpipe send TOPIC`"),
        ("-L", "`kpipe topic list`"),
        ("-G g orders", "`kpipe tail TOPIC -g GROUP`"),
        ("tail orders -c 5", "`-n 5`"),
        ("tail orders -D ;", "`-f '%s;'`"),
        ("tail orders --from-beginning", "`-o beginning`"),
        ("tail orders --max-messages 5", "`-n 5`"),
        ("tail orders --max-messages=5", "`-n 5`"),
        ("tail orders --timeout-ms 5000", "`--idle 5s`"),
        (
            "tail orders --consumer-property check.crcs=true",
            "`-X KEY=VALUE`",
        ),
        ("tail orders --property print.key=true", "`-f '%k %s\\n'`"),
        ("tail orders --command-config f", "`-F FILE`"),
        ("topic --list", "`kpipe topic list`"),
        ("group --describe --group g", "`kpipe group describe GROUP`"),
        (
            "group --reset-offsets --group g",
            "`kpipe group reset GROUP --to earliest`",
        ),
    ] {
        let words: Vec<&str> = arguments.split(' ').collect();
        place
            .kpipe(&words)
            .run()
            .ends(2)
            .prints("")
            .says(&[
                "error: ",
                "\n\n  tip: ",
                instead,
                "\n\nFor more information, try '--help'.",
            ])
            .hides(&["as a value", "a similar argument"]);
    }
}

#[test]
fn a_number_that_is_none_is_told_without_words_of_a_parser() {
    let place = Place::at("127.0.0.1:1");
    for (number, told) in [
        ("x", "expected a whole number"),
        ("1.5", "expected a whole number"),
        ("", "expected a whole number"),
        ("99999999999999999999", "too large a number"),
    ] {
        for flag in ["--partition", "--count"] {
            place
                .kpipe(&["tail", "orders", &format!("{flag}={number}")])
                .run()
                .ends(2)
                .prints("")
                .says(&["error: invalid value '", flag, told])
                .hides(&["digit", "parse", "target type", "Usage"]);
        }
    }
}

#[test]
fn what_is_unknown_or_missing_is_wrong_usage() {
    let place = Place::at("127.0.0.1:1");
    for arguments in [
        &[][..],
        &["nonesuch"],
        &["tail"],
        &["tail", "orders", "--nonesuch"],
        &["tail", "orders", "-n", "many"],
        &["tail", "orders", "--follow"],
        &["tail", "orders", "--values", "-J"],
        &["send", "orders", "v", "--tombstone"],
        &["send", "orders", "v", "--failed", "f"],
        &["send", "orders", "v", "--transaction"],
        &["send", "orders", "-k", "key without a value"],
        &["send", "--lines"],
        &["send", "orders", "v", "-H", "=nameless"],
    ] {
        let ended = place.kpipe(arguments).run().ends(2).prints("");
        assert!(!ended.stderr().is_empty(), "{arguments:?}");
    }
}

#[test]
fn secrets_are_refused_as_arguments_and_not_repeated() {
    let place = Place::at("127.0.0.1:1");
    for property in [
        "sasl.password=hunter2",
        "ssl.key.password=hunter2",
        "ssl.key.pem=hunter2",
        "sasl.oauthbearer.client.secret=hunter2",
    ] {
        for command in [
            &["tail", "orders"][..],
            &["send", "orders", "v"],
            &["config", "show"],
        ] {
            place
                .kpipe(&[command, &["-X", property]].concat())
                .run()
                .ends(2)
                .prints("")
                .hides(&["hunter2"])
                .says(&["hint: "])
                .says_one_block();
        }
    }
}

#[test]
fn properties_that_load_code_are_refused_from_every_source() {
    let place = Place::at("127.0.0.1:1");
    place.write("evil.conf", "plugin.library.paths=evil.so\n");
    place
        .kpipe(&["tail", "orders", "-X", "plugin.library.paths=evil.so"])
        .run()
        .ends(2)
        .says(&["plugin.library.paths"]);
    place
        .kpipe(&["tail", "orders", "-F", "evil.conf"])
        .run()
        .ends(2)
        .says(&["plugin.library.paths", "evil.conf"]);
    place
        .kpipe(&["tail", "orders"])
        .env("KPIPE_X_PLUGIN_LIBRARY_PATHS", "evil.so")
        .run()
        .ends(2)
        .says(&["plugin.library.paths", "KPIPE_X_PLUGIN_LIBRARY_PATHS"]);
}

#[test]
fn properties_that_would_break_promises_name_the_flag() {
    let place = Place::at("127.0.0.1:1");
    for (property, flag) in [
        ("group.id=g", "--group"),
        ("enable.auto.commit=true", "--commit"),
        ("auto.offset.reset=earliest", "--offset"),
        ("transactional.id=t", "--transaction"),
    ] {
        place
            .kpipe(&["tail", "orders", "-X", property])
            .run()
            .ends(2)
            .says(&[flag])
            .says_one_block();
    }
}

#[test]
fn a_property_that_librdkafka_does_not_know_is_named() {
    let place = Place::at("127.0.0.1:1");
    place
        .kpipe(&["tail", "orders", "-X", "no.such.property=1"])
        .run()
        .ends(2)
        .says(&["no.such.property"])
        .says_one_block();
    place
        .kpipe(&["tail", "orders", "-X", "fetch.min.bytes=many"])
        .run()
        .ends(2)
        .says(&["fetch.min.bytes"])
        .says_one_block();
}

#[test]
fn what_can_never_work_is_wrong_usage_with_a_reason() {
    let place = Place::with(&["orders:1"]);
    for (arguments, reason) in [
        (
            &["tail", "orders", "-b", "localhost:99999"][..],
            "`localhost:99999`",
        ),
        (&["tail", "orders", "-b", "a:1,[::1]:0"], "`[::1]:0`"),
        (&["tail", "orders", "-b", "ssl://a:x"], "`ssl://a:x`"),
        (&["tail", "orders", "-g", ""], "--group"),
        (&["tail", ""], "TOPIC"),
        (&["stats", ""], "TOPIC"),
        (&["topic", "describe", ""], "NAME"),
        (&["send", "", "v"], "`` is not a topic name"),
        (&["send", "", "--lines"], "`` is not a topic name"),
        (
            &[
                "broker", "--topic", "a:1", "--topic", "b", "--topic", "a:2", "--", "true",
            ],
            "`a`",
        ),
        (
            &["send", "orders", "v", "--delivery-timeout", "999999d"],
            "24d",
        ),
        (&["send", "orders", "v", "--delivery-timeout", "0"], "1ms"),
        (&["tail", "orders", "--where", "/x>"], "`/x>`"),
        (&["tail", "orders", "--where", "/x <= "], "`/x <= `"),
    ] {
        let ended = place.kpipe(arguments).run().ends(2).prints("");
        assert!(ended.stderr().contains(reason), "{}", ended.stderr());
    }
}

#[test]
fn a_broken_pattern_is_told_in_one_line() {
    let place = Place::at("127.0.0.1:1");
    let ended = place
        .kpipe(&["tail", "^["])
        .run()
        .ends(2)
        .says(&["`^[` is not a regular expression"])
        .says_one_block();
    assert!(!ended.stderr().contains("\\n"), "{}", ended.stderr());
    let ended = place
        .kpipe(&["tail", "orders", "--grep", "["])
        .run()
        .ends(2);
    assert!(!ended.stderr().contains("\\n"), "{}", ended.stderr());
}

#[test]
fn help_and_version_that_cannot_be_written_are_an_error() {
    let place = Place::at("127.0.0.1:1");
    for flag in ["--help", "--version", "help"] {
        place
            .bash(&format!("kpipe {flag} >/dev/full"))
            .run()
            .ends(1)
            .says(&["cannot write to stdout"])
            .says_one_block();
        place.bash(&format!("kpipe {flag} | true")).run().errors("");
    }
}

#[test]
fn a_variable_of_ours_that_is_not_text_is_named() {
    let place = Place::with(&["orders:1"]);
    for variable in [
        "KPIPE_BROKERS",
        "KPIPE_X_CLIENT_ID",
        "KAFKA_BROKERS",
        "KPIPE_PROFILE",
    ] {
        place
            .bash(&format!("export {variable}=$'\\xff'; kpipe config show"))
            .run()
            .ends(2)
            .prints("")
            .says(&[&format!("`{variable}`")])
            .says_one_block();
    }
    // What is not ours may be anything.
    place
        .bash("export KAFKA_OPTS=$'\\xff'; kpipe config show")
        .run()
        .ends(0);
}
