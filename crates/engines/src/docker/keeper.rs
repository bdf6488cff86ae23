//! One attempt, from its launch or from finding its container again until it is forgotten.
//!
//! A keeper is told [`Wish`]es, which add up and are never queued, so that telling them never waits. It looks at its container whenever it is
//! woken, and believes only what it sees. It must not know of other attempts. Start with [`keep`].

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use batchyard_core::id::AttemptKey;
use batchyard_core::launch::{Runner, TaskSpec};
use batchyard_core::report::{ContainerEnd, Report};
use batchyard_core::time::{Millis, Timestamp};
use batchyard_runtime::engine::Launch;
use bollard::query_parameters::KillContainerOptions;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::Context;
use super::daemon::Failure;
use super::drain::{Drain, forget_position};
use super::folder;
use super::labels::Labels;
use super::launch::{Launched, labels_of, launch, make_task};
use super::limits::{LOOK_AGAIN_AFTER, RETRY_MAX, RETRY_MIN};
use super::network;
use super::reason::Reason;
use super::removal::remove;
use super::results;
use super::state::{Exit, Found, State, look};
use super::task::{self, Group};

/// What is wanted of a keeper so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Wish {
    /// To stop, with this time between asking and killing.
    pub(super) stop: Option<Millis>,
    /// To drop everything.
    pub(super) is_forgotten: bool,
    /// How many times to look at the container.
    pub(super) looks: u64,
    /// How many times to tell again what was told.
    pub(super) retells: u64,
}

/// A keeper's end of its wishes.
#[derive(Clone, Debug)]
pub(super) struct Wishes(pub(super) watch::Receiver<Wish>);

/// How a keeper begins.
#[derive(Debug)]
pub(super) enum Beginning {
    /// With an order.
    Launch(Box<Launch>),
    /// With a container that an earlier server started.
    Found(Labels),
    /// With the containers of a task of which an earlier server started some.
    FoundTask(Group),
}

impl Beginning {
    fn attempt(&self) -> AttemptKey {
        match self {
            Beginning::Launch(order) => order.attempt,
            Beginning::Found(labels) => labels.attempt,
            Beginning::FoundTask(group) => group.attempt,
        }
    }
}

impl Wishes {
    /// The next change; never, if the registry is gone: it ends its keepers.
    pub(super) async fn next(&mut self) -> Wish {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        self.0.borrow_and_update().clone()
    }

    pub(super) fn now(&self) -> Wish {
        self.0.borrow().clone()
    }

    /// Whether what has not started yet need not start any more.
    pub(super) fn is_not_to_run(&self) -> bool {
        let wish = self.0.borrow();
        wish.stop.is_some() || wish.is_forgotten
    }

    /// Waits for that.
    pub(super) async fn not_to_run(&mut self) {
        let wanted = |wish: &Wish| wish.stop.is_some() || wish.is_forgotten;
        if self.0.wait_for(wanted).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Waits until everything is to be dropped.
    pub(super) async fn forgotten(&mut self) {
        if self.0.wait_for(|wish| wish.is_forgotten).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Keeps an attempt until it is forgotten.
pub(super) async fn keep(context: Arc<Context>, beginning: Beginning, mut wishes: Wishes) {
    let attempt = beginning.attempt();
    let (parts, mut facts) = match beginning {
        Beginning::Launch(order) => match &order.spec.runner {
            Runner::Task(task) => begin_task(&context, &order, task, &mut wishes).await,
            Runner::Container(_) | Runner::Process(_) => begin(&context, &order, &mut wishes).await,
        },
        Beginning::Found(labels) => {
            let drain = Drain::resume(&context, &labels).await;
            let found = look_until_seen(&context, &labels, &mut wishes).await;
            let facts = attend(&context, &labels, drain, found, &mut wishes).await;
            (vec![labels], facts)
        }
        Beginning::FoundTask(group) => {
            let facts = task::attend(&context, &group, &mut wishes).await;
            (group.parts(), facts)
        }
    };
    let mut retells = wishes.now().retells;
    while !wish_again(&context, attempt, &mut wishes, &mut retells, &facts)
        .await
        .is_forgotten
    {
        wishes.next().await;
    }
    facts.clear();
    clean_up(&context, attempt, &parts).await;
}

/// What is wanted now; tells the facts again if that is.
pub(super) async fn wish_again(
    context: &Context,
    attempt: AttemptKey,
    wishes: &mut Wishes,
    retells: &mut u64,
    facts: &[Report],
) -> Wish {
    let wish = wishes.0.borrow_and_update().clone();
    if wish.retells != *retells && !wish.is_forgotten {
        *retells = wish.retells;
        for fact in facts {
            context.reports.tell(attempt, fact.clone()).await;
        }
    }
    wish
}

/// Launches, and attends to what was launched. Gives the labels and all facts told.
async fn begin(context: &Context, order: &Launch, wishes: &mut Wishes) -> (Vec<Labels>, Vec<Report>) {
    let labels = labels_of(context, order);
    let begun = Notify::new();
    let preparing = tell_preparing(context, order, wishes.clone(), &begun);
    let launched = tokio::select! {
        launched = launch(context, order, &labels, wishes, &begun) => launched,
        never = preparing => match never {},
    };
    let facts = match launched {
        Ok((launched, found)) => {
            let drain = match launched {
                Launched::Now => Drain::new(context, &labels),
                Launched::Before => Drain::resume(context, &labels).await,
            };
            attend(context, &labels, drain, Some(found), wishes).await
        }
        Err(reason) => vec![tell_not_started(context, labels.attempt, &reason, Vec::new()).await],
    };
    (vec![labels], facts)
}

/// The same with a task.
async fn begin_task(
    context: &Context,
    order: &Launch,
    task: &TaskSpec,
    wishes: &mut Wishes,
) -> (Vec<Labels>, Vec<Report>) {
    let group = Group::of_order(context, order, task);
    let begun = Notify::new();
    let preparing = tell_preparing(context, order, wishes.clone(), &begun);
    let made = tokio::select! {
        made = make_task(context, order, task, &group, wishes, &begun) => made,
        never = preparing => match never {},
    };
    let facts = match made {
        Ok(()) => task::attend(context, &group, wishes).await,
        Err((index, reason)) => {
            let ends = group.not_started(index, &reason);
            vec![tell_not_started(context, order.attempt, &reason, ends).await]
        }
    };
    (group.parts(), facts)
}

/// Tells of a training job when its launch has begun to fetch something, and again whenever facts are to be told again. To be dropped when
/// the launch is done: what is told then says more.
async fn tell_preparing(context: &Context, order: &Launch, mut wishes: Wishes, begun: &Notify) -> Infallible {
    begun.notified().await;
    if order.spec.training.is_none() {
        return std::future::pending().await;
    }
    loop {
        let retells = wishes.now().retells;
        context.reports.tell(order.attempt, Report::Preparing).await;
        while wishes.next().await.retells == retells {}
    }
}

async fn tell_not_started(
    context: &Context,
    attempt: AttemptKey,
    reason: &Reason,
    containers: Vec<ContainerEnd>,
) -> Report {
    let fact = Report::NotStarted {
        at: now(),
        reason: reason.text(),
        containers,
    };
    context.reports.tell(attempt, fact.clone()).await;
    fact
}

/// Follows a container to its end. Gives all facts told; they are of no use when the attempt is forgotten meanwhile.
async fn attend(
    context: &Context,
    labels: &Labels,
    mut drain: Option<Drain<'_>>,
    found: Option<Found>,
    wishes: &mut Wishes,
) -> Vec<Report> {
    let mut facts = Vec::new();
    if let Some(at) = found.as_ref().and_then(started_at) {
        if let Some(drain) = &mut drain {
            drain.make_stream().await;
        }
        facts.push(Report::Started { at });
        context.reports.tell(labels.attempt, Report::Started { at }).await;
    }
    let end = watch_over(context, labels, drain.as_mut(), found, wishes, &facts).await;
    let last = match end {
        End::Forgotten => return facts,
        End::Lost => Report::Lost { at: now() },
        End::Exited(mut exit) => {
            if let Some(drain) = &mut drain {
                let _permit = context.drains.acquire().await.expect("never closed");
                tokio::select! {
                    () = drain.finish() => {}
                    () = wishes.forgotten() => return facts,
                }
            }
            exit.failure = folder::failure(labels).await;
            results::keep(context, labels, exit.report(), wishes).await
        }
    };
    context.reports.tell(labels.attempt, last.clone()).await;
    facts.push(last);
    facts
}

fn started_at(found: &Found) -> Option<Timestamp> {
    match &found.state {
        State::Created => None,
        State::Running { started_at } => Some(*started_at),
        State::Exited(exit) => Some(exit.started_at),
    }
}

enum End {
    Exited(Exit),
    Lost,
    Forgotten,
}

/// Waits for the end of a container, its output followed meanwhile.
async fn watch_over(
    context: &Context,
    labels: &Labels,
    drain: Option<&mut Drain<'_>>,
    found: Option<Found>,
    wishes: &mut Wishes,
    facts: &[Report],
) -> End {
    let (halt, ended) = (Notify::new(), Notify::new());
    let follow = async {
        match drain {
            Some(drain) => drain.follow(&halt, &ended).await,
            None => halt.notified().await,
        }
    };
    let wait = async {
        let end = wait_for_end(context, labels, found, wishes, facts, &ended).await;
        // The follower is asked and not dropped: it may be in the middle of an append.
        halt.notify_one();
        end
    };
    let ((), end) = tokio::join!(follow, wait);
    end
}

async fn wait_for_end(
    context: &Context,
    labels: &Labels,
    mut found: Option<Found>,
    wishes: &mut Wishes,
    facts: &[Report],
    ended: &Notify,
) -> End {
    let mut retells = wishes.now().retells;
    let mut stop = Stop::NotAsked;
    loop {
        let stop_signal = match found {
            None => return End::Lost,
            Some(Found {
                state: State::Exited(exit),
                ..
            }) => return End::Exited(exit),
            Some(Found { stop_signal, .. }) => stop_signal,
        };
        let wish = wish_again(context, labels.attempt, wishes, &mut retells, facts).await;
        if wish.is_forgotten {
            return End::Forgotten;
        }
        if let Some(grace) = wish.stop {
            stop = stop.next(context, labels, &stop_signal, grace).await;
        }
        tokio::select! {
            _wish = wishes.next() => {}
            () = ended.notified() => {}
            () = wait_until(stop.due_at()) => {}
        }
        found = match look_until_seen(context, labels, wishes).await {
            Some(found) => Some(found),
            None if wishes.now().is_forgotten => return End::Forgotten,
            None => None,
        };
    }
}

/// How far a stop has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    NotAsked,
    /// The signal could not be sent; it is tried again.
    Failed {
        again_at: Instant,
    },
    /// The program was asked.
    Asked {
        kill_at: Instant,
    },
}

impl Stop {
    /// When it needs to go on.
    pub(super) fn due_at(self) -> Option<Instant> {
        match self {
            Stop::NotAsked => None,
            Stop::Failed { again_at } => Some(again_at),
            Stop::Asked { kill_at } => Some(kill_at),
        }
    }

    /// Sends the signal that is due, if one is.
    pub(super) async fn next(self, context: &Context, labels: &Labels, signal: &str, grace: Millis) -> Stop {
        let now = Instant::now();
        let (due, then) = match self {
            Stop::NotAsked => (signal, grace.as_duration()),
            Stop::Failed { again_at } if now >= again_at => (signal, grace.as_duration()),
            // A kill is sent again until it is seen to have worked.
            Stop::Asked { kill_at } if now >= kill_at => ("SIGKILL", LOOK_AGAIN_AFTER),
            Stop::Failed { .. } | Stop::Asked { .. } => return self,
        };
        match send_signal(context, labels, due).await {
            // What does not run any more cannot be asked; the look that follows shows it.
            Ok(()) | Err(Failure::Refused { .. }) => Stop::Asked {
                kill_at: Instant::now() + then,
            },
            Err(Failure::Unreachable(_) | Failure::NotConnected) => match self {
                Stop::NotAsked | Stop::Failed { .. } => Stop::Failed {
                    again_at: Instant::now() + LOOK_AGAIN_AFTER,
                },
                Stop::Asked { .. } => Stop::Asked {
                    kill_at: Instant::now() + LOOK_AGAIN_AFTER,
                },
            },
        }
    }
}

async fn send_signal(context: &Context, labels: &Labels, signal: &str) -> Result<(), Failure> {
    let _permit = context.requests.acquire().await.expect("never closed");
    let options = KillContainerOptions {
        signal: signal.to_owned(),
    };
    let client = context.daemon.client()?;
    client
        .kill_container(&labels.container_name(), Some(options))
        .await?;
    Ok(())
}

/// Looks, waiting while the daemon does not answer; `None` where there is no container, or the attempt was forgotten meanwhile.
pub(super) async fn look_until_seen(
    context: &Context,
    labels: &Labels,
    wishes: &mut Wishes,
) -> Option<Found> {
    let name = labels.container_name();
    let mut connections = context.daemon.connections();
    loop {
        let permit = context.requests.acquire().await.expect("never closed");
        let looked = look(&context.daemon, &name).await;
        drop(permit);
        match looked {
            Ok(found) => return found,
            Err(failure) => {
                tracing::debug!(attempt = %labels.attempt, error = &failure as &dyn std::error::Error, "failed to look at a container");
            }
        }
        tokio::select! {
            _changed = connections.changed() => {}
            () = tokio::time::sleep(LOOK_AGAIN_AFTER) => {}
            () = wishes.forgotten() => return None,
        }
    }
}

/// Waits for that moment, if there is one.
pub(super) async fn wait_until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// Removes all there is of an attempt, for as long as it takes.
async fn clean_up(context: &Context, attempt: AttemptKey, parts: &[Labels]) {
    let mut pause = RETRY_MIN;
    loop {
        let permit = context.requests.acquire().await.expect("never closed");
        let mut removed = remove(context, parts).await;
        if let (Ok(()), Some(main)) = (&removed, parts.iter().find_map(|labels| labels.main_node)) {
            removed = network::leave(context, main).await;
        }
        drop(permit);
        let Err(failure) = removed else { break };
        tracing::debug!(%attempt, error = &failure as &dyn std::error::Error, "failed to remove a container");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(RETRY_MAX);
    }
    folder::remove_inputs(context, attempt).await;
    for labels in parts {
        forget_position(context, labels).await;
    }
}

pub(super) fn now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
