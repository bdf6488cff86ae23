//! The query protocol: form parameters with dotted names in, XML out.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::RawRequest;
use crate::fault::Fault;
use crate::operation::OperationFacts;
use crate::shape::Shape;
use crate::timestamp;
use crate::xml;

/// Most elements of a list in a form; the models' longest list has 100 (own choice).
const LIST_ELEMENTS_MAX: usize = 1_000;

type Parameters = BTreeMap<String, String>;

fn parameters(request: &RawRequest<'_>) -> Parameters {
    let query = form_urlencoded::parse(request.query.unwrap_or_default().as_bytes());
    query
        .chain(form_urlencoded::parse(request.body))
        .map(|(key, value)| (key.into_owned(), value.into_owned()))
        .collect()
}

pub(super) fn action(request: &RawRequest<'_>) -> Option<String> {
    parameters(request).remove("Action")
}

pub(super) fn route(
    request: &RawRequest<'_>,
    version: &str,
    operations: &[OperationFacts],
) -> Result<usize, Fault> {
    let mut parameters = parameters(request);
    let Some(action) = parameters.remove("Action") else {
        return Err(Fault::new(
            400,
            "MissingAction",
            "the parameter Action is missing",
        ));
    };
    let given = parameters.remove("Version").unwrap_or_default();
    operations
        .iter()
        .position(|facts| facts.name == action && given == version)
        .ok_or_else(|| {
            let message = format!("Could not find operation {action} for version {given}");
            Fault::new(400, "InvalidAction", message)
        })
}

pub(super) fn value(facts: &OperationFacts, request: &RawRequest<'_>) -> Value {
    decode(facts.input, "", &parameters(request)).unwrap_or_else(|| Value::Object(Map::new()))
}

fn decode(shape: &Shape, name: &str, parameters: &Parameters) -> Option<Value> {
    match shape {
        Shape::Structure { members } => {
            let mut object = Map::new();
            for member in *members {
                let path = if name.is_empty() {
                    member.name.to_owned()
                } else {
                    format!("{name}.{}", member.name)
                };
                if let Some(value) = decode(member.shape, &path, parameters) {
                    object.insert(member.name.to_owned(), value);
                }
            }
            (!object.is_empty()).then_some(Value::Object(object))
        }
        Shape::List { member, .. } => {
            let elements: Vec<Value> = (1..=LIST_ELEMENTS_MAX)
                .map_while(|index| decode(member, &format!("{name}.member.{index}"), parameters))
                .collect();
            (!elements.is_empty()).then_some(Value::Array(elements))
        }
        Shape::Map { value, .. } => {
            let mut object = Map::new();
            for index in 1..=LIST_ELEMENTS_MAX {
                let Some(key) = parameters.get(&format!("{name}.entry.{index}.key")) else {
                    break;
                };
                let entry = decode(value, &format!("{name}.entry.{index}.value"), parameters);
                object.insert(key.clone(), entry.unwrap_or(Value::Null));
            }
            (!object.is_empty()).then_some(Value::Object(object))
        }
        Shape::String { .. } => parameters.get(name).map(|text| Value::String(text.clone())),
        // What does not read as its type stays a string, and the check then says so.
        Shape::Integer { .. } => parameters.get(name).map(|text| {
            text.parse::<i64>()
                .map_or_else(|_| text.as_str().into(), Value::from)
        }),
        Shape::Float => parameters.get(name).map(|text| {
            text.parse::<f64>()
                .map_or_else(|_| text.as_str().into(), Value::from)
        }),
        Shape::Boolean => parameters.get(name).map(|text| {
            text.parse::<bool>()
                .map_or_else(|_| text.as_str().into(), Value::from)
        }),
        Shape::Timestamp => parameters
            .get(name)
            .map(|text| timestamp::epoch_seconds(text).map_or_else(|| text.as_str().into(), Value::from)),
    }
}

pub(super) fn encode(facts: &OperationFacts, namespace: &str, request_id: &str, output: &Value) -> String {
    let mut out = format!("<{}Response xmlns=\"{namespace}\">", facts.name);
    if let Some(shape) = facts.output {
        element(&mut out, shape, facts.result_wrapper, output);
    }
    let _ = write!(
        out,
        "<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{}Response>",
        facts.name
    );
    out
}

fn element(out: &mut String, shape: &Shape, name: &str, value: &Value) {
    let _ = write!(out, "<{name}>");
    match (shape, value) {
        (Shape::Structure { members }, Value::Object(object)) => {
            for member in *members {
                if let Some(value) = object.get(member.name) {
                    element(out, member.shape, member.name, value);
                }
            }
        }
        (Shape::List { member, .. }, Value::Array(elements)) => {
            for value in elements {
                element(out, member, "member", value);
            }
        }
        (Shape::Map { value: shape, .. }, Value::Object(object)) => {
            for (key, value) in object {
                let _ = write!(out, "<entry><key>{}</key>", xml::text(key));
                element(out, shape, "value", value);
                out.push_str("</entry>");
            }
        }
        (Shape::Timestamp, Value::Number(number)) => {
            out.push_str(&number.as_f64().and_then(timestamp::iso8601).unwrap_or_default());
        }
        (_, Value::String(text)) => out.push_str(&xml::text(text)),
        (_, other) => {
            let _ = write!(out, "{other}");
        }
    }
    let _ = write!(out, "</{name}>");
}
