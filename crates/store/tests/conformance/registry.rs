//! Compute environments, queues, definitions, tags.

use batchyard_core::command::Command;
use batchyard_core::environment::Switch;
use batchyard_core::id::JobKey;
use batchyard_core::name::{EnvironmentKind, EnvironmentName};
use batchyard_core::time::Millis;
use batchyard_runtime::store::{
    DefinitionQuery, DefinitionRevision, DefinitionRow, EnvironmentRow, ItemScope, ItemSelect, Page, Select,
    TextMatch,
};
use expect_test::expect;

use crate::fixture::{
    consumable_put, definition_name, environment_name, environment_put, fair_share_put, queue_name,
    queue_put, quota_share_put, submission, tag,
};
use crate::place::Place;
use crate::show;
use crate::world::{World, pages};

pub(crate) fn environments_are_found_by_name_and_in_pages(place: &dyn Place) {
    let mut world = World::empty(place);
    let compute = EnvironmentKind::Compute;
    for (name, kind) in [("ce2", 4), ("ce0", 0), ("ce1", 2), ("ce10", 1)] {
        world.create_environment(environment_put(name, kind));
    }
    for name in ["ce1", "se"] {
        let put = environment_put(name, 7);
        world.create_environment(batchyard_core::command::PutEnvironment {
            name: EnvironmentName::parse_service(name).unwrap(),
            ..put
        });
    }
    let names = ["ce2", "none", "ce0", "service-environment/ce1"];
    let names = names.map(|name| EnvironmentName::read(name).unwrap()).to_vec();
    let named = Select::Named(names);
    let Page { rows, next } = world.store().environments(compute, &named).unwrap();
    let show = |row: &EnvironmentRow| format!("{} {} {:?}", row.name, row.instance_vcpus, row.tags);
    let shown: Vec<_> = rows.iter().map(show).collect();
    // Those of kind 4 have instances for their desired vCPUs at once.
    assert_eq!(shown, ["ce2 4 [(\"of\", \"ce2\")]", "ce0 0 [(\"of\", \"ce0\")]"]);
    assert_eq!(next, None);
    let store = world.store();
    let names = |kind| {
        let page = |after| {
            store
                .environments(kind, &Select::Page { after, limit: 1 })
                .unwrap()
        };
        let names = pages(page).into_iter().map(|row| row.name.to_string());
        names.collect::<Vec<_>>()
    };
    assert_eq!(names(compute), ["ce0", "ce1", "ce10", "ce2"]);
    let service = EnvironmentKind::Service;
    assert_eq!(
        names(service),
        ["service-environment/ce1", "service-environment/se"]
    );
    let rows = store.environments(service, &named).unwrap().rows;
    assert_eq!(
        rows.iter().map(show).collect::<Vec<_>>(),
        ["service-environment/ce1 0 [(\"of\", \"ce1\")]"]
    );
    // A page that is full says whether it is the last.
    assert_eq!(
        store
            .environments(
                compute,
                &Select::Page {
                    after: None,
                    limit: 4
                }
            )
            .unwrap()
            .next,
        None
    );
}

pub(crate) fn queues_are_found_by_name_and_in_pages(place: &dyn Place) {
    let mut world = World::empty(place);
    for name in ["ce0", "ce1"] {
        world.create_environment(environment_put(name, 0));
    }
    for (name, environments) in [
        ("q1", vec!["ce1", "ce0"]),
        ("q0", vec!["ce0"]),
        ("q2", vec!["ce1"]),
    ] {
        world.create_queue(queue_put(name, &environments));
    }
    let names = ["q2", "none", "q1"].map(queue_name).to_vec();
    let Page { rows, next } = world.store().queues(&Select::Named(names)).unwrap();
    let shown: Vec<_> = rows
        .iter()
        .map(|row| (row.name.as_str(), row.environments.clone(), row.tags.clone()))
        .collect();
    let of = |names: &[&str]| {
        names
            .iter()
            .map(|name| environment_name(name))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        shown,
        [
            ("q2", of(&["ce1"]), vec![tag("of", "q2")]),
            ("q1", of(&["ce1", "ce0"]), vec![tag("of", "q1")])
        ]
    );
    assert_eq!(next, None);
}

pub(crate) fn names_are_free_again_when_their_owner_is_gone(place: &dyn Place) {
    let mut world = World::new(place);
    let ran = JobKey::whole(world.submit(submission(0)));
    world.started(ran);
    world.exited(ran, 0);
    remove_queue_and_environment(&mut world);
    world.commit();
    assert!(world.state().environments().next().is_none());
    world.create_environment(environment_put("ce0", 3));
    world.create_queue(queue_put("q0", &["ce0"]));
    let old = ran;
    let new = JobKey::whole(world.submit(submission(1)));
    let store = world.store();
    // What ran where there is nothing any more still says where.
    expect![[r#"
        SUCCEEDED, created 0s, started 0s, stopped 0s, exit 0, because Essential container in task exited
          1 in ce0, 0s to 0s: exit 0, -, Essential container in task exited"#]]
    .assert_eq(&show::job(store, old));
    let queues: Vec<_> = store
        .jobs(&[old, new])
        .unwrap()
        .into_iter()
        .map(|row| row.queue)
        .collect();
    assert_eq!(queues, [queue_name("q0"), queue_name("q0")]);
    // Only the new queue has the new job: the lists of both are apart.
    let (queue, _) = world.state().queue_named(&queue_name("q0")).unwrap();
    assert_eq!(world.model.jobs_of(queue).len(), 1);
    world.restart();
    world.commit();
}

fn remove_queue_and_environment(world: &mut World<'_>) {
    let queue = queue_put("q0", &["ce0"]);
    let put = Box::new(batchyard_core::command::PutQueue {
        switch: Switch::Disabled,
        ..queue.clone()
    });
    world.command(Command::UpdateQueue { put, version: 1 }).unwrap();
    world.command(Command::DeleteQueue(queue.name)).unwrap();
    let environment = environment_put("ce0", 0);
    let put = Box::new(batchyard_core::command::PutEnvironment {
        switch: Switch::Disabled,
        ..environment.clone()
    });
    world
        .command(Command::UpdateEnvironment {
            put,
            version: 1,
            renewal: None,
        })
        .unwrap();
    world
        .command(Command::DeleteEnvironment(environment.name))
        .unwrap();
}

pub(crate) fn definitions_are_found_by_revision_and_in_pages(place: &dyn Place) {
    let mut world = World::empty(place);
    for name in ["b", "a", "b", "c", "b"] {
        world.register(name);
    }
    for (name, revision) in [("b", 3), ("b", 1), ("c", 1)] {
        let name = definition_name(name);
        world
            .command(Command::DeregisterDefinition { name, revision })
            .unwrap();
    }
    let revision = |name: &str, revision| DefinitionRevision {
        name: definition_name(name),
        revision,
    };
    let show = |rows: &[DefinitionRow]| {
        let shown = rows.iter().map(|row| {
            let DefinitionRevision { name, revision } = &row.revision;
            format!(
                "{name}:{revision}{}",
                if row.is_active { "" } else { " inactive" }
            )
        });
        shown.collect::<Vec<_>>().join(", ")
    };
    let store = world.store();
    let asked = vec![
        revision("b", 3),
        revision("b", 4),
        revision("x", 1),
        revision("a", 1),
    ];
    let found = store.definitions(&DefinitionQuery::Revisions(asked)).unwrap();
    expect!["b:3 inactive, a:1"].assert_eq(&show(&found.rows));
    let list = |name: Option<&str>, is_active| {
        let rows = pages(|after| {
            let query = DefinitionQuery::Page {
                name: name.map(definition_name),
                is_active,
                after,
                limit: 2,
            };
            store.definitions(&query).unwrap()
        });
        show(&rows)
    };
    expect!["a:1, b:3 inactive, b:2, b:1 inactive, c:1 inactive"].assert_eq(&list(None, None));
    expect!["a:1, b:2"].assert_eq(&list(None, Some(true)));
    expect!["b:3 inactive, b:1 inactive, c:1 inactive"].assert_eq(&list(None, Some(false)));
    expect!["b:3 inactive, b:2, b:1 inactive"].assert_eq(&list(Some("b"), None));
    expect!["b:2"].assert_eq(&list(Some("b"), Some(true)));
    expect![""].assert_eq(&list(Some("x"), None));
    let latest = ["a", "b", "c", "x"].map(|name| store.latest_definition(&definition_name(name)).unwrap());
    let latest: Vec<_> = latest.into_iter().flatten().collect();
    expect!["a:1, b:2"].assert_eq(&show(&latest));
    assert_eq!(latest[0].tags, [tag("of", "a")]);
}

pub(crate) fn tags_follow_their_resource(place: &dyn Place) {
    let mut world = World::new(place);
    let job = world.submit(submission(3));
    let change = |resource: &str, set: &[(&str, &str)], removed: &[&str]| Command::ChangeTags {
        resource: resource.to_owned(),
        set: set.iter().map(|(key, value)| tag(key, value)).collect(),
        removed: removed.iter().map(|key| (*key).to_owned()).collect(),
    };
    let of_job = format!("job/{job}");
    world
        .command(change(
            "job-queue/q0",
            &[("b", "1"), ("a", ""), ("of", "other")],
            &[],
        ))
        .unwrap();
    world
        .command(change(&of_job, &[("x", "y")], &["number", "none"]))
        .unwrap();
    world.commit();
    world
        .command(change("job-queue/q0", &[("a", "2")], &["b"]))
        .unwrap();
    let store = world.store();
    assert_eq!(
        store.tags("job-queue/q0").unwrap(),
        [tag("a", "2"), tag("of", "other")]
    );
    assert_eq!(store.tags(&of_job).unwrap(), [tag("x", "y")]);
    assert_eq!(
        store.jobs(&[JobKey::whole(job)]).unwrap()[0].content.tags,
        [tag("x", "y")]
    );
    world.started(JobKey::whole(job));
    world.exited(JobKey::whole(job), 0);
    remove_queue_and_environment(&mut world);
    let store = world.store();
    assert!(store.tags("job-queue/q0").unwrap().is_empty());
    assert!(store.tags("compute-environment/ce0").unwrap().is_empty());
    assert_eq!(store.tags(&of_job).unwrap(), [tag("x", "y")]);
}

pub(crate) fn items_are_found_by_key_and_in_pages(place: &dyn Place) {
    let mut world = World::new(place);
    let enabled = Switch::Enabled;
    for put in [
        fair_share_put("b"),
        fair_share_put("a"),
        consumable_put("Licence", 3),
        consumable_put("licence-2", 4),
        consumable_put("gpus", 5),
        quota_share_put("q0", "s2", enabled),
        quota_share_put("q0", "s1", enabled),
    ] {
        world.command(Command::CreateItem(Box::new(put))).unwrap();
    }
    let policy = fair_share_put("a").key;
    let store = world.store();
    let names = |scope: ItemScope, name: Option<(&str, bool)>| {
        let name = name.map(|(text, is_prefix)| TextMatch {
            text: text.to_owned(),
            is_prefix,
        });
        let rows = pages(|after| {
            let select = ItemSelect::Page {
                scope: scope.clone(),
                name: name.clone(),
                after,
                limit: 1,
            };
            store.items(&select).unwrap()
        });
        let names = rows.iter().map(|row| row.key.to_string());
        names.collect::<Vec<_>>().join(" ")
    };
    expect!["scheduling-policy/a scheduling-policy/b"].assert_eq(&names(ItemScope::SchedulingPolicies, None));
    expect!["consumable-resource/Licence consumable-resource/gpus consumable-resource/licence-2"]
        .assert_eq(&names(ItemScope::ConsumableResources, None));
    let consumables = |text, is_prefix| names(ItemScope::ConsumableResources, Some((text, is_prefix)));
    expect!["consumable-resource/Licence consumable-resource/licence-2"]
        .assert_eq(&consumables("LICENCE", true));
    expect!["consumable-resource/Licence"].assert_eq(&consumables("licence", false));
    expect![""].assert_eq(&consumables("licenc", false));
    let shares = |queue: &str| names(ItemScope::QuotaShares(queue_name(queue)), None);
    expect!["job-queue/q0/quota-share/s1 job-queue/q0/quota-share/s2"].assert_eq(&shares("q0"));
    expect![""].assert_eq(&shares("q"));
    let unknown = fair_share_put("none").key;
    let keyed = store
        .items(&ItemSelect::Keyed(vec![unknown, policy.clone()]))
        .unwrap();
    assert_eq!(keyed.rows.len(), 1);
    assert_eq!((&keyed.rows[0].key, keyed.rows[0].version), (&policy, 1));
    assert_eq!(keyed.next, None);

    // An update keeps the time of creation, a removal takes the tags with it, and a queue's removal its quota shares.
    world.elapse(Millis::from_seconds(5));
    let put = Box::new(fair_share_put("a"));
    world.command(Command::UpdateItem { put, version: 1 }).unwrap();
    world
        .command(Command::DeleteItem(fair_share_put("b").key))
        .unwrap();
    remove_queue_and_environment(&mut world);
    let store = world.store();
    let select = ItemSelect::Keyed(vec![quota_share_put("q0", "s1", enabled).key]);
    assert!(store.items(&select).unwrap().rows.is_empty());
    assert_eq!(store.tags("scheduling-policy/b").unwrap(), []);
    assert_eq!(store.tags("job-queue/q0/quota-share/s1").unwrap(), []);
    assert!(!store.tags("scheduling-policy/a").unwrap().is_empty());
}
