//! Log events: read, searched, put.

use batchyard_core::time::{Millis, Timestamp};
use batchyard_logs::{EventsQuery, FilterPattern, FilterQuery, FilterStreams, Page, Start};
use batchyard_runtime::log::{Append, LogEvent, MESSAGE_BYTES_MAX, StreamName};
use batchyard_wire::Fault;
use batchyard_wire::logs::errors::invalid_parameter_exception;
use batchyard_wire::logs::{
    FilterLogEventsRequest, FilterLogEventsResponse, FilteredLogEvent, GetLogEventsRequest,
    GetLogEventsResponse, OutputLogEvent, PutLogEventsRequest, PutLogEventsResponse, RejectedLogEventsInfo,
};

use super::{LogsApi, fault, group_name, limit};

/// Events of a page where the request says nothing, and most of a page (the model).
const EVENTS_PAGE: usize = 10_000;

/// Bytes of one PutLogEvents, each event counted with 26 bytes more (its quota).
const PUT_BYTES_MAX: usize = 1 << 20;

/// Bytes that each event counts beside its message.
const PUT_EVENT_OVERHEAD: usize = 26;

/// Events older than this are rejected (PutLogEvents' quotas).
const TOO_OLD: Millis = Millis::from_seconds(14 * 86_400);

/// Events further in the future than this are rejected.
const TOO_NEW: Millis = Millis::from_seconds(2 * 3_600);

/// Longest time that the events of one PutLogEvents may span.
const PUT_SPAN_MAX: Millis = Millis::from_seconds(86_400);

impl LogsApi {
    pub(super) async fn events(&self, input: GetLogEventsRequest) -> Result<GetLogEventsResponse, Fault> {
        let GetLogEventsRequest {
            end_time,
            limit: asked,
            log_group_identifier,
            log_group_name,
            log_stream_name,
            next_token,
            start_from_head,
            start_time,
            unmask: _,
        } = input;
        let query = EventsQuery {
            stream: StreamName {
                group: group_name(log_group_name, log_group_identifier)?,
                stream: log_stream_name,
            },
            start: start_time.map(Timestamp::from_millis),
            end: end_time.map(Timestamp::from_millis),
            from: match (next_token, start_from_head) {
                (Some(token), _) => Start::Token(token),
                (None, Some(true)) => Start::Head,
                (None, _) => Start::Tail,
            },
            limit: limit(asked, EVENTS_PAGE),
        };
        let Page {
            events,
            forward_token,
            backward_token,
        } = self.read(move |logs| logs.events(&query)).await?;
        let event = |event: batchyard_logs::StoredEvent| OutputLogEvent {
            ingestion_time: Some(event.ingested_at.as_millis()),
            message: Some(event.message),
            timestamp: Some(event.timestamp.as_millis()),
        };
        Ok(GetLogEventsResponse {
            events: Some(events.into_iter().map(event).collect()),
            next_backward_token: Some(backward_token),
            next_forward_token: Some(forward_token),
        })
    }

    pub(super) async fn filter(
        &self,
        input: FilterLogEventsRequest,
    ) -> Result<FilterLogEventsResponse, Fault> {
        let FilterLogEventsRequest {
            end_time,
            filter_pattern,
            interleaved: _,
            limit: asked,
            log_group_identifier,
            log_group_name,
            log_stream_name_prefix,
            log_stream_names,
            next_token,
            // Whatever it says, the oldest come first; newest first is not served.
            start_from_head,
            start_time,
            unmask: _,
        } = input;
        if start_from_head == Some(false) {
            return Err(invalid_parameter_exception(
                "startFromHead=false is not served by this version of Batchyard",
            ));
        }
        let pattern = filter_pattern
            .map(|text| FilterPattern::parse(&text))
            .transpose()
            .map_err(|error| invalid_parameter_exception(format!("Invalid filter pattern: {error}")))?;
        let streams = match (log_stream_names, log_stream_name_prefix) {
            (None, None) => FilterStreams::All,
            (Some(names), None) => FilterStreams::Named(names),
            (None, Some(prefix)) => FilterStreams::Prefix(prefix),
            (Some(_), Some(_)) => {
                return Err(invalid_parameter_exception(
                    "logStreamNamePrefix and logStreamNames are mutually exclusive parameters.",
                ));
            }
        };
        let query = FilterQuery {
            group: group_name(log_group_name, log_group_identifier)?,
            streams,
            start: start_time.map(Timestamp::from_millis),
            end: end_time.map(Timestamp::from_millis),
            pattern,
            limit: limit(asked, EVENTS_PAGE),
            token: next_token,
        };
        let page = self.read(move |logs| logs.filter(&query)).await?;
        let event = |event: batchyard_logs::FilteredEvent| FilteredLogEvent {
            event_id: Some(event.event_id),
            ingestion_time: Some(event.ingested_at.as_millis()),
            log_stream_name: Some(event.stream),
            message: Some(event.message),
            timestamp: Some(event.timestamp.as_millis()),
        };
        Ok(FilterLogEventsResponse {
            events: Some(page.events.into_iter().map(event).collect()),
            next_token: page.next_token,
            searched_log_streams: Some(Vec::new()),
        })
    }

    pub(super) async fn put(&self, input: PutLogEventsRequest) -> Result<PutLogEventsResponse, Fault> {
        let PutLogEventsRequest {
            entity: _,
            log_events,
            log_group_name,
            log_stream_name,
            sequence_token: _,
        } = input;
        let stream = StreamName {
            group: log_group_name,
            stream: log_stream_name,
        };
        // The group and the stream must be there; appending alone would make them.
        let asked = stream.clone();
        self.read(move |logs| logs.stream(&asked)).await?;
        let mut events = Vec::new();
        let mut bytes = 0;
        for event in log_events {
            if event.message.len() > MESSAGE_BYTES_MAX {
                return Err(invalid_parameter_exception(format!(
                    "Log event too large: {} bytes exceeds limit of {}",
                    event.message.len() + PUT_EVENT_OVERHEAD,
                    MESSAGE_BYTES_MAX + PUT_EVENT_OVERHEAD
                )));
            }
            bytes += event.message.len() + PUT_EVENT_OVERHEAD;
            events.push(LogEvent {
                timestamp: Timestamp::from_millis(event.timestamp),
                message: event.message,
            });
        }
        if bytes > PUT_BYTES_MAX {
            return Err(invalid_parameter_exception(format!(
                "Upload too large: {bytes} bytes exceeds limit of {PUT_BYTES_MAX}"
            )));
        }
        if events
            .windows(2)
            .any(|pair| pair[0].timestamp > pair[1].timestamp)
        {
            return Err(invalid_parameter_exception(
                "Log events in a single PutLogEvents request must be in chronological order.",
            ));
        }
        if let (Some(first), Some(last)) = (events.first(), events.last())
            && last.timestamp.since(first.timestamp) > PUT_SPAN_MAX
        {
            return Err(invalid_parameter_exception(
                "The batch of log events in a single PutLogEvents request cannot span more than 24 hours.",
            ));
        }
        let rejected = rejected(&mut events, self.clock.now());
        if !events.is_empty() {
            self.logs
                .put(vec![Append {
                    stream,
                    events,
                    cursor: None,
                }])
                .await
                .map_err(fault)?;
        }
        Ok(PutLogEventsResponse {
            // Constant on the live service since sequence tokens lost their meaning.
            next_sequence_token: Some("0".to_owned()),
            rejected_entity_info: None,
            rejected_log_events_info: rejected,
        })
    }
}

/// Takes away the events that are too old or too new, and says which those were.
fn rejected(events: &mut Vec<LogEvent>, now: Timestamp) -> Option<RejectedLogEventsInfo> {
    let too_old = events
        .iter()
        .take_while(|event| now.since(event.timestamp) > TOO_OLD)
        .count();
    let too_new = events
        .iter()
        .position(|event| event.timestamp.since(now) > TOO_NEW);
    events.truncate(too_new.unwrap_or(events.len()));
    events.drain(..too_old.min(events.len()));
    if too_old == 0 && too_new.is_none() {
        return None;
    }
    let index = |position: usize| i32::try_from(position).unwrap_or(i32::MAX);
    Some(RejectedLogEventsInfo {
        expired_log_event_end_index: None,
        too_new_log_event_start_index: too_new.map(index),
        too_old_log_event_end_index: (too_old > 0).then(|| index(too_old)),
    })
}
