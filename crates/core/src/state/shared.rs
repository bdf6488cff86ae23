//! Profiles that jobs share.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::sync::Arc;

use crate::job::Profile;

/// A profile among those that jobs share. One that is the same in memory is the same: most often it is, and nothing is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shared(pub(super) Arc<Profile>);

impl Ord for Shared {
    fn cmp(&self, other: &Self) -> Ordering {
        match Arc::ptr_eq(&self.0, &other.0) {
            true => Ordering::Equal,
            false => self.0.cmp(&other.0),
        }
    }
}

impl PartialOrd for Shared {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Borrow<Profile> for Shared {
    fn borrow(&self) -> &Profile {
        &self.0
    }
}
