//! From the records of a run to its figures: as they are right, and as vLLM has them where that is asked for.

use std::collections::BTreeMap;

use crestline_core::arrival::Arrival;
use crestline_core::record::{RequestRecord, TokenSource};
use crestline_core::request::{Arrivals, LoadPoint, Prompt};
use crestline_core::serving::{Applied, Basis, Counting, Figures, RequestClock, Row, SteadyState};
use crestline_core::units::Nanos;
use crestline_experiment::plan::Plan;
use crestline_load::client::endpoint::Endpoint;
use crestline_load::counters::ServerCounters;
use crestline_workload::Workload;
use crestline_workload::plan::{Dataset, Pairing, SampleSource};

use super::args::Compat;
use super::plan::ReportPlan;
use super::probes::Probes;

/// One run: its requests in the order in which they were planned, and what they come to.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) records: Vec<RequestRecord>,
    pub(super) rows: Vec<Row>,
    pub(super) figures: Figures,
    /// By tokens and from when requests were due, whatever is shown otherwise.
    pub(super) from_due: Figures,
    /// The part in which the load was fully applied.
    pub(super) steady: Option<SteadyState>,
    /// When the records' times begin, since 1970.
    pub(super) epoch: Nanos,
    /// Of a ramp, the rate at each request, a second.
    pub(super) rates: Vec<f64>,
    /// What the service counted of itself meanwhile.
    pub(super) counted: Option<ServerCounters>,
    /// What came of the small requests beside the load, where such were sent.
    pub(super) probes: Option<Probes>,
    /// Output tokens are known, from the service or by a tokenizer.
    pub(super) has_tokens: bool,
}

impl Run {
    /// Of the records in a run's database.
    pub(super) fn of(stored: Stored, point: &LoadPoint, seed: u64, report: &ReportPlan) -> Self {
        let Stored {
            mut records,
            epoch,
            sent,
        } = stored;
        records.sort_by_key(|record| record.index);
        let counting = match report.compat {
            Compat::None => Counting::Tokens,
            Compat::Vllm => Counting::Events,
        };
        let rows: Vec<Row> = records
            .iter()
            .map(|record| Row {
                audio_s: sent.audio_s.get(&record.index).copied().unwrap_or(0.0),
                input_sequences: sent.sequences,
                ..row(record, report.compat)
            })
            .collect();
        let basis = Basis {
            duration_s: duration_s(&records, point, seed),
            counting,
            percentiles: report
                .percentiles
                .iter()
                .map(|percentile| percentile.value)
                .collect(),
            limits: report.goodput.unwrap_or_default(),
        };
        let due_rows: Vec<Row> = records.iter().map(from_due).collect();
        let due_basis = Basis {
            counting: Counting::Tokens,
            ..basis.clone()
        };
        Self {
            figures: Figures::of(&rows, &basis),
            steady: SteadyState::of(&rows, applied(point), &basis),
            from_due: Figures::of(&due_rows, &due_basis),
            has_tokens: records.iter().any(has_tokens),
            counted: None,
            probes: None,
            epoch,
            rates: rates(point, records.len()),
            records,
            rows,
        }
    }

    /// Failures by kind.
    pub(super) fn failures(&self) -> BTreeMap<&'static str, u64> {
        let mut kinds = BTreeMap::new();
        for failure in self
            .records
            .iter()
            .filter_map(|record| record.failure.as_ref())
        {
            *kinds.entry(failure.kind.name()).or_default() += 1;
        }
        kinds
    }
}

/// What a database holds.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) records: Vec<RequestRecord>,
    /// When their times begin, since 1970.
    pub(super) epoch: Nanos,
    pub(super) sent: Sent,
}

/// What is known of the requests besides their records.
#[derive(Debug)]
pub(super) struct Sent {
    /// Texts or documents of each.
    pub(super) sequences: u64,
    /// Seconds of speech, by request.
    pub(super) audio_s: BTreeMap<u64, f64>,
}

impl Sent {
    /// Of requests with these indices.
    pub(super) fn of(plan: &Plan, indices: impl Iterator<Item = u64>) -> Self {
        let speech = match plan.endpoint {
            Endpoint::OpenAiTranscription => Workload::open(&plan.workload).ok(),
            _ => None,
        };
        let seconds = |workload: &Workload, index: u64| match workload.item(index).prompt {
            Prompt::Audio(audio) => audio.length.as_secs_f64(),
            _ => 0.0,
        };
        Self {
            sequences: sequences(&plan.workload.dataset),
            audio_s: speech
                .map(|workload| {
                    indices
                        .map(|index| (index, seconds(&workload, index)))
                        .collect()
                })
                .unwrap_or_default(),
        }
    }
}

fn sequences(dataset: &Dataset) -> u64 {
    let Dataset::Sampled(sampling) = dataset else {
        return 1;
    };
    match &sampling.source {
        SampleSource::Random(random) => u64::from(random.texts),
        SampleSource::Rerank(rerank) => match rerank.pairing {
            Pairing::Joined => u64::from(rerank.texts),
            Pairing::Separate => u64::from(rerank.texts.saturating_sub(1)),
        },
        _ => 1,
    }
}

fn applied(point: &LoadPoint) -> Applied {
    let limit = point.load.concurrency.map(|limit| u64::from(limit.get()));
    match point.load.arrivals {
        Arrivals::Immediate | Arrivals::AtOnce => Applied::Closed {
            limit: limit.unwrap_or(point.requests),
        },
        Arrivals::Paced(pacing) if pacing.is_ramp() => Applied::Ramp,
        _ => Applied::Open,
    }
}

fn rates(point: &LoadPoint, requests: usize) -> Vec<f64> {
    match point.load.arrivals {
        Arrivals::Paced(pacing) if pacing.is_ramp() => (0..requests as u64)
            .map(|index| pacing.rate_at(index))
            .collect(),
        _ => Vec::new(),
    }
}

fn has_tokens(record: &RequestRecord) -> bool {
    record
        .output_tokens
        .is_some_and(|tokens| tokens.source != TokenSource::Chunks)
}

/// The row of a request as it is right, or as vLLM has it.
pub(super) fn row(record: &RequestRecord, compat: Compat) -> Row {
    match compat {
        Compat::None => Row::of_record(record, RequestClock::Sent),
        Compat::Vllm => Row::of_choices(record, RequestClock::Dispatched),
    }
}

/// The row of a user who waits from when the request was due.
fn from_due(record: &RequestRecord) -> Row {
    let row = Row::of_record(record, RequestClock::Sent);
    let waited = row.start_s - row.due_s;
    Row {
        start_s: row.due_s,
        ttft_s: row.ttft_s + waited,
        latency_s: row.latency_s + waited,
        queue_s: 0.0,
        ..row
    }
}

/// From the begin of the schedule, which is before the first request is due, until all have ended.
fn duration_s(records: &[RequestRecord], point: &LoadPoint, seed: u64) -> f64 {
    let first = records.iter().map(|record| record.due).min();
    let last = records.iter().map(|record| record.end).max();
    let lead = Arrival::new(point.load.arrivals, seed)
        .and_then(|mut arrivals| arrivals.next())
        .unwrap_or_default();
    match (first, last) {
        (Some(first), Some(last)) => last
            .saturating_sub(first.saturating_sub(lead))
            .as_secs_f64(),
        _ => 0.0,
    }
}
