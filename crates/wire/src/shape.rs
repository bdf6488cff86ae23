//! The constraints of the models as static tables.

use std::sync::OnceLock;

use regex::Regex;

/// What a value on the wire must look like.
#[derive(Debug)]
pub enum Shape {
    /// A JSON object with named members; others are ignored.
    Structure {
        /// In order of their names.
        members: &'static [Member],
    },
    /// An array.
    List {
        /// The shape of each element.
        member: &'static Shape,
        /// Fewest elements.
        min: usize,
        /// Most elements.
        max: usize,
    },
    /// An object with free keys.
    Map {
        /// The shape of each key, a string.
        key: &'static Shape,
        /// The shape of each value.
        value: &'static Shape,
        /// Fewest entries.
        min: usize,
        /// Most entries.
        max: usize,
    },
    /// A string.
    String {
        /// Fewest characters.
        min: usize,
        /// Most characters.
        max: usize,
        /// What it must match as a whole.
        pattern: Option<Pattern>,
        /// The values allowed, when it is an enumeration.
        values: &'static [&'static str],
    },
    /// A whole number.
    Integer {
        /// The smallest allowed.
        min: i64,
        /// The largest allowed.
        max: i64,
        /// The smallest that its type holds.
        low: i64,
        /// The largest that its type holds.
        high: i64,
    },
    /// A number.
    Float,
    /// `true` or `false`.
    Boolean,
    /// Epoch seconds in JSON, ISO 8601 in XML.
    Timestamp,
}

/// A member of a structure.
#[derive(Debug)]
pub struct Member {
    /// Its name on the wire.
    pub name: &'static str,
    /// Its shape.
    pub shape: &'static Shape,
    /// Whether a request without it is refused.
    pub is_required: bool,
    /// Where in the request it stands.
    pub location: Location,
}

/// Where a member stands in an HTTP request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Location {
    /// In the body.
    Body,
    /// In the path, in place of the template's label.
    Uri,
    /// In the query string; lists repeat the parameter.
    Query,
}

/// A regular expression of the model, compiled at its first use.
#[derive(Debug)]
pub struct Pattern {
    expression: &'static str,
    original: &'static str,
    compiled: OnceLock<Regex>,
}

impl Pattern {
    pub(crate) const fn new(expression: &'static str, original: &'static str) -> Pattern {
        Pattern {
            expression,
            original,
            compiled: OnceLock::new(),
        }
    }

    /// Whether the whole text matches.
    pub fn matches(&self, text: &str) -> bool {
        let regex = self.compiled.get_or_init(|| {
            Regex::new(&format!("^(?:{})$", self.expression))
                .expect("a test compiles every pattern of the models")
        });
        regex.is_match(text)
    }

    /// As the model has it, for messages.
    #[must_use]
    pub fn original(&self) -> &'static str {
        self.original
    }
}
