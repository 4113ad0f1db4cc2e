//! Throughputs and latencies against load: means with their intervals, the runs as dots.
//!
//! Of several runs at one load the interval is that of their mean (Student's t); of a single run whose requests are known
//! it comes from segments of it. A run whose client was the bottleneck is a cross.

use std::collections::BTreeMap;

use crestline_core::metrics::Metric;
use crestline_core::segments::Statistic;
use crestline_core::stats::two_sided_t;

use super::words::{parameters, short, shown_in};
use crate::facts::{Client, Facts, LoadFacts};
use crate::figures::{Curve, CurveAxis, CurvePart, Curves, Key, Kind, Range, curves};
use crate::html::document::{Figure, Text};

/// Probability of the intervals.
pub(super) const LEVEL: f64 = 0.95;
/// Seed of the draws.
const SEED: u64 = 1;
/// Configurations that are told apart in a figure.
const MOST_CURVES: usize = 8;

/// What the lower axis is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Variable {
    /// Of closed loops.
    Concurrency,
    /// Most requests in flight beside one rate.
    Limit,
    Rate,
}

impl Variable {
    /// What the runs differ in; `None` where they are all of one load. Where only some have a rate, those are left out.
    fn of(loads: &[LoadFacts]) -> Option<Self> {
        let all_have_rates = loads.iter().all(|load| load.applied.rate.is_some());
        let candidates = if all_have_rates {
            [Self::Rate, Self::Limit]
        } else {
            [Self::Concurrency, Self::Rate]
        };
        candidates.into_iter().find(|variable| {
            let mut values: Vec<f64> = loads.iter().filter_map(|load| variable.at(load)).collect();
            values.sort_by(f64::total_cmp);
            values.dedup();
            values.len() > 1
        })
    }

    fn at(self, load: &LoadFacts) -> Option<f64> {
        match self {
            Self::Concurrency if load.applied.rate.is_some() => None,
            Self::Concurrency | Self::Limit => load.applied.concurrency,
            Self::Rate => load.applied.rate,
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::Concurrency => "users in flight",
            Self::Limit => "requests in flight at most",
            Self::Rate => "requests a second, asked",
        }
    }
}

/// All figures against load; none where there is one load alone.
pub(super) fn figures(facts: &Facts) -> Vec<Figure> {
    let Some(variable) = Variable::of(&facts.loads) else {
        return Vec::new();
    };
    let lines = Lines::of(facts, variable);
    let mean = Statistic::Mean;
    let quantile = Statistic::Quantile;
    let [ttft, latency] = match variable {
        Variable::Concurrency => [Metric::Ttft, Metric::Latency],
        Variable::Rate | Variable::Limit => [Metric::TtftFromDue, Metric::LatencyFromDue],
    };
    let all: [(&str, &str, Vec<Statistic>); 5] = [
        (
            "output",
            "Output tokens a second",
            vec![mean(Metric::OutputThroughput)],
        ),
        (
            "throughput",
            "Requests a second",
            vec![mean(Metric::RequestThroughput)],
        ),
        (
            "ttft",
            "Time to first token",
            vec![quantile(ttft, 0.5), quantile(ttft, 0.99)],
        ),
        (
            "tpot",
            "Time per output token",
            vec![mean(Metric::Tpot), quantile(Metric::Tpot, 0.99)],
        ),
        (
            "latency",
            "End-to-end latency",
            vec![quantile(latency, 0.5), quantile(latency, 0.99)],
        ),
    ];
    let drawn = all.into_iter().filter_map(|(name, title, statistics)| {
        let parts = lines.parts(&statistics);
        (!parts.is_empty()).then(|| figure(name, title, parts))
    });
    let mut drawn: Vec<Figure> = drawn.collect();
    if let (Some(first), true) = (drawn.first_mut(), lines.left_out > 0) {
        first.caption = format!(
            "{} configurations with lower throughput are in the table alone.",
            lines.left_out
        )
        .into();
    }
    drawn
}

fn figure(name: &str, title: &str, parts: Vec<CurvePart>) -> Figure {
    let picture = curves(&Curves {
        title: title.to_owned(),
        subject: String::new(),
        columns: 2,
        part_inches: [4.6, 3.2],
        parts: parts.into_iter().map(Some).collect(),
        range: Range::Own,
        key: Key::Names,
    });
    Figure {
        name: format!("{name}-against-load"),
        picture,
        caption: Text::default(),
    }
}

/// Runs by configuration, each a curve.
struct Lines<'a> {
    variable: Variable,
    /// Name and runs.
    curves: Vec<(String, Vec<&'a LoadFacts>)>,
    left_out: usize,
}

impl<'a> Lines<'a> {
    fn of(facts: &'a Facts, variable: Variable) -> Self {
        let mut curves: Vec<(String, Vec<&LoadFacts>)> = Vec::new();
        for load in &facts.loads {
            if variable.at(load).is_none() {
                continue;
            }
            let name = parameters(&load.parameters, &facts.parameters);
            match curves.iter_mut().find(|(known, _)| *known == name) {
                Some((_, runs)) => runs.push(load),
                None => curves.push((name, vec![load])),
            }
        }
        let left_out = curves.len().saturating_sub(MOST_CURVES);
        if left_out > 0 {
            let best = |runs: &[&LoadFacts]| {
                let all = runs
                    .iter()
                    .filter_map(|run| total(run, Metric::OutputThroughput));
                all.fold(0.0, f64::max)
            };
            let mut ranked: Vec<usize> = (0..curves.len()).collect();
            ranked.sort_by(|one, other| best(&curves[*other].1).total_cmp(&best(&curves[*one].1)));
            let mut kept: Vec<usize> = ranked.into_iter().take(MOST_CURVES).collect();
            kept.sort_unstable();
            let mut place = 0;
            curves.retain(|_| {
                place += 1;
                kept.binary_search(&(place - 1)).is_ok()
            });
        }
        Self {
            variable,
            curves,
            left_out,
        }
    }

    /// Figures beside each other; of one configuration alone they are curves of one part.
    fn parts(&self, statistics: &[Statistic]) -> Vec<CurvePart> {
        let parts: Vec<CurvePart> = statistics
            .iter()
            .filter_map(|statistic| self.part(*statistic))
            .collect();
        if self.curves.len() > 1 || parts.len() < 2 {
            return parts;
        }
        let mut together = parts[0].clone();
        let metric = statistics[0].metric();
        let (_, unit) = shown_in(metric);
        together.y.label = format!("{} ({unit})", short(metric));
        together.curves = parts
            .into_iter()
            .zip(statistics)
            .flat_map(|(part, statistic)| {
                let name = match statistic {
                    Statistic::Mean(_) => "mean".to_owned(),
                    Statistic::Quantile(_, q) => {
                        format!("p{}", crate::number::trimmed(Some(q * 100.0), 2))
                    }
                };
                let named = move |curve: Curve| Curve {
                    name: name.clone(),
                    ..curve
                };
                part.curves.into_iter().map(named)
            })
            .collect();
        vec![together]
    }

    /// One figure of all runs; `None` where no run has it.
    fn part(&self, statistic: Statistic) -> Option<CurvePart> {
        let metric = statistic.metric();
        let (scale, unit) = shown_in(metric);
        let drawn = self
            .curves
            .iter()
            .map(|(name, runs)| self.curve(name, runs, statistic, scale));
        let drawn: Vec<Curve> = drawn.filter(|curve| !curve.points.is_empty()).collect();
        if drawn.is_empty() {
            return None;
        }
        let xs: Vec<f64> = drawn
            .iter()
            .flat_map(|curve| curve.points.iter().map(|point| point[0]))
            .collect();
        let ends = xs.iter().fold([f64::INFINITY, 0.0_f64], |[low, high], x| {
            [low.min(*x), high.max(*x)]
        });
        Some(CurvePart {
            title: String::new(),
            x: CurveAxis {
                label: self.variable.label().to_owned(),
                kind: if ends[0] > 0.0 && ends[1] / ends[0] >= 16.0 {
                    Kind::Log2
                } else {
                    Kind::Linear
                },
                ..CurveAxis::default()
            },
            y: CurveAxis {
                label: label(statistic, unit),
                ..CurveAxis::default()
            },
            curves: drawn,
            limits: Vec::new(),
            limits_x: Vec::new(),
        })
    }

    fn curve(&self, name: &str, runs: &[&LoadFacts], statistic: Statistic, scale: f64) -> Curve {
        let mut curve = Curve {
            name: name.to_owned(),
            ..Curve::default()
        };
        let mut by_load: BTreeMap<u64, Vec<&LoadFacts>> = BTreeMap::new();
        for run in runs {
            let Some(x) = self.variable.at(run) else {
                continue;
            };
            let Some(y) = value(run, statistic) else {
                continue;
            };
            if matches!(run.client, Client::Void(..)) {
                curve.voids.push([x, y * scale]);
                continue;
            }
            by_load.entry(x.to_bits()).or_default().push(run);
        }
        for (bits, runs) in by_load {
            let x = f64::from_bits(bits);
            let values: Vec<f64> = runs
                .iter()
                .filter_map(|run| value(run, statistic))
                .collect();
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            curve.points.push([x, mean * scale]);
            if values.len() > 1 {
                curve.dots.extend(values.iter().map(|y| [x, y * scale]));
            }
            if let Some([low, high]) = interval(&runs, &values, statistic) {
                curve.band.push([x, low * scale, high * scale]);
            }
        }
        curve
    }
}

fn label(statistic: Statistic, unit: &str) -> String {
    let name = short(statistic.metric());
    match statistic {
        Statistic::Quantile(_, q) => {
            format!(
                "{name} p{} ({unit})",
                crate::number::trimmed(Some(q * 100.0), 2)
            )
        }
        Statistic::Mean(metric) if unit == "ms" => {
            format!("{} mean ({unit})", short(metric))
        }
        Statistic::Mean(_) => name.to_owned(),
    }
}

/// A figure of a run, in the base unit of its metric.
pub(super) fn value(run: &LoadFacts, statistic: Statistic) -> Option<f64> {
    match statistic {
        Statistic::Mean(metric) => total(run, metric).or_else(|| spread(run, metric)?.mean),
        Statistic::Quantile(metric, q) => spread(run, metric)?.at(q),
    }
}

/// A figure of the whole run.
pub(super) fn total(run: &LoadFacts, metric: Metric) -> Option<f64> {
    run.figures.totals.get(&metric).copied()
}

/// The spread of a metric; from when requests were sent, where nothing is known of when they were due.
pub(super) fn spread(run: &LoadFacts, metric: Metric) -> Option<&crate::facts::Spread> {
    let all = &run.figures.spreads;
    all.get(&metric).or_else(|| match metric {
        Metric::TtftFromDue => all.get(&Metric::Ttft),
        Metric::LatencyFromDue => all.get(&Metric::Latency),
        _ => None,
    })
}

/// Where the mean over such runs lies.
pub(super) fn interval(
    runs: &[&LoadFacts],
    values: &[f64],
    statistic: Statistic,
) -> Option<[f64; 2]> {
    if let [only] = runs {
        let segments = only.detail.as_ref()?.segments.as_ref()?;
        let all = segments.intervals(&[statistic], LEVEL, SEED);
        let found = (*all.first()?)?;
        return Some([found.low, found.high]);
    }
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let error = (squares / (count - 1.0) / count).sqrt();
    let reach = two_sided_t(LEVEL, values.len() as u32 - 1) * error;
    Some([(mean - reach).max(0.0), mean + reach])
}
