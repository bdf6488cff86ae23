//! Answers as HTTP has them.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::Full;

use crate::batch::EventsPage;
use batchyard_wire::{Answer, Fault, Protocol};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
const CURSOR: HeaderName = HeaderName::from_static("x-batchyard-cursor");
const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

/// A good answer.
pub(super) fn answer(answer: Answer, request_id: &str) -> Response<Full<Bytes>> {
    let Answer { content_type, body } = answer;
    response(200, content_type, body, request_id)
}

/// A fault in the form of a protocol.
pub(super) fn fault(fault: &Fault, protocol: &Protocol, request_id: &str) -> Response<Full<Bytes>> {
    let encoded = fault.encode(protocol, request_id);
    let mut response = response(encoded.status, encoded.content_type, encoded.body, request_id);
    if let Some(Ok(value)) = encoded.error_type.map(HeaderValue::try_from) {
        response.headers_mut().insert(ERROR_TYPE, value);
    }
    response
}

/// A JSON value of our own.
pub(super) fn json(value: &impl serde::Serialize, request_id: &str) -> Response<Full<Bytes>> {
    let body = serde_json::to_vec(value).expect("our own answers have only text keys");
    response(200, "application/json", body, request_id)
}

/// Events, one a line, and where the next ones begin in a header.
pub(super) fn events(page: &EventsPage, request_id: &str) -> Response<Full<Bytes>> {
    let EventsPage { events, next } = page;
    let lines: String = events.iter().map(|event| format!("{event}\n")).collect();
    let mut response = response(200, "application/x-ndjson", lines.into_bytes(), request_id);
    let cursor = HeaderValue::try_from(next.to_string()).expect("a cursor has digits and dots only");
    response.headers_mut().insert(CURSOR, cursor);
    response
}

/// What an agent answers to its tasks: JSON, an error with its code in the body, where clients look for it.
pub(super) fn task(answer: Result<serde_json::Value, Fault>, request_id: &str) -> Response<Full<Bytes>> {
    let fault = match answer {
        Ok(value) => return json(&value, request_id),
        Err(fault) => fault,
    };
    let body = serde_json::json!({ "code": fault.code, "message": fault.message });
    response(
        fault.status,
        "application/json",
        body.to_string().into_bytes(),
        request_id,
    )
}

fn response(
    status: u16,
    content_type: &'static str,
    body: Vec<u8>,
    request_id: &str,
) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    if let Ok(id) = HeaderValue::try_from(request_id) {
        headers.insert(REQUEST_ID, id);
    }
    response
}
