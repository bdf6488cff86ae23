//! What is to be done next with the containers of a task: which start, which stop, and how it all ended (sections E4.3, E4.4). Pure.
//!
//! Everything is concluded anew each time from what the daemon says of the containers and from what they carry of the definition, so a server
//! that was killed goes on where the last one was. It must not talk to the daemon, nor remember anything. Start with [`plan`].

use batchyard_core::launch::{ContainerCondition, TaskEnd};
use batchyard_core::report::{ContainerEnd, Report};
use batchyard_core::time::Timestamp;

use super::labels::Member;
use super::reason::Reason;
use super::state::Exit;

/// How a container of a task stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stand {
    /// Made, and not started.
    Made,
    /// The daemon could not start it, with its words.
    Refused(String),
    /// Its program runs.
    Running {
        /// Since when.
        started_at: Timestamp,
    },
    /// Its program has ended.
    Exited(Exit),
}

/// The task as a whole.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'a> {
    /// The containers' definitions, in its order.
    pub(super) members: &'a [Member],
    /// How each stands.
    pub(super) stands: &'a [Stand],
    /// When all of them had been made: from then on a start timeout counts.
    pub(super) made_at: Timestamp,
    pub(super) now: Timestamp,
    /// Whether the attempt is to be stopped.
    pub(super) is_to_stop: bool,
}

/// What is to be done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// Since when the task runs; `None` while containers wait for others (section E4.3).
    pub(super) started_at: Option<Timestamp>,
    /// To be started now.
    pub(super) start: Vec<usize>,
    /// To be asked to stop, and killed when their time is over.
    pub(super) stop: Vec<usize>,
    /// When to look again, as a start timeout is over then.
    pub(super) wake_at: Option<Timestamp>,
    /// How the task ended; only when nothing of it runs any more.
    pub(super) end: Option<Report>,
}

/// What there is to expect of a container that has not started.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Outlook {
    /// It has started.
    Settled,
    /// Nothing to wait for any more.
    Due,
    /// It waits, perhaps not for ever.
    Waits { until: Option<Timestamp> },
    /// It never starts: since when that is clear, and why.
    Never { since: Timestamp, reason: Reason },
}

/// Says what is to be done. As long as it says the same, nothing happens by itself before `wake_at`.
pub(super) fn plan(view: View<'_>) -> Plan {
    let View {
        members,
        stands,
        made_at: _,
        now,
        is_to_stop,
    } = view;
    let outlooks = outlooks(view);
    let over_since = over_since(members, stands);
    let failure = start_failure(members, stands, &outlooks)
        .filter(|(since, _)| !is_to_stop && over_since.is_none_or(|end| *since <= end))
        .map(|(_, reason)| reason);
    let is_over = is_to_stop || over_since.is_some() || failure.is_some();
    let running = positions(stands, |stand| matches!(stand, Stand::Running { .. }));
    let is_settled = outlooks
        .iter()
        .all(|outlook| matches!(outlook, Outlook::Settled | Outlook::Never { .. }));
    let mut plan = Plan {
        started_at: started_at(stands)
            .filter(|_| failure.is_none() && (over_since.is_some() || is_settled && !is_to_stop)),
        ..Plan::default()
    };
    if !is_over {
        plan.start = positions(&outlooks, |outlook| *outlook == Outlook::Due);
        plan.wake_at = outlooks
            .iter()
            .filter_map(|outlook| match outlook {
                Outlook::Waits { until } => *until,
                Outlook::Settled | Outlook::Due | Outlook::Never { .. } => None,
            })
            .min();
        return plan;
    }
    if !running.is_empty() {
        plan.stop = running;
        return plan;
    }
    let containers = ends(members, stands, &outlooks);
    plan.end = Some(match failure {
        Some(reason) => Report::NotStarted {
            at: now,
            reason: reason.text(),
            containers,
        },
        None if over_since.is_none() => Report::NotStarted {
            at: now,
            reason: Reason::StoppedBeforeStart.text(),
            containers,
        },
        None => exited(members, stands, containers),
    });
    plan
}

/// Since when the task is over, whatever of it still runs.
fn over_since(members: &[Member], stands: &[Stand]) -> Option<Timestamp> {
    if !is_pod(members) {
        return first_end(members, stands);
    }
    let ends = || essential_exits(members, stands).map(|(_, exit)| exit.finished_at);
    let is_waited_for = |member: &Member| {
        let mut dependencies = members.iter().flat_map(|other| &other.depends_on);
        dependencies.any(|dependency| dependency.on == member.name)
    };
    let failed = essential_exits(members, stands)
        .find(|(member, exit)| exit.exit_code != Some(0) && is_waited_for(member))
        .map(|(_, exit)| exit.finished_at);
    failed.or_else(|| ends().max().filter(|_| ends().count() == members.len()))
}

/// Whether it is over only when all its containers are; each of them is essential.
fn is_pod(members: &[Member]) -> bool {
    members.iter().any(|member| member.end == TaskEnd::All)
}

/// When the task came to its end by itself: with the first essential container that ended, but that hosts which succeed wait for each other.
fn first_end(members: &[Member], stands: &[Stand]) -> Option<Timestamp> {
    let ends_task = |member: &Member, exit: &Exit| !(member.is_host && exit.exit_code == Some(0));
    let ends = essential_exits(members, stands).filter(|(member, exit)| ends_task(member, exit));
    let first = ends.map(|(_, exit)| exit.finished_at).min();
    let exits: Vec<&Exit> = stands.iter().filter_map(exit).collect();
    let last = exits.iter().map(|exit| exit.finished_at).max();
    first.or(last.filter(|_| exits.len() == members.len()))
}

/// The end of a task of which at least one essential container ran: it is that of the first essential one that failed.
fn exited(members: &[Member], stands: &[Stand], containers: Vec<ContainerEnd>) -> Report {
    let at = stands.iter().filter_map(exit).map(|exit| exit.finished_at).max();
    let failed = essential_exits(members, stands)
        .filter(|(_, exit)| exit.exit_code != Some(0))
        .min_by_key(|(_, exit)| exit.finished_at);
    let missed = members
        .iter()
        .zip(stands)
        .find(|(member, stand)| member.is_essential && exit(stand).is_none());
    let (exit_code, reason) = match (failed, missed) {
        (Some((_, exit)), _) => (exit.exit_code, exit.reason()),
        (None, Some((member, _))) => {
            let reason = Reason::EndedBeforeStart {
                container: member.name.clone(),
            };
            (None, Some(reason.text()))
        }
        (None, None) => (Some(0), None),
    };
    Report::Exited {
        at: at.expect("an essential container has ended"),
        exit_code,
        reason,
        containers,
    }
}

fn ends(members: &[Member], stands: &[Stand], outlooks: &[Outlook]) -> Vec<ContainerEnd> {
    let end = |((member, stand), outlook): ((&Member, &Stand), &Outlook)| {
        let (exit_code, reason) = match (stand, outlook) {
            (Stand::Exited(exit), _) => (exit.exit_code, exit.reason()),
            (_, Outlook::Never { since: _, reason }) => (None, Some(reason.text())),
            (Stand::Made | Stand::Refused(_) | Stand::Running { .. }, _) => {
                (None, Some(Reason::StoppedBeforeStart.text()))
            }
        };
        ContainerEnd {
            name: member.name.clone(),
            exit_code,
            reason,
            has_started: exit(stand).is_some(),
        }
    };
    members.iter().zip(stands).zip(outlooks).map(end).collect()
}

/// Why the task as a whole cannot start, and since when that is clear.
fn start_failure(members: &[Member], stands: &[Stand], outlooks: &[Outlook]) -> Option<(Timestamp, Reason)> {
    let of_one = |((member, stand), outlook): ((&Member, &Stand), &Outlook)| match outlook {
        Outlook::Never { since, reason } => {
            // Who could not start in time takes the task with it; of other misfortunes only an essential container's counts.
            let is_fatal = match member.end {
                TaskEnd::FirstEssential => {
                    member.is_essential || matches!(reason, Reason::StartTimedOut { .. })
                }
                // What waits for an init container in vain never ran, and that one's end is the pod's.
                TaskEnd::All => !matches!(reason, Reason::DependencyFailed { .. }),
            };
            // What the daemon refused says most, whatever happened at the same time.
            let since = match stand {
                Stand::Refused(_) => Timestamp::from_millis(i64::MIN),
                Stand::Made | Stand::Running { .. } | Stand::Exited(_) => *since,
            };
            is_fatal.then(|| (since, reason.clone()))
        }
        Outlook::Settled | Outlook::Due | Outlook::Waits { .. } => None,
    };
    members
        .iter()
        .zip(stands)
        .zip(outlooks)
        .filter_map(of_one)
        .min_by_key(|(since, _)| *since)
}

/// The outlook of each. That one never starts may follow from another that never does, so it is asked as often as there are containers.
fn outlooks(view: View<'_>) -> Vec<Outlook> {
    let View { members, stands, .. } = view;
    let mut outlooks: Vec<Outlook> = stands
        .iter()
        .map(|stand| match stand {
            Stand::Made => Outlook::Waits { until: None },
            Stand::Running { .. } | Stand::Exited(_) => Outlook::Settled,
            Stand::Refused(text) => Outlook::Never {
                since: view.made_at,
                reason: Reason::CannotStart(text.clone()),
            },
        })
        .collect();
    for _round in members {
        for (index, member) in members.iter().enumerate() {
            if stands[index] == Stand::Made {
                outlooks[index] = outlook(view, member, &outlooks);
            }
        }
    }
    outlooks
}

fn outlook(view: View<'_>, member: &Member, others: &[Outlook]) -> Outlook {
    let until = member.start_timeout.map(|timeout| view.made_at + timeout);
    let mut waits_for = None;
    let mut met: Option<(Timestamp, &String)> = None;
    for dependency in &member.depends_on {
        let on = view.members.iter().position(|other| other.name == dependency.on);
        // Its definition was checked, so it is there; a container that is not would never be waited for.
        let Some(on) = on else { continue };
        let in_vain = |since| match until {
            // It failed because it was stopped then.
            Some(until) if since > until => timed_out(member, &dependency.on, until),
            Some(_) | None => Outlook::Never {
                since,
                reason: Reason::DependencyFailed {
                    container: member.name.clone(),
                    on: dependency.on.clone(),
                },
            },
        };
        match (&view.stands[on], dependency.condition) {
            (Stand::Running { started_at }, ContainerCondition::Start) => {
                met = met.max(Some((*started_at, &dependency.on)));
            }
            (Stand::Exited(exit), ContainerCondition::Success) if exit.exit_code != Some(0) => {
                return in_vain(exit.finished_at);
            }
            (Stand::Exited(exit), ContainerCondition::Start) => {
                met = met.max(Some((exit.started_at, &dependency.on)));
            }
            (Stand::Exited(exit), ContainerCondition::Complete | ContainerCondition::Success) => {
                met = met.max(Some((exit.finished_at, &dependency.on)));
            }
            (Stand::Running { .. }, ContainerCondition::Complete | ContainerCondition::Success) => {
                waits_for = Some(&dependency.on);
            }
            (Stand::Made | Stand::Refused(_), _) => match &others[on] {
                Outlook::Never { since, .. } => return in_vain(*since),
                Outlook::Settled | Outlook::Due | Outlook::Waits { .. } => waits_for = Some(&dependency.on),
            },
        }
    }
    match (waits_for, met, until) {
        // What came too late while nobody looked is too late all the same.
        (None, Some((since, on)), Some(until)) if since > until => timed_out(member, on, until),
        (None, ..) => Outlook::Due,
        (Some(on), _, Some(until)) if until <= view.now => timed_out(member, on, until),
        (Some(_), _, until) => Outlook::Waits { until },
    }
}

fn timed_out(member: &Member, on: &str, since: Timestamp) -> Outlook {
    Outlook::Never {
        since,
        reason: Reason::StartTimedOut {
            container: member.name.clone(),
            on: on.to_owned(),
        },
    }
}

fn exit(stand: &Stand) -> Option<&Exit> {
    match stand {
        Stand::Exited(exit) => Some(exit),
        Stand::Made | Stand::Refused(_) | Stand::Running { .. } => None,
    }
}

fn essential_exits<'a>(
    members: &'a [Member],
    stands: &'a [Stand],
) -> impl Iterator<Item = (&'a Member, &'a Exit)> {
    let pairs = members
        .iter()
        .zip(stands)
        .filter(|(member, _)| member.is_essential);
    pairs.filter_map(|(member, stand)| Some((member, exit(stand)?)))
}

/// When the last of those that have started did.
fn started_at(stands: &[Stand]) -> Option<Timestamp> {
    let started = stands.iter().filter_map(|stand| match stand {
        Stand::Running { started_at } => Some(*started_at),
        Stand::Exited(exit) => Some(exit.started_at),
        Stand::Made | Stand::Refused(_) => None,
    });
    started.max()
}

fn positions<T>(items: &[T], is_wanted: impl Fn(&T) -> bool) -> Vec<usize> {
    let wanted = items.iter().enumerate().filter(|(_, item)| is_wanted(item));
    wanted.map(|(index, _)| index).collect()
}

#[cfg(test)]
mod tests;
