//! The client's side against the server's: what one writes, the other reads, for every operation with both.

use std::fmt::Debug;

use batchyard_wire::{Call, OperationFacts, Service, ServiceFacts, batch, client, identify, logs};
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::values::Maker;
use crate::written::{Written, input};

/// One operation, its types hidden behind functions.
struct Checked {
    facts: &'static OperationFacts,
    check: fn(u64),
}

fn checked<C>() -> Checked
where
    C: Call + DeserializeOwned + PartialEq + Debug,
    C::Output: Serialize + PartialEq + Debug,
{
    Checked {
        facts: C::operation(),
        check: |seed| {
            check_request::<C>(seed);
            check_answer::<C>(seed);
        },
    }
}

fn check_request<C: Call + DeserializeOwned + PartialEq + Debug>(seed: u64) {
    let (service, facts): (&'static ServiceFacts, _) = (C::service(), C::operation());
    let value = Maker::random(seed).value(facts.input);
    let typed: C = serde_json::from_value(value.clone()).unwrap();
    let client::EncodedRequest {
        method,
        path,
        query,
        content_type: _,
        target,
        body,
    } = client::encode(&typed);
    let query = (!query.is_empty()).then_some(query);
    let request = Written {
        method: method.to_owned(),
        path,
        query,
        target,
        body,
    };
    assert_eq!(
        identify(&request.raw(), None).map(|service| service.facts().signing_name),
        Some(service.signing_name)
    );
    let routed = service
        .route(&request.raw())
        .map(|position| service.operations[position].name);
    assert_eq!(routed, Ok(facts.name));
    assert_eq!(input(service, facts, &request), Ok(value), "{}", facts.name);
    let read: C = service.input(facts, &request.raw(), |_| None).unwrap();
    assert_eq!(read, typed);
}

fn check_answer<C>(seed: u64)
where
    C: Call,
    C::Output: Serialize + PartialEq + Debug,
{
    let (service, facts) = (C::service(), C::operation());
    let output: C::Output = match facts.output {
        Some(shape) => serde_json::from_value(Maker::random(seed).value(shape)).unwrap(),
        None => C::Output::default(),
    };
    let answer = service.answer(facts, &Written::default().raw(), &output).unwrap();
    assert_eq!(
        client::decode::<C>(200, &answer.body),
        Ok(output),
        "{}",
        facts.name
    );
}

macro_rules! all_of {
    ($module:ident: $($input:ident)*) => {
        vec![$(checked::<$module::$input>()),*]
    };
}

fn calls() -> Vec<Checked> {
    let mut calls = all_of![batch:
        CancelJobRequest
        CancelJobsRequest
        CreateComputeEnvironmentRequest
        CreateConsumableResourceRequest
        CreateJobQueueRequest
        CreateQuotaShareRequest
        CreateSchedulingPolicyRequest
        CreateServiceEnvironmentRequest
        DeleteComputeEnvironmentRequest
        DeleteConsumableResourceRequest
        DeleteJobQueueRequest
        DeleteQuotaShareRequest
        DeleteSchedulingPolicyRequest
        DeleteServiceEnvironmentRequest
        DeregisterJobDefinitionRequest
        DescribeComputeEnvironmentsRequest
        DescribeConsumableResourceRequest
        DescribeJobDefinitionsRequest
        DescribeJobQueuesRequest
        DescribeJobsRequest
        DescribeQuotaShareRequest
        DescribeSchedulingPoliciesRequest
        DescribeServiceEnvironmentsRequest
        DescribeServiceJobRequest
        GetJobQueueSnapshotRequest
        ListConsumableResourcesRequest
        ListJobsRequest
        ListJobsByConsumableResourceRequest
        ListQuotaSharesRequest
        ListSchedulingPoliciesRequest
        ListServiceJobsRequest
        ListTagsForResourceRequest
        RegisterJobDefinitionRequest
        SubmitJobRequest
        SubmitServiceJobRequest
        TagResourceRequest
        TerminateJobRequest
        TerminateJobsRequest
        TerminateServiceJobRequest
        TerminateServiceJobsRequest
        UntagResourceRequest
        UpdateComputeEnvironmentRequest
        UpdateConsumableResourceRequest
        UpdateJobQueueRequest
        UpdateQuotaShareRequest
        UpdateSchedulingPolicyRequest
        UpdateServiceEnvironmentRequest
        UpdateServiceJobRequest
    ];
    calls.extend(all_of![logs:
        CreateLogGroupRequest
        CreateLogStreamRequest
        DeleteLogGroupRequest
        DeleteLogStreamRequest
        DeleteRetentionPolicyRequest
        DescribeLogGroupsRequest
        DescribeLogStreamsRequest
        FilterLogEventsRequest
        GetLogEventsRequest
        GetQueryResultsRequest
        ListTagsForResourceRequest
        PutLogEventsRequest
        PutRetentionPolicyRequest
        StartLiveTailRequest
        StartQueryRequest
        StopQueryRequest
        TagResourceRequest
        UntagResourceRequest
    ]);
    calls
}

#[test]
fn all_operations_of_the_json_protocols_can_be_called() {
    let mut called: Vec<&str> = calls().iter().map(|call| call.facts.name).collect();
    let services = [Service::Batch, Service::Logs];
    let mut all: Vec<&str> = services
        .iter()
        .flat_map(|service| service.facts().operations)
        .map(|facts| facts.name)
        .collect();
    called.sort_unstable();
    all.sort_unstable();
    assert_eq!(called, all);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn the_server_reads_what_the_client_writes_and_back(seed in any::<u64>()) {
        for Checked { check, .. } in calls() {
            check(seed);
        }
    }
}

#[test]
fn faults_come_through_to_the_client() {
    use batchyard_wire::Fault;
    let decode = client::decode::<batch::SubmitJobRequest>;
    for service in [Service::Batch, Service::Logs] {
        let fault = Fault::new(400, "ClientException", "Job queue \"q\" does not exist.\u{1f}");
        let encoded = fault.encode(&service.facts().protocol, "id");
        assert_eq!(decode(encoded.status, &encoded.body), Err(fault));
    }
    let unreadable = |status, body: &str| decode(status, body.as_bytes()).unwrap_err();
    assert_eq!(unreadable(502, "<html>").message, "HTTP status 502: <html>");
    assert_eq!(unreadable(200, "{").code, "UnreadableAnswer");
    assert_eq!(unreadable(200, "{\"jobId\": 1}").code, "UnreadableAnswer");
    let unknown = decode(200, b"{\"jobId\": \"1\", \"jobName\": \"a\", \"new\": [1]}").unwrap();
    assert_eq!((unknown.job_id.as_str(), unknown.job_name.as_str()), ("1", "a"));
}

#[test]
fn a_value_is_read_as_the_form_that_is_written() {
    let value: Value = serde_json::json!({"jobName": "a", "jobQueue": "q", "jobDefinition": "d", "arrayProperties": {"size": 2}});
    let typed: batch::SubmitJobRequest = serde_json::from_value(value.clone()).unwrap();
    assert_eq!(serde_json::to_value(typed).unwrap(), value);
}
