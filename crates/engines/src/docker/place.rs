//! Where on this host a mount is that is given as a path below one of the operator's folders (file systems, claims).
//!
//! It must not give a path that is not in that folder, whatever links there are on the way. Start with [`find`].

use std::fs;
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};

use batchyard_core::launch::{ContainerSpec, MountSource};

use super::reason::Reason;

/// For each mount of a container its place, if it has one that must be looked for.
///
/// # Errors
/// For a place that is not there, or not in its folder.
pub(super) async fn find(container: &ContainerSpec) -> Result<Vec<Option<String>>, Reason> {
    let mut places = Vec::with_capacity(container.mounts.len());
    for mount in &container.mounts {
        let MountSource::Below {
            folder,
            path,
            is_made,
        } = &mount.source
        else {
            places.push(None);
            continue;
        };
        let (base, inner, is_made) = (folder.clone(), path.clone(), *is_made);
        let looked = tokio::task::spawn_blocking(move || place(Path::new(&base), &inner, is_made)).await;
        let failed = |error: Error| Reason::CannotMount {
            path: format!("{folder}/{path}"),
            text: error.to_string(),
        };
        let place = looked
            .expect("looking at folders does not panic")
            .map_err(failed)?;
        places.push(Some(place));
    }
    Ok(places)
}

fn place(folder: &Path, path: &str, is_made: bool) -> Result<String, Error> {
    let base = fs::canonicalize(folder)?;
    let mut at: PathBuf = base.clone();
    for word in path.split('/').filter(|word| !word.is_empty()) {
        let next = at.join(word);
        at = match fs::canonicalize(&next) {
            Ok(found) => found,
            Err(error) if error.kind() == ErrorKind::NotFound && is_made => {
                fs::create_dir(&next)?;
                next
            }
            Err(error) => return Err(error),
        };
        if !at.starts_with(&base) {
            return Err(Error::other("it leads out of the volume"));
        }
    }
    at.into_os_string()
        .into_string()
        .map_err(|_| Error::other("its path is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn places_are_in_their_folder() {
        let outer = tempfile::tempdir().unwrap();
        let outer = fs::canonicalize(outer.path()).unwrap();
        let base = outer.join("base");
        fs::create_dir_all(base.join("a/b")).unwrap();
        symlink("a/b", base.join("inner")).unwrap();
        symlink(&outer, base.join("out")).unwrap();
        symlink("nowhere", base.join("dangling")).unwrap();
        symlink("base", outer.join("link")).unwrap();
        let text = |path: PathBuf| path.to_str().unwrap().to_owned();
        let found = |folder: &Path, path: &str, is_made| {
            place(folder, path, is_made).map_err(|error| error.to_string())
        };
        assert_eq!(found(&base, "", false), Ok(text(base.clone())));
        assert_eq!(found(&base, "inner", false), Ok(text(base.join("a/b"))));
        assert_eq!(found(&outer.join("link"), "a", false), Ok(text(base.join("a"))));
        let out = Err("it leads out of the volume".to_owned());
        assert_eq!(found(&base, "out", false), out);
        assert_eq!(found(&base, "out/base/a", true), out);
        assert_eq!(found(&base, "..", false), out);
        assert!(found(&base, "dangling", true).is_err());
        assert!(found(&base, "new", false).is_err());
        assert_eq!(found(&base, "new/one", true), Ok(text(base.join("new/one"))));
        assert!(base.join("new/one").is_dir());
        assert!(found(&outer.join("absent"), "", true).is_err());
    }
}
