//! A run's database as facts: everything comes from its records.
//!
//! Knows no other file.

use std::collections::BTreeSet;
use std::error::Error as _;
use std::num::NonZeroU32;
use std::path::Path;

use crestline_core::digest::{Digest, Window, quantile_curve};
use crestline_core::metrics::{Metric, Over};
use crestline_core::record::RequestRecord;
use crestline_core::request::{Load, LoadPoint};
use crestline_core::segments::Segments;
use crestline_core::summary::RunSummary;
use crestline_core::units::Rate;
use crestline_experiment::plan::{Plan, SubjectPlan};
use crestline_experiment::run::point_folders;
use crestline_report::facts::{self, Applied, Client, Detail, Figures, LoadFacts, Origin, Spread};
use crestline_store::runs::{RunMeta, RunReader, StoreError};

use super::{Texts, Wanted};

/// Quantiles of tables, which a curve may pass by.
const QUANTILES: [f64; 6] = [0.5, 0.9, 0.95, 0.99, 0.999, 1.0];

/// Whether single requests are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    Figures,
    Requests,
}

/// Reads a database of a load.
pub(super) fn read(path: &Path, wanted: &Wanted, depth: Depth) -> Result<LoadFacts, String> {
    let reader = RunReader::open(path).map_err(|error| why(&error))?;
    let meta = reader.meta();
    let plan: Option<Plan> = serde_json::from_value(meta.header.plan.clone()).ok();
    let point = plan.as_ref().and_then(|plan| point(plan, path));
    let mut records = Vec::new();
    for record in reader.records() {
        let mut record = record.map_err(|error| why(&error))?;
        if wanted.texts == Texts::LeftOut {
            record.exchange = None;
        }
        records.push(record);
    }
    if records.is_empty() {
        return Err("it holds no requests: none had ended when it was last written".to_owned());
    }
    let mut load = of_records(&records, wanted, depth);
    let asked = point.filter(|point| point.duration.is_none());
    let is_whole = asked.is_none_or(|point| records.len() as u64 >= point.requests);
    load.applied = point.map(|point| applied(&point)).unwrap_or_default();
    load.client = client(plan.as_ref());
    load.origin = Origin {
        files: vec![path.display().to_string()],
        is_complete: meta.complete && is_whole,
        ..origin(meta, plan.as_ref())
    };
    Ok(load)
}

/// Why a database cannot be read, without its path.
pub(super) fn why(error: &StoreError) -> String {
    match error {
        StoreError::NotARun { missing, .. } => {
            format!("it is a database of something else: it has no `{missing}`")
        }
        StoreError::Newer { version, .. } => {
            format!("it has format version {version}: read it with a newer crestline")
        }
        StoreError::Damaged { place, .. } => format!("it is damaged: {place} cannot be understood"),
        other => other
            .source()
            .map_or_else(|| other.to_string(), ToString::to_string),
    }
}

/// The load that a database is of: the folder that it lies in says which of the plan.
fn point(plan: &Plan, path: &Path) -> Option<LoadPoint> {
    if let [only] = plan.points[..] {
        return Some(only);
    }
    let folder = path.parent()?.file_name()?.to_string_lossy().into_owned();
    let names = point_folders(&plan.points);
    let place = names.iter().position(|name| *name == folder)?;
    plan.points.get(place).copied()
}

fn applied(point: &LoadPoint) -> Applied {
    Applied {
        concurrency: point.load.concurrency.map(|limit| f64::from(limit.get())),
        rate: point.load.rate().map(Rate::value),
    }
}

fn client(plan: Option<&Plan>) -> Client {
    match plan.map(|plan| &plan.subject) {
        Some(SubjectPlan::Virtual(_)) => Client::Virtual,
        _ => Client::Unknown,
    }
}

/// What a run says of itself.
pub(super) fn origin(meta: &RunMeta, plan: Option<&Plan>) -> Origin {
    let header = &meta.header;
    let began = header.start.as_secs_f64();
    Origin {
        tool: format!("crestline {}", header.tool_version),
        began_s: (began > 0.0).then_some(began),
        command: plan.and_then(|plan| plan.output.command.clone()),
        model: plan.map(|plan| plan.model.clone()),
        url: plan.map(Plan::shown_url),
        seed: plan.map(|plan| plan.workload.seed),
        settings: Some(header.plan.clone()),
        ..Origin::default()
    }
}

/// What some requests come to.
pub(super) fn of_records(records: &[RequestRecord], wanted: &Wanted, depth: Depth) -> LoadFacts {
    // Which load was applied has no part in the figures.
    let mut summary = RunSummary::new(LoadPoint {
        load: Load::closed(NonZeroU32::MIN),
        requests: records.len() as u64,
        warmup: 0,
        duration: None,
    });
    for record in records {
        summary.add(record);
    }
    summary.sort();
    LoadFacts {
        figures: figures(&summary),
        detail: (depth == Depth::Requests).then(|| Box::new(detail(records, wanted))),
        ..LoadFacts::default()
    }
}

fn detail(records: &[RequestRecord], wanted: &Wanted) -> Detail {
    let sent = records.iter().map(|record| record.sent).min();
    let end = records.iter().map(|record| record.end).max();
    let (sent, end) = (sent.unwrap_or_default(), end.unwrap_or_default());
    let window = Window::of(sent, end, records.len() as u64);
    let mut digest = Digest::new(window, wanted.limits);
    let mut segments = Segments::default();
    for record in records {
        digest.add(record);
        segments.add(record);
    }
    let shown: BTreeSet<u64> = digest.requests.rows().iter().map(|row| row.index).collect();
    let texts = records
        .iter()
        .filter(|record| shown.contains(&record.index));
    Detail {
        texts: texts
            .filter_map(|record| Some((record.index, self::texts(record)?)))
            .collect(),
        digest,
        segments: Some(segments),
        server: Vec::new(),
    }
}

fn texts(record: &RequestRecord) -> Option<facts::Texts> {
    let exchange = record.exchange.as_ref()?;
    let parts = [&exchange.reasoning, &exchange.answer, &exchange.tool_calls];
    let parts = parts.into_iter().filter(|part| !part.is_empty());
    Some(facts::Texts {
        request: exchange.request.clone(),
        answer: parts.map(String::as_str).collect::<Vec<_>>().join("\n"),
    })
}

/// The figures of a run.
pub(super) fn figures(summary: &RunSummary) -> Figures {
    let totals = Metric::all().filter(|metric| metric.over() == Over::Run);
    let failures = summary.failures().iter();
    Figures {
        duration_s: (summary.total() > 0).then(|| summary.duration().as_secs_f64()),
        requests: summary.total(),
        failed: summary.failed(),
        totals: totals
            .filter_map(|metric| Some((metric, summary.mean(metric)?)))
            .collect(),
        spreads: Metric::sampled()
            .filter_map(|metric| Some((metric, spread(summary, metric)?)))
            .collect(),
        failures: failures
            .map(|(kind, count)| (kind.name().to_owned(), *count))
            .collect(),
    }
}

fn spread(summary: &RunSummary, metric: Metric) -> Option<Spread> {
    let at = |q: f64| summary.quantile(metric, q);
    let curve = quantile_curve(summary, metric);
    let mut quantiles: Vec<(f64, f64)> = curve.iter().map(|point| (point.q, point.value)).collect();
    quantiles.retain(|(q, _)| !QUANTILES.contains(q));
    quantiles.extend(QUANTILES.iter().filter_map(|q| Some((*q, at(*q)?))));
    quantiles.sort_by(|one, other| one.0.total_cmp(&other.0));
    Some(Spread {
        mean: Some(summary.mean(metric)?),
        deviation: summary.deviation(metric),
        ends: Some([at(0.0)?, at(1.0)?]),
        quantiles,
    })
}
