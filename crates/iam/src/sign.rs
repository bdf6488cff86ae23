//! Signing, for our own clients: the other direction of [`crate::verify`], with the same canonical form.

use crate::{
    Credentials, SigningInput, Target, UnixSeconds,
    canonical::{ALGORITHM, SIGNATURE_PARAMETER, canonical_request, encoded, sha256_hex, string_to_sign},
    error::Error,
    limits::PRESIGN_SECONDS_MAX,
    scope::TERMINATOR,
    signing_key::SigningKey,
};

/// Headers that are not signed because something between client and server may change them.
const UNSIGNED_HEADERS: [&str; 7] = [
    "authorization",
    "connection",
    "expect",
    "te",
    "transfer-encoding",
    "user-agent",
    "x-amzn-trace-id",
];

/// Headers that signing makes itself.
const OWN_HEADERS: [&str; 4] = [
    "authorization",
    "x-amz-content-sha256",
    "x-amz-date",
    "x-amz-security-token",
];

/// A request that cannot be signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// There is no `host` header, without which no signature is valid.
    #[error("the request has no host header")]
    HostMissing,
    /// The request has a header already that signing would add.
    #[error("the request has the header {name} already")]
    HeaderTaken {
        /// The header.
        name: &'static str,
    },
    /// The query is beyond what a server would look at.
    #[error("the query has too many parameters")]
    QueryTooLong(#[source] Error),
}

/// How long a presigned request can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExpiresIn(u32);

impl ExpiresIn {
    /// A life in seconds, from 1 to 604,800 (a week); `None` for anything else.
    #[must_use]
    pub fn parse(seconds: u32) -> Option<Self> {
        (1..=PRESIGN_SECONDS_MAX)
            .contains(&seconds)
            .then_some(Self(seconds))
    }
}

/// Signs the request by header: the headers to add to it, as lower-case names and values.
///
/// # Errors
/// [`SignError`] if the request has no `host` header, has one of the headers to add, or has more parameters than a server looks at.
pub fn sign(
    request: &SigningInput<'_>,
    credentials: &Credentials,
    target: &Target,
    now: UnixSeconds,
) -> Result<Vec<(&'static str, String)>, SignError> {
    check_headers(request)?;
    let payload_hash = sha256_hex(request.body);
    let signed_at = now.iso_basic();
    let mut added = vec![
        ("x-amz-content-sha256", payload_hash.clone()),
        ("x-amz-date", signed_at.clone()),
    ];
    if let Some(token) = &credentials.session_token {
        added.push(("x-amz-security-token", token.expose().to_owned()));
    }
    let headers: Vec<(&str, &[u8])> = request
        .headers
        .iter()
        .copied()
        .chain(added.iter().map(|(name, value)| (*name, value.as_bytes())))
        .filter(|(name, _)| {
            !UNSIGNED_HEADERS
                .iter()
                .any(|unsigned| name.eq_ignore_ascii_case(unsigned))
        })
        .collect();
    let mut names: Vec<String> = headers
        .iter()
        .map(|(name, _)| name.to_ascii_lowercase())
        .collect();
    names.sort_unstable();
    names.dedup();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();

    let request = SigningInput {
        headers: &headers,
        ..*request
    };
    let signature = signature(&request, &names, &payload_hash, credentials, target, &signed_at)?;
    let authorization = format!(
        "{ALGORITHM} Credential={}/{}, SignedHeaders={}, Signature={signature}",
        credentials.access_key_id,
        scope(target, &signed_at),
        names.join(";")
    );
    added.push(("authorization", authorization));
    Ok(added)
}

/// Signs the request by query: the whole query of the signed request, its own parameters first. Of the headers `host` alone is signed,
/// so that any client can send the request.
///
/// # Errors
/// [`SignError`] if the request has no `host` header, has one of the signature's headers, or has more parameters than a server looks at.
pub fn presign(
    request: &SigningInput<'_>,
    credentials: &Credentials,
    target: &Target,
    now: UnixSeconds,
    expires_in: ExpiresIn,
) -> Result<String, SignError> {
    check_headers(request)?;
    let signed_at = now.iso_basic();
    let credential = format!("{}/{}", credentials.access_key_id, scope(target, &signed_at));
    let ExpiresIn(seconds) = expires_in;
    let mut query = request.query.to_owned();
    push_parameter(&mut query, "X-Amz-Algorithm", ALGORITHM);
    push_parameter(&mut query, "X-Amz-Credential", &credential);
    push_parameter(&mut query, "X-Amz-Date", &signed_at);
    push_parameter(&mut query, "X-Amz-Expires", &seconds.to_string());
    push_parameter(&mut query, "X-Amz-SignedHeaders", "host");
    if let Some(token) = &credentials.session_token {
        push_parameter(&mut query, "X-Amz-Security-Token", token.expose());
    }
    let unsigned = SigningInput {
        query: &query,
        ..*request
    };
    let payload_hash = sha256_hex(request.body);
    let signature = signature(
        &unsigned,
        &["host"],
        &payload_hash,
        credentials,
        target,
        &signed_at,
    )?;
    push_parameter(&mut query, SIGNATURE_PARAMETER, &signature);
    Ok(query)
}

fn check_headers(request: &SigningInput<'_>) -> Result<(), SignError> {
    if let Some(name) = OWN_HEADERS
        .into_iter()
        .find(|name| request.header_lines(name).next().is_some())
    {
        return Err(SignError::HeaderTaken { name });
    }
    if request.header_lines("host").next().is_none() {
        return Err(SignError::HostMissing);
    }
    Ok(())
}

fn signature(
    request: &SigningInput<'_>,
    signed_headers: &[&str],
    payload_hash: &str,
    credentials: &Credentials,
    target: &Target,
    signed_at: &str,
) -> Result<String, SignError> {
    let Target { region, service } = target;
    let canonical =
        canonical_request(request, signed_headers, payload_hash).map_err(SignError::QueryTooLong)?;
    let to_sign = string_to_sign(signed_at, &scope(target, signed_at), &canonical);
    let key = SigningKey::derive(
        &credentials.secret_access_key,
        day(signed_at),
        region.as_str(),
        service.as_str(),
    );
    Ok(key.sign(&to_sign))
}

fn scope(target: &Target, signed_at: &str) -> String {
    let Target { region, service } = target;
    format!("{}/{region}/{service}/{TERMINATOR}", day(signed_at))
}

fn day(signed_at: &str) -> &str {
    signed_at
        .get(..8)
        .expect("the form begins with an eight-digit day")
}

fn push_parameter(query: &mut String, name: &str, value: &str) {
    if !query.is_empty() {
        query.push('&');
    }
    query.push_str(name);
    query.push('=');
    query.extend(encoded(value.as_bytes()).into_iter().map(char::from));
}
