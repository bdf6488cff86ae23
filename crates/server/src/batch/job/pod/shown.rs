//! What DescribeJobs shows of a pod and its attempts (section B5.2).

use batchyard_core::id::{AttemptKey, InstanceId, JobKey, TaskId};
use batchyard_runtime::store::AttemptRow;
use batchyard_wire::batch::{
    EksAttemptContainerDetail, EksAttemptDetail, EksContainerDetail, EksPodProperties,
    EksPodPropertiesDetail, EksPropertiesDetail,
};

use super::NAME;
use crate::batch::job::work::widened;

/// Exit code and reason of a container.
type End = (Option<i32>, Option<String>);

/// What is shown of it before it runs.
pub(in crate::batch::job) fn detail(pod: &EksPodProperties) -> EksPropertiesDetail {
    let mut detail: EksPodPropertiesDetail = widened(pod);
    for container in containers_mut(&mut detail) {
        container.name.get_or_insert_with(|| NAME.to_owned());
    }
    EksPropertiesDetail {
        pod_properties: Some(detail),
    }
}

/// Its containers in the order in which they are run: init containers first.
fn containers_mut(pod: &mut EksPodPropertiesDetail) -> impl Iterator<Item = &mut EksContainerDetail> {
    let init = pod.init_containers.iter_mut().flatten();
    init.chain(pod.containers.iter_mut().flatten())
}

/// Adds what its latest attempt came to; `end` says it of each container, in the order in which they are run.
pub(in crate::batch::job) fn fill(
    pod: &mut EksPodPropertiesDetail,
    attempt: Option<AttemptKey>,
    node: Option<InstanceId>,
    end: impl Fn(usize) -> End,
) {
    if let Some(attempt) = attempt {
        pod.pod_name = Some(pod_name(attempt));
        pod.node_name = Some(node_name(node));
    }
    for (index, container) in containers_mut(pod).enumerate() {
        (container.exit_code, container.reason) = end(index);
    }
}

/// An attempt that has ended (section B5.2).
pub(in crate::batch::job) fn attempt(
    key: JobKey,
    row: &AttemptRow,
    shown: &EksPropertiesDetail,
) -> EksAttemptDetail {
    let AttemptRow {
        attempt,
        place,
        started_at,
        stopped_at,
        exit_code,
        reason,
        status_reason,
        containers: ends,
        is_preempted: _,
    } = row;
    let attempt = AttemptKey {
        job: key,
        attempt: *attempt,
    };
    let end = |index: usize| match ends.get(index) {
        Some(end) => (end.exit_code, end.reason.clone()),
        // It was one container, or was lost with all of them.
        None => (*exit_code, reason.clone()),
    };
    let pod = shown.pod_properties.as_ref();
    let of = |list: Option<&Vec<EksContainerDetail>>, before: usize| {
        let containers = list.into_iter().flatten().enumerate();
        let shown = |(index, container): (usize, &EksContainerDetail)| {
            let (exit_code, reason) = end(before + index);
            EksAttemptContainerDetail {
                container_id: None,
                exit_code,
                name: container.name.clone(),
                reason,
            }
        };
        containers.map(shown).collect::<Vec<EksAttemptContainerDetail>>()
    };
    let init_containers = of(pod.and_then(|pod| pod.init_containers.as_ref()), 0);
    let containers = of(pod.and_then(|pod| pod.containers.as_ref()), init_containers.len());
    EksAttemptDetail {
        containers: Some(containers),
        eks_cluster_arn: None,
        init_containers: Some(init_containers),
        node_name: Some(node_name(place.placement.instance)),
        pod_name: Some(pod_name(attempt)),
        pod_namespace: pod.and_then(|pod| pod.metadata.as_ref()?.namespace.clone()),
        started_at: started_at.map(|at| at.as_millis()),
        status_reason: Some(status_reason.clone()),
        stopped_at: Some(stopped_at.as_millis()),
    }
}

/// `aws-batch.UUID` (section E5.3); the identifier is the attempt's.
fn pod_name(attempt: AttemptKey) -> String {
    let id = TaskId::of(attempt).to_string();
    let parts = [&id[..8], &id[8..12], &id[12..16], &id[16..20], &id[20..]];
    format!("aws-batch.{}", parts.join("-"))
}

/// As the instance is named where hosts are lost; what has none runs on the host itself.
fn node_name(instance: Option<InstanceId>) -> String {
    instance.unwrap_or(InstanceId(0)).ec2_id()
}
