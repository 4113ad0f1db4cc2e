//! The course of a search: the load over time, what each stretch of it showed, and the answers.
//!
//! Above is the whole range of loads, below it the part around the answers, enlarged; then what the search was doing, and
//! for each group whether the figures of a stretch alone would meet it. Decides no verdict: groups judge, searches answer.

mod key;
mod lanes;
mod layout;
mod panel;

use crestline_core::search::{Answer, Question, Variable};
use crestline_core::sla::{Group, Probe};
use crestline_core::units::Nanos;

use super::Picture;
use super::drawing::{Anchor, Drawing, point};
use super::theme::{TEXT, TITLE};
use layout::Layout;

/// What the figure shows.
#[derive(Debug, Clone)]
pub struct SearchCourse<'a> {
    /// What was searched, such as a model and its URL.
    pub subject: &'a str,
    /// What was asked.
    pub question: &'a Question,
    /// One a group, in the question's order.
    pub answers: &'a [Answer],
    /// All stretches of time at one load, in order of time.
    pub stretches: Vec<Stretch<'a>>,
}

/// A stretch of time at one load.
#[derive(Debug, Clone, Copy)]
pub struct Stretch<'a> {
    /// When the load was applied, since the search began.
    pub start: Nanos,
    /// When its requests began to count; `None` where that never came.
    pub counted_from: Option<Nanos>,
    /// When the next load was applied.
    pub end: Nanos,
    /// Users, or requests a second.
    pub load: f64,
    /// What the search was doing.
    pub stage: &'a str,
    /// What its own requests came to.
    pub probe: &'a Probe,
}

/// What the figures of a stretch alone say of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Meets,
    Misses,
    /// No requests count, or they lack what is asked.
    Open,
}

/// Groups that have a lane and a column of their own.
const GROUPS: usize = 8;
/// Lines of words about each answer.
const ANSWER_LINES: usize = 2;

/// The figure.
pub fn search_course(course: &SearchCourse<'_>) -> Picture {
    let course = &SearchCourse {
        stretches: course
            .stretches
            .iter()
            .copied()
            .filter(|stretch| stretch.load.is_finite() && stretch.load >= 0.0)
            .collect(),
        ..course.clone()
    };
    let heading = heading(course);
    let layout = Layout::of(course, heading.len());
    let mut drawing = Drawing::new(layout.size, &title(course), &description(course));
    for (place, (class, line)) in heading.iter().enumerate() {
        drawing.text(
            class,
            point(layout::EDGE, layout::baseline(place)),
            Anchor::Start,
            line,
        );
    }
    for panel in &layout.panels {
        panel::draw(&mut drawing, course, &layout, panel);
    }
    lanes::draw(&mut drawing, course, &layout);
    key::draw(&mut drawing, course, &layout);
    Picture(drawing)
}

impl SearchCourse<'_> {
    /// The groups that are shown, with their answers.
    fn shown(&self) -> impl Iterator<Item = (&Group, &Answer)> {
        self.question.groups.iter().zip(self.answers).take(GROUPS)
    }

    /// What the loads are counted in.
    fn unit(&self) -> &'static str {
        match self.question.variable {
            Variable::Users => "users in flight",
            Variable::Rate => "requests a second",
        }
    }

    /// The least distance of marks on the axis of loads: there are no parts of users.
    fn least_step(&self) -> f64 {
        match self.question.variable {
            Variable::Users => 1.0,
            Variable::Rate => 0.0,
        }
    }

    /// The stages, in the order in which they first came.
    fn stages(&self) -> Vec<&str> {
        let mut stages = Vec::new();
        for stretch in &self.stretches {
            if !stages.contains(&stretch.stage) {
                stages.push(stretch.stage);
            }
        }
        stages
    }
}

impl Stretch<'_> {
    /// Both ends in seconds, the later one last.
    fn seconds(&self) -> [f64; 2] {
        [self.start, self.end.max(self.start)].map(Nanos::as_secs_f64)
    }

    /// From when its requests count, in seconds; its end where that never came.
    fn settled(&self) -> f64 {
        let [start, end] = self.seconds();
        self.counted_from
            .map_or(end, |from| from.as_secs_f64().clamp(start, end))
    }

    fn mark(&self, group: &Group) -> Mark {
        let verdict = group.judge(self.probe);
        let unmet = verdict.findings.iter().chain(&verdict.success);
        if self.counted_from.is_none() || self.probe.total == 0 {
            Mark::Open
        } else if verdict.met() {
            Mark::Meets
        } else if unmet
            .into_iter()
            .any(|finding| !finding.met && finding.value.is_some())
        {
            Mark::Misses
        } else {
            Mark::Open
        }
    }
}

impl Mark {
    fn class(self) -> &'static str {
        match self {
            Self::Meets => "meets",
            Self::Misses => "misses",
            Self::Open => "open",
        }
    }

    /// In a figure, around a place.
    fn draw(self, drawing: &mut Drawing, middle: super::drawing::Point) {
        match self {
            Self::Meets => drawing.disc("meets", middle, 2.5),
            Self::Misses => drawing.cross("misses", middle, 4.0),
            Self::Open => drawing.disc("open", middle, 3.0),
        }
    }
}

/// The letter that names a group where there are several.
fn letter(place: usize) -> char {
    char::from(b'A' + u8::try_from(place).unwrap_or(25).min(25))
}

fn title(course: &SearchCourse<'_>) -> String {
    match course.question.groups.as_slice() {
        [group] => format!("SLA search: {group}"),
        groups => format!("SLA search: {} groups of criteria", groups.len()),
    }
}

/// Title and answers in words, each line with its class.
fn heading(course: &SearchCourse<'_>) -> Vec<(&'static str, String)> {
    let room = layout::WIDTH - 2.0 * layout::EDGE;
    let title = TITLE.fitted(&title(course), room);
    let subject = TEXT.fitted(course.subject, room);
    let mut lines = vec![("title", title), ("quiet", subject)];
    let words = crate::search_tables::evidence(course.question, course.answers);
    for (place, line) in words.lines().take(GROUPS).enumerate() {
        let line = match course.question.groups.len() {
            0 | 1 => line.to_owned(),
            _ => format!("{}  {line}", letter(place)),
        };
        let wrapped = TEXT.wrapped(&line, room, ANSWER_LINES);
        lines.extend(wrapped.into_iter().map(|line| ("", line)));
    }
    lines
}

/// The figure in words.
fn description(course: &SearchCourse<'_>) -> String {
    let count = |mark: Mark| {
        let first = course.question.groups.first();
        let marks = course.stretches.iter().filter_map(|stretch| {
            let group = first?;
            Some(stretch.mark(group))
        });
        marks.filter(|found| *found == mark).count()
    };
    let [start, end] = layout::time_span(course);
    format!(
        "The load in {} over {} s, in {} stretches. The figures of {} of them alone meet the criteria{}, those of {} miss them. {}",
        course.unit(),
        crate::number::significant(end - start, 4),
        course.stretches.len(),
        count(Mark::Meets),
        if course.question.groups.len() > 1 {
            " of the first group"
        } else {
            ""
        },
        count(Mark::Misses),
        crate::search_tables::evidence(course.question, course.answers)
            .trim_end()
            .replace('\n', ". ")
    )
}

#[cfg(test)]
mod tests;
