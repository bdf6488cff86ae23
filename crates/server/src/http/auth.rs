//! Who a request is from.

use std::sync::Arc;

use batchyard_iam::{
    AccessKey, AccessKeyId, Credentials, Dialect, KeyLookup, Principal, SigningInput, UnixSeconds, Verifier,
};
use batchyard_wire::{Fault, Protocol};

/// Verifies signatures with the account's keys.
pub(crate) struct Auth {
    pub(crate) verifier: Verifier,
    pub(crate) keys: RootKey,
    /// Whether signatures are looked at, or everybody is the account's root.
    pub(crate) is_on: bool,
}

/// The one long-term key there is.
pub(crate) struct RootKey {
    pub(crate) credentials: Credentials,
    pub(crate) principal: Principal,
}

impl KeyLookup for RootKey {
    fn find(&self, id: &AccessKeyId) -> Option<AccessKey> {
        (*id == self.credentials.access_key_id).then(|| AccessKey {
            secret: self.credentials.secret_access_key.clone(),
            principal: self.principal.clone(),
        })
    }
}

/// A caller, and the service that the signature names.
pub(crate) struct Authenticated {
    pub(crate) principal: Arc<str>,
    pub(crate) user_id: Arc<str>,
    pub(crate) service: Option<String>,
}

impl Auth {
    /// Who signed the request. Faults are in the words of `protocol`.
    pub(crate) fn caller(
        &self,
        request: &SigningInput<'_>,
        now: UnixSeconds,
        protocol: &Protocol,
    ) -> Result<Authenticated, Fault> {
        if !self.is_on {
            let Principal {
                account: _,
                arn,
                user_id,
            } = &self.keys.principal;
            return Ok(Authenticated {
                principal: arn.as_str().into(),
                user_id: user_id.as_str().into(),
                service: claimed_service(request),
            });
        }
        let verified = self.verifier.verify(request, &self.keys, now).map_err(|error| {
            tracing::debug!(%error, "refused a request");
            let dialect = match protocol {
                Protocol::RestJson => Dialect::RestJson,
                Protocol::Json { .. } => Dialect::Json,
                Protocol::Query { .. } => Dialect::Query,
            };
            Fault::new(
                error.status(dialect),
                error.code(dialect),
                error.public_message(dialect),
            )
        })?;
        Ok(Authenticated {
            principal: verified.principal.arn.into(),
            user_id: verified.principal.user_id.into(),
            service: Some(verified.service.as_str().to_owned()),
        })
    }
}

/// The service that a request claims to be signed for: good enough to choose the form of an error, and to route where
/// signatures are not looked at.
pub(crate) fn claimed_service(request: &SigningInput<'_>) -> Option<String> {
    let header = request
        .headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("authorization"));
    let header = header
        .and_then(|(_, value)| std::str::from_utf8(value).ok())
        .unwrap_or_default();
    let credential = header
        .split_once("Credential=")
        .map(|(_, rest)| rest.split([',', ' ']).next().unwrap_or(rest));
    if let Some(credential) = credential {
        return credential.split('/').nth(3).map(str::to_owned);
    }
    let query = request
        .query
        .split('&')
        .find_map(|pair| pair.strip_prefix("X-Amz-Credential="))?;
    let decoded = percent_encoding::percent_decode_str(query).decode_utf8().ok()?;
    decoded.split('/').nth(3).map(str::to_owned)
}
