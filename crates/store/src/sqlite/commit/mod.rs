//! From changes to rows.
//!
//! Each change becomes a few statements, each by key: nothing is read to write. Files are by noun; the statements' words are the
//! migration's.

mod array;
mod attempt;
mod gang;
mod job;
mod journal;
mod registry;
mod share;

use batchyard_core::change::{Change, StopKind};
use batchyard_runtime::event::Events;
use batchyard_runtime::store::Batch;
use rusqlite::{Connection, Params};

use self::share::Last;
use super::code::{at, json};
use super::failure::Failure;
use super::profile::ProfileNumbers;
use crate::limits::PROBE_BYTES;

/// A batch on its way into the rows.
struct Writing<'a> {
    connection: &'a Connection,
    profiles: &'a mut ProfileNumbers,
}

pub(super) fn commit(
    connection: &Connection,
    profiles: &mut ProfileNumbers,
    batch: &Batch,
) -> Result<(), Failure> {
    let Batch {
        changes,
        arrays,
        journal,
        counters,
        events,
    } = batch;
    let mut writing = Writing { connection, profiles };
    let mut last = Last::default();
    for change in changes {
        if !last.note(change) {
            writing.change(change)?;
        }
    }
    last.write(&writing)?;
    for (job, array) in arrays {
        writing.array_stands(*job, array)?;
    }
    for entry in journal {
        writing.journal(entry)?;
    }
    if let Some(Events { at: when, list }) = events {
        writing.run(
            "INSERT INTO events (at, content) VALUES (?1, ?2)",
            (at(*when), json(list)),
        )?;
    }
    writing.run(
        "INSERT INTO settings (name, value) VALUES ('counters', ?1) ON CONFLICT DO UPDATE SET value = excluded.value",
        [json(counters)],
    )
}

/// Writes about as much as a small batch.
pub(super) fn probe(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO probes (id, filler) VALUES (1, zeroblob(?1))")?
        .execute([PROBE_BYTES])?;
    Ok(())
}

impl Writing<'_> {
    fn run(&self, statement: &str, values: impl Params) -> Result<(), Failure> {
        self.connection.prepare_cached(statement)?.execute(values)?;
        Ok(())
    }

    fn change(&mut self, change: &Change) -> Result<(), Failure> {
        match change {
            Change::EnvironmentPut(put) => self.put_environment(put),
            Change::EnvironmentRenewal { environment, renewal } => {
                self.renew_environment(*environment, renewal.as_ref())
            }
            Change::EnvironmentDeleting(id) => self.environment_is_deleting(*id),
            Change::EnvironmentRemoved(id) => self.remove_environment(*id),
            Change::InstanceAdded(added) => self.add_instance(added),
            Change::InstanceRemoved {
                environment: _,
                instance,
            } => self.remove_instance(*instance),
            Change::InstanceLeaving {
                environment: _,
                instance,
                leaving,
            } => self.note_leaving(*instance, *leaving),
            Change::QueuePut(put) => self.put_queue(put),
            Change::QueueBlocked { queue, line, blocked } => {
                self.block_line(*queue, line, blocked.as_deref())
            }
            Change::QueueOptionsChanged { queue, options } => self.set_options(*queue, *options),
            Change::SupplyBurned { name, left } => self.burn_supply(name, *left),
            Change::ShareCharged { .. } | Change::SharesForgotten { .. } | Change::RunTimesNoted { .. } => {
                unreachable!("they are gathered and written at the batch's end")
            }
            Change::QueueDeleting(id) => self.queue_is_deleting(*id),
            Change::QueueRemoved(id) => self.remove_queue(*id),
            Change::DefinitionRegistered(registered) => self.register_definition(registered),
            Change::DefinitionDeregistered { name, revision, at } => {
                self.deregister_definition(name, *revision, *at)
            }
            Change::ItemPut(put) => self.put_item(put),
            Change::ItemRemoved(key) => self.remove_item(key),
            Change::TagsChanged(changed) => self.change_tags(changed),
            Change::TokenKept(kept) => self.keep_token(kept),
            Change::TokensForgotten(tokens) => self.forget_tokens(tokens),
            Change::JobAdded(added) => self.add_job(added),
            Change::DependencyMet { job, dependency } => self.meet_dependency(*job, *dependency),
            // What an array's children wait for, and how they stand, is in its record, which is written at the batch's end.
            Change::PairingMet { .. } | Change::PairingClosed { .. } | Change::ChildrenReady { .. } => Ok(()),
            Change::ChildrenFailed { .. } | Change::ArrayConcurrencyChanged { .. } => Ok(()),
            Change::ProfileChanged { job, profile } => self.change_profile(*job, profile),
            Change::JobReady(job) => self.make_ready(*job),
            Change::AttemptPlaced {
                job,
                attempt: _,
                placement,
                scheduled_at,
            } => self.place_attempt(*job, *placement, *scheduled_at),
            Change::AttemptPreparing { job, attempt: _ } => self.prepare_attempt(*job),
            Change::AttemptStarted { job, attempt: _, at } => self.start_attempt(*job, *at),
            Change::GangPlaced(placed) => self.place_gang(placed),
            Change::GangStarted {
                job,
                main,
                attempt: _,
                at,
            } => self.start_gang(*job, *main, *at),
            Change::GangEnded(ended) => self.end_gang(ended),
            Change::StopRequested { job, cause } => self.request_stop(*job, cause),
            Change::CancelNoted(job) => self.note_stop(*job, StopKind::Cancel),
            Change::ArrayStopNoted { job, kind } => {
                self.note_stop(batchyard_core::id::JobKey::whole(*job), *kind)
            }
            Change::AttemptEnded(ended) => self.end_attempt(ended),
            Change::JobFailed(failed) => self.fail_job(failed),
            Change::ArrayEnded(ended) => self.end_array(ended),
        }
    }
}
