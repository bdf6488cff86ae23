//! Events: read in order, forgotten by age, with numbers that only grow.

use batchyard_core::id::{JobId, JobKey};
use batchyard_core::interval_set::IntervalSet;
use batchyard_core::job::JobStatus;
use batchyard_core::time::Timestamp;
use batchyard_runtime::event::{Events, JobEvent};
use batchyard_runtime::store::{Batch, Store};

use crate::place::Place;

fn second(number: u64) -> Timestamp {
    Timestamp::from_millis(i64::try_from(number).unwrap() * 1_000)
}

fn commit(store: &dyn Store, at: u64, list: Vec<JobEvent>) {
    let batch = Batch {
        events: Some(Events { at: second(at), list }),
        ..Batch::default()
    };
    store.commit(&batch).unwrap();
}

fn moved(number: u128) -> JobEvent {
    let id = JobId::new(second(1), number);
    JobEvent::Moved(JobKey::whole(id), JobStatus::Running, 0)
}

/// The numbers of the batches from `from` on, and their seconds.
fn numbers(store: &dyn Store, from: u64, limit: usize) -> Vec<(u64, Timestamp)> {
    let found = store.events(from, limit).unwrap();
    found
        .into_iter()
        .map(|(number, events)| (number, events.at))
        .collect()
}

pub(crate) fn events_come_in_order_and_numbers_are_never_used_again(place: &dyn Place) {
    let store = place.open();
    assert_eq!(
        (store.next_events().unwrap(), numbers(&*store, 0, 9)),
        (1, Vec::new())
    );
    for at in 1..=3 {
        commit(&*store, at, vec![moved(at.into())]);
    }
    // A batch without events has no number.
    store.commit(&Batch::default()).unwrap();
    let all = [1, 2, 3].map(|number| (number, second(number)));
    assert_eq!(numbers(&*store, 0, 9), all);
    assert_eq!(numbers(&*store, 2, 9), all[1..]);
    assert_eq!(numbers(&*store, 1, 2), all[..2]);
    assert_eq!(store.next_events().unwrap(), 4);
    assert!(store.forget_events(second(3), 1).unwrap());
    assert!(!store.forget_events(second(3), 2).unwrap());
    assert_eq!(numbers(&*store, 0, 9), all[2..]);
    store.forget_events(second(9), 9).unwrap();
    drop(store);
    let store = place.open();
    assert_eq!(
        (store.next_events().unwrap(), numbers(&*store, 0, 9)),
        (4, Vec::new())
    );
    commit(&*store, 4, vec![moved(4)]);
    assert_eq!(numbers(&*store, 0, 9), [(4, second(4))]);
}

pub(crate) fn children_and_reasons_come_back(place: &dyn Place) {
    let store = place.open();
    let id = JobId::new(second(1), 7);
    let key = JobKey::child(id, 3);
    let list = vec![
        JobEvent::ChildrenMoved(id, IntervalSet::up_to(10_000), JobStatus::Runnable),
        JobEvent::Moved(key, JobStatus::Starting, 2),
        JobEvent::Blocked(key, "CAPACITY".to_owned(), 1),
        JobEvent::PreemptionStarted(key, "PREEMPTION_IN_PROGRESS".to_owned()),
        JobEvent::PreemptionCompleted(key, 3),
    ];
    commit(&*store, 1, list.clone());
    let (_, events) = store.events(0, 9).unwrap().remove(0);
    assert_eq!(events.list, list);
}
