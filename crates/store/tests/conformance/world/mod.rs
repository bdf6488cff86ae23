//! The world round a store under test: a real core, whose changes are committed, and a model that says what reads must answer.

mod check;

use std::collections::BTreeSet;

use batchyard_core::change::{Change, StopKind};
use batchyard_core::command::{
    Command, Input, PutEnvironment, PutQueue, RegisterDefinition, Rejection, Reply,
};
use batchyard_core::command::{DependsOn, SubmitJob};
use batchyard_core::id::{AttemptKey, JobId, JobKey};
use batchyard_core::job::Body;
use batchyard_core::report::Report;
use batchyard_core::time::{Millis, Timestamp};
use batchyard_core::{Core, Output};
use batchyard_runtime::store::{Batch, JournalEntry, Store};

use crate::fixture::{config, definition_name, document, environment_put, queue_put};
use crate::model::Model;
use crate::place::Place;

pub(crate) use check::pages;

/// Passes after which the core must have come to rest.
const PASSES_MAX: usize = 1_000;

pub(crate) struct World<'a> {
    place: &'a dyn Place,
    store: Option<Box<dyn Store>>,
    core: Core,
    pub(crate) now: Timestamp,
    pub(crate) model: Model,
    /// All attempts ever placed, in order.
    pub(crate) launched: Vec<AttemptKey>,
    changes: Vec<Change>,
    journal: Vec<JournalEntry>,
    is_modelled: bool,
}

impl<'a> World<'a> {
    /// A world that has nothing yet.
    pub(crate) fn empty(place: &'a dyn Place) -> Self {
        let store = place.open();
        let core = Core::restore(config(), store.load().unwrap()).unwrap();
        World {
            place,
            store: Some(store),
            core,
            now: Timestamp::from_millis(1_000_000),
            model: Model::default(),
            launched: Vec::new(),
            changes: Vec::new(),
            journal: Vec::new(),
            is_modelled: true,
        }
    }

    /// A world with an environment `ce0` on the whole host, a queue `q0` on it, and a definition `d`.
    pub(crate) fn new(place: &'a dyn Place) -> Self {
        let mut world = World::empty(place);
        world.create_environment(environment_put("ce0", 0));
        world.create_queue(queue_put("q0", &["ce0"]));
        world.register("d");
        world
    }

    /// Such a world without a model, for more children than one could keep a record of.
    pub(crate) fn large(place: &'a dyn Place) -> Self {
        World {
            is_modelled: false,
            ..World::new(place)
        }
    }

    pub(crate) fn state(&self) -> &batchyard_core::state::State {
        self.core.state()
    }

    /// The store, which has all that happened.
    pub(crate) fn store(&mut self) -> &dyn Store {
        self.commit();
        self.store.as_deref().unwrap()
    }

    /// The store as it is, without what happened since the last commit.
    pub(crate) fn raw_store(&self) -> &dyn Store {
        self.store.as_deref().unwrap()
    }

    /// Commits what happened, and checks that the store now says so.
    pub(crate) fn commit(&mut self) {
        let batch = self.take_batch();
        let store = self.raw_store();
        store.commit(&batch).unwrap();
        if self.is_modelled {
            check::check(store, &self.core, &self.model);
        }
    }

    /// What happened since the last commit, as the driver would have it committed.
    pub(crate) fn take_batch(&mut self) -> Batch {
        let changes = std::mem::take(&mut self.changes);
        let touched: BTreeSet<JobId> = changes.iter().filter_map(Change::array_touched).collect();
        let arrays = touched
            .into_iter()
            .filter_map(|id| match &self.core.state().job(id)?.body {
                Body::Array(array) => Some((id, (**array).clone())),
                Body::Waiting(_) | Body::Ready(_) | Body::MultiNode(_) => None,
            });
        Batch {
            changes,
            arrays: arrays.collect(),
            journal: std::mem::take(&mut self.journal),
            counters: self.core.state().counters(),
            events: None,
        }
    }

    /// The store is closed and opened again, and another core goes on from it.
    pub(crate) fn restart(&mut self) {
        self.commit();
        drop(self.store.take());
        let store = self.place.open();
        self.core = Core::restore(config(), store.load().unwrap()).unwrap();
        self.store = Some(store);
        self.rest();
    }

    /// Removes what ended before, a few rows at a time.
    pub(crate) fn purge(&mut self, before: Timestamp) {
        self.commit();
        self.model.purge(before);
        let store = self.raw_store();
        while store.purge(before, before, 3).unwrap() {}
        check::check(store, &self.core, &self.model);
    }

    /// Removes definitions that were deregistered before, one at a time.
    pub(crate) fn forget_definitions(&mut self, before: Timestamp) {
        self.commit();
        self.model.forget_definitions(before);
        let store = self.raw_store();
        while store.forget_definitions(before, 1).unwrap() {}
        check::check(store, &self.core, &self.model);
    }

    /// Lets an input in, and the core come to rest.
    pub(crate) fn input(&mut self, input: Input) -> Result<Reply, Rejection> {
        let mut out = Output::default();
        let reply = self.core.handle(self.now, input.clone(), &mut out)?;
        self.journal.push(JournalEntry {
            at: self.now,
            principal: matches!(input, Input::Command(_)).then(|| "arn:aws:iam::000000000000:root".into()),
            input,
        });
        self.take(out);
        self.rest();
        Ok(reply)
    }

    pub(crate) fn command(&mut self, command: Command) -> Result<Reply, Rejection> {
        self.input(Input::Command(command))
    }

    pub(crate) fn elapse(&mut self, span: Millis) {
        self.now = self.now + span;
        self.rest();
    }

    fn rest(&mut self) {
        for _ in 0..PASSES_MAX {
            if self.core.next_deadline().is_none_or(|due| due > self.now) {
                return;
            }
            let mut out = Output::default();
            self.core.advance(self.now, &mut out);
            self.take(out);
        }
        panic!("the core does not come to rest");
    }

    fn take(&mut self, out: Output) {
        for change in &out.changes {
            if self.is_modelled {
                self.model.follow(change);
            }
            if let Change::AttemptPlaced { job, attempt, .. } = change {
                self.launched.push(AttemptKey {
                    job: *job,
                    attempt: *attempt,
                });
            }
        }
        self.changes.extend(out.changes);
    }
}

/// What clients and engines do, where a test is not about their being refused.
impl World<'_> {
    pub(crate) fn create_environment(&mut self, put: PutEnvironment) {
        self.command(Command::CreateEnvironment(Box::new(put))).unwrap();
    }

    pub(crate) fn create_queue(&mut self, put: PutQueue) {
        self.command(Command::CreateQueue(Box::new(put))).unwrap();
    }

    pub(crate) fn register(&mut self, name: &str) {
        let register = RegisterDefinition {
            name: definition_name(name),
            document: document(&format!("{{\"definition\":\"{name}\"}}")),
            tags: vec![("of".to_owned(), name.to_owned())],
        };
        self.command(Command::RegisterDefinition(Box::new(register)))
            .unwrap();
    }

    pub(crate) fn submit(&mut self, submit: SubmitJob) -> JobId {
        let id = submit.id;
        self.command(Command::SubmitJob(Box::new(submit))).unwrap();
        id
    }

    /// What to say in a submission to wait for a job.
    pub(crate) fn depends_on(&self, on: JobKey, is_pairing: bool) -> DependsOn {
        DependsOn {
            on,
            is_pairing,
            ended: self.model.ended(on),
        }
    }

    pub(crate) fn stop(&mut self, job: JobKey, kind: StopKind) {
        let reason = "enough".to_owned();
        self.command(Command::StopJob { job, kind, reason }).unwrap();
    }

    /// An engine tells that it has begun with the present attempt.
    pub(crate) fn preparing(&mut self, job: JobKey) {
        self.report(job, Report::Preparing);
    }

    /// An engine tells that the present attempt has started.
    pub(crate) fn started(&mut self, job: JobKey) {
        let at = self.now;
        self.report(job, Report::Started { at });
    }

    /// An engine tells that the present attempt has ended.
    pub(crate) fn exited(&mut self, job: JobKey, exit_code: i32) {
        let at = self.now;
        self.report(
            job,
            Report::Exited {
                at,
                exit_code: Some(exit_code),
                reason: (exit_code > 128)
                    .then(|| "OutOfMemoryError: Container killed due to memory usage".to_owned()),
                containers: Vec::new(),
            },
        );
    }

    fn report(&mut self, job: JobKey, report: Report) {
        let attempt = self.state().execution(job).unwrap().attempt_number();
        let attempt = AttemptKey { job, attempt };
        self.input(Input::Report { attempt, report }).unwrap();
    }
}
