//! A signing client that stops the measurement at the first refusal.

use std::time::{SystemTime, UNIX_EPOCH};

use batchyard_iam::{Region, ServiceName, SigningInput, Target, UnixSeconds, sign};
use batchyard_server::access::Access;
use batchyard_wire::Call;
use batchyard_wire::client::{decode, encode};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

pub(crate) struct Client {
    http: hyper_util::client::legacy::Client<HttpConnector, Full<Bytes>>,
    access: Access,
    target: Target,
    host: String,
}

impl Client {
    pub(crate) fn new(access: Access) -> Client {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Client {
            http: hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build(connector),
            target: Target {
                region: Region::parse(&access.region).expect("the server has a region"),
                service: ServiceName::parse("batch").expect("it is a name"),
            },
            host: access.endpoint.trim_start_matches("http://").to_owned(),
            access,
        }
    }

    pub(crate) async fn call<C: Call>(&self, input: &C) -> C::Output {
        let encoded = encode(input);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = UnixSeconds::new(i64::try_from(now.as_secs()).unwrap_or(0));
        let headers: [(&str, &[u8]); 2] = [
            ("host", self.host.as_bytes()),
            ("content-type", encoded.content_type.as_bytes()),
        ];
        let signing = SigningInput {
            method: encoded.method,
            path: &encoded.path,
            query: &encoded.query,
            headers: &headers,
            body: &encoded.body,
        };
        let signed = sign(&signing, &self.access.credentials, &self.target, now).expect("it can be signed");
        let mut request = Request::builder()
            .method(encoded.method)
            .uri(format!("{}{}", self.access.endpoint, encoded.path));
        for (name, value) in headers {
            request = request.header(name, value);
        }
        for (name, value) in signed {
            request = request.header(name, value);
        }
        let request = request
            .body(Full::new(Bytes::from(encoded.body)))
            .expect("it is a request");
        let response = self.http.request(request).await.expect("the server answers");
        let status = response.status().as_u16();
        let body = response
            .into_body()
            .collect()
            .await
            .expect("the answer comes whole")
            .to_bytes();
        decode::<C>(status, &body).unwrap_or_else(|fault| panic!("{fault:?}"))
    }
}
