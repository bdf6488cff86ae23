//! The live jobs, by identifier.
//!
//! Identifiers begin with the time of submission, and jobs that came one after another are needed one after another. So they are kept
//! together: in *leaves* of a thousand or two, each for a range of identifiers, the last one for new jobs. What is at the front of a
//! queue and what comes to its end is in few leaves, which the processor has at hand however long the queue is. A copy of the state
//! (forecasts are made from copies) shares the leaves in which nothing has changed since.

use std::fmt;
use std::sync::Arc;

use crate::id::JobId;
use crate::job::Job;
use crate::lookup::Lookup;

/// Jobs of a leaf at most (own choice: all that a hash map of 2,048 places takes before it grows).
const LEAF_JOBS_MAX: usize = 1_792;

/// Nobody chooses identifiers so that they collide: the server makes them.
type Leaf = Lookup<JobId, Job>;

/// See the module.
#[derive(Clone, Default)]
pub(super) struct Jobs {
    /// The least identifier that belongs into each leaf but the first, which takes all that are less.
    firsts: Vec<JobId>,
    /// One more than there are of `firsts`, or none where there are no jobs; none is empty.
    leaves: Vec<Arc<Leaf>>,
    count: usize,
}

impl Jobs {
    /// Which leaf an identifier belongs to. Looked for from both ends, as mostly it is the last leaf or one of the first: what this
    /// takes does not grow with their number then.
    fn leaf_of(&self, id: JobId) -> usize {
        let firsts = &self.firsts[..];
        let (Some(first), Some(last)) = (firsts.first(), firsts.last()) else {
            return 0;
        };
        if id < *first {
            return 0;
        }
        if id >= *last {
            return firsts.len();
        }
        let (mut from, mut to) = (1, 2);
        while firsts.get(to - 1).is_some_and(|first| *first <= id) {
            (from, to) = (to, 2 * to);
        }
        let among = &firsts[from..firsts.len().min(to)];
        from + among.partition_point(|first| *first <= id)
    }

    pub(super) fn get(&self, id: JobId) -> Option<&Job> {
        self.leaves.get(self.leaf_of(id))?.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: JobId) -> Option<&mut Job> {
        let leaf = self.leaf_of(id);
        Arc::make_mut(self.leaves.get_mut(leaf)?).get_mut(&id)
    }

    pub(super) fn insert(&mut self, id: JobId, job: Job) {
        let mut leaf = self.leaf_of(id);
        if self.leaves.is_empty() {
            self.leaves.push(Arc::default());
        } else if self.leaves[leaf].len() >= LEAF_JOBS_MAX {
            self.make_room(leaf, id);
            leaf = self.leaf_of(id);
        }
        let leaf = Arc::make_mut(&mut self.leaves[leaf]);
        self.count += usize::from(leaf.insert(id, job).is_none());
    }

    /// A leaf is full that another job belongs into: it is divided. The last one is divided before what came at the same time as the
    /// job, so that it stays full, and the new one has room for what comes.
    fn make_room(&mut self, leaf: usize, id: JobId) {
        let is_last = leaf + 1 == self.leaves.len();
        let full = Arc::make_mut(&mut self.leaves[leaf]);
        let at_end = || {
            let comes_last = !full.any(|other, _| *other > id);
            let first = if comes_last { id } else { id.least_of_its_time() };
            full.any(|other, _| *other < first).then_some(first)
        };
        let first = is_last.then(at_end).flatten();
        let first = first.unwrap_or_else(|| {
            let middle = full.in_order().nth(LEAF_JOBS_MAX / 2);
            middle.map_or(id, |(first, _)| *first)
        });
        let rest = full.split_off(&first);
        self.firsts.insert(leaf, first);
        self.leaves.insert(leaf + 1, Arc::new(rest));
    }

    pub(super) fn remove(&mut self, id: JobId) -> Option<Job> {
        let number = self.leaf_of(id);
        let leaf = Arc::make_mut(self.leaves.get_mut(number)?);
        let removed = leaf.remove(&id)?;
        self.count -= 1;
        if leaf.is_empty() {
            self.leaves.remove(number);
            // Its neighbour takes over its range.
            if !self.firsts.is_empty() {
                self.firsts.remove(number.saturating_sub(1));
            }
        }
        Some(removed)
    }

    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Whether a job is so, whichever it is.
    pub(super) fn any(&self, is_so: impl Fn(&Job) -> bool) -> bool {
        self.leaves.iter().any(|leaf| leaf.any(|_, job| is_so(job)))
    }

    /// All jobs in order of their identifiers. Puts those of each leaf in order first, which takes its time.
    pub(super) fn in_order(&self) -> impl Iterator<Item = (JobId, &Job)> {
        let jobs = self.leaves.iter().flat_map(|leaf| leaf.in_order());
        jobs.map(|(id, job)| (*id, job))
    }
}

/// How the jobs are spread over leaves says how they came, and nothing of what they are.
impl PartialEq for Jobs {
    fn eq(&self, other: &Self) -> bool {
        self.count == other.count && self.in_order().eq(other.in_order())
    }
}

impl Eq for Jobs {}

impl fmt::Debug for Jobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.in_order()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::environment::Platform;
    use crate::id::{QueueId, Sequence};
    use crate::job::{Body, Execution, Profile};
    use crate::resources::Resources;
    use crate::retry::RetryStrategy;
    use crate::time::{Millis, Timestamp};

    fn id(number: u64) -> JobId {
        JobId::new(Timestamp::from_millis(0), u128::from(number))
    }

    fn profile() -> Profile {
        Profile {
            platform: Platform::Ec2,
            resources: Resources::default(),
            retry: RetryStrategy::default(),
            timeout: None,
            stop_timeout: Millis::default(),
            share: None,
            consumables: Vec::new(),
            definition: None,
            nodes: None,
            service: None,
        }
    }

    /// Many jobs come in order, as many go again; some come late, and belong between others.
    #[derive(Clone, Debug)]
    enum Move {
        Append(u64),
        Insert(u64),
        RemoveFirst(u64),
        Remove(u64),
    }

    fn moves() -> impl Strategy<Value = Vec<Move>> {
        let one = prop_oneof![
            (0..4_000_u64).prop_map(Move::Append),
            (0..20_000_u64).prop_map(Move::Insert),
            (0..3_000_u64).prop_map(Move::RemoveFirst),
            (0..20_000_u64).prop_map(Move::Remove),
        ];
        proptest::collection::vec(one, 1..20)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn behaves_as_a_map_in_order(moves in moves()) {
            let profile = Arc::new(profile());
            let job = |number: u64| Job {
                sequence: Sequence(number),
                queue: QueueId(1),
                profile: Arc::clone(&profile),
                body: Body::Ready(Execution::new()),
            };
            let (mut jobs, mut model, mut next) = (Jobs::default(), BTreeMap::new(), 0);
            for one in moves {
                match one {
                    Move::Append(count) => {
                        for number in next..next + count {
                            jobs.insert(id(2 * number), job(number));
                            model.insert(id(2 * number), job(number));
                        }
                        next += count;
                    }
                    Move::Insert(number) => {
                        jobs.insert(id(number), job(number));
                        model.insert(id(number), job(number));
                    }
                    Move::RemoveFirst(count) => {
                        let first: Vec<JobId> = model.keys().take(usize::try_from(count).unwrap()).copied().collect();
                        for id in first {
                            prop_assert_eq!(jobs.remove(id), model.remove(&id));
                        }
                    }
                    Move::Remove(number) => prop_assert_eq!(jobs.remove(id(number)), model.remove(&id(number))),
                }
                prop_assert_eq!(jobs.len(), model.len());
                prop_assert!(jobs.in_order().eq(model.iter().map(|(id, job)| (*id, job))));
                prop_assert!(jobs.leaves.iter().all(|leaf| !leaf.is_empty() && leaf.len() <= LEAF_JOBS_MAX));
                let other = model.keys().next().copied();
                prop_assert_eq!(other.and_then(|id| jobs.get(id)), other.and_then(|id| model.get(&id)));
            }
        }
    }
}
