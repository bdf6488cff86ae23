//! What must hold of the state after every step.
//!
//! Long because it is one list, to be read as one.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use batchyard_core::array::Array;
use batchyard_core::environment::{Capacity, Life};
use batchyard_core::explain::{Because, Explanation, explain};
use batchyard_core::id::{JobId, JobKey};
use batchyard_core::interval_set::IntervalSet;
use batchyard_core::item::{Item, ItemKey};
use batchyard_core::job::{Body, Dependency, Job, JobStatus};
use batchyard_core::multi_node::MultiNode;
use batchyard_core::queue::Order;
use batchyard_core::resources::{GpuSet, Resources};
use batchyard_core::schedule::{Gate, Hindrance};
use batchyard_core::share::share_of;
use batchyard_core::state::State;
use batchyard_core::time::Timestamp;

/// How many checks [`check`] makes.
pub(crate) const CHECKS: usize = 7;

/// Checks all that must hold between any two steps.
pub(crate) fn check(state: &State, now: Timestamp) {
    check_occupancy(state);
    check_gpus(state);
    for (id, job) in state.jobs() {
        check_job(state, id, job);
    }
    check_order(state);
    check_shares(state);
    check_supplies(state);
    check_explanations(state, now);
}

/// Checks that no queue's front could start, and that nothing that was deleted is left without a reason: to be called when the core
/// says that it has nothing to do.
pub(crate) fn check_nothing_is_left_undone(state: &State, now: Timestamp) {
    for (id, environment) in state.environments() {
        let is_left = environment.life == Life::Deleting && environment.attempts == 0;
        assert!(!is_left, "{id:?} was deleted, and is empty");
    }
    for (id, queue) in state.queues() {
        let is_left = queue.life == Life::Deleting && state.jobs_in(id) == 0;
        assert!(!is_left, "{id:?} was deleted, and is empty");
        for (line, blocked) in &queue.blocked {
            let front = state.front(id, line).map(|(front, _)| front);
            assert_eq!(front, Some(blocked.job), "{line} of {id:?}");
        }
        for line in state.runnable(id).lines() {
            let (front, _) = state.front(id, line).expect("lines are not empty");
            let because = explain(state, front, now).expect("the front is live").because;
            assert!(
                matches!(because, Because::Held(_)),
                "the front of {id:?}, {front}, could start: {because:?}"
            );
        }
    }
}

/// Checks that fronts that wait although nothing runs do so for something that more time would not change.
pub(crate) fn check_waits_are_for_good(state: &State, now: Timestamp) {
    assert_eq!(state.live_attempts().count(), 0);
    let is_kept = |capacity: &Capacity| matches!(capacity, Capacity::Instances(plan) if plan.vcpus_min > 0);
    let are_some_kept = state
        .environments()
        .any(|(_, environment)| is_kept(&environment.spec.capacity));
    let lines = state.queues().flat_map(|(id, _)| {
        let lines = state.runnable(id).lines();
        lines.map(move |line| (id, line))
    });
    for (id, line) in lines {
        let (front, _) = state.front(id, line).expect("lines are not empty");
        let because = explain(state, front, now).expect("the front is live").because;
        let Because::Held(held) = because else {
            panic!("{front} could start: {because:?}");
        };
        for gate in held.gates {
            let is_for_good = match &gate {
                // What nobody holds does not come back.
                Gate::Consumable { in_use, .. } => *in_use == 0,
                // Within its own limit a share's job could start now.
                Gate::Quota { standing, quantity } => standing.used == 0 && *quantity > standing.limit,
                Gate::QueueConcurrency { .. } | Gate::Reserved { .. } | Gate::GivenBack { .. } => false,
            };
            assert!(is_for_good, "{front} waits for nothing: it {gate}");
        }
        for (environment, hindrance) in held.hindrances {
            let is_passing = match hindrance {
                Hindrance::MaximumReached { .. } | Hindrance::UnitsReached { .. } => true,
                Hindrance::HostBusy { .. } => !are_some_kept,
                Hindrance::Disabled
                | Hindrance::Deleting
                | Hindrance::Invalid
                | Hindrance::SingleNodesOnly
                | Hindrance::Platform(_)
                | Hindrance::OverMaximum { .. }
                | Hindrance::OverTypes
                | Hindrance::NoSuchType(_)
                | Hindrance::OverUnits { .. }
                | Hindrance::OverHost { .. } => false,
            };
            assert!(
                !is_passing,
                "{front} waits for nothing: {environment} {hindrance}"
            );
        }
    }
}

/// What is held is the sum of what attempts hold, and no more than there is.
fn check_occupancy(state: &State) {
    let mut of_environment = BTreeMap::new();
    let mut of_instance = BTreeMap::new();
    let mut of_host = Resources::default();
    let mut units: BTreeMap<_, BTreeMap<Box<str>, u32>> = BTreeMap::new();
    for (key, profile, execution) in state.live_attempts() {
        let placement = execution.attempt.as_ref().expect("it is live").placement;
        if let Some(instance) = placement.instance {
            let environment = state.environment(placement.environment);
            let leaving = environment.instances.get(&instance).and_then(|one| one.leaving);
            let is_over = leaving.is_some_and(|leaving| leaving.due.is_none());
            let is_stopping = execution
                .attempt
                .as_ref()
                .is_some_and(|attempt| attempt.stopping.is_some());
            assert!(
                !is_over || is_stopping,
                "{key} runs on an instance that was taken away"
            );
        }
        let need = profile.need(key.job.child);
        if let Some(claim) = &profile.service {
            let of_unit = units.entry(placement.environment).or_default();
            *of_unit.entry(claim.unit.clone()).or_default() += claim.count;
        }
        add(&mut of_environment, placement.environment, need);
        match placement.instance {
            // A node has its instance for itself.
            Some(instance) if profile.nodes.is_some() => {
                let whole = state.environment(placement.environment).instances[&instance].capacity;
                add(&mut of_instance, (placement.environment, instance), whole);
                assert_eq!(
                    of_instance[&(placement.environment, instance)].1,
                    1,
                    "{instance:?} is shared"
                );
            }
            Some(instance) => add(&mut of_instance, (placement.environment, instance), need),
            None => of_host = of_host.plus(need),
        }
        assert_eq!(placement.gpus.count(), need.gpus);
    }
    for (id, environment) in state.environments() {
        let (sum, count) = of_environment.remove(&id).unwrap_or_default();
        assert_eq!((environment.in_use, environment.attempts), (sum, count), "{id:?}");
        assert_eq!(environment.units, units.remove(&id).unwrap_or_default(), "{id:?}");
        for (instance_id, instance) in &environment.instances {
            let (sum, count) = of_instance.remove(&(id, *instance_id)).unwrap_or_default();
            assert_eq!(
                (instance.in_use, instance.attempts),
                (sum, count),
                "{instance_id:?}"
            );
            assert!(
                instance.capacity.fits(instance.in_use),
                "{instance_id:?} holds too much"
            );
            assert_eq!(instance.gpus.count(), instance.capacity.gpus);
            of_host = of_host.plus(instance.capacity);
        }
    }
    assert!(
        of_environment.is_empty() && of_instance.is_empty(),
        "attempts are nowhere"
    );
    let host = state.host().resources;
    assert!(host.fits(of_host), "{of_host} is held of {host}");
    assert_eq!(state.fleet().host_free(), host.minus(of_host));
}

fn add<K: Ord>(sums: &mut BTreeMap<K, (Resources, u32)>, key: K, need: Resources) {
    let (sum, count) = sums.entry(key).or_default();
    *sum = sum.plus(need);
    *count += 1;
}

/// No GPU is held twice, and a job on an instance has GPUs of that instance.
fn check_gpus(state: &State) {
    let mut held = GpuSet::default();
    let mut hold = |gpus: GpuSet| {
        assert_eq!(held.without(gpus), held, "a GPU is held twice");
        held = held.with(gpus);
    };
    let mut on_instances: BTreeMap<_, GpuSet> = BTreeMap::new();
    for (_, _, execution) in state.live_attempts() {
        let placement = execution.attempt.as_ref().expect("it is live").placement;
        let Some(instance) = placement.instance else {
            hold(placement.gpus);
            continue;
        };
        let on_instance = on_instances.entry(instance).or_default();
        assert_eq!(
            on_instance.without(placement.gpus),
            *on_instance,
            "a GPU is held twice"
        );
        *on_instance = on_instance.with(placement.gpus);
    }
    for (_, environment) in state.environments() {
        for (id, instance) in &environment.instances {
            hold(instance.gpus);
            let in_use = on_instances.remove(id).unwrap_or_default();
            assert_eq!(instance.gpus_in_use, in_use);
            assert!(
                in_use.without(instance.gpus).is_empty(),
                "a job has a GPU of another instance"
            );
        }
    }
    assert_eq!(
        state.fleet().gpus_free(),
        GpuSet::first(state.host().resources.gpus).without(held)
    );
}

fn check_job(state: &State, id: JobId, job: &Job) {
    assert!(
        state.queues().any(|(queue, _)| queue == job.queue),
        "{id} is in no queue"
    );
    match &job.body {
        Body::Waiting(dependencies) => {
            assert!(!dependencies.is_empty(), "{id} waits for nothing");
            check_dependencies(state, id, dependencies);
        }
        Body::Ready(_) => {}
        Body::MultiNode(multi_node) => check_nodes(id, job, multi_node),
        Body::Array(array) => {
            check_dependencies(state, id, &array.gate);
            check_array(state, id, array);
        }
    }
}

fn check_nodes(id: JobId, job: &Job, multi_node: &MultiNode) {
    let shape = job.profile.nodes.as_ref().expect("such jobs have nodes");
    let Some(gang) = &multi_node.gang else { return };
    assert_eq!(
        Ok(gang.nodes.len()),
        usize::try_from(shape.count),
        "{id} is placed in part"
    );
    assert!(!gang.has_ended(), "{id} has ended and is still live");
    let mut places = gang.live().map(|(_, attempt)| attempt.placement.environment);
    let first = places.next();
    assert!(
        places.all(|place| Some(place) == first),
        "{id} is in two environments"
    );
    let main = gang.execution(shape.main).expect("it is one of the nodes");
    assert_eq!(main.attempt.is_none(), gang.main_end.is_some());
    for (node, attempt) in gang.live().filter(|(node, _)| *node != shape.main) {
        let may_run = gang.has_started(shape.main);
        assert!(
            may_run || attempt.started_at.is_none(),
            "{id}#{node} runs before its main node"
        );
        let is_over = gang.stopping.is_some() || gang.main_end.is_some();
        assert!(
            !is_over || attempt.stopping.is_some(),
            "{id}#{node} is left running"
        );
    }
}

fn check_dependencies(state: &State, id: JobId, dependencies: &[Dependency]) {
    for dependency in dependencies {
        let status = state.status(dependency.on);
        assert!(
            status.is_some_and(|status| !status.is_terminal()),
            "{id} waits for {}, which is {status:?}",
            dependency.on
        );
    }
}

fn check_array(state: &State, id: JobId, array: &Array) {
    let executions: IntervalSet = array.executions.keys().copied().collect();
    let places = [
        &array.waiting,
        &array.runnable,
        &executions,
        &array.succeeded,
        &array.failed,
    ];
    let mut all = IntervalSet::default();
    for place in places {
        assert!(
            all.intersection(place).is_empty(),
            "{id} has a child in two places: {array:?}"
        );
        all.extend(place);
    }
    assert_eq!(all, IntervalSet::up_to(array.size), "{id} has lost a child");
    assert!(!array.has_ended(), "{id} has ended and is still live");
    assert!(
        array.ready().is_empty(),
        "children of {id} wait for nothing: {array:?}"
    );
    let counts = array.counts();
    let sum = counts.pending
        + counts.runnable
        + counts.starting
        + counts.running
        + counts.succeeded
        + counts.failed;
    assert_eq!(sum, array.size);
    for pairing in &array.pairings {
        assert_eq!(
            pairing.is_open,
            state.job(pairing.on).is_some(),
            "{id} is paired with {}",
            pairing.on
        );
    }
    let unstarted = array
        .unstarted
        .iter()
        .fold(IntervalSet::default(), |mut all, failure| {
            assert!(
                all.intersection(&failure.children).is_empty(),
                "{id} has a child that failed twice"
            );
            all.extend(&failure.children);
            all
        });
    assert_eq!(unstarted.intersection(&array.failed), unstarted);
}

/// Every queue has exactly its runnable jobs: those to be tried again first, then in order of submission.
fn check_order(state: &State) {
    let mut counts: BTreeMap<_, usize> = BTreeMap::new();
    let mut expected: BTreeMap<_, BTreeMap<&str, BTreeSet<_>>> = BTreeMap::new();
    for (id, job) in state.jobs() {
        *counts.entry(job.queue).or_default() += 1;
        let order = state.runnable(job.queue).order();
        let line = state.runnable(job.queue).line_of(&job.profile);
        let priority = job.profile.share.as_ref().filter(|_| order != Order::Submission);
        let priority = Reverse(priority.map_or(0, |share| share.priority));
        let order = expected.entry(job.queue).or_default().entry(line).or_default();
        match &job.body {
            Body::Waiting(_) => {}
            Body::Ready(execution) => {
                if execution.attempt.is_none() {
                    order.insert((priority, execution.attempts_ended == 0, job.sequence, None, id));
                }
            }
            Body::MultiNode(multi_node) => {
                if multi_node.gang.is_none() {
                    order.insert((priority, multi_node.attempts_ended == 0, job.sequence, None, id));
                }
            }
            Body::Array(array) => {
                let started = array.executions.len();
                let may_start = array
                    .max_concurrency
                    .is_none_or(|max| started < usize::try_from(max).expect("it fits"));
                if !array.runnable.is_empty() && may_start {
                    order.insert((priority, true, job.sequence, None, id));
                }
                for (child, execution) in &array.executions {
                    if execution.attempt.is_none() {
                        order.insert((priority, false, job.sequence, Some(*child), id));
                    }
                }
            }
        }
    }
    for (id, _) in state.queues() {
        let lines = expected.remove(&id).unwrap_or_default().into_iter();
        let lines = lines.filter(|(_, entries)| !entries.is_empty());
        let lines: Vec<(String, Vec<JobKey>)> = lines
            .map(|(line, entries)| {
                let keys = entries
                    .into_iter()
                    .map(|(_, _, _, child, id)| JobKey { id, child });
                (line.to_owned(), keys.collect())
            })
            .collect();
        let runnable = state.runnable(id);
        let order: Vec<(String, Vec<JobKey>)> = runnable
            .lines()
            .map(|line| (line.to_string(), runnable.iter(line).collect()))
            .collect();
        assert_eq!(order, lines, "{id:?}");
        assert_eq!(runnable.len(), runnable.all().count());
        assert_eq!(state.jobs_in(id), counts.remove(&id).unwrap_or(0));
    }
    assert!(counts.is_empty());
}

/// Fair-share queues have ledgers for the shares of all live jobs, others for none, and queues hold their concurrency.
fn check_shares(state: &State) {
    let now = Timestamp::from_millis(i64::MAX / 2);
    for (id, _) in state.queues() {
        let standings = state.standings(id, now);
        if state.runnable(id).order() != Order::FairShare {
            assert_eq!(standings, []);
            continue;
        }
        let of_queue = state.jobs().filter(|(_, job)| job.queue == id);
        for (_, job) in of_queue {
            let share = share_of(&job.profile);
            assert!(
                standings.iter().any(|one| &*one.share == share),
                "{share} of {id:?} is not active"
            );
        }
    }
}

/// No more is held of a consumable resource that comes back than there is, unless its total was lowered meanwhile.
fn check_supplies(state: &State) {
    let mut held: BTreeMap<_, u64> = BTreeMap::new();
    for (key, profile, _) in state.live_attempts() {
        if profile.nodes.is_none() || key.job.child == Some(profile.main_node()) {
            for claim in &profile.consumables {
                *held.entry(claim.name.clone()).or_default() += claim.quantity;
            }
        }
    }
    for (key, kept) in state.items() {
        if let (ItemKey::ConsumableResource(name), Item::ConsumableResource(resource)) = (key, &kept.item) {
            let held = held
                .get(name)
                .copied()
                .filter(|_| resource.is_replenishable)
                .unwrap_or(0);
            let (available, in_use) = state.supply(name);
            assert_eq!(
                (available, in_use),
                (resource.total.saturating_sub(held), held),
                "{name}"
            );
        }
    }
}

/// Whatever is live can be explained.
fn check_explanations(state: &State, now: Timestamp) {
    for (id, job) in state.jobs() {
        let whole = explain(state, JobKey::whole(id), now).expect("it is live");
        assert_eq!(whole.status, job.status());
        check_reason(&whole);
        if let Some(shape) = &job.profile.nodes {
            for node in 0..shape.count {
                let explanation = explain(state, JobKey::child(id, node), now);
                let status = state.status(JobKey::child(id, node));
                assert_eq!(explanation.as_ref().map(|found| found.status), status);
                assert!(explanation.is_none_or(|found| found.to_string().contains('#')));
            }
            assert_eq!(explain(state, JobKey::child(id, shape.count), now), None);
        }
        let Body::Array(array) = &job.body else { continue };
        for child in 0..array.size {
            let explanation = explain(state, JobKey::child(id, child), now).expect("the child exists");
            assert_eq!(Some(explanation.status), array.child_status(child));
            check_reason(&explanation);
            assert!(!explanation.to_string().is_empty());
        }
        assert_eq!(explain(state, JobKey::child(id, array.size), now), None);
    }
}

/// Whatever is not under way has a reason.
fn check_reason(explanation: &Explanation) {
    let has_reason = match &explanation.because {
        Because::WaitsFor(jobs) => !jobs.is_empty(),
        Because::ChildrenLive(counts) => {
            counts.pending + counts.runnable + counts.starting + counts.running > 0
        }
        Because::Behind { ahead, .. } => *ahead > 0 || explanation.job.child.is_some(),
        Because::Held(held) => !held.gates.is_empty() || !held.hindrances.is_empty(),
        Because::ArrayConcurrency { max, started } => usize::try_from(*max).is_ok_and(|max| *started >= max),
        Because::NodesActive {
            running, starting, ..
        } => running + starting > 0,
        Because::AboutToStart | Because::Active { .. } | Because::WaitsForMain(_) | Because::Ended => true,
    };
    assert!(
        has_reason,
        "{} has no reason: {:?}",
        explanation.job, explanation.because
    );
    let is_waiting = matches!(explanation.status, JobStatus::Pending | JobStatus::Runnable);
    let is_active = matches!(
        explanation.because,
        Because::Active { .. } | Because::NodesActive { .. } | Because::WaitsForMain(_) | Because::Ended
    );
    assert!(
        !(is_waiting && is_active),
        "{} waits, and is {:?}",
        explanation.job,
        explanation.because
    );
}

/// The limit on vCPUs of an environment that just got a job or an instance.
pub(crate) fn check_maximum(state: &State, environment: batchyard_core::id::EnvironmentId) {
    let environment = state.environment(environment);
    let vcpus_max = match &environment.spec.capacity {
        Capacity::Units { limits } => {
            let [limit] = &limits[..] else {
                panic!("environments of units have one limit here")
            };
            return assert!(environment.units_of(&limit.unit) <= limit.max);
        }
        Capacity::Shared { vcpus_max: None } => return,
        Capacity::Shared {
            vcpus_max: Some(vcpus_max),
        } => *vcpus_max,
        // The last instance may go beyond the maximum, but only that.
        Capacity::Instances(plan) if plan.choice.overshoots() => {
            let last = environment.instances.last_key_value();
            let last = last.map_or(0, |(_, instance)| instance.capacity.vcpus.ceil());
            plan.vcpus_max.saturating_sub(1) + last
        }
        Capacity::Instances(plan) => plan.vcpus_max,
    };
    assert!(
        environment.vcpus_now() <= vcpus_max,
        "{} has {} vCPUs, at most {vcpus_max} are allowed",
        environment.name,
        environment.vcpus_now()
    );
}
