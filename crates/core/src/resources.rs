//! What a job needs and what an instance has: vCPUs, memory, GPUs.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An amount of vCPUs, counted in thousandths (Fargate has quarters; section E.6).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MilliVcpus(pub u32);

/// An amount of memory in MiB.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Mebibytes(pub u64);

/// What a job needs, or what an instance can give.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Resources {
    /// vCPUs, in thousandths.
    pub vcpus: MilliVcpus,
    /// Memory in MiB.
    pub memory: Mebibytes,
    /// Whole GPUs.
    pub gpus: u16,
}

/// A set of the GPUs of one host, by index 0..=63.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GpuSet(u64);

impl MilliVcpus {
    /// `count` whole vCPUs.
    #[must_use]
    pub const fn whole(count: u32) -> Self {
        MilliVcpus(count.saturating_mul(1000))
    }

    /// Whole vCPUs, rounded up: what counts against limits that are given in whole vCPUs.
    #[must_use]
    pub const fn ceil(self) -> u32 {
        self.0.div_ceil(1000)
    }
}

impl Mebibytes {
    /// Memory of a host whose memory does not count: more than there is anywhere, and less than overflows. What is left of it when jobs hold
    /// some is shown as unlimited too.
    pub const UNLIMITED: Mebibytes = Mebibytes(1 << 40);

    /// Whether it is [`UNLIMITED`](Self::UNLIMITED), or most of it.
    #[must_use]
    pub const fn is_unlimited(self) -> bool {
        self.0 > Self::UNLIMITED.0 / 2
    }
}

impl Resources {
    /// More than anything has.
    pub const MAX: Resources = Resources {
        vcpus: MilliVcpus(u32::MAX),
        memory: Mebibytes(u64::MAX),
        gpus: u16::MAX,
    };

    /// Whether a job that needs `need` fits.
    #[must_use]
    pub fn fits(self, need: Resources) -> bool {
        need.vcpus <= self.vcpus && need.memory <= self.memory && need.gpus <= self.gpus
    }

    /// The sum.
    #[must_use]
    pub fn plus(self, other: Resources) -> Resources {
        Resources {
            vcpus: MilliVcpus(self.vcpus.0.saturating_add(other.vcpus.0)),
            memory: Mebibytes(self.memory.0.saturating_add(other.memory.0)),
            gpus: self.gpus.saturating_add(other.gpus),
        }
    }

    /// What is left, each dimension not below zero.
    #[must_use]
    pub fn minus(self, other: Resources) -> Resources {
        Resources {
            vcpus: MilliVcpus(self.vcpus.0.saturating_sub(other.vcpus.0)),
            memory: Mebibytes(self.memory.0.saturating_sub(other.memory.0)),
            gpus: self.gpus.saturating_sub(other.gpus),
        }
    }

    /// The smaller of both in each dimension.
    #[must_use]
    pub fn at_most(self, other: Resources) -> Resources {
        Resources {
            vcpus: self.vcpus.min(other.vcpus),
            memory: self.memory.min(other.memory),
            gpus: self.gpus.min(other.gpus),
        }
    }
}

impl GpuSet {
    /// The GPUs 0..count, at most 64.
    #[must_use]
    pub fn first(count: u16) -> Self {
        if count >= 64 {
            GpuSet(u64::MAX)
        } else {
            GpuSet((1 << count) - 1)
        }
    }

    /// The set with GPU `i` for each bit `i` that is set, as the store keeps it.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        GpuSet(bits)
    }

    /// Bit `i` set for GPU `i`.
    #[must_use]
    pub const fn to_bits(self) -> u64 {
        self.0
    }

    /// How many.
    #[must_use]
    pub fn count(self) -> u16 {
        u16::try_from(self.0.count_ones()).expect("64 bits fit")
    }

    /// The `count` lowest of the set, or `None` if it has fewer.
    #[must_use]
    pub fn lowest(self, count: u16) -> Option<Self> {
        let mut rest = self.0;
        for _ in 0..count {
            if rest == 0 {
                return None;
            }
            rest &= rest - 1;
        }
        Some(GpuSet(self.0 ^ rest))
    }

    /// Both together.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        GpuSet(self.0 | other.0)
    }

    /// Those that are not in `other`.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        GpuSet(self.0 & !other.0)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The indexes, ascending.
    pub fn indexes(self) -> impl Iterator<Item = u16> {
        (0..64).filter(move |index| self.0 >> index & 1 == 1)
    }
}

impl fmt::Display for MilliVcpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / 1000, self.0 % 1000);
        if rest == 0 {
            return write!(f, "{whole}");
        }
        write!(f, "{whole}.{}", format!("{rest:03}").trim_end_matches('0'))
    }
}

impl fmt::Debug for MilliVcpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}vcpu")
    }
}

impl fmt::Debug for Mebibytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}MiB", self.0)
    }
}

impl fmt::Debug for GpuSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.indexes()).finish()
    }
}

/// As a person reads it: `2 vCPU, 4096 MiB`, with GPUs only where there are some.
impl fmt::Display for Resources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} vCPU, ", self.vcpus)?;
        match self.memory.is_unlimited() {
            true => f.write_str("unlimited memory")?,
            false => write!(f, "{} MiB", self.memory.0)?,
        }
        if self.gpus > 0 {
            write!(f, ", {} GPU", self.gpus)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Resources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vcpus_are_written_as_users_write_them() {
        let written = [250, 500, 1000, 1500, 16_000, 1].map(|n| MilliVcpus(n).to_string());
        assert_eq!(written, ["0.25", "0.5", "1", "1.5", "16", "0.001"]);
    }

    #[test]
    fn memory_that_does_not_count_is_not_shown_as_a_number() {
        let with = |memory| Resources {
            vcpus: MilliVcpus(1500),
            memory,
            gpus: 0,
        };
        let host = with(Mebibytes::UNLIMITED);
        assert_eq!(host.to_string(), "1.5 vCPU, unlimited memory");
        let free = host.minus(with(Mebibytes(4_096)));
        assert_eq!(free.to_string(), "0 vCPU, unlimited memory");
        // As much as the largest instance type has, a thousand times.
        assert_eq!(
            with(Mebibytes(25_165_824_000)).to_string(),
            "1.5 vCPU, 25165824000 MiB"
        );
    }

    #[test]
    fn gpus_are_taken_lowest_first_and_given_back() {
        let all = GpuSet::first(4);
        let two = all.lowest(2).unwrap();
        let rest = all.without(two);
        assert_eq!(two.indexes().collect::<Vec<_>>(), [0, 1]);
        assert_eq!(rest.indexes().collect::<Vec<_>>(), [2, 3]);
        assert_eq!(rest.lowest(3), None);
        assert_eq!(rest.with(two), all);
        assert_eq!(
            (GpuSet::first(64).count(), all.lowest(0).unwrap().is_empty()),
            (64, true)
        );
    }
}
