//! What a page knows of a drawing besides its shapes: its plots with their axes and values, and which shapes belong to what.
//!
//! With it a page can enlarge a plot, say what lies under the pointer, hide a curve, and hand out the values. Files of
//! figures have nothing of it, and are not changed by it.

use std::ops::Range;

use serde_json::{Value, json};

use super::drawing::{Drawing, Frame};
use super::scale::Kind;

/// All that a page knows of a drawing.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Marks {
    pub(super) plots: Vec<Plot>,
    /// Shapes that belong together; one group lies within another, or apart from it.
    groups: Vec<Group>,
    /// What a page shows of the drawing, where it writes titles and key itself.
    pub(super) core: Option<Core>,
    /// The key, where a page writes it itself.
    pub(super) key: Vec<Entry>,
}

/// A room with two axes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plot {
    /// May be empty.
    pub(super) title: String,
    pub(super) frame: Frame,
    pub(super) x: PlotAxis,
    pub(super) y: PlotAxis,
    pub(super) series: Vec<Series>,
}

/// An axis: the lower one from the left edge of its room to the right, the left one from the bottom to the top.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PlotAxis {
    pub(super) label: String,
    pub(super) kind: Kind,
    pub(super) ends: [f64; 2],
    pub(super) least_step: f64,
    pub(super) names: Vec<(f64, String)>,
}

/// Values of a plot that have a name together.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Series {
    name: String,
    role: Role,
    rows: Vec<Vec<f64>>,
    /// As many as rows, or none.
    labels: Vec<String>,
}

/// What the values of a series are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Points of a curve.
    Curve,
    /// Points by themselves.
    Point,
    /// Single observations.
    Run,
    /// Observations that do not count.
    Void,
    /// From where to where a value may lie.
    Band,
    /// From where to where something goes, and how high it is.
    Bar,
}

/// Shapes that belong together.
#[derive(Debug, Clone, PartialEq)]
struct Group {
    part: Part,
    shapes: Range<usize>,
}

/// What the shapes of a group are; numbers are places among the plots.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Part {
    /// What lies between the axes.
    Inside(usize),
    /// Right of the plot: enlarged up and down with it.
    Beside(usize),
    /// Below the plot: enlarged from left to right with it.
    Below(usize),
    /// Marks of the lower axis.
    TicksAcross(usize),
    /// Marks of the left axis.
    TicksUp(usize),
    /// A curve with all that belongs to it.
    Series(String),
    /// What a page says itself: titles and key.
    Words,
}

/// What a page shows of a drawing.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Core {
    pub(super) frame: Frame,
    /// What was measured; may be empty.
    pub(super) subject: String,
}

/// An entry of a key.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    /// The title of its group; may be empty.
    pub(super) group: String,
    pub(super) words: String,
    /// Its sign, and what that covers.
    pub(super) sign: Range<usize>,
    pub(super) frame: Frame,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::Curve => "curve",
            Self::Point => "point",
            Self::Run => "run",
            Self::Void => "void",
            Self::Band => "band",
            Self::Bar => "bar",
        }
    }

    fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Curve | Self::Point | Self::Run | Self::Void => &["x", "y"],
            Self::Band => &["x", "low", "high"],
            Self::Bar => &["from", "to", "y"],
        }
    }
}

impl Series {
    pub(super) fn new(name: &str, role: Role, rows: impl Iterator<Item = Vec<f64>>) -> Self {
        let is_known = |row: &Vec<f64>| row.iter().all(|value| value.is_finite());
        Self {
            name: name.to_owned(),
            role,
            rows: rows.filter(is_known).collect(),
            labels: Vec::new(),
        }
    }

    /// Of values that each have a label; those that are not numbers are left out.
    pub(super) fn labelled(
        name: &str,
        role: Role,
        rows: impl Iterator<Item = (Vec<f64>, String)>,
    ) -> Self {
        let known = rows.filter(|(row, _)| row.iter().all(|value| value.is_finite()));
        let (rows, labels) = known.unzip();
        Self {
            name: name.to_owned(),
            role,
            rows,
            labels,
        }
    }

    fn json(&self) -> Value {
        let rows = self.rows.iter().map(|row| {
            let row = row.iter().map(|value| short(*value));
            row.collect::<Vec<f64>>()
        });
        let mut out = json!({
            "name": self.name,
            "role": self.role.name(),
            "fields": self.role.fields(),
            "rows": rows.collect::<Vec<_>>(),
        });
        if !self.labels.is_empty() {
            out["labels"] = json!(self.labels);
        }
        out
    }
}

/// With seven digits.
fn short(value: f64) -> f64 {
    format!("{value:.6e}").parse().unwrap_or(value)
}

impl PlotAxis {
    fn json(&self) -> Value {
        let kind = match self.kind {
            Kind::Linear => "linear",
            Kind::Log => "log",
            Kind::Log2 => "log2",
            Kind::Sqrt => "sqrt",
            Kind::Time => "time",
            Kind::Percentile => "percentile",
        };
        json!({
            "label": self.label,
            "kind": kind,
            "ends": self.ends,
            "step": self.least_step,
            "names": self.names,
        })
    }
}

impl Marks {
    /// The plots as a script reads them.
    pub(super) fn json(&self) -> String {
        let plots = self.plots.iter().map(|plot| {
            let Frame {
                left,
                top,
                right,
                bottom,
            } = plot.frame;
            let edges = [left, top, right, bottom];
            let frame = edges.map(|edge| (edge * 100.0).round() / 100.0);
            let series = plot.series.iter().filter(|series| !series.rows.is_empty());
            json!({
                "title": plot.title,
                "frame": frame,
                "x": plot.x.json(),
                "y": plot.y.json(),
                "series": series.map(Series::json).collect::<Vec<_>>(),
            })
        });
        plots.collect::<Value>().to_string()
    }

    /// The groups that begin or end before a shape, outer ones first where they begin and last where they end.
    pub(super) fn at(&self, shape: usize) -> (Vec<&Part>, usize) {
        let mut begun: Vec<&Group> = self
            .groups
            .iter()
            .filter(|it| it.shapes.start == shape)
            .collect();
        begun.sort_by_key(|it| std::cmp::Reverse(it.shapes.end));
        let ended = self
            .groups
            .iter()
            .filter(|it| it.shapes.end == shape)
            .count();
        (begun.into_iter().map(|it| &it.part).collect(), ended)
    }

    /// Whether there is a curve of a name, with all that belongs to it.
    pub(super) fn has_series(&self, name: &str) -> bool {
        let is_of = |group: &Group| matches!(&group.part, Part::Series(other) if other == name);
        self.groups.iter().any(is_of)
    }
}

impl Drawing {
    /// Marks all shapes from one on as a part; nothing where there are none.
    pub(super) fn mark(&mut self, part: Part, from: usize) {
        let shapes = from..self.shapes.len();
        if !shapes.is_empty() {
            self.marks.groups.push(Group { part, shapes });
        }
    }

    pub(super) fn add_series(&mut self, plot: usize, series: Series) {
        if let Some(plot) = self.marks.plots.get_mut(plot) {
            plot.series.push(series);
        }
    }

    /// Adds all of another drawing but its ground, which is its first shape.
    pub(super) fn add_all(&mut self, other: Self) {
        let plots = self.marks.plots.len();
        let move_shape = |place: usize| (place + self.shapes.len()).saturating_sub(1);
        let groups = other.marks.groups.into_iter().map(|it| Group {
            part: it.part.after(plots),
            shapes: move_shape(it.shapes.start)..move_shape(it.shapes.end),
        });
        self.marks.groups.extend(groups.collect::<Vec<_>>());
        self.marks.plots.extend(other.marks.plots);
        self.shapes.extend(other.shapes.into_iter().skip(1));
    }
}

impl Part {
    /// The same in a drawing that has so many plots before.
    fn after(self, plots: usize) -> Self {
        match self {
            Self::Inside(plot) => Self::Inside(plot + plots),
            Self::Beside(plot) => Self::Beside(plot + plots),
            Self::Below(plot) => Self::Below(plot + plots),
            Self::TicksAcross(plot) => Self::TicksAcross(plot + plots),
            Self::TicksUp(plot) => Self::TicksUp(plot + plots),
            other => other,
        }
    }
}
