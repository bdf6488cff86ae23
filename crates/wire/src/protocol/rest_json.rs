//! REST with JSON bodies: a path for each operation, some members in the path and the query string.

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use super::RawRequest;
use crate::fault::Fault;
use crate::operation::OperationFacts;
use crate::shape::{Location, Shape};

pub(super) fn route(request: &RawRequest<'_>, operations: &[OperationFacts]) -> Result<usize, Fault> {
    let is_asked =
        |facts: &OperationFacts| facts.method == request.method && label(facts, request.path).is_some();
    operations.iter().position(is_asked).ok_or_else(|| {
        let message = format!("no operation answers {} {}", request.method, request.path);
        Fault::new(404, "UnknownOperationException", message)
    })
}

/// What stands in place of the label of the operation's path (empty when it has none), if the path is the operation's.
/// Labels are last and take the rest of the path, so that an ARN may stand there unencoded too.
fn label<'a>(facts: &OperationFacts, path: &'a str) -> Option<&'a str> {
    let path = path.strip_suffix('/').unwrap_or(path);
    match facts.uri.split_once('{') {
        Some((prefix, _)) => path.strip_prefix(prefix).filter(|label| !label.is_empty()),
        None => (path == facts.uri).then_some(""),
    }
}

/// Adds the members that stand in the path and the query string to those of the body.
pub(super) fn with_located_members(
    facts: &OperationFacts,
    request: &RawRequest<'_>,
    mut body: Map<String, Value>,
) -> Map<String, Value> {
    let Shape::Structure { members } = facts.input else {
        return body;
    };
    for member in *members {
        let value = match member.location {
            Location::Body => continue,
            Location::Uri => {
                let label = label(facts, request.path).unwrap_or_default();
                Some(Value::String(
                    percent_decode_str(label).decode_utf8_lossy().into_owned(),
                ))
            }
            Location::Query => query_value(member.name, member.shape, request.query.unwrap_or_default()),
        };
        body.remove(member.name);
        if let Some(value) = value {
            body.insert(member.name.to_owned(), value);
        }
    }
    body
}

fn query_value(name: &str, shape: &Shape, query: &str) -> Option<Value> {
    let mut values = form_urlencoded::parse(query.as_bytes())
        .filter(|(key, _)| key == name)
        .map(|(_, value)| Value::String(value.into_owned()))
        .peekable();
    values.peek()?;
    match shape {
        Shape::List { .. } => Some(Value::Array(values.collect())),
        _ => values.next(),
    }
}
