//! The only place that writes to the terminal.
//!
//! A reader that has gone away (`crestline … | head`) is no error: what cannot be written is dropped.

use std::io::{self, IsTerminal, Write};

/// Results, on standard output.
pub(crate) fn say(text: &str) {
    write_line(&mut io::stdout().lock(), text);
}

/// Everything that is not a result (progress, notes, problems), on standard error.
pub(crate) fn tell(text: &str) {
    write_line(&mut io::stderr().lock(), text);
}

/// Replaces the last line of a terminal by this one, without a line end; an empty text clears it. What does not fit into
/// the line is cut off, because a line that wraps could not be replaced.
pub(crate) fn redraw(text: &str) {
    let mut stderr = io::stderr().lock();
    drop(write!(stderr, "\r\x1b[2K\x1b[?7l{text}\x1b[?7h"));
    drop(stderr.flush());
}

/// Whether someone watches standard error.
pub(crate) fn is_watched() -> bool {
    io::stderr().is_terminal()
}

fn write_line(out: &mut impl Write, text: &str) {
    drop(writeln!(out, "{text}"));
    drop(out.flush());
}
