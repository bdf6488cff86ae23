//! The job definition behind a submission: one for each image, found again by its name.
//!
//! It says the image and the least resources; everything else comes with the submission. So running the same thing a thousand
//! times leaves one definition behind.

use batchyard_wire::batch::{
    ContainerProperties, DescribeJobDefinitionsRequest, JobDefinition, JobDefinitionType,
    RegisterJobDefinitionRequest, ResourceRequirement, ResourceType,
};
use sha2::{Digest as _, Sha256};

use crate::client::{CallError, Client};

/// What images of process jobs begin with.
const PROCESS: &str = "host://";

/// Characters of an image that its definition's name shows (own choice; names have 128 at most).
const SLUG_MAX: usize = 64;

/// Bytes of an image's hash in the name.
const HASH_BYTES: usize = 4;

/// The ARN of a definition for the image; makes it where it is missing.
pub(super) async fn find_or_register(client: &Client, image: &str) -> Result<String, CallError> {
    let wanted = definition(image);
    let request = DescribeJobDefinitionsRequest {
        job_definition_name: Some(wanted.job_definition_name.clone()),
        status: Some("ACTIVE".to_owned()),
        ..DescribeJobDefinitionsRequest::default()
    };
    let found = client.call(&request).await?.job_definitions.unwrap_or_default();
    if let Some(same) = found.into_iter().find(|found| is_same(found, &wanted)) {
        return Ok(same.job_definition_arn);
    }
    Ok(client.call(&wanted).await?.job_definition_arn)
}

fn definition(image: &str) -> RegisterJobDefinitionRequest {
    let resource = |r#type, value: &str| ResourceRequirement {
        r#type,
        value: value.to_owned(),
    };
    RegisterJobDefinitionRequest {
        job_definition_name: name(image),
        r#type: JobDefinitionType::Container,
        container_properties: Some(ContainerProperties {
            image: Some(image.to_owned()),
            // A process job's definition needs a command too; that of the submission takes its place.
            command: image.starts_with(PROCESS).then(|| vec!["true".to_owned()]),
            resource_requirements: Some(vec![
                resource(ResourceType::Vcpu, "1"),
                resource(ResourceType::Memory, "512"),
            ]),
            ..ContainerProperties::default()
        }),
        ..RegisterJobDefinitionRequest::default()
    }
}

/// Whether the definition is one that we made for the image, rather than one that somebody else gave the name.
fn is_same(found: &JobDefinition, wanted: &RegisterJobDefinitionRequest) -> bool {
    let (Some(found_container), Some(container)) =
        (&found.container_properties, &wanted.container_properties)
    else {
        return false;
    };
    // Servers answer an absent list as an empty one.
    let list = |list: &Option<Vec<String>>| list.clone().unwrap_or_default();
    found_container.image == container.image
        && list(&found_container.command) == list(&container.command)
        && found_container.resource_requirements == container.resource_requirements
        && found_container.environment.as_ref().is_none_or(Vec::is_empty)
        && found_container.volumes.as_ref().is_none_or(Vec::is_empty)
        && found_container.job_role_arn.is_none()
        && found_container.user.is_none()
        && found.retry_strategy.is_none()
        && found.timeout.is_none()
}

/// `run-` with what one recognises the image by, and a hash to tell it from those that look the same.
fn name(image: &str) -> String {
    let (kind, rest) = match image.strip_prefix(PROCESS) {
        Some(folder) => (
            "process-",
            folder
                .rsplit('/')
                .find(|part| !part.is_empty())
                .unwrap_or_default(),
        ),
        None => ("", image),
    };
    let slug: String = rest
        .chars()
        .map(|character| {
            if character.is_ascii_alphanumeric() {
                character
            } else {
                '-'
            }
        })
        .take(SLUG_MAX)
        .collect();
    let slug = slug.trim_matches('-');
    let separator = if slug.is_empty() { "" } else { "-" };
    let hash = hex::encode(&Sha256::digest(image)[..HASH_BYTES]);
    format!("run-{kind}{slug}{separator}{hash}")
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn names_show_images() {
        let images = [
            "host://",
            "host:///",
            "host:///home/ada/my genome/",
            "host:///srv/my genome",
            "alpine:3.20",
            "registry.example/team/tool@sha256:4bcff63911fcb4448bd4fdacec207030997caf25e9bea4045fa6c8c44de311d1",
        ];
        let names: Vec<String> = images.iter().map(|image| name(image)).collect();
        expect![[r#"
            run-process-e0f8ad67
            run-process-14fa5c93
            run-process-my-genome-65ebf8b0
            run-process-my-genome-35b869a4
            run-alpine-3-20-d3dfed77
            run-registry-example-team-tool-sha256-4bcff63911fcb4448bd4fdacec2070-0fa36ec2"#]]
        .assert_eq(&names.join("\n"));
    }

    #[test]
    fn only_what_is_the_same_is_used_again() {
        let wanted = definition("alpine");
        let found = JobDefinition {
            container_properties: wanted.container_properties.clone(),
            ..JobDefinition::default()
        };
        assert!(is_same(&found, &wanted));
        assert!(!is_same(&found, &definition("alpine:3")));
        let mut other = found;
        if let Some(container) = &mut other.container_properties {
            container.user = Some("nobody".to_owned());
        }
        assert!(!is_same(&other, &wanted));
    }
}
