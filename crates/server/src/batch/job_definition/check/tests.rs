//! Definitions that pass, and one refusal of each kind; `tests/aws` has the whole table against the binary.

use batchyard_wire::batch::RegisterJobDefinitionRequest;
use expect_test::{Expect, expect};
use serde_json::{Value, json};

use crate::config::LimitsConfig;

fn verdict(change: &Value) -> String {
    let mut request = json!({
        "jobDefinitionName": "d",
        "type": "container",
        "containerProperties": {
            "image": "busybox",
            "resourceRequirements": [{ "type": "VCPU", "value": "1" }, { "type": "MEMORY", "value": "64" }],
        },
    });
    merge(&mut request, change);
    let request: RegisterJobDefinitionRequest = serde_json::from_value(request).unwrap();
    match super::check(&request, &LimitsConfig::default()) {
        Ok(()) => "passes".to_owned(),
        Err(fault) => fault.message,
    }
}

fn merge(into: &mut Value, change: &Value) {
    match (into, change) {
        (Value::Object(into), Value::Object(change)) => {
            for (key, value) in change {
                merge(into.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (into, change) => *into = change.clone(),
    }
}

fn check(change: Value, expected: Expect) {
    expected.assert_eq(&verdict(&change));
}

#[test]
fn ordinary_definitions_pass() {
    check(json!({}), expect!["passes"]);
    check(
        json!({ "containerProperties": { "image": "host:///data" } }),
        expect!["passes"],
    );
    check(
        json!({ "retryStrategy": { "attempts": 3, "evaluateOnExit": [
        { "onStatusReason": "Host EC2*", "action": "retry" }, { "onReason": "*", "action": "EXIT" }] } }),
        expect!["passes"],
    );
    check(
        json!({ "platformCapabilities": ["FARGATE"], "containerProperties": { "executionRoleArn": "r",
        "resourceRequirements": [{ "type": "VCPU", "value": "0.25" }, { "type": "MEMORY", "value": "512" }] } }),
        expect!["passes"],
    );
}

#[test]
fn what_is_wrong_is_named() {
    check(
        json!({ "jobDefinitionName": "a b" }),
        expect!["Provided name a b is not supported pattern[a-zA-Z_0-9-]{1,128}"],
    );
    check(
        json!({ "containerProperties": { "image": "host://data" } }),
        expect!["The path of the image host://data must be absolute, as in host:///data."],
    );
    check(
        json!({ "containerProperties": { "image": "host://", "privileged": true } }),
        expect![
            "privileged is not applicable for jobs with the image host://, which run without a container."
        ],
    );
    check(
        json!({ "containerProperties": { "resourceRequirements": [] } }),
        expect!["vCPU is required."],
    );
    check(
        json!({ "platformCapabilities": ["FARGATE"], "containerProperties": { "executionRoleArn": "r" } }),
        expect!["Fargate resource requirements (1.00 vCPU, 64 MiB) not valid."],
    );
    check(
        json!({ "retryStrategy": {} }),
        expect!["RetryAttempts must be provided with retry strategy."],
    );
    check(
        json!({ "timeout": { "attemptDurationSeconds": 59 } }),
        expect!["attemptDurationSeconds must be at least 60."],
    );
    check(
        json!({ "containerProperties": { "environment": [{ "name": "AWS_BATCH_X" }] } }),
        expect![
            "Environment variable AWS_BATCH_X is not allowed: names that begin with AWS_BATCH are reserved."
        ],
    );
}
