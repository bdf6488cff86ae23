//! From a launch to what the supervisor needs: the environment and folder of the user that the job runs as.

use std::collections::BTreeSet;
use std::path::PathBuf;

use batchyard_core::launch::{LaunchSpec, ProcessSpec, Runner, Variable};
use batchyard_runtime::engine::Launch;

use super::account::Account;
use super::limits;
use super::protocol::Program;
use crate::secrets::{Resolved, Secrets};

/// Where programs are looked for if the job does not say (as a login does).
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What to run, with the values of its secrets; `None` for a container.
///
/// # Errors
/// For a secret that cannot be had: the reason, as it is shown.
pub(super) async fn program(
    launch: Launch,
    secrets: &Secrets,
    account: Option<&Account>,
    own: &Account,
) -> Result<Option<Program>, String> {
    let Launch {
        attempt,
        spec,
        environment,
        stream,
        gpus,
        node: _,
        members: _,
    } = launch;
    let LaunchSpec {
        runner,
        command,
        environment: _,
        resources,
        log: _,
        stop_timeout: _,
        role: _,
        training: _,
    } = &*spec;
    let Runner::Process(ProcessSpec {
        working_directory,
        ulimits,
        secrets: wanted,
    }) = runner
    else {
        return Ok(None);
    };
    let secrets = secrets.variables(wanted).await.map_err(|reason| {
        reason
            .chars()
            .take(limits::REASON_CHARACTERS_MAX)
            .collect::<String>()
    })?;
    let user = account.unwrap_or(own);
    let mut environment = environment;
    environment.retain(|variable| secrets.iter().all(|secret| secret.name != variable.name));
    environment.extend(secrets.into_iter().map(|Resolved { name, value }| Variable {
        name,
        value: value.expose().to_owned(),
    }));
    let set: BTreeSet<&str> = environment
        .iter()
        .map(|variable| variable.name.as_str())
        .collect();
    let gpu_list: Vec<String> = gpus.indexes().map(|index| index.to_string()).collect();
    let text = |path: &PathBuf| path.to_string_lossy().into_owned();
    let usual = [
        ("PATH", Some(PATH.to_owned())),
        ("HOME", Some(text(&user.home))),
        ("USER", Some(user.name.clone())),
        ("LOGNAME", Some(user.name.clone())),
        ("SHELL", Some(text(&user.shell))),
        // Which GPUs of the host are the job's: CUDA programs keep to it.
        (
            "CUDA_VISIBLE_DEVICES",
            (!gpu_list.is_empty()).then(|| gpu_list.join(",")),
        ),
    ];
    let missing: Vec<Variable> = usual
        .into_iter()
        .filter(|(name, _)| !set.contains(name))
        .filter_map(|(name, value)| {
            Some(Variable {
                name: name.to_owned(),
                value: value?,
            })
        })
        .collect();
    environment.extend(missing);
    Ok(Some(Program {
        attempt,
        command: command.clone(),
        environment,
        directory: working_directory.clone().unwrap_or_else(|| user.home.clone()),
        ulimits: ulimits.clone(),
        resources: *resources,
        stream,
        account: account.cloned(),
    }))
}
