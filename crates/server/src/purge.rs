//! Forgetting: ended jobs, deregistered definitions, journal entries and log events that are past their time.

use std::sync::Arc;

use batchyard_logs::Logs;
use batchyard_runtime::cause::with_causes;
use batchyard_runtime::clock::Clock;
use batchyard_runtime::store::{Store, StoreError};
use tokio::time::MissedTickBehavior;

use crate::limits::{PURGE_INTERVAL, PURGE_ROWS_MAX};

/// What is kept for how long, in days unless said otherwise.
pub(crate) struct Retention {
    pub(crate) jobs_days: u32,
    pub(crate) journal_days: u32,
    /// Of deregistered definitions.
    pub(crate) definition_days: u32,
    /// Of events; in hours.
    pub(crate) event_hours: u32,
}

/// Looks again and again, until the task is aborted. What fails is tried again at the next look.
pub(crate) async fn run(store: Arc<dyn Store>, logs: Logs, clock: Arc<dyn Clock>, retention: Retention) {
    let mut ticks = tokio::time::interval(PURGE_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = purge_store(&store, clock.as_ref(), &retention).await {
            tracing::warn!(cause = with_causes(&error), "failed to remove old jobs");
        }
        if let Err(error) = logs.purge_expired(clock.now()).await {
            tracing::warn!(cause = with_causes(&error), "failed to remove old log events");
        }
    }
}

async fn purge_store(
    store: &Arc<dyn Store>,
    clock: &dyn Clock,
    retention: &Retention,
) -> Result<(), StoreError> {
    let now = clock.now().as_millis();
    let before = |days: u32| batchyard_core::time::Timestamp::from_millis(now - i64::from(days) * 86_400_000);
    let (jobs, journal) = (before(retention.jobs_days), before(retention.journal_days));
    let definitions = before(retention.definition_days);
    let events =
        batchyard_core::time::Timestamp::from_millis(now - i64::from(retention.event_hours) * 3_600_000);
    loop {
        let store = Arc::clone(store);
        let forget = tokio::task::spawn_blocking(move || store.forget_events(events, PURGE_ROWS_MAX));
        if !forget.await.expect("forgetting does not panic")? {
            break;
        }
    }
    let forget = {
        let store = Arc::clone(store);
        tokio::task::spawn_blocking(move || store.forget_definitions(definitions, PURGE_ROWS_MAX))
    };
    // What is left over is for the next look: there are few.
    let _has_more = forget.await.expect("forgetting does not panic")?;
    loop {
        let store = Arc::clone(store);
        let purge = tokio::task::spawn_blocking(move || store.purge(jobs, journal, PURGE_ROWS_MAX));
        if !purge.await.expect("purging does not panic")? {
            return Ok(());
        }
    }
}
