//! The operations from the caller's side: how to send an input, how to read the answer. Only for the JSON protocols,
//! which are those that Batchyard's own commands call.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::fault::Fault;
use crate::operation::Call;
use crate::protocol::Protocol;
use crate::shape::{Location, Shape};

/// A request that is ready to be signed and sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedRequest {
    /// HTTP method.
    pub method: &'static str,
    /// Path, percent-encoded.
    pub path: String,
    /// Query string, percent-encoded, empty without one.
    pub query: String,
    /// Of the body.
    pub content_type: &'static str,
    /// The header `x-amz-target`, where the protocol has it.
    pub target: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

/// What SigV4 leaves unencoded.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// Puts an input into the form of its protocol.
#[must_use]
pub fn encode<C: Call>(input: &C) -> EncodedRequest {
    let (service, facts) = (C::service(), C::operation());
    let mut value = serde_json::to_value(input).unwrap_or_default();
    let (mut path, mut query) = (facts.uri.to_owned(), String::new());
    if let (Shape::Structure { members }, Value::Object(object)) = (facts.input, &mut value) {
        for member in members.iter().filter(|member| member.location != Location::Body) {
            let Some(value) = object.remove(member.name) else {
                continue;
            };
            match (member.location, value) {
                (Location::Uri, Value::String(text)) => {
                    let label = utf8_percent_encode(&text, ENCODED).to_string();
                    path = path.replace(&format!("{{{}}}", member.name), &label);
                }
                (Location::Query, Value::Array(elements)) => {
                    for element in elements.iter().filter_map(Value::as_str) {
                        let separator = if query.is_empty() { "" } else { "&" };
                        query += &format!(
                            "{separator}{}={}",
                            member.name,
                            utf8_percent_encode(element, ENCODED)
                        );
                    }
                }
                _ => {}
            }
        }
    }
    let target = match service.protocol {
        Protocol::Json { target_prefix } => Some(format!("{target_prefix}.{}", facts.name)),
        Protocol::RestJson | Protocol::Query { .. } => None,
    };
    let body = if facts.method == "GET" {
        Vec::new()
    } else {
        value.to_string().into_bytes()
    };
    EncodedRequest {
        method: facts.method,
        path,
        query,
        content_type: service.protocol.content_type(),
        target,
        body,
    }
}

/// Reads an answer.
///
/// # Errors
/// The fault that the service told; for an answer that cannot be read one with the code `UnreadableAnswer`.
pub fn decode<C: Call>(status: u16, body: &[u8]) -> Result<C::Output, Fault> {
    let unreadable = |text: String| Fault::new(status, "UnreadableAnswer", text);
    if status >= 300 {
        let value: Value = serde_json::from_slice(body)
            .map_err(|_| unreadable(format!("HTTP status {status}: {}", String::from_utf8_lossy(body))))?;
        let member = |name: &str| {
            value
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        return Err(Fault::new(status, member("__type"), member("message")));
    }
    if C::operation().output.is_none() || body.is_empty() {
        return Ok(C::Output::default());
    }
    serde_json::from_slice(body)
        .map_err(|error| unreadable(format!("the answer was not understood: {error}")))
}
