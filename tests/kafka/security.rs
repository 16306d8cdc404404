//! Listeners with SASL and TLS, and the wrong ways to come to them.

use std::time::Duration;

use serde_json::json;

use crate::support::executable::{Finished, Kpipe, kpipe};
use crate::support::java::java;
use crate::support::kafka::{Record, Topic, committed, number_in, topic, unique};
use crate::support::registry::Registry;
use crate::support::told;

/// Well below the client library's own patience, which is a minute.
const SOON: Duration = Duration::from_secs(25);

#[derive(Clone, Copy)]
enum Listener {
    Sasl,
    SaslSsl,
    Ssl,
}

use Listener::{Sasl, SaslSsl, Ssl};

struct Login {
    user: String,
    password: String,
}

fn alice() -> Login {
    Login {
        user: told("KAFKA_SASL_USER"),
        password: told("KAFKA_SASL_PASSWORD"),
    }
}

fn bob() -> Login {
    Login {
        user: told("KAFKA_DENIED_USER"),
        password: told("KAFKA_DENIED_PASSWORD"),
    }
}

fn mallory() -> Login {
    Login {
        password: "not-the-password".into(),
        ..alice()
    }
}

fn to(listener: Listener, login: &Login, authority: &str, arguments: &[&str]) -> Kpipe {
    let (brokers, protocol) = match listener {
        Sasl => ("KAFKA_SASL_BROKERS", "sasl_plaintext"),
        SaslSsl => ("KAFKA_SASL_SSL_BROKERS", "sasl_ssl"),
        Ssl => ("KAFKA_SSL_BROKERS", "ssl"),
    };
    let mut kpipe = kpipe(arguments)
        .env("KPIPE_BROKERS", told(brokers))
        .env("KPIPE_X_SECURITY_PROTOCOL", protocol)
        .within(SOON);
    if !matches!(listener, Ssl) {
        kpipe = kpipe
            .env("KPIPE_X_SASL_MECHANISMS", "SCRAM-SHA-256")
            .env("KPIPE_X_SASL_USERNAME", &login.user)
            .env("KPIPE_X_SASL_PASSWORD", &login.password);
    }
    if !matches!(listener, Sasl) {
        kpipe = kpipe.env("KPIPE_X_SSL_CA_LOCATION", told(authority));
    }
    kpipe
}

/// Every way of talking to the cluster.
fn attempts(topic: &Topic) -> [Vec<&str>; 5] {
    let group = Box::leak(crate::support::kafka::group().into_boxed_str());
    [
        vec!["send", topic, "value"],
        vec!["send", topic, "--lines"],
        vec!["tail", topic, "-e"],
        vec!["tail", topic],
        vec!["tail", topic, "-g", group],
    ]
}

fn check_secrets(finished: &Finished, login: &Login) {
    let printed = String::from_utf8_lossy(&finished.stdout);
    assert!(!finished.stderr.contains(&login.password) && !printed.contains(&login.password));
}

#[test]
fn the_right_credentials_and_authority_do() {
    for listener in [Sasl, SaslSsl, Ssl] {
        let topic = topic("right").create();
        to(listener, &alice(), "KAFKA_CA", &["send", &topic, "--lines"])
            .input("a\nb\n")
            .run()
            .ok();
        let tail = to(listener, &alice(), "KAFKA_CA", &["tail", &topic, "-e"])
            .run()
            .ok();
        assert_eq!(tail.values(), ["a", "b"]);
        let group = crate::support::kafka::group();
        let member = to(
            listener,
            &alice(),
            "KAFKA_CA",
            &["tail", &topic, "-e", "-g", &group],
        )
        .run()
        .ok();
        assert_eq!(member.values(), ["a", "b"]);
    }
}

#[test]
fn a_wrong_password_is_refused() {
    let topic = topic("wrong-password").create();
    for listener in [Sasl, SaslSsl] {
        for attempt in attempts(&topic) {
            let login = mallory();
            let run = to(listener, &login, "KAFKA_CA", &attempt)
                .input("a\nb\n")
                .run();
            check_secrets(&run, &login);
            run.exits(4)
                .says("refused the credentials")
                .says_one_error();
        }
    }
    assert_eq!(topic.records(), []);
}

#[test]
fn a_strange_authority_is_a_wrong_configuration() {
    let topic = topic("wrong-authority").create();
    for listener in [SaslSsl, Ssl] {
        for attempt in attempts(&topic) {
            let run = to(listener, &alice(), "KAFKA_WRONG_CA", &attempt)
                .input("a\n")
                .run();
            check_secrets(&run, &alice());
            run.exits(2).says("ssl.ca.location").says_one_error();
        }
    }
    assert_eq!(topic.records(), []);
}

#[test]
fn who_may_nothing_is_refused() {
    let topic = topic("denied").create();
    for attempt in attempts(&topic) {
        let run = to(Sasl, &bob(), "KAFKA_CA", &attempt).input("a\n").run();
        check_secrets(&run, &bob());
        run.exits(4).says_one_error();
    }
    assert_eq!(topic.records(), []);
}

#[test]
fn plain_text_to_a_listener_with_tls_is_a_wrong_configuration() {
    let topic = topic("plain-to-tls").create();
    for attempt in attempts(&topic) {
        let run = kpipe(attempt)
            .env("KPIPE_BROKERS", told("KAFKA_SSL_BROKERS"))
            .within(SOON)
            .input("a\n")
            .run();
        run.exits(2).says("security.protocol=ssl").says_one_error();
    }
}

#[test]
fn no_credentials_at_a_listener_that_wants_them_are_a_wrong_configuration() {
    let topic = topic("none-to-sasl").create();
    for attempt in attempts(&topic) {
        let run = kpipe(attempt)
            .env("KPIPE_BROKERS", told("KAFKA_SASL_BROKERS"))
            .within(SOON)
            .input("a\n")
            .run();
        run.exits(2)
            .says("a SASL listener")
            .says("`sasl.mechanisms`")
            .says("`security.protocol=sasl_ssl`")
            .says_one_error();
    }
}

#[test]
fn tls_to_a_listener_in_plain_text_is_a_wrong_configuration() {
    let topic = topic("tls-to-plain").create();
    for attempt in attempts(&topic) {
        let run = kpipe(attempt)
            .env("KPIPE_X_SECURITY_PROTOCOL", "ssl")
            .within(SOON)
            .input("a\n")
            .run();
        run.exits(2).says("plaintext").says_one_error();
    }
}

#[test]
fn credentials_work_from_a_java_file_too() {
    let topic = topic("java-file").create();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("client.properties");
    let alice = alice();
    let properties = format!(
        "bootstrap.servers={}\nsecurity.protocol=SASL_SSL\nsasl.mechanism=SCRAM-SHA-256\n\
         ssl.truststore.type=PEM\nssl.truststore.location={}\n\
         sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required \
         username=\"{}\" password=\"{}\";\n",
        told("KAFKA_SASL_SSL_BROKERS"),
        told("KAFKA_CA"),
        alice.user,
        alice.password
    );
    std::fs::write(&file, properties).unwrap();
    kpipe(["send", &topic, "value", "-F", file.to_str().unwrap()])
        .run()
        .ok();
    assert_eq!(topic.records()[0].text(), "value");
}

/// Lets bob create topics of this name, which does not let him see them.
fn let_bob_create(topic: &str) {
    let bob = format!("User:{}", bob().user);
    let arguments = [
        "--add",
        "--allow-principal",
        &bob,
        "--operation",
        "Create",
        "--topic",
        topic,
    ];
    java("org.apache.kafka.tools.AclCommand", &arguments, "");
}

#[test]
fn an_approved_topic_that_exists_and_is_hidden_from_us_is_told_and_tried_again_later() {
    let registry = Registry::new();
    let hidden = topic("hidden").create();
    let_bob_create(&hidden);
    let denied = unique("denied");
    registry.approve(&[json!({"name": &*hidden}), json!({"name": denied})]);
    let reconcile = registry.own(to(Sasl, &bob(), "", &["topic", "reconcile"]));
    let told = reconcile.run().exits(1).lines();
    let of = |name: &str| told.iter().find(|row| row["name"] == name).unwrap();
    let message = format!("topic `{}` exists already", &*hidden);
    assert_eq!(of(&hidden)["message"], message);
    let message = of(&denied)["message"].as_str().unwrap();
    assert!(
        message.starts_with("not authorised to create topic"),
        "{message}"
    );
    assert!(
        told.iter().all(|row| row["next_attempt_at"].is_string()),
        "{told:?}"
    );

    // Whoever may see it learns what it is.
    let described = registry.plan(1);
    let conflict = described.iter().find(|row| row["name"] == *hidden).unwrap();
    assert_eq!(conflict["action"], "conflict");
    let create = to(Sasl, &bob(), "", &["topic", "create", &denied]).run();
    create
        .exits(4)
        .says("not authorised to create topic")
        .says_one_error();
}

#[test]
fn a_replay_that_may_not_write_commits_nothing() {
    let (orders, dead) = (topic("guarded").create(), topic("dead").create());
    let headers = vec![(
        "__dlq.errors.topic".to_owned(),
        Some(orders.as_bytes().to_vec()),
    )];
    dead.append(&[Record {
        headers,
        ..number_in(0, 7)
    }]);
    let group = format!("kpipe-replay.{dead}");
    let bob = bob();
    let user = format!("User:{}", bob.user);
    for may in [
        ["--operation", "Read", "--topic", &*dead],
        // Of any topic, so that it may be an idempotent producer.
        ["--operation", "Write", "--topic", &*dead],
        ["--operation", "Read", "--group", &*group],
        ["--operation", "Describe", "--topic", &*orders],
    ] {
        let allow = ["--add", "--allow-principal", &user];
        java(
            "org.apache.kafka.tools.AclCommand",
            &[&allow[..], &may].concat(),
            "",
        );
    }
    let replay = ["dlq", "replay", &*dead, "--yes"];
    to(Sasl, &bob, "KAFKA_CA", &replay)
        .run()
        .exits(1)
        .says(&format!(
            "error: {dead}[0]@0: not authorised to send to topic `{orders}`"
        ))
        .says("0 sent; 1 stay");
    assert_eq!(committed(&group, &dead), [0]);
    to(Sasl, &alice(), "KAFKA_CA", &replay)
        .run()
        .ok()
        .says("1 sent");
    assert_eq!(committed(&group, &dead), [1]);
}
