//! The nodes of multi-node parallel jobs, and the network that they share.

use batchyard_core::time::Millis;
use expect_test::expect;

use super::site::{Job, Site, client, containers, current, host, networks, until};

#[tokio::test]
async fn nodes_share_a_network_until_the_last_is_forgotten() {
    let Some(host) = host("nodes_share_a_network_until_the_last_is_forgotten") else {
        return;
    };
    let mut site = Site::new(&host).await;
    let address = "AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS";
    let [main, other] = Job::nodes([
        Job::shell(&format!("echo \"${{{address}-none}}\"; exec sleep 1000")),
        Job::shell(&format!(
            "hostname; [ \"$(nslookup node-0 2>/dev/null | grep -c \"${address}\")\" = 1 ] && echo found"
        )),
    ]);
    let main = site.launch(main).await;
    site.started(main).await;
    site.until_lines(main, 1).await;
    assert_eq!(site.logs.lines(main), ["none"]);
    let outcome = site.run(other).await;
    expect![[r#"
        started, exit 0, reason -
        | node-1
        | found"#]]
    .assert_eq(&outcome.summary());
    assert_eq!(networks(&host, &site.namespace).await.len(), 1);
    site.forget(outcome.attempt).await;
    until(|| async { containers(&host, &site.namespace).await.len() == 1 }).await;
    assert_eq!(networks(&host, &site.namespace).await.len(), 1);
    site.forget(main).await;
    until(|| async { networks(&host, &site.namespace).await.is_empty() }).await;
}

#[tokio::test]
async fn a_node_whose_main_node_has_ended_waits_for_its_stop() {
    let Some(host) = host("a_node_whose_main_node_has_ended_waits_for_its_stop") else {
        return;
    };
    let mut site = Site::new(&host).await;
    let [main, other] = Job::nodes([Job::shell("exit 5"), Job::shell("exit 6")]);
    let main = site.run(main).await.attempt;
    let other = site.launch(other).await;
    site.stop(other, Millis::from_seconds(1)).await;
    expect!["not started, exit -, reason not started: Stopped before the container was started"]
        .assert_eq(&site.end_of(other).await.summary());
    for attempt in [main, other] {
        site.forget(attempt).await;
    }
    until(|| async { networks(&host, &site.namespace).await.is_empty() }).await;
}

#[tokio::test]
async fn networks_left_behind_are_removed_and_others_kept() {
    let Some(host) = host("networks_left_behind_are_removed_and_others_kept") else {
        return;
    };
    let mut site = Site::new(&host).await;
    let mut mains = Vec::new();
    for _ in 0..2 {
        let [main] = Job::nodes([Job::shell("exit 0")]);
        mains.push(site.run(main).await.attempt);
    }
    // As if the server had been killed between removing containers and their network.
    for id in containers(&host, &site.namespace).await {
        client(&host).remove_container(&id, None).await.unwrap();
    }
    let site = site.restarted(&host);
    // A node of the second job is alive: its main node's end is not recorded yet.
    let mut other = current(mains[1], false);
    other.attempt.job.child = Some(1);
    site.recover(&[other]).await;
    assert_eq!(networks(&host, &site.namespace).await.len(), 1);
    site.recover(&[]).await;
    assert!(networks(&host, &site.namespace).await.is_empty());
}
