//! The services: which one a request is for, which of its operations, and the way through its protocol.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::check::{self, Findings, Violation};
use crate::fault::Fault;
use crate::generated::{batch, logs, sts};
use crate::operation::OperationFacts;
use crate::protocol::{Answer, Protocol, RawRequest};

/// The services that are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// AWS Batch.
    Batch,
    /// CloudWatch Logs.
    Logs,
    /// AWS Security Token Service.
    Sts,
}

/// Facts of one service.
#[derive(Debug)]
pub struct ServiceFacts {
    /// The service's name in signatures.
    pub signing_name: &'static str,
    /// The protocol it speaks.
    pub protocol: Protocol,
    /// Its operations in order of their names.
    pub operations: &'static [OperationFacts],
}

impl Service {
    /// All of them.
    pub const ALL: [Service; 3] = [Service::Batch, Service::Logs, Service::Sts];

    /// What its model says.
    #[must_use]
    pub fn facts(self) -> &'static ServiceFacts {
        match self {
            Service::Batch => &batch::SERVICE,
            Service::Logs => &logs::SERVICE,
            Service::Sts => &sts::SERVICE,
        }
    }
}

/// Which service a request is for: by the service that its signature names, else by its target header, path or action.
#[must_use]
pub fn identify(request: &RawRequest<'_>, signing_name: Option<&str>) -> Option<Service> {
    if let Some(name) = signing_name {
        return Service::ALL
            .into_iter()
            .find(|service| service.facts().signing_name == name);
    }
    Service::ALL
        .into_iter()
        .find(|service| service.facts().protocol.recognises(request))
}

impl ServiceFacts {
    /// Which operation a request is for, as the position in [`ServiceFacts::operations`].
    ///
    /// # Errors
    /// The fault for an unknown operation.
    pub fn route(&self, request: &RawRequest<'_>) -> Result<usize, Fault> {
        self.protocol.route(request, self.operations)
    }

    /// The input of an operation, parsed and checked. `refuse` judges broken constraints; a body that cannot be read,
    /// wrong types and missing members are always refused.
    ///
    /// # Errors
    /// A fault that names everything that is wrong.
    pub fn input<T: DeserializeOwned>(
        &self,
        facts: &OperationFacts,
        request: &RawRequest<'_>,
        refuse: impl Fn(&[Violation]) -> Option<Fault>,
    ) -> Result<T, Fault> {
        let mut value = self.protocol.value(facts, request)?;
        let Findings {
            structural,
            constraints,
        } = check::check(facts.input, &mut value);
        if !structural.is_empty() {
            return Err(self.protocol.structural_fault(&structural));
        }
        if let Some(fault) = (!constraints.is_empty()).then(|| refuse(&constraints)).flatten() {
            return Err(fault);
        }
        serde_json::from_value(value).map_err(|error| {
            // The check above follows the same model as the types, so this is a bug of the generator.
            self.protocol.unreadable(&format!(
                "the input of {} was checked but not understood: {error}",
                facts.name
            ))
        })
    }

    /// The answer of an operation in the service's protocol.
    ///
    /// # Errors
    /// An output that has no form in the protocol, which is a bug.
    pub fn answer<T: Serialize>(
        &self,
        facts: &OperationFacts,
        request: &RawRequest<'_>,
        output: &T,
    ) -> Result<Answer, Fault> {
        let body = self
            .protocol
            .encode(facts, request.request_id, output)
            .map_err(|error| {
                Fault::new(
                    500,
                    "InternalFailure",
                    format!("failed to encode the answer: {error}"),
                )
            })?;
        Ok(Answer {
            content_type: self.protocol.content_type(),
            body,
        })
    }

    /// The answer of an operation that is not served yet. Its input is parsed and checked all the same, so that a
    /// client learns of its own mistakes first.
    ///
    /// # Errors
    /// Always.
    pub fn not_served<T: DeserializeOwned>(
        &self,
        facts: &OperationFacts,
        request: &RawRequest<'_>,
        refuse: impl Fn(&[Violation]) -> Option<Fault>,
    ) -> Result<Answer, Fault> {
        let _: T = self.input(facts, request, refuse)?;
        let reason = facts.not_served.unwrap_or("it is not implemented yet");
        let message = format!(
            "{} is not served by this version of Batchyard: {reason}",
            facts.name
        );
        Err(self.protocol.not_served(message))
    }

    /// The fault for broken constraints in the words that all operations of the service share.
    #[must_use]
    pub fn constraint_fault(&self, violations: &[Violation]) -> Fault {
        self.protocol.constraint_fault(violations)
    }
}
