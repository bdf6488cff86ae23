//! Environments, queues, definitions, tags.

use std::cmp::Reverse;

use batchyard_core::change::{DefinitionRegistered, EnvironmentPut, ItemPut, QueuePut, TagsChanged};
use batchyard_core::environment::Life;
use batchyard_core::id::{EnvironmentId, QueueId};
use batchyard_core::item::{Item, ItemKey};
use batchyard_core::name::{ConsumableResourceName, DefinitionName, EnvironmentKind};
use batchyard_core::time::Timestamp;
use batchyard_runtime::store::{DefinitionRevision, DefinitionRow, EnvironmentRow, ItemRow, QueueRow};

use super::Model;

impl Model {
    pub(super) fn put_environment(&mut self, put: &EnvironmentPut) {
        let EnvironmentPut {
            id,
            name,
            version,
            switch,
            life,
            spec,
            document,
        } = put.clone();
        self.environment_names.insert(id, name.clone());
        let row = EnvironmentRow {
            id,
            name,
            version,
            switch,
            life,
            spec,
            instance_vcpus: 0,
            is_renewing: self.environments.get(&id).is_some_and(|row| row.is_renewing),
            document,
            tags: Vec::new(),
        };
        self.environments.insert(id, row);
    }

    pub(super) fn environment_is_deleting(&mut self, id: EnvironmentId) {
        self.environments.get_mut(&id).unwrap().life = Life::Deleting;
    }

    pub(super) fn remove_environment(&mut self, id: EnvironmentId) {
        let row = self.environments.remove(&id).unwrap();
        self.tags.remove(&row.name.resource());
    }

    /// The environments of a kind by name.
    pub(crate) fn environment_rows(&self, kind: EnvironmentKind) -> Vec<EnvironmentRow> {
        let with_sums = |row: &EnvironmentRow| {
            let own = self
                .instances
                .values()
                .filter(|(environment, _)| *environment == row.id);
            EnvironmentRow {
                instance_vcpus: own.map(|(_, vcpus)| vcpus).sum(),
                tags: self.tags_of(&row.name.resource()),
                ..row.clone()
            }
        };
        let mut rows: Vec<_> = self
            .environments
            .values()
            .filter(|row| row.name.kind() == kind)
            .map(with_sums)
            .collect();
        rows.sort_by(|a, b| a.name.cmp(&b.name));
        rows
    }

    pub(super) fn put_queue(&mut self, put: &QueuePut) {
        let QueuePut {
            id,
            name,
            version,
            switch,
            priority,
            environments,
            policy,
            actions,
            document,
        } = put.clone();
        self.queue_names.insert(id, name.clone());
        let environments = environments.iter().map(|id| self.environment_names[id].clone());
        let row = QueueRow {
            id,
            name,
            version,
            switch,
            life: Life::Valid,
            priority,
            environments: environments.collect(),
            policy,
            actions,
            document,
            tags: Vec::new(),
        };
        self.queues.insert(id, row);
    }

    pub(super) fn queue_is_deleting(&mut self, id: QueueId) {
        self.queues.get_mut(&id).unwrap().life = Life::Deleting;
    }

    pub(super) fn remove_queue(&mut self, id: QueueId) {
        let row = self.queues.remove(&id).unwrap();
        self.tags.remove(&format!("job-queue/{}", row.name));
    }

    /// The queues by name.
    pub(crate) fn queue_rows(&self) -> Vec<QueueRow> {
        let with_tags = |row: &QueueRow| QueueRow {
            tags: self.tags_of(&format!("job-queue/{}", row.name)),
            ..row.clone()
        };
        let mut rows: Vec<_> = self.queues.values().map(with_tags).collect();
        rows.sort_by(|a, b| a.name.cmp(&b.name));
        rows
    }

    pub(super) fn register(&mut self, registered: &DefinitionRegistered) {
        let DefinitionRegistered {
            name,
            revision,
            document,
            at: _,
        } = registered.clone();
        let row = DefinitionRow {
            revision: DefinitionRevision {
                name: name.clone(),
                revision,
            },
            is_active: true,
            document,
            tags: Vec::new(),
        };
        self.definitions.insert((name, Reverse(revision)), row);
    }

    pub(super) fn deregister(&mut self, name: &DefinitionName, revision: u32, at: Timestamp) {
        let key = (name.clone(), Reverse(revision));
        self.deregistered.insert(key.clone(), at);
        self.definitions.get_mut(&key).unwrap().is_active = false;
    }

    /// Forgets what was deregistered before.
    pub(crate) fn forget_definitions(&mut self, before: Timestamp) {
        for (key, _) in self.deregistered.iter().filter(|(_, at)| **at < before) {
            self.definitions.remove(key);
            let (name, Reverse(revision)) = key;
            self.tags.remove(&format!("job-definition/{name}:{revision}"));
        }
    }

    /// The definitions by name, newest revision first.
    pub(crate) fn definition_rows(&self) -> Vec<DefinitionRow> {
        let with_tags = |row: &DefinitionRow| {
            let DefinitionRevision { name, revision } = &row.revision;
            DefinitionRow {
                tags: self.tags_of(&format!("job-definition/{name}:{revision}")),
                ..row.clone()
            }
        };
        self.definitions.values().map(with_tags).collect()
    }

    pub(super) fn put_item(&mut self, put: &ItemPut) {
        let ItemPut {
            key,
            version,
            item,
            document,
            at,
        } = put.clone();
        let created_at = self.items.get(&key).map_or(at, |row| row.created_at);
        let row = ItemRow {
            key: key.clone(),
            version,
            item,
            document,
            created_at,
            tags: Vec::new(),
        };
        self.items.insert(key, row);
    }

    pub(super) fn burn(&mut self, name: &ConsumableResourceName, left: u64) {
        let row = self
            .items
            .get_mut(&ItemKey::ConsumableResource(name.clone()))
            .unwrap();
        row.version += 1;
        match &mut row.item {
            Item::ConsumableResource(resource) => resource.total = left,
            other => panic!("{other:?} is no consumable resource"),
        }
    }

    /// Those for which this holds, by name.
    pub(crate) fn item_rows(&self, is_wanted: impl Fn(&ItemKey) -> bool) -> Vec<ItemRow> {
        let with_tags = |row: &ItemRow| ItemRow {
            tags: self.tags_of(&row.key.resource()),
            ..row.clone()
        };
        let wanted = self.items.values().filter(|row| is_wanted(&row.key));
        wanted.map(with_tags).collect()
    }

    pub(super) fn change_tags(&mut self, changed: &TagsChanged) {
        let TagsChanged {
            resource,
            set,
            removed,
        } = changed.clone();
        let tags = self.tags.entry(resource).or_default();
        tags.extend(set);
        tags.retain(|key, _| !removed.contains(key));
    }
}
