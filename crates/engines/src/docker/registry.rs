//! The task that knows which attempts there are, and passes on to their keepers what is wanted of them.
//!
//! It must not wait for a keeper, nor ask the daemon about single containers but in `recover`. Start with [`Registry::run`].

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use batchyard_core::id::AttemptKey;
use batchyard_runtime::engine::{CurrentAttempt, Launch, Order};
use bollard::models::ContainerSummaryStateEnum;
use bollard::query_parameters::{ListContainersOptions, ListVolumesOptions, RemoveVolumeOptions};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use super::Context;
use super::daemon::Failure;
use super::keeper::{Beginning, Wish, Wishes, keep};
use super::labels::{Labels, Part, attempt_of, namespace_filter};

use super::limits::INBOX_MAX;
use super::network;
use super::removal::remove;
use super::task::Group;
use super::watch::watch_daemon;

/// What the registry is told.
pub(super) enum Message {
    /// By the driver.
    Order(Order),
    /// By the driver: make both sides agree.
    Recover {
        current: Vec<CurrentAttempt>,
        reply: oneshot::Sender<Result<BTreeSet<AttemptKey>, Failure>>,
    },
    /// By the watch: something happened to this attempt's container.
    Look(AttemptKey),
    /// By the watch: these run, all others are worth a look.
    Running(BTreeSet<AttemptKey>),
}

/// The attempts of this engine.
pub(super) struct Registry {
    context: Arc<Context>,
    keepers: BTreeMap<AttemptKey, watch::Sender<Wish>>,
    tasks: JoinSet<()>,
    attempts_by_task: HashMap<tokio::task::Id, AttemptKey>,
}

impl Registry {
    /// Starts the registry and the watch. Both end when the last sender is dropped, and the keepers with them.
    pub(super) fn spawn(context: Arc<Context>) -> mpsc::Sender<Message> {
        let (sender, inbox) = mpsc::channel(INBOX_MAX);
        let mut tasks = JoinSet::new();
        // Weak, as the watch must not keep the registry alive that it is a part of.
        tasks.spawn(watch_daemon(Arc::clone(&context), sender.downgrade()));
        let registry = Registry {
            context,
            keepers: BTreeMap::new(),
            tasks,
            attempts_by_task: HashMap::new(),
        };
        tokio::spawn(registry.run(inbox));
        sender
    }

    async fn run(mut self, mut inbox: mpsc::Receiver<Message>) {
        loop {
            tokio::select! {
                message = inbox.recv() => match message {
                    Some(message) => self.take(message).await,
                    None => return,
                },
                Some(ended) = self.tasks.join_next_with_id() => {
                    let task = match ended {
                        Ok((task, ())) => task,
                        Err(error) => {
                            tracing::error!(error = &error as &dyn std::error::Error, "a task of the Docker engine failed");
                            error.id()
                        }
                    };
                    if let Some(attempt) = self.attempts_by_task.remove(&task) {
                        self.keepers.remove(&attempt);
                    }
                }
            }
        }
    }

    async fn take(&mut self, message: Message) {
        match message {
            Message::Order(Order::Launch(launch)) => self.launch(launch),
            Message::Order(Order::Stop { attempt, grace }) => self.wish(attempt, |wish| {
                // The first counts, so that a repeated order gives no new grace.
                wish.stop.get_or_insert(grace);
            }),
            Message::Order(Order::Forget { attempt }) => self.wish(attempt, |wish| wish.is_forgotten = true),
            Message::Look(attempt) => self.wish(attempt, |wish| wish.looks += 1),
            Message::Running(running) => {
                for (attempt, keeper) in &self.keepers {
                    if !running.contains(attempt) {
                        keeper.send_modify(|wish| wish.looks += 1);
                    }
                }
            }
            Message::Recover { current, reply } => {
                let known = self.recover(current).await;
                // The caller may have given up; then it recovers again.
                let _caller_is_gone = reply.send(known);
            }
        }
    }

    fn launch(&mut self, launch: Box<Launch>) {
        let attempt = launch.attempt;
        if !self.keepers.contains_key(&attempt) {
            self.keep(attempt, Beginning::Launch(launch), Wish::default());
        }
    }

    /// An attempt that is not known has nothing here to stop or to forget.
    fn wish(&mut self, attempt: AttemptKey, change: impl FnOnce(&mut Wish)) {
        if let Some(keeper) = self.keepers.get(&attempt) {
            keeper.send_modify(change);
        }
    }

    fn keep(&mut self, attempt: AttemptKey, beginning: Beginning, wish: Wish) {
        let (sender, receiver) = watch::channel(wish);
        let task = keep(Arc::clone(&self.context), beginning, Wishes(receiver));
        let task = self.tasks.spawn(task);
        self.attempts_by_task.insert(task.id(), attempt);
        self.keepers.insert(attempt, sender);
    }

    async fn recover(&mut self, current: Vec<CurrentAttempt>) -> Result<BTreeSet<AttemptKey>, Failure> {
        let found = containers(&self.context).await?;
        let current: BTreeMap<AttemptKey, bool> = current
            .into_iter()
            .map(|current| (current.attempt, current.was_started))
            .collect();
        for (attempt, keeper) in &self.keepers {
            keeper.send_modify(|wish| match current.contains_key(attempt) {
                true => wish.retells += 1,
                false => wish.is_forgotten = true,
            });
        }
        let mut attempts: BTreeMap<AttemptKey, Vec<Container>> = BTreeMap::new();
        for container in found {
            let attempt = container.labels.attempt;
            attempts.entry(attempt).or_default().push(container);
        }
        for (attempt, containers) in attempts {
            if self.keepers.contains_key(&attempt) {
                continue;
            }
            let is_begun = containers.iter().any(Container::is_begun);
            let parts: Vec<Labels> = containers.into_iter().map(|container| container.labels).collect();
            if !current.contains_key(&attempt) {
                let wish = Wish {
                    is_forgotten: true,
                    ..Wish::default()
                };
                self.keep(attempt, found_again(attempt, parts), wish);
            } else if is_begun {
                self.keep(attempt, found_again(attempt, parts), Wish::default());
            } else {
                // A launch that was cut off; it will be ordered again, and is then done from the beginning.
                remove(&self.context, &parts).await?;
            }
        }
        self.remove_volumes_left_behind().await?;
        let alive: BTreeSet<AttemptKey> = current.keys().copied().collect();
        network::remove_left_behind(&self.context, &alive).await?;
        let is_known = |attempt: &AttemptKey| current.contains_key(attempt);
        Ok(self.keepers.keys().copied().filter(is_known).collect())
    }

    /// Scratch volumes stay behind where a server was killed between removing a container and its volumes.
    async fn remove_volumes_left_behind(&self) -> Result<(), Failure> {
        let client = self.context.daemon.client()?;
        let options = ListVolumesOptions {
            filters: Some(namespace_filter(&self.context.namespace)),
        };
        let listed = client.list_volumes(Some(options)).await?;
        for volume in listed.volumes.unwrap_or_default() {
            let attempt = attempt_of(&volume.labels);
            if attempt.is_some_and(|attempt| self.keepers.contains_key(&attempt)) {
                continue;
            }
            if let Err(error) = client
                .remove_volume(&volume.name, None::<RemoveVolumeOptions>)
                .await
            {
                tracing::warn!(
                    volume = volume.name,
                    error = &error as &dyn std::error::Error,
                    "failed to remove a volume"
                );
            }
        }
        Ok(())
    }
}

struct Container {
    labels: Labels,
    state: ContainerSummaryStateEnum,
}

impl Container {
    /// Whether a program of the job was started in it.
    fn is_begun(&self) -> bool {
        self.state != ContainerSummaryStateEnum::CREATED && self.labels.part != Part::Holder
    }
}

fn found_again(attempt: AttemptKey, mut parts: Vec<Labels>) -> Beginning {
    if parts.len() == 1 && parts[0].part == Part::Whole {
        return Beginning::Found(parts.remove(0));
    }
    Beginning::FoundTask(Group::of_parts(attempt, parts))
}

/// All containers of this namespace, in one request.
async fn containers(context: &Context) -> Result<Vec<Container>, Failure> {
    let client = context.daemon.negotiate().await?;
    let options = ListContainersOptions {
        all: true,
        filters: Some(namespace_filter(&context.namespace)),
        ..ListContainersOptions::default()
    };
    let listed = client.list_containers(Some(options)).await?;
    let read = |summary: bollard::models::ContainerSummary| {
        Some(Container {
            labels: Labels::from_map(&summary.labels?)?,
            state: summary.state?,
        })
    };
    Ok(listed.into_iter().filter_map(read).collect())
}

/// The attempts whose containers all run now.
pub(super) async fn running(context: &Context) -> Result<BTreeSet<AttemptKey>, Failure> {
    let containers = containers(context).await?;
    let is_running = |container: &&Container| container.state == ContainerSummaryStateEnum::RUNNING;
    let (running, others): (Vec<&Container>, Vec<&Container>) = containers.iter().partition(is_running);
    let attempts = |containers: Vec<&Container>| -> BTreeSet<AttemptKey> {
        containers
            .into_iter()
            .map(|container| container.labels.attempt)
            .collect()
    };
    Ok(&attempts(running) - &attempts(others))
}
