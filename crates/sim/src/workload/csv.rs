//! A list of jobs as CSV: a header, then a line for each job. Which columns there are is documented in `docs/simulate.md`.

use std::collections::BTreeMap;
use std::io::Read;

use batchyard_core::job::ShareClaim;
use batchyard_core::limits::DEPENDENCIES_MAX;
use batchyard_core::name::{DefinitionName, QueueName};
use batchyard_core::resources::{Mebibytes, MilliVcpus, Resources};
use batchyard_core::time::{Millis, Timestamp};
use csv::{ReaderBuilder, StringRecord, Trim};

use super::error::milliseconds;
use super::{Job, Place, Workload, WorkloadError};
use crate::limits::{ARRAY_SIZE_MAX, ATTEMPTS_MAX, GPUS_MAX, JOBS_MAX, MEMORY_MIB_MAX};

/// The columns, of which `run` must be there.
const COLUMNS: [&str; 16] = [
    "name",
    "submit",
    "run",
    "exit_code",
    "failures",
    "attempts",
    "definition",
    "vcpus",
    "memory_mib",
    "gpus",
    "queue",
    "share",
    "priority",
    "timeout",
    "array_size",
    "depends_on",
];

/// Reads a list of jobs. `file` is what errors call it.
///
/// # Errors
/// At the first line that is wrong, with its number and the column.
pub fn read(input: impl Read, file: &str) -> Result<Workload, WorkloadError> {
    let mut reader = ReaderBuilder::new()
        .trim(Trim::All)
        .flexible(true)
        .comment(Some(b'#'))
        .from_reader(input);
    let of_csv = |source| WorkloadError::Csv {
        file: file.to_owned(),
        source,
    };
    let header = Header::parse(reader.headers().map_err(of_csv)?, file)?;
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(of_csv)?;
        let line = record.position().map_or(0, csv::Position::line);
        let place = Place {
            file: file.to_owned(),
            line,
        };
        if rows.len() >= JOBS_MAX {
            return Err(WorkloadError::TooMany { place, max: JOBS_MAX });
        }
        rows.push(header.row(&record, place)?);
    }
    if rows.is_empty() {
        return Err(WorkloadError::Empty {
            file: file.to_owned(),
            notes: String::new(),
        });
    }
    rows.sort_by_key(|row| row.job.submit);
    let jobs = resolve(rows)?;
    Ok(Workload {
        file: file.to_owned(),
        jobs,
        ..Workload::default()
    })
}

/// Where each column stands.
struct Header {
    positions: BTreeMap<&'static str, usize>,
    count: usize,
}

/// A job before it is known whom it waits for.
struct Row {
    place: Place,
    name: String,
    depends_on: Vec<String>,
    job: Job,
}

impl Header {
    fn parse(record: &StringRecord, file: &str) -> Result<Self, WorkloadError> {
        let place = || Place {
            file: file.to_owned(),
            line: record.position().map_or(1, csv::Position::line),
        };
        let mut positions = BTreeMap::new();
        for (position, name) in record.iter().enumerate() {
            let known = COLUMNS.iter().find(|column| column.eq_ignore_ascii_case(name));
            let Some(known) = known else {
                return Err(WorkloadError::Column {
                    place: place(),
                    name: name.chars().take(40).collect(),
                    known: COLUMNS.join(", "),
                });
            };
            if positions.insert(*known, position).is_some() {
                return Err(WorkloadError::ColumnTwice {
                    place: place(),
                    name: known,
                });
            }
        }
        if !positions.contains_key("run") {
            return Err(WorkloadError::NoColumn {
                place: place(),
                name: "run",
            });
        }
        Ok(Header {
            positions,
            count: record.len(),
        })
    }

    fn row(&self, record: &StringRecord, place: Place) -> Result<Row, WorkloadError> {
        if record.len() != self.count {
            return Err(WorkloadError::Fields {
                place,
                found: record.len(),
                expected: self.count,
            });
        }
        let cells = Cells {
            header: self,
            record,
            place: &place,
        };
        cells.check_lines()?;
        let run = cells.parse("run", milliseconds, "a number of seconds")?;
        let Some(run) = run else {
            return Err(cells.wrong("run", "a number of seconds"));
        };
        let (exit_code, failures) = cells.ends()?;
        let vcpus = cells.parse("vcpus", vcpus, "a number of vCPUs above 0, such as 2 or 0.25")?;
        let share = cells.parse("share", |text| Some(Box::from(text)), "a share identifier")?;
        let priority = cells.parse(
            "priority",
            |text| text.parse().ok().filter(|priority| *priority <= 9999),
            "a whole number from 0 to 9999",
        )?;
        let job = Job {
            line: place.line,
            submit: cells
                .parse(
                    "submit",
                    moment,
                    "seconds, or a time such as 2030-01-31T12:00:00Z",
                )?
                .unwrap_or_default(),
            run: Millis::new(run),
            exit_code,
            failures,
            attempts: cells.parse(
                "attempts",
                |text| {
                    text.parse()
                        .ok()
                        .filter(|attempts| (1..=ATTEMPTS_MAX).contains(attempts))
                },
                "a whole number from 1 to 10",
            )?,
            definition: cells.parse(
                "definition",
                |text| DefinitionName::parse(text).ok(),
                "the name of a job definition",
            )?,
            need: Resources {
                vcpus: vcpus.unwrap_or(MilliVcpus::whole(1)),
                memory: Mebibytes(
                    cells
                        .parse(
                            "memory_mib",
                            |text| text.parse().ok().filter(|mib| *mib <= MEMORY_MIB_MAX),
                            "a whole number of MiB up to 274877906944",
                        )?
                        .unwrap_or(0),
                ),
                gpus: cells
                    .parse(
                        "gpus",
                        |text| text.parse().ok().filter(|gpus| *gpus <= GPUS_MAX),
                        "a whole number of GPUs up to 64",
                    )?
                    .unwrap_or(0),
            },
            queue: cells.parse("queue", |text| QueueName::parse(text).ok(), "the name of a queue")?,
            share: match (share, priority) {
                (None, None) => None,
                (share, priority) => Some(ShareClaim {
                    identifier: share.unwrap_or_default(),
                    priority: priority.unwrap_or(0),
                }),
            },
            timeout: cells
                .parse("timeout", milliseconds, "a number of seconds")?
                .map(Millis::new),
            array_size: cells.parse(
                "array_size",
                |text| {
                    text.parse()
                        .ok()
                        .filter(|size| (2..=ARRAY_SIZE_MAX).contains(size))
                },
                "a whole number from 2 to 1000000",
            )?,
            after: Vec::new(),
            think: None,
        };
        let depends_on = cells.get("depends_on").unwrap_or_default();
        let names = depends_on.split([';', ' ']).filter(|name| !name.is_empty());
        Ok(Row {
            name: cells.get("name").unwrap_or_default().to_owned(),
            depends_on: names.map(str::to_owned).collect(),
            job,
            place,
        })
    }
}

/// One line, by the names of its columns.
struct Cells<'a> {
    header: &'a Header,
    record: &'a StringRecord,
    place: &'a Place,
}

impl Cells<'_> {
    /// What a cell says; `None` if it is empty or there is no such column.
    fn get(&self, column: &'static str) -> Option<&str> {
        let text = self.record.get(*self.header.positions.get(column)?)?;
        Some(text).filter(|text| !text.is_empty())
    }

    /// No value goes on in another line: most likely a quotation mark is missing there, and the lines up to the next one would be swallowed.
    fn check_lines(&self) -> Result<(), WorkloadError> {
        let mut columns = self.header.positions.keys();
        let broken = columns.find(|column| self.get(column).is_some_and(|text| text.contains('\n')));
        match broken {
            Some(column) => Err(self.wrong(column, "in one line: a quotation mark may be missing")),
            None => Ok(()),
        }
    }

    fn parse<T>(
        &self,
        column: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
        expected: &'static str,
    ) -> Result<Option<T>, WorkloadError> {
        let Some(text) = self.get(column) else {
            return Ok(None);
        };
        match parse(text) {
            Some(value) => Ok(Some(value)),
            None => Err(self.wrong(column, expected)),
        }
    }

    /// What attempts exit with that fail, and how many do: all where nothing is said of that but an exit code.
    fn ends(&self) -> Result<(u8, Option<u16>), WorkloadError> {
        let exit_code: Option<u8> = self.parse(
            "exit_code",
            |text| text.parse().ok(),
            "a whole number from 0 to 255",
        )?;
        let failures: Option<u8> = self.parse(
            "failures",
            |text| text.parse().ok().filter(|failures| *failures <= ATTEMPTS_MAX),
            "a whole number from 0 to 10",
        )?;
        if exit_code == Some(0) && failures.is_some_and(|failures| failures > 0) {
            return Err(self.wrong(
                "exit_code",
                "a whole number from 1 to 255 where there are failures",
            ));
        }
        let exit_code = exit_code.unwrap_or(u8::from(failures.is_some()));
        Ok((exit_code, failures.map(u16::from)))
    }

    fn wrong(&self, column: &'static str, expected: &'static str) -> WorkloadError {
        WorkloadError::Field {
            place: self.place.clone(),
            field: column.to_owned(),
            text: self.get(column).unwrap_or_default().chars().take(40).collect(),
            expected,
        }
    }
}

/// Finds the jobs that others wait for.
fn resolve(rows: Vec<Row>) -> Result<Vec<Job>, WorkloadError> {
    let mut named: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    for (position, row) in (0..).zip(&rows) {
        named.entry(&row.name).or_default().push(position);
    }
    let mut jobs = Vec::with_capacity(rows.len());
    for (position, row) in (0..).zip(&rows) {
        let find = |name: &String| {
            let problem = match named.get(name.as_str()).map(Vec::as_slice) {
                None | Some([]) => "and there is no such job",
                Some([other]) if *other < position => return Ok(*other),
                Some([_]) => "which is not submitted before it",
                Some(_) => "and there are several of that name",
            };
            Err(WorkloadError::Dependency {
                place: row.place.clone(),
                name: name.clone(),
                problem,
            })
        };
        if let Some(name) = row.depends_on.get(DEPENDENCIES_MAX) {
            return Err(WorkloadError::Dependency {
                place: row.place.clone(),
                name: name.clone(),
                problem: "and a job depends on at most 20",
            });
        }
        let after = row.depends_on.iter().map(find).collect::<Result<Vec<u32>, _>>()?;
        jobs.push(Job {
            after,
            ..row.job.clone()
        });
    }
    Ok(jobs)
}

fn vcpus(text: &str) -> Option<MilliVcpus> {
    let thousandths = u32::try_from(milliseconds(text)?).ok()?;
    (thousandths > 0).then_some(MilliVcpus(thousandths))
}

/// Seconds since any beginning, or a time of the calendar.
fn moment(text: &str) -> Option<Timestamp> {
    let of_calendar = || {
        let time: jiff::Timestamp = text.parse().ok()?;
        u64::try_from(time.as_millisecond()).ok()
    };
    let ms = milliseconds(text).or_else(of_calendar)?;
    Some(Timestamp::default() + Millis::new(ms))
}
