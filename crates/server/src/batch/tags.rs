//! TagResource, UntagResource, ListTagsForResource, and the tags that come with new resources (sections A.9, G.7).

use std::collections::BTreeMap;

use batchyard_core::command::Command;
use batchyard_core::id::{JobId, JobKey};
use batchyard_core::item::ItemKey;
use batchyard_core::name::{
    ConsumableResourceName, DefinitionName, EnvironmentName, QueueName, QuotaShareName, SchedulingPolicyName,
};
use batchyard_core::options::QueueOptions;
use batchyard_runtime::store::{DefinitionQuery, DefinitionRevision, ItemSelect, Select, Store, StoreError};
use batchyard_wire::Fault;
use batchyard_wire::batch::errors::client_exception;
use batchyard_wire::batch::{
    ListTagsForResourceRequest, ListTagsForResourceResponse, TagResourceRequest, TagResourceResponse,
    UntagResourceRequest, UntagResourceResponse,
};

use super::{Batch, unavailable};
use crate::arn;
use crate::caller::Caller;
use crate::config::LimitsConfig;

impl Batch {
    pub(super) async fn tag(
        &self,
        caller: &Caller,
        input: TagResourceRequest,
    ) -> Result<TagResourceResponse, Fault> {
        check(Some(&input.tags), &self.limits)?;
        let resource = self.tagged(&input.resource_arn).await?;
        let name = resource.clone();
        let mut all: BTreeMap<String, String> = map(self.read(move |store| store.tags(&name)).await?);
        all.extend(input.tags.clone());
        check(Some(&all), &self.limits)?;
        let set = input.tags.into_iter().collect();
        let command = Command::ChangeTags {
            resource,
            set,
            removed: Vec::new(),
        };
        self.command(caller, command)
            .await
            .map_err(|error| unavailable(&error))?;
        Ok(TagResourceResponse {})
    }

    pub(super) async fn untag(
        &self,
        caller: &Caller,
        input: UntagResourceRequest,
    ) -> Result<UntagResourceResponse, Fault> {
        let resource = self.tagged(&input.resource_arn).await?;
        let command = Command::ChangeTags {
            resource,
            set: Vec::new(),
            removed: input.tag_keys,
        };
        self.command(caller, command)
            .await
            .map_err(|error| unavailable(&error))?;
        Ok(UntagResourceResponse {})
    }

    pub(super) async fn tags_of(
        &self,
        input: &ListTagsForResourceRequest,
    ) -> Result<ListTagsForResourceResponse, Fault> {
        let resource = self.tagged(&input.resource_arn).await?;
        let tags = self.read(move |store| store.tags(&resource)).await?;
        Ok(ListTagsForResourceResponse {
            tags: Some(map(tags)),
        })
    }

    /// The resource that an ARN names, if it exists and can have tags, as the store calls it.
    async fn tagged(&self, arn: &str) -> Result<String, Fault> {
        // Own words throughout (section L.1).
        let not_found = || client_exception(format!("Resource {arn} not found."));
        let Some(tail) = arn::tail(arn) else {
            return Err(client_exception(format!(
                "{arn} is not the ARN of a Batch resource."
            )));
        };
        let target = Target::parse(tail).ok_or_else(not_found)?;
        if let Target::Job(JobKey { child: Some(_), .. }) = target {
            return Err(client_exception(
                "Tagging is not supported for child jobs of array jobs.",
            ));
        }
        let resource = match &target {
            // The store has one kind of jobs.
            Target::ServiceJob(id) => format!("job/{id}"),
            _ => tail.to_owned(),
        };
        let exists = self.read(move |store| target.exists(store)).await?;
        if exists { Ok(resource) } else { Err(not_found()) }
    }
}

/// A resource that can have tags.
#[derive(Clone)]
enum Target {
    Environment(EnvironmentName),
    Queue(QueueName),
    Definition(DefinitionRevision),
    Job(JobKey),
    ServiceJob(JobId),
    Item(ItemKey),
}

impl Target {
    fn parse(tail: &str) -> Option<Target> {
        let (kind, name) = tail.split_once('/')?;
        match kind {
            "service-environment" => EnvironmentName::parse_service(name).ok().map(Target::Environment),
            "service-job" => name.parse().ok().map(Target::ServiceJob),
            "compute-environment" => EnvironmentName::parse(name).ok().map(Target::Environment),
            "job-queue" => match name.split_once("/quota-share/") {
                None => QueueName::parse(name).ok().map(Target::Queue),
                Some((queue, name)) => {
                    let name = QuotaShareName::parse(name).ok()?;
                    Some(Target::Item(ItemKey::QuotaShare(
                        QueueName::parse(queue).ok()?,
                        name,
                    )))
                }
            },
            "scheduling-policy" => {
                let name = SchedulingPolicyName::parse(name).ok()?;
                Some(Target::Item(ItemKey::SchedulingPolicy(name)))
            }
            "consumable-resource" => {
                let name = ConsumableResourceName::parse(name).ok()?;
                Some(Target::Item(ItemKey::ConsumableResource(name)))
            }
            "job" => name.parse().ok().map(Target::Job),
            "job-definition" => {
                let (name, revision) = name.split_once(':')?;
                let name = DefinitionName::parse(name).ok()?;
                Some(Target::Definition(DefinitionRevision {
                    name,
                    revision: revision.parse().ok()?,
                }))
            }
            _ => None,
        }
    }

    fn exists(self, store: &dyn Store) -> Result<bool, StoreError> {
        Ok(match self {
            Target::Environment(name) => !store
                .environments(name.kind(), &Select::Named(vec![name]))?
                .rows
                .is_empty(),
            Target::Queue(name) => !store.queues(&Select::Named(vec![name]))?.rows.is_empty(),
            Target::Definition(revision) => !store
                .definitions(&DefinitionQuery::Revisions(vec![revision]))?
                .rows
                .is_empty(),
            Target::Job(key) => store
                .jobs(&[key])?
                .iter()
                .any(|row| row.profile.service.is_none()),
            Target::ServiceJob(id) => {
                let rows = store.jobs(&[JobKey::whole(id)])?;
                rows.iter().any(|row| row.profile.service.is_some())
            }
            Target::Item(key) => !store.items(&ItemSelect::Keyed(vec![key]))?.rows.is_empty(),
        })
    }
}

/// Checks the tags of a new resource. The texts are our own; the rules are those of section G.7.
pub(super) fn check(tags: Option<&BTreeMap<String, String>>, limits: &LimitsConfig) -> Result<(), Fault> {
    let most = limits.tags;
    let Some(tags) = tags else { return Ok(()) };
    if tags.len() > most {
        return Err(client_exception(format!(
            "A resource can have at most {most} tags."
        )));
    }
    for (key, value) in tags {
        if key.is_empty() || key.chars().count() > 128 {
            return Err(client_exception(format!(
                "Tag key {key:?} must have 1 to 128 characters."
            )));
        }
        if key.starts_with("aws:") {
            return Err(client_exception(format!(
                "Tag key {key:?} must not begin with aws:, which is reserved."
            )));
        }
        QueueOptions::default()
            .with_tag(key, value)
            .map_err(|error| client_exception(error.to_string()))?;
        if value.chars().count() > 256 {
            return Err(client_exception(format!(
                "The value of tag {key:?} must have at most 256 characters."
            )));
        }
    }
    Ok(())
}

/// Tags as commands carry them.
pub(super) fn pairs(tags: Option<BTreeMap<String, String>>) -> Vec<(String, String)> {
    tags.into_iter().flatten().collect()
}

/// Tags as answers show them.
pub(super) fn map(tags: Vec<(String, String)>) -> BTreeMap<String, String> {
    tags.into_iter().collect()
}
