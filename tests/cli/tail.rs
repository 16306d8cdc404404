//! Records alone: from where to where, which, and how they are printed.

use serde_json::{Value, json};

use crate::support::{Place, each};

/// Ten records in one partition, with values and offsets 0 to 9.
fn ten() -> Place {
    let place = Place::with(&["orders:1"]);
    place.send(
        "orders",
        &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
    );
    place
}

fn values(place: &Place, arguments: &[&str]) -> String {
    let arguments = [&["tail", "orders", "--values"], arguments].concat();
    place
        .kpipe(&arguments)
        .run()
        .ends(0)
        .errors("")
        .out()
        .replace('\n', " ")
}

#[test]
fn offsets_say_where_to_begin_and_end() {
    let place = ten();
    let all = "0 1 2 3 4 5 6 7 8 9 ";
    for (offset, expected) in [
        ("beginning", all),
        ("end", ""),
        ("7", "7 8 9 "),
        ("-3", "7 8 9 "),
        ("+8", "8 9 "),
        ("100", ""),
        ("-100", all),
    ] {
        assert_eq!(
            values(&place, &["-e", "-o", offset]),
            expected,
            "-e -o {offset}"
        );
    }
    for (offset, expected) in [
        ("2:5", "2 3 4 "),
        (":3", "0 1 2 "),
        (":end", all),
        ("-2:end", "8 9 "),
        ("beginning:2", "0 1 "),
        ("5:5", ""),
    ] {
        assert_eq!(values(&place, &["-o", offset]), expected, "-o {offset}");
    }
    assert_eq!(values(&place, &["-n", "2", "-o", "-5"]), "5 6 ");
}

#[test]
fn a_bound_begins_at_the_beginning() {
    let place = ten();
    assert_eq!(values(&place, &["-n", "2"]), "0 1 ");
    assert_eq!(values(&place, &["-e"]), "0 1 2 3 4 5 6 7 8 9 ");
    assert_eq!(values(&place, &["-e", "-n", "100"]), "0 1 2 3 4 5 6 7 8 9 ");
    assert_eq!(values(&place, &["-n", "0"]), "");
}

#[test]
fn without_a_bound_it_begins_at_the_end_and_follows() {
    let place = ten();
    let mut tail = place.kpipe(&["tail", "orders", "--values"]).start();
    // It is at the end once one of these is printed; which, nobody can know.
    let mut next = 0;
    let first = loop {
        place.send("orders", &[&format!("later {next}")]);
        next += 1;
        if let Some(line) = tail.line_within(std::time::Duration::from_millis(200)) {
            break line;
        }
    };
    assert!(first.starts_with("later "), "{first}");
    let mut seen = first;
    while seen != format!("later {}\n", next - 1) {
        seen = tail.line();
    }
    place.send("orders", &["last"]);
    assert_eq!(tail.line(), "last\n");
    tail.signal(rustix::process::Signal::TERM);
    tail.ended()
        .dies_of(rustix::process::Signal::TERM)
        .errors("");
}

#[test]
fn nonsense_offsets_are_wrong_usage() {
    let place = Place::at("127.0.0.1:1");
    for offset in ["5:2", "first", "@later", "--5"] {
        place
            .kpipe(&["tail", "orders", &format!("--offset={offset}")])
            .run()
            .ends(2)
            .says(&["error: "]);
    }
    place
        .kpipe(&["tail", "orders", "-o", "stored"])
        .run()
        .ends(2)
        .says(&["there is no group", "hint: add `-g GROUP`"]);
    place
        .kpipe(&["tail", "orders", "-o", "1", "-o", "2"])
        .run()
        .ends(2)
        .says(&["contradict"]);
}

#[test]
fn times_are_said_to_be_missing_on_the_built_in_broker() {
    let place = ten();
    for arguments in [
        &["--since", "1h"][..],
        &["--until", "2020-01-01"],
        &["-o", "@2h"],
        &["-o", "s@1000"],
    ] {
        let arguments = [&["tail", "orders", "-e"], arguments].concat();
        // `-e` and `--until` both say where to end.
        let arguments: Vec<_> = if arguments.contains(&"--until") {
            arguments
                .into_iter()
                .filter(|argument| *argument != "-e")
                .collect()
        } else {
            arguments
        };
        place
            .kpipe(&arguments)
            .run()
            .ends(2)
            .prints("")
            .says(&["error: cannot look up offsets by time: not on the built-in broker"])
            .says_one_block();
    }
}

#[test]
fn partitions_are_chosen() {
    let place = Place::with(&["orders:3"]);
    for partition in ["0", "1", "2"] {
        place
            .kpipe(&["send", "orders", partition, "-p", partition])
            .run()
            .ends(0);
    }
    assert_eq!(values(&place, &["-e", "-p", "1"]), "1 ");
    assert_eq!(values(&place, &["-e", "-p", "2", "-p", "2"]), "2 ");
    let both = values(&place, &["-e", "-p", "0,2"]);
    assert!(both == "0 2 " || both == "2 0 ", "{both}");
    place
        .kpipe(&["tail", "orders", "-e", "-p", "3"])
        .run()
        .ends(2)
        .says(&["topic `orders` has no partition 3; it has 0 to 2"]);
}

#[test]
fn the_last_records_are_those_of_all_partitions_in_the_order_of_time() {
    let place = Place::with(&["orders:3"]);
    // The offsets of a partition say nothing of the order of times across partitions.
    for (partition, time) in [
        ("0", "1000"),
        ("1", "5000"),
        ("2", "3000"),
        ("0", "4000"),
        ("1", "2000"),
        ("0", "6000"),
    ] {
        place
            .kpipe(&["send", "orders", time, "-p", partition])
            .arguments(&["--timestamp", &format!("1970-01-01T00:00:0{}Z", &time[..1])])
            .run()
            .ends(0);
    }
    assert_eq!(values(&place, &["-l", "3"]), "4000 5000 6000 ");
    assert_eq!(
        values(&place, &["-l", "100"]),
        "1000 2000 3000 4000 5000 6000 "
    );
    assert_eq!(values(&place, &["-l", "0"]), "");
    assert_eq!(
        values(&place, &["-l", "2", "--grep", "^[125]"]),
        "2000 5000 "
    );
    assert_eq!(values(&place, &["-l", "2", "-p", "1"]), "2000 5000 ");
}

#[test]
fn after_the_last_records_it_follows_when_asked() {
    let place = ten();
    let mut tail = place
        .kpipe(&["tail", "orders", "-l", "2", "--follow", "--values"])
        .start();
    assert_eq!(tail.line(), "8\n");
    assert_eq!(tail.line(), "9\n");
    place.send("orders", &["10"]);
    assert_eq!(tail.line(), "10\n");
    tail.signal(rustix::process::Signal::INT);
    tail.ended()
        .dies_of(rustix::process::Signal::INT)
        .errors("");
}

#[test]
fn grep_looks_into_keys_values_and_headers() {
    let place = Place::with(&["orders:1"]);
    place
        .kpipe(&["send", "orders", "apple", "-k", "red", "-H", "a=sweet"])
        .run()
        .ends(0);
    place
        .kpipe(&["send", "orders", "pear", "-k", "green", "-H", "a=sour"])
        .run()
        .ends(0);
    place.kpipe(&["send", "orders", "red plum"]).run().ends(0);
    for (pattern, expected) in [
        ("apple", "apple "),
        ("v:red", "red plum "),
        ("k:red", "apple "),
        ("h:a=^so", "pear "),
        ("!v:p.*[ae]", "red plum "),
        ("v:^p", "pear "),
    ] {
        assert_eq!(
            values(&place, &["-e", "--grep", pattern]),
            expected,
            "{pattern}"
        );
    }
    assert_eq!(
        values(&place, &["-e", "--grep", "v:p", "--grep", "k:green"]),
        "pear "
    );
    place
        .kpipe(&["tail", "orders", "-e", "--grep", "v:("])
        .run()
        .ends(2);
}

#[test]
fn where_looks_into_json_values() {
    let place = Place::with(&["orders:1"]);
    place.send(
        "orders",
        &[
            r#"{"n":1,"s":"x"}"#,
            r#"{"n":20,"s":"y"}"#,
            r#"{"n":"20"}"#,
            "not json",
        ],
    );
    for (condition, expected) in [
        ("/n>5", r#"{"n":20,"s":"y"} "#),
        ("/n=1", r#"{"n":1,"s":"x"} "#),
        ("/s=y", r#"{"n":20,"s":"y"} "#),
        ("/n<5", r#"{"n":1,"s":"x"} "#),
    ] {
        assert_eq!(
            values(&place, &["-e", "--where", condition]),
            expected,
            "{condition}"
        );
    }
    assert_eq!(
        values(&place, &["-e", "--where", "/n>0", "--where", "/s=x"]),
        "{\"n\":1,\"s\":\"x\"} "
    );
    place
        .kpipe(&["tail", "orders", "-e", "--where", "n>5"])
        .run()
        .ends(2);
}

#[test]
fn limits_count_after_the_filter() {
    let place = ten();
    assert_eq!(values(&place, &["-n", "2", "--grep", "[5-9]"]), "5 6 ");
}

#[test]
fn nothing_found_is_a_status_only_when_asked() {
    let place = ten();
    let nothing = ["tail", "orders", "-e", "--grep", "nothing"];
    place.kpipe(&nothing).run().ends(0).prints("").errors("");
    place
        .kpipe(&[&nothing[..], &["--fail-empty"]].concat())
        .run()
        .ends(1)
        .prints("");
    place
        .kpipe(&["tail", "orders", "-e", "--fail-empty"])
        .run()
        .ends(0);
    place
        .kpipe(&["tail", "orders", "-l", "1", "--fail-empty"])
        .run()
        .ends(0);
}

#[test]
fn silence_ends_it_with_idle_and_time_with_a_status() {
    let place = ten();
    place
        .kpipe(&["tail", "orders", "--idle", "100ms"])
        .run()
        .ends(0)
        .prints("")
        .errors("");
    assert_eq!(values(&place, &["--idle", "3s", "-o", "-1"]), "9 ");
    place
        .kpipe(&["tail", "orders", "--timeout", "3s", "-o", "-1", "--values"])
        .run()
        .ends(3)
        .prints("9\n")
        .says(&["error: time is up after 1 record"])
        .says_one_block();
    // What is reached in time is not late.
    assert_eq!(
        values(&place, &["-e", "--timeout", "50s", "-o", "-1"]),
        "9 "
    );
}

#[test]
fn payloads_are_shown_as_asked() {
    let place = Place::with(&["orders:1"]);
    place
        .kpipe(&["send", "orders", r#"{"n":1.50}"#, "-k", "k"])
        .run()
        .ends(0);
    let field = |form: &str| {
        let out = place
            .kpipe(&["tail", "orders", "-e", "--payload", form])
            .run()
            .ends(0)
            .out();
        let (_, rest) = out.split_once(r#""key"#).unwrap();
        rest.to_owned()
    };
    assert_eq!(
        field("auto"),
        "\":\"k\",\"value\":{\"n\":1.50},\"headers\":[]}\n"
    );
    assert_eq!(
        field("text"),
        "\":\"k\",\"value\":\"{\\\"n\\\":1.50}\",\"headers\":[]}\n"
    );
    assert_eq!(
        field("base64"),
        "_base64\":\"aw==\",\"value_base64\":\"eyJuIjoxLjUwfQ==\",\"headers\":[]}\n"
    );
    place
        .kpipe(&["tail", "orders", "-e", "--payload", "hex"])
        .run()
        .ends(2);
}

#[test]
fn templates_print_what_their_letters_say() {
    let place = Place::with(&["orders:1"]);
    place
        .kpipe(&[
            "send",
            "orders",
            "v\u{e9}",
            "-k",
            "k",
            "-H",
            "a=1",
            "--timestamp",
            "2025-11-20T20:00:00.123Z",
        ])
        .run()
        .ends(0);
    place
        .kpipe(&["send", "orders", "--tombstone"])
        .run()
        .ends(0);
    let printed = |format: &str| {
        place
            .kpipe(&["tail", "orders", "-n", "1", "-f", format])
            .run()
            .ends(0)
            .out()
    };
    assert_eq!(printed(r"%t/%p/%o %k=%s\n"), "orders/0/0 k=v\u{e9}\n");
    assert_eq!(printed(r"%K %S %T %h\t%%"), "1 3 1763668800123 a=1\t%");
    assert_eq!(printed("%s{hex} %s{base64}"), "76c3a9 dsOp");
    assert_eq!(printed("%T{RFC3339}"), "2025-11-20T20:00:00.123Z");
    let tombstone = place
        .kpipe(&["tail", "orders", "-e", "-o", "1", "-f", "%S|%s|"])
        .run();
    tombstone.ends(0).prints("-1||");
    place
        .kpipe(&["tail", "orders", "-e", "-f", "%z"])
        .run()
        .ends(2);
}

#[test]
fn several_topics_and_patterns_are_read() {
    let place = Place::with(&["logs-a:1", "logs-b:2", "orders:1"]);
    place
        .send("logs-a", &["a"])
        .send("logs-b", &["b"])
        .send("orders", &["o"]);
    let topics = |arguments: &[&str]| {
        let arguments = [&["tail", "-e"], arguments].concat();
        let records = place.kpipe(&arguments).run().ends(0).errors("").json();
        let mut topics: Vec<Value> = records
            .iter()
            .map(|record| record["topic"].clone())
            .collect();
        topics.sort_by_key(ToString::to_string);
        topics
    };
    assert_eq!(topics(&["^logs-"]), ["logs-a", "logs-b"]);
    assert_eq!(topics(&["orders", "logs-b"]), ["logs-b", "orders"]);
    assert_eq!(topics(&["^logs-a", "orders"]), ["logs-a", "orders"]);
    place.kpipe(&["tail", "-e", "^("]).run().ends(2);
}

#[test]
fn a_topic_that_is_not_there_is_an_error_with_a_hint() {
    let place = Place::with(&["orders:1"]);
    for arguments in [
        &["tail", "nonesuch"][..],
        &["tail", "orders", "nonesuch", "-e"],
        &["tail", "nonesuch", "-g", "g"],
    ] {
        place
            .kpipe(arguments)
            .run()
            .ends(1)
            .prints("")
            .says(&["error: topic `nonesuch` does not exist", "hint: "])
            .says_one_block();
    }
    place
        .kpipe(&["tail", "^none", "-e"])
        .run()
        .ends(1)
        .says(&["no topic matches `^none`"]);
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let place = Place::with(&["orders:1"]);
    let lines: String = (0..20_000).map(|n| format!("{n} {:0>100}\n", "")).collect();
    place
        .kpipe(&["send", "orders", "--lines"])
        .input(lines)
        .run()
        .ends(0);
    for more in [
        "-e",
        "",
        "-l 20000",
        "-o beginning --values",
        "-e -g readers",
    ] {
        let from = if more.is_empty() { "-o beginning" } else { "" };
        let ended = place
            .bash(&format!("kpipe tail orders {more} {from} | head -n 1"))
            .run()
            .ends(0)
            .errors("");
        assert_eq!(ended.out().lines().count(), 1, "{more}");
    }
}

#[test]
fn a_full_disk_is_an_error() {
    let place = ten();
    for more in ["-e", "-l 3", "-e --values"] {
        place
            .bash(&format!("kpipe tail orders {more} > /dev/full"))
            .run()
            .ends(1)
            .says(&["error: cannot write", "No space left on device"])
            .says_one_block();
    }
    place
        .bash("kpipe send orders v > /dev/full")
        .run()
        .ends(1)
        .says(&["No space left on device"]);
}

#[test]
fn quietly_nothing_is_said_on_success() {
    let place = ten();
    place
        .kpipe(&["tail", "orders", "-e", "-q"])
        .run()
        .ends(0)
        .errors("");
    place
        .kpipe(&["tail", "orders", "-e", "-q", "-g", "g"])
        .run()
        .ends(0)
        .errors("");
}

#[test]
fn a_committed_transaction_is_read_and_an_aborted_one_is_not_also_with_an_end() {
    let place = Place::with(&["orders:1"]);
    place.send("orders", &["before"]);
    place
        .kpipe(&["send", "orders", "--lines", "--transaction"])
        .input("in it\n")
        .run()
        .ends(0);
    assert_eq!(values(&place, &["-e"]), "before in it ");
    assert_eq!(values(&place, &["-l", "1"]), "in it ");
    assert_eq!(values(&place, &["-e", "-n", "5"]), "before in it ");
}

#[test]
fn headers_with_nulls_and_repeats_are_printed_in_order() {
    let place = Place::with(&["orders:1"]);
    let line = r#"{"value":"v","headers":[{"key":"a","value":"1"},{"key":"a","value":null},{"key_base64":"/w==","value_base64":"AA=="}]}"#;
    place.kpipe(&["send", "orders"]).input(line).run().ends(0);
    let records = place.records("orders");
    assert_eq!(
        each(&records, "headers"),
        [
            &json!([{"key":"a","value":"1"},{"key":"a","value":null},{"key_base64":"/w==","value":"\u{0}"}])
        ]
    );
}
