//! DescribeQuotaShare.

use batchyard_wire::Fault;
use batchyard_wire::batch::{DescribeQuotaShareRequest, DescribeQuotaShareResponse, QuotaShareDetail};

use super::{key, not_found};
use crate::batch::{Batch, tags};

impl Batch {
    pub(in crate::batch) async fn describe_share(
        &self,
        input: &DescribeQuotaShareRequest,
    ) -> Result<DescribeQuotaShareResponse, Fault> {
        let arn = &input.quota_share_arn;
        let row = self.item(&key(arn)?).await?.ok_or_else(|| not_found(arn))?;
        let QuotaShareDetail {
            capacity_limits,
            job_queue_arn,
            preemption_configuration,
            quota_share_arn,
            quota_share_name,
            resource_sharing_configuration,
            state,
            status,
        } = self.quota_share_detail(&row);
        Ok(DescribeQuotaShareResponse {
            capacity_limits,
            job_queue_arn,
            preemption_configuration,
            quota_share_arn,
            quota_share_name,
            resource_sharing_configuration,
            state,
            status,
            tags: Some(tags::map(row.tags)),
        })
    }
}
