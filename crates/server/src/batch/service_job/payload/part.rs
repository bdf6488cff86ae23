//! A part of a request, with the path to it, so that a refusal names it.

use std::collections::BTreeMap;

use batchyard_wire::Fault;
use batchyard_wire::batch::errors::client_exception;
use serde_json::{Map, Value};

/// A part of the request, with the path to it.
pub(super) struct Part<'a> {
    pub(super) value: &'a Value,
    pub(super) path: String,
}

impl<'a> Part<'a> {
    pub(super) fn wrong(&self, what: &str) -> Fault {
        client_exception(format!("{}: {what}.", self.path))
    }

    pub(super) fn object(&self) -> Result<&'a Map<String, Value>, Fault> {
        self.value
            .as_object()
            .ok_or_else(|| self.wrong("must be an object"))
    }

    /// A member; null is as good as none.
    pub(super) fn member(&self, name: &str) -> Result<Option<Part<'a>>, Fault> {
        let value = self.object()?.get(name).filter(|value| !value.is_null());
        Ok(value.map(|value| Part {
            value,
            path: format!("{}.{name}", self.path),
        }))
    }

    pub(super) fn required(&self, name: &str) -> Result<Part<'a>, Fault> {
        self.member(name)?
            .ok_or_else(|| client_exception(format!("{}.{name} is required.", self.path)))
    }

    pub(super) fn text(&self) -> Result<&'a str, Fault> {
        let text = self.value.as_str().filter(|text| !text.is_empty());
        text.ok_or_else(|| self.wrong("must be a text that is not empty"))
    }

    /// One of these words.
    pub(super) fn word(&self, words: &[&'static str]) -> Result<&'static str, Fault> {
        let text = self.text()?;
        let known = words.iter().find(|word| **word == text);
        known
            .copied()
            .ok_or_else(|| self.wrong(&format!("must be one of {}", words.join(", "))))
    }

    pub(super) fn number(&self) -> Result<u64, Fault> {
        self.value
            .as_u64()
            .ok_or_else(|| self.wrong("must be a whole number that is not negative"))
    }

    pub(super) fn items(&self) -> Result<Vec<Part<'a>>, Fault> {
        let list = self
            .value
            .as_array()
            .ok_or_else(|| self.wrong("must be a list"))?;
        let part = |(index, value)| Part {
            value,
            path: format!("{}[{index}]", self.path),
        };
        Ok(list.iter().enumerate().map(part).collect())
    }

    /// The texts of a list.
    pub(super) fn texts(&self, name: &str) -> Result<Option<Vec<String>>, Fault> {
        let Some(list) = self.member(name)? else {
            return Ok(None);
        };
        let items = list.items()?;
        let texts = items.iter().map(|item| item.text().map(str::to_owned));
        texts.collect::<Result<_, _>>().map(Some)
    }

    /// The values of an object, all of them texts, perhaps empty ones.
    pub(super) fn map_of_texts(&self, name: &str) -> Result<BTreeMap<String, String>, Fault> {
        let Some(map) = self.member(name)? else {
            return Ok(BTreeMap::new());
        };
        let text = |(name, value): (&String, &Value)| match value {
            Value::String(text) => Ok((name.clone(), text.clone())),
            _ => Err(client_exception(format!("{}.{name}: must be a text.", map.path))),
        };
        map.object()?.iter().map(text).collect()
    }
}
