//! Checks a value against its shape and says everything that is wrong with it, each place by its path.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::shape::{Member, Shape};

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct Violation {
    /// For example `containerOverrides.environment[2].name`.
    pub path: String,
    /// What is wrong there.
    pub problem: Problem,
}

/// What can be wrong with a value.
#[derive(Debug, Clone, PartialEq)]
pub enum Problem {
    /// A required member is absent or null.
    Missing,
    /// For example a string where a number is due.
    WrongType {
        /// With its article: `an integer`.
        expected: &'static str,
    },
    /// A value that the enumeration does not have.
    NotOneOf {
        /// The value given.
        value: String,
        /// The values of the model.
        allowed: &'static [&'static str],
    },
    /// A length (characters, elements or entries) or a number out of its bounds.
    OutOfBounds {
        /// The value given, shortened; `None` for lists and maps that are not empty.
        value: Option<String>,
        /// What is bounded.
        measure: Measure,
        /// The bound that is broken.
        bound: Bound,
    },
    /// A string that does not match.
    Pattern {
        /// The value given, shortened.
        value: String,
        /// The model's regular expression.
        pattern: &'static str,
    },
}

/// What a bound is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// Characters, elements or entries.
    Length,
    /// The number itself.
    Value,
}

/// A bound that is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// At least this.
    AtLeast(i64),
    /// At most this.
    AtMost(i64),
}

impl Problem {
    /// Whether the value cannot even be read as its type; other problems are broken constraints.
    #[must_use]
    pub fn is_structural(&self) -> bool {
        matches!(self, Problem::Missing | Problem::WrongType { .. })
    }
}

/// Longest part of a value that a message repeats, in characters (own choice).
const QUOTED_CHARACTERS_MAX: usize = 100;

/// Most violations of either kind that are collected; a hostile request must not make a large answer (own choice).
const VIOLATIONS_MAX: usize = 20;

/// What is wrong with a value, each kind in the order of the walk.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// What keeps the value from being read as its type.
    pub(crate) structural: Vec<Violation>,
    /// Broken constraints. They have a list of their own so that many of them cannot hide the others.
    pub(crate) constraints: Vec<Violation>,
}

/// Checks `value`, and brings it into the one form that the generated types read: nulls are removed, whole numbers
/// written with a fraction (`2.0`) become integers.
pub(crate) fn check(shape: &'static Shape, value: &mut Value) -> Findings {
    let mut checker = Checker {
        path: String::new(),
        findings: Findings::default(),
    };
    checker.value(shape, value);
    checker.findings
}

struct Checker {
    path: String,
    findings: Findings,
}

impl Checker {
    fn report(&mut self, problem: Problem) {
        let Findings {
            structural,
            constraints,
        } = &mut self.findings;
        let violations = if problem.is_structural() {
            structural
        } else {
            constraints
        };
        if violations.len() < VIOLATIONS_MAX {
            violations.push(Violation {
                path: self.path.clone(),
                problem,
            });
        }
    }

    /// Goes on at a place below this one.
    fn at(&mut self, step: &str, check: impl FnOnce(&mut Checker)) {
        let length = self.path.len();
        if length > 0 && !step.starts_with('[') {
            self.path.push('.');
        }
        self.path.push_str(step);
        check(self);
        self.path.truncate(length);
    }

    fn value(&mut self, shape: &'static Shape, value: &mut Value) {
        match (shape, value) {
            (Shape::Structure { members }, Value::Object(object)) => self.structure(members, object),
            (Shape::List { member, min, max }, Value::Array(elements)) => {
                self.length(elements.len(), "[]", *min, *max);
                for (index, element) in elements.iter_mut().enumerate() {
                    self.at(&format!("[{index}]"), |checker| checker.value(member, element));
                }
            }
            (
                Shape::Map {
                    key: key_shape,
                    value,
                    min,
                    max,
                },
                Value::Object(object),
            ) => {
                self.length(object.len(), "{}", *min, *max);
                for (key, entry) in object.iter_mut() {
                    self.at(&quoted(key), |checker| {
                        checker.value(key_shape, &mut Value::String(key.clone()));
                        checker.value(value, entry);
                    });
                }
            }
            (
                Shape::String {
                    min,
                    max,
                    pattern,
                    values,
                },
                Value::String(text),
            ) => {
                if !values.is_empty() && !values.contains(&text.as_str()) {
                    self.report(Problem::NotOneOf {
                        value: quoted(text),
                        allowed: values,
                    });
                    return;
                }
                let length = text.chars().count();
                if length < *min || length > *max {
                    let bound = broken_bound(length, *min, *max);
                    self.report(Problem::OutOfBounds {
                        value: Some(quoted(text)),
                        measure: Measure::Length,
                        bound,
                    });
                }
                if let Some(pattern) = pattern.as_ref().filter(|pattern| !pattern.matches(text)) {
                    self.report(Problem::Pattern {
                        value: quoted(text),
                        pattern: pattern.original(),
                    });
                }
            }
            (Shape::Integer { min, max, low, high }, value @ Value::Number(_)) => {
                let Some(number) = whole(value) else {
                    return self.report(Problem::WrongType {
                        expected: "an integer",
                    });
                };
                if !(low..=high).contains(&&number) {
                    return self.report(Problem::WrongType {
                        expected: "an integer of 32 bits",
                    });
                }
                *value = Value::from(number);
                let bound = match number {
                    number if number < *min => Bound::AtLeast(*min),
                    number if number > *max => Bound::AtMost(*max),
                    _ => return,
                };
                self.report(Problem::OutOfBounds {
                    value: Some(number.to_string()),
                    measure: Measure::Value,
                    bound,
                });
            }
            (Shape::Float | Shape::Timestamp, Value::Number(_)) | (Shape::Boolean, Value::Bool(_)) => {}
            (shape, _) => self.report(Problem::WrongType {
                expected: expected(shape),
            }),
        }
    }

    fn structure(&mut self, members: &'static [Member], object: &mut Map<String, Value>) {
        for member in members {
            match object.get_mut(member.name) {
                Some(Value::Null) | None => {
                    object.remove(member.name);
                    if member.is_required {
                        self.at(member.name, |checker| checker.report(Problem::Missing));
                    }
                }
                Some(value) => self.at(member.name, |checker| checker.value(member.shape, value)),
            }
        }
    }

    fn length(&mut self, length: usize, empty: &str, min: usize, max: usize) {
        if length < min || length > max {
            let bound = broken_bound(length, min, max);
            self.report(Problem::OutOfBounds {
                value: (length == 0).then(|| empty.to_owned()),
                measure: Measure::Length,
                bound,
            });
        }
    }
}

fn broken_bound(length: usize, min: usize, max: usize) -> Bound {
    let whole = |number| i64::try_from(number).unwrap_or(i64::MAX);
    if length < min {
        Bound::AtLeast(whole(min))
    } else {
        Bound::AtMost(whole(max))
    }
}

/// The number if it is whole: `2` and `2.0` are, `2.5` and those beyond 64 bits are not.
fn whole(value: &Value) -> Option<i64> {
    /// Beyond this, doubles skip whole numbers.
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    if let Some(number) = value.as_i64() {
        return Some(number);
    }
    let number = value.as_f64()?;
    if number.fract() != 0.0 || number.abs() > EXACT_MAX || value.is_u64() {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "a whole number within 2^53 fits")]
    Some(number as i64)
}

fn expected(shape: &Shape) -> &'static str {
    match shape {
        Shape::Structure { .. } | Shape::Map { .. } => "an object",
        Shape::List { .. } => "an array",
        Shape::String { .. } => "a string",
        Shape::Integer { .. } => "an integer",
        Shape::Float | Shape::Timestamp => "a number",
        Shape::Boolean => "true or false",
    }
}

fn quoted(text: &str) -> String {
    match text.char_indices().nth(QUOTED_CHARACTERS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The words of services that speak plain JSON over REST: AWS Batch has texts of its own for most of these; this is
/// for the rest.
#[must_use]
pub fn plain_text(violation: &Violation) -> String {
    let Violation { path, problem } = violation;
    match problem {
        Problem::Missing => format!("{path} is required."),
        Problem::WrongType { expected } => format!("{path} must be {expected}."),
        Problem::NotOneOf { value, allowed } => {
            format!("{path} must be one of [{}], got {value}.", allowed.join(", "))
        }
        Problem::OutOfBounds {
            measure,
            bound,
            value,
        } => {
            let (word, limit) = match bound {
                Bound::AtLeast(limit) => ("at least", limit),
                Bound::AtMost(limit) => ("at most", limit),
            };
            match measure {
                Measure::Length => format!("{path} must have a length of {word} {limit}."),
                Measure::Value => {
                    let value = value.as_deref().unwrap_or_default();
                    format!("{path} must be {word} {limit}, got {value}.")
                }
            }
        }
        Problem::Pattern { value, pattern } => format!("{path} must match {pattern}, got {value}."),
    }
}

/// The words of the services with AWS's common validation, all violations in one text.
#[must_use]
pub fn common_text(violations: &[Violation]) -> String {
    let texts: Vec<String> = violations.iter().map(common_constraint).collect();
    let noun = if texts.len() == 1 { "error" } else { "errors" };
    format!("{} validation {noun} detected: {}", texts.len(), texts.join("; "))
}

fn common_constraint(violation: &Violation) -> String {
    let (value, constraint) = match &violation.problem {
        Problem::Missing => (None, "Member must not be null".to_owned()),
        Problem::WrongType { expected } => (None, format!("Member must be {expected}")),
        Problem::NotOneOf { value, allowed } => (
            Some(value),
            format!("Member must satisfy enum value set: [{}]", allowed.join(", ")),
        ),
        Problem::Pattern { value, pattern } => (
            Some(value),
            format!("Member must satisfy regular expression pattern: {pattern}"),
        ),
        Problem::OutOfBounds {
            value,
            measure,
            bound,
        } => {
            let noun = match measure {
                Measure::Length => "length",
                Measure::Value => "value",
            };
            let text = match bound {
                Bound::AtLeast(limit) => format!("Member must have {noun} greater than or equal to {limit}"),
                Bound::AtMost(limit) => format!("Member must have {noun} less than or equal to {limit}"),
            };
            (value.as_ref(), text)
        }
    };
    let subject = match (&violation.problem, value) {
        (Problem::Missing, _) => "Value null".to_owned(),
        (_, Some(value)) => format!("Value '{value}'"),
        (_, None) => "Value".to_owned(),
    };
    format!(
        "{subject} at '{}' failed to satisfy constraint: {constraint}",
        common_path(&violation.path)
    )
}

/// A path as AWS's common validation writes it: elements of lists count from one, `logEvents.1.member.message`.
fn common_path(path: &str) -> String {
    let mut common = String::with_capacity(path.len());
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('[') {
        let Some((index, behind)) = after.split_once(']') else {
            break;
        };
        // Keys of maps may hold brackets too; those stay as they are.
        let Some(number) = index.parse::<usize>().ok().and_then(|index| index.checked_add(1)) else {
            common.push_str(before);
            common.push('[');
            rest = after;
            continue;
        };
        let _ = write!(common, "{before}.{number}.member");
        rest = behind;
    }
    common.push_str(rest);
    common
}
