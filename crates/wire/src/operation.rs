//! What the models say of an operation, beside its shapes.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::service::ServiceFacts;
use crate::shape::Shape;

/// Facts of one operation.
#[derive(Debug)]
pub struct OperationFacts {
    /// For example `SubmitJob`.
    pub name: &'static str,
    /// HTTP method.
    pub method: &'static str,
    /// Path, of which the last segment may be a label such as `{resourceArn}`.
    pub uri: &'static str,
    /// The shape of its input.
    pub input: &'static Shape,
    /// The shape of its output, if it has one.
    pub output: Option<&'static Shape>,
    /// The element that wraps the output in XML, empty without one.
    pub result_wrapper: &'static str,
    /// Why it is not served, when it is not.
    pub not_served: Option<&'static str>,
}

/// The input of an operation, from the caller's side.
pub trait Call: Serialize {
    /// What the operation answers.
    type Output: DeserializeOwned + Default;

    /// The service to call.
    fn service() -> &'static ServiceFacts;

    /// The operation to call.
    fn operation() -> &'static OperationFacts;
}
