//! What goes to the two outputs: results as they are, messages in the style of all messages.

use std::fmt::Display;
use std::io::{self, Write as _};

use anstyle::{AnsiColor, Style};

/// For words that tell of something wrong.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();

/// For words that tell of something that went well.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();

/// For what is less important than the rest.
pub(crate) const FAINT: Style = Style::new().dimmed();

/// For headings.
pub(crate) const HEADING: Style = Style::new().bold();

/// Tells on standard error what is under way, or what a person should know beside the result.
pub(crate) fn note(text: impl Display) {
    anstream::eprintln!("{FAINT}{text}{FAINT:#}");
}

/// Tells on standard error that something is wrong, without its causes.
pub(crate) fn complain(text: impl Display) {
    anstream::eprintln!("{BAD}error{BAD:#}: {text}");
}

/// Tells what ended the program: the error, then what caused it.
pub(crate) fn print_error(error: &anyhow::Error) {
    let mut causes = Vec::new();
    for cause in error.chain().skip(1) {
        // Layers of the HTTP client repeat what their causes say.
        let text = cause.to_string();
        if causes.last() != Some(&text) {
            causes.push(text);
        }
    }
    // A hint stays the last thing one reads.
    let text = error.to_string();
    let (what, hint) = match text.split_once('\n') {
        Some((what, hint)) => (what, Some(hint)),
        None => (text.as_str(), None),
    };
    complain(what);
    for cause in causes {
        anstream::eprintln!("  {FAINT}caused by:{FAINT:#} {cause}");
    }
    if let Some(hint) = hint {
        anstream::eprintln!("{hint}");
    }
}

/// Writes a result to standard output, with colours if it is a terminal.
///
/// # Errors
/// When standard output is closed or full.
pub(crate) fn print(text: impl Display) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    write!(out, "{text}")?;
    out.flush()
}
