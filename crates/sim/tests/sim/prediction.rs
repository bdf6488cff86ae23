//! How good predictions are: exact where all is known, and measured where it is not.

use std::collections::BTreeMap;

use batchyard_core::change::{Change, Document};
use batchyard_core::command::{Command, Ended, RegisterDefinition};
use batchyard_core::id::{AttemptKey, JobId, JobKey};
use batchyard_core::job::JobStatus;
use batchyard_core::name::{DefinitionName, QueueName};
use batchyard_core::resources::{Mebibytes, MilliVcpus, Resources};
use batchyard_core::state::State;
use batchyard_core::time::{Millis, Timestamp};
use batchyard_sim::forecast::{Bounds, Expected, Forecast, Moment};
use batchyard_sim::playback::{Manners, Playback, Run, Script};
use batchyard_sim::site::Site;
use batchyard_sim::submission::{Request, Submissions, job_id, number_of};
use proptest::prelude::*;

const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// vCPUs of the host.
const VCPUS: u32 = 4;

/// A job that will be submitted.
#[derive(Clone, Debug)]
struct Planned {
    after_ms: u64,
    /// One of four definitions.
    definition: u8,
    run_ms: u64,
    vcpus: u32,
    timeout_ms: Option<u64>,
    array_size: Option<u32>,
    /// How many jobs before it the one is that it waits for.
    waits_for: Option<u32>,
}

/// A world that submits what was planned, and remembers when what started.
struct World {
    planned: Vec<Planned>,
    submissions: Vec<Submissions>,
    next: usize,
    at: Timestamp,
    ids: Vec<JobId>,
    starts: BTreeMap<JobKey, Timestamp>,
    ended: BTreeMap<JobId, JobStatus>,
}

impl World {
    fn new(planned: Vec<Planned>) -> Self {
        let at = planned
            .first()
            .map_or(START, |first| START + Millis::new(first.after_ms));
        let definitions = (0..4).map(|number| Submissions::of(definition(number)));
        World {
            planned,
            submissions: definitions.collect(),
            next: 0,
            at,
            ids: Vec::new(),
            starts: BTreeMap::new(),
            ended: BTreeMap::new(),
        }
    }
}

impl Script for World {
    fn run(&mut self, _: &State, attempt: AttemptKey, _: Millis) -> Run {
        let planned =
            &self.planned[usize::try_from(number_of(attempt.job.id)).expect("it is as the test made it")];
        Run::Ends {
            after: Millis::new(planned.run_ms),
            exit_code: 0,
        }
    }

    fn saw(&mut self, state: &State, change: &Change, now: Timestamp) {
        match change {
            Change::AttemptPlaced { job, .. } => {
                self.starts.insert(*job, now);
            }
            Change::AttemptEnded(ended) if state.job(ended.job.id).is_none() => {
                self.ended.insert(ended.job.id, ended.next.status());
            }
            Change::ArrayEnded(ended) => {
                self.ended.insert(ended.job, JobStatus::Succeeded);
            }
            _ => {}
        }
    }

    fn next_arrival(&self) -> Option<Timestamp> {
        (self.next < self.planned.len()).then_some(self.at)
    }

    fn arrive(&mut self, now: Timestamp) -> Option<Command> {
        let planned = self.planned.get(self.next).filter(|_| self.at <= now)?;
        let id = job_id(now, u32::try_from(self.next).expect("it is as the test made it"));
        self.ids.push(id);
        self.next += 1;
        if let Some(next) = self.planned.get(self.next) {
            self.at = now + Millis::new(next.after_ms);
        }
        let request = Request {
            queue: QueueName::parse("default").expect("it is as the test made it"),
            need: Resources {
                vcpus: MilliVcpus::whole(planned.vcpus),
                memory: Mebibytes(1),
                gpus: 0,
            },
            share: None,
            timeout: planned.timeout_ms.map(Millis::new),
            array_size: planned.array_size,
            array_concurrency: None,
            attempts: 1,
        };
        let before = planned.waits_for.and_then(|back| {
            self.ids
                .len()
                .checked_sub(2 + usize::try_from(back).expect("it is as the test made it"))
        });
        let after: Vec<JobId> = before.iter().map(|index| self.ids[*index]).collect();
        Some(self.submissions[usize::from(planned.definition)].submit(id, &request, &after))
    }

    fn ended(&self, job: JobKey) -> Option<Ended> {
        let status = *self.ended.get(&job.id)?;
        Some(Ended { status, array: None })
    }
}

fn definition(number: u8) -> DefinitionName {
    DefinitionName::parse(&format!("definition-{number}")).expect("it is as the test made it")
}

fn playback(planned: Vec<Planned>) -> Playback<World> {
    let site = Site::simple(VCPUS, None, 0, false);
    let mut playback = Playback::new(
        site.core(START).expect("it is as the test made it"),
        START,
        Manners::default(),
        World::new(planned),
    );
    for number in 0..4 {
        let define = RegisterDefinition {
            name: definition(number),
            document: Document("{}".into()),
            tags: Vec::new(),
        };
        playback
            .command(Command::RegisterDefinition(Box::new(define)))
            .expect("it is as the test made it");
    }
    playback
}

/// What was forecast of each job or child that had not started.
fn forecast(playback: &Playback<World>) -> BTreeMap<JobKey, Expected> {
    let core = playback.core();
    let forecast = Forecast::new(core.clone(), playback.now(), Bounds::default(), &|| true);
    let mut expected = BTreeMap::new();
    for (id, job) in core.state().jobs() {
        let children = match &job.body {
            batchyard_core::job::Body::Array(array) => {
                (0..array.size).map(|child| JobKey::child(id, child)).collect()
            }
            _ => vec![JobKey::whole(id)],
        };
        for key in children {
            if matches!(
                core.state().status(key),
                Some(JobStatus::Pending | JobStatus::Runnable)
            ) {
                expected.insert(key, forecast.of(key).expect("it is queued"));
            }
        }
    }
    expected
}

fn planned() -> impl Strategy<Value = Planned> {
    (
        0_u64..20_000,
        0_u8..4,
        1_u32..=VCPUS,
        prop::option::weighted(0.3, 2_u32..6),
        prop::option::weighted(0.3, 0_u32..4),
        any::<bool>(),
    )
        .prop_map(
            |(after_ms, definition, vcpus, array_size, waits_for, has_timeout)| {
                // Each definition always runs equally long: its history tells all.
                let run_ms = 5_000 + 7_000 * u64::from(definition);
                Planned {
                    after_ms,
                    definition,
                    run_ms,
                    vcpus,
                    timeout_ms: has_timeout.then_some(run_ms + 1_000),
                    array_size,
                    waits_for,
                }
            },
        )
}

proptest! {
    #[test]
    fn with_known_run_times_and_no_later_arrivals_forecasts_are_exact(
        jobs in prop::collection::vec(planned(), 1..25),
        moments in prop::collection::vec(0_u64..120_000, 1..4),
    ) {
        // One of each definition first, alone, so that all have a history.
        let mut all: Vec<Planned> = (0..4).map(|definition| Planned {
            after_ms: 60_000,
            definition,
            run_ms: 5_000 + 7_000 * u64::from(definition),
            vcpus: 1,
            timeout_ms: None,
            array_size: None,
            waits_for: None,
        }).collect();
        let mut jobs = jobs;
        jobs[0].after_ms = 60_000;
        all.extend(jobs);
        let mut playback = playback(all);
        while playback.script().next_arrival().is_some() {
            playback.step();
        }
        let mut forecasts = vec![forecast(&playback)];
        let mut moments = moments;
        moments.sort_unstable();
        let last_arrival = playback.now();
        for moment in moments {
            playback.play_until(last_arrival + Millis::new(moment));
            forecasts.push(forecast(&playback));
        }
        playback.play();
        for (key, expected) in forecasts.iter().flatten() {
            let at = Moment::At(playback.script().starts[key]);
            let is_exact = matches!(expected, Expected::Start { p50, p90, .. } if *p50 == at && *p90 == at);
            prop_assert!(is_exact, "{key} started {at:?}, and was expected {expected:?}");
        }
    }
}

/// Prints how far forecasts are off where run times scatter and jobs go on arriving. Nothing of that must hold, so nothing is asserted
/// but that something was compared.
#[test]
fn the_error_of_forecasts_is_measured() {
    let mut random = Random(42);
    let jobs = (0..400).map(|_| {
        let definition = u8::try_from(random.below(4)).expect("it is as the test made it");
        // Between a quarter and four times the definition's usual time, in the mean of logarithms just that.
        let factor = 2_f64.powf(random.unit() * 4.0 - 2.0);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "some seconds"
        )]
        let run_ms = ((20_000 << definition) as f64 * factor) as u64;
        Planned {
            after_ms: random.below(30_000),
            definition,
            run_ms,
            vcpus: 1 + u32::try_from(random.below(2)).expect("it is as the test made it"),
            timeout_ms: None,
            array_size: None,
            waits_for: (random.below(10) == 0).then_some(3),
        }
    });
    let mut playback = playback(jobs.collect());
    let mut forecasts = Vec::new();
    for moment in 1..=20 {
        playback.play_until(START + Millis::from_seconds(moment * 280));
        forecasts.push((playback.now(), forecast(&playback)));
    }
    playback.play();
    let (mut errors, mut waits, mut within, mut unknown) = (Vec::new(), Vec::new(), 0, 0);
    for (made_at, forecast) in &forecasts {
        for (key, expected) in forecast {
            let at = playback.script().starts[key];
            match expected {
                Expected::Start {
                    p50: Moment::At(p50),
                    p90: Moment::At(p90),
                    ..
                } => {
                    errors.push((at.as_millis() - p50.as_millis()).unsigned_abs() / 1000);
                    waits.push(at.since(*made_at).as_millis() / 1000);
                    within += usize::from(at <= *p90);
                }
                _ => unknown += 1,
            }
        }
    }
    errors.sort_unstable();
    waits.sort_unstable();
    assert!(!errors.is_empty());
    println!(
        "{} predictions, {unknown} of nothing known: median wait {} s, median absolute error {} s, nine of ten within {} s; {} % started by p90",
        errors.len(),
        waits[waits.len() / 2],
        errors[errors.len() / 2],
        errors[errors.len() * 9 / 10],
        within * 100 / errors.len(),
    );
}

/// Numbers that look random and are the same each time (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn unit(&mut self) -> f64 {
        f64::from(u32::try_from(self.next() >> 32).expect("it is as the test made it")) / f64::from(u32::MAX)
    }
}
