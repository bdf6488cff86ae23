//! The Standard Workload Format of the Parallel Workloads Archive: a line for each job, 18 numbers, -1 for unknown; comments with `;`.
//!
//! The format is described at <https://www.cs.huji.ac.il/labs/parallel/workload/swf.html>. Of the fields these are used: submit time,
//! run time, processors (as requested, else as allocated), requested time, memory per processor (as requested, else as used), status, user,
//! group, executable, queue, partition, and preceding job with think time. Jobs that never ran in the trace, or whose size is not known, are
//! left out.

use std::collections::BTreeMap;
use std::io::BufRead;

use batchyard_core::job::ShareClaim;
use batchyard_core::name::{DefinitionName, QueueName};
use batchyard_core::resources::{Mebibytes, MilliVcpus, Resources};
use batchyard_core::time::{Millis, Timestamp};

use super::error::milliseconds;
use super::{Job, Place, Workload, WorkloadError};
use crate::limits::{JOBS_MAX, PROCESSORS_MAX};

/// The fields of a line, in order.
const FIELDS: [&str; 18] = [
    "job number",
    "submit time",
    "wait time",
    "run time",
    "allocated processors",
    "average CPU time",
    "used memory",
    "requested processors",
    "requested time",
    "requested memory",
    "status",
    "user",
    "group",
    "executable",
    "queue",
    "partition",
    "preceding job",
    "think time",
];

/// What becomes of a trace's users, groups and queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct SwfOptions {
    /// Whose shares the jobs are counted for.
    pub share_by: Option<ShareBy>,
    /// Which queue they go to; `None` is the site's first.
    pub queue_by: Option<QueueBy>,
}

/// A number of the trace that is taken for a share identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShareBy {
    /// `user7`.
    User,
    /// `group7`.
    Group,
    /// `queue7`.
    Queue,
}

/// A number of the trace that is taken for a queue's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueBy {
    /// `queue7`.
    Queue,
    /// `partition7`.
    Partition,
}

/// Reads a trace. `file` is what errors call it.
///
/// # Errors
/// At the first line that is none of the format, with its number and the field.
pub fn read(input: impl BufRead, file: &str, options: SwfOptions) -> Result<Workload, WorkloadError> {
    let mut trace = Trace {
        options,
        epoch_ms: 0,
        jobs: Vec::new(),
        unknown: 0,
        never_ran: 0,
        partial: 0,
        vcpus: None,
    };
    for (line, text) in (1..).zip(input.lines()) {
        let place = || Place {
            file: file.to_owned(),
            line,
        };
        let text = text.map_err(|source| WorkloadError::Read {
            place: place(),
            source,
        })?;
        let text = text.trim();
        match text.strip_prefix(';') {
            Some(comment) => trace.comment(comment),
            None if text.is_empty() => {}
            None => trace.job(text, &place)?,
        }
    }
    trace.finish(file)
}

struct Trace {
    options: SwfOptions,
    /// What times count from.
    epoch_ms: u64,
    /// With their numbers and those of the jobs they follow.
    jobs: Vec<(i64, Option<i64>, Job)>,
    unknown: usize,
    never_ran: usize,
    partial: usize,
    vcpus: Option<u32>,
}

/// What the status of a job says.
mod status {
    pub(super) const FAILED: i64 = 0;
    /// Lines of a job that was swapped out, one for each part, besides a line for all of it.
    pub(super) const PARTS: std::ops::RangeInclusive<i64> = 2..=4;
    pub(super) const CANCELLED: i64 = 5;
}

/// Exit code of a job that failed in the trace, which does not say which it was.
const EXIT_FAILED: u8 = 1;

/// Exit code of a job that was cancelled while it ran: 128 and SIGTERM.
const EXIT_CANCELLED: u8 = 143;

impl Trace {
    /// Takes from a header what means something: `MaxProcs: 128`.
    fn comment(&mut self, comment: &str) {
        let Some((name, value)) = comment.split_once(':') else {
            return;
        };
        let value = value.split_whitespace().next().unwrap_or_default();
        let processors = value.parse().ok();
        let processors = processors.filter(|count| (1..=PROCESSORS_MAX).contains(&i64::from(*count)));
        match name.trim() {
            "MaxProcs" => self.vcpus = processors.or(self.vcpus),
            // Traces of machines with one processor a node name the nodes only.
            "MaxNodes" => self.vcpus = self.vcpus.or(processors),
            "UnixStartTime" => self.epoch_ms = milliseconds(value).unwrap_or(0),
            _ => {}
        }
    }

    fn job(&mut self, text: &str, place: &dyn Fn() -> Place) -> Result<(), WorkloadError> {
        let line = Line::parse(text, place)?;
        if self.jobs.len() >= JOBS_MAX {
            return Err(WorkloadError::TooMany {
                place: place(),
                max: JOBS_MAX,
            });
        }
        let status = line.whole(10);
        if status.is_some_and(|status| status::PARTS.contains(&status)) {
            self.partial += 1;
            return Ok(());
        }
        let exit_code = match status {
            Some(status::FAILED) => EXIT_FAILED,
            Some(status::CANCELLED) => EXIT_CANCELLED,
            _ => 0,
        };
        let run = line.milliseconds(3);
        let processors = line.count(7).or_else(|| line.count(4));
        let (Some(run), Some(processors), Some(submit)) = (run, processors, line.milliseconds(1)) else {
            self.unknown += 1;
            return Ok(());
        };
        if run == 0 && exit_code != 0 {
            self.never_ran += 1;
            return Ok(());
        }
        let kibibytes = line.kibibytes(9).or_else(|| line.kibibytes(6)).unwrap_or(0);
        let memory = kibibytes.saturating_mul(u64::from(processors));
        let name = |prefix: &str, field: usize| line.whole(field).map(|number| format!("{prefix}{number}"));
        let share = self.options.share_by.map(|by| match by {
            ShareBy::User => name("user", 11).unwrap_or_else(|| "nobody".to_owned()),
            ShareBy::Group => name("group", 12).unwrap_or_else(|| "nobody".to_owned()),
            ShareBy::Queue => name("queue", 14).unwrap_or_else(|| "nobody".to_owned()),
        });
        let queue = self.options.queue_by.and_then(|by| match by {
            QueueBy::Queue => name("queue", 14),
            QueueBy::Partition => name("partition", 15),
        });
        // What a user runs once more mostly runs about as long as last time.
        let definition = name("executable", 13).or_else(|| name("user", 11));
        let think = line.milliseconds(17).map(Millis::new);
        let job = Job {
            line: place().line,
            submit: Timestamp::default() + Millis::new(self.epoch_ms + submit),
            run: Millis::new(run),
            exit_code,
            failures: None,
            attempts: None,
            definition: definition
                .map(|name| DefinitionName::parse(&name).expect("letters and digits are a name")),
            need: Resources {
                vcpus: MilliVcpus::whole(processors),
                memory: Mebibytes(memory.div_ceil(1024)),
                gpus: 0,
            },
            queue: queue.map(|name| QueueName::parse(&name).expect("letters and digits are a name")),
            share: share.map(|identifier| ShareClaim {
                identifier: identifier.into(),
                priority: 0,
            }),
            timeout: line.milliseconds(8).filter(|time| *time > 0).map(Millis::new),
            array_size: None,
            after: Vec::new(),
            think,
        };
        let number = line.whole(0).unwrap_or(-1);
        self.jobs
            .push((number, line.whole(16).filter(|number| *number > 0), job));
        Ok(())
    }

    fn finish(self, file: &str) -> Result<Workload, WorkloadError> {
        let Trace {
            mut jobs,
            unknown,
            never_ran,
            partial,
            vcpus,
            ..
        } = self;
        jobs.sort_by_key(|(number, _, job)| (job.submit, *number));
        let positions: BTreeMap<i64, u32> =
            (0..).zip(&jobs).map(|(at, (number, ..))| (*number, at)).collect();
        let mut notes = Vec::new();
        let mut note = |count: usize, what: &str| {
            if count > 0 {
                notes.push(format!("{} {what}", crate::words::jobs(count)));
            }
        };
        note(unknown, "of unknown submit time, run time or size left out");
        note(never_ran, "that never ran in the trace left out");
        note(partial, "left out, being parts of others");
        let mut lost = 0;
        let fails: Vec<bool> = jobs.iter().map(|(_, _, job)| job.exit_code != 0).collect();
        let has_failed = |other: u32| usize::try_from(other).is_ok_and(|other| fails[other]);
        let jobs: Vec<Job> = (0..)
            .zip(jobs)
            .map(|(position, (_, preceding, job))| {
                let Some(preceding) = preceding else {
                    return Job { think: None, ..job };
                };
                let after = positions.get(&preceding).filter(|other| **other < position);
                lost += usize::from(after.is_none());
                // What followed a job that failed ran nevertheless.
                let at_once =
                    || Some(Millis::default()).filter(|_| after.is_some_and(|other| has_failed(*other)));
                let think = job.think.filter(|_| after.is_some()).or_else(at_once);
                Job {
                    after: after.copied().into_iter().collect(),
                    think,
                    ..job
                }
            })
            .collect();
        note(
            lost,
            "that follow one which the trace does not have before them, and wait for nothing",
        );
        if jobs.is_empty() {
            let notes = if notes.is_empty() {
                String::new()
            } else {
                format!(" ({})", notes.join("; "))
            };
            return Err(WorkloadError::Empty {
                file: file.to_owned(),
                notes,
            });
        }
        Ok(Workload {
            file: file.to_owned(),
            jobs,
            notes,
            vcpus,
        })
    }
}

/// What a field says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// How many processors.
    Processors,
    /// A number that stands for something, or -1.
    Number,
    /// An amount that may have a fraction, or -1.
    Amount,
    /// Nothing that is used here.
    Unused,
}

impl Kind {
    /// Of a field by its index, from 0.
    fn of(index: usize) -> Self {
        match index {
            4 | 7 => Kind::Processors,
            0 | 10..=16 => Kind::Number,
            2 | 5 => Kind::Unused,
            _ => Kind::Amount,
        }
    }

    /// What should stand there, where that is not it.
    fn expected_instead_of(self, text: &str) -> Option<&'static str> {
        // Almost all are whole: the others are read as such only where they have to be.
        let whole: Option<i64> = text.parse().ok();
        let number = || text.parse().ok().filter(|number: &f64| number.is_finite());
        let counts = |most: i64| whole.is_some_and(|whole| (-1..=most).contains(&whole));
        let (is_sound, expected) = match self {
            Kind::Processors => (
                counts(PROCESSORS_MAX),
                "a whole number up to 4000000, -1 for unknown",
            ),
            Kind::Number => (counts(i64::MAX), "a whole number, -1 for unknown"),
            Kind::Amount => (
                whole == Some(-1) || milliseconds(text).is_some(),
                "a number from 0 to 100000000000, -1 for unknown",
            ),
            Kind::Unused => (whole.is_some() || number().is_some(), "a number"),
        };
        (!is_sound && number() != Some(-1.0)).then_some(expected)
    }
}

/// The 18 numbers of a job. Most are whole; some traces have fractions of seconds.
struct Line<'a>([&'a str; 18]);

impl<'a> Line<'a> {
    fn parse(text: &'a str, place: &dyn Fn() -> Place) -> Result<Self, WorkloadError> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let found = fields.len();
        let fields: [&str; 18] = fields.try_into().map_err(|_| WorkloadError::Fields {
            place: place(),
            found,
            expected: FIELDS.len(),
        })?;
        for ((index, name), text) in FIELDS.iter().enumerate().zip(fields) {
            if let Some(expected) = Kind::of(index).expected_instead_of(text) {
                return Err(WorkloadError::Field {
                    place: place(),
                    field: format!("field {} ({name})", index + 1),
                    text: text.chars().take(40).collect(),
                    expected,
                });
            }
        }
        Ok(Line(fields))
    }

    /// Kibibytes, rounded up; `None` for unknown.
    fn kibibytes(&self, index: usize) -> Option<u64> {
        Some(milliseconds(self.0[index])?.div_ceil(1000)).filter(|kibibytes| *kibibytes > 0)
    }

    /// Seconds in milliseconds; `None` for unknown.
    fn milliseconds(&self, index: usize) -> Option<u64> {
        milliseconds(self.0[index])
    }

    /// A whole number that is not negative.
    fn whole(&self, index: usize) -> Option<i64> {
        self.0[index].parse().ok().filter(|number| *number >= 0)
    }

    /// A whole number from 1.
    fn count(&self, index: usize) -> Option<u32> {
        self.0[index].parse().ok().filter(|number| *number >= 1)
    }
}
