//! The service models as they stand in `models/*.json`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::workspace;

/// One service.
#[derive(Deserialize)]
pub(super) struct Model {
    pub(super) metadata: Metadata,
    pub(super) operations: BTreeMap<String, Operation>,
    pub(super) shapes: BTreeMap<String, Shape>,
}

/// What holds for the whole service.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Metadata {
    pub(super) api_version: String,
    pub(super) endpoint_prefix: String,
    pub(super) protocol: String,
    pub(super) service_full_name: String,
    pub(super) target_prefix: Option<String>,
    pub(super) xml_namespace: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Operation {
    pub(super) name: String,
    pub(super) http: Http,
    pub(super) input: Reference,
    pub(super) output: Option<Output>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Http {
    pub(super) method: String,
    pub(super) request_uri: String,
}

#[derive(Deserialize)]
pub(super) struct Reference {
    pub(super) shape: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Output {
    pub(super) shape: String,
    pub(super) result_wrapper: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Shape {
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) members: Map<String, Value>,
    #[serde(default)]
    pub(super) required: Vec<String>,
    pub(super) member: Option<Reference>,
    pub(super) key: Option<Reference>,
    pub(super) value: Option<Reference>,
    #[serde(default, rename = "enum")]
    pub(super) values: Vec<String>,
    pub(super) min: Option<i64>,
    pub(super) max: Option<i64>,
    pub(super) pattern: Option<String>,
    #[serde(default)]
    pub(super) sensitive: bool,
    #[serde(default)]
    pub(super) exception: bool,
    #[serde(default)]
    pub(super) fault: bool,
    pub(super) error: Option<ErrorFacts>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ErrorFacts {
    pub(super) code: Option<String>,
    pub(super) http_status_code: Option<u16>,
}

/// A member of a structure.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Member {
    pub(super) shape: String,
    pub(super) location: Option<String>,
    pub(super) location_name: Option<String>,
}

impl Model {
    /// Reads `models/SERVICE.json`.
    pub(super) fn read(service: &str) -> anyhow::Result<Model> {
        let path = workspace::root().join("models").join(format!("{service}.json"));
        let text = fs::read_to_string(&path).with_context(|| format!("failed to read {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("failed to parse {}", path.display()))
    }

    /// The names of all shapes that inputs and outputs of operations consist of.
    pub(super) fn reachable(&self) -> anyhow::Result<BTreeSet<String>> {
        let mut reached = BTreeSet::new();
        let mut open: Vec<String> = Vec::new();
        for operation in self.operations.values() {
            open.push(operation.input.shape.clone());
            open.extend(operation.output.as_ref().map(|output| output.shape.clone()));
        }
        while let Some(name) = open.pop() {
            let shape = self.shape(&name)?;
            if !reached.insert(name) {
                continue;
            }
            open.extend(self.members(shape)?.into_iter().map(|(_, member)| member.shape));
            let parts = [&shape.member, &shape.key, &shape.value];
            open.extend(parts.into_iter().flatten().map(|part| part.shape.clone()));
        }
        Ok(reached)
    }

    /// The members of a structure in order of their names, without the errors that an event stream can hold.
    pub(super) fn members<'a>(&self, shape: &'a Shape) -> anyhow::Result<Vec<(&'a str, Member)>> {
        let mut members = Vec::new();
        for (name, value) in &shape.members {
            let member: Member = serde_json::from_value(value.clone())
                .with_context(|| format!("failed to read the member {name}"))?;
            if !self.shape(&member.shape)?.exception {
                members.push((name.as_str(), member));
            }
        }
        Ok(members)
    }

    pub(super) fn shape(&self, name: &str) -> anyhow::Result<&Shape> {
        self.shapes
            .get(name)
            .with_context(|| format!("the model has no shape {name}"))
    }
}

/// `models/served.json`: for each service the operations that are not served yet, each with the reason.
pub(super) type NotServed = BTreeMap<String, BTreeMap<String, String>>;

/// Reads `models/served.json`.
pub(super) fn not_served() -> anyhow::Result<NotServed> {
    let path = workspace::root().join("models/served.json");
    let text = fs::read_to_string(&path).with_context(|| format!("failed to read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("failed to parse {}", path.display()))
}
