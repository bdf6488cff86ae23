//! Log groups, their retention and their tags.

use batchyard_logs::{Group, GroupsQuery, Listing, NameMatch};
use batchyard_wire::Fault;
use batchyard_wire::logs::errors::{invalid_parameter_exception, too_many_tags_exception};
use batchyard_wire::logs::{
    CreateLogGroupRequest, DescribeLogGroupsRequest, DescribeLogGroupsResponse, ListTagsForResourceRequest,
    ListTagsForResourceResponse, LogGroup, LogGroupClass, PutRetentionPolicyRequest, TagResourceRequest,
    UntagResourceRequest,
};

use super::{LogsApi, fault, limit, of_arn};
use crate::limits::TAGS_MAX;

/// Groups of a page where the request says nothing, and most of a page (the model).
const GROUPS_PAGE: usize = 50;

impl LogsApi {
    pub(super) async fn create_group(&self, input: CreateLogGroupRequest) -> Result<(), Fault> {
        // What would silently not be done is refused; own words.
        if input.kms_key_id.is_some() {
            return Err(invalid_parameter_exception(
                "kmsKeyId is not served by this version of Batchyard",
            ));
        }
        if input.deletion_protection_enabled == Some(true) {
            return Err(invalid_parameter_exception(
                "deletionProtectionEnabled is not served by this version of Batchyard",
            ));
        }
        let name = input.log_group_name;
        self.logs
            .create_group(&name, self.clock.now())
            .await
            .map_err(fault)?;
        let tags = input.tags.unwrap_or_default();
        if !tags.is_empty() {
            self.logs.tag_group(&name, tags).await.map_err(fault)?;
        }
        Ok(())
    }

    pub(super) async fn describe_groups(
        &self,
        input: DescribeLogGroupsRequest,
    ) -> Result<DescribeLogGroupsResponse, Fault> {
        let DescribeLogGroupsRequest {
            account_identifiers: _,
            include_linked_accounts: _,
            limit: asked,
            log_group_class: _,
            log_group_identifiers,
            log_group_name_pattern,
            log_group_name_prefix,
            next_token,
        } = input;
        if let Some(identifiers) = log_group_identifiers.filter(|identifiers| !identifiers.is_empty()) {
            let named = self.read(move |logs| {
                let names = identifiers
                    .iter()
                    .map(|identifier| of_arn(identifier).unwrap_or(identifier));
                let found = names.filter_map(|name| logs.group(name).ok());
                Ok(found.collect::<Vec<_>>())
            });
            let groups = named
                .await?
                .into_iter()
                .map(|group| self.group_detail(group))
                .collect();
            return Ok(DescribeLogGroupsResponse {
                log_groups: Some(groups),
                next_token: None,
            });
        }
        let name = match (log_group_name_prefix, log_group_name_pattern) {
            (None, None) => NameMatch::Any,
            (Some(prefix), None) => NameMatch::Prefix(prefix),
            (None, Some(pattern)) => NameMatch::Contains(pattern),
            (Some(_), Some(_)) => {
                return Err(invalid_parameter_exception(
                    "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.",
                ));
            }
        };
        let query = GroupsQuery {
            name,
            token: next_token,
            limit: limit(asked, GROUPS_PAGE),
        };
        let Listing { items, next_token } = self.read(move |logs| logs.groups(&query)).await?;
        Ok(DescribeLogGroupsResponse {
            log_groups: Some(items.into_iter().map(|group| self.group_detail(group)).collect()),
            next_token,
        })
    }

    fn group_detail(&self, group: Group) -> LogGroup {
        let Group {
            name,
            created_at,
            retention_days,
            stored_bytes,
            tags: _,
        } = group;
        let arn = self.account.log_group(&name);
        LogGroup {
            arn: Some(format!("{arn}:*")),
            creation_time: Some(created_at.as_millis()),
            log_group_arn: Some(arn),
            log_group_class: Some(LogGroupClass::Standard),
            log_group_name: Some(name),
            metric_filter_count: Some(0),
            retention_in_days: retention_days.and_then(|days| i32::try_from(days).ok()),
            stored_bytes: Some(i64::try_from(stored_bytes).unwrap_or(i64::MAX)),
            ..LogGroup::default()
        }
    }

    pub(super) async fn put_retention(&self, input: PutRetentionPolicyRequest) -> Result<(), Fault> {
        // What is negative is none of the numbers offered either.
        let days = u32::try_from(input.retention_in_days).unwrap_or(0);
        self.logs
            .put_retention(&input.log_group_name, Some(days))
            .await
            .map_err(fault)
    }

    pub(super) async fn tag(&self, input: TagResourceRequest) -> Result<(), Fault> {
        let name = tagged(&input.resource_arn)?;
        let asked = name.clone();
        let mut all = self.read(move |logs| logs.group(&asked)).await?.tags;
        all.extend(input.tags.clone());
        if all.len() > TAGS_MAX {
            return Err(too_many_tags_exception(format!(
                "A resource can have at most {TAGS_MAX} tags."
            )));
        }
        self.logs.tag_group(&name, input.tags).await.map_err(fault)
    }

    pub(super) async fn untag(&self, input: UntagResourceRequest) -> Result<(), Fault> {
        let name = tagged(&input.resource_arn)?;
        self.logs.untag_group(&name, input.tag_keys).await.map_err(fault)
    }

    pub(super) async fn tags_of(
        &self,
        input: ListTagsForResourceRequest,
    ) -> Result<ListTagsForResourceResponse, Fault> {
        let name = tagged(&input.resource_arn)?;
        let group = self.read(move |logs| logs.group(&name)).await?;
        Ok(ListTagsForResourceResponse {
            tags: Some(group.tags),
        })
    }
}

fn tagged(arn: &str) -> Result<String, Fault> {
    // Own words.
    of_arn(arn)
        .map(str::to_owned)
        .ok_or_else(|| invalid_parameter_exception(format!("{arn} is not the ARN of a log group.")))
}
