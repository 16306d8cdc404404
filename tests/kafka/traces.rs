//! What reading alone leaves behind: nothing.

use std::process::Command;

use crate::support::executable::kpipe;
use crate::support::kafka::{GROUP_PREFIX, groups, topic};

#[test]
fn reading_alone_leaves_no_group() {
    let topic = topic("no-group").partitions(3).create();
    topic.append_numbers(1, 0..10);
    kpipe(["tail", &topic, "-e"]).run().ok();
    kpipe(["tail", &topic, "-l", "3"]).run().ok();
    kpipe(["trace", "nobody", "--topics", &topic])
        .run()
        .exits(1);
    let following = kpipe(["tail", &topic, "-o", "beginning"]).start();
    following.lines(10);
    let member = kpipe(["tail", &topic, "-g", &crate::support::kafka::group()]).start();
    member.lines(10);
    let groups = groups();
    assert!(!groups.is_empty());
    assert!(
        groups.iter().all(|group| {
            // Those of subscribers, in tests that run beside this one.
            let group = group.strip_prefix("consumer_group_").unwrap_or(group);
            group.starts_with(GROUP_PREFIX) || group == "user_1"
        }),
        "{groups:?}"
    );
}

/// On a broker of its own, because groups of other tests make the topic that must not be there.
#[test]
fn sending_and_reading_alone_do_not_make_the_offsets_topic() {
    let script = r#"
        set -eu
        topics() {
            java -XX:TieredStopAtLevel=1 -cp "$KAFKA_CLASSPATH" org.apache.kafka.tools.TopicCommand \
                --bootstrap-server "$KAFKA_BROKERS" "$@"
        }
        topics --create --topic only >&2
        "$KPIPE" send only value >&2
        "$KPIPE" tail only -e >&2
        "$KPIPE" tail only -l 1 >&2
        "$KPIPE" tail only -n 1 -o beginning >&2
        "$KPIPE" trace --key x --where /a=1 --topics only >&2 || test $? = 1
        topics --list
    "#;
    let output = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/ci/kafka"))
        .args(["--", "bash", "-c", script])
        .env("KPIPE", env!("CARGO_BIN_EXE_kpipe"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "only\n");
}
