//! Who called, with which request.

use std::sync::Arc;

use batchyard_core::token::ClientToken;
use sha2::{Digest, Sha256};

/// What an operation knows of its request beside the input.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// The ARN of whoever signed.
    pub(crate) principal: Arc<str>,
    /// The principal's unique id, as GetCallerIdentity shows it.
    pub(crate) user_id: Arc<str>,
    /// The id under which the answer goes out.
    pub(crate) request_id: Arc<str>,
    /// What the client marked the request with: the header `X-Batchyard-Client-Token`.
    pub(crate) client_token: Option<ClientToken>,
    /// Size of the body in bytes.
    pub(crate) body_bytes: usize,
}

/// What stands for a request beside its client token.
pub(crate) fn digest(request: &str) -> [u8; 16] {
    let mut digest = [0; 16];
    digest.copy_from_slice(&Sha256::digest(request)[..16]);
    digest
}
