//! The only place that writes to the terminal, or shows a front end what would go there.
//!
//! A reader that has gone away (`crestline … | head`) is no error: what cannot be written is dropped.

use std::borrow::Cow;
use std::cell::Cell;
use std::io::{self, IsTerminal, Write};

use crate::front_end::{FrontEnd, Seen};

/// A text in which nothing steers the terminal: services are quoted, and what they send is theirs to choose.
pub(crate) fn plain(text: &str) -> Cow<'_, str> {
    let steers = |letter: char| letter.is_control() && letter != '\n' && letter != '\t';
    if !text.contains(steers) {
        return Cow::Borrowed(text);
    }
    let escaped = text.chars().fold(String::new(), |mut out, letter| {
        if steers(letter) {
            out.extend(letter.escape_default());
        } else {
            out.push(letter);
        }
        out
    });
    Cow::Owned(escaped)
}

/// Not more than so many letters of a text, on one line.
pub(crate) fn brief(text: &str, letters: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= letters {
        return line;
    }
    let mut cut: String = line.chars().take(letters).collect();
    cut.push('…');
    cut
}

thread_local! {
    /// What this thread prints is for nobody to read.
    static IS_SILENT: Cell<bool> = const { Cell::new(false) };
}

/// Does something and prints nothing of it.
pub(crate) fn silently<T>(work: impl FnOnce() -> T) -> T {
    let before = IS_SILENT.replace(true);
    let done = work();
    IS_SILENT.set(before);
    done
}

/// Results, on standard output.
pub(crate) fn say(text: &str) {
    put(Seen::Said, text);
}

/// Everything that is not a result (notes, problems), on standard error.
pub(crate) fn tell(text: &str) {
    put(Seen::Told, text);
}

/// A line that says how far something is and stays, on standard error.
pub(crate) fn pass(line: &str) {
    put(Seen::Passing, line);
}

/// Replaces the last line of a terminal by this one, without a line end; an empty text clears it. What does not fit into
/// the line is cut off, because a line that wraps could not be replaced.
pub(crate) fn redraw(text: &str) {
    if IS_SILENT.get() {
        return;
    }
    if let Some(front) = FrontEnd::current() {
        return front.see(Seen::Redrawn(text.to_owned()));
    }
    let mut stderr = io::stderr().lock();
    drop(write!(stderr, "\r\x1b[2K\x1b[?7l{text}\x1b[?7h"));
    drop(stderr.flush());
}

/// Shows something to the front end that this thread works for. It is for nobody else: a terminal has it as text, and the
/// disk as files.
pub(crate) fn show(seen: impl FnOnce() -> Seen) {
    if IS_SILENT.get() {
        return;
    }
    if let Some(front) = FrontEnd::current() {
        front.see(seen());
    }
}

/// Whether someone watches standard error.
pub(crate) fn is_watched() -> bool {
    FrontEnd::current().map_or_else(|| io::stderr().is_terminal(), |front| front.is_watched())
}

/// Writes a text where it belongs: to the front end, or to the terminal.
fn put(seen: fn(String) -> Seen, text: &str) {
    if IS_SILENT.get() {
        return;
    }
    let seen = seen(plain(text).into_owned());
    match (FrontEnd::current(), &seen) {
        (Some(front), _) => front.see(seen),
        (None, Seen::Said(text)) => write_line(&mut io::stdout().lock(), text),
        (None, Seen::Told(text) | Seen::Passing(text)) => {
            write_line(&mut io::stderr().lock(), text);
        }
        (None, _) => {}
    }
}

fn write_line(out: &mut impl Write, text: &str) {
    drop(writeln!(out, "{text}"));
    drop(out.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_is_shown_as_text() {
        assert_eq!(plain("a\nb\tc é 测"), "a\nb\tc é 测");
        assert_eq!(plain("\x1b]0;x\x07\r"), "\\u{1b}]0;x\\u{7}\\r");
    }

    #[test]
    fn a_long_text_of_many_lines_becomes_one_short_line() {
        assert_eq!(brief("a\n  b\r\nc", 9), "a b c");
        assert_eq!(brief("héllo wörld", 4), "héll…");
    }
}
