//! Patterns for messages that are words between spaces: `[ip, user, ..., status = 4*, bytes > 1000]`.
//!
//! What stands between double quotes or square brackets is one word. Start reading at [`parse`].

use super::PatternError;
use super::compare::Comparison;
use super::scan::Scanner;

/// What must hold of the words of a message, one field a word.
#[derive(Clone, Debug)]
pub(super) struct Delimited {
    /// From the first word on.
    head: Vec<Field>,
    /// Up to the last word, with any others in between; `None` if the fields of the head are all.
    tail: Option<Vec<Field>>,
}

/// Comparisons of one word: one of the lists must hold whole. No list at all lets any word pass.
#[derive(Clone, Debug)]
struct Field {
    alternatives: Vec<Vec<Comparison>>,
}

pub(super) fn parse(text: &str) -> Result<Delimited, PatternError> {
    let mut scanner = Scanner::new(text);
    let mut head = Vec::new();
    let mut tail: Option<Vec<Field>> = None;
    scanner.skip_spaces();
    scanner.expect("[")?;
    loop {
        scanner.skip_spaces();
        if scanner.eat("...") {
            if tail.replace(Vec::new()).is_some() {
                return Err(PatternError::TooMany("ellipses"));
            }
        } else {
            let field = field(&mut scanner)?;
            tail.as_mut().unwrap_or(&mut head).push(field);
        }
        scanner.skip_spaces();
        if scanner.eat(",") {
            continue;
        }
        scanner.expect("]")?;
        scanner.end()?;
        return Ok(Delimited { head, tail });
    }
}

fn field(scanner: &mut Scanner<'_>) -> Result<Field, PatternError> {
    let is_grouped = scanner.eat("(");
    let name = name(scanner)?;
    let mut field = Field {
        alternatives: Vec::new(),
    };
    let Some(first) = comparison(scanner)? else {
        return if is_grouped {
            Err(scanner.unexpected("a comparison"))
        } else {
            Ok(field)
        };
    };
    let mut together = vec![first];
    loop {
        scanner.skip_spaces();
        if scanner.eat("||") {
            field.alternatives.push(std::mem::take(&mut together));
        } else if !scanner.eat("&&") {
            break;
        }
        scanner.skip_spaces();
        let at = scanner.unexpected("the field's own name");
        if self::name(scanner)? != name {
            return Err(at);
        }
        let next = comparison(scanner)?;
        together.push(next.ok_or_else(|| scanner.unexpected("a comparison"))?);
    }
    field.alternatives.push(together);
    if is_grouped {
        scanner.expect(")")?;
    }
    Ok(field)
}

fn name<'t>(scanner: &mut Scanner<'t>) -> Result<&'t str, PatternError> {
    let name = scanner.word(|character| !(character.is_alphanumeric() || "_-.@:$".contains(character)));
    if name.is_empty() {
        Err(scanner.unexpected("a field's name"))
    } else {
        Ok(name)
    }
}

fn comparison(scanner: &mut Scanner<'_>) -> Result<Option<Comparison>, PatternError> {
    let Some(operator) = scanner.operator() else {
        return Ok(None);
    };
    let value = scanner.value(|character| ",]&|)".contains(character))?;
    Comparison::new(operator, value, scanner).map(Some)
}

impl Delimited {
    pub(super) fn matches(&self, message: &str) -> bool {
        let Delimited { head, tail } = self;
        let words = words(message);
        let tail_length = tail.as_ref().map_or(0, Vec::len);
        let is_length_right = match tail {
            Some(_) => words.len() >= head.len() + tail_length,
            None => words.len() == head.len(),
        };
        is_length_right
            && head.iter().zip(&words).all(|(field, word)| field.matches(word))
            && tail
                .iter()
                .flatten()
                .zip(&words[words.len() - tail_length..])
                .all(|(field, word)| field.matches(word))
    }
}

impl Field {
    fn matches(&self, word: &str) -> bool {
        let compares = |comparison: &Comparison| match word.parse::<f64>() {
            Ok(number) => comparison.number_matches(number, word),
            Err(_) => comparison.text_matches(word),
        };
        self.alternatives.is_empty()
            || self
                .alternatives
                .iter()
                .any(|together| together.iter().all(compares))
    }
}

fn words(message: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = message.trim_ascii_start();
    while let Some(first) = rest.chars().next() {
        let closing = match first {
            '"' => Some('"'),
            '[' => Some(']'),
            _ => None,
        };
        // Without a closing one, an opening one is a character like others.
        let enclosed = closing.and_then(|closing| rest[1..].split_once(closing));
        let (word, behind) = enclosed.unwrap_or_else(|| {
            let end = rest
                .find(|character: char| character.is_ascii_whitespace())
                .unwrap_or(rest.len());
            rest.split_at(end)
        });
        words.push(word);
        rest = behind.trim_ascii_start();
    }
    words
}
