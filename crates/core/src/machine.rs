//! The machine: what enters, what leaves, and nothing in between that a second run would do differently.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::change::Change;
use crate::command::{Input, Rejection, Reply};
use crate::effect::Effect;
use crate::environment::Life;
use crate::id::{JobId, QueueId};
use crate::limits::Limits;
use crate::queue::Queue;
use crate::resources::Resources;
use crate::snapshot::{QueueSnapshot, RankTimes, snapshot};
use crate::state::{Host, RestoreError, State, Stored};
use crate::step::Step;
use crate::time::Timestamp;

/// What the core must be told about where it runs.
#[derive(Clone, Copy, Debug)]
pub struct CoreConfig {
    /// What jobs can have of the host.
    pub host: Resources,
    /// How much there may be of what.
    pub limits: Limits,
}

impl CoreConfig {
    /// A host, and the service's limits.
    #[must_use]
    pub fn new(host: Resources) -> Self {
        CoreConfig {
            host,
            limits: Limits::default(),
        }
    }
}

/// What a step yields: changes to be stored, and effects to be caused once they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// In the order in which they were made.
    pub changes: Vec<Change>,
    /// In the order in which they are to be caused.
    pub effects: Vec<Effect>,
}

/// Queues to be looked at, those of the highest priority first, then the older ones.
#[derive(Clone, Debug, Default)]
pub(crate) struct Woken {
    /// The first one last.
    places: Vec<Place>,
}

/// The place of a queue among those that are looked at.
pub(crate) type Place = (Reverse<i32>, QueueId);

impl Woken {
    pub(crate) fn first(&self) -> Option<Place> {
        self.places.last().copied()
    }

    pub(crate) fn pop_first(&mut self) -> Option<Place> {
        self.places.pop()
    }

    pub(crate) fn insert(&mut self, place: Place) {
        if let Err(index) = self.places.binary_search_by(|other| place.cmp(other)) {
            self.places.insert(index, place);
        }
    }

    fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    fn remove(&mut self, id: QueueId) {
        self.places.retain(|(_, queue)| *queue != id);
    }

    /// These and no others.
    fn replace(&mut self, places: impl Iterator<Item = Place>) {
        self.places.clear();
        self.places.extend(places);
        self.places.sort_unstable_by(|one, other| other.cmp(one));
    }
}

/// The one owner of scheduling state.
#[derive(Clone, Debug)]
pub struct Core {
    pub(crate) config: CoreConfig,
    pub(crate) state: State,
    /// Queues to be looked at in the next pass, highest priority first. Not part of the state: after a restart all are looked at.
    pub(crate) woken: Woken,
    /// Deleted queues with their jobs that may not have been told yet to end, last first; `None` until they are gathered.
    pub(crate) draining: BTreeMap<QueueId, Option<Vec<JobId>>>,
    /// Since when jobs have their places in their queues; `None` where nobody will ask.
    pub(crate) ranks: Option<RankTimes>,
}

impl Core {
    /// A core that goes on from what the store kept.
    ///
    /// # Errors
    /// When the stored rows contradict each other.
    pub fn restore(config: CoreConfig, stored: Stored) -> Result<Core, RestoreError> {
        let state = State::restore(
            Host {
                resources: config.host,
            },
            stored,
        )?;
        let mut core = Core {
            config,
            state,
            woken: Woken::default(),
            draining: BTreeMap::new(),
            ranks: Some(RankTimes::default()),
        };
        core.wake_all();
        let deleting = core
            .state
            .queues()
            .filter(|(_, queue)| queue.life == Life::Deleting);
        core.draining = deleting.map(|(id, _)| (id, None)).collect();
        Ok(core)
    }

    /// Takes one input: changes the state, and says in `out` what changed and what must follow.
    ///
    /// A report that does not fit the state (any more) changes nothing and is no error.
    ///
    /// # Errors
    /// When a command is refused; then nothing was changed.
    pub fn handle(&mut self, now: Timestamp, input: Input, out: &mut Output) -> Result<Reply, Rejection> {
        Step { core: self, now, out }.handle(input)
    }

    /// Does what is due, then starts jobs for which there is room. Bounded: what is left over is due at once, as
    /// [`next_deadline`](Core::next_deadline) then says.
    pub fn advance(&mut self, now: Timestamp, out: &mut Output) {
        self.settle(now, out);
        Step { core: self, now, out }.schedule();
    }

    /// The first half of [`advance`](Core::advance): does what is due, and starts nothing.
    pub fn settle(&mut self, now: Timestamp, out: &mut Output) {
        let mut step = Step { core: self, now, out };
        step.fire_timers();
        if step.state().has_departing() {
            step.drain_deleted();
            step.renew_environments();
        }
    }

    /// When `advance` has something to do next; `None` if only an input can bring something.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Timestamp> {
        if !self.woken.is_empty() || !self.draining.is_empty() || self.has_drained() {
            return Some(Timestamp::from_millis(i64::MIN));
        }
        self.state.first_deadline().map(|(at, _)| at)
    }

    /// Whether something that was deleted, or is being replaced, has nothing left in it, and can go.
    fn has_drained(&self) -> bool {
        self.state.has_departing()
            && (self.state.drained_queues().next().is_some()
                || self.state.drained_environments().next().is_some()
                || self.state.renewable_environments().next().is_some())
    }

    /// All that the core remembers.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// What stands at the front of a queue, and what its jobs hold.
    #[must_use]
    pub fn snapshot(&self, queue: QueueId, now: Timestamp) -> QueueSnapshot {
        let ranks = self.ranks.as_ref();
        snapshot(&self.state, ranks.unwrap_or(&RankTimes::default()), queue, now)
    }

    /// A core of which nobody will ask for snapshots: it does not keep the times that only they show.
    #[must_use]
    pub fn without_rank_times(self) -> Core {
        Core { ranks: None, ..self }
    }

    /// The limits it was told.
    #[must_use]
    pub fn config(&self) -> CoreConfig {
        self.config
    }

    /// Has a queue looked at in the next pass, if it has anything to run (or had, and a note of it is left) and is not being deleted.
    pub(crate) fn wake(&mut self, id: QueueId) {
        if let Some(place) = turn_of(&self.state, id, self.state.queue(id)) {
            self.woken.insert(place);
        }
    }

    /// Drops what is noted of a queue that goes.
    pub(crate) fn forget_queue(&mut self, id: QueueId) {
        self.woken.remove(id);
        self.draining.remove(&id);
        if let Some(ranks) = &mut self.ranks {
            ranks.forget(id);
        }
    }

    /// Has all queues looked at: capacity that several may share came free, or their order changed.
    pub(crate) fn wake_all(&mut self) {
        let Core { state, woken, .. } = self;
        woken.replace(state.queues().filter_map(|(id, queue)| turn_of(state, id, queue)));
    }
}

/// The place of a queue among those that are looked at; `None` if there is nothing to look at.
fn turn_of(state: &State, id: QueueId, queue: &Queue) -> Option<Place> {
    let has_work = !state.runnable(id).is_empty() || !queue.blocked.is_empty();
    (queue.life == Life::Valid && has_work).then_some((Reverse(queue.priority), id))
}
