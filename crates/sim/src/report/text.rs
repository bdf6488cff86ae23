//! Reports as people read them.

use std::fmt;

use super::{Cost, FailedAttempts, Group, Report};
use crate::words::{attempts, jobs};

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let left = |count: usize, what: &str| match count {
            0 => String::new(),
            count => format!(", {count} {what}"),
        };
        writeln!(
            f,
            "attempts     {}{}{}",
            self.attempts,
            left(self.never_ran, "never ran, as a job they depend on failed"),
            left(self.left, "never started"),
        )?;
        if self.failed_attempts.total() > 0 {
            write_failures(f, self)?;
        }
        writeln!(f, "makespan     {}", span(self.makespan_seconds))?;
        writeln!(
            f,
            "vCPU hours   {}, {:.1} % of {} vCPUs",
            hours(self.vcpu_hours),
            self.utilisation * 100.0,
            self.vcpus
        )?;
        if let Some(cost) = &self.cost {
            write_cost(f, cost)?;
        }
        writeln!(f)?;
        let shares = self.shares.iter().map(row);
        let queues = self.queues.iter().map(row);
        let titles = [
            "QUEUE", "SHARE", "ATTEMPTS", "FAILED", "VCPU-H", "WASTED", "WAIT P50", "P95", "MAX", "FAIRNESS",
        ];
        let rows: Vec<[String; COLUMNS]> = [titles.map(str::to_owned)]
            .into_iter()
            .chain(queues)
            .chain(shares)
            .collect();
        write_table(f, &rows)?;
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        Ok(())
    }
}

fn write_cost(f: &mut fmt::Formatter<'_>, cost: &Cost) -> fmt::Result {
    let Cost {
        currency,
        vcpus,
        instances,
        total,
        unpriced,
    } = cost;
    let space = if currency.is_empty() { "" } else { " " };
    write!(f, "cost         {total:.2}{space}{currency}")?;
    let mut parts: Vec<String> = instances
        .iter()
        .map(|(name, cost)| format!("{name} {cost:.2}"))
        .collect();
    if *vcpus > 0.0 {
        parts.insert(0, format!("vCPUs {vcpus:.2}"));
    }
    if parts.len() > 1 {
        write!(f, ": {}", parts.join(", "))?;
    }
    if !unpriced.is_empty() {
        write!(f, "; without a price: {}", unpriced.join(", "))?;
    }
    writeln!(f)
}

/// `failed       8 attempts (exit code 5, timeout 3), 2 tried again; 6 jobs failed; 1.20 vCPU hours wasted`.
fn write_failures(f: &mut fmt::Formatter<'_>, report: &Report) -> fmt::Result {
    let FailedAttempts {
        by_program,
        by_timeout,
        by_interruption,
        retried,
    } = report.failed_attempts;
    let causes = [
        ("exit code", by_program),
        ("timeout", by_timeout),
        ("interruption", by_interruption),
    ];
    let causes = causes.into_iter().filter(|(_, count)| *count > 0);
    let causes: Vec<String> = causes.map(|(what, count)| format!("{what} {count}")).collect();
    let retried = match retried {
        0 => String::new(),
        count => format!(", {count} tried again"),
    };
    writeln!(
        f,
        "failed       {} ({}){retried}; {} failed; {} vCPU hours wasted",
        attempts(report.failed_attempts.total()),
        causes.join(", "),
        jobs(report.failed),
        hours(report.wasted_vcpu_hours),
    )
}

/// How many columns the table has.
const COLUMNS: usize = 10;

fn row(group: &Group) -> [String; COLUMNS] {
    let Group {
        queue,
        share,
        attempts,
        failed_attempts,
        vcpu_hours,
        wasted_vcpu_hours,
        wait_p50_seconds,
        wait_p95_seconds,
        wait_max_seconds,
        fairness,
    } = group;
    [
        queue.clone(),
        share.clone().unwrap_or_default(),
        attempts.to_string(),
        match failed_attempts {
            0 => String::new(),
            count => count.to_string(),
        },
        hours(*vcpu_hours),
        match failed_attempts {
            0 => String::new(),
            _ => hours(*wasted_vcpu_hours),
        },
        span(*wait_p50_seconds),
        span(*wait_p95_seconds),
        span(*wait_max_seconds),
        fairness.map_or_else(String::new, |fairness| format!("{fairness:.3}")),
    ]
}

/// Names at the left, numbers at the right; columns in which nothing stands are left out.
fn write_table(f: &mut fmt::Formatter<'_>, rows: &[[String; COLUMNS]]) -> fmt::Result {
    let is_filled = |column: usize| rows.iter().skip(1).any(|row| !row[column].is_empty());
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    let columns: Vec<(usize, usize)> = (0..COLUMNS)
        .filter(|column| is_filled(*column))
        .map(|column| (column, width(column)))
        .collect();
    for row in rows {
        let cells = columns.iter().map(|(column, width)| match *column {
            0 | 1 => format!("{:<width$}", row[*column]),
            _ => format!("{:>width$}", row[*column]),
        });
        let line = cells.collect::<Vec<String>>().join("  ");
        writeln!(f, "{}", line.trim_end())?;
    }
    Ok(())
}

/// With three digits or so.
fn hours(hours: f64) -> String {
    match hours {
        0.0..10.0 => format!("{hours:.2}"),
        _ => format!("{hours:.1}"),
    }
}

/// `12.3s`, `4m05s`, `3h20m`, `2d07h`.
fn span(seconds: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is a span of simulated time"
    )]
    let whole = seconds.round() as u64;
    let (minutes, hours, days) = (whole / 60, whole / 3_600, whole / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds:.1}s"),
        (0, 0, _) => format!("{minutes}m{:02}s", whole % 60),
        (0, _, _) => format!("{hours}h{:02}m", minutes % 60),
        (_, _, _) => format!("{days}d{:02}h", hours % 24),
    }
}
