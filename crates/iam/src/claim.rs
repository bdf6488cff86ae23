//! What a request says about its own signature: the `Authorization` header, or the `X-Amz-*` parameters of a presigned query.
//!
//! This only reads. The order in which it finds faults is that of the live services: parts, parameters, date; then, asked by the
//! verifier, `host`, algorithm and credential.

use std::borrow::Cow;

use crate::{
    UnixSeconds,
    canonical::{ALGORITHM, SIGNATURE_PARAMETER, SigningInput, query_pairs},
    error::Error,
    limits::{AUTHORIZATION_BYTES_MAX, CLOCK_SKEW_SECONDS_MAX, PRESIGN_SECONDS_MAX, SIGNED_HEADERS_MAX},
    public_text::echo,
    scope::Credential,
};

/// A signature and what it claims, unverified.
#[derive(Debug)]
pub(crate) struct Claim<'a> {
    pub(crate) form: Form,
    pub(crate) signed_at: SignedAt<'a>,
    pub(crate) signature: Cow<'a, str>,
    pub(crate) session_token: Option<Cow<'a, str>>,
    algorithm: Cow<'a, str>,
    credential: Cow<'a, str>,
    signed_headers: String,
}

/// Where the signature is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// In the `Authorization` header.
    Header,
    /// In the query, to be used for so many seconds.
    Presigned { life_seconds: i64 },
}

/// The request's own date, as a number and in ISO 8601 basic form.
#[derive(Debug)]
pub(crate) struct SignedAt<'a> {
    pub(crate) time: UnixSeconds,
    pub(crate) iso_basic: Cow<'a, str>,
}

impl<'a> Claim<'a> {
    /// Reads the claim of either form.
    pub(crate) fn read(request: &SigningInput<'a>) -> Result<Self, Error> {
        let is_presigned = query_pairs(request.query).any(|(name, _)| name.as_ref() == b"X-Amz-Algorithm");
        let authorization = request.header_lines("authorization").next();
        match (authorization, is_presigned) {
            (Some(_), true) => Err(Error::SignedTwice),
            (Some(header), false) => Self::read_header(request, header),
            (None, true) => Self::read_query(request.query),
            (None, false) => Err(Error::MissingAuthenticationToken),
        }
    }

    fn read_header(request: &SigningInput<'a>, header: &'a [u8]) -> Result<Self, Error> {
        if header.len() > AUTHORIZATION_BYTES_MAX {
            return Err(Error::AuthorizationTooLong);
        }
        // What is not even text is no signature.
        let header =
            std::str::from_utf8(header.trim_ascii()).map_err(|_| Error::MissingAuthenticationToken)?;
        if !header.starts_with("AWS4-") {
            return Err(Error::MissingAuthenticationToken);
        }
        let Parts {
            algorithm,
            credential,
            signature,
            signed_headers,
        } = Parts::cut(header)?;
        let amz_date = request.header("x-amz-date");
        let date = amz_date.is_none().then(|| request.header("date")).flatten();
        let is_date_missing = amz_date.is_none() && date.is_none();

        let given = [
            ("Credential", credential),
            ("Signature", signature),
            ("SignedHeaders", signed_headers),
        ];
        let (Some(credential), Some(signature), Some(signed_headers), false) =
            (credential, signature, signed_headers, is_date_missing)
        else {
            let missing = given
                .iter()
                .filter(|(_, value)| value.is_none())
                .map(|(name, _)| *name)
                .collect();
            return Err(Error::HeaderIncomplete {
                missing,
                is_date_missing,
                header: echo(header),
            });
        };
        Ok(Self {
            form: Form::Header,
            signed_at: SignedAt::read(amz_date, date)?,
            signature: signature.into(),
            session_token: request.header("x-amz-security-token"),
            algorithm: algorithm.into(),
            credential: credential.into(),
            signed_headers: signed_headers.to_ascii_lowercase(),
        })
    }

    fn read_query(query: &'a str) -> Result<Self, Error> {
        let required = [
            "X-Amz-Algorithm",
            "X-Amz-Credential",
            SIGNATURE_PARAMETER,
            "X-Amz-SignedHeaders",
            "X-Amz-Date",
        ];
        let [algorithm, credential, signature, signed_headers, date] =
            required.map(|name| parameter(query, name));
        let given = [&algorithm, &credential, &signature, &signed_headers, &date];
        let missing: Vec<_> = required
            .iter()
            .zip(given)
            .filter(|(_, value)| value.is_none())
            .map(|(name, _)| *name)
            .collect();
        let (Some(algorithm), Some(credential), Some(signature), Some(signed_headers), Some(date)) =
            (algorithm, credential, signature, signed_headers, date)
        else {
            return Err(Error::QueryIncomplete { missing });
        };
        let signed_at = SignedAt::read(Some(date), None)?;
        let life_seconds = match parameter(query, "X-Amz-Expires") {
            None => CLOCK_SKEW_SECONDS_MAX,
            Some(text) => life_seconds(&text).ok_or_else(|| Error::ExpiresIn { given: echo(&text) })?,
        };
        Ok(Self {
            form: Form::Presigned { life_seconds },
            signed_at,
            signature,
            session_token: parameter(query, "X-Amz-Security-Token"),
            algorithm,
            credential,
            signed_headers: signed_headers.to_ascii_lowercase(),
        })
    }

    /// The signed headers' names in lower case and in the request's order; `host` must be one of them.
    pub(crate) fn signed_headers(&self) -> Result<Vec<&str>, Error> {
        let names: Vec<_> = self
            .signed_headers
            .split(';')
            .filter(|name| !name.is_empty())
            .collect();
        if names.len() > SIGNED_HEADERS_MAX {
            return Err(Error::TooManySignedHeaders);
        }
        if !names.contains(&"host") {
            return Err(Error::HostNotSigned);
        }
        Ok(names)
    }

    /// The credential, if the algorithm is the one that there is.
    pub(crate) fn credential(&self) -> Result<Credential<'_>, Error> {
        if self.algorithm != ALGORITHM {
            return Err(Error::Algorithm {
                given: echo(&self.algorithm),
            });
        }
        Credential::parse(&self.credential)
    }
}

impl<'a> SignedAt<'a> {
    /// Reads `amz_date`, which must be in ISO 8601 basic form, or else the `Date` header, which may be an HTTP date too.
    fn read(amz_date: Option<Cow<'a, str>>, date: Option<Cow<'a, str>>) -> Result<Self, Error> {
        let is_http_date_allowed = amz_date.is_none();
        let text = amz_date.or(date).unwrap_or_default();
        if let Some(time) = UnixSeconds::parse_iso_basic(&text) {
            return Ok(Self {
                time,
                iso_basic: text,
            });
        }
        match UnixSeconds::parse_http_date(&text) {
            Some(time) if is_http_date_allowed => Ok(Self {
                time,
                iso_basic: time.iso_basic().into(),
            }),
            Some(_) | None => Err(Error::Date { given: echo(&text) }),
        }
    }
}

/// The `Authorization` header's parts. A parameter that comes twice counts as it comes last.
struct Parts<'a> {
    algorithm: &'a str,
    credential: Option<&'a str>,
    signature: Option<&'a str>,
    signed_headers: Option<&'a str>,
}

impl<'a> Parts<'a> {
    /// Cuts at commas and spaces, as the live services do, which is why `Credential= x` leaves a part without an equals sign.
    fn cut(header: &'a str) -> Result<Self, Error> {
        let mut words = header.split([',', ' ', '\t']).filter(|word| !word.is_empty());
        let algorithm = words.next().unwrap_or_default();
        let mut parts = Self {
            algorithm,
            credential: None,
            signature: None,
            signed_headers: None,
        };
        for word in words {
            let Some((name, value)) = word.split_once('=') else {
                return Err(Error::NotKeyValue {
                    part: echo(word),
                    header: echo(header),
                });
            };
            let value = (!value.is_empty()).then_some(value);
            match name {
                "Credential" => parts.credential = value,
                "Signature" => parts.signature = value,
                "SignedHeaders" => parts.signed_headers = value,
                _ => {}
            }
        }
        Ok(parts)
    }
}

/// The life of a presigned request: decimal digits only, from a second to a week.
fn life_seconds(text: &str) -> Option<i64> {
    // `parse` would take a plus sign.
    let seconds: u32 = text
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then_some(text)?
        .parse()
        .ok()?;
    (1..=PRESIGN_SECONDS_MAX)
        .contains(&seconds)
        .then(|| seconds.into())
}

/// The first parameter of the name, if it is not empty.
fn parameter<'a>(query: &'a str, name: &str) -> Option<Cow<'a, str>> {
    let (_, value) = query_pairs(query).find(|(given, _)| given.as_ref() == name.as_bytes())?;
    let text = match value {
        Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
        Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
    };
    (!text.is_empty()).then_some(text)
}
