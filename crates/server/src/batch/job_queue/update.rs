//! UpdateJobQueue: what is given changes, lists as a whole.

use batchyard_core::command::{Command, PutQueue};
use batchyard_core::environment::{Life, Switch};
use batchyard_core::name::SchedulingPolicyName;
use batchyard_runtime::store::QueueRow;
use batchyard_wire::Fault;
use batchyard_wire::batch::errors::client_exception;
use batchyard_wire::batch::{JQState, UpdateJobQueueRequest, UpdateJobQueueResponse};

use super::{QueueDocument, check};
use crate::batch::{Batch, unavailable};
use crate::caller::Caller;

impl Batch {
    pub(in crate::batch) async fn update_queue(
        &self,
        caller: &Caller,
        input: UpdateJobQueueRequest,
    ) -> Result<UpdateJobQueueResponse, Fault> {
        let UpdateJobQueueRequest {
            compute_environment_order,
            job_queue,
            job_state_time_limit_actions,
            priority,
            scheduling_policy_arn,
            service_environment_order,
            state,
        } = input;
        let row = self.queue(&job_queue).await?;
        if row.life == Life::Deleting {
            return Err(client_exception("Cannot update, resource is being modified"));
        }
        if service_environment_order.is_some_and(|order| !order.is_empty()) {
            return Err(client_exception(
                "Service environments must be created and valid before attaching them to a job queue.",
            ));
        }
        check::priority(priority.unwrap_or(row.priority))?;
        let policy = self.new_policy(&row, scheduling_policy_arn.as_deref()).await?;
        let mut document = QueueDocument::read(&row.document);
        let mut limits = row.actions;
        if let Some(actions) = job_state_time_limit_actions {
            limits = check::time_limit_actions(&actions, self.time_limit_seconds_min)?;
            document.job_state_time_limit_actions = actions;
        }
        let mut environments = row.environments;
        if let Some(order) = compute_environment_order {
            let ordered = self.ordered_environments(&order).await?;
            document.job_queue_type = check::queue_type(&ordered, None)?;
            document.orders = ordered.iter().map(|(order, _)| *order).collect();
            environments = ordered.into_iter().map(|(_, row)| row.name).collect();
        }
        let put = PutQueue {
            name: row.name.clone(),
            switch: match state {
                Some(JQState::Enabled) => Switch::Enabled,
                Some(JQState::Disabled) => Switch::Disabled,
                Some(JQState::Unknown(_)) | None => row.switch,
            },
            priority: priority.unwrap_or(row.priority),
            environments,
            policy,
            actions: limits,
            document: document.write(),
            tags: Vec::new(),
        };
        let command = Command::UpdateQueue {
            put: Box::new(put),
            version: row.version,
        };
        self.command(caller, command)
            .await
            .map_err(|error| unavailable(&error))?;
        Ok(UpdateJobQueueResponse {
            job_queue_arn: Some(self.account.queue(row.name.as_str())),
            job_queue_name: Some(row.name.to_string()),
        })
    }

    /// The policy of a queue after an update: it can be replaced, but neither be taken away nor be added later (section A2.7).
    async fn new_policy(
        &self,
        row: &QueueRow,
        arn: Option<&str>,
    ) -> Result<Option<SchedulingPolicyName>, Fault> {
        match (arn, &row.policy) {
            (None, policy) => Ok(policy.clone()),
            (Some(arn), Some(_)) => self.queue_policy(arn).await.map(Some),
            // Own words.
            (Some(_), None) => Err(client_exception(
                "A scheduling policy cannot be added to a job queue that was created without one.",
            )),
        }
    }
}
