//! Which service and operation a request is for, and where the members of its input stand.

use expect_test::{Expect, expect};

use crate::written::{Written, outcome};

/// `request` without a signature.
fn check(request: &str, expect: &Expect) {
    expect.assert_eq(&outcome(&Written::parse(request), None));
}

/// `request` with a signature that names a service.
fn check_signed(signing_name: &str, request: &str, expect: &Expect) {
    expect.assert_eq(&outcome(&Written::parse(request), Some(signing_name)));
}

#[test]
fn rest_operations_have_paths() {
    check(
        "POST /v1/submitjob\n\n{\"jobName\": \"a\", \"jobQueue\": \"q\", \"jobDefinition\": \"d:1\"}",
        &expect![[r#"
            batch SubmitJob
            {"jobDefinition":"d:1","jobName":"a","jobQueue":"q"}"#]],
    );
    check(
        "POST /v1/submitjob/\n\n{\"jobName\": \"a\", \"jobQueue\": \"q\", \"jobDefinition\": \"d\"}",
        &expect![[r#"
            batch SubmitJob
            {"jobDefinition":"d","jobName":"a","jobQueue":"q"}"#]],
    );
    check(
        "POST /v1/describejobqueues",
        &expect![[r#"
        batch DescribeJobQueues
        {}"#]],
    );
    check(
        "GET /v1/submitjob",
        &expect![[r#"
        batch 404 UnknownOperationException
        no operation answers GET /v1/submitjob"#]],
    );
    check(
        "POST /v1/submitjob/more\n\n{}",
        &expect![[r#"
        batch 404 UnknownOperationException
        no operation answers POST /v1/submitjob/more"#]],
    );
    check(
        "POST /v1/SubmitJob\n\n{}",
        &expect![[r#"
        batch 404 UnknownOperationException
        no operation answers POST /v1/SubmitJob"#]],
    );
    check(
        "POST /v1/",
        &expect![[r#"
        batch 404 UnknownOperationException
        no operation answers POST /v1/"#]],
    );
    check("POST /v2/submitjob", &expect!["no service"]);
}

#[test]
fn rest_labels_take_the_rest_of_the_path() {
    let encoded = "arn%3Aaws%3Abatch%3Aus-east-1%3A123456789012%3Ajob-queue%2Fq";
    check(
        &format!("GET /v1/tags/{encoded}"),
        &expect![[r#"
        batch ListTagsForResource
        {"resourceArn":"arn:aws:batch:us-east-1:123456789012:job-queue/q"}"#]],
    );
    check(
        "GET /v1/tags/arn:aws:batch:us-east-1:123456789012:job-queue/q",
        &expect![[r#"
            batch ListTagsForResource
            {"resourceArn":"arn:aws:batch:us-east-1:123456789012:job-queue/q"}"#]],
    );
    check(
        "GET /v1/tags/arn:aws:batch:us-east-1:123456789012:job-queue/q/",
        &expect![[r#"
            batch ListTagsForResource
            {"resourceArn":"arn:aws:batch:us-east-1:123456789012:job-queue/q"}"#]],
    );
    check(
        &format!("POST /v1/tags/{encoded}\n\n{{\"tags\": {{\"a\": \"\"}}}}"),
        &expect![[r#"
            batch TagResource
            {"resourceArn":"arn:aws:batch:us-east-1:123456789012:job-queue/q","tags":{"a":""}}"#]],
    );
    check(
        "GET /v1/tags/",
        &expect![[r#"
        batch 404 UnknownOperationException
        no operation answers GET /v1/tags/"#]],
    );
    check(
        "GET /v1/tags",
        &expect![[r#"
        batch 404 UnknownOperationException
        no operation answers GET /v1/tags"#]],
    );
    check(
        "PUT /v1/tags/x",
        &expect![[r#"
        batch 404 UnknownOperationException
        no operation answers PUT /v1/tags/x"#]],
    );
    check(
        "GET /v1/tags/a%2",
        &expect![[r#"
        batch ListTagsForResource
        {"resourceArn":"a%2"}"#]],
    );
    check(
        "GET /v1/tags/%FFa+b",
        &expect![[r#"
        batch ListTagsForResource
        {"resourceArn":"�a+b"}"#]],
    );
}

#[test]
fn members_of_path_and_query_are_not_taken_from_the_body() {
    check(
        "POST /v1/tags/x\n\n{\"resourceArn\": \"y\", \"tags\": {\"a\": \"b\"}}",
        &expect![[r#"
            batch TagResource
            {"resourceArn":"x","tags":{"a":"b"}}"#]],
    );
    check(
        "DELETE /v1/tags/x\n\n{\"tagKeys\": [\"a\"]}",
        &expect![[r#"
        batch 400 ClientException
        tagKeys is required."#]],
    );
}

#[test]
fn lists_of_the_query_string_repeat_the_parameter() {
    check(
        "DELETE /v1/tags/x?tagKeys=a&tagKeys=b%20c&tagKeys=d+e&other=1",
        &expect![[r#"
            batch UntagResource
            {"resourceArn":"x","tagKeys":["a","b c","d e"]}"#]],
    );
    check(
        "DELETE /v1/tags/x?tagKeys=a",
        &expect![[r#"
        batch UntagResource
        {"resourceArn":"x","tagKeys":["a"]}"#]],
    );
    check(
        "DELETE /v1/tags/x?tagKeys",
        &expect![[r#"
        batch 400 ClientException
        tagKeys[0] must have a length of at least 1."#]],
    );
    check(
        "DELETE /v1/tags/x?tagkeys=a",
        &expect![[r#"
        batch 400 ClientException
        tagKeys is required."#]],
    );
    check(
        "DELETE /v1/tags/x",
        &expect![[r#"
        batch 400 ClientException
        tagKeys is required."#]],
    );
}

#[test]
fn json_operations_have_targets() {
    check(
        "POST /\nx-amz-target: Logs_20140328.PutLogEvents\n\n{\"logGroupName\": \"g\", \"logStreamName\": \"s\", \
         \"logEvents\": [{\"timestamp\": 1700000000000, \"message\": \"m\"}]}",
        &expect![[r#"
            logs PutLogEvents
            {"logEvents":[{"message":"m","timestamp":1700000000000}],"logGroupName":"g","logStreamName":"s"}"#]],
    );
    check(
        "POST /\nx-amz-target: Logs_20140328.DescribeLogGroups",
        &expect![[r#"
            logs DescribeLogGroups
            {}"#]],
    );
    check(
        "POST /\nx-amz-target: Logs_20140328.NoSuchThing\n\n{}",
        &expect![[r#"
            logs 400 UnknownOperationException
            no operation is called Logs_20140328.NoSuchThing"#]],
    );
    check(
        "POST /\nx-amz-target: Logs_20140328.putlogevents\n\n{}",
        &expect![[r#"
            logs 400 UnknownOperationException
            no operation is called Logs_20140328.putlogevents"#]],
    );
    check(
        "POST /\nx-amz-target: Logs_20140328.\n\n{}",
        &expect![[r#"
        logs 400 UnknownOperationException
        no operation is called Logs_20140328."#]],
    );
    check(
        "POST /\nx-amz-target: Logs_20140328\n\n{}",
        &expect!["no service"],
    );
    check(
        "POST /\nx-amz-target: DynamoDB_20120810.ListTables\n\n{}",
        &expect!["no service"],
    );
    check_signed(
        "logs",
        "POST /\nx-amz-target: DynamoDB_20120810.ListTables\n\n{}",
        &expect![[r#"
            logs 400 UnknownOperationException
            no operation is called DynamoDB_20120810.ListTables"#]],
    );
    check_signed(
        "logs",
        "POST /\n\n{}",
        &expect![[r#"
        logs 400 UnknownOperationException
        the header x-amz-target is missing"#]],
    );
}

#[test]
fn query_operations_have_actions() {
    check(
        "POST /\n\nAction=GetCallerIdentity&Version=2011-06-15",
        &expect![[r#"
            sts GetCallerIdentity
            {}"#]],
    );
    check(
        "GET /?Action=GetCallerIdentity&Version=2011-06-15",
        &expect![[r#"
        sts GetCallerIdentity
        {}"#]],
    );
    check(
        "POST /\n\nAction=GetSessionToken&Version=2011-06-15&DurationSeconds=900",
        &expect![[r#"
            sts GetSessionToken
            {"DurationSeconds":900}"#]],
    );
    check(
        "GET /?Version=2011-06-15&DurationSeconds=900&Action=GetSessionToken",
        &expect![[r#"
            sts GetSessionToken
            {"DurationSeconds":900}"#]],
    );
    check(
        "POST /?Action=GetSessionToken\n\nVersion=2011-06-15&DurationSeconds=soon",
        &expect![[r#"
            sts 400 ValidationError
            1 validation error detected: Value at 'DurationSeconds' failed to satisfy constraint: Member must be an integer"#]],
    );
    check(
        "POST /\n\nAction=NoSuchThing&Version=2011-06-15",
        &expect![[r#"
        sts 400 InvalidAction
        Could not find operation NoSuchThing for version 2011-06-15"#]],
    );
    check(
        "POST /\n\nAction=GetCallerIdentity&Version=2010-05-08",
        &expect![[r#"
            sts 400 InvalidAction
            Could not find operation GetCallerIdentity for version 2010-05-08"#]],
    );
    check(
        "POST /\n\nAction=GetCallerIdentity",
        &expect![[r#"
        sts 400 InvalidAction
        Could not find operation GetCallerIdentity for version "#]],
    );
    check("POST /\n\nVersion=2011-06-15", &expect!["no service"]);
    check_signed(
        "sts",
        "POST /\n\nVersion=2011-06-15",
        &expect![[r#"
        sts 400 MissingAction
        the parameter Action is missing"#]],
    );
    check_signed(
        "sts",
        "POST /\n\n{\"Action\": \"GetCallerIdentity\"}",
        &expect![[r#"
            sts 400 MissingAction
            the parameter Action is missing"#]],
    );
}

#[test]
fn query_members_are_dotted_names() {
    check(
        "POST /\n\nAction=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fr\
         &RoleSessionName=me&Tags.member.1.Key=a&Tags.member.1.Value=b+c&Tags.member.2.Key=d&Tags.member.2.Value=\
         &TransitiveTagKeys.member.1=a&TransitiveTagKeys.member.3=skipped&DurationSeconds=3600",
        &expect![[r#"
            sts AssumeRole
            {"DurationSeconds":3600,"RoleArn":"arn:aws:iam::123456789012:role/r","RoleSessionName":"me","Tags":[{"Key":"a","Value":"b c"},{"Key":"d","Value":""}],"TransitiveTagKeys":["a"]}"#]],
    );
    check(
        "POST /\n\nAction=AssumeRole&Version=2011-06-15&Tags.member.1.Value=b",
        &expect![[r#"
            sts 400 ValidationError
            3 validation errors detected: Value null at 'RoleArn' failed to satisfy constraint: Member must not be null; Value null at 'RoleSessionName' failed to satisfy constraint: Member must not be null; Value null at 'Tags.1.member.Key' failed to satisfy constraint: Member must not be null"#]],
    );
}

#[test]
fn a_signature_says_the_service() {
    check_signed(
        "batch",
        "POST /v1/describejobqueues\n\n{}",
        &expect![[r#"
        batch DescribeJobQueues
        {}"#]],
    );
    check_signed(
        "batch",
        "POST /\nx-amz-target: Logs_20140328.DescribeLogGroups\n\n{}",
        &expect![[r#"
            batch 404 UnknownOperationException
            no operation answers POST /"#]],
    );
    check_signed(
        "logs",
        "POST /v1/describejobqueues\n\n{}",
        &expect![[r#"
        logs 400 UnknownOperationException
        the header x-amz-target is missing"#]],
    );
    check_signed("s3", "POST /v1/describejobqueues\n\n{}", &expect!["no service"]);
    check_signed("", "POST /v1/describejobqueues\n\n{}", &expect!["no service"]);
}

#[test]
fn nothing_says_the_service() {
    check("GET /", &expect!["no service"]);
    check("GET /health?a=b", &expect!["no service"]);
    check("POST /\n\n{\"jobName\": \"a\"}", &expect!["no service"]);
}
