//! `kpipe group`, with Kafka's own tool beside it.

use std::collections::BTreeSet;
use std::thread;

use jiff::Timestamp;
use rdkafka::producer::Producer;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::executable::{Finished, kpipe};
use crate::support::java::java;
use crate::support::kafka::{
    commit, commit_as, eager_member, group, member_of_new_protocol, number_in, send, topic,
    transaction,
};
use crate::support::{PATIENCE, eventually};

const JAVA_TOOL: &str = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand";

/// Group, topic, partition, committed, end, lag, member; `-` for what is not there.
type Row = [String; 7];

/// What Kafka's own tool says of groups.
fn told_by_java(groups: &[&str]) -> BTreeSet<Row> {
    let mut arguments = vec!["--describe"];
    for group in groups {
        arguments.extend(["--group", group]);
    }
    java(JAVA_TOOL, &arguments, "")
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|cells| cells.len() == 9 && cells[0] != "GROUP")
        .map(|cells| std::array::from_fn(|index| cells[index].to_owned()))
        .collect()
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// What `kpipe group describe` says of a group.
fn told_by_kpipe(group: &str) -> BTreeSet<Row> {
    let description = kpipe(["group", "describe", group]).run().ok().lines();
    let partitions = description[0]["partitions"].as_array().unwrap().iter();
    let names = ["topic", "partition", "committed", "end", "lag", "member"];
    partitions
        .map(|one| {
            std::array::from_fn(|index| match index {
                0 => group.to_owned(),
                index => cell(&one[names[index - 1]]),
            })
        })
        .collect()
}

#[track_caller]
fn agree(groups: &[&str]) -> BTreeSet<Row> {
    let ours: BTreeSet<Row> = groups.iter().flat_map(|one| told_by_kpipe(one)).collect();
    assert_eq!(ours, told_by_java(groups));
    ours
}

fn lag(group: &str) -> Vec<Value> {
    kpipe(["group", "lag", group]).run().ok().lines()
}

#[test]
fn groups_with_and_without_members_are_where_kafkas_own_tool_sees_them() {
    let (one, two) = (
        topic("lag-one").partitions(3).create(),
        topic("lag-two").create(),
    );
    for partition in 0..3 {
        one.append_numbers(partition, 0..10);
    }
    two.append_numbers(0, 0..5);
    let (empty, member) = (group(), group());
    commit(&empty, &one, &[(0, 3), (2, 10)]);
    commit(&empty, &two, &[(0, 0)]);
    // It has three partitions and has committed in one.
    let consumer = eager_member(&member, &one);
    commit_as(&consumer, &one, &[(1, 7)]);
    let rows = agree(&[&empty, &member]);
    assert_eq!(rows.len(), 6);

    let described = kpipe(["group", "describe", &member]).run().ok().lines();
    assert_eq!(described[0]["state"], "Stable");
    assert_eq!(described[0]["kind"], "classic");
    assert_eq!(described[0]["assignor"], "range");
    assert_eq!(described[0]["members"][0]["partitions"], 3);
    let described = kpipe(["group", "describe", &empty]).run().ok().lines();
    assert_eq!(described[0]["state"], "Empty");
    assert_eq!(described[0]["members"], json!([]));

    let expected = [(0, 3, 10, 7), (2, 10, 10, 0)].map(|(partition, committed, end, lag)| {
        json!({
            "group": empty, "topic": &*one, "partition": partition, "committed": committed,
            "end": end, "lag": lag,
        })
    });
    assert_eq!(lag(&empty)[..2], expected);
}

#[test]
fn members_are_seen_right_after_a_rebalance() {
    let topic = topic("rebalance").partitions(4).create();
    let group = group();
    let first = eager_member(&group, &topic);
    let joining = {
        let (group, topic) = (group.clone(), topic.to_string());
        thread::spawn(move || eager_member(&group, &topic))
    };
    // The first gives its partitions up only when it polls.
    while !joining.is_finished() {
        let _ = first.poll(std::time::Duration::from_millis(20));
    }
    let _second = joining.join().unwrap();
    let rows = agree(&[&group]);
    let members: BTreeSet<&String> = rows.iter().map(|row| &row[6]).collect();
    assert_eq!((rows.len(), members.len()), (4, 2));
}

#[test]
fn a_group_of_the_new_protocol_is_described() {
    let topic = topic("kip-848").partitions(2).create();
    topic.append_numbers(0, 0..4);
    let group = group();
    let consumer = member_of_new_protocol(&group, &topic);
    eventually("the group is stable", || {
        let _ = consumer.poll(std::time::Duration::from_millis(50));
        let described = kpipe(["group", "describe", &group]).run().ok().lines();
        assert_eq!(described[0]["kind"], "consumer");
        (described[0]["state"] == "Stable").then_some(())
    });
    assert_eq!(agree(&[&group]).len(), 2);
    let listed = kpipe(["group", "list", &group]).run().ok().lines();
    assert_eq!(
        listed,
        [json!({"group": group, "kind": "consumer", "state": "Stable"})]
    );
}

#[test]
fn open_and_aborted_transactions_and_their_markers_count() {
    let topic = topic("transactional").create();
    let group = group();
    commit(&group, &topic, &[(0, 0)]);
    let aborted = transaction();
    send(&aborted, &topic, &number_in(0, 1));
    aborted.flush(PATIENCE).unwrap();
    aborted.abort_transaction(PATIENCE).unwrap();
    let open = transaction();
    send(&open, &topic, &number_in(0, 2));
    open.flush(PATIENCE).unwrap();
    let rows = agree(&[&group]);
    // A record, its marker, and a record that is still open.
    assert_eq!(rows.first().unwrap()[5], "3");
    open.commit_transaction(PATIENCE).unwrap();
}

#[test]
fn two_hundred_groups_are_told_of_as_kafkas_own_tool_does() {
    let topic = topic("hundreds").partitions(2).create();
    topic.append_numbers(0, 0..300);
    let prefix = group();
    let groups: Vec<String> = (0..200)
        .map(|number| format!("{prefix}-{number}"))
        .collect();
    thread::scope(|scope| {
        for chunk in groups.chunks(25) {
            let topic = &*topic;
            scope.spawn(move || {
                for group in chunk {
                    let number = group.rsplit('-').next().unwrap().parse().unwrap();
                    commit(group, topic, &[(0, number), (1, 0)]);
                }
            });
        }
    });
    let names: Vec<&str> = groups.iter().map(String::as_str).collect();
    let ours: BTreeSet<Row> = kpipe(["group", "lag"])
        .args(&groups)
        .run()
        .ok()
        .lines()
        .iter()
        .map(|line| {
            let names = ["group", "topic", "partition", "committed", "end", "lag"];
            std::array::from_fn(|index| {
                names
                    .get(index)
                    .map_or("-".into(), |name| cell(&line[name]))
            })
        })
        .collect();
    assert_eq!(ours.len(), 400);
    assert_eq!(ours, told_by_java(&names));

    let pattern = format!("^{prefix}-");
    let listed = kpipe(["group", "list", &pattern]).run().ok().lines();
    assert_eq!(listed.len(), 200);
    assert!(listed.iter().all(|row| row["state"] == "Empty"));
    // All groups: others' too, and these among them.
    let all = kpipe(["group", "lag", "-q", "--topic", &topic]).run().ok();
    assert_eq!(all.lines().len(), 400);
}

#[test]
fn a_group_that_is_not_there_is_an_error_with_the_nearest_name() {
    let topic = topic("nearest").create();
    let group = group();
    commit(&group, &topic, &[(0, 0)]);
    for verb in ["describe", "lag"] {
        kpipe(["group", verb, &format!("{group}x")])
            .run()
            .exits(1)
            .says_one_error()
            .says("does not exist")
            .says(&format!("did you mean `{group}`?"));
    }
    // What is there is told all the same.
    let some = kpipe(["group", "lag", &group, "no-group-of-these"]).run();
    assert_eq!(some.exits(1).says("does not exist").lines().len(), 1);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the age is measured from now")]
fn lag_in_time_is_the_age_of_the_first_record_not_passed() {
    let topic = topic("age").partitions(3).create();
    topic.append_numbers(0, 0..10);
    topic.append_numbers(1, 0..10);
    let (group, other) = (group(), group());
    commit(&group, &topic, &[(0, 4), (1, 10), (2, 0)]);
    // Elsewhere in the same partition.
    commit(&other, &topic, &[(0, 9)]);
    let before = Timestamp::now().as_millisecond();
    let lines = kpipe(["group", "lag", &group, &other, "--time"])
        .run()
        .ok()
        .lines();
    let after = Timestamp::now().as_millisecond();
    let times: Vec<i64> = lines
        .iter()
        .map(|line| line["lag_ms"].as_i64().unwrap())
        .collect();
    let of = |number: i64| number_in(0, number).timestamp;
    let within = |time: i64, number| (before - of(number)..=after - of(number)).contains(&time);
    let place = |group: &str, partition: i64| {
        let row = |line: &Value| line["group"] == group && line["partition"] == partition;
        times[lines.iter().position(row).unwrap()]
    };
    assert!(
        within(place(&group, 0), 4) && within(place(&other, 0), 9),
        "{times:?}"
    );
    assert_eq!((place(&group, 1), place(&group, 2)), (0, 0));
}

#[test]
fn lag_over_the_limit_is_status_1() {
    let topic = topic("limit").partitions(2).create();
    topic.append_numbers(0, 0..6);
    topic.append_numbers(1, 0..5);
    let group = group();
    commit(&group, &topic, &[(0, 0), (1, 0)]);
    let over = |most: &str| kpipe(["group", "lag", &group, "-q", "--fail-over", most]).run();
    over("10").exits(1);
    over("11").ok();
}

#[test]
fn a_check_of_lag_that_sees_nothing_has_not_passed() {
    let topic = topic("unseen").create();
    let group = group();
    commit(&group, &topic, &[(0, 0)]);
    let of_other_topic = ["group", "lag", &group, "--topic", "no-such-topic"];
    kpipe(of_other_topic).run().ok().says("There is no group");
    kpipe(of_other_topic)
        .args(["--fail-over", "10"])
        .run()
        .exits(1)
        .says("error: no group");
}

/// Watches a group until it has this status, and returns the line.
fn until_it_is(status: &str, group: &str) -> Value {
    let watch = kpipe(["group", "lag", group, "--watch=100ms", "--window", "500ms"]).start();
    let line = eventually("the group has the status", || {
        watch
            .lines_so_far()
            .into_iter()
            .find(|line| line["status"] == status)
    });
    watch.signal(Signal::INT);
    watch.wait().dies_of(Signal::INT);
    line
}

#[test]
fn a_group_that_nobody_moves_has_stopped() {
    let topic = topic("stop").create();
    topic.append_numbers(0, 0..6);
    let group = group();
    commit(&group, &topic, &[(0, 2)]);
    let line = until_it_is("STOP", &group);
    assert_eq!((&line["lag"], &line["trend"]), (&json!(4), &json!(0.0)));
    assert!(line["at"].as_str().unwrap().parse::<Timestamp>().is_ok());
}

#[test]
fn a_member_that_does_not_move_has_stalled() {
    let topic = topic("stall").create();
    let group = group();
    let consumer = eager_member(&group, &topic);
    commit_as(&consumer, &topic, &[(0, 0)]);
    topic.append_numbers(0, 0..6);
    until_it_is("STALL", &group);
}

#[test]
fn a_group_that_goes_back_is_a_rewind() {
    let topic = topic("rewind").create();
    topic.append_numbers(0, 0..6);
    let group = group();
    commit(&group, &topic, &[(0, 5)]);
    let watch = kpipe(["group", "lag", &group, "--watch=100ms", "--window", "1m"]).start();
    watch.lines(1);
    commit(&group, &topic, &[(0, 1)]);
    let is_rewind = |line: &Value| line["status"] == "REWIND";
    eventually("it is a rewind", || {
        watch.lines_so_far().iter().any(is_rewind).then_some(())
    });
    watch.signal(Signal::INT);
    watch.wait().dies_of(Signal::INT);
}

fn reset(group: &str, arguments: &[&str]) -> Finished {
    kpipe(["group", "reset", group]).args(arguments).run()
}

/// Partition and new offset of each row of a plan.
fn plan(finished: &Finished) -> BTreeSet<(String, String)> {
    let lines = finished.lines();
    let rows = lines
        .iter()
        .map(|row| (cell(&row["partition"]), cell(&row["to"])));
    rows.collect()
}

#[test]
fn a_reset_goes_where_kafkas_own_tool_would() {
    let topic = topic("reset").partitions(2).create();
    topic.append_numbers(0, 0..20);
    topic.append_numbers(1, 0..20);
    topic.delete_records_before(1, 8);
    let group = group();
    commit(&group, &topic, &[(0, 15), (1, 18)]);
    let time = Timestamp::from_millisecond(number_in(0, 12).timestamp).unwrap();
    let time_of_java = time
        .to_string()
        .replace('Z', ".000")
        .replacen(".012.000", ".012", 1);
    let at = format!("@{time}");
    for (to, java_says) in [
        ("earliest", vec!["--to-earliest"]),
        ("latest", vec!["--to-latest"]),
        ("10", vec!["--to-offset", "10"]),
        ("5", vec!["--to-offset", "5"]),
        ("-12", vec!["--shift-by", "-12"]),
        ("+3", vec!["--shift-by", "3"]),
        (at.as_str(), vec!["--to-datetime", &time_of_java]),
    ] {
        // Without --yes, and nobody to ask: only the plan.
        let finished = reset(&group, &["--to", to]).exits(2).says("--yes");
        let mut arguments = vec![
            "--reset-offsets",
            "--dry-run",
            "--all-topics",
            "--group",
            &group,
        ];
        arguments.extend(java_says);
        let expected: BTreeSet<(String, String)> = java(JAVA_TOOL, &arguments, "")
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>())
            .filter(|cells| cells.len() == 4 && cells[0] == group)
            .map(|cells| (cells[2].to_owned(), cells[3].to_owned()))
            .collect();
        assert_eq!(plan(&finished), expected, "--to {to}");
    }
    let committed: Vec<Value> = lag(&group)
        .iter()
        .map(|line| line["committed"].clone())
        .collect();
    assert_eq!(committed, [15, 18], "nothing was done");
}

#[test]
fn a_reset_moves_what_was_named_and_nothing_else() {
    let topic = topic("moved").partitions(3).create();
    for partition in 0..3 {
        topic.append_numbers(partition, 0..10);
    }
    let (one, copy) = (group(), group());
    commit(&one, &topic, &[(0, 5), (1, 5)]);
    let limits = ["--to", "-2", "--topic", &topic, "--partition", "1"];
    reset(&one, &limits)
        .exits(2)
        .says(&format!("--to -2 --topic {topic} --partition 1 --yes`"));
    reset(&one, &["--to", "-2", "--partition", "1", "--yes"]).ok();
    let where_is = |group: &str| -> Vec<Value> {
        lag(group)
            .iter()
            .map(|line| line["committed"].clone())
            .collect()
    };
    assert_eq!(where_is(&one), [5, 3]);
    // A group is made where another one is; a partition that that one does not read is left out.
    reset(&copy, &["--to", &one, "--topic", &topic, "--yes"]).ok();
    assert_eq!(where_is(&copy), [5, 3]);
    reset(&copy, &["--to", "end", "--topic", &topic, "-y"]).ok();
    assert_eq!(where_is(&copy), [10, 10, 10]);
    reset(&copy, &["--to", "end"]).ok().says("is there already");
}

#[test]
fn a_reset_that_cannot_be_is_refused() {
    let topic = topic("refused").create();
    let group = group();
    reset(&group, &["--to", "earliest", "--yes"])
        .exits(1)
        .says_one_error()
        .says("does not exist");
    reset(&group, &["--to", "-1", "--topic", &topic, "--yes"])
        .exits(1)
        .says_one_error()
        .says("nothing says where to");
    reset(
        &group,
        &["--to", "0", "--topic", &topic, "--partition", "7", "--yes"],
    )
    .exits(2)
    .says_one_error()
    .says("has no partition 7");
    let _consumer = eager_member(&group, &topic);
    reset(&group, &["--to", "earliest", "--topic", &topic, "--yes"])
        .exits(1)
        .says_one_error()
        .says("has members");
}

#[test]
fn groups_are_deleted_unless_they_have_members() {
    let topic = topic("deleted").create();
    let (empty, member) = (group(), group());
    commit(&empty, &topic, &[(0, 0)]);
    let _consumer = eager_member(&member, &topic);
    kpipe(["group", "delete", &empty])
        .run()
        .exits(2)
        .says("--yes");
    let deleted = kpipe(["group", "delete", &empty, &member, "--yes"]).run();
    deleted
        .exits(1)
        .says(&format!("Deleted group `{empty}`."))
        .says("has members");
    let left = kpipe(["group", "list", &format!("^({empty}|{member})$")])
        .run()
        .ok();
    assert_eq!(left.lines().len(), 1);
    let listed = java(JAVA_TOOL, &["--list"], "");
    assert!(
        !listed.contains(&empty) && listed.contains(&member),
        "{listed}"
    );
    kpipe(["group", "lag", &empty])
        .run()
        .exits(1)
        .says_one_error()
        .says("does not exist");
    kpipe(["group", "delete", &empty, "--yes"])
        .run()
        .exits(1)
        .says_one_error()
        .says("does not exist");
}

#[test]
fn a_share_group_is_named_and_said_to_have_no_lag() {
    let topic = topic("shared").create();
    let group = group();
    let share = "org.apache.kafka.tools.consumer.ConsoleShareConsumer";
    java(
        share,
        &["--topic", &topic, "--group", &group, "--timeout-ms", "1000"],
        "",
    );
    let listed = kpipe(["group", "list", &group]).run().ok().lines();
    assert_eq!(
        listed,
        [json!({"group": group, "kind": "share or streams", "state": null})]
    );
    kpipe(["group", "lag"])
        .run()
        .ok()
        .says(&format!("Group `{group}` is left out"));
    kpipe(["group", "lag", &group])
        .run()
        .exits(1)
        .says("share or streams group");
}
