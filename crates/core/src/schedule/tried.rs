//! Fronts that were tried in a pass since something started last: one that needs the same waits for the same.
//!
//! Of many shares the jobs mostly need a few different things. Without this each pass would look for a place for the front of every share,
//! to find out every time that there is none.

use std::sync::Arc;

use crate::blocked::Cause;
use crate::id::{JobKey, QueueId};
use crate::job::Profile;
use crate::queue::Order;
use crate::schedule::Front;
use crate::state::State;

/// Needs that are remembered (own choice: where there are more, they are looked at anew).
const REMEMBERED_MAX: usize = 8;

/// What fronts found that wait.
#[derive(Default)]
pub(super) struct Tried(Vec<(Arc<Profile>, Option<Cause>)>);

impl Tried {
    /// What holds up the front of a line, if one that needs the same was tried; `None` if none was.
    pub(super) fn found(&self, state: &State, queue: QueueId, line: &str) -> Option<Option<(JobKey, Cause)>> {
        if self.0.is_empty() {
            return None;
        }
        let (key, profile) = state.front(queue, line)?;
        let (_, cause) = self.0.iter().find(|(tried, _)| needs_the_same(tried, profile))?;
        Some(cause.map(|cause| (key, cause)))
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
        let Some((_, profile)) = state.front(queue, line) else {
            return;
        };
        self.0.push((Arc::clone(profile), found));
    }
}

/// Whether two jobs of a queue find the same place, or wait for the same.
fn needs_the_same(one: &Profile, other: &Profile) -> bool {
    let Profile {
        platform,
        resources,
        consumables,
        nodes,
        service,
        retry: _,
        timeout: _,
        stop_timeout: _,
        share: _,
        definition: _,
    } = one;
    *resources == other.resources
        && *platform == other.platform
        && *nodes == other.nodes
        && *service == other.service
        && *consumables == other.consumables
}
