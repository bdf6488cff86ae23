//! The endpoint where running jobs get the credentials of their role (section F.4).
//!
//! A job shows the token of its attempt, in the path or in the header `Authorization`. Nothing is kept for it: the token proves
//! itself, and whether the attempt still runs is asked of the state each time.

use std::sync::Arc;

use batchyard_core::id::AttemptKey;
use batchyard_iam::{
    AccountId, Partition, Principal, Role, RoleSession, SessionIssuer, TaskTokens, UnixSeconds,
};
use batchyard_runtime::clock::Clock;
use batchyard_runtime::launch::CREDENTIALS_PATH;
use batchyard_wire::{Fault, Timestamp};
use http::header::AUTHORIZATION;
use http::request::Parts;
use serde_json::{Value, json};

use crate::arn::Account;
use crate::batch::{Batch, TaskRole};
use crate::limits::TASK_CREDENTIALS_SECONDS;

/// Makes credentials of roles.
pub(crate) struct TaskCredentials {
    account: Account,
    tokens: TaskTokens,
    sessions: Arc<SessionIssuer>,
    clock: Arc<dyn Clock>,
}

impl TaskCredentials {
    /// For jobs of an account; `sessions` makes what the server's verifier accepts.
    #[must_use]
    pub(crate) fn new(
        account: Account,
        tokens: TaskTokens,
        sessions: Arc<SessionIssuer>,
        clock: Arc<dyn Clock>,
    ) -> TaskCredentials {
        TaskCredentials {
            account,
            tokens,
            sessions,
            clock,
        }
    }

    /// Answers `GET /v2/credentials` and `GET /v2/credentials/TOKEN`; `None` for other paths.
    ///
    /// # Errors
    /// For a token that is none, and for an attempt that does not run or has no role.
    pub(super) async fn answer(&self, batch: &Batch, parts: &Parts) -> Option<Result<Value, Fault>> {
        let rest = parts.uri.path().strip_prefix(CREDENTIALS_PATH)?;
        let in_header = parts
            .headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok());
        let token = match rest.strip_prefix('/') {
            Some(token) if !token.is_empty() => token,
            Some(_) => in_header.unwrap_or_default(),
            None if rest.is_empty() => in_header.unwrap_or_default(),
            None => return None,
        };
        Some(self.credentials(batch, token).await)
    }

    async fn credentials(&self, batch: &Batch, token: &str) -> Result<Value, Fault> {
        let name = self.tokens.open(token);
        let attempt: AttemptKey = name
            .and_then(|name| name.parse().ok())
            .ok_or_else(|| Fault::new(401, "InvalidIdInRequest", "this is not the token of a job"))?;
        let role = batch.task_role(attempt).await?;
        let TaskRole { role, session } = role.ok_or_else(|| {
            Fault::new(
                404,
                "CredentialsNotFound",
                "the job's attempt does not run, or has no role",
            )
        })?;
        let invalid = || Fault::new(404, "CredentialsNotFound", "the job's role could be none");
        let assumed = Role::parse(&role.0).ok_or_else(invalid)?;
        let checked = "the configuration was checked when the server started";
        let partition = Partition::parse(&self.account.partition).expect(checked);
        let account = AccountId::parse(&self.account.id).expect(checked);
        let principal = Principal::assumed_role(
            &partition,
            &account,
            RoleSession {
                role_id: &assumed.id(&account),
                role_name: assumed.name,
                session_name: &session,
            },
        );
        let expires = self.clock.now().as_millis().div_euclid(1000) + TASK_CREDENTIALS_SECONDS;
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce).expect("the operating system has random numbers");
        let made = self.sessions.issue(&principal, UnixSeconds::new(expires), nonce);
        let token = made.session_token.as_ref().map(|token| token.expose());
        Ok(json!({
            "RoleArn": if role.0.starts_with("arn:") {
                role.0.to_string()
            } else {
                format!("arn:{partition}:iam::{account}:role/{}", assumed.name)
            },
            "AccessKeyId": made.access_key_id.as_str(),
            "SecretAccessKey": made.secret_access_key.expose(),
            "Token": token,
            "Expiration": Timestamp::from_epoch_seconds(u32::try_from(expires).unwrap_or(u32::MAX)).iso8601(),
        }))
    }
}
