//! The operator's folder of secrets: one file for each value, read anew at each start (section E.8).
//!
//! ```text
//! secretsmanager/NAME            Secrets Manager, with or without the six letters that its ARNs have
//! ssm/NAME                       Parameter Store, without the slash at its beginning
//! kubernetes/NAMESPACE/NAME/KEY  secrets of pods
//! ```
//!
//! Values must never be kept, logged, or put into a text: [`Value`] does not show what it is, and errors name files only. Start with
//! [`Secrets::text`].

use std::fs;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::{fmt, iter};

use batchyard_core::secret::{SecretKind, SecretName, SecretReference, SecretVariable};
use serde_json::Value as Json;

/// The folder of secrets of Kubernetes.
const KUBERNETES: &str = "kubernetes";

/// Bytes of a value: Secrets Manager's quota, and more than a parameter's 8 KiB.
const VALUE_BYTES_MAX: u64 = 64 * 1024;

/// Bytes of a value of Kubernetes, whose secrets have no more together.
const KUBERNETES_BYTES_MAX: u64 = 1024 * 1024;

/// Rights that a value's file must give to nobody: any to others than its owner and group, and to its group that of writing.
const EXPOSED: u32 = 0o027;

/// The folder of secrets, if the operator has one.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    folder: Option<PathBuf>,
}

/// A value. It is shown to nobody.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Value(String);

/// A variable, or an option, with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resolved {
    pub(crate) name: String,
    pub(crate) value: Value,
}

/// A file of a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) name: String,
    pub(crate) bytes: FileBytes,
}

/// What is in it. It is shown to nobody.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct FileBytes(Vec<u8>);

/// A value that cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unavailable {
    #[error("the server has no folder of secrets (secrets.folder)")]
    NoFolder,
    #[error("the server's folder of secrets has no such file")]
    Missing,
    #[error("its file has mode {0:03o}, which is open to others")]
    Exposed(u32),
    #[error("its file is not a regular one")]
    NotAFile,
    #[error("its file has more than {0} bytes")]
    TooLarge(u64),
    #[error("its file is not text in UTF-8 without NUL")]
    NotText,
    #[error("its file cannot be read: {0}")]
    Unreadable(io::ErrorKind),
    #[error("it is not a JSON object")]
    NotAnObject,
    // The service's words.
    #[error("retrieved secret from Secrets Manager did not contain json key {0}")]
    NoKey(String),
    #[error("its json key {0} is neither text, nor a number, nor true or false")]
    NotAValue(String),
}

impl Secrets {
    /// Those in this folder.
    #[must_use]
    pub fn in_folder(folder: Option<PathBuf>) -> Self {
        Secrets { folder }
    }

    /// The values of variables, in their order.
    ///
    /// # Errors
    /// For the first that cannot be had: a text for the user that begins as the service's does.
    pub(crate) async fn variables(&self, variables: &[SecretVariable]) -> Result<Vec<Resolved>, String> {
        let mut resolved = Vec::with_capacity(variables.len());
        for SecretVariable { name, from } in variables {
            resolved.push(Resolved {
                name: name.clone(),
                value: self.text(from).await?,
            });
        }
        Ok(resolved)
    }

    /// One value. A line feed at its end, with or without a carriage return, is an editor's and not part of it.
    ///
    /// # Errors
    /// When it cannot be had: a text for the user that begins as the service's does.
    pub(crate) async fn text(&self, reference: &SecretReference) -> Result<Value, String> {
        let (secrets, wanted) = (self.clone(), reference.clone());
        let read = tokio::task::spawn_blocking(move || secrets.read_text(&wanted)).await;
        let read = read.expect("reading a file does not panic");
        read.map_err(|unavailable| text_of(reference, &unavailable))
    }

    /// All keys of a secret of Kubernetes, with what their files have, byte by byte; none where it may be missing and is.
    ///
    /// # Errors
    /// When one cannot be had: a text for the user.
    pub(crate) async fn files(&self, secret: &SecretName, is_optional: bool) -> Result<Vec<File>, String> {
        let (secrets, name) = (self.clone(), secret.clone());
        let read = tokio::task::spawn_blocking(move || secrets.read_files(&name)).await;
        match read.expect("reading files does not panic") {
            Ok(files) => Ok(files),
            Err(Unavailable::Missing) if is_optional => Ok(Vec::new()),
            Err(unavailable) => Err(format!("secret {secret} not found: {unavailable}")),
        }
    }

    fn read_files(&self, secret: &SecretName) -> Result<Vec<File>, Unavailable> {
        let folder = self.folder.as_deref().ok_or(Unavailable::NoFolder)?;
        let folder = folder.join(KUBERNETES).join(secret.as_str());
        let mut files = Vec::new();
        let mut bytes_left = KUBERNETES_BYTES_MAX;
        for entry in fs::read_dir(&folder).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            // Folders are other secrets', or where Kubernetes itself keeps the versions of a mounted one.
            let Some(name) = name.to_str().filter(|name| !folder.join(name).is_dir()) else {
                continue;
            };
            let bytes = bytes_of(&folder.join(name), bytes_left)?;
            bytes_left = bytes_left.saturating_sub(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
            files.push(File {
                name: name.to_owned(),
                bytes: FileBytes(bytes),
            });
        }
        files.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(files)
    }

    fn read_text(&self, reference: &SecretReference) -> Result<Value, Unavailable> {
        let bytes = self.read(reference)?;
        let text = String::from_utf8(bytes).map_err(|_| Unavailable::NotText)?;
        if text.contains('\0') {
            return Err(Unavailable::NotText);
        }
        let line = text.strip_suffix('\n').unwrap_or(&text);
        let text = line.strip_suffix('\r').filter(|_| line.len() < text.len());
        let text = text.unwrap_or(line);
        match &reference.json_key {
            None => Ok(Value(text.to_owned())),
            Some(key) => member(text, key),
        }
    }

    /// The bytes of the first file that may have the value.
    fn read(&self, reference: &SecretReference) -> Result<Vec<u8>, Unavailable> {
        let SecretReference {
            kind,
            name,
            json_key: _,
        } = reference;
        let folder = self.folder.as_deref().ok_or(Unavailable::NoFolder)?;
        let (part, bytes_max, other) = match kind {
            SecretKind::SecretsManager => ("secretsmanager", VALUE_BYTES_MAX, name.without_suffix()),
            SecretKind::Parameter => ("ssm", VALUE_BYTES_MAX, None),
            SecretKind::Kubernetes => (KUBERNETES, KUBERNETES_BYTES_MAX, None),
        };
        for name in iter::once(name.as_str()).chain(other) {
            match bytes_of(&folder.join(part).join(name), bytes_max) {
                Err(Unavailable::Missing) => {}
                read => return read,
            }
        }
        Err(Unavailable::Missing)
    }
}

fn failed(error: io::Error) -> Unavailable {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Unavailable::Missing,
        kind => Unavailable::Unreadable(kind),
    }
}

/// What a file has, if nobody but its owner and group could have had it.
fn bytes_of(path: &Path, bytes_max: u64) -> Result<Vec<u8>, Unavailable> {
    // Before it is opened: opening a pipe would wait for its other end.
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(Unavailable::NotAFile);
    }
    let file = fs::File::open(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o777;
    if mode & EXPOSED != 0 {
        return Err(Unavailable::Exposed(mode));
    }
    let mut bytes = Vec::new();
    file.take(bytes_max + 1).read_to_end(&mut bytes).map_err(failed)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length <= bytes_max) {
        Ok(bytes)
    } else {
        Err(Unavailable::TooLarge(bytes_max))
    }
}

/// A member of a JSON object: text as it is, numbers and truth values as they are written in JSON.
fn member(document: &str, key: &str) -> Result<Value, Unavailable> {
    let Ok(Json::Object(members)) = serde_json::from_str(document) else {
        return Err(Unavailable::NotAnObject);
    };
    match members.get(key) {
        None => Err(Unavailable::NoKey(key.to_owned())),
        Some(Json::String(text)) if !text.contains('\0') => Ok(Value(text.clone())),
        Some(value @ (Json::Number(_) | Json::Bool(_))) => Ok(Value(value.to_string())),
        Some(Json::String(_) | Json::Null | Json::Array(_) | Json::Object(_)) => {
            Err(Unavailable::NotAValue(key.to_owned()))
        }
    }
}

/// In the words that ECS has for it (section B.4).
fn text_of(reference: &SecretReference, unavailable: &Unavailable) -> String {
    const BEGIN: &str = "ResourceInitializationError: unable to pull secrets or registry auth: \
                         execution resource retrieval failed: unable to retrieve";
    let name = &reference.name;
    match reference.kind {
        SecretKind::SecretsManager => format!("{BEGIN} secret from asm: {name}: {unavailable}"),
        SecretKind::Parameter => format!("{BEGIN} secrets from ssm: {name}: {unavailable}"),
        SecretKind::Kubernetes => format!("secret {name} not found: {unavailable}"),
    }
}

impl Value {
    /// What was read from another one.
    pub(crate) fn new(text: String) -> Self {
        Value(text)
    }

    /// The value, for the one who is to have it.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl FileBytes {
    #[cfg(test)]
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        FileBytes(bytes)
    }

    /// The bytes, for the one who is to have them.
    pub(crate) fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for FileBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    /// A folder with a file of each of these names, contents and modes.
    fn folder(files: &[(&str, &[u8], u32)]) -> (tempfile::TempDir, Secrets) {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes, mode) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, bytes).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(*mode)).unwrap();
        }
        let secrets = Secrets::in_folder(Some(folder.path().to_owned()));
        (folder, secrets)
    }

    fn reference(kind: SecretKind, name: &str, json_key: Option<&str>) -> SecretReference {
        SecretReference {
            kind,
            name: SecretName::parse(name).unwrap(),
            json_key: json_key.map(str::to_owned),
        }
    }

    /// What each of these secrets is, or why it cannot be had.
    fn check(secrets: &Secrets, references: &[SecretReference], expected: Expect) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let lines = references
            .iter()
            .map(|reference| match runtime.block_on(secrets.text(reference)) {
                Ok(value) => format!("{:?}\n", value.expose()),
                Err(text) => format!("{text}\n"),
            });
        expected.assert_eq(&lines.collect::<String>());
    }

    use SecretKind::{Kubernetes, Parameter, SecretsManager};

    #[test]
    fn values_are_found_by_their_names() {
        let (_folder, secrets) = folder(&[
            ("secretsmanager/prod/db", b"plain\n", 0o600),
            ("secretsmanager/exact-a1b2c3", b"exact", 0o400),
            ("secretsmanager/exact", b"other", 0o640),
            ("ssm/prod/url", b"one\ntwo\r\n", 0o600),
            ("ssm/empty", b"", 0o600),
            ("ssm/spaces", b" \n\n", 0o600),
        ]);
        check(
            &secrets,
            &[
                reference(SecretsManager, "prod/db", None),
                reference(SecretsManager, "prod/db-a1b2c3", None),
                reference(SecretsManager, "exact-a1b2c3", None),
                reference(SecretsManager, "exact-d4e5f6", None),
                reference(Parameter, "prod/url", None),
                reference(Parameter, "empty", None),
                reference(Parameter, "spaces", None),
            ],
            expect![[r#"
                "plain"
                "plain"
                "exact"
                "other"
                "one\ntwo"
                ""
                " \n"
            "#]],
        );
    }

    #[test]
    fn members_of_json_documents_are_values() {
        let document = br#"{"user": "a", "port": 5432, "tls": true, "none": null, "more": {"a": 1}}"#;
        let (_folder, secrets) = folder(&[
            ("secretsmanager/db", document, 0o600),
            ("secretsmanager/text", b"hunter2", 0o600),
        ]);
        let of = |key| reference(SecretsManager, "db", Some(key));
        check(
            &secrets,
            &[
                of("user"),
                of("port"),
                of("tls"),
                of("none"),
                of("more"),
                of("absent"),
                reference(SecretsManager, "text", Some("key")),
            ],
            expect![[r#"
                "a"
                "5432"
                "true"
                ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secret from asm: db: its json key none is neither text, nor a number, nor true or false
                ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secret from asm: db: its json key more is neither text, nor a number, nor true or false
                ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secret from asm: db: retrieved secret from Secrets Manager did not contain json key absent
                ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secret from asm: text: it is not a JSON object
            "#]],
        );
    }

    #[test]
    fn all_keys_of_a_secret_are_files() {
        let (folder, secrets) = folder(&[
            ("kubernetes/jobs/token/b", b"\xff\0\n", 0o600),
            ("kubernetes/jobs/token/a", b"hunter2\n", 0o600),
            ("kubernetes/jobs/token/..data/a", b"other", 0o600),
            ("kubernetes/jobs/open/a", b"hunter2", 0o644),
            ("kubernetes/jobs/large/a", &[b'x'; 1_000_000], 0o600),
            ("kubernetes/jobs/large/b", &[b'x'; 100_000], 0o600),
        ]);
        let files = |name: &str| secrets.read_files(&SecretName::parse(name).unwrap());
        let found: Vec<(String, Vec<u8>)> = files("jobs/token")
            .unwrap()
            .into_iter()
            .map(|file| (file.name, file.bytes.0))
            .collect();
        let expected = [("a", b"hunter2\n".to_vec()), ("b", b"\xff\0\n".to_vec())];
        assert_eq!(found, expected.map(|(name, bytes)| (name.to_owned(), bytes)));
        assert!(matches!(files("jobs/absent"), Err(Unavailable::Missing)));
        assert!(matches!(files("jobs/open"), Err(Unavailable::Exposed(0o644))));
        assert!(matches!(files("jobs/large"), Err(Unavailable::TooLarge(_))));
        drop(folder);
    }

    #[test]
    fn what_cannot_be_had_is_named_and_not_shown() {
        let (folder, secrets) = folder(&[
            ("ssm/open", b"hunter2", 0o644),
            ("ssm/shared", b"hunter2", 0o660),
            ("ssm/binary", b"hunter2\xff", 0o600),
            ("ssm/nul", b"hunter2\0", 0o600),
            ("ssm/large", &[b'x'; 65_537], 0o600),
            ("ssm/most", &[b'x'; 65_536], 0o600),
            ("kubernetes/jobs/token/key", b"hunter2", 0o604),
        ]);
        fs::create_dir(folder.path().join("ssm/folder")).unwrap();
        let most = reference(Parameter, "most", None);
        assert_eq!(
            secrets.read_text(&most).map(|value| value.0.len()).ok(),
            Some(65_536)
        );
        check(
            &secrets,
            &[
                reference(Parameter, "open", None),
                reference(Parameter, "shared", None),
                reference(Parameter, "binary", None),
                reference(Parameter, "nul", None),
                reference(Parameter, "large", None),
                reference(Parameter, "folder", None),
                reference(Parameter, "open/below", None),
                reference(Parameter, "absent", None),
                reference(SecretsManager, "absent-a1b2c3", None),
                reference(Kubernetes, "jobs/token/key", None),
            ],
            expect![[r#"
                ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secrets from ssm: open: its file has mode 644, which is open to others
                ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secrets from ssm: shared: its file has mode 660, which is open to others
                ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secrets from ssm: binary: its file is not text in UTF-8 without NUL
                ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secrets from ssm: nul: its file is not text in UTF-8 without NUL
                ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secrets from ssm: large: its file has more than 65536 bytes
                ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secrets from ssm: folder: its file is not a regular one
                ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secrets from ssm: open/below: the server's folder of secrets has no such file
                ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secrets from ssm: absent: the server's folder of secrets has no such file
                ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secret from asm: absent-a1b2c3: the server's folder of secrets has no such file
                secret jobs/token/key not found: its file has mode 604, which is open to others
            "#]],
        );
        let none = Secrets::default();
        check(
            &none,
            &[reference(Parameter, "open", None)],
            expect![[r#"
            ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secrets from ssm: open: the server has no folder of secrets (secrets.folder)
        "#]],
        );
        let value = Value("hunter2".to_owned());
        assert_eq!(format!("{value:?}"), "***");
    }
}
