//! What was committed, which outlives servers; and the faults of the store that a test asks for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use batchyard_core::array::StatusCounts;
use batchyard_core::change::{AfterAttempt, Change};
use batchyard_core::command::Ended;
use batchyard_core::id::{AttemptKey, JobId, JobKey, QueueId};
use batchyard_core::item::ItemKey;
use batchyard_core::job::JobStatus;
use batchyard_core::name::{DefinitionName, EnvironmentKind, EnvironmentName, QueueName};
use batchyard_core::state::{Host, State, Stored};
use batchyard_core::time::Timestamp;
use batchyard_core::token::KeptToken;
use batchyard_runtime::store::{
    Batch, DefinitionQuery, DefinitionRevision, DefinitionRow, EnvironmentRow, ItemRow, ItemSelect,
    JobCursor, JobQuery, JobRow, JobSummaryRow, JournalEntry, LaunchRow, Page, QueueRow, Select, Store,
    StoreError,
};

use crate::fixture::config;
use crate::moved::Moved;

/// Where commits stop until they are let go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    /// Nowhere.
    None,
    /// Before anything is written: a server that dies now has lost the batch.
    Before,
    /// After all is written, before the server knows.
    After,
}

/// The committed contents.
pub(crate) struct Contents {
    pub(crate) state: State,
    pub(crate) journal: Vec<JournalEntry>,
    /// All attempts ever placed.
    pub(crate) placed: BTreeSet<AttemptKey>,
    /// How each job and child ended; one that ended twice is among the violations.
    pub(crate) ended: BTreeMap<JobKey, Ended>,
    pub(crate) attempts_ended: BTreeSet<AttemptKey>,
    pub(crate) violations: Vec<String>,
    launches: BTreeMap<JobId, LaunchRow>,
    /// Commits that wait where [`Hold`] says.
    pub(crate) held: usize,
    /// Changes of the largest batch.
    pub(crate) changes_max: usize,
    hold: Hold,
    is_full: bool,
    is_launch_damaged: bool,
    server: u64,
}

#[derive(Clone)]
pub(crate) struct Disk {
    shared: Arc<(Mutex<Contents>, Condvar)>,
    moved: Moved,
}

/// The store of one server. When the next one opens, this one's commits come to nothing.
pub(crate) struct MemoryStore {
    disk: Disk,
    server: u64,
}

impl Disk {
    pub(crate) fn new(moved: Moved) -> Self {
        let contents = Contents {
            state: State::empty(Host {
                resources: config().host,
            }),
            journal: Vec::new(),
            placed: BTreeSet::new(),
            ended: BTreeMap::new(),
            attempts_ended: BTreeSet::new(),
            violations: Vec::new(),
            launches: BTreeMap::new(),
            held: 0,
            changes_max: 0,
            hold: Hold::None,
            is_full: false,
            is_launch_damaged: false,
            server: 0,
        };
        let shared = Arc::new((Mutex::new(contents), Condvar::new()));
        Disk { shared, moved }
    }

    pub(crate) fn contents(&self) -> MutexGuard<'_, Contents> {
        self.shared.0.lock().unwrap()
    }

    pub(crate) fn open(&self) -> MemoryStore {
        let server = self.change(|contents| {
            contents.server += 1;
            contents.server
        });
        let disk = self.clone();
        MemoryStore { disk, server }
    }

    /// The server is killed: what it has not committed will never be.
    pub(crate) fn cut_off(&self) {
        self.change(|contents| contents.server += 1);
    }

    pub(crate) fn hold(&self, hold: Hold) {
        self.change(|contents| contents.hold = hold);
    }

    pub(crate) fn fill(&self, is_full: bool) {
        self.change(|contents| contents.is_full = is_full);
    }

    pub(crate) fn damage_launches(&self, is_damaged: bool) {
        self.change(|contents| contents.is_launch_damaged = is_damaged);
    }

    fn change<T>(&self, change: impl FnOnce(&mut Contents) -> T) -> T {
        let result = change(&mut self.contents());
        self.shared.1.notify_all();
        self.moved.tell();
        result
    }
}

impl Contents {
    fn apply(&mut self, batch: &Batch) {
        self.changes_max = self.changes_max.max(batch.changes.len());
        for change in &batch.changes {
            self.note(change);
            self.state.apply(change);
        }
        self.journal.extend(batch.journal.iter().cloned());
        if self.state.counters() != batch.counters {
            let counters = batch.counters;
            self.violations.push(format!(
                "the batch's counters {counters:?} are not those of its changes"
            ));
        }
    }

    fn note(&mut self, change: &Change) {
        let single = |status| Ended { status, array: None };
        match change {
            Change::JobAdded(added) => {
                let row = LaunchRow {
                    launch: Arc::clone(&added.content.launch),
                    queue: self.state.queue(added.queue).name.clone(),
                    array_size: added.array.as_ref().map(|array| array.size),
                    nodes: added.content.nodes.clone(),
                };
                if self.launches.insert(added.id, row).is_some() {
                    self.violations.push(format!("job {} was added twice", added.id));
                }
            }
            Change::AttemptPlaced { job, attempt, .. } => {
                let (job, attempt) = (*job, *attempt);
                self.placed.insert(AttemptKey { job, attempt });
            }
            Change::GangPlaced(placed) => {
                let job = JobKey::child(placed.job, placed.main);
                let attempt = placed.attempt;
                self.placed.insert(AttemptKey { job, attempt });
            }
            // Only now the other nodes may be launched.
            Change::GangStarted { job, attempt, .. } => {
                let multi_node = self.state.multi_node(*job);
                let gang = multi_node
                    .and_then(|multi_node| multi_node.gang.as_ref())
                    .unwrap();
                let others = gang.live().map(|(node, _)| AttemptKey {
                    job: JobKey::child(*job, node),
                    attempt: *attempt,
                });
                self.placed.extend(others);
            }
            Change::GangEnded(ended) => match ended.end.next {
                AfterAttempt::Retried => {}
                AfterAttempt::Succeeded => self.end(JobKey::whole(ended.job), single(JobStatus::Succeeded)),
                AfterAttempt::Failed => self.end(JobKey::whole(ended.job), single(JobStatus::Failed)),
            },
            Change::AttemptEnded(ended) => {
                let (job, attempt) = (ended.job, ended.attempt);
                self.attempts_ended.insert(AttemptKey { job, attempt });
                if self.state.multi_node(job.id).is_some() {
                    return;
                }
                match ended.next {
                    AfterAttempt::Retried => {}
                    AfterAttempt::Succeeded => self.end(job, single(JobStatus::Succeeded)),
                    AfterAttempt::Failed => self.end(job, single(JobStatus::Failed)),
                }
            }
            Change::JobFailed(failed) => self.end(failed.job, single(JobStatus::Failed)),
            Change::ChildrenFailed { job, children, .. } => {
                for child in children.indexes() {
                    self.end(JobKey::child(*job, child), single(JobStatus::Failed));
                }
            }
            Change::ArrayEnded(ended) => {
                let status = if ended.has_succeeded {
                    JobStatus::Succeeded
                } else {
                    JobStatus::Failed
                };
                let array = Some((ended.array.size, ended.array.succeeded.clone()));
                self.end(JobKey::whole(ended.job), Ended { status, array });
            }
            _ => {}
        }
    }

    fn end(&mut self, key: JobKey, ended: Ended) {
        if self.ended.insert(key, ended).is_some() {
            self.violations.push(format!("{key} ended twice"));
        }
    }
}

impl MemoryStore {
    /// The contents, once commits are not held there any more; `None` if the server was killed meanwhile.
    fn pass<'a>(
        &'a self,
        mut contents: MutexGuard<'a, Contents>,
        hold: Hold,
    ) -> Option<MutexGuard<'a, Contents>> {
        contents.held += 1;
        self.disk.moved.tell();
        while contents.hold == hold && contents.server == self.server {
            contents = self.disk.shared.1.wait(contents).unwrap();
        }
        contents.held -= 1;
        (contents.server == self.server).then_some(contents)
    }
}

fn path() -> String {
    "memory".to_owned()
}

fn full() -> StoreError {
    let source = Box::new(std::io::Error::from(std::io::ErrorKind::StorageFull));
    StoreError::Full { path: path(), source }
}

fn cut_off() -> StoreError {
    let source = "another server has the store".into();
    StoreError::Failed { path: path(), source }
}

impl Store for MemoryStore {
    fn load(&self) -> Result<Stored, StoreError> {
        Ok(self.disk.contents().state.to_stored())
    }

    fn commit(&self, batch: &Batch) -> Result<(), StoreError> {
        let contents = self.disk.contents();
        let mut contents = self.pass(contents, Hold::Before).ok_or_else(cut_off)?;
        if contents.is_full {
            drop(contents);
            self.disk.moved.tell();
            return Err(full());
        }
        contents.apply(batch);
        let done = self.pass(contents, Hold::After).ok_or_else(cut_off);
        self.disk.moved.tell();
        done.map(drop)
    }

    fn probe(&self) -> Result<(), StoreError> {
        if self.disk.contents().is_full {
            return Err(full());
        }
        Ok(())
    }

    fn client_token(&self, _token: &str) -> Result<Option<KeptToken>, StoreError> {
        not_the_drivers()
    }

    fn launch(&self, id: JobId) -> Result<Option<LaunchRow>, StoreError> {
        let contents = self.disk.contents();
        if contents.is_launch_damaged {
            let what = "a launch cannot be read".to_owned();
            return Err(StoreError::Damaged { path: path(), what });
        }
        Ok(contents.launches.get(&id).cloned())
    }

    fn ended(&self, key: JobKey) -> Result<Option<Ended>, StoreError> {
        Ok(self.disk.contents().ended.get(&key).cloned())
    }

    fn environments(
        &self,
        _: EnvironmentKind,
        _: &Select<EnvironmentName>,
    ) -> Result<Page<EnvironmentRow, EnvironmentName>, StoreError> {
        not_the_drivers()
    }

    fn queues(&self, _: &Select<QueueName>) -> Result<Page<QueueRow, QueueName>, StoreError> {
        not_the_drivers()
    }

    fn definitions(
        &self,
        _: &DefinitionQuery,
    ) -> Result<Page<DefinitionRow, DefinitionRevision>, StoreError> {
        not_the_drivers()
    }

    fn latest_definition(&self, _: &DefinitionName) -> Result<Option<DefinitionRow>, StoreError> {
        not_the_drivers()
    }

    fn items(&self, _: &ItemSelect) -> Result<Page<ItemRow, ItemKey>, StoreError> {
        not_the_drivers()
    }

    fn jobs(&self, _: &[JobKey]) -> Result<Vec<JobRow>, StoreError> {
        not_the_drivers()
    }

    fn list_jobs(&self, _: &JobQuery) -> Result<Page<JobSummaryRow, JobCursor>, StoreError> {
        not_the_drivers()
    }

    fn tags(&self, _: &str) -> Result<Vec<(String, String)>, StoreError> {
        not_the_drivers()
    }

    fn counts(&self, _: QueueId) -> Result<StatusCounts, StoreError> {
        not_the_drivers()
    }

    fn forget_definitions(&self, _: Timestamp, _: usize) -> Result<bool, StoreError> {
        not_the_drivers()
    }

    fn purge(&self, _: Timestamp, _: Timestamp, _: usize) -> Result<bool, StoreError> {
        not_the_drivers()
    }
}

fn not_the_drivers<T>() -> T {
    panic!("the driver asks the store only for what it needs to go on")
}
