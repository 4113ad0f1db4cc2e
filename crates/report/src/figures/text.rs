//! Drawings as lines of text, for a terminal: lines in Braille dots, points as signs, texts as they are.
//!
//! Has no colours: series differ by their signs. Areas, grids and grounds are left out.

use super::drawing::{Anchor, Drawing, Form, Frame, Point, Reading};

/// Width and height of a letter, in units of a drawing.
const CELL: [f64; 2] = [7.6, 15.0];
/// Dots of a Braille letter: across, down.
const DOTS: [i64; 2] = [2, 4];
/// Bits of the dots of a Braille letter, row by row.
const BITS: [[u32; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];
/// The Braille letter without a dot.
const BRAILLE: u32 = 0x2800;
/// Signs of the series.
const SIGNS: [char; 6] = ['●', '■', '▲', '◆', '▼', '★'];

/// Rows of letters.
struct Page {
    letters: Vec<Vec<char>>,
}

/// All lines, without blanks at their ends and without those at the beginning of all.
pub(super) fn write(drawing: &Drawing) -> String {
    let mut page = Page::of(drawing.size);
    // Lines lie under points, and points under texts.
    for layer in [Layer::Lines, Layer::Points, Layer::Texts] {
        for shape in &drawing.shapes {
            page.draw(layer, &shape.class, &shape.form);
        }
    }
    let blanks = |row: &Vec<char>| row.iter().position(|letter| *letter != ' ');
    let indent = page.letters.iter().filter_map(blanks).min().unwrap_or(0);
    let lines = page.letters.iter().map(|row| {
        let line: String = row[indent..].iter().collect();
        line.trim_end().to_owned()
    });
    let lines: Vec<String> = lines.collect();
    lines.join("\n").trim_matches('\n').to_owned()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Layer {
    Lines,
    Points,
    Texts,
}

impl Page {
    fn of(size: Point) -> Self {
        let cells = |length: f64, cell: f64| (length / cell).ceil().clamp(1.0, 2000.0);
        let columns = cells(size.x, CELL[0]) as usize + 2;
        let rows = cells(size.y, CELL[1]) as usize + 1;
        Self {
            letters: vec![vec![' '; columns]; rows],
        }
    }

    fn draw(&mut self, layer: Layer, class: &str, form: &Form) {
        match (layer, form) {
            (Layer::Lines, Form::Line(points)) => self.lines(class, points),
            (Layer::Lines, Form::Rect(frame)) if class == "plot" => self.left_edge(*frame),
            (Layer::Points, Form::Disc { middle, .. }) => self.put(*middle, sign(class)),
            (
                Layer::Texts,
                Form::Text {
                    place,
                    anchor,
                    reading,
                    text,
                },
            ) => self.text(*place, (*anchor, *reading), text),
            _ => {}
        }
    }

    fn lines(&mut self, class: &str, points: &[Point]) {
        match class {
            "grid" => {}
            "axis" | "limit" => {
                let stroke = if class == "axis" {
                    ['─', '│']
                } else {
                    ['╌', '╎']
                };
                points.windows(2).for_each(|pair| self.rule(pair, stroke));
            }
            "void" => {
                if let [from, to] = points {
                    let middle = Point {
                        x: f64::midpoint(from.x, to.x),
                        y: f64::midpoint(from.y, to.y),
                    };
                    self.put(middle, '×');
                }
            }
            _ => points.windows(2).for_each(|pair| self.dots(pair)),
        }
    }

    /// A line that lies across or stands; short ones are marks, and are left out.
    fn rule(&mut self, pair: &[Point], [across, upright]: [char; 2]) {
        let (from, to) = (cell(pair[0]), cell(pair[1]));
        if from.1 == to.1 && from.0 != to.0 {
            (from.0..=to.0).for_each(|column| self.set(column, from.1, across));
        } else if from.0 == to.0 && (to.1 - from.1).abs() > 1 {
            (from.1.min(to.1)..=from.1.max(to.1)).for_each(|row| self.set(from.0, row, upright));
        }
    }

    fn left_edge(&mut self, frame: Frame) {
        let (column, top) = cell(Point {
            x: frame.left,
            y: frame.top,
        });
        let (_, bottom) = cell(Point {
            x: frame.left,
            y: frame.bottom,
        });
        (top..=bottom).for_each(|row| self.set(column, row, '│'));
    }

    /// A line in Braille dots.
    fn dots(&mut self, pair: &[Point]) {
        let dot = |place: Point| {
            let across = place.x / CELL[0] * DOTS[0] as f64;
            let down = place.y / CELL[1] * DOTS[1] as f64;
            (across, down)
        };
        let (from, to) = (dot(pair[0]), dot(pair[1]));
        let steps = (to.0 - from.0).abs().max((to.1 - from.1).abs());
        let steps = if steps.is_finite() {
            steps.ceil().clamp(1.0, 20_000.0)
        } else {
            1.0
        };
        for step in 0..=steps as u32 {
            let share = f64::from(step) / steps;
            let x = (from.0 + share * (to.0 - from.0)).floor() as i64;
            let y = (from.1 + share * (to.1 - from.1)).floor() as i64;
            self.dot(x, y);
        }
    }

    fn dot(&mut self, x: i64, y: i64) {
        let (column, row) = (x.div_euclid(DOTS[0]), y.div_euclid(DOTS[1]));
        let bit = BITS[y.rem_euclid(DOTS[1]) as usize][x.rem_euclid(DOTS[0]) as usize];
        let Some(letter) = self.letter(column, row) else {
            return;
        };
        let before = match *letter as u32 {
            code if (BRAILLE..BRAILLE + 256).contains(&code) => code,
            _ => BRAILLE,
        };
        *letter = char::from_u32(before | bit).unwrap_or(' ');
    }

    fn text(&mut self, place: Point, (anchor, reading): (Anchor, Reading), text: &str) {
        let length = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
        let baseline = Point {
            y: place.y - 4.0,
            ..place
        };
        if reading == Reading::Upright {
            let (column, middle) = cell(place);
            for (row, letter) in (middle - length / 2..).zip(text.chars()) {
                self.set(column, row, letter);
            }
            return;
        }
        let (column, row) = cell(baseline);
        let first = match anchor {
            Anchor::Start => column,
            Anchor::Middle => column - length / 2,
            Anchor::End => column - length + 1,
        };
        let first = first.max(0);
        // Letters of a fixed width are wider than those of the font.
        self.widen(row, first + length);
        for (column, letter) in (first..).zip(text.chars()) {
            self.set(column, row, letter);
        }
    }

    fn widen(&mut self, row: i64, columns: i64) {
        let row = usize::try_from(row)
            .ok()
            .and_then(|row| self.letters.get_mut(row));
        if let (Some(row), Ok(columns)) = (row, usize::try_from(columns)) {
            row.resize(columns.max(row.len()), ' ');
        }
    }

    fn put(&mut self, place: Point, sign: char) {
        let (column, row) = cell(place);
        // A single observation hides no mean.
        if sign != '·'
            || !self
                .letter(column, row)
                .is_some_and(|it| SIGNS.contains(it))
        {
            self.set(column, row, sign);
        }
    }

    fn letter(&mut self, column: i64, row: i64) -> Option<&mut char> {
        let row = usize::try_from(row).ok()?;
        self.letters
            .get_mut(row)?
            .get_mut(usize::try_from(column).ok()?)
    }

    fn set(&mut self, column: i64, row: i64, letter: char) {
        if let Some(place) = self.letter(column, row) {
            *place = letter;
        }
    }
}

fn cell(place: Point) -> (i64, i64) {
    (
        (place.x / CELL[0]).floor() as i64,
        (place.y / CELL[1]).floor() as i64,
    )
}

fn sign(class: &str) -> char {
    let series = class
        .strip_prefix("fill-")
        .and_then(|it| it.parse::<usize>().ok());
    match series {
        Some(series) => SIGNS[series % SIGNS.len()],
        None if class == "others" => '○',
        None => '·',
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use proptest::prelude::*;

    use crate::figures::{Curve, CurveAxis, CurvePart, Curves, Key, Range, curves};

    fn figure(points: Vec<[f64; 2]>) -> Curves {
        let axis = |label: &str| CurveAxis {
            label: label.to_owned(),
            ..CurveAxis::default()
        };
        let line = |name: &str, points: Vec<[f64; 2]>| Curve {
            name: name.to_owned(),
            dots: points.iter().map(|[x, y]| [*x, y * 1.2]).collect(),
            points,
            ..Curve::default()
        };
        let part = CurvePart {
            title: "a=1".to_owned(),
            x: axis("load"),
            y: axis("ms"),
            curves: vec![
                line("one", points),
                line("two", vec![[1.0, 4.0], [4.0, 4.0]]),
            ],
            limits: vec![(9.0, "ms ≤ 9".to_owned())],
            limits_x: Vec::new(),
        };
        Curves {
            title: "ms against load".to_owned(),
            subject: String::new(),
            columns: 1,
            part_inches: [4.0, 2.6],
            parts: vec![Some(part)],
            range: Range::Own,
            key: Key::Names,
        }
    }

    #[test]
    fn a_terminal_shows_axes_curves_limits_and_the_key() {
        let text = curves(&figure(vec![[1.0, 1.0], [2.0, 2.0], [4.0, 8.0]])).text();
        expect![[r"
              ms against load
                    a=1
                    │
                  10│ms ≤ 9                                  ·      ⠤⠤●⠤ one
                    ╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌    ⣀⣀■⣀ two
                    │                                       ⣠●
                    │                                   ⣀⠤⠒⠉
                m   │                               ⢀⡠⠒⠉
                s   │                           ⢀⡠⠔⠊⠁
                   5│ ·                      ⣀⠔⠊⠁            ·
                    │ ■⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⣉⠭⠛⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉■
                    │                ⢀⡠⠒⠉
                    │         ⢀⣀⣀⡠⠤●⠊⠁
                    │ ●⠤⠤⠒⠒⠒⠉⠉⠁
                   0────────────────────────────────────────────
                      1            2            3            4

                                       load"]]
        .assert_eq(&text);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_figure_has_a_text(points in proptest::collection::vec([any::<f64>(), any::<f64>()], 0..20)) {
            let text = curves(&figure(points)).text();
            prop_assert!(text.contains("load") && text.lines().count() < 40);
            prop_assert!(text.lines().all(|line| !line.contains(char::is_control)));
        }
    }
}
