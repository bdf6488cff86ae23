//! What is read from bodies, what is refused, and in which words.

use batchyard_wire::Service;
use expect_test::{Expect, expect};

use crate::written::{Written, outcome};

/// A body for `SubmitJob`.
fn check(body: &str, expect: &Expect) {
    check_at("POST /v1/submitjob", body, expect);
}

/// A body for `CreateComputeEnvironment`, `RegisterJobDefinition`, or an operation of CloudWatch Logs.
pub(crate) fn check_at(head: &str, body: &str, expect: &Expect) {
    expect.assert_eq(&outcome(&Written::parse(&format!("{head}\n\n{body}")), None));
}

/// The given members beside the required ones of `SubmitJob`; says only what became of `member`.
pub(crate) fn check_member(member: &str, body: &str, expect: &Expect) {
    let body = format!("{{\"jobName\":\"a\",\"jobQueue\":\"q\",\"jobDefinition\":\"d\",{body}}}");
    let text = outcome(&Written::parse(&format!("POST /v1/submitjob\n\n{body}")), None);
    let value = text.strip_prefix("batch SubmitJob\n").map(|value| {
        let value: serde_json::Value = serde_json::from_str(value).unwrap();
        value.get(member).map_or("absent".to_owned(), ToString::to_string)
    });
    expect.assert_eq(&value.unwrap_or(text));
}

const REGISTER: &str = "POST /v1/registerjobdefinition";
pub(crate) const PUT_EVENTS: &str = "POST /\nx-amz-target: Logs_20140328.PutLogEvents";

#[test]
fn bodies_that_are_no_json_object() {
    check(
        "{\"jobName\": ",
        &expect![[r#"
        batch 400 ClientException
        An error occurred during JSON parsing: EOF while parsing a value at line 1 column 12"#]],
    );
    check(
        "jobName=a",
        &expect![[r#"
        batch 400 ClientException
        An error occurred during JSON parsing: expected value at line 1 column 1"#]],
    );
    check(
        "{\"jobName\": \"a\"} {}",
        &expect![[r#"
        batch 400 ClientException
        An error occurred during JSON parsing: trailing characters at line 1 column 18"#]],
    );
    check(
        "{\"jobName\": NaN}",
        &expect![[r#"
        batch 400 ClientException
        An error occurred during JSON parsing: expected value at line 1 column 13"#]],
    );
    check(
        "{\"jobName\": 1e999}",
        &expect![[r#"
        batch 400 ClientException
        An error occurred during JSON parsing: number out of range at line 1 column 17"#]],
    );
    check(
        "{\"jobName\": \"\\ud800\"}",
        &expect![[r#"
        batch 400 ClientException
        An error occurred during JSON parsing: unexpected end of hex escape at line 1 column 20"#]],
    );
    check(
        "[]",
        &expect![[r#"
        batch 400 ClientException
        An error occurred during JSON parsing: the body must be an object"#]],
    );
    check(
        "null",
        &expect![[r#"
        batch 400 ClientException
        An error occurred during JSON parsing: the body must be an object"#]],
    );
    check(
        "\"text\"",
        &expect![[r#"
        batch 400 ClientException
        An error occurred during JSON parsing: the body must be an object"#]],
    );
    check_at(
        PUT_EVENTS,
        "{",
        &expect![[r#"
        logs 400 SerializationException
        EOF while parsing an object at line 1 column 1"#]],
    );
    check_at(
        PUT_EVENTS,
        "[{}]",
        &expect![[r#"
        logs 400 SerializationException
        the body must be an object"#]],
    );
}

#[test]
fn an_empty_body_is_an_empty_object() {
    let expect = expect![[r#"
        batch DescribeJobQueues
        {}"#]];
    for body in ["", " ", "\r\n\t ", "{}"] {
        check_at("POST /v1/describejobqueues", body, &expect);
    }
}

#[test]
fn bodies_nested_too_deep() {
    let nested = |levels: usize, open: &str, close: &str| {
        let inner = levels - 1;
        format!("{{\"unknown\":{}0{}}}", open.repeat(inner), close.repeat(inner))
    };
    let at = |body: String| {
        outcome(
            &Written::parse(&format!("POST /v1/describejobqueues\n\n{body}")),
            None,
        )
    };
    assert!(at(nested(64, "[", "]")).starts_with("batch DescribeJobQueues\n"));
    assert!(at(nested(64, "{\"a\":", "}")).starts_with("batch DescribeJobQueues\n"));
    let refusal = expect![[r#"
        batch 400 ClientException
        An error occurred during JSON parsing: the body is nested deeper than 64 levels"#]];
    refusal.assert_eq(&at(nested(65, "[", "]")));
    for levels in [65, 128, 129, 10_000, 1_000_000] {
        assert_eq!(at(nested(levels, "{\"a\":", "}")), at(nested(65, "[", "]")));
        assert_eq!(at("[".repeat(levels)), at(nested(65, "[", "]")));
        assert_eq!(at("{\"a\":[".repeat(levels)), at(nested(65, "[", "]")));
    }
}

#[test]
fn brackets_in_strings_are_not_nesting() {
    let brackets = "[{".repeat(10_000);
    let body = format!("{{\"nextToken\":\"\\\\\\\"{brackets}\\\\\"}}");
    let text = outcome(
        &Written::parse(&format!("POST /v1/describejobqueues\n\n{body}")),
        None,
    );
    assert!(text.starts_with("batch DescribeJobQueues\n"), "{}", &text[..100]);
}

#[test]
fn missing_members_are_named() {
    check(
        "{}",
        &expect![[r#"
        batch 400 ClientException
        jobDefinition is required. jobName is required. jobQueue is required."#]],
    );
    check(
        "{\"jobName\": \"a\", \"jobQueue\": null}",
        &expect![[r#"
        batch 400 ClientException
        jobDefinition is required. jobQueue is required."#]],
    );
    check_member(
        "tags",
        "\"eksPropertiesOverride\":{\"podProperties\":{\"containers\":[{\"env\":[{}]}]}}",
        &expect![[r#"
            batch 400 ClientException
            eksPropertiesOverride.podProperties.containers[0].env[0].name is required."#]],
    );
    check_at(
        PUT_EVENTS,
        "{\"logGroupName\": \"g\", \"logEvents\": [{\"timestamp\": 1}]}",
        &expect![[r#"
            logs 400 InvalidParameterException
            2 validation errors detected: Value null at 'logEvents.1.member.message' failed to satisfy constraint: Member must not be null; Value null at 'logStreamName' failed to satisfy constraint: Member must not be null"#]],
    );
    check_at(
        "POST /",
        "Action=AssumeRole&Version=2011-06-15",
        &expect![[r#"
            sts 400 ValidationError
            2 validation errors detected: Value null at 'RoleArn' failed to satisfy constraint: Member must not be null; Value null at 'RoleSessionName' failed to satisfy constraint: Member must not be null"#]],
    );
}

#[test]
fn wrong_types_are_named_by_their_path() {
    check(
        "[1]",
        &expect![[r#"
        batch 400 ClientException
        An error occurred during JSON parsing: the body must be an object"#]],
    );
    check(
        "{\"jobName\": 1, \"jobQueue\": [], \"jobDefinition\": {}}",
        &expect![[r#"
            batch 400 ClientException
            An error occurred during JSON parsing: jobDefinition must be a string. jobName must be a string. jobQueue must be a string."#]],
    );
    check_member(
        "tags",
        "\"arrayProperties\":{\"size\":\"2\"}",
        &expect![[r#"
            batch 400 ClientException
            An error occurred during JSON parsing: arrayProperties.size must be an integer."#]],
    );
    check_member(
        "tags",
        "\"containerOverrides\":{\"environment\":[{\"name\":\"A\"},{\"name\":true}]}",
        &expect![[r#"
            batch 400 ClientException
            An error occurred during JSON parsing: containerOverrides.environment[1].name must be a string."#]],
    );
    check_member(
        "tags",
        "\"containerOverrides\":{\"command\":\"ls\"}",
        &expect![[r#"
            batch 400 ClientException
            An error occurred during JSON parsing: containerOverrides.command must be an array."#]],
    );
    check_member(
        "tags",
        "\"containerOverrides\":{\"command\":[\"ls\",null]}",
        &expect![[r#"
            batch 400 ClientException
            An error occurred during JSON parsing: containerOverrides.command[1] must be a string."#]],
    );
    check_member(
        "tags",
        "\"containerOverrides\":[]",
        &expect![[r#"
            batch 400 ClientException
            An error occurred during JSON parsing: containerOverrides must be an object."#]],
    );
    check_member(
        "tags",
        "\"parameters\":{\"a\":\"1\",\"b.c\":2}",
        &expect![[r#"
            batch 400 ClientException
            An error occurred during JSON parsing: parameters.b.c must be a string."#]],
    );
    check_member(
        "tags",
        "\"parameters\":{\"a\":null}",
        &expect![[r#"
            batch 400 ClientException
            An error occurred during JSON parsing: parameters.a must be a string."#]],
    );
    check_member(
        "tags",
        "\"propagateTags\":\"true\"",
        &expect![[r#"
            batch 400 ClientException
            An error occurred during JSON parsing: propagateTags must be true or false."#]],
    );
    check_at(
        REGISTER,
        "{\"jobDefinitionName\":\"d\",\"type\":\"container\",\"retryStrategy\":{\"attempts\":true,\"evaluateOnExit\":[3]}}",
        &expect![[r#"
            batch 400 ClientException
            An error occurred during JSON parsing: retryStrategy.attempts must be an integer. retryStrategy.evaluateOnExit[0] must be an object."#]],
    );
    check_at(
        PUT_EVENTS,
        "{\"logGroupName\": 1, \"logEvents\": [{\"timestamp\": \"now\"}]}",
        &expect![[r#"
            logs 400 SerializationException
            logEvents[0].message is required. logEvents[0].timestamp must be an integer. logGroupName must be a string. logStreamName is required."#]],
    );
}

#[test]
fn null_is_absent() {
    check_member("tags", "\"tags\":null", &expect!["absent"]);
    check_member(
        "containerOverrides",
        "\"containerOverrides\":{\"command\":null,\"vcpus\":null}",
        &expect!["{}"],
    );
    check_member(
        "dependsOn",
        "\"dependsOn\":[{\"jobId\":null,\"type\":\"N_TO_N\"}]",
        &expect![[r#"[{"type":"N_TO_N"}]"#]],
    );
}

#[test]
fn unknown_members_are_ignored() {
    check_member(
        "arrayProperties",
        "\"jobname\":5,\"arrayProperties\":{\"size\":2,\"sise\":\"x\"}",
        &expect![[r#"{"sise":"x","size":2}"#]],
    );
    check_at(
        "POST /v1/describejobs",
        "{\"jobs\": [], \"since\": {\"a\": [null]}}",
        &expect![[r#"
            batch DescribeJobs
            {"jobs":[],"since":{"a":[null]}}"#]],
    );
}

#[test]
fn the_last_of_equal_names_counts() {
    check_member(
        "tags",
        "\"tags\":{\"a\":1},\"tags\":{\"a\":\"2\",\"a\":\"3\"}",
        &expect![[r#"{"a":"3"}"#]],
    );
}

#[test]
fn broken_constraints_are_named() {
    check_member(
        "tags",
        "\"dependsOn\":[{\"type\":\"n_to_n\"}]",
        &expect![[r#"
        batch 400 ClientException
        dependsOn[0].type must be one of [N_TO_N, SEQUENTIAL], got n_to_n."#]],
    );
    check_member(
        "tags",
        &format!("\"tags\":{{\"{}\":\"\"}}", "k".repeat(129)),
        &expect![[r#"
            batch 400 ClientException
            tags.kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk… must have a length of at most 128."#]],
    );
    check_member(
        "tags",
        &format!("\"tags\":{{\"k\":\"{}\"}}", "é".repeat(257)),
        &expect![[r#"
            batch 400 ClientException
            tags.k must have a length of at most 256."#]],
    );
    check_member(
        "tags",
        "\"tags\":{}",
        &expect![[r#"
        batch 400 ClientException
        tags must have a length of at least 1."#]],
    );
    check_at(
        PUT_EVENTS,
        "{\"logGroupName\":\"a b\",\"logStreamName\":\"a:b\",\"logEvents\":[]}",
        &expect![[r#"
            logs 400 InvalidParameterException
            3 validation errors detected: Value '[]' at 'logEvents' failed to satisfy constraint: Member must have length greater than or equal to 1; Value 'a b' at 'logGroupName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\.\-_/#A-Za-z0-9]+; Value 'a:b' at 'logStreamName' failed to satisfy constraint: Member must satisfy regular expression pattern: [^:*]*"#]],
    );
    check_at(
        "POST /\nx-amz-target: Logs_20140328.DescribeLogGroups",
        "{\"limit\":51,\"logGroupNamePrefix\":\"\"}",
        &expect![[r#"
            logs 400 InvalidParameterException
            3 validation errors detected: Value '51' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 50; Value '' at 'logGroupNamePrefix' failed to satisfy constraint: Member must have length greater than or equal to 1; Value '' at 'logGroupNamePrefix' failed to satisfy constraint: Member must satisfy regular expression pattern: [\.\-_/#A-Za-z0-9]+"#]],
    );
    check_at(
        "POST /",
        "Action=GetSessionToken&Version=2011-06-15&DurationSeconds=1&TokenCode=12345a",
        &expect![[r#"
            sts 400 ValidationError
            2 validation errors detected: Value '1' at 'DurationSeconds' failed to satisfy constraint: Member must have value greater than or equal to 900; Value '12345a' at 'TokenCode' failed to satisfy constraint: Member must satisfy regular expression pattern: [\d]*"#]],
    );
}

#[test]
fn lengths_count_characters() {
    check_member(
        "tags",
        &format!("\"tags\":{{\"{}\":\"\"}}", "𝄞".repeat(129)),
        &expect![[r#"
            batch 400 ClientException
            tags.𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞… must have a length of at most 128."#]],
    );
    let longest = "é".repeat(128);
    let body = format!(
        "{{\"jobName\":\"a\",\"jobQueue\":\"q\",\"jobDefinition\":\"d\",\"tags\":{{\"{longest}\":\"\"}}}}"
    );
    let text = outcome(&Written::parse(&format!("POST /v1/submitjob\n\n{body}")), None);
    assert!(text.starts_with("batch SubmitJob\n"), "{text}");
}

#[test]
fn faults_are_bounded() {
    let many = vec!["7"; 100_000].join(",");
    let wrong = format!(
        "{{\"jobName\":\"a\",\"jobQueue\":\"q\",\"jobDefinition\":\"d\",\"containerOverrides\":{{\"command\":[{many}]}}}}"
    );
    let text = outcome(&Written::parse(&format!("POST /v1/submitjob\n\n{wrong}")), None);
    assert_eq!(text.matches("must be a string").count(), 20);
    assert!(text.len() < 2_000, "{}", text.len());

    let key = "k".repeat(1_000_000);
    let wrong = format!(
        "{{\"jobName\":\"a\",\"jobQueue\":\"q\",\"jobDefinition\":\"d\",\"parameters\":{{\"{key}\":1}}}}"
    );
    let text = outcome(&Written::parse(&format!("POST /v1/submitjob\n\n{wrong}")), None);
    assert!(text.len() < 1_000, "{}", text.len());

    let name = "*".repeat(1_000_000);
    let wrong = format!("{{\"logGroupName\":\"{name}\",\"logStreamName\":\"s\",\"logEvents\":[]}}");
    let text = outcome(&Written::parse(&format!("{PUT_EVENTS}\n\n{wrong}")), None);
    assert!(text.len() < 2_000, "{}", text.len());
}

/// An operation may let broken constraints pass, but never a value that its types cannot hold.
#[test]
fn many_broken_constraints_do_not_hide_a_missing_member() {
    let types = vec!["{\"type\":\"bogus\"}"; 50].join(",");
    let request = Written::parse(&format!(
        "POST /v1/submitjob\n\n{{\"dependsOn\":[{types}],\"tags\":{{\"a\":1}}}}"
    ));
    let service = Service::Batch.facts();
    let facts = &service.operations[service.route(&request.raw()).unwrap()];
    let lenient = service
        .input::<serde_json::Value>(facts, &request.raw(), |_| None)
        .map_err(|fault| fault.to_string());
    expect!["ClientException: An error occurred during JSON parsing: jobDefinition is required. jobName is required. jobQueue is required. tags.a must be a string."].assert_eq(&lenient.unwrap_err());
}
