//! Access keys: the public id, the secret, and the token of a session.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use subtle::{Choice, ConstantTimeEq};

use crate::limits::{ACCESS_KEY_ID_CHARS_MAX, SESSION_TOKEN_BYTES_MAX};

/// The public name of an access key, such as `AKIA…` (long-term) or `ASIA…` (session).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccessKeyId(Box<str>);

impl AccessKeyId {
    /// Reads an id of 1 to 128 letters, digits and underscores; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_word = text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        (is_word && !text.is_empty() && text.len() <= ACCESS_KEY_ID_CHARS_MAX).then(|| Self(text.into()))
    }

    /// The id of a session's key: `ASIA` and 16 characters of base 32.
    pub(crate) fn of_session(random: [u8; 10]) -> Self {
        Self::prefixed("ASIA", random)
    }

    /// A prefix and 16 characters of base 32.
    pub(crate) fn prefixed(prefix: &str, random: [u8; 10]) -> Self {
        const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let mut id = String::with_capacity(20);
        id.push_str(prefix);
        for group in random.chunks_exact(5) {
            let bits = group
                .iter()
                .fold(0_u64, |bits, byte| (bits << 8) | u64::from(*byte));
            for place in (0..8).rev() {
                let index = (bits >> (place * 5)) & 31;
                id.push(char::from(
                    ALPHABET[usize::try_from(index).expect("five bits fit")],
                ));
            }
        }
        Self(id.into())
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the id says that its key is a session's, which is useless without the session's token.
    #[must_use]
    pub fn is_session(&self) -> bool {
        self.0.starts_with("ASIA")
    }
}

impl fmt::Display for AccessKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The secret half of an access key. It has no `Display`, and its `Debug` is a mask.
#[derive(Clone)]
pub struct SecretAccessKey(Box<str>);

impl SecretAccessKey {
    /// A secret by its text.
    #[must_use]
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// A secret of 40 characters from 30 random bytes.
    #[must_use]
    pub fn from_random(random: [u8; 30]) -> Self {
        Self(STANDARD.encode(random).into())
    }

    /// The secret in the clear, for the one who must hand it out or store it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl ConstantTimeEq for SecretAccessKey {
    /// Equal in time that depends on the lengths only.
    fn ct_eq(&self, other: &Self) -> Choice {
        self.0.as_bytes().ct_eq(other.0.as_bytes())
    }
}

impl fmt::Debug for SecretAccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretAccessKey(…)")
    }
}

/// The token that makes a session's key valid. Its `Debug` is a mask: with the key's secret it is the session.
#[derive(Clone)]
pub struct SessionToken(Box<str>);

impl SessionToken {
    /// Reads a token of at most 8 KiB of printable ASCII without spaces; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic());
        (is_plain && !text.is_empty() && text.len() <= SESSION_TOKEN_BYTES_MAX).then(|| Self(text.into()))
    }

    /// The token in the clear, for the one who must hand it out.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SessionToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionToken(…)")
    }
}

/// What a client needs to sign.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The public id.
    pub access_key_id: AccessKeyId,
    /// The secret.
    pub secret_access_key: SecretAccessKey,
    /// Present for a session's credentials only.
    pub session_token: Option<SessionToken>,
}

impl Credentials {
    /// New long-term credentials from 40 random bytes: an `AKIA…` id of 20 characters and a secret of 40.
    #[must_use]
    pub fn long_term(random: [u8; 40]) -> Self {
        let (id, secret) = random.split_at(10);
        Self {
            access_key_id: AccessKeyId::prefixed("AKIA", id.try_into().expect("split at ten bytes")),
            secret_access_key: SecretAccessKey::from_random(
                secret.try_into().expect("thirty bytes are left"),
            ),
            session_token: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn debug_shows_no_secret() {
        let credentials = Credentials {
            access_key_id: AccessKeyId::parse("AKIDEXAMPLE").unwrap(),
            secret_access_key: SecretAccessKey::new("wJalrXUtnFEMI"),
            session_token: SessionToken::parse("AQoDYXdzEPT"),
        };
        expect![[r#"Credentials { access_key_id: AccessKeyId("AKIDEXAMPLE"), secret_access_key: SecretAccessKey(…), session_token: Some(SessionToken(…)) }"#]]
            .assert_eq(&format!("{credentials:?}"));
    }

    #[test]
    fn long_term_credentials_look_like_those_of_aws() {
        let random: [u8; 40] = std::array::from_fn(|index| u8::try_from(index * 6).unwrap());
        let credentials = Credentials::long_term(random);
        expect!["AKIAAADAYEQYDYSCUMBW PEJ"].assert_eq(&format!(
            "{} {}",
            credentials.access_key_id,
            &credentials.secret_access_key.expose()[..3]
        ));
        assert_eq!(credentials.secret_access_key.expose().len(), 40);
    }

    #[test]
    fn ids_are_words() {
        for text in ["", "AKIA/X", "AKIA X", "AKIÄ", &"A".repeat(129)] {
            assert_eq!(AccessKeyId::parse(text), None, "{text}");
        }
        assert!(AccessKeyId::parse(&"A".repeat(128)).is_some());
    }
}
