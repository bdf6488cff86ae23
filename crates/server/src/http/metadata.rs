//! The task metadata endpoint that jobs find in `ECS_CONTAINER_METADATA_URI` and `…_V4` (section F.3).

use batchyard_wire::Fault;
use serde_json::{Value, json};

use crate::batch::{Batch, Task};

/// Answers `TASK`, `TASK/task`, `TASK/stats` and `TASK/task/stats`.
///
/// # Errors
/// For a task that does not run, and for other paths.
pub(super) async fn answer(batch: &Batch, path: &str) -> Result<Value, Fault> {
    let not_found = || Fault::new(404, "ResourceNotFoundException", "there is no such task");
    let (id, part) = path.split_once('/').unwrap_or((path, ""));
    let task = batch.task(id).await?.ok_or_else(not_found)?;
    match part {
        "" => Ok(container(&task)),
        "task" => Ok(whole(&task)),
        // Usage is not measured; an empty object is what the agent answers before its first measurement.
        "stats" | "task/stats" => Ok(json!({})),
        _ => Err(not_found()),
    }
}

fn container(task: &Task) -> Value {
    let Task {
        id,
        arn,
        cluster,
        family,
        revision,
        image,
        vcpus,
        memory_mib,
        launch_type: _,
    } = task;
    json!({
        "DockerId": id,
        "Name": "default",
        "DockerName": format!("batchyard-{id}"),
        "Image": image,
        "Labels": {
            "com.amazonaws.ecs.cluster": cluster,
            "com.amazonaws.ecs.container-name": "default",
            "com.amazonaws.ecs.task-arn": arn,
            "com.amazonaws.ecs.task-definition-family": family,
            "com.amazonaws.ecs.task-definition-version": revision.to_string(),
        },
        "DesiredStatus": "RUNNING",
        "KnownStatus": "RUNNING",
        "Limits": { "CPU": vcpus * 1024.0, "Memory": memory_mib },
        "Type": "NORMAL",
        "Networks": [],
    })
}

fn whole(task: &Task) -> Value {
    json!({
        "Cluster": task.cluster,
        "TaskARN": task.arn,
        "Family": task.family,
        "Revision": task.revision.to_string(),
        "DesiredStatus": "RUNNING",
        "KnownStatus": "RUNNING",
        "Containers": [container(task)],
        "LaunchType": task.launch_type,
    })
}
