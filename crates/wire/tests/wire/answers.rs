//! Answers in the form of each protocol.

use batchyard_wire::{Answer, Service, batch, logs, sts};
use expect_test::{Expect, expect};
use serde::Serialize;

use crate::written::Written;

fn check<T: Serialize>(service: Service, operation: &str, output: &T, expect: &Expect) {
    let service = service.facts();
    let operation = service
        .operations
        .iter()
        .find(|facts| facts.name == operation)
        .unwrap();
    let Answer { content_type, body } = service
        .answer(operation, &Written::default().raw(), output)
        .unwrap();
    expect.assert_eq(&format!(
        "content-type: {content_type}\n\n{}",
        String::from_utf8(body).unwrap()
    ));
}

#[test]
fn rest_answers_leave_out_what_is_absent() {
    let answer = batch::SubmitJobResponse {
        job_arn: None,
        job_id: "876da822-4198-45f2-a252-6cea32512ea8".to_owned(),
        job_name: "a\"b".to_owned(),
    };
    check(
        Service::Batch,
        "SubmitJob",
        &answer,
        &expect![[r#"
        content-type: application/json

        {"jobId":"876da822-4198-45f2-a252-6cea32512ea8","jobName":"a\"b"}"#]],
    );
    let none = batch::DescribeJobQueuesResponse {
        job_queues: Some(Vec::new()),
        next_token: None,
    };
    check(
        Service::Batch,
        "DescribeJobQueues",
        &none,
        &expect![[r#"
        content-type: application/json

        {"jobQueues":[]}"#]],
    );
    check(
        Service::Batch,
        "CancelJob",
        &batch::CancelJobResponse::default(),
        &expect![[r#"
            content-type: application/json

            {}"#]],
    );
}

#[test]
fn json_answers_without_output_are_empty() {
    check(
        Service::Logs,
        "CreateLogGroup",
        &(),
        &expect![[r#"
        content-type: application/x-amz-json-1.1

    "#]],
    );
    check(
        Service::Logs,
        "PutLogEvents",
        &logs::PutLogEventsResponse::default(),
        &expect![[r#"
            content-type: application/x-amz-json-1.1

            {}"#]],
    );
}

#[test]
fn query_answers_are_xml() {
    let identity = sts::GetCallerIdentityResponse {
        account: Some("123456789012".to_owned()),
        arn: Some("arn:aws:iam::123456789012:user/<a&b>".to_owned()),
        user_id: None,
    };
    check(
        Service::Sts,
        "GetCallerIdentity",
        &identity,
        &expect![[r#"
        content-type: text/xml

        <GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><Account>123456789012</Account><Arn>arn:aws:iam::123456789012:user/&lt;a&amp;b&gt;</Arn></GetCallerIdentityResult><ResponseMetadata><RequestId>8b2c1d3e</RequestId></ResponseMetadata></GetCallerIdentityResponse>"#]],
    );
    let session: sts::GetSessionTokenResponse = serde_json::from_value(serde_json::json!({
        "Credentials": {
            "AccessKeyId": "ASIAEXAMPLE",
            "SecretAccessKey": "s/+=",
            "SessionToken": "t\u{0}",
            "Expiration": 1_893_456_000.25,
        }
    }))
    .unwrap();
    check(
        Service::Sts,
        "GetSessionToken",
        &session,
        &expect![[r#"
        content-type: text/xml

        <GetSessionTokenResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetSessionTokenResult><Credentials><AccessKeyId>ASIAEXAMPLE</AccessKeyId><Expiration>2030-01-01T00:00:00Z</Expiration><SecretAccessKey>s/+=</SecretAccessKey><SessionToken>t�</SessionToken></Credentials></GetSessionTokenResult><ResponseMetadata><RequestId>8b2c1d3e</RequestId></ResponseMetadata></GetSessionTokenResponse>"#]],
    );
    assert!(
        !format!("{session:?}").contains("s/+="),
        "secrets stay out of logs"
    );
}
