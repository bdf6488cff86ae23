//! What came of a simulation, in numbers: makespan, waits, use, cost, fairness; as a table, as JSON, as a chart.
//!
//! A *wait* is from the moment when nothing but want of room, or of a turn, kept a job (RUNNABLE) to the start of its attempt. *Use* is
//! what attempts hold, in vCPU hours. Fairness is Jain's index over the shares of a queue, `(Σx)² ÷ (n·Σx²)` with `x` = vCPU time times
//! the share's weight factor: 1 where all shares had as much as their weights give them, 1/n where one had all. It is taken over the time
//! in which all shares of the queue had jobs, as only then they compete. What attempts held that did not succeed is *wasted*, whether
//! another one followed or not.

mod chart;
mod record;
mod text;

use std::collections::BTreeMap;

use batchyard_core::id::QueueId;
use batchyard_core::item::{FairShare, Item, ItemKey, SchedulingPolicy};
use batchyard_core::job::JobStatus;
use batchyard_core::share::WEIGHT_ONE;
use batchyard_core::state::State;
use batchyard_core::time::{Millis, Timestamp};
use serde::Serialize;

use crate::site::Prices;

pub use record::Record;
use record::{Failure, FailureCause, Slice};

/// What came of a simulation.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// When it began, in milliseconds since the epoch, or since the beginning of the trace.
    pub begin: i64,
    /// From its beginning to the end of the last attempt, in seconds.
    pub makespan_seconds: f64,
    /// Attempts that were started; jobs without failure have one, arrays one a child.
    pub attempts: usize,
    /// Of them those that ended without success.
    pub failed_attempts: FailedAttempts,
    /// Jobs and children that have failed: their last attempt did.
    pub failed: usize,
    /// Jobs and children that failed because something they depended on did.
    pub never_ran: usize,
    /// Jobs and children that are left, waiting for something that does not come.
    pub left: usize,
    /// vCPUs there were at most.
    pub vcpus: f64,
    /// MiB of memory there were at most; `None` where it is unlimited.
    pub memory_mib: Option<u64>,
    /// vCPU hours that attempts held.
    pub vcpu_hours: f64,
    /// Of them those of attempts that did not succeed.
    pub wasted_vcpu_hours: f64,
    /// Of the vCPUs over the makespan, 0 to 1.
    pub utilisation: f64,
    /// Waits and use of each queue.
    pub queues: Vec<Group>,
    /// Waits and use of each share, in fair-share queues.
    pub shares: Vec<Group>,
    /// What it cost, where prices are known.
    pub cost: Option<Cost>,
    /// What people should know besides.
    pub notes: Vec<String>,
    #[serde(skip)]
    chart: chart::Chart,
}

/// Attempts that ended without success, by their causes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FailedAttempts {
    /// Their programs failed.
    pub by_program: usize,
    /// They ran longer than their timeouts.
    pub by_timeout: usize,
    /// Their instances were taken away.
    pub by_interruption: usize,
    /// Of all these: those that were followed by another attempt.
    pub retried: usize,
}

/// The attempts of a queue or of a share.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Group {
    /// The queue.
    pub queue: String,
    /// The share, where it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share: Option<String>,
    /// How many attempts.
    pub attempts: usize,
    /// Of them those that ended without success.
    pub failed_attempts: usize,
    /// vCPU hours that they held.
    pub vcpu_hours: f64,
    /// Of them those of attempts that did not succeed.
    pub wasted_vcpu_hours: f64,
    /// Waits that half of them did not exceed, in seconds.
    pub wait_p50_seconds: f64,
    /// Waits that 19 of 20 did not exceed.
    pub wait_p95_seconds: f64,
    /// The longest wait.
    pub wait_max_seconds: f64,
    /// Jain's index of the queue's shares, where it is about a queue with several: 1/n to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fairness: Option<f64>,
}

/// What it cost.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cost {
    /// In what.
    pub currency: String,
    /// vCPU hours outside of instances.
    pub vcpus: f64,
    /// Instances by type, from their making to their end.
    pub instances: BTreeMap<String, f64>,
    /// All together.
    pub total: f64,
    /// Instance types that were used and have no price.
    pub unpriced: Vec<String>,
}

impl Report {
    /// Makes a report of a playback that began at `begin` and left `state`.
    #[must_use]
    pub fn new(
        record: &Record,
        state: &State,
        begin: Timestamp,
        prices: &Prices,
        notes: Vec<String>,
    ) -> Report {
        let ends = record.slices.iter().filter_map(|slice| slice.end);
        let starts = record.slices.iter().map(|slice| slice.start);
        let end = ends.chain(starts).max().unwrap_or(begin);
        let makespan = end.since(begin);
        let vcpu_ms: u128 = record
            .slices
            .iter()
            .map(|slice| milli_vcpu_ms(slice, begin, end))
            .sum();
        let vcpus = vcpus_of(state);
        let hours = hours_of(vcpu_ms);
        let available = vcpus * hours_long(makespan);
        let all = |group: &dyn Fn(&record::Lane) -> bool| -> Vec<&Slice> {
            let is_of = |slice: &&Slice| lane_of(record, slice).is_some_and(group);
            record.slices.iter().filter(is_of).collect()
        };
        let mut queues = Vec::new();
        let mut shares = Vec::new();
        for (id, queue) in state.queues() {
            let slices = all(&|lane| lane.queue == id);
            if slices.is_empty() {
                continue;
            }
            let policy = policy_of(state, id);
            let name = queue.name.to_string();
            queues.push(Group {
                fairness: policy.and_then(|policy| fairness(record, id, policy)),
                ..group(&name, None, &slices, begin, end)
            });
            let lanes = record
                .lanes
                .iter()
                .filter(|lane| policy.is_some() && lane.queue == id);
            for lane in lanes {
                let slices = all(&|other| other == lane);
                shares.push(group(&name, Some(lane.share.to_string()), &slices, begin, end));
            }
        }
        shares.sort_by(|one, other| (&one.queue, &one.share).cmp(&(&other.queue, &other.share)));
        Report {
            begin: begin.as_millis(),
            makespan_seconds: seconds_long(makespan),
            attempts: record.slices.len(),
            failed_attempts: FailedAttempts::of(record.slices.iter()),
            failed: failures(record.slices.iter())
                .filter(|failure| !failure.is_retried)
                .count(),
            never_ran: record.never_ran,
            left: left_in(state),
            vcpus,
            memory_mib: Some(state.host().resources.memory)
                .filter(|memory| !memory.is_unlimited())
                .map(|memory| memory.0),
            vcpu_hours: hours,
            wasted_vcpu_hours: wasted(record.slices.iter(), begin, end),
            utilisation: if available > 0.0 { hours / available } else { 0.0 },
            queues,
            shares,
            cost: cost(record, begin, end, prices),
            notes,
            chart: chart::Chart::new(record, state, begin, end),
        }
    }

    /// As a self-contained SVG: the vCPUs in use over time, by queue and share.
    #[must_use]
    pub fn svg(&self) -> String {
        self.chart.svg(self.vcpus)
    }
}

fn lane_of<'a>(record: &'a Record, slice: &Slice) -> Option<&'a record::Lane> {
    record.lanes.get(usize::try_from(slice.lane).ok()?)
}

fn group(queue: &str, share: Option<String>, slices: &[&Slice], begin: Timestamp, end: Timestamp) -> Group {
    let waits = slices.iter().filter(|slice| !slice.was_running);
    let mut waits: Vec<Millis> = waits.map(|slice| slice.start.since(slice.ready)).collect();
    waits.sort_unstable();
    let nearest_rank = |percent: usize| {
        let rank = (waits.len() * percent).div_ceil(100).max(1);
        seconds_long(waits.get(rank - 1).copied().unwrap_or_default())
    };
    Group {
        queue: queue.to_owned(),
        share,
        attempts: slices.len(),
        failed_attempts: failures(slices.iter().copied()).count(),
        vcpu_hours: hours_of(slices.iter().map(|slice| milli_vcpu_ms(slice, begin, end)).sum()),
        wasted_vcpu_hours: wasted(slices.iter().copied(), begin, end),
        wait_p50_seconds: nearest_rank(50),
        wait_p95_seconds: nearest_rank(95),
        wait_max_seconds: nearest_rank(100),
        fairness: None,
    }
}

impl FailedAttempts {
    fn of<'a>(slices: impl Iterator<Item = &'a Slice>) -> Self {
        let mut counts = FailedAttempts::default();
        for failure in failures(slices) {
            let count = match failure.cause {
                FailureCause::Program => &mut counts.by_program,
                FailureCause::Timeout => &mut counts.by_timeout,
                FailureCause::Interruption => &mut counts.by_interruption,
            };
            *count += 1;
            counts.retried += usize::from(failure.is_retried);
        }
        counts
    }

    /// All together.
    #[must_use]
    pub fn total(&self) -> usize {
        let FailedAttempts {
            by_program,
            by_timeout,
            by_interruption,
            retried: _,
        } = self;
        by_program + by_timeout + by_interruption
    }
}

/// How attempts failed; of the nodes of a job only the main one counts.
fn failures<'a>(slices: impl Iterator<Item = &'a Slice>) -> impl Iterator<Item = Failure> {
    let speaking = slices.filter(|slice| slice.speaks_for_job);
    speaking.filter_map(|slice| slice.failure)
}

/// vCPU hours of attempts that did not succeed.
fn wasted<'a>(slices: impl Iterator<Item = &'a Slice>, begin: Timestamp, end: Timestamp) -> f64 {
    let failed = slices.filter(|slice| slice.failure.is_some());
    hours_of(failed.map(|slice| milli_vcpu_ms(slice, begin, end)).sum())
}

/// Jain's index of the shares of a queue while all of them had jobs; `None` if that was never so, or there is but one.
fn fairness(record: &Record, queue: QueueId, policy: &FairShare) -> Option<f64> {
    let of_queue = (0_u32..)
        .zip(&record.lanes)
        .filter(|(_, lane)| lane.queue == queue);
    let shares: Vec<(u32, &record::Lane)> = of_queue.collect();
    let mut spans: BTreeMap<u32, (Timestamp, Timestamp)> = BTreeMap::new();
    for slice in &record.slices {
        let end = slice.end.unwrap_or(slice.start);
        let span = spans.entry(slice.lane).or_insert((slice.ready, end));
        *span = (span.0.min(slice.ready), span.1.max(end));
    }
    let of_shares = || shares.iter().filter_map(|(number, _)| spans.get(number));
    let from = of_shares().map(|span| span.0).max()?;
    let to = of_shares().map(|span| span.1).min()?;
    if shares.len() < 2 || from >= to {
        return None;
    }
    let mut used: BTreeMap<u32, u128> = shares.iter().map(|(number, _)| (*number, 0)).collect();
    for slice in &record.slices {
        if let Some(used) = used.get_mut(&slice.lane) {
            *used += milli_vcpu_ms(slice, from, to);
        }
    }
    let weighted = shares.iter().map(|(number, lane)| {
        let used = used.get(number).copied().unwrap_or(0);
        as_float(used) * f64::from(weight_of(policy, &lane.share))
    });
    let (sum, squares) = weighted.fold((0.0, 0.0), |(sum, squares), x| (sum + x, squares + x * x));
    #[expect(clippy::cast_precision_loss, reason = "there are few shares")]
    let count = shares.len() as f64;
    (squares > 0.0).then(|| sum * sum / (count * squares))
}

fn policy_of(state: &State, queue: QueueId) -> Option<&FairShare> {
    let key = ItemKey::SchedulingPolicy(state.queue(queue).policy.clone()?);
    match &state.item(&key)?.item {
        Item::SchedulingPolicy(SchedulingPolicy::FairShare(policy)) => Some(policy),
        _ => None,
    }
}

/// The weight of a share, where a prefix gives it without regard to how many shares there are.
fn weight_of(policy: &FairShare, share: &str) -> u32 {
    let is_of = |entry: &&batchyard_core::item::ShareWeight| match entry.is_prefix {
        true => share.starts_with(&*entry.share),
        false => *entry.share == *share,
    };
    policy
        .shares
        .iter()
        .find(is_of)
        .map_or(WEIGHT_ONE, |entry| entry.weight)
}

/// The vCPUs that jobs can have at most: the environments' maxima, and no more than the host has.
fn vcpus_of(state: &State) -> f64 {
    let host = u64::from(state.host().resources.vcpus.0);
    let maxima = state
        .environments()
        .map(|(_, environment)| environment.spec.capacity.rate_max().unwrap_or(host));
    as_float(u128::from(maxima.sum::<u64>().min(host))) / 1000.0
}

/// Jobs and children that are left in a state.
fn left_in(state: &State) -> usize {
    let left = state.jobs().map(|(_, job)| match &job.body {
        batchyard_core::job::Body::Array(array) => {
            let counts = array.counts();
            usize::try_from(counts.pending + counts.runnable).unwrap_or(usize::MAX)
        }
        _ => usize::from(!matches!(
            job.status(),
            JobStatus::Scheduled | JobStatus::Starting | JobStatus::Running
        )),
    });
    left.sum()
}

fn cost(record: &Record, begin: Timestamp, end: Timestamp, prices: &Prices) -> Option<Cost> {
    let Prices {
        vcpu_hour,
        instance_hour,
        currency,
    } = prices;
    if vcpu_hour.is_none() && instance_hour.is_empty() {
        return None;
    }
    let outside = record.slices.iter().filter(|slice| !slice.is_on_instance);
    let outside: u128 = outside.map(|slice| milli_vcpu_ms(slice, begin, end)).sum();
    let vcpus = hours_of(outside) * vcpu_hour.unwrap_or(0.0);
    let (mut instances, mut unpriced) = (BTreeMap::new(), Vec::new());
    for instance in &record.instances {
        let name = instance.instance_type.facts().name.to_owned();
        let hours = hours_long(instance.end.unwrap_or(end).since(instance.start.max(begin)));
        match instance_hour.get(&name) {
            Some(price) => *instances.entry(name).or_insert(0.0) += hours * price,
            None if unpriced.contains(&name) => {}
            None => unpriced.push(name),
        }
    }
    Some(Cost {
        currency: currency.clone(),
        vcpus,
        total: vcpus + instances.values().sum::<f64>(),
        instances,
        unpriced,
    })
}

/// What a slice held between two moments, in thousandths of a vCPU times milliseconds.
fn milli_vcpu_ms(slice: &Slice, from: Timestamp, to: Timestamp) -> u128 {
    let end = slice.end.unwrap_or(to).min(to);
    let time = end.since(slice.start.max(from));
    u128::from(slice.need.vcpus.0) * u128::from(time.as_millis())
}

fn hours_of(milli_vcpu_ms: u128) -> f64 {
    as_float(milli_vcpu_ms) / 3_600_000_000.0
}

fn hours_long(span: Millis) -> f64 {
    seconds_long(span) / 3_600.0
}

fn seconds_long(span: Millis) -> f64 {
    as_float(u128::from(span.as_millis())) / 1_000.0
}

#[expect(clippy::cast_precision_loss, reason = "reports show few digits")]
fn as_float(number: u128) -> f64 {
    number as f64
}
