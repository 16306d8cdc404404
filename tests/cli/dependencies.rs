//! What is built in may be built in: `deny.toml`'s licences and sources, checked without cargo-deny.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

/// Whether an expression of licences can be met with `allowed` ones. `/` is Cargo's older OR.
fn can_be_met(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    any(&words, &mut at, allowed) && at == words.len()
}

fn any(words: &[&str], at: &mut usize, allowed: &BTreeSet<String>) -> bool {
    let mut met = all(words, at, allowed);
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        met |= all(words, at, allowed);
    }
    met
}

fn all(words: &[&str], at: &mut usize, allowed: &BTreeSet<String>) -> bool {
    let mut met = one(words, at, allowed);
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        met &= one(words, at, allowed);
    }
    met
}

fn one(words: &[&str], at: &mut usize, allowed: &BTreeSet<String>) -> bool {
    let Some(word) = words.get(*at) else {
        return false;
    };
    *at += 1;
    if *word == "(" {
        let met = any(words, at, allowed);
        *at += 1;
        return met;
    }
    let mut licence = (*word).to_owned();
    if words.get(*at) == Some(&"WITH") {
        let exception = words.get(*at + 1).copied().unwrap_or_default();
        licence = format!("{licence} WITH {exception}");
        *at += 2;
    }
    allowed.contains(&licence)
}

fn allowed() -> BTreeSet<String> {
    let rules: toml::Table = toml::from_str(include_str!("../../deny.toml")).unwrap();
    let list = rules["licenses"]["allow"].as_array().unwrap();
    let names = list.iter().map(|name| name.as_str().unwrap().to_owned());
    names.collect()
}

#[test]
fn every_crate_is_under_a_licence_that_is_allowed_and_from_the_registry() {
    // What is built here was fetched to be built; what other systems need was not.
    let host = Command::new("rustc").args(["-vV"]).output().unwrap().stdout;
    let host = String::from_utf8(host).unwrap();
    let host = host.lines().find_map(|line| line.strip_prefix("host: "));
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--offline"])
        .args(["--filter-platform", host.unwrap()])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let allowed = allowed();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 100);
    for package in packages {
        let (name, licence) = (&package["name"], &package["license"]);
        assert!(
            can_be_met(licence.as_str().unwrap_or_default(), &allowed),
            "{name} is under {licence}"
        );
        let source = package["source"].as_str();
        let registry = "registry+https://github.com/rust-lang/crates.io-index";
        assert!(
            name == "kpipe" || source == Some(registry),
            "{name} is from {source:?}"
        );
    }
}

#[test]
fn a_licence_is_met_as_its_expression_says() {
    let allowed = BTreeSet::from(["MIT".to_owned(), "Zlib".to_owned()]);
    for met in [
        "MIT",
        "GPL-3.0 OR MIT",
        "GPL-3.0/MIT",
        "(GPL-3.0 OR MIT) AND Zlib",
    ] {
        assert!(can_be_met(met, &allowed), "{met}");
    }
    for unmet in [
        "",
        "GPL-3.0",
        "MIT AND GPL-3.0",
        "MIT WITH x",
        "(MIT OR Zlib) AND GPL-3.0",
    ] {
        assert!(!can_be_met(unmet, &allowed), "{unmet}");
    }
}
