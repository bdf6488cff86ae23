//! AWS Security Token Service: who am I, and credentials for a while.

use std::sync::Arc;

use batchyard_iam::{AccountId, Principal, SessionIssuer, UnixSeconds};
use batchyard_runtime::clock::Clock;
use batchyard_wire::check::Violation;
use batchyard_wire::sts::{
    Api, Credentials, GetCallerIdentityRequest, GetCallerIdentityResponse, GetSessionTokenRequest,
    GetSessionTokenResponse, Operation, SERVICE,
};
use batchyard_wire::{Fault, Sensitive, Timestamp};

use crate::arn::Account;
use crate::caller::Caller;

/// How long session credentials live unless asked otherwise, in seconds (GetSessionToken: 12 hours).
const SESSION_SECONDS: i32 = 43_200;

/// The operations of STS.
pub(crate) struct Sts {
    account: Account,
    sessions: Arc<SessionIssuer>,
    clock: Arc<dyn Clock>,
}

impl Sts {
    /// Operations for an account; `sessions` makes what the server's verifier accepts.
    #[must_use]
    pub(crate) fn new(account: Account, sessions: Arc<SessionIssuer>, clock: Arc<dyn Clock>) -> Sts {
        Sts {
            account,
            sessions,
            clock,
        }
    }
}

impl Api for Sts {
    type Context = Caller;

    fn refuse(&self, _operation: Operation, violations: &[Violation]) -> Option<Fault> {
        Some(SERVICE.constraint_fault(violations))
    }

    async fn get_caller_identity(
        &self,
        caller: &Caller,
        _input: GetCallerIdentityRequest,
    ) -> Result<GetCallerIdentityResponse, Fault> {
        Ok(GetCallerIdentityResponse {
            account: Some(self.account.id.clone()),
            arn: Some(caller.principal.to_string()),
            user_id: Some(caller.user_id.to_string()),
        })
    }

    async fn get_session_token(
        &self,
        caller: &Caller,
        input: GetSessionTokenRequest,
    ) -> Result<GetSessionTokenResponse, Fault> {
        if input.serial_number.is_some() || input.token_code.is_some() {
            // Own words.
            return Err(Fault::new(
                400,
                "ValidationError",
                "multi-factor authentication is not served by this version of Batchyard",
            ));
        }
        let principal = Principal {
            account: AccountId::parse(&self.account.id)
                .expect("the account's id was checked when the server started"),
            arn: caller.principal.to_string(),
            user_id: caller.user_id.to_string(),
        };
        let now = self.clock.now().as_millis() / 1000;
        let expires = now + i64::from(input.duration_seconds.unwrap_or(SESSION_SECONDS));
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce).expect("the operating system has random numbers");
        let made = self.sessions.issue(&principal, UnixSeconds::new(expires), nonce);
        let token = made.session_token.as_ref().map(|token| token.expose().to_owned());
        Ok(GetSessionTokenResponse {
            credentials: Some(Credentials {
                access_key_id: made.access_key_id.as_str().to_owned(),
                expiration: Timestamp::from_epoch_seconds(u32::try_from(expires).unwrap_or(u32::MAX)),
                secret_access_key: Sensitive::new(made.secret_access_key.expose().to_owned()),
                session_token: token.unwrap_or_default(),
            }),
            ..GetSessionTokenResponse::default()
        })
    }
}
