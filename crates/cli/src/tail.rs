//! Reading one log stream from its head on, page by page, as long as somebody writes to it.

use batchyard_wire::logs::{GetLogEventsRequest, OutputLogEvent};

use crate::client::{CallError, Client};

/// Where an attempt's output is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogStream {
    /// The log group.
    pub(crate) group: String,
    /// The stream's name in it.
    pub(crate) name: String,
}

/// A place in a stream up to which it has been read.
#[derive(Debug)]
pub(crate) struct Tail {
    stream: LogStream,
    token: Option<String>,
}

impl Tail {
    pub(crate) fn new(stream: LogStream) -> Tail {
        Tail { stream, token: None }
    }

    /// The next page of events; none if there are none yet, also if the stream itself is not there yet.
    pub(crate) async fn next(&mut self, client: &Client) -> Result<Vec<OutputLogEvent>, CallError> {
        let LogStream { group, name } = &self.stream;
        let request = GetLogEventsRequest {
            log_group_name: Some(group.clone()),
            log_stream_name: name.clone(),
            next_token: self.token.clone(),
            start_from_head: Some(true),
            ..GetLogEventsRequest::default()
        };
        match client.call(&request).await {
            Ok(answer) => {
                self.token = answer.next_forward_token.or(self.token.take());
                Ok(answer.events.unwrap_or_default())
            }
            // A stream is made by the first line that is written to it.
            Err(error) if error.has_code("ResourceNotFoundException") => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }
}
