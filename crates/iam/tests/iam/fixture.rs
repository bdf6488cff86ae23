//! One verifier, one known key, and requests as owned values.

use batchyard_iam::{
    AccessKey, AccessKeyId, AccountId, Credentials, Error, KeyLookup, Partition, Principal, Region,
    RoleSession, Rules, SecretAccessKey, ServiceName, SessionIssuer, SigningInput, Target, UnixSeconds,
    Verified, Verifier,
};

/// 2015-08-30T12:36:00Z.
pub(crate) const NOW: UnixSeconds = UnixSeconds::new(1_440_938_160);

/// A lookup that knows the key of AWS's own examples.
pub(crate) struct OneKey;

impl KeyLookup for OneKey {
    fn find(&self, id: &AccessKeyId) -> Option<AccessKey> {
        let Credentials {
            access_key_id,
            secret_access_key,
            session_token: _,
        } = example_credentials();
        let principal = Principal::account_root(&Partition::default(), &account());
        (access_key_id == *id).then_some(AccessKey {
            secret: secret_access_key,
            principal,
        })
    }
}

pub(crate) fn example_credentials() -> Credentials {
    Credentials {
        access_key_id: AccessKeyId::parse("AKIDEXAMPLE").unwrap(),
        secret_access_key: SecretAccessKey::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
        session_token: None,
    }
}

pub(crate) fn account() -> AccountId {
    AccountId::parse("111122223333").unwrap()
}

pub(crate) fn job_role() -> Principal {
    let session = RoleSession {
        role_id: "AROAEXAMPLE",
        role_name: "job",
        session_name: "batch-7",
    };
    Principal::assumed_role(&Partition::default(), &account(), session)
}

pub(crate) fn issuer() -> SessionIssuer {
    SessionIssuer::new(&[7; 32])
}

pub(crate) fn verifier() -> Verifier {
    Verifier::new(Rules::default(), issuer())
}

pub(crate) fn batch() -> Target {
    Target {
        region: Region::parse("us-east-1").unwrap(),
        service: ServiceName::parse("batch").unwrap(),
    }
}

/// A request that owns its parts.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// Reads a request line, header lines, an empty line and a body.
    pub(crate) fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
        let mut lines = head.lines();
        let (method, target) = lines.next().unwrap().split_once(' ').unwrap();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let headers = lines
            .map(|line| line.split_once(':').unwrap())
            .map(|(name, value)| (name.into(), value.into()));
        Self {
            method: method.into(),
            path: path.into(),
            query: query.into(),
            headers: headers.collect(),
            body: body.strip_suffix('\n').unwrap_or(body).into(),
        }
    }

    pub(crate) fn set_header(&mut self, name: &str, value: impl Into<Vec<u8>>) {
        self.headers
            .retain(|(given, _)| !given.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.into()));
    }

    /// Hands the request to `then` in the borrowed form.
    pub(crate) fn with<T>(&self, then: impl FnOnce(&SigningInput<'_>) -> T) -> T {
        let Self {
            method,
            path,
            query,
            headers,
            body,
        } = self;
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_slice()))
            .collect();
        then(&SigningInput {
            method,
            path,
            query,
            headers: &headers,
            body,
        })
    }

    pub(crate) fn verify_at(&self, now: UnixSeconds) -> Result<Verified, Error> {
        self.with(|input| verifier().verify(input, &OneKey, now))
    }

    pub(crate) fn verify(&self) -> Result<Verified, Error> {
        self.verify_at(NOW)
    }

    /// The request with a signature in its headers.
    pub(crate) fn signed(&self, credentials: &Credentials) -> Self {
        let added = self
            .with(|input| batchyard_iam::sign(input, credentials, &batch(), NOW))
            .unwrap();
        let mut signed = self.clone();
        signed.headers.extend(
            added
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.into_bytes())),
        );
        signed
    }
}
