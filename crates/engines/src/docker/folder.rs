//! Folders that attempts of training jobs have for themselves: made before they start, kept when they have ended.
//!
//! It must not remove anything but copies of input data: what a training job has made is its user's. Start with [`make`].

use std::fs;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use batchyard_core::id::AttemptKey;
use batchyard_core::launch::{ContainerSpec, MountSource, Runner};
use batchyard_core::reason::FAILURE_CHARACTERS_MAX;
use batchyard_core::training::{AttemptFile, TrainingSpec};
use batchyard_runtime::engine::Launch;

use super::Context;
use super::input;
use super::labels::Labels;

/// Everybody may write: which user a training job runs as is its image's choice.
const OPEN: u32 = 0o777;

/// Where the attempt's folder is; `None` for what has none.
fn folder_of(folders: Option<&Path>, order: &Launch) -> Option<PathBuf> {
    order.spec.training.as_ref()?;
    Some(folder_in(folders?, order.attempt))
}

/// Where the folder of this attempt is, among others.
pub(super) fn folder_in(folders: &Path, attempt: AttemptKey) -> PathBuf {
    folders
        .join(attempt.job.to_string())
        .join(attempt.attempt.to_string())
}

/// Removes the copies of input data that were made for an attempt; all else stays.
pub(super) async fn remove_inputs(context: &Context, attempt: AttemptKey) {
    let Some(folders) = &context.attempt_folders else {
        return;
    };
    let folder = folder_in(folders, attempt);
    let removed = tokio::task::spawn_blocking(move || input::remove(&folder)).await;
    if let Err(error) = removed.expect("removing files does not panic") {
        tracing::warn!(%attempt, error = &error as &dyn std::error::Error, "failed to remove input data");
    }
}

/// Removes a file that is not a user's; one that stays only takes up room.
pub(super) async fn remove_file(file: PathBuf) {
    if let Err(error) = tokio::fs::remove_file(&file).await {
        tracing::warn!(file = %file.display(), error = &error as &dyn std::error::Error, "failed to remove an archive");
    }
}

/// The file of this host that the program writes the reason of its failure to; where there are several, that of the one with this name.
pub(super) fn failure_file(folders: Option<&Path>, order: &Launch, host: Option<&str>) -> Option<String> {
    let training = order.spec.training.as_ref()?;
    let mut file = folder_of(folders, order)?;
    file.extend(host);
    file.push(&training.failure_file);
    file.into_os_string().into_string().ok()
}

/// Makes the attempt's folder with all that is to be in it; gives its path. Making it again changes nothing. The error is for the user.
pub(super) async fn make(context: &Context, order: &Launch) -> Result<Option<String>, String> {
    let Some(training) = &order.spec.training else {
        return Ok(None);
    };
    let folder = folder_of(context.attempt_folders.as_deref(), order)
        .ok_or("this server has no place for folders of training jobs")?;
    let path = folder
        .to_str()
        .ok_or("the path of the data folder is not UTF-8")?
        .to_owned();
    let containers: Vec<&ContainerSpec> = match &order.spec.runner {
        Runner::Container(container) => vec![container],
        Runner::Task(task) => task.containers.iter().map(|one| &one.container).collect(),
        Runner::Process(_) => Vec::new(),
    };
    let mounts = containers.into_iter().flat_map(|container| &container.mounts);
    let mounted = mounts.filter_map(|mount| match &mount.source {
        MountSource::Attempt(relative) => Some(folder.join(relative)),
        MountSource::Host(_)
        | MountSource::Scratch(_)
        | MountSource::Memory { .. }
        | MountSource::Secret { .. }
        | MountSource::Below { .. } => None,
    });
    let mounted: Vec<PathBuf> = mounted.collect();
    let training: TrainingSpec = (**training).clone();
    let made = tokio::task::spawn_blocking(move || make_all(&folder, &mounted, &training.files)).await;
    made.expect("making folders does not panic")
        .map_err(|error| error.to_string())?;
    Ok(Some(path))
}

fn make_all(folder: &Path, mounted: &[PathBuf], files: &[AttemptFile]) -> io::Result<()> {
    for each in mounted {
        fs::create_dir_all(each)?;
        fs::set_permissions(each, fs::Permissions::from_mode(OPEN))?;
    }
    for AttemptFile { path, text } in files {
        let file = folder.join(path);
        if let Some(parent) = file.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(file, text)?;
    }
    Ok(())
}

/// What the program wrote about its failure: the beginning, as SageMaker shows it.
pub(super) async fn failure(labels: &Labels) -> Option<String> {
    let file = labels.failure_file.clone()?;
    let read = tokio::task::spawn_blocking(move || beginning(Path::new(&file))).await;
    read.expect("reading a file does not panic")
}

fn beginning(file: &Path) -> Option<String> {
    // The program may have put anything there: a link would lead to what is not its own. It has ended, so what is looked at stays.
    if !fs::symlink_metadata(file).ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    // A character has four bytes at most.
    let most = u64::try_from(FAILURE_CHARACTERS_MAX * 4).expect("a small number");
    // Most programs write none, and of one that cannot be read nothing can be told.
    fs::File::open(file)
        .ok()?
        .take(most)
        .read_to_end(&mut bytes)
        .ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let text: String = text.trim().chars().take(FAILURE_CHARACTERS_MAX).collect();
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_of_a_failure_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("failure");
        assert_eq!(beginning(&file), None);
        fs::write(&file, " \n").unwrap();
        assert_eq!(beginning(&file), None);
        fs::write(&file, "ß".repeat(5_000)).unwrap();
        assert_eq!(beginning(&file).map(|text| text.chars().count()), Some(1_024));
        fs::write(&file, "no data\n").unwrap();
        assert_eq!(beginning(&file).as_deref(), Some("no data"));
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert_eq!(beginning(&link), None);
    }

    #[test]
    fn folders_are_made_again_without_harm() {
        let folder = tempfile::tempdir().unwrap();
        let model = folder.path().join("model");
        let file = AttemptFile {
            path: "input/config/hyperparameters.json".to_owned(),
            text: "{}".to_owned(),
        };
        for _ in 0..2 {
            make_all(
                folder.path(),
                std::slice::from_ref(&model),
                std::slice::from_ref(&file),
            )
            .unwrap();
            fs::write(model.join("kept"), "1").unwrap();
        }
        assert_eq!(fs::read_to_string(folder.path().join(&file.path)).unwrap(), "{}");
        assert_eq!(fs::metadata(&model).unwrap().permissions().mode() & 0o777, OPEN);
    }
}
