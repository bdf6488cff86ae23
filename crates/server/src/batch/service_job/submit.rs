//! SubmitServiceJob (section A.8).

use std::sync::Arc;

use batchyard_core::change::JobContent;
use batchyard_core::command::{Command, Rejection, Reply, SubmitJob};
use batchyard_core::environment::Platform;
use batchyard_core::id::JobId;
use batchyard_core::job::{Profile, ServiceClaim, ShareClaim};
use batchyard_core::launch::{LaunchSpec, LogTarget};
use batchyard_core::name::{DefinitionName, QueueName, QuotaShareName};
use batchyard_core::resources::Resources;
use batchyard_core::retry;
use batchyard_core::time::Millis;
use batchyard_core::token::ClientToken;
use batchyard_runtime::driver::CommandError;
use batchyard_wire::Fault;
use batchyard_wire::batch::errors::client_exception;
use batchyard_wire::batch::{
    JobTimeout, ServiceJobRetryAction, ServiceJobRetryStrategy, SubmitServiceJobRequest,
    SubmitServiceJobResponse,
};

use super::ServiceJobDocument;
use super::payload::{self, Running, Training};
use crate::batch::job::submit::{is_job_name, random};
use crate::batch::job_definition::check::{
    check_attempts, check_condition_length, check_conditions, check_timeout,
};
use crate::batch::scheduling_policy::{bad_share_identifier, is_share_identifier};
use crate::batch::{Batch, tags, too_many_requests, unavailable};
use crate::caller::{Caller, digest};
use crate::config::LimitsConfig;
use crate::limits::SERVICE_TOKEN_LIFE;

/// Where SageMaker keeps the output of training jobs.
const LOG_GROUP: &str = "/aws/sagemaker/TrainingJobs";

/// Time between asking a training job to stop and killing it (SageMaker).
const STOP_TIMEOUT: Millis = Millis::from_seconds(120);

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
        // First of all: the queue may be gone by now.
        let token = input
            .client_token
            .as_deref()
            .map(|text| client_token(text, &input));
        if let Some(job) = self.submitted_before(token.as_ref()).await? {
            return Ok(self.service_submitted(job, input.job_name));
        }
        let queue = QueueName::parse(crate::arn::name("job-queue", &input.job_queue))
            .map_err(|_| client_exception(format!("JobQueue {} not found.", input.job_queue)))?;
        let training = payload::read(&input.service_request_payload, self.provisions.has_objects)?;
        let host = self.driver.read(|core| core.state().host().resources).await;
        let host = host.map_err(|error| unavailable(&error))?;
        let job_name = input.job_name.clone();
        let id = JobId::new(self.now(), random());
        let mut submit = self.service_submission(id, queue, input, training, host)?;
        submit.token = token;
        let id = self.submit_one(caller, submit).await?;
        Ok(self.service_submitted(id, job_name))
    }

    fn service_submitted(&self, id: JobId, job_name: String) -> SubmitServiceJobResponse {
        SubmitServiceJobResponse {
            job_arn: Some(self.service_job_arn(id)),
            job_id: id.to_string(),
            job_name,
        }
    }

    /// The job that was added: another one where the same submission got in before this one.
    async fn submit_one(&self, caller: &Caller, submit: SubmitJob) -> Result<JobId, Fault> {
        let queue = submit.queue.clone();
        let result = self.command(caller, Command::SubmitJob(Box::new(submit))).await;
        match result {
            Ok(Reply::Job(id)) => Ok(id),
            Ok(_) => unreachable!("a submission is answered with a job"),
            // Own words.
            Err(CommandError::Rejected(Rejection::PlatformMismatch(_))) => Err(client_exception(format!(
                "JobQueue {queue} is not of type SAGEMAKER_TRAINING and cannot run service jobs."
            ))),
            Err(error) => Err(unavailable(&error)),
        }
    }

    fn service_submission(
        &self,
        id: JobId,
        queue: QueueName,
        input: SubmitServiceJobRequest,
        mut training: Training,
        host: Resources,
    ) -> Result<SubmitJob, Fault> {
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
        let unit = training.unit.as_str().into();
        let (count, runtime_seconds_max) = (training.count, training.runtime_seconds_max);
        let role = training.role.take();
        let whole = training.instance.capacity();
        let containers = u16::try_from(count).unwrap_or(u16::MAX);
        let resources = Resources {
            // GPUs belong to one container each, so several share out those of the host evenly.
            gpus: whole.gpus.min(host.gpus / containers),
            ..whole.at_most(host)
        };
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
            // But for its GPUs the host is not shared out among service jobs: their environment says how many there are.
            resources: Resources {
                gpus: resources.gpus.saturating_mul(containers),
                ..Resources::default()
            },
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
                unit,
                count,
                quota_share: quota_share.transpose()?,
                preemptions_max,
            }),
        };
        let log = LogTarget {
            group: LOG_GROUP.to_owned(),
            stream_prefix: String::new(),
        };
        let Running {
            runner,
            command,
            environment,
            log,
        } = training.running(resources, log, STOP_TIMEOUT);
        let launch = LaunchSpec {
            runner,
            command,
            environment,
            resources,
            log,
            stop_timeout: STOP_TIMEOUT,
            role,
            training: Some(Box::new(spec)),
        };
        let document = ServiceJobDocument {
            payload: service_request_payload,
            retry_strategy,
            timeout_config,
            preemption_configuration,
        };
        Ok(SubmitJob {
            id,
            queue,
            profile: Arc::new(profile),
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
            failure: None,
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

/// The mark of a request, told apart from those of SubmitJob by a character that these cannot have.
fn client_token(text: &str, input: &SubmitServiceJobRequest) -> ClientToken {
    let request = serde_json::to_string(input).expect("shapes have only text keys");
    ClientToken {
        token: format!("SubmitServiceJob\n{text}").into(),
        digest: digest(&request),
        life: SERVICE_TOKEN_LIFE,
    }
}
