//! Profiles: what jobs need of the scheduler, each distinct one stored once.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use batchyard_core::job::Profile;
use rusqlite::{Connection, OptionalExtension as _};

use super::code::{from_json, json};
use super::failure::Failure;
use crate::limits::PROFILES_CACHED;

/// The writer's memory of which profile has which number.
#[derive(Default)]
pub(super) struct ProfileNumbers(BTreeMap<Profile, i64>);

impl ProfileNumbers {
    /// Forgets all.
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }

    /// The number of a profile; a new one is stored.
    pub(super) fn number(&mut self, connection: &Connection, profile: &Profile) -> Result<i64, Failure> {
        if let Some(number) = self.0.get(profile) {
            return Ok(*number);
        }
        let content = json(profile);
        let known = connection
            .prepare_cached("SELECT id FROM profiles WHERE content = ?1")?
            .query_row([&content], |row| row.get(0))
            .optional()?;
        let number = match known {
            Some(number) => number,
            None => {
                connection
                    .prepare_cached("INSERT INTO profiles (content) VALUES (?1)")?
                    .execute([&content])?;
                connection.last_insert_rowid()
            }
        };
        if self.0.len() >= PROFILES_CACHED {
            self.0.clear();
        }
        self.0.insert(profile.clone(), number);
        Ok(number)
    }
}

/// The readers' memory of which number is which profile. Rows of profiles never change, so it is never outdated.
#[derive(Default)]
pub(super) struct KnownProfiles(Mutex<HashMap<i64, Arc<Profile>>>);

impl KnownProfiles {
    /// The profile with this number.
    pub(super) fn profile(&self, connection: &Connection, number: i64) -> Result<Arc<Profile>, Failure> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(profile) = known.get(&number) {
            return Ok(Arc::clone(profile));
        }
        let content: String = connection
            .prepare_cached("SELECT content FROM profiles WHERE id = ?1")?
            .query_row([number], |row| row.get(0))?;
        let profile: Arc<Profile> = Arc::new(from_json("profiles.content", &content)?);
        if known.len() >= PROFILES_CACHED {
            known.clear();
        }
        known.insert(number, Arc::clone(&profile));
        Ok(profile)
    }
}
