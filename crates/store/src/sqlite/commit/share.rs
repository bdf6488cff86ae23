//! What changes with nearly every job and counts only as it is at the batch's end: use by share, run times.

use std::collections::BTreeMap;

use batchyard_core::change::Change;
use batchyard_core::id::QueueId;
use batchyard_core::runs::RunTimes;
use batchyard_core::share::Ledger;

use super::Writing;
use crate::sqlite::code::json;
use crate::sqlite::failure::Failure;

/// The last of many changes to the same row.
#[derive(Default)]
pub(super) struct Last<'a> {
    /// `None` where the share was forgotten.
    ledgers: BTreeMap<(QueueId, &'a str), Option<&'a Ledger>>,
    runs: BTreeMap<&'a str, &'a RunTimes>,
}

impl<'a> Last<'a> {
    /// Whether the change was one of these.
    pub(super) fn note(&mut self, change: &'a Change) -> bool {
        match change {
            Change::ShareCharged { queue, share, ledger } => {
                self.ledgers.insert((*queue, share), Some(ledger));
            }
            Change::SharesForgotten { queue, shares } => {
                let forgotten = shares.iter().map(|share| ((*queue, &**share), None));
                self.ledgers.extend(forgotten);
            }
            Change::RunTimesNoted { definition, runs } => {
                self.runs.insert(definition.as_str(), runs);
            }
            Change::QueueRemoved(queue) => {
                self.ledgers.retain(|(of, _), _| of != queue);
                return false;
            }
            _ => return false,
        }
        true
    }

    pub(super) fn write(self, writing: &Writing<'_>) -> Result<(), Failure> {
        for ((queue, share), ledger) in self.ledgers {
            match ledger {
                Some(ledger) => writing.run(
                    "INSERT INTO share_ledgers (queue, share, content) VALUES (?1, ?2, ?3)
                     ON CONFLICT DO UPDATE SET content = excluded.content",
                    (queue.0, share, json(ledger)),
                )?,
                None => writing.run(
                    "DELETE FROM share_ledgers WHERE queue = ?1 AND share = ?2",
                    (queue.0, share),
                )?,
            }
        }
        for (definition, runs) in self.runs {
            writing.run(
                "INSERT INTO run_times (definition, content) VALUES (?1, ?2)
                 ON CONFLICT DO UPDATE SET content = excluded.content",
                (definition, json(runs)),
            )?;
        }
        Ok(())
    }
}
