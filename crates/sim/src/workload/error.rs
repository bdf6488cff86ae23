//! What is wrong with a workload, and where.

use std::fmt;

/// A line of a file, as it is to be named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file, as it was given.
    pub file: String,
    /// From 1.
    pub line: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// A workload cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum WorkloadError {
    /// The file itself.
    #[error("{place}: the line cannot be read")]
    Read {
        /// Where.
        place: Place,
        /// What the file said.
        #[source]
        source: std::io::Error,
    },
    /// It is no CSV.
    #[error("{file} cannot be read as CSV")]
    Csv {
        /// The file.
        file: String,
        /// What the reader said, with the line.
        #[source]
        source: csv::Error,
    },
    /// A line has another number of fields than it should.
    #[error("{place}: {found} fields where {expected} are due")]
    Fields {
        /// Where.
        place: Place,
        /// So many.
        found: usize,
        /// As many as there should be.
        expected: usize,
    },
    /// A field has no such value.
    #[error("{place}: {field} is {text:?} and must be {expected}")]
    Field {
        /// Where.
        place: Place,
        /// The column's name, or the field's number and name.
        field: String,
        /// What it says.
        text: String,
        /// What it must be, in words.
        expected: &'static str,
    },
    /// A column has no meaning.
    #[error("{place}: {name:?} is no column; columns are {known}")]
    Column {
        /// Where.
        place: Place,
        /// Its name.
        name: String,
        /// Those that have one.
        known: String,
    },
    /// A column is there twice.
    #[error("{place}: the column {name:?} is there twice")]
    ColumnTwice {
        /// Where.
        place: Place,
        /// Which.
        name: &'static str,
    },
    /// A column that must be there is not.
    #[error("{place}: there is no column {name:?}")]
    NoColumn {
        /// Where.
        place: Place,
        /// Which.
        name: &'static str,
    },
    /// A job waits for one that there is not, that there are several of, or that is not submitted before it.
    #[error("{place}: depends_on names {name:?}, {problem}")]
    Dependency {
        /// Where.
        place: Place,
        /// Which.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// More jobs than are read.
    #[error("{place}: there are more than {max} jobs")]
    TooMany {
        /// Where.
        place: Place,
        /// As many are read.
        max: usize,
    },
    /// There is no job.
    #[error("{file} has no jobs that can be simulated{notes}")]
    Empty {
        /// The file.
        file: String,
        /// What was left out.
        notes: String,
    },
}

/// A span of at most some thousand years, in seconds with up to three digits behind the point.
pub(super) fn milliseconds(text: &str) -> Option<u64> {
    if let Ok(seconds) = text.parse::<u64>() {
        return (seconds <= SECONDS_MAX).then(|| seconds * 1000);
    }
    let seconds: f64 = text.parse().ok()?;
    if !(0.0..=SECONDS_MAX_FLOAT).contains(&seconds) {
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is neither negative nor too large"
    )]
    let milliseconds = (seconds * 1000.0).round() as u64;
    Some(milliseconds)
}

/// The latest time and the longest span that are read: about 3,000 years.
const SECONDS_MAX: u64 = 100_000_000_000;

/// The same.
const SECONDS_MAX_FLOAT: f64 = 1e11;
