//! What simulations count.

use std::collections::BTreeMap;
use std::fmt;

/// Numbers by name, as `name=number` on one line when written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally(BTreeMap<&'static str, u64>);

impl Tally {
    /// Something has happened once more. Names have no spaces; those of faults begin with `fault.`.
    pub fn count(&mut self, name: &'static str) {
        self.add(name, 1);
    }

    /// Something has happened so many times more.
    pub fn add(&mut self, name: &'static str, times: usize) {
        let times = u64::try_from(times).unwrap_or(u64::MAX);
        let number = self.0.entry(name).or_default();
        *number = number.saturating_add(times);
    }

    /// All of it has happened besides.
    pub fn merge(&mut self, other: &Tally) {
        for (name, times) in &other.0 {
            let number = self.0.entry(name).or_default();
            *number = number.saturating_add(*times);
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, (name, number)) in self.0.iter().enumerate() {
            let space = if position > 0 { " " } else { "" };
            write!(f, "{space}{name}={number}")?;
        }
        Ok(())
    }
}
