//! A Kafka that is not there: status 3, in seconds, in one block.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use crate::support::Place;

/// DESIGN §3 promises an answer in less; only a broken promise takes longer.
const PROMISED: Duration = Duration::from_secs(10);

const COMMANDS: [&[&str]; 5] = [
    &["send", "orders", "v"],
    &["send", "orders", "--lines"],
    &["tail", "orders", "-e"],
    &["tail", "orders"],
    &["tail", "orders", "-g", "g"],
];

/// A port on which nobody listens any more.
pub(crate) fn closed_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

#[test]
fn a_closed_port_is_status_3_with_its_cause_and_a_hint() {
    let address = closed_port();
    let place = Place::at(&address);
    for command in COMMANDS {
        let start = Instant::now();
        place
            .kpipe(command)
            .input("a\n")
            .run()
            .ends(3)
            .prints("")
            .says(&[
                &format!("error: cannot reach Kafka at {address}"),
                "\n  caused by: ",
                "Connection refused",
                "\n\nhint: ",
            ])
            .says_one_block();
        assert!(start.elapsed() < PROMISED, "{command:?}");
    }
}

#[test]
fn what_takes_a_connection_and_says_nothing_may_not_be_kafka() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    Place::at(&other.local_addr().unwrap().to_string())
        .kpipe(&["tail", "orders", "-e"])
        .run()
        .ends(3)
        .says(&["hint: nothing there refused, and nothing answered"])
        .says_one_block();
}

#[test]
fn an_unknown_host_is_status_3() {
    let place = Place::at("no-such-host.invalid:9092");
    for command in COMMANDS {
        let start = Instant::now();
        place
            .kpipe(command)
            .input("a\n")
            .run()
            .ends(3)
            .says(&[
                "error: cannot reach Kafka at no-such-host.invalid:9092",
                "\n\nhint: ",
            ])
            .says_one_block();
        assert!(start.elapsed() < PROMISED, "{command:?}");
    }
}

#[test]
fn lines_without_a_topic_of_the_command_line_find_out_as_well() {
    let place = Place::at(&closed_port());
    place
        .kpipe(&["-q", "send", "--failed", "left"])
        .input("{\"topic\":\"orders\",\"value\":\"a\"}\n{\"topic\":\"bills\",\"value\":\"b\"}\n")
        .run()
        .ends(3)
        .says(&["error: cannot reach Kafka"])
        .says_one_block();
    assert_eq!(
        place.read("left"),
        b"{\"topic\":\"orders\",\"value\":\"a\"}\n{\"topic\":\"bills\",\"value\":\"b\"}\n"
    );
}

#[test]
fn a_port_that_speaks_something_else_is_an_error_too() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        use std::io::Write;
        for stream in listener.incoming().flatten() {
            let _ = (&stream).write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    let place = Place::at(&address);
    let ended = place
        .kpipe(&["tail", "orders", "-e"])
        .run()
        .says_one_block();
    let ended = ended.hides(&["panicked"]).prints("");
    // Whether that is no broker or a wrong setting, it is not success.
    assert!(ended.stderr().contains(&address), "{}", ended.stderr());
}

#[test]
fn what_was_read_of_a_pipe_is_kept_when_kafka_or_the_topic_is_not_there() {
    let nowhere = Place::at("127.0.0.1:1");
    let without_topic = Place::with(&["orders:1"]);
    for (place, status) in [(nowhere, 3), (without_topic, 1)] {
        for more in [&[][..], &["--transaction"]] {
            let arguments = ["send", "nonesuch", "--lines", "--failed", "left"];
            place
                .kpipe(&[&arguments[..], more].concat())
                .input("1\n2\n3\n")
                .run()
                .ends(status)
                .prints("");
            assert_eq!(place.read("left"), b"1\n2\n3\n");
            assert!(!place.read("left.why").is_empty());
            std::fs::remove_file(place.path("left")).unwrap();
        }
    }
}
