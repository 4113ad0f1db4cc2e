//! Figures: values in, SVG text or pixels out.
//!
//! Each is one self-contained file without scripts and other files, legible on light and dark screens. Opens nothing,
//! and computes no metric.

mod axes;
mod bars;
mod course;
mod curves;
mod dataset_statistics;
mod drawing;
mod font;
mod frontier;
mod labels;
mod lengths;
mod percentiles;
mod plots;
mod png;
mod scale;
mod scatter;
mod search_course;
mod server;
mod svg;
mod text;
mod theme;
mod time;
mod titles;
#[cfg(test)]
mod within;

pub use course::{course_rates, course_times};
pub use curves::{
    Curve, CurveAxis, CurvePart, Curves, Key, KeyEntry, KeyGroup, Marks, Order, PART_INCHES, Range,
    Sign, Stroke, curves,
};
pub use dataset_statistics::{DatasetStatistics, dataset_statistics};
pub use frontier::{Frontier, frontier};
pub use lengths::lengths;
pub use percentiles::{PercentileCurve, percentiles};
pub use scale::Kind;
pub use scatter::{RequestDot, Scatter, scatter};
pub use search_course::{SearchCourse, Stretch, search_course};
pub use server::server_courses;
pub(crate) use svg::escaped;
pub use theme::Theme;
pub(crate) use theme::{COURSE, Shades, hex, page_style};

/// A figure that is done, and can be written in several forms.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture(drawing::Drawing);

impl Picture {
    /// As an SVG file, light or dark as the screen it is seen on.
    pub fn svg(&self) -> String {
        svg::write(&self.0)
    }

    /// As a part of a page that has the rules of [`page_style`].
    pub(crate) fn of_page(&self) -> PagePicture {
        let drawing = &self.0;
        let marks = &drawing.marks;
        let frame = svg::shown_frame(drawing);
        let entry = |entry: &plots::Entry| PageEntry {
            group: entry.group.clone(),
            words: entry.words.clone(),
            sign: svg::write_sign(drawing, entry),
            hides: if marks.has_series(&entry.words) {
                Hides::Curve
            } else {
                Hides::Nothing
            },
        };
        let core = marks.core.as_ref();
        PagePicture {
            title: core.map(|_| drawing.title.clone()).unwrap_or_default(),
            subject: core.map(|core| core.subject.clone()).unwrap_or_default(),
            element: svg::write_element(drawing),
            size: [frame.width(), frame.height()],
            key: marks.key.iter().map(entry).collect(),
            plots: marks.json(),
        }
    }

    /// As a PNG file with so many pixels an inch, 10 to 2400, in the embedded font.
    pub fn png(&self, dpi: f64, theme: Theme) -> Vec<u8> {
        png::write(&self.0, dpi, theme)
    }

    /// As lines for a terminal, in letters of a fixed width; about 13 letters an inch across.
    pub fn text(&self) -> String {
        text::write(&self.0)
    }

    /// Width and height in inches.
    pub fn inches(&self) -> [f64; 2] {
        [self.0.size.x / 96.0, self.0.size.y / 96.0]
    }
}

/// A figure as a part of a page: what the page writes itself, and what is drawn.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PagePicture {
    /// Empty where it is drawn.
    pub(crate) title: String,
    /// Empty where it is drawn, or where there is none.
    pub(crate) subject: String,
    /// What is drawn, as an SVG element.
    pub(crate) element: String,
    /// Its width and height in pixels, where it is not made larger or smaller.
    pub(crate) size: [f64; 2],
    /// Which sign is what.
    pub(crate) key: Vec<PageEntry>,
    /// Axes and values of its plots, as JSON for `zoom.js`.
    pub(crate) plots: String,
}

/// A sign and what it means.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PageEntry {
    /// What stands above it and others; may be empty.
    pub(crate) group: String,
    pub(crate) words: String,
    /// As an SVG element.
    pub(crate) sign: String,
    pub(crate) hides: Hides,
}

/// What a reader can hide by an entry of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hides {
    /// The curve of its name.
    Curve,
    Nothing,
}
