//! What reading alone leaves behind: nothing.

use std::process::Command;

/// Not even the topic that groups are kept in: on a broker of its own, because groups of other tests make it.
#[test]
fn sending_and_reading_alone_leave_no_group() {
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
        "$KPIPE" tail only -o beginning --idle 300ms >&2
        "$KPIPE" trace nobody --topics only >&2 || test $? = 1
        "$KPIPE" trace --key x --where /a=1 --topics only >&2 || test $? = 1
        topics --list
        # So it would be seen.
        "$KPIPE" tail only -g somebody -e >&2
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
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "only\n__consumer_offsets\nonly\n"
    );
}
