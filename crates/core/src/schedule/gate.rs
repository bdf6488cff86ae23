//! What keeps the front of a line from starting besides want of room: limits of the queue, and things that run out.

use std::fmt;

use crate::id::QueueId;
use crate::item::{Item, ItemKey};
use crate::job::Profile;
use crate::name::ConsumableResourceName;
use crate::quota::{QuotaRoom, QuotaStanding};
use crate::resources::MilliVcpus;
use crate::schedule::quota::awaited_by_owners;
use crate::share::{rate_of, reserved_of};
use crate::state::State;

/// What keeps a job from starting wherever there is room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gate {
    /// The queue runs as many attempts as it may.
    QueueConcurrency {
        /// As many as that.
        max: u32,
        /// So many run now.
        now: u32,
    },
    /// There is not enough of a consumable resource (section C.5).
    Consumable {
        /// Of which.
        name: ConsumableResourceName,
        /// What the job takes.
        quantity: u64,
        /// What is left.
        available: u64,
        /// What jobs hold that will give it back.
        in_use: u64,
    },
    /// The rest of the queue's capacity is kept for shares that have no jobs now (section C3.5).
    Reserved {
        /// What the queue may have at most.
        capacity: MilliVcpus,
        /// What is kept of it.
        reserved: MilliVcpus,
        /// What its jobs hold.
        held: MilliVcpus,
        /// How many shares are active: with more of them less is kept.
        active: usize,
    },
    /// The job's quota share holds as much as it may (section C.4).
    Quota {
        /// How it stands.
        standing: QuotaStanding,
        /// What the job takes of the unit.
        quantity: u32,
    },
    /// It would borrow what attempts are being stopped for: jobs of the shares that it belongs to wait for it.
    GivenBack {
        /// The unit.
        unit: Box<str>,
        /// What the job takes of it.
        quantity: u32,
        /// What those jobs take together.
        waiting: u32,
    },
}

impl Gate {
    /// Whether it stays, as long as the limits stay as they are.
    #[must_use]
    pub fn is_for_good(&self) -> bool {
        match self {
            Gate::Quota { standing, quantity } => standing.room(*quantity) == QuotaRoom::Never,
            Gate::QueueConcurrency { .. }
            | Gate::Consumable { .. }
            | Gate::Reserved { .. }
            | Gate::GivenBack { .. } => false,
        }
    }
}

/// All that is in the way of a job of this queue.
pub(crate) fn gates(state: &State, queue: QueueId, profile: &Profile) -> Vec<Gate> {
    let mut gates = Vec::new();
    let shares = state.shares(queue);
    let now = shares.attempts();
    if let Some(max) = state
        .queue(queue)
        .options
        .max_concurrency
        .filter(|max| now >= *max)
    {
        gates.push(Gate::QueueConcurrency { max, now });
    }
    for claim in &profile.consumables {
        let (available, in_use) = state.supply(&claim.name);
        if claim.quantity > available {
            gates.push(Gate::Consumable {
                name: claim.name.clone(),
                quantity: claim.quantity,
                available,
                in_use,
            });
        }
    }
    if let Some(gate) = reservation(state, queue, profile) {
        gates.push(gate);
    }
    if let Some(gate) = quota(state, queue, profile) {
        gates.push(gate);
    }
    gates
}

fn quota(state: &State, queue: QueueId, profile: &Profile) -> Option<Gate> {
    let quantity = profile.service.as_ref()?.count;
    let standing = state.quota_standing(queue, profile)?;
    match standing.room(quantity) {
        QuotaRoom::Own => None,
        QuotaRoom::Borrowed => {
            let unit = &standing.unit;
            let waiting = awaited_by_owners(state, queue, unit, quantity)?;
            Some(Gate::GivenBack {
                unit: unit.clone(),
                quantity,
                waiting,
            })
        }
        QuotaRoom::Lent | QuotaRoom::None | QuotaRoom::Never => Some(Gate::Quota { standing, quantity }),
    }
}

fn reservation(state: &State, queue: QueueId, profile: &Profile) -> Option<Gate> {
    let shares = state.shares(queue);
    let percent = shares.policy()?.reservation_percent;
    if percent == 0 {
        return None;
    }
    let capacity = state.rate_max(queue);
    let reserved = reserved_of(state.reservable(queue), percent, shares.active());
    let held = shares.rate();
    // Where nothing runs, nothing will end and make room: a job that is larger than what is not kept starts then.
    let is_over = held + rate_of(profile, profile.resources) > capacity - reserved;
    let vcpus = |rate: u64| MilliVcpus(u32::try_from(rate).unwrap_or(u32::MAX));
    (is_over && held > 0).then(|| Gate::Reserved {
        capacity: vcpus(capacity),
        reserved: vcpus(reserved),
        held: vcpus(held),
        active: shares.active(),
    })
}

impl State {
    /// What is left of a consumable resource, and what jobs hold of it; nothing of one that does not exist.
    #[must_use]
    pub fn supply(&self, name: &ConsumableResourceName) -> (u64, u64) {
        let in_use = self.claimed(name);
        let key = ItemKey::ConsumableResource(name.clone());
        match self.item(&key).map(|kept| &kept.item) {
            Some(Item::ConsumableResource(resource)) => (resource.total.saturating_sub(in_use), in_use),
            Some(_) | None => (0, in_use),
        }
    }

    /// The most that the jobs of a queue can use in a millisecond: the maxima of its environments together (section C3.5).
    fn rate_max(&self, queue: QueueId) -> u64 {
        let host = u64::from(self.host().resources.vcpus.0);
        let of_environment = |id| self.environment(id).spec.capacity.rate_max().unwrap_or(host);
        let environments = self.queue(queue).environments.iter();
        environments.map(|id| of_environment(*id)).sum()
    }

    /// What of that a reservation is a part of: unmanaged environments count with what they are said to have (section A1.4).
    fn reservable(&self, queue: QueueId) -> u64 {
        let host = u64::from(self.host().resources.vcpus.0);
        let environments = self.queue(queue).environments.iter();
        let of_environments = environments.map(|id| {
            let spec = &self.environment(*id).spec;
            let most = spec.capacity.rate_max().unwrap_or(host);
            let said = spec.reservable_vcpus.map(|vcpus| u64::from(vcpus) * 1000);
            said.map_or(most, |said| said.min(most))
        });
        of_environments.sum()
    }
}

/// As a person reads it, after "It".
impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Gate::QueueConcurrency { max, now } => write!(
                f,
                "waits for an attempt of its queue to end: {now} run, and the queue's batchyard:max-concurrency is {max}"
            ),
            Gate::Consumable {
                name,
                quantity,
                available,
                in_use,
            } => write!(
                f,
                "takes {quantity} of consumable resource {name}, which has {available} left; jobs hold {in_use}"
            ),
            Gate::Reserved {
                capacity,
                reserved,
                held,
                active,
            } => write!(
                f,
                "has to leave {reserved} of the queue's {capacity} vCPU to shares that have no jobs now; jobs of {active} active shares hold {held}"
            ),
            Gate::GivenBack {
                unit,
                quantity,
                waiting,
            } => write!(
                f,
                "takes {quantity} {unit}; what comes free now is given back to jobs of other shares, which wait for {waiting}"
            ),
            Gate::Quota {
                standing:
                    QuotaStanding {
                        share,
                        unit,
                        limit,
                        used,
                        own_free,
                        borrow_max: _,
                        idle: _,
                    },
                quantity,
            } if used.saturating_add(*quantity) <= *limit => write!(
                f,
                "takes {quantity} {unit}; quota share {share} holds {used} of its {limit}, and {own_free} of the rest are not lent"
            ),
            Gate::Quota {
                standing:
                    QuotaStanding {
                        share,
                        unit,
                        limit,
                        used,
                        own_free: _,
                        borrow_max,
                        idle,
                    },
                quantity,
            } => {
                write!(
                    f,
                    "takes {quantity} {unit}; quota share {share} holds {used}, has {limit} for itself"
                )?;
                match borrow_max {
                    0 => f.write_str(" and borrows none"),
                    &u32::MAX => write!(f, " and may borrow what others leave: {idle} now"),
                    most => write!(f, " and may borrow up to {most} of what others leave: {idle} now"),
                }
            }
        }
    }
}
