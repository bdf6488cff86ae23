//! Pages: how many items, and where the next one starts.

use batchyard_wire::Fault;
use batchyard_wire::batch::errors::client_exception;

/// How many items a page has: what the client asked for, cut to what is allowed.
///
/// # Errors
/// For fewer than one.
pub(super) fn limit(max_results: Option<i32>, most: usize) -> Result<usize, Fault> {
    match max_results.map(usize::try_from) {
        None => Ok(most),
        Some(Ok(count)) if count > 0 => Ok(count.min(most)),
        Some(_) => Err(client_exception("maxResults must be at least 1.")),
    }
}

/// A token that stands for `cursor`. Tokens are opaque to clients; the prefix says which version of the server made it.
pub(super) fn token(cursor: &str) -> String {
    let digits: String = cursor.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("1{digits}")
}

/// The cursor that a token stands for.
///
/// # Errors
/// For a text that is no token of this server.
pub(super) fn cursor(token: Option<&str>) -> Result<Option<String>, Fault> {
    let Some(token) = token else { return Ok(None) };
    let invalid = || client_exception("nextToken is not valid.");
    let digits = token
        .strip_prefix('1')
        .filter(|digits| digits.is_ascii() && digits.len() % 2 == 0);
    let bytes: Result<Vec<u8>, _> = (0..digits.ok_or_else(invalid)?.len())
        .step_by(2)
        .map(|start| u8::from_str_radix(&token[start + 1..start + 3], 16))
        .collect();
    bytes
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .map(Some)
        .ok_or_else(invalid)
}

#[cfg(test)]
mod tests {
    use super::{cursor, limit, token};

    #[test]
    fn tokens_are_read_back_and_garbage_is_refused() {
        assert_eq!(cursor(Some(&token("a:7"))), Ok(Some("a:7".to_owned())));
        assert_eq!(cursor(None), Ok(None));
        for garbage in ["", "2aa", "1a", "1zz", "1ÿ", "1ff"] {
            assert!(cursor(Some(garbage)).is_err(), "{garbage} was taken for a token");
        }
    }

    #[test]
    fn pages_are_cut_to_what_is_allowed() {
        assert_eq!(
            [limit(None, 100), limit(Some(7), 100), limit(Some(700), 100)],
            [Ok(100), Ok(7), Ok(100)]
        );
        assert!(limit(Some(0), 100).is_err() && limit(Some(-1), 100).is_err());
    }
}
