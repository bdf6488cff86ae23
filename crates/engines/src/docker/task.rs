//! The containers of one task, from their making until all have ended.
//!
//! All are made at the beginning, and carry the task's definition in their labels: whatever becomes of this server, the daemon's list of
//! containers says what is left to do. [`plan`](super::plan) says what that is; here it is done. It must not know of other attempts.
//! Start with [`attend`].

use batchyard_core::id::AttemptKey;
use batchyard_core::launch::{TaskContainer, TaskSpec};
use batchyard_core::report::{ContainerEnd, Report};
use batchyard_core::time::Millis;
use batchyard_runtime::engine::{Launch, MemberLaunch};
use futures_util::future::join_all;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::Context;
use super::daemon::Failure;
use super::drain::Drain;
use super::folder;
use super::holder;
use super::keeper::{Stop, Wishes, look_until_seen, now, wait_until, wish_again};
use super::labels::{Labels, Member, Part};
use super::launch::start_member;
use super::limits::LOOK_AGAIN_AFTER;
use super::plan::{Plan, Stand, View, plan};
use super::reason::Reason;
use super::results;
use super::state::{Found, State};

/// The containers of a task.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) attempt: AttemptKey,
    /// Those of the definition, in its order.
    pub(super) members: Vec<Labels>,
    /// What holds the namespaces they share, where they do.
    pub(super) holder: Option<Labels>,
}

impl Group {
    /// What an order's containers carry.
    pub(super) fn of_order(context: &Context, order: &Launch, task: &TaskSpec) -> Group {
        let Context {
            namespace,
            network,
            attempt_folders,
            ..
        } = context;
        let folders = attempt_folders.as_deref();
        let scratch_volumes =
            super::container::scratch_names(task.containers.iter().map(|one| &one.container)).len();
        let labels = |part, stream| Labels {
            namespace: namespace.clone(),
            attempt: order.attempt,
            stream,
            scratch_volumes,
            main_node: match task.are_hosts {
                true => Some(order.attempt),
                false => order.node.map(|node| node.main),
            },
            failure_file: None,
            results: None,
            part,
        };
        let members = task.containers.iter().zip(&order.members).enumerate();
        let member = |(index, (container, launch)): (usize, (&TaskContainer, &MemberLaunch))| {
            let TaskContainer {
                name,
                depends_on,
                is_essential,
                start_timeout,
                stop_timeout,
                container: _,
                command: _,
                environment: _,
                resources: _,
                log: _,
            } = container;
            let MemberLaunch { stream, .. } = launch;
            let member = Member {
                index,
                count: task.containers.len(),
                name: name.clone(),
                is_essential: *is_essential,
                is_host: task.are_hosts,
                depends_on: depends_on.clone(),
                start_timeout: *start_timeout,
                stop_timeout: *stop_timeout,
                end: task.end,
            };
            Labels {
                failure_file: folder::failure_file(folders, order, Some(name)),
                results: results::of_order(order),
                ..labels(Part::Member(Box::new(member)), stream.clone())
            }
        };
        Group {
            attempt: order.attempt,
            members: members.map(member).collect(),
            holder: holder::is_needed(network, task, order.node.is_some())
                .then(|| labels(Part::Holder, None)),
        }
    }

    /// From what was found in the daemon, in any order; some may be missing.
    pub(super) fn of_parts(attempt: AttemptKey, parts: Vec<Labels>) -> Group {
        let (mut members, holders): (Vec<Labels>, Vec<Labels>) =
            parts.into_iter().partition(|labels| labels.member().is_some());
        members.sort_by_key(|labels| labels.member().map(|member| member.index));
        Group {
            attempt,
            members,
            holder: holders.into_iter().next(),
        }
    }

    /// All containers, for removing them.
    pub(super) fn parts(&self) -> Vec<Labels> {
        self.members.iter().chain(&self.holder).cloned().collect()
    }

    /// How its containers ended, where the one at `index` could not even be made.
    pub(super) fn not_started(&self, index: usize, reason: &Reason) -> Vec<ContainerEnd> {
        let members = self.members.iter().filter_map(Labels::member);
        let end = |member: &Member| ContainerEnd {
            name: member.name.clone(),
            exit_code: None,
            reason: Some(match member.index == index {
                true => reason.text(),
                false => Reason::StoppedBeforeStart.text(),
            }),
            has_started: false,
        };
        members.map(end).collect()
    }

    fn is_complete(&self) -> bool {
        let count = self
            .members
            .first()
            .and_then(Labels::member)
            .map(|member| member.count);
        count == Some(self.members.len())
    }
}

/// What the one that copies a container's output is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    NotStarted,
    Running,
    Ended,
    /// There is nothing to copy, or nobody needs it any more.
    Abandoned,
}

enum Conclusion {
    Ended(Report),
    Forgotten,
}

/// Starts the containers in their order, and follows all to their end. Gives all facts told; they are of no use when the attempt is
/// forgotten meanwhile.
pub(super) async fn attend(context: &Context, group: &Group, wishes: &mut Wishes) -> Vec<Report> {
    let mut facts = Vec::new();
    let ended = Notify::new();
    let phases: Vec<watch::Sender<Phase>> = group
        .members
        .iter()
        .map(|_| watch::Sender::new(Phase::NotStarted))
        .collect();
    let copies = group.members.iter().zip(&phases);
    let copying = join_all(copies.map(|(labels, phase)| copy(context, labels, phase.subscribe(), &ended)));
    let mut copying = std::pin::pin!(copying);
    let mut is_copied = false;
    let conclusion = {
        let mut course = std::pin::pin!(conclude(context, group, &phases, wishes, &mut facts, &ended));
        loop {
            tokio::select! {
                conclusion = &mut course => break conclusion,
                _ends = &mut copying, if !is_copied => is_copied = true,
            }
        }
    };
    for phase in &phases {
        if matches!(conclusion, Conclusion::Forgotten) || *phase.borrow() == Phase::NotStarted {
            phase.send_replace(Phase::Abandoned);
        }
    }
    if !is_copied {
        tokio::select! {
            _ends = &mut copying => {}
            () = wishes.forgotten() => {
                // Those who copy are asked and not dropped: they may be in the middle of an append.
                for phase in &phases {
                    phase.send_replace(Phase::Abandoned);
                }
                copying.await;
                return facts;
            }
        }
    }
    if let Conclusion::Ended(mut last) = conclusion {
        if let Some(labels) = group.members.first() {
            last = results::keep(context, labels, last, wishes).await;
        }
        tell(context, group, &last).await;
        facts.push(last);
    }
    facts
}

/// Copies the output of one container, once it has started, until it is all in the log store.
async fn copy(context: &Context, labels: &Labels, mut phase: watch::Receiver<Phase>, ended: &Notify) {
    if reaches(&mut phase, |phase| phase != Phase::NotStarted).await == Phase::Abandoned {
        return;
    }
    let Some(mut drain) = Drain::resume(context, labels).await else {
        return;
    };
    drain.make_stream().await;
    let halt = Notify::new();
    let until_ended = async {
        reaches(&mut phase, |phase| phase != Phase::Running).await;
        halt.notify_one();
    };
    tokio::join!(drain.follow(&halt, ended), until_ended);
    let rest = async {
        let _permit = context.drains.acquire().await.expect("never closed");
        drain.finish().await;
    };
    tokio::select! {
        _phase = reaches(&mut phase, |phase| phase == Phase::Abandoned) => {}
        () = rest => {}
    }
}

async fn reaches(phase: &mut watch::Receiver<Phase>, is_wanted: impl Fn(Phase) -> bool) -> Phase {
    let reached = phase.wait_for(|phase| is_wanted(*phase)).await;
    *reached.expect("the phases live as long as those who copy")
}

async fn tell(context: &Context, group: &Group, report: &Report) {
    context.reports.tell(group.attempt, report.clone()).await;
}

async fn conclude(
    context: &Context,
    group: &Group,
    phases: &[watch::Sender<Phase>],
    wishes: &mut Wishes,
    facts: &mut Vec<Report>,
    ended: &Notify,
) -> Conclusion {
    let members: Vec<Member> = group
        .members
        .iter()
        .filter_map(|labels| labels.member().cloned())
        .collect();
    let mut retells = wishes.now().retells;
    let mut stops = vec![Stop::NotAsked; members.len()];
    let mut seen: Vec<Option<Found>> = vec![None; members.len()];
    let mut refusals: Vec<Option<String>> = vec![None; members.len()];
    let lost = || Conclusion::Ended(Report::Lost { at: now() });
    if wishes.now().is_forgotten {
        return Conclusion::Forgotten;
    }
    if !group.is_complete() {
        return lost();
    }
    loop {
        for (index, labels) in group.members.iter().enumerate() {
            let is_over = matches!(&seen[index], Some(found) if matches!(found.state, State::Exited(_)));
            if is_over {
                continue;
            }
            match look_until_seen(context, labels, wishes).await {
                // Whatever is left of it goes when the loss is recorded.
                None if !wishes.now().is_forgotten => return lost(),
                None => return Conclusion::Forgotten,
                found => seen[index] = with_failure(found, labels).await,
            }
        }
        let found: Vec<&Found> = seen.iter().flatten().collect();
        let stands: Vec<Stand> = found
            .iter()
            .zip(&refusals)
            .map(|(found, refusal)| stand(found, refusal.as_ref()))
            .collect();
        for (stand, phase) in stands.iter().zip(phases) {
            phase.send_replace(match stand {
                Stand::Made | Stand::Refused(_) => Phase::NotStarted,
                Stand::Running { .. } => Phase::Running,
                Stand::Exited(_) => Phase::Ended,
            });
        }
        let wish = wish_again(context, group.attempt, wishes, &mut retells, facts).await;
        if wish.is_forgotten {
            return Conclusion::Forgotten;
        }
        let made_at = found.iter().filter_map(|found| found.created_at).max();
        let Plan {
            started_at,
            start,
            stop,
            wake_at,
            end,
        } = plan(View {
            members: &members,
            stands: &stands,
            made_at: made_at.unwrap_or_else(now),
            now: now(),
            is_to_stop: wish.stop.is_some(),
        });
        if let Some(at) = started_at.filter(|_| facts.is_empty()) {
            facts.push(Report::Started { at });
            tell(context, group, &Report::Started { at }).await;
        }
        if let Some(end) = end {
            return Conclusion::Ended(end);
        }
        let (mut has_started_some, mut again_at) = (false, None);
        for index in start {
            match start_member(context, &group.members[index]).await {
                Ok(()) => has_started_some = true,
                // Mostly the daemon keeps the reason, so that a later server sees it too.
                Err(Failure::Refused { text, .. }) => {
                    refusals[index] = Some(text);
                    has_started_some = true;
                }
                Err(Failure::Unreachable(_) | Failure::NotConnected) => {
                    again_at = Some(Instant::now() + LOOK_AGAIN_AFTER);
                }
            }
        }
        if has_started_some {
            continue;
        }
        for index in stop {
            let Found { stop_signal, .. } = found[index];
            let grace: Millis = members[index].stop_timeout;
            stops[index] = stops[index]
                .next(context, &group.members[index], stop_signal, grace)
                .await;
        }
        let wake_at = wake_at.map(|at| Instant::now() + at.since(now()).as_duration());
        let wakes = stops.iter().filter_map(|stop| stop.due_at());
        let next = wakes.chain(again_at).chain(wake_at).min();
        tokio::select! {
            _wish = wishes.next() => {}
            () = ended.notified() => {}
            () = wait_until(next) => {}
        }
    }
}

/// What a host of a training job wrote about its failure is added to what the daemon says of its end.
async fn with_failure(mut found: Option<Found>, labels: &Labels) -> Option<Found> {
    if let Some(Found {
        state: State::Exited(exit),
        ..
    }) = &mut found
    {
        exit.failure = folder::failure(labels).await;
    }
    found
}

fn stand(found: &Found, refusal: Option<&String>) -> Stand {
    match (&found.state, found.start_error.as_ref().or(refusal)) {
        (State::Created, None) => Stand::Made,
        (State::Created, Some(text)) => Stand::Refused(text.clone()),
        (State::Running { started_at }, _) => Stand::Running {
            started_at: *started_at,
        },
        (State::Exited(exit), _) => Stand::Exited(exit.clone()),
    }
}
