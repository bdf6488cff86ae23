//! Scripts: one command a line, or several with `;` between them.
//!
//! ```text
//! host vcpus=4 memory=8192 gpus=0              only as the first line; these are the defaults
//! environment NAME shared [max=4] [said=VCPUS] [disabled] [invalid] [platform=fargate] [spot]
//! environment NAME types=m5.large,m5.xlarge [choice=ordered|progressive|roomiest] [min=0] [desired=0] [max=4] [idle=60]
//! environment NAME unit=ml.m5.large:2 […]      a service environment; elsewhere it is called service-environment/NAME
//! queue NAME [priority=1] [disabled] [policy=NAME] [limit=capacity:SECONDS] [limit=maximum:SECONDS] [limit=requirement:SECONDS] [most=N] [backfill] [depth=N]
//!        ENVIRONMENT …
//! item scheduling-policy/NAME [quota] [decay=SECONDS] [reserve=PERCENT] [weights=SHARE:0.5,PREFIX*:2]
//! item consumable-resource/NAME [total=1] [burns]
//! item job-queue/QUEUE/quota-share/NAME [unit=ml.m5.large:2 …] [lend] [borrow=PERCENT|all] [preempt] [disabled]
//! update environment …; update queue …; update item …    [version=N]: the present version unless given
//! update environment NAME … renew=SECONDS       an infrastructure update
//! delete environment NAME; delete queue NAME; delete item PATH
//! submit JOB QUEUE [vcpus=1] [memory=512] [gpus=0] [attempts=1] [timeout=SECONDS] [array=N] [sequential] [after=JOB,JOB:0]
//!        [token=TOKEN:DIGEST] [life=SECONDS] [fails=REASON] [pair=JOB] [platform=fargate] [share=NAME] [take=CONSUMABLE:1] [exit-on=code:1] [retry-on=status:Host*]
//!        [priority=N] [definition=NAME] [most=N] [nodes=N] [main=0] [other-vcpus=1] [type=m5.large]
//! submit JOB QUEUE unit=ml.m5.large:1 [gpus=0] [quota=NAME] [priority=N] [preemptions=N] [share=NAME] [attempts=1] …       a service job
//! terminate-service JOB; prioritize JOB 5
//! interrupt JOB [notice=SECONDS]; interrupt-instance NUMBER [notice=SECONDS]
//! started JOB; exited JOB CODE; not-started JOB REASON; lost JOB      JOB is a, a:0 for a child or node, a#1 for a past attempt
//! cancel JOB; terminate JOB; register DEFINITION
//! tag job/JOB most=N; tag job-queue/NAME [most=N] [backfill] [depth=N]; untag PATH KEY …
//! at +5                                        seconds go by
//! show; explain JOB; snapshot QUEUE
//! ```

use std::collections::BTreeMap;
use std::fmt::Write as _;

use std::sync::Arc;

use batchyard_core::change::{Change, StopKind};
use batchyard_core::command::{Command, DependsOn, Ended, Input, RegisterDefinition, SubmitJob};
use batchyard_core::explain::explain;
use batchyard_core::id::{AttemptKey, InstanceId, JobKey};
use batchyard_core::job::JobStatus;
use batchyard_core::name::DefinitionName;
use batchyard_core::reason::StatusReason;
use batchyard_core::report::{ContainerEnd, Report};
use batchyard_core::resources::{Mebibytes, Resources};
use batchyard_core::snapshot::{QueueSnapshot, Ranked};
use batchyard_core::state::Stored;
use batchyard_core::time::{Millis, Timestamp};
use batchyard_core::token::ClientToken;
use batchyard_core::{Core, CoreConfig, Output};

use crate::put::{
    content, definition, document, environment_name, item_key, profile, put_environment, put_item, put_queue,
    queue_name, tags,
};
use crate::show::Names;
use crate::words::Words;

/// When scripts begin.
const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// Passes after which the core must have come to rest.
const PASSES_MAX: usize = 10_000;

/// Plays a script and compares what it prints.
pub(crate) fn check(script: &str, expect: &expect_test::Expect) {
    expect.assert_eq(&play(script));
}

/// Plays a script; what it prints.
pub(crate) fn play(script: &str) -> String {
    let mut stage = Stage::new(script);
    let lines = script.lines().map(str::trim).filter(|line| !line.is_empty());
    for line in lines {
        writeln!(stage.printed, "> {line}").expect("a string takes everything");
        for command in line.split(';') {
            stage.play(&Words::of(command));
        }
    }
    stage.printed
}

struct Stage {
    core: Core,
    now: Timestamp,
    names: Names,
    /// How jobs ended, as a client would look it up in the store.
    ended: BTreeMap<JobKey, Ended>,
    printed: String,
}

impl Stage {
    fn new(script: &str) -> Self {
        let first = script.trim_start().lines().next().unwrap_or_default();
        let words = Words::of(if first.starts_with("host") { first } else { "" });
        let host = Resources {
            vcpus: words.milli("vcpus", 4_000),
            memory: Mebibytes(words.number("memory", 8_192)),
            gpus: words.number("gpus", 0),
        };
        let core = Core::restore(CoreConfig::new(host), Stored::default()).expect("nothing is stored");
        let mut stage = Stage {
            core,
            now: START,
            names: Names::default(),
            ended: BTreeMap::new(),
            printed: String::new(),
        };
        let register = RegisterDefinition {
            name: definition(),
            document: document(),
            tags: Vec::new(),
        };
        let register = Input::Command(Command::RegisterDefinition(Box::new(register)));
        let mut out = Output::default();
        stage
            .core
            .handle(stage.now, register, &mut out)
            .expect("nothing is registered yet");
        stage
    }

    fn play(&mut self, words: &Words) {
        match (words.at(0), words.at(1)) {
            ("host", _) => {}
            ("environment", name) => self.command(Command::CreateEnvironment(put_environment(name, words))),
            ("queue", name) => self.command(Command::CreateQueue(put_queue(name, words, 2))),
            ("update", "environment") => {
                let put = put_environment(words.at(2), words);
                let known = self.core.state().environment_named(&put.name);
                let version =
                    words.number("version", known.map_or(1, |(_, environment)| environment.version));
                let renewal = words
                    .value("renew")
                    .map(|seconds| Millis::from_seconds(seconds.parse().expect("a number of seconds")));
                self.command(Command::UpdateEnvironment {
                    put,
                    version,
                    renewal,
                });
            }
            ("update", "queue") => {
                let put = put_queue(words.at(2), words, 3);
                let known = self.core.state().queue_named(&put.name);
                let version = words.number("version", known.map_or(1, |(_, queue)| queue.version));
                self.command(Command::UpdateQueue { put, version });
            }
            ("delete", "environment") => {
                self.command(Command::DeleteEnvironment(environment_name(words.at(2))))
            }
            ("item", path) => self.command(Command::CreateItem(put_item(path, words))),
            ("update", "item") => {
                let put = put_item(words.at(2), words);
                let known = self.core.state().item(&put.key);
                let version = words.number("version", known.map_or(1, |item| item.version));
                self.command(Command::UpdateItem { put, version });
            }
            ("delete", "item") => self.command(Command::DeleteItem(item_key(words.at(2)))),
            ("delete", "queue") => self.command(Command::DeleteQueue(queue_name(words.at(2)))),
            ("submit", name) => self.submit(name, words),
            ("terminate-service", job) => self.command(Command::StopServiceJob {
                job: self.names.key(job).id,
                reason: "enough".to_owned(),
            }),
            ("interrupt", job) => self.command(Command::InterruptJob {
                job: self.names.key(job),
                notice: Millis::from_seconds(words.number("notice", 0)),
            }),
            ("interrupt-instance", number) => self.command(Command::InterruptInstance {
                instance: InstanceId(number.parse().expect("a number")),
                notice: Millis::from_seconds(words.number("notice", 0)),
            }),
            ("prioritize", job) => self.command(Command::PrioritizeServiceJob {
                job: self.names.key(job).id,
                priority: words.at(2).parse().expect("a priority"),
            }),
            ("tag", path) => self.command(Command::ChangeTags {
                resource: self.resource(path),
                set: tags(words),
                removed: Vec::new(),
            }),
            ("untag", path) => self.command(Command::ChangeTags {
                resource: self.resource(path),
                set: Vec::new(),
                removed: words.plain().skip(2).map(str::to_owned).collect(),
            }),
            ("register", name) => self.command(Command::RegisterDefinition(Box::new(RegisterDefinition {
                name: DefinitionName::parse(name).expect("it is a name"),
                document: document(),
                tags: Vec::new(),
            }))),
            ("cancel", job) => self.stop(job, StopKind::Cancel),
            ("terminate", job) => self.stop(job, StopKind::Terminate),
            ("at", time) => {
                let seconds = time.trim_start_matches('+').parse().expect("a number of seconds");
                self.now = self.now + Millis::from_seconds(seconds);
                self.rest();
            }
            ("show", _) => self.show(),
            ("snapshot", queue) => self.snapshot(queue),
            ("explain", job) => {
                let explanation = explain(self.core.state(), self.names.key(job), self.now);
                let text = explanation.map_or("it is not live\n".to_owned(), |one| one.to_string());
                self.print_lines(&text);
            }
            (fact, job) => self.report(fact, job, words),
        }
    }

    /// `job/a` with the job's identifier; other paths as they are.
    fn resource(&self, path: &str) -> String {
        match path.strip_prefix("job/") {
            Some(name) => format!("job/{}", self.names.key(name).id),
            None => path.to_owned(),
        }
    }

    fn submit(&mut self, name: &str, words: &Words) {
        let id = self.names.add(name, self.now);
        let depends_on = |on: &str, is_pairing| {
            let on = self.names.key(on);
            let ended = self.ended.get(&on).cloned();
            DependsOn {
                on,
                is_pairing,
                ended,
            }
        };
        let after = words.list("after").into_iter().map(|on| depends_on(on, false));
        let paired = words.list("pair").into_iter().map(|on| depends_on(on, true));
        let submit = SubmitJob {
            id,
            queue: queue_name(words.at(2)),
            profile: Arc::new(profile(words)),
            array_size: words
                .value("array")
                .map(|size| size.parse().expect("a number of children")),
            is_sequential: words.has("sequential"),
            dependencies: after.chain(paired).collect(),
            content: content(name, words),
            token: words.value("token").map(|text| {
                let (token, digest) = text.split_once(':').unwrap_or((text, "0"));
                ClientToken {
                    token: token.into(),
                    digest: [digest.parse().expect("a small number"); 16],
                    life: Millis::from_seconds(words.number("life", 86_400)),
                }
            }),
            failure: words
                .value("fails")
                .map(|reason| StatusReason::given(reason.replace('_', " "))),
        };
        self.command(Command::SubmitJob(Box::new(submit)));
    }

    fn stop(&mut self, job: &str, kind: StopKind) {
        let reason = match kind {
            StopKind::Cancel => "not needed",
            StopKind::Terminate => "enough",
        };
        self.command(Command::StopJob {
            job: self.names.key(job),
            kind,
            reason: reason.to_owned(),
        });
    }

    fn report(&mut self, fact: &str, name: &str, words: &Words) {
        let at = self.now;
        let report = match fact {
            "preparing" => Report::Preparing,
            "started" => Report::Started { at },
            "exited" => Report::Exited {
                at,
                exit_code: words.at(2).parse().ok(),
                reason: None,
                containers: container_ends(words),
            },
            "not-started" => Report::NotStarted {
                at,
                reason: words.at(2).to_owned(),
                containers: container_ends(words),
            },
            "lost" => Report::Lost { at },
            other => panic!("{other:?} is not a command"),
        };
        let (job, attempt) = match name.split_once('#') {
            Some((job, attempt)) => (self.names.key(job), attempt.parse().expect("an attempt's number")),
            None => {
                let job = self.names.key(name);
                let execution = self.core.state().execution(job);
                (
                    job,
                    execution.map_or(1, batchyard_core::job::Execution::attempt_number),
                )
            }
        };
        let attempt = AttemptKey { job, attempt };
        self.input(Input::Report { attempt, report });
    }

    fn command(&mut self, command: Command) {
        self.input(Input::Command(command));
    }

    fn input(&mut self, input: Input) {
        let mut out = Output::default();
        if let Err(rejection) = self.core.handle(self.now, input, &mut out) {
            let text = self.names.shorten(&rejection.to_string());
            self.print_lines(&format!("refused: {text}"));
        }
        self.print(&out);
        self.rest();
    }

    /// Has the core do all that is due.
    fn rest(&mut self) {
        for _ in 0..PASSES_MAX {
            if self.core.next_deadline().is_none_or(|due| due > self.now) {
                return;
            }
            let mut out = Output::default();
            self.core.advance(self.now, &mut out);
            self.print(&out);
        }
        panic!("the core does not come to rest");
    }

    fn print(&mut self, out: &Output) {
        for change in &out.changes {
            self.note_end(change);
            let line = self.names.change(change);
            self.print_lines(&line);
        }
        for effect in &out.effects {
            let line = self.names.effect(effect);
            self.print_lines(&line);
        }
    }

    fn note_end(&mut self, change: &Change) {
        let (key, has_succeeded, array) = match change {
            Change::AttemptEnded(ended) if ended.next.status().is_terminal() => {
                (ended.job, ended.next.status() == JobStatus::Succeeded, None)
            }
            Change::GangEnded(ended) if ended.end.next.status().is_terminal() => {
                let has_succeeded = ended.end.next.status() == JobStatus::Succeeded;
                (JobKey::whole(ended.job), has_succeeded, None)
            }
            Change::JobFailed(failed) => (failed.job, false, None),
            Change::ArrayEnded(ended) => {
                let array = Some((ended.array.size, ended.array.succeeded.clone()));
                (JobKey::whole(ended.job), ended.has_succeeded, array)
            }
            _ => return,
        };
        let status = if has_succeeded {
            JobStatus::Succeeded
        } else {
            JobStatus::Failed
        };
        self.ended.insert(key, Ended { status, array });
    }

    /// All that lives: jobs in order of submission with their states, environments with what they hold.
    fn show(&mut self) {
        let state = self.core.state();
        let mut lines = String::new();
        for (_, environment) in state.environments() {
            let text = crate::show::environment(environment);
            writeln!(lines, "{text}").expect("a string takes everything");
        }
        let mut jobs: Vec<_> = state.jobs().collect();
        jobs.sort_by_key(|(_, job)| job.sequence);
        for (id, job) in jobs {
            writeln!(lines, "{}", self.names.job(id, job)).expect("a string takes everything");
        }
        self.print_lines(&lines);
    }

    /// The front of a queue, with the seconds from the script's start at which each job came to its place, and what the queue uses.
    fn snapshot(&mut self, queue: &str) {
        let (id, _) = self
            .core
            .state()
            .queue_named(&queue_name(queue))
            .expect("it exists");
        let QueueSnapshot {
            front,
            usage,
            active_shares,
            quota_fronts,
            quota_usage,
        } = self.core.snapshot(id, self.now);
        let mut lines = String::new();
        for Ranked { job, since } in front {
            let seconds = (since.as_millis() - START.as_millis()) / 1_000;
            writeln!(lines, "{job} since +{seconds}").expect("a string takes everything");
        }
        for (share, held) in usage {
            let share = share.as_deref().unwrap_or("queue");
            writeln!(lines, "{share} uses {held}").expect("a string takes everything");
        }
        if let Some(count) = active_shares {
            writeln!(lines, "{count} active shares").expect("a string takes everything");
        }
        for (share, Ranked { job, since: _ }) in quota_fronts {
            writeln!(lines, "{share}: {job}").expect("a string takes everything");
        }
        for (share, units) in quota_usage {
            let units: Vec<String> = units
                .iter()
                .map(|(unit, held)| format!("{held} {unit}"))
                .collect();
            writeln!(lines, "{share} holds {}", units.join(", ")).expect("a string takes everything");
        }
        self.print_lines(&lines);
    }

    fn print_lines(&mut self, text: &str) {
        for line in self.names.shorten(text).lines() {
            writeln!(self.printed, "    {line}").expect("a string takes everything");
        }
    }
}

/// `containers=app:3,side:-`: names with exit codes, or without.
fn container_ends(words: &Words) -> Vec<ContainerEnd> {
    let end = |text: &str| {
        let (name, code) = text.split_once(':').expect("a name and an exit code");
        ContainerEnd {
            name: name.to_owned(),
            exit_code: code.parse().ok(),
            reason: None,
            has_started: code != "-",
        }
    };
    words.list("containers").into_iter().map(end).collect()
}
