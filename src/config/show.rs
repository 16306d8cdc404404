//! The rows of `kpipe config show`: every effective value and where it came from, secrets masked.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Connection, Governance, Origin, property};

/// One effective setting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// librdkafka's name, or a key of config.toml.
    pub property: String,
    /// Its value; `********` for a secret.
    pub value: String,
    /// Who set it.
    pub origin: String,
}

/// kpipe's own settings, which anything the user set overrides.
#[derive(Clone, Copy, Debug, Default)]
pub struct Defaults<'a> {
    pub common: &'a [(&'a str, &'a str)],
    pub producers: &'a [(&'a str, &'a str)],
    pub consumers: &'a [(&'a str, &'a str)],
}

impl Defaults<'_> {
    /// A property once, also where producers and consumers have each their own.
    fn each(&self) -> BTreeMap<&str, String> {
        let mut each: BTreeMap<_, _> = (self.common.iter().chain(self.producers))
            .map(|(key, value)| (*key, (*value).to_owned()))
            .collect();
        for (key, value) in self.consumers {
            each.entry(key)
                .and_modify(|known| *known = format!("{known} to send, {value} to read"))
                .or_insert_with(|| (*value).to_owned());
        }
        each
    }
}

/// Returns the settings, sorted, and the rules that a profile sets for topics.
pub fn rows(connection: &Connection, governance: &Governance, defaults: Defaults<'_>) -> Vec<Row> {
    let mut rows: Vec<Row> = connection
        .properties()
        .map(|property| row(&property.key, property.masked(), &property.origin))
        .collect();
    rows.extend(
        (defaults.each().into_iter())
            .filter(|(key, _)| connection.property(key).is_none())
            .map(|(key, value)| row(property::canonical(key), &value, &Origin::Default)),
    );
    // Arguments of a command may hold a secret, so only the program is shown.
    if let Some((argv, origin)) = &connection.oauth_token_command {
        rows.push(row(
            "oauth_token_command",
            &format!("{} …", argv.first().map_or("", String::as_str)),
            origin,
        ));
    }
    if let Some(origin) = &governance.origin {
        let rules = &governance.rules;
        rows.push(row("approval", governance.approval.name(), origin));
        rows.push(row("four_eyes", rules.four_eyes.name(), origin));
        let policy = rules.policy.rules().into_iter();
        rows.extend(policy.map(|(rule, value)| row(&format!("policy.{rule}"), &value, origin)));
    }
    rows.sort_by(|one, other| one.property.cmp(&other.property));
    rows
}

fn row(property: &str, value: &str, origin: &Origin) -> Row {
    Row {
        property: property.to_owned(),
        value: value.to_owned(),
        origin: origin.to_string(),
    }
}
