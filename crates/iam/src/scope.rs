//! The credential scope: which key signs, on which day, for which region and service.

use std::fmt;

use crate::{
    error::{Error, ScopeFault},
    limits::SCOPE_NAME_CHARS_MAX,
    public_text::echo,
};

/// The last element of every scope.
pub(crate) const TERMINATOR: &str = "aws4_request";

/// A region name, such as `us-east-1`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Region(Box<str>);

/// The name under which a service's requests are signed, such as `batch`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceName(Box<str>);

impl Region {
    /// Reads 1 to 64 letters, digits, hyphens, dots and underscores; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        is_scope_name(text).then(|| Self(text.into()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl ServiceName {
    /// Reads 1 to 64 letters, digits, hyphens, dots and underscores; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        is_scope_name(text).then(|| Self(text.into()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_scope_name(text: &str) -> bool {
    let is_plain = text
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'));
    is_plain && (1..=SCOPE_NAME_CHARS_MAX).contains(&text.len())
}

/// The service and region that a request is signed for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Target {
    /// The region.
    pub region: Region,
    /// The service.
    pub service: ServiceName,
}

/// A `Credential` parameter cut at its slashes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Credential<'a> {
    pub(crate) text: &'a str,
    pub(crate) access_key_id: &'a str,
    pub(crate) date: &'a str,
    pub(crate) region: &'a str,
    pub(crate) service: &'a str,
    terminator: &'a str,
}

impl<'a> Credential<'a> {
    /// Cuts the parameter into its five elements. Slashes at its end are ignored, as AWS does.
    pub(crate) fn parse(given: &'a str) -> Result<Self, Error> {
        let text = given.trim_end_matches('/');
        let mut elements = text.split('/');
        let mut next = || {
            elements
                .next()
                .ok_or_else(|| Error::CredentialElements { given: echo(given) })
        };
        let credential = Self {
            text,
            access_key_id: next()?,
            date: next()?,
            region: next()?,
            service: next()?,
            terminator: next()?,
        };
        if elements.next().is_some() {
            return Err(Error::CredentialElements { given: echo(given) });
        }
        Ok(credential)
    }

    /// What follows the key id: the scope as it stands in the string to sign.
    pub(crate) fn scope(&self) -> &'a str {
        self.text.get(self.access_key_id.len() + 1..).unwrap_or_default()
    }

    /// Checks the elements against the request's own date (`signed_at` in ISO 8601 basic form) and the wanted region, if any.
    pub(crate) fn target(&self, signed_at: &str, wanted: Option<&Region>) -> Result<Target, Error> {
        let Self {
            text: _,
            access_key_id: _,
            date,
            region,
            service,
            terminator,
        } = *self;
        let mut faults = Vec::new();
        let parsed_region = Region::parse(region).filter(|given| wanted.is_none_or(|wanted| wanted == given));
        let parsed_service = ServiceName::parse(service);
        if parsed_region.is_none() {
            faults.push(ScopeFault::Region { given: echo(region) });
        }
        if parsed_service.is_none() {
            faults.push(ScopeFault::ServiceUnreadable { given: echo(service) });
        }
        if terminator != TERMINATOR {
            faults.push(ScopeFault::Terminator {
                given: echo(terminator),
            });
        }
        let day = signed_at.get(..8).unwrap_or_default();
        if date != day {
            faults.push(ScopeFault::Date {
                given: echo(date),
                signed_at: signed_at.to_owned(),
            });
        }
        match (parsed_region, parsed_service) {
            (Some(region), Some(service)) if faults.is_empty() => Ok(Target { region, service }),
            (_, _) => Err(Error::Scope { faults }),
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::error::Dialect;

    fn check(credential: &str, expected: Expect) {
        let wanted = Region::parse("us-east-1");
        let target = Credential::parse(credential)
            .and_then(|credential| credential.target("20150830T123600Z", wanted.as_ref()));
        expected.assert_eq(&match target {
            Ok(Target { region, service }) => format!("{service} in {region}"),
            Err(error) => error.public_message(Dialect::RestJson).into_owned(),
        });
    }

    #[test]
    fn scopes_are_read_or_refused_in_the_words_of_aws() {
        check(
            "AK/20150830/us-east-1/batch/aws4_request",
            expect!["batch in us-east-1"],
        );
        check(
            "AK/20150830/us-east-1/batch/aws4_request//",
            expect!["batch in us-east-1"],
        );
        check(
            "a/b/c/d",
            expect![
                "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got 'a/b/c/d'"
            ],
        );
        check(
            "a/b/c/d/e/f",
            expect![
                "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got 'a/b/c/d/e/f'"
            ],
        );
        check(
            "a/b/c/d/e",
            expect![
                "Credential should be scoped to a valid region, not 'c'. Credential should be scoped with a valid terminator: 'aws4_request', not 'e'. Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: 'b' != '20150830', from '20150830T123600Z'. "
            ],
        );
        check(
            "AK/20150830//ba tch/aws4_request",
            expect![
                "Credential should be scoped to a valid region, not ''. Credential should be scoped to correct service, not 'ba tch'. "
            ],
        );
    }
}
