//! Which source wins, and which secrets go where.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;

/// A folder with a config.toml (default profile `dev`), and the inputs under test.
struct Scene {
    folder: tempfile::TempDir,
    environment: BTreeMap<String, String>,
    brokers: Option<&'static str>,
    properties: Vec<String>,
    file: Option<PathBuf>,
    profile: Option<&'static str>,
}

const CONFIG: &str = "\
default_profile = 'dev'
[profiles.dev]
brokers = 'dev:9092'
properties = { 'client.id' = 'default', 'sasl.username' = 'dev', 'sasl.password' = 'dev-secret' }
[profiles.prod]
brokers = 'prod:9092'
properties = { 'client.id' = 'profile', 'sasl.username' = 'prod', 'sasl.password' = 'prod-secret' }
[profiles.oauth]
brokers = 'oauth:9092'
oauth_token_command = ['token', '--secret=hunter2']
[profiles.rules]
properties = { 'client.id' = 'rules' }
[profiles.asks]
brokers = 'asks:9092'
password_command = ['false']
";

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        fs::write(&path, CONFIG).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let environment = [("KPIPE_CONFIG".to_owned(), path.to_str().unwrap().to_owned())].into();
        Self {
            folder,
            environment,
            brokers: None,
            properties: Vec::new(),
            file: None,
            profile: None,
        }
    }

    fn brokers(mut self, brokers: &'static str) -> Self {
        self.brokers = Some(brokers);
        self
    }

    fn property(mut self, property: &str) -> Self {
        self.properties.push(property.to_owned());
        self
    }

    fn file(mut self, text: &str) -> Self {
        let path = self.folder.path().join("client.properties");
        fs::write(&path, text).unwrap();
        self.file = Some(path);
        self
    }

    fn profile(mut self, name: &'static str) -> Self {
        self.profile = Some(name);
        self
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    fn try_resolve(&self) -> Result<Connection, ConfigError> {
        resolve(&Inputs {
            brokers: self.brokers,
            properties: &self.properties,
            file: self.file.as_deref(),
            profile: self.profile,
            environment: &self.environment,
        })
    }

    fn resolve(&self) -> Connection {
        self.try_resolve().unwrap()
    }
}

/// Adds one source that names brokers and, where it can, a client id; both are its name.
type Source = (&'static str, fn(Scene) -> Scene);

const SOURCES: [Source; 8] = [
    ("--brokers", |scene| scene.brokers("--brokers:1")),
    ("-X", |scene| scene.property("metadata.broker.list=-X:1")),
    ("-F", |scene| scene.file("bootstrap.servers=-F:1\n")),
    ("-C", |scene| scene.profile("prod")),
    ("KPIPE_BROKERS", |scene| {
        scene.variable("KPIPE_BROKERS", "KPIPE_BROKERS:1")
    }),
    ("KPIPE_PROFILE", |scene| {
        scene.variable("KPIPE_PROFILE", "prod")
    }),
    ("KAFKA_BROKERS", |scene| {
        scene.variable("KAFKA_BROKERS", "KAFKA_BROKERS:1")
    }),
    ("KAFKA_BOOTSTRAP_SERVERS", |scene| {
        scene.variable("KAFKA_BOOTSTRAP_SERVERS", "KAFKA_BOOTSTRAP_SERVERS:1")
    }),
];

#[test]
fn of_every_two_sources_of_brokers_the_stronger_wins() {
    for (index, (stronger, add_stronger)) in SOURCES.iter().enumerate() {
        for (weaker, add_weaker) in &SOURCES[index..] {
            let connection = add_stronger(add_weaker(Scene::new())).resolve();
            let expected = match *stronger {
                "-C" | "KPIPE_PROFILE" => "prod:9092".to_owned(),
                name => format!("{name}:1"),
            };
            assert_eq!(connection.brokers(), expected, "{stronger} with {weaker}");
        }
    }
}

#[test]
fn of_every_two_sources_of_a_property_the_stronger_wins() {
    let sources: [Source; 5] = [
        ("-X", |scene| {
            scene.property("client.id=lost").property("client.id=-X")
        }),
        ("-F", |scene| scene.file("client.id=-F\n")),
        ("profile", |scene| scene.profile("prod")),
        ("KPIPE_X", |scene| {
            scene.variable("KPIPE_X_CLIENT_ID", "KPIPE_X")
        }),
        ("default", |scene| scene),
    ];
    for (index, (stronger, add_stronger)) in sources.iter().enumerate() {
        for (weaker, add_weaker) in &sources[index..] {
            let connection = add_stronger(add_weaker(Scene::new())).resolve();
            assert_eq!(
                connection.get("client.id"),
                Some(*stronger),
                "{stronger} with {weaker}"
            );
        }
    }
}

#[test]
fn the_default_profile_counts_whole_or_not_at_all() {
    let connection = Scene::new().resolve();
    assert_eq!(
        (connection.brokers(), connection.profile()),
        ("dev:9092", Some("dev"))
    );
    assert_eq!(connection.get("sasl.password"), Some("dev-secret"));
    for (name, add) in SOURCES {
        let connection = add(Scene::new()).resolve();
        assert_ne!(
            connection.get("sasl.password"),
            Some("dev-secret"),
            "{name}"
        );
        assert_ne!(connection.profile(), Some("dev"), "{name}");
    }
}

#[test]
fn a_profile_of_the_environment_does_not_follow_other_brokers() {
    for (name, add) in &SOURCES[..5] {
        if *name == "-C" {
            continue;
        }
        let connection = add(Scene::new().variable("KPIPE_PROFILE", "prod")).resolve();
        assert_eq!(connection.get("sasl.password"), None, "{name}");
        let note = connection.notes()[0].to_string();
        assert!(
            note.starts_with("profile prod of KPIPE_PROFILE is not used: "),
            "{note}"
        );
    }
}

#[test]
fn what_was_typed_combines() {
    let connection = Scene::new()
        .profile("prod")
        .brokers("other:9092")
        .file("sasl.username=eve")
        .resolve();
    assert_eq!(connection.brokers(), "other:9092");
    assert_eq!(connection.get("sasl.username"), Some("eve"));
    assert_eq!(connection.get("sasl.password"), Some("prod-secret"));
}

#[test]
fn secrets_of_the_environment_stay_with_the_brokers_of_the_environment() {
    let scene = |brokers| {
        Scene::new()
            .variable("KPIPE_X_SASL_PASSWORD", "secret")
            .variable("KPIPE_BROKERS", "own:9092")
            .brokers(brokers)
    };
    assert_eq!(
        scene("own:9092").resolve().get("sasl.password"),
        Some("secret")
    );
    let elsewhere = scene("other:9092").resolve();
    assert_eq!(elsewhere.get("sasl.password"), None);
    assert!(
        elsewhere.notes()[0]
            .to_string()
            .contains("--brokers names other brokers")
    );

    let alone = Scene::new()
        .variable("KPIPE_X_SASL_PASSWORD", "secret")
        .brokers("other:9092")
        .resolve();
    assert_eq!(alone.get("sasl.password"), Some("secret"));
}

#[test]
fn without_any_source_it_is_localhost() {
    let environment = BTreeMap::from([("HOME".to_owned(), "/nowhere".to_owned())]);
    let inputs = Inputs {
        brokers: None,
        properties: &[],
        file: None,
        profile: None,
        environment: &environment,
    };
    let connection = resolve(&inputs).unwrap();
    assert_eq!(connection.brokers(), "localhost:9092");
    assert_eq!(
        connection.property("metadata.broker.list").unwrap().origin,
        Origin::Default
    );
}

#[test]
fn a_profile_without_brokers_goes_with_those_that_another_source_names() {
    let typed = || Scene::new().profile("rules");
    let inherited = || Scene::new().variable("KPIPE_PROFILE", "rules");
    for scene in [typed(), inherited()] {
        let connection = scene.resolve();
        assert_eq!(connection.property("bootstrap.servers"), None);
        let error = connection.require_brokers().unwrap_err().to_string();
        assert!(error.starts_with("profile rules in "), "{error}");
        assert!(error.ends_with(": no brokers are named"), "{error}");
    }
    for scene in [
        typed().brokers("a:1"),
        typed().variable("KPIPE_BROKERS", "a:1"),
        typed().variable("KAFKA_BROKERS", "a:1"),
        inherited().variable("KAFKA_BOOTSTRAP_SERVERS", "a:1"),
    ] {
        let connection = scene.resolve();
        connection.require_brokers().unwrap();
        assert_eq!(connection.brokers(), "a:1");
        assert_eq!(connection.get("client.id"), Some("rules"));
    }
    // As every profile of the environment, it is not even read where something stronger names brokers.
    let stronger = inherited().variable("KPIPE_BROKERS", "a:1").resolve();
    assert_eq!(stronger.get("client.id"), None);
}

#[test]
fn empty_variables_count_as_unset_and_empty_flags_do_not() {
    let scene = Scene::new()
        .variable("KPIPE_BROKERS", "")
        .variable("KPIPE_PROFILE", "")
        .variable("KAFKA_BROKERS", "");
    assert_eq!(scene.resolve().brokers(), "dev:9092");
    let error = Scene::new().brokers("").try_resolve().unwrap_err();
    assert_eq!(error.to_string(), "--brokers: no brokers are named");
}

#[test]
fn a_config_toml_is_read_only_where_it_can_matter() {
    let broken = Scene::new().variable("KPIPE_CONFIG", "/nowhere/config.toml");
    assert!(matches!(
        broken.try_resolve(),
        Err(ConfigError::Read { .. })
    ));
    assert_eq!(broken.brokers("a:1").resolve().brokers(), "a:1");
}

#[test]
fn config_toml_is_where_xdg_says() {
    let find = |pairs: &[(&str, &str)]| {
        let map = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        Environment(&map).config_file()
    };
    assert_eq!(
        find(&[("HOME", "/h")]).unwrap(),
        Path::new("/h/.config/kpipe/config.toml")
    );
    assert_eq!(
        find(&[("HOME", "/h"), ("XDG_CONFIG_HOME", "/x")]).unwrap(),
        Path::new("/x/kpipe/config.toml")
    );
    assert_eq!(
        find(&[("HOME", "/h"), ("XDG_CONFIG_HOME", "x")]).unwrap(),
        Path::new("/h/.config/kpipe/config.toml")
    );
    assert_eq!(find(&[]), None);
}

#[test]
fn a_token_command_implies_its_mechanism_and_yields_to_another() {
    let connection = Scene::new().profile("oauth").resolve();
    assert_eq!(connection.get("sasl.mechanism"), Some("OAUTHBEARER"));
    assert_eq!(connection.oauth_token_command().unwrap()[0], "token");
    let other = Scene::new()
        .profile("oauth")
        .property("sasl.mechanism=PLAIN")
        .resolve();
    assert_eq!(other.oauth_token_command(), None);
    let error = Scene::new()
        .brokers("a:1")
        .property("sasl.mechanisms=oauthbearer")
        .try_resolve()
        .unwrap_err();
    assert!(matches!(error, ConfigError::OauthWithoutCommand { .. }));
}

#[test]
fn a_password_is_asked_for_only_when_it_is_used() {
    let asked = Scene::new().profile("asks").try_resolve().unwrap_err();
    assert!(matches!(asked, ConfigError::PasswordCommand { .. }));
    let given = Scene::new().profile("asks").file("sasl.password=given");
    assert_eq!(given.resolve().get("sasl.password"), Some("given"));
}

#[test]
fn an_x_without_a_value_is_an_error() {
    for (text, key) in [
        ("client.id", "client.id"),
        ("=x", ""),
        ("sasl.password:hunter2", "sasl.password"),
    ] {
        let error = Scene::new().property(text).try_resolve().unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("-X {key}: expected property=value")
        );
    }
}

#[test]
fn rows_show_every_value_with_its_origin_and_no_secret() {
    let scene = Scene::new()
        .property("linger.ms=5")
        .file("\nsasl.password=hunter2\n")
        .variable("KPIPE_X_SECURITY_PROTOCOL", "SASL_SSL")
        .profile("oauth");
    let rows = rows(
        &scene.resolve(),
        &Governance::default(),
        Defaults {
            common: &[("queue.buffering.max.ms", "0"), ("acks", "all")],
            ..Defaults::default()
        },
    );
    let folder = scene.folder.path().display().to_string();
    let lines: Vec<_> = rows
        .iter()
        .map(|row| {
            format!(
                "{} {} {}",
                row.property,
                row.value,
                row.origin.replace(&folder, "~")
            )
        })
        .collect();
    assert_eq!(
        lines,
        [
            "acks all default",
            "bootstrap.servers oauth:9092 profile oauth in ~/config.toml",
            "linger.ms 5 -X",
            "oauth_token_command token … profile oauth in ~/config.toml",
            "sasl.mechanisms OAUTHBEARER profile oauth in ~/config.toml",
            "sasl.password ******** ~/client.properties:2",
            "security.protocol SASL_SSL KPIPE_X_SECURITY_PROTOCOL",
        ]
    );
    assert!(!format!("{:?}", scene.resolve()).contains("hunter2"));
}
