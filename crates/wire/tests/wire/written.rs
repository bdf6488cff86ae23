//! Requests as they stand on the wire, written as text: the request line, headers, an empty line, the body.

use batchyard_wire::shape::{Location, Shape};
use batchyard_wire::{Fault, OperationFacts, Protocol, RawRequest, Service, ServiceFacts, identify};
use form_urlencoded::byte_serialize;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

/// The id under which all answers of these tests go out.
pub(crate) const REQUEST_ID: &str = "8b2c1d3e";

/// A request that owns its parts.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Written {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: Option<String>,
    pub(crate) target: Option<String>,
    pub(crate) body: Vec<u8>,
}

impl Written {
    pub(crate) fn parse(text: &str) -> Written {
        let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
        let mut lines = head.lines();
        let (method, uri) = lines.next().unwrap().split_once(' ').unwrap();
        let (path, query) = uri
            .split_once('?')
            .map_or((uri, None), |(path, query)| (path, Some(query.to_owned())));
        let target = lines
            .next()
            .map(|line| line.strip_prefix("x-amz-target: ").unwrap().to_owned());
        Written {
            method: method.to_owned(),
            path: path.to_owned(),
            query,
            target,
            body: body.as_bytes().to_vec(),
        }
    }

    /// The request of an operation with an input, as the protocols' descriptions say.
    pub(crate) fn of(service: &ServiceFacts, facts: &OperationFacts, input: &Value) -> Written {
        let mut written = Written {
            method: facts.method.to_owned(),
            path: facts.uri.to_owned(),
            ..Written::default()
        };
        match service.protocol {
            Protocol::RestJson => written.locate_members(facts, input),
            Protocol::Json { target_prefix } => {
                written.target = Some(format!("{target_prefix}.{}", facts.name));
                written.body = input.to_string().into_bytes();
            }
            Protocol::Query { version, .. } => {
                let mut form = format!("Action={}&Version={version}", facts.name);
                add_parameters(&mut form, "", input);
                written.body = form.into_bytes();
            }
        }
        written
    }

    fn locate_members(&mut self, facts: &OperationFacts, input: &Value) {
        let Shape::Structure { members } = facts.input else {
            panic!("inputs are structures");
        };
        let mut body = input.clone();
        let mut parameters = Vec::new();
        for member in *members {
            let value = match member.location {
                Location::Body => continue,
                Location::Uri | Location::Query => body.as_object_mut().unwrap().remove(member.name),
            };
            for value in value.iter().flat_map(|value| match value {
                Value::Array(elements) => elements.iter().collect(),
                one => vec![one],
            }) {
                let text = value.as_str().unwrap();
                if member.location == Location::Uri {
                    let label = utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
                    self.path = self.path.replace(&format!("{{{}}}", member.name), &label);
                } else {
                    let text: String = byte_serialize(text.as_bytes()).collect();
                    parameters.push(format!("{}={text}", member.name));
                }
            }
        }
        self.query = (!parameters.is_empty()).then(|| parameters.join("&"));
        self.body = body.to_string().into_bytes();
    }

    pub(crate) fn raw(&self) -> RawRequest<'_> {
        let Written {
            method,
            path,
            query,
            target,
            body,
        } = self;
        RawRequest {
            method,
            path,
            query: query.as_deref(),
            target: target.as_deref(),
            body,
            request_id: REQUEST_ID,
        }
    }
}

/// The input that the request's operation gets when every broken constraint is refused.
pub(crate) fn input(
    service: &ServiceFacts,
    facts: &OperationFacts,
    request: &Written,
) -> Result<Value, Fault> {
    service.input(facts, &request.raw(), |violations| {
        Some(service.constraint_fault(violations))
    })
}

/// Which operation a request is for, and the input it gets; or the fault.
pub(crate) fn outcome(request: &Written, signing_name: Option<&str>) -> String {
    let Some(service) = identify(&request.raw(), signing_name).map(Service::facts) else {
        return "no service".to_owned();
    };
    let name = service.signing_name;
    let routed = service
        .route(&request.raw())
        .map(|position| &service.operations[position]);
    match routed.and_then(|facts| Ok((facts, input(service, facts, request)?))) {
        Ok((facts, value)) => format!("{name} {}\n{value}", facts.name),
        Err(Fault {
            status,
            code,
            message,
        }) => format!("{name} {status} {code}\n{message}"),
    }
}

fn add_parameters(form: &mut String, name: &str, value: &Value) {
    match value {
        Value::Object(object) => {
            let dot = if name.is_empty() { "" } else { "." };
            for (member, value) in object {
                add_parameters(form, &format!("{name}{dot}{member}"), value);
            }
        }
        Value::Array(elements) => {
            for (index, value) in elements.iter().enumerate() {
                add_parameters(form, &format!("{name}.member.{}", index + 1), value);
            }
        }
        Value::String(text) => {
            let text: String = byte_serialize(text.as_bytes()).collect();
            *form += &format!("&{name}={text}");
        }
        other => *form += &format!("&{name}={other}"),
    }
}
