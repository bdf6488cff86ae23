//! Tokens by which a running task asks for the credentials of its role: a name, and the proof that this issuer gave it out.
//!
//! A token is `base64url(mac ‖ name)`, where the MAC is HMAC-SHA256 under a key of the issuer's master secret. It says nothing about
//! time: whether the task still runs is for the one who opens it to look up. So the same task has the same token after a restart, and
//! nobody has to keep it.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use subtle::ConstantTimeEq;

use crate::{limits::TASK_TOKEN_CHARS_MAX, signing_key::hmac};

/// Bytes of the MAC.
const MAC_BYTES: usize = 32;

/// Makes and opens tokens of tasks. Two issuers with the same master secret are the same issuer.
#[derive(Clone)]
pub struct TaskTokens {
    key: [u8; 32],
}

/// What a task shows to get its credentials. Its `Debug` is a mask.
#[derive(Clone)]
pub struct TaskToken(Box<str>);

impl TaskTokens {
    /// An issuer by its master secret, 32 random bytes that outlive the process; it may be that of the sessions.
    #[must_use]
    pub fn new(master_secret: &[u8; 32]) -> Self {
        Self {
            key: hmac(master_secret, b"batchyard task token"),
        }
    }

    /// The token of the task with this name.
    #[must_use]
    pub fn issue(&self, name: &str) -> TaskToken {
        let mac = hmac(&self.key, name.as_bytes());
        TaskToken(
            URL_SAFE_NO_PAD
                .encode([&mac[..], name.as_bytes()].concat())
                .into(),
        )
    }

    /// The name of the task whose token this is; `None` if this issuer did not make it.
    #[must_use]
    pub fn open(&self, token: &str) -> Option<String> {
        if token.len() > TASK_TOKEN_CHARS_MAX {
            return None;
        }
        let sealed = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (mac, name) = sealed.split_at_checked(MAC_BYTES)?;
        if !bool::from(hmac(&self.key, name).ct_eq(mac)) {
            return None;
        }
        String::from_utf8(name.to_vec()).ok()
    }
}

impl TaskToken {
    /// The token in the clear, for the one who must hand it out: letters, digits, `-` and `_`.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for TaskTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TaskTokens(…)")
    }
}

impl fmt::Debug for TaskToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TaskToken(…)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NAME: &str = "018bcfe5-6800-4000-8000-000000000007:3/2";

    #[test]
    fn a_token_is_its_tasks_alone() {
        let tokens = TaskTokens::new(&[7; 32]);
        let token = tokens.issue(NAME);
        assert_eq!(tokens.open(token.expose()).as_deref(), Some(NAME));
        assert_eq!(TaskTokens::new(&[8; 32]).open(token.expose()), None);
        // The key is not that of session tokens, so neither kind passes for the other.
        assert_ne!(tokens.key, hmac(&[7; 32], b"batchyard session token"));
        assert_eq!(format!("{tokens:?} {token:?}"), "TaskTokens(…) TaskToken(…)");
    }

    proptest! {
        #[test]
        fn a_changed_token_is_refused(index: prop::sample::Index, replacement in "[A-Za-z0-9_-]") {
            let tokens = TaskTokens::new(&[7; 32]);
            let mut text = tokens.issue(NAME).expose().to_owned();
            let at = index.index(text.len());
            prop_assume!(text[at..=at] != replacement);
            text.replace_range(at..=at, &replacement);
            prop_assert_eq!(tokens.open(&text), None);
        }

        #[test]
        fn garbage_is_refused(text in "\\PC{0,300}") {
            prop_assert_eq!(TaskTokens::new(&[7; 32]).open(&text), None);
        }
    }
}
