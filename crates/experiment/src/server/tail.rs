//! The end of a log.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// Bytes of the file that are looked at.
const REACH: u64 = 64 * 1024;

/// Its last lines, at most so many; none where it cannot be read.
pub(super) fn lines(path: &Path, most: usize) -> Vec<String> {
    let Ok(text) = end(path) else {
        return Vec::new();
    };
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let from = lines.len().saturating_sub(most);
    lines[from..]
        .iter()
        .map(|line| (*line).to_owned())
        .collect()
}

fn end(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(REACH)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
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
        assert_eq!(lines(&path, 3), ["line 19998", "line 19999", "no end"]);
        assert!(lines(&folder.path().join("none"), 3).is_empty());
    }
}
