//! Definitions that are ready for SubmitJob: read and parsed once, used by many jobs.
//!
//! A revision never changes, so what is known of one stays true. Which revision is the latest changes only by operations
//! of this server, which tell the cache; and the core checks once more that a revision is active.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard};

use batchyard_core::name::DefinitionName;
use batchyard_runtime::store::{DefinitionQuery, DefinitionRevision, DefinitionRow};
use batchyard_wire::Fault;
use lru::LruCache;

use super::{Reference, read};
use crate::batch::Batch;
use crate::batch::job::Template;
use crate::limits::DEFINITIONS_CACHED_MAX;

/// The cache.
pub(in crate::batch) struct Definitions(Mutex<Cached>);

struct Cached {
    latest: LruCache<DefinitionName, Arc<Known>>,
    revisions: LruCache<(DefinitionName, u32), Arc<Known>>,
    /// Counts what was forgotten: what was read before must not be kept as the latest after.
    generation: u64,
}

/// A definition as SubmitJob uses it.
pub(in crate::batch) struct Known {
    pub(in crate::batch) revision: DefinitionRevision,
    pub(in crate::batch) template: Template,
}

impl Default for Definitions {
    fn default() -> Definitions {
        let capacity = NonZeroUsize::new(DEFINITIONS_CACHED_MAX).expect("the limit is not zero");
        Definitions(Mutex::new(Cached {
            latest: LruCache::new(capacity),
            revisions: LruCache::new(capacity),
            generation: 0,
        }))
    }
}

impl Definitions {
    /// Forgets which revision of a definition is the latest.
    pub(super) fn forget(&self, name: &DefinitionName) {
        let mut cached = self.lock();
        cached.generation += 1;
        cached.latest.pop(name);
    }

    fn lock(&self) -> MutexGuard<'_, Cached> {
        self.0.lock().expect("nobody panics while holding the cache")
    }
}

impl Batch {
    /// The definition that a reference means, if there is such a revision. It may have been deregistered meanwhile: the
    /// core has the last word.
    pub(in crate::batch) async fn known_definition(
        &self,
        reference: &Reference,
    ) -> Result<Option<Arc<Known>>, Fault> {
        let generation = {
            let mut cached = self.definitions.lock();
            let found = match reference {
                Reference::Latest(name) => cached.latest.get(name),
                Reference::Revision(revision) => {
                    cached.revisions.get(&(revision.name.clone(), revision.revision))
                }
            };
            if let Some(known) = found {
                return Ok(Some(Arc::clone(known)));
            }
            cached.generation
        };
        let asked = reference.clone();
        let row = self
            .read(move |store| match asked {
                Reference::Latest(name) => store.latest_definition(&name),
                Reference::Revision(revision) => {
                    let page = store.definitions(&DefinitionQuery::Revisions(vec![revision]))?;
                    Ok(page.rows.into_iter().next())
                }
            })
            .await?;
        let Some(DefinitionRow {
            revision,
            is_active: _,
            document,
            tags: _,
        }) = row
        else {
            return Ok(None);
        };
        let template = Template::new(&revision, read(&document), &self.provisions);
        let known = Arc::new(Known { revision, template });
        let mut cached = self.definitions.lock();
        let DefinitionRevision { name, revision } = known.revision.clone();
        cached.revisions.put((name.clone(), revision), Arc::clone(&known));
        if matches!(reference, Reference::Latest(_)) && cached.generation == generation {
            cached.latest.put(name, Arc::clone(&known));
        }
        Ok(Some(known))
    }
}
