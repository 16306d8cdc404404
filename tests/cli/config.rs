//! `config show`: who says what, and no secret in sight.

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use crate::support::{Invocation, Place, each};

/// The password of profile dev, which nobody else can read.
fn write_password(place: &Place) {
    place.write("config/kpipe/password", "hunter2\n");
    let path = place.path("config/kpipe/password");
    std::fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

/// Value and origin by property.
fn shown(invocation: Invocation) -> BTreeMap<String, (String, String)> {
    let rows = invocation.run().ends(0).errors("").json();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    rows.iter()
        .map(|row| {
            (
                text(&row["property"]),
                (text(&row["value"]), text(&row["origin"])),
            )
        })
        .collect()
}

const PROFILES: &str = r#"
default_profile = "dev"

[profiles.dev]
brokers = "profile-dev:9092"
properties = { "client.id" = "from-dev", "sasl.username" = "alice" }
password_file = "password"

[profiles.prod]
brokers = "profile-prod:9092"
properties = { "client.id" = "from-prod" }
"#;

#[test]
fn a_password_file_that_others_can_read_is_warned_of_once() {
    let place = Place::at("environment:9092");
    place
        .write("config/kpipe/config.toml", PROFILES)
        .write("config/kpipe/password", "hunter2\n");
    let password = place.path("config/kpipe/password");
    let show = |mode: u32, flags: &[&str]| {
        std::fs::set_permissions(&password, Permissions::from_mode(mode)).unwrap();
        let show = ["config", "show", "-C", "dev"];
        place.kpipe(&[&show[..], flags].concat()).run().ends(0)
    };
    let path = password.display();
    show(0o640, &[]).errors(&format!(
        "warning: {path} holds a password and is readable by others: chmod go-rwx {path}\n"
    ));
    show(0o640, &["-q"]).errors("");
    show(0o600, &[]).errors("");
    // Another's password is the one that is used.
    show(0o640, &["-F", "/dev/null"]).says(&["chmod"]);
    place.write("file.conf", "sasl.password=other\n");
    show(0o640, &["-F", "file.conf"]).errors("");
}

#[test]
fn what_was_typed_beats_what_was_inherited() {
    let place = Place::at("environment:9092");
    write_password(&place);
    place
        .write("config/kpipe/config.toml", PROFILES)
        .write("file.conf", "bootstrap.servers=file:9092\n");
    let brokers = |invocation: Invocation| {
        let (value, origin) = shown(invocation).remove("bootstrap.servers").unwrap();
        format!("{value} from {origin}")
    };
    let show = ["config", "show"];
    let file = ["config", "show", "-F", "file.conf"];
    let profile = ["config", "show", "-C", "prod"];
    let all = [
        "config",
        "show",
        "-C",
        "prod",
        "-F",
        "file.conf",
        "-b",
        "typed:9092",
    ];
    let both = ["config", "show", "-C", "prod", "-F", "file.conf"];
    let config = place.path("config/kpipe/config.toml");
    let config = config.display();
    assert_eq!(brokers(place.kpipe(&all)), "typed:9092 from --brokers");
    assert_eq!(brokers(place.kpipe(&both)), "file:9092 from file.conf:1");
    assert_eq!(brokers(place.kpipe(&file)), "file:9092 from file.conf:1");
    assert_eq!(
        brokers(place.kpipe(&profile)),
        format!("profile-prod:9092 from profile prod in {config}")
    );
    assert_eq!(
        brokers(place.kpipe(&show)),
        "environment:9092 from KPIPE_BROKERS"
    );
    let kafka = |place: &Place| {
        place
            .kpipe(&show)
            .without_env("KPIPE_BROKERS")
            .env("KAFKA_BROKERS", "kafka:9092")
    };
    assert_eq!(brokers(kafka(&place)), "kafka:9092 from KAFKA_BROKERS");
    assert_eq!(
        brokers(place.kpipe(&show).without_env("KPIPE_BROKERS")),
        format!("profile-dev:9092 from profile dev in {config}")
    );
    let bare = Place::at("unused");
    assert_eq!(
        brokers(bare.kpipe(&show).without_env("KPIPE_BROKERS")),
        "localhost:9092 from default"
    );
}

#[test]
fn a_default_profile_does_not_lend_its_credentials_to_other_brokers() {
    let place = Place::at("environment:9092");
    place.write("config/kpipe/config.toml", PROFILES);
    let rows = shown(place.kpipe(&["config", "show"]));
    assert!(!rows.contains_key("sasl.password"), "{rows:?}");
    assert_ne!(
        rows.get("client.id").map(|row| row.0.as_str()),
        Some("from-dev")
    );
}

#[test]
fn secrets_are_masked() {
    let place = Place::at("environment:9092");
    write_password(&place);
    place
        .write("config/kpipe/config.toml", PROFILES)
        .write("file.conf", "sasl.password=hunter2\nsasl.username=alice\n");
    for invocation in [
        place.kpipe(&["config", "show", "-F", "file.conf"]),
        place
            .kpipe(&["config", "show"])
            .env("KPIPE_X_SASL_PASSWORD", "hunter2"),
        place.kpipe(&["config", "show", "-C", "dev"]),
        place.kpipe(&["config", "show", "--output", "table", "-C", "dev"]),
    ] {
        let ended = invocation.run().ends(0).errors("");
        let out = ended.out();
        assert!(out.contains("sasl.password"), "{out}");
        assert!(out.contains("********"), "{out}");
        assert!(!out.contains("hunter2"), "{out}");
    }
    let rows = shown(place.kpipe(&["config", "show", "-F", "file.conf"]));
    assert_eq!(rows["sasl.username"].0, "alice");
}

#[test]
fn a_property_of_the_environment_reaches_the_client() {
    let place = Place::with(&["orders:1"]);
    let rows = shown(
        place
            .kpipe(&["config", "show"])
            .env("KPIPE_X_CLIENT_ID", "me"),
    );
    assert_eq!(
        rows["client.id"],
        ("me".to_owned(), "KPIPE_X_CLIENT_ID".to_owned())
    );
    place
        .kpipe(&["tail", "orders", "-e"])
        .env("KPIPE_X_FETCH_MIN_BYTES", "none")
        .run()
        .ends(2)
        .says(&["fetch.min.bytes"]);
}

#[test]
fn a_kcat_conf_works_unchanged() {
    let place = Place::with(&["orders:1"]);
    let brokers = place.brokers().to_owned();
    place.write(
        "kcat.conf",
        format!("# kcat's own\nmetadata.broker.list={brokers}\nqueue.buffering.max.ms=1\n"),
    );
    place
        .kpipe(&["send", "orders", "v", "-F", "kcat.conf"])
        .without_env("KPIPE_BROKERS")
        .run()
        .ends(0);
    let conf = place.read("kcat.conf");
    place
        .kpipe(&["tail", "orders", "-e", "--values", "-F", "-"])
        .without_env("KPIPE_BROKERS")
        .input(conf)
        .run()
        .ends(0)
        .prints("v\n");
    place
        .bash("kpipe tail orders -e --values -F <(cat kcat.conf)")
        .without_env("KPIPE_BROKERS")
        .run()
        .ends(0)
        .prints("v\n");
}

#[test]
fn a_profile_that_is_not_there_is_wrong_usage() {
    let place = Place::at("environment:9092");
    place.write("config/kpipe/config.toml", PROFILES);
    place
        .kpipe(&["config", "show", "-C", "staging"])
        .run()
        .ends(2)
        .says(&["staging", "dev", "prod"])
        .says_one_block();
}

#[test]
fn what_the_client_library_would_refuse_is_shown_and_said() {
    let place = Place::at("environment:9092");
    let ended = place
        .kpipe(&["config", "show", "-X", "fetch.min.bytes=many"])
        .run()
        .ends(2)
        .says(&["`fetch.min.bytes`"])
        .says_one_block();
    assert!(ended.out().contains("\"many\",\"origin\":\"-X\""));
}

#[test]
fn the_command_that_converts_a_java_store_is_told_in_one_line() {
    let place = Place::at("environment:9092");
    place.write("client.properties", "ssl.truststore.location=trust.jks\n");
    let ended = place
        .kpipe(&["config", "show", "-F", "client.properties"])
        .run()
        .ends(2)
        .says(&[
            "`keytool -list -rfc -keystore trust.jks > trust.pem`",
            "`ssl.ca.location=trust.pem`",
        ])
        .says_one_block();
    assert!(!ended.stderr().contains("\\n"), "{}", ended.stderr());
}

#[test]
fn a_property_is_listed_once() {
    let place = Place::at("127.0.0.1:1");
    let rows = place.kpipe(&["config", "show"]).run().ends(0).json();
    let mut names: Vec<String> = each(&rows, "property")
        .iter()
        .map(ToString::to_string)
        .collect();
    let all = names.clone();
    names.dedup();
    assert_eq!(names, all);
    let differing = rows
        .iter()
        .find(|row| row["property"] == "topic.metadata.propagation.max.ms")
        .unwrap();
    assert_eq!(differing["value"], "5000 to send, 3000 to read");
}
