//! Service environments (sections A.8 and D.6): how many instances of which types the jobs of a service may have.
//!
//! In the state and the store they are environments like compute environments, with names of their own.

mod create;
mod delete;
mod describe;
mod limits;
mod update;

use batchyard_core::change::Document;
use batchyard_core::name::{EnvironmentKind, EnvironmentName};
use batchyard_runtime::store::{EnvironmentRow, Select};
use batchyard_wire::Fault;
use batchyard_wire::batch::errors::client_exception;

pub(super) use limits::{instance_unit, is_instance_type};

use super::Batch;
use crate::arn;

/// Everything about a service environment is in its facts.
fn document() -> Document {
    Document("{}".into())
}

/// The name in a reference, a name or an ARN.
fn name(reference: &str) -> Option<EnvironmentName> {
    EnvironmentName::parse_service(arn::name("service-environment", reference)).ok()
}

/// Own words (section L.1).
fn not_found(reference: &str) -> Fault {
    client_exception(format!("ServiceEnvironment {reference} not found."))
}

impl Batch {
    /// The service environment that a reference (name or ARN) names.
    pub(super) async fn service_environment(&self, reference: &str) -> Result<Option<EnvironmentRow>, Fault> {
        let Some(name) = name(reference) else {
            return Ok(None);
        };
        let select = Select::Named(vec![name]);
        let page = self
            .read(move |store| store.environments(EnvironmentKind::Service, &select))
            .await?;
        Ok(page.rows.into_iter().next())
    }
}
