//! GetJobQueueSnapshot: what goes next, and what the queue's jobs hold.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use batchyard_core::id::{JobKey, QueueId};
use batchyard_core::resources::Resources;
use batchyard_core::share::ShareName;
use batchyard_core::snapshot::{QueueSnapshot, QuotaUsage, Ranked};
use batchyard_runtime::store::QueueRow;
use batchyard_wire::Fault;
use batchyard_wire::batch::{
    FairshareCapacityUsage, FairshareCapacityUtilization, FairshareUtilizationDetail, FrontOfQueueDetail,
    FrontOfQueueJobSummary, FrontOfQuotaShareJobSummary, FrontOfQuotaSharesDetail,
    GetJobQueueSnapshotRequest, GetJobQueueSnapshotResponse, JobQueueType, QueueSnapshotCapacityUsage,
    QueueSnapshotUtilizationDetail, QuotaShareCapacityUsage, QuotaShareCapacityUtilization,
    QuotaShareUtilizationDetail,
};

use super::{QueueDocument, is_service_queue};
use crate::batch::{Batch, unavailable};
use crate::limits::SNAPSHOT_SHARES_MAX;

impl Batch {
    pub(in crate::batch) async fn queue_snapshot(
        &self,
        input: GetJobQueueSnapshotRequest,
    ) -> Result<GetJobQueueSnapshotResponse, Fault> {
        let row = self.queue(&input.job_queue).await?;
        let snapshot = self.driver.snapshot(row.name.clone(), self.now()).await;
        // A queue that went between the two looks is as one without jobs.
        let QueueSnapshot {
            front,
            usage,
            active_shares,
            quota_fronts,
            quota_usage,
        } = snapshot.map_err(|error| unavailable(&error))?.unwrap_or_default();
        let now = Some(self.now().as_millis());
        let is_service = is_service_queue(&row);
        let is_quota = !quota_usage.is_empty() || !quota_fronts.is_empty();
        let arn = |job: JobKey| match is_service {
            true => self.service_job_arn(job.id),
            false => self.account.job(job),
        };
        let jobs = front
            .into_iter()
            .map(|Ranked { job, since }| FrontOfQueueJobSummary {
                earliest_time_at_position: Some(since.as_millis()),
                job_arn: Some(arn(job)),
            });
        let fronts = quota_fronts.into_iter().map(|(share, Ranked { job, since })| {
            let summary = FrontOfQuotaShareJobSummary {
                earliest_time_at_position: Some(since.as_millis()),
                job_arn: Some(arn(job)),
            };
            (share.to_string(), vec![summary])
        });
        let fronts: BTreeMap<String, Vec<FrontOfQuotaShareJobSummary>> = fronts.collect();
        let total = usage
            .iter()
            .fold(Resources::default(), |total, (_, held)| total.plus(*held));
        let unit = capacity_unit(&row);
        let total = match is_service {
            true => self.units_in_use(row.id).await?,
            false => vec![QueueSnapshotCapacityUsage {
                capacity_unit: Some(unit.to_owned()),
                quantity: Some(vcpus(total)),
            }],
        };
        Ok(GetJobQueueSnapshotResponse {
            front_of_queue: Some(FrontOfQueueDetail {
                jobs: Some(jobs.collect()),
                last_updated_at: now,
            }),
            front_of_quota_shares: (!fronts.is_empty()).then_some(FrontOfQuotaSharesDetail {
                last_updated_at: now,
                quota_shares: Some(fronts),
            }),
            queue_utilization: Some(QueueSnapshotUtilizationDetail {
                fairshare_utilization: active_shares.map(|active| by_share(active, usage, unit)),
                last_updated_at: now,
                quota_share_utilization: is_quota.then(|| by_quota_share(quota_usage)),
                total_capacity_usage: Some(total),
            }),
        })
    }

    /// What the service jobs of a queue hold, by instance type.
    async fn units_in_use(&self, queue: QueueId) -> Result<Vec<QueueSnapshotCapacityUsage>, Fault> {
        let units = self.driver.read(move |core| {
            let mut units: BTreeMap<Box<str>, u32> = BTreeMap::new();
            let state = core.state();
            for (key, profile, _) in state.live_attempts() {
                let of_queue = state.job(key.job.id).is_some_and(|job| job.queue == queue);
                if let Some(claim) = profile.service.as_ref().filter(|_| of_queue) {
                    *units.entry(claim.unit.clone()).or_default() += claim.count;
                }
            }
            units
        });
        let units = units.await.map_err(|error| unavailable(&error))?;
        let usage = units.into_iter().map(|(unit, count)| QueueSnapshotCapacityUsage {
            capacity_unit: Some(unit.into()),
            quantity: Some(f64::from(count)),
        });
        Ok(usage.collect())
    }
}

/// The shares that use most, and how many are active.
fn by_share(
    active: usize,
    usage: Vec<(Option<ShareName>, Resources)>,
    unit: &str,
) -> FairshareUtilizationDetail {
    let mut shares: Vec<(ShareName, Resources)> = usage
        .into_iter()
        .filter_map(|(share, held)| Some((share?, held)))
        .collect();
    shares.sort_by(|(one, held), (other, of_other)| {
        (Reverse(held.vcpus), one).cmp(&(Reverse(of_other.vcpus), other))
    });
    let top = shares.into_iter().take(SNAPSHOT_SHARES_MAX);
    let top = top.map(|(share, held)| FairshareCapacityUtilization {
        capacity_usage: Some(vec![FairshareCapacityUsage {
            capacity_unit: Some(unit.to_owned()),
            quantity: Some(vcpus(held)),
        }]),
        share_identifier: Some(share.to_string()),
    });
    FairshareUtilizationDetail {
        active_share_count: i64::try_from(active).ok(),
        top_capacity_utilization: Some(top.collect()),
    }
}

/// The quota shares that hold most.
fn by_quota_share(usage: Vec<QuotaUsage>) -> QuotaShareUtilizationDetail {
    let total = |units: &[(Box<str>, u32)]| units.iter().map(|(_, held)| u64::from(*held)).sum::<u64>();
    let mut shares = usage;
    shares.sort_by(|(one, held), (other, of_other)| {
        (Reverse(total(held)), one).cmp(&(Reverse(total(of_other)), other))
    });
    let top = shares.into_iter().take(SNAPSHOT_SHARES_MAX);
    let top = top.map(|(share, units)| {
        let usage = units.into_iter().map(|(unit, held)| QuotaShareCapacityUsage {
            capacity_unit: Some(unit.into()),
            quantity: Some(f64::from(held)),
        });
        QuotaShareCapacityUtilization {
            capacity_usage: Some(usage.collect()),
            quota_share_name: Some(share.to_string()),
        }
    });
    QuotaShareUtilizationDetail {
        top_capacity_utilization: Some(top.collect()),
    }
}

/// What the use of a queue is counted in (section A.4).
fn capacity_unit(row: &QueueRow) -> &'static str {
    match QueueDocument::read(&row.document).job_queue_type {
        JobQueueType::Eks => "cpu",
        _ => "VCPU",
    }
}

fn vcpus(held: Resources) -> f64 {
    f64::from(held.vcpus.0) / 1_000.0
}
