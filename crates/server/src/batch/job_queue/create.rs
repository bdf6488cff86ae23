//! CreateJobQueue.

use batchyard_core::command::{Command, PutQueue};
use batchyard_core::environment::Switch;
use batchyard_core::name::QueueName;
use batchyard_wire::Fault;
use batchyard_wire::batch::errors::client_exception;
use batchyard_wire::batch::{CreateJobQueueRequest, CreateJobQueueResponse, JQState};

use super::{QueueDocument, check};
use crate::batch::{Batch, tags, unavailable};
use crate::caller::Caller;

impl Batch {
    pub(in crate::batch) async fn create_queue(
        &self,
        caller: &Caller,
        input: CreateJobQueueRequest,
    ) -> Result<CreateJobQueueResponse, Fault> {
        let CreateJobQueueRequest {
            compute_environment_order,
            job_queue_name,
            job_queue_type,
            job_state_time_limit_actions,
            priority,
            scheduling_policy_arn,
            service_environment_order,
            state,
            tags,
        } = input;
        let Ok(name) = QueueName::parse(&job_queue_name) else {
            return Err(client_exception("Job Queue name should match a valid pattern."));
        };
        check::priority(priority)?;
        tags::check(tags.as_ref(), &self.limits)?;
        let actions = job_state_time_limit_actions.unwrap_or_default();
        let asked = job_queue_type.as_ref();
        let (environments, job_queue_type) = match service_environment_order.as_deref() {
            Some(order) if !order.is_empty() => {
                self.ordered_service_environment(order, compute_environment_order.as_deref(), asked)
                    .await?
            }
            _ => {
                check::not_for_service(asked)?;
                let order = compute_environment_order.unwrap_or_default();
                let environments = self.ordered_environments(&order, &[]).await?;
                let natural = check::queue_type(&environments, asked)?;
                (environments, natural)
            }
        };
        let limits =
            check::time_limit_actions(&actions, &job_queue_type, self.limits.time_limit_seconds_min)?;
        let policy = match &scheduling_policy_arn {
            Some(arn) => Some(self.queue_policy(arn, &environments).await?),
            None => None,
        };
        let document = QueueDocument {
            orders: environments.iter().map(|(order, _)| *order).collect(),
            job_queue_type,
            job_state_time_limit_actions: actions,
        };
        let put = PutQueue {
            name: name.clone(),
            switch: if state == Some(JQState::Disabled) {
                Switch::Disabled
            } else {
                Switch::Enabled
            },
            priority,
            environments: environments.into_iter().map(|(_, row)| row.name).collect(),
            policy,
            actions: limits,
            document: document.write(),
            tags: tags::pairs(tags),
        };
        self.command(caller, Command::CreateQueue(Box::new(put)))
            .await
            .map_err(|error| unavailable(&error))?;
        Ok(CreateJobQueueResponse {
            job_queue_arn: self.account.queue(name.as_str()),
            job_queue_name: name.to_string(),
        })
    }
}
