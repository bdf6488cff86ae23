//! From a request to its caller.
//!
//! [`Verifier::verify`] is the whole of it: read the claim, check what can be checked without a key (time, scope), find the secret,
//! make the signature again and compare. It must not say more to the caller than AWS does, and must not take longer for a signature
//! that is nearly right.

use subtle::ConstantTimeEq;

use crate::{
    AccessKeyId, Error, Principal, Region, SecretAccessKey, ServiceName, SessionIssuer, SessionToken,
    SigningInput, Target, UnixSeconds,
    canonical::{UNSIGNED_PAYLOAD, canonical_request, sha256_hex, string_to_sign},
    claim::{Claim, Form},
    error::ScopeFault,
    limits::CLOCK_SKEW_SECONDS_MAX,
    scope::Credential,
    session::Session,
    signing_key::{SigningKey, SigningKeys},
};

/// Verifies requests. It can be shared by all of a server's threads; its only state is a bounded store of derived keys.
#[derive(Debug)]
pub struct Verifier {
    rules: Rules,
    sessions: SessionIssuer,
    signing_keys: SigningKeys,
}

/// What a server asks of a request beyond a right signature.
#[derive(Debug, Clone)]
pub struct Rules {
    /// The region that requests must be signed for; any if there is none.
    pub region: Option<Region>,
    /// Whether a request signed by header may leave its body out of the signature, as clients do over https. Presigned ones never may.
    pub is_unsigned_payload_allowed: bool,
}

impl Default for Rules {
    /// Any region, and unsigned bodies allowed.
    fn default() -> Self {
        Self {
            region: None,
            is_unsigned_payload_allowed: true,
        }
    }
}

/// Where long-term access keys are looked up.
pub trait KeyLookup {
    /// The key of the id, or `None` if nobody has it or it is not active. Called once for each request that is not a session's, before
    /// its signature is checked; it must answer from memory.
    fn find(&self, id: &AccessKeyId) -> Option<AccessKey>;
}

/// A long-term access key: its secret and whose it is.
#[derive(Debug, Clone)]
pub struct AccessKey {
    /// The secret.
    pub secret: SecretAccessKey,
    /// The owner.
    pub principal: Principal,
}

/// A caller who proved to have the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Who it is.
    pub principal: Principal,
    /// The key that signed.
    pub access_key_id: AccessKeyId,
    /// The service that the request was signed for; [`Verified::for_service`] compares it.
    pub service: ServiceName,
    /// The region that the request was signed for.
    pub region: Region,
    /// When it was signed, by the caller's clock.
    pub signed_at: UnixSeconds,
}

impl Verified {
    /// The caller again, if the request was signed for this service.
    ///
    /// # Errors
    /// [`Error::Scope`] if it was signed for another.
    pub fn for_service(self, expected: &str) -> Result<Self, Error> {
        if self.service.as_str() == expected {
            return Ok(self);
        }
        Err(Error::Scope {
            faults: vec![ScopeFault::Service {
                expected: expected.to_owned(),
            }],
        })
    }
}

impl Verifier {
    /// A verifier by these rules that opens the tokens of `sessions`.
    #[must_use]
    pub fn new(rules: Rules, sessions: SessionIssuer) -> Self {
        Self {
            rules,
            sessions,
            signing_keys: SigningKeys::new(),
        }
    }

    /// Establishes who signed the request. `now` is the server's time.
    ///
    /// # Errors
    /// The first failure in the order in which the live services look: form, date, host, algorithm, scope, key, body, signature.
    pub fn verify(
        &self,
        request: &SigningInput<'_>,
        keys: &impl KeyLookup,
        now: UnixSeconds,
    ) -> Result<Verified, Error> {
        let claim = Claim::read(request)?;
        check_time(&claim, now)?;
        let signed_headers = claim.signed_headers()?;
        let credential = claim.credential()?;
        let Target { region, service } =
            credential.target(&claim.signed_at.iso_basic, self.rules.region.as_ref())?;
        let (access_key_id, AccessKey { secret, principal }) =
            self.access_key(&claim, &credential, keys, now)?;
        let payload_hash = self.payload_hash(request, claim.form)?;
        let canonical = canonical_request(request, &signed_headers, &payload_hash)?;
        let to_sign = string_to_sign(&claim.signed_at.iso_basic, credential.scope(), &canonical);
        self.check_signature(&claim, &credential, &secret, &to_sign)?;
        Ok(Verified {
            principal,
            access_key_id,
            service,
            region,
            signed_at: claim.signed_at.time,
        })
    }

    fn access_key(
        &self,
        claim: &Claim<'_>,
        credential: &Credential<'_>,
        keys: &impl KeyLookup,
        now: UnixSeconds,
    ) -> Result<(AccessKeyId, AccessKey), Error> {
        let id = AccessKeyId::parse(credential.access_key_id).ok_or(Error::UnknownAccessKey)?;
        let Some(token) = &claim.session_token else {
            if id.is_session() {
                return Err(Error::SessionTokenMissing);
            }
            let key = keys.find(&id).ok_or(Error::UnknownAccessKey)?;
            return Ok((id, key));
        };
        let token = SessionToken::parse(token).ok_or(Error::SessionTokenInvalid)?;
        let Session {
            principal,
            access_key_id,
            secret_access_key,
            expires: _,
        } = self.sessions.open(&token, now)?;
        if access_key_id != id {
            return Err(Error::SessionTokenInvalid);
        }
        Ok((
            id,
            AccessKey {
                secret: secret_access_key,
                principal,
            },
        ))
    }

    /// The body's part in the canonical request.
    fn payload_hash(&self, request: &SigningInput<'_>, form: Form) -> Result<String, Error> {
        let announced = request.header("x-amz-content-sha256");
        if announced.as_deref() == Some(UNSIGNED_PAYLOAD) {
            let is_allowed = form == Form::Header && self.rules.is_unsigned_payload_allowed;
            return if is_allowed {
                Ok(UNSIGNED_PAYLOAD.to_owned())
            } else {
                Err(Error::UnsignedPayload)
            };
        }
        let hash = sha256_hex(request.body);
        match announced {
            Some(announced) if announced != hash => Err(Error::PayloadHash),
            Some(_) | None => Ok(hash),
        }
    }

    fn check_signature(
        &self,
        claim: &Claim<'_>,
        credential: &Credential<'_>,
        secret: &SecretAccessKey,
        to_sign: &str,
    ) -> Result<(), Error> {
        let kept = self.signing_keys.find(credential, secret);
        let is_kept = kept.is_some();
        let key = kept.unwrap_or_else(|| {
            SigningKey::derive(secret, credential.date, credential.region, credential.service)
        });
        let signature = key.sign(to_sign);
        if !bool::from(signature.as_bytes().ct_eq(claim.signature.as_bytes())) {
            return Err(Error::SignatureMismatch);
        }
        if !is_kept {
            self.signing_keys.keep(credential, secret, key);
        }
        Ok(())
    }
}

/// Checks that the request was signed neither too long ago nor in the future.
fn check_time(claim: &Claim<'_>, now: UnixSeconds) -> Result<(), Error> {
    let signed_at = claim.signed_at.time;
    let life_seconds = match claim.form {
        Form::Header => CLOCK_SKEW_SECONDS_MAX,
        Form::Presigned { life_seconds } => life_seconds,
    };
    if signed_at < now.plus_seconds(-life_seconds) {
        return Err(Error::SignatureExpired {
            signed_at,
            now,
            life_seconds,
        });
    }
    if signed_at > now.plus_seconds(CLOCK_SKEW_SECONDS_MAX) {
        return Err(Error::SignatureNotYetCurrent { signed_at, now });
    }
    Ok(())
}
