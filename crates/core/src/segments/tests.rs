//! Cutting and merging, and whether intervals hold the truth as often as they say, on services that are made up.

use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Draws, Lack, Segments, Statistic, resample};
use crate::metrics::Metric;
use crate::record::{Failure, FailureKind, Phase, RequestRecord, TokenCount, TokenSource};
use crate::units::Nanos;

const SECOND: u64 = 1_000_000_000;

/// A service whose latency goes up and down slowly, with this correlation time.
#[derive(Clone)]
struct Service {
    random: ChaCha8Rng,
    wave: f64,
    memory_s: f64,
    at_s: f64,
}

impl Service {
    fn new(seed: u64, memory_s: f64) -> Self {
        let mut service = Self {
            random: ChaCha8Rng::seed_from_u64(seed),
            wave: 0.0,
            memory_s,
            at_s: 0.0,
        };
        service.wave = service.normal();
        service
    }

    fn unit(&mut self) -> f64 {
        ((self.random.next_u64() >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.unit().ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// Latency of a request sent at a time that is not before that of the last one: 0.2 s or so.
    fn latency_s(&mut self, sent_s: f64) -> f64 {
        let kept = (-(sent_s - self.at_s) / self.memory_s).exp();
        self.wave = kept * self.wave + (1.0 - kept * kept).sqrt() * self.normal();
        self.at_s = sent_s;
        0.2 * (0.2 * self.wave + 0.25 * self.normal()).exp()
    }
}

/// So many users who each send a request when the one before is answered.
fn closed_loop(mut service: Service, users: usize, requests: u64) -> Vec<RequestRecord> {
    let mut free = vec![0.0_f64; users];
    let mut records = Vec::new();
    for index in 0..requests {
        let user = (0..users).min_by(|&a, &b| free[a].total_cmp(&free[b]));
        let user = user.unwrap();
        let sent = free[user];
        let end = sent + service.latency_s(sent);
        free[user] = end;
        records.push(request(index, sent, end));
    }
    records
}

fn request(index: u64, sent_s: f64, end_s: f64) -> RequestRecord {
    let mut record = RequestRecord::new(index, Phase::Measured);
    record.streamed = true;
    record.sent = Nanos::from_secs_f64(sent_s);
    record.due = record.sent;
    record.end = Nanos::from_secs_f64(end_s);
    record.first_token = Some(Nanos::from_secs_f64(sent_s + (end_s - sent_s) / 4.0));
    record.last_token = Some(record.end);
    record.gaps.push(record.end - record.first_token.unwrap());
    let tokens = |count| {
        Some(TokenCount {
            count,
            source: TokenSource::Usage,
        })
    };
    record.prompt_tokens = tokens(100);
    record.output_tokens = tokens(2);
    record
}

fn segments(records: &[RequestRecord]) -> Segments {
    let mut segments = Segments::default();
    for record in records {
        segments.add(record);
    }
    segments
}

const MEASURED: [Statistic; 5] = [
    Statistic::Mean(Metric::Latency),
    Statistic::Quantile(Metric::Ttft, 0.5),
    Statistic::Quantile(Metric::Latency, 0.9),
    Statistic::Quantile(Metric::Latency, 0.99),
    Statistic::Mean(Metric::RequestThroughput),
];

/// How often intervals of 95 % hold what a very long run comes to.
fn coverage(memory_s: f64, requests: u64, runs: u64) -> [f64; MEASURED.len()] {
    let long = segments(&closed_loop(Service::new(999, memory_s), 8, 100_000));
    let truths = long.intervals(&MEASURED, 0.95, 1);
    let mut held = [0.0; MEASURED.len()];
    for seed in 0..runs {
        let run = segments(&closed_loop(Service::new(seed, memory_s), 8, requests));
        let draws = Draws { count: 200, seed };
        let found = resample(&[run.cut()], &MEASURED, draws);
        for ((held, found), truth) in held.iter_mut().zip(found).zip(&truths) {
            let interval = found.unwrap().interval(0.95).unwrap();
            let truth = truth.unwrap().estimate;
            *held += f64::from(u8::from(interval.low <= truth && truth <= interval.high));
        }
    }
    held.map(|held| held / runs as f64)
}

#[test]
fn intervals_of_95_percent_hold_the_truth_about_as_often_as_they_say() {
    // The speed of a service is remembered for no time, for as long as a request takes, and for twice as long.
    for (memory_s, requests) in [(0.01, 1000), (0.2, 1000), (0.4, 2000)] {
        let found = coverage(memory_s, requests, 80);
        for share in found {
            assert!((0.83..=1.0).contains(&share), "{memory_s} s: {found:?}");
        }
        let mean = found.iter().sum::<f64>() / found.len() as f64;
        assert!((0.89..0.995).contains(&mean), "{memory_s} s: {found:?}");
    }
}

#[test]
fn figures_are_those_of_the_whole_run() {
    let records = closed_loop(Service::new(3, 0.2), 8, 1000);
    let run = segments(&records);
    let found = run.intervals(&MEASURED, 0.95, 0).map_all();
    let mean_s: f64 = records
        .iter()
        .map(|record| record.latency().as_secs_f64())
        .sum::<f64>()
        / 1000.0;
    assert!((found[0].estimate - mean_s).abs() < 1e-9);
    let last = records.iter().map(|record| record.end).max().unwrap();
    let rate = 1000.0 / last.as_secs_f64();
    assert!((found[4].estimate / rate - 1.0).abs() < 1e-9, "{found:?}");
    for interval in found {
        assert!(interval.low < interval.estimate && interval.estimate < interval.high);
    }
}

/// What is there for sure.
trait All<T> {
    fn map_all(self) -> Vec<T>;
}

impl<T> All<T> for Vec<Option<T>> {
    fn map_all(self) -> Vec<T> {
        self.into_iter().map(Option::unwrap).collect()
    }
}

#[test]
fn a_run_of_few_latencies_says_how_many_requests_it_takes() {
    let run = segments(&closed_loop(Service::new(3, 0.01), 8, 40));
    let found = resample(&[run.cut()], &MEASURED, Draws::default()).map_all();
    let Err(Lack::Requests(needed)) = found[0].uncertainty else {
        panic!("{found:?}");
    };
    assert!((80..400).contains(&needed), "{needed}");
    // A hundredth of the requests is ten.
    assert_eq!(found[3].uncertainty, Err(Lack::Requests(1000)));
    let enough = segments(&closed_loop(Service::new(3, 0.01), 8, needed));
    let found = resample(&[enough.cut()], &MEASURED, Draws::default()).map_all();
    assert!(found[0].uncertainty.is_ok());
}

#[test]
fn of_requests_sent_all_at_once_only_repeats_tell_how_they_vary() {
    let burst = |seed: u64| {
        let mut service = Service::new(seed, 0.01);
        let record = |index| request(index, 0.0, service.latency_s(index as f64));
        segments(&(0..500).map(record).collect::<Vec<_>>()).cut()
    };
    let mean = [Statistic::Mean(Metric::Latency)];
    let one = resample(&[burst(1)], &mean, Draws::default()).map_all();
    assert_eq!(one[0].uncertainty, Err(Lack::Repeats));
    let three = resample(&[burst(1), burst(2), burst(3)], &mean, Draws::default()).map_all();
    let known = three[0].uncertainty.as_ref().unwrap();
    assert!(known.freedom == 2 && known.error > 0.0 && known.deviations.is_empty());
}

#[test]
fn what_differs_from_run_to_run_is_in_the_interval_of_several() {
    let run = |seed: u64, slower: f64| {
        let mut records = closed_loop(Service::new(seed, 0.01), 8, 1000);
        for record in &mut records {
            record.end = Nanos((record.end.0 as f64 * slower) as u64);
            record.sent = Nanos((record.sent.0 as f64 * slower) as u64);
        }
        segments(&records).cut()
    };
    let mean = [Statistic::Mean(Metric::Latency)];
    let width = |runs: &[_]| {
        let found = resample(runs, &mean, Draws::default()).map_all();
        let freedom = found[0].uncertainty.as_ref().unwrap().freedom;
        let interval = found[0].interval(0.95).unwrap();
        (freedom, (interval.high / interval.low).ln())
    };
    let same = width(&[run(104, 1.0), run(105, 1.0), run(106, 1.0), run(107, 1.0)]);
    let other = width(&[run(1, 1.0), run(2, 1.2), run(3, 0.9), run(4, 1.1)]);
    assert!(same.0 > 20 && same.1 < 0.05, "{same:?}");
    assert!(other.0 == 3 && other.1 > 0.2, "{other:?}");
}

#[test]
fn failures_count_in_the_share_of_successes_and_nowhere_else() {
    let mut records = closed_loop(Service::new(3, 0.01), 8, 1200);
    for record in records.iter_mut().step_by(10) {
        record.failure = Some(Failure {
            kind: FailureKind::ServerError,
            text: String::new(),
        });
        record.end += Nanos(SECOND);
    }
    let statistics = [
        Statistic::Mean(Metric::SuccessRate),
        Statistic::Quantile(Metric::Latency, 0.99),
        Statistic::Mean(Metric::Connect),
    ];
    let found = segments(&records).intervals(&statistics, 0.95, 0);
    let rate = found[0].unwrap();
    assert!((rate.estimate - 0.9).abs() < 1e-9, "{rate:?}");
    assert!(rate.low < 0.89 && 0.91 < rate.high && rate.high - rate.low < 0.08);
    assert!(found[1].unwrap().high < 0.8);
    assert_eq!(found[2], None, "not kept");
}

#[test]
fn memory_is_bounded_and_late_starts_cost_no_detail() {
    let mut run = Segments::default();
    let mut warm = request(0, 0.0, 1e6);
    warm.phase = Phase::Warmup;
    run.add(&warm);
    assert_eq!(run.requests(), 0);
    for index in 0..50_000 {
        let sent = 3600.0 + index as f64;
        run.add(&request(index, sent, sent + 0.2));
    }
    assert!(run.stretches.len() <= 128 && run.stretches.len() > 64);
    assert!(run.cut().count() >= 32);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn parts_in_any_order_come_to_the_same(
        spans in proptest::collection::vec((0.0..100.0_f64, 0.0..30.0_f64), 1..40),
        cut in 0..40_usize,
    ) {
        let records: Vec<_> = (0..)
            .zip(&spans)
            .map(|(index, &(sent, latency))| request(index, sent, sent + latency))
            .collect();
        let whole = segments(&records);
        let (left, right) = records.split_at(cut.min(records.len()));
        let mut parts = segments(right);
        parts.merge(&segments(left));
        prop_assert_eq!(&parts, &whole);
        let backwards: Vec<_> = records.iter().rev().cloned().collect();
        prop_assert_eq!(segments(&backwards), whole);
    }
}
