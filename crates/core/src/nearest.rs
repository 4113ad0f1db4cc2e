//! Which of the known names someone may have meant.
//!
//! Compares letters only; it knows no flags, data sets or metrics.

/// Letters that may differ, as a share of the known name.
const LIKENESS: f64 = 0.4;

/// The known name most like `name` in any case, where at most 40 % of its letters differ; the first of equals.
///
/// ```
/// use crestline_core::nearest::nearest;
/// assert_eq!(nearest("modle", ["name", "model"]), Some("model"));
/// assert_eq!(nearest("nonsense", ["name", "model"]), None);
/// ```
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    known
        .into_iter()
        .map(|known| (distance(known, &name), known))
        .filter(|(distance, known)| *distance as f64 <= known.chars().count() as f64 * LIKENESS)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// Letters to add, leave out or change to make one word of the other (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, other) in b.iter().enumerate() {
            let changed = diagonal + usize::from(letter != *other);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_another_word_is_not() {
        let known = ["random", "openqa", "custom", "share_gpt_en"];
        for (name, meant) in [
            ("radnom", Some("random")),
            ("open_qa", Some("openqa")),
            ("ShareGPT_en", Some("share_gpt_en")),
            ("foo", None),
            ("", None),
        ] {
            assert_eq!(nearest(name, known), meant, "{name}");
        }
        assert_eq!(nearest("random", []), None);
    }
}
