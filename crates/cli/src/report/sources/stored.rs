//! A run's database as facts: everything comes from its records.
//!
//! Knows no other file.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error as _;
use std::num::NonZeroU32;
use std::path::Path;

use crestline_core::digest::{Digest, Window, quantile_curve};
use crestline_core::metrics::{Metric, Over};
use crestline_core::record::{Exchange, RequestRecord};
use crestline_core::request::{Load, LoadPoint};
use crestline_core::segments::Segments;
use crestline_core::summary::RunSummary;
use crestline_core::units::Rate;
use crestline_experiment::digest;
use crestline_experiment::plan::{Plan, SubjectPlan};
use crestline_experiment::run::{CLIENT, INTERRUPTED, POINT};
use crestline_load::server_metrics::told;
use crestline_report::facts::{self, Applied, Client, Detail, Figures, LoadFacts, Origin, Spread};
use crestline_store::runs::{RunMeta, RunReader, StoreError, other_rows};

use serde_json::{Value, json};

use super::{Texts, Wanted};
use crate::client_health;

/// Quantiles of tables, which a curve may pass by.
const QUANTILES: [f64; 6] = [0.5, 0.9, 0.95, 0.99, 0.999, 1.0];

/// Whether single requests are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    Figures,
    Requests,
}

/// Reads a database of a load, or of the session of a search.
pub(super) fn read(path: &Path, wanted: &Wanted, depth: Depth) -> Result<LoadFacts, String> {
    let why = |error: StoreError| why(&error);
    let run = match digest::read(path, wanted.limits) {
        Err(StoreError::NotARun {
            missing: "meta", ..
        }) => {
            return of_other(path, wanted, depth).map_err(why);
        }
        run => run.map_err(why)?,
    };
    if run.summary.total() == 0 {
        return Err("it holds no requests: none had ended when it was last written".to_owned());
    }
    let reader = RunReader::open(path).map_err(why)?;
    let plan: Option<Plan> = serde_json::from_value(run.meta.header.plan.clone()).ok();
    let detail = match depth {
        Depth::Figures => None,
        Depth::Requests => Some(Box::new(Detail {
            texts: match wanted.texts {
                Texts::LeftOut => BTreeMap::new(),
                Texts::Included => texts(&reader, &run.digest).map_err(why)?,
            },
            server: told(&reader.server_series().map_err(why)?).courses,
            digest: run.digest,
            segments: Some(run.segments),
        })),
    };
    let noted = |name: &str| reader.note(name).ok().flatten();
    let noted_point = noted(POINT).and_then(|point| serde_json::from_value(point).ok());
    let point: Option<LoadPoint> = noted_point.or(run.point);
    let asked = point.filter(|point| point.duration.is_none());
    let is_whole = asked.is_none_or(|point| run.summary.total() >= point.requests)
        && noted(INTERRUPTED) != Some(Value::Bool(true));
    Ok(LoadFacts {
        applied: point.map(|point| applied(&point)).unwrap_or_default(),
        figures: figures(&run.summary),
        detail,
        client: match plan.as_ref().map(|plan| &plan.subject) {
            Some(SubjectPlan::Virtual(_)) => Client::Virtual,
            _ => client_health::read_back(&noted(CLIENT).unwrap_or_default()),
        },
        origin: Origin {
            files: vec![path.display().to_string()],
            is_complete: run.meta.complete && is_whole,
            ..origin(&run.meta, plan.as_ref())
        },
        ..LoadFacts::default()
    })
}

/// Reads a database of another program: what was measured with what, it does not say.
fn of_other(path: &Path, wanted: &Wanted, depth: Depth) -> Result<LoadFacts, StoreError> {
    let records = other_rows(path)?;
    let (figures, mut detail) = of_records(&records, wanted);
    if wanted.texts == Texts::Included {
        let rows = detail.digest.requests.rows();
        let shown: BTreeSet<u64> = rows.iter().map(|row| row.index).collect();
        let texts = records
            .iter()
            .filter(|record| shown.contains(&record.index));
        detail.texts = texts
            .filter_map(|record| {
                let exchange = record.exchange.as_deref()?.clone();
                Some((record.index, texts_of(exchange)))
            })
            .collect();
    }
    Ok(LoadFacts {
        figures,
        detail: (depth == Depth::Requests).then(|| Box::new(detail)),
        origin: Origin {
            files: vec![path.display().to_string()],
            is_complete: true,
            ..Origin::default()
        },
        ..LoadFacts::default()
    })
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

fn applied(point: &LoadPoint) -> Applied {
    Applied {
        concurrency: point.load.concurrency.map(|limit| f64::from(limit.get())),
        rate: point.load.rate().map(Rate::value),
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
        work: Some(work(&header.plan)),
        ..Origin::default()
    }
}

/// What a plan sends, without what makes one run of it another one.
fn work(plan: &Value) -> Value {
    let mut work = json!({
        "endpoint": plan["endpoint"],
        "workload": plan["workload"],
        "generation": plan["generation"],
    });
    for (part, key) in [
        ("workload", "seed"),
        ("workload", "offset"),
        ("generation", "seed"),
    ] {
        if let Some(part) = work[part].as_object_mut() {
            part.remove(key);
        }
    }
    work
}

/// What requests come to that are known from elsewhere.
pub(super) fn of_records(records: &[RequestRecord], wanted: &Wanted) -> (Figures, Detail) {
    // Which load was applied has no part in the figures.
    let mut summary = RunSummary::new(LoadPoint {
        load: Load::closed(NonZeroU32::MIN),
        requests: records.len() as u64,
        warmup: 0,
        duration: None,
    });
    let sent = records.iter().map(|record| record.sent).min();
    let end = records.iter().map(|record| record.end).max();
    let (sent, end) = (sent.unwrap_or_default(), end.unwrap_or_default());
    let window = Window::of(sent, end, records.len() as u64);
    let mut digest = Digest::new(window, wanted.limits);
    let mut segments = Segments::default();
    for record in records {
        summary.add(record);
        digest.add(record);
        segments.add(record);
    }
    summary.sort();
    let detail = Detail {
        digest,
        segments: Some(segments),
        server: Vec::new(),
        texts: BTreeMap::new(),
    };
    (figures(&summary), detail)
}

/// Prompts and answers of the requests that are shown.
fn texts(reader: &RunReader, digest: &Digest) -> Result<BTreeMap<u64, facts::Texts>, StoreError> {
    let rows = digest.requests.rows();
    let shown: BTreeSet<u64> = rows.iter().map(|row| row.index).collect();
    let found = reader.texts_of(&shown)?.into_iter();
    Ok(found
        .map(|(index, exchange)| (index, texts_of(exchange)))
        .collect())
}

fn texts_of(exchange: Exchange) -> facts::Texts {
    let parts = [&exchange.reasoning, &exchange.answer, &exchange.tool_calls];
    let parts = parts.into_iter().filter(|part| !part.is_empty());
    facts::Texts {
        answer: parts.map(String::as_str).collect::<Vec<_>>().join("\n"),
        request: exchange.request,
    }
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
