//! DescribeServiceEnvironments.

use batchyard_core::environment::{Capacity, Life, Switch};
use batchyard_core::item;
use batchyard_core::name::{EnvironmentKind, EnvironmentName};
use batchyard_runtime::store::{EnvironmentRow, Page, Select};
use batchyard_wire::Fault;
use batchyard_wire::batch::errors::client_exception;
use batchyard_wire::batch::{
    CapacityLimit, DescribeServiceEnvironmentsRequest, DescribeServiceEnvironmentsResponse,
    ServiceEnvironmentDetail, ServiceEnvironmentState, ServiceEnvironmentStatus, ServiceEnvironmentType,
};

use super::name;
use crate::batch::{Batch, page, tags};

impl Batch {
    pub(in crate::batch) async fn describe_service_envs(
        &self,
        input: DescribeServiceEnvironmentsRequest,
    ) -> Result<DescribeServiceEnvironmentsResponse, Fault> {
        let most = self.limits.page_items;
        let limit = page::limit(input.max_results, most)?;
        let names = input.service_environments.unwrap_or_default();
        // Own words (section A.8: up to 100 names).
        if names.len() > most {
            return Err(client_exception(format!(
                "serviceEnvironments can have at most {most} entries."
            )));
        }
        let select = if names.is_empty() {
            let after = page::cursor(input.next_token.as_deref())?;
            let after = after
                .map(|name| EnvironmentName::parse_service(&name))
                .transpose();
            Select::Page {
                after: after.map_err(|_| client_exception("nextToken is not valid."))?,
                limit,
            }
        } else {
            // Unknown ones are left out without a word, as everywhere.
            Select::Named(names.iter().filter_map(|reference| name(reference)).collect())
        };
        let Page { rows, next } = self
            .read(move |store| store.environments(EnvironmentKind::Service, &select))
            .await?;
        Ok(DescribeServiceEnvironmentsResponse {
            service_environments: Some(rows.into_iter().map(|row| self.service_env_detail(row)).collect()),
            next_token: next.map(|name| page::token(name.given())),
        })
    }

    fn service_env_detail(&self, row: EnvironmentRow) -> ServiceEnvironmentDetail {
        let EnvironmentRow {
            id: _,
            name,
            version: _,
            switch,
            life,
            spec,
            instance_vcpus: _,
            document: _,
            is_renewing: _,
            tags,
        } = row;
        let limits = match spec.capacity {
            Capacity::Units { limits } => limits,
            Capacity::Shared { .. } | Capacity::Instances(_) => {
                unreachable!("service environments are made of units only")
            }
        };
        let limit = |limit: item::CapacityLimit| CapacityLimit {
            capacity_unit: Some(limit.unit.into()),
            max_capacity: i32::try_from(limit.max).ok(),
        };
        ServiceEnvironmentDetail {
            capacity_limits: limits.into_iter().map(limit).collect(),
            service_environment_arn: self.account.batch(&name.resource()),
            service_environment_name: name.given().to_owned(),
            service_environment_type: ServiceEnvironmentType::SagemakerTraining,
            state: Some(match switch {
                Switch::Enabled => ServiceEnvironmentState::Enabled,
                Switch::Disabled => ServiceEnvironmentState::Disabled,
            }),
            status: Some(match life {
                Life::Valid => ServiceEnvironmentStatus::Valid,
                Life::Invalid => ServiceEnvironmentStatus::Invalid,
                Life::Deleting => ServiceEnvironmentStatus::Deleting,
            }),
            tags: Some(tags::map(tags)),
        }
    }
}
