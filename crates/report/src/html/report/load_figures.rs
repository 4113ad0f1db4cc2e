//! Figures of one run: percentiles, course over time, lengths, single requests, the service meanwhile.
//!
//! Draws what the digest has; where only the percentiles of a file are known, those.

use crestline_core::digest::QuantilePoint;
use crestline_core::metrics::Metric;

use super::against_load::spread;
use crate::facts::{Detail, LoadFacts};
use crate::figures::{
    PercentileCurve, Picture, RequestDot, Scatter, course_rates, course_times, lengths,
    percentiles, scatter, server_courses,
};
use crate::html::document::{Block, Figure, Text};

/// Quantiles of tables and files.
pub(super) const STANDARD: [f64; 11] = [
    0.1, 0.25, 0.5, 0.66, 0.75, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999,
];
/// Percentiles that make a curve.
const FEWEST: usize = 4;
/// Metrics with a curve of percentiles.
const CURVES: [Metric; 4] = [Metric::Ttft, Metric::Tpot, Metric::Itl, Metric::Latency];

fn figure(name: &str, picture: Picture, caption: impl Into<Text>) -> Figure {
    Figure {
        name: name.to_owned(),
        picture,
        caption: caption.into(),
    }
}

/// The figures of a run whose requests are known.
pub(super) fn blocks(load: &LoadFacts, detail: &Detail) -> Vec<Block> {
    let digest = &detail.digest;
    if digest.requests.total() == 0 {
        return Vec::new();
    }
    let mut over_time = Vec::new();
    if let Some(picture) = course_times("", &digest.course) {
        over_time.push(figure("times-over-run", picture, ""));
    }
    over_time.push(figure(
        "rates-over-run",
        course_rates("", &digest.course),
        "",
    ));
    let mut spreads = Vec::new();
    spreads.extend(percentile_figure(load).map(|it| figure("percentiles", it, "")));
    spreads.push(figure("lengths", lengths("", &digest.lengths), ""));
    spreads.extend(latencies(detail).map(|it| figure("requests", it, "")));
    vec![
        Block::Subheading("Over time".to_owned()),
        Block::Figures(over_time),
        Block::Subheading("Spreads".to_owned()),
        Block::Figures(spreads),
    ]
}

/// The figure of a run of which no requests are known, where enough percentiles are for a curve.
pub(super) fn of_figures(load: &LoadFacts) -> Option<Block> {
    let is_curve = |metric: &Metric| {
        spread(load, *metric).is_some_and(|spread| spread.quantiles.len() >= FEWEST)
    };
    let is_known = CURVES.iter().any(is_curve);
    let picture = percentile_figure(load).filter(|_| is_known)?;
    Some(Block::Figures(vec![figure("percentiles", picture, "")]))
}

/// Curves of percentiles.
fn percentile_figure(load: &LoadFacts) -> Option<Picture> {
    let points: Vec<(Metric, Vec<QuantilePoint>)> = CURVES
        .into_iter()
        .filter_map(|metric| {
            let quantiles = &spread(load, metric)?.quantiles;
            let points = quantiles
                .iter()
                .map(|&(q, value)| QuantilePoint { q, value });
            Some((metric, points.collect()))
        })
        .collect();
    let curves: Vec<PercentileCurve<'_>> = points
        .iter()
        .map(|(metric, points)| PercentileCurve {
            name: "",
            metric: *metric,
            points,
        })
        .collect();
    percentiles("", &curves)
}

/// The latency of single requests.
fn latencies(detail: &Detail) -> Option<Picture> {
    let requests = &detail.digest.requests;
    let rows = requests.rows();
    let origin = rows.iter().map(|row| row.sent).min()?;
    let dots: Vec<RequestDot> = rows
        .iter()
        .map(|row| RequestDot {
            sent_s: row.sent.saturating_sub(origin).as_secs_f64(),
            value_s: row.failure.is_none().then(|| row.latency().as_secs_f64()),
        })
        .collect();
    scatter(&Scatter {
        subject: "",
        value: "Latency",
        dots: &dots,
        total: requests.total(),
    })
}

/// What the service said of itself.
pub(super) fn server(detail: &Detail) -> Vec<Figure> {
    let window = detail.digest.course.window();
    let picture = server_courses("", &detail.server, [window.from(), window.to()]);
    picture
        .map(|picture| figure("server", picture, ""))
        .into_iter()
        .collect()
}
