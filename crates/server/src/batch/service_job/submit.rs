//! SubmitServiceJob (section A.8).

use std::sync::Arc;

use batchyard_core::change::JobContent;
use batchyard_core::command::{Command, Rejection, SubmitJob};
use batchyard_core::environment::Platform;
use batchyard_core::id::{JobId, JobKey};
use batchyard_core::job::{Profile, ServiceClaim, ShareClaim};
use batchyard_core::launch::{LaunchSpec, LogTarget};
use batchyard_core::name::{DefinitionName, QueueName, QuotaShareName};
use batchyard_core::resources::Resources;
use batchyard_core::retry;
use batchyard_core::time::{Millis, Timestamp};
use batchyard_runtime::driver::CommandError;
use batchyard_wire::Fault;
use batchyard_wire::batch::errors::client_exception;
use batchyard_wire::batch::{
    JobTimeout, ServiceJobRetryAction, ServiceJobRetryStrategy, SubmitServiceJobRequest,
    SubmitServiceJobResponse,
};
use sha2::{Digest, Sha256};

use super::payload::{self, Training};
use super::{ServiceJobDocument, service_jobs};
use crate::batch::job::submit::{is_job_name, random};
use crate::batch::job_definition::check::{
    check_attempts, check_condition_length, check_conditions, check_timeout,
};
use crate::batch::scheduling_policy::{bad_share_identifier, is_share_identifier};
use crate::batch::{Batch, tags, too_many_requests, unavailable};
use crate::caller::Caller;
use crate::config::LimitsConfig;

/// Where SageMaker keeps the output of training jobs.
const LOG_GROUP: &str = "/aws/sagemaker/TrainingJobs";

/// Time between asking a training job to stop and killing it (SageMaker).
const STOP_TIMEOUT: Millis = Millis::from_seconds(120);

/// How long a client token is known, in milliseconds (own choice: as long as that of UpdateConsumableResource).
const TOKEN_LIFE_MS: i64 = 8 * 3_600_000;

impl Batch {
    pub(in crate::batch) async fn submit_service(
        &self,
        caller: &Caller,
        input: SubmitServiceJobRequest,
    ) -> Result<SubmitServiceJobResponse, Fault> {
        if let Some(submissions) = &self.service_submissions
            && submissions.check().is_err()
        {
            return Err(too_many_requests());
        }
        check(caller, &input, &self.limits)?;
        let queue = QueueName::parse(crate::arn::name("job-queue", &input.job_queue))
            .map_err(|_| client_exception(format!("JobQueue {} not found.", input.job_queue)))?;
        let training = payload::read(&input.service_request_payload)?;
        let host = self.driver.read(|core| core.state().host().resources).await;
        let host = host.map_err(|error| unavailable(&error))?;
        let job_name = input.job_name.clone();
        let Some(token) = input.client_token.clone() else {
            let id = JobId::new(self.now(), random());
            let submit = self.service_submission(id, queue, input, training, host)?;
            self.submit_one(caller, submit).await?;
            return Ok(self.service_submitted(id, job_name));
        };
        // One after another, from looking for the first to the commit: two of the same token would both find none.
        let _turn = self.token_submissions.lock().await;
        let digest = digest_of(&input);
        if let Some((id, first)) = self.submitted_with(&token).await? {
            if first != digest {
                // Own words.
                return Err(client_exception(
                    "clientToken was used for a service job with other parameters.",
                ));
            }
            return Ok(self.service_submitted(id, job_name));
        }
        let [id, _] = ids_of_token(&token, self.now());
        let submit = self.service_submission(id, queue, input, training, host)?;
        self.submit_one(caller, submit).await?;
        Ok(self.service_submitted(id, job_name))
    }

    fn service_submitted(&self, id: JobId, job_name: String) -> SubmitServiceJobResponse {
        SubmitServiceJobResponse {
            job_arn: Some(self.service_job_arn(id)),
            job_id: id.to_string(),
            job_name,
        }
    }

    async fn submit_one(&self, caller: &Caller, submit: SubmitJob) -> Result<(), Fault> {
        let queue = submit.queue.clone();
        let result = self.command(caller, Command::SubmitJob(Box::new(submit))).await;
        match result {
            Ok(_) => Ok(()),
            // Own words.
            Err(CommandError::Rejected(Rejection::PlatformMismatch(_))) => Err(client_exception(format!(
                "JobQueue {queue} is not of type SAGEMAKER_TRAINING and cannot run service jobs."
            ))),
            Err(error) => Err(unavailable(&error)),
        }
    }

    /// The job that was submitted with a token that is still known, and the digest of its request.
    async fn submitted_with(&self, token: &str) -> Result<Option<(JobId, String)>, Fault> {
        let now = self.now();
        let keys = ids_of_token(token, now).map(JobKey::whole);
        let rows = self.read(move |store| service_jobs(store, &keys)).await?;
        let is_known = |created_at: Timestamp| created_at.as_millis() > now.as_millis() - TOKEN_LIFE_MS;
        let known = rows.into_iter().find(|row| is_known(row.state.created_at));
        Ok(known.map(|row| {
            let document = ServiceJobDocument::read(&row.content.document);
            (row.key.id, document.request)
        }))
    }

    fn service_submission(
        &self,
        id: JobId,
        queue: QueueName,
        input: SubmitServiceJobRequest,
        mut training: Training,
        host: Resources,
    ) -> Result<SubmitJob, Fault> {
        let request = input.client_token.as_ref().map(|_| digest_of(&input));
        let SubmitServiceJobRequest {
            client_token: _,
            job_name,
            job_queue: _,
            preemption_configuration,
            quota_share_name,
            retry_strategy,
            scheduling_priority,
            service_job_type: _,
            service_request_payload,
            share_identifier,
            tags,
            timeout_config,
        } = input;
        let account = &self.account;
        let arn_prefix = format!(
            "arn:{}:sagemaker:{}:{}:training-job/",
            account.partition, account.region, account.id
        );
        let spec = training.spec(&job_name, arn_prefix);
        let Training {
            unit,
            instance,
            runner,
            command,
            environment,
            runtime_seconds_max,
            ..
        } = training;
        let quota_share = quota_share_name.map(|name| {
            QuotaShareName::parse(&name)
                .map_err(|_| client_exception(format!("QuotaShare {name} not found.")))
        });
        let asked = timeout_config
            .as_ref()
            .and_then(|timeout| timeout.attempt_duration_seconds);
        let asked = asked.and_then(|seconds| u64::try_from(seconds).ok());
        let share = (share_identifier.is_some() || scheduling_priority.is_some()).then(|| ShareClaim {
            identifier: share_identifier.unwrap_or_default().into(),
            priority: scheduling_priority
                .and_then(|priority| u16::try_from(priority).ok())
                .unwrap_or(0),
        });
        let preemptions = preemption_configuration.as_ref();
        let preemptions =
            preemptions.and_then(|configuration| configuration.preemption_retries_before_termination);
        let preemptions_max = preemptions.map(|count| u16::try_from(count).unwrap_or(u16::MAX));
        let profile = Profile {
            platform: Platform::Service,
            // The host is not shared out among service jobs: their environment says how many there are.
            resources: Resources::default(),
            retry: retry_strategy.as_ref().map(retry_rules).unwrap_or_default(),
            timeout: asked
                .into_iter()
                .chain(runtime_seconds_max)
                .min()
                .map(Millis::from_seconds),
            stop_timeout: STOP_TIMEOUT,
            share,
            consumables: Vec::new(),
            definition: None,
            nodes: None,
            service: Some(ServiceClaim {
                unit: unit.into(),
                count: 1,
                quota_share: quota_share.transpose()?,
                preemptions_max,
            }),
        };
        let launch = LaunchSpec {
            runner,
            command,
            environment,
            resources: Resources {
                gpus: 0,
                ..instance.capacity().at_most(host)
            },
            log: Some(LogTarget {
                group: LOG_GROUP.to_owned(),
                stream_prefix: String::new(),
            }),
            stop_timeout: STOP_TIMEOUT,
            training: Some(Box::new(spec)),
        };
        let document = ServiceJobDocument {
            payload: service_request_payload,
            retry_strategy,
            timeout_config,
            preemption_configuration,
            request: request.unwrap_or_default(),
        };
        Ok(SubmitJob {
            id,
            queue,
            profile,
            array_size: None,
            is_sequential: false,
            dependencies: Vec::new(),
            content: JobContent {
                name: job_name,
                definition: DefinitionName::parse("none").expect("it is a name"),
                revision: 0,
                launch: Arc::new(launch),
                nodes: None,
                document: document.write(),
                tags: tags::pairs(tags),
            },
            token: None,
        })
    }
}

/// What the request alone shows to be wrong.
fn check(caller: &Caller, input: &SubmitServiceJobRequest, limits: &LimitsConfig) -> Result<(), Fault> {
    // Own words for the first two (section I).
    let (bytes_max, payload_max) = (limits.submit_service_job_bytes, limits.service_job_payload_bytes);
    if caller.body_bytes > bytes_max {
        return Err(client_exception(format!(
            "A service job can have at most {bytes_max} bytes."
        )));
    }
    if input.service_request_payload.len() > payload_max {
        return Err(client_exception(format!(
            "serviceRequestPayload can have at most {payload_max} bytes."
        )));
    }
    if !is_job_name(&input.job_name) {
        return Err(client_exception("Job name should match valid pattern"));
    }
    if let Some(share) = &input.share_identifier
        && !is_share_identifier(share)
    {
        return Err(bad_share_identifier());
    }
    if input
        .scheduling_priority
        .is_some_and(|priority| !(0..=9_999).contains(&priority))
    {
        return Err(client_exception(
            "Scheduling priority must be between 0 and 9999.",
        ));
    }
    let retries = input
        .preemption_configuration
        .as_ref()
        .and_then(|configuration| configuration.preemption_retries_before_termination);
    // Own words.
    if retries.is_some_and(|retries| retries < 0) {
        return Err(client_exception(
            "preemptionRetriesBeforeTermination must not be negative.",
        ));
    }
    if let Some(strategy) = &input.retry_strategy {
        check_retry_strategy(strategy, limits)?;
    }
    if let Some(timeout) = &input.timeout_config {
        check_timeout(&JobTimeout {
            attempt_duration_seconds: timeout.attempt_duration_seconds,
        })?;
    }
    tags::check(input.tags.as_ref(), limits)
}

/// As of ordinary jobs, but that only status reasons are looked at, and that they may have any printable character.
fn check_retry_strategy(strategy: &ServiceJobRetryStrategy, limits: &LimitsConfig) -> Result<(), Fault> {
    let ServiceJobRetryStrategy {
        attempts,
        evaluate_on_exit,
    } = strategy;
    check_attempts(*attempts, limits)?;
    let conditions = evaluate_on_exit.as_deref().unwrap_or_default();
    check_conditions(conditions.len(), limits)?;
    // Own words where they are not those of the definitions' check.
    for condition in conditions {
        if condition.action.is_none() {
            return Err(client_exception(
                "action of evaluateOnExit must be RETRY or EXIT.",
            ));
        }
        let text = condition.on_status_reason.as_deref().unwrap_or_default();
        if text.is_empty() {
            return Err(client_exception("EvaluateOnExit should contain onStatusReason"));
        }
        check_condition_length(text, limits.evaluate_on_exit_characters)?;
        if text.chars().any(char::is_control) {
            return Err(client_exception(
                "Evaluate on exit condition contains restricted characters.",
            ));
        }
    }
    Ok(())
}

/// A strategy in the core's words; what it refuses was refused before.
fn retry_rules(strategy: &ServiceJobRetryStrategy) -> retry::RetryStrategy {
    let rules = strategy
        .evaluate_on_exit
        .iter()
        .flatten()
        .map(|rule| retry::EvaluateOnExit {
            on_status_reason: rule.on_status_reason.clone().map(retry::Pattern),
            on_reason: None,
            on_exit_code: None,
            action: match &rule.action {
                Some(action)
                    if action
                        .as_str()
                        .eq_ignore_ascii_case(ServiceJobRetryAction::Retry.as_str()) =>
                {
                    retry::RetryAction::Retry
                }
                Some(_) | None => retry::RetryAction::Exit,
            },
        });
    retry::RetryStrategy {
        attempts: u8::try_from(strategy.attempts).unwrap_or(1),
        rules: rules.collect(),
    }
}

/// The identifiers that a job with this token has if it was submitted in the present span of a token's life, or in the one before. As
/// they follow from the token, nothing has to remember it.
fn ids_of_token(token: &str, now: Timestamp) -> [JobId; 2] {
    let span = now.as_millis().div_euclid(TOKEN_LIFE_MS);
    [span, span - 1].map(|span| {
        let hash = Sha256::digest(format!("service job {span} {token}"));
        let random = hash
            .iter()
            .take(16)
            .fold(0_u128, |number, byte| number << 8 | u128::from(*byte));
        JobId::new(Timestamp::from_millis(span * TOKEN_LIFE_MS), random)
    })
}

/// 64 hexadecimal digits that stand for the request.
fn digest_of(input: &SubmitServiceJobRequest) -> String {
    let text = serde_json::to_string(input).expect("shapes have only text keys");
    let hash = Sha256::digest(text);
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_a_token_are_found_for_its_whole_life() {
        let start = Timestamp::from_millis(1_700_000_000_000);
        let [first, _] = ids_of_token("a", start);
        for later in [1, TOKEN_LIFE_MS / 2, TOKEN_LIFE_MS - 1] {
            let later = Timestamp::from_millis(start.as_millis() + later);
            assert!(ids_of_token("a", later).contains(&first));
        }
        assert!(!ids_of_token("b", start).contains(&first));
    }
}
