//! Who called, with which request.

use std::sync::Arc;

/// What an operation knows of its request beside the input.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// The ARN of whoever signed.
    pub(crate) principal: Arc<str>,
    /// The principal's unique id, as GetCallerIdentity shows it.
    pub(crate) user_id: Arc<str>,
    /// The id under which the answer goes out.
    pub(crate) request_id: Arc<str>,
    /// Size of the body in bytes.
    pub(crate) body_bytes: usize,
}
