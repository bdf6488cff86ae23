//! What training jobs have made, brought to the store that their request names: archives of the folders of their hosts.
//!
//! The folders themselves stay as they are. Everything can be done again: an archive that is there already is written anew, so
//! a server that was killed on the way begins again. Start with [`keep`].

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use batchyard_core::report::Report;
use batchyard_core::training::ObjectLocation;
use batchyard_runtime::engine::Launch;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};

use super::Context;
use super::folder::{self, folder_in};
use super::keeper::Wishes;
use super::labels::Labels;
use super::reason::Reason;

/// The archives, and which folder of each host they are made of. The second is only made where there is something to put into it.
const MODEL: (&str, &str) = ("model.tar.gz", "model");
const OUTPUT: (&str, &str) = ("output.tar.gz", "output/data");

/// Where the results of an attempt go, as its container carries it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Results {
    /// What the keys of the archives begin with, with the slash.
    to: ObjectLocation,
    /// The folders of the hosts in the attempt's; one of no name where that is the host's own.
    hosts: Vec<String>,
}

/// Where the results of an order's attempt go, if its request says so.
pub(super) fn of_order(order: &Launch) -> Option<Results> {
    let training = order.spec.training.as_ref()?;
    let ObjectLocation { bucket, key } = training.results.clone()?;
    let name = training.job_name(batchyard_core::id::TaskId::of(order.attempt));
    let slash = if key.is_empty() || key.ends_with('/') {
        ""
    } else {
        "/"
    };
    let hosts = order.spec.runner.containers().iter();
    let hosts: Vec<String> = hosts.map(|host| host.name.clone()).collect();
    Some(Results {
        to: ObjectLocation {
            bucket,
            key: format!("{key}{slash}{name}/output/"),
        },
        hosts: if hosts.is_empty() {
            vec![String::new()]
        } else {
            hosts
        },
    })
}

/// Brings the results of an attempt that has succeeded to where they belong, and gives what is to be told then: the same, or that they could
/// not be kept. An attempt that is to be stopped meanwhile is not kept waiting.
pub(super) async fn keep(context: &Context, labels: &Labels, report: Report, wishes: &mut Wishes) -> Report {
    let (
        Report::Exited {
            at,
            exit_code: Some(0),
            ..
        },
        Some(results),
    ) = (&report, &labels.results)
    else {
        return report;
    };
    let kept = tokio::select! {
        kept = try_to_keep(context, labels, results) => kept,
        () = wishes.not_to_run() => return report,
    };
    match kept {
        Ok(()) => report,
        Err(text) => Report::Exited {
            at: *at,
            exit_code: None,
            reason: Some(Reason::CannotKeep(text).text()),
            containers: Vec::new(),
        },
    }
}

async fn try_to_keep(context: &Context, labels: &Labels, results: &Results) -> Result<(), String> {
    let storage = context
        .storage
        .as_ref()
        .ok_or("this server knows no store of objects any more")?;
    let folders = context
        .attempt_folders
        .as_ref()
        .ok_or("this server has no place for folders of training jobs")?;
    let folder = folder_in(folders, labels.attempt);
    for (name, of) in [MODEL, OUTPUT] {
        let sources: Vec<PathBuf> = results
            .hosts
            .iter()
            .map(|host| folder.join(host).join(of))
            .collect();
        let hosts = results.hosts.clone();
        let archive = folder.join(name);
        let made = archive.clone();
        let is_wanted = name == MODEL.0;
        let archived =
            tokio::task::spawn_blocking(move || write_archive(&made, &hosts, &sources, is_wanted)).await;
        let is_there = archived
            .expect("writing an archive does not panic")
            .map_err(|error| format!("{name}: {error}"))?;
        if !is_there {
            continue;
        }
        let to = ObjectLocation {
            bucket: results.to.bucket.clone(),
            key: format!("{}{name}", results.to.key),
        };
        let uploaded = storage.upload(&archive, &to).await;
        folder::remove_file(archive).await;
        uploaded.map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// Writes what is in these folders of hosts into one archive, unless that would be empty and is not wanted so; says whether it is there.
fn write_archive(archive: &Path, hosts: &[String], folders: &[PathBuf], is_wanted: bool) -> io::Result<bool> {
    let is_empty =
        |folder: &PathBuf| fs::read_dir(folder).map_or(true, |mut entries| entries.next().is_none());
    if !is_wanted && folders.iter().all(is_empty) {
        return Ok(false);
    }
    let compressed = GzEncoder::new(File::create(archive)?, Compression::fast());
    let mut builder = tar::Builder::new(compressed);
    builder.follow_symlinks(false);
    let mut taken = BTreeSet::new();
    for (host, folder) in hosts.iter().zip(folders) {
        if folder.is_dir() {
            add(&mut builder, host, folder, Path::new(""), &mut taken)?;
        }
    }
    builder.into_inner()?.finish()?.flush()?;
    Ok(true)
}

/// Adds what is in a folder. A name that another host's file has already is put below the host's name, so that nothing is lost.
fn add(
    builder: &mut tar::Builder<GzEncoder<File>>,
    host: &str,
    root: &Path,
    below: &Path,
    taken: &mut BTreeSet<PathBuf>,
) -> io::Result<()> {
    let mut entries = fs::read_dir(root.join(below))?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = below.join(entry.file_name());
        let kind = entry.file_type()?;
        if kind.is_dir() {
            // An empty folder too is something that was made.
            if !taken.contains(&path) {
                builder.append_dir(&path, entry.path())?;
            }
            add(builder, host, root, &path, taken)?;
        } else if kind.is_file() || kind.is_symlink() {
            let name = match taken.contains(&path) {
                true => Path::new(host).join(&path),
                false => path.clone(),
            };
            builder.append_path_with_name(entry.path(), &name)?;
            taken.insert(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(archive: &Path) -> Vec<String> {
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(File::open(archive).unwrap()));
        let entries = archive.entries().unwrap();
        entries
            .map(|entry| entry.unwrap().path().unwrap().to_str().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn archives_of_several_hosts_lose_nothing() {
        let site = tempfile::tempdir().unwrap();
        let hosts = ["algo-1", "algo-2"].map(str::to_owned);
        let folders = hosts.clone().map(|host| site.path().join(host));
        for folder in &folders {
            fs::create_dir_all(folder.join("sub")).unwrap();
            fs::write(folder.join("sub/same"), "1").unwrap();
        }
        fs::write(folders[1].join("own"), "1").unwrap();
        let archive = site.path().join("model.tar.gz");
        assert!(write_archive(&archive, &hosts, &folders, true).unwrap());
        assert_eq!(
            names(&archive),
            ["sub", "sub/same", "own", "sub", "algo-2/sub/same"]
        );
    }

    #[test]
    fn an_empty_archive_is_made_only_where_it_is_wanted() {
        let site = tempfile::tempdir().unwrap();
        let (hosts, folders) = ([String::new()], [site.path().join("none")]);
        let archive = site.path().join("x.tar.gz");
        assert!(!write_archive(&archive, &hosts, &folders, false).unwrap() && !archive.exists());
        assert!(write_archive(&archive, &hosts, &folders, true).unwrap() && archive.exists());
    }
}
