//! What the terminal can show.

use std::io::IsTerminal as _;

/// Columns of standard output's terminal; `None` if it is no terminal, where lines may have any length.
pub(crate) fn width() -> Option<usize> {
    let stdout = std::io::stdout();
    if !stdout.is_terminal() {
        return None;
    }
    let (terminal_size::Width(columns), _) = terminal_size::terminal_size_of(stdout)?;
    Some(usize::from(columns))
}

/// Whether text on standard output can be written over.
pub(crate) fn can_redraw() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}
