//! Synthetic records through real Kafka, and back.

use crate::support::executable::bash;
use crate::support::kafka::topic;

#[test]
fn what_was_generated_is_what_arrives_whatever_its_kind_and_its_faults() {
    let topic = topic("made").partitions(3).create();
    for kind in ["sensor", "payment", "order", "message"] {
        let script = format!(
            "kpipe generate {kind} -n 5000 --start 1h --manifest $HOME/made.json --dup 1% --drop 1% \
             --late 1%:10s --ooo 1% --malformed 1% --tombstone 1% | kpipe send {topic:?} && \
             kpipe tail {topic:?} -e | kpipe generate verify $HOME/made.json",
            topic = &*topic,
        );
        let verified = bash(&script).run().ok().lines();
        assert_eq!(verified[0]["received"], verified[0]["expected"], "{kind}");
        assert!(verified[0]["received"].as_u64().unwrap() > 4000, "{kind}");
    }
}

#[test]
fn a_record_that_did_not_arrive_is_missed() {
    let topic = topic("missed").partitions(3).create();
    let script = format!(
        "kpipe generate sensor -n 1000 --manifest $HOME/made.json | sed 500d | kpipe send {topic:?} && \
         kpipe tail {topic:?} -e | kpipe generate verify $HOME/made.json",
        topic = &*topic,
    );
    let verified = bash(&script).run().exits(1).says("1 lost (gen-seq 499)");
    assert_eq!(verified.lines()[0]["lost"], 1);
}
