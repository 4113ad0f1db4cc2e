//! The colours of figures, on light and on dark screens: what each class of shapes looks like.
//!
//! Things that must not be taken for each other can be told apart by those who see no red, no green or no blue; good and bad
//! differ in form as well.

use super::font::{Letters, Weight, bold, letters};

/// The class of every figure, so that its rules touch nothing else on a page.
pub(super) const ROOT: &str = "crestline-figure";

/// Stages of a search that have a colour of their own; further ones begin anew.
pub(super) const STAGES: usize = 6;

/// Texts, where no class says otherwise.
pub(super) const TEXT: Letters = letters(12.0);
/// Titles of figures.
pub(super) const TITLE: Letters = bold(15.0);
/// Titles of a part, and what is stressed.
pub(super) const STRONG: Letters = bold(12.0);

const FAMILY: &str = "system-ui,-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif";

/// Which of two looks a figure has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Theme {
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

/// A colour on light and on dark screens, each as 0xRRGGBB.
pub(crate) type Shades = [u32; 2];

/// What a class looks like. What is not said is as without the class.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Look {
    fill: Option<Shades>,
    /// On light and on dark screens.
    opacity: [f64; 2],
    stroke: Option<Shades>,
    stroke_width: f64,
    dashes: [f64; 2],
    letters: Option<Letters>,
}

const NOTHING: Look = Look {
    fill: None,
    opacity: [1.0, 1.0],
    stroke: None,
    stroke_width: 0.0,
    dashes: [0.0, 0.0],
    letters: None,
};

const fn filled(light: u32, dark: u32) -> Look {
    Look {
        fill: Some([light, dark]),
        ..NOTHING
    }
}

const fn stroked(stroke_width: f64, light: u32, dark: u32) -> Look {
    Look {
        stroke: Some([light, dark]),
        stroke_width,
        ..NOTHING
    }
}

/// Filled and stroked in one colour.
const fn solid(stroke_width: f64, light: u32, dark: u32) -> Look {
    Look {
        fill: Some([light, dark]),
        ..stroked(stroke_width, light, dark)
    }
}

const fn set_in(letters: Letters) -> Look {
    Look {
        letters: Some(letters),
        ..NOTHING
    }
}

impl Look {
    const fn clear(self, light: f64, dark: f64) -> Self {
        Self {
            opacity: [light, dark],
            ..self
        }
    }

    const fn wide(self, stroke_width: f64) -> Self {
        Self {
            stroke_width,
            ..self
        }
    }

    /// The same with all that another one says.
    fn under(self, over: Self) -> Self {
        Self {
            fill: over.fill.or(self.fill),
            opacity: if over.fill.is_some() {
                over.opacity
            } else {
                self.opacity
            },
            stroke: over.stroke.or(self.stroke),
            stroke_width: if over.stroke_width > 0.0 {
                over.stroke_width
            } else {
                self.stroke_width
            },
            dashes: if over.dashes[0] > 0.0 {
                over.dashes
            } else {
                self.dashes
            },
            letters: over.letters.or(self.letters),
        }
    }

    const fn dashed(self, on: f64, off: f64) -> Self {
        Self {
            dashes: [on, off],
            ..self
        }
    }
}

/// Colours of things that stand beside each other: curves, parts of a bar.
pub(crate) const SERIES: [Shades; 6] = [
    [0x00_72b2, 0x4a_a3e0],
    [0xe6_9f00, 0xf0_b429],
    [0x00_9e73, 0x2f_c39a],
    [0xd5_5e00, 0xff_7f45],
    [0xcc_79a7, 0xe7_9ac6],
    [0x56_b4e9, 0x9c_d8ff],
];

/// Colours of a request's course, by what it waits for.
pub(crate) const COURSE: [(&str, Shades); 6] = [
    ("slot", [0xd0_d7de, 0x3d_444d]),
    ("send", [0x8c_959f, 0x7d_8590]),
    ("first", [0x3b_6fd4, 0x3f_7fe8]),
    ("short", [0x8f_d6b4, 0x1f_7a5c]),
    ("middle", [0xe6_9500, 0xf2_b93b]),
    ("long", [0xa3_0f3c, 0xff_6b81]),
];

/// Patterns of dashes of a curve, the whole line counted.
pub(super) const DASHES: usize = 4;
/// Widths of a curve.
pub(super) const WEIGHTS: usize = 3;

/// Looks that are laid over those of a colour, in the order of patterns and widths.
const OVER: [(&str, Look); 5] = [
    (".dashed-1", NOTHING.dashed(8.0, 4.0)),
    (".dashed-2", NOTHING.dashed(2.0, 3.0)),
    (".dashed-3", NOTHING.dashed(14.0, 5.0)),
    (".weight-1", NOTHING.wide(3.6)),
    (".weight-2", NOTHING.wide(1.0)),
];

/// The first is that of all texts.
const RULES: [(&str, Look); 28] = [
    (
        "text",
        Look {
            letters: Some(TEXT),
            ..filled(0x1f_2328, 0xe6_edf3)
        },
    ),
    (".title", set_in(TITLE)),
    (".strong", set_in(STRONG)),
    (".quiet", filled(0x59_636e, 0x9a_a4ae)),
    (".ground", filled(0xff_ffff, 0x0d_1117)),
    (".plot", filled(0xf6_f8fa, 0x16_1b22)),
    (".grid", stroked(1.0, 0xdf_e4e9, 0x2a_313a)),
    (".axis", stroked(1.0, 0x8c_959f, 0x6e_7681)),
    (".mean", stroked(1.6, 0x1f_2328, 0xe6_edf3).dashed(5.0, 4.0)),
    (
        ".limit",
        stroked(1.6, 0xa3_123f, 0xff_5c7a).dashed(7.0, 3.0),
    ),
    (".settle", filled(0xaf_b8c1, 0x6e_7681).clear(0.34, 0.34)),
    (".band", filled(0x09_69da, 0x58_a6ff).clear(0.14, 0.2)),
    (".range", filled(0x09_69da, 0x58_a6ff).clear(0.45, 0.55)),
    (".reported", stroked(2.0, 0x05_50ae, 0x79_c0ff)),
    (
        ".likely",
        stroked(1.5, 0x05_50ae, 0x79_c0ff).dashed(5.0, 4.0),
    ),
    (".neutral", stroked(2.0, 0x59_636e, 0x9a_a4ae)),
    (".others", filled(0x8c_959f, 0x7d_8590).clear(0.6, 0.7)),
    (".void", stroked(1.4, 0xa3_123f, 0xff_5c7a)),
    (".step", stroked(1.3, 0x6e_7781, 0x8b_949e)),
    (".meets", solid(2.6, 0x00_856f, 0x35_c9a5)),
    (".misses", solid(2.6, 0xc4_420a, 0xff_8a4c)),
    (
        ".open",
        Look {
            fill: Some([0xff_ffff, 0x0d_1117]),
            ..stroked(1.6, 0x6e_7781, 0x8b_949e)
        },
    ),
    (".stage-0", filled(0xd0_d7de, 0x3d_444d)),
    (".stage-1", filled(0xdd_d0f5, 0x4b_3b73)),
    (".stage-2", filled(0xf6_dcb5, 0x6b_4a14)),
    (".stage-3", filled(0xbf_dcf8, 0x1d_4a78)),
    (".stage-4", filled(0xbf_e8cf, 0x1f_5a3a)),
    (".stage-5", filled(0xf6_cfdc, 0x70_304a)),
];

/// All rules there are: the fixed ones, those of each colour of a series (a line, an area, a light band, a point), and those that
/// are laid over them.
fn rules() -> Vec<(String, Look)> {
    let series = SERIES
        .iter()
        .enumerate()
        .flat_map(|(place, [light, dark])| {
            [
                (format!(".line-{place}"), stroked(2.0, *light, *dark)),
                (format!(".fill-{place}"), filled(*light, *dark)),
                (
                    format!(".band-{place}"),
                    filled(*light, *dark).clear(0.15, 0.22),
                ),
                (
                    format!(".dot-{place}"),
                    filled(*light, *dark).clear(0.6, 0.65),
                ),
            ]
        });
    let named = |(class, look): &(&str, Look)| ((*class).to_owned(), *look);
    RULES
        .iter()
        .map(named)
        .chain(series)
        .chain(OVER.iter().map(named))
        .collect()
}

/// The rules of classes that are used, and that of all texts, as a style sheet of a file of its own: light or dark as the
/// screen is.
pub(super) fn style(is_used: impl Fn(&str) -> bool) -> String {
    let mut rules = rules();
    rules.retain(|(class, _)| class.strip_prefix('.').is_none_or(&is_used));
    let light = sheet(&rules, "", Look::all_light);
    let dark = sheet(&rules, "", |look| look.colours(Theme::Dark));
    format!("{light}@media (prefers-color-scheme:dark){{\n{dark}}}\n")
}

/// All rules, as a part of a page's style sheet: dark as the screen is, unless the page's root has a `data-theme`.
pub(crate) fn page_style() -> String {
    let rules = rules();
    let dark = |root: &str| sheet(&rules, root, |look| look.colours(Theme::Dark));
    format!(
        "{}@media (prefers-color-scheme:dark){{\n{}}}\n{}",
        sheet(&rules, "", Look::all_light),
        dark(":root:not([data-theme=light]) "),
        dark(":root[data-theme=dark] ")
    )
}

fn sheet(rules: &[(String, Look)], root: &str, part: impl Fn(&Look) -> String) -> String {
    rules
        .iter()
        .fold(String::new(), |all, (class, look)| match part(look) {
            looks if looks.is_empty() => all,
            looks => format!("{all}{root}.{ROOT} {class}{{{looks}}}\n"),
        })
}

impl Look {
    /// Declarations that are the same on all screens.
    fn form(&self) -> String {
        let mut out = Vec::new();
        if let Some(Letters { size, weight }) = self.letters {
            if *self == text_rule() {
                out.push(format!("font-family:{FAMILY}"));
            }
            out.push(format!("font-size:{size}px"));
            if weight == Weight::Bold {
                out.push("font-weight:600".to_owned());
            }
        }
        if self.stroke.is_some() && self.fill.is_none() {
            out.push("fill:none".to_owned());
        }
        if self.stroke_width > 0.0 {
            out.push(format!("stroke-width:{}", self.stroke_width));
        }
        let [on, off] = self.dashes;
        if on > 0.0 {
            out.push(format!("stroke-dasharray:{on} {off}"));
        }
        out.join(";")
    }

    /// Everything, on light screens.
    fn all_light(&self) -> String {
        let parts = [self.form(), self.colours(Theme::Light)];
        let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        parts.join(";")
    }

    fn colours(&self, theme: Theme) -> String {
        let mut out = Vec::new();
        if let Some(fill) = self.fill {
            out.push(format!("fill:{}", hex(theme.of(fill))));
            if theme.of(self.opacity) < 1.0 {
                out.push(format!("fill-opacity:{}", theme.of(self.opacity)));
            }
        }
        if let Some(stroke) = self.stroke {
            out.push(format!("stroke:{}", hex(theme.of(stroke))));
        }
        out.join(";")
    }
}

fn text_rule() -> Look {
    RULES[0].1
}

impl Theme {
    /// The value of this theme.
    fn of<T: Copy>(self, [light, dark]: [T; 2]) -> T {
        match self {
            Self::Light => light,
            Self::Dark => dark,
        }
    }
}

/// As style sheets have it.
pub(crate) fn hex(colour: u32) -> String {
    format!("#{colour:06x}")
}

/// What a shape looks like, for those who draw it themselves.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Painted {
    /// Colour and opacity.
    pub(super) fill: Option<(u32, f64)>,
    /// Colour and width.
    pub(super) stroke: Option<(u32, f64)>,
    /// Length of dashes and of the gaps between them; none where they are 0.
    pub(super) dashes: [f64; 2],
    pub(super) letters: Letters,
}

/// Looks of classes, found once a figure.
#[derive(Debug)]
pub(super) struct Looks {
    rules: Vec<(String, Look)>,
    theme: Theme,
}

impl Looks {
    pub(super) fn of(theme: Theme) -> Self {
        Self {
            rules: rules(),
            theme,
        }
    }

    /// What a shape of a class, or of several with blanks between, looks like; as a text where it is one.
    pub(super) fn painted(&self, class: &str, is_text: IsText) -> Painted {
        let is_of = |name: &str| class.split(' ').any(|one| *one == name[1..]);
        let found = self.rules.iter().filter(|(name, _)| is_of(name));
        let look = found.fold(NOTHING, |look, (_, over)| look.under(*over));
        let text = text_rule();
        let fill = match is_text {
            IsText::Yes => look.fill.or(text.fill),
            IsText::No => look.fill,
        };
        let theme = self.theme;
        Painted {
            fill: fill.map(|fill| (theme.of(fill), theme.of(look.opacity))),
            stroke: look
                .stroke
                .map(|stroke| (theme.of(stroke), look.stroke_width)),
            dashes: look.dashes,
            letters: look.letters.unwrap_or(TEXT),
        }
    }
}

/// Whether a shape is a text, which has a look without a class too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IsText {
    Yes,
    No,
}

#[cfg(test)]
mod tests;
