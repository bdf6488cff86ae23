//! RegisterJobDefinition.

use batchyard_core::command::{Command, RegisterDefinition, Reply};
use batchyard_core::name::DefinitionName;
use batchyard_wire::Fault;
use batchyard_wire::batch::errors::{client_exception, server_exception};
use batchyard_wire::batch::{RegisterJobDefinitionRequest, RegisterJobDefinitionResponse};

use super::{check, normalise, write};
use crate::batch::{Batch, tags, unavailable};
use crate::caller::Caller;

impl Batch {
    pub(in crate::batch) async fn register_definition(
        &self,
        caller: &Caller,
        mut input: RegisterJobDefinitionRequest,
    ) -> Result<RegisterJobDefinitionResponse, Fault> {
        let most = self.limits.register_job_definition_bytes;
        if caller.body_bytes > most {
            // Own words (section A3.21).
            return Err(client_exception(format!(
                "A job definition can have at most {most} bytes."
            )));
        }
        check::check(&input, &self.limits)?;
        let Ok(name) = DefinitionName::parse(&input.job_definition_name) else {
            return Err(client_exception(format!(
                "Provided name {} is not supported pattern[a-zA-Z_0-9-]{{1,128}}",
                input.job_definition_name
            )));
        };
        let tags = tags::pairs(input.tags.take());
        let document = write(&normalise::normalise(input));
        let command = Command::RegisterDefinition(Box::new(RegisterDefinition {
            name: name.clone(),
            document,
            tags,
        }));
        let reply = self
            .command(caller, command)
            .await
            .map_err(|error| unavailable(&error))?;
        self.definitions.forget(&name);
        let Reply::Revision(revision) = reply else {
            return Err(server_exception(
                "The definition was registered, but its revision is not known.",
            ));
        };
        Ok(RegisterJobDefinitionResponse {
            job_definition_arn: self.account.definition(name.as_str(), revision),
            job_definition_name: name.to_string(),
            revision: i32::try_from(revision).unwrap_or(i32::MAX),
        })
    }
}
