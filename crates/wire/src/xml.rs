//! Text as it may stand in XML.

use std::borrow::Cow;

use quick_xml::escape::escape;

/// Escapes what XML gives a meaning, and replaces the characters that XML 1.0 has no form for, not even an escaped one: a
/// reader refuses a document that holds one.
pub(crate) fn text(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_allowed) {
        return escape(text);
    }
    let readable = |character| {
        if is_allowed(character) {
            character
        } else {
            char::REPLACEMENT_CHARACTER
        }
    };
    let text: String = text.chars().map(readable).collect();
    Cow::Owned(escape(text.as_str()).into_owned())
}

fn is_allowed(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}
