//! The names that resources have in the whole of AWS (section 0.16), written and read.

use batchyard_core::id::{AttemptKey, EnvironmentId, InstanceId, JobKey, NodeKey, TaskId};
use sha2::{Digest, Sha256};

/// The account that a server plays: what every ARN begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// For example `aws`.
    pub partition: String,
    /// For example `us-east-1`.
    pub region: String,
    /// Twelve digits.
    pub id: String,
}

impl Account {
    fn arn(&self, service: &str, resource: std::fmt::Arguments<'_>) -> String {
        let Account {
            partition,
            region,
            id,
        } = self;
        format!("arn:{partition}:{service}:{region}:{id}:{resource}")
    }

    /// The ARN of a Batch resource from its last part: `job-queue/NAME`.
    #[must_use]
    pub fn batch(&self, tail: &str) -> String {
        self.arn("batch", format_args!("{tail}"))
    }

    /// Of a compute environment.
    #[must_use]
    pub fn environment(&self, name: &str) -> String {
        self.arn("batch", format_args!("compute-environment/{name}"))
    }

    /// Of a job queue.
    #[must_use]
    pub fn queue(&self, name: &str) -> String {
        self.arn("batch", format_args!("job-queue/{name}"))
    }

    /// Of a revision of a job definition.
    #[must_use]
    pub fn definition(&self, name: &str, revision: u32) -> String {
        self.arn("batch", format_args!("job-definition/{name}:{revision}"))
    }

    /// Of a job or of a child.
    #[must_use]
    pub fn job(&self, key: JobKey) -> String {
        self.arn("batch", format_args!("job/{key}"))
    }

    /// Of a node of a multi-node parallel job.
    #[must_use]
    pub fn node(&self, key: NodeKey) -> String {
        self.arn("batch", format_args!("job/{key}"))
    }

    /// Of the cluster that stands behind a compute environment.
    #[must_use]
    pub fn cluster(&self, environment: &str, id: EnvironmentId) -> String {
        self.arn(
            "ecs",
            format_args!("cluster/{}", self.cluster_name(environment, id)),
        )
    }

    /// Of the task that runs an attempt.
    #[must_use]
    pub fn task(&self, environment: &str, id: EnvironmentId, attempt: AttemptKey) -> String {
        let cluster = self.cluster_name(environment, id);
        self.arn("ecs", format_args!("task/{cluster}/{}", TaskId::of(attempt)))
    }

    /// Of the instance that an attempt runs on; number 0 is the host itself.
    #[must_use]
    pub fn container_instance(
        &self,
        environment: &str,
        id: EnvironmentId,
        instance: Option<InstanceId>,
    ) -> String {
        let cluster = self.cluster_name(environment, id);
        let number = instance.map_or(0, |instance| instance.0);
        let digits = self.digits(&format!("instance {} {number}", id.0));
        self.arn("ecs", format_args!("container-instance/{cluster}/{digits}"))
    }

    /// Of a log group, as CloudWatch Logs writes it in answers.
    #[must_use]
    pub fn log_group(&self, group: &str) -> String {
        self.arn("logs", format_args!("log-group:{group}"))
    }

    /// The identifier of a compute environment. It follows from the environment's number, which is never used again, so
    /// nothing has to remember it.
    #[must_use]
    pub fn environment_uuid(&self, id: EnvironmentId) -> String {
        let digits = self.digits(&format!("environment {}", id.0));
        // The digit 3 as version, as the identifiers of AWS's clusters have it.
        format!(
            "{}-{}-3{}-8{}-{}",
            &digits[..8],
            &digits[8..12],
            &digits[13..16],
            &digits[17..20],
            &digits[20..]
        )
    }

    fn cluster_name(&self, environment: &str, id: EnvironmentId) -> String {
        format!("{environment}_Batch_{}", self.environment_uuid(id))
    }

    /// 32 hexadecimal digits that stand for `subject` in this account.
    fn digits(&self, subject: &str) -> String {
        let hash = Sha256::digest(format!("{}/{}/{subject}", self.region, self.id));
        hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The name in a reference to a Batch resource, which is either the name itself or an ARN of the kind. Account and region
/// of an ARN are not compared: programs written for another account keep working.
#[must_use]
pub fn name<'a>(kind: &str, reference: &'a str) -> &'a str {
    tail(reference)
        .and_then(|tail| tail.strip_prefix(kind)?.strip_prefix('/'))
        .unwrap_or(reference)
}

/// The last part of a Batch ARN: `job-queue/NAME`.
#[must_use]
pub fn tail(arn: &str) -> Option<&str> {
    let mut parts = arn.splitn(6, ':');
    let is_batch = parts.next() == Some("arn") && parts.nth(1) == Some("batch");
    parts.nth(2).filter(|_| is_batch)
}

#[cfg(test)]
mod tests {
    use batchyard_core::id::EnvironmentId;
    use expect_test::expect;

    use super::{Account, name, tail};

    #[test]
    fn references_are_names_or_arns() {
        let cases = [
            "high",
            "arn:aws:batch:eu-west-1:123456789012:job-queue/high",
            "arn:aws:batch:eu-west-1:123456789012:job-definition/high:3",
            "arn:aws:sqs:eu-west-1:123456789012:job-queue/high",
        ];
        assert_eq!(
            cases.map(|case| name("job-queue", case)),
            ["high", "high", cases[2], cases[3]]
        );
        assert_eq!(tail(cases[2]), Some("job-definition/high:3"));
        assert_eq!(tail("arn:aws:batch"), None);
    }

    #[test]
    fn clusters_look_like_those_of_aws() {
        let account = Account {
            partition: "aws".into(),
            region: "us-east-1".into(),
            id: "000000000000".into(),
        };
        expect!["arn:aws:ecs:us-east-1:000000000000:cluster/ce1_Batch_d9ad320b-2537-3cd2-8988-c969685b6532"]
            .assert_eq(&account.cluster("ce1", EnvironmentId(1)));
    }
}
