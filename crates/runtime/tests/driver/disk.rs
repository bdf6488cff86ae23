//! What was committed, which outlives servers; and the faults of the store that a test asks for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use batchyard_core::change::{AfterAttempt, Change};
use batchyard_core::command::Ended;
use batchyard_core::id::{AttemptKey, JobId, JobKey};
use batchyard_core::job::JobStatus;
use batchyard_core::state::{Host, State, Stored};
use batchyard_core::time::Timestamp;
use batchyard_runtime::engine::BoxFuture;
use batchyard_runtime::store::{Batch, DriverStore, JournalEntry, LaunchRow, StoreError};

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
    /// All that was ever committed.
    pub(crate) changes: Vec<Change>,
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
    /// Turns of the other tasks that a commit takes before it writes, and again before it tells so.
    turns: u32,
    is_full: bool,
    is_launch_damaged: bool,
    server: u64,
    /// When the input entered its core that was committed last, and of which server that is.
    told: (u64, Timestamp),
}

#[derive(Clone)]
pub(crate) struct Disk {
    shared: Arc<Mutex<Contents>>,
    moved: Moved,
}

/// The store of one server. When the next one opens, this one's commits come to nothing.
#[derive(Clone)]
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
            changes: Vec::new(),
            placed: BTreeSet::new(),
            ended: BTreeMap::new(),
            attempts_ended: BTreeSet::new(),
            violations: Vec::new(),
            launches: BTreeMap::new(),
            held: 0,
            changes_max: 0,
            hold: Hold::None,
            turns: 0,
            is_full: false,
            is_launch_damaged: false,
            server: 0,
            told: (0, Timestamp::default()),
        };
        let shared = Arc::new(Mutex::new(contents));
        Disk { shared, moved }
    }

    pub(crate) fn contents(&self) -> MutexGuard<'_, Contents> {
        self.shared.lock().unwrap()
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

    /// How slow the store is, in turns of the other tasks.
    pub(crate) fn slow_down(&self, turns: u32) {
        self.change(|contents| contents.turns = turns);
    }

    pub(crate) fn fill(&self, is_full: bool) {
        self.change(|contents| contents.is_full = is_full);
    }

    pub(crate) fn damage_launches(&self, is_damaged: bool) {
        self.change(|contents| contents.is_launch_damaged = is_damaged);
    }

    fn change<T>(&self, change: impl FnOnce(&mut Contents) -> T) -> T {
        let result = change(&mut self.contents());
        self.moved.tell();
        result
    }
}

impl Contents {
    /// Keeps a batch of a server.
    fn apply(&mut self, batch: &Batch, server: u64) {
        self.changes_max = self.changes_max.max(batch.changes.len());
        for change in &batch.changes {
            self.note(change);
            self.state.apply(change);
            self.changes.push(change.clone());
        }
        for entry in &batch.journal {
            // However the host's clock is set meanwhile.
            let (before, latest) = self.told;
            if before == server && entry.at < latest {
                let now = entry.at;
                self.violations
                    .push(format!("time ran back for a core, from {latest:?} to {now:?}"));
            }
            self.told = (server, entry.at);
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

/// A commit that waits, as long as it does.
struct Held<'a>(&'a Disk);

impl<'a> Held<'a> {
    fn new(disk: &'a Disk) -> Self {
        disk.change(|contents| contents.held += 1);
        Held(disk)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.change(|contents| contents.held -= 1);
    }
}

impl MemoryStore {
    /// Resolves once commits are not held there any more, and the store has taken its time.
    ///
    /// # Errors
    /// If the server was killed or another took over meanwhile.
    async fn pass(&self, hold: Hold) -> Result<(), StoreError> {
        let mut changes = self.disk.moved.changes();
        let is_current = |contents: &Contents| contents.server == self.server;
        let is_held = || {
            let contents = self.disk.contents();
            contents.hold == hold && is_current(&contents)
        };
        let held = Held::new(&self.disk);
        while is_held() {
            changes.moved().await;
        }
        drop(held);
        let turns = self.disk.contents().turns;
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
        if is_current(&self.disk.contents()) {
            Ok(())
        } else {
            Err(cut_off())
        }
    }

    async fn write(&self, batch: &Batch) -> Result<(), StoreError> {
        self.pass(Hold::Before).await?;
        if self.disk.contents().is_full {
            return Err(full());
        }
        self.disk.change(|contents| contents.apply(batch, self.server));
        // What is written is written, whoever has taken over by now.
        let _was_overtaken = self.pass(Hold::After).await;
        Ok(())
    }

    fn read<T>(&self, read: impl FnOnce(&Contents) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let contents = self.disk.contents();
        if contents.server != self.server {
            return Err(cut_off());
        }
        read(&contents)
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

/// Everything is done by the task that asks, in its turn: the same history has the same course.
impl DriverStore for MemoryStore {
    fn load(&self) -> BoxFuture<'static, Result<Stored, StoreError>> {
        let loaded = self.read(|contents| Ok(contents.state.to_stored()));
        Box::pin(async { loaded })
    }

    fn commit(&self, batch: Arc<Batch>) -> BoxFuture<'static, Result<(), StoreError>> {
        let store = self.clone();
        Box::pin(async move {
            let written = store.write(&batch).await;
            store.disk.moved.tell();
            written
        })
    }

    fn probe(&self) -> BoxFuture<'static, Result<(), StoreError>> {
        let probed = self.read(|contents| if contents.is_full { Err(full()) } else { Ok(()) });
        Box::pin(async { probed })
    }

    fn launch(&self, id: JobId) -> BoxFuture<'static, Result<Option<LaunchRow>, StoreError>> {
        let launch = self.read(|contents| {
            if contents.is_launch_damaged {
                let what = "a launch cannot be read".to_owned();
                return Err(StoreError::Damaged { path: path(), what });
            }
            Ok(contents.launches.get(&id).cloned())
        });
        Box::pin(async { launch })
    }
}
