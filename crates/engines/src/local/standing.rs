//! What is known of attempts from the last recovery on, until they are forgotten.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard};

use batchyard_core::id::AttemptKey;
use batchyard_core::time::Millis;
use batchyard_runtime::engine::{CurrentAttempt, RunnerKind};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Attempts(Mutex<BTreeMap<AttemptKey, Held>>);

#[derive(Clone, Copy, Debug)]
struct Held {
    was_started: bool,
    kind: Option<RunnerKind>,
    standing: Standing,
}

/// Whether a part has an attempt.
#[derive(Clone, Copy, Debug)]
enum Standing {
    /// One has, or was asked to launch it.
    Known,
    /// Who could have it has not answered yet; a stop was perhaps ordered meanwhile.
    Unclear(Option<Millis>),
    /// None has it.
    Missing,
}

/// What a stop comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stopped {
    /// Whoever has the attempt is to be asked.
    IsThere,
    /// Nobody has it, and it never started.
    NeverWas,
    /// It is done when it is clear who has it; or there is nothing to do, as it was told lost.
    Later,
}

/// What nobody has.
#[derive(Debug, Default)]
pub(super) struct Missing {
    /// Was started.
    pub(super) lost: Vec<AttemptKey>,
    /// Was to be stopped, and never started.
    pub(super) stopped_before: Vec<AttemptKey>,
}

impl Attempts {
    fn held(&self) -> MutexGuard<'_, BTreeMap<AttemptKey, Held>> {
        self.0.lock().expect("nobody panics with the attempts")
    }

    /// Nothing is known yet of these, and of others nothing any more.
    pub(super) fn begin(&self, current: &[CurrentAttempt]) {
        let held = |current: &CurrentAttempt| {
            let CurrentAttempt {
                attempt,
                was_started,
                kind,
            } = *current;
            let held = Held {
                was_started,
                kind,
                standing: Standing::Unclear(None),
            };
            (attempt, held)
        };
        *self.held() = current.iter().map(held).collect();
    }

    /// A part is asked to launch this one: it has it from now on.
    pub(super) fn launched(&self, attempt: AttemptKey, kind: RunnerKind) {
        let mut attempts = self.held();
        let held = attempts.entry(attempt).or_insert(Held {
            was_started: false,
            kind: Some(kind),
            standing: Standing::Known,
        });
        held.standing = Standing::Known;
    }

    /// Whether a part has this one, or was asked to launch it.
    pub(super) fn is_known(&self, attempt: AttemptKey) -> bool {
        let attempts = self.held();
        let held = attempts.get(&attempt);
        held.is_some_and(|held| matches!(held.standing, Standing::Known))
    }

    pub(super) fn stop(&self, attempt: AttemptKey, grace: Millis) -> Stopped {
        let mut attempts = self.held();
        let Some(held) = attempts.get_mut(&attempt) else {
            return Stopped::IsThere;
        };
        match &mut held.standing {
            Standing::Known => Stopped::IsThere,
            Standing::Missing if held.was_started => Stopped::Later,
            Standing::Missing => Stopped::NeverWas,
            Standing::Unclear(stop) => {
                // The first counts, so that a repeated order gives no new grace.
                stop.get_or_insert(grace);
                Stopped::Later
            }
        }
    }

    pub(super) fn forget(&self, attempt: AttemptKey) {
        self.held().remove(&attempt);
    }

    /// What the containers' part is to compare with: all that may be its own.
    pub(super) fn of_containers(&self) -> Vec<CurrentAttempt> {
        let attempts = self.held();
        let own = attempts
            .iter()
            .filter(|(_, held)| held.kind != Some(RunnerKind::Process));
        let current = |(attempt, held): (&AttemptKey, &Held)| CurrentAttempt {
            attempt: *attempt,
            was_started: held.was_started,
            kind: held.kind,
        };
        own.map(current).collect()
    }

    /// A part has these; those of them that were to be stopped meanwhile.
    pub(super) fn found(&self, known: &BTreeSet<AttemptKey>) -> Vec<(AttemptKey, Millis)> {
        let mut attempts = self.held();
        let mut stops = Vec::new();
        for attempt in known {
            let Some(held) = attempts.get_mut(attempt) else {
                continue;
            };
            if let Standing::Unclear(Some(grace)) = held.standing {
                stops.push((*attempt, grace));
            }
            held.standing = Standing::Known;
        }
        stops
    }

    /// How many attempts it is not clear of who has them.
    pub(super) fn unclear(&self) -> usize {
        let attempts = self.held();
        let is_unclear = |held: &&Held| matches!(held.standing, Standing::Unclear(_));
        attempts.values().filter(is_unclear).count()
    }

    /// All that could have attempts of these kinds have answered: what is still unclear among them is missing.
    pub(super) fn settle(&self, is_settled: impl Fn(Option<RunnerKind>) -> bool) -> Missing {
        let mut missing = Missing::default();
        for (attempt, held) in self.held().iter_mut() {
            let Standing::Unclear(stop) = held.standing else {
                continue;
            };
            if !is_settled(held.kind) {
                continue;
            }
            held.standing = Standing::Missing;
            if held.was_started {
                missing.lost.push(*attempt);
            } else if stop.is_some() {
                missing.stopped_before.push(*attempt);
            }
        }
        missing
    }
}
