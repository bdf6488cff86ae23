//! Patterns for messages that are JSON: `{ $.a.b = "x*" && ($.n > 3 || $.list[0] IS NULL) }`.
//!
//! A property that is missing or null meets no comparison, not even `!=`: the service behaves so, which is what `NOT EXISTS` and
//! `IS NULL` are for. Start reading at [`parse`].

use serde_json::Value as Json;

use super::PatternError;
use super::compare::Comparison;
use super::scan::Scanner;
use crate::limits::{PATTERN_DEPTH_MAX, PATTERN_WILDCARD_SELECTORS_MAX};

/// What must hold of a message.
#[derive(Clone, Debug)]
pub(super) enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Test { selector: Vec<Step>, test: Test },
}

/// A step from a value to those in it.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Member(String),
    Element(usize),
    /// All members or elements.
    Each,
}

/// What must hold of one of the values that a selector finds.
#[derive(Clone, Debug)]
pub(super) enum Test {
    Compares(Comparison),
    IsNull,
    IsTrue,
    IsFalse,
    Exists,
    NotExists,
}

pub(super) fn parse(text: &str) -> Result<Condition, PatternError> {
    let mut parser = Parser {
        scanner: Scanner::new(text),
        depth: 0,
        wildcards: 0,
    };
    parser.scanner.skip_spaces();
    parser.scanner.expect("{")?;
    let condition = parser.any()?;
    parser.scanner.skip_spaces();
    parser.scanner.expect("}")?;
    parser.scanner.end()?;
    Ok(condition)
}

/// Whether a message is JSON and the condition holds of it.
pub(super) fn matches(condition: &Condition, message: &str) -> bool {
    // Most messages are no JSON at all: that is seen without parsing.
    message.trim_start().starts_with(['{', '['])
        && serde_json::from_str::<Json>(message).is_ok_and(|message| holds(condition, &message))
}

struct Parser<'t> {
    scanner: Scanner<'t>,
    depth: usize,
    wildcards: usize,
}

impl Parser<'_> {
    fn any(&mut self) -> Result<Condition, PatternError> {
        let mut conditions = vec![self.all()?];
        while self.eat("||") {
            conditions.push(self.all()?);
        }
        Ok(single_or(conditions, Condition::Any))
    }

    fn all(&mut self) -> Result<Condition, PatternError> {
        let mut conditions = vec![self.one()?];
        while self.eat("&&") {
            conditions.push(self.one()?);
        }
        Ok(single_or(conditions, Condition::All))
    }

    fn one(&mut self) -> Result<Condition, PatternError> {
        if !self.eat("(") {
            let selector = self.selector()?;
            return Ok(Condition::Test {
                selector,
                test: self.test()?,
            });
        }
        self.depth += 1;
        if self.depth > PATTERN_DEPTH_MAX {
            return Err(PatternError::TooMany("parentheses inside each other"));
        }
        let condition = self.any()?;
        self.scanner.skip_spaces();
        self.scanner.expect(")")?;
        self.depth -= 1;
        Ok(condition)
    }

    fn eat(&mut self, token: &str) -> bool {
        self.scanner.skip_spaces();
        self.scanner.eat(token)
    }

    fn selector(&mut self) -> Result<Vec<Step>, PatternError> {
        self.scanner.skip_spaces();
        self.scanner.expect("$")?;
        let mut steps = Vec::new();
        loop {
            let step = if self.scanner.eat("[") {
                let step = self.bracketed()?;
                self.scanner.expect("]")?;
                step
            } else if !self.scanner.eat(".") {
                break;
            } else if self.scanner.peek() == Some('[') {
                // `$.['a.b']` is how the guide writes names with dots.
                continue;
            } else if self.scanner.eat("*") {
                Step::Each
            } else {
                let name = self.scanner.word(ends_name);
                if name.is_empty() {
                    return Err(self.scanner.unexpected("a property's name"));
                }
                Step::Member(name.to_owned())
            };
            steps.push(step);
        }
        let wildcards = steps.iter().filter(|step| matches!(step, Step::Each)).count();
        self.wildcards += wildcards;
        if wildcards > 1 || self.wildcards > PATTERN_WILDCARD_SELECTORS_MAX {
            return Err(PatternError::TooMany("wildcards in selectors"));
        }
        Ok(steps)
    }

    fn bracketed(&mut self) -> Result<Step, PatternError> {
        for quote in ["'", "\""] {
            if self.scanner.eat(quote) {
                let name = self
                    .scanner
                    .word(|character| quote.starts_with(character))
                    .to_owned();
                if !self.scanner.eat(quote) {
                    return Err(self.scanner.unexpected("a closing quote"));
                }
                return Ok(Step::Member(name));
            }
        }
        if self.scanner.eat("*") {
            return Ok(Step::Each);
        }
        let digits = self.scanner.word(|character| !character.is_ascii_digit());
        digits
            .parse()
            .map(Step::Element)
            .map_err(|_| self.scanner.unexpected("an index"))
    }

    fn test(&mut self) -> Result<Test, PatternError> {
        if let Some(operator) = self.scanner.operator() {
            let value = self.scanner.value(|character| ")&|}".contains(character))?;
            return Comparison::new(operator, value, &self.scanner).map(Test::Compares);
        }
        if self.scanner.eat_keyword("NOT") {
            let is_whole = self.scanner.eat_keyword("EXISTS");
            return if is_whole {
                Ok(Test::NotExists)
            } else {
                Err(self.scanner.unexpected("EXISTS"))
            };
        }
        if self.scanner.eat_keyword("EXISTS") {
            return Ok(Test::Exists);
        }
        if self.scanner.eat_keyword("IS") {
            for (keyword, test) in [
                ("NULL", Test::IsNull),
                ("TRUE", Test::IsTrue),
                ("FALSE", Test::IsFalse),
            ] {
                if self.scanner.eat_keyword(keyword) {
                    return Ok(test);
                }
            }
            return Err(self.scanner.unexpected("NULL, TRUE or FALSE"));
        }
        Err(self.scanner.unexpected("a comparison"))
    }
}

fn ends_name(character: char) -> bool {
    character.is_whitespace() || ".[]=!<>()&|{}\"'*".contains(character)
}

fn single_or(mut conditions: Vec<Condition>, group: impl FnOnce(Vec<Condition>) -> Condition) -> Condition {
    match (conditions.pop(), conditions.is_empty()) {
        (Some(only), true) => only,
        (last, _) => {
            conditions.extend(last);
            group(conditions)
        }
    }
}

fn holds(condition: &Condition, message: &Json) -> bool {
    match condition {
        Condition::All(conditions) => conditions.iter().all(|condition| holds(condition, message)),
        Condition::Any(conditions) => conditions.iter().any(|condition| holds(condition, message)),
        Condition::Test { selector, test } => {
            let found = select(selector, message);
            match test {
                Test::Compares(comparison) => found.into_iter().any(|value| compares(comparison, value)),
                Test::IsNull => found.into_iter().any(Json::is_null),
                Test::IsTrue => found.contains(&&Json::Bool(true)),
                Test::IsFalse => found.contains(&&Json::Bool(false)),
                Test::Exists => !found.is_empty(),
                Test::NotExists => found.is_empty(),
            }
        }
    }
}

fn select<'m>(selector: &[Step], message: &'m Json) -> Vec<&'m Json> {
    let mut found = vec![message];
    for step in selector {
        found = found
            .into_iter()
            .flat_map(|value| -> Vec<&Json> {
                match (step, value) {
                    (Step::Member(name), value) => value.get(name.as_str()).into_iter().collect(),
                    (Step::Element(index), value) => value.get(*index).into_iter().collect(),
                    (Step::Each, Json::Array(elements)) => elements.iter().collect(),
                    (Step::Each, Json::Object(members)) => members.values().collect(),
                    (Step::Each, Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_)) => {
                        Vec::new()
                    }
                }
            })
            .collect();
    }
    found
}

fn compares(comparison: &Comparison, value: &Json) -> bool {
    match value {
        Json::Null => false,
        Json::String(text) => comparison.text_matches(text),
        Json::Number(number) => {
            comparison.number_matches(number.as_f64().unwrap_or(f64::NAN), &number.to_string())
        }
        Json::Bool(_) | Json::Array(_) | Json::Object(_) => comparison.text_matches(&value.to_string()),
    }
}
