//! Patterns for any text: terms that must, may or must not occur in it.
//!
//! Start reading at [`parse`].

use regex::Regex;

use super::PatternError;
use super::scan::Scanner;

/// The terms of a pattern.
#[derive(Clone, Debug, Default)]
pub(super) struct Terms {
    /// All must occur.
    required: Vec<Term>,
    /// One must occur, if none is required: the service ignores the question marks of a pattern that has both.
    optional: Vec<Term>,
    /// None may occur.
    excluded: Vec<Term>,
}

#[derive(Clone, Debug)]
enum Term {
    Text(String),
    Regex(Regex),
}

pub(super) fn parse(text: &str) -> Result<Terms, PatternError> {
    let mut scanner = Scanner::new(text);
    let mut terms = Terms::default();
    loop {
        scanner.skip_spaces();
        if scanner.rest().is_empty() {
            return Ok(terms);
        }
        let list = if scanner.eat("?") {
            &mut terms.optional
        } else if scanner.eat("-") {
            &mut terms.excluded
        } else {
            &mut terms.required
        };
        scanner.skip_spaces();
        list.push(term(&mut scanner)?);
    }
}

fn term(scanner: &mut Scanner<'_>) -> Result<Term, PatternError> {
    match scanner.peek() {
        Some('"') => Ok(Term::Text(scanner.quoted()?.into_text())),
        Some('%') => Ok(Term::Regex(scanner.regex()?)),
        Some(_) => Ok(Term::Text(scanner.word(char::is_whitespace).to_owned())),
        None => Err(scanner.unexpected("a term")),
    }
}

impl Terms {
    pub(super) fn matches(&self, message: &str) -> bool {
        let Terms {
            required,
            optional,
            excluded,
        } = self;
        let occurs = |term: &Term| match term {
            Term::Text(text) => message.contains(text.as_str()),
            Term::Regex(regex) => regex.is_match(message),
        };
        let is_option_met = !required.is_empty() || optional.is_empty() || optional.iter().any(occurs);
        required.iter().all(occurs) && is_option_met && !excluded.iter().any(occurs)
    }
}
