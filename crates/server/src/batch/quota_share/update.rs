//! UpdateQuotaShare: what is given changes, limits as a whole.

use batchyard_core::command::PutItem;
use batchyard_core::item::{Item, QuotaShare};
use batchyard_wire::Fault;
use batchyard_wire::batch::{UpdateQuotaShareRequest, UpdateQuotaShareResponse};

use super::{check, facts, key, not_found};
use crate::batch::Batch;
use crate::batch::item::item_name;
use crate::caller::Caller;

impl Batch {
    pub(in crate::batch) async fn update_share(
        &self,
        caller: &Caller,
        input: UpdateQuotaShareRequest,
    ) -> Result<UpdateQuotaShareResponse, Fault> {
        let UpdateQuotaShareRequest {
            capacity_limits,
            preemption_configuration,
            quota_share_arn: arn,
            resource_sharing_configuration,
            state,
        } = input;
        let key = key(&arn)?;
        if self.item(&key).await?.is_none() {
            return Err(not_found(&arn));
        }
        let most = self.limits.capacity_limits;
        let limits = capacity_limits
            .as_deref()
            .map(|limits| check::limits(limits, most))
            .transpose()?;
        let sharing = resource_sharing_configuration
            .as_ref()
            .map(check::sharing)
            .transpose()?;
        let preempts_in_share = preemption_configuration.as_ref().map(check::preempts_in_share);
        let switch = state.as_ref().map(check::switch);
        let change = |row: &batchyard_runtime::store::ItemRow| {
            let before = facts(row);
            let share = QuotaShare {
                switch: switch.unwrap_or(before.switch),
                limits: limits.unwrap_or_else(|| before.limits.clone()),
                sharing: sharing.unwrap_or(before.sharing),
                preempts_in_share: preempts_in_share.unwrap_or(before.preempts_in_share),
            };
            let put = PutItem {
                key: row.key.clone(),
                item: Item::QuotaShare(share),
                document: row.document.clone(),
                tags: Vec::new(),
            };
            Ok((Some(put), ()))
        };
        self.change_item(caller, &key, change).await?;
        Ok(UpdateQuotaShareResponse {
            quota_share_arn: Some(self.account.batch(&key.resource())),
            quota_share_name: Some(item_name(&key).to_owned()),
        })
    }
}
