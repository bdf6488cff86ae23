//! From the names of the models to names of Rust.

/// Words that Rust keeps for itself and that occur as member names.
const KEYWORDS: [&str; 5] = ["type", "ref", "move", "match", "final"];

/// `jobName` → `job_name`, `minvCpus` → `min_vcpus`, `SSMParameter` → `ssm_parameter`.
pub(super) fn snake(name: &str) -> String {
    // Units with capitals of their own would be torn apart: `maxvCpus`, `sizeInGiB`.
    let name = name
        .replace("vCpus", "Vcpus")
        .replace("GiB", "Gib")
        .replace("MiB", "Mib");
    let characters: Vec<char> = name.chars().collect();
    let mut result = String::new();
    for (index, &character) in characters.iter().enumerate() {
        if !character.is_ascii_alphanumeric() {
            if !result.ends_with('_') {
                result.push('_');
            }
            continue;
        }
        let previous_is_lower = index > 0
            && (characters[index - 1].is_ascii_lowercase() || characters[index - 1].is_ascii_digit());
        let ends_acronym = index > 0
            && characters[index - 1].is_ascii_uppercase()
            && characters.get(index + 1).is_some_and(char::is_ascii_lowercase);
        if character.is_ascii_uppercase() && (previous_is_lower || ends_acronym) && !result.ends_with('_') {
            result.push('_');
        }
        result.push(character.to_ascii_lowercase());
    }
    result
}

/// A field's name: snake case, keywords escaped.
pub(super) fn field(name: &str) -> String {
    let name = snake(name);
    if KEYWORDS.contains(&name.as_str()) {
        format!("r#{name}")
    } else {
        name
    }
}

/// `CEState` stays, `maxResults` → `MaxResults`.
pub(super) fn type_name(name: &str) -> String {
    let mut characters = name.chars();
    match characters.next() {
        Some(first) => first.to_ascii_uppercase().to_string() + characters.as_str(),
        None => String::new(),
    }
}

/// The variant of an enumeration's value: `ECS_AL2023` → `EcsAl2023`, `LastEventTime` stays.
pub(super) fn variant(value: &str) -> String {
    if value == "Unknown" {
        // `Unknown` is the variant for values that the model does not have.
        return "UnknownValue".to_owned();
    }
    let is_shouting = !value.chars().any(|character| character.is_ascii_lowercase());
    value
        .split(|character: char| !character.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(|word| {
            type_name(&if is_shouting {
                word.to_ascii_lowercase()
            } else {
                word.to_owned()
            })
        })
        .collect()
}

/// The static of a shape's schema: `JobDetail` → `JOB_DETAIL`.
pub(super) fn static_name(shape: &str) -> String {
    snake(shape).to_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::{field, static_name, variant};

    #[test]
    fn names_follow_rust() {
        let fields = [
            "jobName",
            "minvCpus",
            "type",
            "s3filesVolumeConfiguration",
            "eksClusterArn",
        ];
        assert_eq!(
            fields.map(field),
            [
                "job_name",
                "min_vcpus",
                "r#type",
                "s3files_volume_configuration",
                "eks_cluster_arn"
            ]
        );
        assert_eq!(
            ["N_TO_N", "ECS_AL2023", "LogStreamName", "awslogs"].map(variant),
            ["NToN", "EcsAl2023", "LogStreamName", "Awslogs"]
        );
        assert_eq!(static_name("CEState"), "CE_STATE");
    }
}
