//! The table of AWS Batch's operations: where each is served.

use batchyard_wire::Fault;
use batchyard_wire::batch::{self as shapes, Api, Operation, SERVICE};
use batchyard_wire::check::{Bound, Problem, Violation};

use super::Batch;
use crate::caller::Caller;

/// Whether a broken constraint of the model is let through to the operation.
fn is_let_through(operation: Operation, violation: &Violation) -> bool {
    // The check of a definition has words for everything itself (section A.3).
    if operation == Operation::RegisterJobDefinition {
        return true;
    }
    match &violation.problem {
        // Empty maps of tags are sent by programs that build them from nothing; the service's own clients do not.
        Problem::OutOfBounds {
            bound: Bound::AtLeast(1),
            ..
        } => violation.path == "tags",
        // The operation has the service's own words (section A.5).
        Problem::NotOneOf { .. } if violation.path.ends_with("idleResourceAssignmentStrategy") => true,
        // Actions may have any case (section B6.7).
        Problem::NotOneOf { value, allowed } => {
            violation.path.ends_with(".action") && allowed.contains(&value.to_ascii_uppercase().as_str())
        }
        _ => false,
    }
}

impl Api for Batch {
    type Context = Caller;

    fn refuse(&self, operation: Operation, violations: &[Violation]) -> Option<Fault> {
        let refused: Vec<Violation> = violations
            .iter()
            .filter(|violation| !is_let_through(operation, violation))
            .cloned()
            .collect();
        (!refused.is_empty()).then(|| SERVICE.constraint_fault(&refused))
    }

    async fn create_compute_environment(
        &self,
        caller: &Caller,
        input: shapes::CreateComputeEnvironmentRequest,
    ) -> Result<shapes::CreateComputeEnvironmentResponse, Fault> {
        self.create_environment(caller, input).await
    }

    async fn describe_compute_environments(
        &self,
        _caller: &Caller,
        input: shapes::DescribeComputeEnvironmentsRequest,
    ) -> Result<shapes::DescribeComputeEnvironmentsResponse, Fault> {
        self.describe_environments(input).await
    }

    async fn update_compute_environment(
        &self,
        caller: &Caller,
        input: shapes::UpdateComputeEnvironmentRequest,
    ) -> Result<shapes::UpdateComputeEnvironmentResponse, Fault> {
        self.update_environment(caller, input).await
    }

    async fn delete_compute_environment(
        &self,
        caller: &Caller,
        input: shapes::DeleteComputeEnvironmentRequest,
    ) -> Result<shapes::DeleteComputeEnvironmentResponse, Fault> {
        self.delete_environment(caller, &input).await
    }

    async fn create_job_queue(
        &self,
        caller: &Caller,
        input: shapes::CreateJobQueueRequest,
    ) -> Result<shapes::CreateJobQueueResponse, Fault> {
        self.create_queue(caller, input).await
    }

    async fn describe_job_queues(
        &self,
        _caller: &Caller,
        input: shapes::DescribeJobQueuesRequest,
    ) -> Result<shapes::DescribeJobQueuesResponse, Fault> {
        self.describe_queues(input).await
    }

    async fn update_job_queue(
        &self,
        caller: &Caller,
        input: shapes::UpdateJobQueueRequest,
    ) -> Result<shapes::UpdateJobQueueResponse, Fault> {
        self.update_queue(caller, input).await
    }

    async fn delete_job_queue(
        &self,
        caller: &Caller,
        input: shapes::DeleteJobQueueRequest,
    ) -> Result<shapes::DeleteJobQueueResponse, Fault> {
        self.delete_queue(caller, &input).await
    }

    async fn get_job_queue_snapshot(
        &self,
        _caller: &Caller,
        input: shapes::GetJobQueueSnapshotRequest,
    ) -> Result<shapes::GetJobQueueSnapshotResponse, Fault> {
        self.queue_snapshot(input).await
    }

    async fn register_job_definition(
        &self,
        caller: &Caller,
        input: shapes::RegisterJobDefinitionRequest,
    ) -> Result<shapes::RegisterJobDefinitionResponse, Fault> {
        self.register_definition(caller, input).await
    }

    async fn describe_job_definitions(
        &self,
        _caller: &Caller,
        input: shapes::DescribeJobDefinitionsRequest,
    ) -> Result<shapes::DescribeJobDefinitionsResponse, Fault> {
        self.describe_definitions(input).await
    }

    async fn deregister_job_definition(
        &self,
        caller: &Caller,
        input: shapes::DeregisterJobDefinitionRequest,
    ) -> Result<shapes::DeregisterJobDefinitionResponse, Fault> {
        self.deregister_definition(caller, &input).await
    }

    async fn submit_job(
        &self,
        caller: &Caller,
        input: shapes::SubmitJobRequest,
    ) -> Result<shapes::SubmitJobResponse, Fault> {
        self.submit(caller, input).await
    }

    async fn describe_jobs(
        &self,
        caller: &Caller,
        input: shapes::DescribeJobsRequest,
    ) -> Result<shapes::DescribeJobsResponse, Fault> {
        self.describe(caller, input).await
    }

    async fn list_jobs(
        &self,
        _caller: &Caller,
        input: shapes::ListJobsRequest,
    ) -> Result<shapes::ListJobsResponse, Fault> {
        self.list(input).await
    }

    async fn cancel_job(
        &self,
        caller: &Caller,
        input: shapes::CancelJobRequest,
    ) -> Result<shapes::CancelJobResponse, Fault> {
        self.cancel(caller, input).await
    }

    async fn terminate_job(
        &self,
        caller: &Caller,
        input: shapes::TerminateJobRequest,
    ) -> Result<shapes::TerminateJobResponse, Fault> {
        self.terminate(caller, input).await
    }

    async fn cancel_jobs(
        &self,
        caller: &Caller,
        input: shapes::CancelJobsRequest,
    ) -> Result<shapes::CancelJobsResponse, Fault> {
        self.cancel_many(caller, input).await
    }

    async fn terminate_jobs(
        &self,
        caller: &Caller,
        input: shapes::TerminateJobsRequest,
    ) -> Result<shapes::TerminateJobsResponse, Fault> {
        self.terminate_many(caller, input).await
    }

    async fn tag_resource(
        &self,
        caller: &Caller,
        input: shapes::TagResourceRequest,
    ) -> Result<shapes::TagResourceResponse, Fault> {
        self.tag(caller, input).await
    }

    async fn untag_resource(
        &self,
        caller: &Caller,
        input: shapes::UntagResourceRequest,
    ) -> Result<shapes::UntagResourceResponse, Fault> {
        self.untag(caller, input).await
    }

    async fn list_tags_for_resource(
        &self,
        _caller: &Caller,
        input: shapes::ListTagsForResourceRequest,
    ) -> Result<shapes::ListTagsForResourceResponse, Fault> {
        self.tags_of(&input).await
    }

    async fn create_scheduling_policy(
        &self,
        caller: &Caller,
        input: shapes::CreateSchedulingPolicyRequest,
    ) -> Result<shapes::CreateSchedulingPolicyResponse, Fault> {
        self.create_policy(caller, input).await
    }

    async fn describe_scheduling_policies(
        &self,
        _caller: &Caller,
        input: shapes::DescribeSchedulingPoliciesRequest,
    ) -> Result<shapes::DescribeSchedulingPoliciesResponse, Fault> {
        self.describe_policies(input).await
    }

    async fn list_scheduling_policies(
        &self,
        _caller: &Caller,
        input: shapes::ListSchedulingPoliciesRequest,
    ) -> Result<shapes::ListSchedulingPoliciesResponse, Fault> {
        self.list_policies(input).await
    }

    async fn update_scheduling_policy(
        &self,
        caller: &Caller,
        input: shapes::UpdateSchedulingPolicyRequest,
    ) -> Result<shapes::UpdateSchedulingPolicyResponse, Fault> {
        self.update_policy(caller, input).await
    }

    async fn delete_scheduling_policy(
        &self,
        caller: &Caller,
        input: shapes::DeleteSchedulingPolicyRequest,
    ) -> Result<shapes::DeleteSchedulingPolicyResponse, Fault> {
        self.delete_policy(caller, &input).await
    }

    async fn create_consumable_resource(
        &self,
        caller: &Caller,
        input: shapes::CreateConsumableResourceRequest,
    ) -> Result<shapes::CreateConsumableResourceResponse, Fault> {
        self.create_consumable(caller, input).await
    }

    async fn describe_consumable_resource(
        &self,
        _caller: &Caller,
        input: shapes::DescribeConsumableResourceRequest,
    ) -> Result<shapes::DescribeConsumableResourceResponse, Fault> {
        self.describe_consumable(&input).await
    }

    async fn list_consumable_resources(
        &self,
        _caller: &Caller,
        input: shapes::ListConsumableResourcesRequest,
    ) -> Result<shapes::ListConsumableResourcesResponse, Fault> {
        self.list_consumables(input).await
    }

    async fn list_jobs_by_consumable_resource(
        &self,
        _caller: &Caller,
        input: shapes::ListJobsByConsumableResourceRequest,
    ) -> Result<shapes::ListJobsByConsumableResourceResponse, Fault> {
        self.jobs_by_consumable(input).await
    }

    async fn update_consumable_resource(
        &self,
        caller: &Caller,
        input: shapes::UpdateConsumableResourceRequest,
    ) -> Result<shapes::UpdateConsumableResourceResponse, Fault> {
        self.update_consumable(caller, input).await
    }

    async fn delete_consumable_resource(
        &self,
        caller: &Caller,
        input: shapes::DeleteConsumableResourceRequest,
    ) -> Result<shapes::DeleteConsumableResourceResponse, Fault> {
        self.delete_consumable(caller, &input).await
    }

    async fn create_service_environment(
        &self,
        caller: &Caller,
        input: shapes::CreateServiceEnvironmentRequest,
    ) -> Result<shapes::CreateServiceEnvironmentResponse, Fault> {
        self.create_service_env(caller, input).await
    }

    async fn describe_service_environments(
        &self,
        _caller: &Caller,
        input: shapes::DescribeServiceEnvironmentsRequest,
    ) -> Result<shapes::DescribeServiceEnvironmentsResponse, Fault> {
        self.describe_service_envs(input).await
    }

    async fn update_service_environment(
        &self,
        caller: &Caller,
        input: shapes::UpdateServiceEnvironmentRequest,
    ) -> Result<shapes::UpdateServiceEnvironmentResponse, Fault> {
        self.update_service_env(caller, input).await
    }

    async fn delete_service_environment(
        &self,
        caller: &Caller,
        input: shapes::DeleteServiceEnvironmentRequest,
    ) -> Result<shapes::DeleteServiceEnvironmentResponse, Fault> {
        self.delete_service_env(caller, &input).await
    }

    async fn submit_service_job(
        &self,
        caller: &Caller,
        input: shapes::SubmitServiceJobRequest,
    ) -> Result<shapes::SubmitServiceJobResponse, Fault> {
        self.submit_service(caller, input).await
    }

    async fn describe_service_job(
        &self,
        _caller: &Caller,
        input: shapes::DescribeServiceJobRequest,
    ) -> Result<shapes::DescribeServiceJobResponse, Fault> {
        self.describe_service(&input).await
    }

    async fn list_service_jobs(
        &self,
        _caller: &Caller,
        input: shapes::ListServiceJobsRequest,
    ) -> Result<shapes::ListServiceJobsResponse, Fault> {
        self.list_service(input).await
    }

    async fn terminate_service_job(
        &self,
        caller: &Caller,
        input: shapes::TerminateServiceJobRequest,
    ) -> Result<shapes::TerminateServiceJobResponse, Fault> {
        self.terminate_service(caller, input).await
    }

    async fn terminate_service_jobs(
        &self,
        caller: &Caller,
        input: shapes::TerminateServiceJobsRequest,
    ) -> Result<shapes::TerminateServiceJobsResponse, Fault> {
        self.terminate_many_service(caller, input).await
    }

    async fn update_service_job(
        &self,
        caller: &Caller,
        input: shapes::UpdateServiceJobRequest,
    ) -> Result<shapes::UpdateServiceJobResponse, Fault> {
        self.update_service(caller, input).await
    }

    async fn create_quota_share(
        &self,
        caller: &Caller,
        input: shapes::CreateQuotaShareRequest,
    ) -> Result<shapes::CreateQuotaShareResponse, Fault> {
        self.create_share(caller, input).await
    }

    async fn describe_quota_share(
        &self,
        _caller: &Caller,
        input: shapes::DescribeQuotaShareRequest,
    ) -> Result<shapes::DescribeQuotaShareResponse, Fault> {
        self.describe_share(&input).await
    }

    async fn list_quota_shares(
        &self,
        _caller: &Caller,
        input: shapes::ListQuotaSharesRequest,
    ) -> Result<shapes::ListQuotaSharesResponse, Fault> {
        self.list_shares(input).await
    }

    async fn update_quota_share(
        &self,
        caller: &Caller,
        input: shapes::UpdateQuotaShareRequest,
    ) -> Result<shapes::UpdateQuotaShareResponse, Fault> {
        self.update_share(caller, input).await
    }

    async fn delete_quota_share(
        &self,
        caller: &Caller,
        input: shapes::DeleteQuotaShareRequest,
    ) -> Result<shapes::DeleteQuotaShareResponse, Fault> {
        self.delete_share(caller, &input).await
    }
}
