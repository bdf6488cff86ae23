//! The one view of the daemon's events, kept up while the engine lives.
//!
//! It must not conclude anything from an event: it says which container is worth a look. After each new connection, and now and then,
//! all containers are listed in one request, so that what happened unseen is found. Start with [`watch_daemon`].

use std::collections::HashMap;
use std::sync::Arc;

use batchyard_runtime::cause::with_causes;
use bollard::models::EventMessage;
use bollard::query_parameters::EventsOptions;
use futures_util::StreamExt as _;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use super::Context;
use super::daemon::Failure;
use super::labels::{attempt_of, namespace_filter};
use super::limits::{LIST_EVERY, RETRY_MAX, RETRY_MIN};
use super::moment::Moment;
use super::registry::{Message, running};

/// Watches until the registry is gone.
pub(super) async fn watch_daemon(context: Arc<Context>, registry: mpsc::WeakSender<Message>) {
    let mut pause = RETRY_MIN;
    let mut is_told = false;
    loop {
        let before = *context.daemon.connections().borrow();
        let watched = watch_once(&context, &registry).await;
        if registry.strong_count() == 0 {
            return;
        }
        if *context.daemon.connections().borrow() != before {
            pause = RETRY_MIN;
            is_told = false;
        }
        let host = context.daemon.host();
        let error = match &watched {
            Ok(()) => "it closed the connection".to_owned(),
            Err(failure) => with_causes(failure),
        };
        // Once for each time that it goes away: a machine without Docker is no news.
        if is_told {
            tracing::debug!(host, error, "Docker still does not answer");
        } else {
            tracing::info!(host, error, "Docker does not answer; container jobs wait for it");
            is_told = true;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(RETRY_MAX);
    }
}

/// One connection, to its end.
async fn watch_once(context: &Context, registry: &mpsc::WeakSender<Message>) -> Result<(), Failure> {
    let client = context.daemon.negotiate().await?;
    // The daemon's own clock: events from here on are told again when the view is open, which is a moment later.
    let info = client.info().await?;
    let since = info
        .system_time
        .and_then(|time| Moment::parse(time.as_bytes()))
        .map(|moment| moment.second().to_string());
    let mut filters: HashMap<String, Vec<String>> = namespace_filter(&context.namespace);
    filters.insert("type".to_owned(), vec!["container".to_owned()]);
    filters.insert("event".to_owned(), vec!["die".to_owned(), "destroy".to_owned()]);
    let mut events = client.events(Some(EventsOptions {
        since,
        until: None,
        filters: Some(filters),
    }));
    context.daemon.set_connected();
    tracing::info!(host = context.daemon.host(), "Docker answers");
    let mut list = tokio::time::interval(LIST_EVERY);
    list.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let message = tokio::select! {
            event = events.next() => match event {
                Some(event) => match subject(event?) {
                    Some(message) => message,
                    None => continue,
                },
                None => return Ok(()),
            },
            _now = list.tick() => Message::Running(running(context).await?),
        };
        let Some(registry) = registry.upgrade() else {
            return Ok(());
        };
        if registry.send(message).await.is_err() {
            return Ok(());
        }
    }
}

fn subject(event: EventMessage) -> Option<Message> {
    let attributes = event.actor?.attributes?;
    attempt_of(&attributes).map(Message::Look)
}
