//! How far a load is, for whoever watches: a line that is redrawn on a terminal, a line now and then elsewhere.
//!
//! Keeps no clock: the caller says what time it is.

use std::collections::VecDeque;

use crestline_core::record::{Phase, RequestRecord};
use crestline_core::request::LoadPoint;
use crestline_core::stats::Histogram;
use crestline_core::units::Nanos;

/// Between two drawings on a terminal.
const REDRAW: Nanos = Nanos::from_millis(200);
/// Between two lines elsewhere.
const REPEAT: Nanos = Nanos::from_secs(10);
/// Over which rates are shown.
const WINDOW: Nanos = Nanos::from_secs(5);

/// Where progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Screen {
    /// A terminal, where a line can be redrawn.
    Terminal,
    /// A file or a pipe, where lines stay.
    Log,
}

/// The state of one load as far as records tell.
#[derive(Debug)]
pub(crate) struct Progress {
    label: String,
    point: LoadPoint,
    screen: Screen,
    start: Option<Nanos>,
    shown: Nanos,
    in_flight: Option<u64>,
    warmed: u64,
    ended: u64,
    failed: u64,
    ttft: Histogram,
    recent: VecDeque<Ended>,
}

/// A counted request that ended not long ago.
#[derive(Debug, Clone, Copy)]
struct Ended {
    at: Nanos,
    tokens: u64,
}

impl Progress {
    /// Of a load that begins.
    pub(crate) fn new(label: String, point: LoadPoint, screen: Screen) -> Self {
        Self {
            label,
            point,
            screen,
            start: None,
            shown: Nanos::ZERO,
            in_flight: None,
            warmed: 0,
            ended: 0,
            failed: 0,
            ttft: Histogram::default(),
            recent: VecDeque::new(),
        }
    }

    /// Counts a request that has ended.
    pub(crate) fn count(&mut self, record: &RequestRecord, now: Nanos) {
        if record.phase == Phase::Warmup {
            self.warmed += 1;
            return;
        }
        self.ended += 1;
        self.failed += u64::from(!record.succeeded());
        if let (true, Some(ttft)) = (record.succeeded(), record.ttft()) {
            self.ttft.add(ttft.0);
        }
        let tokens = if record.succeeded() {
            record
                .output_tokens
                .map_or(0, |tokens| u64::from(tokens.count))
        } else {
            0
        };
        self.recent.push_back(Ended { at: now, tokens });
    }

    /// Counted requests that have ended.
    pub(crate) fn ended(&self) -> u64 {
        self.ended
    }

    /// Notes how many requests are in flight.
    pub(crate) fn set_in_flight(&mut self, requests: u64) {
        self.in_flight = Some(requests);
    }

    /// The line to show, when it is time for one.
    pub(crate) fn due_line(&mut self, now: Nanos) -> Option<String> {
        let start = *self.start.get_or_insert(now);
        let pause = match self.screen {
            Screen::Terminal => REDRAW,
            Screen::Log => REPEAT,
        };
        let last = self.shown.max(start);
        (now.saturating_sub(last) >= pause).then(|| {
            self.shown = now;
            self.line(now)
        })
    }

    fn line(&mut self, now: Nanos) -> String {
        if self.point.warmup > self.warmed {
            return format!(
                "{}: warm-up {}/{}",
                self.label, self.warmed, self.point.warmup
            );
        }
        let since = now
            .saturating_sub(WINDOW)
            .max(self.start.unwrap_or_default());
        while self.recent.front().is_some_and(|ended| ended.at < since) {
            self.recent.pop_front();
        }
        let seconds = now.saturating_sub(since).as_secs_f64().max(1e-9);
        let rate = self.recent.len() as f64 / seconds;
        let tokens = self.recent.iter().map(|ended| ended.tokens).sum::<u64>() as f64 / seconds;
        let mut parts = vec![
            format!("{}: {}/{}", self.label, self.ended, self.point.requests),
            format!("{rate:.2} req/s"),
            format!("{tokens:.0} tok/s"),
        ];
        if let (Some(p50), Some(p99)) = (self.ttft.quantile(0.5), self.ttft.quantile(0.99)) {
            parts.push(format!(
                "TTFT p50 {:.3} s p99 {:.3} s",
                p50 / 1e9,
                p99 / 1e9
            ));
        }
        parts.extend(
            self.in_flight
                .map(|requests| format!("{requests} in flight")),
        );
        parts.push(format!("{} failed", self.failed));
        parts.extend(
            self.left(now)
                .map(|seconds| format!("{} left", span(seconds))),
        );
        parts.join(" | ")
    }

    /// Seconds until the load ends, at the speed of the load so far.
    fn left(&self, now: Nanos) -> Option<f64> {
        let elapsed = now.saturating_sub(self.start?).as_secs_f64();
        let by_requests = (self.ended > 0).then(|| {
            self.point.requests.saturating_sub(self.ended) as f64 * elapsed / self.ended as f64
        });
        let by_time = self
            .point
            .duration
            .map(|duration| (duration.as_secs_f64() - elapsed).max(0.0));
        match (by_requests, by_time) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        }
    }
}

/// Seconds as a person says them.
fn span(seconds: f64) -> String {
    let seconds = seconds.round() as u64;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, s) => format!("{m} min {s} s"),
        (h, m, _) => format!("{h} h {m} min"),
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use crestline_core::record::{Failure, FailureKind, TokenCount, TokenSource};
    use crestline_core::request::Load;
    use expect_test::expect;

    use super::*;

    fn progress(screen: Screen, duration: Option<Nanos>) -> Progress {
        let load = Load::closed(NonZeroU32::new(2).unwrap());
        let point = LoadPoint {
            load,
            requests: 10,
            warmup: 1,
            duration,
        };
        Progress::new("parallel 2".to_owned(), point, screen)
    }

    fn record(phase: Phase, failed: bool) -> RequestRecord {
        RequestRecord {
            index: 0,
            phase,
            due: Nanos::ZERO,
            slot_wait: Nanos::ZERO,
            sent: Nanos::ZERO,
            connect: None,
            first_byte: None,
            first_token: Some(Nanos::from_millis(250)),
            first_reasoning: None,
            first_answer: None,
            last_token: None,
            end: Nanos::from_secs(1),
            gaps: Vec::new().into(),
            chunks: 1,
            streamed: true,
            prompt_tokens: None,
            output_tokens: Some(TokenCount {
                count: 50,
                source: TokenSource::Usage,
            }),
            cached_tokens: None,
            status: Some(200),
            failure: failed.then(|| Failure {
                kind: FailureKind::ServerError,
                text: String::new(),
            }),
            reconnects: 0,
            request_id: String::new(),
            exchange: None,
        }
    }

    #[test]
    fn a_line_tells_rates_latency_failures_and_what_is_left() {
        let mut progress = progress(Screen::Terminal, None);
        assert_eq!(progress.due_line(Nanos::ZERO), None, "nothing is known yet");
        let second = Nanos::from_secs(1);
        expect!["parallel 2: warm-up 0/1"].assert_eq(&progress.due_line(second).unwrap());
        progress.count(&record(Phase::Warmup, false), second);
        for _ in 0..4 {
            progress.count(&record(Phase::Measured, false), second * 2);
        }
        progress.count(&record(Phase::Measured, true), second * 2);
        progress.set_in_flight(2);
        expect!["parallel 2: 5/10 | 2.50 req/s | 100 tok/s | TTFT p50 0.250 s p99 0.250 s | 2 in flight | 1 failed | 2 s left"].assert_eq(&progress.due_line(second * 2).unwrap());
        assert_eq!(progress.ended(), 5);
    }

    #[test]
    fn rates_forget_what_is_long_ago() {
        let mut progress = progress(Screen::Terminal, Some(Nanos::from_secs(60)));
        progress.due_line(Nanos::ZERO);
        progress.count(&record(Phase::Warmup, false), Nanos::ZERO);
        progress.count(&record(Phase::Measured, false), Nanos::from_secs(1));
        let line = progress.due_line(Nanos::from_secs(30)).unwrap();
        assert!(
            line.contains("0.00 req/s") && line.contains("30 s left"),
            "{line}"
        );
    }

    #[test]
    fn a_log_has_a_line_each_ten_seconds() {
        let mut progress = progress(Screen::Log, None);
        let lines =
            (0..100).filter(|second| progress.due_line(Nanos::from_secs(*second)).is_some());
        assert_eq!(lines.count(), 9);
    }

    #[test]
    fn spans_are_told_in_their_largest_units() {
        assert_eq!(
            [4.4, 75.0, 3700.0].map(span),
            ["4 s", "1 min 15 s", "1 h 1 min"]
        );
    }
}
