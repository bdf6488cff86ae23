//! A client of the server's API: typed calls, signed, tried again where that is safe.
//!
//! Speaks plain HTTP to one server. Must not know what calls mean: whether a job may be submitted twice is decided by what is
//! certain not to have reached the server, and by nothing else.
//!
//! Where to start reading: [`Client::call`].

mod patience;
#[cfg(test)]
mod tests;

use std::error::Error as _;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use batchyard_iam::{Region, ServiceName, SignError, SigningInput, Target, UnixSeconds};
use batchyard_server::access::Access;
use batchyard_wire::Fault;
use batchyard_wire::client::{EncodedRequest, decode, encode};
use batchyard_wire::{Call, batch};
use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;

use crate::events::Wanted;
use crate::expected::ExpectedStart;
use patience::Patience;

/// Largest answer that is read, in bytes (own choice; 100 described jobs of the largest size are a few MiB).
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// How long the server may take to answer once (own choice; it answers in milliseconds).
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// Calls a server as one caller.
pub(crate) struct Client {
    http: hyper_util::client::legacy::Client<HttpConnector, Full<Bytes>>,
    access: Access,
    region: Region,
    /// The host and port, as the header `host` has it.
    authority: String,
    /// Whether a server has answered yet: from then on its absence is more likely a restart than a mistake.
    has_answered: AtomicBool,
}

/// A call did not succeed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    /// The endpoint is not an address that this client can call.
    #[error("failed to use the endpoint {0}; it must look like http://127.0.0.1:4590")]
    Endpoint(String),
    /// The region cannot be signed for.
    #[error("failed to use the region `{0}`; it must be a name such as us-east-1")]
    Region(String),
    /// Nothing listens there.
    #[error("no server answers at {endpoint}\nhint: start one with `batchyard up`")]
    Unreachable {
        /// Where.
        endpoint: String,
        /// What the connection said, unless it was just refused.
        #[source]
        source: Option<hyper_util::client::legacy::Error>,
    },
    /// The connection broke; whether the server acted on the call is not known.
    #[error("failed to talk to the server at {endpoint}")]
    Connection {
        /// Where.
        endpoint: String,
        /// What the connection said.
        #[source]
        source: hyper_util::client::legacy::Error,
    },
    /// The answer could not be read.
    #[error("failed to read the server's answer")]
    Answer(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The server took too long.
    #[error("the server at {0} does not answer")]
    Slow(String),
    /// The request could not be signed.
    #[error("failed to sign the request")]
    Sign(#[from] SignError),
    /// The server refused.
    #[error("{}", .0.message)]
    Refused(Fault),
}

/// What the server says of a job's state.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Explanation {
    /// The job's id.
    pub(crate) job_id: String,
    /// Its state.
    pub(crate) status: String,
    /// Why it is in that state.
    pub(crate) explanation: String,
    /// When it is expected to start, while it is queued.
    pub(crate) expected_start: Option<ExpectedStart>,
}

/// An answer as it came.
struct Answer {
    status: StatusCode,
    body: Bytes,
    /// Where the next events begin.
    cursor: Option<String>,
}

impl Client {
    /// A client for the server and caller of `access`; does not connect yet.
    ///
    /// # Errors
    /// When the endpoint is not plain HTTP, or the region has no valid name.
    pub(crate) fn new(access: Access) -> Result<Client, CallError> {
        let uri: Option<Uri> = access.endpoint.parse().ok();
        let authority = uri
            .filter(|uri| uri.scheme_str() == Some("http") && uri.path() == "/" && uri.query().is_none())
            .and_then(|uri| uri.authority().map(ToString::to_string))
            .ok_or_else(|| CallError::Endpoint(access.endpoint.clone()))?;
        let region = Region::parse(&access.region).ok_or_else(|| CallError::Region(access.region.clone()))?;
        let http = hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build_http();
        Ok(Client {
            http,
            access,
            region,
            authority,
            has_answered: AtomicBool::new(false),
        })
    }

    /// The server's address.
    pub(crate) fn access(&self) -> &Access {
        &self.access
    }

    /// Calls an operation and waits for its answer.
    ///
    /// # Errors
    /// What the server refused, or why it could not be asked; a call that is known not to have had an effect is tried again first.
    pub(crate) async fn call<C: Call>(&self, input: &C) -> Result<C::Output, CallError> {
        let request = encode(input);
        let name = C::operation().name;
        let is_read = ["Describe", "Get", "List"]
            .iter()
            .any(|prefix| name.starts_with(prefix));
        let answer = self.send(C::service().signing_name, &request, is_read).await?;
        decode::<C>(answer.status.as_u16(), &answer.body).map_err(CallError::Refused)
    }

    /// Asks why a job is where it is; the answer as it came, an [`Explanation`] and the reasons for programs.
    ///
    /// # Errors
    /// As for [`Client::call`].
    pub(crate) async fn explain(&self, job: &str) -> Result<serde_json::Value, CallError> {
        self.ask(format!("explain/{}", percent_encoded(job)), String::new())
            .await
    }

    /// Asks when these jobs are expected to start; the answer as it came.
    ///
    /// # Errors
    /// As for [`Client::call`].
    pub(crate) async fn forecast(&self, jobs: &[&str]) -> Result<serde_json::Value, CallError> {
        let query = format!("jobs={}", percent_encoded(&jobs.join(",")));
        self.ask("forecast".to_owned(), query).await
    }

    /// The scheduler's state, for simulations.
    ///
    /// # Errors
    /// As for [`Client::call`].
    pub(crate) async fn state(&self) -> Result<serde_json::Value, CallError> {
        self.ask("state".to_owned(), String::new()).await
    }

    /// Events, one a line, and the cursor behind them.
    ///
    /// # Errors
    /// As for [`Client::call`].
    pub(crate) async fn events(&self, wanted: &Wanted<'_>) -> Result<(String, String), CallError> {
        let Wanted {
            after,
            queue,
            detail_type,
            wait_seconds,
        } = wanted;
        let mut query = format!("wait={wait_seconds}");
        for (name, value) in [("after", after), ("queue", queue), ("detail-type", detail_type)] {
            if let Some(value) = value {
                query.push_str(&format!("&{name}={}", percent_encoded(value)));
            }
        }
        let answer = self.ask_for("events".to_owned(), query).await?;
        let lines = String::from_utf8_lossy(&answer.body).into_owned();
        let missing = || CallError::Answer("it does not say where the next events begin".into());
        Ok((lines, answer.cursor.ok_or_else(missing)?))
    }

    /// One of Batchyard's own operations, all of which only read.
    async fn ask(&self, operation: String, query: String) -> Result<serde_json::Value, CallError> {
        let answer = self.ask_for(operation, query).await?;
        serde_json::from_slice(&answer.body).map_err(|error| CallError::Answer(error.into()))
    }

    async fn ask_for(&self, operation: String, query: String) -> Result<Answer, CallError> {
        let request = EncodedRequest {
            method: "GET",
            path: format!("/batchyard/v1/{operation}"),
            query,
            content_type: "application/json",
            target: None,
            body: Vec::new(),
        };
        let answer = self.send(batch::SERVICE.signing_name, &request, true).await?;
        if let Some(refused) = refusal(&answer) {
            return Err(refused);
        }
        Ok(answer)
    }

    /// Takes an instance, or the place under a job, away.
    ///
    /// # Errors
    /// As for [`Client::call`].
    pub(crate) async fn interrupt(&self, target: &str, notice_seconds: u32) -> Result<(), CallError> {
        let body = serde_json::json!({ "target": target, "noticeSeconds": notice_seconds });
        let request = EncodedRequest {
            method: "POST",
            path: "/batchyard/v1/interrupt".to_owned(),
            query: String::new(),
            content_type: "application/json",
            target: None,
            body: body.to_string().into_bytes(),
        };
        let answer = self.send(batch::SERVICE.signing_name, &request, false).await?;
        refusal(&answer).map_or(Ok(()), Err)
    }

    async fn send(
        &self,
        service: &'static str,
        request: &EncodedRequest,
        is_read: bool,
    ) -> Result<Answer, CallError> {
        let mut patience = Patience::new();
        loop {
            let failure = match self.send_once(service, request).await {
                Ok(answer) if is_overload(answer.status) && patience.is_left(Patience::BUSY) => None,
                Ok(answer) => {
                    self.has_answered.store(true, Ordering::Relaxed);
                    return Ok(answer);
                }
                Err(error) => Some(error),
            };
            if let Some(error) = failure {
                let has_answered = self.has_answered.load(Ordering::Relaxed);
                let limit = match &error {
                    CallError::Unreachable { .. } if has_answered => Patience::RESTART,
                    CallError::Unreachable { .. } => Patience::START,
                    CallError::Connection { .. } | CallError::Slow(_) | CallError::Answer(_) if is_read => {
                        Patience::RESTART
                    }
                    _ => return Err(error),
                };
                if !patience.is_left(limit) {
                    return Err(error);
                }
            }
            patience.pause().await;
        }
    }

    async fn send_once(&self, service: &'static str, request: &EncodedRequest) -> Result<Answer, CallError> {
        let request = self.sign(service, request)?;
        let endpoint = || self.access.endpoint.clone();
        let exchange = async {
            let response = self.http.request(request).await.map_err(|source| {
                let endpoint = endpoint();
                match (is_refused(&source), source.is_connect()) {
                    (true, _) => CallError::Unreachable {
                        endpoint,
                        source: None,
                    },
                    (false, true) => CallError::Unreachable {
                        endpoint,
                        source: Some(source),
                    },
                    (false, false) => CallError::Connection { endpoint, source },
                }
            })?;
            let status = response.status();
            let cursor = response.headers().get("x-batchyard-cursor");
            let cursor = cursor.and_then(|value| value.to_str().ok()).map(str::to_owned);
            let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX);
            let body = body.collect().await.map_err(CallError::Answer)?.to_bytes();
            Ok(Answer { status, body, cursor })
        };
        match tokio::time::timeout(ANSWER_TIMEOUT, exchange).await {
            Ok(result) => result,
            Err(_) => Err(CallError::Slow(endpoint())),
        }
    }

    /// The request with its signature, made anew for each try because it contains the time.
    fn sign(
        &self,
        service: &'static str,
        request: &EncodedRequest,
    ) -> Result<Request<Full<Bytes>>, CallError> {
        let EncodedRequest {
            method,
            path,
            query,
            content_type,
            target,
            body,
        } = request;
        let mut headers: Vec<(&str, &str)> = vec![("host", &self.authority), ("content-type", content_type)];
        if let Some(target) = target {
            headers.push(("x-amz-target", target));
        }
        let to_sign: Vec<(&str, &[u8])> = headers
            .iter()
            .map(|(name, value)| (*name, value.as_bytes()))
            .collect();
        let input = SigningInput {
            method,
            path,
            query,
            headers: &to_sign,
            body,
        };
        let scope = Target {
            region: self.region.clone(),
            service: ServiceName::parse(service).expect("the models' signing names are names"),
        };
        let signature = batchyard_iam::sign(&input, &self.access.credentials, &scope, now())?;
        let separator = if query.is_empty() { "" } else { "?" };
        let mut builder = Request::builder()
            .method(*method)
            .uri(format!("http://{}{path}{separator}{query}", self.authority));
        for (name, value) in headers {
            builder = builder.header(name, value);
        }
        for (name, value) in signature {
            // Credentials come from the environment: what is in them is not ours to trust.
            let value = HeaderValue::try_from(value).map_err(|error| CallError::Answer(error.into()))?;
            builder = builder.header(name, value);
        }
        let request = builder.body(Full::new(Bytes::copy_from_slice(body)));
        Ok(request.expect("an encoded path and query make a URI, and names of headers are constants"))
    }
}

impl CallError {
    /// Whether the server said, with this code, why not.
    pub(crate) fn has_code(&self, code: &str) -> bool {
        matches!(self, CallError::Refused(fault) if fault.code == code)
    }
}

/// What the answer to one of Batchyard's own operations says, if that was refused: any operation's errors look the same.
fn refusal(answer: &Answer) -> Option<CallError> {
    let refused = decode::<batch::DescribeJobsRequest>(answer.status.as_u16(), &answer.body).err();
    refused
        .filter(|_| !answer.status.is_success())
        .map(CallError::Refused)
}

/// The text as it stands in a path or a query.
fn percent_encoded(text: &str) -> String {
    let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.bytes()
        .map(|byte| match is_safe(byte) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        })
        .collect()
}

/// The server did nothing but ask for less.
fn is_overload(status: StatusCode) -> bool {
    status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::SERVICE_UNAVAILABLE
}

/// Whether nobody listens there.
fn is_refused(error: &hyper_util::client::legacy::Error) -> bool {
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(cause) = cause.downcast_ref::<io::Error>() {
            return cause.kind() == io::ErrorKind::ConnectionRefused;
        }
        source = cause.source();
    }
    false
}

fn now() -> UnixSeconds {
    let seconds = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| elapsed.as_secs());
    UnixSeconds::new(i64::try_from(seconds).unwrap_or(i64::MAX))
}
