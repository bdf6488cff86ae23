//! Amounts as Kubernetes writes them: `500m`, `1.5`, `512Mi`.

/// Bytes of a MiB.
const MIB: u128 = 1024 * 1024;

/// What may follow a number of bytes, longest first.
const UNITS: [(&str, u128); 9] = [
    ("Ki", 1 << 10),
    ("Mi", 1 << 20),
    ("Gi", 1 << 30),
    ("Ti", 1 << 40),
    ("k", 1_000),
    ("K", 1_000),
    ("M", 1_000_000),
    ("G", 1_000_000_000),
    ("T", 1_000_000_000_000),
];

/// CPUs in thousandths.
pub(super) fn milli_cpus(text: &str) -> Option<u32> {
    match text.strip_suffix('m') {
        Some(thousandths) => thousandths.parse().ok(),
        None => super::resources::milli_vcpus(text),
    }
}

/// An amount of memory in MiB, rounded up; not zero.
pub(super) fn mebibytes(text: &str) -> Option<u64> {
    let unit = UNITS.iter().find(|(unit, _)| text.ends_with(unit));
    let (number, factor) = match unit {
        Some((unit, factor)) => (text.strip_suffix(unit)?, *factor),
        None => (text, 1),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let is_number = |digits: &str| digits.len() <= 15 && digits.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_number(whole) || !is_number(fraction) {
        return None;
    }
    let scale = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    let fraction: u128 = if fraction.is_empty() {
        0
    } else {
        fraction.parse().ok()?
    };
    let scaled = (whole.parse::<u128>().ok()? * scale + fraction) * factor;
    let mebibytes = scaled.div_ceil(scale * MIB);
    u64::try_from(mebibytes).ok().filter(|amount| *amount > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_as_kubernetes_writes_them() {
        let cpus = ["1", "0.25", "250m", "1.5", "", "m", "1k"].map(milli_cpus);
        assert_eq!(
            cpus,
            [Some(1000), Some(250), Some(250), Some(1500), None, None, None]
        );
        let memory = [
            "64Mi", "1Gi", "1.5Gi", "67108864", "1M", "1Ki", "0", "", "Mi", "-1Mi", "1 Mi",
        ]
        .map(mebibytes);
        assert_eq!(
            memory,
            [
                Some(64),
                Some(1024),
                Some(1536),
                Some(64),
                Some(1),
                Some(1),
                None,
                None,
                None,
                None,
                None
            ]
        );
    }
}
