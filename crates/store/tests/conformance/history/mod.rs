//! Random histories, committed in batches of random size: after each the store has what the core has.

mod op;

use std::sync::Arc;

use batchyard_core::change::StopKind;
use batchyard_core::command::{Command, RegisterDefinition, Reply};
use batchyard_core::environment::Switch;
use batchyard_core::id::{AttemptKey, JobId, JobKey};
use batchyard_core::item::ItemKey;
use batchyard_core::job::{ConsumableClaim, ShareClaim};
use batchyard_core::options::MAX_CONCURRENCY;
use batchyard_core::report::{ContainerEnd, Report};
use batchyard_core::time::{Millis, Timestamp};
use batchyard_core::token::ClientToken;
use proptest::test_runner::{Config, FileFailurePersistence, TestRunner};

use crate::fixture::{
    consumable_put, definition_name, document, environment_name, environment_put, environment_spec,
    fair_share_put, policy_name, queue_name, queue_put, quota_share_put, tag, with_nodes,
};
use crate::place::Place;
use crate::world::World;
use op::{DependencyOp, EnvironmentOp, Fact, ItemOp, Op, QueueOp, Step, SubmitOp, Verb};

/// Each history is tens of durable commits, and each commit is checked by reading everything.
const HISTORIES: u32 = 48;

pub(crate) fn a_core_restored_from_the_store_is_the_core_that_made_the_changes<P: Place>(
    place: &dyn Fn() -> P,
) {
    let seeds = FileFailurePersistence::Direct("proptest-regressions/histories.txt");
    let cases = std::env::var("PROPTEST_CASES")
        .ok()
        .and_then(|cases| cases.parse().ok());
    let config = Config {
        failure_persistence: Some(Box::new(seeds)),
        cases: cases.unwrap_or(HISTORIES),
        max_shrink_iters: 2_000,
        ..Config::default()
    };
    let result = TestRunner::new(config).run(&op::history(), |history| {
        let place = place();
        let mut world = World::empty(&place);
        let mut jobs = Vec::new();
        for Step { op, is_committed } in &history {
            play(&mut world, &mut jobs, op);
            if *is_committed {
                world.commit();
            }
        }
        world.restart();
        world.commit();
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

fn play(world: &mut World<'_>, jobs: &mut Vec<JobId>, op: &Op) {
    match op {
        Op::Environment(op) => environment(world, op),
        Op::Queue(op) => queue(world, op),
        Op::Submit(op) => submit(world, jobs, op),
        Op::Stop {
            pick,
            child,
            terminate,
        } => {
            let Some(id) = pick_of(jobs, *pick) else { return };
            let kind = if *terminate {
                StopKind::Terminate
            } else {
                StopKind::Cancel
            };
            if world.state().is_service_job(id) {
                // Whether the job lives is the core's to say.
                let _answer = world.command(match kind {
                    StopKind::Terminate => Command::StopServiceJob {
                        job: id,
                        reason: "enough".to_owned(),
                    },
                    StopKind::Cancel => Command::PrioritizeServiceJob { job: id, priority: 7 },
                });
                return;
            }
            let child = child.map(u32::from);
            world.stop(JobKey { id, child }, kind);
        }
        Op::Report { pick, fact, skew_ms } => {
            let at = world.now.as_millis() + i64::from(*skew_ms);
            let attempt = pick_of(&world.launched, *pick);
            report(world, attempt, *fact, Timestamp::from_millis(at));
        }
        Op::Progress { pick, fact } => {
            let live: Vec<AttemptKey> = world.state().live_attempts().map(|(key, _, _)| key).collect();
            let at = world.now;
            report(world, pick_of(&live, *pick), *fact, at);
        }
        Op::Register { deregister } => register(world, *deregister),
        Op::Tag { queue, set, removed } => {
            let resource = format!("job-queue/q{queue}");
            // The server asks for tags only of what exists.
            if world
                .state()
                .queue_named(&queue_name(&format!("q{queue}")))
                .is_some()
            {
                let key = |number: &u8| match number {
                    3 => MAX_CONCURRENCY.to_owned(),
                    other => other.to_string(),
                };
                let set = set.iter().map(|number| tag(&key(number), "1")).collect();
                let removed = removed.iter().map(key).collect();
                world
                    .command(Command::ChangeTags {
                        resource,
                        set,
                        removed,
                    })
                    .unwrap();
            }
        }
        Op::Item(op) => item(world, op),
        Op::Elapse { ms } => world.elapse(Millis::new(u64::from(*ms))),
        Op::DropQueue { name } => drop_queue(world, *name),
        Op::DropEnvironment { name } => drop_environment(world, *name),
        Op::Restart => world.restart(),
        Op::Purge { age_ms } => {
            let before = world.now.as_millis() - i64::from(*age_ms);
            world.purge(Timestamp::from_millis(before));
        }
    }
}

fn report(world: &mut World<'_>, attempt: Option<AttemptKey>, fact: Fact, at: Timestamp) {
    let Some(attempt) = attempt else { return };
    let report = match fact {
        Fact::Preparing => Report::Preparing,
        Fact::Started => Report::Started { at },
        Fact::Exited(exit_code) => Report::Exited {
            at,
            exit_code,
            reason: exit_code.is_none().then(|| "of its own".to_owned()),
            containers: ends(exit_code),
        },
        Fact::NotStarted => Report::NotStarted {
            at,
            reason: "CannotStartContainerError: no".to_owned(),
            containers: ends(None),
        },
        Fact::Lost => Report::Lost { at },
    };
    let input = batchyard_core::command::Input::Report { attempt, report };
    world.input(input).unwrap();
}

/// As of a task of two containers, unless the code is 0.
fn ends(exit_code: Option<i32>) -> Vec<ContainerEnd> {
    if exit_code == Some(0) {
        return Vec::new();
    }
    let side = ContainerEnd {
        name: "side".to_owned(),
        exit_code: None,
        reason: Some("never started".to_owned()),
        has_started: false,
    };
    let app = ContainerEnd {
        name: "app".to_owned(),
        exit_code,
        reason: None,
        has_started: exit_code.is_some(),
    };
    vec![side, app]
}

fn switch(is_enabled: bool) -> Switch {
    if is_enabled {
        Switch::Enabled
    } else {
        Switch::Disabled
    }
}

fn environment(world: &mut World<'_>, op: &EnvironmentOp) {
    let EnvironmentOp {
        verb,
        name,
        kind,
        is_enabled,
    } = op;
    let text = format!("ce{name}");
    let mut put = environment_put(&text, *kind);
    put.switch = switch(*is_enabled);
    put.spec = environment_spec(*kind);
    let name = environment_name(&text);
    let known = world.state().environment_named(&name);
    let version = known.map_or(1, |(_, environment)| environment.version);
    let put = Box::new(put);
    let _may_be_refused = world.command(match verb {
        Verb::Create => Command::CreateEnvironment(put),
        Verb::Update => Command::UpdateEnvironment {
            put,
            version,
            // Every other kind comes with new instances.
            renewal: kind
                .is_multiple_of(2)
                .then_some(Millis::from_seconds(u64::from(op.name))),
        },
        Verb::Delete => Command::DeleteEnvironment(name),
    });
}

fn queue(world: &mut World<'_>, op: &QueueOp) {
    let QueueOp {
        verb,
        name,
        priority,
        environments,
        policy,
        is_enabled,
    } = op;
    let environments: Vec<String> = environments.iter().map(|name| format!("ce{name}")).collect();
    let environments: Vec<&str> = environments.iter().map(String::as_str).collect();
    let mut put = queue_put(&format!("q{name}"), &environments);
    put.switch = switch(*is_enabled);
    put.priority = *priority;
    put.policy = policy.map(|policy| policy_name(&format!("p{policy}")));
    let name = put.name.clone();
    let known = world.state().queue_named(&name);
    let version = known.map_or(1, |(_, queue)| queue.version);
    let put = Box::new(put);
    let _may_be_refused = world.command(match verb {
        Verb::Create => Command::CreateQueue(put),
        Verb::Update => Command::UpdateQueue { put, version },
        Verb::Delete => Command::DeleteQueue(name),
    });
}

fn item(world: &mut World<'_>, op: &ItemOp) {
    let ItemOp {
        verb,
        kind,
        name,
        queue,
        is_enabled,
    } = op;
    let put = match kind {
        0 => fair_share_put(&format!("p{name}")),
        1 => consumable_put(&format!("c{name}"), u64::from(*queue)),
        _ => quota_share_put(&format!("q{queue}"), &format!("s{name}"), switch(*is_enabled)),
    };
    let key = put.key.clone();
    let version = world.state().item(&key).map_or(1, |item| item.version);
    let put = Box::new(put);
    let _may_be_refused = world.command(match verb {
        Verb::Create => Command::CreateItem(put),
        Verb::Update => Command::UpdateItem { put, version },
        Verb::Delete => Command::DeleteItem(key),
    });
}

fn submit(world: &mut World<'_>, jobs: &mut Vec<JobId>, op: &SubmitOp) {
    let SubmitOp {
        queue,
        profile,
        array_size,
        nodes,
        is_sequential,
        dependencies,
    } = op;
    let depends_on = |op: &DependencyOp| {
        let id = pick_of(jobs, op.pick)?;
        let child = op.child.map(u32::from).filter(|_| !op.is_pairing);
        Some(world.depends_on(JobKey { id, child }, op.is_pairing))
    };
    let mut submit = crate::fixture::submission(jobs.len());
    submit.queue = queue_name(&format!("q{queue}"));
    submit.profile = Arc::new(profile.profile());
    if let Some(count) = nodes {
        submit = with_nodes(submit, *count);
    }
    submit.array_size = *array_size;
    submit.is_sequential = *is_sequential;
    submit.dependencies = dependencies.iter().filter_map(depends_on).collect();
    // Some are marked, later with a mark that was used.
    submit.token = jobs.len().is_multiple_of(4).then(|| ClientToken {
        token: format!("t{}", jobs.len() % 24).into(),
        digest: [u8::from(jobs.len() > 36); 16],
        life: Millis::from_seconds(if jobs.len().is_multiple_of(8) { 86_400 } else { 3 }),
    });
    let (_, known) = match world.state().queue_named(&submit.queue) {
        Some(known) => known,
        None => return,
    };
    // Where jobs are ordered by share each has one.
    Arc::make_mut(&mut submit.profile).share = known.policy.is_some().then(|| ShareClaim {
        identifier: format!("share{}", jobs.len() % 2).into(),
        priority: 0,
    });
    // Some take of what there is, and some arrays are held back.
    let resources = world.state().items().filter_map(|(key, _)| match key {
        ItemKey::ConsumableResource(name) if jobs.len().is_multiple_of(5) => Some(name.clone()),
        _ => None,
    });
    let claims = resources.map(|name| ConsumableClaim { name, quantity: 1 });
    Arc::make_mut(&mut submit.profile).consumables = claims.collect();
    if jobs.len().is_multiple_of(3) {
        submit.content.tags.push(tag(MAX_CONCURRENCY, "2"));
    }
    let id = submit.id;
    // A token that was used answers the first job.
    let answer = world.command(Command::SubmitJob(Box::new(submit)));
    if answer.is_ok_and(|answer| answer == Reply::Job(id)) {
        jobs.push(id);
    }
}

fn register(world: &mut World<'_>, deregister: bool) {
    let name = definition_name("d");
    let revisions = world.state().revisions(&name);
    let revision = revisions.map_or(1, |revisions| revisions.highest);
    // Revision 1 stays, or nothing could be submitted any more.
    let _may_be_refused = world.command(if deregister && revision > 1 {
        Command::DeregisterDefinition { name, revision }
    } else {
        Command::RegisterDefinition(Box::new(RegisterDefinition {
            name,
            document: document("{}"),
            tags: vec![tag("revision", &revision.to_string())],
        }))
    });
}

/// A queue is disabled and deleted under whatever waits and runs there.
fn drop_queue(world: &mut World<'_>, name: u8) {
    for (verb, is_enabled) in [(Verb::Update, false), (Verb::Delete, false)] {
        let op = QueueOp {
            verb,
            name,
            priority: 0,
            environments: vec![0],
            policy: None,
            is_enabled,
        };
        queue(world, &op);
    }
}

/// An environment is taken from all queues, then disabled and deleted under whatever runs there.
fn drop_environment(world: &mut World<'_>, name: u8) {
    for number in 0..3 {
        let op = QueueOp {
            verb: Verb::Update,
            name: number,
            priority: 0,
            environments: vec![(name + 1) % 3],
            policy: None,
            is_enabled: true,
        };
        queue(world, &op);
    }
    for verb in [Verb::Update, Verb::Delete] {
        let op = EnvironmentOp {
            verb,
            name,
            kind: 0,
            is_enabled: false,
        };
        environment(world, &op);
    }
}

fn pick_of<T: Copy>(from: &[T], pick: u8) -> Option<T> {
    let len = from.len();
    // The latest first: what happened lately is what matters most.
    (len > 0).then(|| from[len - 1 - usize::from(pick) % len])
}
