use batchyard_iam::Credentials;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

fn access(endpoint: &str) -> Access {
    Access {
        endpoint: endpoint.to_owned(),
        region: "us-east-1".to_owned(),
        credentials: Credentials::long_term([7; 40]),
    }
}

#[test]
fn only_plain_http_addresses_are_endpoints() {
    for good in [
        "http://127.0.0.1:4590",
        "http://[::1]:4590",
        "http://batch.example/",
    ] {
        assert!(Client::new(access(good)).is_ok(), "{good}");
    }
    for bad in [
        "https://batch.example",
        "127.0.0.1:4590",
        "http://host/path",
        "",
        "http://",
    ] {
        assert!(
            matches!(Client::new(access(bad)), Err(CallError::Endpoint(_))),
            "{bad}"
        );
    }
}

#[test]
fn requests_carry_what_the_signature_covers() {
    let client = Client::new(access("http://127.0.0.1:4590")).unwrap();
    let request = encode(&batch::DescribeJobsRequest {
        jobs: vec!["a".to_owned()],
    });
    let signed = client.sign("batch", &request).unwrap();
    assert_eq!(signed.uri(), "http://127.0.0.1:4590/v1/describejobs");
    let authorization = signed.headers()["authorization"].to_str().unwrap();
    assert!(
        authorization.contains("SignedHeaders=content-type;host;x-amz-content-sha256;x-amz-date,"),
        "{authorization}"
    );
}

#[tokio::test]
async fn without_a_server_the_error_says_how_to_start_one() {
    // Bound but not listening: nobody else can get the port, and connections are refused.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let endpoint = format!("http://{}", socket.local_addr().unwrap());
    let client = Client::new(access(&endpoint)).unwrap();
    let error = client
        .call(&batch::DescribeJobsRequest { jobs: vec![] })
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("no server answers at {endpoint}\nhint: start one with `batchyard up`")
    );
}

/// A client, and a server that gives each connection the next of these answers, then closes it.
async fn against(answers: &[&'static str]) -> (Client, tokio::task::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = Client::new(access(&format!("http://{}", listener.local_addr().unwrap()))).unwrap();
    let answers = answers.to_vec();
    let server = tokio::spawn(async move {
        let mut lines = Vec::new();
        for answer in answers {
            let (mut connection, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.windows(4).any(|window| window == b"\r\n\r\n") {
                let mut buffer = [0; 4096];
                let count = connection.read(&mut buffer).await.unwrap();
                assert_ne!(count, 0, "a request has headers");
                request.extend_from_slice(&buffer[..count]);
            }
            let text = String::from_utf8_lossy(&request).into_owned();
            lines.push(text.lines().next().unwrap_or_default().to_owned());
            connection.write_all(answer.as_bytes()).await.unwrap();
        }
        lines
    });
    (client, server)
}

const BUSY: &str = "HTTP/1.1 429 Too Many Requests\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
const NO_JOBS: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 11\r\n\r\n{\"jobs\":[]}";
const REFUSAL: &str = "HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 54\r\n\r\n\
                       {\"__type\":\"ClientException\",\"message\":\"Job not found\"}";

#[tokio::test]
async fn a_busy_server_is_asked_again() {
    let (client, server) = against(&[BUSY, NO_JOBS]).await;
    let answer = client
        .call(&batch::DescribeJobsRequest { jobs: vec![] })
        .await
        .unwrap();
    assert_eq!(answer.jobs, Some(vec![]));
    assert_eq!(server.await.unwrap(), ["POST /v1/describejobs HTTP/1.1"; 2]);
}

#[tokio::test]
async fn a_broken_connection_repeats_reads_only() {
    let (client, server) = against(&["", NO_JOBS]).await;
    assert!(
        client
            .call(&batch::DescribeJobsRequest { jobs: vec![] })
            .await
            .is_ok()
    );
    assert_eq!(server.await.unwrap().len(), 2);

    let (client, server) = against(&[""]).await;
    let error = client
        .call(&batch::SubmitJobRequest::default())
        .await
        .unwrap_err();
    assert!(matches!(error, CallError::Connection { .. }), "{error:?}");
    assert_eq!(server.await.unwrap(), ["POST /v1/submitjob HTTP/1.1"]);
}

#[tokio::test]
async fn refusals_are_told_in_the_servers_words() {
    let (client, server) = against(&[REFUSAL]).await;
    let error = client.explain("a/b").await.unwrap_err();
    assert_eq!(error.to_string(), "Job not found");
    assert!(error.has_code("ClientException"));
    assert_eq!(
        server.await.unwrap(),
        ["GET /batchyard/v1/explain/a%2Fb HTTP/1.1"]
    );
}
