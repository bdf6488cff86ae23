//! Log streams.

use batchyard_logs::{Listing, Stream, StreamOrder, StreamsQuery};
use batchyard_wire::Fault;
use batchyard_wire::logs::errors::invalid_parameter_exception;
use batchyard_wire::logs::{DescribeLogStreamsRequest, DescribeLogStreamsResponse, LogStream, OrderBy};

use super::{LogsApi, group_name, limit};

/// Streams of a page where the request says nothing, and most of a page (the model).
const STREAMS_PAGE: usize = 50;

impl LogsApi {
    pub(super) async fn describe_streams(
        &self,
        input: DescribeLogStreamsRequest,
    ) -> Result<DescribeLogStreamsResponse, Fault> {
        let DescribeLogStreamsRequest {
            descending,
            limit: asked,
            log_group_identifier,
            log_group_name,
            log_stream_name_prefix,
            next_token,
            order_by,
        } = input;
        let group = group_name(log_group_name, log_group_identifier)?;
        let order = match (order_by, log_stream_name_prefix) {
            (Some(OrderBy::LastEventTime), Some(_)) => {
                return Err(invalid_parameter_exception(
                    "Cannot order by LastEventTime with a logStreamNamePrefix.",
                ));
            }
            (Some(OrderBy::LastEventTime), None) => StreamOrder::LastEvent,
            (_, prefix) => StreamOrder::Name {
                prefix: prefix.unwrap_or_default(),
            },
        };
        let query = StreamsQuery {
            group: group.clone(),
            order,
            is_descending: descending.unwrap_or(false),
            token: next_token,
            limit: limit(asked, STREAMS_PAGE),
        };
        let Listing { items, next_token } = self.read(move |logs| logs.streams(&query)).await?;
        let detail = |stream: Stream| {
            let Stream {
                name,
                created_at,
                first_event,
                last_event,
                last_ingestion,
            } = stream;
            LogStream {
                arn: Some(format!("{}:log-stream:{name}", self.account.log_group(&group))),
                creation_time: Some(created_at.as_millis()),
                first_event_timestamp: first_event.map(|at| at.as_millis()),
                last_event_timestamp: last_event.map(|at| at.as_millis()),
                last_ingestion_time: last_ingestion.map(|at| at.as_millis()),
                log_stream_name: Some(name),
                // Always 0 on the live service since 2019.
                stored_bytes: Some(0),
                upload_sequence_token: None,
            }
        };
        Ok(DescribeLogStreamsResponse {
            log_streams: Some(items.into_iter().map(detail).collect()),
            next_token,
        })
    }
}
