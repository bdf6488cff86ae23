//! What the service notices only when it hands a job to ECS. Such a job is accepted, and fails before it starts (sections A4.12, A4.13).

use std::collections::BTreeMap;

use batchyard_core::launch::RoleReference;
use batchyard_core::reason::StatusReason;
use batchyard_iam::Role;
use batchyard_wire::Fault;
use batchyard_wire::batch::SubmitJobRequest;
use batchyard_wire::batch::errors::client_exception;
use serde::Serialize;

use super::template::{Definition, Prepared};
use super::work::Work;
use crate::batch::{Batch, tags};
use crate::caller::Caller;
use crate::config::LimitsConfig;

/// Why the job fails at once, if it does.
pub(super) fn early_failure(
    caller: &Caller,
    input: &SubmitJobRequest,
    propagated: &BTreeMap<String, String>,
    limits: &LimitsConfig,
) -> Option<StatusReason> {
    let most = limits.container_overrides_characters;
    // Not even the whole request is so long, as nearly always.
    if most != 0 && caller.body_bytes > most && longest_overrides(input) > most {
        return Some(StatusReason::given(format!(
            "Container Overrides length must be at most {most}"
        )));
    }
    // Own words.
    let most = limits.tags;
    (propagated.len() > most).then(|| {
        StatusReason::given(format!(
            "Tags of the job and its job definition together must be at most {most}"
        ))
    })
}

/// That the job is to have a role that there cannot be (section B.4), if so.
pub(super) fn impossible_role(prepared: &Prepared) -> Option<StatusReason> {
    let nodes = prepared.nodes.iter().flat_map(|nodes| &nodes.groups);
    let launches = std::iter::once(&prepared.launch).chain(nodes.map(|group| &group.launch));
    let mut roles = launches.filter_map(|launch| launch.role.as_ref());
    let RoleReference(role) = roles.find(|role| Role::parse(&role.0).is_none())?;
    Some(StatusReason::given(format!(
        "ECS was unable to assume the role '{role}' that was provided for this task. Please verify that the role being passed has the \
         proper trust relationship and permissions and that your IAM user has permissions to pass this role."
    )))
}

/// Characters of what the job changes of its containers, as JSON; of several nodes that change most.
fn longest_overrides(input: &SubmitJobRequest) -> usize {
    let nodes = input.node_overrides.as_ref();
    let of_ranges = nodes.and_then(|nodes| nodes.node_property_overrides.as_deref());
    let of_ranges = of_ranges.unwrap_or_default().iter().flat_map(|range| {
        [
            characters(&range.container_overrides),
            characters(&range.ecs_properties_override),
        ]
    });
    let own = [
        characters(&input.container_overrides),
        characters(&input.ecs_properties_override),
    ];
    of_ranges.chain(own).max().unwrap_or(0)
}

fn characters(overrides: &impl Serialize) -> usize {
    let text = serde_json::to_string(overrides).expect("shapes have only text keys");
    text.chars().count()
}

impl Batch {
    /// The tags that the job's containers carry: none unless they are propagated; of two with the same key the job's own.
    ///
    /// # Errors
    /// For pods, which carry none.
    pub(super) async fn propagated_tags(
        &self,
        definition: &Definition,
        input: &SubmitJobRequest,
    ) -> Result<BTreeMap<String, String>, Fault> {
        if !input.propagate_tags.unwrap_or(definition.propagate_tags) {
            return Ok(BTreeMap::new());
        }
        let mut ranges = definition
            .nodes
            .iter()
            .flat_map(|nodes| &nodes.node_range_properties);
        let is_pod =
            matches!(definition.work, Work::Pod(_)) || ranges.any(|range| range.eks_properties.is_some());
        if is_pod {
            // Own words (section G.7).
            return Err(client_exception("propagateTags is not applicable for EKS."));
        }
        let revision = &definition.revision;
        let resource = format!("job-definition/{}:{}", revision.name, revision.revision);
        let mut all = tags::map(self.read(move |store| store.tags(&resource)).await?);
        all.extend(input.tags.clone().unwrap_or_default());
        Ok(all)
    }
}
