//! The server that is measured, as a process of its own.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use batchyard_server::access::Access;
use batchyard_wire::batch::{
    CEState, CEType, CRType, ComputeEnvironmentOrder, ComputeResource, ContainerProperties,
    CreateComputeEnvironmentRequest, CreateJobQueueRequest, JQState, JobDefinitionType,
    RegisterJobDefinitionRequest, ResourceRequirement, ResourceType,
};

use crate::client::Client;

/// Of the environment, the queue and the definition.
pub(crate) const NAME: &str = "load";

/// Jobs that run at once: enough to keep two processors busy with starting programs.
const VCPUS: u32 = 32;

pub(crate) struct Server {
    child: Child,
    data: PathBuf,
}

impl Server {
    pub(crate) fn start(program: &str, folder: &Path) -> Server {
        let data = folder.join("data");
        let mut child = Command::new(program)
            .args(["serve", "--listen", "127.0.0.1:0", "--allow-processes", "--data"])
            .arg(&data)
            .env("BATCHYARD_HOST_VCPUS", VCPUS.to_string())
            .env("BATCHYARD_CONFIG", "/dev/null")
            .env("BATCHYARD_LOG", "error")
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server can be started");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("it is piped");
        BufReader::new(stdout)
            .read_line(&mut line)
            .expect("the server says where it listens");
        Server { child, data }
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(Access::of_folder(Some(self.data.clone())).expect("the server left its key"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().expect("the server runs");
        self.child.wait().expect("the server ends");
    }
}

pub(crate) async fn prepare(client: &Client) {
    client
        .call(&CreateComputeEnvironmentRequest {
            compute_environment_name: NAME.to_owned(),
            r#type: CEType::Managed,
            state: Some(CEState::Enabled),
            compute_resources: Some(ComputeResource {
                r#type: CRType::Ec2,
                min_vcpus: Some(0),
                max_vcpus: 1000,
                instance_types: Some(vec!["optimal".to_owned()]),
                instance_role: Some("ecsInstanceRole".to_owned()),
                subnets: Some(vec!["subnet-1".to_owned()]),
                security_group_ids: Some(vec!["sg-1".to_owned()]),
                ..ComputeResource::default()
            }),
            ..CreateComputeEnvironmentRequest::default()
        })
        .await;
    client
        .call(&CreateJobQueueRequest {
            job_queue_name: NAME.to_owned(),
            state: Some(JQState::Enabled),
            priority: 1,
            compute_environment_order: Some(vec![ComputeEnvironmentOrder {
                order: 1,
                compute_environment: NAME.to_owned(),
            }]),
            ..CreateJobQueueRequest::default()
        })
        .await;
    let requirement = |kind: ResourceType, value: &str| ResourceRequirement {
        r#type: kind,
        value: value.to_owned(),
    };
    client
        .call(&RegisterJobDefinitionRequest {
            job_definition_name: NAME.to_owned(),
            r#type: JobDefinitionType::Container,
            container_properties: Some(ContainerProperties {
                image: Some("host://".to_owned()),
                command: Some(vec!["true".to_owned()]),
                resource_requirements: Some(vec![
                    requirement(ResourceType::Vcpu, "1"),
                    requirement(ResourceType::Memory, "16"),
                ]),
                ..ContainerProperties::default()
            }),
            ..RegisterJobDefinitionRequest::default()
        })
        .await;
}
