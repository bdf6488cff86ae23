//! DeleteQuotaShare: of one that is DISABLED; its jobs are terminated (section A.6).

use batchyard_wire::Fault;
use batchyard_wire::batch::{DeleteQuotaShareRequest, DeleteQuotaShareResponse};

use super::key;
use crate::batch::Batch;
use crate::caller::Caller;

impl Batch {
    pub(in crate::batch) async fn delete_share(
        &self,
        caller: &Caller,
        input: &DeleteQuotaShareRequest,
    ) -> Result<DeleteQuotaShareResponse, Fault> {
        self.delete_item(caller, key(&input.quota_share_arn)?).await?;
        Ok(DeleteQuotaShareResponse {})
    }
}
