//! Reading a pattern's text from left to right: what all three kinds of patterns have in common.
//!
//! Start reading at [`Scanner::value`].

use regex::{Regex, RegexBuilder};

use super::PatternError;
use super::compare::{Glob, Operator, Value};
use crate::limits::{PATTERN_REGEX_BYTES_MAX, PATTERN_REGEXES_MAX};

/// Symbols that a regular expression may have besides letters and digits (user guide, supported regular expressions); a space too,
/// because messages have some.
const REGEX_SYMBOLS: &str = ":_#=@/;,- ^$?[]{}|\\*+.";

/// A position in a pattern's text.
pub(super) struct Scanner<'t> {
    text: &'t str,
    at: usize,
    regexes: usize,
}

impl<'t> Scanner<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Scanner {
            text,
            at: 0,
            regexes: 0,
        }
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    pub(super) fn skip_spaces(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    /// Steps over `token`, if the text goes on with it.
    pub(super) fn eat(&mut self, token: &str) -> bool {
        let is_next = self.rest().starts_with(token);
        if is_next {
            self.at += token.len();
        }
        is_next
    }

    pub(super) fn expect(&mut self, token: &'static str) -> Result<(), PatternError> {
        if self.eat(token) {
            Ok(())
        } else {
            Err(self.unexpected(token))
        }
    }

    /// Steps over a keyword, in any case, with spaces before and nothing that could continue it behind.
    pub(super) fn eat_keyword(&mut self, keyword: &str) -> bool {
        self.skip_spaces();
        let Some(word) = self.rest().get(..keyword.len()) else {
            return false;
        };
        let follower = self.rest()[keyword.len()..].chars().next();
        let is_next = word.eq_ignore_ascii_case(keyword) && !follower.is_some_and(char::is_alphanumeric);
        if is_next {
            self.at += keyword.len();
        }
        is_next
    }

    pub(super) fn end(&mut self) -> Result<(), PatternError> {
        self.skip_spaces();
        if self.rest().is_empty() {
            Ok(())
        } else {
            Err(self.unexpected("the end"))
        }
    }

    pub(super) fn unexpected(&self, expected: &'static str) -> PatternError {
        PatternError::Unexpected {
            at: self.at,
            expected,
        }
    }

    /// Characters up to the first that `ends`; may be none.
    pub(super) fn word(&mut self, ends: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let word = &rest[..rest.find(ends).unwrap_or(rest.len())];
        self.at += word.len();
        word
    }

    /// A phrase in double quotes, whose opening quote comes next. `\` takes the meaning from the character behind it.
    pub(super) fn quoted(&mut self) -> Result<Glob, PatternError> {
        self.expect("\"")?;
        let mut glob = Glob::default();
        let mut characters = self.rest().char_indices();
        while let Some((index, character)) = characters.next() {
            match character {
                '"' => {
                    self.at += index + 1;
                    return Ok(glob);
                }
                '\\' => match characters.next() {
                    Some((_, escaped @ ('"' | '\\' | '*'))) => glob.push(escaped),
                    Some((_, other)) => {
                        glob.push('\\');
                        glob.push(other);
                    }
                    None => break,
                },
                '*' => glob.push_wildcard(),
                character => glob.push(character),
            }
        }
        Err(self.unexpected("a closing quote"))
    }

    /// A regular expression between percent signs, the first of which comes next.
    pub(super) fn regex(&mut self) -> Result<Regex, PatternError> {
        self.expect("%")?;
        self.regexes += 1;
        if self.regexes > PATTERN_REGEXES_MAX {
            return Err(PatternError::TooMany("regular expressions"));
        }
        let mut is_escaped = false;
        let end = self.rest().find(|character| {
            let ends = character == '%' && !is_escaped;
            is_escaped = character == '\\' && !is_escaped;
            ends
        });
        let Some(end) = end else {
            return Err(self.unexpected("a closing percent sign"));
        };
        let source = &self.rest()[..end];
        self.at += end + 1;
        compile(source)
    }

    pub(super) fn operator(&mut self) -> Option<Operator> {
        const OPERATORS: [(&str, Operator); 6] = [
            ("!=", Operator::NotEqual),
            ("<=", Operator::LessOrEqual),
            (">=", Operator::GreaterOrEqual),
            ("=", Operator::Equal),
            ("<", Operator::Less),
            (">", Operator::Greater),
        ];
        self.skip_spaces();
        OPERATORS
            .into_iter()
            .find(|(token, _)| self.eat(token))
            .map(|(_, operator)| operator)
    }

    /// What a property or field is compared with; a bare word ends before a space or what `ends` it.
    pub(super) fn value(&mut self, ends: impl Fn(char) -> bool) -> Result<Value, PatternError> {
        self.skip_spaces();
        match self.peek() {
            Some('"') => self.quoted().map(Value::Text),
            Some('%') => self.regex().map(Value::Regex),
            Some(_) | None => {
                let word = self.word(|character| character.is_whitespace() || ends(character));
                if word.is_empty() {
                    return Err(self.unexpected("a value"));
                }
                Ok(Value::bare(word))
            }
        }
    }
}

fn compile(source: &str) -> Result<Regex, PatternError> {
    let unsupported = || PatternError::Regex(source.to_owned());
    let mut is_escaped = false;
    for character in source.chars() {
        let is_plain = character.is_ascii_alphanumeric() || REGEX_SYMBOLS.contains(character);
        let is_taken_literally = is_escaped && character.is_ascii();
        if !is_plain && !is_taken_literally {
            return Err(unsupported());
        }
        is_escaped = character == '\\' && !is_escaped;
    }
    RegexBuilder::new(source)
        .size_limit(PATTERN_REGEX_BYTES_MAX)
        .build()
        .map_err(|_| unsupported())
}
