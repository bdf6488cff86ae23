//! The points in time the daemon writes: `2026-01-02T03:04:05.123456789Z`, read to what they mean.
//!
//! It must not ask for the time. Start with [`Moment::parse`].

use batchyard_core::time::Timestamp;

const SECONDS_A_DAY: i64 = 86_400;

/// A point in time of the daemon's clock, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment {
    second: i64,
    nanosecond: u32,
}

impl Moment {
    /// Reads RFC 3339 with any fraction of up to nine digits, in UTC or with an offset.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let text = str::from_utf8(text).ok()?;
        let (date, rest) = text.split_at_checked(10)?;
        let (time, rest) = rest.strip_prefix('T')?.split_at_checked(8)?;
        let [year, month, day] = numbers(date, '-')?;
        let [hour, minute, second] = numbers(time, ':')?;
        if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let (fraction, zone) = match rest.strip_prefix('.') {
            Some(rest) => rest.split_at(rest.bytes().take_while(u8::is_ascii_digit).count()),
            None => ("", rest),
        };
        let seconds = days(year, month, day) * SECONDS_A_DAY + hour * 3600 + minute * 60 + second;
        Some(Moment {
            second: seconds - offset(zone)?,
            nanosecond: nanoseconds(fraction)?,
        })
    }

    /// The whole second since the epoch.
    pub(super) fn second(self) -> i64 {
        self.second
    }

    /// Rounded down to the milliseconds of the API.
    pub(super) fn timestamp(self) -> Timestamp {
        Timestamp::from_millis(self.second * 1000 + i64::from(self.nanosecond / 1_000_000))
    }

    /// Whether it is the daemon's way to say "never": the first year.
    pub(super) fn is_never(self) -> bool {
        self.second < 0
    }
}

fn numbers(text: &str, separator: char) -> Option<[i64; 3]> {
    let mut parts = text.split(separator).map(digits);
    let all = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(all)
}

fn digits(text: &str) -> Option<i64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

fn nanoseconds(fraction: &str) -> Option<u32> {
    if fraction.len() > 9 {
        return None;
    }
    format!("{fraction:0<9}").parse().ok()
}

/// Seconds east of Greenwich.
fn offset(zone: &str) -> Option<i64> {
    if zone == "Z" {
        return Some(0);
    }
    let (sign, rest) = match zone.as_bytes().first()? {
        b'+' => (1, &zone[1..]),
        b'-' => (-1, &zone[1..]),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    Some(sign * (digits(hours)? * 3600 + digits(minutes)? * 60))
}

/// Days from the epoch to a date of the Gregorian calendar, counted in years that begin in March, so that the leap day is a year's last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        for (text, millis) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2023-11-14T22:13:20.123456789Z", Some(1_700_000_000_123)),
            ("2023-11-14T22:13:20.5Z", Some(1_700_000_000_500)),
            ("2023-11-14T23:13:20+01:00", Some(1_700_000_000_000)),
            ("2024-02-29T00:00:00.000000000Z", Some(1_709_164_800_000)),
            ("2024-12-31T23:59:59.999999999Z", Some(1_735_689_599_999)),
            ("0001-01-01T00:00:00Z", Some(-62_135_596_800_000)),
            ("2023-13-14T22:13:20Z", None),
            ("2023-11-14 22:13:20Z", None),
            ("2023-11-14T22:13:20", None),
            ("+023-11-14T22:13:20Z", None),
            ("hello", None),
            ("", None),
        ] {
            let read = Moment::parse(text.as_bytes()).map(|moment| moment.timestamp().as_millis());
            assert_eq!(read, millis, "{text}");
        }
    }
}
