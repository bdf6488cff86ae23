//! Numbers of things, as people write them.

/// `1 job`, `2 jobs`.
pub(crate) fn jobs(count: usize) -> String {
    match count {
        1 => "1 job".to_owned(),
        _ => format!("{count} jobs"),
    }
}

/// `1 attempt`, `2 attempts`.
pub(crate) fn attempts(count: usize) -> String {
    match count {
        1 => "1 attempt".to_owned(),
        _ => format!("{count} attempts"),
    }
}
