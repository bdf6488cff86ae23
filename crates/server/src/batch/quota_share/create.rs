//! CreateQuotaShare.

use batchyard_core::command::PutItem;
use batchyard_core::environment::Switch;
use batchyard_core::item::{Item, ItemKey, QuotaShare, SchedulingPolicy};
use batchyard_core::name::QuotaShareName;
use batchyard_runtime::store::QueueRow;
use batchyard_wire::Fault;
use batchyard_wire::batch::errors::client_exception;
use batchyard_wire::batch::{CreateQuotaShareRequest, CreateQuotaShareResponse};

use super::{check, document};
use crate::batch::{Batch, tags};
use crate::caller::Caller;

impl Batch {
    pub(in crate::batch) async fn create_share(
        &self,
        caller: &Caller,
        input: CreateQuotaShareRequest,
    ) -> Result<CreateQuotaShareResponse, Fault> {
        let CreateQuotaShareRequest {
            capacity_limits,
            job_queue,
            preemption_configuration,
            quota_share_name,
            resource_sharing_configuration,
            state,
            tags,
        } = input;
        // Own words (section 0.17).
        let name = QuotaShareName::parse(&quota_share_name)
            .map_err(|_| client_exception("Quota share name should match a valid pattern."))?;
        let share = QuotaShare {
            switch: state.as_ref().map_or(Switch::Enabled, check::switch),
            limits: check::limits(&capacity_limits, self.limits.capacity_limits)?,
            sharing: check::sharing(&resource_sharing_configuration)?,
            preempts_in_share: check::preempts_in_share(&preemption_configuration),
        };
        tags::check(tags.as_ref(), &self.limits)?;
        let queue = self.queue(&job_queue).await?;
        if !self.has_quota_shares(&queue).await? {
            // Own words.
            return Err(client_exception(format!(
                "JobQueue {} has no scheduling policy with a quotaSharePolicy.",
                queue.name
            )));
        }
        let key = ItemKey::QuotaShare(queue.name, name);
        let arn = self.account.batch(&key.resource());
        let put = PutItem {
            key,
            item: Item::QuotaShare(share),
            document: document(),
            tags: tags::pairs(tags),
        };
        self.create_item(caller, put).await?;
        Ok(CreateQuotaShareResponse {
            quota_share_arn: Some(arn),
            quota_share_name: Some(quota_share_name),
        })
    }

    /// Whether the queue's policy is one of quota shares.
    async fn has_quota_shares(&self, queue: &QueueRow) -> Result<bool, Fault> {
        let Some(policy) = queue.policy.clone() else {
            return Ok(false);
        };
        let row = self.item(&ItemKey::SchedulingPolicy(policy)).await?;
        Ok(row.is_some_and(|row| row.item == Item::SchedulingPolicy(SchedulingPolicy::QuotaShare)))
    }
}
