//! The live jobs, by identifier.
//!
//! A step looks its job up many times, so they are in hash maps. Nothing can come to depend on the order of these: to go over them is to
//! put them in order first. There are many small maps instead of one: none is long in growing, and a copy of the state (forecasts are
//! made from copies) shares those in which nothing has changed since.

#[expect(
    clippy::disallowed_types,
    reason = "jobs are looked up, and gone over in order of their identifiers alone"
)]
use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher as _, BuildHasherDefault, Hasher};
use std::sync::Arc;

use crate::id::JobId;
use crate::job::Job;

/// How many maps there are: of a million jobs each has 4,000.
const SHARDS: usize = 256;

#[expect(clippy::disallowed_types, reason = "see above")]
type Shard = HashMap<JobId, Job, BuildHasherDefault<Mixer>>;

/// See the module.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Jobs {
    shards: Box<[Arc<Shard>; SHARDS]>,
    count: usize,
}

/// Hashes identifiers, which the server makes itself: nobody chooses them to collide. Multiplies each word by an odd number with bits all
/// over, and turns the product, as the high bits of it are the best.
#[derive(Clone, Copy, Default)]
struct Mixer(u64);

impl Hasher for Mixer {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0 ^ word)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(29);
    }
}

/// The map that an identifier belongs to: by other bits than those that the map itself goes by.
fn shard_of(id: JobId) -> usize {
    let hash = BuildHasherDefault::<Mixer>::default().hash_one(id);
    usize::from(hash.to_be_bytes()[2])
}

impl Jobs {
    pub(super) fn get(&self, id: JobId) -> Option<&Job> {
        self.shards[shard_of(id)].get(&id)
    }

    pub(super) fn get_mut(&mut self, id: JobId) -> Option<&mut Job> {
        Arc::make_mut(&mut self.shards[shard_of(id)]).get_mut(&id)
    }

    pub(super) fn insert(&mut self, id: JobId, job: Job) {
        let shard = Arc::make_mut(&mut self.shards[shard_of(id)]);
        self.count += usize::from(shard.insert(id, job).is_none());
    }

    pub(super) fn remove(&mut self, id: JobId) -> Option<Job> {
        let removed = Arc::make_mut(&mut self.shards[shard_of(id)]).remove(&id)?;
        self.count -= 1;
        Some(removed)
    }

    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Whether a job is so, whichever it is.
    pub(super) fn any(&self, is_so: impl Fn(&Job) -> bool) -> bool {
        let mut shards = self.shards.iter();
        shards.any(|shard| shard.values().any(&is_so))
    }

    /// All jobs in order of their identifiers. Puts them in order first, which takes its time.
    pub(super) fn in_order(&self) -> impl Iterator<Item = (JobId, &Job)> + use<'_> {
        let jobs = self.shards.iter().flat_map(|shard| shard.iter());
        let mut jobs: Vec<(JobId, &Job)> = jobs.map(|(id, job)| (*id, job)).collect();
        jobs.sort_unstable_by_key(|(id, _)| *id);
        jobs.into_iter()
    }
}

impl Default for Jobs {
    fn default() -> Self {
        let empty = Arc::new(Shard::default());
        Jobs {
            shards: Box::new(std::array::from_fn(|_| Arc::clone(&empty))),
            count: 0,
        }
    }
}

impl fmt::Debug for Jobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.in_order()).finish()
    }
}
