//! Why a caller was not recognised.
//!
//! `Display` is for our own logs. What a client may see comes from [`Error::code`], [`Error::status`] and [`Error::public_message`],
//! which name the failure as AWS does in the protocol that the client speaks.

use std::borrow::Cow;

use crate::{UnixSeconds, public_text};

/// A request whose caller could not be established.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no signature at all, or one of another scheme.
    #[error("the request is not signed with Signature Version 4")]
    MissingAuthenticationToken,
    /// The request is signed by header and by query.
    #[error("the request is signed by header and by query")]
    SignedTwice,
    /// The `Authorization` header is longer than is looked at.
    #[error("the Authorization header is too long")]
    AuthorizationTooLong,
    /// A part of the `Authorization` header has no equals sign.
    #[error("a part of the Authorization header has no equals sign")]
    NotKeyValue {
        /// The part.
        part: String,
        /// The whole header.
        header: String,
    },
    /// The `Authorization` header lacks parameters, or the request a date.
    #[error("the Authorization header lacks {missing:?}, or the request a date")]
    HeaderIncomplete {
        /// The parameters that are missing.
        missing: Vec<&'static str>,
        /// Whether neither date header is there.
        is_date_missing: bool,
        /// The whole header.
        header: String,
    },
    /// The presigned query lacks parameters.
    #[error("the presigned query lacks {missing:?}")]
    QueryIncomplete {
        /// The parameters that are missing.
        missing: Vec<&'static str>,
    },
    /// The query has more parameters than are looked at.
    #[error("the query has too many parameters")]
    QueryTooLong,
    /// The request's date cannot be read.
    #[error("the date '{given}' cannot be read")]
    Date {
        /// The date.
        given: String,
    },
    /// The life of the presigned request is not a number of seconds from 1 to a week's.
    #[error("the expiry '{given}' is not within a week")]
    ExpiresIn {
        /// The life.
        given: String,
    },
    /// The `host` header is not among those signed.
    #[error("the host header is not signed")]
    HostNotSigned,
    /// The request signs more headers than are looked at.
    #[error("too many headers are signed")]
    TooManySignedHeaders,
    /// The algorithm is not `AWS4-HMAC-SHA256`.
    #[error("the algorithm '{given}' is not supported")]
    Algorithm {
        /// The algorithm.
        given: String,
    },
    /// The credential parameter has not five elements.
    #[error("the credential '{given}' has not five elements")]
    CredentialElements {
        /// The parameter.
        given: String,
    },
    /// The credential scope is not this request's.
    #[error("the credential scope does not fit: {faults:?}")]
    Scope {
        /// What does not fit, at least one.
        faults: Vec<ScopeFault>,
    },
    /// The request was signed too long ago.
    #[error("the signature of {} has expired", signed_at.iso_basic())]
    SignatureExpired {
        /// When it was signed.
        signed_at: UnixSeconds,
        /// The server's time.
        now: UnixSeconds,
        /// How long signatures of its kind live, in seconds.
        life_seconds: i64,
    },
    /// The request was signed in the future.
    #[error("the signature of {} is not yet current", signed_at.iso_basic())]
    SignatureNotYetCurrent {
        /// When it was signed.
        signed_at: UnixSeconds,
        /// The server's time.
        now: UnixSeconds,
    },
    /// Nobody has the access key.
    #[error("the access key is not known")]
    UnknownAccessKey,
    /// A session's key came without the session's token.
    #[error("a session's access key came without its token")]
    SessionTokenMissing,
    /// The session token is not one of ours, or not this access key's.
    #[error("the session token is not valid for the access key")]
    SessionTokenInvalid,
    /// The session is over.
    #[error("the session token has expired")]
    SessionTokenExpired,
    /// The body is not the one whose hash the request announces.
    #[error("the announced payload hash is not the body's")]
    PayloadHash,
    /// The body is left out of the signature where that is not allowed.
    #[error("the body must be signed")]
    UnsignedPayload,
    /// The signature is not the one that the caller's secret makes.
    #[error("the signature does not match")]
    SignatureMismatch,
}

/// One way in which a credential scope does not fit its request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScopeFault {
    /// Not a region, or not this server's.
    Region {
        /// The scope's region.
        given: String,
    },
    /// Not the service that the request is for.
    Service {
        /// The service that it is for.
        expected: String,
    },
    /// Not a service name at all.
    ServiceUnreadable {
        /// The scope's service.
        given: String,
    },
    /// Not `aws4_request`.
    Terminator {
        /// The scope's last element.
        given: String,
    },
    /// Not the day of the request's date.
    Date {
        /// The scope's day.
        given: String,
        /// The request's date in ISO 8601 basic form.
        signed_at: String,
    },
}

/// The protocol that an error is told in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// restJson1 behind a gateway, as Batch.
    RestJson,
    /// awsJson1.0 and 1.1, as CloudWatch Logs.
    Json,
    /// The query protocol, as IAM and STS.
    Query,
}

/// The families into which AWS sorts the failures.
#[derive(Clone, Copy)]
enum Family {
    MissingToken,
    Incomplete,
    Mismatch,
    Unrecognized,
    Expired,
}

impl Error {
    /// The error code, such as `InvalidSignatureException` or, in the query protocol, `SignatureDoesNotMatch`.
    #[must_use]
    pub fn code(&self, dialect: Dialect) -> &'static str {
        let is_query = dialect == Dialect::Query;
        match self.family() {
            Family::MissingToken if is_query => "MissingAuthenticationToken",
            Family::MissingToken => "MissingAuthenticationTokenException",
            Family::Incomplete if is_query => "IncompleteSignature",
            Family::Incomplete => "IncompleteSignatureException",
            Family::Mismatch if is_query => "SignatureDoesNotMatch",
            Family::Mismatch => "InvalidSignatureException",
            Family::Unrecognized if is_query => "InvalidClientTokenId",
            Family::Unrecognized => "UnrecognizedClientException",
            Family::Expired if is_query => "ExpiredToken",
            Family::Expired => "ExpiredTokenException",
        }
    }

    /// The HTTP status: 403 from the gateway, 400 in awsJson; the query protocol has 400 for what is incomplete and 403 otherwise.
    #[must_use]
    pub fn status(&self, dialect: Dialect) -> u16 {
        match (dialect, self.family()) {
            (Dialect::Json, _) | (Dialect::Query, Family::Incomplete) => 400,
            (
                Dialect::RestJson | Dialect::Query,
                Family::MissingToken
                | Family::Incomplete
                | Family::Mismatch
                | Family::Unrecognized
                | Family::Expired,
            ) => 403,
        }
    }

    /// The text that AWS sends for the failure.
    #[must_use]
    pub fn public_message(&self, dialect: Dialect) -> Cow<'static, str> {
        public_text::of(self, dialect)
    }

    fn family(&self) -> Family {
        match self {
            Self::MissingAuthenticationToken => Family::MissingToken,
            Self::AuthorizationTooLong
            | Self::NotKeyValue { .. }
            | Self::HeaderIncomplete { .. }
            | Self::QueryIncomplete { .. }
            | Self::QueryTooLong
            | Self::Date { .. }
            | Self::ExpiresIn { .. }
            | Self::TooManySignedHeaders
            | Self::Algorithm { .. }
            | Self::CredentialElements { .. } => Family::Incomplete,
            Self::SignedTwice
            | Self::HostNotSigned
            | Self::Scope { .. }
            | Self::SignatureExpired { .. }
            | Self::SignatureNotYetCurrent { .. }
            | Self::PayloadHash
            | Self::UnsignedPayload
            | Self::SignatureMismatch => Family::Mismatch,
            Self::UnknownAccessKey | Self::SessionTokenMissing | Self::SessionTokenInvalid => {
                Family::Unrecognized
            }
            Self::SessionTokenExpired => Family::Expired,
        }
    }
}
