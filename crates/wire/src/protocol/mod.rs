//! The protocols that AWS services speak: how a request says what it wants, and what answers look like.
//!
//! One file for each protocol; this one holds what they have in common and chooses between them.

mod json;
mod query;
mod rest_json;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::check::{self, Violation};
use crate::fault::Fault;
use crate::operation::OperationFacts;

/// A protocol, with what it needs to know of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// A path for each operation, JSON bodies (AWS Batch).
    RestJson,
    /// One path, the operation in the header `x-amz-target`, JSON bodies (CloudWatch Logs).
    Json {
        /// What stands before the dot in the target header.
        target_prefix: &'static str,
    },
    /// Forms in, XML out (STS).
    Query {
        /// XML namespace of the answers.
        namespace: &'static str,
        /// The API version.
        version: &'static str,
    },
}

/// A request as it came over the wire.
#[derive(Debug, Clone, Copy)]
pub struct RawRequest<'a> {
    /// HTTP method.
    pub method: &'a str,
    /// Path, still percent-encoded.
    pub path: &'a str,
    /// Query string, still percent-encoded.
    pub query: Option<&'a str>,
    /// The header `x-amz-target`.
    pub target: Option<&'a str>,
    /// The body.
    pub body: &'a [u8],
    /// The id under which the answer goes out.
    pub request_id: &'a str,
}

/// A good answer: the status is 200.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Of the body.
    pub content_type: &'static str,
    /// The body.
    pub body: Vec<u8>,
}

/// Deepest nesting of a JSON body. The deepest input of the models has 11 levels; own choice.
const NESTING_MAX: usize = 64;

impl Protocol {
    /// The content type of answers.
    #[must_use]
    pub fn content_type(&self) -> &'static str {
        match self {
            Protocol::RestJson => "application/json",
            Protocol::Json { .. } => "application/x-amz-json-1.1",
            Protocol::Query { .. } => "text/xml",
        }
    }

    /// Whether an unsigned request looks like one of this protocol.
    pub(crate) fn recognises(&self, request: &RawRequest<'_>) -> bool {
        match self {
            Protocol::RestJson => request.path.starts_with("/v1/"),
            Protocol::Json { target_prefix } => json::operation_name(request, target_prefix).is_some(),
            Protocol::Query { .. } => query::action(request).is_some(),
        }
    }

    pub(crate) fn route(
        &self,
        request: &RawRequest<'_>,
        operations: &[OperationFacts],
    ) -> Result<usize, Fault> {
        match self {
            Protocol::RestJson => rest_json::route(request, operations),
            Protocol::Json { target_prefix } => json::route(request, target_prefix, operations),
            Protocol::Query { version, .. } => query::route(request, version, operations),
        }
    }

    /// The input as one JSON object, wherever its members stand in the request.
    pub(crate) fn value(&self, facts: &OperationFacts, request: &RawRequest<'_>) -> Result<Value, Fault> {
        match self {
            Protocol::RestJson => {
                let body = parse(request.body).map_err(|detail| self.unreadable(&detail))?;
                Ok(Value::Object(rest_json::with_located_members(
                    facts, request, body,
                )))
            }
            Protocol::Json { .. } => parse(request.body)
                .map(Value::Object)
                .map_err(|detail| self.unreadable(&detail)),
            Protocol::Query { .. } => Ok(query::value(facts, request)),
        }
    }

    pub(crate) fn encode<T: Serialize>(
        &self,
        facts: &OperationFacts,
        request_id: &str,
        output: &T,
    ) -> Result<Vec<u8>, serde_json::Error> {
        match (self, facts.output) {
            (Protocol::RestJson, None) => Ok(b"{}".to_vec()),
            (Protocol::Json { .. }, None) => Ok(Vec::new()),
            (Protocol::RestJson | Protocol::Json { .. }, Some(_)) => serde_json::to_vec(output),
            (Protocol::Query { namespace, .. }, _) => {
                Ok(query::encode(facts, namespace, request_id, &serde_json::to_value(output)?).into_bytes())
            }
        }
    }

    /// The fault for a body that is not what the protocol reads. `detail` says why, in words fit for clients.
    pub(crate) fn unreadable(&self, detail: &str) -> Fault {
        match self {
            // The first words are the live service's (section 0.8); clients match them.
            Protocol::RestJson => Fault::new(
                400,
                "ClientException",
                format!("An error occurred during JSON parsing: {detail}"),
            ),
            Protocol::Json { .. } => Fault::new(400, "SerializationException", detail),
            Protocol::Query { .. } => Fault::new(400, "MalformedInput", detail),
        }
    }

    pub(crate) fn structural_fault(&self, violations: &[Violation]) -> Fault {
        let texts = || {
            violations
                .iter()
                .map(check::plain_text)
                .collect::<Vec<_>>()
                .join(" ")
        };
        let is_unreadable = violations
            .iter()
            .any(|violation| matches!(violation.problem, check::Problem::WrongType { .. }));
        match self {
            Protocol::RestJson | Protocol::Json { .. } if is_unreadable => self.unreadable(&texts()),
            Protocol::RestJson => Fault::new(400, "ClientException", texts()),
            Protocol::Json { .. } | Protocol::Query { .. } => self.constraint_fault(violations),
        }
    }

    pub(crate) fn constraint_fault(&self, violations: &[Violation]) -> Fault {
        match self {
            Protocol::RestJson => {
                let texts: Vec<String> = violations.iter().map(check::plain_text).collect();
                Fault::new(400, "ClientException", texts.join(" "))
            }
            Protocol::Json { .. } => {
                Fault::new(400, "InvalidParameterException", check::common_text(violations))
            }
            Protocol::Query { .. } => Fault::new(400, "ValidationError", check::common_text(violations)),
        }
    }

    pub(crate) fn not_served(&self, message: String) -> Fault {
        match self {
            Protocol::RestJson => Fault::new(400, "ClientException", message),
            Protocol::Json { .. } => Fault::new(400, "UnknownOperationException", message),
            Protocol::Query { .. } => Fault::new(400, "InvalidAction", message),
        }
    }
}

/// A JSON object; an empty body counts as an empty object, as clients without input send none.
fn parse(body: &[u8]) -> Result<Map<String, Value>, String> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Map::new());
    }
    if nesting(body) > NESTING_MAX {
        return Err(format!("the body is nested deeper than {NESTING_MAX} levels"));
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err("the body must be an object".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// How deep brackets are nested, outside of strings. Counted before parsing, so that the parser's own limit, whose
/// text says less, is never met.
fn nesting(body: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0_usize);
    let (mut is_in_string, mut is_escaped) = (false, false);
    for &byte in body {
        if is_in_string {
            is_in_string = is_escaped || byte != b'"';
            is_escaped = byte == b'\\' && !is_escaped;
            continue;
        }
        match byte {
            b'"' => is_in_string = true,
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}
