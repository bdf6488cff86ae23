//! What holds for every request.

use batchyard_iam::{Error, ExpiresIn};
use proptest::prelude::*;

use crate::fixture::{NOW, Request, batch, example_credentials};

/// Requests with odd characters wherever a client may put them. The header `x-signed` is there to be changed.
fn request() -> impl Strategy<Value = Request> {
    let header =
        ("[a-z]{3,8}", "[ -~é]{0,20}").prop_map(|(name, value)| (format!("x-{name}"), value.into_bytes()));
    (
        "[A-Z]{1,7}",
        "(/[a-zA-Z0-9 %:@+$&=~._é-]{0,8}){1,4}",
        "([a-zA-Z0-9%+/:é]{1,6}(=[a-zA-Z0-9%+/:=é]{0,6})?&?){0,4}",
        prop::collection::vec(header, 0..4),
        prop::collection::vec(any::<u8>(), 0..40),
    )
        .prop_map(|(method, path, query, mut headers, body)| {
            headers.push(("Host".into(), b"example.com".to_vec()));
            headers.push(("x-signed".into(), b"value".to_vec()));
            Request {
                method,
                path,
                query,
                headers,
                body,
            }
        })
}

/// One change of something that is signed.
#[derive(Debug, Clone, Copy)]
enum Change {
    Method,
    Path,
    NewParameter,
    LostParameter,
    Header,
    LostHeader,
    RepeatedHeader,
    Body,
    Signature,
}

fn change() -> impl Strategy<Value = Change> {
    prop::sample::select(vec![
        Change::Method,
        Change::Path,
        Change::NewParameter,
        Change::LostParameter,
        Change::Header,
        Change::LostHeader,
        Change::RepeatedHeader,
        Change::Body,
        Change::Signature,
    ])
}

fn changed(request: &Request, change: Change) -> Request {
    let mut request = request.clone();
    match change {
        Change::Method => request.method.push('X'),
        Change::Path => request.path.push_str("/x"),
        Change::NewParameter => request.query.push_str("&x"),
        Change::LostParameter => request.query.clear(),
        Change::Header => request.set_header("x-signed", "Value"),
        Change::LostHeader => request.headers.retain(|(name, _)| name != "x-signed"),
        Change::RepeatedHeader => request.headers.push(("x-signed".into(), b"value".to_vec())),
        Change::Body => request.body.push(0),
        Change::Signature => {
            let (_, value) = request
                .headers
                .iter_mut()
                .find(|(name, _)| name == "authorization")
                .unwrap();
            let last = value.last_mut().unwrap();
            *last = if *last == b'0' { b'1' } else { b'0' };
        }
    }
    request
}

proptest! {
    #[test]
    fn what_is_signed_is_verified(request in request()) {
        let verified = request.signed(&example_credentials()).verify();
        prop_assert_eq!(verified.map(|verified| verified.signed_at), Ok(NOW));
    }

    #[test]
    fn what_is_presigned_is_verified(request in request(), seconds in 1..=604_800_u32) {
        let expires_in = ExpiresIn::parse(seconds).unwrap();
        let mut presigned = request.clone();
        presigned.query =
            request.with(|input| batchyard_iam::presign(input, &example_credentials(), &batch(), NOW, expires_in)).unwrap();
        prop_assert!(presigned.verify().is_ok());
        prop_assert!(presigned.verify_at(NOW.plus_seconds(seconds.into())).is_ok());
        prop_assert!(presigned.verify_at(NOW.plus_seconds(i64::from(seconds) + 1)).is_err());
        presigned.query.push_str("&x");
        prop_assert_eq!(presigned.verify(), Err(Error::SignatureMismatch));
    }

    #[test]
    fn what_is_changed_is_refused(request in request(), change in change()) {
        let signed = request.signed(&example_credentials());
        let changed = changed(&signed, change);
        prop_assume!(changed != signed);
        let is_only_spelled_otherwise = matches!(change, Change::LostParameter) && request.query.trim_matches('&').is_empty();
        prop_assume!(!is_only_spelled_otherwise);
        let refused = changed.verify().unwrap_err();
        prop_assert!(matches!(refused, Error::SignatureMismatch | Error::PayloadHash), "{refused}");
    }

    #[test]
    fn any_authorization_is_survived(
        value in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200),
            "AWS4-HMAC-SHA256 (Credential=|SignedHeaders=|Signature=|[a-z0-9/;,= é]){0,12}".prop_map(String::into_bytes),
        ],
        date in prop_oneof!["[0-9TZ]{0,18}", "\\PC{0,20}"],
    ) {
        let mut request = Request::parse("GET /\nhost: a");
        request.set_header("authorization", value);
        request.set_header("x-amz-date", date);
        prop_assert!(request.verify().is_err());
    }

    #[test]
    fn any_request_is_survived(
        path in "\\PC{0,30}",
        query in prop_oneof!["\\PC{0,60}", "(X-Amz-(Algorithm|Credential|Date|Expires|SignedHeaders|Signature|Security-Token)=[0-9A-Za-z%/]{0,20}&){0,12}"],
        headers in prop::collection::vec(("(host|date|authorization|x-amz-security-token|x-amz-content-sha256)", prop::collection::vec(any::<u8>(), 0..40)), 0..6),
    ) {
        let request = Request { method: "GET".into(), path, query, headers, body: vec![] };
        prop_assert!(request.verify().is_err());
    }
}
