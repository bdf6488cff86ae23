//! Explanations as people read them.

use std::fmt;

use super::{Because, Explanation, Held, ShareTurn};
use crate::id::NodeKey;
use crate::job::StopCause;
use crate::name::EnvironmentName;
use crate::outlook::{Basis, Opening};
use crate::share::Standing;
use crate::time::Timestamp;

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Explanation {
            job,
            status,
            queue,
            need,
            nodes,
            service,
            because,
            turn,
            at: now,
        } = self;
        let status = status.as_str();
        let quota_share = service.as_ref().and_then(|claim| claim.quota_share.as_ref());
        let has_shares = turn.is_some() || quota_share.is_some();
        match (service, NodeKey::of(*job), nodes) {
            (Some(claim), _, _) => {
                let (count, unit) = (claim.count, &claim.unit);
                write!(f, "{job} is {status} in queue {queue}; it needs {count} {unit}")?;
                if need.gpus > 0 {
                    write!(f, ", {} GPU of the host", need.gpus)?;
                }
                writeln!(f, ".")?;
            }
            (None, Some(node), Some(_)) => {
                writeln!(f, "{node} is {status} in queue {queue}; it needs {need}.")?
            }
            (None, _, None) => writeln!(f, "{job} is {status} in queue {queue}; it needs {need}.")?,
            (None, None, Some(nodes)) => writeln!(
                f,
                "{job} is {status} in queue {queue}; its {nodes} nodes need {need} together."
            )?,
        }
        match because {
            Because::WaitsFor(jobs) => {
                for job in jobs {
                    writeln!(f, "It waits for job {job} to succeed.")?;
                }
                Ok(())
            }
            Because::ChildrenLive(counts) => {
                let crate::array::StatusCounts {
                    pending,
                    runnable,
                    starting,
                    running,
                    succeeded,
                    failed,
                } = counts;
                writeln!(
                    f,
                    "Its children: {pending} pending, {runnable} runnable, {starting} starting, {running} running, {succeeded} succeeded, {failed} failed."
                )
            }
            Because::Behind {
                ahead,
                is_at_least,
                front,
                may_overtake,
            } => {
                let more = if *is_at_least { "at least " } else { "" };
                let rule = match has_shares {
                    true => "In a share jobs start by priority, then in order of submission",
                    false => "Jobs start in order of submission",
                };
                writeln!(f, "{rule}; {more}{} before it.", count_entries(*ahead))?;
                match front {
                    None => writeln!(f, "The first of them is about to start."),
                    Some((front, held)) => {
                        let rest = match (may_overtake, has_shares) {
                            (true, _) => "jobs behind it start only where they do not delay it",
                            (false, true) => "its share waits with it",
                            (false, false) => "holds the queue up",
                        };
                        writeln!(f, "The first of them, {front}, cannot start, and {rest}:")?;
                        write_held(f, held, *now)
                    }
                }
            }
            Because::ArrayConcurrency { max, started } => writeln!(
                f,
                "It waits for another child of its array to end: {started} are under way, and the array's batchyard:max-concurrency is {max}."
            ),
            Because::Held(held) => {
                writeln!(
                    f,
                    "It is next in its {}, and cannot start:",
                    if has_shares { "share" } else { "queue" }
                )?;
                write_held(f, held, *now)
            }
            Because::AboutToStart => writeln!(f, "It is next in its queue, and about to start."),
            Because::Active {
                environment,
                instance,
                stopping,
            } => match (stopping, instance) {
                (None, None) => writeln!(f, "It has its place in {}.", called(environment)),
                (None, Some(instance)) => writeln!(
                    f,
                    "It has its place in {}, on instance {}.",
                    called(environment),
                    instance.ec2_id()
                ),
                (Some(cause), _) => write_stop(f, environment, cause),
            },
            Because::WaitsForMain(environment) => writeln!(
                f,
                "It has its place in compute environment {environment}, and starts when the main node runs."
            ),
            Because::NodesActive {
                environment,
                running,
                starting,
                ended,
                stopping,
            } => {
                writeln!(
                    f,
                    "Its nodes have their places in compute environment {environment}: {starting} starting, {running} running, {ended} ended."
                )?;
                match stopping {
                    None => Ok(()),
                    Some(cause) => write_stop(f, environment, cause),
                }
            }
            Because::Ended => writeln!(f, "It has ended; its array has not."),
        }?;
        match turn {
            None => Ok(()),
            Some(turn) => write_turn(f, turn),
        }
    }
}

fn write_turn(f: &mut fmt::Formatter<'_>, turn: &ShareTurn) -> fmt::Result {
    let ShareTurn { own, next, ahead } = turn;
    writeln!(f, "Its share {}.", standing(own))?;
    match next {
        None => Ok(()),
        Some(next) => {
            let more = match ahead {
                1 => String::new(),
                _ => format!(", and {} more go before it", ahead - 1),
            };
            writeln!(
                f,
                "Share {} is next: it {}{more}.",
                called_share(next),
                used(next)
            )
        }
    }
}

fn standing(standing: &Standing) -> String {
    format!("{} {}", called_share(standing), used(standing))
}

/// Jobs that were there before the queue ordered by share have none.
fn called_share(standing: &Standing) -> &str {
    match &*standing.share {
        "" => "(none)",
        share => share,
    }
}

/// What a share has used, in vCPU-minutes with one digit, and its weight.
fn used(standing: &Standing) -> String {
    let tenths = standing.used.saturating_add(3_000_000) / 6_000_000;
    let weight = Decimal(standing.weight);
    format!(
        "has lately used {}.{} vCPU-minutes × weight {weight}",
        tenths / 10,
        tenths % 10
    )
}

/// Ten-thousandths as people write them.
struct Decimal(u64);

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / 10_000, self.0 % 10_000);
        if rest == 0 {
            return write!(f, "{whole}");
        }
        write!(f, "{whole}.{}", format!("{rest:04}").trim_end_matches('0'))
    }
}

fn write_stop(f: &mut fmt::Formatter<'_>, environment: &EnvironmentName, cause: &StopCause) -> fmt::Result {
    write!(f, "It is being stopped")?;
    match cause {
        StopCause::Terminated(reason) => {
            writeln!(f, " in {}: {}.", called(environment), reason.as_str())
        }
        StopCause::TimedOut => {
            writeln!(f, " in {}: it ran longer than its timeout.", called(environment))
        }
        StopCause::EnvironmentDeleted => writeln!(f, ": {} was deleted.", called(environment)),
        StopCause::InstanceReplaced => {
            writeln!(
                f,
                ": compute environment {environment} was updated, and replaces its instance."
            )
        }
        StopCause::Interrupted => writeln!(f, ": its capacity in {} was taken away.", called(environment)),
        StopCause::NodeNotStarted(reason) => writeln!(f, ": another node could not be started: {reason}."),
        StopCause::MainEnded => writeln!(f, ": the main node has ended."),
        StopCause::Preempted(preemption) => {
            writeln!(
                f,
                ", to run again later: {}.",
                preemption.status_reason().as_str()
            )
        }
    }
}

fn count_entries(count: usize) -> String {
    match count {
        // The array's one entry is the front, and stands for its lowest child.
        0 => "lower children of its own array are".to_owned(),
        1 => "1 job or array is".to_owned(),
        _ => format!("{count} jobs and arrays are"),
    }
}

fn write_held(f: &mut fmt::Formatter<'_>, held: &Held, now: Timestamp) -> fmt::Result {
    let Held {
        need,
        gates,
        hindrances,
        opening,
    } = held;
    let remedy =
        |remedy: Option<String>| remedy.map_or(String::new(), |remedy| format!("; needed: {remedy}"));
    for gate in gates {
        writeln!(f, "  it {gate}{}", remedy(gate.remedy()))?;
    }
    if gates.is_empty() && hindrances.is_empty() {
        return writeln!(f, "  its queue has no compute environment");
    }
    for (environment, hindrance) in hindrances {
        let remedy = remedy(hindrance.remedy(*need));
        writeln!(f, "  {} {hindrance}{remedy}", called(environment))?;
    }
    match opening {
        None => Ok(()),
        Some(Opening { at, after, basis }) => {
            let why = match basis {
                Basis::Runs => "ends as the last runs of its definition did",
                Basis::Timeout => "reaches its timeout",
            };
            writeln!(
                f,
                "  there will be room in about {}, when job {after} {why}",
                at.since(now)
            )
        }
    }
}

/// An environment as people call it.
fn called(name: &EnvironmentName) -> String {
    format!("{} {}", name.kind().noun(), name.given())
}
