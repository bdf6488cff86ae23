//! Input data that is brought to the folder of an attempt before it starts.
//!
//! All of it lies below one folder, with a mark beside it that is made when everything is there: whoever finds no mark begins again, so that no
//! program ever starts with half of its data. It goes when the attempt's end is recorded, unlike all else in the attempt's folder: it
//! is but a copy. Start with [`fetch`].

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use batchyard_core::training::{AttemptInput, InputSource};

use crate::storage::ObjectStorage;

/// The folder, in the attempt's, below which all inputs are.
const FETCHED: &str = "fetched";

/// The file beside it that says that all inputs are there.
const MARK: &str = "fetched.complete";

/// Brings all inputs to the attempt's folder, unless they are there. May be dropped at any time. The error is for the user.
pub(super) async fn fetch(
    storage: Option<&ObjectStorage>,
    folder: &Path,
    inputs: &[AttemptInput],
) -> Result<(), String> {
    let mark = folder.join(MARK);
    if inputs.is_empty() || mark.exists() {
        return Ok(());
    }
    for AttemptInput { source, folders } in inputs {
        let folders: Vec<PathBuf> = folders.iter().map(|each| folder.join(each)).collect();
        let from = match source {
            InputSource::Folder(from) => {
                link(PathBuf::from(from), folders).await?;
                continue;
            }
            InputSource::Objects(from) | InputSource::Manifest(from) => from,
        };
        let storage = storage.ok_or_else(|| format!("{from}: this server knows no store of objects"))?;
        let listed = match source {
            InputSource::Manifest(_) => storage.of_manifest(from).await,
            InputSource::Objects(_) | InputSource::Folder(_) => storage.with_prefix(from).await,
        };
        let wanted = listed.map_err(|error| error.to_string())?;
        let dealt = wanted.into_iter().zip(folders.iter().cycle());
        let dealt = dealt.map(|(wanted, folder)| {
            let file = folder.join(&wanted.file);
            (wanted, file)
        });
        let downloaded = storage.download(dealt.collect()).await;
        downloaded.map_err(|error| error.to_string())?;
    }
    fs::write(mark, "").map_err(|error| error.to_string())
}

async fn link(from: PathBuf, folders: Vec<PathBuf>) -> Result<(), String> {
    let dealt = tokio::task::spawn_blocking(move || {
        deal_out(&from, &folders).map_err(|error| format!("{}: {error}", from.display()))
    });
    dealt.await.expect("linking files does not panic")
}

/// Deals the files of a folder out to others in turn, by the order of their paths.
fn deal_out(from: &Path, folders: &[PathBuf]) -> io::Result<()> {
    let mut files = Vec::new();
    collect(from, Path::new(""), &mut files)?;
    files.sort();
    for (file, folder) in files.iter().zip(folders.iter().cycle()) {
        let to = folder.join(file);
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent)?;
        }
        put(&from.join(file), &to)?;
    }
    Ok(())
}

/// All files below a folder, as paths in it. Links are followed where they lead to files, as the program would.
fn collect(root: &Path, below: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(root.join(below))? {
        let entry = entry?;
        let path = below.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            collect(root, &path, files)?;
        } else if root.join(&path).is_file() {
            files.push(path);
        }
    }
    Ok(())
}

/// A second name for the file where the file system can give one, as data may be large; else a copy.
fn put(from: &Path, to: &Path) -> io::Result<()> {
    // What is there is of a try that was cut off.
    match fs::remove_file(to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let from = from.canonicalize()?;
    match fs::hard_link(&from, to) {
        Ok(()) => Ok(()),
        Err(_) => fs::copy(&from, to).map(|_| ()),
    }
}

/// Removes what was brought to the attempt's folder.
pub(super) fn remove(folder: &Path) -> io::Result<()> {
    let removed = match fs::remove_dir_all(folder.join(FETCHED)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        removed => removed,
    };
    // The mark goes last: without it the data would be brought again.
    removed.and_then(|()| match fs::remove_file(folder.join(MARK)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, name: &str) {
        let file = folder.join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, name).unwrap();
    }

    fn listed(folder: &Path) -> Vec<String> {
        let mut files = Vec::new();
        collect(folder, Path::new(""), &mut files).unwrap();
        files.sort();
        files
            .iter()
            .map(|path| path.to_str().unwrap().to_owned())
            .collect()
    }

    #[tokio::test]
    async fn files_are_dealt_out_by_the_order_of_their_names() {
        let site = tempfile::tempdir().unwrap();
        let (data, attempt) = (site.path().join("data"), site.path().join("attempt"));
        for name in ["c", "a", "b/1", "b/2", "d"] {
            write(&data, name);
        }
        let input = AttemptInput {
            source: InputSource::Folder(data.to_str().unwrap().to_owned()),
            folders: vec![
                "fetched/algo-1/train".to_owned(),
                "fetched/algo-2/train".to_owned(),
            ],
        };
        let folders = input.folders.clone();
        // What a try before left there is not in the way, nor believed.
        write(&attempt, "fetched/algo-1/train/a");
        fs::write(attempt.join("fetched/algo-1/train/a"), "half").unwrap();
        fetch(None, &attempt, std::slice::from_ref(&input)).await.unwrap();
        let found = folders.iter().map(|folder| listed(&attempt.join(folder)));
        assert_eq!(
            found.collect::<Vec<_>>(),
            [vec!["a", "b/2", "d"], vec!["b/1", "c"]]
        );
        assert_eq!(
            fs::read_to_string(attempt.join("fetched/algo-1/train/a")).unwrap(),
            "a"
        );
        // Once is enough.
        write(&data, "e");
        fetch(None, &attempt, &[input]).await.unwrap();
        assert!(!attempt.join("fetched/algo-2/train/e").exists());
        remove(&attempt).unwrap();
        assert_eq!(listed(&attempt), Vec::<String>::new());
        remove(&attempt).unwrap();
    }

    #[tokio::test]
    async fn a_folder_that_is_not_there_is_said_so() {
        let site = tempfile::tempdir().unwrap();
        let input = AttemptInput {
            source: InputSource::Folder("/no/such/folder".to_owned()),
            folders: vec!["fetched/train".to_owned()],
        };
        let error = fetch(None, site.path(), &[input]).await.unwrap_err();
        assert_eq!(error, "/no/such/folder: No such file or directory (os error 2)");
        assert!(!site.path().join(MARK).exists());
    }
}
