//! Job queues: their facts, and the order in which their runnable jobs go.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::blocked::{Blocked, LimitedReason, TimeLimitAction};
use crate::chunks::Chunks;
use crate::environment::{Life, Switch};
use crate::id::{ArrayIndex, EnvironmentId, JobId, JobKey, Sequence};
use crate::item::SchedulingPolicy;
use crate::job::Profile;
use crate::lookup::Lookup;
use crate::name::{QueueName, QuotaShareName, SchedulingPolicyName};
use crate::options::QueueOptions;
use crate::share::{ShareName, share_of};
use crate::time::Timestamp;

/// A job queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queue {
    /// Its name.
    pub name: QueueName,
    /// Counts its updates from 1, so that an update made from an outdated reading is refused.
    pub version: u64,
    /// Whether it takes new jobs; those it has are scheduled either way (section C1.6).
    pub switch: Switch,
    /// Whether it exists, or is going away.
    pub life: Life,
    /// Higher goes first (section A2.8).
    pub priority: i32,
    /// Where its jobs may run, in the order to try.
    pub environments: Vec<EnvironmentId>,
    /// How its jobs are ordered; `None` is by submission (section C1.4).
    pub policy: Option<SchedulingPolicyName>,
    /// What is done about a front that has been blocked for too long; each reason at most once.
    pub actions: Vec<TimeLimitAction>,
    /// What its tags tell it.
    pub options: QueueOptions,
    /// What holds its lines up, by name, where it is anything but want of room that is on its way.
    pub blocked: BTreeMap<ShareName, Blocked>,
}

impl Queue {
    /// When an action on a blocked front is due first, on which line, and which.
    #[must_use]
    pub fn action_due(&self) -> Option<(Timestamp, ShareName, LimitedReason)> {
        let due = self.blocked.iter().filter_map(|(line, blocked)| {
            let reason = blocked.cause.limited()?;
            let action = self.actions.iter().find(|action| action.reason == reason)?;
            Some((blocked.since + action.after, line.clone(), reason))
        });
        due.min_by(|(one, ..), (other, ..)| one.cmp(other))
    }
}

/// How a queue orders its jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Order {
    /// By submission, retried ones first (section C1.4).
    #[default]
    Submission,
    /// By what their shares have used (section C.3).
    FairShare,
    /// Each quota share by itself (section C.4).
    QuotaShare,
}

/// The runnable jobs of a queue, in *lines*: one for each share where the queue has shares, one for all where it has not. The front of
/// each line is what may start next.
///
/// In a line those of higher priority go first where the queue has shares; then retried ones, then by submission. An array job has one
/// entry for all its children that never ran, however many they are.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Runnable {
    order: Order,
    /// The one line of a queue without shares, and its name.
    only: (ShareName, Line),
    /// Those of a queue with shares, by name; none is empty.
    lines: Lookup<ShareName, Line>,
    count: usize,
    /// How many entries need what, where there are many lines: in a queue with fair share.
    needs: BTreeMap<Needs, usize>,
}

/// What a job needs to start: jobs of a queue that need the same find the same place, or wait for the same, unless their shares differ
/// in what they may have. One of their profiles stands for all.
#[derive(Clone, Debug)]
pub(crate) struct Needs(Arc<Profile>);

impl Needs {
    pub(crate) fn of(profile: &Arc<Profile>) -> Self {
        Needs(Arc::clone(profile))
    }

    /// What decides.
    fn facts(&self) -> impl Ord + '_ {
        let Profile {
            platform,
            resources,
            consumables,
            nodes,
            service,
            retry: _,
            timeout: _,
            stop_timeout: _,
            share: _,
            definition: _,
        } = &*self.0;
        (platform, resources, consumables, nodes, service)
    }
}

impl Ord for Needs {
    fn cmp(&self, other: &Self) -> Ordering {
        self.facts().cmp(&other.facts())
    }
}

impl PartialOrd for Needs {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Needs {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Needs {}

type Line = Chunks<Position, JobId>;

/// A place in a line: the lower goes first. One number, as lines compare many of them: from its highest bits on how far the priority is
/// from the highest (16 bits), whether it is the first try (1), the order of submission (64), and which child it is, from 1 (33).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position(u128);

impl Position {
    const PRIORITY: u32 = 98;
    const FIRST_TRY: u32 = 97;
    const SEQUENCE: u32 = 33;
    const CHILD_MASK: u128 = (1 << Self::SEQUENCE) - 1;

    fn new(priority: u16, was_tried: bool, sequence: Sequence, child: Option<ArrayIndex>) -> Self {
        let whole = u128::from(u16::MAX - priority) << Self::PRIORITY
            | u128::from(!was_tried) << Self::FIRST_TRY
            | u128::from(sequence.0) << Self::SEQUENCE;
        child.map_or(Position(whole), |child| Position(whole).of_child(child))
    }

    /// Of a child of the array that has this position.
    pub(crate) fn of_child(self, child: ArrayIndex) -> Self {
        Position(self.0 & !Self::CHILD_MASK | (u128::from(child) + 1))
    }

    /// Which child runs again; none for single jobs, and for all the children of an array that never ran.
    pub(crate) fn child(self) -> Option<ArrayIndex> {
        let number = (self.0 & Self::CHILD_MASK).checked_sub(1)?;
        Some(u32::try_from(number).expect("it was made from an index"))
    }
}

impl fmt::Debug for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Position({:#x})", self.0)
    }
}

impl Order {
    /// Of a queue that has this policy.
    #[must_use]
    pub fn of(policy: Option<&SchedulingPolicy>) -> Self {
        match policy {
            None => Order::Submission,
            Some(SchedulingPolicy::FairShare(_)) => Order::FairShare,
            Some(SchedulingPolicy::QuotaShare) => Order::QuotaShare,
        }
    }
}

impl Runnable {
    /// An empty one.
    pub(crate) fn new(order: Order) -> Self {
        Runnable {
            order,
            ..Runnable::default()
        }
    }

    /// How the jobs are ordered.
    #[must_use]
    pub fn order(&self) -> Order {
        self.order
    }

    /// The line that a job waits in; the one line of a queue without shares has the empty name.
    #[must_use]
    pub fn line_of<'a>(&self, profile: &'a Profile) -> &'a str {
        let claim = profile.service.as_ref();
        match self.order {
            Order::Submission => "",
            Order::FairShare => share_of(profile),
            Order::QuotaShare => claim
                .and_then(|claim| claim.quota_share.as_ref())
                .map_or("", QuotaShareName::as_str),
        }
    }

    /// The place of a single job, of an array's children that never ran, or of a child that runs again.
    pub(crate) fn position_of(
        &self,
        profile: &Profile,
        sequence: Sequence,
        child: Option<ArrayIndex>,
        was_tried: bool,
    ) -> Position {
        let priority = match self.order {
            // Priorities are among the jobs of a share (section C3.6).
            Order::Submission => 0,
            Order::FairShare | Order::QuotaShare => profile.share.as_ref().map_or(0, |share| share.priority),
        };
        Position::new(priority, was_tried, sequence, child)
    }

    /// Adds a job that has not run yet, a single one or an array with runnable children, or a job or child that runs again. Whether it is
    /// the first of its line.
    pub(crate) fn add(
        &mut self,
        key: JobKey,
        profile: &Arc<Profile>,
        sequence: Sequence,
        was_tried: bool,
    ) -> bool {
        let position = self.position_of(profile, sequence, key.child, was_tried);
        let name = self.line_of(profile);
        let line = match self.order {
            Order::Submission => &mut self.only.1,
            Order::FairShare | Order::QuotaShare => {
                if self.lines.get(name).is_none() {
                    self.lines.insert(name.into(), Line::default());
                }
                self.lines.get_mut(name).expect("it is there now")
            }
        };
        let is_first = line.is_empty();
        if line.insert(position, key.id) {
            self.count += 1;
            if self.order == Order::FairShare {
                *self.needs.entry(Needs::of(profile)).or_default() += 1;
            }
        }
        is_first
    }

    /// Takes it out again, if it is there. Whether it was the last of its line.
    pub(crate) fn remove(
        &mut self,
        key: JobKey,
        profile: &Arc<Profile>,
        sequence: Sequence,
        was_tried: bool,
    ) -> bool {
        let position = self.position_of(profile, sequence, key.child, was_tried);
        let name = self.line_of(profile);
        let line = match self.order {
            Order::Submission => Some(&mut self.only.1),
            Order::FairShare | Order::QuotaShare => self.lines.get_mut(name),
        };
        let Some(line) = line else {
            return false;
        };
        if !line.remove(position) {
            return false;
        }
        self.count -= 1;
        let is_last = line.is_empty();
        if is_last {
            self.lines.remove(name);
        }
        if self.order == Order::FairShare {
            let needs = Needs::of(profile);
            let alike = self.needs.get_mut(&needs).expect("it was counted");
            *alike -= 1;
            if *alike == 0 {
                self.needs.remove(&needs);
            }
        }
        is_last
    }

    /// The lines that are not empty, by name.
    pub fn lines(&self) -> impl Iterator<Item = &ShareName> {
        self.all_lines().map(|(name, _)| name)
    }

    /// The name of the one line of a queue without shares, if there is anything in it.
    pub(crate) fn only_line(&self) -> Option<&ShareName> {
        let (name, line) = &self.only;
        (!line.is_empty()).then_some(name)
    }

    fn all_lines(&self) -> impl Iterator<Item = (&ShareName, &Line)> {
        let only = self.only_line().map(|name| (name, &self.only.1));
        only.into_iter().chain(self.lines.in_order())
    }

    fn line(&self, name: &str) -> Option<&Line> {
        match self.order {
            Order::Submission => name.is_empty().then_some(&self.only.1),
            Order::FairShare | Order::QuotaShare => self.lines.get(name),
        }
    }

    /// What the jobs of all lines need, each once.
    pub(crate) fn needs(&self) -> impl Iterator<Item = &Needs> {
        self.needs.keys()
    }

    /// What goes next in a line; the children of an array that never ran go with their parent's id.
    pub(crate) fn front(&self, line: &str) -> Option<JobKey> {
        let (position, id) = self.line(line)?.first()?;
        let child = position.child();
        Some(JobKey { id, child })
    }

    /// The jobs of a line in order, arrays once with their parent's id.
    pub fn iter(&self, line: &str) -> impl Iterator<Item = JobKey> {
        self.positions(line).map(|(position, id)| JobKey {
            id,
            child: position.child(),
        })
    }

    /// The jobs of a line in order with their positions, arrays once.
    pub(crate) fn positions(&self, line: &str) -> impl Iterator<Item = (Position, JobId)> {
        self.line(line).into_iter().flat_map(Line::iter)
    }

    /// All jobs, line by line, arrays once with their parent's id.
    pub fn all(&self) -> impl Iterator<Item = JobKey> {
        let entries = self.all_lines().flat_map(|(_, line)| line.iter());
        entries.map(|(position, id)| JobKey {
            id,
            child: position.child(),
        })
    }

    /// Whether nothing is runnable.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// How many entries: single jobs, retried children, and arrays.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_go_by_priority_then_tried_before_then_submission_then_child() {
        let max = (Sequence(u64::MAX), Some(u32::MAX));
        let at = |priority, was_tried, sequence, child| {
            Position::new(priority, was_tried, Sequence(sequence), child)
        };
        let order = [
            at(u16::MAX, true, 7, None),
            at(u16::MAX, false, 1, None),
            at(3, true, 2, None),
            at(3, true, 2, Some(0)),
            at(3, true, 2, Some(u32::MAX)),
            at(3, true, 3, None),
            Position::new(3, true, max.0, max.1),
            at(3, false, 0, None),
            Position::new(3, false, max.0, max.1),
            at(2, true, 0, None),
            Position::new(0, false, max.0, max.1),
        ];
        assert!(order.is_sorted_by(|one, next| one < next), "{order:?}");
        assert_eq!(order.map(Position::child)[2..5], [None, Some(0), Some(u32::MAX)]);
        assert_eq!(order[3].of_child(9), order[2].of_child(9));
    }
}
