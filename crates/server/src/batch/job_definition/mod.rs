//! Job definitions.

mod cache;
pub(super) mod check;
mod deregister;
mod describe;
mod normalise;
mod register;

use batchyard_core::change::Document;
use batchyard_core::name::DefinitionName;
use batchyard_runtime::store::DefinitionRevision;
use batchyard_wire::batch::JobDefinition;

use crate::arn;

pub(super) use cache::{Definitions, Known};

/// Which revision of a definition a client means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reference {
    /// The highest active one.
    Latest(DefinitionName),
    /// This one.
    Revision(DefinitionRevision),
}

impl Reference {
    /// Reads `name`, `name:revision`, or an ARN of either (section A4.1); `None` for anything else.
    pub(super) fn parse(text: &str) -> Option<Reference> {
        let name = arn::name("job-definition", text);
        let Some((name, revision)) = name.split_once(':') else {
            return DefinitionName::parse(name).ok().map(Reference::Latest);
        };
        let (name, revision) = (DefinitionName::parse(name).ok()?, revision.parse().ok()?);
        Some(Reference::Revision(DefinitionRevision { name, revision }))
    }
}

/// Definitions are kept in the form in which they are described, without what the row has.
fn write(definition: &JobDefinition) -> Document {
    let text = serde_json::to_string(definition).expect("documents of definitions have only text keys");
    Document(text.into())
}

/// Reads what this server, or an older one, wrote.
fn read(document: &Document) -> JobDefinition {
    serde_json::from_str(&document.0).expect("the server wrote the document itself, and the store keeps it")
}
