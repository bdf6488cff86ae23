//! What jobs are told of this server (sections F.2 to F.4): variables, and where they read about themselves and get the credentials of their
//! role.
//!
//! Clients take credentials over plain HTTP from a few addresses only. The loopback is one: it does for processes, and for containers on
//! the host's network. Others reach 169.254.170.2, where the operator has given the host that address and has the server listen there.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use batchyard_core::launch::Variable;
use batchyard_iam::TaskTokens;
use batchyard_runtime::launch::{AttemptTokens, CredentialsEndpoint, LaunchSettings, TaskEndpoints};

use crate::config::Config;

/// Where clients look when they have only a path (ECS).
const KNOWN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2)), 80);

/// Where agents of EKS are, in both protocols.
const EKS: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 23)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23)),
];

/// Whether clients take credentials over plain HTTP from this address.
pub(crate) fn takes_credentials_from(address: IpAddr) -> bool {
    address.is_loopback() || is_of_agents(address)
}

/// Whether the address is one of the host's that containers on other networks reach too.
fn is_of_agents(address: IpAddr) -> bool {
    address == KNOWN.ip() || EKS.contains(&address)
}

/// What every job finds in its environment. `listen` is where the server listens, `tasks` where it does for jobs alone, `endpoint` what its
/// clients use.
pub(crate) fn launch_settings(
    config: &Config,
    listen: SocketAddr,
    tasks: Option<SocketAddr>,
    endpoint: &str,
    tokens: TaskTokens,
) -> LaunchSettings {
    let variable = |name: &str, value: &str| Variable {
        name: name.to_owned(),
        value: value.to_owned(),
    };
    let mut variables = Vec::new();
    if config.jobs_see_endpoint {
        variables.extend([
            variable("AWS_ENDPOINT_URL", endpoint),
            variable("AWS_REGION", &config.region),
            variable("AWS_DEFAULT_REGION", &config.region),
        ]);
    }
    let own = Some(reachable(listen)).filter(|address| takes_credentials_from(address.ip()));
    let secure = endpoint.starts_with("https://").then(|| endpoint.to_owned());
    let endpoints = |tasks: Option<SocketAddr>, own: Option<SocketAddr>| TaskEndpoints {
        metadata: Some(tasks.map_or_else(|| endpoint.to_owned(), url)),
        credentials: match (tasks, own) {
            (Some(KNOWN), _) => Some(CredentialsEndpoint::Known),
            (Some(address), _) | (None, Some(address)) => Some(CredentialsEndpoint::At(url(address))),
            (None, None) => secure.clone().map(CredentialsEndpoint::At),
        },
    };
    LaunchSettings {
        variables,
        host: endpoints(tasks, own),
        private: endpoints(tasks.filter(|address| is_of_agents(address.ip())), None),
        is_network_the_hosts: config.docker.network == "host",
        // Where jobs do not see this server its credentials are of no use to them, and would hide those of the host.
        tokens: config.jobs_see_endpoint.then(|| {
            AttemptTokens(Arc::new(move |attempt| {
                tokens.issue(&attempt.to_string()).expose().to_owned()
            }))
        }),
    }
}

/// The address for clients of this host, where all addresses are listened on.
pub(crate) fn reachable(address: SocketAddr) -> SocketAddr {
    let mut reachable = address;
    if address.ip().is_unspecified() {
        reachable.set_ip(match address {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    reachable
}

/// As it stands on AWS: without the usual port.
fn url(address: SocketAddr) -> String {
    match address {
        KNOWN => format!("http://{}", KNOWN.ip()),
        address => format!("http://{address}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where processes, and containers on networks of their own, get credentials.
    fn check(listen: &str, tasks: Option<&str>, endpoint: &str, host: &str, private: &str) {
        let settings = launch_settings(
            &Config::default(),
            listen.parse().unwrap(),
            tasks.map(|address| address.parse().unwrap()),
            endpoint,
            TaskTokens::new(&[7; 32]),
        );
        let shown = |endpoints: &TaskEndpoints| {
            let metadata = endpoints.metadata.as_deref().unwrap_or("-");
            match &endpoints.credentials {
                None => format!("{metadata} -"),
                Some(CredentialsEndpoint::Known) => format!("{metadata} known"),
                Some(CredentialsEndpoint::At(address)) => format!("{metadata} {address}"),
            }
        };
        assert_eq!(
            (&*shown(&settings.host), &*shown(&settings.private)),
            (host, private)
        );
    }

    #[test]
    fn credentials_come_from_where_clients_take_them() {
        let own = "http://127.0.0.1:4590";
        let known = "http://169.254.170.2 known";
        check(
            "127.0.0.1:4590",
            None,
            own,
            &format!("{own} {own}"),
            &format!("{own} -"),
        );
        check(
            "0.0.0.0:4590",
            None,
            own,
            &format!("{own} {own}"),
            &format!("{own} -"),
        );
        // The name of another host does for metadata, not for credentials.
        let lan = "http://10.0.0.5:4590";
        check(
            "10.0.0.5:4590",
            None,
            lan,
            &format!("{lan} -"),
            &format!("{lan} -"),
        );
        check(
            "0.0.0.0:4590",
            None,
            lan,
            &format!("{lan} {own}"),
            &format!("{lan} -"),
        );
        let proxy = "https://batch.example";
        check(
            "10.0.0.5:4590",
            None,
            proxy,
            &format!("{proxy} {proxy}"),
            &format!("{proxy} {proxy}"),
        );
        check("10.0.0.5:4590", Some("169.254.170.2:80"), lan, known, known);
        let other = "http://169.254.170.23:81";
        check(
            "10.0.0.5:4590",
            Some("169.254.170.23:81"),
            lan,
            &format!("{other} {other}"),
            &format!("{other} {other}"),
        );
        let local = "http://127.0.0.1:99";
        check(
            "10.0.0.5:4590",
            Some("127.0.0.1:99"),
            lan,
            &format!("{local} {local}"),
            &format!("{lan} -"),
        );
    }

    #[test]
    fn a_server_that_jobs_do_not_see_gives_them_nothing() {
        let config = Config {
            jobs_see_endpoint: false,
            ..Config::default()
        };
        let listen = config.listen;
        let settings = launch_settings(
            &config,
            listen,
            None,
            "http://127.0.0.1:4590",
            TaskTokens::new(&[7; 32]),
        );
        assert!(settings.variables.is_empty() && settings.tokens.is_none());
    }
}
