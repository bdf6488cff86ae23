//! The wiring: stores, engines, driver, operations, listener; and their end in the opposite order.

use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use batchyard_core::CoreConfig;
use batchyard_engines::docker::{self, DockerEngine, PullPolicy};
use batchyard_engines::local::LocalEngine;
use batchyard_engines::process::{self, ProcessEngine};
use batchyard_engines::secrets::Secrets;
use batchyard_iam::{AccountId, Partition, Principal, Rules, SessionIssuer, TaskTokens, Verifier};
use batchyard_logs::Logs;
use batchyard_runtime::clock::{Clock, SystemClock};
use batchyard_runtime::driver::{self, Handle, Ports, REPORTS_WAITING_MAX};
use batchyard_runtime::engine::Reports;
use batchyard_runtime::log::LogStore;
use batchyard_runtime::store::{Store, StoreThreads};
use batchyard_store::SqliteStore;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::arn::Account;
use crate::batch::{Batch, EventFeed};
use crate::config::{Config, InvalidConfig, Pull};
use crate::data_folder::{DataError, DataFolder, Keys, Listening};
use crate::host;
use crate::http::{Audience, Auth, Gateway, Listener, RootKey, TaskCredentials};
use crate::logs::LogsApi;
use crate::prices::{Prices, PricesError};
use crate::provisions::Provisions;
use crate::purge::{self, Retention};
use crate::storage::{self, StorageError};
use crate::sts::Sts;
use crate::task_endpoint::{launch_settings, reachable};

/// A running server.
pub struct Server {
    endpoint: String,
    listener: Listener,
    task_listener: Option<Listener>,
    driver: Handle,
    driver_task: JoinHandle<()>,
    purge_task: JoinHandle<()>,
    /// Ends the waiting of those who wait for events.
    closing: watch::Sender<bool>,
    // The last owners: what they hold is closed when the server is dropped, after everything that uses it.
    _store: Arc<SqliteStore>,
    _logs: Logs,
}

/// How the supervisor of process jobs is started: this program again, as a rule.
#[derive(Debug, Clone)]
pub struct SupervisorCommand {
    /// The program.
    pub program: PathBuf,
    /// Its arguments; the folder it works in follows as one more.
    pub arguments: Vec<OsString>,
}

/// The server could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A value of the configuration cannot be used.
    #[error("use the configuration")]
    Config(#[from] InvalidConfig),
    /// The file of prices cannot be used.
    #[error(transparent)]
    Prices(#[from] PricesError),
    /// The key of the store of objects cannot be had.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The data folder cannot be used.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] batchyard_store::OpenError),
    /// The log store cannot be opened.
    #[error(transparent)]
    Logs(#[from] batchyard_logs::OpenError),
    /// The address cannot be listened on.
    #[error("listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Process jobs cannot be run.
    #[error("start the process engine")]
    Process(#[from] process::StartError),
    /// The address of the container engine cannot be used.
    #[error("use the container engine")]
    Docker(#[from] docker::ConnectError),
    /// The state cannot be loaded.
    #[error("start the scheduler")]
    Driver(#[from] driver::StartError),
}

impl Server {
    /// Starts a server on a data folder and tells clients of this machine, by a file in the folder, where it listens.
    ///
    /// # Errors
    /// When anything it needs cannot be used; nothing runs then.
    pub async fn start(
        config: Config,
        data: &DataFolder,
        supervisor: SupervisorCommand,
    ) -> Result<Server, StartError> {
        config.check()?;
        let prices = match &config.prices {
            Some(path) => Prices::read(path)?,
            None => Prices::default(),
        };
        let Keys {
            root,
            session_secret,
            namespace,
        } = data.keys()?;
        // Opened first: their locks keep a second server out before it touches anything else.
        let store = Arc::new(SqliteStore::open(&data.store())?);
        let logs = Logs::open(&data.logs())?;
        let (socket, address) = listen(config.listen).await?;
        let task_socket = match config.task_listen {
            Some(address) => Some(listen(address).await?),
            None => None,
        };
        let endpoint = config
            .endpoint
            .clone()
            .unwrap_or_else(|| format!("http://{}", reachable(address)));

        let (reports, told) = Reports::channel(REPORTS_WAITING_MAX);
        let log_store: Arc<dyn LogStore> = Arc::new(logs.clone());
        let processes = process_engine(&config, data, supervisor, &reports, &log_store).await?;
        let containers = docker_engine(&config, data, namespace, &reports, &log_store)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let keeps_events = config.events.retention_hours > 0;
        let (committed, told_committed) = watch::channel(());
        let (closing, told_closing) = watch::channel(false);
        let ports = Ports {
            store: Arc::new(StoreThreads::start(Arc::clone(&store) as Arc<dyn Store>)),
            engine: Arc::new(LocalEngine::new(processes, containers, reports)),
            reports: told,
            clock: Arc::clone(&clock),
            events: keeps_events.then_some(committed),
        };
        let core_config = CoreConfig {
            host: host::resources(&config.host),
            limits: config.limits.core(),
        };
        let tokens = TaskTokens::new(&session_secret);
        let task_address = task_socket.as_ref().map(|(_, address)| *address);
        let settings = launch_settings(&config, address, task_address, &endpoint, tokens.clone());
        let (driver, driver_task) = driver::start(core_config, settings, ports).await?;

        let account = Account {
            id: config.account_id.clone(),
            region: config.region.clone(),
            partition: config.partition.clone(),
        };
        let sessions = Arc::new(SessionIssuer::new(&session_secret));
        let batch = Batch::new(
            account.clone(),
            driver.clone(),
            Arc::clone(&store) as Arc<dyn Store>,
            Arc::clone(&clock),
            Provisions::of(&config),
            config.limits,
        )
        .with_prices(prices)
        .with_events(keeps_events.then(|| EventFeed::new(told_committed, told_closing)));
        let gateway = Gateway::new(
            Auth {
                verifier: Verifier::new(Rules::default(), (*sessions).clone()),
                keys: RootKey {
                    credentials: root,
                    principal: root_principal(&config),
                },
                is_on: config.verify_signatures,
            },
            batch,
            LogsApi::new(account.clone(), logs.clone(), Arc::clone(&clock)),
            Sts::new(account.clone(), Arc::clone(&sessions), Arc::clone(&clock)),
            TaskCredentials::new(account, tokens, sessions, Arc::clone(&clock)),
            Arc::clone(&clock),
        );
        let gateway = Arc::new(gateway);
        let listener = Listener::start(socket, address, Arc::clone(&gateway), Audience::Everybody);
        let task_listener =
            task_socket.map(|(socket, address)| Listener::start(socket, address, gateway, Audience::Tasks));
        let retention = Retention {
            jobs_days: config.job_retention_days,
            journal_days: config.journal_retention_days,
            definition_days: config.definition_retention_days,
            event_hours: config.events.retention_hours,
        };
        let purge_task = tokio::spawn(purge::run(
            Arc::clone(&store) as Arc<dyn Store>,
            logs.clone(),
            clock,
            retention,
        ));
        data.write_listening(&Listening {
            endpoint: endpoint.clone(),
            region: config.region,
            pid: std::process::id(),
        })?;
        Ok(Server {
            endpoint,
            listener,
            task_listener,
            driver,
            driver_task,
            purge_task,
            closing,
            _store: store,
            _logs: logs,
        })
    }

    /// Where clients reach it, for example `http://127.0.0.1:4590`.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The address that it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.listener.address()
    }

    /// Lets requests that are under way finish, makes durable what was accepted, and ends. Running jobs go on.
    pub async fn stop(self) {
        let Server {
            endpoint: _,
            listener,
            task_listener,
            driver,
            driver_task,
            purge_task,
            closing,
            _store,
            _logs,
        } = self;
        closing.send_replace(true);
        listener.stop().await;
        if let Some(listener) = task_listener {
            listener.stop().await;
        }
        driver.stop().await;
        if let Err(error) = driver_task.await {
            tracing::error!(%error, "the scheduler ended badly");
        }
        purge_task.abort();
        // Cancelled, as it was just told to be.
        let _is_cancelled = purge_task.await;
    }
}

/// A socket that listens, and where it does.
async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |source| StartError::Listen { address, source };
    let socket = TcpListener::bind(address).await.map_err(failed)?;
    let address = socket.local_addr().map_err(failed)?;
    Ok((socket, address))
}

async fn process_engine(
    config: &Config,
    data: &DataFolder,
    supervisor: SupervisorCommand,
    reports: &Reports,
    logs: &Arc<dyn LogStore>,
) -> Result<Option<ProcessEngine>, StartError> {
    if !config.allow_processes {
        return Ok(None);
    }
    let SupervisorCommand { program, arguments } = supervisor;
    let engine_config = process::Config {
        directory: data.supervisor(),
        supervisor_program: program,
        supervisor_arguments: arguments,
        run_as: config.process_user.clone(),
        secrets: Secrets::in_folder(config.secrets.folder.clone()),
    };
    Ok(Some(
        ProcessEngine::start(engine_config, reports.clone(), Arc::clone(logs)).await?,
    ))
}

fn docker_engine(
    config: &Config,
    data: &DataFolder,
    namespace: String,
    reports: &Reports,
    logs: &Arc<dyn LogStore>,
) -> Result<Option<DockerEngine>, StartError> {
    if !config.docker.enabled {
        return Ok(None);
    }
    let engine_config = docker::Config {
        host: config.docker.host.clone(),
        network: config.docker.network.clone(),
        pull: match config.docker.pull {
            Pull::Missing => PullPolicy::Missing,
            Pull::Always => PullPolicy::Always,
            Pull::Never => PullPolicy::Never,
        },
        attempt_folders: Some(data.service_jobs()),
        storage: storage::of(config)?,
        secrets: Secrets::in_folder(config.secrets.folder.clone()),
        ..docker::Config::new(namespace)
    };
    Ok(Some(DockerEngine::connect(
        engine_config,
        reports.clone(),
        Arc::clone(logs),
    )?))
}

fn root_principal(config: &Config) -> Principal {
    let checked = "the configuration was checked";
    let partition = Partition::parse(&config.partition).expect(checked);
    Principal::account_root(&partition, &AccountId::parse(&config.account_id).expect(checked))
}
