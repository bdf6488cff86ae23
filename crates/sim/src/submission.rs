//! Jobs that are submitted in virtual time: what the scheduler looks at, and nothing to run.

use std::sync::Arc;

use batchyard_core::change::{Document, JobContent};
use batchyard_core::command::{Command, DependsOn, SubmitJob};
use batchyard_core::environment::Platform;
use batchyard_core::id::{JobId, JobKey};
use batchyard_core::job::{Profile, ShareClaim};
use batchyard_core::launch::{LaunchSpec, ProcessSpec, Runner};
use batchyard_core::name::{DefinitionName, QueueName};
use batchyard_core::options::MAX_CONCURRENCY;
use batchyard_core::resources::Resources;
use batchyard_core::retry::RetryStrategy;
use batchyard_core::time::{Millis, Timestamp};

/// Time between asking an attempt to stop and killing it (section F.6 of the behaviour: 30 s).
const STOP_TIMEOUT: Millis = Millis::from_seconds(30);

/// What a simulated job asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The queue.
    pub queue: QueueName,
    /// What each attempt holds.
    pub need: Resources,
    /// The share and the priority in it, in a fair-share queue.
    pub share: Option<ShareClaim>,
    /// The longest an attempt may run.
    pub timeout: Option<Millis>,
    /// Children; `None` for a single job.
    pub array_size: Option<u32>,
    /// Most children that run at once.
    pub array_concurrency: Option<u32>,
    /// How often it is tried in all, 1 to 10.
    pub attempts: u8,
}

/// What all simulated jobs have in common: they share it instead of each having its own.
#[derive(Clone, Debug)]
pub struct Submissions {
    definition: DefinitionName,
    launch: Arc<LaunchSpec>,
    document: Document,
    /// That of the last job: the next one mostly needs the same.
    profile: Arc<Profile>,
}

/// The definition that simulated jobs come from.
pub const DEFINITION: &str = "simulated";

impl Submissions {
    /// Submissions of jobs that come from revision 1 of a definition, whose runs say how long they are expected to run.
    #[must_use]
    pub fn of(definition: DefinitionName) -> Self {
        let launch = LaunchSpec {
            runner: Runner::Process(ProcessSpec::default()),
            command: Vec::new(),
            environment: Vec::new(),
            resources: Resources::default(),
            log: None,
            stop_timeout: STOP_TIMEOUT,
            role: None,
            training: None,
        };
        let profile = Profile {
            platform: Platform::Ec2,
            resources: Resources::default(),
            retry: RetryStrategy::default(),
            timeout: None,
            stop_timeout: STOP_TIMEOUT,
            share: None,
            consumables: Vec::new(),
            definition: Some(definition.clone()),
            nodes: None,
            service: None,
        };
        Submissions {
            definition,
            profile: Arc::new(profile),
            launch: Arc::new(launch),
            document: Document(Arc::from("{}")),
        }
    }

    /// The command that submits a job. It waits for the jobs `after`.
    #[must_use]
    pub fn submit(&mut self, id: JobId, request: &Request, after: &[JobId]) -> Command {
        let Request {
            queue,
            need,
            share,
            timeout,
            array_size,
            array_concurrency,
            attempts,
        } = request;
        let last = &self.profile;
        let is_same = (last.resources, last.retry.attempts, last.timeout) == (*need, *attempts, *timeout)
            && last.share == *share;
        if !is_same {
            let last = Arc::make_mut(&mut self.profile);
            last.resources = *need;
            last.retry.attempts = *attempts;
            last.timeout = *timeout;
            last.share.clone_from(share);
        }
        let tags = array_concurrency.map(|max| (MAX_CONCURRENCY.to_owned(), max.to_string()));
        let depends_on = |id: &JobId| DependsOn {
            on: JobKey::whole(*id),
            is_pairing: false,
            ended: None,
        };
        Command::SubmitJob(Box::new(SubmitJob {
            id,
            queue: queue.clone(),
            profile: Arc::clone(&self.profile),
            array_size: *array_size,
            is_sequential: false,
            dependencies: after.iter().map(depends_on).collect(),
            content: JobContent {
                name: String::new(),
                definition: self.definition.clone(),
                revision: 1,
                launch: Arc::clone(&self.launch),
                nodes: None,
                document: self.document.clone(),
                tags: tags.into_iter().collect(),
            },
            token: None,
            failure: None,
        }))
    }
}

/// Of jobs that come from the definition [`DEFINITION`].
impl Default for Submissions {
    fn default() -> Self {
        Submissions::of(DefinitionName::parse(DEFINITION).expect("it is a name"))
    }
}

/// The identifier of the job of a number, submitted at a time: identifiers ascend by time, then by number.
#[must_use]
pub fn job_id(at: Timestamp, number: u32) -> JobId {
    JobId::new(at, u128::from(number))
}

/// The number that an identifier was made from by [`job_id`].
#[must_use]
pub fn number_of(id: JobId) -> u32 {
    let [.., a, b, c, d] = id.to_bytes();
    u32::from_be_bytes([a, b, c, d])
}
