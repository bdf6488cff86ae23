//! From rows to what a core goes on from: live jobs only, found by index.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use batchyard_core::array::Array;
use batchyard_core::blocked::Blocked;
use batchyard_core::change::AfterAttempt;
use batchyard_core::environment::{Environment, InstanceTypeName, Renewal};
use batchyard_core::id::{EnvironmentId, InstanceId, JobId, JobKey, QueueId, Sequence};
use batchyard_core::interval_set::Interval;
use batchyard_core::item::{ItemKey, KeptItem};
use batchyard_core::job::{Attempt, Body, Dependency, Execution, Job, JobStatus, Profile};
use batchyard_core::multi_node::{Gang, MainEnd, MultiNode};
use batchyard_core::name::{DefinitionName, EnvironmentName, QueueName, SchedulingPolicyName};
use batchyard_core::queue::Queue;
use batchyard_core::reason::StatusReason;
use batchyard_core::resources::Resources;
use batchyard_core::runs::RunTimes;
use batchyard_core::share::{Ledger, ShareName};
use batchyard_core::state::{Counters, Revisions, Stored, StoredInstance};
use batchyard_core::token::{ClientToken, KeptToken};
use rusqlite::{Connection, OptionalExtension as _, Row};

use super::code::{
    LIFE_GONE, from_json, gpus, job_id, life, narrow, placement, status, status_code, switch, time,
    token_life,
};
use super::failure::Failure;

pub(super) fn load(connection: &Connection) -> Result<Stored, Failure> {
    let queues = queues(connection)?;
    let mut jobs = Vec::new();
    let waiting = dependencies(connection)?;
    let profiles = profiles(connection)?;
    for (id, _) in &queues {
        for status in JobStatus::ALL.into_iter().filter(|status| !status.is_terminal()) {
            let loader = JobLoader {
                connection,
                queue: *id,
                profiles: &profiles,
                waiting: &waiting,
            };
            loader.load(status, &mut jobs)?;
        }
    }
    Ok(Stored {
        counters: counters(connection)?,
        environments: environments(connection)?,
        instances: instances(connection)?,
        queues,
        definitions: definitions(connection)?,
        items: items(connection)?,
        jobs,
        tokens: tokens(connection)?,
        ledgers: ledgers(connection)?,
        run_times: run_times(connection)?,
    })
}

fn counters(connection: &Connection) -> Result<Counters, Failure> {
    let text: Option<String> = connection
        .query_row("SELECT value FROM settings WHERE name = 'counters'", [], |row| {
            row.get(0)
        })
        .optional()?;
    text.map_or(Ok(Counters::default()), |text| {
        from_json("settings.counters", &text)
    })
}

fn environments(connection: &Connection) -> Result<Vec<(EnvironmentId, Environment)>, Failure> {
    let mut statement = connection.prepare(
        "SELECT id, name, version, switch, life, spec, renewal FROM environments WHERE life < ?1 ORDER BY id",
    )?;
    let mut rows = statement.query([LIFE_GONE])?;
    let mut environments = Vec::new();
    while let Some(row) = rows.next()? {
        let environment = Environment {
            name: EnvironmentName::read(&row.get::<_, String>(1)?)
                .map_err(|error| Failure::damaged("environments.name", error))?,
            version: narrow("environments.version", row.get(2)?)?,
            switch: switch(row.get(3)?)?,
            life: life(row.get(4)?)?,
            spec: from_json("environments.spec", &row.get::<_, String>(5)?)?,
            renewal: renewal(row.get(6)?)?,
            instances: BTreeMap::new(),
            in_use: Resources::default(),
            attempts: 0,
            units: BTreeMap::new(),
        };
        environments.push((EnvironmentId(row.get(0)?), environment));
    }
    Ok(environments)
}

fn instances(connection: &Connection) -> Result<Vec<(EnvironmentId, InstanceId, StoredInstance)>, Failure> {
    let mut statement = connection.prepare(
        "SELECT environment, id, instance_type, capacity, gpus, last_used_at, was_used, leaving FROM instances ORDER BY id",
    )?;
    let mut rows = statement.query([])?;
    let mut instances = Vec::new();
    while let Some(row) = rows.next()? {
        let name: String = row.get(2)?;
        let unknown = || Failure::damaged("instances.instance_type", &name);
        let leaving: Option<String> = row.get(7)?;
        let instance = StoredInstance {
            instance_type: InstanceTypeName::find(&name).ok_or_else(unknown)?,
            capacity: from_json("instances.capacity", &row.get::<_, String>(3)?)?,
            gpus: gpus(row.get(4)?),
            last_used_at: time(row.get(5)?),
            was_used: row.get(6)?,
            leaving: leaving
                .map(|text| from_json("instances.leaving", &text))
                .transpose()?,
        };
        instances.push((EnvironmentId(row.get(0)?), InstanceId(row.get(1)?), instance));
    }
    Ok(instances)
}

fn queues(connection: &Connection) -> Result<Vec<(QueueId, Queue)>, Failure> {
    let mut statement = connection.prepare(
        "SELECT id, name, version, switch, life, priority, environments, policy, actions, options FROM queues
         WHERE life < ?1 ORDER BY id",
    )?;
    let mut rows = statement.query([LIFE_GONE])?;
    let mut queues = Vec::new();
    let mut blocked = blocked(connection)?;
    while let Some(row) = rows.next()? {
        let id = QueueId(row.get(0)?);
        let queue = Queue {
            name: QueueName::parse(&row.get::<_, String>(1)?)
                .map_err(|error| Failure::damaged("queues.name", error))?,
            version: narrow("queues.version", row.get(2)?)?,
            switch: switch(row.get(3)?)?,
            life: life(row.get(4)?)?,
            priority: row.get(5)?,
            environments: from_json("queues.environments", &row.get::<_, String>(6)?)?,
            policy: policy(row.get(7)?)?,
            actions: from_json("queues.actions", &row.get::<_, String>(8)?)?,
            options: from_json("queues.options", &row.get::<_, String>(9)?)?,
            blocked: blocked.remove(&id).unwrap_or_default(),
        };
        queues.push((id, queue));
    }
    Ok(queues)
}

/// The name in the column `policy` of a queue.
pub(super) fn policy(name: Option<String>) -> Result<Option<SchedulingPolicyName>, Failure> {
    let parse = |name: String| SchedulingPolicyName::parse(&name);
    name.map(parse)
        .transpose()
        .map_err(|error| Failure::damaged("queues.policy", error))
}

fn renewal(json: Option<String>) -> Result<Option<Renewal>, Failure> {
    json.map(|json| from_json("environments.renewal", &json))
        .transpose()
}

/// What holds up the lines of queues.
fn blocked(connection: &Connection) -> Result<BTreeMap<QueueId, BTreeMap<ShareName, Blocked>>, Failure> {
    let mut statement = connection.prepare("SELECT queue, line, content FROM blocked_lines")?;
    let mut rows = statement.query([])?;
    let mut blocked: BTreeMap<QueueId, BTreeMap<ShareName, Blocked>> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let line: String = row.get(1)?;
        let front = from_json("blocked_lines.content", &row.get::<_, String>(2)?)?;
        blocked
            .entry(QueueId(row.get(0)?))
            .or_default()
            .insert(line.into(), front);
    }
    Ok(blocked)
}

fn ledgers(connection: &Connection) -> Result<Vec<(QueueId, ShareName, Ledger)>, Failure> {
    let mut statement = connection.prepare("SELECT queue, share, content FROM share_ledgers")?;
    let mut rows = statement.query([])?;
    let mut ledgers = Vec::new();
    while let Some(row) = rows.next()? {
        let share: String = row.get(1)?;
        let ledger = from_json("share_ledgers.content", &row.get::<_, String>(2)?)?;
        ledgers.push((QueueId(row.get(0)?), share.into(), ledger));
    }
    Ok(ledgers)
}

fn run_times(connection: &Connection) -> Result<Vec<(DefinitionName, RunTimes)>, Failure> {
    let mut statement = connection.prepare("SELECT definition, content FROM run_times")?;
    let mut rows = statement.query([])?;
    let mut run_times = Vec::new();
    while let Some(row) = rows.next()? {
        let name = DefinitionName::parse(&row.get::<_, String>(0)?)
            .map_err(|error| Failure::damaged("run_times.definition", error))?;
        run_times.push((name, from_json("run_times.content", &row.get::<_, String>(1)?)?));
    }
    Ok(run_times)
}

fn items(connection: &Connection) -> Result<Vec<(ItemKey, KeptItem)>, Failure> {
    let mut statement = connection.prepare("SELECT key, version, item FROM items")?;
    let mut rows = statement.query([])?;
    let mut items = Vec::new();
    while let Some(row) = rows.next()? {
        let kept = KeptItem {
            version: narrow("items.version", row.get(1)?)?,
            item: from_json("items.item", &row.get::<_, String>(2)?)?,
        };
        items.push((from_json("items.key", &row.get::<_, String>(0)?)?, kept));
    }
    // In the order in which a state has them.
    items.sort_by(|(one, _), (other, _): &(ItemKey, KeptItem)| one.cmp(other));
    Ok(items)
}

fn tokens(connection: &Connection) -> Result<Vec<KeptToken>, Failure> {
    let mut statement =
        connection.prepare("SELECT token, digest, job, at, life FROM client_tokens ORDER BY token")?;
    let kept = statement.query_map([], kept_token)?;
    Ok(kept.collect::<Result<_, _>>()?)
}

/// A row of `client_tokens`.
pub(super) fn kept_token(row: &Row<'_>) -> Result<KeptToken, rusqlite::Error> {
    Ok(KeptToken {
        token: ClientToken {
            token: row.get(0)?,
            digest: row.get(1)?,
            life: token_life(row.get(4)?),
        },
        job: job_id(row.get(2)?),
        at: time(row.get(3)?),
    })
}

fn definitions(connection: &Connection) -> Result<Vec<(DefinitionName, Revisions)>, Failure> {
    let mut statement = connection
        .prepare("SELECT name, revision, is_active FROM definitions ORDER BY name, revision DESC")?;
    let mut rows = statement.query([])?;
    let mut definitions: BTreeMap<DefinitionName, Revisions> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let name = DefinitionName::parse(&row.get::<_, String>(0)?)
            .map_err(|error| Failure::damaged("definitions.name", error))?;
        let revision: u32 = row.get(1)?;
        let revisions = definitions.entry(name).or_default();
        revisions.highest = revisions.highest.max(revision);
        if row.get::<_, i64>(2)? == 1 {
            revisions.active.insert(Interval::one(revision));
        }
    }
    Ok(definitions.into_iter().collect())
}

fn profiles(connection: &Connection) -> Result<HashMap<i64, Arc<Profile>>, Failure> {
    let mut statement = connection.prepare("SELECT id, content FROM profiles")?;
    let mut rows = statement.query([])?;
    let mut profiles = HashMap::new();
    while let Some(row) = rows.next()? {
        let profile: Profile = from_json("profiles.content", &row.get::<_, String>(1)?)?;
        profiles.insert(row.get(0)?, Arc::new(profile));
    }
    Ok(profiles)
}

/// What single jobs wait for, in the order of submission. Only of live jobs: the rows go when a job leaves PENDING.
fn dependencies(connection: &Connection) -> Result<HashMap<JobId, Vec<Dependency>>, Failure> {
    let mut statement =
        connection.prepare("SELECT job, on_job, on_child FROM dependencies ORDER BY job, position")?;
    let mut rows = statement.query([])?;
    let mut waiting: HashMap<JobId, Vec<Dependency>> = HashMap::new();
    while let Some(row) = rows.next()? {
        let on = JobKey {
            id: job_id(row.get(1)?),
            child: row.get(2)?,
        };
        let job = job_id(row.get(0)?);
        waiting.entry(job).or_default().push(Dependency { on });
    }
    Ok(waiting)
}

struct JobLoader<'a> {
    connection: &'a Connection,
    queue: QueueId,
    profiles: &'a HashMap<i64, Arc<Profile>>,
    waiting: &'a HashMap<JobId, Vec<Dependency>>,
}

impl JobLoader<'_> {
    fn load(&self, wanted: JobStatus, jobs: &mut Vec<(JobId, Job)>) -> Result<(), Failure> {
        let mut statement = self.connection.prepare_cached(
            "SELECT id, sequence, profile, array_size, status, attempts_ended, is_cancelled, started_at, stopping,
             environment, instance, gpus, node_count, main_node, preemptions FROM jobs WHERE queue = ?1 AND status = ?2 ORDER BY sequence",
        )?;
        let mut rows = statement.query((self.queue.0, status_code(wanted)))?;
        while let Some(row) = rows.next()? {
            let id = job_id(row.get(0)?);
            let number: i64 = row.get(2)?;
            let profile = self
                .profiles
                .get(&number)
                .ok_or_else(|| Failure::damaged("jobs.profile", number))?;
            let job = Job {
                sequence: Sequence(narrow("jobs.sequence", row.get(1)?)?),
                queue: self.queue,
                profile: Arc::clone(profile),
                body: self.body(id, row)?,
            };
            jobs.push((id, job));
        }
        Ok(())
    }

    fn body(&self, id: JobId, row: &Row<'_>) -> Result<Body, Failure> {
        let array_size: Option<u32> = row.get(3)?;
        if array_size.is_some() {
            let array: Array = array(self.connection, id)?;
            return Ok(Body::Array(Box::new(array)));
        }
        let is_waiting = matches!(status(row.get(4)?)?, JobStatus::Submitted | JobStatus::Pending);
        if is_waiting {
            let dependencies = self.waiting.get(&id).cloned().unwrap_or_default();
            return Ok(Body::Waiting(dependencies.into()));
        }
        let node_count: Option<u32> = row.get(12)?;
        if node_count.is_some() {
            let attempts_ended: u16 = row.get(5)?;
            let multi_node = MultiNode {
                attempts_ended,
                is_cancelled: row.get(6)?,
                gang: match status(row.get(4)?)? {
                    JobStatus::Starting | JobStatus::Running => Some(self.gang(id, row)?),
                    _ => None,
                },
            };
            return Ok(Body::MultiNode(Box::new(multi_node)));
        }
        Ok(Body::Ready(Execution {
            attempts_ended: row.get(5)?,
            preemptions: row.get(14)?,
            is_cancelled: row.get(6)?,
            attempt: attempt(row)?.map(Box::new),
        }))
    }
}

impl JobLoader<'_> {
    /// The present attempt of all nodes of a job, from the nodes' rows.
    fn gang(&self, id: JobId, row: &Row<'_>) -> Result<Gang, Failure> {
        // The columns are those that `attempt` reads.
        let mut statement = self.connection.prepare_cached(
            "SELECT child, 0, 0, 0, status, attempts_ended, 0, started_at, stopping, environment, instance, gpus
             FROM children WHERE job = ?1 ORDER BY child",
        )?;
        let mut rows = statement.query([id.to_bytes()])?;
        let mut nodes = Vec::new();
        let main: u32 = row.get(13)?;
        let mut main_status = JobStatus::Failed;
        while let Some(node) = rows.next()? {
            if node.get::<_, u32>(0)? == main {
                main_status = status(node.get(4)?)?;
            }
            nodes.push(Execution {
                attempts_ended: node.get(5)?,
                preemptions: 0,
                is_cancelled: false,
                attempt: attempt(node)?.map(Box::new),
            });
        }
        let has_main = usize::try_from(main)
            .ok()
            .and_then(|main| nodes.get(main))
            .is_some_and(|main| main.attempt.is_some());
        let number = row.get::<_, i64>(5)? + 1;
        let main_end = match has_main {
            true => None,
            false => Some(Box::new(self.main_end(id, main, number, main_status)?)),
        };
        let stopping: Option<String> = row.get(8)?;
        Ok(Gang {
            stopping: stopping
                .map(|text| from_json("jobs.stopping", &text))
                .transpose()?,
            main_end,
            nodes,
        })
    }

    /// How the main node of an attempt ended.
    fn main_end(&self, id: JobId, main: u32, number: i64, stands: JobStatus) -> Result<MainEnd, Failure> {
        let mut statement = self.connection.prepare_cached(
            "SELECT started_at, stopped_at, exit_code, reason, status_reason FROM attempts
             WHERE job = ?1 AND child = ?2 AND attempt = ?3",
        )?;
        let mut rows = statement.query((id.to_bytes(), main, number))?;
        let row = rows.next()?.ok_or_else(|| {
            Failure::damaged(
                "attempts",
                format_args!("the main node of job {id} has no attempt"),
            )
        })?;
        let started_at: Option<i64> = row.get(0)?;
        Ok(MainEnd {
            started_at: started_at.map(time),
            stopped_at: time(row.get(1)?),
            exit_code: row.get(2)?,
            reason: row.get(3)?,
            status_reason: StatusReason::given(row.get(4)?),
            next: match stands {
                JobStatus::Succeeded => AfterAttempt::Succeeded,
                JobStatus::Runnable => AfterAttempt::Retried,
                _ => AfterAttempt::Failed,
            },
        })
    }
}

fn attempt(row: &Row<'_>) -> Result<Option<Attempt>, Failure> {
    let Some(placement) = placement(row, 9)? else {
        return Ok(None);
    };
    let status = status(row.get(4)?)?;
    let started_at: Option<i64> = row.get(7)?;
    let stopping: Option<String> = row.get(8)?;
    Ok(Some(Attempt {
        placement,
        is_scheduled: status == JobStatus::Scheduled,
        // Of a STARTING or SCHEDULED attempt it is the one before's.
        started_at: started_at.filter(|_| status == JobStatus::Running).map(time),
        stopping: stopping
            .map(|text| from_json("jobs.stopping", &text))
            .transpose()?,
    }))
}

/// The record of an array.
pub(super) fn array(connection: &Connection, id: JobId) -> Result<Array, Failure> {
    let content: Option<String> = connection
        .prepare_cached("SELECT content FROM arrays WHERE job = ?1")?
        .query_row([id.to_bytes()], |row| row.get(0))
        .optional()?;
    let content =
        content.ok_or_else(|| Failure::damaged("arrays", format_args!("job {id} has no record")))?;
    from_json("arrays.content", &content)
}
