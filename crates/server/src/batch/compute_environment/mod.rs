//! Compute environments: what clients write about them, and what the scheduler needs to know.

mod capacity;
mod check;
mod create;
mod delete;
mod describe;
mod flaw;
mod managed_instances;
mod strategy;
mod update;

use batchyard_core::change::Document;
use batchyard_core::name::{EnvironmentKind, EnvironmentName};
use batchyard_runtime::store::{EnvironmentRow, Select};
use batchyard_wire::Fault;
use batchyard_wire::batch::{CEType, ComputeResource, EcsSettings, EksConfiguration, UpdatePolicy};
use serde::{Deserialize, Serialize};

use super::Batch;
use crate::arn;

/// What the store keeps in the client's words: everything that describes echo and the scheduler does not need.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct EnvironmentDocument {
    r#type: CEType,
    #[serde(skip_serializing_if = "Option::is_none")]
    compute_resources: Option<ComputeResource>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unmanaged_vcpus: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_role: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    eks_configuration: Option<EksConfiguration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ecs_settings: Option<EcsSettings>,
    #[serde(skip_serializing_if = "Option::is_none")]
    update_policy: Option<UpdatePolicy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<String>,
}

impl EnvironmentDocument {
    fn write(&self) -> Document {
        let text = serde_json::to_string(self).expect("documents of environments have only text keys");
        Document(text.into())
    }

    /// Reads what this server, or an older one, wrote.
    fn read(document: &Document) -> EnvironmentDocument {
        serde_json::from_str(&document.0)
            .expect("the server wrote the document itself, and the store keeps it")
    }
}

impl Batch {
    /// The environment that a reference (name or ARN) names.
    pub(super) async fn environment(&self, reference: &str) -> Result<Option<EnvironmentRow>, Fault> {
        let Ok(name) = EnvironmentName::parse(arn::name("compute-environment", reference)) else {
            return Ok(None);
        };
        let page = self
            .read(move |store| store.environments(EnvironmentKind::Compute, &Select::Named(vec![name])))
            .await?;
        Ok(page.rows.into_iter().next())
    }
}
