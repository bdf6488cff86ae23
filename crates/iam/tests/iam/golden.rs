//! Signatures that others made, in both directions.

use expect_test::{Expect, expect};

use crate::fixture::{NOW, Request, batch, example_credentials};

const BOTOCORE: &str = include_str!("../golden/signed-by-botocore.txt");

/// The file's requests with their names.
fn entries(file: &str) -> impl Iterator<Item = (&str, Request)> {
    let entries = file.split("=== ").filter(|entry| !entry.is_empty());
    entries
        .filter_map(|entry| entry.split_once('\n'))
        .map(|(name, request)| (name, Request::parse(request)))
}

/// The request of this name among those of botocore.
pub(crate) fn of_botocore(name: &str) -> Request {
    entries(BOTOCORE)
        .find_map(|(given, request)| (given == name).then_some(request))
        .unwrap()
}

/// Verifies every request of the file and shows who signed it.
fn check(file: &str, expected: Expect) {
    let mut lines = String::new();
    for (name, request) in entries(file) {
        let line = match request.verify() {
            Ok(verified) => format!("{name}: {} {}\n", verified.service, verified.principal.arn),
            Err(error) => format!("{name}: {error}\n"),
        };
        lines.push_str(&line);
    }
    expected.assert_eq(&lines);
}

#[test]
fn requests_of_the_sigv4_test_suite_are_verified() {
    check(
        include_str!("../golden/sigv4-test-suite.txt"),
        expect![[r#"
        get-vanilla: service arn:aws:iam::111122223333:root
        get-vanilla-query-order-key-case: service arn:aws:iam::111122223333:root
        get-header-key-duplicate: service arn:aws:iam::111122223333:root
        get-header-value-trim: service arn:aws:iam::111122223333:root
        get-unreserved: service arn:aws:iam::111122223333:root
        get-utf8: service arn:aws:iam::111122223333:root
        get-relative-relative: service arn:aws:iam::111122223333:root
        get-slash-dot-slash: service arn:aws:iam::111122223333:root
        get-slash-pointless-dot: service arn:aws:iam::111122223333:root
        get-slashes: service arn:aws:iam::111122223333:root
        get-space: service arn:aws:iam::111122223333:root
        post-vanilla: service arn:aws:iam::111122223333:root
        post-header-key-sort: service arn:aws:iam::111122223333:root
        post-x-www-form-urlencoded: service arn:aws:iam::111122223333:root
    "#]],
    );
}

#[test]
fn requests_of_botocore_are_verified() {
    check(
        BOTOCORE,
        expect![[r#"
        submit a job: batch arn:aws:iam::111122223333:root
        tags of an ARN: batch arn:aws:iam::111122223333:root
        repeated query parameter: batch arn:aws:iam::111122223333:root
        awsJson: logs arn:aws:iam::111122223333:root
        query protocol: sts arn:aws:iam::111122223333:root
        header value with spaces: batch arn:aws:iam::111122223333:root
        date header: batch arn:aws:iam::111122223333:root
        unsigned payload: batch arn:aws:iam::111122223333:root
        unnormalised path: batch arn:aws:iam::111122223333:root
        presigned: sts arn:aws:iam::111122223333:root
        presigned with a signed header: sts arn:aws:iam::111122223333:root
        session by header: batch arn:aws:sts::111122223333:assumed-role/job/batch-7
        session presigned: sts arn:aws:sts::111122223333:assumed-role/job/batch-7
    "#]],
    );
}

#[test]
fn a_presigned_request_is_the_one_that_botocore_makes() {
    let golden = of_botocore("presigned");
    let mut request = golden.clone();
    request.query = "Action=GetCallerIdentity&Version=2011-06-15".into();
    let mut target = batch();
    target.service = batchyard_iam::ServiceName::parse("sts").unwrap();
    let expires_in = batchyard_iam::ExpiresIn::parse(60).unwrap();
    let query = request
        .with(|input| batchyard_iam::presign(input, &example_credentials(), &target, NOW, expires_in))
        .unwrap();
    assert_eq!(query, golden.query);
}

#[test]
fn a_signed_request_carries_the_headers_that_clients_send() {
    let mut request = Request::parse(
        "POST /v1/submitjob\nhost: 127.0.0.1:4590\nuser-agent: x\nX-Tag: a\nContent-Type: application/json\nx-tag: b",
    );
    request.body = b"{}".to_vec();
    let headers = request
        .with(|input| batchyard_iam::sign(input, &example_credentials(), &batch(), NOW))
        .unwrap();
    let lines: String = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\n"))
        .collect();
    expect![[r#"
        x-amz-content-sha256: 44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a
        x-amz-date: 20150830T123600Z
        authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/batch/aws4_request, SignedHeaders=content-type;host;x-amz-content-sha256;x-amz-date;x-tag, Signature=3c327df89929ca7babed5e5f792318f80f37381a7307de73fd8e3694b44eff12
    "#]].assert_eq(&lines);
}

#[test]
fn requests_that_cannot_be_signed_are_refused() {
    let sign = |text: &str| {
        let signed = Request::parse(text)
            .with(|input| batchyard_iam::sign(input, &example_credentials(), &batch(), NOW));
        signed.unwrap_err().to_string()
    };
    expect!["the request has no host header"].assert_eq(&sign("GET /"));
    expect!["the request has the header x-amz-date already"]
        .assert_eq(&sign("GET /\nhost: a\nX-Amz-Date: b"));
}
