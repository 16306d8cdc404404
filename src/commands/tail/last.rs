//! `tail -l`: the last records of all partitions.

use super::Run;
use crate::error::CommandError;
use crate::kafka::{Cluster, Notice, Reader, Selection};
use crate::pipeline::last::Last;
use crate::pipeline::pump::{self, Bounds, End, Pump, Running};
use crate::sink::output::cannot_write;

impl Run<'_> {
    /// Prints the last `count` records of all partitions in the order of their times.
    ///
    /// Looks at the last `count` offsets of each partition, and further back where
    /// compaction or transaction markers leave fewer records than that; with a filter
    /// at everything, because the last that match may be anywhere.
    pub(crate) fn last(
        &mut self,
        cluster: &Cluster,
        mut selection: Selection,
        count: usize,
        follow: bool,
    ) -> Result<End, CommandError> {
        let mut window = u64::try_from(count).unwrap_or(u64::MAX);
        loop {
            selection.window = self.filter.is_empty().then_some(window);
            let reader = Reader::new(cluster, selection.clone())?;
            let cut: Vec<(String, i32)> = reader
                .cut_partitions()
                .map(|(topic, partition)| (topic.to_owned(), partition))
                .collect();
            let follower = follow
                .then(|| Reader::resume(cluster, &reader))
                .transpose()?;
            let (flow, batches) = pump::channel_of_batches();
            let mut last = Last::new(count, &mut self.output);
            let _running = Running::start(reader, flow).map_err(CommandError::failed)?;
            let ui = self.context.ui;
            let (end, _) = Pump {
                flow: &batches,
                filter: &self.filter,
                bounds: Bounds {
                    limit: None,
                    ..self.bounds
                },
                sink: &mut last,
                commits: None,
                stop: &self.context.stop,
                notice: &mut |notice: &Notice| ui.warning(notice),
                start: self.start,
            }
            .run()
            .map_err(cannot_write)?;
            if !matches!(end, End::Source | End::Idle | End::Timeout) {
                return Ok(end);
            }
            if matches!(end, End::Source)
                && cut
                    .iter()
                    .any(|(topic, partition)| last.seen(topic, *partition) < count)
            {
                window = window.saturating_mul(16);
                continue;
            }
            self.written = last.print().map_err(cannot_write)?;
            return match follower {
                Some(follower) if matches!(end, End::Source) => self.alone(follower),
                _ => Ok(end),
            };
        }
    }
}
