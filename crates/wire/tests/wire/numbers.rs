//! Which numbers of JSON are integers, and how large they may be.

use expect_test::expect;

use crate::bodies::{PUT_EVENTS, check_at, check_member};

#[test]
fn whole_numbers_are_integers() {
    let size = |number: &str, expect| {
        check_member(
            "arrayProperties",
            &format!("\"arrayProperties\":{{\"size\":{number}}}"),
            expect,
        )
    };
    size("2", &expect![[r#"{"size":2}"#]]);
    size("2.0", &expect![[r#"{"size":2}"#]]);
    size("2e3", &expect![[r#"{"size":2000}"#]]);
    size("-0.0", &expect![[r#"{"size":0}"#]]);
    size("2147483647", &expect![[r#"{"size":2147483647}"#]]);
    size("-2147483648.0", &expect![[r#"{"size":-2147483648}"#]]);
    size(
        "2.5",
        &expect![[r#"
            batch 400 ClientException
            An error occurred during JSON parsing: arrayProperties.size must be an integer."#]],
    );
    size(
        "2147483648",
        &expect![[r#"
            batch 400 ClientException
            An error occurred during JSON parsing: arrayProperties.size must be an integer of 32 bits."#]],
    );
    size(
        "3000000000",
        &expect![[r#"
            batch 400 ClientException
            An error occurred during JSON parsing: arrayProperties.size must be an integer of 32 bits."#]],
    );
    size(
        "3e9",
        &expect![[r#"
            batch 400 ClientException
            An error occurred during JSON parsing: arrayProperties.size must be an integer of 32 bits."#]],
    );
    size(
        "-2147483649",
        &expect![[r#"
            batch 400 ClientException
            An error occurred during JSON parsing: arrayProperties.size must be an integer of 32 bits."#]],
    );
    size(
        "18446744073709551615",
        &expect![[r#"
            batch 400 ClientException
            An error occurred during JSON parsing: arrayProperties.size must be an integer."#]],
    );
    size(
        "1e300",
        &expect![[r#"
            batch 400 ClientException
            An error occurred during JSON parsing: arrayProperties.size must be an integer."#]],
    );
}

#[test]
fn long_integers_have_64_bits() {
    let timestamp = |number: &str, expect| {
        let body = format!(
            "{{\"logGroupName\":\"g\",\"logStreamName\":\"s\",\"logEvents\":[{{\"timestamp\":{number},\"message\":\"m\"}}]}}"
        );
        check_at(PUT_EVENTS, &body, expect);
    };
    timestamp(
        "9223372036854775807",
        &expect![[r#"
        logs PutLogEvents
        {"logEvents":[{"message":"m","timestamp":9223372036854775807}],"logGroupName":"g","logStreamName":"s"}"#]],
    );
    timestamp(
        "1.7e12",
        &expect![[r#"
        logs PutLogEvents
        {"logEvents":[{"message":"m","timestamp":1700000000000}],"logGroupName":"g","logStreamName":"s"}"#]],
    );
    timestamp(
        "-1",
        &expect![[r#"
            logs 400 InvalidParameterException
            1 validation error detected: Value '-1' at 'logEvents.1.member.timestamp' failed to satisfy constraint: Member must have value greater than or equal to 0"#]],
    );
    timestamp(
        "9223372036854775808",
        &expect![[r#"
            logs 400 SerializationException
            logEvents[0].timestamp must be an integer."#]],
    );
    timestamp(
        "1e16",
        &expect![[r#"
            logs 400 SerializationException
            logEvents[0].timestamp must be an integer."#]],
    );
}
