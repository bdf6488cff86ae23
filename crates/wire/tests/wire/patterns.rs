//! The models' patterns are Java's; what they mean must not change with the engine that matches them.

use batchyard_wire::Service;
use batchyard_wire::shape::Shape;
use expect_test::{Expect, expect};
use serde_json::Value;

use crate::values::{Maker, places};

/// Which of the texts the member of an operation's input takes.
fn check(service: Service, operation: &str, member: &str, texts: &[&str], expect: &Expect) {
    let facts = service.facts();
    let facts = facts
        .operations
        .iter()
        .find(|facts| facts.name == operation)
        .unwrap();
    let value = Maker::full().value(facts.input);
    let place = places(facts.input, &value)
        .into_iter()
        .find(|place| place.path() == member)
        .unwrap();
    let Shape::String {
        pattern: Some(pattern),
        ..
    } = place.shape
    else {
        panic!("{member} has no pattern");
    };
    let taken: Vec<String> = texts
        .iter()
        .filter(|text| pattern.matches(text))
        .map(|text| format!("{text:?}"))
        .collect();
    expect.assert_eq(&format!("{}: {}", pattern.original(), taken.join(" ")));
}

#[test]
fn patterns_mean_what_they_mean_in_java() {
    let texts = [
        "a", "A_9", "é", "٣", "a\n", "\n", "", "a b", "a:b", "a*", "a/b#c", "x@y=+-.,", "𝄞", "\0",
    ];
    check(
        Service::Logs,
        "CreateLogGroup",
        "logGroupName",
        &texts,
        &expect![[r#"[\.\-_/#A-Za-z0-9]+: "a" "A_9" "a/b#c""#]],
    );
    check(
        Service::Logs,
        "CreateLogStream",
        "logStreamName",
        &texts,
        &expect![[r#"[^:*]*: "a" "A_9" "é" "٣" "a\n" "\n" "" "a b" "a/b#c" "x@y=+-.," "𝄞" "\0""#]],
    );
    check(
        Service::Logs,
        "TagResource",
        "resourceArn",
        &texts,
        &expect![[r#"[\w+=/:,.@-]*: "a" "A_9" "" "a:b" "x@y=+-.,""#]],
    );
    check(
        Service::Sts,
        "AssumeRole",
        "RoleSessionName",
        &texts,
        &expect![[r#"[\w+=,.@-]*: "a" "A_9" "" "x@y=+-.,""#]],
    );
    check(
        Service::Sts,
        "AssumeRole",
        "RoleArn",
        &texts,
        &expect![[
            r#"[\u0009\u000A\u000D\u0020-\u007E\u0085\u00A0-\uD7FF\uE000-\uFFFD\u10000-\u10FFFF]+: "a" "A_9" "é" "٣" "a\n" "\n" "a b" "a:b" "a*" "a/b#c" "x@y=+-.," "𝄞""#
        ]],
    );
    check(
        Service::Sts,
        "AssumeRole",
        "TokenCode",
        &texts,
        &expect![[r#"[\d]*: """#]],
    );
    check(
        Service::Sts,
        "AssumeRole",
        "Policy",
        &texts,
        &expect![[
            r#"[\u0009\u000A\u000D\u0020-\u00FF]+: "a" "A_9" "é" "a\n" "\n" "a b" "a:b" "a*" "a/b#c" "x@y=+-.,""#
        ]],
    );
    check(
        Service::Sts,
        "AssumeRole",
        "Tags[0].Key",
        &texts,
        &expect![[r#"[\p{L}\p{Z}\p{N}_.:/=+\-@]+: "a" "A_9" "é" "٣" "a b" "a:b""#]],
    );
}

/// Patterns are compiled at their first use, and one that does not compile is a bug that must not wait for a client.
#[test]
fn every_pattern_of_an_input_compiles() {
    let mut count = 0;
    for facts in Service::ALL
        .into_iter()
        .flat_map(|service| service.facts().operations)
    {
        let value: Value = Maker::full().value(facts.input);
        for place in places(facts.input, &value) {
            if let Shape::String {
                pattern: Some(pattern),
                ..
            } = place.shape
            {
                pattern.matches("");
                count += 1;
            }
        }
    }
    assert!(count > 40, "{count} patterns");
}
