//! Faults in the form of each protocol, and the operations that are not served.

use batchyard_wire::{EncodedFault, Fault, Service, batch, logs, sts};
use expect_test::{Expect, expect};

use crate::written::{REQUEST_ID, Written};

fn check(service: Service, fault: &Fault, expect: &Expect) {
    let EncodedFault {
        status,
        content_type,
        error_type,
        body,
    } = fault.encode(&service.facts().protocol, REQUEST_ID);
    let error_type = error_type
        .map(|code| format!("x-amzn-errortype: {code}\n"))
        .unwrap_or_default();
    expect.assert_eq(&format!(
        "{status}\ncontent-type: {content_type}\n{error_type}\n{}",
        String::from_utf8(body).unwrap()
    ));
}

#[test]
fn rest_faults_have_their_code_in_header_and_body() {
    check(
        Service::Batch,
        &batch::errors::client_exception("Job \"a\" does not exist."),
        &expect![[r#"
            400
            content-type: application/json
            x-amzn-errortype: ClientException

            {"__type":"ClientException","message":"Job \"a\" does not exist."}"#]],
    );
    check(
        Service::Batch,
        &batch::errors::server_exception("é\u{0}\n"),
        &expect![[r#"
            500
            content-type: application/json
            x-amzn-errortype: ServerException

            {"__type":"ServerException","message":"é\u0000\n"}"#]],
    );
}

#[test]
fn json_faults_have_their_code_in_the_body() {
    check(
        Service::Logs,
        &logs::errors::resource_not_found_exception("The specified log group does not exist."),
        &expect![[r#"
            400
            content-type: application/x-amz-json-1.1

            {"__type":"ResourceNotFoundException","message":"The specified log group does not exist."}"#]],
    );
}

#[test]
fn query_faults_are_xml() {
    check(
        Service::Sts,
        &sts::errors::malformed_policy_document_exception("<a> & \"b\" 'c'"),
        &expect![[r#"
            400
            content-type: text/xml

            <ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
              <Error>
                <Type>Sender</Type>
                <Code>MalformedPolicyDocument</Code>
                <Message>&lt;a&gt; &amp; &quot;b&quot; &apos;c&apos;</Message>
              </Error>
              <RequestId>8b2c1d3e</RequestId>
            </ErrorResponse>
        "#]],
    );
    check(
        Service::Sts,
        &Fault::new(500, "InternalFailure", "failed"),
        &expect![[r#"
            500
            content-type: text/xml

            <ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
              <Error>
                <Type>Receiver</Type>
                <Code>InternalFailure</Code>
                <Message>failed</Message>
              </Error>
              <RequestId>8b2c1d3e</RequestId>
            </ErrorResponse>
        "#]],
    );
}

/// XML has no form for control characters, and a client that gets one cannot read the fault at all.
#[test]
fn query_faults_hold_no_control_characters() {
    check(
        Service::Sts,
        &Fault::new(400, "InvalidAction", "a\u{0}b\u{1b}c\u{fffe}d\te\nf\rg"),
        &expect![[r#"
            400
            content-type: text/xml

            <ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
              <Error>
                <Type>Sender</Type>
                <Code>InvalidAction</Code>
                <Message>a�b�c�d	e
            f&#13;g</Message>
              </Error>
              <RequestId>8b2c1d3e</RequestId>
            </ErrorResponse>
        "#]],
    );
}

/// The fault of an operation that is not served, for a request that is right or wrong.
fn check_not_served(request: &str, expect: &Expect) {
    let request = Written::parse(request);
    let service = batchyard_wire::identify(&request.raw(), None).unwrap().facts();
    let facts = &service.operations[service.route(&request.raw()).unwrap()];
    let refuse = |violations: &[batchyard_wire::check::Violation]| Some(service.constraint_fault(violations));
    let fault = service
        .not_served::<serde_json::Value>(facts, &request.raw(), refuse)
        .unwrap_err();
    expect.assert_eq(&format!("{} {fault}", fault.status));
}

#[test]
fn operations_that_are_not_served_say_so() {
    check_not_served(
        "POST /v1/getjobqueuesnapshot\n\n{}",
        &expect!["400 ClientException: jobQueue is required."],
    );
    check_not_served(
        "POST /v1/createserviceenvironment\n\n{",
        &expect![
            "400 ClientException: An error occurred during JSON parsing: EOF while parsing an object at line 1 column 1"
        ],
    );
    check_not_served(
        "POST /\nx-amz-target: Logs_20140328.StopQuery\n\n{\"queryId\": \"12ab3456-12ab-123a-789e-1234567890ab\"}",
        &expect![
            "400 UnknownOperationException: StopQuery is not served by this version of Batchyard: Logs Insights queries are not implemented yet"
        ],
    );
    check_not_served(
        "POST /\n\nAction=AssumeRole&Version=2011-06-15&RoleArn=arn:aws:iam::123456789012:role/r&RoleSessionName=me",
        &expect![
            "400 InvalidAction: AssumeRole is not served by this version of Batchyard: roles are not implemented yet"
        ],
    );
    check_not_served(
        "POST /\n\nAction=AssumeRole&Version=2011-06-15&RoleSessionName=m",
        &expect![
            "400 ValidationError: 1 validation error detected: Value null at 'RoleArn' failed to satisfy constraint: Member must not be null"
        ],
    );
}

#[test]
fn every_operation_that_is_not_served_has_a_reason() {
    let reasons: Vec<String> = Service::ALL
        .into_iter()
        .flat_map(|service| service.facts().operations)
        .filter_map(|facts| facts.not_served.map(|reason| format!("{}: {reason}", facts.name)))
        .collect();
    expect![[r#"
        GetQueryResults: Logs Insights queries are not implemented yet
        StartLiveTail: live tail is not implemented yet
        StartQuery: Logs Insights queries are not implemented yet
        StopQuery: Logs Insights queries are not implemented yet
        AssumeRole: roles are not implemented yet
        AssumeRoleWithWebIdentity: roles are not implemented yet"#]]
    .assert_eq(&reasons.join("\n"));
}
