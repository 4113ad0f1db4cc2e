//! What is computed, shown and written of a run.

use std::path::PathBuf;

use crestline_core::serving::{Limits, Quantity};
use crestline_load::client::endpoint::Endpoint;

use super::super::args::{Compat, LoadArgs, RampUp, ResultArgs, ServeArgs};
use crate::problem::Problem;
use crate::values;

/// A metric that has lines and fields of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Metric {
    Ttft,
    Tpot,
    Itl,
    E2el,
    ClientQueueTime,
    E2elWithQueue,
}

impl Metric {
    /// All, in the order in which they are shown.
    pub(crate) const ALL: [Self; 6] = [
        Self::Ttft,
        Self::Tpot,
        Self::Itl,
        Self::E2el,
        Self::ClientQueueTime,
        Self::E2elWithQueue,
    ];

    /// As it is typed, and stands in names of fields.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Ttft => "ttft",
            Self::Tpot => "tpot",
            Self::Itl => "itl",
            Self::E2el => "e2el",
            Self::ClientQueueTime => "client_queue_time",
            Self::E2elWithQueue => "e2el_including_client_queue",
        }
    }

    /// The title of its lines.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Ttft => "Time to First Token",
            Self::Tpot => "Time per Output Token (excl. 1st token)",
            Self::Itl => "Inter-token Latency",
            Self::E2el => "End-to-end Latency",
            Self::ClientQueueTime => "Client-side Queueing",
            Self::E2elWithQueue => "Queue-inclusive End-to-end Latency",
        }
    }

    /// As it is called in its lines.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ttft => "TTFT",
            Self::Tpot => "TPOT",
            Self::Itl => "ITL",
            Self::E2el => "E2EL",
            Self::ClientQueueTime => "Client Queue Time",
            Self::E2elWithQueue => "E2EL incl. Client Queue",
        }
    }
}

impl Metric {
    /// What it is the spread of.
    pub(crate) fn quantity(self) -> Quantity {
        match self {
            Self::Ttft => Quantity::Ttft,
            Self::Tpot => Quantity::Tpot,
            Self::Itl => Quantity::Itl,
            Self::E2el => Quantity::Latency,
            Self::ClientQueueTime => Quantity::Queue,
            Self::E2elWithQueue => Quantity::LatencyWithQueue,
        }
    }

    /// Without token counts it is not shown.
    pub(crate) fn needs_tokens(self) -> bool {
        matches!(self, Self::Ttft | Self::Tpot | Self::Itl)
    }
}

/// A percentile as it is typed and as a number.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Percentile {
    /// In 0..=100.
    pub(crate) value: f64,
    /// In names: without decimals where it is whole, else as the number prints.
    pub(crate) text: String,
}

/// What is computed, shown and written of a run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ReportPlan {
    /// The service gives vectors or scores, and no text.
    pub(crate) is_pooled: bool,
    pub(crate) metrics: Vec<Metric>,
    pub(crate) percentiles: Vec<Percentile>,
    /// Limits of a good request, where they are asked for.
    pub(crate) goodput: Option<Limits>,
    pub(crate) compat: Compat,
    /// Further fields of the JSON.
    pub(crate) metadata: Vec<(String, String)>,
    pub(crate) saving: Saving,
    pub(crate) backend: String,
    pub(crate) label: Option<String>,
    pub(crate) model_id: String,
    pub(crate) tokenizer_id: Option<String>,
    pub(crate) num_prompts: i64,
    pub(crate) request_rate: f64,
    pub(crate) burstiness: f64,
    pub(crate) max_concurrency: Option<i64>,
    pub(crate) ramp_up: Option<RampUpPlan>,
    /// Whole runs, one after the other.
    pub(crate) turns: u32,
}

/// How the rate rises, in requests a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct RampUpPlan {
    pub(crate) strategy: RampUp,
    pub(crate) start: i64,
    pub(crate) end: i64,
}

impl RampUp {
    /// As it is typed.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Linear => "linear",
            Self::Exponential => "exponential",
        }
    }
}

/// What is written, and where.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Saving {
    pub(crate) save: bool,
    pub(crate) append: bool,
    pub(crate) detailed: bool,
    pub(crate) folder: Option<PathBuf>,
    pub(crate) file_name: Option<String>,
}

impl ReportPlan {
    /// The beginning of file names.
    pub(crate) fn name(&self) -> String {
        self.label.clone().unwrap_or_else(|| self.backend.clone())
    }

    /// The file of a run that ended at `stamp` (`YYYYmmdd-HHMMSS`); `None` where none is written.
    pub(crate) fn file(&self, stamp: &str) -> Option<PathBuf> {
        if !self.saving.save && !self.saving.append {
            return None;
        }
        let name = self.saving.file_name.clone().unwrap_or_else(|| {
            let limit = self
                .max_concurrency
                .map_or_else(String::new, |limit| format!("-concurrency{limit}"));
            let rate = match self.ramp_up {
                Some(ramp) => {
                    format!(
                        "ramp-up-{}-{}qps-{}qps",
                        ramp.strategy.name(),
                        ramp.start,
                        ramp.end
                    )
                }
                None => format!("{}qps", python_float(self.request_rate)),
            };
            let model = self.model_id.rsplit('/').next().unwrap_or_default();
            format!("{}-{rate}{limit}-{model}-{stamp}.json", self.name())
        });
        Some(match &self.saving.folder {
            Some(folder) => folder.join(name),
            None => PathBuf::from(name),
        })
    }
}

/// A number as Python prints it: `5.0`, `inf`.
pub(crate) fn python_float(value: f64) -> String {
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    format!("{value:?}")
}

pub(super) fn plan(
    args: &ServeArgs,
    model: &str,
    endpoint: Endpoint,
) -> Result<ReportPlan, Problem> {
    let is_pooled = !endpoint.generates();
    let results = &args.results;
    Ok(ReportPlan {
        is_pooled,
        metrics: metrics(results.percentile_metrics.as_deref(), endpoint)?,
        percentiles: percentiles(&results.metric_percentiles)?,
        goodput: goodput(&results.goodput)?,
        compat: results.compat,
        metadata: metadata(&results.metadata)?,
        saving: saving(results),
        backend: args.connection.backend.clone(),
        label: results.label.clone(),
        model_id: model.to_owned(),
        tokenizer_id: (!args.connection.skip_tokenizer_init).then(|| {
            args.connection
                .tokenizer
                .clone()
                .unwrap_or_else(|| model.to_owned())
        }),
        num_prompts: args.load.num_prompts,
        request_rate: args.load.request_rate,
        burstiness: args.load.burstiness,
        max_concurrency: args.load.max_concurrency,
        turns: values::positive("--num-runs", args.load.num_runs)?.get(),
        ramp_up: ramp_up(&args.load),
    })
}

/// The ramp, which has been found to be sound before.
fn ramp_up(load: &LoadArgs) -> Option<RampUpPlan> {
    Some(RampUpPlan {
        strategy: load.ramp_up_strategy?,
        start: load.ramp_up_start_rps?,
        end: load.ramp_up_end_rps?,
    })
}

fn saving(results: &ResultArgs) -> Saving {
    Saving {
        save: results.save_result,
        append: results.append_result,
        detailed: results.save_detailed,
        folder: results.result_dir.as_ref().map(PathBuf::from),
        file_name: results.result_filename.clone(),
    }
}

fn metrics(typed: Option<&str>, endpoint: Endpoint) -> Result<Vec<Metric>, Problem> {
    let Some(typed) = typed else {
        return Ok(if endpoint.generates() {
            vec![Metric::Ttft, Metric::Tpot, Metric::Itl]
        } else {
            vec![Metric::E2el]
        });
    };
    let names = || Metric::ALL.map(Metric::key);
    let mut wanted = Vec::new();
    for name in typed.split(',').map(str::trim) {
        let found = Metric::ALL.into_iter().find(|metric| metric.key() == name);
        if found.is_some_and(|metric| metric.needs_tokens() && !endpoint.generates()) {
            return Err(Problem::usage(format!(
                "--percentile-metrics {name} has no meaning for vectors and scores"
            ))
            .hint("use e2el"));
        }
        wanted.push(found.ok_or_else(|| {
            Problem::usage(format!("--percentile-metrics does not know {name}"))
                .hint(format!("one or more of {}, with commas", names().join(",")))
        })?);
    }
    wanted.sort_unstable();
    wanted.dedup();
    Ok(wanted)
}

fn percentiles(typed: &str) -> Result<Vec<Percentile>, Problem> {
    typed
        .split(',')
        .map(|text| {
            let value = text.trim().parse::<f64>().ok();
            let value = value
                .filter(|value| (0.0..=100.0).contains(value))
                .ok_or_else(|| {
                    Problem::usage(format!("--metric-percentiles cannot be {text}")).hint(
                        "write numbers from 0 to 100 with commas: --metric-percentiles 50,99,99.9",
                    )
                })?;
            let text = if value.fract() == 0.0 {
                format!("{value:.0}")
            } else {
                format!("{value:?}")
            };
            Ok(Percentile { value, text })
        })
        .collect()
}

fn goodput(typed: &[String]) -> Result<Option<Limits>, Problem> {
    if typed.is_empty() {
        return Ok(None);
    }
    let mut limits = Limits::default();
    for pair in typed {
        let (name, limit) = pair.split_once(':').ok_or_else(|| {
            Problem::usage(format!("--goodput {pair} has no colon"))
                .hint("write a metric, a colon and milliseconds: --goodput ttft:500 tpot:50")
        })?;
        let place = match name {
            "ttft" => &mut limits.ttft_ms,
            "tpot" => &mut limits.tpot_ms,
            "e2el" => &mut limits.latency_ms,
            _ => {
                return Err(Problem::usage(format!("--goodput does not know {name}"))
                    .hint("one of ttft, tpot, e2el"));
            }
        };
        let value = limit.parse::<f64>().ok().filter(|value| *value >= 0.0);
        *place = Some(value.ok_or_else(|| {
            Problem::usage(format!("--goodput {pair}: {limit} is no limit"))
                .hint("write milliseconds, 0 or more")
        })?);
    }
    Ok(Some(limits))
}

fn metadata(typed: &[String]) -> Result<Vec<(String, String)>, Problem> {
    typed
        .iter()
        .map(|pair| {
            let (name, value) = pair.split_once('=').ok_or_else(|| {
                Problem::usage(format!("--metadata {pair} has no `=`")).hint("write NAME=VALUE")
            })?;
            Ok((name.trim().to_owned(), value.trim().to_owned()))
        })
        .collect()
}
