//! The embedded font: how wide a text is, and the outlines of its letters.
//!
//! No font of the machine is looked for, so that a figure has the same places and the same pixels everywhere. Letters that
//! the font does not have are given the room of a wide letter, and drawn as the sign of an unknown one.

use std::sync::LazyLock;

use ttf_parser::{Face, GlyphId, OutlineBuilder};
use unicode_width::UnicodeWidthChar;

/// Room of a letter that the font does not have, in sizes of the font, for each column that a terminal would give it.
const UNKNOWN: f64 = 0.6;

static REGULAR: LazyLock<Face<'static>> = LazyLock::new(|| {
    let font = include_bytes!("../../fonts/DejaVuSans.subset.ttf");
    Face::parse(font, 0).expect("the embedded font is whole")
});
static BOLD: LazyLock<Face<'static>> = LazyLock::new(|| {
    let font = include_bytes!("../../fonts/DejaVuSans-Bold.subset.ttf");
    Face::parse(font, 0).expect("the embedded font is whole")
});

/// How heavy letters are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    Regular,
    Bold,
}

/// What a text is set in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Letters {
    pub(super) size: f64,
    pub(super) weight: Weight,
}

/// Regular letters of a size.
pub(super) const fn letters(size: f64) -> Letters {
    Letters {
        size,
        weight: Weight::Regular,
    }
}

/// Bold letters of a size.
pub(super) const fn bold(size: f64) -> Letters {
    Letters {
        size,
        weight: Weight::Bold,
    }
}

impl Letters {
    /// How far a text reaches.
    pub(super) fn width(self, text: &str) -> f64 {
        text.chars().map(|letter| self.advance(letter)).sum()
    }

    /// From one letter to the next.
    pub(super) fn advance(self, letter: char) -> f64 {
        let (face, letter) = (self.weight.face(), shown(letter));
        let glyph = face.glyph_index(letter);
        let units = glyph.and_then(|glyph| face.glyph_hor_advance(glyph));
        let share = match units {
            Some(units) => f64::from(units) / f64::from(face.units_per_em()),
            None => letter.width().unwrap_or(0) as f64 * UNKNOWN,
        };
        share * self.size
    }

    /// Draws the outline of a letter, in units of the font with y upwards.
    pub(super) fn outline(self, letter: char, into: &mut impl OutlineBuilder) {
        let (face, letter) = (self.weight.face(), shown(letter));
        let unknown = || face.glyph_index('\u{fffd}').unwrap_or(GlyphId(0));
        let is_blank = letter.width().unwrap_or(0) == 0 || letter.is_whitespace();
        if let Some(glyph) = face
            .glyph_index(letter)
            .or_else(|| (!is_blank).then(unknown))
        {
            face.outline_glyph(glyph, into);
        }
    }

    /// Size of a unit of the font.
    pub(super) fn unit(self) -> f64 {
        self.size / f64::from(self.weight.face().units_per_em())
    }

    /// The text, cut where it needs more room than there is.
    pub(super) fn fitted(self, text: &str, room: f64) -> String {
        if self.width(text) <= room {
            return text.to_owned();
        }
        let mut kept = String::new();
        let mut taken = self.advance('…');
        for letter in text.chars() {
            taken += self.advance(letter);
            if taken > room {
                break;
            }
            kept.push(letter);
        }
        format!("{}…", kept.trim_end())
    }

    /// The text in lines that keep to the room, as many as it takes: broken behind a blank or what parts words where
    /// one is near the end of a line, else behind any letter.
    pub(super) fn broken(self, text: &str, room: f64) -> Vec<String> {
        text.lines()
            .flat_map(|line| self.broken_line(line, room))
            .collect()
    }

    fn broken_line(self, text: &str, room: f64) -> Vec<String> {
        let mut lines = Vec::new();
        let mut line = String::new();
        for letter in text.chars() {
            if !line.is_empty() && self.width(&line) + self.advance(letter) > room {
                let behind = part_of_a_line(&line);
                let rest = behind.map_or_else(String::new, |at| line.split_off(at));
                lines.push(line.trim_end().to_owned());
                line = rest;
            }
            line.push(letter);
        }
        lines.push(line.trim_end().to_owned());
        lines
    }

    /// The text in lines that keep to the room; what does not fit into so many lines is cut.
    pub(super) fn wrapped(self, text: &str, room: f64, lines: usize) -> Vec<String> {
        let mut out = vec![String::new()];
        for word in text.split_whitespace() {
            let full = out.len() == lines;
            let line = out.last_mut().expect("there is a line");
            let longer = if line.is_empty() {
                word.to_owned()
            } else {
                format!("{line} {word}")
            };
            if line.is_empty() || full || self.width(&longer) <= room {
                *line = longer;
            } else {
                out.push(word.to_owned());
            }
        }
        out.iter().map(|line| self.fitted(line, room)).collect()
    }
}

/// Where a full line is parted: behind its last blank, else behind its last sign that parts words, where that is in its second half.
fn part_of_a_line(line: &str) -> Option<usize> {
    let behind = |parts: &[char]| {
        let at = line.rfind(parts)?;
        let letter = line[at..].chars().next()?;
        Some(at + letter.len_utf8()).filter(|at| at * 2 > line.len() && *at < line.len())
    };
    behind(&[' ']).or_else(|| behind(&[',', '/', '-', '_', '=', ';', '·']))
}

/// What a file can hold in the place of a letter: blanks for controls, and the sign of an unknown letter for what is none.
pub(super) fn shown(letter: char) -> char {
    match letter {
        '\u{fffe}' | '\u{ffff}' => '\u{fffd}',
        letter if letter.is_control() => ' ',
        letter => letter,
    }
}

impl Weight {
    fn face(self) -> &'static Face<'static> {
        match self {
            Self::Regular => &REGULAR,
            Self::Bold => &BOLD,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{bold, letters};

    #[test]
    fn widths_are_those_of_the_font() {
        // DejaVu Sans: 2048 units, `i` 569, `m` 1995, space 651.
        let expected = f64::from(569 + 1995 + 651) / 2048.0 * 10.0;
        assert!((letters(10.0).width("im ") - expected).abs() < 1e-9);
        assert!(bold(10.0).width("im ") > expected);
    }

    #[test]
    fn a_letter_that_the_font_lacks_has_room_too() {
        assert!((letters(10.0).width("文") - 12.0).abs() < 1e-9);
        assert!(letters(10.0).width("\u{200b}").abs() < 1e-9);
        let wider = letters(10.0).width("\u{1}") - letters(10.0).width(" ");
        assert!(wider.abs() < 1e-9);
    }

    #[test]
    fn text_that_is_too_long_is_cut_where_the_room_ends() {
        let letters = letters(10.0);
        assert_eq!(letters.fitted("ramp", 30.0), "ramp");
        assert_eq!(letters.fitted("confirmed", 30.0), "con…");
        assert_eq!(letters.fitted("文字文字", 30.0), "文…");
        assert_eq!(letters.fitted("ramp", 0.0), "…");
    }

    #[test]
    fn nothing_of_a_broken_text_is_lost() {
        let letters = letters(10.0);
        let lines = letters.broken("model=meta-llama/Llama-2-7b, tp=2\nx", 70.0);
        assert_eq!(lines, ["model=meta-", "llama/Llama-", "2-7b, tp=2", "x"]);
        assert_eq!(letters.broken("mmmmmm", 21.0), ["mm", "mm", "mm"]);
        assert_eq!(letters.broken("é·é", 0.0).concat(), "é·é");
        assert!(lines.iter().all(|line| letters.width(line) <= 70.0));
        assert_eq!(letters.broken("", 5.0), Vec::<String>::new());
    }

    #[test]
    fn lines_are_broken_between_words() {
        let letters = letters(10.0);
        assert_eq!(
            letters.wrapped("one two three four", 48.0, 3),
            ["one two", "three", "four"]
        );
        assert_eq!(
            letters.wrapped("one two three four", 48.0, 2),
            ["one two", "three f…"]
        );
        assert_eq!(letters.wrapped("", 60.0, 2), [""]);
    }
}
