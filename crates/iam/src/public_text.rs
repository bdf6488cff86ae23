//! The texts that clients see, word for word as the live services send them.
//!
//! Clients and their tests match these by substring. Texts that have no counterpart at AWS (our own limits) say so.

use std::borrow::Cow;

use crate::{
    error::{Dialect, Error, ScopeFault},
    limits::{CLOCK_SKEW_SECONDS_MAX, ECHO_CHARS_MAX, PRESIGN_SECONDS_MAX},
};

const MISMATCH: &str = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access \
                        Key and signing method. Consult the service documentation for details.";

const UNRECOGNIZED: &str = "The security token included in the request is invalid.";

/// The text for the failure. One arm per failure: the length is the table's.
pub(crate) fn of(error: &Error, dialect: Dialect) -> Cow<'static, str> {
    let text = match error {
        Error::MissingAuthenticationToken => match dialect {
            Dialect::RestJson | Dialect::Json => return "Missing Authentication Token".into(),
            Dialect::Query => return "Request is missing Authentication Token".into(),
        },
        Error::UnknownAccessKey | Error::SessionTokenMissing | Error::SessionTokenInvalid => {
            return UNRECOGNIZED.into();
        }
        Error::SessionTokenExpired => return "The security token included in the request is expired".into(),
        // A wrong announced hash and an unsigned body have no words of their own outside S3.
        Error::SignatureMismatch | Error::PayloadHash | Error::UnsignedPayload => return MISMATCH.into(),
        Error::SignedTwice => {
            return "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header.".into();
        }
        Error::HostNotSigned => return "'Host' must be a 'SignedHeader' in the AWS Authorization.".into(),
        // The next three are our own limits, in our own words.
        Error::AuthorizationTooLong => return "Authorization header is too long.".into(),
        Error::QueryTooLong => return "Query string has too many parameters.".into(),
        Error::TooManySignedHeaders => return "'SignedHeaders' has too many elements.".into(),
        Error::NotKeyValue { part, header } => {
            format!(
                "'{part}' not a valid key=value pair (missing equal-sign) in Authorization header: '{header}'."
            )
        }
        Error::HeaderIncomplete {
            missing,
            is_date_missing,
            header,
        } => header_incomplete(missing, *is_date_missing, header),
        Error::QueryIncomplete { missing } => query_incomplete(missing),
        Error::Date { given } => {
            format!(
                "Date must be in ISO-8601 'basic format'. Got '{given}'. See http://en.wikipedia.org/wiki/ISO_8601"
            )
        }
        Error::ExpiresIn { given } => {
            format!(
                "X-Amz-Expires must be a number of seconds from 1 to {PRESIGN_SECONDS_MAX}, not '{given}'."
            )
        }
        Error::Algorithm { given } => {
            format!("Unsupported AWS 'algorithm': '{given}' (only AWS4-HMAC-SHA256 for now). ")
        }
        Error::CredentialElements { given } => format!(
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '{given}'"
        ),
        Error::Scope { faults } => faults.iter().map(scope_fault).collect(),
        Error::SignatureExpired {
            signed_at,
            now,
            life_seconds,
        } => format!(
            "Signature expired: {} is now earlier than {} ({} - {}.)",
            signed_at.iso_basic(),
            now.plus_seconds(-life_seconds).iso_basic(),
            now.iso_basic(),
            duration(*life_seconds)
        ),
        Error::SignatureNotYetCurrent { signed_at, now } => format!(
            "Signature not yet current: {} is still later than {} ({} + {}.)",
            signed_at.iso_basic(),
            now.plus_seconds(CLOCK_SKEW_SECONDS_MAX).iso_basic(),
            now.iso_basic(),
            duration(CLOCK_SKEW_SECONDS_MAX)
        ),
    };
    text.into()
}

fn header_incomplete(missing: &[&str], is_date_missing: bool, header: &str) -> String {
    let mut text: String = missing
        .iter()
        .map(|name| format!("Authorization header requires '{name}' parameter. "))
        .collect();
    if is_date_missing {
        text.push_str(
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ",
        );
    }
    text + "Authorization=" + header
}

fn query_incomplete(missing: &[&str]) -> String {
    let text: String = missing
        .iter()
        .map(|name| format!("AWS query-string parameters must include '{name}'. "))
        .collect();
    text + "Re-examine the query-string parameters."
}

fn scope_fault(fault: &ScopeFault) -> String {
    match fault {
        ScopeFault::Region { given } => {
            format!("Credential should be scoped to a valid region, not '{given}'. ")
        }
        ScopeFault::Service { expected } => {
            format!("Credential should be scoped to correct service: '{expected}'. ")
        }
        ScopeFault::ServiceUnreadable { given } => {
            format!("Credential should be scoped to correct service, not '{given}'. ")
        }
        ScopeFault::Terminator { given } => {
            format!("Credential should be scoped with a valid terminator: 'aws4_request', not '{given}'. ")
        }
        ScopeFault::Date { given, signed_at } => format!(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{given}' != '{}', \
             from '{signed_at}'. ",
            signed_at.get(..8).unwrap_or_default()
        ),
    }
}

/// The length in the unit that AWS uses; lives of whole minutes are the rule, others come from presigned requests only.
fn duration(seconds: i64) -> String {
    if seconds % 60 == 0 {
        format!("{} min", seconds / 60)
    } else {
        format!("{seconds} sec")
    }
}

/// A caller's own text for an error message: as it came, but not more than a kilobyte of it.
pub(crate) fn echo(text: &str) -> String {
    text.chars().take(ECHO_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::UnixSeconds;

    fn check(error: &Error, expected: Expect) {
        let rest = Dialect::RestJson;
        let query = Dialect::Query;
        expected.assert_eq(&format!(
            "{} {} / {} {}\n{}",
            error.status(rest),
            error.code(rest),
            error.status(query),
            error.code(query),
            error.public_message(rest)
        ));
    }

    #[test]
    fn failures_are_told_in_the_words_of_aws() {
        let now = UnixSeconds::parse_iso_basic("20200101T001000Z").unwrap();
        check(
            &Error::MissingAuthenticationToken,
            expect![[r#"
            403 MissingAuthenticationTokenException / 403 MissingAuthenticationToken
            Missing Authentication Token"#]],
        );
        check(
            &Error::SignatureMismatch,
            expect![[r#"
            403 InvalidSignatureException / 403 SignatureDoesNotMatch
            The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."#]],
        );
        check(
            &Error::UnknownAccessKey,
            expect![[r#"
            403 UnrecognizedClientException / 403 InvalidClientTokenId
            The security token included in the request is invalid."#]],
        );
        check(
            &Error::SessionTokenExpired,
            expect![[r#"
            403 ExpiredTokenException / 403 ExpiredToken
            The security token included in the request is expired"#]],
        );
        check(
            &Error::HostNotSigned,
            expect![[r#"
            403 InvalidSignatureException / 403 SignatureDoesNotMatch
            'Host' must be a 'SignedHeader' in the AWS Authorization."#]],
        );
        check(
            &Error::Date { given: "201".into() },
            expect![[r#"
            403 IncompleteSignatureException / 400 IncompleteSignature
            Date must be in ISO-8601 'basic format'. Got '201'. See http://en.wikipedia.org/wiki/ISO_8601"#]],
        );
        check(
            &Error::Algorithm {
                given: "AWS4-HMAC-SHA25".into(),
            },
            expect![[r#"
                403 IncompleteSignatureException / 400 IncompleteSignature
                Unsupported AWS 'algorithm': 'AWS4-HMAC-SHA25' (only AWS4-HMAC-SHA256 for now). "#]],
        );
        check(
            &Error::Scope {
                faults: vec![ScopeFault::Service {
                    expected: "batch".into(),
                }],
            },
            expect![[r#"
                403 InvalidSignatureException / 403 SignatureDoesNotMatch
                Credential should be scoped to correct service: 'batch'. "#]],
        );
        let missing = vec!["Credential", "Signature", "SignedHeaders"];
        let header = "AWS4-HMAC-SHA256".to_owned();
        check(
            &Error::HeaderIncomplete {
                missing,
                is_date_missing: true,
                header,
            },
            expect![[r#"
                403 IncompleteSignatureException / 400 IncompleteSignature
                Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter. Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. Authorization=AWS4-HMAC-SHA256"#]],
        );
        check(
            &Error::QueryIncomplete {
                missing: vec!["X-Amz-Date"],
            },
            expect![[r#"
                403 IncompleteSignatureException / 400 IncompleteSignature
                AWS query-string parameters must include 'X-Amz-Date'. Re-examine the query-string parameters."#]],
        );
        let header = "AWS4-HMAC-SHA256 Credential= x, a=b".to_owned();
        check(
            &Error::NotKeyValue {
                part: "x".into(),
                header,
            },
            expect![[r#"
                403 IncompleteSignatureException / 400 IncompleteSignature
                'x' not a valid key=value pair (missing equal-sign) in Authorization header: 'AWS4-HMAC-SHA256 Credential= x, a=b'."#]],
        );
        let signed_at = now.plus_seconds(-600);
        check(
            &Error::SignatureExpired {
                signed_at,
                now,
                life_seconds: 300,
            },
            expect![[r#"
                403 InvalidSignatureException / 403 SignatureDoesNotMatch
                Signature expired: 20200101T000000Z is now earlier than 20200101T000500Z (20200101T001000Z - 5 min.)"#]],
        );
        check(
            &Error::SignatureExpired {
                signed_at,
                now,
                life_seconds: 59,
            },
            expect![[r#"
                403 InvalidSignatureException / 403 SignatureDoesNotMatch
                Signature expired: 20200101T000000Z is now earlier than 20200101T000901Z (20200101T001000Z - 59 sec.)"#]],
        );
        let signed_at = now.plus_seconds(600);
        check(
            &Error::SignatureNotYetCurrent { signed_at, now },
            expect![[r#"
            403 InvalidSignatureException / 403 SignatureDoesNotMatch
            Signature not yet current: 20200101T002000Z is still later than 20200101T001500Z (20200101T001000Z + 5 min.)"#]],
        );
    }

    #[test]
    fn awsjson_services_answer_400() {
        assert_eq!(Error::UnknownAccessKey.status(Dialect::Json), 400);
        assert_eq!(
            Error::UnknownAccessKey.code(Dialect::Json),
            "UnrecognizedClientException"
        );
    }
}
