//! The canonical request: the one text that client and server derive from a request, whatever its spelling on the wire.
//!
//! This is the form of every AWS service except S3: the path is normalised, and its segments, which are encoded once on the wire
//! already, are encoded again (`%3A` becomes `%253A`). Nothing here knows keys or decides what is valid.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

use crate::{error::Error, limits::QUERY_PARAMETERS_MAX};

/// The algorithm's name, as requests write it and as the string to sign begins.
pub(crate) const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// What stands in for the body's hash when the client leaves the body out of the signature.
pub(crate) const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

/// A request as it is on the wire.
#[derive(Debug, Clone, Copy)]
pub struct SigningInput<'a> {
    /// The method, such as `POST`.
    pub method: &'a str,
    /// The path, still percent-encoded, without the query; empty counts as `/`.
    pub path: &'a str,
    /// What follows the question mark, still percent-encoded; empty if there is none.
    pub query: &'a str,
    /// Every header line as a name in any case and the bytes of its value.
    pub headers: &'a [(&'a str, &'a [u8])],
    /// The whole body.
    pub body: &'a [u8],
}

impl<'a> SigningInput<'a> {
    /// The values of the header's lines, in the order of the lines.
    pub(crate) fn header_lines(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.headers
            .iter()
            .filter(move |(given, _)| given.eq_ignore_ascii_case(name))
            .map(|(_, value)| *value)
    }

    /// The header's first line as text; bytes that are not UTF-8 become replacement characters.
    pub(crate) fn header(&self, name: &str) -> Option<Cow<'a, str>> {
        self.header_lines(name)
            .next()
            .map(|value| String::from_utf8_lossy(value.trim_ascii()))
    }
}

/// The signature's own query parameter, which cannot be part of what is signed.
pub(crate) const SIGNATURE_PARAMETER: &str = "X-Amz-Signature";

/// The canonical request's text. `signed_headers` are lower-case names in the order in which the request lists them.
///
/// # Errors
/// [`Error::QueryTooLong`] if the query has more parameters than [`QUERY_PARAMETERS_MAX`].
pub(crate) fn canonical_request(
    request: &SigningInput<'_>,
    signed_headers: &[&str],
    payload_hash: &str,
) -> Result<Vec<u8>, Error> {
    let mut text = Vec::with_capacity(512);
    text.extend_from_slice(request.method.as_bytes());
    text.push(b'\n');
    push_path(&mut text, request.path);
    text.push(b'\n');
    push_query(&mut text, request.query)?;
    text.push(b'\n');
    for name in signed_headers {
        text.extend_from_slice(name.as_bytes());
        text.push(b':');
        for (index, value) in request.header_lines(name).enumerate() {
            if index > 0 {
                text.push(b',');
            }
            push_header_value(&mut text, value);
        }
        text.push(b'\n');
    }
    text.push(b'\n');
    for (index, name) in signed_headers.iter().enumerate() {
        if index > 0 {
            text.push(b';');
        }
        text.extend_from_slice(name.as_bytes());
    }
    text.push(b'\n');
    text.extend_from_slice(payload_hash.as_bytes());
    Ok(text)
}

/// The string to sign. `signed_at` is in ISO 8601 basic form, `scope` is `date/region/service/aws4_request`.
pub(crate) fn string_to_sign(signed_at: &str, scope: &str, canonical_request: &[u8]) -> String {
    let mut text = String::with_capacity(160);
    for line in [ALGORITHM, signed_at, scope] {
        text.push_str(line);
        text.push('\n');
    }
    text.push_str(&sha256_hex(canonical_request));
    text
}

/// The SHA-256 hash in lower-case hexadecimal digits.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Pushes the normalised path: no empty or `.` segments, `..` taken back, a slash at the end kept if a segment is left.
fn push_path(text: &mut Vec<u8>, path: &str) {
    let mut segments = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            name => segments.push(name),
        }
    }
    for segment in &segments {
        text.push(b'/');
        push_encoded(text, segment.as_bytes());
    }
    if segments.is_empty() || path.ends_with('/') {
        text.push(b'/');
    }
}

/// Pushes the query's parameters, decoded, encoded in the one canonical way, and sorted. The signature's own parameter is left out.
fn push_query(text: &mut Vec<u8>, query: &str) -> Result<(), Error> {
    if query.is_empty() {
        return Ok(());
    }
    let mut pairs = Vec::new();
    for (name, value) in query_pairs(query) {
        if name.as_ref() == SIGNATURE_PARAMETER.as_bytes() {
            continue;
        }
        if pairs.len() == QUERY_PARAMETERS_MAX {
            return Err(Error::QueryTooLong);
        }
        pairs.push((encoded(&name), encoded(&value)));
    }
    pairs.sort_unstable();
    for (index, (name, value)) in pairs.iter().enumerate() {
        if index > 0 {
            text.push(b'&');
        }
        text.extend_from_slice(name);
        text.push(b'=');
        text.extend_from_slice(value);
    }
    Ok(())
}

/// The query's parameters, decoded. One without an equals sign has an empty value.
pub(crate) fn query_pairs(query: &str) -> impl Iterator<Item = (Cow<'_, [u8]>, Cow<'_, [u8]>)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(name), decoded(value))
    })
}

/// Percent-decodes. A bare plus is a space, as AWS's front end reads it (whoever reads parameters after verification must do the
/// same); a percent sign without two hexadecimal digits stands for itself.
fn decoded(text: &str) -> Cow<'_, [u8]> {
    let bytes = text.as_bytes();
    if !bytes.iter().any(|byte| matches!(byte, b'%' | b'+')) {
        return Cow::Borrowed(bytes);
    }
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [first, after @ ..] = rest {
        rest = after;
        let escaped = match after {
            [high, low, ..] if *first == b'%' => hex_byte(*high, *low),
            _ => None,
        };
        match (first, escaped) {
            (_, Some(byte)) => {
                out.push(byte);
                rest = &after[2..];
            }
            (b'+', None) => out.push(b' '),
            (byte, None) => out.push(*byte),
        }
    }
    Cow::Owned(out)
}

fn hex_byte(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    Some(digit(high)? << 4 | digit(low)?)
}

/// Percent-encodes everything but letters, digits, `-`, `.`, `_` and `~`.
pub(crate) fn encoded(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(bytes.len());
    push_encoded(&mut text, bytes);
    text
}

fn push_encoded(text: &mut Vec<u8>, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            text.push(*byte);
        } else {
            text.extend_from_slice(&[
                b'%',
                DIGITS[usize::from(byte >> 4)],
                DIGITS[usize::from(byte & 15)],
            ]);
        }
    }
}

/// Pushes the value without white space at its ends, and with one space for each run of it inside.
fn push_header_value(text: &mut Vec<u8>, value: &[u8]) {
    let words = value
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty());
    for (index, word) in words.enumerate() {
        if index > 0 {
            text.push(b' ');
        }
        text.extend_from_slice(word);
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(path: &str, query: &str, headers: &[(&str, &[u8])], signed: &[&str], expected: Expect) {
        let request = SigningInput {
            method: "GET",
            path,
            query,
            headers,
            body: b"",
        };
        let text = canonical_request(&request, signed, "HASH").unwrap();
        expected.assert_eq(&String::from_utf8_lossy(&text));
    }

    fn check_path(path: &str, expected: &str) {
        let mut text = Vec::new();
        push_path(&mut text, path);
        assert_eq!(String::from_utf8(text).unwrap(), expected, "{path}");
    }

    fn check_query(query: &str, expected: &str) {
        let mut text = Vec::new();
        push_query(&mut text, query).unwrap();
        assert_eq!(String::from_utf8(text).unwrap(), expected, "{query}");
    }

    #[test]
    fn paths_are_normalised_and_encoded_once_more() {
        check_path("", "/");
        check_path("/", "/");
        check_path("//", "/");
        check_path("/./", "/");
        check_path("/example/..", "/");
        check_path("/example1/example2/../..", "/");
        check_path("/../..", "/");
        check_path("/./example", "/example");
        check_path("//example//", "/example/");
        check_path("/example space/", "/example%20space/");
        check_path("/ሴ", "/%E1%88%B4");
        check_path("/v1/tags/arn%3Aaws%3Abatch", "/v1/tags/arn%253Aaws%253Abatch");
        check_path("/-._~0AZaz", "/-._~0AZaz");
        check_path("/a%", "/a%25");
    }

    #[test]
    fn parameters_are_decoded_encoded_and_sorted() {
        check_query("b=2&a=1", "a=1&b=2");
        check_query("Param1=value2&Param1=Value1", "Param1=Value1&Param1=value2");
        check_query("a%2fb=%e1%88%b4&x=a+b", "a%2Fb=%E1%88%B4&x=a%20b");
        check_query("a&b=&=c&&", "=c&a=&b=");
        check_query("a=b=c&%=%4", "%25=%254&a=b%3Dc");
        check_query(
            "X-Amz-Signature=00&X-Amz-Date=1&X%2DAmz%2DSignature=1",
            "X-Amz-Date=1",
        );
    }

    #[test]
    fn header_values_are_trimmed_and_joined() {
        check(
            "/",
            "",
            &[
                ("Host", b"example.com"),
                ("My-Header1", b"  a   b  c "),
                ("my-header1", b"\"x\t y\""),
                ("other", b"unsigned"),
            ],
            &["host", "my-header1"],
            expect![[r#"
                GET
                /

                host:example.com
                my-header1:a b c,"x y"

                host;my-header1
                HASH"#]],
        );
    }

    #[test]
    fn a_query_of_unreasonable_length_is_refused() {
        let query = "a&".repeat(QUERY_PARAMETERS_MAX + 1);
        assert!(matches!(
            push_query(&mut Vec::new(), &query),
            Err(Error::QueryTooLong)
        ));
        assert!(push_query(&mut Vec::new(), &query[2..]).is_ok());
    }
}
