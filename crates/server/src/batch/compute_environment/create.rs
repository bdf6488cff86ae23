//! CreateComputeEnvironment.

use batchyard_core::command::{Command, PutEnvironment};
use batchyard_core::environment::Switch;
use batchyard_core::name::EnvironmentKind;
use batchyard_runtime::store::{EnvironmentRow, Select, Store, StoreError};
use batchyard_wire::Fault;
use batchyard_wire::batch::errors::client_exception;
use batchyard_wire::batch::{CreateComputeEnvironmentRequest, CreateComputeEnvironmentResponse};

use super::{EnvironmentDocument, capacity, check, flaw};
use crate::batch::{Batch, tags, unavailable};
use crate::caller::Caller;
use crate::limits::PAGE_MAX;

impl Batch {
    pub(in crate::batch) async fn create_environment(
        &self,
        caller: &Caller,
        input: CreateComputeEnvironmentRequest,
    ) -> Result<CreateComputeEnvironmentResponse, Fault> {
        let name = check::creation(&input, &self.account.region, &self.limits)?;
        let CreateComputeEnvironmentRequest {
            compute_environment_name: _,
            compute_resources,
            context,
            ecs_settings,
            eks_configuration,
            service_role,
            state: _,
            tags,
            r#type,
            unmanaged_vcpus,
        } = input;
        // Held to the end: two at a time would both find room.
        let _turn = match &eks_configuration {
            Some(eks) => {
                let turn = self.cluster_changes.lock().await;
                self.check_cluster(&eks.eks_cluster_arn).await?;
                Some(turn)
            }
            None => None,
        };
        let spec = capacity::spec(
            compute_resources.as_ref(),
            unmanaged_vcpus,
            eks_configuration.is_some(),
            &self.prices,
        )?;
        let document = EnvironmentDocument {
            r#type,
            compute_resources,
            unmanaged_vcpus,
            service_role,
            eks_configuration,
            ecs_settings,
            update_policy: None,
            context,
        };
        let put = PutEnvironment {
            name: name.clone(),
            switch: Switch::Enabled,
            spec,
            document: document.write(),
            tags: tags::pairs(tags),
            is_valid: flaw::flaw(&document).is_none(),
        };
        self.command(caller, Command::CreateEnvironment(Box::new(put)))
            .await
            .map_err(|error| unavailable(&error))?;
        Ok(CreateComputeEnvironmentResponse {
            compute_environment_arn: Some(self.account.environment(name.as_str())),
            compute_environment_name: Some(name.to_string()),
        })
    }

    /// Refuses one environment more of a cluster than it may have (section D1.4). Own words.
    async fn check_cluster(&self, cluster: &str) -> Result<(), Fault> {
        let rows = self.read(all_environments).await?;
        let of_cluster = rows.iter().filter(|row| {
            let eks = EnvironmentDocument::read(&row.document).eks_configuration;
            eks.is_some_and(|eks| eks.eks_cluster_arn == cluster)
        });
        let most = self.limits.compute_environments_per_cluster;
        if of_cluster.count() < most {
            return Ok(());
        }
        Err(client_exception(format!(
            "An EKS cluster can have at most {most} compute environments."
        )))
    }
}

/// Every compute environment: there are no more than an account may have.
fn all_environments(store: &dyn Store) -> Result<Vec<EnvironmentRow>, StoreError> {
    let (mut rows, mut after) = (Vec::new(), None);
    loop {
        let select = Select::Page {
            after,
            limit: PAGE_MAX,
        };
        let page = store.environments(EnvironmentKind::Compute, &select)?;
        rows.extend(page.rows);
        after = page.next;
        if after.is_none() {
            return Ok(rows);
        }
    }
}
