//! Laws that hold for every operation of every service, checked with values made from the shapes themselves.

use batchyard_wire::shape::{Location, Shape};
use batchyard_wire::{OperationFacts, Protocol, Service, ServiceFacts};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::values::{Maker, Place, places};
use crate::written::{Written, input};

fn operations() -> impl Iterator<Item = (&'static ServiceFacts, &'static OperationFacts)> {
    Service::ALL
        .into_iter()
        .map(Service::facts)
        .flat_map(|service| service.operations.iter().map(move |facts| (service, facts)))
}

fn is_query(service: &ServiceFacts) -> bool {
    matches!(service.protocol, Protocol::Query { .. })
}

/// The value without what a form cannot say: empty lists and structures.
fn sayable(value: Value) -> Value {
    let is_empty = |value: &Value| *value == json!({}) || *value == json!([]);
    match value {
        Value::Object(object) => object
            .into_iter()
            .map(|(name, value)| (name, sayable(value)))
            .filter(|(_, value)| !is_empty(value))
            .collect(),
        Value::Array(elements) => elements
            .into_iter()
            .map(sayable)
            .filter(|value| !is_empty(value))
            .collect(),
        other => other,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn what_the_shapes_allow_is_read_as_it_was_meant(seed in any::<u64>()) {
        for (service, facts) in operations() {
            let mut value = Maker::random(seed).value(facts.input);
            if is_query(service) {
                value = sayable(value);
            }
            let request = Written::of(service, facts, &value);
            let routed = service.route(&request.raw()).map(|position| service.operations[position].name);
            prop_assert_eq!(routed, Ok(facts.name));
            prop_assert_eq!(input(service, facts, &request), Ok(value), "{}", facts.name);
        }
    }

    #[test]
    fn garbage_is_refused_or_read_but_never_a_panic(
        body in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..64),
            "[\\[\\]{}\",:0-9a-z \\\\-]{0,64}".prop_map(String::into_bytes),
        ],
        path in "/v1/[a-z/%{}]{0,20}",
        query in proptest::option::of("[a-zA-Z&=%+.0-9]{0,30}"),
    ) {
        for (service, facts) in operations() {
            let request = Written { method: facts.method.to_owned(), body: body.clone(), query: query.clone(), ..Written::of(service, facts, &json!({})) };
            if let Err(fault) = input(service, facts, &request) {
                prop_assert_eq!(fault.status, 400);
            }
        }
        let anywhere = Written { method: "GET".to_owned(), path, query, body, ..Written::default() };
        crate::written::outcome(&anywhere, None);
    }
}

/// Every place in the fullest input of an operation that a request may get wrong.
fn check_places(check: impl Fn(&ServiceFacts, &Place) -> Vec<(Option<Value>, String)>) {
    let mut count = 0;
    for (service, facts) in operations() {
        let mut value = Maker::full().value(facts.input);
        if is_query(service) {
            value = sayable(value);
        }
        assert_eq!(
            input(service, facts, &Written::of(service, facts, &value)),
            Ok(value.clone())
        );
        for place in places(facts.input, &value) {
            // A label that is missing makes another path, and parameters have no types.
            if place.location != Location::Body {
                continue;
            }
            for (replacement, words) in check(service, &place) {
                let request = Written::of(service, facts, &place.replaced(&value, replacement.clone()));
                let fault =
                    input(service, facts, &request).expect_err(&format!("{} {}", facts.name, place.path()));
                assert!(
                    fault.status == 400 && fault.message.contains(&words),
                    "{} with {} = {replacement:?}: {fault} lacks {words}",
                    facts.name,
                    place.path()
                );
                count += 1;
            }
        }
    }
    assert!(count > 50, "only {count} places");
}

fn words(service: &ServiceFacts, place: &Place, plain: &str, common: &str) -> String {
    match service.protocol {
        Protocol::RestJson => format!("{} {plain}", place.path()),
        Protocol::Json { .. } | Protocol::Query { .. } => {
            format!(
                "at '{}' failed to satisfy constraint: Member must {common}",
                place.common_path()
            )
        }
    }
}

#[test]
fn each_missing_member_is_named() {
    check_places(|service, place| {
        if !place.is_required_member {
            return Vec::new();
        }
        vec![(None, words(service, place, "is required.", "not be null"))]
    });
}

#[test]
fn each_value_that_is_not_of_its_enumeration_is_named() {
    check_places(|service, place| match place.shape {
        Shape::String { values, .. } if !values.is_empty() => {
            let values = values.join(", ");
            let plain = format!("must be one of [{values}], got BOGUS.");
            let common = format!("satisfy enum value set: [{values}]");
            vec![(Some("BOGUS".into()), words(service, place, &plain, &common))]
        }
        _ => Vec::new(),
    });
}

#[test]
fn each_wrong_type_is_named() {
    check_places(|service, place| {
        let (expected, wrong) = match place.shape {
            Shape::Structure { .. } | Shape::Map { .. } => {
                ("an object", vec![json!([]), json!("{}"), json!(1)])
            }
            Shape::List { .. } => ("an array", vec![json!({}), json!("[]"), json!(false)]),
            Shape::String { .. } => ("a string", vec![json!(1), json!(true), json!([""]), json!({})]),
            Shape::Integer { .. } => (
                "an integer",
                vec![json!("1"), json!(1.5), json!({ "value": 1 }), json!([])],
            ),
            Shape::Float | Shape::Timestamp => ("a number", vec![json!("1"), json!(false), json!({})]),
            Shape::Boolean => ("true or false", vec![json!("true"), json!(1), json!([])]),
        };
        let is_text = matches!(place.shape, Shape::Integer { .. } | Shape::Boolean);
        match (is_query(service), is_text) {
            (false, _) => wrong
                .into_iter()
                .map(|wrong| (Some(wrong), format!("{} must be {expected}.", place.path())))
                .collect(),
            // Everything in a form is text, so only what text cannot mean is wrong.
            (true, true) => vec![(
                Some("soon".into()),
                words(service, place, "", &format!("be {expected}")),
            )],
            (true, false) => Vec::new(),
        }
    });
}

#[test]
fn each_broken_bound_is_named() {
    /// Longer ones would only make the test slow.
    const LENGTH_MAX: usize = 5_000;
    check_places(|service, place| {
        let mut broken = Vec::new();
        let mut add = |value: Value, word: &str, bound: &str, least: bool| {
            let plain = match (word, least) {
                ("length", true) => format!("must have a length of at least {bound}."),
                ("length", false) => format!("must have a length of at most {bound}."),
                (_, true) => format!("must be at least {bound}, got {value}."),
                (_, false) => format!("must be at most {bound}, got {value}."),
            };
            let than = if least { "greater" } else { "less" };
            let common = format!("have {word} {than} than or equal to {bound}");
            broken.push((Some(value), words(service, place, &plain, &common)));
        };
        match place.shape {
            Shape::String {
                min, max, values: [], ..
            } => {
                if *min > 0 {
                    add("7".repeat(min - 1).into(), "length", &min.to_string(), true);
                }
                if *max < LENGTH_MAX {
                    add("7".repeat(max + 1).into(), "length", &max.to_string(), false);
                }
            }
            Shape::List { member, min, max } => {
                let elements = |count| Value::from(vec![Maker::full().value(member); count]);
                if *min > 0 && !is_query(service) {
                    add(elements(min - 1), "length", &min.to_string(), true);
                }
                if *max < LENGTH_MAX {
                    add(elements(max + 1), "length", &max.to_string(), false);
                }
            }
            Shape::Integer { min, max, low, high } => {
                if min > low {
                    add((min - 1).into(), "value", &min.to_string(), true);
                }
                if max < high {
                    add((max + 1).into(), "value", &max.to_string(), false);
                }
            }
            _ => {}
        }
        broken
    });
}

#[test]
fn each_null_is_an_absent_member() {
    for (service, facts) in operations().filter(|(service, _)| !is_query(service)) {
        let value = Maker::full().value(facts.input);
        for place in places(facts.input, &value) {
            if place.is_required_member || !place.is_member() || place.location != Location::Body {
                continue;
            }
            let request = Written::of(service, facts, &place.replaced(&value, Some(Value::Null)));
            let without = place.replaced(&value, None);
            assert_eq!(
                input(service, facts, &request),
                Ok(without),
                "{} {}",
                facts.name,
                place.path()
            );
        }
    }
}
