//! DeregisterJobDefinition.

use batchyard_core::command::{Command, Rejection};
use batchyard_runtime::driver::CommandError;
use batchyard_wire::Fault;
use batchyard_wire::batch::{DeregisterJobDefinitionRequest, DeregisterJobDefinitionResponse};

use super::Reference;
use crate::batch::{Batch, unavailable};
use crate::caller::Caller;

impl Batch {
    pub(in crate::batch) async fn deregister_definition(
        &self,
        caller: &Caller,
        input: &DeregisterJobDefinitionRequest,
    ) -> Result<DeregisterJobDefinitionResponse, Fault> {
        let done = Ok(DeregisterJobDefinitionResponse {});
        let revision = match Reference::parse(&input.job_definition) {
            None => return done,
            Some(Reference::Revision(revision)) => revision,
            Some(Reference::Latest(name)) => {
                let latest = self.read(move |store| store.latest_definition(&name)).await?;
                let Some(row) = latest else { return done };
                row.revision
            }
        };
        let name = revision.name.clone();
        let command = Command::DeregisterDefinition {
            name: revision.name,
            revision: revision.revision,
        };
        let result = self.command(caller, command).await;
        self.definitions.forget(&name);
        match result {
            // Deregistering what is not there, or not active any more, succeeds (own decision where AWS is silent).
            Ok(_) | Err(CommandError::Rejected(Rejection::DefinitionNotActive(..))) => done,
            Err(error) => Err(unavailable(&error)),
        }
    }
}
