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
        &["-t", "orders"],
        &["tail", "-t", "orders"],
        &["send", "-t", "orders"],
        &["tail", "--topic", "orders"],
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
