//! Groups on the built-in broker, which knows what they have committed and nothing else.

use crate::support::{Place, each};

#[test]
fn lag_is_told_of_a_group_that_is_named() {
    let place = Place::with(&["orders:1", "other:1"]);
    place.send("orders", &["a", "b", "c", "d", "e"]);
    place
        .kpipe(&["tail", "orders", "-g", "billing", "-n", "2"])
        .run()
        .ends(0)
        .errors("");
    let line =
        r#"{"group":"billing","topic":"orders","partition":0,"committed":2,"end":5,"lag":3}"#;
    place
        .kpipe(&["group", "lag", "billing"])
        .run()
        .ends(0)
        .errors("")
        .prints(format!("{line}\n"));
    for (most, status) in [("2", 1), ("3", 0)] {
        place
            .kpipe(&["group", "lag", "billing", "-q", "--fail-over", most])
            .run()
            .ends(status)
            .errors("");
    }
}

#[test]
fn a_table_has_a_row_for_each_group_and_topic() {
    let place = Place::with(&["orders:2"]);
    place.send("orders", &["a", "b", "c", "d", "e", "f"]);
    place
        .kpipe(&["tail", "orders", "-g", "billing", "-n", "6"])
        .run()
        .ends(0)
        .errors("");
    let table = |more: &[&str]| {
        let lag = place.kpipe(&["group", "lag", "billing", "--output", "table"]);
        lag.arguments(more).run().ends(0).errors("").out()
    };
    assert_eq!(
        table(&[]),
        "GROUP    TOPIC   LAG  WORST  TIME\nbilling  orders  0    -      0s\n"
    );
    assert_eq!(table(&["--partitions"]).lines().count(), 3);
}

#[test]
fn a_watch_goes_on_until_lag_is_over_the_limit_or_its_reader_is_gone() {
    let place = Place::with(&["orders:1"]);
    place.send("orders", &["a", "b"]);
    place
        .kpipe(&["tail", "orders", "-g", "billing", "-n", "1"])
        .run()
        .ends(0)
        .errors("");
    let watch = [
        "group",
        "lag",
        "billing",
        "--watch=20ms",
        "--fail-over",
        "3",
    ];
    let mut running = place.kpipe(&watch).start();
    let first: serde_json::Value = serde_json::from_str(&running.line()).unwrap();
    assert_eq!(
        (&first["lag"], &first["status"]),
        (&1.into(), &serde_json::Value::Null)
    );
    place.send("orders", &["c", "d", "e"]);
    let lines = running.ended().ends(1).errors("").json();
    assert_eq!(each(&lines, "lag").last(), Some(&&4.into()));
    place
        .bash("kpipe group lag billing --watch=20ms | head -n 3")
        .run()
        .ends(0)
        .errors("");
}

#[test]
fn what_the_built_in_broker_lacks_is_refused_at_once_and_leaves_it_alive() {
    let place = Place::with(&["orders:1"]);
    let refused: [&[&str]; 5] = [
        &["list"],
        &["lag"],
        &["describe", "billing"],
        &[
            "reset", "billing", "--to", "earliest", "--topic", "orders", "--yes",
        ],
        &["delete", "billing", "--yes"],
    ];
    for arguments in refused {
        place
            .kpipe(&["group"])
            .arguments(arguments)
            .run()
            .ends(2)
            .prints("")
            .says_one_block()
            .says(&["not on the built-in broker"]);
    }
    place.send("orders", &["a"]);
    assert_eq!(place.values("orders"), "a\n");
}

#[test]
fn what_has_no_way_back_needs_a_yes() {
    let place = Place::at("127.0.0.1:1");
    place
        .kpipe(&["group", "delete", "billing"])
        .run()
        .ends(2)
        .says_one_block()
        .says(&["`kpipe group delete billing --yes` does it"]);
}

#[test]
fn what_is_no_place_or_no_pattern_is_wrong_usage() {
    let place = Place::at("127.0.0.1:1");
    for (arguments, part) in [
        (["reset", "billing", "--to", "@yesterday"], "is not a time"),
        (["reset", "billing", "--to", ""], "nothing says where to"),
        (["lag", "billing", "--window", "1m"], "--watch"),
        (["list", "(", "--output", "json"], "unclosed group"),
    ] {
        place
            .kpipe(&["group"])
            .arguments(&arguments)
            .run()
            .ends(2)
            .says(&[part]);
    }
}
