//! What the operator provides to jobs, as far as it decides which jobs can run here.
//!
//! It must not touch what it names: whether a folder is there is seen when a job starts.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::config::Config;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(crate) struct Provisions {
    /// Whether images `host://…` may run.
    pub(crate) allows_processes: bool,
    /// Whether there is a store of objects.
    pub(crate) has_objects: bool,
    /// Whether there is a folder of secrets.
    pub(crate) has_secrets: bool,
    /// Folders of the host that stand for file systems and their access points, by the identifiers of these.
    file_systems: BTreeMap<String, PathBuf>,
    /// Folders of the host that stand for volume claims of Kubernetes, by `NAMESPACE/NAME`.
    claims: BTreeMap<String, PathBuf>,
}

impl Provisions {
    /// Those of a configuration.
    pub(crate) fn of(config: &Config) -> Provisions {
        Provisions {
            allows_processes: config.allow_processes,
            has_objects: config.s3.endpoint.is_some(),
            has_secrets: config.secrets.folder.is_some(),
            file_systems: config.file_systems.clone(),
            claims: config.claims.clone(),
        }
    }

    /// The folder of a file system, or of an access point.
    ///
    /// # Errors
    /// When there is none: the key that would name it.
    pub(crate) fn file_system(&self, id: &str) -> Result<String, String> {
        folder(&self.file_systems, "file_systems", id)
    }

    /// The folder of a volume claim.
    ///
    /// # Errors
    /// When there is none: the key that would name it.
    pub(crate) fn claim(&self, namespace: &str, name: &str) -> Result<String, String> {
        folder(&self.claims, "claims", &format!("{namespace}/{name}"))
    }
}

fn folder(folders: &BTreeMap<String, PathBuf>, key: &str, id: &str) -> Result<String, String> {
    let path = folders.get(id).and_then(|path| path.to_str());
    path.map(str::to_owned)
        .ok_or_else(|| format!("the configuration of this server has no folder for {id} ({key}.\"{id}\")"))
}
