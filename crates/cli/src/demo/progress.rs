//! How far the demo's jobs are, while they are under way: one line that is written over on a terminal, a line per step elsewhere.

use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use batchyard_wire::batch::{JobDetail, JobStatus};

use crate::terminal;

/// Cells of the bar.
const BAR_WIDTH: usize = 30;

/// How often at most a line is written where it stays.
const LINE_INTERVAL: Duration = Duration::from_secs(1);

/// Jobs by how far they are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) waiting: u32,
    pub(super) starting: u32,
    pub(super) running: u32,
    pub(super) succeeded: u32,
    pub(super) failed: u32,
}

/// The line as it was last shown.
pub(super) struct Progress {
    can_redraw: bool,
    shown: Option<(Counts, Instant)>,
}

impl Counts {
    /// Counts an array's children, and a single job.
    pub(super) fn of(jobs: &[JobDetail]) -> Counts {
        let mut counts = Counts::default();
        for job in jobs {
            let array = job.array_properties.as_ref();
            match array.and_then(|array| array.status_summary.as_ref()) {
                Some(summary) => {
                    for (status, count) in summary {
                        counts.add(
                            &JobStatus::from(status.as_str()),
                            u32::try_from(*count).unwrap_or_default(),
                        );
                    }
                }
                None => counts.add(&job.status, 1),
            }
        }
        counts
    }

    fn add(&mut self, status: &JobStatus, count: u32) {
        *match status {
            JobStatus::Submitted | JobStatus::Pending | JobStatus::Runnable | JobStatus::Unknown(_) => {
                &mut self.waiting
            }
            JobStatus::Starting => &mut self.starting,
            JobStatus::Running => &mut self.running,
            JobStatus::Succeeded => &mut self.succeeded,
            JobStatus::Failed => &mut self.failed,
        } += count;
    }

    /// For example `[###...]  9/21  10 waiting, 2 running, 9 succeeded`.
    fn line(self) -> String {
        let Counts {
            waiting,
            starting,
            running,
            succeeded,
            failed,
        } = self;
        let all = waiting + starting + running + succeeded + failed;
        let ended = succeeded + failed;
        let counted = [
            (waiting, "waiting"),
            (starting, "starting"),
            (running, "running"),
            (succeeded, "succeeded"),
            (failed, "failed"),
        ];
        let counted: Vec<String> = counted
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, name)| format!("{count} {name}"))
            .collect();
        let width = all.to_string().len();
        format!(
            "[{}] {ended:>width$}/{all}  {}",
            bar(ended, all),
            counted.join(", ")
        )
    }
}

/// A bar of [`BAR_WIDTH`] cells; full only when all is done.
fn bar(done: u32, all: u32) -> String {
    let width = u64::try_from(BAR_WIDTH).unwrap_or_default();
    let full = u64::from(done) * width / u64::from(all.max(1));
    let full = usize::try_from(full).unwrap_or(BAR_WIDTH).min(BAR_WIDTH);
    "#".repeat(full) + &".".repeat(BAR_WIDTH - full)
}

impl Progress {
    pub(super) fn new() -> Progress {
        Progress {
            can_redraw: terminal::can_redraw(),
            shown: None,
        }
    }

    /// Shows the counts if they are new; where lines stay, not too often, but always the last ones.
    pub(super) fn show(&mut self, counts: Counts, is_last: bool) -> io::Result<()> {
        let is_due = match self.shown {
            None => true,
            Some((shown, _)) if shown == counts => self.can_redraw && is_last,
            Some((_, at)) => self.can_redraw || is_last || at.elapsed() >= LINE_INTERVAL,
        };
        if !is_due {
            return Ok(());
        }
        self.shown = Some((counts, Instant::now()));
        let mut out = io::stdout().lock();
        match (self.can_redraw, is_last) {
            (false, _) => writeln!(out, "{}", counts.line())?,
            (true, false) => write!(out, "\r\x1b[2K{}", counts.line())?,
            (true, true) => writeln!(out, "\r\x1b[2K{}", counts.line())?,
        }
        out.flush()
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        // What follows an interrupted line begins on one of its own.
        if self.can_redraw
            && self
                .shown
                .is_some_and(|(counts, _)| counts.waiting + counts.starting + counts.running > 0)
        {
            println!();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use batchyard_wire::batch::ArrayPropertiesDetail;
    use expect_test::expect;

    use super::*;

    #[test]
    fn lines_count_children_and_single_jobs() {
        let array = JobDetail {
            status: JobStatus::Pending,
            array_properties: Some(ArrayPropertiesDetail {
                size: Some(20),
                status_summary: Some(BTreeMap::from(
                    [
                        ("RUNNABLE", 9),
                        ("STARTING", 0),
                        ("RUNNING", 2),
                        ("SUCCEEDED", 8),
                        ("FAILED", 1),
                    ]
                    .map(|(status, count)| (status.to_owned(), count)),
                )),
                ..ArrayPropertiesDetail::default()
            }),
            ..JobDetail::default()
        };
        let join = JobDetail {
            status: JobStatus::Pending,
            ..JobDetail::default()
        };
        expect!["[############..................]  9/21  10 waiting, 2 running, 8 succeeded, 1 failed"]
            .assert_eq(&Counts::of(&[array, join]).line());
    }

    #[test]
    fn bars_are_full_at_the_end_only() {
        for (done, all, full) in [
            (0, 0, 0),
            (0, 21, 0),
            (1, 21, 1),
            (20, 21, 28),
            (21, 21, 30),
            (5, 4, 30),
        ] {
            let bar = bar(done, all);
            assert_eq!((bar.len(), bar.matches('#').count()), (30, full), "{done}/{all}");
        }
    }
}
