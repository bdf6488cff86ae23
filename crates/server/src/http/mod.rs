//! The listener: connections, their limits, and their end.
//!
//! What a request means is the affair of `gateway`; here are sockets only.

mod auth;
mod credentials;
mod gateway;
mod metadata;
mod respond;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

use crate::limits::{CONNECTIONS_MAX, DRAIN_TIMEOUT, HEADER_BYTES_MAX, HEADER_TIMEOUT};

pub(crate) use auth::{Auth, RootKey};
pub(crate) use credentials::TaskCredentials;
pub(crate) use gateway::Gateway;

/// Whom a listener is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    /// Clients, and tasks too.
    Everybody,
    /// Running tasks, that are told about themselves and nothing else.
    Tasks,
}

/// A listener that serves until it is told to stop.
pub(crate) struct Listener {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Listener {
    /// Serves on a socket that listens on this address already.
    pub(crate) fn start(
        socket: TcpListener,
        address: SocketAddr,
        gateway: Arc<Gateway>,
        audience: Audience,
    ) -> Listener {
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(accept(socket, gateway, audience, stopped));
        Listener { address, stop, task }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more connections, and lets requests that are under way finish, for a bounded time.
    pub(crate) async fn stop(self) {
        // The only error is that the task has ended, which is what is wanted.
        let _has_ended = self.stop.send(true);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the listener ended badly");
        }
    }
}

async fn accept(
    socket: TcpListener,
    gateway: Arc<Gateway>,
    audience: Audience,
    mut stopped: watch::Receiver<bool>,
) {
    let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let graceful = GracefulShutdown::new();
    loop {
        let permit = tokio::select! {
            permit = Arc::clone(&connections).acquire_owned() => permit.expect("the semaphore is never closed"),
            _ = stopped.changed() => break,
        };
        let stream = tokio::select! {
            accepted = socket.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Out of descriptors, mostly: others must end first, and give theirs back.
                    tracing::warn!(%error, "failed to accept a connection");
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                    continue;
                }
            },
            _ = stopped.changed() => break,
        };
        // Requests and answers are small: waiting to fill packets only adds time.
        let _is_only_slower_without = stream.set_nodelay(true);
        let gateway = Arc::clone(&gateway);
        let service = service_fn(move |request| {
            let gateway = Arc::clone(&gateway);
            async move { Ok::<_, Infallible>(gateway.answer(request, audience).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIMEOUT)
            .max_buf_size(HEADER_BYTES_MAX)
            .serve_connection(TokioIo::new(stream), service);
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            // What goes wrong with one connection concerns its client alone.
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
            drop(permit);
        });
    }
    drop(socket);
    if tokio::time::timeout(DRAIN_TIMEOUT, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("requests were still under way at the end");
    }
}
