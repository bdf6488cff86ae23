//! Forgetting what ended long ago.

use batchyard_core::command::Command;
use batchyard_core::id::{JobId, JobKey};
use batchyard_core::time::{Millis, Timestamp};

use crate::fixture::{definition_name, submission};
use crate::place::Place;
use crate::world::World;

fn second(number: i64) -> Timestamp {
    Timestamp::from_millis(1_000_000 + number * 1_000)
}

/// Jobs that end at the seconds 0, 1, 2, …
fn jobs(world: &mut World<'_>, count: usize) -> Vec<JobKey> {
    let run = |number| {
        let key = JobKey::whole(world.submit(submission(number)));
        world.started(key);
        world.exited(key, 0);
        world.elapse(Millis::from_seconds(1));
        key
    };
    (0..count).map(run).collect()
}

fn known(world: &World<'_>, keys: &[JobKey]) -> Vec<usize> {
    let store = world.raw_store();
    let is_known = |key: &JobKey| !store.jobs(&[*key]).unwrap().is_empty();
    (0..keys.len())
        .filter(|number| is_known(&keys[*number]))
        .collect()
}

pub(crate) fn only_what_ended_before_goes(place: &dyn Place) {
    let mut world = World::new(place);
    let mut keys = jobs(&mut world, 4);
    keys.push(JobKey::whole(world.submit(submission(4))));
    world.commit();
    let gone = keys[0];
    world.purge(second(2));
    assert_eq!(known(&world, &keys), [2, 3, 4]);
    let store = world.raw_store();
    assert_eq!(store.ended(gone).unwrap(), None);
    assert_eq!(store.launch(gone.id).unwrap(), None);
    // Job 0 was the one with tags.
    assert!(store.tags(&format!("job/{}", gone.id)).unwrap().is_empty());
    world.purge(second(1_000));
    assert_eq!(known(&world, &keys), [4]);
    world.restart();
    world.commit();
}

pub(crate) fn a_purge_takes_no_more_than_its_limit(place: &dyn Place) {
    let mut world = World::new(place);
    let keys = jobs(&mut world, 5);
    world.commit();
    let (jobs_before, journal_before) = (second(4), Timestamp::from_millis(i64::MIN));
    let purge = |world: &World<'_>| world.raw_store().purge(jobs_before, journal_before, 3).unwrap();
    assert!(purge(&world));
    // The oldest go first.
    assert_eq!(known(&world, &keys), [3, 4]);
    assert!(!purge(&world));
    assert_eq!(known(&world, &keys), [4]);
    assert!(!purge(&world));
}

pub(crate) fn an_array_goes_as_a_whole(place: &dyn Place) {
    let mut world = World::new(place);
    let arrays: Vec<JobId> = (0..2)
        .map(|number| {
            let mut submit = submission(number);
            submit.array_size = Some(5);
            let id = world.submit(submit);
            for child in 0..5 {
                world.exited(JobKey::child(id, child), 0);
            }
            id
        })
        .collect();
    world.commit();
    // Fewer rows than one array has: a purge then takes one, not both.
    let store = world.raw_store();
    assert!(store.purge(second(1), second(-1), 2).unwrap());
    let left = |id: &&JobId| !store.jobs(&[JobKey::child(**id, 4)]).unwrap().is_empty();
    assert_eq!(arrays.iter().filter(left).count(), 1);
    while store.purge(second(1), second(-1), 2).unwrap() {}
    let keys: Vec<JobKey> = arrays.iter().map(|id| JobKey::child(*id, 4)).collect();
    assert!(known(&world, &keys).is_empty());
}

pub(crate) fn old_definitions_leave_only_their_number(place: &dyn Place) {
    let mut world = World::new(place);
    for _ in 0..3 {
        world.register("d");
    }
    for revision in [2, 3] {
        let name = definition_name("d");
        world
            .command(Command::DeregisterDefinition { name, revision })
            .unwrap();
        world.elapse(Millis::from_seconds(1));
    }
    world.forget_definitions(second(0));
    assert_eq!(world.model.definition_rows().len(), 4);
    world.forget_definitions(second(1_000));
    assert_eq!(world.model.definition_rows().len(), 2);
    world.restart();
    world.register("d");
    let (newest, _) = world.model.definitions.first_key_value().unwrap();
    assert_eq!(newest.1.0, 5);
    world.commit();
}

pub(crate) fn journal_entries_go_by_age(place: &dyn Place) {
    let mut world = World::new(place);
    jobs(&mut world, 3);
    world.commit();
    // Three to begin with; then three a second: a submission and two reports.
    assert_eq!(place.journal().len(), 12);
    let none = Timestamp::from_millis(i64::MIN);
    let store = world.raw_store();
    assert!(!store.purge(none, second(0), 100).unwrap());
    assert_eq!(place.journal().len(), 12);
    assert!(store.purge(none, second(1), 4).unwrap());
    assert_eq!(place.journal().len(), 8);
    assert!(!store.purge(none, second(1), 4).unwrap());
    assert_eq!(place.journal().len(), 6);
    world.commit();
}
