//! What the store keeps of a job in the client's words: what DescribeJobs echoes.

use std::collections::BTreeMap;

use batchyard_core::change::Document;
use batchyard_wire::batch::{
    ContainerDetail, EcsPropertiesDetail, EksPropertiesDetail, JobDependency, JobTimeout, NodeProperties,
    PlatformCapability, RetryStrategy,
};
use serde::{Deserialize, Serialize};

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct JobDocument {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) container: Option<ContainerDetail>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ecs_properties: Option<EcsPropertiesDetail>,
    /// Of a multi-node parallel job, with its overrides applied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) node_properties: Option<NodeProperties>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) eks_properties: Option<EksPropertiesDetail>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) depends_on: Vec<JobDependency>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) parameters: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) retry_strategy: Option<RetryStrategy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) timeout: Option<JobTimeout>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) propagate_tags: bool,
    pub(super) platform_capabilities: Vec<PlatformCapability>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) scheduling_priority: Option<i32>,
}

impl JobDocument {
    pub(super) fn write(&self) -> Document {
        let text = serde_json::to_string(self).expect("documents of jobs have only text keys");
        Document(text.into())
    }

    /// Reads what this server, or an older one, wrote.
    pub(super) fn read(document: &Document) -> JobDocument {
        serde_json::from_str(&document.0)
            .expect("the server wrote the document itself, and the store keeps it")
    }
}
