//! The registry's file: for its owner alone, whole or untouched, whatever happens to it.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rusqlite::Connection;

use crate::support::{Ended, Place};
use crate::topic::{REGISTRY, kpipe, offline};

/// Every file of a folder, with what it holds.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (name, std::fs::read(entry.path()).unwrap_or_default())
        })
        .collect()
}

fn request(place: &Place, name: &str) -> Ended {
    kpipe(place, &format!("topic request {name} --by alice"))
}

fn is_intact(place: &Place) {
    let registry = Connection::open(place.path(REGISTRY)).unwrap();
    let answer: String = registry
        .pragma_query_value(None, "integrity_check", |row| row.get(0))
        .unwrap();
    assert_eq!(answer, "ok");
}

#[test]
fn the_file_is_where_it_was_said_to_be_and_its_owners_alone() {
    let place = offline();
    let run = |name: &str, flags: &[&str], environment: &[(&str, &str)]| {
        let mut words = vec!["topic", "request", name, "--by", "alice"];
        words.extend(flags);
        let mut invocation = place.kpipe(&words);
        for (variable, value) in environment {
            invocation = invocation.env(variable, value);
        }
        invocation.run().ends(0).errors("");
    };
    let data = place.path("data");
    let data = data.to_str().unwrap();
    run("a", &[], &[]);
    run("b", &[], &[("XDG_DATA_HOME", data)]);
    run("c", &[], &[("XDG_DATA_HOME", "relative")]);
    std::fs::create_dir_all(place.path("deep/er")).unwrap();
    run(
        "d",
        &[],
        &[
            ("KPIPE_REGISTRY", "deep/er/named.db"),
            ("XDG_DATA_HOME", data),
        ],
    );
    run(
        "e",
        &["--registry", "a%20b?c#d.db"],
        &[("KPIPE_REGISTRY", "deep/er/named.db")],
    );
    for (file, names) in [
        (REGISTRY, vec!["a", "c"]),
        ("data/kpipe/registry.db", vec!["b"]),
        ("deep/er/named.db", vec!["d"]),
        ("a%20b?c#d.db", vec!["e"]),
    ] {
        let listed = place
            .kpipe(&["topic", "list", "--state", "PENDING", "--registry", file])
            .run()
            .ends(0)
            .json();
        assert_eq!(crate::support::each(&listed, "name"), names, "{file}");
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let path = place.path(file);
        assert_eq!(mode(&path), 0o600, "{file}");
        // Those that kpipe made.
        if file.ends_with("kpipe/registry.db") {
            assert_eq!(mode(path.parent().unwrap()), 0o700, "{file}");
        }
    }
}

#[test]
fn no_folder_is_made_for_a_mistyped_registry() {
    let place = offline();
    kpipe(
        &place,
        "topic request orders --by alice --registry no/such/r.db",
    )
    .ends(2)
    .says(&["there is no folder no/such\n", "hint: mkdir -p no/such"])
    .says_one_block();
    assert!(!place.path("no").exists());
}

#[test]
fn without_a_home_the_error_says_which_variables_would_do() {
    offline()
        .kpipe(&["topic", "stats"])
        .without_env("HOME")
        .run()
        .ends(2)
        .says(&["KPIPE_REGISTRY", "XDG_DATA_HOME", "--registry FILE"])
        .says_one_block();
}

#[test]
fn an_empty_file_becomes_a_registry_of_its_owner_when_something_is_asked_for() {
    let place = offline();
    place.write("empty.db", "");
    for words in [
        "list --state PENDING",
        "stats",
        "approve orders --by bob",
        "reconcile",
    ] {
        kpipe(&place, &format!("topic {words} --registry empty.db"))
            .ends(2)
            .says(&["empty.db is not a registry"])
            .says_one_block();
        assert!(place.read("empty.db").is_empty(), "it is left as it is");
    }
    place
        .kpipe(&[
            "topic",
            "request",
            "orders",
            "--by",
            "alice",
            "--registry",
            "empty.db",
        ])
        .run()
        .ends(0);
    let listed = place
        .kpipe(&[
            "topic",
            "list",
            "--state",
            "PENDING",
            "--registry",
            "empty.db",
        ])
        .run()
        .ends(0);
    assert_eq!(listed.json().len(), 1);
    let mode = place
        .path("empty.db")
        .metadata()
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn what_is_no_registry_of_ours_is_refused_and_not_touched() {
    let place = offline();
    let make = |name: &str, sql: &str| {
        Connection::open(place.path(name))
            .unwrap()
            .execute_batch(sql)
            .unwrap();
    };
    place.write(
        "strange/text.db",
        "not a database, but longer than a header of one hundred bytes: ".repeat(99),
    );
    make(
        "strange/other.db",
        "CREATE TABLE t (x); INSERT INTO t VALUES (1)",
    );
    make(
        "strange/wal.db",
        "PRAGMA journal_mode = WAL; CREATE TABLE t (x); PRAGMA application_id = 7",
    );
    request(&place, "orders").ends(0);
    std::fs::copy(place.path(REGISTRY), place.path("strange/newer.db")).unwrap();
    make(
        "strange/newer.db",
        "PRAGMA journal_mode = DELETE; PRAGMA user_version = 99",
    );
    let before = files(&place.path("strange"));
    for (file, says) in [
        ("text.db", "strange/text.db is not a registry"),
        ("other.db", "strange/other.db is not a registry"),
        ("wal.db", "strange/wal.db is not a registry"),
        (
            "newer.db",
            "strange/newer.db has version 99, and this kpipe knows 1",
        ),
    ] {
        let file = format!("strange/{file}");
        for words in [
            "list --state PENDING",
            "request x --by a",
            "approve orders --by bob",
            "key new",
            "stats",
        ] {
            kpipe(&place, &format!("topic {words} --registry {file}"))
                .ends(2)
                .prints("")
                .says(&[says])
                .says_one_block();
        }
    }
    assert!(
        files(&place.path("strange")) == before,
        "something was touched"
    );
    for path in ["/dev/null", "."] {
        kpipe(&place, &format!("topic request x --by a --registry {path}"))
            .ends(2)
            .says(&["is not a registry"]);
    }
}

#[test]
fn a_damaged_file_is_said_to_be_and_not_touched() {
    let place = offline();
    for name in ["a", "b", "c"] {
        request(&place, name).ends(0);
    }
    let whole = place.read(REGISTRY);
    let pages = whole.len() / 4096;
    let damaged = |bytes: &[u8]| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.db");
        std::fs::write(&path, bytes).unwrap();
        let file = path.to_str().unwrap();
        let mut said = 0;
        for words in [
            "list --state PENDING",
            "approve a --by bob",
            "request d --by alice",
            "history",
            "stats",
        ] {
            std::fs::write(&path, bytes).unwrap();
            let words = format!("topic {words} --registry {file}");
            let ended = place.kpipe(&words.split(' ').collect::<Vec<_>>()).run();
            if ended.stderr().starts_with("error: ") {
                ended
                    .ends(2)
                    .says(&["is damaged", "kpipe topic backup"])
                    .says_one_block();
                assert!(std::fs::read(&path).unwrap() == bytes, "{words}");
                assert_eq!(files(folder.path()).len(), 1, "{words}");
                said += 1;
            } else {
                ended.ends(0);
            }
        }
        said
    };
    assert_eq!(damaged(&whole[..6000]), 5, "cut off");
    // A page that no verb here has to read can be anything.
    let noticed = (1..pages).filter(|page| {
        let mut bytes = whole.clone();
        bytes[page * 4096..(page + 1) * 4096].fill(0xa5);
        damaged(&bytes) > 0
    });
    assert!(noticed.count() > pages / 2);
}

#[test]
fn whoever_waits_too_long_for_another_may_try_again_and_readers_do_not_wait() {
    let place = offline();
    request(&place, "orders").ends(0);
    let other = Connection::open(place.path(REGISTRY)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    kpipe(&place, "topic list --state PENDING")
        .ends(0)
        .errors("");
    kpipe(&place, "topic approve orders --by bob")
        .ends(3)
        .prints("")
        .says(&["is locked by another process", "try again"])
        .says_one_block();
    other.execute_batch("ROLLBACK").unwrap();
    kpipe(&place, "topic approve orders --by bob").ends(0);
}

#[test]
fn a_backup_is_a_registry_and_overwrites_nothing() {
    let place = offline();
    request(&place, "orders").ends(0);
    let other = Connection::open(place.path(REGISTRY)).unwrap();
    // While somebody writes, and with what they have not committed left out.
    other
        .execute_batch("BEGIN IMMEDIATE; INSERT INTO meta VALUES ('a', 'b')")
        .unwrap();
    kpipe(&place, "topic backup copy.db")
        .ends(0)
        .prints("")
        .says(&["copy.db"]);
    drop(other);
    let mode = std::fs::metadata(place.path("copy.db"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let list = |flags: &str| {
        kpipe(&place, &format!("topic list --state PENDING{flags}"))
            .ends(0)
            .json()
    };
    assert_eq!(list(" --registry copy.db"), list(""));
    let before = place.read("copy.db");
    kpipe(&place, "topic backup copy.db")
        .ends(2)
        .says(&["copy.db is there already"])
        .says_one_block();
    assert_eq!(place.read("copy.db"), before);
    kpipe(&place, "topic backup no/such/folder.db")
        .ends(1)
        .says(&["cannot create no/such/folder.db"]);
}

#[test]
fn what_does_not_fit_fails_and_what_was_said_to_be_done_is_done() {
    let place = offline();
    request(&place, "first").ends(0);
    let lines: String = (0..300)
        .map(|number| format!("{{\"name\":\"t{number}\"}}\n"))
        .collect();
    place.write("lines", lines);
    // As a full disk: writing beyond 200 KiB fails, with the signal for it ignored.
    let ended = place
        .bash("trap '' XFSZ; ulimit -f 200; exec kpipe topic request - --by alice < lines")
        .run()
        .ends(1)
        .says(&["cannot write", "registry.db", "Done: ", " not tried."]);
    let done = ended.json().len();
    assert!((1..300).contains(&done), "the fault came between: {done}");
    is_intact(&place);
    assert_eq!(
        kpipe(&place, "topic list --state PENDING")
            .ends(0)
            .json()
            .len(),
        done + 1
    );
    assert_eq!(
        kpipe(&place, "topic history").ends(0).json().len(),
        done + 1
    );
    place
        .bash("kpipe topic request - --by alice -q < lines")
        .run()
        .ends(0);
    assert_eq!(
        kpipe(&place, "topic list --state PENDING")
            .ends(0)
            .json()
            .len(),
        301
    );
}

#[test]
fn where_nothing_can_be_written_the_error_names_the_place() {
    let place = offline();
    // Not even root makes a file there.
    kpipe(
        &place,
        "topic request orders --by alice --registry /proc/registry.db",
    )
    .ends(1)
    .says(&["cannot create /proc/registry.db", "--registry"])
    .says_one_block();
    request(&place, "orders").ends(0);
    let read_only = if rustix::process::getuid().is_root() {
        "unshare --mount bash -c 'mount --bind .local .local && mount -o remount,bind,ro .local && "
    } else {
        "bash -c 'chmod a-w .local/share/kpipe .local/share/kpipe/registry.db && "
    };
    let before = place.read(REGISTRY);
    place
        .bash(&format!("{read_only} kpipe topic approve orders --by bob'"))
        .run()
        .ends(1)
        .prints("")
        .says(&["cannot write", "registry.db"])
        .says_one_block();
    assert_eq!(place.read(REGISTRY), before);
}
