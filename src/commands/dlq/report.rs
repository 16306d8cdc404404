//! What `kpipe dlq replay` tells while it runs and at its end.

use std::collections::BTreeMap;
use std::fmt::Write;

use indicatif::ProgressBar;

use super::rows::Printing;
use crate::context::Context;
use crate::dead_letters::{Counts, Reason, Tally, Told};
use crate::error::CommandError;
use crate::ui::Ui;
use crate::ui::rows::Output;

/// Dead letters of a kind that are told one by one.
const MOST: u64 = 20;

/// The voice of a run.
pub(super) struct Report {
    ui: Ui,
    topic: String,
    bar: Option<ProgressBar>,
    /// How many of each kind were told.
    told: BTreeMap<&'static str, u64>,
    /// What to type about those that stay.
    hints: BTreeMap<&'static str, String>,
    is_plan: bool,
    plan: Tally,
}

impl Report {
    /// Has told nothing yet of the dead letters of `topic`.
    pub(super) fn new(topic: String, is_plan: bool, context: &Context) -> Self {
        let ui = context.ui;
        Self {
            ui,
            topic,
            bar: ui.shows_progress().then(ProgressBar::new_spinner),
            told: BTreeMap::new(),
            hints: BTreeMap::new(),
            is_plan,
            plan: Tally::default(),
        }
    }

    /// Says, or counts for a plan, what happened.
    pub(super) fn tell(&mut self, told: &Told<'_>) {
        match told {
            Told::Notice(notice) => self.say(|ui| ui.warning(notice)),
            Told::Target(topic) => self.say(|ui| {
                ui.warning(format_args!(
                    "every group that reads topic `{topic}` will see these records again"
                ));
            }),
            Told::Left {
                partition,
                offset,
                reason,
            } => self.left(*partition, *offset, reason),
            Told::Stuck {
                partition,
                offset,
                reason,
            } => {
                let place = format!("{}[{partition}]@{offset}", self.topic);
                self.say(|ui| ui.item_error(format_args!("{place}: {reason}")));
                self.say(|ui| {
                    ui.warning(format_args!(
                        "{place} and what is behind it in its partition stay; `--skip` passes over it"
                    ));
                });
            }
            Told::Planned { record, to, reason } => {
                let stays = reason.map(Reason::to_string);
                self.plan.add_planned(record, *to, stays.as_deref());
            }
            Told::Progress(counts) => {
                if let Some(bar) = &self.bar {
                    bar.set_message(self.summary(counts));
                    bar.tick();
                }
            }
        }
    }

    fn left(&mut self, partition: i32, offset: i64, reason: &Reason) {
        let kind = reason.in_words();
        if let Some(hint) = reason.hint() {
            self.hints.entry(kind).or_insert(hint);
        }
        let told = self.told.entry(kind).or_default();
        *told += 1;
        if *told > MOST || self.is_plan {
            return;
        }
        let is_last = *told == MOST;
        let place = format!("{}[{partition}]@{offset}", self.topic);
        self.say(|ui| ui.item_error(format_args!("{place} stays: {reason}")));
        if is_last {
            self.say(|ui| ui.warning(format_args!("more that are {kind} are counted alone")));
        }
    }

    /// Says something without a progress bar in between.
    fn say(&self, speak: impl FnOnce(Ui)) {
        match &self.bar {
            Some(bar) => bar.suspend(|| speak(self.ui)),
            None => speak(self.ui),
        }
    }

    /// Prints what would be sent where.
    pub(super) fn print_plan(
        &mut self,
        output: Output,
        context: &Context,
    ) -> Result<(), CommandError> {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        let printing = Printing {
            output,
            is_terminal: self.ui.stdout_is_terminal(),
            top: usize::MAX,
            is_plan: true,
            one_topic: true,
            now: context.clock.now(),
        };
        super::print(&printing.lay_out(std::mem::take(&mut self.plan))?)
    }

    /// Says how it went; `group` is the one that what is finished was committed for.
    pub(super) fn finish(&mut self, counts: &Counts, group: Option<&str>) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        let (sent, left) = (counts.all_sent(), counts.all_left());
        if sent + left + counts.passed == 0 {
            match group {
                Some(group) => self
                    .ui
                    .status(format_args!("Nothing to replay for group `{group}`.")),
                None => self.ui.status("Nothing to replay."),
            }
            return;
        }
        self.ui.status(self.summary(counts));
        for (kind, count) in &counts.left {
            let hint = self.hints.get(kind);
            let hint = hint.map_or(String::new(), |hint| format!(" (`{hint}`)"));
            self.ui.status(format_args!("  {count} left: {kind}{hint}"));
        }
        if group.is_some() && !counts.left.is_empty() {
            self.ui.status(format_args!(
                "  what was left does not come again by itself: `kpipe dlq replay {} -p P -o N -n 1` takes one by its place",
                self.topic
            ));
        }
        if counts.stuck > 0 {
            let count = counts.stuck;
            let text = "not sent, or not acknowledged: they come again with the next run";
            self.ui.status(format_args!("  {count} stay: {text}"));
        }
        if group.is_none() && !self.is_plan {
            let text = "nothing was committed, so those that were sent come again too";
            let passed = counts.passed;
            self.ui.status(match passed {
                0 => format!("  {text}"),
                _ => format!("  {passed} that do not match stay; {text}"),
            });
        }
    }

    fn summary(&self, counts: &Counts) -> String {
        let mut text = format!("{} sent", counts.all_sent());
        if self.is_plan {
            text = format!("{} would be sent", counts.all_sent());
        }
        let mut separator = ": ";
        for (topic, count) in counts.sent.iter().filter(|(_, count)| **count > 0) {
            let _ = write!(text, "{separator}{count} to {topic}");
            separator = ", ";
        }
        let left = counts.all_left();
        if left > 0 {
            let verb = if self.is_plan { "would stay" } else { "stay" };
            let _ = write!(text, "; {left} {verb}");
        }
        text
    }
}
