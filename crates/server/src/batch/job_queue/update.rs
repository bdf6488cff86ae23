//! UpdateJobQueue: what is given changes, lists as a whole.

use batchyard_core::command::{Command, PutQueue};
use batchyard_core::environment::{Life, Switch};
use batchyard_core::item::ItemKey;
use batchyard_core::name::{EnvironmentName, SchedulingPolicyName};
use batchyard_runtime::store::{EnvironmentRow, QueueRow, Select};
use batchyard_wire::Fault;
use batchyard_wire::batch::errors::client_exception;
use batchyard_wire::batch::{JQState, UpdateJobQueueRequest, UpdateJobQueueResponse};

use super::{QueueDocument, check, is_service_queue};
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
        check::priority(priority.unwrap_or(row.priority))?;
        let is_service = is_service_queue(&row);
        let mut document = QueueDocument::read(&row.document);
        let mut limits = row.actions.clone();
        if let Some(actions) = job_state_time_limit_actions {
            limits = check::time_limit_actions(
                &actions,
                &document.job_queue_type,
                self.limits.time_limit_seconds_min,
            )?;
            document.job_state_time_limit_actions = actions;
        }
        let ordered = match (compute_environment_order, service_environment_order.as_deref()) {
            (Some(_), _) if is_service => return Err(other_kind()),
            (_, Some(order)) if !is_service && !order.is_empty() => return Err(other_kind()),
            (_, Some(order)) if is_service => {
                let (ordered, _) = self.ordered_service_environment(order, None, None).await?;
                Some(ordered)
            }
            (Some(order), _) => {
                let ordered = self.ordered_environments(&order, &row.environments).await?;
                document.job_queue_type = check::queue_type(&ordered, None)?;
                Some(ordered)
            }
            (None, _) => None,
        };
        let policy = self
            .new_policy(&row, scheduling_policy_arn.as_deref(), ordered.as_deref())
            .await?;
        let mut environments = row.environments;
        if let Some(ordered) = ordered {
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
        ordered: Option<&[(i32, EnvironmentRow)]>,
    ) -> Result<Option<SchedulingPolicyName>, Fault> {
        match (arn, &row.policy) {
            (None, None) => Ok(None),
            (None, Some(policy)) => {
                // Also a policy that stays must fit new environments.
                if let Some(ordered) = ordered {
                    let arn = self
                        .account
                        .batch(&ItemKey::SchedulingPolicy(policy.clone()).resource());
                    self.queue_policy(&arn, ordered).await?;
                }
                Ok(Some(policy.clone()))
            }
            (Some(arn), Some(_)) => {
                let present;
                let environments = match ordered {
                    Some(ordered) => ordered,
                    None => {
                        present = self.present_environments(row).await?;
                        &present
                    }
                };
                self.queue_policy(arn, environments).await.map(Some)
            }
            // Own words.
            (Some(_), None) => Err(client_exception(
                "A scheduling policy cannot be added to a job queue that was created without one.",
            )),
        }
    }

    /// The environments that a queue has.
    async fn present_environments(&self, row: &QueueRow) -> Result<Vec<(i32, EnvironmentRow)>, Fault> {
        let Some(kind) = row.environments.first().map(EnvironmentName::kind) else {
            return Ok(Vec::new());
        };
        let select = Select::Named(row.environments.clone());
        let page = self.read(move |store| store.environments(kind, &select)).await?;
        Ok(page.rows.into_iter().map(|row| (0, row)).collect())
    }
}

/// Own words.
fn other_kind() -> Fault {
    client_exception("A job queue cannot change between computeEnvironmentOrder and serviceEnvironmentOrder.")
}
