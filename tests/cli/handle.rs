//! A command per record: what it gets, what its status does, and what is committed.

use std::time::Instant;

use rustix::process::Signal;

use crate::support::{DEADLINE, Place, each};

/// Waits that would be long are short.
const QUICK: [&str; 2] = ["--backoff", "1ms..2ms"];

fn orders() -> Place {
    let place = Place::with(&["orders:1", "dlq.orders:1", "out:1"]);
    place.send("orders", &["v0", "v1", "v2", "v3"]);
    place
}

/// `kpipe handle orders -g g -e` with more flags, and a script of sh to run.
fn handle(place: &Place, flags: &[&str], script: &str) -> crate::support::Ended {
    start(place, flags, script).run()
}

fn start(place: &Place, flags: &[&str], script: &str) -> crate::support::Invocation {
    let begin = &["handle", "orders", "-g", "g", "-e"][..];
    place.kpipe(&[begin, &QUICK, flags, &["--", "sh", "-c", script]].concat())
}

/// What the group has yet to read.
fn left(place: &Place) -> String {
    let tail = ["tail", "orders", "-g", "g", "-e", "--values"];
    let left = place.kpipe(&tail).run().ends(0).out();
    left.replace('\n', " ")
}

#[test]
fn each_record_is_given_to_a_command_and_committed() {
    let place = orders();
    let lines = place.kpipe(&["tail", "orders", "-e"]).run().out();
    let ended = handle(&place, &[], "cat").ends(0);
    assert_eq!(ended.out(), lines);
    ended.says(&["4 handled"]);
    assert_eq!(left(&place), "");
}

#[test]
fn with_values_a_command_gets_the_bytes_and_nothing_else() {
    let place = Place::with(&["orders:1"]);
    let line = r#"{"topic":"orders","key":null,"value_base64":"/wBh","headers":[]}"#;
    place.kpipe(&["send"]).input(line).run().ends(0);
    let ended = handle(&place, &["--values", "-q"], "od -An -tx1").ends(0);
    assert_eq!(ended.out().trim(), "ff 00 61");
    ended.errors("");
}

#[test]
fn the_environment_says_where_the_record_is_and_hides_our_secrets() {
    let place = Place::with(&["orders:1"]);
    let lines = "{\"key\":\"k1\",\"value\":null,\"timestamp\":5}\n{\"key_base64\":\"/w==\",\"value\":\"\"}\n";
    place.kpipe(&["send", "orders"]).input(lines).run().ends(0);
    let script = "echo $KAFKA_TOPIC $KAFKA_PARTITION $KAFKA_OFFSET $KAFKA_TOMBSTONE \
        ${KAFKA_KEY-none} ${KPIPE_X_SASL_PASSWORD-none} ${KAFKA_SASL_PASSWORD-none} ${KPIPE_NOTE-none}";
    let ended = start(&place, &[], script)
        .env("KPIPE_X_SASL_PASSWORD", "hunter2")
        .env("KAFKA_SASL_PASSWORD", "hunter2")
        .env("KPIPE_NOTE", "seen")
        .env("KAFKA_KEY", "of another record")
        .run()
        .ends(0);
    assert_eq!(
        ended.out(),
        "orders 0 0 true k1 none none seen\norders 0 1 false none none none seen\n"
    );
}

#[test]
fn a_record_that_fails_ends_the_run_and_is_not_committed() {
    let place = orders();
    let script = "grep -q v2 && { echo no such customer >&2; exit 3; }; exit 0";
    handle(&place, &[], script).ends(1).says(&[
        "orders[0]@2 was not handled in 3 attempts: exit 3: no such customer",
        "--dlq",
    ]);
    assert_eq!(left(&place), "v2 v3 ");
}

#[test]
fn a_record_is_tried_so_often_and_then_dead_lettered() {
    let place = orders();
    let script = "grep -q v2 || exit 0; echo try >> tries; echo why >&2; exit 1";
    handle(&place, &["--dlq", "--max-attempts", "4"], script)
        .ends(0)
        .says(&[
            "orders[0]@2: why",
            "orders[0]@2: dead letter after 4 attempts",
        ]);
    assert_eq!(place.read("tries"), b"try\ntry\ntry\ntry\n");
    let dead = place.records("dlq.orders");
    assert_eq!(each(&dead, "value"), ["v2"]);
    let headers = dead[0]["headers"].as_array().unwrap();
    let header = |name: &str| {
        let found = headers.iter().find(|header| header["key"] == name);
        found.map(|header| header["value"].as_str().unwrap())
    };
    assert_eq!(header("__dlq.errors.topic"), Some("orders"));
    assert_eq!(header("__dlq.errors.offset"), Some("2"));
    assert_eq!(header("__dlq.errors.group"), Some("g"));
    assert_eq!(header("__dlq.errors.delivery.count"), Some("4"));
    assert_eq!(header("__dlq.errors.message"), Some("exit 1: why"));
    assert_eq!(left(&place), "");
}

#[test]
fn status_65_is_a_dead_letter_without_another_try() {
    let place = orders();
    let script = "echo try >> tries; grep -q v1 && exit 65; exit 0";
    handle(&place, &["--dlq=out"], script).ends(0);
    assert_eq!(place.read("tries").len(), 4 * "try\n".len());
    assert_eq!(place.values("out"), "v1\n");
}

#[test]
fn a_rule_fits_another_programs_statuses() {
    let place = orders();
    let script = "grep -q v1 && exit 22; exit 9";
    handle(
        &place,
        &["--skip", "--on", "22=reject", "--on", "9=accept"],
        script,
    )
    .ends(0)
    .says(&["orders[0]@1: skipped after 1 attempt: exit 22", "3 handled"]);
    handle(&place, &["--on", "22=perhaps"], "cat")
        .ends(2)
        .says(&["22=perhaps"]);
}

#[test]
fn a_program_that_is_not_there_ends_the_run_and_buries_nobody() {
    let place = orders();
    handle(&place, &["--dlq"], "no-such-program")
        .ends(2)
        .says(&["127"]);
    place
        .kpipe(&[
            "handle",
            "orders",
            "-g",
            "g",
            "-e",
            "--dlq",
            "--",
            "./no-such-program",
        ])
        .run()
        .ends(2)
        .says(&["cannot run `./no-such-program`"]);
    assert_eq!(place.values("dlq.orders"), "");
    assert_eq!(left(&place), "v0 v1 v2 v3 ");
}

#[test]
fn a_status_that_ends_the_run_has_a_hint_of_its_own() {
    let place = orders();
    handle(&place, &[], "exit 126")
        .ends(2)
        .says(&["126", "cannot be executed", "`--on 126=retry`"])
        .hides(&["127"]);
}

#[test]
fn an_attempts_file_that_cannot_be_opened_is_named() {
    let place = orders();
    handle(&place, &["--attempts-file", "none/tries.db"], "cat")
        .ends(2)
        .says(&["attempts file `none/tries.db`", "hint"]);
    place.write(
        "notes",
        "no database, and longer than the header of one".repeat(9),
    );
    handle(&place, &["--attempts-file", "notes"], "cat")
        .ends(2)
        .says(&["attempts file `notes`", "hint"]);
}

#[test]
fn a_dead_letter_that_is_too_large_says_what_to_raise() {
    let place = Place::with(&["orders:1", "dlq.orders:1"]);
    // It fits, and does not with the headers of a dead letter.
    let line = format!(r#"{{"value":"{}"}}"#, "v".repeat(1_048_400));
    place.kpipe(&["send", "orders"]).input(line).run().ends(0);
    handle(&place, &["--dlq"], "exit 65").ends(3).says(&[
        "cannot write the dead letter of orders[0]@0",
        "`max.message.bytes` of `dlq.orders`",
        "`--skip`",
    ]);
}

#[test]
fn without_a_topic_for_dead_letters_nothing_begins() {
    let place = Place::with(&["orders:1"]);
    place.send("orders", &["v0"]);
    handle(&place, &["--dlq"], "echo ran >> ran; exit 65")
        .ends(1)
        .says(&[
            "cannot write dead letters to topic `dlq.orders`",
            "`kpipe broker --topic dlq.orders`",
        ]);
    assert_eq!(place.read("ran"), b"");
    assert_eq!(left(&place), "v0 ");
}

#[test]
fn one_bad_record_of_a_batch_costs_its_own_dead_letter_only() {
    let place = Place::with(&["orders:1", "dlq.orders:1"]);
    let values: Vec<String> = (0..50).map(|number| format!("v{number};")).collect();
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    place.send("orders", &values);
    let script = "cat > now; grep -q 'v17;' now && exit 1; cat now >> all";
    handle(&place, &["--batch", "50", "--dlq"], script)
        .ends(0)
        .says(&["49 handled"]);
    assert_eq!(place.values("dlq.orders"), "v17;\n");
    let all = String::from_utf8(place.read("all")).unwrap();
    assert_eq!(all.lines().count(), 49);
    assert_eq!(left(&place), "");
}

#[test]
fn one_bad_record_of_a_batch_does_not_open_the_breaker() {
    let place = Place::with(&["orders:1", "dlq.orders:1"]);
    let values: Vec<String> = (0..500).map(|number| format!("v{number};")).collect();
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    place.send("orders", &values);
    let script = "echo ran >> runs; grep -q 'v0;' && exit 1; exit 0";
    handle(&place, &["--batch", "500", "--dlq"], script)
        .ends(0)
        .says(&["499 handled", "1 dead-lettered"])
        .hides(&["nothing is started but a probe"]);
    // The batch three times, nine halvings, and the one alone three times.
    let runs = place.read("runs").len() / "ran\n".len();
    assert!(runs <= 3 + 2 * 9 + 3, "{runs} runs for one bad record");
}

#[test]
fn a_batch_of_which_each_record_fails_opens_the_breaker() {
    // With 1 it is open when the halves are tried, which are its probes.
    for most in ["1", "3"] {
        let place = orders();
        let flags = ["--batch", "4", "--skip", "--max-attempts", "1", "--breaker"];
        handle(&place, &[&flags[..], &[most]].concat(), "exit 1")
            .ends(0)
            .says(&["nothing is started but a probe", "4 skipped"]);
    }
}

#[test]
fn a_batch_begins_when_its_time_is_up() {
    let place = orders();
    let flags = ["--batch", "1000", "--flush-interval", "10ms", "-n", "4"];
    let script = "wc -l >> sizes";
    place
        .kpipe(
            &[
                &["handle", "orders", "-g", "g"][..],
                &flags,
                &["--", "sh", "-c", script],
            ]
            .concat(),
        )
        .run()
        .ends(0);
    let sizes = String::from_utf8(place.read("sizes")).unwrap();
    let total: usize = sizes
        .lines()
        .map(|size| size.trim().parse::<usize>().unwrap())
        .sum();
    assert_eq!(total, 4);
}

#[test]
fn a_handler_that_hangs_is_ended_with_all_that_it_started() {
    let place = orders();
    let script = "grep -q v1 || exit 0; trap '' TERM; sleep 1000 & echo $! > child; sleep 1000";
    let flags = ["--skip", "--max-attempts", "1", "--handler-timeout", "2s"];
    handle(&place, &flags, script)
        .ends(0)
        .says(&["orders[0]@1: skipped after 1 attempt: timeout"]);
    until_dead(&place);
}

#[test]
fn what_outlives_a_handler_that_was_ended_is_killed_too() {
    // The first dies of TERM at once, and the second ignores it.
    let script = "sh -c 'trap \"\" TERM; echo $$ > child; echo no verdict; exec sleep 1000' & wait";
    let place = orders();
    let flags = ["-n", "1", "--skip", "--max-attempts", "1", "--stream"];
    handle(&place, &flags, script).ends(0).says(&["no verdict"]);
    until_dead(&place);
    let place = orders();
    let mut running = start(&place, &["--drain", "100ms"], script).start();
    assert_eq!(running.line(), "no verdict\n");
    running.signal(Signal::TERM);
    let _ = running.ended().dies_of(Signal::TERM);
    until_dead(&place);
}

/// Waits until the process whose number is in `child` is no more.
fn until_dead(place: &Place) {
    let child = String::from_utf8(place.read("child")).unwrap();
    let child = std::path::PathBuf::from(format!("/proc/{}", child.trim()));
    let start = Instant::now();
    // Whoever adopts it takes its time to reap it.
    let is_alive = || {
        let told = std::fs::read_to_string(child.join("stat")).unwrap_or_default();
        !told.is_empty() && !told.contains(") Z ")
    };
    while is_alive() {
        assert!(start.elapsed() < DEADLINE, "its child lives");
        std::thread::yield_now();
    }
}

#[test]
fn hostile_handlers_do_no_harm() {
    let place = orders();
    // Never reads; closes stdin; is killed; leaves a child that holds the pipes.
    for script in [
        "exit 0",
        "exec <&-; exit 0",
        "sleep 5 & exit 0",
        "head -c 3000000 /dev/zero >&2",
        "head -c 3000000 /dev/zero | tr '\\0' '\\033' >&2",
    ] {
        let start = Instant::now();
        let ended = handle(&place, &["-o", "beginning", "-n", "1"], script).ends(0);
        assert!(ended.stderr().len() < 20_000, "it is cut off");
        assert!(!ended.stderr().contains('\u{1b}'), "it is sanitised");
        assert!(start.elapsed() < DEADLINE);
    }
    handle(&place, &["--skip", "-q"], "kill -SEGV $$").ends(0);
}

#[test]
fn what_a_handler_prints_without_end_takes_no_memory() {
    // Lines, and one that never ends; the handler tells how large we are.
    for much in ["yes no | head -c 100000000", "head -c 100000000 /dev/zero"] {
        let place = orders();
        let script = format!("{much} >&2; {much}; echo; grep VmHWM /proc/$PPID/status || :");
        let run =
            format!("kpipe handle orders -g g -n 1 -q -- sh -c '{script}' 2> talk | tail -n 1");
        let out = place.bash(&run).run().ends(0).out();
        let mut words = out.split_whitespace().skip(1);
        if let Some(peak) = words.next().and_then(|word| word.parse::<u64>().ok()) {
            assert!(peak < 90_000, "{peak} KiB for {much}");
        }
        assert!(place.read("talk").len() < 20_000_000, "it is cut off");
    }
}

#[test]
fn output_without_end_is_a_failure_of_its_record() {
    let place = orders();
    let flags = ["--to", "out", "-n", "1", "--skip", "--max-attempts", "1"];
    handle(&place, &flags, "yes '{}'")
        .ends(0)
        .says(&["orders[0]@0: skipped after 1 attempt: bad output: it is too long"]);
    assert_eq!(place.values("out"), "");
}

#[test]
fn a_reader_that_goes_away_ends_the_run_quietly() {
    let place = Place::with(&["orders:1", "dlq.orders:1"]);
    let values = vec!["v"; 500];
    place.send("orders", &values);
    place
        .bash("kpipe handle orders -g g -e -q --dlq -- cat | head -n 1")
        .run()
        .ends(0)
        .errors("");
    assert_eq!(place.values("dlq.orders"), "");
    assert!(left(&place).len() > 2, "not all was accepted");
}

#[test]
fn a_stream_answers_line_by_line() {
    let place = orders();
    let script = r#"while read -r line; do
        offset=${line#*\"offset\":}; offset=${offset%%,*}
        case $line in
            *v1*) echo "{\"partition\":0,\"offset\":$offset,\"verdict\":\"reject\",\"reason\":\"bad\"}" ;;
            *v2*) echo try >> tries; echo "{\"partition\":0,\"offset\":$offset,\"verdict\":\"release\"}" ;;
            *) echo "{\"partition\":0,\"offset\":$offset,\"verdict\":\"accept\"}" ;;
        esac
    done"#;
    handle(&place, &["--stream", "--batch", "10", "--dlq"], script)
        .ends(0)
        .says(&[
            "2 handled",
            "2 dead-lettered",
            "dead letter after 1 attempt: rejected: bad",
        ]);
    assert_eq!(place.read("tries"), b"try\ntry\ntry\n");
    let mut dead: Vec<String> = place
        .values("dlq.orders")
        .lines()
        .map(str::to_owned)
        .collect();
    dead.sort();
    assert_eq!(dead, ["v1", "v2"]);
    assert_eq!(left(&place), "");
}

#[test]
fn a_stream_that_dies_is_started_again_and_only_the_culprit_dies() {
    let place = orders();
    let script = r#"while read -r line; do
        offset=${line#*\"offset\":}; offset=${offset%%,*}
        case $line in *v2*) kill -KILL $$ ;; esac
        echo "{\"partition\":0,\"offset\":$offset,\"verdict\":\"accept\"}"
    done"#;
    handle(&place, &["--stream", "--batch", "4", "--dlq"], script)
        .ends(0)
        .says(&["3 handled"]);
    let dead = place.records("dlq.orders");
    assert_eq!(each(&dead, "value"), ["v2"]);
}

#[test]
fn what_is_down_is_probed_until_it_is_up_and_nobody_dies() {
    let place = orders();
    let script = "echo try >> tries; [ $(wc -l < tries) -gt 6 ] || exit 69; exit 0";
    handle(&place, &["--dlq", "--max-attempts", "1"], script)
        .ends(0)
        .says(&[
            "4 handled",
            "nothing is started but a probe",
            "the handler works again",
        ]);
    assert_eq!(place.values("dlq.orders"), "");
}

#[test]
fn output_goes_to_a_topic_with_the_key_of_its_record() {
    let place = Place::with(&["orders:1", "out:3"]);
    place
        .kpipe(&["send", "orders", "v", "-k", "k1", "-H", "h=1"])
        .run()
        .ends(0);
    handle(
        &place,
        &["--to", "out", "--lines", "--values"],
        "cat; echo; echo second",
    )
    .ends(0);
    let out = place.records("out");
    assert_eq!(each(&out, "value"), ["v", "second"]);
    assert_eq!(each(&out, "key"), ["k1", "k1"]);
    assert_eq!(
        out[0]["headers"],
        serde_json::json!([{"key": "h", "value": "1"}])
    );
}

#[test]
fn output_that_is_no_record_line_is_a_failure_and_nothing_of_it_is_sent() {
    let place = orders();
    let script = "cat; echo nonsense";
    handle(&place, &["--to", "out", "--skip"], script)
        .ends(0)
        .says(&["bad output: stdout:2:1"]);
    assert_eq!(place.values("out"), "");
}

#[test]
fn the_help_says_what_a_command_gets_and_answers() {
    let help = Place::at("127.0.0.1:1")
        .kpipe(&["handle", "--help"])
        .run()
        .ends(0)
        .out();
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    for said in [
        "`KAFKA_KEY` is absent where the record has no key, or one that is not UTF-8, has a NUL or is over 4 KiB",
        r#"{"partition":0,"offset":17,"verdict":"accept"}"#,
        r#""topic" where it reads several"#,
        "joined by line feeds",
    ] {
        assert!(help.contains(said), "{said}: {help}");
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    let place = orders();
    for (flags, said) in [
        (&["--to", "orders"][..], "come round for ever"),
        (&["--dlq=orders"], "come round for ever"),
        (&["--dlq", "--skip"], "cannot be used with"),
        (&["--to", "out", "--stream"], "cannot be used with"),
        (
            &["--to", "out", "--exactly-once", "--concurrency", "2"],
            "cannot be used with",
        ),
        (&["--exactly-once"], "--to"),
        (&["--max-attempts", "0"], "--max-attempts"),
        (&["--batch", "0"], "--batch"),
        (&["--backoff", "2s..1s"], "--backoff"),
    ] {
        handle(&place, flags, "cat").ends(2).says(&[said]);
    }
    place
        .kpipe(&["handle", "orders", "-g", "g"])
        .run()
        .ends(2)
        .says(&["CMD"]);
}

#[test]
fn a_signal_lets_the_handler_finish_and_commits() {
    let place = orders();
    let begin = ["handle", "orders", "-g", "g", "--", "sh", "-c"];
    let script = "echo started; while [ ! -e go ]; do sleep 0.01; done; echo done >> done";
    let mut running = place.kpipe(&[&begin[..], &[script]].concat()).start();
    assert_eq!(running.line(), "started\n");
    running.signal(Signal::TERM);
    place.write("go", "");
    let _ = running.ended().dies_of(Signal::TERM);
    // The next may have begun before the signal was seen.
    let done = place.read("done").len() / "done\n".len();
    assert!((1..4).contains(&done), "{done} were handled");
    assert_eq!(left(&place), ["", "v1 v2 v3 ", "v2 v3 ", "v3 "][done]);
}

#[test]
fn a_second_signal_ends_the_handler_too_and_commits_nothing() {
    let place = orders();
    let begin = [
        "handle", "orders", "-g", "g", "--drain", "1h", "--", "sh", "-c",
    ];
    let script = "trap '' TERM; echo $$ > child; echo started; while :; do sleep 0.1; done";
    let mut running = place.kpipe(&[&begin[..], &[script]].concat()).start();
    assert_eq!(running.line(), "started\n");
    // Where both wait to be seen, the lower number is seen first.
    running.signal(Signal::INT);
    running.signal(Signal::TERM);
    let _ = running.ended().dies_of(Signal::TERM);
    until_dead(&place);
    assert_eq!(left(&place), "v0 v1 v2 v3 ");
}

/// Ten keys in turn, four times; what the first has to say takes until `go` is there.
fn one_slow_key(place: &Place) {
    let lines: String = (0..40).map(|n| format!("k{}:{n}\n", n % 10)).collect();
    let send = ["send", "orders", "--lines", "-K", ":", "-q"];
    place.kpipe(&send).input(lines).run().ends(0);
}

const SLOW_KEY: &str = "number=$(cat); [ $KAFKA_KEY != k0 ] || until [ -e go ]; do sleep 0.01; done; \
    echo $number >> of-$KAFKA_KEY; echo $number";

/// Waits until all are done but those of the slow key.
fn until_others_are_done(running: &mut crate::support::Running) {
    for _ in 0..36 {
        assert_ne!(running.line().trim().parse::<usize>().unwrap() % 10, 0);
    }
}

#[test]
fn a_slow_record_holds_up_its_own_key_and_no_other() {
    let place = Place::with(&["orders:1"]);
    one_slow_key(&place);
    let flags = ["--values", "--concurrency", "2"];
    let mut running = start(&place, &flags, SLOW_KEY).start();
    until_others_are_done(&mut running);
    place.write("go", "");
    running.ended().ends(0).says(&["40 handled"]);
    for key in 0..10 {
        let expected: String = (0..4).map(|n| format!("{}\n", n * 10 + key)).collect();
        assert_eq!(place.read(&format!("of-k{key}")), expected.as_bytes());
    }
    assert_eq!(left(&place), "");
}

#[test]
fn after_a_signal_what_lies_before_finished_records_is_finished_too() {
    let place = Place::with(&["orders:1"]);
    one_slow_key(&place);
    let begin = ["handle", "orders", "-g", "g", "--values", "--drain", "1h"];
    let run = ["--concurrency", "2", "--", "sh", "-c", SLOW_KEY];
    let mut running = place.kpipe(&[&begin[..], &run].concat()).start();
    until_others_are_done(&mut running);
    running.signal(Signal::TERM);
    place.write("go", "");
    let _ = running.ended().dies_of(Signal::TERM);
    assert_eq!(place.read("of-k0"), b"0\n10\n20\n30\n");
    assert_eq!(left(&place), "");
}

#[test]
fn who_has_nothing_to_commit_is_not_warned_of_it() {
    let place = orders();
    let begin = ["handle", "orders", "-g", "g", "--metrics", "told"];
    let running = place.kpipe(&[&begin[..], &["--", "cat"]].concat()).start();
    let start = Instant::now();
    // The built-in broker lets the first member of a group wait for three seconds.
    while place.read("told").is_empty() {
        assert!(start.elapsed() < DEADLINE, "it does not begin");
        std::thread::yield_now();
    }
    running.signal(Signal::INT);
    let _ = running.ended().dies_of(Signal::INT).hides(&["warning"]);
}

#[test]
fn a_handler_that_does_not_finish_in_time_is_ended_and_not_committed() {
    let place = orders();
    let begin = [
        "handle", "orders", "-g", "g", "--drain", "100ms", "--", "sh", "-c",
    ];
    let mut running = place
        .kpipe(&[&begin[..], &["echo started; sleep 1000"]].concat())
        .start();
    assert_eq!(running.line(), "started\n");
    running.signal(Signal::TERM);
    let _ = running.ended().dies_of(Signal::TERM);
    assert_eq!(left(&place), "v0 v1 v2 v3 ");
}

#[test]
fn time_that_is_up_before_all_is_handled_is_no_success() {
    for bound in [&["-e"][..], &["-n", "4"]] {
        let place = orders();
        let begin = ["handle", "orders", "-g", "g", "--timeout", "2s"];
        let run = ["--drain", "100ms", "--", "sleep", "1000"];
        place
            .kpipe(&[&begin[..], bound, &run].concat())
            .run()
            .ends(3)
            .says(&["time is up"]);
        assert_eq!(left(&place), "v0 v1 v2 v3 ");
    }
}

#[test]
fn a_record_that_kills_kpipe_is_dead_lettered_by_the_attempts_file() {
    let place = orders();
    let flags = [
        "--attempts-file",
        "tries.db",
        "--dlq",
        "--max-attempts",
        "2",
    ];
    let script = "grep -q v1 || exit 0; echo try >> tries; kill -KILL $PPID; sleep 1000";
    for _ in 0..2 {
        let _ = handle(&place, &flags, script).dies_of(Signal::KILL);
    }
    handle(&place, &flags, script).ends(0);
    assert_eq!(place.read("tries"), b"try\ntry\n");
    assert_eq!(place.values("dlq.orders"), "v1\n");
    assert_eq!(left(&place), "");
}

#[test]
fn metrics_are_in_the_file_at_the_end() {
    let place = orders();
    let script = "grep -q v1 && exit 65; exit 0";
    handle(&place, &["--metrics", "kpipe.prom", "--dlq"], script).ends(0);
    let told = String::from_utf8(place.read("kpipe.prom")).unwrap();
    for line in [
        "kpipe_processed_records_total 3",
        "kpipe_dead_lettered_records_total 1",
        "kpipe_failed_runs_total{ending=\"exit 65\"} 1",
        "kpipe_lag_records{topic=\"orders\",partition=\"0\"} 0",
    ] {
        assert!(told.lines().any(|said| said == line), "{line}: {told}");
    }
}

#[test]
fn records_of_a_key_keep_their_order_when_many_run() {
    let place = Place::with(&["orders:1"]);
    let lines: String = (0..60).map(|n| format!("k{}:{n}\n", n % 6)).collect();
    let send = ["send", "orders", "--lines", "-K", ":", "-q"];
    place.kpipe(&send).input(lines).run().ends(0);
    let script = "echo $(cat) >> of-$KAFKA_KEY";
    handle(&place, &["--values", "--concurrency", "8"], script).ends(0);
    for key in 0..6 {
        let expected: String = (0..10).map(|n| format!("{}\n", n * 6 + key)).collect();
        let got = String::from_utf8(place.read(&format!("of-k{key}"))).unwrap();
        assert_eq!(got, expected, "k{key}");
    }
    assert_eq!(left(&place), "");
}

#[test]
fn the_stages_of_each_record_are_reported_and_where_one_stopped() {
    let place = orders();
    let script = r#"read -r line; case "$line" in *v1*) echo "no v1" >&2; exit 65;; esac"#;
    let flags = ["--skip", "-q", "--trace", "--trace-file", "s"];
    handle(&place, &flags, script).ends(0);
    let text = String::from_utf8(place.read("s")).unwrap();
    let events: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let told: Vec<String> = events
        .iter()
        .map(|event| {
            format!("{} {} {}", event["offset"], event["stage"], event["status"]).replace('"', "")
        })
        .collect();
    let mut sorted = told.clone();
    sorted.sort();
    assert_eq!(
        sorted,
        [
            "0 CONSUMED ok",
            "0 PROCESSED ok",
            "1 CONSUMED ok",
            "1 PROCESSED error",
            "2 CONSUMED ok",
            "2 PROCESSED ok",
            "3 CONSUMED ok",
            "3 PROCESSED ok",
        ],
        "{text}"
    );
    let failed = events.iter().find(|event| event["status"] == "error");
    let why = failed.unwrap()["error"].as_str().unwrap();
    assert!(why.contains("exit 65") && why.contains("no v1"), "{why}");
    assert!(events.iter().all(|event| event["group"] == "g"), "{text}");
}
