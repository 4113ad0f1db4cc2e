//! Live points out of what a front end is told each second of the run's own clock.
//!
//! Reads no clock: in virtual time a second is one of virtual time.

use crestline_core::units::Nanos;
use crestline_experiment::event::{Progress, SearchProgress, Verdict};

use super::told::Live;

/// Follows one load after another.
#[derive(Debug, Default)]
pub(crate) struct Pulse {
    flights: Flights,
    step: u64,
    /// Load time of the loads before this one.
    before: Nanos,
    load: String,
    number: usize,
    /// How far this load is.
    elapsed: Nanos,
    /// Requests that had ended by then.
    ended: u64,
}

/// Whether it is known what is in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Flights {
    /// A request is seen when it is sent.
    #[default]
    Seen,
    /// It is seen when it ends: in virtual time.
    Unseen,
}

impl Pulse {
    /// Before the first load.
    pub(crate) fn new(flights: Flights) -> Self {
        Self {
            flights,
            ..Self::default()
        }
    }

    /// A load begins.
    pub(crate) fn start(&mut self, load: String) {
        let before = self.before.saturating_add(self.elapsed);
        *self = Self {
            flights: self.flights,
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

    /// The point of a load, a second after the last one.
    pub(crate) fn load(&mut self, progress: &Progress) -> Live {
        self.elapsed = progress.elapsed;
        let millis = |time: Option<Nanos>| time.map(|time| time.as_secs_f64() * 1e3);
        let seen = |count: u64| (self.flights == Flights::Seen).then_some(count as f64);
        let values = [
            ("requests_per_s", Some(progress.requests_per_s)),
            ("chunks_per_s", Some(progress.chunks_per_s)),
            ("requests_in_flight", seen(progress.in_flight())),
            ("requests_sent", seen(progress.sent)),
            ("requests_ended", Some(progress.ended as f64)),
            ("requests_failed", Some(progress.failed as f64)),
            ("ttft_p50_ms", millis(progress.ttft_p50)),
            ("ttft_p99_ms", millis(progress.ttft_p99)),
        ];
        self.point(values)
    }

    /// The point of a search, a second after the last one.
    pub(crate) fn search(&mut self, progress: &SearchProgress) -> Live {
        let status = &progress.status;
        let meets = match progress.verdict {
            Verdict::Open => None,
            Verdict::Meets => Some(1.0),
            Verdict::Fails => Some(0.0),
        };
        let since = progress.elapsed.saturating_sub(self.elapsed).as_secs_f64();
        let ended = progress.ended.saturating_sub(self.ended) as f64;
        (self.elapsed, self.ended) = (progress.elapsed, progress.ended);
        let values = [
            ("load", Some(status.load)),
            ("sla_met", meets),
            ("answer_low", status.interval.map(|interval| interval.low)),
            ("answer_high", status.interval.map(|interval| interval.high)),
            ("requests_per_s", Some(ended / since)),
            ("requests_in_flight", Some(progress.in_flight as f64)),
            ("requests_ended", Some(progress.ended as f64)),
            ("requests_failed", Some(progress.failed as f64)),
            ("budget_spent_share", Some(progress.budget_spent)),
        ];
        self.point(values)
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

    fn second(number: u64) -> Progress {
        Progress {
            elapsed: Nanos::from_secs(number),
            total: 100,
            sent: 10 * number + 3,
            ended: 10 * number,
            requests_per_s: 10.0,
            chunks_per_s: 40.0,
            ttft_p99: Some(Nanos::from_millis(120)),
            ..Progress::default()
        }
    }

    fn value(point: &Live, name: &str) -> Option<f64> {
        let named = point.values.iter().find(|(known, _)| known == name);
        named.map(|(_, value)| *value)
    }

    #[test]
    fn a_point_has_what_is_known_and_nothing_else() {
        let mut pulse = Pulse::default();
        pulse.start("Concurrency 3".to_owned());
        let point = pulse.load(&second(1));
        assert_eq!(value(&point, "requests_per_s"), Some(10.0));
        assert_eq!(value(&point, "requests_in_flight"), Some(3.0));
        assert_eq!(value(&point, "ttft_p99_ms"), Some(120.0));
        assert_eq!(value(&point, "ttft_p50_ms"), None, "nothing was measured");
        let unseen = Pulse::new(Flights::Unseen).load(&second(1));
        assert_eq!(value(&unseen, "requests_in_flight"), None);
        assert_eq!(value(&unseen, "requests_ended"), Some(10.0));
    }

    #[test]
    fn steps_and_time_go_on_over_the_loads_of_a_command() {
        let mut pulse = Pulse::default();
        let mut points = Vec::new();
        for load in ["one", "two"] {
            pulse.start(load.to_owned());
            points.extend((1..=2).map(|number| pulse.load(&second(number))));
        }
        let seen: Vec<_> = points
            .iter()
            .map(|point| (point.step, point.time_s, point.number, point.load.as_str()))
            .collect();
        assert_eq!(
            seen,
            [
                (0, 1.0, 1, "one"),
                (1, 2.0, 1, "one"),
                (2, 3.0, 2, "two"),
                (3, 4.0, 2, "two")
            ]
        );
    }
}
