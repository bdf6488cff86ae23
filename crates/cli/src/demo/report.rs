//! What the demo says at its end: each job's times, and whether the price is right.

use batchyard_wire::batch::JobDetail;

use super::workload::{CALL, Estimate};
use crate::duration::{Milliseconds, now};
use crate::job::{self, Times};
use crate::output::{BAD, GOOD};
use crate::ps::style_of;
use crate::table::{Cell, Column, Table};

/// Standard errors that the price may be off: chance alone goes beyond once in 16,000 runs.
const ERRORS_OFF_MAX: f64 = 4.0;

/// The jobs as a table: those of the array by their index, then the one that joins.
pub(super) fn jobs(jobs: &[JobDetail]) -> Table {
    let mut table = Table::new(vec![
        Column::text("JOB"),
        Column::flexible("NAME", 6),
        Column::text("STATUS"),
        Column::number("WAIT"),
        Column::number("RUN"),
        Column::number("EXIT"),
    ]);
    let now = now();
    for job in jobs {
        let times = Times::of(job);
        let span =
            |span: Option<Milliseconds>| Cell::from(span.map_or_else(String::new, |span| span.to_string()));
        let code = job.container.as_ref().and_then(|container| container.exit_code);
        table.push(vec![
            Cell::from(job.job_id.as_str()),
            Cell::from(job.job_name.as_str()),
            Cell::styled(job.status.as_str(), style_of(&job.status)),
            span(times.wait(now)),
            span(times.run(now)),
            Cell::from(code.map_or_else(String::new, |code| code.to_string())),
        ]);
    }
    table
}

/// The jobs that failed, with their reasons, as lines.
pub(super) fn failures(jobs: &[JobDetail]) -> Vec<String> {
    jobs.iter()
        .filter_map(|job| match job::end(job)? {
            job::End::Succeeded => None,
            job::End::Exited { code, reason: None } => {
                Some(format!("job {} failed with exit code {code}", job.job_id))
            }
            job::End::Exited {
                code: _,
                reason: Some(reason),
            }
            | job::End::Failed(reason) => Some(format!("job {} failed: {reason}", job.job_id)),
        })
        .collect()
}

/// Whether the price is as right as it can be.
pub(super) fn is_right(estimate: &Estimate) -> bool {
    errors_off(estimate).abs() <= ERRORS_OFF_MAX
}

fn errors_off(estimate: &Estimate) -> f64 {
    (estimate.price - CALL.price()) / estimate.standard_error
}

/// The price beside that of the closed form.
pub(super) fn comparison(estimate: &Estimate) -> String {
    let Estimate {
        paths,
        price,
        standard_error,
    } = *estimate;
    let exact = CALL.price();
    let (style, verdict) = match is_right(estimate) {
        true => (GOOD, "agrees"),
        false => (BAD, "does not agree"),
    };
    let paths = grouped(paths);
    format!(
        "Monte Carlo    {price:.4} ± {standard_error:.4}  ({paths} paths, one standard error)
Black-Scholes  {exact:.4}
difference     {:+.4}, {:.1} standard errors: {style}{verdict}{style:#}
",
        price - exact,
        errors_off(estimate).abs(),
    )
}

/// The number with commas between thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(price: f64, expected: Expect) {
        let estimate = Estimate {
            paths: 10_000_000,
            price,
            standard_error: 0.0042,
        };
        expected.assert_eq(&anstream::adapter::strip_str(&comparison(&estimate)).to_string());
    }

    #[test]
    fn prices_are_compared_in_standard_errors() {
        check(
            8.0199,
            expect![[r#"
            Monte Carlo    8.0199 ± 0.0042  (10,000,000 paths, one standard error)
            Black-Scholes  8.0214
            difference     -0.0015, 0.3 standard errors: agrees
        "#]],
        );
        check(
            8.0399,
            expect![[r#"
            Monte Carlo    8.0399 ± 0.0042  (10,000,000 paths, one standard error)
            Black-Scholes  8.0214
            difference     +0.0185, 4.4 standard errors: does not agree
        "#]],
        );
        let broken = Estimate {
            paths: 1,
            price: f64::NAN,
            standard_error: 0.0,
        };
        assert!(!is_right(&broken));
    }

    #[test]
    fn thousands_are_grouped() {
        let shown = [0, 999, 1_000, 123_456, 10_000_000].map(grouped).join(" ");
        assert_eq!(shown, "0 999 1,000 123,456 10,000,000");
    }
}
