//! The table of CloudWatch Logs' operations: where each is served.

use batchyard_runtime::log::StreamName;
use batchyard_wire::Fault;
use batchyard_wire::check::Violation;
use batchyard_wire::logs::{self as shapes, Api, Operation, SERVICE};

use super::{LogsApi, fault};
use crate::caller::Caller;

impl Api for LogsApi {
    type Context = Caller;

    fn refuse(&self, _operation: Operation, violations: &[Violation]) -> Option<Fault> {
        Some(SERVICE.constraint_fault(violations))
    }

    async fn create_log_group(
        &self,
        _caller: &Caller,
        input: shapes::CreateLogGroupRequest,
    ) -> Result<(), Fault> {
        self.create_group(input).await
    }

    async fn create_log_stream(
        &self,
        _caller: &Caller,
        input: shapes::CreateLogStreamRequest,
    ) -> Result<(), Fault> {
        let stream = StreamName {
            group: input.log_group_name,
            stream: input.log_stream_name,
        };
        self.logs
            .create_stream(stream, self.clock.now())
            .await
            .map_err(fault)
    }

    async fn delete_log_group(
        &self,
        _caller: &Caller,
        input: shapes::DeleteLogGroupRequest,
    ) -> Result<(), Fault> {
        self.logs.delete_group(&input.log_group_name).await.map_err(fault)
    }

    async fn delete_log_stream(
        &self,
        _caller: &Caller,
        input: shapes::DeleteLogStreamRequest,
    ) -> Result<(), Fault> {
        let stream = StreamName {
            group: input.log_group_name,
            stream: input.log_stream_name,
        };
        self.logs.delete_stream(stream).await.map_err(fault)
    }

    async fn delete_retention_policy(
        &self,
        _caller: &Caller,
        input: shapes::DeleteRetentionPolicyRequest,
    ) -> Result<(), Fault> {
        self.logs
            .put_retention(&input.log_group_name, None)
            .await
            .map_err(fault)
    }

    async fn describe_log_groups(
        &self,
        _caller: &Caller,
        input: shapes::DescribeLogGroupsRequest,
    ) -> Result<shapes::DescribeLogGroupsResponse, Fault> {
        self.describe_groups(input).await
    }

    async fn describe_log_streams(
        &self,
        _caller: &Caller,
        input: shapes::DescribeLogStreamsRequest,
    ) -> Result<shapes::DescribeLogStreamsResponse, Fault> {
        self.describe_streams(input).await
    }

    async fn filter_log_events(
        &self,
        _caller: &Caller,
        input: shapes::FilterLogEventsRequest,
    ) -> Result<shapes::FilterLogEventsResponse, Fault> {
        self.filter(input).await
    }

    async fn get_log_events(
        &self,
        _caller: &Caller,
        input: shapes::GetLogEventsRequest,
    ) -> Result<shapes::GetLogEventsResponse, Fault> {
        self.events(input).await
    }

    async fn list_tags_for_resource(
        &self,
        _caller: &Caller,
        input: shapes::ListTagsForResourceRequest,
    ) -> Result<shapes::ListTagsForResourceResponse, Fault> {
        self.tags_of(input).await
    }

    async fn put_log_events(
        &self,
        _caller: &Caller,
        input: shapes::PutLogEventsRequest,
    ) -> Result<shapes::PutLogEventsResponse, Fault> {
        self.put(input).await
    }

    async fn put_retention_policy(
        &self,
        _caller: &Caller,
        input: shapes::PutRetentionPolicyRequest,
    ) -> Result<(), Fault> {
        self.put_retention(input).await
    }

    async fn tag_resource(&self, _caller: &Caller, input: shapes::TagResourceRequest) -> Result<(), Fault> {
        self.tag(input).await
    }

    async fn untag_resource(
        &self,
        _caller: &Caller,
        input: shapes::UntagResourceRequest,
    ) -> Result<(), Fault> {
        self.untag(input).await
    }
}
