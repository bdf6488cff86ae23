//! Comparing a value of a message with one of the pattern.
//!
//! Start reading at [`Comparison::text_matches`].

use regex::Regex;

use super::PatternError;
use super::scan::Scanner;

/// How the two stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// The pattern's value.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// A bare word that is a number; its text is compared with values that are none.
    Number(f64, Glob),
    Text(Glob),
    Regex(Regex),
}

impl Value {
    /// A word without quotes.
    pub(super) fn bare(word: &str) -> Value {
        let glob = Glob::bare(word);
        // What Rust takes for a number and people take for a word, such as `inf` and `nan`, is no number here.
        match word.parse::<f64>() {
            Ok(number) if word.ends_with(|last: char| last.is_ascii_digit()) => Value::Number(number, glob),
            Ok(_) | Err(_) => Value::Text(glob),
        }
    }
}

/// An operator and the pattern's value.
#[derive(Clone, Debug)]
pub(super) struct Comparison {
    operator: Operator,
    value: Value,
}

impl Comparison {
    pub(super) fn new(
        operator: Operator,
        value: Value,
        behind: &Scanner<'_>,
    ) -> Result<Comparison, PatternError> {
        let is_of_order = !matches!(operator, Operator::Equal | Operator::NotEqual);
        if is_of_order && !matches!(value, Value::Number(..)) {
            return Err(behind.unexpected("a number before"));
        }
        Ok(Comparison { operator, value })
    }

    /// Whether a number of a message, also given as its text, compares so.
    pub(super) fn number_matches(&self, number: f64, text: &str) -> bool {
        let Value::Number(wanted, _) = &self.value else {
            return self.text_matches(text);
        };
        match self.operator {
            Operator::Equal => number == *wanted,
            Operator::NotEqual => number != *wanted,
            Operator::Less => number < *wanted,
            Operator::LessOrEqual => number <= *wanted,
            Operator::Greater => number > *wanted,
            Operator::GreaterOrEqual => number >= *wanted,
        }
    }

    /// Whether a text of a message compares so.
    pub(super) fn text_matches(&self, text: &str) -> bool {
        let is_equal = match &self.value {
            Value::Number(_, glob) | Value::Text(glob) => glob.matches(text),
            Value::Regex(regex) => regex.is_match(text),
        };
        match self.operator {
            Operator::Equal => is_equal,
            Operator::NotEqual => !is_equal,
            Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual => false,
        }
    }
}

/// Text in which a wildcard stands for any characters, or none.
#[derive(Clone, Debug)]
pub(super) struct Glob {
    /// What stands before, between and behind the wildcards; never empty.
    parts: Vec<String>,
}

impl Default for Glob {
    fn default() -> Self {
        Glob {
            parts: vec![String::new()],
        }
    }
}

impl Glob {
    fn bare(word: &str) -> Glob {
        Glob {
            parts: word.split('*').map(str::to_owned).collect(),
        }
    }

    pub(super) fn push(&mut self, character: char) {
        self.parts
            .last_mut()
            .expect("there is always a part")
            .push(character);
    }

    pub(super) fn push_wildcard(&mut self) {
        self.parts.push(String::new());
    }

    /// The text with stars where the wildcards are, for places that have no wildcards.
    pub(super) fn into_text(self) -> String {
        self.parts.join("*")
    }

    fn matches(&self, text: &str) -> bool {
        let [first, middle @ .., last] = self.parts.as_slice() else {
            return self.parts == [text];
        };
        let Some(text) = text.strip_prefix(first.as_str()) else {
            return false;
        };
        let Some(mut text) = text.strip_suffix(last.as_str()) else {
            return false;
        };
        for part in middle {
            // The leftmost place leaves most for the parts behind.
            let Some(found) = text.find(part.as_str()) else {
                return false;
            };
            text = &text[found + part.len()..];
        }
        true
    }
}
