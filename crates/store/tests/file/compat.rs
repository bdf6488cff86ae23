//! Files of earlier versions are taken to the present one, with all that is in them.

use batchyard_core::command::Input;
use batchyard_core::id::{JobKey, QueueId};
use batchyard_core::job::Body;
use batchyard_core::report::Report;
use batchyard_core::resources::{Mebibytes, MilliVcpus, Resources};
use batchyard_core::state::State;
use batchyard_core::time::Timestamp;
use batchyard_core::{Core, CoreConfig, Output};
use batchyard_runtime::store::{Batch, JobQuery, JobRow, JobScope, Store};
use batchyard_store::SqliteStore;
use expect_test::expect;
use rusqlite::Connection;

const VERSION_1: &str = include_str!("../compat/version_1.sql");

fn open(dump: &str) -> (SqliteStore, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("batchyard.sqlite");
    Connection::open(&path).unwrap().execute_batch(dump).unwrap();
    (SqliteStore::open(&path).unwrap(), folder)
}

fn restore(store: &SqliteStore) -> Core {
    let config = CoreConfig::new(Resources {
        vcpus: MilliVcpus(5_500),
        memory: Mebibytes(20_000),
        gpus: 2,
    });
    Core::restore(config, store.load().unwrap()).unwrap()
}

#[test]
fn a_core_goes_on_from_version_1() {
    let (store, _folder) = open(VERSION_1);
    let mut core = restore(&store);
    expect![[r#"
        ce0: 2 vCPU now, 2 attempts
        instances: 4 vCPU now, 1 attempts
        q0: [EnvironmentId(1)], 6 jobs
        q1: [EnvironmentId(3), EnvironmentId(1)], 1 jobs
        00000000-0000-4000-8000-0001daa66d2b QueueId(1) 1 vCPU, 512 MiB: Execution { attempts_ended: 0, preemptions: 0, is_cancelled: false, attempt: Some(Attempt { placement: Placement { environment: EnvironmentId(1), instance: None, gpus: {} }, is_scheduled: false, started_at: Some(@1001000), stopping: Some(Terminated(StatusReason("enough"))) }) }
        00000000-0000-4000-8000-000278dde6e4 QueueId(3) 1 vCPU, 512 MiB: Execution { attempts_ended: 0, preemptions: 0, is_cancelled: true, attempt: Some(Attempt { placement: Placement { environment: EnvironmentId(3), instance: Some(InstanceId(1)), gpus: {} }, is_scheduled: false, started_at: Some(@1001000), stopping: None }) }
        00000000-0000-4000-8000-0003b54cda56 QueueId(1) 0.5 vCPU, 512 MiB: StatusCounts { pending: 0, runnable: 3, starting: 1, running: 0, succeeded: 1, failed: 1 }
        00000000-0000-4000-8000-00045384540f QueueId(1) 1 vCPU, 512 MiB: StatusCounts { pending: 5, runnable: 0, starting: 0, running: 0, succeeded: 0, failed: 1 }
        00000000-0000-4000-8000-00058ff34781 QueueId(1) 5 vCPU, 512 MiB: Execution { attempts_ended: 0, preemptions: 0, is_cancelled: false, attempt: None }
        00000000-0000-4000-8000-00062e2ac13a QueueId(1) 0.25 vCPU, 512 MiB: Execution { attempts_ended: 0, preemptions: 0, is_cancelled: false, attempt: None }
        00000000-0001-4000-8000-0004f1bbcdc8 QueueId(1) 1 vCPU, 512 MiB: waits for [Dependency { on: 00000000-0000-4000-8000-0003b54cda56:3 }, Dependency { on: 00000000-0000-4000-8000-000278dde6e4 }]"#]].assert_eq(&show(core.state()));
    // What follows can be committed, and a core can go on from that too: an attempt ends, which makes room for others.
    let mut output = Output::default();
    let now = Timestamp::from_millis(1_002_000);
    let (attempt, _, _) = core.state().live_attempts().next().unwrap();
    let report = Report::Lost { at: now };
    core.handle(now, Input::Report { attempt, report }, &mut output)
        .unwrap();
    core.advance(now, &mut output);
    assert!(output.changes.len() > 1);
    let batch = Batch {
        changes: output.changes,
        arrays: arrays(core.state()),
        journal: Vec::new(),
        counters: core.state().counters(),
        events: None,
    };
    store.commit(&batch).unwrap();
    assert_eq!(restore(&store).state(), core.state());
}

fn arrays(state: &State) -> Vec<(batchyard_core::id::JobId, batchyard_core::array::Array)> {
    let arrays = state.jobs().filter_map(|(id, job)| match &job.body {
        Body::Array(array) => Some((id, (**array).clone())),
        Body::Waiting(_) | Body::Ready(_) | Body::MultiNode(_) => None,
    });
    arrays.collect()
}

/// Environments, queues, definitions, jobs.
fn show(state: &State) -> String {
    let mut lines = Vec::new();
    for (_, environment) in state.environments() {
        lines.push(format!(
            "{}: {} vCPU now, {} attempts",
            environment.name,
            environment.vcpus_now(),
            environment.attempts
        ));
    }
    for (id, queue) in state.queues() {
        lines.push(format!(
            "{}: {:?}, {} jobs",
            queue.name,
            queue.environments,
            state.jobs_in(id)
        ));
    }
    lines.extend(state.jobs().map(|(id, job)| {
        let body = match &job.body {
            Body::Waiting(dependencies) => format!("waits for {dependencies:?}"),
            Body::Ready(execution) => format!("{execution:?}"),
            Body::Array(array) => format!("{:?}", array.counts()),
            Body::MultiNode(multi_node) => format!("{multi_node:?}"),
        };
        format!("{id} {:?} {}: {body}", job.queue, job.profile.resources)
    }));
    lines.join("\n")
}

#[test]
fn clients_read_what_version_1_wrote() {
    let (store, _folder) = open(VERSION_1);
    let mut keys = Vec::new();
    for queue in 1..=3 {
        let query = JobQuery {
            scope: JobScope::Queue(QueueId(queue)),
            status: None,
            filter: None,
            after: None,
            limit: 100,
        };
        for row in store.list_jobs(&query).unwrap().rows {
            let children = 0..row.array.map_or(0, |array| array.size);
            keys.push(row.key);
            keys.extend(children.map(|child| JobKey::child(row.key.id, child)));
        }
    }
    let show = |row: &JobRow| {
        format!(
            "{} {} in {}: {}, {} attempts, waits for {}, tags {:?}, {:?}",
            row.content.name,
            row.key.child.map_or("-".to_owned(), |child| child.to_string()),
            row.queue,
            row.state.status.as_str(),
            row.attempts.len(),
            row.dependencies.len(),
            row.content.tags,
            row.state.status_reason,
        )
    };
    let rows = store.jobs(&keys).unwrap();
    let lines: Vec<_> = rows.iter().map(show).collect();
    expect![[r#"
        job9 - in q0: RUNNABLE, 0 attempts, waits for 0, tags [("number", "9")], None
        job8 - in q0: RUNNABLE, 0 attempts, waits for 0, tags [], None
        job7 - in q0: PENDING, 0 attempts, waits for 2, tags [], None
        job6 - in q0: PENDING, 0 attempts, waits for 1, tags [("number", "6")], None
        job6 0 in q0: PENDING, 0 attempts, waits for 0, tags [], None
        job6 1 in q0: PENDING, 0 attempts, waits for 0, tags [], None
        job6 2 in q0: PENDING, 0 attempts, waits for 0, tags [], None
        job6 3 in q0: PENDING, 0 attempts, waits for 0, tags [], None
        job6 4 in q0: PENDING, 0 attempts, waits for 0, tags [], None
        job6 5 in q0: FAILED, 0 attempts, waits for 0, tags [], Some("Dependent Job failed")
        job5 - in q0: PENDING, 0 attempts, waits for 0, tags [], None
        job5 0 in q0: SUCCEEDED, 1 attempts, waits for 0, tags [], Some("Essential container in task exited")
        job5 1 in q0: STARTING, 1 attempts, waits for 0, tags [], Some("Essential container in task exited")
        job5 2 in q0: RUNNABLE, 0 attempts, waits for 0, tags [], None
        job5 3 in q0: RUNNABLE, 0 attempts, waits for 0, tags [], None
        job5 4 in q0: RUNNABLE, 0 attempts, waits for 0, tags [], None
        job5 5 in q0: FAILED, 0 attempts, waits for 0, tags [], Some("enough")
        job2 - in q0: RUNNING, 0 attempts, waits for 0, tags [], None
        job1 - in q0: FAILED, 2 attempts, waits for 0, tags [], Some("Essential container in task exited")
        job0 - in gone: SUCCEEDED, 1 attempts, waits for 0, tags [("number", "0")], Some("Essential container in task exited")
        job4 - in q1: FAILED, 0 attempts, waits for 0, tags [], Some("Array Child Job failed")
        job4 0 in q1: SUCCEEDED, 1 attempts, waits for 0, tags [], Some("Essential container in task exited")
        job4 1 in q1: FAILED, 1 attempts, waits for 0, tags [], Some("Essential container in task exited")
        job3 - in q1: RUNNING, 0 attempts, waits for 0, tags [("number", "3")], None"#]].assert_eq(&lines.join("\n"));
    assert!(store.launch(keys[0].id).unwrap().is_some());
}

#[test]
fn an_upgraded_file_has_the_tables_of_a_new_one() {
    let (old, old_folder) = open(VERSION_1);
    let (new, new_folder) = open("");
    drop((old, new));
    let tables = |folder: &tempfile::TempDir| {
        let connection = Connection::open(folder.path().join("batchyard.sqlite")).unwrap();
        let mut statement = connection
            .prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name")
            .unwrap();
        let rows = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
        rows.map(|sql| without_comments(&sql.unwrap()))
            .collect::<Vec<_>>()
    };
    assert_eq!(tables(&old_folder), tables(&new_folder));
}

fn without_comments(sql: &str) -> String {
    let lines = sql
        .lines()
        .map(|line| line.split("--").next().unwrap_or_default());
    lines
        .flat_map(str::split_whitespace)
        .collect::<Vec<_>>()
        .join(" ")
}
