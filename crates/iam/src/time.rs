//! Time as a number, and the two ways in which requests write it.

use jiff::{Timestamp, civil, fmt::rfc2822, tz::Offset};

/// Seconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixSeconds(i64);

impl UnixSeconds {
    /// A time by its seconds since the epoch; negative before it.
    #[must_use]
    pub const fn new(seconds: i64) -> Self {
        Self(seconds)
    }

    /// The seconds since the epoch.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }

    /// This time moved by `seconds`, held at the ends of the number range.
    #[must_use]
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds))
    }

    /// ISO 8601 basic form, such as `20150830T123600Z`. A time outside years 0 to 9999 is written as the nearest end.
    #[must_use]
    pub fn iso_basic(self) -> String {
        let earliest = -62_167_219_200; // 0000-01-01T00:00:00Z: the form has no sign.
        let latest = Timestamp::MAX.as_second();
        let timestamp = Timestamp::from_second(self.0.clamp(earliest, latest))
            .expect("the seconds were held within the range");
        timestamp.strftime("%Y%m%dT%H%M%SZ").to_string()
    }

    /// Reads the ISO 8601 basic form, `YYYYMMDDTHHMMSSZ`; nothing else.
    #[must_use]
    pub(crate) fn parse_iso_basic(text: &str) -> Option<Self> {
        let bytes: &[u8; 16] = text.as_bytes().try_into().ok()?;
        if bytes[8] != b'T' || bytes[15] != b'Z' {
            return None;
        }
        let part =
            |range: std::ops::Range<usize>| -> Option<i8> { i8::try_from(number(&bytes[range])?).ok() };
        let date = civil::DateTime::new(
            number(&bytes[0..4])?,
            part(4..6)?,
            part(6..8)?,
            part(9..11)?,
            part(11..13)?,
            part(13..15)?,
            0,
        );
        let timestamp = Offset::UTC.to_timestamp(date.ok()?).ok()?;
        Some(Self(timestamp.as_second()))
    }

    /// Reads the HTTP date form, such as `Sun, 30 Aug 2015 12:36:00 GMT`.
    #[must_use]
    pub(crate) fn parse_http_date(text: &str) -> Option<Self> {
        let zoned = rfc2822::parse(text).ok()?;
        Some(Self(zoned.timestamp().as_second()))
    }
}

fn number(digits: &[u8]) -> Option<i16> {
    digits.iter().try_fold(0_i16, |sum, digit| {
        if !digit.is_ascii_digit() {
            return None;
        }
        Some(sum * 10 + i16::from(digit - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_both_forms() {
        let expected = Some(UnixSeconds::new(1_440_938_160));
        assert_eq!(UnixSeconds::parse_iso_basic("20150830T123600Z"), expected);
        assert_eq!(
            UnixSeconds::parse_http_date("Sun, 30 Aug 2015 12:36:00 GMT"),
            expected
        );
    }

    #[test]
    fn refuses_what_is_not_a_date() {
        for text in [
            "",
            "201",
            "20150230T123600Z",
            "20150830T123600",
            "20150830 123600Z",
            "2015083éT12360Z",
            "20150830T126000Z",
            "+0150830T123600Z",
        ] {
            assert_eq!(UnixSeconds::parse_iso_basic(text), None, "{text}");
            assert_eq!(UnixSeconds::parse_http_date(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn written_times_read_back(seconds in -62_167_219_200..253_402_207_200_i64) {
            let time = UnixSeconds::new(seconds);
            prop_assert_eq!(UnixSeconds::parse_iso_basic(&time.iso_basic()), Some(time));
        }

        #[test]
        fn any_time_can_be_written(seconds: i64) {
            prop_assert_eq!(UnixSeconds::new(seconds).iso_basic().len(), 16);
        }

        #[test]
        fn any_text_can_be_read(text in ".{0,20}") {
            let _ = UnixSeconds::parse_iso_basic(&text);
            let _ = UnixSeconds::parse_http_date(&text);
        }
    }
}
