//! Lists: their order, pages and filters, and counts.

use std::sync::Arc;

use batchyard_core::command::{Command, PutEnvironment, PutItem, PutQueue};
use batchyard_core::environment::{Platform, Switch};
use batchyard_core::id::{JobId, JobKey, QueueId};
use batchyard_core::item::{Item, SchedulingPolicy};
use batchyard_core::job::{ConsumableClaim, JobStatus, ServiceClaim, ShareClaim};
use batchyard_core::name::{EnvironmentName, QuotaShareName};
use batchyard_core::resources::{MilliVcpus, Resources};
use batchyard_core::time::{Millis, Timestamp};
use batchyard_runtime::store::{DefinitionRevision, JobFilter, JobQuery, JobScope, Page, Store, TextMatch};
use expect_test::expect;

use crate::fixture::{
    consumable_name, definition_name, environment_put, fair_share_put, policy_name, queue_put,
    quota_share_put, submission,
};
use crate::place::Place;
use crate::show;
use crate::world::{World, pages};

const QUEUE: JobScope = JobScope::Queue(QueueId(1));

fn list(store: &dyn Store, scope: JobScope, status: Option<JobStatus>, filter: Option<JobFilter>) -> String {
    let rows = pages(|after| {
        let query = JobQuery {
            scope: scope.clone(),
            status,
            filter: filter.clone(),
            after,
            limit: 2,
        };
        let page = store.list_jobs(&query).unwrap();
        assert!(page.rows.len() == 2 || page.next.is_none());
        page
    });
    show::list(&rows)
}

pub(crate) fn lists_are_newest_first_in_pages(place: &dyn Place) {
    let mut world = World::new(place);
    world.create_queue(queue_put("q1", &["ce0"]));
    for number in 0..7 {
        let mut submit = submission(number);
        if number == 3 {
            submit.queue = crate::fixture::queue_name("q1");
        }
        if number == 4 {
            submit.array_size = Some(2);
        }
        world.submit(submit);
    }
    let store = world.store();
    expect!["job6 RUNNABLE, job5 RUNNABLE, job4 PENDING, job2 STARTING, job1 STARTING, job0 STARTING"]
        .assert_eq(&list(store, QUEUE, None, None));
    expect!["job6 RUNNABLE, job5 RUNNABLE"].assert_eq(&list(store, QUEUE, Some(JobStatus::Runnable), None));
    expect!["job3 STARTING"].assert_eq(&list(store, JobScope::Queue(QueueId(2)), None, None));
    expect![""].assert_eq(&list(store, JobScope::Queue(QueueId(3)), None, None));
    // Jobs that come between two pages are on neither: the list goes on where it was.
    let query = |after| JobQuery {
        scope: QUEUE,
        status: None,
        filter: None,
        after,
        limit: 3,
    };
    let Page { next, .. } = store.list_jobs(&query(None)).unwrap();
    world.submit(submission(8));
    let Page { rows, next } = world.store().list_jobs(&query(next)).unwrap();
    expect!["job2 STARTING, job1 STARTING, job0 STARTING"].assert_eq(&show::list(&rows));
    assert_eq!(next, None);
}

pub(crate) fn every_filter_finds_what_it_says(place: &dyn Place) {
    let mut world = World::new(place);
    for name in ["d", "other", "d-2"] {
        world.register(name);
    }
    let jobs = [
        ("alpha", "d", 1),
        ("Alpha", "d", 2),
        ("alphabet", "d-2", 1),
        ("100%_a", "other", 1),
    ];
    for (number, (name, definition, revision)) in jobs.into_iter().enumerate() {
        let mut submit = submission(number);
        submit.content.name = name.to_owned();
        submit.content.definition = definition_name(definition);
        submit.content.revision = revision;
        world.submit(submit);
        world.elapse(Millis::from_seconds(1));
    }
    let store = world.store();
    let find = |filter| list(store, QUEUE, None, Some(filter)).replace(" STARTING", "");
    let text = |text: &str, is_prefix| TextMatch {
        text: text.to_owned(),
        is_prefix,
    };
    expect!["Alpha, alpha"].assert_eq(&find(JobFilter::Name(text("ALPHA", false))));
    expect!["alphabet, Alpha, alpha"].assert_eq(&find(JobFilter::Name(text("aLph", true))));
    // What patterns of a database mean something else by is only text.
    expect!["100%_a"].assert_eq(&find(JobFilter::Name(text("100%_", true))));
    expect![""].assert_eq(&find(JobFilter::Name(text("%", true))));
    expect![""].assert_eq(&find(JobFilter::Name(text("al*", true))));
    expect!["100%_a, alphabet, Alpha, alpha"].assert_eq(&find(JobFilter::Name(text("", true))));
    expect!["Alpha, alpha"].assert_eq(&find(JobFilter::Definition(text("d", false))));
    expect!["alphabet, Alpha, alpha"].assert_eq(&find(JobFilter::Definition(text("d", true))));
    let revision = DefinitionRevision {
        name: definition_name("d"),
        revision: 2,
    };
    expect!["Alpha"].assert_eq(&find(JobFilter::Revision(revision)));
    let second = |number: i64| Timestamp::from_millis(1_000_000 + number * 1_000);
    expect!["Alpha, alpha"].assert_eq(&find(JobFilter::CreatedBefore(second(2))));
    expect!["100%_a"].assert_eq(&find(JobFilter::CreatedAfter(second(2))));
}

pub(crate) fn children_are_listed_by_index_and_status(place: &dyn Place) {
    let mut world = World::new(place);
    let mut submit = submission(0);
    submit.array_size = Some(8);
    let id = world.submit(submit);
    world.started(JobKey::child(id, 1));
    world.exited(JobKey::child(id, 0), 0);
    let store = world.store();
    let children = |status, filter| list(store, JobScope::Array(id), status, filter);
    expect!["0 SUCCEEDED, 1 RUNNING, 2 STARTING, 3 STARTING, 4 STARTING, 5 STARTING, 6 RUNNABLE, 7 RUNNABLE"]
        .assert_eq(&children(None, None));
    expect!["6 RUNNABLE, 7 RUNNABLE"].assert_eq(&children(Some(JobStatus::Runnable), None));
    expect!["0 SUCCEEDED"].assert_eq(&children(Some(JobStatus::Succeeded), None));
    expect![[r#""#]].assert_eq(&children(Some(JobStatus::Pending), None));
    // All children have their array's name: a filter finds all of them or none.
    let named = |text: &str| {
        Some(JobFilter::Name(TextMatch {
            text: text.to_owned(),
            is_prefix: false,
        }))
    };
    expect!["1 RUNNING"].assert_eq(&children(Some(JobStatus::Running), named("job0")));
    expect![[r#""#]].assert_eq(&children(None, named("job1")));
    let single = world.submit(submission(1));
    assert_eq!(no_children(world.store(), single), "");
}

fn no_children(store: &dyn Store, single: JobId) -> String {
    list(store, JobScope::Array(single), None, None)
}

pub(crate) fn counts_are_of_singles_and_children(place: &dyn Place) {
    let mut world = World::new(place);
    let mut array = submission(0);
    array.array_size = Some(4);
    let array = world.submit(array);
    for number in 1..4 {
        let mut submit = submission(number);
        Arc::make_mut(&mut submit.profile).resources.vcpus = MilliVcpus(500);
        world.submit(submit);
    }
    let mut waits = submission(4);
    waits.dependencies = vec![world.depends_on(JobKey::whole(array), false)];
    world.submit(waits);
    world.started(JobKey::child(array, 0));
    world.exited(JobKey::child(array, 0), 0);
    world.exited(JobKey::child(array, 1), 1);
    world.started(JobKey::child(array, 2));
    let counts = world.store().counts(QueueId(1)).unwrap();
    expect!["1 pending, 0 runnable, 4 starting, 1 running, 1 succeeded, 1 failed"]
        .assert_eq(&show::counts(&counts));
    let none = world.store().counts(QueueId(2)).unwrap();
    assert_eq!(none, batchyard_core::array::StatusCounts::default());
}

pub(crate) fn jobs_are_found_by_share_and_by_what_they_take(place: &dyn Place) {
    let mut world = World::new(place);
    world
        .command(Command::CreateItem(Box::new(fair_share_put("p"))))
        .unwrap();
    for name in ["licence", "licences", "gpu-hours"] {
        let put = Box::new(crate::fixture::consumable_put(name, 100));
        world.command(Command::CreateItem(put)).unwrap();
    }
    let fair = PutQueue {
        policy: Some(policy_name("p")),
        ..queue_put("q1", &["ce0"])
    };
    world.create_queue(fair);
    let claim = |name: &str, quantity| ConsumableClaim {
        name: consumable_name(name),
        quantity,
    };
    for number in 0..6 {
        let mut submit = submission(number);
        if number % 2 == 1 {
            submit.queue = crate::fixture::queue_name("q1");
            let identifier = if number == 3 { "red" } else { "reddish" };
            Arc::make_mut(&mut submit.profile).share = Some(ShareClaim {
                identifier: identifier.into(),
                priority: 7,
            });
        }
        if number > 2 {
            Arc::make_mut(&mut submit.profile).consumables = vec![claim("licence", 1), claim("gpu-hours", 5)];
        }
        if number == 5 {
            Arc::make_mut(&mut submit.profile).consumables = vec![claim("licences", 1)];
        }
        world.submit(submit);
    }
    let store = world.store();
    let share = |text: &str| Some(JobFilter::Share(text.to_owned()));
    let in_queue = JobScope::Queue(QueueId(2));
    expect!["job5 RUNNABLE, job1 STARTING"].assert_eq(&list(store, in_queue.clone(), None, share("reddish")));
    expect!["job3 STARTING"].assert_eq(&list(store, in_queue.clone(), None, share("red")));
    expect![""].assert_eq(&list(store, in_queue, Some(JobStatus::Runnable), share("red")));
    let taking = |name| list(store, JobScope::Consumers(consumable_name(name)), None, None);
    expect!["job4 STARTING, job3 STARTING"].assert_eq(&taking("licence"));
    expect!["job4 STARTING, job3 STARTING"].assert_eq(&taking("gpu-hours"));
    expect!["job5 RUNNABLE"].assert_eq(&taking("licences"));
    expect![""].assert_eq(&taking("none"));
}

/// A queue with the quota shares `s` and `t`, and four jobs in it: of `s`, `t`, `s`, `s`; the last one finds no place.
pub(crate) fn with_quota_shares(place: &dyn Place) -> (World<'_>, Vec<JobId>) {
    let mut world = World::new(place);
    let quota = PutItem {
        item: Item::SchedulingPolicy(SchedulingPolicy::QuotaShare),
        ..fair_share_put("p")
    };
    world.command(Command::CreateItem(Box::new(quota))).unwrap();
    let put = environment_put("se", 7);
    let name = EnvironmentName::parse_service("se").unwrap();
    world.create_environment(PutEnvironment {
        name: name.clone(),
        ..put
    });
    world.create_queue(PutQueue {
        environments: vec![name],
        policy: Some(policy_name("p")),
        ..queue_put("service", &[])
    });
    for share in ["s", "t"] {
        let put = quota_share_put("service", share, Switch::Enabled);
        world.command(Command::CreateItem(Box::new(put))).unwrap();
    }
    let mut ids = Vec::new();
    for (number, share) in ["s", "t", "s", "s"].into_iter().enumerate() {
        let mut submit = submission(number);
        submit.queue = crate::fixture::queue_name("service");
        submit.content.revision = 0;
        Arc::make_mut(&mut submit.profile).platform = Platform::Service;
        Arc::make_mut(&mut submit.profile).resources = Resources::default();
        Arc::make_mut(&mut submit.profile).service = Some(ServiceClaim {
            unit: "ml.m5.large".into(),
            count: 1,
            quota_share: Some(QuotaShareName::parse(share).unwrap()),
            preemptions_max: None,
        });
        ids.push(world.submit(submit));
    }
    (world, ids)
}

pub(crate) fn service_jobs_are_found_by_quota_share_and_keep_their_new_priority(place: &dyn Place) {
    let (mut world, ids) = with_quota_shares(place);
    world
        .command(Command::PrioritizeServiceJob {
            job: ids[3],
            priority: 9,
        })
        .unwrap();
    world.commit();
    let store = world.store();
    let found = |share: &str| {
        let filter = JobFilter::QuotaShare(share.to_owned());
        list(store, JobScope::Queue(QueueId(2)), None, Some(filter))
    };
    expect!["job3 RUNNABLE, job2 SCHEDULED, job0 SCHEDULED"].assert_eq(&found("s"));
    expect!["job1 SCHEDULED"].assert_eq(&found("t"));
    let scheduled = list(
        store,
        JobScope::Queue(QueueId(2)),
        Some(JobStatus::Scheduled),
        None,
    );
    expect!["job2 SCHEDULED, job1 SCHEDULED, job0 SCHEDULED"].assert_eq(&scheduled);
    expect![""].assert_eq(&found("none"));
    let rows = store.jobs(&[JobKey::whole(ids[3])]).unwrap();
    assert_eq!(
        rows[0].profile.share.as_ref().map(|share| share.priority),
        Some(9)
    );
}
