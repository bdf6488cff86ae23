//! Fronts that were tried in a pass since something started last: one that needs the same waits for the same.
//!
//! Of many shares the jobs mostly need a few different things. Without this each pass would look for a place for the front of every share,
//! to find out every time that there is none.

use crate::blocked::Cause;
use crate::id::{JobKey, QueueId};
use crate::queue::{Needs, Order};
use crate::schedule::Front;
use crate::state::State;

/// Needs that are remembered (own choice: where there are more, they are looked at anew).
const REMEMBERED_MAX: usize = 8;

/// What fronts found that wait.
#[derive(Default)]
pub(super) struct Tried(Vec<(Needs, Option<Cause>)>);

impl Tried {
    /// What holds up the front of a line, if one that needs the same was tried; `None` if none was.
    pub(super) fn found(&self, state: &State, queue: QueueId, line: &str) -> Option<Option<(JobKey, Cause)>> {
        if self.0.is_empty() {
            return None;
        }
        let (key, profile) = state.front(queue, line)?;
        let needs = Needs::of(profile);
        let (_, cause) = self.0.iter().find(|(tried, _)| *tried == needs)?;
        Some(cause.map(|cause| (key, cause)))
    }

    /// Whether whatever the jobs of a queue need was tried, and waits for others at work: then so does every line that is left.
    pub(super) fn is_all(&self, state: &State, queue: QueueId) -> bool {
        let waits = |needs: &Needs| {
            let found = self.0.iter().find(|(tried, _)| tried == needs);
            found.is_some_and(|(_, cause)| cause.is_none())
        };
        !self.0.is_empty() && state.runnable(queue).needs().all(waits)
    }

    /// A front was tried. One that started leaves less for all, and all are tried again.
    pub(super) fn note(&mut self, state: &State, queue: QueueId, line: &str, front: &Front) {
        let found = match front {
            Front::Waits(found) => found.map(|(_, cause)| cause),
            Front::Started(_) => return self.0.clear(),
        };
        // In quota shares what a job may have depends on the share, and a front that waits may have others stopped.
        if self.0.len() == REMEMBERED_MAX || state.runnable(queue).order() != Order::FairShare {
            return;
        }
        if let Some((_, profile)) = state.front(queue, line) {
            self.0.push((Needs::of(profile), found));
        }
    }
}
