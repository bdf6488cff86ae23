//! ListQuotaShares: those of a queue, without tags (section A.6).

use batchyard_core::item::ItemKey;
use batchyard_core::name::QuotaShareName;
use batchyard_runtime::store::ItemScope;
use batchyard_wire::Fault;
use batchyard_wire::batch::{ListQuotaSharesRequest, ListQuotaSharesResponse};

use crate::batch::Batch;

impl Batch {
    pub(in crate::batch) async fn list_shares(
        &self,
        input: ListQuotaSharesRequest,
    ) -> Result<ListQuotaSharesResponse, Fault> {
        let ListQuotaSharesRequest {
            job_queue,
            max_results,
            next_token,
        } = input;
        let queue = self.queue(&job_queue).await?.name;
        let scope = ItemScope::QuotaShares(queue.clone());
        let key = |name: &str| {
            let name = QuotaShareName::parse(name).ok()?;
            Some(ItemKey::QuotaShare(queue.clone(), name))
        };
        let (rows, next_token) = self
            .item_page(scope, None, max_results, next_token.as_deref(), key)
            .await?;
        Ok(ListQuotaSharesResponse {
            next_token,
            quota_shares: Some(rows.iter().map(|row| self.quota_share_detail(row)).collect()),
        })
    }
}
