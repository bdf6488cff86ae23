//! ListJobsByConsumableResource.

use std::collections::HashMap;

use batchyard_core::id::JobKey;
use batchyard_core::item::ItemKey;
use batchyard_runtime::store::{JobCursor, JobFilter, JobQuery, JobRow, JobScope, Page};
use batchyard_wire::Fault;
use batchyard_wire::batch::{
    JobStatus, ListJobsByConsumableResourceRequest, ListJobsByConsumableResourceResponse,
    ListJobsByConsumableResourceSummary,
};

use super::{key, not_found, one_filter, quantity, text_match};
use crate::batch::job::describe::status_word;
use crate::batch::job::list::{core_status, cursor, cursor_text};
use crate::batch::{Batch, page};

impl Batch {
    pub(in crate::batch) async fn jobs_by_consumable(
        &self,
        input: ListJobsByConsumableResourceRequest,
    ) -> Result<ListJobsByConsumableResourceResponse, Fault> {
        let ListJobsByConsumableResourceRequest {
            consumable_resource,
            filters,
            max_results,
            next_token,
        } = input;
        let key = key(&consumable_resource)?;
        let ItemKey::ConsumableResource(name) = &key else {
            return Err(not_found(&consumable_resource));
        };
        if self.item(&key).await?.is_none() {
            return Err(not_found(&consumable_resource));
        }
        let limit = page::limit(max_results, self.limits.page_items)?;
        let after = page::cursor(next_token.as_deref())?
            .map(|text| cursor(&text))
            .transpose()?;
        let filters = filters.unwrap_or_default();
        let (mut status, mut filter) = (None, None);
        match one_filter(&filters, &["JOB_STATUS", "JOB_NAME"])? {
            Some(("JOB_STATUS", value)) => status = Some(core_status(&JobStatus::from(value))?),
            Some((_, value)) => filter = Some(JobFilter::Name(text_match(value))),
            None => {}
        }
        let query = JobQuery {
            scope: JobScope::Consumers(name.clone()),
            status,
            filter,
            after,
            limit,
        };
        let (mut rows, next) = self
            .read(move |store| {
                let Page { rows, next } = store.list_jobs(&query)?;
                let keys: Vec<JobKey> = rows.iter().map(|row| row.key).collect();
                Ok((store.jobs(&keys)?, next))
            })
            .await?;
        rows.sort_by_key(|row| std::cmp::Reverse(row.sequence));
        Ok(ListJobsByConsumableResourceResponse {
            jobs: rows
                .into_iter()
                .map(|row| self.consumer(row, name.as_str()))
                .collect(),
            next_token: next.map(|cursor: JobCursor| page::token(&cursor_text(cursor))),
        })
    }

    fn consumer(&self, row: JobRow, of: &str) -> ListJobsByConsumableResourceSummary {
        let claims: HashMap<&str, u64> = row
            .profile
            .consumables
            .iter()
            .map(|claim| (claim.name.as_str(), claim.quantity))
            .collect();
        ListJobsByConsumableResourceSummary {
            consumable_resource_properties: self
                .consumables_shown(&row.profile.consumables)
                .unwrap_or_default(),
            created_at: row.state.created_at.as_millis(),
            job_arn: self.account.job(row.key),
            job_definition_arn: Some(
                self.account
                    .definition(row.content.definition.as_str(), row.content.revision),
            ),
            job_name: row.content.name.clone(),
            job_queue_arn: self.account.queue(row.queue.as_str()),
            job_status: status_word(row.state.status).as_str().to_owned(),
            quantity: claims.get(of).copied().and_then(quantity).unwrap_or_default(),
            share_identifier: row
                .profile
                .share
                .as_ref()
                .map(|share| share.identifier.to_string()),
            started_at: row.state.started_at.map(|at| at.as_millis()),
            status_reason: row.state.status_reason.clone(),
        }
    }
}
