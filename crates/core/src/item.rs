//! What an account keeps by name besides environments, queues and definitions: scheduling policies, consumable resources, quota shares.
//!
//! An *item* has facts that the scheduler reads, and a document with the client's words that passes through to the store unread.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::environment::Switch;
use crate::name::{ConsumableResourceName, QueueName, QuotaShareName, SchedulingPolicyName};
use crate::time::Millis;

/// Which item: what kind, and its name among its kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemKey {
    /// A scheduling policy.
    SchedulingPolicy(SchedulingPolicyName),
    /// A consumable resource.
    ConsumableResource(ConsumableResourceName),
    /// A quota share of a queue.
    QuotaShare(QueueName, QuotaShareName),
}

/// An item's facts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Item {
    /// A scheduling policy.
    SchedulingPolicy(SchedulingPolicy),
    /// A consumable resource.
    ConsumableResource(ConsumableResource),
    /// A quota share.
    QuotaShare(QuotaShare),
}

/// An item as the state keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptItem {
    /// Counts its updates from 1, so that an update made from an outdated reading is refused.
    pub version: u64,
    /// Its facts.
    pub item: Item,
}

/// How the jobs of a queue are ordered; its kind never changes (section A.5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SchedulingPolicy {
    /// By what each share has used.
    FairShare(FairShare),
    /// By quota shares; idle capacity goes to whoever came first.
    QuotaShare,
}

/// A fair-share policy (sections A.5 and C.3).
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FairShare {
    /// How long use counts; 0 is the service's minimum of ten minutes.
    pub decay: Millis,
    /// Part of the capacity that is kept for shares without jobs, in percent: 0..=99.
    pub reservation_percent: u8,
    /// The weights that differ from 1, at most 500.
    pub shares: Vec<ShareWeight>,
}

/// The weight of one share, or of all whose identifier begins so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShareWeight {
    /// The identifier, without the `*`.
    pub share: Box<str>,
    /// Whether any rest may follow.
    pub is_prefix: bool,
    /// In ten-thousandths, 1..=9_999_999: what a share has used counts so much.
    pub weight: u32,
}

/// Something that jobs take while they run, or for good (section C.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsumableResource {
    /// Whether what a job took comes back when it ends.
    pub is_replenishable: bool,
    /// How much there is, taken or not.
    pub total: u64,
}

/// A part of a service queue's capacity (section C.4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotaShare {
    /// Whether it takes new jobs.
    pub switch: Switch,
    /// What it has of each unit, 1..=5 entries.
    pub limits: Vec<CapacityLimit>,
    /// What becomes of capacity that it does not use.
    pub sharing: Sharing,
    /// Whether its jobs of higher priority stop those of lower.
    pub preempts_in_share: bool,
}

/// So much of a unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapacityLimit {
    /// An instance type such as `ml.m5.large`, or `NUM_INSTANCES`.
    pub unit: Box<str>,
    /// How many.
    pub max: u32,
}

/// What becomes of a share's idle capacity, and whether it may have others'.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sharing {
    /// It stays idle.
    Reserve,
    /// Others may have it.
    Lend,
    /// Others may have it, and it theirs.
    LendAndBorrow {
        /// Most that it borrows of each unit, in percent of its own limit; `None` is no limit.
        borrow_percent_max: Option<u32>,
    },
}

impl ItemKey {
    /// The end of its ARN, behind the account: `scheduling-policy/NAME`, `consumable-resource/NAME`, `job-queue/QUEUE/quota-share/NAME`
    /// (section 0.16). Two keys have the same only if they are equal.
    #[must_use]
    pub fn resource(&self) -> String {
        self.to_string()
    }
}

impl fmt::Display for ItemKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ItemKey::SchedulingPolicy(name) => write!(f, "scheduling-policy/{name}"),
            ItemKey::ConsumableResource(name) => write!(f, "consumable-resource/{name}"),
            ItemKey::QuotaShare(queue, name) => write!(f, "job-queue/{queue}/quota-share/{name}"),
        }
    }
}

impl Item {
    /// Whether the facts are of the key's kind.
    #[must_use]
    pub fn fits(&self, key: &ItemKey) -> bool {
        matches!(
            (self, key),
            (Item::SchedulingPolicy(_), ItemKey::SchedulingPolicy(_))
                | (Item::ConsumableResource(_), ItemKey::ConsumableResource(_))
                | (Item::QuotaShare(_), ItemKey::QuotaShare(..))
        )
    }
}
