//! From an HTTP request to its answer: limits, then who asks, then which operation, then the operation.

use std::sync::Arc;

use batchyard_core::token::ClientToken;
use batchyard_iam::{SigningInput, UnixSeconds};
use batchyard_runtime::clock::Clock;
use batchyard_wire::{Answer, Fault, Protocol, RawRequest, Service, batch, identify, logs, sts};
use bytes::Bytes;
use http::request::Parts;
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use tokio::sync::Semaphore;

use super::auth::{Auth, Authenticated, claimed_service};
use super::credentials::TaskCredentials;
use super::{Audience, metadata, respond};
use crate::batch::{Batch, EventsQuery, ForecastQuery, explain};
use crate::caller::{Caller, digest};
use crate::limits::{BODY_BYTES_MAX, BODY_TIMEOUT, CLIENT_TOKEN_LIFE, CLIENT_TOKEN_MAX, REQUESTS_MAX};
use crate::logs::LogsApi;
use crate::sts::Sts;

/// The header that makes a submission safe to send again.
const CLIENT_TOKEN: &str = "x-batchyard-client-token";

/// Everything that answers requests.
pub(crate) struct Gateway {
    pub(crate) auth: Auth,
    pub(crate) batch: Batch,
    pub(crate) logs: LogsApi,
    pub(crate) sts: Sts,
    pub(crate) task_credentials: TaskCredentials,
    pub(crate) clock: Arc<dyn Clock>,
    requests: Semaphore,
}

/// A request whose body is here.
struct Whole<'a> {
    parts: &'a Parts,
    headers: Vec<(&'a str, &'a [u8])>,
    body: &'a [u8],
    request_id: &'a Arc<str>,
}

impl Gateway {
    pub(crate) fn new(
        auth: Auth,
        batch: Batch,
        logs: LogsApi,
        sts: Sts,
        task_credentials: TaskCredentials,
        clock: Arc<dyn Clock>,
    ) -> Gateway {
        Gateway {
            auth,
            batch,
            logs,
            sts,
            task_credentials,
            clock,
            requests: Semaphore::new(REQUESTS_MAX),
        }
    }

    /// The answer to a request; never fails, as faults are answers too.
    pub(crate) async fn answer(
        &self,
        request: Request<Incoming>,
        audience: Audience,
    ) -> Response<Full<Bytes>> {
        let request_id: Arc<str> = request_id().into();
        let (parts, body) = request.into_parts();
        let Ok(_permit) = self.requests.try_acquire() else {
            let protocol = protocol_of(&parts, &[]);
            return respond::fault(&too_many(), protocol, &request_id);
        };
        if let Some(answer) = self.open_paths(&parts, &request_id).await {
            return answer;
        }
        if audience == Audience::Tasks {
            let fault = Fault::new(404, "ResourceNotFoundException", "only tasks are served here");
            return respond::task(Err(fault), &request_id);
        }
        let body = match read(body).await {
            Ok(body) => body,
            Err(fault) => return respond::fault(&fault, protocol_of(&parts, &[]), &request_id),
        };
        let headers = parts
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes()))
            .collect();
        let whole = Whole {
            parts: &parts,
            headers,
            body: &body,
            request_id: &request_id,
        };
        self.signed(&whole).await
    }

    /// Paths that need no signature: whether the server lives, and what a task is told about itself.
    async fn open_paths(&self, parts: &Parts, request_id: &str) -> Option<Response<Full<Bytes>>> {
        if parts.method != Method::GET {
            return None;
        }
        let path = parts.uri.path();
        if path == "/batchyard/health" {
            return Some(respond::json(&serde_json::json!({ "status": "ok" }), request_id));
        }
        if let Some(answer) = self.task_credentials.answer(&self.batch, parts).await {
            return Some(respond::task(answer, request_id));
        }
        let (version, rest) = path.strip_prefix('/')?.split_once('/')?;
        if !matches!(version, "v3" | "v4") {
            return None;
        }
        Some(match metadata::answer(&self.batch, rest).await {
            Ok(value) => respond::json(&value, request_id),
            Err(fault) => respond::fault(&fault, &Protocol::RestJson, request_id),
        })
    }

    async fn signed(&self, whole: &Whole<'_>) -> Response<Full<Bytes>> {
        let Whole {
            parts,
            headers,
            body,
            request_id,
        } = whole;
        let signing = SigningInput {
            method: parts.method.as_str(),
            path: parts.uri.path(),
            query: parts.uri.query().unwrap_or_default(),
            headers,
            body,
        };
        let raw = raw(parts, body, request_id);
        let claimed = identify(&raw, claimed_service(&signing).as_deref()).or_else(|| identify(&raw, None));
        let protocol = &claimed.unwrap_or(Service::Batch).facts().protocol;
        let now = UnixSeconds::new(self.clock.now().as_millis().div_euclid(1000));
        let authenticated = match self.auth.caller(&signing, now, protocol) {
            Ok(authenticated) => authenticated,
            Err(fault) => return respond::fault(&fault, protocol, request_id),
        };
        let Authenticated {
            principal,
            user_id,
            service,
        } = authenticated;
        let client_token = match client_token(parts, body) {
            Ok(token) => token,
            Err(fault) => return respond::fault(&fault, protocol, request_id),
        };
        let caller = Caller {
            client_token,
            principal,
            user_id,
            request_id: Arc::clone(request_id),
            body_bytes: body.len(),
        };
        if let Some(own) = own_operation(parts) {
            return match self.serve_own(own, request_id).await {
                Ok(answer) => answer,
                Err(fault) => respond::fault(&fault, &Protocol::RestJson, request_id),
            };
        }
        if parts.method == Method::POST && parts.uri.path() == "/batchyard/v1/interrupt" {
            return match self.batch.interrupt(&caller, body).await {
                Ok(()) => respond::json(&serde_json::json!({}), request_id),
                Err(fault) => respond::fault(&fault, &Protocol::RestJson, request_id),
            };
        }
        let Some(service) = identify(&raw, service.as_deref()) else {
            let name = service.unwrap_or_default();
            let fault = Fault::new(
                400,
                "UnknownOperationException",
                format!("the service {name} is not served here"),
            );
            return respond::fault(&fault, protocol, request_id);
        };
        match self.serve(service, &caller, &raw).await {
            Ok(answer) => respond::answer(answer, request_id),
            Err(fault) => respond::fault(&fault, &service.facts().protocol, request_id),
        }
    }

    async fn serve_own(&self, own: OwnOperation, request_id: &str) -> Result<Response<Full<Bytes>>, Fault> {
        Ok(match own {
            OwnOperation::Explain { job } => respond::json(&explain(&self.batch, &job).await?, request_id),
            OwnOperation::Forecast(query) => respond::json(&self.batch.forecast(query).await?, request_id),
            OwnOperation::Events(query) => respond::events(&self.batch.events(&query?).await?, request_id),
            OwnOperation::State => respond::json(&self.batch.present().await?, request_id),
        })
    }

    async fn serve(&self, service: Service, caller: &Caller, raw: &RawRequest<'_>) -> Result<Answer, Fault> {
        match service {
            Service::Batch => batch::dispatch(&self.batch, caller, batch::Operation::route(raw)?, raw).await,
            Service::Logs => logs::dispatch(&self.logs, caller, logs::Operation::route(raw)?, raw).await,
            Service::Sts => sts::dispatch(&self.sts, caller, sts::Operation::route(raw)?, raw).await,
        }
    }
}

/// The client's mark, with a digest of what it marks: how the members of the body are ordered and spaced makes no difference.
fn client_token(parts: &Parts, body: &[u8]) -> Result<Option<ClientToken>, Fault> {
    let Some(value) = parts.headers.get(CLIENT_TOKEN) else {
        return Ok(None);
    };
    let is_token = |text: &&str| (1..=CLIENT_TOKEN_MAX).contains(&text.len());
    let Some(token) = value.to_str().ok().filter(is_token) else {
        return Err(Fault::new(
            400,
            "ClientException",
            format!(
                "the header X-Batchyard-Client-Token must have 1 to {CLIENT_TOKEN_MAX} characters of ASCII"
            ),
        ));
    };
    // What is no JSON is refused later.
    let ordered = serde_json::from_slice::<serde_json::Value>(body).unwrap_or_default();
    Ok(Some(ClientToken {
        token: token.into(),
        digest: digest(&ordered.to_string()),
        life: CLIENT_TOKEN_LIFE,
    }))
}

fn raw<'a>(parts: &'a Parts, body: &'a [u8], request_id: &'a str) -> RawRequest<'a> {
    RawRequest {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query: parts.uri.query(),
        target: parts
            .headers
            .get("x-amz-target")
            .and_then(|value| value.to_str().ok()),
        body,
        request_id,
    }
}

/// The protocol to answer in where the request was not looked at further.
fn protocol_of(parts: &Parts, body: &[u8]) -> &'static Protocol {
    let service = identify(&raw(parts, body, ""), None).unwrap_or(Service::Batch);
    &service.facts().protocol
}

/// Operations of Batchyard's own, signed as those of AWS Batch.
enum OwnOperation {
    /// `GET /batchyard/v1/explain/ID`.
    Explain {
        /// The job's id as it was given.
        job: String,
    },
    /// `GET /batchyard/v1/forecast?queue=NAME&jobs=ID,ID`.
    Forecast(ForecastQuery),
    /// `GET /batchyard/v1/events?after=CURSOR&wait=SECONDS&limit=N&queue=NAME&detail-type=NAME`.
    Events(Result<EventsQuery, Fault>),
    /// `GET /batchyard/v1/state`.
    State,
}

fn own_operation(parts: &Parts) -> Option<OwnOperation> {
    let path = parts.uri.path().strip_prefix("/batchyard/v1/")?;
    if parts.method != Method::GET {
        return None;
    }
    match path.split_once('/') {
        Some(("explain", job)) => {
            let job = percent_encoding::percent_decode_str(job).decode_utf8_lossy();
            Some(OwnOperation::Explain {
                job: job.into_owned(),
            })
        }
        None if path == "forecast" => {
            let query = parts.uri.query().unwrap_or_default();
            Some(OwnOperation::Forecast(ForecastQuery::parse(query)))
        }
        None if path == "events" => {
            let query = parts.uri.query().unwrap_or_default();
            Some(OwnOperation::Events(EventsQuery::parse(query)))
        }
        None if path == "state" => Some(OwnOperation::State),
        _ => None,
    }
}

async fn read(body: Incoming) -> Result<Bytes, Fault> {
    let whole = tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, BODY_BYTES_MAX).collect());
    match whole.await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Fault::new(
            413,
            "RequestEntityTooLargeException",
            format!("the body has more than {BODY_BYTES_MAX} bytes"),
        )),
        Ok(Err(_)) => Err(Fault::new(
            400,
            "ClientException",
            "the body could not be read to its end",
        )),
        Err(_) => Err(Fault::new(
            408,
            "RequestTimeoutException",
            "the body did not come in time",
        )),
    }
}

fn too_many() -> Fault {
    Fault::new(429, "TooManyRequestsException", "Too Many Requests")
}

/// A new request id: a UUID of version 4.
fn request_id() -> String {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the operating system has random numbers");
    let number = u128::from_be_bytes(bytes) & !(0xf << 76 | 0x3 << 62) | 0x4 << 76 | 0x2 << 62;
    let digits = format!("{number:032x}");
    format!(
        "{}-{}-{}-{}-{}",
        &digits[..8],
        &digits[8..12],
        &digits[12..16],
        &digits[16..20],
        &digits[20..]
    )
}
