//! The Standard Workload Format of the Parallel Workloads Archive: a line for each job, 18 numbers, -1 for unknown; comments with `;`.
//!
//! The format is described at <https://www.cs.huji.ac.il/labs/parallel/workload/swf.html>. Of the fields these are used: submit time,
//! run time, processors (as requested, else as allocated), requested time, memory per processor (as requested, else as used), user, group,
//! queue, partition, and preceding job with think time. Jobs that never ran in the trace, or whose size is not known, are left out.

use std::collections::BTreeMap;
use std::io::BufRead;

use batchyard_core::job::ShareClaim;
use batchyard_core::name::QueueName;
use batchyard_core::resources::{Mebibytes, MilliVcpus, Resources};
use batchyard_core::time::{Millis, Timestamp};

use super::error::milliseconds;
use super::{Job, Place, Workload, WorkloadError};
use crate::limits::JOBS_MAX;

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
    vcpus: Option<u32>,
}

impl Trace {
    /// Takes from a header what means something: `MaxProcs: 128`.
    fn comment(&mut self, comment: &str) {
        let Some((name, value)) = comment.split_once(':') else {
            return;
        };
        let value = value.split_whitespace().next().unwrap_or_default();
        match name.trim() {
            "MaxProcs" => self.vcpus = value.parse().ok().or(self.vcpus),
            // Traces of machines with one processor a node name the nodes only.
            "MaxNodes" => self.vcpus = self.vcpus.or(value.parse().ok()),
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
        let run = line.milliseconds(3);
        let processors = line.count(7).or_else(|| line.count(4));
        let (Some(run), Some(processors), Some(submit)) = (run, processors, line.milliseconds(1)) else {
            self.unknown += 1;
            return Ok(());
        };
        // 0 and 5 are failed and cancelled; those without run time never started.
        if run == 0 && matches!(line.whole(10), Some(0 | 5)) {
            self.never_ran += 1;
            return Ok(());
        }
        let kibibytes = line.count(9).or_else(|| line.count(6)).unwrap_or(0);
        let memory = u64::from(kibibytes) * u64::from(processors);
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
        let think = line.milliseconds(17).map(Millis::new);
        let job = Job {
            submit: Timestamp::default() + Millis::new(self.epoch_ms + submit),
            run: Millis::new(run),
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
        note(unknown, "of unknown run time or size left out");
        note(never_ran, "that never ran in the trace left out");
        let mut lost = 0;
        let jobs: Vec<Job> = (0..)
            .zip(jobs)
            .map(|(position, (_, preceding, job))| {
                let Some(preceding) = preceding else {
                    return Job { think: None, ..job };
                };
                let after = positions.get(&preceding).filter(|other| **other < position);
                lost += usize::from(after.is_none());
                let think = job.think.filter(|_| after.is_some());
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
        Ok(Workload { jobs, notes, vcpus })
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
            let number: Option<f64> = text.parse().ok().filter(|number: &f64| number.is_finite());
            let is_span = milliseconds(text).is_some();
            if number.is_none_or(|number| number >= 0.0 && !is_span) {
                return Err(WorkloadError::Field {
                    place: place(),
                    field: format!("field {} ({name})", index + 1),
                    text: text.chars().take(40).collect(),
                    expected: "a number, -1 for unknown",
                });
            }
        }
        Ok(Line(fields))
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
