//! The journal.

use batchyard_core::command::{Command, Input};
use batchyard_runtime::store::JournalEntry;

use super::Writing;
use crate::sqlite::code::{at, json};
use crate::sqlite::failure::Failure;

impl Writing<'_> {
    pub(super) fn journal(&self, entry: &JournalEntry) -> Result<(), Failure> {
        let JournalEntry {
            at: when,
            principal,
            input,
        } = entry;
        self.run(
            "INSERT INTO journal (at, principal, input) VALUES (?1, ?2, ?3)",
            (at(*when), principal.as_deref(), text(input)),
        )
    }
}

/// A submission's content is in the job's row: the journal has only its identifier.
fn text(input: &Input) -> String {
    match input {
        Input::Command(Command::SubmitJob(submit)) => {
            json(&serde_json::json!({ "command": { "submit_job": submit.id } }))
        }
        Input::Command(_) | Input::Report { .. } => json(input),
    }
}
