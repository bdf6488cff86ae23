//! The table of operations in README.md.

use std::collections::BTreeMap;
use std::fs;

use anyhow::Context as _;

use super::File;
use super::model::Model;
use crate::workspace;

const BEGIN: &str = "<!-- operations:begin -->\n";
const END: &str = "<!-- operations:end -->";

/// The rows of one service.
pub(super) fn rows(model: &Model, not_served: &BTreeMap<String, String>) -> Vec<String> {
    let service = &model.metadata.service_full_name;
    model
        .operations
        .keys()
        .map(|operation| {
            let served = match not_served.get(operation) {
                Some(reason) => format!("not yet: {reason}"),
                None => "yes".to_owned(),
            };
            format!("| {service} | `{operation}` | {served} |\n")
        })
        .collect()
}

/// README.md with the table between its markers replaced.
pub(super) fn splice(rows: &[String]) -> anyhow::Result<Option<File>> {
    let path = workspace::root().join("README.md");
    let Ok(text) = fs::read_to_string(&path) else {
        return Ok(None);
    };
    let begin = text
        .find(BEGIN)
        .context("README.md has lost its marker operations:begin")?
        + BEGIN.len();
    let end = text
        .find(END)
        .context("README.md has lost its marker operations:end")?;
    let table = format!(
        "| Service | Operation | Served |\n|---|---|---|\n{}",
        rows.concat()
    );
    Ok(Some(File {
        path: "README.md".into(),
        text: format!("{}{table}{}", &text[..begin], &text[end..]),
    }))
}
