//! `kpipe expect`: yes, no, or not to be told.

use rustix::process::Signal;

use crate::support::{Invocation, Place, Running};
use crate::unreachable::closed_port;
use crate::wait::late;

const ORDERS: [&str; 5] = [
    r#"{"id":1,"user":"ann","total":10}"#,
    r#"{"id":2,"user":"bob","total":20}"#,
    r#"{"id":3,"user":"ann","total":30}"#,
    r#"{"id":4,"user":"cem","total":40}"#,
    "no JSON",
];

fn orders() -> Place {
    let place = Place::with(&["orders:1", "empty:3"]);
    place.send("orders", &ORDERS);
    place
}

fn expect(place: &Place, arguments: &[&str]) -> Invocation {
    place.kpipe(&[&["expect"], arguments].concat())
}

/// Started with `-v`, when it has read all there is and waits for more.
fn waiting(place: &Place, arguments: &[&str]) -> Running {
    let mut running = place
        .kpipe(&[&["-v", "expect"], arguments].concat())
        .start();
    running.until_it_says("waiting for more");
    running
}

#[test]
fn what_holds_is_status_0() {
    let place = orders();
    place.write("want.json", r#"{ "user": "ann", "total": 30.0 }"#);
    for arguments in [
        &["orders"][..],
        &["orders", "--min", "5"],
        &["orders", "--count", "5"],
        &["orders", "--where", "/total>15", "--count", "3"],
        &["orders", "--grep", "ann", "--count", "2"],
        &["orders", "--subset", "want.json", "--count", "1"],
        &[
            "orders",
            "--where",
            "/id>0",
            "--grep",
            "ann",
            "--subset",
            "want.json",
        ],
        &["orders", "--distinct", "/user=3"],
        &[
            "orders",
            "--distinct",
            "/user=3",
            "--distinct",
            "key=0",
            "--count",
            "5",
        ],
        &["orders", "--where", "/user=eve", "--none"],
        &["empty", "--none"],
        &["empty", "--count", "0"],
        &["orders", "-o", "3", "--count", "2"],
        &["orders", "-o", "1:3", "--count", "2"],
        &["orders", "-o", "end", "--none"],
    ] {
        for more in [&[][..], &["--timeout", "0"]] {
            expect(&place, &[arguments, more].concat())
                .run()
                .ends(0)
                .prints("");
        }
    }
}

#[test]
fn what_does_not_hold_is_status_1_with_how_close_it_came() {
    let place = orders();
    for (arguments, told) in [
        (
            &["--min", "6"][..],
            "expected at least 6 records, found 5\n",
        ),
        (&["--count", "4"], "expected exactly 4 records, found 5\n"),
        (&["--none"], "expected no records, found 1\n"),
        (
            &["--where", "/total>35", "--min", "2"],
            "expected at least 2 matching records, found 1 among 5\n",
        ),
        (
            &["--distinct", "/user=4"],
            "expected 4 distinct values of /user, found 3\n",
        ),
        (
            &["--distinct", "/user=2"],
            "expected 2 distinct values of /user, found 3\n",
        ),
        (&["-o", "end"], "expected at least 1 record, found 0\n"),
    ] {
        expect(&place, &[&["orders", "--timeout", "0"], arguments].concat())
            .run()
            .ends(1)
            .prints("")
            .says(&["error: ", told, "\n\nhint: "])
            .says_one_block();
    }
}

#[test]
fn what_never_comes_is_status_1_when_time_is_up() {
    let place = orders();
    expect(&place, &["orders", "--where", "/id=7", "--timeout", "2s"])
        .run()
        .ends(1)
        .prints("")
        .says(&[
            "error: time is up after 2s\n  caused by: expected at least 1 matching record, found 0 among 5\n",
            "hint: `kpipe tail orders -p 0 -o 4 -n 1` prints the last record",
        ])
        .says_one_block();
}

#[test]
fn what_no_record_can_mend_is_told_at_once() {
    let place = orders();
    for arguments in [
        &["--count", "3"][..],
        &["--none"],
        &["--distinct", "/user=1"],
    ] {
        expect(
            &place,
            &[&["orders", "--timeout", "1h"], arguments].concat(),
        )
        .run()
        .ends(1)
        .hides(&["time is up"]);
    }
}

#[test]
fn the_record_that_comes_closest_is_named_with_where_it_differs() {
    let place = orders();
    place.write("want.json", r#"{"id":3,"user":"ann","total":31}"#);
    expect(
        &place,
        &["orders", "--subset", "want.json", "--timeout", "0"],
    )
    .run()
    .ends(1)
    .says(&[
        "caused by: the closest is at -p 0 -o 2, where /total is 30, not 31\n",
        "hint: `kpipe tail orders -p 0 -o 2 -n 1` prints the closest record",
    ])
    .says_one_block();
}

#[test]
fn what_it_saw_is_shown_as_record_lines_when_it_fails() {
    let place = orders();
    let fails = ["orders", "--min", "9", "--timeout", "0"];
    let records = place.records("orders");
    for (flag, first) in [
        ("--show-seen", 0),
        ("--show-seen=2", 3),
        ("--show-seen=5", 0),
    ] {
        let shown = expect(&place, &[&fails[..], &[flag]].concat())
            .run()
            .ends(1);
        assert_eq!(shown.json(), records[first..], "{flag}");
    }
    expect(&place, &["orders", "--show-seen"])
        .run()
        .ends(0)
        .prints("");
}

#[test]
fn it_says_what_it_found_and_nothing_when_quiet() {
    let place = orders();
    expect(&place, &["orders", "--count", "5"])
        .run()
        .ends(0)
        .errors("Found 5 records.\n");
    expect(&place, &["orders", "--where", "/id=1", "--count", "1"])
        .run()
        .ends(0)
        .errors("Found 1 matching record among 5.\n");
    expect(&place, &["orders", "-q"])
        .run()
        .ends(0)
        .prints("")
        .errors("");
}

#[test]
fn a_record_that_comes_late_is_waited_for() {
    let place = orders();
    for (arguments, value) in [
        (&["--min", "6"][..], "six"),
        (&["--count", "7"], "seven"),
        (&["--where", "/id=8"], r#"{"id":8}"#),
        (&["--distinct", "/id=6"], r#"{"id":9}"#),
    ] {
        let running = waiting(&place, &[&["orders"], arguments].concat());
        place.send("orders", &[value]);
        running.ended().ends(0);
    }
}

#[test]
fn one_record_too_many_is_noticed_while_it_settles() {
    let place = orders();
    let running = waiting(&place, &["orders", "--count", "5", "--settle", "1h"]);
    place.send("orders", &["one more"]);
    running
        .ended()
        .ends(1)
        .says(&["expected exactly 5 records, found 6"]);
    expect(&place, &["orders", "--count", "6", "--settle", "100ms"])
        .run()
        .ends(0);
}

#[test]
fn a_topic_that_appears_late_is_waited_for() {
    let place = orders();
    let mut running = place.kpipe(&["-v", "expect", "late"]).start();
    running.until_it_says("not yet: topic `late` does not exist");
    place
        .kpipe(&["send", "late", "v", "-X", "allow.auto.create.topics=true"])
        .run()
        .ends(0);
    running.ended().ends(0);
}

#[test]
fn a_topic_that_never_appears_is_status_1() {
    let place = orders();
    for what in ["--none", "--min=1"] {
        expect(&place, &["ordres", what, "--timeout", "5s"])
            .run()
            .ends(1)
            .says(&[
                "error: time is up after 5s\n  caused by: topic `ordres` does not exist\n",
                "hint: did you mean `orders`?",
            ])
            .says_one_block();
        expect(&place, &["ordres", what, "--timeout", "0"])
            .run()
            .ends(1)
            .says(&["error: topic `ordres` does not exist\n"]);
    }
}

#[test]
fn a_broker_that_comes_up_late_is_waited_for_and_one_that_does_not_is_status_3() {
    let place = orders();
    let (address, is_forwarding) = late(place.brokers(), 3);
    expect(&place, &["orders", "--count", "5", "-b", &address])
        .run()
        .ends(0);
    is_forwarding.try_recv().unwrap();
    expect(&place, &["orders", "-b", &closed_port(), "--timeout", "3s"])
        .run()
        .ends(3)
        .says(&["error: time is up after 3s\n", "Connection refused"])
        .says_one_block();
}

#[test]
fn a_broker_that_goes_away_leaves_it_untold() {
    let mut broker = Place::at("127.0.0.1:1")
        .kpipe(&["broker", "--topic", "orders:1"])
        .start();
    let address: serde_json::Value = serde_json::from_str(&broker.line()).unwrap();
    let place = Place::at(address["brokers"].as_str().unwrap());
    let running = waiting(&place, &["orders", "--timeout", "8s"]);
    broker.signal(Signal::KILL);
    running
        .ended()
        .ends(3)
        .says(&["error: time is up after 8s, before all records were read\n  caused by: "]);
}

#[test]
fn wrong_usage_is_status_2() {
    let place = orders();
    place.write("broken.json", "{'id':1}");
    for arguments in [
        &["orders", "--count", "1", "--min", "1"][..],
        &["orders", "--none", "--count", "1"],
        &["orders", "--none", "--distinct", "/a=1"],
        &["orders", "--distinct", "a=1"],
        &["orders", "--settle", "1s", "--timeout", "0", "--count", "5"],
        &["orders", "--settle", "1s", "--min", "5"],
        &["orders", "--subset", "nonesuch.json"],
        &["orders", "--subset", "broken.json"],
        &["orders", "-o", "stored"],
        &["^orders"],
        &[],
    ] {
        expect(&place, arguments).run().ends(2).prints("");
    }
    expect(&place, &["orders", "--subset", "broken.json"])
        .run()
        .says(&["error: broken.json is not JSON\n  caused by: "])
        .says_one_block();
}

#[test]
fn an_interrupt_ends_it_without_an_answer() {
    let place = orders();
    let running = waiting(&place, &["orders", "--min", "9"]);
    running.signal(Signal::INT);
    running.ended().dies_of(Signal::INT).hides(&["error"]);
}
