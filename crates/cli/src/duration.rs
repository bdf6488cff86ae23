//! Spans and moments of time in a form for tables: short, and of the same width wherever they are compared.

/// A span in milliseconds, as jobs' times are; negative ones (clocks that were set back) count as zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Milliseconds(i64);

impl Milliseconds {
    /// From one moment to another, both in milliseconds since the epoch.
    pub(crate) fn between(from: i64, to: i64) -> Milliseconds {
        Milliseconds(to.saturating_sub(from).max(0))
    }
}

impl std::fmt::Display for Milliseconds {
    /// The two largest units: `12ms`, `3.4s`, `5m06s`, `2h03m`, `4d05h`.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Milliseconds(all) = *self;
        let seconds = all / 1_000;
        let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
        let text = match (days, hours, minutes, seconds) {
            (0, 0, 0, 0) => format!("{all}ms"),
            (0, 0, 0, _) => format!("{seconds}.{}s", all % 1_000 / 100),
            (0, 0, ..) => format!("{minutes}m{:02}s", seconds % 60),
            (0, ..) => format!("{hours}h{:02}m", minutes % 60),
            _ => format!("{days}d{:02}h", hours % 24),
        };
        formatter.pad(&text)
    }
}

/// A moment in milliseconds since the epoch as `2030-01-31T12:00:00.000Z`; the number itself beyond the years that have a form.
pub(crate) fn moment(milliseconds: i64) -> String {
    match jiff::Timestamp::from_millisecond(milliseconds) {
        Ok(moment) => format!("{moment:.3}"),
        Err(_) => milliseconds.to_string(),
    }
}

/// The present in milliseconds since the epoch.
pub(crate) fn now() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn spans_have_two_units() {
        let spans = [
            -5,
            0,
            999,
            1_000,
            9_949,
            59_999,
            60_000,
            3_599_999,
            3_600_000,
            86_399_999,
            86_400_000,
            900_000_000,
        ];
        let shown = spans.map(|span| Milliseconds::between(0, span).to_string());
        expect!["0ms 0ms 999ms 1.0s 9.9s 59.9s 1m00s 59m59s 1h00m 23h59m 1d00h 10d10h"]
            .assert_eq(&shown.join(" "));
    }

    #[test]
    fn moments_are_utc() {
        expect!["1970-01-01T00:00:00.000Z"].assert_eq(&moment(0));
        expect!["2026-11-23T12:00:00.123Z"].assert_eq(&moment(1_795_435_200_123));
        expect!["9223372036854775807"].assert_eq(&moment(i64::MAX));
    }
}
