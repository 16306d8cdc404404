//! Records in `SQLite`: what rows there are, what statements make of them, and what is refused before anything is read.

use std::os::unix::fs::PermissionsExt;

use rusqlite::Connection;
use rustix::process::Signal;

use crate::support::{Ended, Place};

fn orders() -> Place {
    let place = Place::with(&["orders:2", "other:1"]);
    let lines = concat!(
        r#"{"topic":"orders","partition":0,"timestamp":5,"key":"u-1","value":{"type":"Created","total":7},"headers":[{"key":"h","value":"1"},{"key":"h","value":null}]}"#,
        "\n",
        r#"{"topic":"orders","partition":0,"timestamp":6,"key":"u-2","value":{"data_type":"Created","total":30}}"#,
        "\n",
        r#"{"topic":"orders","partition":1,"timestamp":7,"key":"u-1","value":"paid","headers":[{"key":"ce_type","value":"Paid"}]}"#,
        "\n",
        r#"{"topic":"orders","partition":1,"timestamp":8,"key_base64":"/w==","value":null}"#,
        "\n",
    );
    let sent = place.kpipe(&["send", "-q"]).input(lines).run();
    sent.ends(0).errors("");
    place
}

fn store(place: &Place, more: &[&str]) -> Ended {
    let begin = &["store", "orders", "-g", "g", "--db", "f.db", "-e"][..];
    place.kpipe(&[begin, more].concat()).run()
}

/// What a query gives, as its own function `quote` shows it.
fn query(place: &Place, columns: &str, rest: &str) -> Vec<String> {
    let file = Connection::open(place.path("f.db")).unwrap();
    let quoted: Vec<String> = columns
        .split(", ")
        .map(|one| format!("quote({one})"))
        .collect();
    let sql = format!("SELECT {} {rest}", quoted.join(" || ' ' || "));
    let mut query = file.prepare(&sql).unwrap();
    let rows = query.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

fn rows(place: &Place) -> Vec<String> {
    query(
        place,
        "topic, partition, offset, key",
        "FROM records ORDER BY topic, partition, offset",
    )
}

#[test]
fn the_file_alone_is_whole_when_the_run_has_ended() {
    let place = orders();
    store(&place, &[]).ends(0);
    let copy = place.path("copy.db");
    std::fs::copy(place.path("f.db"), &copy).unwrap();
    let copy = Connection::open(copy).unwrap();
    let count: i64 = copy
        .query_row("SELECT count(*) FROM records", [], |row| row.get(0))
        .unwrap();
    assert_eq!(count, 4);
}

#[test]
fn each_record_is_a_row_as_it_was() {
    let place = orders();
    store(&place, &[]).ends(0).errors("4 stored\n");
    let all = query(
        &place,
        "topic, partition, offset, timestamp, timestamp_type, key, value, headers",
        "FROM records ORDER BY timestamp",
    );
    assert_eq!(
        all,
        [
            r#"'orders' 0 0 5 'create' 'u-1' '{"type":"Created","total":7}' '[{"key":"h","value":"1"},{"key":"h","value":null}]'"#,
            r#"'orders' 0 1 6 'create' 'u-2' '{"data_type":"Created","total":30}' '[]'"#,
            r#"'orders' 1 0 7 'create' 'u-1' 'paid' '[{"key":"ce_type","value":"Paid"}]'"#,
            "'orders' 1 1 8 'create' X'FF' NULL '[]'",
        ]
    );
    assert_eq!(
        query(
            &place,
            "value ->> 'total'",
            "FROM records WHERE key = 'u-2'"
        ),
        ["30"]
    );
    let offsets = query(
        &place,
        "consumer_group, topic, partition, next",
        "FROM kpipe_offsets",
    );
    assert_eq!(offsets, ["'g' 'orders' 0 2", "'g' 'orders' 1 2"]);
    let mode = place.path("f.db").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn bytes_and_a_nul_are_blobs_and_the_empty_value_is_not_null() {
    let place = Place::with(&["orders:1"]);
    let lines = "{\"value\":\"\"}\n{\"value_base64\":\"/wA=\"}\n{\"value\":\"a\\u0000b\"}\n{\"value\":\"\u{e9}\"}\n";
    place
        .kpipe(&["send", "orders", "-q"])
        .input(lines)
        .run()
        .ends(0)
        .errors("");
    store(&place, &["-q"]).ends(0).errors("");
    assert_eq!(
        query(&place, "value", "FROM records ORDER BY offset"),
        ["''", "X'FF00'", "X'610062'", "'\u{e9}'"]
    );
}

#[test]
fn a_second_run_goes_on_after_the_first_and_the_group_has_no_lag() {
    let place = orders();
    store(&place, &["-q"]).ends(0).errors("");
    place.send("orders", &["more"]);
    store(&place, &[]).ends(0).errors("1 stored\n");
    assert_eq!(rows(&place).len(), 5);
    let left = place.kpipe(&["tail", "orders", "-g", "g", "-e"]).run();
    left.ends(0).prints("");
}

#[test]
fn the_file_decides_where_the_group_goes_on_and_says_so() {
    let place = orders();
    store(&place, &["-q"]).ends(0).errors("");
    // An older copy of the file is put in the place of the newer one.
    let file = Connection::open(place.path("f.db")).unwrap();
    file.execute_batch("DELETE FROM records WHERE partition = 0 AND offset = 1; UPDATE kpipe_offsets SET next = 1 WHERE partition = 0")
        .unwrap();
    drop(file);
    store(&place, &[]).ends(0).says(&[
        "warning: orders[0] goes on at offset 1, as the file has it, though the group is at 2",
        "1 stored",
    ]);
    assert_eq!(rows(&place).len(), 4);
    // A fresh file is filled from the beginning, whatever the group has seen.
    std::fs::remove_file(place.path("f.db")).unwrap();
    store(&place, &[])
        .ends(0)
        .says(&["begins anew", "4 stored"]);
    assert_eq!(rows(&place).len(), 4);
}

#[test]
fn where_a_partition_began_holds_though_nothing_was_stored() {
    let place = orders();
    store(&place, &["-o", "end", "-q"]).ends(0).errors("");
    place.send("orders", &["after"]);
    // Without what the first run wrote down, this one would begin at the end as it is now.
    store(&place, &["-o", "end"]).ends(0).errors("1 stored\n");
    assert_eq!(rows(&place).len(), 1);
}

#[test]
fn what_a_filter_leaves_out_is_behind_the_group_and_not_in_the_table() {
    let place = orders();
    store(&place, &["--where", "/total>10"])
        .ends(0)
        .errors("1 stored\n");
    let offsets = query(&place, "next", "FROM kpipe_offsets ORDER BY partition");
    assert_eq!(offsets, ["2", "2"]);
    store(&place, &[]).ends(0).errors("0 stored\n");
}

#[test]
fn statements_run_for_each_record_or_for_those_of_a_type() {
    let place = orders();
    place.write(
        "latest.sql",
        "-- Latest value of each key.\nCREATE TABLE IF NOT EXISTS latest (key ANY PRIMARY KEY, value ANY) STRICT;\n\
         INSERT INTO latest VALUES (:key, :value)\n  ON CONFLICT DO UPDATE SET value = excluded.value;\n",
    );
    place.write(
        "created.sql",
        "CREATE TABLE IF NOT EXISTS spent (total INTEGER); CREATE VIEW IF NOT EXISTS v AS SELECT * FROM spent;\n\
         INSERT INTO spent SELECT :value ->> 'total';",
    );
    place.write(
        "paid.sql",
        "CREATE TABLE IF NOT EXISTS audit (place TEXT, at INTEGER, headers TEXT);\n\
         INSERT INTO audit VALUES (:topic || :partition || '@' || :offset, :timestamp, :headers);\nSELECT :consumed_at;",
    );
    let sql = [
        "--sql",
        "latest.sql",
        "--sql",
        "Created=created.sql",
        "--sql",
        "Paid=paid.sql",
        "-q",
    ];
    store(&place, &sql).ends(0).errors("");
    assert_eq!(
        query(
            &place,
            "key, value",
            // Which of two partitions comes first is open.
            "FROM latest WHERE key <> 'u-1' ORDER BY typeof(key) DESC"
        ),
        [
            "'u-2' '{\"data_type\":\"Created\",\"total\":30}'",
            "X'FF' NULL"
        ]
    );
    assert_eq!(query(&place, "sum(total)", "FROM v"), ["37"]);
    assert_eq!(
        query(&place, "place, at, headers", "FROM audit"),
        [r#"'orders1@0' 7 '[{"key":"ce_type","value":"Paid"}]'"#]
    );
    // They run for no record twice.
    place.write(
        "all.jsonl",
        place.kpipe(&["tail", "orders", "-e"]).run().out(),
    );
    let input = place.read("all.jsonl");
    let again = [&["store", "--db", "f.db"][..], &sql].concat();
    place.kpipe(&again).input(input).run().ends(0);
    assert_eq!(query(&place, "sum(total)", "FROM v"), ["37"]);
}

#[test]
fn what_is_wrong_with_a_statement_is_told_at_its_place_before_anything_is_read() {
    let place = orders();
    for (sql, told) in [
        (
            "SELECT 1;\n  INSERT INTO x VALUES (1)",
            "f.sql:2:3: no such table: x",
        ),
        ("SELECT\n absent", "f.sql:2:2: no such column: absent"),
        ("SELEC", "f.sql:1:1: near \"SELEC\": syntax error"),
        ("SELECT :id", "f.sql:1:8: no parameter `:id`"),
        ("SELECT ?1", "f.sql:1:8: no parameter `?1`"),
        ("CREATE TABLE t AS SELECT :key", "cannot ask for a record"),
        ("CREATE TABLE records (x)", "records already exists"),
        ("COMMIT", "f.sql:1:1: the transaction belongs to kpipe"),
        ("BEGIN", "the transaction belongs to kpipe"),
        ("ROLLBACK", "the transaction belongs to kpipe"),
        ("SAVEPOINT s", "the transaction belongs to kpipe"),
        ("ATTACH ':memory:' AS other", "what is in another file"),
        (
            "PRAGMA synchronous = OFF",
            "the settings of the file are kpipe's",
        ),
        ("DELETE FROM records", "only kpipe writes"),
        ("UPDATE kpipe_offsets SET next = 0", "only kpipe writes"),
        (
            "INSERT INTO Records (topic) VALUES (1)",
            "only kpipe writes",
        ),
        ("DROP TABLE records", "must not be dropped"),
        ("ALTER TABLE records ADD x", "must not be altered"),
        (
            "CREATE TRIGGER t BEFORE INSERT ON records BEGIN SELECT RAISE(IGNORE); END",
            "a trigger could keep",
        ),
        (
            "CREATE TABLE x (a); CREATE TRIGGER t AFTER INSERT ON x BEGIN DELETE FROM records; END; INSERT INTO x VALUES (1)",
            "only kpipe writes",
        ),
        ("EXPLAIN COMMIT", "the transaction belongs to kpipe"),
        (
            "CREATE TEMP TABLE records (x); INSERT INTO records VALUES (1)",
            "only kpipe writes",
        ),
        ("VACUUM", "not vacuumed"),
        ("SELECT load_extension('x')", "f.sql:1:1"),
    ] {
        place.write("f.sql", sql);
        store(&place, &["--sql", "f.sql"])
            .ends(2)
            .says(&[told])
            .says_one_block();
    }
    place.write("f.sql", "CREATE TABLE good (x); SELECT absent");
    store(&place, &["--sql", "f.sql"]).ends(2);
    assert_eq!(
        query(&place, "name", "FROM sqlite_schema WHERE name = 'good'"),
        [""; 0]
    );
    store(&place, &["--sql", "absent.sql"])
        .ends(2)
        .says(&["cannot read `absent.sql`"]);
    assert_eq!(rows(&place), [""; 0]);
    // Nothing was consumed either.
    store(&place, &[]).ends(0).errors("4 stored\n");
}

#[test]
fn a_statement_that_fails_for_a_record_undoes_its_transaction_and_names_the_record() {
    let place = orders();
    place.write(
        "once.sql",
        "CREATE TABLE IF NOT EXISTS once (key ANY UNIQUE);\n\nINSERT INTO once VALUES (:key);",
    );
    let failing = ["--sql", "once.sql", "--batch", "1", "-o", "beginning"];
    store(&place, &failing)
        .ends(1)
        .says(&[
            "is not stored: once.sql:3:1: UNIQUE constraint failed: once.key",
            "orders[",
        ])
        .says(&["hint: its transaction was undone"]);
    let kept = rows(&place).len();
    let once = query(&place, "count(*)", "FROM once");
    assert_eq!(once, [kept.to_string()]);
    let stored: i64 = query(&place, "next", "FROM kpipe_offsets")
        .iter()
        .map(|next| next.parse::<i64>().unwrap())
        .sum();
    assert_eq!(stored, i64::try_from(kept).unwrap());
    // A statement that rolls back by itself leaves no half behind.
    place.write("back.sql", "INSERT OR ROLLBACK INTO once VALUES ('u-1');");
    let file = Connection::open(place.path("f.db")).unwrap();
    file.execute_batch("DELETE FROM once; INSERT INTO once VALUES ('u-1')")
        .unwrap();
    drop(file);
    store(&place, &["--sql", "back.sql"])
        .ends(1)
        .says(&["UNIQUE constraint failed"]);
    assert_eq!(rows(&place).len(), kept);
    store(&place, &[]).ends(0);
    assert_eq!(rows(&place).len(), 4);
}

#[test]
fn lines_from_stdin_are_stored_once_however_often_they_come() {
    let place = orders();
    let lines = place.kpipe(&["tail", "orders", "-e"]).run().out();
    let store = ["store", "--db", "f.db"];
    let run = |input: &str| place.kpipe(&store).input(input).run();
    run(&lines).ends(0).errors("4 stored\n");
    run(&lines).ends(0).errors("0 stored, 4 there already\n");
    assert_eq!(rows(&place).len(), 4);
    place
        .bash("kpipe tail orders -e -q | kpipe store --db g.db -q")
        .run()
        .ends(0)
        .errors("");
    let all =
        "SELECT topic, partition, offset, timestamp, timestamp_type, key, value, headers FROM";
    let file = Connection::open(place.path("f.db")).unwrap();
    file.execute("ATTACH ?1 AS g", [place.path("g.db").display().to_string()])
        .unwrap();
    let same = format!("SELECT count(*) FROM ({all} main.records INTERSECT {all} g.records)");
    let same: i64 = file.query_row(&same, [], |row| row.get(0)).unwrap();
    assert_eq!(same, 4);
    drop(file);
    // And a group that reads the same finds them there.
    let group = ["store", "orders", "-g", "g", "--db", "f.db", "-e"];
    place
        .kpipe(&group)
        .run()
        .ends(0)
        .errors("0 stored, 4 there already\n");
}

#[test]
fn bad_lines_are_told_with_their_place_and_the_others_are_stored() {
    let place = Place::at("127.0.0.1:1");
    let good = |offset: i64| {
        format!(
            "{{\"topic\":\"t\",\"partition\":0,\"offset\":{offset},\"timestamp\":0,\"timestamp_type\":\"log_append\",\"value\":1}}\n"
        )
    };
    let lines = [
        good(0),
        "{\"topic\":\"t\",\"partition\":0,\"value\":1}\n".to_owned(),
        "{\"topic\":\"t\",\"partition\":0,\"offset\":-1,\"value\":1}\n".to_owned(),
        "{\"topic\":\"t\",\"partition\":0,\"offset\":1 \"value\":1}\n".to_owned(),
        good(2),
    ];
    let store = ["store", "--db", "f.db"];
    place
        .kpipe(&store)
        .input(lines.concat())
        .run()
        .ends(1)
        .errors(
            "error: stdin:2:1: no `offset`\n\
         error: stdin:3:37: `offset` must be a whole number from 0\n\
         error: stdin:4:39: expected `,` or `}`\n\
         2 stored, 3 bad lines\n",
        );
    assert_eq!(
        query(
            &place,
            "timestamp, timestamp_type",
            "FROM records WHERE offset = 2"
        ),
        ["0 'log_append'"]
    );
    place.kpipe(&store).input("hello\n").run().ends(2).says(&[
        "stdin:1:1: not a record line",
        "hint: each line is one record with its place",
    ]);
    let one = ["store", "--db", "f.db", "-n", "1", "--where", ""];
    place
        .kpipe(&one[..5])
        .input(good(7) + &good(8))
        .run()
        .ends(0)
        .errors("1 stored\n");
    let refused = ["store", "--db", "f.db", "-e"];
    place
        .kpipe(&refused)
        .run()
        .ends(2)
        .says(&["`--exit` is about a topic"]);
}

#[test]
fn a_strangers_file_and_a_newer_one_are_left_as_they_are() {
    let place = orders();
    for (sql, told) in [
        ("CREATE TABLE t (x)", "f.db is not a file of `kpipe store`"),
        (
            "PRAGMA application_id = 1802529027; PRAGMA user_version = 9",
            "f.db has version 9",
        ),
    ] {
        let _ = std::fs::remove_file(place.path("f.db"));
        let file = Connection::open(place.path("f.db")).unwrap();
        file.execute_batch(sql).unwrap();
        drop(file);
        let before = place.read("f.db");
        for more in [&[][..], &["--rebuild"]] {
            store(&place, more).ends(2).says(&[told]).says_one_block();
        }
        assert!(place.read("f.db") == before, "it was touched");
    }
    place.write(
        "f.db",
        "not SQLite at all, but long enough to look at it: one, two, three, four, five, six",
    );
    store(&place, &[])
        .ends(2)
        .says(&["is not a file of `kpipe store`"]);
    let registry = [
        "topic",
        "request",
        "a",
        "--by",
        "b",
        "--registry",
        "r.db",
        "-q",
    ];
    place.kpipe(&registry).run().ends(0);
    let store = ["store", "orders", "-g", "g", "-e", "--db", "r.db"];
    place
        .kpipe(&store)
        .run()
        .ends(2)
        .says(&["r.db is not a file of `kpipe store`"]);
}

#[test]
fn no_folder_is_made_for_a_mistyped_file() {
    let place = orders();
    for more in [&[][..], &["--rebuild"]] {
        let store = [
            "store",
            "orders",
            "-g",
            "g",
            "-e",
            "--db",
            "no such/er/f.db",
        ];
        place
            .kpipe(&[&store[..], more].concat())
            .run()
            .ends(2)
            .says(&[
                "there is no folder no such/er\n",
                "hint: mkdir -p 'no such/er'",
            ])
            .says_one_block();
    }
    assert!(!place.path("no such").exists());
}

#[test]
fn a_run_that_fails_before_its_first_record_leaves_no_file_behind() {
    let place = orders();
    let files = || {
        let names = std::fs::read_dir(place.path(".")).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names
            .filter(|name| name.contains(".db"))
            .collect::<Vec<_>>()
    };
    let unknown = |more: &[&str]| {
        let store = ["store", "odrers", "-g", "g", "--db", "f.db", "-e"];
        let ended = place.kpipe(&[&store[..], more].concat()).run();
        ended.says(&["topic `odrers` does not exist"])
    };
    place.write("own.sql", "CREATE TABLE mine (x)");
    for more in [&[][..], &["--rebuild"], &["--sql", "own.sql"]] {
        unknown(more);
        assert_eq!(files(), [""; 0], "{more:?}");
    }
    let lines = place.kpipe(&["store", "--db", "f.db"]);
    lines.input("no record\n").run().ends(2);
    store(&place, &["--sql", "missing.sql"]).ends(2);
    assert_eq!(files(), [""; 0]);
    // Which this run did not make, though nothing is in it.
    place.write("f.db", "");
    unknown(&[]);
    assert_eq!(files(), ["f.db"]);
    store(&place, &["-n", "1"]).ends(0);
    unknown(&[]);
    assert_eq!(rows(&place).len(), 1);
}

#[test]
fn a_file_that_somebody_locks_is_status_3_and_nothing_is_committed() {
    let place = orders();
    store(&place, &["-n", "1", "-q"]).ends(0).errors("");
    let file = Connection::open(place.path("f.db")).unwrap();
    file.execute_batch("BEGIN IMMEDIATE").unwrap();
    store(&place, &[])
        .ends(3)
        .says(&["f.db is locked by another process"]);
    drop(file);
    store(&place, &[]).ends(0);
    assert_eq!(rows(&place).len(), 4);
}

#[test]
fn what_cannot_be_written_is_status_1() {
    let place = orders();
    let store = ["store", "orders", "-g", "g", "-e", "--db", "/proc/f.db"];
    place
        .kpipe(&store)
        .run()
        .ends(1)
        .says(&["cannot create /proc/f.db", "--db"]);
    // A file system that is full, as far as this process can tell.
    let full = place.bash(
        "kpipe generate sensor -n 20000 -q | kpipe send other -q; trap '' XFSZ; ulimit -f 600; \
         kpipe store other -g g -e --db f.db",
    );
    let full = full.run().ends(1);
    assert!(
        full.stderr().contains("no space left for f.db")
            || full.stderr().contains("cannot write f.db"),
        "{}",
        full.stderr()
    );
    let whole = place
        .kpipe(&["store", "other", "-g", "g", "-e", "--db", "f.db"])
        .run();
    whole.ends(0);
    assert_eq!(query(&place, "count(*)", "FROM records"), ["20000"]);
}

#[test]
fn a_signal_stores_and_commits_what_is_in_hand() {
    let place = orders();
    let store = [
        "store",
        "orders",
        "-g",
        "g",
        "--db",
        "f.db",
        "--flush-interval",
        "1h",
    ];
    let running = place.kpipe(&store).start();
    // Kept for an hour, unless somebody asks: all that can be seen from outside is that the group holds its partitions.
    while query_if_there(&place) < 2 {
        std::thread::yield_now();
    }
    running.signal(Signal::TERM);
    let _ = running.ended().dies_of(Signal::TERM);
    let stored = rows(&place).len();
    let again = ["store", "orders", "-g", "g", "--db", "f.db", "-e", "-q"];
    place.kpipe(&again).run().ends(0).errors("");
    assert_eq!(rows(&place).len(), 4);
    assert!(stored <= 4);
}

/// How many partitions the group has begun to read.
fn query_if_there(place: &Place) -> i64 {
    let Ok(file) = Connection::open(place.path("f.db")) else {
        return 0;
    };
    let counted = file.query_row("SELECT count(*) FROM kpipe_offsets", [], |row| row.get(0));
    counted.unwrap_or(0)
}

#[test]
fn a_rebuilt_file_takes_the_place_of_the_old_at_once_and_readers_go_on() {
    let place = orders();
    store(&place, &["-q"]).ends(0).errors("");
    let reader = Connection::open(place.path("f.db")).unwrap();
    reader
        .execute_batch("BEGIN; SELECT count(*) FROM records")
        .unwrap();
    place.send("orders", &["more"]);
    place.write(
        "n.sql",
        "CREATE TABLE n (x); INSERT INTO n VALUES (:offset)",
    );
    store(&place, &["--rebuild", "--sql", "n.sql"])
        .ends(0)
        .errors("f.db holds 5 records now, read again from the beginning\n");
    // Who reads the old contents sees them to the end of their transaction.
    let count = |sql: &str| {
        reader
            .query_row(sql, [], |row| row.get::<_, i64>(0))
            .unwrap()
    };
    assert_eq!(count("SELECT count(*) FROM records"), 4);
    reader.execute_batch("COMMIT").unwrap();
    assert_eq!(count("SELECT count(*) FROM n"), 5);
    drop(reader);
    assert!(!place.path("f.db.rebuild").exists());
    assert_eq!(
        query(&place, "integrity_check", "FROM pragma_integrity_check"),
        ["'ok'"]
    );
    store(&place, &[]).ends(0).says(&["0 stored"]);
}

#[test]
fn a_rebuild_that_would_lose_something_replaces_nothing() {
    let place = orders();
    store(&place, &["-q"]).ends(0).errors("");
    let change = |sql: &str| {
        Connection::open(place.path("f.db"))
            .unwrap()
            .execute_batch(sql)
            .unwrap();
    };
    change("INSERT INTO records VALUES ('orders', 0, 99, 1, 'create', 'k', 'v', '[]', 1)");
    store(&place, &["--rebuild"])
        .ends(1)
        .says(&["f.db has 1 record not there to be read again, such as orders[0]@99"]);
    assert_eq!(rows(&place).len(), 5);
    change("DELETE FROM records WHERE offset = 99; CREATE TABLE mine (x)");
    store(&place, &["--rebuild"])
        .ends(1)
        .says(&["f.db also has mine"]);
    change("DROP TABLE mine; INSERT INTO kpipe_offsets VALUES ('h', 'orders', 0, 1)");
    store(&place, &["--rebuild"])
        .ends(1)
        .says(&["also has the offsets of group `h`"]);
    change("DELETE FROM kpipe_offsets WHERE consumer_group = 'h'");
    store(&place, &["--rebuild"]).ends(0);
    store(&place, &["--rebuild", "--since", "1h"])
        .ends(2)
        .says(&["`--since` leaves records out"]);
}

#[test]
fn what_does_not_go_together_is_told() {
    let place = Place::at("127.0.0.1:1");
    for (arguments, told) in [
        (&["store", "orders", "--db", "f.db"][..], "--group"),
        (&["store", "-g", "g", "--db", "f.db"], "TOPIC"),
        (&["store", "orders", "-g", "g"], "--db"),
        (
            &["store", "orders", "-g", "g", "--db", "f.db", "--sql", "T="],
            "TYPE=FILE",
        ),
        (
            &["store", "orders", "-g", "g", "--db", "f.db", "--batch", "0"],
            "--batch",
        ),
    ] {
        place.kpipe(arguments).run().ends(2).says(&[told]);
    }
    place
        .kpipe(&["store", "orders", "-g", "g", "--db", "f.db"])
        .run()
        .ends(3);
}

#[test]
fn the_statements_of_the_page_work_together() {
    let place = Place::with(&["orders:1"]);
    let page = include_str!("../../docs/store.md");
    let mut flags = vec!["store", "orders", "-g", "g", "-e", "-q", "--db", "f.db"];
    let scripts: Vec<&str> = page.split("```sql\n").skip(1).collect();
    let names = [
        "latest",
        "OrderCreated=created",
        "OrderStatusUpdated=status",
        "minute",
        "audit",
    ];
    assert_eq!(scripts.len(), names.len());
    for (script, name) in scripts.iter().zip(names) {
        let file = name.rsplit('=').next().unwrap();
        place.write(file, script.split("```").next().unwrap());
        flags.extend(["--sql", name]);
    }
    let lines = concat!(
        r#"{"key":"o1","timestamp":60000,"value":{"type":"OrderCreated","payload":{"order_id":"o1","user_id":"u1","total":9.5}}}"#,
        "\n",
        r#"{"key":"o1","timestamp":60001,"value":{"type":"OrderStatusUpdated","payload":{"order_id":"o1","status":"ready"}}}"#,
        "\n",
        r#"{"key":"a","timestamp":60002,"value":{"type":"LOGIN_FAILED","payload":{"user_id":"u2"}}}"#,
        "\n",
        r#"{"key":"a","timestamp":60003,"value":null}"#,
        "\n",
        r#"{"key":"b","timestamp":60004,"value":"no JSON"}"#,
        "\n",
    );
    place
        .kpipe(&["send", "orders", "-q"])
        .input(lines)
        .run()
        .ends(0)
        .errors("");
    place.kpipe(&flags).run().ends(0).errors("");
    assert_eq!(
        query(&place, "key", "FROM latest ORDER BY key"),
        ["'b'", "'o1'"]
    );
    assert_eq!(
        query(&place, "id, customer, total, status", "FROM food_order"),
        ["'o1' 'u1' 9.5 'ready'"]
    );
    assert_eq!(
        query(
            &place,
            "sum(count), minute",
            "FROM per_minute GROUP BY minute"
        ),
        ["3 '1970-01-01 00:01'"]
    );
    assert_eq!(
        query(&place, "who, what, place", "FROM audit"),
        ["'u2' 'LOGIN_FAILED' 'orders[0]@2'"]
    );
}

#[test]
fn what_is_stored_is_reported_when_it_is() {
    let place = orders();
    let trace = ["--trace", "--trace-file", "s"];
    store(&place, &trace).ends(0).errors("4 stored\n");
    let text = String::from_utf8(place.read("s")).unwrap();
    let mut told: Vec<String> = text
        .lines()
        .map(|line| {
            let event: serde_json::Value = serde_json::from_str(line).unwrap();
            let fields = ["partition", "offset", "stage", "group", "service"];
            fields.map(|field| event[field].to_string()).join(" ")
        })
        .collect();
    told.sort();
    let expected: Vec<String> = ["0 0", "0 1", "1 0", "1 1"]
        .iter()
        .flat_map(|position| {
            ["CONSUMED", "STORED"]
                .map(|stage| format!("{position} \"{stage}\" \"g\" \"kpipe-store\""))
        })
        .collect();
    assert_eq!(told, expected);
    store(&place, &["--rebuild", "--trace"])
        .ends(2)
        .says(&["a rebuild stores it again"]);
}
