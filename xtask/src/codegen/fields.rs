//! `docs/compat/operations.md`: for each operation of AWS Batch what becomes of the members of its request.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;

use anyhow::{Context as _, ensure};
use serde::Deserialize;

use super::File;
use super::model::Model;
use crate::workspace;

const HEADING: &str = "# Operations and their fields

Made by `cargo xtask codegen` from `models/`; what is not simply served is written down in `models/fields.json`.

For each operation of AWS Batch: the fields of its request that have their effect here, those that are checked, kept and described but change
nothing (*kept*), and those that definitions may have and SubmitJob refuses (*refused*), with the reason. A field stands for all that is in
it; what is listed apart is the exception. Unknown fields are ignored.
";

/// `models/fields.json`: per service, members of structures that are not simply served, as `Shape.member`, each with the reason.
#[derive(Deserialize)]
struct Exceptions {
    kept: BTreeMap<String, String>,
    refused: BTreeMap<String, String>,
}

/// A member that is not simply served: its path in the request, what becomes of it, and why.
struct Exception<'a> {
    path: String,
    outcome: &'static str,
    reason: &'a str,
}

/// The page about AWS Batch.
pub(super) fn page(model: &Model, not_served: &BTreeMap<String, String>) -> anyhow::Result<File> {
    let path = workspace::root().join("models/fields.json");
    let text = fs::read_to_string(&path).with_context(|| format!("failed to read {}", path.display()))?;
    let mut all: BTreeMap<String, Exceptions> =
        serde_json::from_str(&text).with_context(|| format!("failed to parse {}", path.display()))?;
    let exceptions = all
        .remove("batch")
        .context("models/fields.json says nothing of batch")?;
    let mut used = BTreeSet::new();
    let mut page = HEADING.to_owned();
    for (name, operation) in &model.operations {
        write!(page, "\n## {name}\n\n")?;
        if let Some(reason) = not_served.get(name) {
            writeln!(page, "Not served: {reason}.")?;
            continue;
        }
        let mut found = Vec::new();
        let mut walk = Walk {
            model,
            exceptions: &exceptions,
            found: &mut found,
            used: &mut used,
        };
        walk.members(&operation.input.shape, "", &mut Vec::new())?;
        describe(&mut page, model, &operation.input.shape, &found)?;
    }
    let known = exceptions.kept.keys().chain(exceptions.refused.keys());
    let stale: Vec<&String> = known.filter(|name| !used.contains(name.as_str())).collect();
    ensure!(
        stale.is_empty(),
        "models/fields.json names members that no request has: {stale:?}"
    );
    Ok(File {
        path: "docs/compat/operations.md".into(),
        text: page,
    })
}

struct Walk<'a, 'b> {
    model: &'a Model,
    exceptions: &'a Exceptions,
    found: &'b mut Vec<Exception<'a>>,
    used: &'b mut BTreeSet<&'a str>,
}

impl<'a> Walk<'a, '_> {
    /// Looks at the members of a structure, at `path` in the request; `inside` are the shapes it is in.
    fn members(&mut self, name: &str, path: &str, inside: &mut Vec<String>) -> anyhow::Result<()> {
        if inside.iter().any(|outer| outer == name) {
            return Ok(());
        }
        inside.push(name.to_owned());
        let shape = self.model.shape(name)?;
        for (member, facts) in self.model.members(shape)? {
            let here = match path {
                "" => member.to_owned(),
                path => format!("{path}.{member}"),
            };
            let key = format!("{name}.{member}");
            let kept = self
                .exceptions
                .kept
                .get_key_value(&key)
                .map(|found| ("kept", found));
            let refused = self.exceptions.refused.get_key_value(&key);
            match kept.or(refused.map(|found| ("refused", found))) {
                Some((outcome, (key, reason))) => {
                    self.used.insert(key);
                    self.found.push(Exception {
                        path: here,
                        outcome,
                        reason,
                    });
                }
                None => self.value(&facts.shape, &here, inside)?,
            }
        }
        inside.pop();
        Ok(())
    }

    fn value(&mut self, name: &str, path: &str, inside: &mut Vec<String>) -> anyhow::Result<()> {
        let shape = self.model.shape(name)?;
        match shape.kind.as_str() {
            "structure" => self.members(name, path, inside),
            _ => {
                let parts = [&shape.member, &shape.value];
                for part in parts.into_iter().flatten() {
                    self.value(&part.shape, path, inside)?;
                }
                Ok(())
            }
        }
    }
}

fn describe(page: &mut String, model: &Model, input: &str, found: &[Exception<'_>]) -> anyhow::Result<()> {
    let shape = model.shape(input)?;
    let excepted: BTreeSet<&str> = found.iter().map(|exception| exception.path.as_str()).collect();
    let served: Vec<String> = model
        .members(shape)?
        .into_iter()
        .filter(|(member, _)| !excepted.contains(member))
        .map(|(member, _)| format!("`{member}`"))
        .collect();
    match served.is_empty() {
        true => writeln!(page, "Its request has no fields that matter.")?,
        false => writeln!(page, "Served: {}.", served.join(", "))?,
    }
    if !found.is_empty() {
        page.push_str("\n| field | | why |\n|---|---|---|\n");
    }
    for Exception {
        path,
        outcome,
        reason,
    } in found
    {
        writeln!(page, "| `{path}` | {outcome} | {reason} |")?;
    }
    Ok(())
}
