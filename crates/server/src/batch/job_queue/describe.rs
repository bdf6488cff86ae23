//! DescribeJobQueues.

use batchyard_core::environment::{Life, Switch};
use batchyard_core::item::ItemKey;
use batchyard_core::name::{EnvironmentKind, QueueName};
use batchyard_runtime::store::{Page, QueueRow, Select};
use batchyard_wire::Fault;
use batchyard_wire::batch::errors::client_exception;
use batchyard_wire::batch::{
    ComputeEnvironmentOrder, DescribeJobQueuesRequest, DescribeJobQueuesResponse, JQState, JQStatus,
    JobQueueDetail, ServiceEnvironmentOrder,
};

use super::QueueDocument;
use crate::arn;
use crate::batch::{Batch, page, tags};

impl Batch {
    pub(in crate::batch) async fn describe_queues(
        &self,
        input: DescribeJobQueuesRequest,
    ) -> Result<DescribeJobQueuesResponse, Fault> {
        let most = self.limits.page_items;
        let limit = page::limit(input.max_results, most)?;
        let names = input.job_queues.unwrap_or_default();
        // Own words (section A.2: up to 100 names).
        if names.len() > most {
            return Err(client_exception(format!(
                "jobQueues can have at most {most} entries."
            )));
        }
        let select = if names.is_empty() {
            let after = page::cursor(input.next_token.as_deref())?;
            let after = after.map(|name| QueueName::parse(&name)).transpose();
            Select::Page {
                after: after.map_err(|_| client_exception("nextToken is not valid."))?,
                limit,
            }
        } else {
            // Unknown names are left out without a word (section A2.13).
            let parse = |name: &String| QueueName::parse(arn::name("job-queue", name)).ok();
            Select::Named(names.iter().filter_map(parse).collect())
        };
        let Page { rows, next } = self.read(move |store| store.queues(&select)).await?;
        Ok(DescribeJobQueuesResponse {
            job_queues: Some(rows.into_iter().map(|row| self.queue_detail(row)).collect()),
            next_token: next.map(|name| page::token(name.as_str())),
        })
    }

    fn queue_detail(&self, row: QueueRow) -> JobQueueDetail {
        let QueueRow {
            id: _,
            name,
            version: _,
            switch,
            life,
            priority,
            environments,
            policy,
            actions: _,
            document,
            tags,
        } = row;
        let document = QueueDocument::read(&document);
        let ordered = document.orders.iter().zip(&environments);
        let ordered =
            ordered.map(|(order, name)| (*order, name.kind(), self.account.batch(&name.resource())));
        let (service, compute): (Vec<_>, Vec<_>) =
            ordered.partition(|(_, kind, _)| *kind == EnvironmentKind::Service);
        let compute = compute
            .into_iter()
            .map(|(order, _, arn)| ComputeEnvironmentOrder {
                order,
                compute_environment: arn,
            });
        let service = service
            .into_iter()
            .map(|(order, _, arn)| ServiceEnvironmentOrder {
                order,
                service_environment: arn,
            });
        JobQueueDetail {
            compute_environment_order: compute.collect(),
            job_queue_arn: self.account.queue(name.as_str()),
            job_queue_name: name.to_string(),
            job_queue_type: Some(document.job_queue_type),
            job_state_time_limit_actions: Some(document.job_state_time_limit_actions),
            priority,
            scheduling_policy_arn: policy
                .map(|name| self.account.batch(&ItemKey::SchedulingPolicy(name).resource())),
            service_environment_order: Some(service.collect()),
            state: match switch {
                Switch::Enabled => JQState::Enabled,
                Switch::Disabled => JQState::Disabled,
            },
            status: Some(match life {
                Life::Valid => JQStatus::Valid,
                Life::Invalid => JQStatus::Invalid,
                Life::Deleting => JQStatus::Deleting,
            }),
            status_reason: Some("JobQueue Healthy".to_owned()),
            tags: Some(tags::map(tags)),
        }
    }
}
