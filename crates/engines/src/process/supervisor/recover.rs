//! The start after a predecessor's death: what it wrote down is known again, and what it left running is killed.
//!
//! Its jobs lost their pipe's reader and their parent; nobody can learn how they end. So they are ended, and told as lost.

use std::collections::BTreeMap;
use std::path::Path;

use batchyard_core::id::AttemptKey;
use batchyard_runtime::log::StreamName;

use super::job::{Job, Start, State};
use super::{Error, Supervisor, clock, spawn};
use crate::process::protocol::Ending;
use crate::process::spool::{Fact, Position, Reader, Record};

/// What the spool says of an attempt.
#[derive(Default)]
struct Told {
    stream: Option<StreamName>,
    start: Option<Start>,
    ending: Option<Ending>,
    segment: u64,
}

impl Supervisor {
    pub(super) fn recover(&mut self) -> Result<(), Error> {
        let told = self.read_all()?;
        if is_boot_of_before(&self.directory) {
            let unended = told.values().filter(|told| told.ending.is_none());
            for start in unended.filter_map(|told| told.start) {
                spawn::kill_leftover(start.pid, start.uptime_ms);
            }
        }
        self.groups.clean();
        for (attempt, told) in told {
            let Told {
                stream,
                start,
                ending,
                segment,
            } = told;
            let mut job = Job::new(stream, State::Waiting, segment);
            job.start = start;
            self.jobs.insert(attempt, job);
            let ending = ending.unwrap_or_else(|| {
                tracing::warn!(%attempt, "a job was lost with an earlier supervisor");
                Ending::Lost { at: clock::now() }
            });
            self.record_end(attempt, ending);
        }
        self.spool.write().map_err(|error| Error::Spool(error.into()))
    }

    fn read_all(&self) -> Result<BTreeMap<AttemptKey, Told>, Error> {
        let mut reader = Reader::open(&self.directory, Position::default());
        let mut attempts: BTreeMap<AttemptKey, Told> = BTreeMap::new();
        loop {
            let records = reader.read().map_err(|error| Error::Spool(error.into()))?;
            if records.is_empty() {
                return Ok(attempts);
            }
            let segment = reader.position().segment;
            for Record { attempt, fact } in records {
                if matches!(fact, Fact::Forgotten) {
                    attempts.remove(&attempt);
                    continue;
                }
                // Output whose attempt was told in a segment that is gone: the attempt is, too.
                if !attempts.contains_key(&attempt) && !matches!(fact, Fact::Accepted { .. }) {
                    continue;
                }
                let told = attempts.entry(attempt).or_insert_with(|| Told {
                    segment,
                    ..Told::default()
                });
                match fact {
                    Fact::Accepted { stream } => told.stream = stream,
                    Fact::Started { at, pid, uptime_ms } => told.start = Some(Start { at, pid, uptime_ms }),
                    Fact::Ended(ending) => told.ending = Some(ending),
                    Fact::Output { .. } | Fact::Forgotten => {}
                }
            }
        }
    }
}

/// Whether the host has not been started anew since an earlier supervisor wrote: then nothing of it can run, and the numbers that it
/// noted are other processes'. Notes the present boot for the next.
fn is_boot_of_before(directory: &Path) -> bool {
    let path = directory.join("boot");
    let present = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let before = std::fs::read_to_string(&path).ok();
    if before.as_ref() != Some(&present)
        && let Err(error) = std::fs::write(&path, &present)
    {
        tracing::warn!(%error, path = %path.display(), "which boot this is cannot be noted");
    }
    before.is_none_or(|before| before == present)
}

#[cfg(test)]
mod tests {
    use super::is_boot_of_before;

    #[test]
    fn another_boot_is_noticed_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        // Nobody has noted anything yet: an older supervisor of this boot may have been there.
        assert!(is_boot_of_before(path));
        assert!(is_boot_of_before(path));
        std::fs::write(path.join("boot"), "6d8e7c4a-0000-4000-8000-000000000000\n").unwrap();
        assert!(!is_boot_of_before(path));
        assert!(is_boot_of_before(path));
    }
}
