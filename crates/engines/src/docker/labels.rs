//! What a container carries so that any later server knows it: its name and its labels.
//!
//! Everything a server needs to go on with a container after a restart is in [`Labels`]; it must not hold what only the launch needs.

use std::collections::{BTreeMap, HashMap};

use batchyard_core::id::{AttemptKey, NodeKey, TaskId};
use batchyard_core::launch::{ContainerDependency, TaskEnd};
use batchyard_core::time::Millis;
use batchyard_runtime::log::StreamName;
use serde::{Deserialize, Serialize};

use super::results::Results;

/// What the names of all of them begin with.
const OWN: &str = "batchyard.";
/// Marks a container or volume as one server's own.
pub(super) const NAMESPACE: &str = "batchyard.namespace";
const ATTEMPT: &str = "batchyard.attempt";
const JOB: &str = "batchyard.job-id";
const LOG_GROUP: &str = "batchyard.log-group";
const LOG_STREAM: &str = "batchyard.log-stream";
const SCRATCH_VOLUMES: &str = "batchyard.scratch-volumes";
const MAIN_NODE: &str = "batchyard.main-node";
const FAILURE_FILE: &str = "batchyard.failure-file";
const RESULTS: &str = "batchyard.results";
const CONTAINER: &str = "batchyard.container";
const PART: &str = "batchyard.part";

/// The labels of one container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Labels {
    /// Whose container it is.
    pub(super) namespace: String,
    /// Which attempt it runs.
    pub(super) attempt: AttemptKey,
    /// Where its output goes, if the log store gets it.
    pub(super) stream: Option<StreamName>,
    /// How many scratch volumes go with the attempt.
    pub(super) scratch_volumes: usize,
    /// The attempt whose private network it is on: of a node of a multi-node parallel job that of the main node, of a host of a training
    /// job its own.
    pub(super) main_node: Option<AttemptKey>,
    /// The file of this host in which it says why it failed, if it may.
    pub(super) failure_file: Option<String>,
    /// Where the attempt's results go, if its request says so.
    pub(super) results: Option<Results>,
    /// What it is of its attempt.
    pub(super) part: Part,
}

/// What a container is of its attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Part {
    /// All there is of it.
    Whole,
    /// One container of a task.
    Member(Box<Member>),
    /// It does nothing but hold the namespaces that the containers of a task share.
    Holder,
}

/// What a container carries of its task's definition: all that is needed to start the others in order, and to stop them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Member {
    /// Its place in the definition, from 0.
    pub(super) index: usize,
    /// How many containers the task has.
    pub(super) count: usize,
    /// Its name in the definition.
    pub(super) name: String,
    pub(super) is_essential: bool,
    /// Whether the task goes on when it has succeeded, until all have.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) is_host: bool,
    pub(super) depends_on: Vec<ContainerDependency>,
    pub(super) start_timeout: Option<Millis>,
    pub(super) stop_timeout: Millis,
    /// When its task is over.
    #[serde(default)]
    pub(super) end: TaskEnd,
}

impl Labels {
    /// As the daemon keeps them.
    pub(super) fn to_map(&self) -> HashMap<String, String> {
        let Labels {
            namespace,
            attempt,
            stream,
            scratch_volumes,
            main_node,
            failure_file,
            results,
            part,
        } = self;
        let job = match (main_node, NodeKey::of(attempt.job)) {
            (Some(_), Some(node)) => node.to_string(),
            (_, _) => attempt.job.to_string(),
        };
        let mut map = HashMap::from([
            (NAMESPACE.to_owned(), namespace.clone()),
            (ATTEMPT.to_owned(), attempt.to_string()),
            (JOB.to_owned(), job),
            (SCRATCH_VOLUMES.to_owned(), scratch_volumes.to_string()),
        ]);
        if let Some(main) = main_node {
            map.insert(MAIN_NODE.to_owned(), main.to_string());
        }
        if let Some(file) = failure_file {
            map.insert(FAILURE_FILE.to_owned(), file.clone());
        }
        if let Some(results) = results {
            let text = serde_json::to_string(results).expect("results have only text keys");
            map.insert(RESULTS.to_owned(), text);
        }
        if let Some(StreamName { group, stream }) = stream {
            map.insert(LOG_GROUP.to_owned(), group.clone());
            map.insert(LOG_STREAM.to_owned(), stream.clone());
        }
        // Containers of older versions carry no part, and are the whole.
        if *part != Part::Whole {
            let text = serde_json::to_string(part).expect("parts have only text keys");
            map.insert(PART.to_owned(), text);
        }
        if let Part::Member(member) = part {
            map.insert(CONTAINER.to_owned(), member.name.clone());
        }
        map
    }

    /// Together with a user's, who cannot set or hide one that is ours.
    pub(super) fn with(&self, others: &BTreeMap<String, String>) -> HashMap<String, String> {
        let others = others.iter().filter(|(name, _)| !name.starts_with(OWN));
        let mut map: HashMap<String, String> = others
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        map.extend(self.to_map());
        map
    }

    /// Reads them back; `None` where they are not ours or damaged.
    pub(super) fn from_map(map: &HashMap<String, String>) -> Option<Self> {
        let stream = match (map.get(LOG_GROUP), map.get(LOG_STREAM)) {
            (Some(group), Some(stream)) => Some(StreamName {
                group: group.clone(),
                stream: stream.clone(),
            }),
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => return None,
        };
        let main_node = match map.get(MAIN_NODE) {
            Some(text) => Some(text.parse().ok()?),
            None => None,
        };
        Some(Labels {
            namespace: map.get(NAMESPACE)?.clone(),
            attempt: map.get(ATTEMPT)?.parse().ok()?,
            stream,
            scratch_volumes: map.get(SCRATCH_VOLUMES)?.parse().ok()?,
            main_node,
            failure_file: map.get(FAILURE_FILE).cloned(),
            results: match map.get(RESULTS) {
                Some(text) => serde_json::from_str(text).ok()?,
                None => None,
            },
            part: match map.get(PART) {
                Some(text) => serde_json::from_str(text).ok()?,
                None => Part::Whole,
            },
        })
    }

    /// The container's name. It follows from the attempt, so that a second launch meets the first.
    pub(super) fn container_name(&self) -> String {
        let task = TaskId::of(self.attempt);
        match &self.part {
            Part::Whole => whole_name(self.attempt),
            Part::Member(member) => format!("batchyard-{task}-c{}", member.index),
            Part::Holder => holder_name(self.attempt),
        }
    }

    /// The name of the container's cursor in the log store.
    pub(super) fn cursor_source(&self) -> String {
        let task = TaskId::of(self.attempt);
        match &self.part {
            Part::Whole | Part::Holder => format!("docker/{task}"),
            Part::Member(member) => format!("docker/{task}/{}", member.index),
        }
    }

    /// What it carries of its task, if it is a container of one.
    pub(super) fn member(&self) -> Option<&Member> {
        match &self.part {
            Part::Member(member) => Some(member),
            Part::Whole | Part::Holder => None,
        }
    }
}

/// The name of the container that is all there is of an attempt.
pub(super) fn whole_name(attempt: AttemptKey) -> String {
    format!("batchyard-{}", TaskId::of(attempt))
}

/// The name of the container that holds the namespaces of a task.
pub(super) fn holder_name(attempt: AttemptKey) -> String {
    format!("batchyard-{}-pause", TaskId::of(attempt))
}

/// Only the attempt, as events carry it.
pub(super) fn attempt_of(map: &HashMap<String, String>) -> Option<AttemptKey> {
    map.get(ATTEMPT)?.parse().ok()
}

/// The labels of the network of the nodes that follow this main node.
pub(super) fn network_labels(namespace: &str, main: AttemptKey) -> HashMap<String, String> {
    HashMap::from([
        (NAMESPACE.to_owned(), namespace.to_owned()),
        (ATTEMPT.to_owned(), main.to_string()),
    ])
}

/// The filter that finds what carries this namespace.
pub(super) fn namespace_filter(namespace: &str) -> HashMap<String, Vec<String>> {
    HashMap::from([("label".to_owned(), vec![format!("{NAMESPACE}={namespace}")])])
}

/// The name of the attempt's scratch volume number `index`.
pub(super) fn volume_name(attempt: AttemptKey, index: usize) -> String {
    format!("batchyard-{}-{index}", TaskId::of(attempt))
}

#[cfg(test)]
mod tests {
    use batchyard_core::launch::ContainerCondition;

    use super::*;

    #[test]
    fn labels_are_read_back_as_written() {
        let attempt = "018bcfe5-6800-4000-8000-000000000007:3/2".parse().unwrap();
        let member = Member {
            index: 1,
            count: 2,
            name: "app".to_owned(),
            is_essential: true,
            is_host: true,
            depends_on: vec![ContainerDependency {
                on: "init".to_owned(),
                condition: ContainerCondition::Success,
            }],
            start_timeout: Some(Millis::from_seconds(5)),
            stop_timeout: Millis::from_seconds(30),
            end: TaskEnd::All,
        };
        let stream = StreamName {
            group: "/aws/batch/job".to_owned(),
            stream: "a/default/b".to_owned(),
        };
        let main = "018bcfe5-6800-4000-8000-000000000007:0/2".parse().unwrap();
        for (stream, main_node, part) in [
            (None, None, Part::Whole),
            (None, None, Part::Holder),
            (Some(stream.clone()), Some(main), Part::Whole),
            (Some(stream), None, Part::Member(Box::new(member))),
        ] {
            let stream_is_none = stream.is_none();
            let labels = Labels {
                namespace: "n".to_owned(),
                attempt,
                stream,
                scratch_volumes: 2,
                main_node,
                failure_file: stream_is_none.then(|| "/f/failure".to_owned()),
                results: None,
                part: part.clone(),
            };
            let mut map = labels.to_map();
            let tags = [("team", "a"), (PART, "x"), (NAMESPACE, "other")];
            let tags = tags.map(|(name, value)| (name.to_owned(), value.to_owned()));
            let mut with_tags = labels.with(&tags.into());
            assert_eq!(with_tags.remove("team").as_deref(), Some("a"));
            assert_eq!(with_tags, map);
            assert_eq!(Labels::from_map(&map), Some(labels));
            assert_eq!(attempt_of(&map), Some(attempt));
            map.insert(ATTEMPT.to_owned(), "x".to_owned());
            assert_eq!(Labels::from_map(&map), None);
        }
    }
}
