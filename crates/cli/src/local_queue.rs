//! A queue over one compute environment on the server's host: what `up` has ready, and what the demo runs on.

use anyhow::Context as _;
use batchyard_wire::batch::{
    CEState, CEType, CRType, ComputeEnvironmentOrder, ComputeResource, CreateComputeEnvironmentRequest,
    CreateJobQueueRequest, DescribeComputeEnvironmentsRequest, DescribeJobQueuesRequest, JQState,
};

use crate::client::Client;

/// Makes the queue and its compute environment, both of this name, where they are not there yet.
pub(crate) async fn make(client: &Client, name: &str) -> anyhow::Result<()> {
    let environments = DescribeComputeEnvironmentsRequest {
        compute_environments: Some(vec![name.to_owned()]),
        ..DescribeComputeEnvironmentsRequest::default()
    };
    let found = client.call(&environments).await?.compute_environments;
    if found.is_none_or(|found| found.is_empty()) {
        client
            .call(&compute_environment(name))
            .await
            .with_context(|| format!("failed to create the compute environment {name}"))?;
    }
    let queues = DescribeJobQueuesRequest {
        job_queues: Some(vec![name.to_owned()]),
        ..DescribeJobQueuesRequest::default()
    };
    let found = client.call(&queues).await?.job_queues;
    if found.is_none_or(|found| found.is_empty()) {
        client
            .call(&job_queue(name))
            .await
            .with_context(|| format!("failed to create the job queue {name}"))?;
    }
    Ok(())
}

/// EC2, as most definitions are for it, and clients look at the kind; "optimal" places jobs on the host as it is.
fn compute_environment(name: &str) -> CreateComputeEnvironmentRequest {
    CreateComputeEnvironmentRequest {
        compute_environment_name: name.to_owned(),
        r#type: CEType::Managed,
        state: Some(CEState::Enabled),
        compute_resources: Some(ComputeResource {
            r#type: CRType::Ec2,
            min_vcpus: Some(0),
            max_vcpus: 100_000,
            instance_types: Some(vec!["optimal".to_owned()]),
            instance_role: Some("ecsInstanceRole".to_owned()),
            subnets: Some(vec!["subnet-default".to_owned()]),
            security_group_ids: Some(vec!["sg-default".to_owned()]),
            ..ComputeResource::default()
        }),
        ..CreateComputeEnvironmentRequest::default()
    }
}

fn job_queue(name: &str) -> CreateJobQueueRequest {
    CreateJobQueueRequest {
        job_queue_name: name.to_owned(),
        state: Some(JQState::Enabled),
        priority: 1,
        compute_environment_order: Some(vec![ComputeEnvironmentOrder {
            order: 1,
            compute_environment: name.to_owned(),
        }]),
        ..CreateJobQueueRequest::default()
    }
}
