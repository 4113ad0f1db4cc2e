//! Names that must have a certain form: ids of elements, names of files.

/// As an id: lower-case letters, digits and dashes, with a letter first.
pub(super) fn id(name: &str) -> String {
    let words = dashed(name.to_lowercase().chars(), |letter| {
        letter.is_ascii_alphanumeric()
    });
    if words.starts_with(|letter: char| letter.is_ascii_lowercase()) {
        words
    } else {
        format!("x-{words}")
    }
}

/// As the name of a file on any system.
pub(super) fn file(name: &str) -> String {
    let words = dashed(name.chars(), |letter| {
        letter.is_alphanumeric() || "._+".contains(letter)
    });
    let words: String = words.trim_start_matches('.').chars().take(120).collect();
    if words.is_empty() {
        "data".to_owned()
    } else {
        words
    }
}

/// One dash for all letters between those that are kept, and none at the ends.
fn dashed(letters: impl Iterator<Item = char>, is_kept: impl Fn(char) -> bool) -> String {
    let mut out = String::new();
    for letter in letters {
        if is_kept(letter) {
            out.push(letter);
        } else if !out.is_empty() && !out.ends_with('-') {
            out.push('-');
        }
    }
    out.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::{file, id};

    #[test]
    fn ids_are_plain_words() {
        assert_eq!(
            ["Loads", "load 8 (open)", "8", "", "é<"].map(id),
            ["loads", "load-8-open", "x-8", "x-", "x-"]
        );
    }

    #[test]
    fn names_of_files_leave_their_folder_nowhere() {
        assert_eq!(
            ["../../etc", "a b/c", "p99_ttft.csv", ""].map(file),
            ["-..-etc", "a-b-c", "p99_ttft.csv", "data"]
        );
    }
}
