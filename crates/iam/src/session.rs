//! Temporary credentials that need no memory: everything about a session is in its token.
//!
//! A token is `base64(mac ‖ version ‖ nonce ‖ expiry ‖ account ‖ arn ‖ user id)`, where the MAC is HMAC-SHA256 under a key of the
//! issuer's master secret. The access key id is the nonce's beginning, and the secret access key is an HMAC of the token under another
//! key of the master secret, so that whoever has the master secret can open any token, and nobody else can make one. What this cannot
//! do is end a session early: short lives, or a new master secret, which ends them all.

use std::fmt;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD},
};
use subtle::ConstantTimeEq;

use crate::{
    AccessKeyId, AccountId, Credentials, Error, Principal, SecretAccessKey, SessionToken, UnixSeconds,
    limits::SESSION_FIELD_BYTES_MAX, signing_key::hmac,
};

/// The layout that tokens begin with; another layout gets another number.
const VERSION: u8 = 1;

/// Bytes of the MAC.
const MAC_BYTES: usize = 32;

/// Makes and opens session credentials. Two issuers with the same master secret are the same issuer.
#[derive(Clone)]
pub struct SessionIssuer {
    token_key: [u8; 32],
    secret_key: [u8; 32],
}

/// What a session token says once it has been opened.
#[derive(Debug, Clone)]
pub struct Session {
    /// Who the session is.
    pub principal: Principal,
    /// The id of the session's key.
    pub access_key_id: AccessKeyId,
    /// The secret of the session's key.
    pub secret_access_key: SecretAccessKey,
    /// The first second in which the session is over.
    pub expires: UnixSeconds,
}

impl SessionIssuer {
    /// An issuer by its master secret, 32 random bytes that outlive the process.
    #[must_use]
    pub fn new(master_secret: &[u8; 32]) -> Self {
        Self {
            token_key: hmac(master_secret, b"batchyard session token"),
            secret_key: hmac(master_secret, b"batchyard session secret access key"),
        }
    }

    /// Credentials for the principal until `expires`. The nonce must be random: with the same one again the key id is the same again.
    ///
    /// Names of more than 2,048 bytes are cut off there, longer than AWS permits any of them to be.
    #[must_use]
    pub fn issue(&self, principal: &Principal, expires: UnixSeconds, nonce: [u8; 16]) -> Credentials {
        let Principal {
            account,
            arn,
            user_id,
        } = principal;
        let mut body = Vec::with_capacity(256);
        body.push(VERSION);
        body.extend_from_slice(&nonce);
        body.extend_from_slice(&expires.get().to_be_bytes());
        for field in [account.as_str(), arn, user_id] {
            let field = &field[..field.floor_char_boundary(SESSION_FIELD_BYTES_MAX)];
            let length = u16::try_from(field.len()).expect("the limit on a field fits two bytes");
            body.extend_from_slice(&length.to_be_bytes());
            body.extend_from_slice(field.as_bytes());
        }
        let mac = hmac(&self.token_key, &body);
        let text = STANDARD.encode([&mac[..], &body].concat());
        let token = SessionToken::parse(&text).expect("base 64 of three limited fields is a token");
        Credentials {
            access_key_id: key_id(nonce),
            secret_access_key: self.secret(&mac),
            session_token: Some(token),
        }
    }

    /// Opens a token that this issuer made.
    ///
    /// # Errors
    /// [`Error::SessionTokenInvalid`] if it did not make it, [`Error::SessionTokenExpired`] from the second of its expiry on.
    pub fn open(&self, token: &SessionToken, now: UnixSeconds) -> Result<Session, Error> {
        let sealed = STANDARD
            .decode(token.expose())
            .map_err(|_| Error::SessionTokenInvalid)?;
        let (mac, body) = sealed
            .split_at_checked(MAC_BYTES)
            .ok_or(Error::SessionTokenInvalid)?;
        if !bool::from(hmac(&self.token_key, body).ct_eq(mac)) {
            return Err(Error::SessionTokenInvalid);
        }
        let Body {
            nonce,
            expires,
            principal,
        } = Body::read(body).ok_or(Error::SessionTokenInvalid)?;
        if now >= expires {
            return Err(Error::SessionTokenExpired);
        }
        Ok(Session {
            principal,
            access_key_id: key_id(nonce),
            secret_access_key: self.secret(mac),
            expires,
        })
    }

    /// The secret of the token with this MAC: 40 characters, as the secrets of AWS.
    fn secret(&self, mac: &[u8]) -> SecretAccessKey {
        let bytes = hmac(&self.secret_key, mac);
        SecretAccessKey::new(STANDARD_NO_PAD.encode(&bytes[..30]))
    }
}

impl fmt::Debug for SessionIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionIssuer(…)")
    }
}

fn key_id(nonce: [u8; 16]) -> AccessKeyId {
    AccessKeyId::of_session(*nonce.first_chunk().expect("ten bytes are within sixteen"))
}

/// An authenticated token's content.
struct Body {
    nonce: [u8; 16],
    expires: UnixSeconds,
    principal: Principal,
}

impl Body {
    fn read(bytes: &[u8]) -> Option<Self> {
        let (&[version], rest) = bytes.split_first_chunk()?;
        if version != VERSION {
            return None;
        }
        let (nonce, rest) = rest.split_first_chunk()?;
        let (expires, rest) = rest.split_first_chunk()?;
        let (account, rest) = field(rest)?;
        let (arn, rest) = field(rest)?;
        let (user_id, rest) = field(rest)?;
        let principal = Principal {
            account: AccountId::parse(account)?,
            arn: arn.to_owned(),
            user_id: user_id.to_owned(),
        };
        let expires = UnixSeconds::new(i64::from_be_bytes(*expires));
        rest.is_empty().then_some(Self {
            nonce: *nonce,
            expires,
            principal,
        })
    }
}

fn field(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    let (text, rest) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
    Some((std::str::from_utf8(text).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use expect_test::expect_file;
    use proptest::prelude::*;

    use super::*;
    use crate::{Partition, RoleSession};

    const NOW: UnixSeconds = UnixSeconds::new(1_440_938_160);
    const LATER: UnixSeconds = UnixSeconds::new(1_440_938_160 + 3_600);

    fn job_role() -> Principal {
        let account = AccountId::parse("111122223333").unwrap();
        let session = RoleSession {
            role_id: "AROAEXAMPLE",
            role_name: "job",
            session_name: "batch-7",
        };
        Principal::assumed_role(&Partition::default(), &account, session)
    }

    fn issued() -> (SessionIssuer, Credentials) {
        let issuer = SessionIssuer::new(&[7; 32]);
        let credentials = issuer.issue(&job_role(), LATER, [3; 16]);
        (issuer, credentials)
    }

    #[test]
    fn a_token_opens_to_what_was_put_in() {
        let (issuer, credentials) = issued();
        let session = issuer.open(&credentials.session_token.unwrap(), NOW).unwrap();
        assert_eq!(session.principal, job_role());
        assert_eq!(session.access_key_id, credentials.access_key_id);
        assert_eq!(
            session.secret_access_key.expose(),
            credentials.secret_access_key.expose()
        );
        assert_eq!(session.expires, LATER);
    }

    #[test]
    fn the_layout_is_the_one_that_tokens_in_use_have() {
        let (_, credentials) = issued();
        // The file is also what botocore signs with in the golden requests.
        expect_file!["../tests/golden/session.txt"].assert_eq(&format!(
            "{}\n{}\n{}\n",
            credentials.access_key_id,
            credentials.secret_access_key.expose(),
            credentials.session_token.unwrap().expose()
        ));
    }

    #[test]
    fn a_session_is_over_at_its_expiry() {
        let (issuer, credentials) = issued();
        let token = credentials.session_token.unwrap();
        assert!(issuer.open(&token, LATER.plus_seconds(-1)).is_ok());
        assert_eq!(
            issuer.open(&token, LATER).unwrap_err(),
            Error::SessionTokenExpired
        );
    }

    #[test]
    fn another_master_secret_opens_nothing() {
        let (_, credentials) = issued();
        let other = SessionIssuer::new(&[8; 32]);
        assert_eq!(
            other.open(&credentials.session_token.unwrap(), NOW).unwrap_err(),
            Error::SessionTokenInvalid
        );
    }

    #[test]
    fn the_longest_names_fit() {
        let principal = Principal {
            arn: "ä".repeat(4_000),
            user_id: "u".repeat(4_000),
            ..job_role()
        };
        let issuer = SessionIssuer::new(&[7; 32]);
        let credentials = issuer.issue(&principal, LATER, [3; 16]);
        let session = issuer.open(&credentials.session_token.unwrap(), NOW).unwrap();
        assert_eq!(
            (session.principal.arn.len(), session.principal.user_id.len()),
            (2_048, 2_048)
        );
    }

    proptest! {
        #[test]
        fn any_session_opens_to_what_was_put_in(
            arn in "\\PC{0,100}",
            user_id in "\\PC{0,100}",
            nonce: [u8; 16],
            seconds in 1..=i64::from(u32::MAX),
        ) {
            let principal = Principal { arn, user_id, ..job_role() };
            let expires = NOW.plus_seconds(seconds);
            let issuer = SessionIssuer::new(&[7; 32]);
            let credentials = issuer.issue(&principal, expires, nonce);
            let session = issuer.open(&credentials.session_token.unwrap(), NOW).unwrap();
            prop_assert_eq!((session.principal, session.expires), (principal, expires));
            prop_assert_eq!(session.access_key_id, credentials.access_key_id);
            prop_assert_eq!(session.secret_access_key.expose(), credentials.secret_access_key.expose());
        }

        #[test]
        fn a_changed_token_is_refused(index: prop::sample::Index, replacement in "[A-Za-z0-9+/=]") {
            let (issuer, credentials) = issued();
            let mut text = credentials.session_token.unwrap().expose().to_owned();
            let at = index.index(text.len());
            prop_assume!(text[at..=at] != replacement);
            text.replace_range(at..=at, &replacement);
            let opened = issuer.open(&SessionToken::parse(&text).unwrap(), NOW);
            prop_assert_eq!(opened.unwrap_err(), Error::SessionTokenInvalid);
        }

        #[test]
        fn garbage_is_refused(text in "[ -~]{1,200}") {
            let (issuer, _) = issued();
            if let Some(token) = SessionToken::parse(&text) {
                prop_assert_eq!(issuer.open(&token, NOW).unwrap_err(), Error::SessionTokenInvalid);
            }
        }

        #[test]
        fn any_authentic_content_is_read_without_panic(bytes: Vec<u8>) {
            Body::read(&bytes);
        }
    }
}
