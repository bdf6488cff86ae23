//! Whether a store says what it must.

use std::fmt::Debug;

use batchyard_core::Core;
use batchyard_core::id::{JobId, JobKey};
use batchyard_core::item::ItemKey;
use batchyard_core::job::JobStatus;
use batchyard_core::name::{EnvironmentKind, QueueName};
use batchyard_core::state::State;
use batchyard_runtime::store::{
    ArrayRow, DefinitionQuery, ItemScope, ItemSelect, JobCursor, JobQuery, JobRow, JobScope, JobSummaryRow,
    Page, Select, Store,
};

use crate::model::Model;

/// Whether an item is in a scope.
type IsOfScope = Box<dyn Fn(&ItemKey) -> bool>;

/// Rows of a page: so few that most lists have several.
const PAGE: usize = 2;

/// Checks that a core restored from the store is this one, and that reads agree with the model.
pub(super) fn check(store: &dyn Store, core: &Core, model: &Model) {
    let restored = State::restore(core.state().host(), store.load().unwrap()).unwrap();
    assert_same(&restored, core.state(), "the restored state");
    check_registry(store, model);
    for (id, _) in core.state().queues() {
        assert_same(&store.counts(id).unwrap(), &model.counts(id), "counts");
        check_lists(store, &JobScope::Queue(id), &model.jobs_of(id));
    }
    let mut keys = Vec::new();
    for (id, job) in &model.jobs {
        let of_job = model.keys_of(*id);
        if of_job.len() > 1 {
            let has_nodes = model
                .job(JobKey::whole(*id))
                .is_some_and(|row| row.nodes.is_some());
            let (scope, other) = match has_nodes {
                true => (JobScope::Nodes(*id), JobScope::Array(*id)),
                false => (JobScope::Array(*id), JobScope::Nodes(*id)),
            };
            check_lists(store, &scope, &model.children_of(*id));
            check_lists(store, &other, &[]);
        }
        for key in &of_job {
            assert_same(
                &store.ended(*key).unwrap(),
                &model.ended(*key),
                &format!("{key} ended"),
            );
        }
        if store
            .launch(*id)
            .unwrap()
            .is_none_or(|row| row.queue != job_queue(model, *id))
        {
            panic!("{id} is in {:?} and has no launch there", job.queue);
        }
        keys.extend(of_job);
        // A child that does not exist.
        keys.push(JobKey::child(*id, u32::MAX));
    }
    check_jobs(store, model, &keys);
    check_statuses(core.state(), model);
}

fn job_queue(model: &Model, id: JobId) -> batchyard_core::name::QueueName {
    model.job(JobKey::whole(id)).unwrap().queue
}

fn check_registry(store: &dyn Store, model: &Model) {
    for kind in [EnvironmentKind::Compute, EnvironmentKind::Service] {
        let environments = pages(|after| {
            let select = Select::Page { after, limit: PAGE };
            store.environments(kind, &select).unwrap()
        });
        assert_same(&environments, &model.environment_rows(kind), "environments");
    }
    let queues = pages(|after| store.queues(&Select::Page { after, limit: PAGE }).unwrap());
    assert_same(&queues, &model.queue_rows(), "queues");
    let definitions = pages(|after| {
        let query = DefinitionQuery::Page {
            name: None,
            is_active: None,
            after,
            limit: PAGE,
        };
        store.definitions(&query).unwrap()
    });
    assert_same(&definitions, &model.definition_rows(), "definitions");
    let of_queue = |queue: &QueueName| {
        let queue = queue.clone();
        let is_of = move |key: &ItemKey| matches!(key, ItemKey::QuotaShare(of, _) if *of == queue);
        Box::new(is_of) as IsOfScope
    };
    let mut scopes: Vec<(ItemScope, IsOfScope)> = vec![
        (
            ItemScope::SchedulingPolicies,
            Box::new(|key| matches!(key, ItemKey::SchedulingPolicy(_))),
        ),
        (
            ItemScope::ConsumableResources,
            Box::new(|key| matches!(key, ItemKey::ConsumableResource(_))),
        ),
    ];
    let queues = model.queues.values().map(|row| &row.name);
    scopes.extend(queues.map(|name| (ItemScope::QuotaShares(name.clone()), of_queue(name))));
    for (scope, is_wanted) in scopes {
        let items = pages(|after| {
            let select = ItemSelect::Page {
                scope: scope.clone(),
                name: None,
                after,
                limit: PAGE,
            };
            store.items(&select).unwrap()
        });
        assert_same(&items, &model.item_rows(is_wanted), &format!("{scope:?}"));
    }
    for (token, kept) in &model.tokens {
        assert_eq!(store.client_token(token).unwrap().as_ref(), Some(kept));
    }
    assert_eq!(store.client_token("unknown").unwrap(), None);
    for resource in model.tags.keys() {
        assert_same(&store.tags(resource).unwrap(), &model.tags_of(resource), resource);
    }
}

fn check_jobs(store: &dyn Store, model: &Model, keys: &[JobKey]) {
    let rows: Vec<_> = store.jobs(keys).unwrap().into_iter().map(without_clock).collect();
    let expected: Vec<JobRow> = keys
        .iter()
        .filter_map(|key| model.job(*key))
        .map(without_clock)
        .collect();
    for (row, expected) in rows.iter().zip(&expected) {
        assert_same(row, expected, "a job");
    }
    assert_eq!(rows.len(), expected.len());
}

/// The model, too, may be wrong: the core knows how live jobs stand.
fn check_statuses(state: &State, model: &Model) {
    for id in model.jobs.keys() {
        let is_live = state.job(*id).is_some();
        for key in model.keys_of(*id) {
            let row = model.job(key).unwrap();
            let status = row.state.status;
            if is_live && row.nodes.is_some() && key.child.is_some() && state.status(key).is_none() {
                // The core forgets how a node ended.
                continue;
            }
            match is_live {
                true => assert_eq!(Some(status), state.status(key), "{key}"),
                false => assert!(status.is_terminal(), "{key} is {status:?} and not live"),
            }
        }
    }
    let live = state.jobs().filter(|(id, _)| !model.jobs.contains_key(id));
    assert_eq!(live.count(), 0);
}

/// The list as a whole, and of each state.
fn check_lists(store: &dyn Store, scope: &JobScope, expected: &[JobSummaryRow]) {
    for status in std::iter::once(None).chain(JobStatus::ALL.map(Some)) {
        let rows = pages(|after: Option<JobCursor>| {
            let query = JobQuery {
                scope: scope.clone(),
                status,
                filter: None,
                after,
                limit: PAGE,
            };
            store.list_jobs(&query).unwrap()
        });
        let rows: Vec<_> = rows.into_iter().map(summary_without_clock).collect();
        let expected = expected
            .iter()
            .filter(|row| status.is_none_or(|status| row.state.status == status));
        let expected: Vec<_> = expected.cloned().map(summary_without_clock).collect();
        assert_same(&rows, &expected, &format!("{scope:?} {status:?}"));
    }
}

/// All rows of a list that comes in pages, each of which but the last must be full.
pub(crate) fn pages<T, C>(mut read: impl FnMut(Option<C>) -> Page<T, C>) -> Vec<T> {
    let mut all = Vec::new();
    let mut after = None;
    loop {
        let Page { rows, next } = read(after);
        assert!(
            next.is_none() || !rows.is_empty(),
            "a page is empty and not the last"
        );
        all.extend(rows);
        match next {
            Some(next) => after = Some(next),
            None => return all,
        }
    }
}

/// When counts of children were written is the clock's.
fn without_clock(row: JobRow) -> JobRow {
    JobRow {
        array: row.array.map(array_without_clock),
        ..row
    }
}

fn summary_without_clock(row: JobSummaryRow) -> JobSummaryRow {
    JobSummaryRow {
        array: row.array.map(array_without_clock),
        ..row
    }
}

fn array_without_clock(array: ArrayRow) -> ArrayRow {
    ArrayRow {
        updated_at: batchyard_core::time::Timestamp::from_millis(0),
        ..array
    }
}

/// Says where two values differ, line by line: printed whole they would fill a screen.
fn assert_same<T: PartialEq + Debug>(found: &T, expected: &T, what: &str) {
    if found == expected {
        return;
    }
    let (found, expected) = (format!("{found:#?}"), format!("{expected:#?}"));
    let lines = found.lines().zip(expected.lines());
    let differences: Vec<_> = lines
        .filter(|(found, expected)| found != expected)
        .take(10)
        .collect();
    panic!(
        "{what}: {} lines are {}, found and expected: {differences:#?}",
        expected.lines().count(),
        found.lines().count()
    );
}
