//! AWS JSON 1.1: one path, the operation in a header.

use super::RawRequest;
use crate::fault::Fault;
use crate::operation::OperationFacts;

/// The operation that the target header names, if its prefix is that of the service.
pub(super) fn operation_name<'a>(request: &RawRequest<'a>, target_prefix: &str) -> Option<&'a str> {
    request.target?.strip_prefix(target_prefix)?.strip_prefix('.')
}

pub(super) fn route(
    request: &RawRequest<'_>,
    target_prefix: &str,
    operations: &[OperationFacts],
) -> Result<usize, Fault> {
    let name = operation_name(request, target_prefix).unwrap_or_default();
    operations
        .iter()
        .position(|operation| operation.name == name)
        .ok_or_else(|| {
            let message = match request.target {
                Some(target) => format!("no operation is called {target}"),
                None => "the header x-amz-target is missing".to_owned(),
            };
            Fault::new(400, "UnknownOperationException", message)
        })
}
