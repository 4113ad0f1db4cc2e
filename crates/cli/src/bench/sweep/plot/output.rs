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
        let [width, height] = picture.inches();
        let most = (MOST_PIXELS / (width * height)).sqrt().floor();
        if self.dpi > most {
            console::tell(&format!(
                "note: {} has {most} pixels an inch, and not {}: it is {width:.0} by {height:.0} inches large",
                file.display(),
                self.dpi
            ));
        }
        self.dpi.min(most)
    }
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
