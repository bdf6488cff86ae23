//! What a job needs, from its resource requirements or the members that came before them (section E.3).

use batchyard_core::resources::{Mebibytes, MilliVcpus, Resources};
use batchyard_wire::Fault;
use batchyard_wire::batch::errors::client_exception;
use batchyard_wire::batch::{ContainerProperties, ResourceType};

/// What the container needs.
///
/// # Errors
/// When vCPUs or memory are missing or are no numbers.
pub(super) fn needed(container: &ContainerProperties) -> Result<Resources, Fault> {
    let required = |kind: ResourceType| {
        let requirements = container.resource_requirements.as_deref().unwrap_or_default();
        requirements
            .iter()
            .find(|requirement| requirement.r#type == kind)
            .map(|requirement| requirement.value.as_str())
    };
    let invalid = |kind: &str, value: &str| {
        // Own words; whole and positive numbers were checked before.
        client_exception(format!(
            "The value {value} of resourceRequirement {kind} is not valid."
        ))
    };
    let vcpus = match (required(ResourceType::Vcpu), container.vcpus) {
        (Some(value), _) => milli_vcpus(value).ok_or_else(|| invalid("VCPU", value))?,
        (None, Some(count)) => u32::try_from(count).unwrap_or(0).saturating_mul(1000),
        (None, None) => return Err(client_exception("vCPU is required.")),
    };
    let memory = match (required(ResourceType::Memory), container.memory) {
        (Some(value), _) => value.parse().map_err(|_| invalid("MEMORY", value))?,
        (None, Some(mebibytes)) => u64::try_from(mebibytes).unwrap_or(0),
        // Own words.
        (None, None) => return Err(client_exception("Memory is required.")),
    };
    let gpus = match required(ResourceType::Gpu) {
        Some(value) => value.parse().map_err(|_| invalid("GPU", value))?,
        None => 0,
    };
    Ok(Resources {
        vcpus: MilliVcpus(vcpus),
        memory: Mebibytes(memory),
        gpus,
    })
}

/// vCPUs in thousandths from a decimal number with at most three places.
pub(super) fn milli_vcpus(text: &str) -> Option<u32> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    if fraction.len() > 3 || whole.is_empty() || !is_number(whole) || !is_number(fraction) {
        return None;
    }
    let thousandths: u32 = format!("{fraction:0<3}").parse().ok()?;
    whole
        .parse::<u32>()
        .ok()?
        .checked_mul(1000)?
        .checked_add(thousandths)
}

#[cfg(test)]
mod tests {
    use super::milli_vcpus;

    #[test]
    fn vcpus_are_decimal_numbers() {
        let good = ["1", "0.25", "16", "1.5", "2.0", "4."].map(milli_vcpus);
        assert_eq!(
            good,
            [
                Some(1000),
                Some(250),
                Some(16_000),
                Some(1500),
                Some(2000),
                Some(4000)
            ]
        );
        assert_eq!(
            ["", ".5", "-1", "1e3", "0.1234", "99999999", "1 "].map(milli_vcpus),
            [None; 7]
        );
    }
}
