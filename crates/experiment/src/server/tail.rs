//! The end of a log.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// Bytes of the file that are looked at.
const REACH: u64 = 64 * 1024;

/// Its last lines behind `from`, at most so many; none where it cannot be read.
pub(super) fn lines(path: &Path, from: u64, most: usize) -> Vec<String> {
    let Ok(text) = end(path, from) else {
        return Vec::new();
    };
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let first = lines.len().saturating_sub(most);
    lines[first..]
        .iter()
        .map(|line| (*line).to_owned())
        .collect()
}

fn end(path: &Path, from: u64) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(REACH).max(from)))?;
    let mut bytes = Vec::new();
    file.take(REACH).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    #[test]
    fn the_last_lines_of_a_long_log_are_shown_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut text = String::new();
        for number in 0..20_000 {
            writeln!(text, "line {number}").unwrap();
        }
        std::fs::write(&path, text + "\n\nno end").unwrap();
        assert_eq!(lines(&path, 0, 3), ["line 19998", "line 19999", "no end"]);
        assert!(lines(&folder.path().join("none"), 0, 3).is_empty());
    }

    #[test]
    fn what_an_earlier_start_printed_is_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        std::fs::write(&path, "before\nafter\n").unwrap();
        assert_eq!(lines(&path, 7, 3), ["after"]);
        assert!(lines(&path, 13, 3).is_empty());
    }
}
