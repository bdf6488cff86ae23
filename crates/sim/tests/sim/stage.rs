//! Scripts: one command a line.
//!
//! ```text
//! host 4                                       vCPUs; only as the first line
//! start-latency SECONDS; kill-after-grace      only before all others
//! define NAME                                  a definition without history
//! submit JOB RUN [definition=NAME] [vcpus=1] [timeout=SECONDS] [array=N] [most=N] [after=JOB]    RUN: seconds, or `endless`
//! terminate JOB
//! at +5                                        seconds go by
//! play                                         all there is to happen happens
//! forecast [starts=N] [JOB:CHILD …]            what is expected of all queued jobs and of these children
//! ```

use std::collections::BTreeMap;
use std::fmt::Write as _;

use batchyard_core::Core;
use batchyard_core::change::{Change, Document, StopKind};
use batchyard_core::command::{Command, Ended, RegisterDefinition};
use batchyard_core::id::{AttemptKey, JobId, JobKey};
use batchyard_core::job::JobStatus;
use batchyard_core::name::{DefinitionName, QueueName};
use batchyard_core::resources::{Mebibytes, MilliVcpus, Resources};
use batchyard_core::state::State;
use batchyard_core::time::{Millis, Timestamp};
use batchyard_sim::forecast::{Bounds, Expected, Forecast, Moment, Unknown};
use batchyard_sim::playback::{Manners, Playback, Run, Script, Stops};
use batchyard_sim::site::Site;
use batchyard_sim::submission::{Request, Submissions, job_id};

/// When scripts begin.
const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// Plays a script and compares what it prints.
pub(crate) fn check(script: &str, expect: &expect_test::Expect) {
    expect.assert_eq(&play(script));
}

fn play(script: &str) -> String {
    let mut stage = Stage::new();
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        stage.play(line);
    }
    stage.finish()
}

/// A world in which each job runs as long as it was told.
#[derive(Default)]
struct Told {
    runs: BTreeMap<JobId, Run>,
    names: BTreeMap<JobId, String>,
    ended: BTreeMap<JobId, bool>,
    printed: String,
}

impl Told {
    fn name(&self, key: JobKey) -> String {
        let name = self.names.get(&key.id).cloned().unwrap_or_default();
        key.child.map_or(name.clone(), |child| format!("{name}:{child}"))
    }

    fn say(&mut self, now: Timestamp, key: JobKey, what: &str) {
        let (seconds, name) = (seconds(now), self.name(key));
        writeln!(self.printed, "{seconds:<4} {name} {what}").expect("a string takes everything");
    }
}

impl Script for Told {
    fn run(&mut self, _: &State, attempt: AttemptKey, _: Millis) -> Run {
        self.runs[&attempt.job.id]
    }

    fn saw(&mut self, _: &State, change: &Change, now: Timestamp) {
        match change {
            Change::AttemptPlaced { job, .. } => self.say(now, *job, "placed"),
            Change::AttemptStarted { job, .. } => self.say(now, *job, "started"),
            Change::AttemptEnded(ended) => {
                let code = ended
                    .exit_code
                    .map_or_else(|| "?".to_owned(), |code| code.to_string());
                self.say(now, ended.job, &format!("ended {code} {:?}", ended.next));
                self.ended
                    .insert(ended.job.id, ended.next.status() == JobStatus::Succeeded);
            }
            Change::JobFailed(failed) => self.say(now, failed.job, "failed"),
            _ => {}
        }
    }

    fn ended(&self, job: JobKey) -> Option<Ended> {
        let has_succeeded = self.ended.get(&job.id)?;
        let status = if *has_succeeded {
            JobStatus::Succeeded
        } else {
            JobStatus::Failed
        };
        Some(Ended { status, array: None })
    }
}

struct Stage {
    site: Site,
    manners: Manners,
    playback: Option<Playback<Told>>,
    jobs: BTreeMap<String, JobId>,
}

impl Stage {
    fn new() -> Self {
        Stage {
            site: Site::simple(4, None, 0, false),
            manners: Manners::default(),
            playback: None,
            jobs: BTreeMap::new(),
        }
    }

    fn playback(&mut self) -> &mut Playback<Told> {
        let (site, manners) = (&self.site, self.manners);
        self.playback.get_or_insert_with(|| {
            let core: Core = site.core(START).expect("the site is sound");
            Playback::new(core, START, manners, Told::default())
        })
    }

    fn print(&mut self, line: &str) {
        let printed = &mut self.playback().script_mut().printed;
        writeln!(printed, "{line}").expect("a string takes everything");
    }

    fn finish(mut self) -> String {
        std::mem::take(&mut self.playback().script_mut().printed)
    }

    fn play(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let option = |name: &str| {
            words
                .iter()
                .find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
        };
        let number = |name: &str| option(name).map(|value| value.parse::<u64>().expect("it is a number"));
        match words[..] {
            ["host", count] => {
                self.site = Site::simple(count.parse().expect("it is a number"), None, 0, false)
            }
            ["start-latency", count] => {
                self.manners.start_latency = Millis::from_seconds(count.parse().expect("it is a number"));
            }
            ["kill-after-grace"] => self.manners.stops = Stops::AfterGrace,
            ["define", name] => {
                let define = RegisterDefinition {
                    name: definition(name),
                    document: Document("{}".into()),
                    tags: Vec::new(),
                };
                let define = Command::RegisterDefinition(Box::new(define));
                self.playback().command(define).expect("it is new");
            }
            ["submit", name, run, ..] => {
                let id = job_id(
                    self.playback().now(),
                    u32::try_from(self.jobs.len()).expect("it fits"),
                );
                let run = match run {
                    "endless" => Run::Endless,
                    count => Run::Ends {
                        after: Millis::from_seconds(count.parse().expect("it is a number")),
                        exit_code: 0,
                    },
                };
                let request = Request {
                    queue: QueueName::parse("default").expect("it is a name"),
                    need: vcpus(number("vcpus").map_or(1, |count| u32::try_from(count).expect("it fits"))),
                    share: None,
                    timeout: number("timeout").map(Millis::from_seconds),
                    array_size: number("array").map(|count| u32::try_from(count).expect("it fits")),
                    array_concurrency: number("most").map(|count| u32::try_from(count).expect("it fits")),
                    attempts: 1,
                };
                let after: Vec<JobId> = option("after").iter().map(|name| self.jobs[*name]).collect();
                let mut submissions = option("definition")
                    .map_or_else(Submissions::default, |name| Submissions::of(definition(name)));
                let script = self.playback().script_mut();
                script.runs.insert(id, run);
                script.names.insert(id, name.to_owned());
                self.jobs.insert(name.to_owned(), id);
                let command = submissions.submit(id, &request, &after);
                self.playback().command(command).expect("it is sound");
                let now = self.playback().now();
                self.playback().play_until(now);
            }
            ["terminate", name] => {
                let job = JobKey::whole(self.jobs[name]);
                let stop = Command::StopJob {
                    job,
                    kind: StopKind::Terminate,
                    reason: "enough".to_owned(),
                };
                self.playback().command(stop).expect("stops are never refused");
            }
            ["at", span] => {
                let span = span
                    .strip_prefix('+')
                    .and_then(|span| span.parse().ok())
                    .expect("it is +N");
                let until = self.playback().now() + Millis::from_seconds(span);
                self.playback().play_until(until);
            }
            ["play"] => self.playback().play(),
            ["forecast", ..] => self.forecast(number("starts"), &words[1..]),
            _ => panic!("{line:?} is no command"),
        }
    }

    fn forecast(&mut self, starts: Option<u64>, words: &[&str]) {
        let bounds = starts.map_or_else(Bounds::default, |starts| Bounds {
            starts_max: usize::try_from(starts).expect("it fits"),
        });
        let (core, now) = (self.playback().core().clone(), self.playback().now());
        let forecast = Forecast::new(core.clone(), now, bounds, &|| true);
        self.print(&format!("forecast at {}:", seconds(now)));
        let (queue, _) = core.state().queues().next().expect("there is one");
        for id in forecast.in_order(queue, 100) {
            let whole = forecast.whole(id).expect("it is queued");
            let name = self.playback().script().name(JobKey::whole(id));
            let last = whole
                .last
                .map_or_else(String::new, |last| format!("; the last {}", self.written(last)));
            let first = self.written(whole.first);
            self.print(&format!("     {name} {first}{last}"));
        }
        for (name, child) in words.iter().filter_map(|word| word.split_once(':')) {
            let key = JobKey::child(self.jobs[name], child.parse().expect("it is a number"));
            let expected = self.written(forecast.of(key).expect("it is queued"));
            self.print(&format!("     {name}:{child} {expected}"));
        }
    }

    fn written(&mut self, expected: Expected) -> String {
        let moment = |moment| match moment {
            Moment::At(at) => seconds(at).to_string(),
            Moment::NotBefore(at) => format!("≥{}", seconds(at)),
        };
        match expected {
            Expected::Start { p50, p90, basis } => {
                let basis = [
                    (basis.has_runs, " runs"),
                    (basis.has_timeouts, " timeouts"),
                    (basis.has_endless, " endless"),
                ];
                let basis: String = basis
                    .iter()
                    .filter(|(is, _)| *is)
                    .map(|(_, word)| *word)
                    .collect();
                format!("{}, {};{basis}", moment(p50), moment(p90))
            }
            Expected::Unknown(Unknown::Endless(key)) => {
                format!("unknown, for {}", self.playback().script().name(key))
            }
            Expected::Unknown(Unknown::Never) => "never".to_owned(),
        }
    }
}

fn seconds(at: Timestamp) -> u64 {
    at.since(START).as_millis() / 1000
}

fn vcpus(count: u32) -> Resources {
    Resources {
        vcpus: MilliVcpus::whole(count),
        memory: Mebibytes(u64::from(count)),
        gpus: 0,
    }
}

fn definition(name: &str) -> DefinitionName {
    DefinitionName::parse(name).expect("it is a name")
}
