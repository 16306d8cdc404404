//! What `kpipe group lag` prints: a line for each partition, or a row for each group and topic.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::stats::lag::Status;

/// How far a group is behind in one partition.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Row {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) at: Option<Timestamp>,
    pub(super) group: String,
    pub(super) topic: String,
    pub(super) partition: i32,
    pub(super) committed: Option<i64>,
    pub(super) end: Option<i64>,
    pub(super) lag: Option<i64>,
    #[serde(flatten)]
    pub(super) time: Option<Time>,
    #[serde(flatten)]
    pub(super) verdict: Option<Verdict>,
}

/// The age of the first record that the group has not passed; 0 when it has passed all.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Time {
    pub(super) lag_ms: Option<i64>,
}

/// What a window of samples says.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Verdict {
    /// By how many records a second lag grows.
    pub(super) trend: Option<f64>,
    pub(super) status: Option<Status>,
}

/// A group in a topic, on a terminal.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Summary {
    group: String,
    topic: String,
    /// Of the partitions where it is known.
    lag: Option<i64>,
    /// The partition that is furthest behind.
    worst: Option<String>,
    time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trend: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
}

/// One summary for each run of rows with the same group and topic.
pub(super) fn summarise(rows: &[Row]) -> Vec<Summary> {
    rows.chunk_by(|one, next| (&one.group, &one.topic) == (&next.group, &next.topic))
        .map(summary)
        .collect()
}

fn summary(rows: &[Row]) -> Summary {
    let lag = rows
        .iter()
        .filter_map(|row| row.lag)
        .reduce(|one, next| one + next);
    let worst = rows
        .iter()
        .filter(|row| row.lag.is_some_and(|lag| lag > 0))
        .max_by_key(|row| row.lag)
        .map(|row| format!("{}: {}", row.partition, row.lag.unwrap_or(0)));
    let time = rows.iter().filter_map(|row| row.time?.lag_ms).max();
    let verdicts = || rows.iter().filter_map(|row| row.verdict);
    let is_watched = rows.iter().any(|row| row.verdict.is_some());
    let known = |text: Option<String>| is_watched.then(|| text.unwrap_or_else(|| "-".to_owned()));
    let trends: Vec<f64> = verdicts().filter_map(|verdict| verdict.trend).collect();
    let status = verdicts().filter_map(|verdict| verdict.status).max();
    Summary {
        group: rows[0].group.clone(),
        topic: rows[0].topic.clone(),
        lag,
        worst,
        time: time.map(duration),
        trend: known((!trends.is_empty()).then(|| format!("{:+.1}/s", trends.iter().sum::<f64>()))),
        status: known(status.map(|status| format!("{status:?}").to_uppercase())),
    }
}

/// Such as `2h 3m 4s`; below a second in milliseconds.
fn duration(millis: i64) -> String {
    let duration = if millis.abs() < 1000 {
        SignedDuration::from_millis(millis)
    } else {
        SignedDuration::from_secs(millis / 1000)
    };
    format!("{duration:#}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(topic: &str, partition: i32, lag: Option<i64>, lag_ms: Option<i64>) -> Row {
        Row {
            at: None,
            group: "g".to_owned(),
            topic: topic.to_owned(),
            partition,
            committed: Some(1),
            end: lag.map(|lag| lag + 1),
            lag,
            time: Some(Time { lag_ms }),
            verdict: None,
        }
    }

    #[test]
    fn a_summary_has_the_total_the_worst_partition_and_the_longest_time() {
        let rows = [
            row("a", 0, Some(2), Some(500)),
            row("a", 1, Some(7), Some(7_384_500)),
            row("a", 2, None, None),
            row("b", 0, Some(0), Some(0)),
        ];
        let summaries = serde_json::to_value(summarise(&rows)).unwrap();
        let expected = serde_json::json!([
            {"group": "g", "topic": "a", "lag": 9, "worst": "1: 7", "time": "2h 3m 4s"},
            {"group": "g", "topic": "b", "lag": 0, "worst": null, "time": "0s"},
        ]);
        assert_eq!(summaries, expected);
    }

    #[test]
    fn a_watched_summary_has_the_worst_status_and_the_trend_of_all() {
        let mut rows = [row("a", 0, Some(2), None), row("a", 1, Some(7), None)];
        rows[0].verdict = Some(Verdict {
            trend: Some(1.5),
            status: Some(Status::Warn),
        });
        rows[1].verdict = Some(Verdict {
            trend: Some(-0.25),
            status: Some(Status::Stop),
        });
        let summary = serde_json::to_value(summarise(&rows)).unwrap();
        assert_eq!(summary[0]["trend"], "+1.2/s");
        assert_eq!(summary[0]["status"], "STOP");
    }

    #[test]
    fn a_line_has_only_what_was_asked_for() {
        let mut line = row("a", 0, Some(2), None);
        line.time = None;
        let text = serde_json::to_string(&line).unwrap();
        assert_eq!(
            text,
            r#"{"group":"g","topic":"a","partition":0,"committed":1,"end":3,"lag":2}"#
        );
    }
}
