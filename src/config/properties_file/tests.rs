//! Files as the services hand them out, and the two dialects.

use std::collections::BTreeMap;

use super::*;

fn read_as(name: &str, text: &str) -> Result<Reading, ConfigError> {
    parse(text.as_bytes(), Path::new(name))
}

fn values(text: &str) -> BTreeMap<String, String> {
    let reading = read_as("client.properties", text).unwrap();
    reading
        .properties
        .into_iter()
        .rev()
        .map(|property| (property.key, property.value))
        .collect()
}

fn refusal(text: &str) -> ConfigError {
    read_as("client.properties", text).map(|_| ()).unwrap_err()
}

fn map<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
}

#[test]
fn a_confluent_cloud_client_properties_works_unchanged() {
    let file = "\
# Required connection configs for Kafka producer, consumer, and admin
bootstrap.servers=pkc-1.eu-central-1.aws.confluent.cloud:9092
security.protocol=SASL_SSL
sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required username='KEY' password='s/3+cr=t';
sasl.mechanism=PLAIN
# Required for correctness in Apache Kafka clients prior to 2.6
client.dns.lookup=use_all_dns_ips
session.timeout.ms=45000
acks=all
client.id=ccloud-java-client-1
schema.registry.url=https://psrc-1.aws.confluent.cloud
basic.auth.credentials.source=USER_INFO
basic.auth.user.info=SR:SECRET
key.serializer=org.apache.kafka.common.serialization.StringSerializer
group.id=java-group-1
";
    assert_eq!(
        values(file),
        map([
            ("acks", "all"),
            (
                "bootstrap.servers",
                "pkc-1.eu-central-1.aws.confluent.cloud:9092"
            ),
            ("client.dns.lookup", "use_all_dns_ips"),
            ("client.id", "ccloud-java-client-1"),
            ("sasl.mechanisms", "PLAIN"),
            ("sasl.password", "s/3+cr=t"),
            ("sasl.username", "KEY"),
            ("security.protocol", "SASL_SSL"),
            ("session.timeout.ms", "45000"),
        ])
    );
    let notes: Vec<_> = read_as("cc", file)
        .unwrap()
        .notes
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(notes.len(), 5);
    assert_eq!(
        notes[0],
        "cc:11: schema.registry.url is left out: it steers only other clients"
    );
    assert_eq!(
        notes[4],
        "cc:15: group.id is left out: kpipe decides it, see --group"
    );
    assert!(!notes.join(" ").contains("SECRET"));
}

#[test]
fn an_event_hubs_client_properties_works_unchanged() {
    let file = r#"bootstrap.servers=ns.servicebus.windows.net:9093
security.protocol=SASL_SSL
sasl.mechanism=PLAIN
sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
    username="$ConnectionString" \
    password="Endpoint=sb://ns.servicebus.windows.net/;SharedAccessKeyName=Root;SharedAccessKey=a+b/c=";
"#;
    let values = values(file);
    assert_eq!(values["sasl.username"], "$ConnectionString");
    assert_eq!(
        values["sasl.password"],
        "Endpoint=sb://ns.servicebus.windows.net/;SharedAccessKeyName=Root;SharedAccessKey=a+b/c="
    );
}

#[test]
fn an_aiven_client_properties_works_once_its_trust_store_is_pem() {
    let file = "\
security.protocol=SSL
ssl.endpoint.identification.algorithm=
ssl.protocol=TLS
ssl.key.password=k3y
ssl.keystore.location=client.keystore.p12
ssl.keystore.password=st0re
ssl.keystore.type=PKCS12
ssl.truststore.location=ca.pem
ssl.truststore.type=pem
";
    assert_eq!(
        values(file),
        map([
            ("security.protocol", "SSL"),
            ("ssl.ca.location", "ca.pem"),
            ("ssl.endpoint.identification.algorithm", "none"),
            ("ssl.key.password", "k3y"),
            ("ssl.keystore.location", "client.keystore.p12"),
            ("ssl.keystore.password", "st0re"),
        ])
    );
}

#[test]
fn a_java_store_is_an_error_with_the_command_that_converts_it() {
    for (file, command) in [
        (
            "ssl.truststore.location=/etc/my certs/client.truststore.jks",
            "keytool -list -rfc -keystore '/etc/my certs/client.truststore.jks' > '/etc/my certs/client.truststore.pem'",
        ),
        (
            "ssl.truststore.location=store\nssl.truststore.type=JKS",
            "keytool -list -rfc -keystore store > store.pem",
        ),
        (
            "ssl.truststore.location=store",
            "keytool -list -rfc -keystore store > store.pem",
        ),
        (
            "ssl.truststore.location=t.p12",
            "openssl pkcs12 -nokeys -in t.p12 -out t.pem",
        ),
        (
            "ssl.keystore.location=k.jks",
            "keytool -importkeystore -srckeystore k.jks -destkeystore k.p12 -deststoretype PKCS12",
        ),
        (
            "ssl.keystore.location=k\nssl.keystore.type=jks",
            "keytool -importkeystore -srckeystore k -destkeystore k.p12 -deststoretype PKCS12",
        ),
    ] {
        let error = refusal(file);
        assert!(
            error.to_string().starts_with("client.properties:1: "),
            "{error}"
        );
        let hint = error.hint().unwrap();
        assert!(hint.contains(&format!("`{command}`")), "{hint}");
    }
}

#[test]
fn java_pem_stores_become_librdkafkas() {
    let file = r"ssl.keystore.type=PEM
ssl.keystore.key=-----BEGIN PRIVATE KEY-----\nAA\n-----END PRIVATE KEY-----
ssl.keystore.certificate.chain=-----BEGIN CERTIFICATE-----\nBB\n-----END CERTIFICATE-----
ssl.truststore.type=PEM
ssl.truststore.certificates=-----BEGIN CERTIFICATE-----\nCC\n-----END CERTIFICATE-----
";
    let values = values(file);
    assert_eq!(
        values["ssl.key.pem"],
        "-----BEGIN PRIVATE KEY-----\nAA\n-----END PRIVATE KEY-----"
    );
    assert_eq!(values["ssl.certificate.pem"].lines().nth(1), Some("BB"));
    assert_eq!(values["ssl.ca.pem"].lines().nth(1), Some("CC"));

    let one_file = self::values("ssl.keystore.type=PEM\nssl.keystore.location=me.pem");
    assert_eq!(
        one_file,
        map([
            ("ssl.key.location", "me.pem"),
            ("ssl.certificate.location", "me.pem")
        ])
    );
}

#[test]
fn a_kcat_conf_works_unchanged() {
    let file = "\
# comment
  metadata.broker.list = kafka:9092
security.protocol=SASL_SSL\r
sasl.mechanisms=SCRAM-SHA-512

sasl.username=ann
sasl.password=a\\b\\n\\=c\\:d\\
topic.acks=1
enable.auto.commit=true
";
    assert_eq!(
        values(file),
        map([
            ("acks", "1"),
            ("bootstrap.servers", "kafka:9092"),
            ("sasl.mechanisms", "SCRAM-SHA-512"),
            ("sasl.password", "a\\b\\n=c:d\\"),
            ("sasl.username", "ann"),
            ("security.protocol", "SASL_SSL"),
        ])
    );
}

#[test]
fn a_backslash_means_what_it_means_to_the_client_the_file_is_for() {
    assert_eq!(values("sasl.password=a\\tb")["sasl.password"], "a\\tb");
    assert_eq!(
        values("ssl.keystore.password=a\\tb\nssl.protocol=TLS")["ssl.keystore.password"],
        "a\tb"
    );
}

#[test]
fn the_last_line_of_a_key_counts() {
    assert_eq!(
        values("linger.ms=1\nqueue.buffering.max.ms=2")["linger.ms"],
        "2"
    );
}

#[test]
fn a_line_that_is_no_property_is_named() {
    let error = refusal("client.id=me\nsecurity.protocol SSL\n");
    assert_eq!(
        error.to_string(),
        "client.properties:2: expected property=value"
    );
    let error = refusal("ssl.protocol=TLS\nclient.id=\\u00zz\n");
    assert_eq!(error.to_string(), "client.properties:2: broken escape");
    let error = refusal("plugin.library.paths=evil.so");
    assert!(matches!(error, ConfigError::UnsafeProperty { .. }));
}

#[test]
fn an_unknown_login_module_is_named_and_its_secret_is_not() {
    let error = refusal(
        "sasl.jaas.config=com.sun.security.auth.module.Krb5LoginModule required password=hunter2;",
    );
    assert!(error.to_string().contains("Krb5LoginModule"), "{error}");
    assert!(!format!("{error:?}").contains("hunter2"));
}
