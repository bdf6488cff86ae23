//! What was played, as a table that can stand in a document.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::Played;

/// The counts that have columns of their own.
const COLUMNS: [&str; 5] = ["ops", "jobs", "attempts", "decisions", "checks"];

/// What the names of faults begin with.
const FAULT: &str = "fault.";

/// One row for each suite, then the faults by kind.
pub(super) fn table(all: &[(&str, Played)]) -> String {
    let mut text = String::from(
        "\n| suite | seeds | steps | jobs | attempts | decisions | checks | faults | failures | seeds/s |\n|---|---|---|---|---|---|---|---|---|---|\n",
    );
    let mut faults: BTreeMap<(&str, String), u64> = BTreeMap::new();
    for (suite, played) in all {
        let of_suite = played.counts.iter().filter(|(name, _)| name.starts_with(FAULT));
        let mut total = 0;
        for (name, number) in of_suite {
            total += number;
            faults.insert((suite, name[FAULT.len()..].replace('_', " ")), *number);
        }
        let columns = COLUMNS.map(|name| grouped(played.counts.get(name).copied().unwrap_or(0)));
        let rate = u128::from(played.seeds) * 1000 / played.time.as_millis().max(1);
        let Played { seeds, failures, .. } = played;
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "| {suite} | {} | {} | {} | {} | {rate} |",
            grouped(*seeds),
            columns.join(" | "),
            grouped(total),
            failures.len()
        );
    }
    text.push_str("\n| suite | fault | times |\n|---|---|---|\n");
    for ((suite, fault), number) in faults {
        let _ = writeln!(text, "| {suite} | {fault} | {} |", grouped(number));
    }
    text
}

/// A number with its thousands apart.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn thousands_are_apart() {
        let grouped = [0, 999, 1000, 12_345_678].map(super::grouped);
        assert_eq!(grouped, ["0", "999", "1,000", "12,345,678"]);
    }
}
