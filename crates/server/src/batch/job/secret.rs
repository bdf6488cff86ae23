//! From the words of the API for secrets to where their values are (sections E.3, E.8).

use batchyard_core::secret::{ImageCredentials, SecretKind, SecretName, SecretReference, SecretVariable};
use batchyard_wire::batch::{RepositoryCredentials, Secret};

/// Why secrets are refused where they are.
pub(super) const NO_FOLDER: &str = "secrets need a folder that they are in, which the configuration of this server does not name (secrets.folder)";

/// The only version of a secret that there is here.
const CURRENT: &str = "AWSCURRENT";

/// Variables, or options of a log driver; `member` is where they were given.
///
/// # Errors
/// For the first that means no value.
pub(super) fn variables(member: &str, secrets: &[Secret]) -> Result<Vec<SecretVariable>, String> {
    let variable = |secret: &Secret| {
        let Secret { name, value_from } = secret;
        if name.is_empty() || name.contains(['=', '\0']) {
            return Err(format!("{member} has a name that no variable can have: {name:?}"));
        }
        if name.starts_with("AWS_BATCH") {
            return Err(format!(
                "{member} has the name {name}: names that begin with AWS_BATCH are reserved"
            ));
        }
        let from =
            reference(value_from).map_err(|reason| format!("{member}, valueFrom of {name}: {reason}"))?;
        Ok(SecretVariable {
            name: name.clone(),
            from,
        })
    };
    secrets.iter().map(variable).collect()
}

/// Who pulls an image.
///
/// # Errors
/// When no secret is meant.
pub(super) fn credentials(credentials: &RepositoryCredentials) -> Result<ImageCredentials, String> {
    let parameter = credentials.credentials_parameter.as_str();
    let reference = if parameter.starts_with("arn:") {
        reference(parameter)
    } else {
        named(SecretKind::SecretsManager, parameter)
    };
    let reference = reference.and_then(|reference| match reference {
        SecretReference {
            kind: SecretKind::SecretsManager,
            json_key: None,
            ..
        } => Ok(reference),
        SecretReference { .. } => Err("it must be a whole secret of Secrets Manager".to_owned()),
    });
    let reference =
        reference.map_err(|reason| format!("repositoryCredentials.credentialsParameter: {reason}"))?;
    Ok(ImageCredentials::Login(reference))
}

/// The value that a `valueFrom` means: the ARN of a secret with more behind it, the ARN of a parameter, or a parameter's name.
fn reference(value_from: &str) -> Result<SecretReference, String> {
    let neither = || format!("{value_from} is neither the ARN of a secret nor that of a parameter");
    if !value_from.starts_with("arn:") {
        return named(
            SecretKind::Parameter,
            value_from.strip_prefix('/').unwrap_or(value_from),
        );
    }
    let mut parts = value_from.splitn(6, ':').skip(2);
    let (service, resource) = (parts.next(), parts.nth(2));
    match (service, resource) {
        (Some("ssm"), Some(resource)) => {
            let name = resource.strip_prefix("parameter/").ok_or_else(neither)?;
            named(SecretKind::Parameter, name)
        }
        (Some("secretsmanager"), Some(resource)) => {
            of_manager(resource.strip_prefix("secret:").ok_or_else(neither)?)
        }
        _ => Err(neither()),
    }
}

/// `NAME:JSON-KEY:VERSION-STAGE:VERSION-ID`, of which all but the name may be empty or missing.
fn of_manager(resource: &str) -> Result<SecretReference, String> {
    let mut parts = resource.split(':');
    let name = parts.next().unwrap_or_default();
    let json_key = parts.next().unwrap_or_default();
    let stage = parts.next().unwrap_or_default();
    let version = parts.next().unwrap_or_default();
    if parts.next().is_some() {
        return Err(format!(
            "{resource} has more parts than name, JSON key, version stage and version"
        ));
    }
    if !matches!(stage, "" | CURRENT) {
        return Err(format!(
            "the version stage {stage} is not implemented: the folder of secrets has {CURRENT} only"
        ));
    }
    if !version.is_empty() {
        return Err(format!(
            "the version {version} is not implemented: the folder of secrets has {CURRENT} only"
        ));
    }
    let reference = named(SecretKind::SecretsManager, name)?;
    Ok(SecretReference {
        json_key: (!json_key.is_empty()).then(|| json_key.to_owned()),
        ..reference
    })
}

fn named(kind: SecretKind, name: &str) -> Result<SecretReference, String> {
    Ok(SecretReference {
        kind,
        name: SecretName::parse(name).map_err(|error| error.to_string())?,
        json_key: None,
    })
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(value_froms: &[&str], expected: Expect) {
        let lines = value_froms.iter().map(|value_from| match reference(value_from) {
            Ok(SecretReference { kind, name, json_key }) => format!("{kind:?} {name} {json_key:?}\n"),
            Err(reason) => format!("{reason}\n"),
        });
        expected.assert_eq(&lines.collect::<String>());
    }

    #[test]
    fn secrets_of_secrets_manager() {
        const ARN: &str = "arn:aws:secretsmanager:us-east-1:123456789012:secret:prod/db-AbC123";
        let with = |rest: &str| format!("{ARN}{rest}");
        let value_froms = [
            with(""),
            with(":password"),
            with(":password::"),
            with(":::"),
            with("::AWSCURRENT:"),
            with(":password:AWSPREVIOUS:"),
            with(":::9d4cb84b-ad69-40c0-a0ab-cead36b967e8"),
            with("::::"),
            with("/../x"),
            "arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:name".to_owned(),
            "arn:aws:secretsmanager:us-east-1:123456789012:key:name".to_owned(),
        ];
        let value_froms: Vec<&str> = value_froms.iter().map(String::as_str).collect();
        check(
            &value_froms,
            expect![[r#"
            SecretsManager prod/db-AbC123 None
            SecretsManager prod/db-AbC123 Some("password")
            SecretsManager prod/db-AbC123 Some("password")
            SecretsManager prod/db-AbC123 None
            SecretsManager prod/db-AbC123 None
            the version stage AWSPREVIOUS is not implemented: the folder of secrets has AWSCURRENT only
            the version 9d4cb84b-ad69-40c0-a0ab-cead36b967e8 is not implemented: the folder of secrets has AWSCURRENT only
            prod/db-AbC123:::: has more parts than name, JSON key, version stage and version
            "prod/db-AbC123/../x" is not the name of a secret: letters, digits and _+=.@- with single slashes between them
            SecretsManager name None
            arn:aws:secretsmanager:us-east-1:123456789012:key:name is neither the ARN of a secret nor that of a parameter
        "#]],
        );
    }

    #[test]
    fn parameters() {
        check(
            &[
                "/prod/db/url",
                "url",
                "arn:aws:ssm:us-east-1:123456789012:parameter/prod/db/url",
                "arn:aws:ssm:us-east-1:123456789012:parameter/url",
                "arn:aws:ssm:us-east-1:123456789012:document/url",
                "arn:aws:s3:::bucket",
                "arn:aws",
                "",
                "/",
                "../etc/passwd",
                "/a/../../b",
                "url:3",
            ],
            expect![[r#"
                Parameter prod/db/url None
                Parameter url None
                Parameter prod/db/url None
                Parameter url None
                arn:aws:ssm:us-east-1:123456789012:document/url is neither the ARN of a secret nor that of a parameter
                arn:aws:s3:::bucket is neither the ARN of a secret nor that of a parameter
                arn:aws is neither the ARN of a secret nor that of a parameter
                "" is not the name of a secret: letters, digits and _+=.@- with single slashes between them
                "" is not the name of a secret: letters, digits and _+=.@- with single slashes between them
                "../etc/passwd" is not the name of a secret: letters, digits and _+=.@- with single slashes between them
                "a/../../b" is not the name of a secret: letters, digits and _+=.@- with single slashes between them
                "url:3" is not the name of a secret: letters, digits and _+=.@- with single slashes between them
            "#]],
        );
    }
}
