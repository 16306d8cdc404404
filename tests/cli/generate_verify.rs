//! Whether what arrived is what was made.

use serde_json::{Value, json};
use sha2::Digest;

use crate::support::Place;

/// A place with a manifest and the lines that it tells of.
fn made(arguments: &[&str]) -> (Place, Vec<String>) {
    let place = Place::at("127.0.0.1:1");
    let generate = place.kpipe(&["-q", "generate", "sensor", "--manifest", "made.json"]);
    let lines = generate.arguments(arguments).run().ends(0).errors("").out();
    (
        place,
        lines.lines().map(|line| format!("{line}\n")).collect(),
    )
}

#[track_caller]
fn verified(place: &Place, lines: &[String], status: i32) -> (Value, String) {
    let verify = place
        .kpipe(&["generate", "verify", "made.json"])
        .input(lines.concat());
    let ended = verify.run().ends(status);
    (ended.json().remove(0), ended.stderr().to_owned())
}

#[test]
fn all_that_arrives_as_it_was_made_is_fine() {
    let (place, lines) = made(&[
        "-n", "5000", "--dup", "2%", "--drop", "2%", "--late", "2%:3s",
    ]);
    let (report, said) = verified(&place, &lines, 0);
    assert_eq!(report["received"], lines.len());
    assert_eq!(report["expected"], lines.len());
    assert_eq!(said, "");
    let manifest: Value = serde_json::from_slice(&place.read("made.json")).unwrap();
    assert_eq!(manifest["events"], 5000);
    assert_eq!(manifest["lines"], lines.len());
    let hash = sha2::Sha256::digest(lines.concat());
    assert_eq!(manifest["sha256"], hex(&hash));
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn what_happened_on_the_way_is_told_and_where() {
    let (place, lines) = made(&["-n", "100"]);
    let mut arrived = lines.clone();
    arrived[50] = arrived[50].replace("\"site\":\"site", "\"site\":\"SITE");
    arrived.swap(20, 21);
    arrived.push(lines[7].clone());
    arrived.remove(70);
    arrived.remove(3);
    let (report, said) = verified(&place, &arrived, 1);
    let mut expected = json!({
        "expected": 100, "received": 99, "lost": 2, "repeated": 1, "reordered": 1, "changed": 1, "other": 0
    });
    expected["run"] = report["run"].clone();
    assert_eq!(report, expected);
    assert_eq!(
        said,
        "error: what arrived is not what was made: 2 lost (gen-seq 3, 70), 1 repeated (gen-seq 7), \
         1 reordered (gen-seq 20), 1 changed (gen-seq 50)\n"
    );
}

#[test]
fn order_is_that_of_a_partition() {
    let (place, lines) = made(&["-n", "10"]);
    let in_partition = |line: &String, number: usize| {
        line.replacen('{', &format!("{{\"partition\":{},", number % 2), 1)
    };
    let numbered: Vec<String> = lines
        .iter()
        .zip(0..)
        .map(|(line, n)| in_partition(line, n))
        .collect();
    let mut one_after_the_other: Vec<String> = numbered.iter().step_by(2).cloned().collect();
    one_after_the_other.extend(numbered.iter().skip(1).step_by(2).cloned());
    verified(&place, &one_after_the_other, 0);
    one_after_the_other.reverse();
    let (report, _) = verified(&place, &one_after_the_other, 1);
    assert_eq!(report["reordered"], 8);
}

#[test]
fn records_of_another_run_are_passed_over_and_named_when_there_are_no_others() {
    let (place, lines) = made(&["-n", "10"]);
    let other = place
        .kpipe(&["-q", "generate", "sensor", "-n", "5"])
        .run()
        .ends(0)
        .out();
    let mut both = lines;
    both.push(other.clone());
    both.push("{\"value\":\"plain\"}\n".into());
    let (report, _) = verified(&place, &both, 0);
    assert_eq!(report["other"], 6);
    let (report, said) = verified(&place, &[other], 1);
    assert_eq!(report["lost"], 10);
    assert!(said.contains("is it another manifest?"), "{said}");
}

#[test]
fn what_is_no_manifest_or_no_record_is_refused() {
    let place = Place::at("127.0.0.1:1");
    let verify = |input: &str| {
        let verify = place.kpipe(&["generate", "verify", "made.json"]);
        verify
            .input(input.to_owned())
            .run()
            .ends(2)
            .prints("")
            .says_one_block()
    };
    verify("").says(&["there is no made.json", "--manifest FILE"]);
    place.write("made.json", "{\"run\":1}");
    verify("").says(&["made.json is not what a manifest holds"]);
    let (place, lines) = made(&["-n", "3"]);
    let input = format!("{}nonsense\n", lines.concat());
    let verify = place
        .kpipe(&["generate", "verify", "made.json"])
        .input(input);
    verify.run().ends(2).says(&["stdin:4:1: not a record line"]);
}

#[test]
fn what_could_not_be_written_is_in_the_manifest_too() {
    let place = Place::at("127.0.0.1:1");
    let script = "kpipe generate sensor -n 5000 --manifest made.json > /dev/full";
    place.bash(script).run().ends(1);
    let (report, _) = verified(&place, &[], 1);
    assert_eq!(report["lost"], report["expected"]);
    assert!(report["lost"].as_u64().unwrap() > 0);
}

#[test]
fn all_that_was_made_until_a_signal_is_accounted_for() {
    let place = Place::with(&["t:1"]);
    let script = r#"
        mkfifo pipe
        kpipe -q generate sensor --rate 3000/s --manifest made.json > pipe & generate=$!
        kpipe -q send t --failed left.jsonl --receipts all < pipe > receipts & send=$!
        until [ "$(wc -l < receipts)" -ge 1000 ]; do :; done
        kill -TERM $generate $send
        wait $generate; echo $?
        wait $send; echo $?
    "#;
    let ended = place.bash(script).run().ends(0);
    assert_eq!(ended.out(), "143\n143\n", "{}", ended.stderr());
    let tail = place.kpipe(&["tail", "t", "-e"]).run().ends(0).out();
    let left = String::from_utf8(place.read("left.jsonl")).unwrap();
    let all: Vec<String> = (tail + &left)
        .lines()
        .map(|line| format!("{line}\n"))
        .collect();
    let (report, _) = verified(&place, &all, 0);
    assert!(report["received"].as_u64().unwrap() >= 1000);
}
