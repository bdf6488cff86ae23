//! DescribeJobDefinitions.

use batchyard_core::name::DefinitionName;
use batchyard_runtime::store::{DefinitionQuery, DefinitionRevision, DefinitionRow, Page};
use batchyard_wire::Fault;
use batchyard_wire::batch::errors::client_exception;
use batchyard_wire::batch::{DescribeJobDefinitionsRequest, DescribeJobDefinitionsResponse, JobDefinition};

use super::{Reference, read};
use crate::arn;
use crate::batch::{Batch, page, tags};

impl Batch {
    pub(in crate::batch) async fn describe_definitions(
        &self,
        input: DescribeJobDefinitionsRequest,
    ) -> Result<DescribeJobDefinitionsResponse, Fault> {
        let nothing = Ok(DescribeJobDefinitionsResponse {
            job_definitions: Some(Vec::new()),
            next_token: None,
        });
        let Some(query) = query(input, self.limits.page_items)? else {
            return nothing;
        };
        let Page { rows, next } = self.read(move |store| store.definitions(&query)).await?;
        let cursor = |DefinitionRevision { name, revision }| page::token(&format!("{name}:{revision}"));
        Ok(DescribeJobDefinitionsResponse {
            job_definitions: Some(rows.into_iter().map(|row| self.definition_detail(row)).collect()),
            next_token: next.map(cursor),
        })
    }

    fn definition_detail(&self, row: DefinitionRow) -> JobDefinition {
        let DefinitionRow {
            revision: DefinitionRevision { name, revision },
            is_active,
            document,
            tags,
        } = row;
        JobDefinition {
            job_definition_arn: self.account.definition(name.as_str(), revision),
            job_definition_name: name.to_string(),
            revision: i32::try_from(revision).unwrap_or(i32::MAX),
            status: Some(if is_active { "ACTIVE" } else { "INACTIVE" }.to_owned()),
            tags: Some(tags::map(tags)),
            ..read(&document)
        }
    }
}

/// What the request asks of the store; `None` where the answer is empty in any case.
fn query(input: DescribeJobDefinitionsRequest, most: usize) -> Result<Option<DefinitionQuery>, Fault> {
    let DescribeJobDefinitionsRequest {
        job_definition_name,
        job_definitions,
        max_results,
        next_token,
        status,
    } = input;
    let references = job_definitions.unwrap_or_default();
    if references.len() > most {
        // Own words (section A.3: up to 100).
        return Err(client_exception(format!(
            "jobDefinitions can have at most {most} entries."
        )));
    }
    if !references.is_empty() {
        // Own words (section A.3: the list is exclusive of all other parameters; how long a page is contradicts nothing).
        for (member, is_given) in [
            ("jobDefinitionName", job_definition_name.is_some()),
            ("status", status.is_some()),
        ] {
            if is_given {
                return Err(client_exception(format!(
                    "jobDefinitions cannot be used together with {member}."
                )));
            }
        }
        // Names without a revision are no entries of this list; like unknown ones they are left out.
        let revision = |text: &String| match Reference::parse(text) {
            Some(Reference::Revision(revision)) => Some(revision),
            Some(Reference::Latest(_)) | None => None,
        };
        return Ok(Some(DefinitionQuery::Revisions(
            references.iter().filter_map(revision).collect(),
        )));
    }
    let name = match job_definition_name
        .as_deref()
        .map(|name| arn::name("job-definition", name))
    {
        None => None,
        Some(text) => match DefinitionName::parse(text) {
            Ok(name) => Some(name),
            Err(_) => return Ok(None),
        },
    };
    let is_active = match status.as_deref() {
        None => None,
        Some("ACTIVE") => Some(true),
        Some("INACTIVE") => Some(false),
        Some(_) => return Ok(None),
    };
    let after = match page::cursor(next_token.as_deref())?
        .as_deref()
        .map(Reference::parse)
    {
        None => None,
        Some(Some(Reference::Revision(revision))) => Some(revision),
        Some(_) => return Err(client_exception("nextToken is not valid.")),
    };
    let limit = page::limit(max_results, most)?;
    Ok(Some(DefinitionQuery::Page {
        name,
        is_active,
        after,
        limit,
    }))
}
