//! Live points, once a second of the run's own clock, out of what a front end is told.
//!
//! Reads no clock: in virtual time a second is one of virtual time.

use crestline_core::units::Nanos;
use crestline_experiment::event::{Progress, SearchProgress, Verdict};

use super::told::Live;

/// Between two points of a load.
const EVERY: Nanos = Nanos::from_secs(1);

/// Follows one load after another.
#[derive(Debug, Default)]
pub(crate) struct Pulse {
    step: u64,
    /// Load time of the loads before this one.
    before: Nanos,
    load: String,
    number: usize,
    /// How far this load is.
    elapsed: Nanos,
    /// At the last point.
    told: Told,
    /// Chunks since the last point.
    chunks: f64,
}

#[derive(Debug, Default)]
struct Told {
    at: Nanos,
    ended: u64,
}

impl Pulse {
    /// A load begins.
    pub(crate) fn start(&mut self, load: String) {
        let before = self.before.saturating_add(self.elapsed);
        *self = Self {
            step: self.step,
            before,
            load,
            number: self.number + 1,
            ..Self::default()
        };
    }

    /// Position of the load in the command, from 1.
    pub(crate) fn number(&self) -> usize {
        self.number
    }

    /// The point of a load, where it is time for one.
    pub(crate) fn progress(&mut self, progress: &Progress) -> Option<Live> {
        let passed = progress.elapsed.saturating_sub(self.elapsed);
        self.chunks += progress.chunks_per_s * passed.as_secs_f64();
        let span = self.next(progress.elapsed)?;
        let millis = |time: Option<Nanos>| time.map(|time| time.as_secs_f64() * 1e3);
        let values = [
            ("requests_per_s", Some(self.rate(progress.ended, span))),
            (
                "chunks_per_s",
                Some(std::mem::take(&mut self.chunks) / span),
            ),
            ("requests_in_flight", Some(progress.in_flight() as f64)),
            ("requests_sent", Some(progress.sent as f64)),
            ("requests_ended", Some(progress.ended as f64)),
            ("requests_failed", Some(progress.failed as f64)),
            ("ttft_p50_ms", millis(progress.ttft_p50)),
            ("ttft_p99_ms", millis(progress.ttft_p99)),
        ];
        Some(self.point(values))
    }

    /// The point of a search, where it is time for one.
    pub(crate) fn search(&mut self, progress: &SearchProgress) -> Option<Live> {
        let span = self.next(progress.elapsed)?;
        let status = &progress.status;
        let meets = match progress.verdict {
            Verdict::Open => None,
            Verdict::Meets => Some(1.0),
            Verdict::Fails => Some(0.0),
        };
        let values = [
            ("load", Some(status.load)),
            ("sla_met", meets),
            ("answer_low", status.interval.map(|interval| interval.low)),
            ("answer_high", status.interval.map(|interval| interval.high)),
            ("requests_per_s", Some(self.rate(progress.ended, span))),
            ("requests_in_flight", Some(progress.in_flight as f64)),
            ("requests_ended", Some(progress.ended as f64)),
            ("requests_failed", Some(progress.failed as f64)),
            ("budget_spent_share", Some(progress.budget_spent)),
        ];
        Some(self.point(values))
    }

    /// Seconds since the last point, where it is time for one.
    fn next(&mut self, elapsed: Nanos) -> Option<f64> {
        self.elapsed = elapsed;
        let since = elapsed.saturating_sub(self.told.at);
        if since < EVERY {
            return None;
        }
        self.told.at = elapsed;
        Some(since.as_secs_f64())
    }

    fn rate(&mut self, ended: u64, span: f64) -> f64 {
        let before = std::mem::replace(&mut self.told.ended, ended);
        ended.saturating_sub(before) as f64 / span
    }

    fn point<const N: usize>(&mut self, values: [(&str, Option<f64>); N]) -> Live {
        let known = values
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?)));
        let point = Live {
            step: self.step,
            time_s: self.before.saturating_add(self.elapsed).as_secs_f64(),
            elapsed_s: self.elapsed.as_secs_f64(),
            load: self.load.clone(),
            number: self.number,
            values: known.filter(|(_, value)| value.is_finite()).collect(),
        };
        self.step += 1;
        point
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten requests a second that end and forty chunks, told each quarter of a second.
    fn quarter(number: u64) -> Progress {
        Progress {
            elapsed: Nanos::from_millis(250 * number),
            total: 100,
            sent: 5 * number / 2 + 3,
            ended: 5 * number / 2,
            failed: 0,
            requests_per_s: 10.0,
            chunks_per_s: 40.0,
            ttft_p50: None,
            ttft_p99: Some(Nanos::from_millis(120)),
        }
    }

    fn value(point: &Live, name: &str) -> Option<f64> {
        let named = point.values.iter().find(|(known, _)| known == name);
        named.map(|(_, value)| *value)
    }

    #[test]
    fn a_load_has_a_point_a_second_with_the_rates_of_that_second() {
        let mut pulse = Pulse::default();
        pulse.start("Concurrency 3".to_owned());
        let points: Vec<Live> = (1..=12)
            .filter_map(|number| pulse.progress(&quarter(number)))
            .collect();
        let times: Vec<f64> = points.iter().map(|point| point.elapsed_s).collect();
        assert_eq!(times, [1.0, 2.0, 3.0]);
        for point in &points {
            assert_eq!(value(point, "requests_per_s"), Some(10.0));
            assert_eq!(value(point, "chunks_per_s"), Some(40.0));
            assert_eq!(value(point, "ttft_p99_ms"), Some(120.0));
            assert_eq!(value(point, "ttft_p50_ms"), None, "nothing was measured");
        }
        assert_eq!(value(&points[2], "requests_in_flight"), Some(3.0));
    }

    #[test]
    fn steps_and_time_go_on_over_the_loads_of_a_command() {
        let mut pulse = Pulse::default();
        let mut points = Vec::new();
        for load in ["one", "two"] {
            pulse.start(load.to_owned());
            points.extend((1..=6).filter_map(|number| pulse.progress(&quarter(number))));
        }
        let seen: Vec<_> = points
            .iter()
            .map(|point| (point.step, point.time_s, point.number, point.load.as_str()))
            .collect();
        assert_eq!(seen, [(0, 1.0, 1, "one"), (1, 2.5, 2, "two")]);
        assert_eq!(value(&points[1], "requests_per_s"), Some(10.0));
    }
}
