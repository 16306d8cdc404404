//! Who may name whom: the layers of ARCHITECTURE.md, as the source stands.

use std::collections::BTreeMap;
use std::path::Path;

/// Every Rust file below `folder`, by its path from the package's root with `/`.
fn sources(folder: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap();
                found.insert(name.to_owned(), std::fs::read_to_string(&path).unwrap());
            }
        }
    }
    found
}

/// The source files whose code, comments aside, has `word` as a word.
fn naming(word: &str) -> Vec<String> {
    let word = regex::Regex::new(&format!(r"\b{word}\b")).unwrap();
    let has = |text: &str| {
        text.lines()
            .map(|line| line.split("//").next().unwrap_or_default())
            .any(|line| word.is_match(line))
    };
    let sources = sources("src");
    assert!(sources.len() > 20, "the sources are not where they were");
    let naming: Vec<String> = sources
        .into_iter()
        .filter(|(_, text)| has(text))
        .map(|(name, _)| name)
        .collect();
    naming
}

#[track_caller]
fn only(word: &str, allowed: &[&str]) {
    let naming = naming(word);
    let strays: Vec<&String> = naming
        .iter()
        .filter(|name| !allowed.iter().any(|allowed| name.starts_with(allowed)))
        .collect();
    assert!(strays.is_empty(), "{word} is named in {strays:?}");
    // A search that finds nothing where something must be would pass for ever.
    assert_eq!(
        naming.is_empty(),
        allowed.is_empty(),
        "{word} is not named anywhere"
    );
}

#[test]
fn rdkafka_is_named_in_kafka_alone() {
    only("rdkafka(_sys)?", &["src/kafka/"]);
}

#[test]
fn clap_is_named_where_arguments_are() {
    only(
        "clap",
        &[
            "src/cli.rs",
            "src/commands/",
            "src/documented.rs",
            "src/lib.rs",
            "src/ui/",
            "src/usage.rs",
        ],
    );
}

#[test]
fn what_completes_and_what_makes_pages_are_named_by_their_commands_alone() {
    only("clap_complete", &["src/commands/complete.rs"]);
    only("clap_mangen", &["src/commands/man.rs"]);
}

#[test]
fn unsafe_is_in_ffi_alone() {
    only("unsafe", &["src/kafka/ffi/"]);
}

#[test]
fn sqlite_is_named_where_files_are() {
    only(
        "rusqlite",
        &[
            "src/database/",
            "src/handler/attempts.rs",
            "src/handler/error.rs",
            "src/handler/worker.rs",
            "src/registry/",
            "src/store/",
        ],
    );
}

#[test]
fn every_test_file_is_a_module() {
    let main = include_str!("main.rs");
    for name in sources("tests/cli").into_keys() {
        let module = name.rsplit('/').next().unwrap().trim_end_matches(".rs");
        assert!(
            module == "main" || main.contains(&format!("\nmod {module};")),
            "{name} is not compiled"
        );
    }
}
