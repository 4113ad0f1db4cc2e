//! How far a load is, for whoever watches: a line that is redrawn on a terminal, a line now and then elsewhere.
//!
//! Makes text only; it keeps no clock and writes nowhere.

use std::collections::VecDeque;

use crestline_core::request::Generation;
use crestline_core::units::Nanos;
use crestline_experiment::event::{Progress, SearchProgress, Verdict};
use crestline_report::search_tables::{ends, load_name};

/// Over which the rates of a redrawn line are shown: those of a moment jump about. Lines that stay show the rates since
/// the line before.
const WINDOW: Nanos = Nanos::from_secs(3);
/// Between two lines that stay.
const REPEAT: Nanos = Nanos::from_secs(10);

/// Where progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Screen {
    /// A terminal, where a line can be redrawn.
    Terminal,
    /// A file or a pipe, where lines stay.
    Log,
}

/// How answers come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answers {
    /// In chunks, which are told a second: a chunk may hold several tokens, and who counts those tells it at the end.
    Streamed,
    /// At once.
    Whole,
}

impl Answers {
    /// Of requests that ask for a stream, or do not.
    pub(crate) fn of(generation: &Generation) -> Self {
        if generation.stream {
            Self::Streamed
        } else {
            Self::Whole
        }
    }
}

/// Follows one load after another.
#[derive(Debug)]
pub(crate) struct Watch {
    screen: Screen,
    answers: Answers,
    label: String,
    duration: Option<Nanos>,
    /// When the last line that stays was shown.
    shown: Nanos,
    /// Reports of the last few seconds, the oldest first.
    recent: VecDeque<Progress>,
}

impl Watch {
    /// Before the first load.
    pub(crate) fn new(screen: Screen, answers: Answers) -> Self {
        Self {
            screen,
            answers,
            label: String::new(),
            duration: None,
            shown: Nanos::ZERO,
            recent: VecDeque::new(),
        }
    }

    /// Where it is shown.
    pub(crate) fn screen(&self) -> Screen {
        self.screen
    }

    /// A load begins.
    pub(crate) fn start(&mut self, label: String, duration: Option<Nanos>) {
        (self.label, self.duration, self.shown) = (label, duration, Nanos::ZERO);
        self.recent.clear();
    }

    /// The line to show, when it is time for one.
    pub(crate) fn line(&mut self, progress: &Progress) -> Option<String> {
        self.recent.push_back(*progress);
        let window = match self.screen {
            Screen::Terminal => WINDOW,
            Screen::Log => REPEAT,
        };
        let since = progress.elapsed.saturating_sub(window);
        while self.recent.front().is_some_and(|old| old.elapsed < since) {
            self.recent.pop_front();
        }
        if self.screen == Screen::Log {
            if progress.elapsed.saturating_sub(self.shown) < REPEAT {
                return None;
            }
            self.shown = progress.elapsed;
        }
        Some(self.text(progress))
    }

    /// The line to show of a search, when it is time for one.
    pub(crate) fn search_line(&mut self, progress: &SearchProgress) -> Option<String> {
        if self.screen == Screen::Log {
            if progress.elapsed.saturating_sub(self.shown) < REPEAT {
                return None;
            }
            self.shown = progress.elapsed;
        }
        Some(search_text(progress))
    }

    fn text(&self, progress: &Progress) -> String {
        let mut parts = vec![
            format!("{}: {}/{}", self.label, progress.ended, progress.total),
            format!("{:.2} req/s", self.mean(|report| report.requests_per_s)),
        ];
        if self.answers == Answers::Streamed {
            let rate = self.mean(|report| report.chunks_per_s);
            parts.push(format!("{rate:.0} chunks/s"));
        }
        if let (Some(p50), Some(p99)) = (progress.ttft_p50, progress.ttft_p99) {
            parts.push(format!(
                "TTFT p50 {:.3} s p99 {:.3} s",
                p50.as_secs_f64(),
                p99.as_secs_f64()
            ));
        }
        parts.push(format!("{} in flight", progress.in_flight()));
        parts.push(format!("{} failed", progress.failed));
        parts.extend(
            self.left(progress)
                .map(|left| format!("{} left", span(left))),
        );
        parts.join(" | ")
    }

    fn mean(&self, rate: impl Fn(&Progress) -> f64) -> f64 {
        self.recent.iter().map(rate).sum::<f64>() / self.recent.len().max(1) as f64
    }

    /// Until the load ends by its number or by its time.
    fn left(&self, progress: &Progress) -> Option<Nanos> {
        let by_time = self
            .duration
            .map(|duration| duration.saturating_sub(progress.elapsed));
        match (progress.remaining(), by_time) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        }
    }
}

/// Load, verdict so far, where the answer lies, and what is left.
fn search_text(progress: &SearchProgress) -> String {
    let status = &progress.status;
    let verdict = match progress.verdict {
        Verdict::Open => "open so far",
        Verdict::Meets => "meets the SLA so far",
        Verdict::Fails => "fails the SLA",
    };
    let mut parts = vec![format!(
        "{}: {}, {verdict}",
        status.stage,
        load_name(progress.variable, status.load)
    )];
    parts.extend(status.interval.map(|interval| {
        let [low, high] = ends(progress.variable, interval);
        format!("answer between {low} and {high}")
    }));
    parts.push(format!("{} requests", progress.ended));
    parts.push(format!("{} in flight", progress.in_flight));
    parts.push(format!("{} failed", progress.failed));
    parts.push(format!("{} so far", span(progress.elapsed)));
    parts.extend(
        progress
            .remaining()
            .map(|left| format!("about {} left", span(left))),
    );
    parts.join(" | ")
}

/// A span as a person says it.
fn span(span: Nanos) -> String {
    let seconds = span.as_secs_f64().round() as u64;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, s) => format!("{m} min {s} s"),
        (h, m, _) => format!("{h} h {m} min"),
    }
}

#[cfg(test)]
mod tests {
    use crestline_core::search::{Interval, Status, Variable};
    use expect_test::expect;

    use super::*;

    fn progress(elapsed_s: u64) -> Progress {
        Progress {
            elapsed: Nanos::from_secs(elapsed_s),
            total: 100,
            sent: 30,
            ended: 20,
            failed: 1,
            requests_per_s: 3.4567,
            chunks_per_s: 871.9,
            ttft_p50: Some(Nanos::from_millis(120)),
            ttft_p99: Some(Nanos::from_millis(400)),
        }
    }

    #[test]
    fn a_line_tells_rates_latency_failures_and_what_is_left() {
        let mut watch = Watch::new(Screen::Terminal, Answers::Streamed);
        watch.start("[1/4] Concurrency 10".to_owned(), None);
        expect!["[1/4] Concurrency 10: 20/100 | 3.46 req/s | 872 chunks/s | TTFT p50 0.120 s p99 0.400 s | 10 in flight | 1 failed | 2 min 0 s left"].assert_eq(&watch.line(&progress(30)).unwrap());
    }

    #[test]
    fn answers_that_come_whole_have_no_chunks() {
        let mut watch = Watch::new(Screen::Terminal, Answers::Whole);
        watch.start("x".to_owned(), None);
        let line = watch.line(&progress(30)).unwrap();
        assert!(
            line.starts_with("x: 20/100 | 3.46 req/s | TTFT p50"),
            "{line}"
        );
        assert!(!line.contains("chunks"), "{line}");
    }

    fn searched(elapsed_s: u64, progress: f64) -> SearchProgress {
        SearchProgress {
            elapsed: Nanos::from_secs(elapsed_s),
            variable: Variable::Users,
            status: Status {
                stage: "near the answer",
                load: 37.0,
                interval: Some(Interval::likely(34.0, 39.5)),
                progress,
            },
            verdict: Verdict::Meets,
            ended: 1210,
            failed: 0,
            in_flight: 37,
            budget_spent: 0.0,
        }
    }

    #[test]
    fn a_search_tells_load_verdict_interval_and_what_is_left() {
        let mut watch = Watch::new(Screen::Terminal, Answers::Streamed);
        expect!["near the answer: 37 users, meets the SLA so far | answer between 34 and 40 | 1210 requests | 37 in flight | 0 failed | 1 min 0 s so far | about 20 s left"].assert_eq(&watch.search_line(&searched(60, 0.75)).unwrap());
        let begun = SearchProgress {
            variable: Variable::Rate,
            status: Status {
                stage: "ramp",
                load: 2.5,
                interval: None,
                progress: 0.0,
            },
            verdict: Verdict::Open,
            ..searched(1, 0.0)
        };
        expect![
            "ramp: 2.5 req/s, open so far | 1210 requests | 37 in flight | 0 failed | 1 s so far"
        ]
        .assert_eq(&watch.search_line(&begun).unwrap());
    }

    #[test]
    fn a_search_promises_an_end_only_where_one_is_known() {
        let left = |done: f64, budget_spent: f64| {
            let progress = SearchProgress {
                budget_spent,
                ..searched(60, done)
            };
            progress.remaining().map(Nanos::as_secs_f64)
        };
        assert_eq!(left(0.5, 0.0), Some(60.0));
        assert_eq!(left(0.5, 0.75), Some(20.0), "the budget ends it first");
        assert_eq!(left(0.1, 0.0), None, "it has hardly begun");
        assert_eq!(left(0.1, 0.5), Some(60.0), "but its budget is known");
        assert_eq!(left(1.0, 0.1), None, "any moment");
    }

    #[test]
    fn one_user_is_one_and_users_are_whole() {
        let one = SearchProgress {
            status: Status {
                stage: "refine",
                load: 1.0,
                interval: Some(Interval::likely(0.77, 2.4)),
                progress: 0.1,
            },
            ..searched(60, 0.1)
        };
        let text = search_text(&one);
        assert!(
            text.starts_with("refine: 1 user, meets the SLA so far | answer between 1 and 3 |"),
            "{text}"
        );
    }

    #[test]
    fn a_log_of_a_search_has_a_line_each_ten_seconds() {
        let mut watch = Watch::new(Screen::Log, Answers::Streamed);
        let lines = (0..100).filter(|second| watch.search_line(&searched(*second, 0.5)).is_some());
        assert_eq!(lines.count(), 9);
    }

    #[test]
    fn before_anything_has_ended_no_end_is_promised() {
        let mut watch = Watch::new(Screen::Terminal, Answers::Streamed);
        watch.start("[1/1] Rate 5".to_owned(), None);
        let line = watch
            .line(&Progress {
                total: 9,
                sent: 1,
                ..Progress::default()
            })
            .unwrap();
        expect!["[1/1] Rate 5: 0/9 | 0.00 req/s | 0 chunks/s | 1 in flight | 0 failed"]
            .assert_eq(&line);
    }

    #[test]
    fn the_duration_may_end_a_load_before_its_number_does() {
        let mut watch = Watch::new(Screen::Terminal, Answers::Streamed);
        watch.start("x".to_owned(), Some(Nanos::from_secs(40)));
        let line = watch.line(&progress(30)).unwrap();
        assert!(line.ends_with("10 s left"), "{line}");
    }

    #[test]
    fn a_log_has_a_line_each_ten_seconds_of_each_load() {
        let mut watch = Watch::new(Screen::Log, Answers::Streamed);
        let mut lines = || {
            (0..100)
                .filter(|second| watch.line(&progress(*second)).is_some())
                .count()
        };
        assert_eq!(lines(), 9);
        watch.start("next".to_owned(), None);
        assert!(watch.line(&progress(5)).is_none());
        assert!(watch.line(&progress(10)).is_some());
    }

    #[test]
    fn rates_are_those_of_the_last_seconds() {
        let mut watch = Watch::new(Screen::Terminal, Answers::Streamed);
        watch.start("x".to_owned(), None);
        let mut line = |elapsed_s, requests_per_s| {
            let now = Progress {
                requests_per_s,
                ..progress(elapsed_s)
            };
            watch.line(&now).unwrap()
        };
        line(1, 1000.0);
        line(10, 4.0);
        let last = line(11, 8.0);
        assert!(last.contains("| 6.00 req/s |"), "{last}");
    }

    #[test]
    fn spans_are_told_in_their_largest_units() {
        let spans = [4_400, 75_000, 3_700_000].map(|millis| span(Nanos::from_millis(millis)));
        assert_eq!(spans, ["4 s", "1 min 15 s", "1 h 1 min"]);
    }
}
