//! When queued jobs are expected to start, in words.

use jiff::tz::TimeZone;
use jiff::{Timestamp, Unit, ZonedDateTime};
use serde::Deserialize;

use crate::duration::Milliseconds;

/// What the server expects: times in milliseconds since the epoch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ExpectedStart {
    /// If attempts run as long as half of the last did not exceed.
    pub(crate) p50: Option<i64>,
    /// If they run as long as nine of ten did not exceed.
    pub(crate) p90: Option<i64>,
    /// It was not looked further ahead.
    pub(crate) not_before: Option<i64>,
    /// What that rests on: `runs`, `timeouts`, `atLatest`.
    pub(crate) basis: Vec<String>,
    /// Why nothing is known.
    pub(crate) unknown: Option<Unknown>,
    /// Of an array, whose first child the rest is about: the last one.
    pub(crate) last: Option<Box<ExpectedStart>>,
}

/// Why nothing is known.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(crate) enum Unknown {
    /// A job that is waited for has neither history nor timeout.
    Endless {
        /// Which.
        job_id: String,
    },
    /// It never starts as things are.
    Never,
    /// Said by a later server.
    #[serde(other)]
    Else,
}

/// One of the jobs of a forecast.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct JobForecast {
    /// Which.
    pub(crate) job_id: String,
    /// When it starts.
    pub(crate) expected_start: ExpectedStart,
}

impl ExpectedStart {
    /// Sentences for people, one a line.
    pub(crate) fn sentences(&self, now: i64, zone: &TimeZone) -> String {
        let time = |at: i64| clock(at, now, zone);
        let about = |at: i64| format!("{} (in {})", time(at), Milliseconds::between(now, at));
        let subject = if self.last.is_some() {
            "Its first child is"
        } else {
            "It is"
        };
        let mut text = match (self.p50, self.p90, self.not_before, &self.unknown) {
            (Some(p50), Some(p90), ..) => {
                let latest = if self.is_latest() {
                    "at the latest about"
                } else {
                    "about"
                };
                let mut text = format!("{subject} expected to start {latest} {}", about(p50));
                if time(p90) != time(p50) {
                    text += &format!(", or {} if jobs run as long as nine of ten did", time(p90));
                }
                text + "."
            }
            (Some(p50), None, ..) => format!(
                "{subject} expected to start about {}, or much later if jobs run as long as nine of ten did.",
                about(p50)
            ),
            (None, _, Some(not_before), _) => {
                format!("{subject} not expected to start before {}.", about(not_before))
            }
            (None, _, None, Some(Unknown::Endless { job_id })) => format!(
                "Its start cannot be predicted: it waits for job {job_id}, which has no history and no timeout."
            ),
            (None, _, None, Some(Unknown::Never)) => "As things are, it never starts.".to_owned(),
            (None, _, None, Some(Unknown::Else) | None) => return String::new(),
        };
        if let Some(last) = self.last.as_ref().and_then(|last| last.p50) {
            text += &format!(" The last one starts about {}.", about(last));
        }
        if self.basis.iter().any(|word| word == "timeouts") {
            text += " Where a definition has no history its timeout counts.";
        }
        text
    }

    /// As a cell of a table.
    pub(crate) fn cell(&self, now: i64, zone: &TimeZone) -> String {
        match (self.p50, self.not_before, &self.unknown) {
            (Some(p50), ..) => clock(p50, now, zone),
            (None, Some(at), _) => format!(">{}", clock(at, now, zone)),
            (None, None, Some(Unknown::Never)) => "never".to_owned(),
            (None, None, _) => "?".to_owned(),
        }
    }

    fn is_latest(&self) -> bool {
        self.basis.iter().any(|word| word == "atLatest")
    }
}

/// The time of day, with the date where it is another day, with seconds where it is near.
fn clock(at: i64, now: i64, zone: &TimeZone) -> String {
    let zoned = |ms: i64| -> Option<ZonedDateTime> {
        Some(
            Timestamp::from_millisecond(ms)
                .ok()?
                .to_zoned_datetime(zone.clone()),
        )
    };
    let (Some(then), Some(today)) = (zoned(at), zoned(now)) else {
        return crate::duration::moment(at);
    };
    let is_near = at - now < NEAR_MS;
    let then = match is_near {
        true => then.round(Unit::Second),
        false => then.round(Unit::Minute),
    };
    let Ok(then) = then else {
        return crate::duration::moment(at);
    };
    match (then.date() == today.date(), is_near) {
        (true, true) => then.strftime("%H:%M:%S").to_string(),
        (true, false) => then.strftime("%H:%M").to_string(),
        (false, _) => then.strftime("%Y-%m-%d %H:%M").to_string(),
    }
}

/// What is so near has its seconds shown: ten minutes.
const NEAR_MS: i64 = 10 * 60 * 1_000;

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    /// 2026-11-23 12:00 UTC.
    const NOON: i64 = 1_795_435_200_000;

    fn minutes(count: i64) -> i64 {
        NOON + count * 60_000
    }

    fn check(expected: &ExpectedStart, expect: &expect_test::Expect) {
        let zone = TimeZone::UTC;
        let sentences = expected.sentences(NOON, &zone);
        expect.assert_eq(&format!("{}\n{sentences}\n", expected.cell(NOON, &zone)));
    }

    #[test]
    fn starts_are_told_with_what_they_rest_on() {
        let start = ExpectedStart {
            p50: Some(minutes(122)),
            p90: Some(minutes(150)),
            basis: vec!["runs".to_owned(), "timeouts".to_owned()],
            ..ExpectedStart::default()
        };
        check(
            &start,
            &expect![[r#"
            14:02
            It is expected to start about 14:02 (in 2h02m), or 14:30 if jobs run as long as nine of ten did. Where a definition has no history its timeout counts.
        "#]],
        );
        let latest = ExpectedStart {
            p50: Some(NOON + 5_400),
            p90: Some(NOON + 5_400),
            basis: vec!["runs".to_owned(), "atLatest".to_owned()],
            ..ExpectedStart::default()
        };
        check(
            &latest,
            &expect![[r#"
            12:00:05
            It is expected to start at the latest about 12:00:05 (in 5.4s).
        "#]],
        );
        let array = ExpectedStart {
            last: Some(Box::new(ExpectedStart {
                p50: Some(minutes(800)),
                ..ExpectedStart::default()
            })),
            ..start
        };
        check(
            &array,
            &expect![[r#"
            14:02
            Its first child is expected to start about 14:02 (in 2h02m), or 14:30 if jobs run as long as nine of ten did. The last one starts about 2026-11-24 01:20 (in 13h20m). Where a definition has no history its timeout counts.
        "#]],
        );
    }

    #[test]
    fn what_is_not_known_is_told_with_the_reason() {
        let unknown = |unknown| ExpectedStart {
            unknown: Some(unknown),
            ..ExpectedStart::default()
        };
        let job_id = "5f1c".to_owned();
        check(
            &unknown(Unknown::Endless { job_id }),
            &expect![[r#"
            ?
            Its start cannot be predicted: it waits for job 5f1c, which has no history and no timeout.
        "#]],
        );
        check(
            &unknown(Unknown::Never),
            &expect![[r#"
            never
            As things are, it never starts.
        "#]],
        );
        let far = ExpectedStart {
            not_before: Some(minutes(3_000)),
            ..ExpectedStart::default()
        };
        check(
            &far,
            &expect![[r#"
            >2026-11-25 14:00
            It is not expected to start before 2026-11-25 14:00 (in 2d02h).
        "#]],
        );
    }
}
