//! Objects of a store that speaks S3: what training jobs read, and where their results go.
//!
//! It must not know of attempts or folders' layouts. Objects are never held in memory as a whole, and no more than a few are under way
//! at once, however many attempts there are. Start with [`ObjectStorage`].

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use batchyard_core::training::ObjectLocation;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path as Key;
use object_store::{
    ClientOptions, MultipartUpload as _, ObjectMeta, ObjectStore as _, ObjectStoreExt as _, RetryConfig,
};
use serde::Deserialize;
use tokio::fs::{self, File};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Semaphore;

/// Objects that are read or written at once (own choice: enough to keep a disk busy).
const TRANSFERS_MAX: usize = 8;

/// Objects of a channel (own choice: their names are held in memory).
const OBJECTS_MAX: usize = 1_000_000;

/// Bytes of a manifest (own choice).
const MANIFEST_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// How long a store may say nothing (own choice). There is no limit for an object as a whole, which may be large.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// How often a request is tried again, and for how long (own choice).
const RETRIES_MAX: usize = 5;
const RETRY_MAX: Duration = Duration::from_secs(60);

/// Bytes of a part of an upload (S3 takes 5 MiB at least), and how many parts there may be (S3 takes 10,000).
const PART_BYTES_MIN: u64 = 8 * 1024 * 1024;
const PARTS_MAX: u64 = 9_000;

/// What is appended to the name of a file that is not complete.
const PART: &str = ".batchyard-part";

/// Where a store is, and with which key it is spoken to.
#[derive(Clone)]
pub struct StorageConfig {
    /// Its address, such as `http://127.0.0.1:9000`.
    pub endpoint: String,
    /// Its region.
    pub region: String,
    /// The identifier of the key.
    pub access_key_id: String,
    /// The key.
    pub secret_access_key: String,
    /// The token of a session, where the key is of one.
    pub session_token: Option<String>,
}

impl fmt::Debug for StorageConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StorageConfig")
            .field("endpoint", &self.endpoint)
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}

/// A store. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ObjectStorage {
    config: Arc<StorageConfig>,
    transfers: Arc<Semaphore>,
}

/// Why something of a store could not be had or kept. The texts are for users.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The store's word.
    #[error("{what}: {source}")]
    Store {
        what: String,
        source: object_store::Error,
    },
    /// The disk's.
    #[error("{path}: {source}", path = path.display())]
    Disk { path: PathBuf, source: std::io::Error },
    #[error("no objects begin with {0}")]
    Nothing(ObjectLocation),
    #[error("more than {OBJECTS_MAX} objects begin with {0}")]
    TooMany(ObjectLocation),
    #[error(
        "the manifest {0} is not a list that begins with an object with a prefix, and has names after it"
    )]
    NoManifest(ObjectLocation),
    #[error("the object {0} has a name that cannot be that of a file")]
    BadName(String),
}

/// An object, and the path of the file that it becomes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Wanted {
    pub(crate) file: PathBuf,
    bucket: String,
    key: Key,
    /// Whether it is known to have no content.
    is_empty: bool,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum ManifestItem {
    Prefix { prefix: String },
    Name(String),
}

impl ObjectStorage {
    /// A store that is spoken to when something is wanted of it.
    #[must_use]
    pub fn new(config: StorageConfig) -> Self {
        // Another part of the program may have chosen already: any will do.
        let _chosen = rustls::crypto::ring::default_provider().install_default();
        ObjectStorage {
            config: Arc::new(config),
            transfers: Arc::new(Semaphore::new(TRANSFERS_MAX)),
        }
    }

    fn bucket(&self, name: &str) -> Result<AmazonS3, Error> {
        let StorageConfig {
            endpoint,
            region,
            access_key_id,
            secret_access_key,
            session_token,
        } = &*self.config;
        let options = ClientOptions::new()
            .with_allow_http(true)
            .with_timeout_disabled()
            .with_read_timeout(SILENCE_MAX);
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(name)
            .with_endpoint(endpoint)
            .with_region(region)
            .with_access_key_id(access_key_id)
            .with_secret_access_key(secret_access_key)
            .with_client_options(options)
            .with_retry(RetryConfig {
                max_retries: RETRIES_MAX,
                retry_timeout: RETRY_MAX,
                ..RetryConfig::default()
            });
        if let Some(token) = session_token {
            builder = builder.with_token(token);
        }
        builder.build().map_err(|source| Error::Store {
            what: format!("s3://{name}"),
            source,
        })
    }

    /// The objects whose keys begin with a prefix, as SageMaker reads it: not only at slashes.
    pub(crate) async fn with_prefix(&self, from: &ObjectLocation) -> Result<Vec<Wanted>, Error> {
        let ObjectLocation { bucket, key: prefix } = from;
        let store = self.bucket(bucket)?;
        let failed = |source| Error::Store {
            what: from.to_string(),
            source,
        };
        // The library lists below a whole segment only.
        let folder = prefix.rsplit_once('/').map(|(folder, _)| Key::from(folder));
        let mut listed = store.list(folder.as_ref());
        let mut found = Vec::new();
        while let Some(ObjectMeta { location, size, .. }) = listed.try_next().await.map_err(failed)? {
            let key = location.as_ref();
            // The mark of the folder itself is no data; the library has cut the slash off its key.
            if !key.starts_with(prefix.as_str()) {
                continue;
            }
            if found.len() == OBJECTS_MAX {
                return Err(Error::TooMany(from.clone()));
            }
            found.push(Wanted {
                file: file_of(prefix, key).ok_or_else(|| Error::BadName(key.to_owned()))?,
                bucket: bucket.clone(),
                key: location,
                is_empty: size == 0,
            });
        }
        if found.is_empty() {
            return Err(Error::Nothing(from.clone()));
        }
        Ok(without_folders(found))
    }

    /// The objects that a manifest names.
    pub(crate) async fn of_manifest(&self, from: &ObjectLocation) -> Result<Vec<Wanted>, Error> {
        let store = self.bucket(&from.bucket)?;
        let failed = |source| Error::Store {
            what: from.to_string(),
            source,
        };
        let got = store.get(&Key::from(from.key.as_str())).await.map_err(failed)?;
        let no_manifest = || Error::NoManifest(from.clone());
        if got.meta.size > MANIFEST_BYTES_MAX {
            return Err(no_manifest());
        }
        let text = got.bytes().await.map_err(failed)?;
        let items: Vec<ManifestItem> = serde_json::from_slice(&text).map_err(|_| no_manifest())?;
        let mut items = items.into_iter();
        let prefix = match items.next() {
            Some(ManifestItem::Prefix { prefix }) => prefix,
            Some(ManifestItem::Name(_)) | None => return Err(no_manifest()),
        };
        let prefix = ObjectLocation::parse(&prefix).ok_or_else(no_manifest)?;
        let mut wanted = Vec::new();
        for item in items {
            let ManifestItem::Name(name) = item else {
                return Err(no_manifest());
            };
            wanted.push(Wanted {
                file: safe(&name).ok_or_else(|| Error::BadName(name.clone()))?,
                bucket: prefix.bucket.clone(),
                key: Key::from(format!("{}{name}", prefix.key)),
                is_empty: false,
            });
        }
        wanted.sort();
        Ok(wanted)
    }

    /// Writes objects to files, a few at once. What is there already is written anew.
    pub(crate) async fn download(&self, wanted: Vec<(Wanted, PathBuf)>) -> Result<(), Error> {
        let Some((first, _)) = wanted.first() else {
            return Ok(());
        };
        // All are of one bucket.
        let store = self.bucket(&first.bucket)?;
        let downloads = wanted.into_iter().map(|(wanted, file)| {
            let (storage, store) = (self.clone(), store.clone());
            // Owns all it needs: the compiler cannot tell that futures of a stream that borrow may change threads.
            async move { storage.download_one(&store, &wanted, &file).await }
        });
        stream::iter(downloads)
            .buffer_unordered(TRANSFERS_MAX)
            .try_collect()
            .await
    }

    async fn download_one(&self, store: &AmazonS3, wanted: &Wanted, file: &Path) -> Result<(), Error> {
        let _permit = self.transfers.acquire().await.expect("never closed");
        let Wanted {
            file: _,
            bucket,
            key,
            is_empty,
        } = wanted;
        let failed = |source| Error::Store {
            what: format!("s3://{bucket}/{key}"),
            source,
        };
        let disk = |source| Error::Disk {
            path: file.to_owned(),
            source,
        };
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder).await.map_err(disk)?;
        }
        let mut part = file.as_os_str().to_owned();
        part.push(PART);
        let mut written = File::create(&part).await.map_err(disk)?;
        // There is nothing to get of an empty one, which may be the mark of a folder, whose name the library has cut.
        if !is_empty {
            let mut content = store.get(key).await.map_err(failed)?.into_stream();
            while let Some(bytes) = content.next().await {
                written.write_all(&bytes.map_err(failed)?).await.map_err(disk)?;
            }
        }
        written.flush().await.map_err(disk)?;
        drop(written);
        fs::rename(&part, file).await.map_err(disk)
    }

    /// Writes a file as an object, in parts.
    pub(crate) async fn upload(&self, file: &Path, to: &ObjectLocation) -> Result<(), Error> {
        let _permit = self.transfers.acquire().await.expect("never closed");
        let disk = |source| Error::Disk {
            path: file.to_owned(),
            source,
        };
        let failed = |source| Error::Store {
            what: to.to_string(),
            source,
        };
        let store = self.bucket(&to.bucket)?;
        let mut read = File::open(file).await.map_err(disk)?;
        let bytes = read.metadata().await.map_err(disk)?.len();
        let part_bytes = PART_BYTES_MIN.max(bytes.div_ceil(PARTS_MAX));
        let key = Key::from(to.key.as_str());
        let mut upload = store.put_multipart(&key).await.map_err(failed)?;
        let written = async {
            loop {
                let mut part = Vec::new();
                (&mut read)
                    .take(part_bytes)
                    .read_to_end(&mut part)
                    .await
                    .map_err(disk)?;
                if part.is_empty() {
                    return upload.complete().await.map_err(failed);
                }
                upload.put_part(part.into()).await.map_err(failed)?;
            }
        };
        if let Err(error) = written.await {
            // What was written of it would be kept, and cost, for ever; if that fails too there is nothing left to try.
            let _aborted = upload.abort().await;
            return Err(error);
        }
        Ok(())
    }
}

/// The objects in the order of their files, but for empty ones below whose key there are others: consoles mark folders so.
fn without_folders(mut found: Vec<Wanted>) -> Vec<Wanted> {
    // By whole parts of the keys, so that what is below one follows it.
    found.sort_by(|one, other| one.key.parts().cmp(other.key.parts()));
    let next = found.iter().skip(1).map(Some).chain([None]);
    let is_folder = |(one, next): (&Wanted, Option<&Wanted>)| {
        one.is_empty && next.is_some_and(|next| next.key.prefix_matches(&one.key))
    };
    let folders: Vec<bool> = found.iter().zip(next).map(is_folder).collect();
    let kept = found.into_iter().zip(folders);
    let mut kept: Vec<Wanted> = kept
        .filter(|(_, is_folder)| !is_folder)
        .map(|(one, _)| one)
        .collect();
    kept.sort();
    kept
}

/// The path of an object's file: what its key has behind the prefix, as of a folder; of an object that is named itself its last part.
fn file_of(prefix: &str, key: &str) -> Option<PathBuf> {
    let rest = &key[prefix.len()..];
    let folder = prefix.rfind('/').map_or(0, |slash| slash + 1);
    let name = match rest.strip_prefix('/') {
        Some(below) => below,
        None => &key[folder..],
    };
    safe(name)
}

/// A path that stays below where it is put.
fn safe(name: &str) -> Option<PathBuf> {
    let is_plain = |part: &str| !matches!(part, "" | "." | "..") && !part.contains('\0');
    name.split('/').all(is_plain).then(|| PathBuf::from(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_of_folders_are_no_files() {
        let wanted = |(file, is_empty): (&str, bool)| Wanted {
            file: PathBuf::from(file),
            bucket: "b".to_owned(),
            key: Key::from(file),
            is_empty,
        };
        let found = [
            ("c", false),
            ("a/b", false),
            ("a", true),
            ("a-1", true),
            ("d", true),
        ]
        .map(wanted);
        let files: Vec<String> = without_folders(found.into())
            .iter()
            .map(|one| one.file.to_str().unwrap().to_owned())
            .collect();
        assert_eq!(files, ["a/b", "a-1", "c", "d"]);
    }

    #[test]
    fn files_are_called_as_what_is_behind_the_prefix() {
        for (prefix, key, file) in [
            ("", "a/b", Some("a/b")),
            ("data/", "data/a/b", Some("a/b")),
            ("data", "data/a/b", Some("a/b")),
            ("data/tr", "data/train/a", Some("train/a")),
            ("data/tr", "data/train", Some("train")),
            ("data/train.csv", "data/train.csv", Some("train.csv")),
            ("data/", "data/../a", None),
        ] {
            assert_eq!(file_of(prefix, key), file.map(PathBuf::from), "{prefix} {key}");
        }
    }
}
