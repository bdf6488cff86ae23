//! Signing keys: what a secret becomes for one day, region and service, and a bounded store of those in use.

use std::{
    fmt,
    num::NonZeroUsize,
    sync::{Mutex, PoisonError},
};

use hmac::{Hmac, KeyInit, Mac};
use lru::LruCache;
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::{
    access_key::SecretAccessKey,
    limits::SIGNING_KEYS_MAX,
    scope::{Credential, TERMINATOR},
};

/// A derived key, kept as an HMAC that has the key worked in already.
#[derive(Clone)]
pub(crate) struct SigningKey(Hmac<Sha256>);

impl SigningKey {
    /// Derives the key of a day (`YYYYMMDD`), region and service from the secret.
    pub(crate) fn derive(secret: &SecretAccessKey, day: &str, region: &str, service: &str) -> Self {
        let secret = ["AWS4", secret.expose()].concat();
        let mut key = hmac(secret.as_bytes(), day.as_bytes());
        for element in [region, service, TERMINATOR] {
            key = hmac(&key, element.as_bytes());
        }
        Self(keyed(&key))
    }

    /// The signature in lower-case hexadecimal digits.
    pub(crate) fn sign(&self, string_to_sign: &str) -> String {
        let signature = self.0.clone().chain_update(string_to_sign.as_bytes()).finalize();
        hex::encode(signature.into_bytes())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(…)")
    }
}

/// An HMAC-SHA256 with its key worked in.
pub(crate) fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes a key of any length")
}

/// The HMAC-SHA256 of one message.
pub(crate) fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    keyed(key).chain_update(message).finalize().into_bytes().into()
}

/// The signing keys of recent callers, for the least recent of which there is no room any more.
///
/// The lock is held for one look-up or one insertion, never while anything is hashed.
#[derive(Debug)]
pub(crate) struct SigningKeys(Mutex<LruCache<Box<str>, Entry>>);

#[derive(Debug)]
struct Entry {
    /// What the key was derived from: a key id that got a new secret must not go on with the old one.
    secret: SecretAccessKey,
    key: SigningKey,
}

impl SigningKeys {
    pub(crate) fn new() -> Self {
        let capacity = NonZeroUsize::new(SIGNING_KEYS_MAX).expect("the limit is not zero");
        Self(Mutex::new(LruCache::new(capacity)))
    }

    /// The key of the credential, if it was kept and comes from this very secret.
    pub(crate) fn find(&self, credential: &Credential<'_>, secret: &SecretAccessKey) -> Option<SigningKey> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = kept.get(credential.text)?;
        bool::from(entry.secret.ct_eq(secret)).then(|| entry.key.clone())
    }

    /// Keeps the key. To be called for keys whose signature was right only: otherwise anyone who knows a key id could fill the room
    /// with scopes of his invention.
    pub(crate) fn keep(&self, credential: &Credential<'_>, secret: &SecretAccessKey, key: SigningKey) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.put(
            credential.text.into(),
            Entry {
                secret: secret.clone(),
                key,
            },
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derives_the_documented_key() {
        // The example of the AWS documentation, "Deriving the signing key".
        let secret = SecretAccessKey::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
        let mut key = hmac(["AWS4", secret.expose()].concat().as_bytes(), b"20150830");
        for element in ["us-east-1", "iam", TERMINATOR] {
            key = hmac(&key, element.as_bytes());
        }
        assert_eq!(
            hex::encode(key),
            "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9"
        );
        let derived = SigningKey::derive(&secret, "20150830", "us-east-1", "iam");
        assert_eq!(derived.sign("text"), hex::encode(hmac(&key, b"text")));
    }

    #[test]
    fn a_key_is_kept_for_its_secret_only() {
        let keys = SigningKeys::new();
        let credential = Credential::parse("AK/20150830/us-east-1/batch/aws4_request").unwrap();
        let (old, new) = (SecretAccessKey::new("old"), SecretAccessKey::new("new"));
        assert!(keys.find(&credential, &old).is_none());
        keys.keep(
            &credential,
            &old,
            SigningKey::derive(&old, "20150830", "us-east-1", "batch"),
        );
        assert!(keys.find(&credential, &old).is_some());
        assert!(keys.find(&credential, &new).is_none());
    }

    #[test]
    fn the_room_is_bounded() {
        let keys = SigningKeys::new();
        let secret = SecretAccessKey::new("secret");
        let key = SigningKey::derive(&secret, "20150830", "us-east-1", "batch");
        for number in 0..=SIGNING_KEYS_MAX {
            let text = format!("AK{number}/20150830/us-east-1/batch/aws4_request");
            keys.keep(&Credential::parse(&text).unwrap(), &secret, key.clone());
        }
        assert_eq!(keys.0.lock().unwrap().len(), SIGNING_KEYS_MAX);
    }
}
