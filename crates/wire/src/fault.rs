//! What a client is told when something is wrong.

use std::borrow::Cow;

use serde_json::json;

use crate::protocol::Protocol;
use crate::xml;

/// An error as clients see it. It carries nothing that they must not see: causes inside the server are logged where
/// they occur.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Fault {
    /// HTTP status, 400..=599.
    pub status: u16,
    /// For example `ClientException`.
    pub code: Cow<'static, str>,
    /// The text that clients show and match.
    pub message: String,
}

/// A [`Fault`] in the form of one protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedFault {
    /// HTTP status.
    pub status: u16,
    /// Of the body.
    pub content_type: &'static str,
    /// The value of the header `x-amzn-errortype`, where the protocol has it.
    pub error_type: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

impl Fault {
    /// A fault with the given HTTP status, code and text.
    #[must_use]
    pub fn new(status: u16, code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Fault {
        Fault {
            status,
            code: code.into(),
            message: message.into(),
        }
    }

    /// In the form that clients of `protocol` read.
    #[must_use]
    pub fn encode(&self, protocol: &Protocol, request_id: &str) -> EncodedFault {
        let Fault {
            status,
            code,
            message,
        } = self;
        let json = || {
            json!({ "__type": code, "message": message })
                .to_string()
                .into_bytes()
        };
        let (error_type, body) = match protocol {
            Protocol::RestJson => (Some(code.clone().into_owned()), json()),
            Protocol::Json { .. } => (None, json()),
            Protocol::Query { namespace, .. } => {
                let kind = if *status < 500 { "Sender" } else { "Receiver" };
                let body = format!(
                    "<ErrorResponse xmlns=\"{namespace}\">\n  <Error>\n    <Type>{kind}</Type>\n    <Code>{}</Code>\n    \
                     <Message>{}</Message>\n  </Error>\n  <RequestId>{request_id}</RequestId>\n</ErrorResponse>\n",
                    xml::text(code),
                    xml::text(message)
                );
                (None, body.into_bytes())
            }
        };
        EncodedFault {
            status: *status,
            content_type: protocol.content_type(),
            error_type,
            body,
        }
    }
}
