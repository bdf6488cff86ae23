//! Compute environments, instances, queues, definitions, tags.

use batchyard_core::blocked::Blocked;
use batchyard_core::change::{
    DefinitionRegistered, EnvironmentPut, InstanceAdded, ItemPut, QueuePut, TagsChanged,
};
use batchyard_core::environment::{Leaving, Life, Renewal};
use batchyard_core::id::{EnvironmentId, InstanceId, QueueId};
use batchyard_core::item::ItemKey;
use batchyard_core::name::{ConsumableResourceName, DefinitionName, SchedulingPolicyName};
use batchyard_core::options::QueueOptions;
use batchyard_core::time::Timestamp;

use super::Writing;
use crate::sqlite::code::{LIFE_GONE, at, gpus_code, json, life_code, number, switch_code};
use crate::sqlite::failure::Failure;

impl Writing<'_> {
    pub(super) fn put_environment(&self, put: &EnvironmentPut) -> Result<(), Failure> {
        let EnvironmentPut {
            id,
            name,
            version,
            switch,
            life,
            spec,
            document,
        } = put;
        self.run(
            "INSERT INTO environments (id, name, version, switch, life, spec, document) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT (id) DO UPDATE SET name = excluded.name, version = excluded.version, switch = excluded.switch,
             life = excluded.life, spec = excluded.spec, document = excluded.document",
            (
                id.0,
                name.as_str(),
                number(*version),
                switch_code(*switch),
                life_code(*life),
                json(spec),
                &*document.0,
            ),
        )
    }

    pub(super) fn renew_environment(
        &self,
        id: EnvironmentId,
        renewal: Option<&Renewal>,
    ) -> Result<(), Failure> {
        self.run(
            "UPDATE environments SET renewal = ?2 WHERE id = ?1",
            (id.0, renewal.map(json)),
        )
    }

    pub(super) fn environment_is_deleting(&self, id: EnvironmentId) -> Result<(), Failure> {
        self.run(
            "UPDATE environments SET life = ?2 WHERE id = ?1",
            (id.0, life_code(Life::Deleting)),
        )
    }

    pub(super) fn remove_environment(&self, id: EnvironmentId) -> Result<(), Failure> {
        self.run(
            // Names of service environments are the ends of their ARNs.
            "DELETE FROM tags WHERE resource = (SELECT iif(name LIKE 'service-environment/%', name, 'compute-environment/' || name)
             FROM environments WHERE id = ?1)",
            [id.0],
        )?;
        self.run(
            "UPDATE environments SET life = ?2 WHERE id = ?1",
            (id.0, LIFE_GONE),
        )
    }

    pub(super) fn add_instance(&self, added: &InstanceAdded) -> Result<(), Failure> {
        let InstanceAdded {
            environment,
            id,
            instance_type,
            capacity,
            gpus,
            at: since,
        } = added;
        self.run(
            "INSERT INTO instances (id, environment, instance_type, capacity, vcpus, gpus, last_used_at, was_used)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0)",
            (
                id.0,
                environment.0,
                instance_type.facts().name,
                json(capacity),
                capacity.vcpus.ceil(),
                gpus_code(*gpus),
                at(*since),
            ),
        )
    }

    pub(super) fn note_leaving(&self, id: InstanceId, leaving: Leaving) -> Result<(), Failure> {
        self.run(
            "UPDATE instances SET leaving = ?2 WHERE id = ?1",
            (id.0, json(&leaving)),
        )
    }

    pub(super) fn remove_instance(&self, id: InstanceId) -> Result<(), Failure> {
        self.run("DELETE FROM instances WHERE id = ?1", [id.0])
    }

    pub(super) fn put_queue(&self, put: &QueuePut) -> Result<(), Failure> {
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
        } = put;
        self.run(
            "INSERT INTO queues (id, name, version, switch, life, priority, environments, policy, document, actions)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
             ON CONFLICT (id) DO UPDATE SET name = excluded.name, version = excluded.version, switch = excluded.switch,
             life = excluded.life, priority = excluded.priority, environments = excluded.environments,
             policy = excluded.policy, document = excluded.document, actions = excluded.actions",
            (
                id.0,
                name.as_str(),
                number(*version),
                switch_code(*switch),
                life_code(Life::Valid),
                priority,
                json(environments),
                policy.as_ref().map(SchedulingPolicyName::as_str),
                &*document.0,
                json(actions),
            ),
        )
    }

    pub(super) fn block_line(
        &self,
        id: QueueId,
        line: &str,
        blocked: Option<&Blocked>,
    ) -> Result<(), Failure> {
        match blocked {
            Some(blocked) => self.run(
                "INSERT INTO blocked_lines (queue, line, content) VALUES (?1, ?2, ?3)
                 ON CONFLICT DO UPDATE SET content = excluded.content",
                (id.0, line, json(blocked)),
            ),
            None => self.run(
                "DELETE FROM blocked_lines WHERE queue = ?1 AND line = ?2",
                (id.0, line),
            ),
        }
    }

    pub(super) fn set_options(&self, id: QueueId, options: QueueOptions) -> Result<(), Failure> {
        self.run(
            "UPDATE queues SET options = ?2 WHERE id = ?1",
            (id.0, json(&options)),
        )
    }

    pub(super) fn burn_supply(&self, name: &ConsumableResourceName, left: u64) -> Result<(), Failure> {
        self.run(
            "UPDATE items SET item = json_set(item, '$.consumable_resource.total', ?2), version = version + 1
             WHERE resource = ?1",
            (ItemKey::ConsumableResource(name.clone()).resource(), number(left)),
        )
    }

    pub(super) fn queue_is_deleting(&self, id: QueueId) -> Result<(), Failure> {
        self.run(
            "UPDATE queues SET life = ?2 WHERE id = ?1",
            (id.0, life_code(Life::Deleting)),
        )
    }

    pub(super) fn remove_queue(&self, id: QueueId) -> Result<(), Failure> {
        self.run(
            "DELETE FROM tags WHERE resource = (SELECT 'job-queue/' || name FROM queues WHERE id = ?1)",
            [id.0],
        )?;
        self.run("DELETE FROM blocked_lines WHERE queue = ?1", [id.0])?;
        self.run("DELETE FROM share_ledgers WHERE queue = ?1", [id.0])?;
        self.run("UPDATE queues SET life = ?2 WHERE id = ?1", (id.0, LIFE_GONE))
    }

    pub(super) fn register_definition(&self, registered: &DefinitionRegistered) -> Result<(), Failure> {
        let DefinitionRegistered {
            name,
            revision,
            document,
            at: when,
        } = registered;
        self.run(
            "INSERT INTO definitions (name, revision, is_active, document, registered_at) VALUES (?1, ?2, 1, ?3, ?4)",
            (name.as_str(), revision, &*document.0, at(*when)),
        )
    }

    pub(super) fn deregister_definition(
        &self,
        name: &DefinitionName,
        revision: u32,
        when: Timestamp,
    ) -> Result<(), Failure> {
        self.run(
            "UPDATE definitions SET is_active = 0, deregistered_at = ?3 WHERE name = ?1 AND revision = ?2",
            (name.as_str(), revision, at(when)),
        )
    }

    pub(super) fn put_item(&self, put: &ItemPut) -> Result<(), Failure> {
        let ItemPut {
            key,
            version,
            item,
            document,
            at: when,
        } = put;
        self.run(
            "INSERT INTO items (resource, key, version, item, document, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT DO UPDATE SET version = excluded.version, item = excluded.item, document = excluded.document",
            (
                key.resource(),
                json(key),
                number(*version),
                json(item),
                &*document.0,
                at(*when),
            ),
        )
    }

    pub(super) fn remove_item(&self, key: &ItemKey) -> Result<(), Failure> {
        let resource = key.resource();
        self.run("DELETE FROM tags WHERE resource = ?1", [&resource])?;
        self.run("DELETE FROM items WHERE resource = ?1", [&resource])
    }

    pub(super) fn change_tags(&self, changed: &TagsChanged) -> Result<(), Failure> {
        let TagsChanged {
            resource,
            set,
            removed,
        } = changed;
        self.set_tags(resource, set)?;
        for key in removed {
            self.run(
                "DELETE FROM tags WHERE resource = ?1 AND key = ?2",
                (resource, key),
            )?;
        }
        Ok(())
    }

    pub(super) fn set_tags(&self, resource: &str, tags: &[(String, String)]) -> Result<(), Failure> {
        for (key, value) in tags {
            self.run(
                "INSERT INTO tags (resource, key, value) VALUES (?1, ?2, ?3)
                 ON CONFLICT DO UPDATE SET value = excluded.value",
                (resource, key, value),
            )?;
        }
        Ok(())
    }
}
