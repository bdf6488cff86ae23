//! Quota shares (sections A.6 and C.4): parts of the capacity of a queue of service jobs.

mod check;
mod create;
mod delete;
mod describe;
mod list;
mod update;

use batchyard_core::change::Document;
use batchyard_core::environment::Switch;
use batchyard_core::item::{Item, ItemKey, QuotaShare, Sharing};
use batchyard_core::name::{QueueName, QuotaShareName};
use batchyard_runtime::store::ItemRow;
use batchyard_wire::Fault;
use batchyard_wire::batch::errors::client_exception;
use batchyard_wire::batch::{
    QuotaShareCapacityLimit, QuotaShareDetail, QuotaShareInSharePreemptionState,
    QuotaSharePreemptionConfiguration, QuotaShareResourceSharingConfiguration,
    QuotaShareResourceSharingStrategy, QuotaShareState, QuotaShareStatus,
};

use super::Batch;
use super::item::item_name;
use crate::arn;

/// Everything about a quota share is in its facts.
fn document() -> Document {
    Document("{}".into())
}

/// The key in the ARN of a quota share: they are named by nothing else (section 0.15).
///
/// # Errors
/// For what is no such ARN.
fn key(text: &str) -> Result<ItemKey, Fault> {
    let parse = || {
        let (queue, name) = arn::tail(text)?
            .strip_prefix("job-queue/")?
            .split_once("/quota-share/")?;
        let name = QuotaShareName::parse(name).ok()?;
        Some(ItemKey::QuotaShare(QueueName::parse(queue).ok()?, name))
    };
    parse().ok_or_else(|| not_found(text))
}

/// Own words (section L.1).
fn not_found(arn: &str) -> Fault {
    client_exception(format!("QuotaShare {arn} not found."))
}

fn facts(row: &ItemRow) -> &QuotaShare {
    match &row.item {
        Item::QuotaShare(facts) => facts,
        Item::SchedulingPolicy(_) | Item::ConsumableResource(_) => {
            unreachable!("the core keeps items of the key's kind only")
        }
    }
}

impl Batch {
    /// A quota share as lists show it.
    fn quota_share_detail(&self, row: &ItemRow) -> QuotaShareDetail {
        let QuotaShare {
            switch,
            limits,
            sharing,
            preempts_in_share,
        } = facts(row);
        let limits = limits.iter().map(|limit| QuotaShareCapacityLimit {
            capacity_unit: limit.unit.to_string(),
            max_capacity: i32::try_from(limit.max).unwrap_or(i32::MAX),
        });
        let (strategy, borrow_limit) = match sharing {
            Sharing::Reserve => (QuotaShareResourceSharingStrategy::Reserve, None),
            Sharing::Lend => (QuotaShareResourceSharingStrategy::Lend, None),
            Sharing::LendAndBorrow { borrow_percent_max } => {
                let limit =
                    borrow_percent_max.map_or(-1, |percent| i32::try_from(percent).unwrap_or(i32::MAX));
                (QuotaShareResourceSharingStrategy::LendAndBorrow, Some(limit))
            }
        };
        let queue = match &row.key {
            ItemKey::QuotaShare(queue, _) => self.account.queue(queue.as_str()),
            ItemKey::SchedulingPolicy(_) | ItemKey::ConsumableResource(_) => {
                unreachable!("the row was asked for by the key of a quota share")
            }
        };
        QuotaShareDetail {
            capacity_limits: Some(limits.collect()),
            job_queue_arn: Some(queue),
            preemption_configuration: Some(QuotaSharePreemptionConfiguration {
                in_share_preemption: if *preempts_in_share {
                    QuotaShareInSharePreemptionState::Enabled
                } else {
                    QuotaShareInSharePreemptionState::Disabled
                },
            }),
            quota_share_arn: Some(self.account.batch(&row.key.resource())),
            quota_share_name: Some(item_name(&row.key).to_owned()),
            resource_sharing_configuration: Some(QuotaShareResourceSharingConfiguration {
                borrow_limit,
                strategy,
            }),
            state: Some(match switch {
                Switch::Enabled => QuotaShareState::Enabled,
                Switch::Disabled => QuotaShareState::Disabled,
            }),
            status: Some(QuotaShareStatus::Valid),
        }
    }
}
