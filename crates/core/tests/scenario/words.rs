//! The words of one command: plain ones by position, `key=value` ones by key.

use std::str::FromStr;

use batchyard_core::resources::MilliVcpus;

/// The words of one command.
pub(crate) struct Words<'a>(Vec<&'a str>);

impl<'a> Words<'a> {
    pub(crate) fn of(command: &'a str) -> Self {
        Words(command.split_whitespace().collect())
    }

    /// The words without a key.
    pub(crate) fn plain(&self) -> impl Iterator<Item = &'a str> {
        self.0.iter().copied().filter(|word| !word.contains('='))
    }

    /// The plain word at a position; empty if there is none.
    pub(crate) fn at(&self, position: usize) -> &'a str {
        self.plain().nth(position).unwrap_or_default()
    }

    pub(crate) fn has(&self, word: &str) -> bool {
        self.plain().any(|one| one == word)
    }

    /// All values of a key.
    pub(crate) fn all(&self, key: &str) -> impl Iterator<Item = &'a str> {
        let pairs = self.0.iter().filter_map(|word| word.split_once('='));
        pairs.filter(move |(one, _)| *one == key).map(|(_, value)| value)
    }

    pub(crate) fn value(&self, key: &str) -> Option<&'a str> {
        self.all(key).next()
    }

    pub(crate) fn list(&self, key: &str) -> Vec<&'a str> {
        self.value(key)
            .map_or(Vec::new(), |value| value.split(',').collect())
    }

    pub(crate) fn number<T: FromStr>(&self, key: &str, default: T) -> T {
        let parse = |text: &str| {
            text.parse()
                .unwrap_or_else(|_| panic!("{text:?} is not a number"))
        };
        self.value(key).map_or(default, parse)
    }

    /// vCPUs as users write them, `0.25`.
    pub(crate) fn milli(&self, key: &str, default: u32) -> MilliVcpus {
        let Some(text) = self.value(key) else {
            return MilliVcpus(default);
        };
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        MilliVcpus(format!("{whole}{part:0<3}").parse().expect("a number of vCPUs"))
    }
}
