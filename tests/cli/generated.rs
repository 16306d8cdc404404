//! The files that are made of the program, and checked in, are as it makes them now.
//!
//! `SNAPSHOTS=overwrite cargo test --test cli generated` makes them again.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::Place;

fn checked_in(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)
}

fn files(folder: &Path) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        files.insert(name, fs::read_to_string(entry.path()).unwrap());
    }
    files
}

/// Compares file by file and both listings, or makes `folder` anew where that is asked for.
#[track_caller]
fn is_as_made(folder: &str, made: &BTreeMap<String, String>) {
    let folder = checked_in(folder);
    if std::env::var("SNAPSHOTS").as_deref() == Ok("overwrite") {
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        for (name, text) in made {
            fs::write(folder.join(name), text).unwrap();
        }
    }
    let found = files(&folder);
    let names = |files: &BTreeMap<String, String>| files.keys().cloned().collect::<Vec<_>>();
    let again = "SNAPSHOTS=overwrite cargo test --test cli generated";
    assert_eq!(names(&found), names(made), "missing or stale: {again}");
    for (name, text) in made {
        snapbox::assert_data_eq!(found[name].clone(), snapbox::Data::text(text.clone()).raw());
    }
}

#[test]
fn the_manual_has_a_page_for_each_command() {
    let place = Place::at("127.0.0.1:1");
    let said = place.kpipe(&["man", "--dir", "pages"]).run().ends(0).out();
    assert_eq!(said, "");
    let made = files(&place.path("pages"));
    assert!(made.contains_key("kpipe.1") && made.contains_key("kpipe-topic-approve.1"));
    is_as_made("man", &made);
    // And the one that is printed is the one that is written.
    place
        .kpipe(&["man", "topic", "approve"])
        .run()
        .ends(0)
        .prints(&made["kpipe-topic-approve.1"])
        .errors("");
}

#[test]
fn a_page_has_a_version_examples_and_statuses_but_no_day() {
    let place = Place::at("127.0.0.1:1");
    let page = place.kpipe(&["man", "tail"]).run().ends(0).errors("").out();
    let title = page.lines().find(|line| line.starts_with(".TH")).unwrap();
    assert!(
        title.contains(concat!("\"kpipe ", env!("CARGO_PKG_VERSION"), "\"")),
        "{title}"
    );
    assert!(!title.contains("20"), "{title}");
    for heading in ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXAMPLES"] {
        assert!(page.contains(&format!("\n.SH {heading}\n")), "{heading}");
    }
    assert!(page.contains("kpipe tail orders \\-l 5"), "{page}");
    let page = place.kpipe(&["man"]).run().ends(0).out();
    for heading in ["\"EXIT STATUS\"", "ENVIRONMENT", "FILES"] {
        assert!(
            page.contains(&format!("\n.SH {heading}\n")),
            "{heading}: {page}"
        );
    }
}

#[test]
fn a_page_of_no_command_is_refused() {
    let place = Place::at("127.0.0.1:1");
    place
        .kpipe(&["man", "topic", "aprove"])
        .run()
        .ends(2)
        .prints("")
        .says(&["no command `topic aprove`"]);
}

#[test]
fn scripts_for_shells_are_printed_as_they_are_in_the_repository() {
    let place = Place::at("127.0.0.1:1");
    let shells = [
        ("bash", "kpipe.bash"),
        ("zsh", "_kpipe"),
        ("fish", "kpipe.fish"),
    ];
    let found = files(&checked_in("completions"));
    assert_eq!(found.len(), shells.len(), "{:?}", found.keys());
    for (shell, file) in shells {
        place
            .kpipe(&["completions", shell])
            .run()
            .ends(0)
            .prints(&found[file])
            .errors("");
    }
}
