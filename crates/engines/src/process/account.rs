//! The user that jobs run as. Start with [`Account::find`].

use std::ffi::CString;
use std::path::PathBuf;

use nix::unistd::{Gid, Uid, User, getgrouplist};
use serde::{Deserialize, Serialize};

/// A user of this host with all that running as it needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Account {
    pub(super) name: String,
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// All groups, the primary one included.
    pub(super) groups: Vec<u32>,
    pub(super) home: PathBuf,
    pub(super) shell: PathBuf,
}

/// The user cannot be found.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum Error {
    /// There is none of that name.
    #[error("unknown user {0:?}")]
    Unknown(String),
    /// The user database does not answer.
    #[error("look up user {name:?}: {errno}")]
    Database { name: String, errno: nix::Error },
}

impl Account {
    /// The user of that name.
    pub(super) fn find(name: &str) -> Result<Account, Error> {
        let database = |errno| Error::Database {
            name: name.to_owned(),
            errno,
        };
        let user = User::from_name(name).map_err(database)?;
        let user = user.ok_or_else(|| Error::Unknown(name.to_owned()))?;
        let groups = CString::new(name)
            .map_err(|_| nix::Error::EINVAL)
            .and_then(|text| getgrouplist(&text, user.gid))
            .map_err(database)?;
        Ok(Account::new(user, &groups))
    }

    /// The user of this process; where the database does not know it, what can be said without.
    pub(super) fn own() -> Account {
        let uid = Uid::effective();
        match User::from_uid(uid) {
            Ok(Some(user)) => Account::new(user, &[]),
            Ok(None) | Err(_) => Account {
                name: uid.to_string(),
                uid: uid.as_raw(),
                gid: Gid::effective().as_raw(),
                groups: Vec::new(),
                home: PathBuf::from("/"),
                shell: PathBuf::from("/bin/sh"),
            },
        }
    }

    fn new(user: User, groups: &[Gid]) -> Account {
        Account {
            name: user.name,
            uid: user.uid.as_raw(),
            gid: user.gid.as_raw(),
            groups: groups.iter().map(|group| group.as_raw()).collect(),
            home: user.dir,
            shell: user.shell,
        }
    }
}
