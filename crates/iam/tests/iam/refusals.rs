//! Every way to be refused, with the text that the client sees.

use batchyard_iam::{Dialect, ExpiresIn, Region, Rules, SessionToken, UnixSeconds, Verifier};
use expect_test::{Expect, expect};

use crate::{
    fixture::{NOW, OneKey, Request, batch, example_credentials, issuer, job_role},
    golden::of_botocore,
};

fn request() -> Request {
    let mut request = Request::parse("POST /v1/submitjob\nhost: 127.0.0.1:4590");
    request.body = b"{}".to_vec();
    request
}

fn signed() -> Request {
    request().signed(&example_credentials())
}

fn presigned(seconds: u32) -> Request {
    let expires_in = ExpiresIn::parse(seconds).unwrap();
    let mut request = request();
    request.query = request
        .with(|input| batchyard_iam::presign(input, &example_credentials(), &batch(), NOW, expires_in))
        .unwrap();
    request
}

fn check_at(now: UnixSeconds, request: &Request, expected: Expect) {
    expected.assert_eq(&match request.verify_at(now) {
        Ok(verified) => verified.principal.arn,
        Err(error) => format!(
            "{} ({error})\n{}",
            error.code(Dialect::RestJson),
            error.public_message(Dialect::RestJson)
        ),
    });
}

fn check(request: &Request, expected: Expect) {
    check_at(NOW, request, expected);
}

/// A request whose `Authorization` header is this.
fn check_authorization(value: &str, expected: Expect) {
    let mut request = signed();
    request.set_header("authorization", value);
    check(&request, expected);
}

/// A presigned request in which the first text is replaced by the second.
fn check_query(from: &str, to: &str, expected: Expect) {
    let mut request = presigned(60);
    assert!(request.query.contains(from));
    request.query = request.query.replace(from, to);
    check(&request, expected);
}

#[test]
fn requests_without_a_signature() {
    check(&signed(), expect!["arn:aws:iam::111122223333:root"]);
    check(
        &request(),
        expect![[r#"
            MissingAuthenticationTokenException (the request is not signed with Signature Version 4)
            Missing Authentication Token"#]],
    );
    check_authorization(
        "Bearer abc",
        expect![[r#"
            MissingAuthenticationTokenException (the request is not signed with Signature Version 4)
            Missing Authentication Token"#]],
    );
    check_authorization(
        "AWS AKIDEXAMPLE:frJIUN8DYpKDtOLCwo//yllqDzg=",
        expect![[r#"
            MissingAuthenticationTokenException (the request is not signed with Signature Version 4)
            Missing Authentication Token"#]],
    );
    let mut twice = presigned(60);
    twice.set_header("authorization", "AWS4-HMAC-SHA256 Credential=a");
    check(
        &twice,
        expect![[r#"
            InvalidSignatureException (the request is signed by header and by query)
            Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header."#]],
    );
}

#[test]
fn malformed_authorization_headers() {
    check_authorization(
        "AWS4-HMAC-SHA256",
        expect![[r#"
            IncompleteSignatureException (the Authorization header lacks ["Credential", "Signature", "SignedHeaders"], or the request a date)
            Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter. Authorization=AWS4-HMAC-SHA256"#]],
    );
    check_authorization(
        "AWS4-HMAC-SHA256 Credential= a, SignedHeaders=host, Signature=0",
        expect![[r#"
            IncompleteSignatureException (a part of the Authorization header has no equals sign)
            'a' not a valid key=value pair (missing equal-sign) in Authorization header: 'AWS4-HMAC-SHA256 Credential= a, SignedHeaders=host, Signature=0'."#]],
    );
    check_authorization(
        "AWS4-HMAC-SHA256 Credential=a, Signature=0",
        expect![[r#"
            IncompleteSignatureException (the Authorization header lacks ["SignedHeaders"], or the request a date)
            Authorization header requires 'SignedHeaders' parameter. Authorization=AWS4-HMAC-SHA256 Credential=a, Signature=0"#]],
    );
    check_authorization(
        "AWS4-HMAC-SHA256 Credential=a, SignedHeaders=date, Signature=0",
        expect![[r#"
            InvalidSignatureException (the host header is not signed)
            'Host' must be a 'SignedHeader' in the AWS Authorization."#]],
    );
    check_authorization(
        "AWS4-ECDSA-P256-SHA256 Credential=a, SignedHeaders=host, Signature=0",
        expect![[r#"
            IncompleteSignatureException (the algorithm 'AWS4-ECDSA-P256-SHA256' is not supported)
            Unsupported AWS 'algorithm': 'AWS4-ECDSA-P256-SHA256' (only AWS4-HMAC-SHA256 for now). "#]],
    );
    check_authorization(
        "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=Host, Signature=0",
        expect![[r#"
            IncompleteSignatureException (the credential 'a/b' has not five elements)
            Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got 'a/b'"#]],
    );
    check_authorization(
        "AWS4-HMAC-SHA256 Credential=a/b/c/d/e, SignedHeaders=host, Signature=0",
        expect![[r#"
            InvalidSignatureException (the credential scope does not fit: [Terminator { given: "e" }, Date { given: "b", signed_at: "20150830T123600Z" }])
            Credential should be scoped with a valid terminator: 'aws4_request', not 'e'. Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: 'b' != '20150830', from '20150830T123600Z'. "#]],
    );
    check_authorization(
        &format!("AWS4-HMAC-SHA256 Credential={}", "a".repeat(9_000)),
        expect![[r#"
            IncompleteSignatureException (the Authorization header is too long)
            Authorization header is too long."#]],
    );
    let many = "a;".repeat(101);
    let value = format!("AWS4-HMAC-SHA256 Credential=a, SignedHeaders=host;{many}, Signature=0");
    check_authorization(
        &value,
        expect![[r#"
            IncompleteSignatureException (too many headers are signed)
            'SignedHeaders' has too many elements."#]],
    );
}

#[test]
fn malformed_presigned_queries() {
    check(&presigned(60), expect!["arn:aws:iam::111122223333:root"]);
    check_query(
        "X-Amz-Date=",
        "x=",
        expect![[r#"
            IncompleteSignatureException (the presigned query lacks ["X-Amz-Date"])
            AWS query-string parameters must include 'X-Amz-Date'. Re-examine the query-string parameters."#]],
    );
    check_query(
        "X-Amz-Expires=60",
        "X-Amz-Expires=604801",
        expect![[r#"
            IncompleteSignatureException (the expiry '604801' is not within a week)
            X-Amz-Expires must be a number of seconds from 1 to 604800, not '604801'."#]],
    );
    check_query(
        "X-Amz-Expires=60",
        "X-Amz-Expires=0",
        expect![[r#"
            IncompleteSignatureException (the expiry '0' is not within a week)
            X-Amz-Expires must be a number of seconds from 1 to 604800, not '0'."#]],
    );
    check_query(
        "X-Amz-Expires=60",
        "X-Amz-Expires=%2B60",
        expect![[r#"
            IncompleteSignatureException (the expiry '+60' is not within a week)
            X-Amz-Expires must be a number of seconds from 1 to 604800, not '+60'."#]],
    );
    check_query(
        "X-Amz-Expires=60",
        "X-Amz-Expires=61",
        expect![[r#"
            InvalidSignatureException (the signature does not match)
            The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."#]],
    );
    check_query(
        "SignedHeaders=host",
        "SignedHeaders=x",
        expect![[r#"
            InvalidSignatureException (the host header is not signed)
            'Host' must be a 'SignedHeader' in the AWS Authorization."#]],
    );
    check_query(
        "Algorithm=AWS4-HMAC-SHA256",
        "Algorithm=AWS4",
        expect![[r#"
            IncompleteSignatureException (the algorithm 'AWS4' is not supported)
            Unsupported AWS 'algorithm': 'AWS4' (only AWS4-HMAC-SHA256 for now). "#]],
    );
    check_query(
        "20150830T123600Z",
        "Sun,%2030%20Aug%202015%2012:36:00%20GMT",
        expect![[r#"
            IncompleteSignatureException (the date 'Sun, 30 Aug 2015 12:36:00 GMT' cannot be read)
            Date must be in ISO-8601 'basic format'. Got 'Sun, 30 Aug 2015 12:36:00 GMT'. See http://en.wikipedia.org/wiki/ISO_8601"#]],
    );
}

#[test]
fn dates() {
    let mut request = signed();
    request.set_header("x-amz-date", "201");
    check(
        &request,
        expect![[r#"
            IncompleteSignatureException (the date '201' cannot be read)
            Date must be in ISO-8601 'basic format'. Got '201'. See http://en.wikipedia.org/wiki/ISO_8601"#]],
    );
    request.set_header("x-amz-date", "20150831T123600Z");
    check_at(
        NOW.plus_seconds(86_400),
        &request,
        expect![[r#"
            InvalidSignatureException (the credential scope does not fit: [Date { given: "20150830", signed_at: "20150831T123600Z" }])
            Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '20150830' != '20150831', from '20150831T123600Z'. "#]],
    );
    request.headers.retain(|(name, _)| name != "x-amz-date");
    check(
        &request,
        expect![[r#"
            IncompleteSignatureException (the Authorization header lacks [], or the request a date)
            Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. Authorization=AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/batch/aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=eb528e1b37d6f21024590a412bd485a2c9617f20f39d26dd1e017a4ebf4f23ad"#]],
    );

    check_at(
        NOW.plus_seconds(300),
        &signed(),
        expect!["arn:aws:iam::111122223333:root"],
    );
    check_at(
        NOW.plus_seconds(301),
        &signed(),
        expect![[r#"
            InvalidSignatureException (the signature of 20150830T123600Z has expired)
            Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T124101Z - 5 min.)"#]],
    );
    check_at(
        NOW.plus_seconds(-300),
        &signed(),
        expect!["arn:aws:iam::111122223333:root"],
    );
    check_at(
        NOW.plus_seconds(-301),
        &signed(),
        expect![[r#"
            InvalidSignatureException (the signature of 20150830T123600Z is not yet current)
            Signature not yet current: 20150830T123600Z is still later than 20150830T123559Z (20150830T123059Z + 5 min.)"#]],
    );

    check_at(
        NOW.plus_seconds(60),
        &presigned(60),
        expect!["arn:aws:iam::111122223333:root"],
    );
    check_at(
        NOW.plus_seconds(61),
        &presigned(60),
        expect![[r#"
            InvalidSignatureException (the signature of 20150830T123600Z has expired)
            Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T123701Z - 1 min.)"#]],
    );
    check_at(
        NOW.plus_seconds(604_800),
        &presigned(604_800),
        expect!["arn:aws:iam::111122223333:root"],
    );
    check_at(
        NOW.plus_seconds(-301),
        &presigned(604_800),
        expect![[r#"
            InvalidSignatureException (the signature of 20150830T123600Z is not yet current)
            Signature not yet current: 20150830T123600Z is still later than 20150830T123559Z (20150830T123059Z + 5 min.)"#]],
    );
}

#[test]
fn bodies() {
    let mut request = signed();
    request.body = b"{ }".to_vec();
    check(
        &request,
        expect![[r#"
            InvalidSignatureException (the announced payload hash is not the body's)
            The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."#]],
    );
    request.set_header("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD");
    check(
        &request,
        expect![[r#"
            InvalidSignatureException (the announced payload hash is not the body's)
            The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."#]],
    );

    let mut unsigned = presigned(60);
    unsigned.set_header("x-amz-content-sha256", "UNSIGNED-PAYLOAD");
    check(
        &unsigned,
        expect![[r#"
            InvalidSignatureException (the body must be signed)
            The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."#]],
    );
    let mut changed = presigned(60);
    changed.body.push(b' ');
    check(
        &changed,
        expect![[r#"
            InvalidSignatureException (the signature does not match)
            The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."#]],
    );
}

#[test]
fn keys_and_sessions() {
    let mut unknown = example_credentials();
    unknown.access_key_id = batchyard_iam::AccessKeyId::parse("AKIDUNKNOWN").unwrap();
    check(
        &request().signed(&unknown),
        expect![[r#"
            UnrecognizedClientException (the access key is not known)
            The security token included in the request is invalid."#]],
    );

    let mut wrong = example_credentials();
    wrong.secret_access_key = batchyard_iam::SecretAccessKey::new("wrong");
    check(
        &request().signed(&wrong),
        expect![[r#"
            InvalidSignatureException (the signature does not match)
            The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."#]],
    );

    let mut bogus = example_credentials();
    bogus.session_token = SessionToken::parse("bogus");
    check(
        &request().signed(&bogus),
        expect![[r#"
            UnrecognizedClientException (the session token is not valid for the access key)
            The security token included in the request is invalid."#]],
    );

    let session = issuer().issue(&job_role(), NOW.plus_seconds(200), [3; 16]);
    check(
        &request().signed(&session),
        expect!["arn:aws:sts::111122223333:assumed-role/job/batch-7"],
    );
    check_at(
        NOW.plus_seconds(200),
        &request().signed(&session),
        expect![[r#"
            ExpiredTokenException (the session token has expired)
            The security token included in the request is expired"#]],
    );

    let mut other = issuer().issue(&job_role(), NOW.plus_seconds(200), [4; 16]);
    other.session_token.clone_from(&session.session_token);
    check(
        &request().signed(&other),
        expect![[r#"
            UnrecognizedClientException (the session token is not valid for the access key)
            The security token included in the request is invalid."#]],
    );

    let mut without = session.clone();
    without.session_token = None;
    check(
        &request().signed(&without),
        expect![[r#"
            UnrecognizedClientException (a session's access key came without its token)
            The security token included in the request is invalid."#]],
    );

    let mut borrowed = example_credentials();
    borrowed.session_token = session.session_token;
    check(
        &request().signed(&borrowed),
        expect![[r#"
            UnrecognizedClientException (the session token is not valid for the access key)
            The security token included in the request is invalid."#]],
    );
}

#[test]
fn rules_narrow_what_is_accepted() {
    let rules = Rules {
        region: Region::parse("eu-west-1"),
        is_unsigned_payload_allowed: false,
    };
    let strict = Verifier::new(rules, issuer());
    let refused = signed()
        .with(|input| strict.verify(input, &OneKey, NOW))
        .unwrap_err();
    expect!["Credential should be scoped to a valid region, not 'us-east-1'. "]
        .assert_eq(&refused.public_message(Dialect::RestJson));

    let rules = Rules {
        region: None,
        is_unsigned_payload_allowed: false,
    };
    let strict = Verifier::new(rules, issuer());
    let unsigned = of_botocore("unsigned payload");
    let refused = unsigned
        .with(|input| strict.verify(input, &OneKey, NOW))
        .unwrap_err();
    expect!["the body must be signed"].assert_eq(&refused.to_string());

    let refused = signed().verify().unwrap().for_service("logs").unwrap_err();
    expect!["Credential should be scoped to correct service: 'logs'. "]
        .assert_eq(&refused.public_message(Dialect::RestJson));
    assert!(signed().verify().unwrap().for_service("batch").is_ok());
}
