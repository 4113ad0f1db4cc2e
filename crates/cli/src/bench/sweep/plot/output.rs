//! Figures as files and in the terminal.
//!
//! A file is there as a whole or not at all.

use std::path::{Path, PathBuf};

use crestline_report::figures::{Picture, Theme};

use super::super::layout;
use super::super::results;
use super::args::{Format, OutputArgs};
use crate::console;
use crate::problem::Problem;

/// Pixels an inch that can be meant.
const DPI: [f64; 2] = [10.0, 2400.0];
/// Pixels of a file at most: more take gigabytes while they are drawn.
const MOST_PIXELS: f64 = 150e6;

/// What becomes of figures.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Output {
    formats: Vec<Format>,
    dpi: f64,
    pub(super) preview: Preview,
    pub(super) files: Files,
}

/// Whether figures are shown in the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Preview {
    Shown,
    LeftOut,
}

/// Whether files are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Files {
    Written,
    Named,
}

impl Output {
    pub(super) fn of(args: &OutputArgs) -> Result<Self, Problem> {
        let dpi = args.fig_dpi;
        if !(DPI[0]..=DPI[1]).contains(&dpi) {
            return Err(Problem::usage(format!("--fig-dpi cannot be {dpi}"))
                .hint(format!("{} to {} pixels an inch", DPI[0], DPI[1])));
        }
        let mut formats = Vec::new();
        for format in &args.fig_format {
            if !formats.contains(format) {
                formats.push(*format);
            }
        }
        Ok(Self {
            formats,
            dpi,
            preview: if args.preview {
                Preview::Shown
            } else {
                Preview::LeftOut
            },
            files: if args.dry_run {
                Files::Named
            } else {
                Files::Written
            },
        })
    }

    /// The files of a figure, one a format.
    pub(super) fn files(&self, folder: &Path, name: &str) -> Vec<PathBuf> {
        let file = |format: &Format| folder.join(layout::figure(name, format.end()));
        self.formats.iter().map(file).collect()
    }

    /// Writes a figure to its files, and says what they lack.
    pub(super) fn write(&self, picture: &Picture, files: &[PathBuf]) -> Result<(), Problem> {
        if self.files == Files::Named {
            return Ok(());
        }
        for (format, file) in self.formats.iter().zip(files) {
            let bytes = match format {
                Format::Svg => picture.svg().into_bytes(),
                Format::Png => picture.png(self.fitting(picture, file), Theme::Light),
            };
            write(file, &bytes)?;
        }
        Ok(())
    }

    /// Fewer pixels an inch where the file would be too large.
    fn fitting(&self, picture: &Picture, file: &Path) -> f64 {
        let dpi = fitting(picture.inches(), self.dpi);
        if dpi < self.dpi {
            console::tell(&format!(
                "note: {} has {dpi} pixels an inch and not {}, since it is {:.0} by {:.0} inches large",
                file.display(),
                self.dpi,
                picture.inches()[0],
                picture.inches()[1]
            ));
        }
        dpi
    }
}

fn fitting([width, height]: [f64; 2], dpi: f64) -> f64 {
    dpi.min((MOST_PIXELS / (width * height)).sqrt().floor())
}

/// Writes a file, with a hint of where else it could go.
pub(super) fn write(file: &Path, bytes: &[u8]) -> Result<(), Problem> {
    results::write_whole(file, bytes).map_err(|problem| problem.hint("make room, or permit it"))
}

impl Format {
    fn end(self) -> &'static str {
        match self {
            Self::Png => ".png",
            Self::Svg => ".svg",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_figure_has_fewer_pixels_an_inch() {
        let found = [[6.4, 6.4], [64.0, 64.0], [20.0, 20.0]].map(|inches| fitting(inches, 300.0));
        assert_eq!(found.map(|dpi| dpi.to_string()), ["300", "191", "300"]);
    }
}
