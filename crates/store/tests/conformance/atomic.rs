//! Batches are there as a whole or not at all.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use batchyard_core::array::StatusCounts;
use batchyard_core::change::Change;
use batchyard_core::id::{JobKey, QueueId};
use batchyard_core::name::EnvironmentKind;
use batchyard_core::resources::MilliVcpus;
use batchyard_core::state::Stored;
use batchyard_core::time::Timestamp;
use batchyard_runtime::store::{Batch, DefinitionQuery, JobQuery, JobScope, Select};

use crate::fixture::{definition_name, job_id, submission};
use crate::place::Place;
use crate::world::World;

pub(crate) fn an_empty_store_has_nothing(place: &dyn Place) {
    let store = place.open();
    assert_eq!(store.load().unwrap(), Stored::default());
    let (after, limit) = (None, 10);
    assert!(
        store
            .environments(EnvironmentKind::Compute, &Select::Page { after, limit })
            .unwrap()
            .rows
            .is_empty()
    );
    assert!(
        store
            .queues(&Select::Page { after: None, limit })
            .unwrap()
            .rows
            .is_empty()
    );
    let query = DefinitionQuery::Page {
        name: None,
        is_active: None,
        after: None,
        limit,
    };
    assert!(store.definitions(&query).unwrap().rows.is_empty());
    assert_eq!(store.latest_definition(&definition_name("d")).unwrap(), None);
    let key = JobKey::whole(job_id(1));
    assert_eq!(store.launch(key.id).unwrap(), None);
    assert_eq!(store.ended(key).unwrap(), None);
    assert!(store.jobs(&[key, JobKey::child(key.id, 0)]).unwrap().is_empty());
    for scope in [JobScope::Queue(QueueId(1)), JobScope::Array(key.id)] {
        let page = store.list_jobs(&all_of(scope)).unwrap();
        assert!(page.rows.is_empty() && page.next.is_none());
    }
    assert_eq!(store.counts(QueueId(1)).unwrap(), StatusCounts::default());
    assert!(store.tags("job-queue/q0").unwrap().is_empty());
    let end = Timestamp::from_millis(i64::MAX);
    assert!(!store.purge(end, end, limit).unwrap());
}

pub(crate) fn what_was_committed_is_there_when_opened_again(place: &dyn Place) {
    let mut world = World::new(place);
    let first = JobKey::whole(world.submit(submission(0)));
    world.submit(submission(1));
    world.started(first);
    // Both compare all there is with the model.
    world.restart();
    world.commit();
    world.exited(first, 0);
    world.restart();
    world.commit();
}

pub(crate) fn a_batch_that_fails_leaves_nothing(place: &dyn Place) {
    let mut world = World::new(place);
    world.commit();
    let mut submit = submission(0);
    Arc::make_mut(&mut submit.profile).resources.vcpus = MilliVcpus(500);
    world.submit(submit);
    let good = world.take_batch();
    let store = world.raw_store();
    let before = store.load().unwrap();
    let added = good
        .changes
        .iter()
        .find(|change| matches!(change, Change::JobAdded(_)));
    let bad = Batch {
        // The same job twice: the second cannot be written.
        changes: good.changes.iter().chain(added).cloned().collect(),
        ..good.clone()
    };
    store.commit(&bad).unwrap_err();
    assert_eq!(store.load().unwrap(), before);
    assert_eq!(place.journal().len(), 3);
    // Nor is anything remembered of it: its profile was as new as its job.
    store.commit(&good).unwrap();
    let rows = store.jobs(&[JobKey::whole(job_id(0))]).unwrap();
    assert_eq!(rows[0].profile.resources.vcpus, MilliVcpus(500));
    assert_eq!(place.journal().len(), 4);
    world.commit();
}

pub(crate) fn a_probe_leaves_nothing(place: &dyn Place) {
    let mut world = World::new(place);
    world.submit(submission(0));
    world.commit();
    let store = world.raw_store();
    let before = store.load().unwrap();
    for _ in 0..3 {
        store.probe().unwrap();
    }
    assert_eq!(store.load().unwrap(), before);
    assert_eq!(place.journal().len(), 4);
    world.commit();
}

pub(crate) fn reads_see_whole_batches(place: &dyn Place) {
    /// More than any pool of connections has.
    const READERS: usize = 24;
    let mut world = World::new(place);
    world.commit();
    // Each batch adds two jobs, so that nobody ever sees an odd number of them.
    let batches: Vec<Batch> = (0..40)
        .map(|pair| {
            world.submit(submission(2 * pair));
            world.submit(submission(2 * pair + 1));
            world.take_batch()
        })
        .collect();
    let store = world.raw_store();
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..READERS {
            scope.spawn(|| {
                let mut seen = 0;
                while !is_done.load(Ordering::Relaxed) {
                    let listed = store
                        .list_jobs(&all_of(JobScope::Queue(QueueId(1))))
                        .unwrap()
                        .rows
                        .len();
                    assert!(
                        listed.is_multiple_of(2) && listed >= seen,
                        "{listed} after {seen}"
                    );
                    seen = listed;
                }
            });
        }
        for batch in &batches {
            store.commit(batch).unwrap();
        }
        is_done.store(true, Ordering::Relaxed);
    });
    world.commit();
}

fn all_of(scope: JobScope) -> JobQuery {
    JobQuery {
        scope,
        status: None,
        filter: None,
        after: None,
        limit: 1_000,
    }
}
